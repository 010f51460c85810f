"""The host's facts: its clusters, pg_wal, and scripts run there."""
