"""Segments that no restore finds though PostgreSQL counts them: skipped, elsewhere, unreadable, packed.

Each is really brought about on a server that archives; their healthy sisters stand beside them.
"""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from tests.integration.test_failures_folder import Archiving, archiving, elsewhere
from tests.servers.archived import fill_segment, start_archiving, wait_archived
from tests.servers.fixtures import MakePostgres
from tests.servers.postgres import PostgresServer
from tests.servers.sshd import SshServer
from walconsole.domain.standing.model import Certainty, Level, Severity

pytestmark = [
    pytest.mark.server,
    pytest.mark.timeout(240),
    pytest.mark.usefixtures("_table"),
    pytest.mark.long,
]

__all__ = ["elsewhere"]


@pytest.fixture
def server(make_postgres: MakePostgres) -> PostgresServer:
    """With small segments, not started yet."""
    return make_postgres(wal_segment_mib=1, start=False)


def archive(server: PostgresServer, segments: int = 2) -> list[str]:
    """So many, which it counts as archived."""
    names = [fill_segment(server) for _ in range(segments)]
    wait_archived(server, names)
    return names


def restoring(server: PostgresServer, command: str, restore: str) -> None:
    """Both settings in force."""
    server.configure(archive_mode="on", archive_command=command, restore_command=restore)
    server.reload()


@pytest.mark.failure_mode("failure-hidden")
async def test_a_command_that_stores_only_where_something_is_there(
    sshd: SshServer, server: PostgresServer, elsewhere: Path
) -> None:
    """It was told as a command that stores nothing there; by what, nobody said. Until then it is a note."""
    mark = elsewhere / "mounted"
    mark.touch()
    command = f'if [ -e {mark} ]; then cp %p "{{0}}/%f"; fi'
    async with archiving(sshd, server, elsewhere, command) as watched:
        assert "failure-hidden" in watched.rules()
        mark.unlink()
        names = archive(server)
        story = await watched.root("failure-hidden", "a command that stores only where a file is there")
        assert f"where `[ -e {mark} ]` does not hold" in story.root.title
        assert [each.rule for each in story.consequences] == ["silent-loss"]
        assert story.root.certainty is Certainty.LIKELY
        assert watched.diagnosis().verdict.level is Level.CRITICAL
        mark.touch()
        for name in names:
            server.run(["cp", str(server.data_dir / "pg_wal" / name), str(watched.folder)])
        await watched.green("the switch file put back, and the segments stored by hand")


async def test_a_command_that_makes_the_folder_first_skips_nothing(
    sshd: SshServer, server: PostgresServer, elsewhere: Path
) -> None:
    command = 'test -d "{0}" || mkdir -p "{0}"; test -f "{0}/%f" || cp %p "{0}/%f"'
    async with archiving(sshd, server, elsewhere, command) as watched:
        archive(server)
        await watched.green()
        assert "failure-hidden" not in watched.rules()


@pytest.mark.root("only root gives a folder away, and takes it back")
@pytest.mark.failure_mode("archive-split")
async def test_segments_in_the_folder_that_the_command_falls_back_to(
    sshd: SshServer, server: PostgresServer, elsewhere: Path
) -> None:
    """They were told as stored nowhere, CRITICAL. The fix brings them home; a restore may ask both."""
    other = elsewhere / "other"
    other.mkdir()
    server.give(other)
    into = elsewhere / "wal"
    command = f"cp %p {into}/%f || cp %p {other}/%f"
    async with archiving(sshd, server, elsewhere, command) as watched:
        into.chmod(0o555)
        names = archive(server)
        await watched.until(lambda: "archive-split" in watched.rules(), "where they are")
        into.chmod(0o755)
        story = await watched.root("archive-split", "a first folder that takes none, and a second one")
        assert f"lacks the last 2 segments: they lie in {other}" in story.root.title
        assert "silent-loss" not in watched.rules()
        assert watched.diagnosis().verdict.level is Level.WARNING
        restoring(server, command, f"cp {into}/%f %p || cp {other}/%f %p")
        await watched.until(lambda: not watched.stories(), "a note, for the restore asks both")
        found = [each for each in watched.diagnosis().findings if each.rule == "archive-split"]
        assert found[0].severity is Severity.NOTE
        watched.mend(story)
        await watched.gone("archive-split", "copied into the archive")
        assert {each.name for each in into.iterdir()} >= set(names)


@pytest.mark.root("root alone reads them all the same")
@pytest.mark.failure_mode("archive-unreadable")
async def test_segments_that_the_servers_user_may_not_read(
    sshd: SshServer, server: PostgresServer, elsewhere: Path
) -> None:
    async with archiving(sshd, server, elsewhere) as watched:
        start_archiving(server, f"umask 0777; cp --no-preserve=mode %p {watched.folder}/%f")
        (name,) = archive(server, 1)
        story = await watched.root("archive-unreadable", "segments of mode 0 (umask)")
        assert name in story.root.evidence[0]
        (watched.folder / name).chmod(0o600)
        await watched.gone("archive-unreadable", "its mode")


@pytest.mark.failure_mode("restore-form")
async def test_a_restore_command_for_another_form_than_is_stored(
    sshd: SshServer, server: PostgresServer, elsewhere: Path
) -> None:
    """Each would find nothing, and recovery take that for the archive's end."""
    packs = 'gzip -c %p >"{0}/%f.gz"'
    async with archiving(sshd, server, elsewhere, packs) as watched:
        command = packs.format(watched.folder)
        for restore, why in (
            ("cp {0}/%f %p", "asks for NAME, and the archive holds NAME.gz"),
            ("cp {0}/%f.gz %p", "nothing unpacks it"),
        ):
            restoring(server, command, restore.format(watched.folder))
            what = f"restore_command = {restore.format('…')}, and the archive has .gz"
            story = await watched.root("restore-form", what)
            assert why in story.root.title
            assert watched.diagnosis().verdict.level is Level.WARNING
            restoring(server, command, f"gunzip -c {watched.folder}/%f.gz > %p")
            await watched.gone("restore-form", "gunzip")


def knows(watched: Archiving, name: str) -> bool:
    """Whether that folder of restore_command was looked at."""
    facts = watched.screen.last.folders.value
    return facts is not None and name in {each.path for each in facts.taken_from}


@pytest.mark.failure_mode("restore-form")
async def test_a_restore_command_that_knows_of_no_folders_by_day(
    sshd: SshServer, server: PostgresServer, elsewhere: Path
) -> None:
    """And of none of a segment's own, which `rclone copy` makes where copyto is meant."""
    by_day = '"{0}/$(date +%%Y%%m%%d)"'
    for at, command in enumerate(
        (f"mkdir -p {by_day} && cp %p {by_day}/", 'mkdir -p "{0}/%f" && cp %p "{0}/%f/"')
    ):
        place = elsewhere / str(at)
        place.mkdir()
        async with archiving(sshd, server, place, command) as watched:
            own = command.format(watched.folder)
            restoring(server, own, f"cp {watched.folder}/%f %p")
            story = await watched.root(
                "restore-form", "restore_command = cp …/%f %p, and the archive has folders"
            )
            assert f"asks for {watched.folder}/NAME, and the archive holds" in story.root.title
            restoring(server, own, f"cp $(find {watched.folder} -type f -name %f) %p")
            await watched.gone("restore-form", "a command that finds them")


@contextmanager
def bound(folder: Path, at: Path) -> Iterator[Path]:
    """The same folder by another name, where something may be mounted."""
    at.mkdir()
    if subprocess.run(["mount", "--bind", folder, at], check=False).returncode:
        pytest.skip("nothing may be mounted here")
    try:
        yield at
    finally:
        subprocess.run(["umount", "--lazy", at], check=True)


@pytest.mark.root("only root mounts")
async def test_a_restore_by_another_name_of_the_archives_folder_is_no_alarm(
    sshd: SshServer, server: PostgresServer, elsewhere: Path
) -> None:
    """A link, `..`, a bind mount, and a folder that something copies to: it was told as another place."""
    async with archiving(sshd, server, elsewhere) as watched:
        folder, link, copied = watched.folder, elsewhere / "link", elsewhere / "copied"
        link.symlink_to(folder)
        copied.mkdir()
        with bound(folder, elsewhere / "bound") as mounted:
            for name in (link, f"{folder}/../{folder.name}/.", mounted, copied):
                both = f"cp %p {folder}/%f && cp %p {copied}/%f" if name is copied else f"cp %p {folder}/%f"
                server.give(copied)
                restoring(server, both, f"cp {name}/%f %p")
                archive(server)
                await watched.until(partial(knows, watched, str(name)), "both folders")
                await watched.green()
                assert "restore-elsewhere" not in watched.rules(), name
