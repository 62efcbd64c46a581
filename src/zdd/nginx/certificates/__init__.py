"""The certificates of zdd's own nginx: what it has, what it should have, and what is wrong with them."""
