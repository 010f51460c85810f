"""DigitalOcean's keys API, through pydo."""
