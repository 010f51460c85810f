"""Many clusters at once: a row each, in which order they stand, and which is looked at next."""
