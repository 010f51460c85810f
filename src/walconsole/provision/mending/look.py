"""One look at what the copies lack and at every place that may still hold it: everything read anew."""

import asyncio
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field, replace
from shlex import quote
from typing import NamedTuple

from walconsole.domain.archive.expected_page import ExpectedPage
from walconsole.domain.archive.holding import Holding
from walconsole.domain.archive.mending import CopyLacks, MendPlan, WalFolder, mend_plan
from walconsole.domain.archive.page_header import LONG_HEADER_BYTES, read_page_header
from walconsole.domain.archive.recycling import WalKeeping
from walconsole.domain.archive.stored_form import PACKED
from walconsole.domain.archivers.folders import archive_folders
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.profile import BucketRole, BucketTarget
from walconsole.domain.records import record
from walconsole.domain.redaction import safe
from walconsole.domain.standing.mending import Stretch, copies_lacking, expected_page
from walconsole.domain.standing.whose import writing
from walconsole.domain.wal import Segment
from walconsole.errors import ProvisionError, ShellError
from walconsole.provision.droplet.commands import (
    archive_command_in_force,
    data_directory,
    os_user,
    psql,
    status_of,
)
from walconsole.provision.engine.site import Site

_FILE = re.compile(rf"([0-9A-F]{{24}})({'|'.join(map(re.escape, PACKED))})")
_MOST_FILES = 200_000
_FOLDERS_ASKED = 8
_SHOWN = 200
_KEEPING = """\
SELECT (CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END) - '0/0',
 redo_lsn - '0/0', extract(epoch FROM now() - checkpoint_time),
 (SELECT setting FROM pg_settings WHERE name = 'checkpoint_timeout'),
 pg_size_bytes(current_setting('max_wal_size')), current_setting('checkpoint_completion_target'),
 pg_size_bytes(current_setting('wal_keep_size')),
 (SELECT min(restart_lsn) - '0/0' FROM pg_replication_slots)
FROM pg_control_checkpoint()"""


@record
class MendLook:
    """What was found. `why_not` says why nothing can be planned, empty where it can.

    `folders` are those on the droplet that could be read, `unread` says of the others why not.
    """

    snapshot: Snapshot
    copies: tuple[CopyLacks, ...] = ()
    folders: tuple[WalFolder, ...] = ()
    plan: MendPlan = field(default_factory=MendPlan)
    unread: tuple[str, ...] = ()
    why_not: str = ""

    def is_empty(self, role: BucketRole) -> bool:
        """Whether that copy holds no segment any more, so that nothing there shows a form."""
        return self._held(role) is None

    def holding(self, role: BucketRole, prefix: str) -> Holding:
        """What that copy, whose keys begin with `prefix`, holds; an empty one in the form of the other."""
        own = self._held(role)
        if own is not None:
            return own
        other = self._held(BucketRole.DR if role is BucketRole.PRIMARY else BucketRole.PRIMARY)
        if other is None:
            raise AssertionError("what no copy holds is not planned for an empty one")
        key = prefix + other.newest_key.removeprefix(other.prefix)
        return replace(other, prefix=prefix, timelines={}, newest_key=key, last_key=key)

    def _held(self, role: BucketRole) -> Holding | None:
        bucket = (self.snapshot.primary if role is BucketRole.PRIMARY else self.snapshot.dr).value
        holding = bucket.holding if bucket is not None else None
        return holding if holding is not None and holding.newest is not None else None

    def page(self, segment: Segment) -> ExpectedPage:
        """What the segment's first page must say."""
        page = expected_page(self.snapshot, segment)
        if page is None:
            raise AssertionError("nothing is planned where nobody knows whose the WAL is")
        return page

    def bytes_of(self, role: BucketRole) -> int:
        """About what the plan adds to that copy."""
        each = next((copy.bytes_each for copy in self.copies if copy.role is role), 0.0)
        return round(each * len(self.plan.of(role)))


async def look(site: Site, lost: Mapping[BucketRole, Sequence[Stretch]]) -> MendLook:
    """`lost` is what the copies held once, at their ends.

    Raises what the ports raise, and ProvisionError where the server does not answer.
    """
    if site.snapshot is None:
        raise AssertionError("this site cannot be observed")
    snapshot = await site.snapshot()
    server = snapshot.server.value
    if server is None or server.system_identifier is None:
        why = "the server does not tell its system identifier, so that nobody knows whose WAL is whose"
        return MendLook(snapshot, why_not=why)
    copies = await asyncio.to_thread(copies_lacking, snapshot, site.clock.now(), lost)
    unread = tuple(_unread(snapshot))
    if not any(copy.lacks for copy in copies):
        return MendLook(snapshot, copies, unread=unread)
    folders, closed = await _folders(site, snapshot, server.segment_bytes)
    plan = await asyncio.to_thread(mend_plan, copies, folders, server.segment_bytes)
    return MendLook(snapshot, copies, folders, plan, (*unread, *closed))


def target_of(site: Site, role: BucketRole) -> BucketTarget:
    """The bucket of that copy."""
    return site.profile.primary if role is BucketRole.PRIMARY else site.profile.dr


def _unread(snapshot: Snapshot) -> Iterator[str]:
    for reading in (snapshot.primary, snapshot.dr):
        if reading.problem is not None:
            yield f"{reading.slot.words} could not be read: {reading.problem.reason}"
        elif reading.value is None or not reading.value.complete:
            yield f"{reading.slot.words} was not listed to its end"


async def _folders(
    site: Site, snapshot: Snapshot, segment_bytes: int
) -> tuple[tuple[WalFolder, ...], tuple[str, ...]]:
    """pg_wal of the server, of other clusters of the host (a standby's), and folders that are archived to."""
    own = f"{await data_directory(site)}/pg_wal"
    host = snapshot.host.value
    others = [f"{each.data_directory}/pg_wal" for each in host.clusters] if host is not None else []
    archived = archive_folders(await archive_command_in_force(site))
    found: dict[str, WalFolder] = {}
    closed: list[str] = []
    for path in list(dict.fromkeys([own, *archived, *others]))[:_FOLDERS_ASKED]:
        listed = await _listed(site, path)
        if isinstance(listed, str):
            closed.append(f"{path} could not be read: {listed}")
            continue
        folder = WalFolder(path, listed.files, own=path == own)
        if listed.real in found or _is_anothers(listed, snapshot):
            continue  # one folder by two names is one
        found[listed.real] = await _own(site, folder, snapshot, segment_bytes) if folder.own else folder
    return tuple(found.values()), tuple(closed)


class _Listed(NamedTuple):
    """A folder's own path, its files by the segment that they hold, the beginning of the first by name.

    The last ones may be made for later, and hold nothing yet that tells whose they are.
    """

    real: str
    files: Mapping[str, str]
    head: bytes


async def _listed(site: Site, path: str) -> _Listed | str:
    """What is there, or why it cannot be seen."""
    files = "find . -maxdepth 1 -type f -name '[0-9A-F]*'"
    script = f"""cd {quote(path)} && pwd -P || exit 3
one=$({files} -name '{"?" * 24}*' | sort | head -n 1)
head -c {LONG_HEADER_BYTES} -- "${{one:-/dev/null}}" | od -An -v -tx1 | tr -d ' \n'
echo
{files} | head -n {_MOST_FILES}"""
    try:
        status, said = await status_of(site, script, user=os_user(site), timeout_s=60.0)
    except ShellError as error:
        return error.why
    lines = said.splitlines()
    if status != 0 or len(lines) < 2:
        return safe(said.strip())[:_SHOWN] or f"exit status {status}"
    found: dict[str, str] = {}
    for line in lines[2:]:
        match = _FILE.fullmatch(line.removeprefix("./"))
        if match is not None and (match[1] not in found or not match[2]):
            found[match[1]] = match[0]
    head = bytes.fromhex(lines[1]) if re.fullmatch(r"(?:[0-9a-f]{2})*", lines[1]) else b""
    return _Listed(lines[0], found, head)


def _is_anothers(listed: _Listed, snapshot: Snapshot) -> bool:
    """Whether one of its files is seen to be another cluster's: on one host names are alike."""
    server = snapshot.server.value
    try:
        header = read_page_header(listed.head)
    except ValueError:
        return False  # compressed, or no file at all: each is looked at before it is sent
    return server is not None and header.system_identifier != server.system_identifier


async def _own(site: Site, folder: WalFolder, snapshot: Snapshot, segment_bytes: int) -> WalFolder:
    """pg_wal without what is not written to its end, or waits under a later name to be written."""
    server, archiver = snapshot.server.value, snapshot.archiver.value
    current = writing(archiver, server) if archiver is not None and server is not None else None
    keeping = await _keeping(site)
    files: dict[str, str] = {}
    goes: dict[str, float | None] = {}
    for name, file in folder.files.items():
        try:
            segment = Segment.parse(name, segment_bytes)
        except ValueError:
            continue
        if current is None or segment.number < current.number:
            files[name] = file
            goes[name] = keeping.goes_in_s(segment.number, segment_bytes) if keeping is not None else None
    return replace(folder, files=files, goes_in_s=goes)


async def _keeping(site: Site) -> WalKeeping | None:
    """None where the server does not tell all of it: PostgreSQL before 13, a role that may not ask."""
    try:
        row = (await psql(site, " ".join(_KEEPING.split()))).split("\t")
        lsn, redo, since, timeout, most, target, keep, slots = row
        return WalKeeping(
            int(lsn),
            int(redo),
            float(since),
            float(timeout),
            int(most),
            float(target),
            int(keep),
            int(slots) if slots else None,
        )
    except (ProvisionError, ValueError):
        return None
