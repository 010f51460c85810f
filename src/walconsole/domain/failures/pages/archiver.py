"""Failure modes of the archiver, and of commands that say what is not so."""

from walconsole.domain.standing.page import Page

PAGES = (
    Page(
        "failing",
        "archiving fails",
        symptom="last_failed_time is newer than last_archived_time, and the file still waits.",
        cause="A consequence: the cause is told above it where it is found.",
        signal="pg_stat_archiver, .ready files, the log.",
        fix=(
            "Run the command by hand, as the server's user, on the file that waits; its words tell "
            "the cause.\n\n```\ncd DATA_DIRECTORY\n"
            "runuser -u postgres -- env -i PATH=/usr/bin:/bin sh -c 'COMMAND with pg_wal/SEGMENT'; "
            "echo $?\n```"
        ),
        never="Never delete .ready files or segments by hand.",
        source="PostgreSQL: pgarch.c",
    ),
    Page(
        "stalled",
        "the archiver stands still",
        symptom="Segments wait, and neither successes nor failures come.",
        cause=("A command that hangs, an exit above 125 or a signal (not counted), a WAL file that is gone."),
        signal=(
            ".ready files that wait longer than a minute and a half while both times of "
            "pg_stat_archiver stand."
        ),
        fix="Look at what runs below the archiver, and for FATAL in the log.",
        source="PostgreSQL: pgarch.c",
    ),
    Page(
        "too-slow",
        "archiving is slower than the WAL",
        symptom=".ready files grow steadily, with no errors.",
        cause="One segment after another, each takes longer than the server takes to fill the next.",
        signal="The backlog, its trend, and how long the first of them waits.",
        fix=(
            "Compress before the transfer; write less WAL (wal_compression, checkpoint distance); an "
            "engine that pushes several at once."
        ),
        never="Do not switch archiving off to let it catch up: that makes a gap.",
        source="railway#89; a plugin of CloudNativePG, 656 (1.9 s a segment)",
    ),
    Page(
        "never-archived",
        "archiving is on, and nothing was ever archived",
        symptom="archived_count = 0, last_archived_wal is NULL; a check that compares times passes.",
        cause="Nothing was written since the start, or nothing ever got through.",
        signal="pg_stat_archiver, and the bucket, which holds nothing current either.",
        fix=(
            "Force a switch after a write, and see whether it arrives.\n\n```\n"
            "SELECT pg_create_restore_point('check'); SELECT pg_switch_wal();\n```"
        ),
        source="check_pgactivity#290",
    ),
    Page(
        "stuck-on-existing",
        "one segment fails for ever, and it is in the bucket already",
        symptom="last_failed_wal does not change; everything behind it waits.",
        cause=(
            "The segment was archived, and the server did not hear of it (a crash, a cut "
            "connection). The command refuses what exists, even where it is identical."
        ),
        signal="The object of that name is compared with the file in pg_wal, byte by byte (SHA-256).",
        fix="Let the command succeed where the object is identical, and fail where it differs.",
        never="Never delete the .ready file by hand: 55,435 segments waited behind one for 39 hours.",
        source="openlibrary#13549",
    ),
    Page(
        "orphan-ready",
        "a .ready file without its WAL file",
        symptom=(
            "The archiver fails on a file that does not exist. PostgreSQL 15 and later remove such a "
            "file themselves and warn."
        ),
        cause=("A crash between removing the segment and its status file, or somebody deleted from pg_wal."),
        signal=".ready files whose segment is not in pg_wal.",
        fix=(
            "Make sure that the segment is in the archive or lost, then move that one .ready file "
            "away.\n\n```\nmv pg_wal/archive_status/SEGMENT.ready /var/tmp/\n```"
        ),
        never="Touch no other file there.",
        source="CrunchyData postgres-operator#2115",
    ),
    Page(
        "silent-loss",
        "the command says yes and stores nothing",
        symptom=(
            "archived_count rises and failed_count does not; the bucket lacks the last archived segment."
        ),
        cause=(
            "A script that swallows errors (`|| true`, a pipe without pipefail, `exit 0`), or the "
            "wrong bucket or prefix."
        ),
        signal="The exact last_archived_wal is looked for in the bucket.",
        fix=(
            "Mend the command first. Then push what is still in pg_wal, oldest first; what is "
            "recycled already is a gap: take a base backup."
        ),
        source="pgbackrest#1290",
    ),
    Page(
        "archive-frozen",
        "archived_count rises, and the bucket stands still",
        symptom="The bucket was filled up to some time, and no longer, while PostgreSQL counts successes.",
        cause=(
            "The command says yes before the store has it: a spool, a queue that drops, a background "
            "process that died."
        ),
        signal="The newest object against last_archived_wal, and a command that does not wait.",
        fix="Look at the queue and the process that empties it; then push what is still there.",
        source="railway postgres-ssl#85; pgbackrest#632",
    ),
)
