"""One instance: starting it, proving it healthy, retiring it."""
