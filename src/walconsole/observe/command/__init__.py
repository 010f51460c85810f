"""The archive command: its programs, what the store answers it, what stands in its way."""
