"""The probes that dig deeper, on a real deployment, broken in the ways that they tell apart."""

import asyncio
import os
import secrets
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from tests.integration.failure_stage import LATE, deployment, provisioned
from tests.integration.provision_stage import Stage
from tests.servers.certificates import make_certificate
from tests.servers.ports import LOOPBACK
from tests.servers.proxy import Proxy
from tests.servers.rgw import RadosGateway
from tests.servers.workspace import Workspace
from walconsole.domain.profile import BucketRole
from walconsole.domain.standing.call_comparison import VERBS
from walconsole.domain.standing.model import Fix
from walconsole.errors import ProvisionError
from walconsole.provision.engine.model import Printed, Proved
from walconsole.provision.engine.model import Stage as At
from walconsole.provision.engine.runner import Runner
from walconsole.provision.fixes.catalogue import fix_steps, independent
from walconsole.sandbox.keys_api.keys import Grant

pytestmark = [pytest.mark.server, pytest.mark.timeout(180), pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(workspace: Workspace, rgw: RadosGateway, rgw_dr: RadosGateway) -> AsyncIterator[Stage]:
    async with deployment(workspace, rgw, rgw_dr, f"probed-{secrets.token_hex(3)}") as made:
        await provisioned(made)
        yield made


class Told:
    """What a run of probes said."""

    def __init__(self, stage: Stage, step: str, subject: str = "") -> None:
        offer = Fix("", step=step, subject=subject)
        stage.told.clear()
        stage.gate.asked.clear()
        self.stage = stage
        self.runner = Runner(
            stage.site,
            fix_steps(stage.site, offer),
            stage.gate,
            stage.told.append,
            independent=independent(offer),
        )

    async def run(self) -> "Told":
        await self.runner.run()
        return self

    async def fails(self) -> ProvisionError:
        with pytest.raises(ProvisionError) as caught:
            await self.runner.run()
        return caught.value

    @property
    def printed(self) -> list[str]:
        return [news.event.text for news in self.stage.told if isinstance(news.event, Printed)]

    @property
    def proved(self) -> list[str]:
        return [news.event.text for news in self.stage.told if isinstance(news.event, Proved)]

    def row(self, verb: str) -> str:
        """The first copy's row of the table."""
        return next(line for line in self.printed if line.startswith(f"{verb} "))


def config(stage: Stage) -> Path:
    return Path(stage.profile.paths.rclone_config)


@contextmanager
def rclone_says(stage: Stage, old: str, new: str) -> Iterator[None]:
    """rclone's configuration with something else in it."""
    before = config(stage).read_text()
    assert old in before
    config(stage).write_text(before.replace(old, new, 1))
    try:
        yield
    finally:
        config(stage).write_text(before)


@contextmanager
def grant(stage: Stage, permission: str) -> Iterator[None]:
    """The archiver's key with another grant on the primary."""
    key, before = stage.app_key, stage.app_key.grants
    others = tuple(one for one in before if one.bucket != stage.profile.primary.bucket)
    own = [Grant(stage.profile.primary.bucket, permission)] if permission else []
    stage.keys.replace(key, key.name, (*others, *own))
    try:
        yield
    finally:
        stage.keys.replace(key, key.name, before)


def left_behind(stage: Stage) -> list[str]:
    return [key for role in BucketRole for key in stage.objects(role) if "walconsole-probe" in key]


async def test_all_is_well_and_nothing_is_left(stage: Stage) -> None:
    told = await Told(stage, "probes").run()
    assert set(told.runner.stages.values()) <= {At.CHANGED, At.DONE}
    copies = [f"{target.bucket}" for target in stage.site.targets()]
    for bucket in copies:
        assert any(bucket in text and "every call works from the droplet" in text for text in told.proved)
    for verb in VERBS:
        assert told.row(verb).count("ok") == 2
    assert any("the droplet reaches 127.0.0.1" in text for text in told.proved)
    for side in ("droplet", "here"):
        found = [line for line in told.printed if line.startswith(side) and "TCP in" in line]
        assert len(found) == 2
        assert all("HTTP " in line and "its clock +0 s" in line for line in found), found
    assert left_behind(stage) == []
    assert [question.step for question in stage.gate.asked] == [
        "probe-calls",  # the network one only reads
        "probe-seconds",
    ]


async def test_a_grant_that_only_reads(stage: Stage) -> None:
    with grant(stage, "read"):
        told = Told(stage, "probe-calls")
        error = await told.fails()
    assert "PUT" in error.why
    assert "AccessDenied" in error.why
    assert "readwrite" in error.remedy
    assert "ok" in told.row("LIST")
    assert left_behind(stage) == []


async def test_another_key_on_the_droplet_than_here(stage: Stage) -> None:
    old = stage.app_key.access_key
    with rclone_says(stage, old, "NOBODYSKEY0000000000"):
        told = Told(stage, "probe-calls")
        error = await told.fails()
    assert "LIST" in error.why, told.printed
    assert "InvalidAccessKeyId" in error.why, told.printed


@pytest.mark.long
async def test_small_calls_pass_and_large_ones_do_not(stage: Stage) -> None:
    """As behind a smaller path MTU: what is larger than a packet never arrives."""
    gateway = next(iter(stage.gateways.values()))
    proxy = Proxy(gateway.port)
    try:
        proxy.swallow_from = 16_384
        with rclone_says(stage, gateway.endpoint, f"http://{proxy.host}:{proxy.port}"):
            error = await Told(stage, "probe-calls").fails()
    finally:
        proxy.close()
    assert "large packets get lost" in error.why
    assert "MTU" in error.remedy


async def test_a_port_that_nobody_listens_on(stage: Stage) -> None:
    gateway = next(iter(stage.gateways.values()))
    with rclone_says(stage, gateway.endpoint, "http://127.0.0.1:9"):
        await stage.site.survey(again=True)
        told = Told(stage, "probe-network")
        error = await told.fails()
    await stage.site.survey(again=True)
    assert "127.0.0.1" in error.why
    assert "port 9" in error.why.lower() or "connect" in error.why.lower()
    assert "firewall" in error.remedy


async def test_a_name_that_is_none(stage: Stage) -> None:
    gateway = next(iter(stage.gateways.values()))
    with rclone_says(stage, gateway.endpoint, "https://nowhere.invalid"):
        await stage.site.survey(again=True)
        error = await Told(stage, "probe-network").fails()
    await stage.site.survey(again=True)
    assert "nowhere.invalid is not resolved" in error.why


async def test_a_certificate_that_nobody_trusts(stage: Stage, tmp_path: Path) -> None:
    made = make_certificate(tmp_path, "openssl")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made.file, made.key)
    gateway = next(iter(stage.gateways.values()))
    server = await asyncio.start_server(lambda _, writer: writer.close(), LOOPBACK, 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    async with server:
        with rclone_says(stage, gateway.endpoint, f"https://{LOOPBACK}:{port}"):
            await stage.site.survey(again=True)
            told = Told(stage, "probe-network")
            error = await told.fails()
    await stage.site.survey(again=True)
    assert "certificate" in error.why
    assert "CA certificates" in error.remedy
    assert any(line.startswith("here: TLS fails") for line in told.printed)


@contextmanager
def waiting(stage: Stage, command: str) -> Iterator[str]:
    """A segment waits for a command that fails."""
    stage.cluster.write_config(LATE, {"archive_command": command})
    stage.cluster.reload()
    try:
        with stage.cluster.connect() as connection:
            connection.execute("SELECT pg_create_restore_point('due')")
            row = connection.execute("SELECT pg_walfile_name(pg_switch_wal())").fetchone()
            assert row is not None
        yield str(row[0])
    finally:
        (stage.cluster.config_dir / "conf.d" / LATE).unlink()
        stage.cluster.reload()


async def test_the_command_by_hand(stage: Stage) -> None:
    assert (await Told(stage, "probe-command").run()).runner.stages[
        "probe-command"
    ] is At.DONE  # nothing waits
    with waiting(stage, "echo 'no luck with %f' >&2; exit 7") as name:
        told = Told(stage, "probe-command")
        error = await told.fails()
        assert f"no luck with {name}" in error.why
        assert "exit status 7" in error.why
        assert f"no luck with {name}" in told.printed
    with waiting(stage, "kill -9 $$"):
        assert "signal 9" in (await Told(stage, "probe-command").fails()).why
    with waiting(stage, "no-such-program %p"):
        junk = stage.cluster.data_dir / "pg_wal/archive_status/0.ready"
        stage.cluster.run(["touch", str(junk)])  # another program's: passed over
        assert "not found" in (await Told(stage, "probe-command").fails()).why
        stage.cluster.run(["rm", str(junk)])
    good = f'{stage.root}/usr/local/bin/{stage.profile.name}-pg-archive "%p" "%f"'
    with waiting(stage, "false") as name:
        stage.cluster.write_config(LATE, {"archive_command": f"test ! -e {stage.root}/stop && {good}"})
        (stage.root / "stop").touch()
        stage.cluster.reload()
        stuck = stage.cluster.sql("SHOW archive_command")
        assert "stop" in str(stuck)
        assert "exit status 1" in (await Told(stage, "probe-command").fails()).why
        (stage.root / "stop").unlink()
        told = await Told(stage, "probe-command", name).run()
        assert any("exit status 0" in text and name in text for text in told.proved)


async def test_the_servers_own_environment_is_used_and_not_shown(stage: Stage) -> None:
    with waiting(stage, 'echo "has ${PG_PROBE_MARK:-nothing}, PATH ${PATH:+set}"; exit 3'):
        told = Told(stage, "probe-command")
        await told.fails()
    assert any(line.startswith("has nothing") for line in told.printed)
    assert os.environ.get("PG_PROBE_MARK") is None


async def test_what_is_no_wal_file_is_refused(stage: Stage) -> None:
    with pytest.raises(ProvisionError, match="is no WAL"):
        await Told(stage, "probe-command", "../../etc/passwd").runner.run()


async def test_one_that_fails_does_not_keep_the_others_from_running(stage: Stage) -> None:
    with grant(stage, ""), waiting(stage, "exit 5"):
        told = Told(stage, "probes")
        await told.fails()
    assert told.runner.stages == {
        "probe-network": At.CHANGED,
        "probe-calls": At.FAILED,
        "probe-command": At.FAILED,
        "probe-seconds": At.BLOCKED,
    }
