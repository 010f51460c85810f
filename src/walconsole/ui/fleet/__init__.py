"""Many clusters in one list."""
