"""What a restore drill proved: the small object that it leaves in each copy, `walconsole/drills/ID.json`.

Whoever may write to the bucket may write anything there: it is read so that it can be no more than refused.
Fields that are not known are ignored; what cannot be read so any more counts `format` up.
"""

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum

from walconsole.domain.records import record
from walconsole.domain.recovery.backups import Unreadable
from walconsole.domain.recovery.hostile import (
    RefusedError,
    count,
    field,
    identifier_of,
    json_object,
    lsn_of,
    moment,
    optional,
    optional_count,
    segment_size,
    text_of,
    timeline_number,
    words,
)
from walconsole.domain.redaction import safe

DRILLS = "walconsole/drills/"
"""Below the profile's prefix, where neither WAL nor base backups lie."""
FORMAT = 1
LONGEST_BYTES = 16 * 1024
_ID = re.compile(r"\d{8}T\d{6}Z", re.ASCII)
_IS_BACKUP = re.compile(r"\d{8}T\d{6}Z?|\d{8}-\d{6}F(?:_\d{8}-\d{6}[DI])?", re.ASCII)
"""Ours, Barman's, and pgBackRest's labels."""
_LONGEST_MESSAGE = 500
_MOST_MS = 366 * 86_400_000
HIGHEST_LEVEL = 4


class Outcome(StrEnum):
    """FAILED: what is archived could not be restored. REFUSED: the host could not try it."""

    PROVED = "proved"
    FAILED = "failed"
    REFUSED = "refused"


LEVELS: Mapping[int, str] = {
    0: "nothing",
    1: "the objects unpack, and are what was stored",
    2: "the server replays the WAL to the target: both sides of it are proved",
    3: "every database, the catalogues and a sample of relations can be read",
    4: "the profile's drill_queries give rows",
}
"""What a drill has proved that reached a level; each holds those below it."""

REASONS: Mapping[str, tuple[str, str]] = {
    "missing-segment": (
        "a WAL segment is missing",
        "take a base backup now: it needs nothing of what is older; then see who deletes there",
    ),
    "restore-command": (
        "the restore command does not bring what is archived",
        "call it by hand, as the cluster's owner, and read what it says",
    ),
    "damaged-object": (
        "an object is damaged",
        "take a base backup now; where the object is whole in the other copy, copy it over",
    ),
    "wrong-identifier": (
        "it is another cluster's",
        "see who else stores below this prefix; give each cluster its own, and take a base backup",
    ),
    "no-base-backup": ("there is no base backup of this cluster", "take one"),
    "no-room": (
        "there is no room for it on the host",
        "set drills.folder to a folder on a larger disk, the cluster owner's",
    ),
    "missing-library": (
        "a library that the server loads is missing",
        "install on the host what the cluster preloads; a restore needs it as well",
    ),
    "not-reached": (
        "the target was not reached",
        "see whether the clock was set back meanwhile; run the drill again",
    ),
    "not-consistent": (
        "the server could not recover",
        "read its words; take a base backup, and run the drill again",
    ),
    "not-readable": (
        "what was restored cannot be read",
        "look at the same in production before anything else: its own pages may be damaged",
    ),
    "query": (
        "a query of the profile gave no row",
        "run it in production: where it gives a row there, what was restored lacks it",
    ),
}
"""Why a drill proved nothing: in a few words, and what to do."""
_UNKNOWN = ("it says no reason that this console knows", "read what it says; run the drill again")


@record
class DrillResult:
    """One drill that came to a verdict. None stands for what was not reached.

    Times are seconds since the epoch by the droplet's clock. `copy` is the role of the copy that the base
    backup was read from. `target` is the moment that was restored, `lsn` how far was replayed. `level` is
    what was proved (LEVELS). The phases' times are seconds. `stored_bytes` is what was fetched of base
    backups. `witnesses` are what the restored server says of the transactions before and after the target.
    `checksums`, `amcheck`: they were looked at, and all is well; None: not there. Texts are safe to show.
    """

    id: str
    outcome: Outcome
    reason: str
    message: str
    backup: str
    system_identifier: int
    began: float
    ended: float
    level: int = 0
    host: str = ""
    copy: str = ""
    server_version_num: int | None = None
    timeline: int | None = None
    segment_bytes: int | None = None
    target: float | None = None
    lsn: int | None = None
    fetch_s: float | None = None
    verify_s: float | None = None
    replay_s: float | None = None
    check_s: float | None = None
    stored_bytes: int | None = None
    unpacked_bytes: int | None = None
    segments: int | None = None
    witnesses: tuple[str, str] = ("", "")
    databases: int | None = None
    relations: int | None = None
    queries: int | None = None
    checksums: bool | None = None
    amcheck: bool | None = None
    notes: str = ""

    @property
    def good(self) -> bool:
        """Whether a restore was proved."""
        return self.outcome is Outcome.PROVED

    @property
    def restore_s(self) -> float | None:
        """What a restore took: until the server had reached its target. The checks are the drill's own."""
        phases = (self.fetch_s, self.verify_s, self.replay_s)
        return None if None in phases else sum(each for each in phases if each is not None)

    @property
    def why(self) -> tuple[str, str]:
        """Its reason in a few words, and what to do."""
        return REASONS.get(self.reason, _UNKNOWN)


def drill_id(key: str) -> str | None:
    """The drill that `key` (relative to the profile's prefix) is the result of; None for any other key."""
    name = key.removeprefix(DRILLS)
    id, _, suffix = name.partition(".")
    return id if name != key and suffix == "json" and _ID.fullmatch(id) else None


def read_drill(key: str, content: bytes) -> DrillResult | Unreadable:
    """The result that lies under `key`, which must be a drill's (`drill_id`)."""
    try:
        return _read(drill_id(key) or "", json_object(text_of(content, LONGEST_BYTES)))
    except RefusedError as refused:
        return Unreadable(key, str(refused))


def read_drill_here(place: str, content: bytes) -> DrillResult | Unreadable:
    """The result in a file of the host on which the drill was made, which does not name it."""
    try:
        told = json_object(text_of(content, LONGEST_BYTES))
        id = field(told, "id", str)
        return _read(id if _ID.fullmatch(id) else "", told)
    except RefusedError as refused:
        return Unreadable(place, str(refused))


def _read(id: str, told: Mapping[str, object]) -> DrillResult:
    version = count(told, "format")
    if version != FORMAT:
        raise RefusedError(
            f"it has a newer format, {version}: a newer walconsole reads it"
            if version > FORMAT
            else f"its format is {version}, which no version writes"
        )
    if field(told, "id", str) != id or not id:
        raise RefusedError("its 'id' is not its name")
    began, ended = (moment(field(told, name, str), name) for name in ("began", "ended"))
    if ended < began:
        raise RefusedError("it ended before it began")
    target, lsn, timeline = words(told, "target"), words(told, "lsn"), optional_count(told, "timeline")
    segment = optional_count(told, "wal_segment_size")
    result = DrillResult(
        id,
        _outcome(told),
        safe(words(told, "reason")),
        safe((optional(told, "message", str) or "")[:_LONGEST_MESSAGE]),
        _backup(told),
        identifier_of(field(told, "system_identifier", str), "system_identifier"),
        began,
        ended,
        count(told, "level", HIGHEST_LEVEL),
        host=safe(words(told, "host")),
        copy=safe(words(told, "copy")),
        server_version_num=optional_count(told, "server_version_num", 2**31 - 1),
        timeline=None if timeline is None else timeline_number(timeline, "timeline"),
        segment_bytes=None if segment is None else segment_size(segment, "wal_segment_size"),
        target=moment(target, "target") if target else None,
        lsn=lsn_of(lsn, "lsn") if lsn else None,
        fetch_s=_phase(told, "fetch_ms"),
        verify_s=_phase(told, "verify_ms"),
        replay_s=_phase(told, "replay_ms"),
        check_s=_phase(told, "check_ms"),
        stored_bytes=optional_count(told, "stored_bytes"),
        unpacked_bytes=optional_count(told, "unpacked_bytes"),
        segments=optional_count(told, "segments_replayed"),
        witnesses=(safe(words(told, "witness_before")), safe(words(told, "witness_after"))),
        databases=optional_count(told, "databases"),
        relations=optional_count(told, "relations"),
        queries=optional_count(told, "queries"),
        checksums=optional(told, "checksums", bool),
        amcheck=optional(told, "amcheck", bool),
        notes=safe(words(told, "notes")),
    )
    return _believed(result)


def _outcome(told: Mapping[str, object]) -> Outcome:
    try:
        return Outcome(field(told, "outcome", str))
    except ValueError:
        raise RefusedError("its 'outcome' is none that is known") from None


def _backup(told: Mapping[str, object]) -> str:
    backup = words(told, "backup")
    if backup and not _IS_BACKUP.fullmatch(backup):
        raise RefusedError("its 'backup' is no base backup's id")
    return backup


def _phase(told: Mapping[str, object], name: str) -> float | None:
    milliseconds = optional_count(told, name, _MOST_MS)
    return None if milliseconds is None else milliseconds / 1000


def _believed(result: DrillResult) -> DrillResult:
    """Raises RefusedError for one that claims a proof, and does not hold it."""
    if not result.good:
        return result
    before, after = result.witnesses
    if result.reason or not result.backup or result.restore_s is None or result.target is None:
        raise RefusedError("it claims a proof, and says not of what")
    if result.level < 3 or before != "committed" or after not in ("in progress", "not there"):
        raise RefusedError("it claims a proof, and its witnesses do not bear it out")
    return result


# -- Of all that lie there.


@record
class Drills:
    """What is known of one cluster's drills: the newest that came to a verdict, and the newest good one."""

    newest: DrillResult | None = None
    good: DrillResult | None = None
    unreadable: tuple[Unreadable, ...] = ()


def drills_of(found: Iterable[DrillResult | Unreadable], system_identifier: int | None) -> Drills:
    """Those of that cluster (None: of whichever there is), from both copies: each lies in both."""
    found = tuple(found)
    mine = sorted(
        (
            each
            for each in found
            if isinstance(each, DrillResult) and system_identifier in (None, each.system_identifier)
        ),
        key=lambda each: (each.ended, each.id),
    )
    good = [each for each in mine if each.good]
    unreadable = {each.key: each for each in found if isinstance(each, Unreadable)}
    return Drills(mine[-1] if mine else None, good[-1] if good else None, tuple(unreadable.values()))
