"""What the user asked for: one schema, read from TOML or INI."""
