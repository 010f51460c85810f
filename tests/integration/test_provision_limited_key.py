"""Where the API keeps a key's grants the droplet gets another key; undone, it has its own again."""

from pathlib import Path

import pytest

from tests.data.provisioning import events
from tests.integration.provision_stage import staged
from tests.servers.fixtures import MakeCluster, MakeSshd
from tests.servers.rgw import RadosGateway
from walconsole.provision.engine.model import CheckState, Waiting
from walconsole.provision.steps.grants import Grants
from walconsole.provision.steps.limited_key import LimitedKey
from walconsole.provision.steps.write_probe import WriteProbe

pytestmark = pytest.mark.server


def as_it_is(config: Path) -> tuple[str, int, int]:
    """Its text, mode and group."""
    now = config.stat()
    return config.read_text(), now.st_mode, now.st_gid


async def test_the_droplet_gets_a_new_key(
    make_cluster: MakeCluster, make_sshd: MakeSshd, rgw: RadosGateway, rgw_dr: RadosGateway
) -> None:
    async with staged(make_cluster(), make_sshd, rgw, rgw_dr, "exchanged") as stage:
        site, config = stage.site, Path(stage.profile.paths.rclone_config)
        before = as_it_is(config)
        rgw.bucket(stage.profile.primary.bucket)
        rgw_dr.bucket(stage.profile.dr.bucket)
        stage.api.put_keeps_grants = True
        limited, olds = LimitedKey(site), {key.access_key for key in stage.keys}
        assert (await limited.check()).state is CheckState.DONE
        await events(site, Grants(site).apply())
        assert (await limited.check()).state is CheckState.NEEDED
        told = await events(site, limited.apply())
        await events(site, limited.verify())
        made = [key for key in stage.keys if key.access_key not in olds]
        assert len(made) == 2
        assert not [key for key in made if key.secret in f"{told!r} {await limited.plan()!r}"]
        assert as_it_is(config)[1:] == before[1:]
        probed = await events(site, WriteProbe(site).apply())
        assert not [event for event in probed if isinstance(event, Waiting)]
        await events(site, limited.undo(tuple(reversed(site.record.changes()))))
        assert as_it_is(config) == before
        assert {key.access_key for key in stage.keys} == olds
