"""PostgreSQL's settings that decide whether WAL reaches the archive, how soon, and what it holds."""

ARCHIVE_SETTINGS: tuple[str, ...] = (
    # what archives, and how often
    "archive_mode",
    "archive_command",
    "archive_library",
    "archive_timeout",
    "wal_level",
    # what restores
    "restore_command",
    "archive_cleanup_command",
    "recovery_target_timeline",
    # how much WAL there is, and what keeps it
    "wal_segment_size",
    "max_wal_size",
    "min_wal_size",
    "wal_keep_size",
    "max_slot_wal_keep_size",
    "idle_replication_slot_timeout",
    "summarize_wal",
    "wal_summary_keep_time",
    "checkpoint_timeout",
    "wal_compression",
    "wal_recycle",
    # what the archived WAL is worth
    "fsync",
    "full_page_writes",
    "synchronous_commit",
    "wal_log_hints",
    "data_checksums",
    "max_wal_senders",
    # where the server reads and writes
    "data_directory",
    "config_file",
    "hba_file",
    "cluster_name",
    "logging_collector",
    "log_destination",
    "log_directory",
    "log_filename",
    "log_timezone",
    "syslog_ident",
)
"""By meaning. A server has none of those that its version does not know."""
