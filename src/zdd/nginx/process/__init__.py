"""A running nginx: find, start, reload and stop it."""
