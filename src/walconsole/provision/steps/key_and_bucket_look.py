"""Looking at the keys API and at the buckets before anything is changed."""

from walconsole.domain.archive.layouts import segment_suffix, split_key
from walconsole.domain.archive.page_header import LONG_HEADER_BYTES, read_page_header
from walconsole.domain.profile import BucketTarget
from walconsole.domain.redaction import safe
from walconsole.errors import KeyServiceError, ObjectStoreError
from walconsole.observe.bucket.heads import read_header
from walconsole.ports import ObjectStore, Plain
from walconsole.provision.engine.site import Site
from walconsole.provision.steps.preflight_archive import BucketLook, KeyFacts, Scope

_FORBIDDEN = 403


async def look_at_keys(site: Site) -> KeyFacts:
    """Every key, and whether the token may list them. Nothing else is asked: only a write could tell more."""
    try:
        service = await site.key_service()
    except KeyServiceError as error:
        return KeyFacts(problem=error.why, remedy=error.remedy)
    try:
        return KeyFacts(await service.keys(), {Scope.READ: True})
    except KeyServiceError as error:
        if error.status != _FORBIDDEN:
            return KeyFacts(problem=error.line(), remedy=error.remedy)
        return KeyFacts(None, {Scope.READ: False})


async def look_at_bucket(site: Site, target: BucketTarget) -> BucketLook:
    """Its first page, and whose the first and the last segment in it are. By the profile's own key."""
    try:
        store = site.store(target)
        page = await store.page()
        keys = [key for key in page.objects.keys if segment_suffix(split_key(key)[1]) is not None]
        systems, unread = await _systems(store, site.plain or _Uncompressed(), keys[:1] + keys[-1:])
    except ObjectStoreError as error:
        return BucketLook(target, code=error.code, why=error.why, remedy=error.remedy)
    return BucketLook(target, len(page.objects), len(keys), page.truncated, systems=systems, unread=unread)


async def other_clusters(site: Site) -> str:
    """Which copy holds WAL of another cluster than ours, in words; empty where none is seen to.

    Only now and then can that be known: a bucket that our key may not read yet is looked at after its grant.
    """
    server = (await site.survey()).server
    if server is None:
        return ""
    for target in site.targets():
        look = await look_at_bucket(site, target)
        others = sorted(look.systems - {server.system_identifier})
        if others:
            place = f"{target.bucket}/{target.prefix}" if target.prefix else target.bucket
            return f"{place} holds WAL of cluster {others[0]}; this one is {server.system_identifier}"
    return ""


async def _systems(store: ObjectStore, plain: Plain, keys: list[str]) -> tuple[frozenset[str], str]:
    """The system identifiers of these segments, and why one could not be read."""
    found, unread = set(), ""
    for key in dict.fromkeys(keys):
        try:
            header, _ = await read_header(store, plain, key)
            found.add(header.system_identifier)
        except ValueError as error:
            unread = f"{safe(split_key(key)[1])}: {error}"
    return frozenset(found), unread


class _Uncompressed:
    """ports.Plain for those who can uncompress nothing."""

    def first_bytes(self, name: str, head: bytes, count: int) -> bytes:
        read_page_header(head[:LONG_HEADER_BYTES])
        return head[:count]

    def whole(self, name: str, body: bytes, limit: int) -> bytes:
        return body[:limit]

    def more_than(self, name: str, head: bytes, limit: int, *, whole: bool) -> bool:
        return whole and len(head) > limit

    def zstd_bytes(self, body: bytes) -> int:
        raise ValueError("nothing here compresses")

    def packed(self, way: str, body: bytes) -> bytes:
        raise ValueError("nothing here compresses")
