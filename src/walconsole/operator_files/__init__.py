"""The operator's own files: where they lie, and what outlives a session."""
