"""What probes return: frozen values, the readings that carry them, the snapshot of all."""
