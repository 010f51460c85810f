"""Find the moment: archived WAL, brought to the droplet and read there."""
