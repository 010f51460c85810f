"""ports.ObjectStore on a folder: listed by find in one stream, then only what has changed.

A directory's time of change tells of files that came and went (rename(2), unlink(2)), not of one that is
written in place: one that was written to a moment before is listed again.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import cast

from walconsole.adapters.folder.words import (
    LISTING_S,
    NO_FILE,
    changes,
    first_bytes,
    listing,
    no_file,
    refused,
    seen_by,
    word,
)
from walconsole.domain.archive.folder_listing import (
    PRUNED,
    SETTLING_S,
    FindReader,
    FolderListing,
    decode_path,
)
from walconsole.domain.facts.evidence import LifecycleRule
from walconsole.domain.profile import BucketTarget
from walconsole.domain.redaction import safe
from walconsole.domain.round_trips import ObjectContent, Page
from walconsole.domain.store.answers import FOLDER_FAULT, NO_LIFECYCLE, NOT_WHOLE, Meaning
from walconsole.errors import ObjectStoreError
from walconsole.ports import Shell

LOOK_EVERY_S = 1.0
"""Pages within it are of one look."""
WHOLE_EVERY_S = 5.0
SHARE, LONGEST_PAUSE_S = 10.0, 60.0
"""Listing many files takes at most one part in so many of the time, whatever changes."""
MANY_FILES = 20_000
_WATCHED, _NEWEST_WATCHED = 256, 64
_RECENT_S = 5.0
_SCRIPT_S = 12.0


class FolderStore:
    """One folder. Raises ObjectStoreError for what the host refuses, and what the shell does.

    `shell` should be the folder's own: a network file system that does not answer blocks it. `as_server`
    makes of a script one that the server's user runs: where root may not read, it may. `segment_bytes` is the
    server's wal_segment_size, None before it is known. `server_pid` is its first process, where it runs on
    that host: the folder is what that process sees.
    """

    key_hint = "the SSH connection"
    key_endpoint = ""

    def __init__(
        self,
        target: BucketTarget,
        shell: Shell,
        as_server: Callable[[str], str] = lambda script: script,
        segment_bytes: Callable[[], int | None] = lambda: None,
        server_pid: Callable[[], int | None] = lambda: None,
    ) -> None:
        self._place, self._folder = target.bucket, target.folder.rstrip("/") or "/"
        self._prefix = target.prefix
        self._shell, self._as_server, self._segment_bytes = shell, as_server, segment_bytes
        self._server_pid = server_pid
        self._other_user = False
        self._listing = FolderListing()
        self._lock = asyncio.Lock()
        self._whole_at = self._looked_at = -WHOLE_EVERY_S
        self._due_at = 0.0
        self._as_of = 0.0

    async def page(self, *, start_after: str = "", max_keys: int = 1000) -> Page:
        """See ports.ObjectStore. From the beginning it is listed anew; else what changed is."""
        began = time.monotonic()
        async with self._lock:
            whole = not start_after and began >= max(self._whole_at + WHOLE_EVERY_S, self._due_at)
            if whole or not self._listing.blocks:
                await self._list_whole()
            elif began >= self._looked_at + LOOK_EVERY_S:
                await self._look()
        await asyncio.sleep(0)  # a million keys are a thousand pages: the screen has its turn
        objects, truncated = self._listing.page(start_after, max_keys)
        return Page(objects, truncated, None, time.time(), time.monotonic() - began, as_of=self._as_of)

    async def read(self, key: str, count: int) -> ObjectContent:
        """See ports.ObjectStore."""
        tried = f"reading {safe(key[-60:])} in {safe(self._place)}"
        stdout = await self._run(first_bytes(self._folder, _inside(tried, key), count), tried)
        line, _, body = stdout.partition(b"\n")
        size, _, at = line.partition(b" ")
        if not size.isdigit() or not at.isdigit():
            raise refused(tried, safe(self._place), stdout)
        headers = {"last-modified": time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(int(at)))}
        return ObjectContent(key, body[:count], int(size), headers, time.time())

    async def whole(self, key: str, limit: int) -> ObjectContent:
        """See ports.WholeStore."""
        head = await self.read(key, 0)
        tried = f"reading {safe(key[-60:])} in {safe(self._place)}"
        size = head.size or 0
        if size > limit:
            raise ObjectStoreError(
                tried, f"it has more than {limit:,} bytes", "look at the file itself", code=NOT_WHOLE
            )
        path = word(f"{self._folder}/{key}")
        script = f'lead {path}\ntimeout -s KILL 60 head -c {size} -- "$real" 2>/dev/null'
        body = b"".join([part async for part in self._chunks(script)])
        if len(body) != size:
            why = f"it has {size:,} bytes, and {len(body):,} came"
            raise ObjectStoreError(tried, why, "it is written to, or its disk fails", code=NOT_WHOLE)
        return ObjectContent(key, body, size, head.headers, time.time())

    async def lifecycle(self) -> tuple[LifecycleRule, ...]:
        """A folder has no rules of its own. Raises ObjectStoreError that says so."""
        raise ObjectStoreError(
            f"reading the rules of {safe(self._place)}",
            "a folder deletes nothing by itself",
            code=NO_LIFECYCLE,
        )

    # Listing.

    async def _list_whole(self) -> None:
        fresh = FolderListing()
        began, asked_at = time.monotonic(), time.time()
        settled = await self._list(fresh, self._prefix, deep=True)
        self._listing = fresh
        self._as_of = asked_at - SETTLING_S * (not settled)
        self._whole_at = self._looked_at = time.monotonic()
        self._due_at = self._whole_at + self._pause_s(self._whole_at - began)

    async def _look(self) -> None:
        """List again what changed, unless that was done so lately that it would be all that is done."""
        now = time.monotonic()
        if now < self._due_at:
            return
        self._looked_at = now
        asked_at = time.time()
        watched = self._watched()
        tried = f"looking at {safe(self._place)}"
        stdout = await self._run(changes(self._folder, watched), tried)
        there = _times(stdout)
        if self._prefix not in there:
            raise refused(tried, safe(self._place), b"No such file or directory")
        gone = [each for each in watched if each not in there]
        self._listing.forget(gone)
        changed = [each for each in watched if each in there and self._changed(each, there[each])]
        settled = [await self._list(self._listing, directory, deep=False) for directory in changed]
        self._as_of = asked_at - SETTLING_S * (not all(settled))
        self._due_at = time.monotonic() + self._pause_s(time.monotonic() - now)

    def _pause_s(self, spent_s: float) -> float:
        """How long nothing is listed again after a look that took so long."""
        return min(spent_s * SHARE, LONGEST_PAUSE_S) if len(self._listing) > MANY_FILES else 0.0

    def _changed(self, directory: str, at: float) -> bool:
        block = self._listing.blocks[directory]
        recent = max(block.changed_at, block.newest_at) > self._listing.host_now - _RECENT_S
        return at != block.changed_at or recent

    def _watched(self) -> list[str]:
        """The directories whose times are asked for: all, or those with others below them and the newest."""
        known = self._listing.blocks
        if len(known) <= _WATCHED:
            return list(known)
        parents = {name[: name.rstrip("/").rfind("/") + 1] for name in known if name}
        newest = sorted(known, key=lambda name: -known[name].changed_at)[:_NEWEST_WATCHED]
        return list(dict.fromkeys(["", *sorted(parents)[:_WATCHED], *newest]))

    async def _list(self, into: FolderListing, below: str, *, deep: bool) -> bool:
        """Whether nothing was left out that settles yet. Raises ObjectStoreError."""
        reader = await self._found(below, deep=deep)
        settled = not reader.end(into, self._segment_bytes())
        for directory in reader.directories:
            if directory not in into.blocks:
                settled = await self._list(into, directory, deep=True) and settled
        if not deep:
            into.forget(into.children(below) - reader.directories)
        return settled

    async def _found(self, below: str, *, deep: bool) -> FindReader:
        tried = f"listing {safe(self._place)}"
        while True:
            reader = FindReader(below, shallow=not deep)
            async with aclosing(self._chunks(listing(self._folder, below, deep=deep))) as chunks:
                async for chunk in chunks:
                    reader.feed(chunk)
            if reader.clock is not None and reader.status == 0:
                return reader
            if reader.clock is None:
                error = refused(tried, safe(self._place), reader.rest)
            else:
                error = await self._unreadable(tried, below, reader.status)
            self._try_as_server(error)

    def _try_as_server(self, error: ObjectStoreError) -> None:
        """From now on as the server's user, where root may not; raises it where that was so already."""
        if error.meaning is not Meaning.NO_PERMISSION or self._other_user:
            raise error
        self._other_user = True

    async def _unreadable(self, tried: str, below: str, status: int | None) -> ObjectStoreError:
        """Why find ended with an error: it has said why on standard error."""
        if status == 128 + 9:
            why = f"it could not be listed within {LISTING_S} s"
            return ObjectStoreError(
                tried, why, "does its file system answer? findmnt, dmesg", code=FOLDER_FAULT
            )
        path = word(f"{self._folder}/{below}")
        find = f"find \"$real\" -ignore_readdir_race {PRUNED} -o -printf ''"
        asked = f"lead {path}\nLC_ALL=C timeout 20 {find} 2>&1 >/dev/null | head -n 1"
        answer = await self._shell.run(self._by_user(asked), timeout_s=2 * _SCRIPT_S)
        return refused(tried, safe(self._place), answer.stdout)

    # The shell.

    async def _run(self, script: str, tried: str) -> bytes:
        """What it prints. Raises ObjectStoreError by its status, and what the shell raises."""
        while True:
            answer = await self._shell.run(f"({self._by_user(script)}\n)", timeout_s=_SCRIPT_S)
            if answer.status == NO_FILE:
                raise no_file(tried)
            if answer.status == 0:
                return answer.stdout
            self._try_as_server(refused(tried, safe(self._place), answer.stdout))

    async def _chunks(self, script: str) -> AsyncGenerator[bytes, None]:
        stream = self._shell.stream(self._by_user(script))
        async with aclosing(cast("AsyncGenerator[bytes, None]", stream)) as chunks:
            async for chunk in chunks:
                yield chunk

    def _by_user(self, script: str) -> str:
        script = f"{seen_by(self._server_pid())}{script}"
        return self._as_server(script) if self._other_user else script


def _times(printed: bytes) -> dict[str, float]:
    """When each directory changed last, by its path with a slash, of what `changes` prints."""
    fields = printed.split(b"\0")
    rows = zip(fields[0:-1:3], fields[2::3], strict=False)
    paths = ((decode_path(named[1:]), at) for named, at in rows if named[:1] == b"d")
    return {_relative(path): float(at) for path, at in paths}


def _relative(path: str) -> str:
    """`./wal/` as `wal/`, `./` as nothing."""
    return f"{path.strip('/')}/".removeprefix("./")


def _inside(tried: str, key: str) -> str:
    """Raises ObjectStoreError for a key that leads out of the folder."""
    if ".." in key.split("/") or key.startswith("/"):
        raise no_file(tried)
    return key
