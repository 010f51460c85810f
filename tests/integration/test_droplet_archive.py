"""The archive command on its own: what it stores, what it refuses, and that a 0 is never a lie."""

import gzip
import os
import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import zstandard

from tests.integration.droplet_parts import (
    FILE_BYTES,
    PREFIX,
    Droplet,
    content,
    droplet,
    newer_rclone_path,
    objects,
    put,
    random_bytes,
)
from tests.long import always
from tests.servers.archived import MIB
from tests.servers.fixtures import MakeProxy, or_skip
from tests.servers.ports import wait_until
from tests.servers.postgres import PostgresServer
from tests.servers.proxy import Proxy
from tests.servers.reaper import alive, descendants, kill
from tests.servers.rgw import RadosGateway
from walconsole.droplet.choices import DEFAULT_PATH, Compression, DropletChoices

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import CompletedMultipartUploadTypeDef

pytestmark = pytest.mark.server

SEGMENT = "0000000100000000000000A1"
NAMES = (SEGMENT, f"{SEGMENT}.partial", f"{SEGMENT}.00000028.backup", "00000002.history")
SUFFIXES = {Compression.ZSTD: ".zst", Compression.GZIP: ".gz", Compression.NONE: ""}
QUICK = DropletChoices(compression=Compression.NONE, to_dr=False)


def unpacked(stored: bytes, suffix: str) -> bytes:
    if suffix == ".zst":
        return zstandard.ZstdDecompressor().decompressobj().decompress(stored)
    return gzip.decompress(stored) if suffix == ".gz" else stored


@pytest.fixture(scope="module")
def newer_path(postgres: PostgresServer) -> str:
    return or_skip(lambda: newer_rclone_path(postgres))


@pytest.fixture
def plain(postgres: PostgresServer, rgw: RadosGateway) -> Droplet:
    return droplet(postgres, rgw, QUICK)


@pytest.mark.parametrize(
    ("compression", "newer", "to_dr"),
    [
        (Compression.ZSTD, False, True),
        (Compression.GZIP, False, False),
        (Compression.NONE, False, False),
        (Compression.ZSTD, True, False),
    ],
)
def test_each_kind_of_name_is_stored_whole_and_only_once(
    postgres: PostgresServer,
    rgw: RadosGateway,
    newer_path: str,
    compression: Compression,
    newer: bool,
    to_dr: bool,
) -> None:
    path = newer_path if newer else DEFAULT_PATH
    at = droplet(postgres, rgw, DropletChoices(compression=compression, path=path, to_dr=to_dr))
    names = NAMES if to_dr else (NAMES[0], NAMES[-1])
    for name in names:
        small = name.endswith(("history", "backup"))
        file = at.segment(name, b"1\t0/3000000\tno recovery target\n" if small else None)
        suffix = "" if small else SUFFIXES[compression]
        assert at.push(file).silently_well
        first = [objects(rgw, to) for to in at.copies]
        assert at.push(file).silently_well
        assert [objects(rgw, to) for to in at.copies] == first
        for to in at.copies:
            assert unpacked(content(rgw, to, name + suffix), suffix) == file.read_bytes()
    assert [len(objects(rgw, to)) for to in (at.primary, at.dr)] == [len(names), len(names) * to_dr]
    assert at.leftovers == []


def test_zeroes_are_a_few_kilobytes(postgres: PostgresServer, rgw: RadosGateway) -> None:
    at = droplet(postgres, rgw, DropletChoices(to_dr=False))
    assert at.push(at.segment(SEGMENT, bytes(FILE_BYTES))).silently_well
    assert len(content(rgw, at.primary, f"{SEGMENT}.zst")) < 4096


@pytest.mark.parametrize(
    ("suffix", "newer"), [(".zst", False), (".gz", False), ("", False), ("", True), (".zst", True)]
)
def test_another_content_is_refused_and_stays(
    postgres: PostgresServer, rgw: RadosGateway, newer_path: str, suffix: str, newer: bool
) -> None:
    at = droplet(postgres, rgw, DropletChoices(path=newer_path if newer else DEFAULT_PATH))
    other = b"other" * 1000
    body = {".zst": zstandard.ZstdCompressor().compress(other), ".gz": gzip.compress(other), "": other}[
        suffix
    ]
    put(rgw, at.dr, f"{SEGMENT}{suffix}", body)
    before = objects(rgw, at.dr)
    ended = at.push(at.segment(SEGMENT))
    assert ended.status == 3
    assert (
        f"tried-archive: {SEGMENT} not archived: spaces-dr:{at.dr.bucket}/{PREFIX}{SEGMENT}{suffix} holds"
        in (ended.stderr.replace("tried-pg-archive", "tried-archive"))
    )
    assert ended.stderr.count("\n") == 1
    assert objects(rgw, at.dr) == before


@pytest.mark.parametrize("broken", ["cut", "longer", "no zstd at all"])
def test_a_damaged_object_is_not_taken_for_the_file(
    postgres: PostgresServer, rgw: RadosGateway, broken: str
) -> None:
    at = droplet(postgres, rgw, DropletChoices())
    file = at.segment(SEGMENT)
    packed = zstandard.ZstdCompressor().compress(file.read_bytes())
    body = {"cut": packed[:-1000], "longer": packed + b"more", "no zstd at all": file.read_bytes()}[broken]
    put(rgw, at.primary, f"{SEGMENT}.zst", body)
    assert at.push(file).status == 3
    assert content(rgw, at.primary, f"{SEGMENT}.zst") == body


@pytest.mark.parametrize("suffix", SUFFIXES.values())
def test_what_was_stored_with_another_compression_is_the_same_file(
    postgres: PostgresServer, rgw: RadosGateway, suffix: str
) -> None:
    at = droplet(postgres, rgw, DropletChoices(compression=Compression.GZIP))
    file = at.segment(SEGMENT)
    plain = file.read_bytes()
    body = {".zst": zstandard.ZstdCompressor().compress(plain), ".gz": gzip.compress(plain), "": plain}[
        suffix
    ]
    put(rgw, at.primary, f"{SEGMENT}{suffix}", body)
    before = objects(rgw, at.primary)
    assert at.push(file).silently_well
    assert objects(rgw, at.primary) == before
    assert set(objects(rgw, at.dr)) == {f"{SEGMENT}.gz"}


def test_without_md5_for_an_etag_the_content_is_compared(postgres: PostgresServer, rgw: RadosGateway) -> None:
    at = droplet(postgres, rgw, DropletChoices(compression=Compression.NONE, to_dr=False))
    file = at.segment(SEGMENT)
    client, bucket, key = rgw.client(), at.primary.bucket, f"{PREFIX}{SEGMENT}"
    upload = client.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
    etag = client.upload_part(Bucket=bucket, Key=key, UploadId=upload, PartNumber=1, Body=file.read_bytes())[
        "ETag"
    ]
    parts: CompletedMultipartUploadTypeDef = {"Parts": [{"PartNumber": 1, "ETag": etag}]}
    client.complete_multipart_upload(Bucket=bucket, Key=key, UploadId=upload, MultipartUpload=parts)
    assert at.push(file).silently_well
    assert at.push(at.segment(SEGMENT, bytes(FILE_BYTES))).status == 3


def test_a_copy_that_fails_holds_back_success_until_it_has_the_file_too(
    postgres: PostgresServer, rgw: RadosGateway
) -> None:
    at = droplet(postgres, rgw, replace(QUICK, to_dr=True))
    file = at.segment(SEGMENT)
    rgw.revoke(at.dr.bucket, at.dr.keys)
    ended = at.push(file)
    assert ended.status == 1
    assert f"not archived to spaces-dr:{at.dr.bucket}" in ended.stderr
    assert "403" in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert (set(objects(rgw, at.primary)), objects(rgw, at.dr)) == ({SEGMENT}, {})
    rgw.grant(at.dr.bucket, at.dr.keys, "readwrite")
    assert at.push(file).silently_well
    assert set(objects(rgw, at.dr)) == {SEGMENT}


def test_two_failures_are_one_line_and_the_worse_status(postgres: PostgresServer, rgw: RadosGateway) -> None:
    at = droplet(postgres, rgw, replace(QUICK, to_dr=True))
    rgw.revoke(at.primary.bucket, at.primary.keys)
    put(rgw, at.dr, SEGMENT, b"another server's")
    ended = at.push(at.segment(SEGMENT))
    assert ended.status == 3
    assert f"not archived to spaces-prod:{at.primary.bucket}" in ended.stderr
    assert f"spaces-dr:{at.dr.bucket}/{PREFIX}{SEGMENT} holds other content" in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_a_missing_bucket_and_an_unknown_key_fail(plain: Droplet, rgw: RadosGateway) -> None:
    file = plain.segment(SEGMENT)
    rgw.client().delete_bucket(Bucket=plain.primary.bucket)
    gone = plain.push(file)
    assert gone.status == 1
    assert "NoSuchBucket" in gone.stderr
    plain.configure_rclone(primary=replace(plain.primary, keys=replace(plain.dr.keys, access_key="DO00NONE")))
    assert plain.push(file).status == 1


def test_a_key_that_may_only_read_archives_nothing(plain: Droplet, rgw: RadosGateway) -> None:
    rgw.grant(plain.primary.bucket, plain.primary.keys, "read")
    ended = plain.push(plain.segment(SEGMENT))
    assert (ended.status, objects(rgw, plain.primary)) == (1, {})
    assert "AccessDenied" in ended.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "usage: tried-pg-archive PATH NAME"),
        (("pg_wal/x",), "usage: "),
        (("pg_wal/x", "x"), "not a name that PostgreSQL archives"),
        ((f"pg_wal/{SEGMENT}", f"../{SEGMENT}"), "not a name that PostgreSQL archives"),
        ((f"pg_wal/{SEGMENT}", f"{SEGMENT}\n{SEGMENT}"), "not a name that PostgreSQL archives"),
        (("pg_wal/00000002.history", SEGMENT), "is not the name of the file"),
    ],
)
def test_a_wrong_call_is_refused(plain: Droplet, arguments: tuple[str, ...], says: str) -> None:
    ended = plain.run(plain.archive, *arguments)
    assert ended.status == 2
    assert says in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_a_file_or_configuration_that_cannot_be_read_is_named(plain: Droplet) -> None:
    orphan = plain.run(plain.archive, f"pg_wal/{SEGMENT}", SEGMENT)
    assert (orphan.status, f"pg_wal/{SEGMENT} cannot be read" in orphan.stderr) == (1, True)
    file = plain.segment(SEGMENT)
    config = plain.profile.paths.rclone_config
    os.unlink(config)  # noqa: PTH108  # a path on the droplet
    lost = plain.push(file)
    assert (lost.status, f"{config} cannot be read as user" in lost.stderr) == (2, True)


@pytest.mark.parametrize(
    "env",
    [
        {"AWS_CA_BUNDLE": "/nowhere.pem", "AWS_ACCESS_KEY_ID": "DO00OTHER", "AWS_SECRET_ACCESS_KEY": "other"},
        {"RCLONE_DRY_RUN": "true", "RCLONE_CONFIG": "/nowhere", "RCLONE_CONFIG_SPACES_PROD_ENDPOINT": "x"},
        {"PATH": "/nowhere", "HOME": "/root", "LC_ALL": "xx", "TMPDIR": "/nowhere", "IFS": "0"},
    ],
    ids=["aws", "rclone", "odd"],
)
def test_the_environment_has_no_say(plain: Droplet, rgw: RadosGateway, env: dict[str, str]) -> None:
    file = plain.segment(SEGMENT)
    assert plain.push(file, env).silently_well
    assert content(rgw, plain.primary, SEGMENT) == file.read_bytes()


def test_a_relative_path_and_a_linked_pg_wal_are_followed(plain: Droplet, rgw: RadosGateway) -> None:
    file = plain.segment(SEGMENT)
    elsewhere = plain.folder / "a: b"
    file.parent.rename(elsewhere)
    (plain.folder / "pg_wal").symlink_to(elsewhere)
    assert plain.run(plain.archive, f"pg_wal/{SEGMENT}", SEGMENT).silently_well
    second = elsewhere / "00000002.history"
    file = plain.segment(second.name, b"1\n")
    assert plain.run(plain.archive, f"a: b/{second.name}", second.name).silently_well
    assert content(rgw, plain.primary, second.name) == b"1\n"


def test_a_full_disk_sends_the_file_uncompressed(postgres: PostgresServer, rgw: RadosGateway) -> None:
    at = droplet(postgres, rgw, DropletChoices(to_dr=False))
    file = at.segment(SEGMENT)
    ended = at.push(file, kib=64)
    assert (ended.status, ended.stdout) == (0, "")
    assert "sent uncompressed: no compressed file could be written in" in ended.stderr
    assert content(rgw, at.primary, SEGMENT) == file.read_bytes()
    assert at.leftovers == []
    at.temp_root.rmdir()
    assert at.push(at.segment(f"{SEGMENT}.partial")).status == 0


def test_what_a_killed_run_left_is_swept_whoever_has_its_number_now(plain: Droplet) -> None:
    left = [plain.temp_root / f"tried-pg-archive.{number}.x" for number in (os.getpid(), 2**22 + 1)]
    for folder in left:
        folder.mkdir()
        plain.server.give(folder)
    assert plain.push(plain.segment(SEGMENT)).silently_well
    assert plain.leftovers == []


@dataclass(frozen=True)
class Held:
    """A deployment whose copies each lie behind a proxy, which holds what passes when it is told to."""

    at: Droplet
    proxies: tuple[Proxy, ...]

    def uploading(self, file: Path, more_than: int = MIB) -> subprocess.Popen[str]:
        """The archive command, when so much was sent to each copy and no more goes there."""
        process = self.at.start(self.at.archive, file, file.name)
        going = set(self.proxies)

        def held() -> bool:
            for proxy in tuple(going):
                if proxy.traffic.bytes_up > more_than:
                    proxy.stall()
                    going.discard(proxy)
            return not going

        wait_until(held, "it uploads to each copy", every_s=0.001)
        return process

    def release(self) -> None:
        """End what is held, and let everything pass from now on."""
        for proxy in self.proxies:
            proxy.cut()
            proxy.resume()


@pytest.fixture
def make_held(
    postgres: PostgresServer, rgw: RadosGateway, make_proxy: MakeProxy
) -> Callable[[DropletChoices], Held]:
    def make(choices: DropletChoices) -> Held:
        proxies = tuple(make_proxy(rgw.port) for _ in range(1 + choices.to_dr))
        urls = [f"http://{proxy.host}:{proxy.port}" for proxy in proxies]
        at = droplet(postgres, rgw, choices)
        copies = zip(("primary", "dr"), at.copies, urls, strict=False)
        at.configure_rclone(**{role: replace(to, endpoint=url) for role, to, url in copies})
        return Held(at, proxies)

    return make


BIG = random_bytes(SEGMENT, 32 * MIB)


@pytest.mark.parametrize("whole_group", [True, False], ids=["group", "script"])
@pytest.mark.parametrize("number", always(signal.SIGKILL, of=[signal.SIGTERM, signal.SIGINT, signal.SIGKILL]))
def test_killed_in_mid_upload_it_stores_nothing_and_the_next_run_everything(
    make_held: Callable[[DropletChoices], Held],
    rgw: RadosGateway,
    number: signal.Signals,
    whole_group: bool,
) -> None:
    """A signal ends both uploads. Where SIGKILL meets the script alone its jobs end by themselves."""
    held = make_held(DropletChoices(idle_timeout_s=2))
    at = held.at
    file = at.segment(SEGMENT, BIG)
    process = held.uploading(file)
    below = descendants(process.pid)
    assert at.leftovers != []
    (os.killpg if whole_group else os.kill)(process.pid, number)
    _, stderr = process.communicate(timeout=10)
    if number is signal.SIGKILL:
        assert process.returncode == -number
        held.release()
        wait_until(lambda: not any(map(alive, below)), "what it started ends", timeout_s=10)
    else:
        assert (process.returncode, stderr.count("\n")) == (9, 1)
        assert f"{SEGMENT} not archived" in stderr
        assert at.leftovers == []
        wait_until(lambda: not any(map(alive, below)), "what it started ends", timeout_s=1)
        held.release()
    assert [objects(rgw, to) for to in at.copies] == [{}, {}]
    assert at.push(file).silently_well
    assert at.leftovers == []
    for to in at.copies:
        assert unpacked(content(rgw, to, f"{SEGMENT}.zst"), ".zst") == file.read_bytes()


def test_the_copies_go_side_by_side(make_held: Callable[[DropletChoices], Held], rgw: RadosGateway) -> None:
    held = make_held(DropletChoices(compression=Compression.NONE))
    at, (primary, _) = held.at, held.proxies
    file = at.segment(SEGMENT, BIG)
    process = Held(at, (primary,)).uploading(file)
    wait_until(lambda: set(objects(rgw, at.dr)) == {SEGMENT}, "DR has it while the primary's upload is held")
    assert objects(rgw, at.primary) == {}
    primary.resume()
    assert (process.communicate(timeout=10), process.returncode) == (("", ""), 0)
    assert content(rgw, at.primary, SEGMENT) == file.read_bytes()


def test_a_job_that_is_killed_is_no_success(make_held: Callable[[DropletChoices], Held]) -> None:
    held = make_held(QUICK)
    process = held.uploading(held.at.segment(SEGMENT, BIG))
    first, *others = descendants(process.pid)
    judge = min(others)  # the two sides of a pipeline, in their order
    assert set(descendants(first)) == {*others} - {judge}
    kill([first, *descendants(first)])
    _, stderr = process.communicate(timeout=10)
    assert (process.returncode, stderr.count("\n")) == (1, 1)
    assert "what copies it was killed" in stderr


@pytest.mark.parametrize("newer", [False, True], ids=["old rclone", "new rclone"])
def test_what_another_stored_in_the_same_moment_fails_and_is_left_alone(
    make_held: Callable[[DropletChoices], Held], rgw: RadosGateway, newer_path: str, newer: bool
) -> None:
    """After the upload and before it is read back, another server's file takes the name."""
    held = make_held(replace(QUICK, path=newer_path if newer else DEFAULT_PATH))
    at = held.at
    file = at.segment(SEGMENT, BIG)
    process = held.uploading(file, more_than=len(BIG))
    wait_until(lambda: set(objects(rgw, at.primary)) == {SEGMENT}, "it is stored, and the answer held")
    other = random_bytes("another server's")
    put(rgw, at.primary, SEGMENT, other)
    held.proxies[0].resume()
    _, stderr = process.communicate(timeout=10)
    assert (process.returncode, stderr.count("\n")) == (4, 1)
    assert "not stored as sent" in stderr
    assert content(rgw, at.primary, SEGMENT) == other


@pytest.mark.parametrize("newer", [False, True], ids=["old rclone", "new rclone"])
@pytest.mark.parametrize("size", [FILE_BYTES, 1000])
def test_what_another_stored_after_the_look_is_not_overwritten(
    postgres: PostgresServer, rgw: RadosGateway, newer_path: str, newer: bool, size: int
) -> None:
    """An rclone that lets the other be first whenever it is to copy."""
    path = newer_path if newer else DEFAULT_PATH
    folder = postgres.workspace.folder("slow-rclone")
    at = droplet(postgres, rgw, replace(QUICK, path=f"{folder}:{path}"))
    other = random_bytes("another server's", size)
    (folder / "other").write_bytes(other)
    first = f'rclone copyto {folder}/other "$3{SEGMENT}" --config {at.profile.paths.rclone_config}'
    script = folder / "rclone"
    script.write_text(
        f'#!/bin/sh\nPATH={path}\n[ "$1" != copy ] || {first} --s3-no-check-bucket\nexec rclone "$@"\n'
    )
    script.chmod(0o755)
    file = at.segment(SEGMENT)
    ended = at.push(file)
    assert (ended.status, ended.stderr.count("\n")) == (1, 1)
    assert f"{SEGMENT} is there since a moment ago" in ended.stderr
    assert content(rgw, at.primary, SEGMENT) == other
    assert at.push(file).status == 3
    assert content(rgw, at.primary, SEGMENT) == other
