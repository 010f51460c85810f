"""The temporary full-access key: noted, deleted by every way out, found again."""
