"""Failure modes of the server's configuration."""

from walconsole.domain.standing.page import Page

PAGES = (
    Page(
        "archive-off",
        "archiving is switched off",
        symptom="pg_stat_archiver is empty, there are no .ready files, and nothing fails.",
        cause="`archive_mode = off`, which is the default. Nothing is archived, and nothing complains.",
        signal=(
            "The setting in force (pg_settings), with the file and line it comes from; files that "
            "say otherwise and are never read."
        ),
        fix=(
            "Set it in a file that the server reads, and restart: archive_mode takes a restart, and "
            "wal_level must be replica or logical.\n\n```\narchive_mode = on\n"
            'archive_command = \'/usr/local/bin/NAME-pg-archive "%p" "%f"\'\narchive_timeout = 60\n```\n'
            "\nThen take a base backup: WAL from before it cannot be replayed onto anything. "
            "`walconsole provision` does all but the base backup."
        ),
        source="the incident that walconsole began with; patroni#3225",
    ),
    Page(
        "dead-config",
        "a configuration file that the server never reads",
        symptom="An edit and a reload change nothing.",
        cause=(
            "The edited file is not the one that is read. Debian's pg_ctlcluster starts the server "
            "with /etc/postgresql/VERSION/NAME/postgresql.conf, whatever PGDATA= or a role's "
            "template says."
        ),
        signal=(
            "`config_file`, the postmaster's arguments, `pg_settings.sourcefile`, and the files that "
            "lie around and look like this cluster's configuration."
        ),
        fix=(
            "Put what is meant into conf.d beside the live file, reload (or restart), and take the "
            "dead file away, so that nobody edits it again.\n\n```\nSHOW config_file;\n"
            "SELECT name, setting, sourcefile, sourceline FROM pg_settings WHERE name LIKE "
            "'archive%';\n```"
        ),
        source="the incident that walconsole began with; pg_conftool(1)",
    ),
    Page(
        "auto-conf-override",
        "ALTER SYSTEM overrides the file",
        symptom="A value in conf.d is ignored.",
        cause="postgresql.auto.conf is read last: what ALTER SYSTEM wrote there wins over every file.",
        signal=(
            "The setting's source file ends in postgresql.auto.conf, and another file sets another value."
        ),
        fix=(
            "Take the override back, and reload (archive_mode and wal_level take a restart).\n\n```\n"
            "ALTER SYSTEM RESET archive_command;\nSELECT pg_reload_conf();\n```"
        ),
        never="Do not edit postgresql.auto.conf by hand while the server runs.",
        source="kubeblocks#10106",
    ),
    Page(
        "pending-restart",
        "a changed setting waits for a restart",
        symptom="The file has the new value, and SHOW the old one.",
        cause="Some settings (archive_mode, wal_level, max_wal_senders) are taken only at start.",
        signal="`pg_settings.pending_restart`.",
        fix="Restart when it suits.\n\n```\npg_ctlcluster VERSION NAME restart\n```",
        source="patroni#773",
    ),
    Page(
        "command-empty",
        "archiving is on, and there is no command",
        symptom=(
            "The log says `archive_mode enabled, yet archiving is not configured`; .ready files pile "
            "up, and pg_wal grows."
        ),
        cause=(
            "archive_mode is on, archive_command is '' and archive_library is not set: the server "
            "keeps every segment."
        ),
        signal="Both settings, and the growing backlog.",
        fix=("Set archive_command in the file that wins, and reload. The backlog is archived by itself."),
        never=(
            "Never set it to /bin/true to make the backlog go away: the WAL is lost, and the archive "
            "has a gap."
        ),
        source="wal-g#50",
    ),
    Page(
        "library-and-command",
        "archive_library and archive_command are both set",
        symptom=(
            "From PostgreSQL 16 on the archiver ends with an error again and again; PostgreSQL 15 "
            "ignores archive_command."
        ),
        cause="Only one may be set. The server starts all the same: it is the archiver that refuses.",
        signal="Both settings are not empty; on 16 and later the archiver's error in the log.",
        fix="Unset the one that is not meant, and reload.\n\n```\narchive_library = ''\n```",
        source="PostgreSQL commit d627ce3",
    ),
    Page(
        "no-archive-timeout",
        "nothing bounds how old unarchived writes may get",
        symptom="On a quiet server the last success is hours old although something was written.",
        cause="archive_timeout = 0: a segment is archived when it is full, and not before.",
        signal="The setting.",
        fix=(
            "Set archive_timeout (60 s at least; each forced switch stores a segment, most of it "
            "zeroes, which compression makes small)."
        ),
        source="PostgreSQL's documentation of archive_timeout",
    ),
    Page(
        "odd-segment-size",
        "names that cannot exist with this wal_segment_size",
        symptom=(
            "A tool that takes 16 MiB for granted reports gaps where there are none; or the bucket "
            "holds names that this cluster can never have written."
        ),
        cause=(
            "wal_segment_size is set by initdb. With 64 MiB the last field of a name ends at 3F, "
            "with 1 GiB at 03; a name beyond that is another cluster's, or this one's from before it "
            "was made anew."
        ),
        signal=(
            "The server's setting, and names beyond the last of a log (S3 LIST). A size that is "
            "merely not 16 MiB is no fault, and is not reported."
        ),
        fix="Give each cluster a prefix of its own.",
        source="barman#287; check_pgbackrest#49",
    ),
    Page(
        "archive-always",
        "a standby archives what its primary archives",
        symptom=(
            "Each segment is pushed twice; where the command refuses what exists, one of the two "
            "fails for ever."
        ),
        cause="archive_mode = always on a standby whose primary writes to the same place.",
        signal="The setting, and pg_is_in_recovery().",
        fix=("archive_mode = on on the standby; or a command that takes an identical object for a success."),
        source="pgbackrest#125, #1204",
    ),
)
