"""What the store answers to the archiver's own configuration: two real rclones against a real Ceph."""

import asyncio
import os
import shutil
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import pytest_asyncio

from tests.integration.observed import Connected, connected, profile_of
from tests.servers.fixtures import MakeProxy, or_skip
from tests.servers.ports import LOOPBACK, free_port
from tests.servers.postgres import PostgresServer
from tests.servers.rclone import serving_rclone
from tests.servers.rgw import RadosGateway
from tests.servers.s3 import S3Keys, new_keys
from tests.servers.sshd import SshServer
from tests.servers.workspace import Workspace
from walconsole.domain.facts.evidence import CommandFacts, ConfigAccess, ProductionCheck, ProductionFacts
from walconsole.observe.command import production
from walconsole.observe.command.production import ProductionProbe

pytestmark = [pytest.mark.server, pytest.mark.asyncio(loop_scope="module")]


@dataclass(frozen=True)
class Archiver:
    """A droplet whose archiver may read and write in `bucket`; `folder` is its user's."""

    to: Connected
    rgw: RadosGateway
    bucket: str
    keys: S3Keys
    folder: Path

    def config(self, *, endpoint: str = "", keys: S3Keys | None = None, remote: str = "prod") -> Path:
        """An rclone configuration that the server's user may read."""
        keys = keys or self.keys
        path = self.folder / f"rclone-{time.monotonic_ns()}.conf"
        path.write_text(
            f"[{remote}]\ntype = s3\nprovider = Ceph\nforce_path_style = true\nregion = us-east-1\n"
            f"endpoint = {endpoint or self.rgw.endpoint}\n"
            f"access_key_id = {keys.access_key}\nsecret_access_key = {keys.secret_key}\n"
        )
        path.chmod(0o644)
        return path

    def facts(self, config: Path, target: str = "") -> CommandFacts:
        """What the look at this archiver's command would have found."""
        command = f"rclone --config {config} copyto %p {target or f'prod:{self.bucket}/wal'}/%f"
        return CommandFacts(
            command, configs=(ConfigAccess(str(config), exists=True, readable=True, sections=("prod",)),)
        )

    def probe(
        self, facts: CommandFacts | None, troubled: Callable[[], bool] = lambda: True
    ) -> ProductionProbe:
        return ProductionProbe(self.to.shell, self.to.clock, self.to.profile, troubled, lambda: facts)

    async def check(self, facts: CommandFacts) -> ProductionCheck:
        (fact,) = await self.probe(facts).take()
        assert isinstance(fact.value, ProductionFacts)
        (check,) = fact.value.checks
        for keys in (self.keys, self.rgw.admin):
            assert keys.secret_key not in repr(fact)
        return check


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["system", "wheel"])
async def archiver(
    request: pytest.FixtureRequest,
    workspace: Workspace,
    sshd: SshServer,
    postgres: PostgresServer,
    rgw: RadosGateway,
) -> AsyncIterator[Archiver]:
    """With Debian's rclone (1.53 to 1.60) and with the newest."""
    profile = profile_of(sshd, postgres)
    folder = workspace.folder("archiver", postgres.os_user)
    if request.param == "wheel":
        programs = folder / "usr" / "local" / "bin"
        programs.mkdir(parents=True)
        shutil.copy(or_skip(serving_rclone), programs / "rclone")
        (programs / "rclone").chmod(0o755)
        profile = replace(profile, paths=replace(profile.paths, root=str(folder)))
    bucket = rgw.bucket()
    keys = rgw.limited_user({bucket: "readwrite"})
    async with connected(profile) as to:
        yield Archiver(to, rgw, bucket, keys, folder)


async def test_all_is_well(archiver: Archiver) -> None:
    config = archiver.config()
    check = await archiver.check(archiver.facts(config))
    assert (check.where, check.config, check.unreadable) == (f"prod:{archiver.bucket}/wal", str(config), "")
    (result,) = check.results
    assert (result.verb, result.ok, result.code) == ("LIST", True, "")
    assert result.seconds is not None
    assert 0 < result.seconds < 5


async def refused(archiver: Archiver, facts: CommandFacts) -> str:
    check = await archiver.check(facts)
    (result,) = check.results
    assert not result.ok
    assert result.said
    assert "\n" not in result.said
    return result.code


async def test_a_grant_that_was_taken_away(archiver: Archiver) -> None:
    keys = archiver.rgw.limited_user({})
    assert await refused(archiver, archiver.facts(archiver.config(keys=keys))) == "AccessDenied"


async def test_a_key_that_nobody_knows(archiver: Archiver) -> None:
    config = archiver.config(keys=new_keys("gone"))
    assert await refused(archiver, archiver.facts(config)) == "InvalidAccessKeyId"


async def test_a_wrong_secret(archiver: Archiver) -> None:
    wrong = S3Keys("wrong", archiver.keys.access_key, new_keys("x").secret_key)
    assert await refused(archiver, archiver.facts(archiver.config(keys=wrong))) == "SignatureDoesNotMatch"


async def test_a_bucket_that_is_not_there(archiver: Archiver) -> None:
    facts = archiver.facts(archiver.config(), "prod:never-created/wal")
    assert await refused(archiver, facts) == "NoSuchBucket"


async def test_an_endpoint_that_refuses_connections(archiver: Archiver) -> None:
    config = archiver.config(endpoint=f"http://{LOOPBACK}:{free_port()}")
    assert await refused(archiver, archiver.facts(config)) == "Unreachable"


async def test_an_endpoint_whose_name_nobody_knows(archiver: Archiver) -> None:
    config = archiver.config(endpoint="http://spaces.invalid")
    assert await refused(archiver, archiver.facts(config)) == "NoSuchHost"


async def test_a_certificate_that_nobody_trusts(archiver: Archiver) -> None:
    config = archiver.config(endpoint=f"https://{LOOPBACK}:{archiver.rgw.tls_port}")
    assert await refused(archiver, archiver.facts(config)) == "Tls"


async def test_plain_http_to_a_tls_port(archiver: Archiver) -> None:
    config = archiver.config(endpoint=f"http://{LOOPBACK}:{archiver.rgw.tls_port}")
    assert await refused(archiver, archiver.facts(config)) != "AccessDenied"


@contextmanager
def nobodys(path: Path) -> Iterator[None]:
    """Only root may read it, or nobody where that is not possible."""
    if os.geteuid() == 0:
        os.chown(path, 0, 0)
        path.chmod(0o600)
    else:
        path.chmod(0)
    yield


async def test_a_configuration_that_the_servers_user_may_not_read(archiver: Archiver) -> None:
    config = archiver.config()
    with nobodys(config):
        check = await archiver.check(archiver.facts(config))
    assert check.results == ()
    assert "permission denied" in check.unreadable


async def test_a_remote_that_the_configuration_lacks(archiver: Archiver) -> None:
    check = await archiver.check(archiver.facts(archiver.config(remote="renamed")))
    assert check.results == ()
    assert "didn't find section" in check.unreadable


async def test_nothing_is_asked_while_all_is_well(archiver: Archiver) -> None:
    facts = archiver.facts(archiver.config())
    assert await archiver.probe(facts, lambda: False).take() == ()
    assert await archiver.probe(None).take() == ()


async def test_it_is_asked_once_until_refreshed(archiver: Archiver) -> None:
    probe = archiver.probe(archiver.facts(archiver.config()))
    assert await probe.take()
    assert await probe.take() == ()
    probe.refresh()
    assert await probe.take()


async def test_a_refusal_is_asked_about_until_it_is_none(archiver: Archiver) -> None:
    keys, trouble = archiver.rgw.limited_user({}), [True]
    config = archiver.config(keys=keys)
    probe = archiver.probe(archiver.facts(config), lambda: bool(trouble))
    assert await probe.take()
    trouble.clear()
    probe.refresh()
    assert await probe.take(), "it still refuses"
    config.write_text(archiver.config().read_text())
    probe.refresh()
    (fact,) = await probe.take()
    assert isinstance(fact.value, ProductionFacts)
    assert all(result.ok for check in fact.value.checks for result in check.results)
    probe.refresh()
    assert await probe.take() == ()


async def test_an_answer_is_as_old_as_its_question(
    archiver: Archiver, make_proxy: MakeProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a segment that was archived meanwhile would not take a refusal back."""
    monkeypatch.setattr(production, "TRY_S", 1)
    proxy = make_proxy(archiver.rgw.port)
    proxy.stall()
    facts = archiver.facts(archiver.config(endpoint=f"http://{LOOPBACK}:{proxy.port}"))
    began = archiver.to.clock.now()
    (fact,) = await archiver.probe(facts).take()
    assert began <= fact.read_at < began + 0.9


async def test_a_command_without_rclone_is_not_asked_for(archiver: Archiver) -> None:
    assert await archiver.probe(CommandFacts("cp %p /archive/%f")).take() == ()


async def test_an_endpoint_that_never_answers(
    archiver: Archiver, make_proxy: MakeProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(production, "TRY_S", 1)
    proxy = make_proxy(archiver.rgw.port)
    proxy.stall()
    facts = archiver.facts(archiver.config(endpoint=f"http://{LOOPBACK}:{proxy.port}"))
    check = await archiver.check(facts)
    (result,) = check.results
    assert (result.ok, result.code) == (False, "Timeout")
    assert result.said.startswith("no answer within 1 s")


async def test_a_hanging_endpoint_holds_up_no_other_probe(archiver: Archiver, make_proxy: MakeProxy) -> None:
    proxy = make_proxy(archiver.rgw.port)
    proxy.stall()
    facts = archiver.facts(archiver.config(endpoint=f"http://{LOOPBACK}:{proxy.port}"))
    asking = asyncio.create_task(archiver.probe(facts).take())
    await asyncio.sleep(1.0)
    began = time.monotonic()
    await archiver.to.host.take()
    waited_s = time.monotonic() - began
    try:
        assert waited_s < 1.0
        assert not asking.done()
    finally:
        asking.cancel()
        await asyncio.wait([asking])
