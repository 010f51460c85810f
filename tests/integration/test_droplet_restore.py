"""The restore command on its own: it tells what is not there from what it cannot tell."""

import gzip
import os
import signal
import threading
from dataclasses import replace

import pytest
import zstandard

from tests.integration.droplet_parts import Droplet, droplet, newer_rclone_path, put, random_bytes
from tests.servers.archived import MIB
from tests.servers.fixtures import MakeProxy, or_skip
from tests.servers.ports import wait_until
from tests.servers.postgres import PostgresServer
from tests.servers.rgw import RadosGateway
from walconsole.droplet.choices import DropletChoices

pytestmark = pytest.mark.server

SEGMENT = "0000000100000000000000A1"
PLAIN = random_bytes(SEGMENT)
STORED = {"": PLAIN, ".zst": zstandard.ZstdCompressor().compress(PLAIN), ".gz": gzip.compress(PLAIN)}
AT_ONCE = DropletChoices(restore_pauses_s=(), idle_timeout_s=1)


@pytest.fixture
def at(postgres: PostgresServer, rgw: RadosGateway) -> Droplet:
    return droplet(postgres, rgw, AT_ONCE)


def assert_nothing_is_left(at: Droplet) -> None:
    assert at.leftovers == []
    assert not at.wanted.with_suffix(".part").exists()


@pytest.mark.parametrize("suffix", STORED)
def test_each_compression_comes_back(at: Droplet, rgw: RadosGateway, suffix: str) -> None:
    put(rgw, at.primary, SEGMENT + suffix, STORED[suffix])
    at.wanted.write_bytes(b"an older file")
    at.server.give(at.wanted)
    assert at.fetch(SEGMENT).silently_well
    assert at.wanted.read_bytes() == PLAIN
    assert_nothing_is_left(at)


def test_a_newer_rclone_tells_the_same(postgres: PostgresServer, rgw: RadosGateway) -> None:
    path = or_skip(lambda: newer_rclone_path(postgres))
    at = droplet(postgres, rgw, replace(AT_ONCE, path=path))
    assert at.fetch(SEGMENT).status == 1
    put(rgw, at.primary, f"{SEGMENT}.zst", STORED[".zst"])
    assert at.fetch(SEGMENT).silently_well
    rgw.client().delete_object(Bucket=at.primary.bucket, Key=f"pg/main/{SEGMENT}.zst")
    rgw.client().delete_bucket(Bucket=at.primary.bucket)
    assert at.fetch(SEGMENT).status == 200


def test_what_is_in_neither_copy_is_missing(at: Droplet, rgw: RadosGateway) -> None:
    put(rgw, at.primary, f"{SEGMENT}0.zst", b"another name")
    ended = at.fetch(SEGMENT)
    assert (ended.status, ended.stderr) == (1, f"tried-pg-restore: {SEGMENT} is not in the archive\n")
    assert not at.wanted.exists()
    assert_nothing_is_left(at)


def test_the_other_copy_serves_where_the_primary_has_nothing_or_nonsense(
    at: Droplet, rgw: RadosGateway
) -> None:
    put(rgw, at.dr, f"{SEGMENT}.zst", STORED[".zst"])
    assert at.fetch(SEGMENT, "primary").status == 1
    assert at.fetch(SEGMENT).silently_well
    put(rgw, at.primary, f"{SEGMENT}.zst", STORED[".zst"][:-9])
    damaged = at.fetch(SEGMENT, "primary")
    assert damaged.status == 201
    assert f"pg/main/{SEGMENT}.zst is damaged" in damaged.stderr
    at.wanted.unlink()
    assert at.fetch(SEGMENT).silently_well
    assert at.wanted.read_bytes() == PLAIN
    assert_nothing_is_left(at)


@pytest.mark.parametrize("broken", ["bucket", "key"])
def test_an_outage_is_not_the_end_of_the_archive(at: Droplet, rgw: RadosGateway, broken: str) -> None:
    if broken == "bucket":
        rgw.client().delete_bucket(Bucket=at.dr.bucket)
    else:
        rgw.revoke(at.dr.bucket, at.dr.keys)
    ended = at.fetch(SEGMENT)
    assert ended.status == 200
    assert "not known to be missing: spaces-dr:" in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert at.fetch(SEGMENT, "primary").status == 1
    (at.folder / "standby.signal").touch()
    assert at.fetch(SEGMENT).status == 75
    put(rgw, at.primary, SEGMENT, PLAIN)
    assert at.fetch(SEGMENT).silently_well


def test_it_tries_again_while_it_cannot_tell(
    postgres: PostgresServer, rgw: RadosGateway, make_proxy: MakeProxy
) -> None:
    proxy = make_proxy(rgw.port)
    choices = replace(AT_ONCE, restore_pauses_s=(1, 1), to_dr=False)
    at = droplet(postgres, rgw, choices, endpoint=f"http://{proxy.host}:{proxy.port}")
    put(rgw, at.primary, SEGMENT, PLAIN)
    proxy.refuse()
    back = threading.Timer(0.7, proxy.accept)
    back.start()
    assert at.fetch(SEGMENT).silently_well
    back.join()


@pytest.mark.parametrize(
    "arguments", [(), (SEGMENT,), ("../x", "y"), (SEGMENT, "y", "both"), (f"{SEGMENT}*", "y")]
)
def test_a_wrong_call_stops_recovery(at: Droplet, arguments: tuple[str, ...]) -> None:
    ended = at.run(at.restore, *arguments)
    assert ended.status == 202
    assert ended.stderr.count("\n") == 1


def test_sigterm_is_passed_on_as_postgresql_wants_it(
    postgres: PostgresServer, rgw: RadosGateway, make_proxy: MakeProxy
) -> None:
    proxy = make_proxy(rgw.port)
    at = droplet(postgres, rgw, replace(AT_ONCE, idle_timeout_s=30), f"http://{proxy.host}:{proxy.port}")
    put(rgw, at.primary, SEGMENT, random_bytes(SEGMENT, 64 * MIB))
    process = at.start(at.restore, SEGMENT, at.wanted)
    wait_until(lambda: proxy.traffic.bytes_down > MIB, "the download is under way", every_s=0.001)
    proxy.stall()
    os.killpg(process.pid, signal.SIGTERM)
    process.communicate(timeout=10)
    assert process.returncode == 143
    assert not at.wanted.exists()
    assert_nothing_is_left(at)
