"""A deploy: planned, carried out step by step, undone when a step fails, recovered when it was interrupted."""
