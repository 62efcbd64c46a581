"""A running nginx: found, started, reloaded, stopped."""
