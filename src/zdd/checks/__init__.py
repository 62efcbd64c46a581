"""Checks: they look at a project and change nothing."""
