"""Failure modes of what lies in the bucket."""

from walconsole.domain.standing.page import Page

PAGES = (
    Page(
        "gap",
        "segments are missing in mid-chain",
        symptom="A restore stops before the first of them.",
        cause="A crash, a killed upload, a deletion, a command that swallowed an error.",
        signal=(
            "Every name in the bucket, along the timelines that a restore follows. A gap that was "
            "accepted on the archive screen is not reported; nor is one that parallel writers may "
            "only not have filled yet."
        ),
        fix="Push them again while they are in pg_wal (or on a standby); else take a base backup now.",
        source="wal-g#1590",
    ),
    Page(
        "failover-hole",
        "a gap where the timeline was switched",
        symptom="The archive is unbroken before and after a failover, and not across it.",
        cause=(
            "The old primary had not archived its last segments; on the standby, WAL that was "
            "streamed is marked as done and never archived."
        ),
        signal="Continuity across the switch point that the .history file names.",
        fix="Take them from the old primary's pg_wal; else a base backup of the new timeline.",
        source="ubicloud#6279",
    ),
    Page(
        "history-missing",
        "a timeline without its .history file",
        symptom="A restore to `latest` ends on an older timeline, and then writes one that collides.",
        cause="The .history file failed to be archived at the promotion, or was deleted since.",
        signal="The listing: `latest` counts timelines up and stops at the first without its history.",
        fix=(
            "Push it again; it is in pg_wal of the server that was promoted.\n\n```\nls pg_wal/*.history\n```"
        ),
        source="cloudnative-pg#11219; patroni#890",
    ),
    Page(
        "foreign-writer",
        "somebody else writes to the archive",
        symptom="The bucket is ahead of the server, or holds segments of another system identifier.",
        cause="A clone, a restored server or a test kept the archive_command.",
        signal=(
            "The page header of the newest and oldest segments (system identifier), and names beyond "
            "the write position."
        ),
        fix="Stop the other writer; give each cluster a prefix of its own; take a base backup.",
        never="Delete nothing before it is known whose it is.",
        source="wal-e#350; pgbackrest#1908",
    ),
    Page(
        "same-name-different-content",
        "one name, two contents",
        symptom="The command refuses a segment, for the object of its name has other bytes.",
        cause="Split brain, a snapshot that was rolled back, a second server.",
        signal="The object against the file in pg_wal (SHA-256), or two keys of one segment.",
        fix=(
            "Stop and investigate: which server is right? Then archive under a new prefix, with a "
            "new base backup."
        ),
        never="Overwrite nothing: it may be the only copy of what users saw committed.",
        source="pgbackrest#1753, #2629",
    ),
    Page(
        "damaged-object",
        "an object that is named like a segment is no WAL",
        symptom="A restore stops at it, or the server refuses it (`invalid magic number`).",
        cause=(
            "An upload that was cut short and filled up, an error page that was stored as if it were the "
            "segment, a file system that came back with zeroes, another program's file."
        ),
        signal="The first bytes of the newest and the oldest segment: no WAL page, and no known compression.",
        fix=(
            "Find out what wrote it. Archive the segment again while it is in pg_wal; else take it from the "
            "other copy, or take a new base backup."
        ),
        never="Do not delete it before another copy was found to be whole.",
    ),
    Page(
        "dr-behind",
        "the DR copy lacks more than it should",
        symptom="More than five segments, the oldest for more than a quarter of an hour.",
        cause="Whatever copies to the other region has stopped, or is too slow.",
        signal="Both listings, segment by segment.",
        fix=(
            "Copy what is missing, and see to what copies.\n\n```\n"
            "rclone copy --ignore-existing PRIMARY:BUCKET DR:BUCKET\n```"
        ),
    ),
    Page(
        "lifecycle-eats-wal",
        "the bucket deletes WAL that a restore needs",
        symptom="Old segments or .history files vanish.",
        cause=(
            "An expiry rule is shorter than the age of the base backup that needs the WAL. A "
            ".history file is needed for ever."
        ),
        signal="The bucket's lifecycle rules against the newest base backup's age.",
        fix=(
            "Keep WAL for longer than the oldest base backup that shall be usable, and leave .history alone."
        ),
        source="plugin-barman-cloud#779; pgbackrest#2258",
    ),
    Page(
        "no-base-backup",
        "WAL is archived, and there is nothing to replay it onto",
        symptom="Months of WAL, and no point-in-time recovery.",
        cause="No physical base backup was taken. A logical dump (pg_dump) is none.",
        signal=(
            "No .backup label and no base backup of a known tool is in the bucket. One that was "
            "taken from a standby, or a disk snapshot, leaves no label."
        ),
        fix=(
            "```\npg_basebackup -D /var/backups/base -X none -c fast -P\n```\n\nand regularly from then on."
        ),
        source="a restore runbook that needed one which nothing ever took",
    ),
)
