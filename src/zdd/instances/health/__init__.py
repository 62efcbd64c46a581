"""Whether an instance is healthy: asked by a request or by a command."""
