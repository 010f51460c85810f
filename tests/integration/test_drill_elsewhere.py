"""`walconsole drill --on`: the program itself, on a host that knows nothing of the deployment."""

import asyncio
import secrets
import signal
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.data.provisioning import RealClock
from tests.integration.elsewhere_stage import Elsewhere, elsewhere
from tests.servers.ports import wait_until
from tests.servers.rgw import RadosGateway
from tests.servers.second_host import NAME
from tests.servers.workspace import Workspace
from walconsole.domain.profile import BucketRole, DrillSettings
from walconsole.domain.standing.drills import drills
from walconsole.session.one_look import look_anew

pytestmark = [
    pytest.mark.server,
    pytest.mark.timeout(500),
    pytest.mark.root("only root makes a second host on this machine"),
]


@pytest.fixture
async def both(
    workspace: Workspace, rgw: RadosGateway, rgw_dr: RadosGateway, tmp_path: Path
) -> AsyncIterator[Elsewhere]:
    name = f"e{secrets.token_hex(2)}"  # short: its folder, below a long one of the tests, holds a socket
    async with elsewhere(workspace, rgw, rgw_dr, name, tmp_path) as made:
        yield made


def results(both: Elsewhere) -> list[set[str]]:
    return [{key for key in both.stage.objects(role) if "/drills/" in f"/{key}"} for role in BucketRole]


async def test_refused_with_words_then_made_there_and_seen_here(both: Elsewhere) -> None:
    stage, spare = both.stage, both.spare
    state = f"var/lib/{stage.profile.name}-restore-drill"

    both.configure(replace(both.profile, drills=DrillSettings(reserve_mib=64)), spare_known=False)
    code, said = await both.run("drill", "--plan")
    assert code not in (0, 10), said
    assert spare.sshd.fingerprint() in said

    both.configure(replace(both.profile, drills=DrillSettings(reserve_mib=1 << 24)))
    code, said = await both.run("drill", "--plan")
    assert code == 10, said
    assert "16.0 TiB that stay free" in said

    both.configure(replace(both.profile, drills=DrillSettings(reserve_mib=64, queries=("SELECT 1",))))
    with spare.without("/usr/bin/rclone"):
        code, said = await both.run("drill", "--plan")
        assert code == 10, said
        assert f"{spare.address} lacks rclone" in said
    bin_folder = str(stage.cluster.bin_dir)
    with spare.without(bin_folder):
        code, said = await both.run("drill", "--plan")
        assert code == 10, said
        assert f"is not installed on {spare.address}" in said
    code, said = await both.run("drill", "--plan", "--on", f"{stage.sshd.user}@127.0.0.1:{stage.sshd.port}")
    assert code == 10, said
    assert "is production's own host under another name" in said
    assert both.left("usr/local/bin") == {"cron"}, "a plan changes nothing"

    code, said = await both.run("drill", "--plan")
    assert code == 0, said
    assert f"on {spare.address}" in said
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

    # The console dies: the script goes on, and takes the keys away at its end.
    child = await both.begin("drill", "--apply", *both.confirm)
    status = spare.root / state / "status.json"
    await asyncio.to_thread(
        wait_until, lambda: '"state":"fetching"' in status.read_text(), "it fetches", 60.0
    )
    assert "rclone.conf" in both.left(state)
    key_file = spare.root / state / "rclone.conf"
    assert key_file.stat().st_mode & 0o777 == 0o600
    child.send_signal(signal.SIGKILL)
    await child.communicate()
    await asyncio.to_thread(
        wait_until, (spare.root / state / "by-hand.ended").exists, "the script ends", 120.0
    )
    assert both.left(state) == ended
    assert len(results(both)[0]) == 2

    # Both die: what they left is found by the next run.
    key_file.write_text("[spaces-prod]\n")
    key_file.chmod(0o600)
    code, said = await both.run("drill", "--apply", *both.confirm)
    assert code == 0, said
    assert both.left(state) == ended
