"""Search over everything that was indexed, and the worker that indexes it."""
