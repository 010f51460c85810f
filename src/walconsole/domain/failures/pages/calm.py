"""What looks like a fault and is none: nothing is ever reported for these."""

from walconsole.domain.standing.page import Page

PAGES = (
    Page(
        "idle-looks-stale",
        "an idle server's last success is old",
        symptom="last_archived_time is hours or days old.",
        cause="archive_timeout switches a segment only after something was written.",
        signal=(
            "The write position against the end of the last archived segment: nothing worth a switch "
            "was written."
        ),
        fix="Age alone proves nothing: positions are compared, not ages.",
        source="PostgreSQL's documentation of archive_timeout",
        alarms=False,
    ),
    Page(
        "red-forever",
        "failed_count is above zero long after recovery",
        symptom="Hundreds of failures in pg_stat_archiver.",
        cause="The counter is cumulative, and is never reset by itself.",
        signal="last_failed_time against last_archived_time, and whether the file still waits.",
        fix="Nothing is needed. `SELECT pg_stat_reset_shared('archiver');` sets it back.",
        source="cloudnative-pg#3674, #9101",
        alarms=False,
    ),
    Page(
        "counters-reset",
        "archived_count = 0 on a server that archives",
        symptom="pg_stat_archiver is empty.",
        cause="Somebody reset the statistics, or a crash lost them.",
        signal="The bucket holds what came right before the current segment.",
        fix="The bucket is the proof, not the counter.",
        alarms=False,
    ),
    Page(
        "clean-promotion",
        "a new timeline after a promotion",
        symptom="The names change, a .history and a .partial appear.",
        cause="A standby was promoted.",
        signal="The .history file is in the archive, and WAL is unbroken across the switch.",
        fix="A restore follows the history.",
        alarms=False,
    ),
    Page(
        "partial-beside-segment",
        "a .partial file beside its segment",
        symptom="SEGMENT.partial in the bucket.",
        cause=("A promoted server archives what it had of its old timeline's last segment under this name."),
        signal="The whole segment of that number is on the new timeline.",
        fix="Nothing reads it unless you ask for it.",
        alarms=False,
    ),
    Page(
        "accepted-gap",
        "a gap that somebody accepted",
        symptom="A hole in the strip, marked.",
        cause="An operator said on the archive screen that it is known and lost.",
        signal="The register of accepted gaps.",
        fix="It stays visible, and is no finding. One that grows is open again.",
        alarms=False,
    ),
    Page(
        "first-minute",
        "nothing was archived yet",
        symptom="archived_count = 0 right after a start.",
        cause="The server has run for less than a minute and an archive_timeout, and nothing waits.",
        signal="The server's start, and the backlog.",
        fix="Nothing was due. After that it is told (never-archived).",
        alarms=False,
    ),
    Page(
        "other-prefix",
        "another cluster's WAL under another prefix",
        symptom="The bucket holds more than this archive.",
        cause="Several clusters share a bucket, each with a folder of its own.",
        signal="System identifiers and folders.",
        fix="The archive that is this server's is judged, the others are named.",
        alarms=False,
    ),
)
