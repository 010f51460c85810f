"""A folder on a real host, read through SSH as a bucket is."""

import asyncio
import os
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.integration.connect_parts import open_shell, target
from tests.integration.observed import RecordingScreen, profile_of
from tests.servers.fixtures import MakeSshd
from tests.servers.sshd import SshServer
from walconsole.adapters.folder.store import FolderStore
from walconsole.adapters.folder.words import listing, seen_by
from walconsole.domain.archive.folder_listing import FindReader, FolderListing
from walconsole.domain.profile import BucketRole, BucketTarget, KeyReference, KeySource
from walconsole.domain.store.answers import Meaning
from walconsole.errors import ObjectStoreError
from walconsole.ports import ObjectStore
from walconsole.process.cleanup import Cleanups
from walconsole.process.clock import SystemClock
from walconsole.session.dialling import ssh_shell
from walconsole.session.stores import Stores

pytestmark = pytest.mark.server

LONG_AGO = 1_700_000_000


@asynccontextmanager
async def store_of(sshd: SshServer, folder: Path, prefix: str = "") -> AsyncIterator[FolderStore]:
    place = BucketTarget(
        BucketRole.PRIMARY, str(folder), "", "", KeyReference(KeySource.DROPLET), prefix=prefix
    )
    async with open_shell(target(sshd)) as shell:
        yield FolderStore(place, shell)


def put(path: Path, body: bytes = b"x", at: float = LONG_AGO) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)
    os.utime(path, (at, at))


async def keys_of(store: ObjectStore, after: str = "", count: int = 1000) -> list[str]:
    return list((await store.page(start_after=after, max_keys=count)).objects.keys)


async def until(store: FolderStore, expected: list[str]) -> None:
    """A poll lists at most once a second, and not what was written to in the last two."""
    for _ in range(600):
        if await keys_of(store, "0") == expected:
            return
        await asyncio.sleep(0.1)
    assert await keys_of(store, "0") == expected


@pytest.mark.root("only root asks as somebody else")
def test_what_a_file_system_keeps_beside_the_files_is_no_part_of_the_archive() -> None:
    """A disk's own lost+found is root's: where a user asked, the whole archive could not be read."""
    with tempfile.TemporaryDirectory(prefix="walconsole-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "lost+found").mkdir(mode=0o700)
        for aside in (".snapshot/hourly.0", "#recycle", "sub/@eaDir", ".Trash-1000/files", "$RECYCLE.BIN"):
            put(folder / aside / "1a")
        put(folder / "1a")
        put(folder / "sub" / "1b")
        for deep in (True, False):
            asked = ["sh", "-c", seen_by(None) + listing(name, "", deep=deep)]
            printed = subprocess.run(asked, user="nobody", capture_output=True, check=True, timeout=30).stdout
            reader = FindReader(shallow=not deep)
            reader.feed(printed)
            found = FolderListing()
            reader.end(found)
            assert reader.status == 0
            assert list(found.page("", 100)[0].keys) == (["1a", "sub/1b"] if deep else ["1a"])
            assert reader.directories == (set() if deep else {"sub/"})


async def test_what_comes_and_goes_is_seen_and_what_is_being_copied_is_not(
    sshd: SshServer, tmp_path: Path
) -> None:
    put(tmp_path / "1a")
    put(tmp_path / "sub" / "it's ü", b"abc")
    put(tmp_path / "sub" / "deep" / "x")
    async with store_of(sshd, tmp_path) as store:
        assert await keys_of(store) == ["1a", "sub/deep/x", "sub/it's ü"]
        put(tmp_path / "1b")
        put(tmp_path / "new" / "below" / "y")
        (tmp_path / "sub" / "deep" / "x").unlink()
        (tmp_path / "sub" / "deep").rmdir()
        await until(store, ["1a", "1b", "new/below/y", "sub/it's ü"])
        segment = "1" * 24
        (tmp_path / segment).write_bytes(b"half")
        assert segment not in await keys_of(store, "0")
        await until(store, [segment, "1a", "1b", "new/below/y", "sub/it's ü"])
        found = await store.read("sub/it's ü", 2)
        assert (found.body, found.size) == (b"ab", 3)
        assert (await store.whole("sub/it's ü", 10)).body == b"abc"


async def test_a_prefix_is_a_folder_below(sshd: SshServer, tmp_path: Path) -> None:
    for name in ("pg/1", "pg/2", "pg.x", "other/1"):
        put(tmp_path / name)
    async with store_of(sshd, tmp_path, "pg/") as store:
        assert await keys_of(store) == ["pg/1", "pg/2"]


@pytest.mark.parametrize(
    ("make", "meaning", "words"),
    [
        (lambda path: None, Meaning.ABSENT_BUCKET, "no such file or directory"),
        (lambda path: path.write_text(""), Meaning.ABSENT_BUCKET, "not a directory"),
        (lambda path: path.symlink_to(path), Meaning.FAULT, "too many levels"),
    ],
)
async def test_what_is_no_folder_is_told_in_the_systems_words(
    sshd: SshServer, tmp_path: Path, make: "os.PathLike[str]", meaning: Meaning, words: str
) -> None:
    make(tmp_path / "wal")  # type: ignore[operator]
    async with store_of(sshd, tmp_path / "wal") as store:
        with pytest.raises(ObjectStoreError, match=words) as told:
            await store.page()
        assert told.value.meaning is meaning


async def test_a_find_that_tells_no_sizes_is_named_and_what_to_install(
    make_sshd: MakeSshd, tmp_path: Path
) -> None:
    find = tmp_path / "bin/find"
    find.parent.mkdir()
    find.write_text("#!/bin/sh\necho 'find: unrecognized: -ignore_readdir_race' >&2\nexit 1\n")
    find.chmod(0o755)
    sshd = make_sshd({"SetEnv": f"PATH={find.parent}:/usr/bin:/bin"})
    (tmp_path / "wal").mkdir()
    async with store_of(sshd, tmp_path / "wal") as store:
        with pytest.raises(ObjectStoreError, match="is unknown to find; install findutils"):
            await store.page()


async def test_a_key_that_leads_out_of_the_folder_is_not_read(sshd: SshServer, tmp_path: Path) -> None:
    put(tmp_path / "secret")
    (tmp_path / "wal").mkdir()
    async with store_of(sshd, tmp_path / "wal") as store:
        for key in ("../secret", "/etc/passwd", "gone"):
            with pytest.raises(ObjectStoreError) as told:
                await store.read(key, 10)
            assert told.value.meaning is Meaning.ABSENT_OBJECT


async def test_a_folder_on_another_host_is_read_by_the_operators_own_ssh(
    sshd: SshServer, tmp_path: Path
) -> None:
    put(tmp_path / "wal" / "1a", b"abc")
    profile = profile_of(sshd)
    config = tmp_path / "ssh_config"
    config.write_text(
        f"Host nas\n  HostName {sshd.host}\n  Port {sshd.port}\n  IdentityFile {sshd.identity_file}\n"
        f"  UserKnownHostsFile {sshd.known_hosts_file}\n"
    )
    profile = replace(profile, ssh=replace(profile.ssh, config_file=str(config)))
    place = BucketTarget(
        BucketRole.PRIMARY, f"{sshd.user}@nas:{tmp_path}/wal", "", "", KeyReference(KeySource.DROPLET)
    )
    async with Cleanups() as cleanups:
        shell = ssh_shell(profile, RecordingScreen(), SystemClock(), cleanups)
        store = Stores(profile, shell, {}, cleanups, None, lambda: None).of(place)
        assert await keys_of(store) == ["1a"]
        assert not shell.connection.connected, "nothing was asked of the droplet"
