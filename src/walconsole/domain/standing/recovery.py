"""What can be restored, as one snapshot says: both copies' readings, made a Recoverability of.

A restore reads the copies that the server's restore_command names, where it has one. Without one it is
thought to read both where the archive command is the installed one, for the restore command that is installed
with it asks both; else the primary copy alone.
A copy whose reading failed is left out: what it may hold is nobody's to deny (`left_out`).
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import lru_cache
from shlex import quote

from walconsole.domain.archive.holding import Holding
from walconsole.domain.archive.layouts import Layout
from walconsole.domain.archive.timelines import TimelineHistory
from walconsole.domain.archivers.restoring import copies_asked
from walconsole.domain.archivers.tools import recognise
from walconsole.domain.facts.observed import BucketFacts
from walconsole.domain.facts.snapshot import Reading, Snapshot
from walconsole.domain.profile import BucketRole
from walconsole.domain.records import record
from walconsole.domain.recovery.backups import BaseBackup
from walconsole.domain.recovery.from_facts import archive_copy, cluster_of
from walconsole.domain.recovery.held import Cluster
from walconsole.domain.recovery.own_list import told_by_tool
from walconsole.domain.recovery.recoverability import Recoverability, recoverability
from walconsole.domain.recovery.wal_supply import ArchiveCopy
from walconsole.domain.recovery.words import Drill, recovery_verdict
from walconsole.domain.standing.archiver import Lag
from walconsole.domain.standing.copies import settled
from walconsole.domain.standing.model import Level, Verdict
from walconsole.domain.standing.streaming import keeps_wal_alone
from walconsole.domain.standing.whose import writing
from walconsole.domain.store.answers import Meaning, meaning_of
from walconsole.domain.wal import wal_name

_Held = tuple[BucketFacts, bool]
"""A copy, and whether the restore command asks it."""


@record
class Restorable:
    """What can be restored from the copies that could be read. `left_out` are those that could not.

    `reads_both` is what is known of the restore command, or thought; `configured`: the server has one, and
    its words tell.
    """

    found: Recoverability
    left_out: tuple[Reading[BucketFacts], ...]
    reads_both: bool
    configured: bool = False


def restorable(snapshot: Snapshot, *, by_installed: bool = False) -> Restorable | None:
    """From both copies together; None while one that answers was not read to its end.

    `by_installed`: by the restore command that this console installs, which asks both.
    """
    readings = snapshot.copies
    if any(reading.problem is None and not is_known(reading) for reading in readings):
        return None
    read = [reading.value for reading in readings if reading.value is not None and is_known(reading)]
    if not read:
        return None
    asked = () if by_installed else asked_by_restore(snapshot)
    both = by_installed or (reads_both(snapshot) if not asked else len(asked) > 1)
    found = _judged(
        snapshot, [(each, each.role in asked if asked else both or each is read[0]) for each in read]
    )
    left_out = tuple(
        reading
        for reading in readings
        if reading.problem is not None and meaning_of(reading.problem.code) is not Meaning.ABSENT_BUCKET
    )
    return Restorable(found, left_out, both, bool(asked))


def restorable_from(snapshot: Snapshot, role: BucketRole) -> Recoverability | None:
    """From that copy alone; None where it was not read to its end."""
    reading = snapshot.primary if role is BucketRole.PRIMARY else snapshot.dr
    if reading.value is None or not is_known(reading):
        return None
    return _judged(snapshot, [(reading.value, True)])


def asked_by_restore(snapshot: Snapshot) -> tuple[BucketRole, ...]:
    """The copies that the server's restore_command names; empty where it has none, or does not tell."""
    command, own = restoring(snapshot)
    if not own:
        return ()
    read = (each.value for each in snapshot.copies)
    buckets = {bucket.role: bucket.bucket for bucket in read if bucket is not None}
    return copies_asked(command, snapshot.told.restore_program, buckets)


def restoring(snapshot: Snapshot) -> tuple[str, bool]:
    """The restore command that a recovery here would call, and whether it is the server's own.

    The installed one where the server has none and archives by ours; empty where neither is known.
    """
    catalogue = snapshot.catalogue.value
    setting = catalogue.in_force.get("restore_command") if catalogue is not None else None
    if setting is not None and setting.value:
        return setting.value, True
    return (quote(snapshot.told.restore_program) if reads_both(snapshot) else ""), False


def reads_both(snapshot: Snapshot) -> bool:
    """Whether the installed archive command is in force, and with it the restore command that asks both."""
    settings, ours = snapshot.settings.value, snapshot.told.archive_program
    setting = settings.get("archive_command") if settings is not None else None
    if setting is None or not ours:
        return False
    tools = (recognise(text, ours) for text in (setting.value, setting.reset_value))
    return any(tool is not None and tool.ours for tool in tools)


_SAY_SO = "if they lie elsewhere, expect_base_backups = false in the profile says so"


def recovery_line(
    snapshot: Snapshot, restorable: Restorable | None, lag: Lag | None, now: float, drill: Drill | None = None
) -> Verdict:
    """One line, with the newest restore that was proved. CRITICAL only where nothing that could not be seen
    can prove it wrong.
    """
    if restorable is None:
        return _unread(snapshot) or recovery_verdict(None, now)
    found, bucket = restorable.found, snapshot.primary.value
    offset = (bucket.store_clock_offset_s or 0.0) if bucket is not None else 0.0
    said = recovery_verdict(
        found,
        now + offset,
        behind_s=lag.seconds if lag is not None else None,
        idle=lag is not None and lag.idle,
        expected=snapshot.told.expect_base_backups,
        coming=_is_coming(snapshot, found, now),
        drill=drill,
    )
    if said.level is not Level.CRITICAL:
        return said
    alone = keeps_wal_alone(snapshot)
    if alone and not found.backups:
        text = f"{alone} has WAL alone, and no base backup is seen where it keeps it; {_SAY_SO}"
        return Verdict(Level.UNKNOWN, f"cannot tell what can be restored: {text}")
    tool = kept_elsewhere(bucket) if bucket is not None and not found.backups else ""
    if tool:
        text = f"{tool} keeps its base backups outside of this prefix"
        return Verdict(Level.UNKNOWN, f"cannot tell what can be restored: {text}")
    unread = _left_out(restorable)
    if unread:
        return Verdict(Level.UNKNOWN, f"cannot tell: {unread} could not be read, and without it {said.text}")
    return said


def by_itself(said: Verdict, restorable: Restorable | None) -> Verdict:
    """The line where no other stands beside it that tells which copy could not be read."""
    unread = _left_out(restorable) if restorable is not None and said.level is not Level.UNKNOWN else ""
    return replace(said, text=f"{said.text}; {unread} could not be read") if unread else said


def _left_out(restorable: Restorable) -> str:
    return " and ".join(reading.slot.words for reading in restorable.left_out)


def _unread(snapshot: Snapshot) -> Verdict | None:
    """Why there is nothing to judge, where neither copy could be read."""
    problems = [each.problem for each in snapshot.copies]
    if problems[0] is None or None in problems:
        return None
    why = f"the bucket could not be read: {problems[0].reason}"
    return Verdict(Level.UNKNOWN, f"cannot tell what can be restored: {why}")


def kept_elsewhere(bucket: BucketFacts) -> str:
    """The tool whose WAL it is, where its base backups lie beside it, outside of the profile's prefix.

    Empty where they would be seen.
    """
    holding = bucket.holding
    if holding is None:
        return ""
    if bucket.layout == Layout.PGBACKREST.value and not _IN_REPOSITORY.search(holding.place.root):
        return "pgBackRest"
    return next((tool for tool, end in _WAL_FOLDERS if end.search(holding.prefix)), "")


_IN_REPOSITORY = re.compile(r"(?:^|/)archive/[^/]+/[^/]+/$")
"""A stanza's WAL, seen from above the repository's `backup` folder."""
_WAL_FOLDERS = (
    ("Barman", re.compile(r"(?:^|/)wals/$")),
    ("WAL-G", re.compile(r"(?:^|/)wal_\d{3}/$")),
    ("pghoard", re.compile(r"(?:^|/)xlog/$")),
)


def _is_coming(snapshot: Snapshot, found: Recoverability, now: float) -> bool:
    """Whether what ends the window is only not stored yet: parallel writers finish out of order."""
    bucket, window = snapshot.primary.value, found.window
    stop = window.stop if window is not None else None
    if bucket is None or stop is None or settled(snapshot, bucket, now) is not None:
        return False
    return any(gap.first <= stop.first <= gap.last for gap in bucket.gaps)


def is_known(reading: Reading[BucketFacts]) -> bool:
    """Whether the copy was read to its end, with its base backups."""
    bucket = reading.value
    return reading.problem is None and bucket is not None and bucket.complete and bucket.backups is not None


def _judged(snapshot: Snapshot, copies: Iterable[_Held]) -> Recoverability:
    server, archiver = snapshot.server.value, snapshot.archiver.value
    copies = tuple(copies)
    timeline = server_timeline(snapshot, [bucket.holding for bucket, _ in copies])
    made = tuple(CopyRead(told_besides(snapshot, bucket), asked) for bucket, asked in copies)
    size = next((each.bucket.segment_bytes for each in made if each.bucket.segment_bytes), None)
    found = _recoverability(made, replace(cluster_of(server, None, size), timeline=timeline))
    return replace(found, cluster=replace(found.cluster, lsn=archiver.lsn if archiver is not None else None))


def server_timeline(snapshot: Snapshot, held: Iterable[Holding | None]) -> int | None:
    """The one that the server writes; None where it was just promoted, and archived nothing of it yet."""
    server, archiver = snapshot.server.value, snapshot.archiver.value
    if server is None:
        return None
    timeline = server.timeline if archiver is None else writing(archiver, server).timeline
    last = wal_name(archiver.last_archived_wal, server.segment_bytes) if archiver is not None else None
    if last is not None and last.segment is not None and last.segment.timeline == timeline:
        return timeline
    known = any(each and timeline in {*each.timelines, *each.history_keys} for each in held)
    return timeline if known else None


def told_besides(snapshot: Snapshot, bucket: BucketFacts) -> BucketFacts:
    """The copy, with what only the tool itself reads of its own repository: an encrypted list of backups."""
    own, found = snapshot.own_list.value, snapshot.discovery.value
    if own is None or bucket.backups is None or bucket.role is not BucketRole.PRIMARY:
        return bucket
    first = found.copies[0] if found is not None and found.copies else None
    if first is None or first.unread or first.tool != own.tool or not first.command("listed"):
        return bucket
    if all(isinstance(each, BaseBackup) for each in bucket.backups):
        return bucket
    told = told_by_tool(bucket.backups, own)
    return bucket if told is bucket.backups else replace(bucket, backups=told)


class CopyRead:
    """A copy by what recovery asks of it: a listing that brought nothing new is the same one.

    Its index and its backups are compared by identity, for each stays the same object while nothing changes.
    """

    def __init__(self, bucket: BucketFacts, asked: bool) -> None:
        self.bucket, self.asked = bucket, asked
        self._same = bucket.holding, bucket.backups
        self._equal = (
            asked,
            bucket.role,
            bucket.complete and not bucket.doubted,
            tuple(bucket.identities),
            _told(bucket.histories_read),
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, CopyRead):
            return NotImplemented
        pairs = zip(self._same, other._same, strict=True)
        return all(one is another for one, another in pairs) and self._equal == other._equal

    def __hash__(self) -> int:
        return hash((*map(id, self._same), self.bucket.role, self.asked))


def _told(histories: Mapping[int, TimelineHistory]) -> tuple[tuple[int, TimelineHistory], ...]:
    return tuple(sorted(histories.items()))


@lru_cache(maxsize=16)
def _recoverability(copies: tuple[CopyRead, ...], cluster: Cluster) -> Recoverability:
    """Asked for by the verdict, the looks and the screens at every drawing, of the same copies."""
    made = [
        archive_copy(each.bucket, each.bucket.backups or (), read_by_restore=each.asked) for each in copies
    ]
    return recoverability(made, _told_by_wal(made, cluster))


def _told_by_wal(made: Iterable[ArchiveCopy], cluster: Cluster) -> Cluster:
    """The cluster; whose it is the WAL tells where the server does not, for a role may not be allowed to."""
    told = {copy.system_identifier for copy in made if copy.system_identifier is not None}
    if cluster.system_identifier is not None or len(told) != 1:
        return cluster
    return replace(cluster, system_identifier=told.pop())
