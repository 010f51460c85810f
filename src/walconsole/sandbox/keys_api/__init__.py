"""The embedded keys API."""
