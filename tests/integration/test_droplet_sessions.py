"""Sessions of droplets in one app, on real servers: a connection each, and no trace of a closed one."""

import asyncio
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from textual.pilot import Pilot

from tests.data.stage import until
from tests.integration.observed import profile_of
from tests.servers.fixtures import MakeCluster, MakeSshd
from tests.servers.postgres_debian import DebianCluster
from tests.servers.sshd import SshServer
from walconsole.config.choose import choose
from walconsole.config.reader import load
from walconsole.config.writer import profile_as_toml
from walconsole.domain.facts.evidence import FoundCopy
from walconsole.domain.facts.host import ClusterFacts
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.profile import BucketTarget, ClusterName, Profile
from walconsole.domain.standing.model import Fix
from walconsole.process.cleanup import Cleanups
from walconsole.provision.engine.model import Question, Stage
from walconsole.session.droplet_session import droplet_session
from walconsole.session.wish import Session
from walconsole.ui.app import WalconsoleApp
from walconsole.ui.board.droplet_session import DropletSession
from walconsole.ui.board.theming import ThemeShelf, shipped_folder
from walconsole.ui.dialogs.connecting import ClusterScreen

pytestmark = [pytest.mark.server, pytest.mark.timeout(180)]


def connections(sshd: SshServer) -> int:
    """How many were ever made."""
    return sshd.log().count("Accepted publickey")


def below(pid: int) -> list[str]:
    """The commands of everything that a process started and that is still there."""
    listing = subprocess.run(
        ["ps", "-e", "-o", "pid=,ppid=,args="], check=True, capture_output=True, text=True
    )
    rows = [line.split(None, 2) for line in listing.stdout.splitlines()]
    found: list[str] = []
    wanted = {str(pid)}
    while wanted:
        children = [row for row in rows if row[1] in wanted]
        wanted = {row[0] for row in children}
        found += [row[2] for row in children]
    return found


def nobodys(target: BucketTarget) -> BucketTarget:
    """A bucket at an address where nobody listens."""
    return replace(target, endpoint="http://127.0.0.1:1", path_style=True)


def a_profile(name: str, sshd: SshServer, cluster: DebianCluster) -> Profile:
    profile = profile_of(sshd, cluster)
    return replace(profile, name=name, primary=nobodys(profile.primary), dr=nobodys(profile.dr))


def a_session(profile: Profile, folder: Path, cleanups: Cleanups) -> DropletSession:
    environment = {"HOME": str(folder), "XDG_STATE_HOME": str(folder), "XDG_CACHE_HOME": str(folder)}
    return droplet_session(Session(profile, folder / "log", environment=environment), cleanups)


@asynccontextmanager
async def running(session: DropletSession) -> AsyncIterator[tuple[WalconsoleApp, Pilot[None]]]:
    app = WalconsoleApp(session, theme="night", shelf=ThemeShelf((shipped_folder(),), Path("/nonexistent/x")))
    async with app.run_test(size=(120, 36)) as pilot:
        await seen(pilot, session)
        yield app, pilot


async def seen(pilot: Pilot[None], session: DropletSession) -> None:
    """Until everything was read once."""
    await until(pilot, lambda: session.taken is not None and session.taken.snapshot.whole, 40.0)


async def mended(pilot: Pilot[None], session: DropletSession, step: str, subject: str = "") -> None:
    """By its fix, as an operator who agrees."""
    session.open_fix(Fix("", step=step, subject=subject))
    run = session.fix_run
    assert run is not None
    await until(pilot, lambda: bool(run.news) and not run.busy, 40.0)
    assert run.failure is None
    run.start()
    async with asyncio.timeout(60):
        while run.busy:
            run.answer(True)
            await pilot.pause(0.02)
    assert run.failure is None
    assert run.news[step].stage is Stage.CHANGED
    await pilot.press("escape")


async def test_observation_and_every_fix_share_one_connection(
    make_sshd: MakeSshd, make_cluster: MakeCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    cluster = make_cluster()
    sshd = make_sshd({"SetEnv": f"PG_CLUSTER_CONF_ROOT={cluster.conf_root}"})
    async with Cleanups() as cleanups:
        session = a_session(a_profile("first", sshd, cluster), tmp_path, cleanups)
        async with running(session) as (_, pilot):
            cluster.sql("ALTER SYSTEM SET archive_timeout = 77")
            cluster.reload()
            observing = below(sshd.pid)
            await mended(pilot, session, "reset-setting", "archive_timeout")
            await mended(pilot, session, "reload")
            assert connections(sshd) == 1
            await until(pilot, lambda: len(below(sshd.pid)) <= len(observing), 10.0)
    assert cleanups.left == []
    assert connections(sshd) == 1


async def test_a_closed_session_leaves_nothing_and_another_goes_on(
    make_sshd: MakeSshd, make_cluster: MakeCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    cluster = make_cluster()
    sshds = [make_sshd({"SetEnv": f"PG_CLUSTER_CONF_ROOT={cluster.conf_root}"}) for _ in range(2)]
    async with Cleanups() as cleanups:
        stays, goes = (
            a_session(a_profile(name, sshd, cluster), tmp_path, cleanups)
            for name, sshd in zip(("stays", "goes"), sshds, strict=True)
        )
        async with running(stays) as (app, pilot):
            before = asyncio.all_tasks()
            await app.open_session(goes)
            await seen(pilot, goes)
            assert app.current is goes
            await mended(pilot, goes, "reload")
            of_both = asyncio.all_tasks() - before
            await app.close_session(goes)
            assert app.current is stays
            assert list(app.sessions.values()) == [stays]
            await until(pilot, lambda: all(task.done() for task in of_both), 20.0)
            await until(pilot, lambda: below(sshds[1].pid) == [], 10.0)
            assert below(sshds[0].pid)
            closed_at = stays.clock.now()
            await until(pilot, lambda: stays.taken is not None and read_since(stays, closed_at), 20.0)
            assert [connections(sshd) for sshd in sshds] == [1, 1]
            assert cleanups.left == []
    assert cleanups.left == []
    assert below(sshds[0].pid) == []


def read_since(session: DropletSession, moment: float) -> bool:
    """Whether the droplet and its server were read after `moment`."""
    assert session.taken is not None
    snapshot = session.taken.snapshot
    return min(snapshot.host.read_at or 0.0, snapshot.server.read_at or 0.0) > moment


async def test_setting_up_keeps_to_the_cluster_that_was_chosen(
    sshd: SshServer, make_cluster: MakeCluster, tmp_path: Path
) -> None:
    cluster = make_cluster()
    told = a_profile("chosen", sshd, cluster)
    chosen = ClusterFacts(
        ClusterName("16", "other"), 5499, "/run/postgresql", "/data", None, True, "postgres"
    )
    async with Cleanups() as cleanups:
        session = a_session(told, tmp_path, cleanups)
        async with WalconsoleApp(session).run_test() as pilot:
            await until(pilot, lambda: session.provisioner is not None, 40.0)
            asking = asyncio.ensure_future(session.choose_cluster([chosen]))
            await until(pilot, lambda: isinstance(pilot.app.screen, ClusterScreen))
            await pilot.press("enter")
            assert await asking == chosen
            assert session.provisioner is not None
            runner = await session.provisioner(Agreeing(), lambda _: None)
            profile = runner._runner._site.profile  # type: ignore[attr-defined]
    assert profile.postgres == replace(told.postgres, cluster=chosen.name)


class Agreeing:
    """Says yes."""

    async def ask(self, question: Question) -> bool:
        return bool(question)


async def test_what_the_host_says_of_its_archive_is_what_the_console_goes_by(
    make_sshd: MakeSshd, make_cluster: MakeCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    cluster = make_cluster()
    cluster.configure(
        archive_mode="on",
        archive_command="aws --endpoint-url http://127.0.0.1:1 s3 cp %p s3://found-wal/p/%f",
    )
    cluster.restart()
    sshd = make_sshd({"SetEnv": f"PG_CLUSTER_CONF_ROOT={cluster.conf_root}"})
    known = profile_of(sshd, cluster)
    config = tmp_path / "config.toml"
    config.write_text(profile_as_toml(known, "found").partition("[profiles.found.primary]")[0])
    resolved = choose("found", load(config, required=True), {"HOME": str(tmp_path)})
    environment = {"HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    async with Cleanups() as cleanups:
        wish = Session(resolved.profile, tmp_path / "log", environment=environment, resolved=resolved)
        session = droplet_session(wish, cleanups)
        async with running(session) as (_, pilot):
            await until(pilot, lambda: _copies(session) != (), 40.0)
            (copy,) = _copies(session)
            assert (copy.tool, copy.place) == ("aws", "s3://found-wal/p at http://127.0.0.1:1")
            assert session.taken is not None
            asked = session.taken.snapshot.primary.problem
            assert asked is not None
            assert asked.code == "NoKey"
            assert Snapshot.dr not in session.taken.snapshot.slots
            assert connections(sshd) == 1
    assert cleanups.left == []


def _copies(session: DropletSession) -> tuple[FoundCopy, ...]:
    found = session.taken.snapshot.discovery.value if session.taken is not None else None
    return found.copies if found is not None else ()
