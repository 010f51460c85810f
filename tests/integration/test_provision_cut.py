"""The SSH connection is cut in the middle of the restart: the droplet goes on, and its end is known."""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.data.provisioning import RealClock
from tests.integration.failure_stage import deployment, provisioned
from tests.integration.observed import RecordingScreen
from tests.integration.provision_stage import Stage
from tests.servers.fixtures import MakeProxy
from tests.servers.proxy import Proxy
from tests.servers.rgw import RadosGateway
from tests.servers.workspace import Workspace
from walconsole.adapters.ssh.shell import SshShell
from walconsole.errors import WalconsoleError
from walconsole.provision.engine.model import Progress, Ran
from walconsole.provision.engine.model import Stage as At
from walconsole.provision.engine.runner import Runner
from walconsole.provision.steps.restart import Restart

pytestmark = [pytest.mark.server, pytest.mark.timeout(180)]


@pytest.fixture
async def stage(
    workspace: Workspace, rgw: RadosGateway, rgw_dr: RadosGateway, make_proxy: MakeProxy
) -> AsyncIterator[tuple[Stage, Proxy]]:
    """Set up, then with a setting that waits for a restart, and a proxy on the way to sshd."""
    async with deployment(workspace, rgw, rgw_dr, f"cut-{secrets.token_hex(3)}") as made:
        await provisioned(made)
        late = made.cluster.write_config("zz_off.conf", {"archive_mode": "off"})
        made.cluster.restart()
        await asyncio.to_thread(late.unlink)
        made.cluster.reload()
        assert made.profile.ssh.port is not None
        proxy = make_proxy(made.profile.ssh.port)
        known = known_through(Path(str(made.profile.ssh.known_hosts_file)), made.profile.ssh.port, proxy.port)
        ssh = replace(made.profile.ssh, port=proxy.port, known_hosts_file=str(known))
        shell = SshShell(ssh, sudo=False, operator=RecordingScreen(), clock=RealClock())
        made.site.shell = shell
        await made.site.survey(again=True)
        yield made, proxy
        await shell.aclose()


def known_through(file: Path, port: int, through: int) -> Path:
    copy = file.with_name(f"known_hosts_{through}")
    copy.write_text(file.read_text().replace(f":{port} ", f":{through} "))
    return copy


@pytest.mark.long
async def test_a_cut_in_the_middle_of_the_restart(stage: tuple[Stage, Proxy]) -> None:
    deployed, proxy = stage
    before = str(deployed.cluster.pid)
    cut = asyncio.Event()

    def told(progress: Progress) -> None:
        if progress.stage is At.APPLYING and isinstance(progress.event, Ran):
            asyncio.get_running_loop().call_later(0.15, cut.set)

    runner = Runner(deployed.site, (Restart(deployed.site),), deployed.gate, told)
    running = asyncio.create_task(runner.run())
    await asyncio.wait_for(cut.wait(), 30)
    proxy.cut()
    proxy.refuse()
    await asyncio.sleep(4.0)
    proxy.accept()
    with contextlib.suppress(WalconsoleError):  # it may say so: then the next run tells how it ended
        await asyncio.wait_for(running, 90)
    again = Runner(deployed.site, (Restart(deployed.site),), deployed.gate, lambda _: None)
    await again.run()
    assert again.stages["restart"] in (At.DONE, At.CHANGED)
    assert deployed.cluster.sql("SHOW archive_mode") == [("on",)]
    assert str(deployed.cluster.pid) != before
