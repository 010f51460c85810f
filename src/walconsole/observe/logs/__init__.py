"""Logs: streamed to the screen, and read as evidence."""
