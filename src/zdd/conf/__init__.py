"""The configuration: one schema, read from TOML or INI."""
