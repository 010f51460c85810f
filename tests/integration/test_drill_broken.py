"""Archives that are broken, each in one way: a drill of each fails, with the right reason."""

from collections.abc import Callable, Iterator

import pytest
import zstandard

from tests.integration.drill_parts import Drills, beside_production
from tests.integration.test_drill import a_segment, changed, failed, newest
from tests.servers.archived import MIB
from tests.servers.rgw import RadosGateway
from tests.servers.workspace import Workspace

pytestmark = [pytest.mark.server, pytest.mark.timeout(400), pytest.mark.long]


@pytest.fixture(scope="module")
def drills(workspace: Workspace, rgw: RadosGateway, rgw_dr: RadosGateway) -> Iterator[Drills]:
    with beside_production(workspace, rgw, rgw_dr) as backups:
        yield Drills(backups)


def packed(change: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    """`change` of what is in a compressed segment."""

    def changed_within(body: bytes) -> bytes:
        plain = zstandard.ZstdDecompressor().decompressobj().decompress(body)
        return zstandard.ZstdCompressor(write_checksum=True).compress(change(plain))

    return changed_within


def of_another(wal: bytes) -> bytes:
    """Its first page names the cluster in bytes 24 to 32 (xlog_internal.h, XLogLongPageHeaderData)."""
    return wal[:24] + bytes([wal[24] ^ 1]) + wal[25:]


SEGMENTS: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "cut": (lambda body: body[: len(body) // 2], "damaged-object"),
    "empty": (lambda _: b"", "damaged-object"),
    "all zeros": (packed(lambda wal: bytes(len(wal))), "damaged-object"),
    "half a segment, packed whole": (packed(lambda wal: wal[: MIB // 2]), "damaged-object"),
    "two segments in one": (packed(lambda wal: wal + wal), "damaged-object"),
    "another cluster's": (packed(of_another), "wrong-identifier"),
}


@pytest.mark.parametrize("how", SEGMENTS)
def test_a_broken_segment(drills: Drills, how: str) -> None:
    change, reason = SEGMENTS[how]
    name = a_segment(drills)
    with changed(drills, f"{name}.zst", change):
        assert name in failed(drills, reason)


def told(before: bytes, after: bytes) -> Callable[[bytes], bytes]:
    """Another word in backup.json."""

    def change(body: bytes) -> bytes:
        assert before in body
        return body.replace(before, after)

    return change


BACKUPS: dict[str, tuple[str, "Callable[[bytes], bytes] | None", str]] = {
    "no manifest": ("backup_manifest", None, "damaged-object"),
    "its tar is cut": ("base.tar.zst", lambda body: body[:-9], "damaged-object"),
    "its tar is empty": ("base.tar.zst", lambda _: b"", "damaged-object"),
    "of a newer format": ("backup.json", told(b'"format":1', b'"format":2'), "damaged-object"),
    "of segments of another size": (
        "backup.json",
        told(b'"wal_segment_size":1048576', b'"wal_segment_size":16777216'),
        "wrong-identifier",
    ),
    "upon one that is gone": (
        "backup.json",
        told(b'"parent":null', b'"parent":"20200101T000000Z"'),
        "damaged-object",
    ),
    "not described": ("backup.json", None, "no-base-backup"),
}


@pytest.mark.parametrize("how", BACKUPS)
def test_a_broken_base_backup(drills: Drills, how: str) -> None:
    name, change, reason = BACKUPS[how]
    with changed(drills, f"base/{newest(drills)}/{name}", change):
        failed(drills, reason)
