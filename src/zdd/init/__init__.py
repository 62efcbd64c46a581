"""Proposes a first deploy.toml for a project's folder."""
