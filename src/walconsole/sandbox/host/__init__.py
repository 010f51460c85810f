"""The embedded host: SSH, PostgreSQL, programs and users."""
