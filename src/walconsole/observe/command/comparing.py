"""A segment of pg_wal beside the object of its name: one that cannot be archived, or the newest that was."""

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from shlex import quote
from typing import Protocol

from walconsole.domain.archive.listing import StoredObject
from walconsole.domain.archive.page_header import BEGINNING_BYTES, SegmentIdentity
from walconsole.domain.facts.evidence import ComparedFacts
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.redaction import decode, safe
from walconsole.domain.standing.archiver import is_failing
from walconsole.domain.standing.newest import to_compare
from walconsole.domain.wal import Segment
from walconsole.errors import ObjectStoreError
from walconsole.observe.host.host import HostProbe
from walconsole.observe.host.invocation import run_apart
from walconsole.observe.poller.probe import Fact
from walconsole.ports import Clock, Plain, Shell, WholeStore

SOURCE = "sha256sum on the droplet, S3 GET"
LARGEST_OBJECT = 80 << 20
"""A segment of 64 MiB, and what a client may have written around it."""
AGAIN_AFTER_S = 20.0
HEAD_SHOWN = 80


class Finder(Protocol):
    """Knows under which key a segment is stored."""

    async def locate(self, segment: Segment) -> StoredObject | None:
        """The object that holds it, None where there is none. Raises errors.ObjectStoreError."""
        ...


class ComparingProbe:
    """Fills COMPARED for the segment that fails, once for each state of its object.

    Which object that is is asked every AGAIN_AFTER_S; what could not be compared is tried again then.
    While nothing fails, the beginnings of the newest segment and of some before it are compared, once for
    each time they were read.
    """

    name = SOURCE
    slots = (Snapshot.compared,)
    cadence_s = 1.0
    timeout_s = 60.0

    def __init__(
        self,
        shell: Shell,
        host: HostProbe,
        clock: Clock,
        store: WholeStore,
        reader: Finder,
        plain: Plain,
        snapshot: Callable[[], Snapshot],
    ) -> None:
        self._shell, self._host, self._clock = shell, host, clock
        self._store, self._reader, self._plain, self._snapshot = store, reader, plain, snapshot
        self._asked: tuple[str, float] | None = None
        self._compared: StoredObject | None = None
        self._seen: frozenset[SegmentIdentity] = frozenset()

    def refresh(self) -> None:
        """Compare anew at the next look."""
        self._asked = self._compared = None

    async def take(self) -> Sequence[Fact]:
        """Nothing while all is well, or where there is no such object. Raises errors.SshError, ShellError."""
        name = self._failing_segment()
        if name is None:
            self.refresh()
            return await self._compare_newest()
        now = self._clock.monotonic()
        if self._asked is not None and self._asked[0] == name and now - self._asked[1] < AGAIN_AFTER_S:
            return ()
        stored = await self._find(name)
        self._asked = (name, now)
        if stored is None or stored == self._compared:
            return ()
        facts = await self._compare(name, stored.key)
        self._compared = stored if facts.identical is not None else None
        return [Fact(Snapshot.compared, facts, self._clock.now(), SOURCE)]

    async def _compare_newest(self) -> Sequence[Fact]:
        """The heads that were read of them anyway, and as many bytes of the files in pg_wal that are there:
        the first that is another, else the newest.
        """
        there = to_compare(self._snapshot())
        if not there or self._seen.issuperset(there):
            return ()
        found = [await self._compare_beginning(each) for each in there]
        self._seen = frozenset(there)
        told = next((each for each in found if each.identical is False), found[0])
        return [Fact(Snapshot.compared, told, self._clock.now(), SOURCE)]

    async def _compare_beginning(self, stored: SegmentIdentity) -> ComparedFacts:
        local, _, why_not = await self._local(stored.name, BEGINNING_BYTES)
        same = None if why_not else local == stored.begins
        return ComparedFacts(
            stored.name, stored.key, same, local, stored.begins, why=why_not, begins_alone=True
        )

    def _failing_segment(self) -> str | None:
        snapshot = self._snapshot()
        archiver = snapshot.archiver.value
        if archiver is None or snapshot.server.value is None or not is_failing(archiver):
            return None
        name = archiver.last_failed_wal or ""
        return name if len(name) == 24 else None

    async def _find(self, name: str) -> StoredObject | None:
        server = self._snapshot().server.value
        if server is None:
            return None
        try:
            return await self._reader.locate(Segment.parse(name, server.segment_bytes))
        except (ObjectStoreError, ValueError):
            return None

    async def _compare(self, name: str, key: str) -> ComparedFacts:
        local, local_bytes, why_not = await self._local(name)
        try:
            content = await self._store.whole(key, LARGEST_OBJECT)
        except ObjectStoreError as error:
            return ComparedFacts(name, key, None, local, "", local_bytes, None, safe(error.line()))
        try:
            plain = await asyncio.to_thread(self._plain.whole, key, content.body, LARGEST_OBJECT)
        except ValueError as error:
            head = _head(content.body)
            return ComparedFacts(
                name, key, None, local, "", local_bytes, content.size, safe(str(error)), head
            )
        digest = await asyncio.to_thread(lambda: hashlib.sha256(plain).hexdigest())
        same = None if why_not else digest == local
        head = "" if same else _head(plain)
        begins = False
        if same is False and local_bytes is not None and len(plain) < local_bytes:
            begins = (await self._local(name, len(plain)))[0] == digest
        return ComparedFacts(name, key, same, local, digest, local_bytes, len(plain), why_not, head, begins)

    async def _local(self, name: str, count: int | None = None) -> tuple[str, int | None, str]:
        """SHA-256 (of its first `count` bytes) and size of the file in pg_wal, or why they cannot be had."""
        await self._host.locate()
        data = decode(self._host.observed.path) if self._host.observed is not None else ""
        path = quote(f"{data}/pg_wal/{name}")
        whole = f"sha256sum -- {path}" if count is None else f"head -c {count} -- {path} | sha256sum"
        script = f"[ -f {path} ] && {whole} && stat -c %s -- {path}"
        tried = f"reading pg_wal/{name} on the droplet"
        ended = await run_apart(self._shell, self._clock, script, timeout_s=30.0, tried=tried)
        words = decode(ended.output).split()
        if ended.status != 0 or len(words) < 3 or not words[-1].isdigit():
            return "", None, safe(f"pg_wal/{name}: {decode(ended.output).strip()[-200:]}")
        return words[0].lstrip("\\"), int(words[-1]), ""


def _head(body: bytes) -> str:
    """The first characters of what is text, empty for what is not."""
    head = body[:HEAD_SHOWN]
    text = decode(head.split(b"\r\n")[0])
    return safe(text) if text.isprintable() else ""
