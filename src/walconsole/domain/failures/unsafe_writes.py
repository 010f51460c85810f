"""Settings by which a crash of the host, or the server itself, damages the cluster that is archived."""

from collections.abc import Iterator

from walconsole.domain.facts.observed import Setting
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.standing.assessment import Assessment
from walconsole.domain.standing.mode import FailureMode, Page
from walconsole.domain.standing.model import Finding, Fix, Severity
from walconsole.domain.standing.proofs import setting_row
from walconsole.domain.standing.remedies import restart_by_hand, set_by_hand

_BY_COMMAND_LINE = "command line"
_WRITES_WHOLE_PAGES = frozenset({"zfs", "btrfs", "bcachefs"})
"""File systems that write no page over itself: a page is the old one or the new one, never half of each."""


def _is(snapshot: Snapshot, name: str, value: str) -> Setting | None:
    settings = snapshot.settings.value
    setting = settings.get(name) if settings is not None else None
    return setting if setting is not None and setting.value == value else None


def _on_a_standby(snapshot: Snapshot) -> bool:
    return snapshot.server.value is not None and snapshot.server.value.in_recovery


def _back(snapshot: Snapshot, setting: Setting, value: str, *then: str) -> Fix:
    """Set otherwise: by SQL, but where the command line has the last word."""
    if setting.source == _BY_COMMAND_LINE:
        return Fix(
            f"take {setting.name} out of what starts the server (postgres -F, -c; pg_ctl.conf), and restart",
            restart_by_hand(snapshot),
            risk="ends every connection",
        )
    return Fix(
        f"set {setting.name} = {value}, and reload",
        (*set_by_hand(setting.name, value), *then),
    )


def fsync_off(assessment: Assessment) -> Iterator[Finding]:
    """What PostgreSQL says is written may be in the host's memory alone."""
    snapshot = assessment.snapshot
    setting = _is(snapshot, "fsync", "off")
    if setting is None:
        return
    standby = _on_a_standby(snapshot)
    yield Finding(
        "fsync-off",
        Severity.NOTE if standby else Severity.WARNING,
        "fsync is off: a crash of the host may damage the cluster without a word",
        (
            "fsync = off (pg_settings): the kernel writes when it likes, data and WAL in any order",
            "after such a crash the archive may hold WAL that this server has lost, and writes otherwise "
            "then, under the same names",
        ),
        "set fsync = on, reload, and have the kernel write what it holds (sync)",
        Snapshot.settings,
        "fsync",
        proof=tuple(setting_row(snapshot, "fsync")),
        fixes=(_back(snapshot, setting, "on", "sync"),),
    )


def full_page_writes_off(assessment: Assessment) -> Iterator[Finding]:
    """A page of which a crash left half written cannot be mended from WAL."""
    snapshot = assessment.snapshot
    setting, disk = _is(snapshot, "full_page_writes", "off"), snapshot.wal_disk.value
    if setting is None:
        return
    whole = disk is not None and disk.filesystem in _WRITES_WHOLE_PAGES
    on = f"; pg_wal lies on {disk.filesystem}, which writes no page over itself" if disk and whole else ""
    yield Finding(
        "full-page-writes-off",
        Severity.NOTE if whole or _on_a_standby(snapshot) else Severity.WARNING,
        "full_page_writes is off: a page that a crash left half written stays so",
        (
            f"full_page_writes = off (pg_settings){on}",
            "a base backup of the primary writes whole pages while it runs; one of a standby is refused",
        ),
        "set full_page_writes = on, and reload; the next checkpoint makes it true",
        Snapshot.settings,
        "full_page_writes",
        proof=tuple(setting_row(snapshot, "full_page_writes")),
        fixes=(_back(snapshot, setting, "on", "CHECKPOINT;"),),
    )


_PASSES_OVER = {
    "zero_damaged_pages": "each damaged page that is read becomes an empty one, and is archived so",
    "ignore_checksum_failure": "a damaged page is taken as if it were right, and may be written back so",
}


def damage_passed_over(assessment: Assessment) -> Iterator[Finding]:
    """What PostgreSQL would refuse to read is lost in silence."""
    snapshot = assessment.snapshot
    for name, what in _PASSES_OVER.items():
        setting = _is(snapshot, name, "on")
        if setting is not None:
            yield Finding(
                "damage-passed-over",
                Severity.WARNING,
                f"{name} is on: {what}",
                (f"{name} = on (pg_settings)", "what it lets go is in no base backup from now on"),
                f"set {name} = off, and keep the base backups from before it was switched on",
                Snapshot.settings,
                name,
                proof=tuple(setting_row(snapshot, name)),
                fixes=(_back(snapshot, setting, "off"),),
            )


MODES: tuple[FailureMode, ...] = (
    FailureMode(
        "fsync-off",
        Page(
            title="fsync is off",
            symptom=(
                "All works, and fast. After a power cut or a kernel's crash the cluster does not start, or "
                "starts and is damaged without a word."
            ),
            cause=(
                "`fsync = off`, often left from a bulk load, a test's template or a benchmark; or `postgres "
                "-F` in what starts the server."
            ),
            signal="`fsync` in pg_settings. A note on a standby, which can be made anew.",
            fix=(
                "Switch it on, and have the kernel write what it still holds. What was archived before is as "
                "good as ever.\n\n"
                "```\nALTER SYSTEM SET fsync = on;\nSELECT pg_reload_conf();\n```\n\n"
                "Then run `sync` on the host. Where the host has crashed meanwhile, do not trust the "
                "cluster: recover it from the archive, to a place of its own."
            ),
            never=(
                "Do not let a server that crashed without fsync archive on: it writes other WAL under names "
                "that the archive holds already."
            ),
            source="PostgreSQL's documentation, 19.5.1 (fsync), 28.1 Reliability",
        ),
        look=fsync_off,
    ),
    FailureMode(
        "full-page-writes-off",
        Page(
            title="full_page_writes is off",
            symptom=(
                "Nothing, until the host crashes: then a page may be half old and half new. Base backups of "
                "a standby end with `WAL generated with full_page_writes=off was replayed since last "
                "restartpoint`."
            ),
            cause=(
                "It was switched off to write less WAL. That is safe only where the storage writes a page "
                "whole or not at all."
            ),
            signal=(
                "`full_page_writes` in pg_settings. A note where pg_wal lies on a file system that writes no "
                "page over itself (ZFS, btrfs, bcachefs), and on a standby."
            ),
            fix=(
                "Switch it on. `wal_compression = on` takes back most of what it costs.\n\n"
                "```\nALTER SYSTEM SET full_page_writes = on;\nSELECT pg_reload_conf();\nCHECKPOINT;\n```"
            ),
            source="PostgreSQL's documentation, 19.5.1 (full_page_writes); access/transam/xlog.c",
        ),
        look=full_page_writes_off,
    ),
    FailureMode(
        "damage-passed-over",
        Page(
            title="damaged pages are passed over",
            symptom="Queries that failed go well again, and rows are missing.",
            cause=(
                "`zero_damaged_pages` or `ignore_checksum_failure` was switched on to get at the rest of a "
                "table, and left on."
            ),
            signal="Both in pg_settings, as the console's own session has them.",
            fix=(
                "Switch it off. What was zeroed is in the base backups from before, with the WAL up to "
                "then.\n\n"
                "```\nALTER SYSTEM RESET zero_damaged_pages;\nSELECT pg_reload_conf();\n```"
            ),
            never="Do not let retention take the base backups from before it was switched on.",
            source="PostgreSQL's documentation, 19.17 Developer Options",
        ),
        look=damage_passed_over,
    ),
)
