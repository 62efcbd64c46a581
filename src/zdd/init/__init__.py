"""A first deploy.toml for a folder with somebody's project in it."""
