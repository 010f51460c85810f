"""Stores with a name and an authority of their own: what `ca_file` is enough for, over real TLS."""

import asyncio
import json
import secrets
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from tests.integration.provision_stage import Stage, staged
from tests.servers.fixtures import MakeCluster, MakeSshd
from tests.servers.rgw import RadosGateway
from walconsole.adapters.endpoint_reach import reach
from walconsole.domain.profile import BucketRole
from walconsole.droplet.choices import Authorities
from walconsole.droplet.names import names_of
from walconsole.errors import ProvisionError
from walconsole.provision.engine.model import Event, Printed, Proved
from walconsole.provision.engine.runner import Runner
from walconsole.provision.probes.network import NetworkProbe
from walconsole.provision.steps.catalogue import drill_steps
from walconsole.provision.steps.write_probe import WriteProbe

pytestmark = [pytest.mark.server, pytest.mark.timeout(300), pytest.mark.long]


async def test_provisioned_archived_backed_up_drilled_restored_and_verified(
    make_cluster: MakeCluster, make_sshd: MakeSshd, rgw: RadosGateway, rgw_dr: RadosGateway
) -> None:
    name = f"t{secrets.token_hex(2)}"
    async with staged(make_cluster(wal_segment_mib=1), make_sshd, rgw, rgw_dr, name, secure=True) as stage:
        runner = stage.runner()
        await runner.run()
        assert runner.done
        installed = Path(names_of(stage.profile).authorities)
        held = await asyncio.to_thread(installed.read_text)
        assert held.count("BEGIN CERTIFICATE") == 2
        await _drilled(stage)
        _restored_from_each_copy(stage)
        assert _verified(stage) == []
        await _the_way_is_looked_at(stage)
        await _without_it_nothing_is_trusted(stage, installed)


async def _drilled(stage: Stage) -> None:
    stage.site.drill = replace(stage.site.drill, reserve_mib=1, poll_s=1)
    runner = Runner(stage.site, drill_steps(stage.site), stage.gate, stage.told.append)
    await runner.run()
    assert runner.done


def _restored_from_each_copy(stage: Stage) -> None:
    names, wanted = names_of(stage.profile), stage.root / "var/tmp/wanted"
    ((archived,),) = stage.cluster.sql(
        "SELECT last_archived_wal FROM pg_stat_archiver WHERE last_archived_wal !~ 'backup'"
    )
    for role in BucketRole:
        stage.cluster.run([names.restore, archived, str(wanted), role.value])
        assert wanted.stat().st_size == 1 << 20
        wanted.unlink()


def _verified(stage: Stage) -> list[str]:
    done = subprocess.run(
        [names_of(stage.profile).verifier, "--json"], capture_output=True, text=True, check=False, timeout=60
    )
    return [fault["text"] for fault in json.loads(done.stdout)["faults"]]


async def _the_way_is_looked_at(stage: Stage) -> None:
    """By the same authorities from both sides."""
    probe = NetworkProbe(stage.site)
    said = [event async for event in probe.apply()]
    texts = [event.text for event in said if isinstance(event, Printed)]
    assert [text for text in texts if text.startswith("droplet: ") and "TLS in" in text], texts
    assert [text for text in texts if text.startswith("here: ") and "TLS in" in text], texts
    assert [event async for event in probe.verify() if isinstance(event, Proved)]


async def _without_it_nothing_is_trusted(stage: Stage, installed: Path) -> None:
    target = stage.profile.primary
    assert "TLS fails" in (await reach(target.endpoint)).problem
    stage.site.choices = replace(stage.site.choices, authorities=Authorities())
    await asyncio.to_thread(installed.unlink)
    stage.site.probed.clear()
    said: list[Event] = []
    with pytest.raises(ProvisionError, match="at fault is the endpoint") as caught:
        said += [event async for event in WriteProbe(stage.site).apply()]
    assert "ca_file" in caught.value.remedy
    faults = await asyncio.to_thread(_verified, stage)
    assert [fault for fault in faults if f"{installed}: no such file" in fault] == faults
    assert len(faults) == 2
