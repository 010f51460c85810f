"""An archive in a folder: PostgreSQL copies to it for real, and it fails as folders do."""

import asyncio
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.integration.failure_stage import TABLE, Row
from tests.integration.observed import RecordingScreen, profile_of
from tests.servers.archived import fill_segment, start_archiving, wait_archived
from tests.servers.fixtures import MakePostgres
from tests.servers.full_disk import full_disk
from tests.servers.postgres import PostgresServer
from tests.servers.sshd import SshServer
from walconsole.domain.failures import Diagnosis, Story, diagnose
from walconsole.domain.profile import BucketRole, BucketTarget, KeyReference, KeySource, Profile
from walconsole.domain.standing.model import Certainty, Level, Severity
from walconsole.operator_files.kept import for_this_session
from walconsole.process.cleanup import Cleanups
from walconsole.process.clock import SystemClock
from walconsole.session.dialling import ssh_shell
from walconsole.session.wiring import observe

pytestmark = [pytest.mark.server, pytest.mark.usefixtures("_table"), pytest.mark.long]

COPY = 'test ! -f "{0}/%f" && cp %p "{0}/%f"'
PLAIN = 'cp %p "{0}/%f"'
ZIPPED = 'gzip <%p >"{0}/.%f" && mv "{0}/.%f" "{0}/%f.gz"'
BASIC = "basic_archive"
NO_MATTER = ("no-base-backup", "disk-filling", "folder-in-memory")


@dataclass
class Archiving:
    """A server that archives into `folder`, on another file system than its data; and what is seen of it."""

    server: PostgresServer
    folder: Path
    screen: RecordingScreen

    def diagnosis(self) -> Diagnosis:
        """What the console says now."""
        return diagnose(self.screen.last, time.time())

    def stories(self) -> list[Story]:
        """Those that alarm, the worst first; that nobody takes base backups is no matter here, and that the
        tests' folders are in memory.
        """
        told = [each for each in self.diagnosis().stories if each.severity >= Severity.WARNING]
        return [each for each in told if each.root.rule not in NO_MATTER]

    def rules(self) -> set[str]:
        """All that is found."""
        return {finding.rule for finding in self.diagnosis().findings}

    async def until(self, holds: Callable[[], object], what: str, timeout_s: float = 40.0) -> None:
        """Wait until it holds."""
        ends = time.monotonic() + timeout_s
        while time.monotonic() < ends:
            if holds():
                return
            await asyncio.sleep(0.1)
        told = [(each.root.rule, [one.rule for one in each.consequences]) for each in self.stories()]
        last = self.screen.last
        shown = (
            told,
            last.folders.value,
            last.primary.problem,
            last.compared.value,
            self.diagnosis().verdict,
        )
        raise AssertionError(f"{what} did not come about: {shown}")

    async def root(self, rule: str, broken: str) -> Story:
        """Wait until the worst story's root is that, for what was `broken`."""
        began = time.monotonic()
        await self.until(lambda: self.stories() and self.stories()[0].root.rule == rule, rule)
        TABLE.append(Row(broken, rule, time.monotonic() - began))
        return self.stories()[0]

    async def gone(self, rule: str, mended: str) -> None:
        """Wait until it is found no more."""
        began = time.monotonic()
        await self.until(lambda: rule not in self.rules(), f"the end of {rule}")
        TABLE[-1].mended, TABLE[-1].green_s = mended, time.monotonic() - began

    async def green(self, mended: str = "") -> None:
        """Wait until nothing alarms, and the folder holds what the server says it archived."""
        began = time.monotonic()

        nudged = time.monotonic()

        def holds() -> bool:
            nonlocal nudged
            if time.monotonic() - nudged > 2.0:
                self.server.reload()  # else it tries again within a minute
                nudged = time.monotonic()
            bucket, archiver = self.screen.last.primary.value, self.screen.last.archiver.value
            if bucket is None or archiver is None or not bucket.complete or self.stories():
                return False
            return bucket.newest_segment == archiver.last_archived_wal and not archiver.ready_count

        await self.until(holds, "green")
        if mended:
            TABLE[-1].mended, TABLE[-1].green_s = mended, time.monotonic() - began

    def mend(self, story: Story) -> None:
        """Run the first fix's commands, as an operator types them as root."""
        for command in story.root.fixes[0].commands:
            run("sh", "-c", command)


@pytest.fixture
def elsewhere(make_postgres: MakePostgres) -> Iterator[Path]:
    """A folder on a memory's file system, which is another than the data directory's."""
    folder = Path(tempfile.mkdtemp(dir="/dev/shm", prefix="walconsole-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def server(make_postgres: MakePostgres) -> PostgresServer:
    """With small segments: many fit."""
    return make_postgres(wal_segment_mib=1, start=False)


def profile_into(sshd: SshServer, server: PostgresServer, folder: Path, root: str = "") -> Profile:
    """A profile that names the folder, and no second copy."""
    profile = profile_of(sshd, server)
    where = BucketTarget(BucketRole.PRIMARY, str(folder), "", "", KeyReference(KeySource.DROPLET))
    paths = replace(profile.paths, root=root)
    return replace(profile, primary=where, second_copy=False, paths=paths, expect_base_backups=False)


@asynccontextmanager
async def archiving(
    sshd: SshServer,
    server: PostgresServer,
    folder: Path,
    command: str = COPY,
    root: str = "",
    *,
    well: bool = True,
) -> AsyncIterator[Archiving]:
    """It archives into `folder/wal`, is green unless it is not `well`, and watched."""
    into = folder / "wal"
    into.mkdir()
    server.give(into)
    if command == BASIC:
        server.configure(
            archive_mode="on", archive_command="", archive_library=BASIC, wal_keep_size="2GB",
            **{"basic_archive.archive_directory": str(into)},
        )  # fmt: skip
        server.start()
    else:
        start_archiving(server, command.format(into))
    wait_archived(server, [fill_segment(server) for _ in range(2)])
    async with looked_at(sshd, server, into, root) as watched:
        if well:
            await watched.green()
        yield watched


@asynccontextmanager
async def looked_at(
    sshd: SshServer, server: PostgresServer, into: Path, root: str = ""
) -> AsyncIterator[Archiving]:
    """A server that archives into that folder, watched from a first picture on."""
    screen, clock, cleanups = RecordingScreen(), SystemClock(), Cleanups()
    async with cleanups:
        profile = profile_into(sshd, server, into, root)
        shell = ssh_shell(profile, screen, clock, cleanups)
        observer = observe(profile, shell, clock, dict(os.environ), cleanups, for_this_session())
        running = asyncio.create_task(observer.run(screen), name="observer")
        try:
            await screen.until(lambda: screen.snapshots and screen.last.whole, "a first picture")
            yield Archiving(server, into, screen)
        finally:
            running.cancel()
            await asyncio.wait([running])


@contextmanager
def fstab_of(beside: Path, line: str) -> Iterator[str]:
    """A root whose /etc/fstab has that line."""
    (beside / "etc").mkdir()
    (beside / "etc" / "fstab").write_text(f"# <file system> <mount point>\n{line}\n")
    yield str(beside)


@pytest.mark.root("only root gives a folder away, and takes it back")
@pytest.mark.failure_mode("folder-missing")
@pytest.mark.failure_mode("folder-not-writable")
@pytest.mark.failure_mode("torn-copy")
async def test_a_folder_that_is_taken_away_locked_and_torn_is_named_and_mended(
    sshd: SshServer, server: PostgresServer, elsewhere: Path
) -> None:
    async with archiving(sshd, server, elsewhere) as watched:
        os.chown(watched.folder, 0, 0)
        fill_segment(server)
        watched.mend(await watched.root("folder-not-writable", "the archive's folder is root's"))
        await watched.green("given back")

        start_archiving(server, "false")
        name = fill_segment(server)
        torn = watched.folder / name
        torn.write_bytes((server.data_dir / "pg_wal" / name).read_bytes()[:300_000])
        server.give(torn)
        start_archiving(server, COPY.format(watched.folder))
        story = await watched.root("torn-copy", "a copy that was cut short, behind test ! -f")
        assert "fails for ever" in story.root.title
        watched.mend(story)
        await watched.green("moved away")
        assert torn.stat().st_size == server_segment(server)
        server.sql(story.root.fixes[1].commands[0].partition("; ")[0])
        server.reload()
        wait_archived(server, [fill_segment(server)])
        server.sql("ALTER SYSTEM RESET archive_command")
        server.reload()
        assert not list(watched.folder.glob(".*")), "nothing is left under the other name"

        watched.folder.rename(watched.folder.with_name("kept"))
        fill_segment(server)
        watched.mend(await watched.root("folder-missing", "the archive's folder renamed"))
        server.reload()
        wait_archived(server, [fill_segment(server)])
        await watched.gone("folder-missing", "made again")


def server_segment(server: PostgresServer) -> int:
    """wal_segment_size in bytes."""
    return int(str(server.sql("SELECT setting FROM pg_settings WHERE name = 'wal_segment_size'")[0][0]))


@pytest.mark.root("only root mounts")
@pytest.mark.failure_mode("folder-full")
async def test_a_folder_without_room_is_named(
    sshd: SshServer, server: PostgresServer, elsewhere: Path
) -> None:
    async with archiving(sshd, server, elsewhere, PLAIN) as watched:
        with full_disk(server, watched.folder):
            fill_segment(server)
            watched.mend(await watched.root("folder-full", "a full file system over the archive's folder"))
        await watched.green("it had room again")


@pytest.mark.root("only root mounts")
@pytest.mark.failure_mode("folder-not-mounted")
async def test_a_mount_that_is_missing_is_named_and_mounted_again(
    sshd: SshServer, server: PostgresServer, elsewhere: Path
) -> None:
    point = elsewhere / "mnt"
    point.mkdir(mode=0o755)
    mounting = ["mount", "-t", "tmpfs", "-o", "size=64m,mode=0755", "archive", str(point)]
    line = f"archive {point} tmpfs size=64m 0 0"
    run(*mounting)
    try:
        with fstab_of(elsewhere, line) as root:
            async with archiving(sshd, server, point, root=root) as watched:
                run("mount", "--move", str(point), str(make_beside(elsewhere)))
                watched.folder.mkdir()
                server.give(watched.folder)
                wait_archived(server, [fill_segment(server)])
                story = await watched.root("folder-not-mounted", "the archive's mount is gone, fstab has it")
                await watched.until(lambda: "archive-shrunk" in watched.rules(), "the loss")
                assert "archive-shrunk" in [each.rule for each in watched.stories()[0].consequences]
                assert story.root.fixes[0].commands[0] == f"mount {point}"
                run("mount", "--move", str(elsewhere / "beside"), str(point))
                wait_archived(server, [fill_segment(server)])
                await watched.gone("folder-not-mounted", "mounted again")
    finally:
        for mounted in (point, elsewhere / "beside"):
            run("sh", "-c", f"umount --lazy {mounted} 2>/dev/null; true")


@pytest.mark.root("only root gives a folder away, and mounts")
@pytest.mark.failure_mode("folder-full")
@pytest.mark.parametrize("command", [ZIPPED, BASIC], ids=["gzip", "basic_archive"])
async def test_what_fails_in_the_folder_of_another_tool_is_named_as_well(
    sshd: SshServer, server: PostgresServer, elsewhere: Path, command: str
) -> None:
    point, beside = elsewhere / "mnt", make_beside(elsewhere)
    point.mkdir(mode=0o755)
    line = f"archive {point} tmpfs size=64m 0 0"
    run("mount", "-t", "tmpfs", "-o", "size=64m,mode=0755", "archive", str(point))
    try:
        with fstab_of(elsewhere, line) as root:
            async with archiving(sshd, server, point, command, root) as watched:
                os.chown(watched.folder, 0, 0)
                fill_segment(server)
                watched.mend(await watched.root("folder-not-writable", f"{command}: the folder is root's"))
                await watched.green("given back")
                with full_disk(server, watched.folder):
                    fill_segment(server)
                    await watched.root("folder-full", f"{command}: a full file system over the folder")
                await watched.green("it had room again")
                watched.folder.rename(watched.folder.with_name("kept"))
                fill_segment(server)
                await watched.root("folder-missing", f"{command}: the folder renamed")
                watched.folder.with_name("kept").rename(watched.folder)
                await watched.green("back in its place")
                run("mount", "--move", str(point), str(beside))
                watched.folder.mkdir()
                server.give(watched.folder)
                fill_segment(server)
                await watched.root("folder-not-mounted", f"{command}: its mount is gone, fstab has it")
                run("mount", "--move", str(beside), str(point))
    finally:
        for mounted in (point, beside):
            run("sh", "-c", f"umount --lazy {mounted} 2>/dev/null; true")


@pytest.mark.root("only root gives a folder away")
@pytest.mark.failure_mode("failure-hidden")
async def test_a_command_that_hides_its_failures_is_the_cause_of_what_is_lost(
    sshd: SshServer, server: PostgresServer, elsewhere: Path
) -> None:
    async with archiving(sshd, server, elsewhere, f"{PLAIN} || true", well=False) as watched:
        story = await watched.root("failure-hidden", "a command that says yes whatever happens")
        assert story.severity is Severity.WARNING
        os.chown(watched.folder, 0, 0)
        wait_archived(server, [fill_segment(server) for _ in range(2)])
        await watched.until(lambda: "silent-loss" in watched.rules(), "the loss")
        assert "failure-hidden" in watched.rules()
        server.give(watched.folder)
        start_archiving(server, PLAIN.format(watched.folder))
        await watched.gone("failure-hidden", "the command without it")


def run(*words: str) -> None:
    """As root."""
    subprocess.run(words, check=True)


@pytest.mark.failure_mode("folder-beside-data")
@pytest.mark.failure_mode("folder-elsewhere")
async def test_a_folder_beside_the_data_and_another_host_are_told(
    sshd: SshServer, server: PostgresServer
) -> None:
    (server.data_dir.parent / "beside").mkdir()
    both = f"{PLAIN} && {{{{ rsync -aq %p nobody@127.0.0.2:/srv/wal/%f 2>/dev/null || true; }}}}"
    async with archiving(sshd, server, server.data_dir.parent / "beside", both, well=False) as watched:
        story = await watched.root("folder-beside-data", "a folder beside the data directory")
        assert not story.consequences
        await watched.until(lambda: "folder-elsewhere" in watched.rules(), "what is sent to another host")
        TABLE.append(Row("rsync to a host that is not in the profile", "folder-elsewhere", 0.0))
        start_archiving(server, PLAIN.format(watched.folder))
        await watched.gone("folder-elsewhere", "the command sends it there no more")


@pytest.mark.failure_mode("folder-in-memory", "segment-taken-away", "cleanup-eats-wal")
async def test_what_never_fails_and_saves_nothing(
    sshd: SshServer, server: PostgresServer, elsewhere: Path
) -> None:
    """In memory; by moving what crash recovery needs; with a clean-up that knows of no base backup."""
    async with archiving(sshd, server, elsewhere) as watched:
        await watched.until(lambda: "folder-in-memory" in watched.rules(), "a folder in memory")
        TABLE.append(Row("the archive's folder in /dev/shm", "folder-in-memory", 0.0))
        assert watched.diagnosis().verdict.level is Level.WARNING
        server.configure(archive_mode="on", archive_command=f'mv %p "{watched.folder}/%f"')
        server.reload()
        story = await watched.root("segment-taken-away", "archive_command = mv %p …")
        assert watched.diagnosis().verdict.level is Level.CRITICAL
        assert "mv %p" in story.root.title
        clean = f"pg_archivecleanup {watched.folder} %r"
        server.configure(
            archive_mode="on", archive_command=PLAIN.format(watched.folder), archive_cleanup_command=clean
        )
        server.reload()
        await watched.root("cleanup-eats-wal", "archive_cleanup_command for the archive's own folder")
        start_archiving(server, PLAIN.format(watched.folder))
        await watched.green("both settings taken back")


MIRROR = 'rsync -a --delete pg_wal/ "{0}/"'
FIRST_STAYS = 'cp -n pg_wal/0* "{0}/"'
ALL_OF_IT = 'cp -r pg_wal/. "{0}/"'


@pytest.mark.failure_mode("mirror-eats-wal", "whole-folder-copied")
async def test_all_of_pg_wal_instead_of_one_segment(
    sshd: SshServer, server: PostgresServer, elsewhere: Path
) -> None:
    """A mirror deletes what PostgreSQL recycles; a copy of all has what is written now, and may keep it."""
    async with archiving(sshd, server, elsewhere, PLAIN) as watched:

        def set_command(command: str) -> None:
            server.configure(
                archive_mode="on", archive_command=command.format(watched.folder), wal_keep_size="0",
                min_wal_size="2MB", max_wal_size="4MB",
            )  # fmt: skip
            server.reload()

        def is_proved() -> bool:
            worst = watched.stories()[0].root if watched.stories() else None
            return (
                worst is not None and worst.rule == "mirror-eats-wal" and worst.certainty is Certainty.PROVED
            )

        set_command(FIRST_STAYS)
        fill_segment(server)
        story = await watched.root("whole-folder-copied", "archive_command = cp -n pg_wal/* …")
        assert story.root.severity is Severity.CRITICAL
        set_command(ALL_OF_IT)
        await watched.until(
            lambda: any(
                each.root.rule == "whole-folder-copied" and each.root.severity is Severity.WARNING
                for each in watched.stories()
            ),
            "a copy of all that is replaced",
        )
        set_command(MIRROR)
        kept = sorted(path.name for path in watched.folder.glob("0*"))
        for _ in range(12):
            wait_archived(server, [fill_segment(server)])
            server.sql("CHECKPOINT")
        story = await watched.root("mirror-eats-wal", "archive_command = rsync -a --delete pg_wal/ …")
        await watched.until(is_proved, "the proof by both listings")
        assert watched.diagnosis().verdict.level is Level.CRITICAL
        assert f"rsync -a %p {watched.folder}/%f" in story.root.remedy
        assert not set(kept[:2]) & {path.name for path in watched.folder.glob("0*")}, "it is deleted for good"
        start_archiving(server, PLAIN.format(watched.folder))
        await watched.gone("mirror-eats-wal", "a command that copies %p")


def make_beside(elsewhere: Path) -> Path:
    """Another place to mount to."""
    (elsewhere / "beside").mkdir()
    return elsewhere / "beside"
