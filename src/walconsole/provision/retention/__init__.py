"""Retention: what goes is looked at, locked, deleted and looked at again."""
