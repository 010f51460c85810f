"""The only place that wires adapters, probes, steps and screens together."""
