"""The droplet while it is provisioned: commands, files, the survey."""
