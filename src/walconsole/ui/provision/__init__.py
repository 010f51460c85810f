"""The provisioning screen's parts: what its panes show, its gate, and the run that outlives it."""
