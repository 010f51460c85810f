"""Carrying through the console, where only it has the keys to both copies: a segment at a time, in memory."""

import asyncio
import base64
import binascii
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from shlex import quote

from walconsole.domain.archive.expected_page import ExpectedPage
from walconsole.domain.archive.mending import Mend, Source
from walconsole.domain.archive.page_header import read_page_header
from walconsole.domain.archive.stored_form import PACKED, StoredAs
from walconsole.domain.profile import BucketRole, BucketTarget
from walconsole.domain.redaction import decode, safe
from walconsole.errors import BlockedError, ObjectStoreError
from walconsole.ports import Plain, WholeStore
from walconsole.provision.droplet.commands import os_user, script_for
from walconsole.provision.engine.model import Command, Printed
from walconsole.provision.engine.site import Site
from walconsole.provision.mending.carrier import Brought, Carried, News, Places, Unusable
from walconsole.provision.mending.look import MendLook, target_of

LARGEST = 64 << 20
"""Of a segment that is held in memory here: larger ones only the droplet carries."""
_WHOLE = b" whole"


class ConsoleCarrier:
    """carrier.Carrier. What is read from the droplet comes through the SSH connection."""

    way = "through this console, by its own keys"

    def __init__(self, site: Site, look: MendLook) -> None:
        self._site, self._look, self._places = site, look, Places(site, look)

    async def by_hand(self, mend: Mend) -> Command | None:
        """See carrier.Carrier: the keys are not on the droplet."""
        return None

    async def carry(self, mend: Mend) -> AsyncIterator[News]:
        """See carrier.Carrier."""
        page = self._look.page(mend.segment)
        if page.segment_bytes > LARGEST:
            why = (
                f"segments of {page.segment_bytes >> 20} MiB are too large to be carried through the console"
            )
            raise BlockedError("mending the holes", why, "give the droplet's rclone the keys to both copies")
        for source in mend.sources:
            yield Printed(f"reading {self._words(source, mend)}")
            try:
                plain, packed = await self._taken(source, mend, page)
            except (ObjectStoreError, ValueError) as error:
                why = error.why if isinstance(error, ObjectStoreError) else str(error)
                yield Unusable(source, safe(why))
                continue
            for role in mend.targets:
                yield await self._bring(role, mend, plain, packed)
            return

    def _words(self, source: Source, mend: Mend) -> str:
        if source.role is None:
            return f"{source.folder}/{source.file} on the droplet"
        name = mend.segment.name(self._look.page(mend.segment).segment_bytes)
        return f"{name} in {target_of(self._site, source.role).bucket}"

    async def _taken(self, source: Source, mend: Mend, page: ExpectedPage) -> tuple[bytes, dict[str, bytes]]:
        """The segment as the server wrote it, and in the form in which it was found, by its suffix.

        Raises ValueError where it is something else, and ObjectStoreError.
        """
        if source.role is not None:
            key = await self._places.key_in(source.role, mend.segment)
            if key is None:
                raise ValueError("it is not there any more")
            name, body = key.rpartition("/")[2], await self._read(target_of(self._site, source.role), key)
        else:
            name, body = source.file, await self._from_droplet(source)
        plain = await asyncio.to_thread(self._plain.whole, name, body, page.segment_bytes)
        if len(plain) != page.segment_bytes:
            raise ValueError(f"it has {len(plain)} bytes, not {page.segment_bytes}")
        why = page.mismatch(read_page_header(plain))
        if why:
            raise ValueError(why)
        return plain, {name[24:]: body}

    async def _bring(self, role: BucketRole, mend: Mend, plain: bytes, packed: dict[str, bytes]) -> Brought:
        target = target_of(self._site, role)
        try:
            there = await self._places.key_in(role, mend.segment)
            if there is not None:
                return await self._compared(role, target, there, plain)
            stored = await self._places.stored_as(role, mend.segment)
            body = await self._in_form(stored, plain, packed)
            key = stored.key(mend.segment.name(len(plain)))
            await self._put(target, key, body)
            if await self._holds(target, key, plain):
                return Brought(role, Carried.STORED, key)
            return Brought(
                role, Carried.DIFFERS, f"{safe(key)} was sent, and holds something else than was sent"
            )
        except ObjectStoreError as error:
            return Brought(role, Carried.REFUSED, error.why)
        except ValueError as error:
            return Brought(role, Carried.REFUSED, str(error))

    async def _compared(self, role: BucketRole, target: BucketTarget, key: str, plain: bytes) -> Brought:
        if await self._holds(target, key, plain):
            return Brought(role, Carried.THERE, key)
        why = f"{safe(key)} is there, and its content is not the same, or cannot be read: not overwritten"
        return Brought(role, Carried.OTHER_CONTENT, why)

    async def _in_form(self, stored: StoredAs, plain: bytes, packed: dict[str, bytes]) -> bytes:
        if stored.suffix in packed:
            return packed[stored.suffix]
        return await asyncio.to_thread(self._plain.packed, PACKED[stored.suffix], plain)

    async def _holds(self, target: BucketTarget, key: str, plain: bytes) -> bool:
        """Whether the object is these bytes once it is plain. Raises ObjectStoreError."""
        body = await self._read(target, key)
        try:
            return await asyncio.to_thread(self._plain.whole, key, body, len(plain)) == plain
        except ValueError:
            return False

    async def _read(self, target: BucketTarget, key: str) -> bytes:
        store = self._site.store(target)
        if not isinstance(store, WholeStore):
            raise AssertionError("this store reads no object as a whole")
        return (await store.whole(key, 2 * LARGEST)).body

    async def _put(self, target: BucketTarget, key: str, body: bytes) -> None:
        if self._site.own is None:
            raise AssertionError("this site has no key of its own")
        admin = await self._site.own(target)
        try:
            await admin.put(target.bucket, key, body)
        finally:
            await admin.close()

    @property
    def _plain(self) -> Plain:
        if self._site.plain is None:
            raise AssertionError("this site cannot read what is compressed")
        return self._site.plain

    async def _from_droplet(self, source: Source) -> bytes:
        """A file, which kept its name and its number while it was read. Raises ValueError, SshError."""
        path = quote(f"{source.folder}/{source.file}")
        number = f"stat -L -c %d:%i -- {path} 2>/dev/null"
        script = (
            f'n=$({number}) || exit 3\nbase64 -w 0 -- {path} && [ "$({number})" = "$n" ] && printf \' whole\''
        )
        said = bytearray()
        stream = self._site.shell.stream(script_for(self._site, script, os_user(self._site)))
        async with aclosing(_closable(stream)) as chunks:
            async for chunk in chunks:
                said += chunk
                if len(said) > 2 * LARGEST:
                    raise ValueError(f"it has more than {LARGEST >> 20} MiB")
        if not said:
            raise ValueError("it is not there any more")
        if not said.endswith(_WHOLE):
            raise ValueError(
                f"it was recycled while it was read, or cannot be: {safe(decode(bytes(said[-100:])))}"
            )
        try:
            return await asyncio.to_thread(base64.b64decode, said.removesuffix(_WHOLE), validate=True)
        except binascii.Error as error:
            raise ValueError(f"what came of it is no base64: {error}") from None


async def _closable(stream: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    """What the command started on the host ends with it."""
    try:
        async for chunk in stream:
            yield chunk
    finally:
        if isinstance(stream, AsyncGenerator):
            await stream.aclose()
