"""Building, linking and pruning releases."""
