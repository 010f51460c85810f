"""PostgreSQL through an SSH connection."""
