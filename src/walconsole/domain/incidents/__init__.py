"""What is remembered of incidents: when each opened, what was seen, what was run, when it was over."""
