"""Shell scripts that look at the droplet before it is provisioned."""
