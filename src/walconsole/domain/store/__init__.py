"""The store's side of things: grants, temporary keys, and the dates in its answers."""
