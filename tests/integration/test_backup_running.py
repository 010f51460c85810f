"""A base backup that runs, by whomever: it is seen with its progress, and ended; nothing half is left."""

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.integration.failure_stage import Watched, rewritten
from tests.integration.test_fixes import runner
from tests.integration.test_provision_backup import assert_nothing_half, complete, said
from tests.servers.postgres import PostgresServer
from tests.servers.workspace import identity
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.standing.assessment import Assessment
from walconsole.domain.standing.backup_runs import BackupRuns, RunningBackup
from walconsole.droplet.names import names_of
from walconsole.errors import BlockedError
from walconsole.observe.server.backup_sessions import read_backup_sessions
from walconsole.observe.server.statements import query
from walconsole.provision.engine.model import Printed, Proved
from walconsole.provision.engine.model import Stage as At

pytestmark = [
    pytest.mark.server,
    pytest.mark.timeout(240),
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.long,
]


def begin(server: PostgresServer, command: Sequence[str]) -> subprocess.Popen[bytes]:
    """As the cluster's owner, in the background; what it prints is nobody's."""
    who = identity(server.os_user)
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=server.folder,
        **who,
    )


def streaming(server: PostgresServer) -> subprocess.Popen[bytes]:
    """pg_basebackup as an operator types it, slowly, to nowhere."""
    socket = ["-h", str(server.socket_dir), "-p", str(server.port), "-U", "postgres"]
    program = str(server.bin_dir / "pg_basebackup")
    return begin(server, [program, *socket, "-D", "-", "-Ft", "-X", "none", "-c", "fast", "-r", "100k"])


def runs(console: Watched) -> BackupRuns:
    return Assessment(console.screen.last, console.clock.now()).backup_runs


def only(console: Watched) -> RunningBackup | None:
    found = runs(console).running
    return found[0] if len(found) == 1 else None


@contextmanager
def slowly(console: Watched) -> Iterator[subprocess.Popen[bytes]]:
    """The installed script, which reads 1 MiB a second from the server."""
    program = Path(names_of(console.stage.profile).backup)
    with rewritten(program, "read_mib_s=0 ", "read_mib_s=1 "):
        process = begin(console.cluster, [str(program), "--fast"])
        try:
            yield process
        finally:
            if process.poll() is None:
                process.terminate()
            process.wait(timeout=60)


async def test_the_script_s_own_is_seen_with_its_progress_and_ended(console: Watched) -> None:
    stage = console.stage
    stood = complete(stage)
    assert all(stood)
    await console.until(lambda: not runs(console).running and not runs(console).blind, "none runs", 20)
    with slowly(console):
        await console.until(lambda: (one := only(console)) is not None and one.scripted, "it is seen", 20)
        await console.until(
            lambda: (one := only(console)) is not None and bool(one.rate) and one.left_s is not None,
            "how fast it goes",
            30,
        )
        one = only(console)
        assert one is not None
        assert (one.who, one.phase, one.stuck) == ("walconsole", "streaming", "")
        assert one.total_bytes
        assert one.sent_bytes
        assert 0 < (one.share or 0) < 1
        assert 0.3 * 2**20 < (one.rate or 0) < 4 * 2**20
        assert one.since is not None
        assert 0 <= console.clock.now() - one.since < 60
        ending = runner(stage, "end-backup")
        await ending.run()
        assert ending.stages["end-backup"] is At.CHANGED
        proved = said(stage, Proved)
        assert len([text for text in proved if text.endswith("holds nothing of it")]) == 2, proved
        assert any("ended by a signal" in text for text in said(stage, Printed))
    assert_nothing_half(stage)
    assert complete(stage) == stood
    await console.until(lambda: not runs(console).running, "it is gone", 15)
    last = runs(console).last
    assert last is not None
    assert (last.id, last.exit_status, last.failed) == (one.id, 9, True)
    again = runner(stage, "end-backup")
    await again.run()
    assert again.stages["end-backup"] is At.DONE


async def test_anybody_s_pg_basebackup_is_seen_and_ended(console: Watched) -> None:
    cluster, stage = console.cluster, console.stage
    process = streaming(cluster)
    try:
        await console.until(
            lambda: (one := only(console)) is not None and bool(one.rate),
            "it is seen, and how fast it goes",
            30,
        )
        one = only(console)
        assert one is not None
        assert (one.who, one.phase, one.scripted) == ("pg_basebackup", "streaming", False)
        assert one.total_bytes
        assert one.sent_bytes
        assert one.pid
        assert 50_000 < (one.rate or 0) < 200_000
        other = runner(stage, "end-backup", "1")
        await other.run()
        assert other.stages["end-backup"] is At.DONE
        ending = runner(stage, "end-backup", str(one.pid))
        await ending.run()
        assert ending.stages["end-backup"] is At.CHANGED
        assert process.wait(timeout=20) != 0
        await console.until(lambda: not runs(console).running, "it is gone", 15)
    finally:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=20)
    assert cluster.sql("SELECT pid FROM pg_stat_replication") == []


async def test_where_two_run_it_is_said_and_neither_is_ended(console: Watched) -> None:
    cluster, stage = console.cluster, console.stage
    processes = [streaming(cluster) for _ in range(2)]
    try:
        await console.until(lambda: len(runs(console).running) == 2, "both are seen", 30)
        with pytest.raises(BlockedError, match="2 base backups run"):
            await runner(stage, "end-backup").run()
        assert all(process.poll() is None for process in processes)
    finally:
        for process in processes:
            process.terminate()
            process.communicate(timeout=20)


async def test_whoever_may_not_see_the_progress_sees_that_one_runs(console: Watched) -> None:
    """By the query itself, as a role without any privilege."""
    cluster = console.cluster
    cluster.sql("CREATE ROLE nobody_much LOGIN")
    process = streaming(cluster)
    try:
        await console.until(lambda: only(console) is not None, "it is seen", 30)
        with cluster.connect() as connection:
            connection.execute("SET ROLE nobody_much")
            backups, may_see = connection.execute(query("base_backup")).fetchone() or ("", None)
        found = read_backup_sessions({"backups": backups, "may_see_backups": may_see, "quoted_role": "x"})
        (session,) = found.sessions
        assert (session.application, session.streams) == ("pg_basebackup", True)
        assert (session.phase, session.sent_bytes, session.started_at) == ("", None, None)
        assert found.missing == ("how far a base backup is: GRANT pg_read_all_stats TO x would show it",)
    finally:
        process.terminate()
        process.communicate(timeout=20)
        cluster.sql("DROP ROLE nobody_much")
    assert Snapshot.backup_sessions.of(console.screen.last).problem is None
