"""All that knows nginx: its text, its processes, and the requests through it."""
