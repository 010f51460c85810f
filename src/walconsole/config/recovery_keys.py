"""The keys of a profile that are about recovery: base backups, restore drills, another host, retention."""

from walconsole.config import checks
from walconsole.config.key import Key
from walconsole.domain.profile import MOST_INCREMENTAL, MOST_READ_MIB_S

BACKUP_KEYS = (
    Key(
        "backups.encrypt_for",
        checks.file_of_keys("public"),
        '"/etc/shithub-age-recipients"',
        "a file of age's public keys on the droplet, for which base backups are encrypted",
        "they are not encrypted",
    ),
    Key(
        "backups.read_mib_s",
        checks.whole(0, MOST_READ_MIB_S, "MiB/s"),
        "100",
        "how many MiB a second at most are read from the server for one",
        "0: as it comes",
    ),
    Key(
        "backups.send_mib_s",
        checks.whole(0, 65536, "MiB/s"),
        "40",
        "how many MiB a second at most are sent to each copy",
        "0: as it comes",
    ),
    Key(
        "backups.at",
        checks.time_of_day,
        '"03:10"',
        "when the night's base backup begins, by the droplet's clock; systemd adds up to an hour",
        "03:10",
    ),
    Key(
        "backups.incremental",
        checks.whole(0, MOST_INCREMENTAL, "backups"),
        "6",
        "how many incremental ones follow a full one by the schedule, from PostgreSQL 17 on",
        "0: each is a full one",
    ),
)

DRILL_KEYS = (
    Key(
        "drills.every",
        checks.days,
        '"7d"',
        "after which time without a good restore drill the console warns, in days (or hours: '36h')",
        "no drill is expected",
    ),
    Key(
        "drills.at",
        checks.time_of_day,
        '"05:10"',
        "when a night's drill begins where one is due, by the droplet's clock; systemd adds up to an hour",
        "05:10",
    ),
    Key(
        "drills.folder",
        checks.absolute_path,
        '"/srv/drills"',
        "a folder on the droplet, the cluster owner's, with room for the whole cluster",
        "the drill's own below /var/lib",
    ),
    Key(
        "drills.limit_hours",
        checks.between(0.01, 240, "hours"),
        "6.0",
        "a drill that takes longer ends without a proof",
        "6.0",
    ),
    Key(
        "drills.reserve_mib",
        checks.whole(0, 1 << 24, "MiB"),
        "1024",
        "how much stays free on that disk: where a drill would take it, it is refused",
        "1024",
    ),
    Key(
        "drills.identity",
        checks.file_of_keys("secret"),
        '"/etc/shithub-drill.key"',
        "a file of age's secret keys on the droplet, with which encrypted base backups are restored",
        "encrypted ones are not drilled",
    ),
)

SPARE_KEYS = (
    Key(
        "recovery.host",
        checks.destination,
        '"root@spare.example.org"',
        (
            "another host, on which drills and recoveries are made: [user@]host[:port]; `--on here` for the "
            "droplet"
        ),
        "the droplet itself",
    ),
)

KEEP_KEYS = (
    Key(
        "keep.full",
        checks.whole(1, 10_000, "full backups"),
        "7",
        "how many of the newest full backups stay, and what builds upon them",
        "no such rule; where there is none at all, nothing is ever deleted",
    ),
    Key(
        "keep.days",
        checks.between(0.01, 36_500, "days"),
        "14",
        "from how many days all backups stay, and the newest before those",
        "no such rule; where there is none at all, nothing is ever deleted",
    ),
    Key(
        "keep.pins",
        checks.list_of(checks.backup_id),
        '["20261129T031000Z"]',
        "base backups that stay for ever, by their ids",
        "none",
    ),
    Key(
        "keep.most_share",
        checks.between(0.01, 1, "(1 is all of them)"),
        "0.5",
        "at most this share of a copy's complete base backups goes at once",
        "0.5",
    ),
)
