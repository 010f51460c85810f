"""Two servers of one system and one archive: a promotion whose old primary nobody stopped."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.test_failures_folder import elsewhere, looked_at
from tests.servers.archived import fill_segment, start_archiving, wait_archived
from tests.servers.fixtures import MakePostgres
from tests.servers.postgres import PostgresServer
from tests.servers.sshd import SshServer
from walconsole.domain.standing.model import Certainty, Level

pytestmark = [
    pytest.mark.server,
    pytest.mark.timeout(240),
    pytest.mark.usefixtures("_table"),
    pytest.mark.long,
]

__all__ = ["elsewhere"]


@pytest.fixture
def pair(make_postgres: MakePostgres, elsewhere: Path) -> Iterator[tuple[PostgresServer, PostgresServer]]:
    """A primary that archives into `elsewhere/wal`, and its standby, which does so once it is promoted."""
    primary = make_postgres(wal_segment_mib=1, start=False)
    into = elsewhere / "wal"
    into.mkdir()
    primary.give(into)
    command = f"cp %p {into}/%f"
    start_archiving(primary, command)
    standby = primary.standby()
    standby.configure(archive_mode="on", archive_command=command)
    standby.start()
    wait_archived(primary, [fill_segment(primary) for _ in range(3)])
    yield primary, standby
    standby.stop("immediate")


def promote(standby: PostgresServer) -> None:
    """It is a primary once this returns, and its history is archived."""
    standby.sql("SELECT pg_promote()")
    wait_archived(standby, [fill_segment(standby) for _ in range(2)])


@pytest.mark.failure_mode("foreign-writer")
async def test_an_old_primary_that_archives_beyond_the_fork_is_told_on_the_new_one(
    sshd: SshServer, pair: tuple[PostgresServer, PostgresServer], elsewhere: Path
) -> None:
    """No name collides and nothing fails: what the old one's clients commit is on no restore's path."""
    old, new = pair
    await asyncio.to_thread(promote, new)
    async with looked_at(sshd, new, elsewhere / "wal") as watched:
        await watched.green()
        await asyncio.sleep(2.5)  # a folder's times are compared as a store's are, which tells whole seconds
        wait_archived(old, [fill_segment(old) for _ in range(3)])
        # What lies below the newest key is listed once a minute.
        await watched.until(lambda: "foreign-writer" in watched.rules(), "the old primary", 90)
        story = await watched.root("foreign-writer", "an old primary archives on after a promotion")
        assert "still archives on timeline 1" in story.root.title
        assert story.root.certainty is Certainty.PROVED
        assert watched.diagnosis().verdict.level is Level.WARNING
        assert "stop it" in story.root.remedy


async def test_a_clean_switch_over_and_what_the_old_one_had_stored_before_are_no_alarm(
    sshd: SshServer, pair: tuple[PostgresServer, PostgresServer], elsewhere: Path
) -> None:
    """It had gone further than its standby: that is no server that writes on."""
    old, new = pair
    new.freeze()
    wait_archived(old, [fill_segment(old) for _ in range(3)])
    old.stop("immediate")
    new.thaw()
    await asyncio.sleep(2.5)
    await asyncio.to_thread(promote, new)
    async with looked_at(sshd, new, elsewhere / "wal") as watched:
        await watched.green()
        assert "foreign-writer" not in watched.rules()
