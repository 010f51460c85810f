"""The write probe names what is at fault: each cause really brought about, with every rclone there is."""

import asyncio
import secrets
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import pytest_asyncio

from tests.data.provisioning import events
from tests.integration.failure_stage import deployment, edited, mode
from tests.integration.provision_stage import Stage
from tests.integration.test_failures_store import refuse_the_clock
from tests.servers.fixtures import or_skip
from tests.servers.ports import LOOPBACK, free_port
from tests.servers.rclone import serving_rclone
from tests.servers.rgw import RadosGateway
from tests.servers.workspace import Workspace
from walconsole.domain.profile import BucketRole
from walconsole.errors import ProvisionError
from walconsole.provision.engine.model import CheckState, Event, Proved, Waiting
from walconsole.provision.steps import write_probe
from walconsole.provision.steps.write_probe import WriteProbe
from walconsole.sandbox.keys_api.keys import Grant

pytestmark = [pytest.mark.server, pytest.mark.timeout(180), pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(workspace: Workspace, rgw: RadosGateway, rgw_dr: RadosGateway) -> AsyncIterator[Stage]:
    """Buckets and grants are there; nothing is installed."""
    async with deployment(workspace, rgw, rgw_dr, f"probed-{secrets.token_hex(3)}") as made:
        for role, key in ((BucketRole.PRIMARY, made.app_key), (BucketRole.DR, made.dr_key)):
            bucket = made.target(role).bucket
            made.gateways[role].bucket(bucket)
            made.keys.replace(key, key.name, (Grant(bucket, "readwrite"),))
        yield made


@pytest.fixture(scope="module", params=["system", "wheel"])
def rclone(request: pytest.FixtureRequest, stage: Stage) -> Iterator[str]:
    """Debian's rclone, then the wheel's, which the droplet finds before it."""
    newer = stage.root / "usr/local/bin/rclone"
    if request.param == "wheel":
        shutil.copy(or_skip(serving_rclone), newer)
        newer.chmod(0o755)
    yield request.param
    newer.unlink(missing_ok=True)


@pytest.fixture(autouse=True)
def _as_long_as_a_test_may(monkeypatch: pytest.MonkeyPatch) -> None:
    """What may pass by itself is not waited for, unless a test says so."""
    monkeypatch.setattr(write_probe, "LONGEST_PROPAGATION_S", -1.0)


async def probed(stage: Stage) -> list[Event]:
    stage.site.probed.clear()
    step = WriteProbe(stage.site)
    return [*await events(stage.site, step.apply()), *await events(stage.site, step.verify())]


Broken = Callable[[Stage], AbstractAsyncContextManager[None]]
"""What is broken for as long as the context lasts."""


def _rclone_config(old: Callable[[Stage], str], new: Callable[[Stage], str]) -> Broken:
    @asynccontextmanager
    async def broken(stage: Stage) -> AsyncIterator[None]:
        with edited(stage.profile.paths.rclone_config, old(stage), new(stage)):
            yield

    return broken


def _key(stage: Stage) -> str:
    return stage.app_key.access_key


def _secret(stage: Stage) -> str:
    return stage.app_key.secret


def _endpoint(stage: Stage) -> str:
    return stage.profile.primary.endpoint


def _at(endpoint: Callable[[Stage], str]) -> Broken:
    return _rclone_config(_endpoint, endpoint)


def _granted(*permissions: str) -> Broken:
    @asynccontextmanager
    async def broken(stage: Stage) -> AsyncIterator[None]:
        key, grants = stage.app_key, stage.app_key.grants
        bucket = stage.profile.primary.bucket
        stage.keys.replace(key, key.name, [Grant(bucket, permission) for permission in permissions])
        try:
            yield
        finally:
            stage.keys.replace(key, key.name, grants)

    return broken


@asynccontextmanager
async def _another_bucket(stage: Stage) -> AsyncIterator[None]:
    before = stage.site.profile
    stage.site.profile = replace(before, primary=replace(before.primary, bucket="never-made"))
    try:
        yield
    finally:
        stage.site.profile = before


def _answering(status: str, code: str) -> Broken:
    """A store that answers every request so; a HEAD without a body, as HTTP has it."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        body = "" if head.startswith(b"HEAD") else f"<Error><Code>{code}</Code><Message>m</Message></Error>"
        length = f"Content-Length: {len(body)}\r\nConnection: close"
        writer.write(f"HTTP/1.1 {status}\r\n{length}\r\n\r\n{body}".encode())
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    return _behind(answer)


def _behind(answer: Callable[[asyncio.StreamReader, asyncio.StreamWriter], object]) -> Broken:
    @asynccontextmanager
    async def broken(stage: Stage) -> AsyncIterator[None]:
        front = await asyncio.start_server(answer, LOOPBACK, 0)  # type: ignore[arg-type]  # a coroutine function
        port = front.sockets[0].getsockname()[1]
        async with front, _at(lambda _: f"http://{LOOPBACK}:{port}")(stage):
            yield

    return broken


@asynccontextmanager
async def _unreadable(stage: Stage) -> AsyncIterator[None]:
    with mode(stage.profile.paths.rclone_config, 0o000, roots=True):
        yield


@contextmanager
def moved(path: Path) -> Iterator[None]:
    """The file lies elsewhere for a while."""
    away = path.rename(path.with_suffix(".away"))
    try:
        yield
    finally:
        away.rename(path)


@asynccontextmanager
async def _gone(stage: Stage) -> AsyncIterator[None]:
    with moved(Path(stage.profile.paths.rclone_config)):
        yield


@asynccontextmanager
async def _no_room(stage: Stage) -> AsyncIterator[None]:
    with mode(stage.root / "var/tmp", 0o000, roots=True):
        yield


@dataclass(frozen=True)
class Cause:
    """`said`: of the store's or rclone's own words what the operator sees; `remedy`: what is advised."""

    broken: Broken
    part: str
    said: str
    remedy: str


CAUSES = {
    "a key that the store does not know": Cause(
        _rclone_config(_key, lambda _: "DO00UNKNOWNKEYUNKNOWN"),
        "key", "InvalidAccessKeyId", "put a living one",
    ),
    "another secret": Cause(
        _rclone_config(_secret, lambda stage: "x" * len(_secret(stage))),
        "key", "SignatureDoesNotMatch", "the secret does not belong to the key",
    ),
    "a grant to read": Cause(_granted("read"), "grant", "403", "run the step Grants"),
    "no grant": Cause(_granted(), "grant", "AccessDenied", "run the step Grants"),
    "no such bucket": Cause(_another_bucket, "bucket", "404", "run the step Buckets"),
    "nothing listens": Cause(
        _at(lambda _: f"http://{LOOPBACK}:{free_port()}"), "endpoint", "connection refused", "firewall"
    ),
    "no such host": Cause(
        _at(lambda _: "http://nowhere.invalid"), "endpoint", "lookup nowhere.invalid", "DNS"
    ),
    "a certificate that nobody knows": Cause(
        _at(lambda stage: f"https://{LOOPBACK}:{stage.gateways[BucketRole.PRIMARY].tls_port}"),
        "endpoint", "certificate signed by unknown authority", "ca-certificates",
    ),
    "https where http is": Cause(
        _at(lambda stage: _endpoint(stage).replace("http:", "https:")),
        "endpoint", "HTTP response to HTTPS client", "http and https are mixed up",
    ),
    "another region": Cause(
        _answering("400 Bad Request", "AuthorizationHeaderMalformed"),
        "endpoint", "AuthorizationHeaderMalformed", "another region",
    ),
    "the clock": Cause(_behind(refuse_the_clock), "clock", "RequestTimeTooSkewed", "timedatectl"),
    "a busy store": Cause(_answering("500 Oops", "InternalError"), "store", "500", "run this step again"),
    "a configuration that may not be read": Cause(
        _unreadable, "file", "cannot be read as user", "mode 0640"
    ),
    "no configuration": Cause(_gone, "file", "finds no", "rclone_config"),
    "a section that is missing": Cause(
        _rclone_config(lambda _: "[spaces-prod]", lambda _: "[another]"),
        "remote", "didn't find section", "complete",
    ),
    "no folder for a small file": Cause(_no_room, "disk", "no room for a small file", "make room"),
}  # fmt: skip


@pytest.mark.parametrize("name", CAUSES)
async def test_the_cause_is_named(stage: Stage, rclone: str, name: str) -> None:
    cause = CAUSES[name]
    async with cause.broken(stage):
        with pytest.raises(ProvisionError) as caught:
            await probed(stage)
    error = caught.value
    assert error.why.startswith(f"at fault is the {cause.part}: "), error.line()
    assert cause.said in error.why, error.line()
    assert cause.remedy in error.remedy
    assert "spaces-prod:" in error.tried
    assert not [secret for key in stage.keys if (secret := key.secret) in f"{error.line()} {error!r}"]
    assert not list((stage.root / "var/tmp").iterdir())
    assert stage.objects(BucketRole.PRIMARY) == set()


async def test_all_is_well_and_nothing_is_left(stage: Stage, rclone: str) -> None:
    proofs = [event.text for event in await probed(stage) if isinstance(event, Proved)]
    assert len(proofs) == 2
    assert all(stage.objects(role) == set() for role in BucketRole)
    assert (await WriteProbe(stage.site).check()).state is CheckState.DONE


async def test_a_grant_that_comes_late_is_waited_for(
    stage: Stage, rclone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write_probe, "LONGEST_PROPAGATION_S", 60.0)
    key, grants = stage.app_key, stage.app_key.grants
    stage.keys.replace(key, key.name, ())

    async def granted_meanwhile(_: float) -> None:
        stage.keys.replace(key, key.name, grants)

    monkeypatch.setattr(stage.site, "sleep", granted_meanwhile)
    waited = [event for event in await probed(stage) if isinstance(event, Waiting)]
    assert [event.what for event in waited] == [
        f"the grant does not work (yet) for {stage.profile.primary.bucket}"
    ]


async def test_without_rclone_nothing_is_tried(stage: Stage) -> None:
    with without(stage, "rclone"):
        await stage.site.survey(again=True)
        check = await WriteProbe(stage.site).check()
        assert (check.state, check.summary) == (CheckState.BLOCKED, "there is no rclone on the droplet")
        assert check.remedy == "apt-get install rclone"
        with pytest.raises(ProvisionError, match="at fault is the program") as caught:
            await probed(stage)  # it went away after the look
        assert caught.value.remedy == "apt-get install rclone"
    await stage.site.survey(again=True)


@contextmanager
def without(stage: Stage, program: str) -> Iterator[None]:
    """A droplet that has every program but one."""
    folder, before = stage.root / f"without-{program}", stage.site.choices
    folder.mkdir()
    for path in (*Path("/bin").iterdir(), *Path("/usr/bin").iterdir()):
        if path.name != program and not (folder / path.name).exists():
            (folder / path.name).symlink_to(path)
    stage.site.choices = replace(before, path=str(folder))
    try:
        yield
    finally:
        stage.site.choices = before
        shutil.rmtree(folder)
