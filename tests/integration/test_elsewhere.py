"""`walconsole drill --on` and `recover --on`: the program itself, on a host that knows nothing of it."""

import asyncio
import secrets
import shutil
import signal
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from shlex import quote

import pytest

from tests.data.provisioning import RealClock
from tests.integration.elsewhere_stage import Elsewhere, elsewhere
from tests.integration.recover_parts import text_of
from tests.servers.archived import fill_segment, wait_archived
from tests.servers.ports import wait_until
from tests.servers.rgw import RadosGateway
from tests.servers.second_host import NAME
from tests.servers.workspace import Workspace
from walconsole.domain.profile import BucketRole, DrillSettings, KeyReference, KeySource, Profile
from walconsole.domain.recovery.recover_state import RecoveryPhase, RecoveryState, read_recovery
from walconsole.domain.standing.drills import drills
from walconsole.session.one_look import look_anew

pytestmark = [
    pytest.mark.server,
    pytest.mark.timeout(900),
    pytest.mark.root("only root makes a second host on this machine"),
    pytest.mark.long,
]


@pytest.fixture
async def both(
    workspace: Workspace, rgw: RadosGateway, rgw_dr: RadosGateway, tmp_path: Path
) -> AsyncIterator[Elsewhere]:
    name = f"o{secrets.token_hex(2)}"  # short: its folder, below a long one of the tests, holds a socket
    async with elsewhere(workspace, rgw, rgw_dr, name, tmp_path) as made:
        yield made


def with_own_keys(both: Elsewhere, monkeypatch: pytest.MonkeyPatch) -> Profile:
    """The profile whose keys are the operator's: with the droplet gone nobody else has any."""
    profile = both.profile
    of = {BucketRole.PRIMARY: both.stage.app_key, BucketRole.DR: both.stage.dr_key}
    for role, key in of.items():
        monkeypatch.setenv(f"WAL_{role.name}_KEY", key.access_key)
        monkeypatch.setenv(f"WAL_{role.name}_SECRET", key.secret)
    primary, dr = (
        replace(
            target,
            keys=KeyReference(
                KeySource.ENVIRONMENT, f"WAL_{target.role.name}_KEY", f"WAL_{target.role.name}_SECRET"
            ),
        )
        for target in profile.buckets
    )
    return replace(profile, primary=primary, dr=dr, drills=DrillSettings(reserve_mib=64))


def state_of(both: Elsewhere) -> RecoveryState:
    """Where it stands, by the script's own file on the other host."""
    file = both.spare.root / f"var/lib/{both.stage.profile.name}-recover/recovery"
    return (read_recovery(file.read_text()) if file.exists() else None) or RecoveryState()


async def until_phase(both: Elsewhere, *phases: RecoveryPhase) -> None:
    await asyncio.to_thread(wait_until, lambda: state_of(both).phase in phases, f"it is {phases}", 180.0)


def sql_there(both: Elsewhere, sql: str) -> str:
    """What the cluster that was recovered answers."""
    asking = f"runuser -u postgres -- psql -XAtq --cluster 15/restored -c {quote(sql)}"
    return both.spare.run(f"PG_CLUSTER_CONF_ROOT={both.spare.conf_root} {asking}")


async def test_with_production_gone_killed_on_the_way_and_promoted(
    both: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage, spare = both.stage, both.spare
    folder = f"var/lib/{stage.profile.name}-recover"
    stage.cluster.sql("CREATE TABLE orders (n int)")
    stage.cluster.sql("INSERT INTO orders SELECT generate_series(1, 50)")
    place = text_of(stage.cluster, "SELECT pg_current_wal_insert_lsn()")
    stage.cluster.sql("DELETE FROM orders")
    wait_archived(stage.cluster, [fill_segment(stage.cluster)])
    stage.cluster.stop("immediate")
    stage.sshd.stop()
    wish = ("--to-lsn", place, "--into", "15/restored")

    # The keys were on the host that is gone.
    code, said = await both.run("recover", *wish, "--plan")
    assert code == 10, said
    assert "that host does not answer" in said

    both.configure(with_own_keys(both, monkeypatch))
    code, said = await both.run("recover", *wish, "--plan")
    assert code == 0, said
    assert f"into the new cluster 15/restored on {spare.address}" in said
    assert f"{stage.profile.ssh} does not answer" in said
    assert "what it had not archived is not recovered" in said
    assert both.left("usr/local/bin") == {"cron"}, "a plan changes nothing"
    code, said = await both.run("recover", "--to-lsn", place, "--in-place", "--plan")
    assert code not in (0, 10), said
    assert "--in-place takes the old files' place" in said

    child = await both.begin("recover", *wish, "--apply", *both.confirm)
    await until_phase(both, RecoveryPhase.RESTORED, RecoveryPhase.REPLAYING, RecoveryPhase.PAUSED)
    child.send_signal(signal.SIGKILL)
    await child.communicate()
    name = stage.profile.name
    spare.run(f"pkill -KILL -f '[{name[0]}]{name[1:]}-recover' || :")  # not this shell itself
    assert "rclone.conf" in both.left(folder)
    code, said = await both.run("recover", on=())
    assert code == 0, said
    assert f"a recovery was begun on {spare.address}: it is asked there" in said
    assert "the base backup is unpacked and compared" in said or "the WAL is replayed" in said

    code, said = await both.run("recover", "--apply", *both.confirm, "--count", "orders")
    assert code == 0, said
    assert "    50" in said
    assert state_of(both).phase is RecoveryPhase.PAUSED

    code, said = await both.run("recover", "--promote", "--plan")
    assert code == 0, said
    assert "not yet: a base backup is taken on the new timeline, once" in said
    code, said = await both.run("recover", "--promote", *both.confirm)
    assert code == 0, said
    state = state_of(both)
    assert state.phase is RecoveryPhase.DONE
    assert state.tree == "/var/lib/postgresql/15/restored"
    assert f'host = "{spare.sshd.host}", port = {spare.sshd.port}, cluster = "15/restored"' in said
    assert "its server cannot be stopped" in said
    for role in BucketRole:
        assert "00000002" in {key.split(".")[0] for key in stage.objects(role)}, "the new timeline's history"
    assert sql_there(both, "SELECT count(*) FROM orders") == "50"
    assert sql_there(both, "SHOW archive_mode") == "on"
    assert "rclone.conf" not in both.left(folder), "what was brought for the recovery is gone"
    kept = spare.root / f"etc/rclone-{stage.profile.name}.conf"
    assert kept.stat().st_mode & 0o777 == 0o640
    assert spare.run("hostname") == NAME


def results(both: Elsewhere) -> list[set[str]]:
    return [{key for key in both.stage.objects(role) if "/drills/" in f"/{key}"} for role in BucketRole]


async def drilled_there(both: Elsewhere) -> None:
    """Refused with words, then made there, and seen here."""
    stage, spare = both.stage, both.spare
    state = f"var/lib/{stage.profile.name}-restore-drill"

    both.configure(replace(both.profile, drills=DrillSettings(reserve_mib=64)), spare_known=False)
    code, said = await both.run("drill", "--plan")
    assert code not in (0, 10), said
    assert spare.sshd.fingerprint() in said

    both.configure(replace(both.profile, drills=DrillSettings(reserve_mib=1 << 24)))
    with spare.without("/usr/bin/rclone"):
        code, said = await both.run("drill", "--plan")
    assert code == 10, said
    assert f"{spare.address} lacks rclone" in said
    assert "16.0 TiB that stay free" in said

    both.configure(replace(both.profile, drills=DrillSettings(reserve_mib=64, queries=("SELECT 1",))))
    with spare.without(str(stage.cluster.bin_dir)):
        code, said = await both.run("drill", "--plan")
    assert code == 10, said
    assert f"is not installed on {spare.address}" in said
    own = ("--on", f"{stage.sshd.user}@{stage.sshd.host}:{stage.sshd.port}")
    code, said = await both.run("drill", "--plan", on=own)
    assert code == 10, said
    assert "is production's own host under another name" in said
    assert both.left("usr/local/bin") == {"cron"}, "a plan changes nothing"
    assert results(both) == [set(), set()]

    code, said = await both.run("drill", "--apply", *both.confirm)
    assert code == 0, said
    for role in BucketRole:
        assert f"so it stands in {stage.target(role).bucket}" in said
    primary, dr = results(both)
    assert len(primary) == 1
    assert primary == dr
    assert not (stage.root / "usr/local/bin" / f"{stage.profile.name}-restore-drill").exists()
    ended = {"by-hand.ended", "by-hand.said", "last.json", "proved", "status.json"}
    assert both.left(state) == ended
    seen = drills(await look_anew(stage.profile, stage.site.shell, RealClock(), {}))  # type: ignore[arg-type]
    assert seen is not None
    assert seen.good is not None
    assert (seen.good.host, seen.good.level) == (NAME, 4)

    # What a death left is written anew; the console dies, its script goes on, and takes the keys away.
    key_file = spare.root / state / "rclone.conf"
    key_file.write_text("[spaces-prod]\n")
    key_file.chmod(0o600)
    shutil.chown(key_file, stage.cluster.os_user)
    child = await both.begin("drill", "--apply", *both.confirm)
    status = spare.root / state / "status.json"
    await asyncio.to_thread(
        wait_until, lambda: '"state":"fetching"' in status.read_text(), "it fetches", 180.0
    )
    assert key_file.stat().st_mode & 0o777 == 0o600
    assert "[spaces-dr]" in key_file.read_text()
    child.send_signal(signal.SIGKILL)
    await child.communicate()
    await asyncio.to_thread(wait_until, (spare.root / state / "by-hand.ended").exists, "it ends", 180.0)
    assert both.left(state) == ended
    assert len(results(both)[0]) == 2


async def taken_back_there(both: Elsewhere) -> None:
    """What the drill put there, by the console's own record of that host."""
    code, said = await both.run("undo", "--plan", on=())
    assert code == 0, said
    assert f"on {both.spare.address}, which walconsole undo {both.stage.profile.name} --on" in said
    code, said = await both.run("undo", "--apply", *both.confirm)
    assert code == 0, said
    assert both.left("usr/local/bin") == {"cron"}
    code, said = await both.run("undo", "--plan", on=())
    assert code == 0, said
    assert both.spare.address not in said


async def recovered_beside(both: Elsewhere) -> None:
    """Production goes on until the other takes writes."""
    stage = both.stage
    stage.cluster.sql("CREATE TABLE orders (n int)")
    stage.cluster.sql("INSERT INTO orders SELECT generate_series(1, 7)")
    wish = ("--to-latest", "--into", "/var/lib/postgresql/restored")

    code, said = await both.run("recover", *wish, "--apply", *both.confirm, "--count", "orders")
    assert code == 0, said
    assert "    7" in said, "production's last WAL was archived first"
    assert stage.cluster.running
    code, said = await both.run("recover", "--give-up", *both.confirm)
    assert code == 0, said
    assert stage.cluster.running, "it was never stopped"
    assert "rclone.conf" not in both.left(f"var/lib/{stage.profile.name}-recover")

    code, said = await both.run("recover", *wish, "--apply", *both.confirm, "--count", "orders")
    assert code == 0, said
    code, said = await both.run("recover", "--promote", *both.confirm)
    assert code == 0, said
    assert not stage.cluster.running
    start = stage.cluster.conf_root / "15/main/start.conf"
    assert start.read_text().split()[-1] == "manual", "nor at the next boot"
    assert "takes writes, archive_mode is on" in said


async def test_drilled_there_then_recovered_beside_production(both: Elsewhere) -> None:
    await drilled_there(both)
    await taken_back_there(both)
    await recovered_beside(both)
