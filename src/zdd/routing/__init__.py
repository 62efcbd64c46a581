"""The switch: tables of slots, and the one rename that puts a table in force."""
