"""Writes the reference pages that follow from the source: `python -m tools.reference`."""
