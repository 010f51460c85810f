"""What takes the probes at their cadence, and what a probe is."""
