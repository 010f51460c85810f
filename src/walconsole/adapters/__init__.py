"""The real servers behind the ports: SSH, PostgreSQL, Spaces, the keys API."""
