"""Buckets that cannot be had: what the operator is told, and that the temporary key goes all the same.

A front answers the requests that make a bucket, or look whether it is there, as S3 does on a bad day; all
else goes through to a region of the sandbox. The keys API is the stateful one.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import pytest_asyncio

from tests.data.provisioning import MemoryRecord, ScriptedGate, a_site
from tests.integration.test_key_safety import Account, VirtualClock, an_account
from tests.servers.ports import LOOPBACK
from walconsole.adapters.s3 import admin as spaces_admin
from walconsole.adapters.s3.admin import SpacesAdmin
from walconsole.adapters.s3.key_sources import EnvironmentKeys
from walconsole.adapters.s3.store import SpacesStore
from walconsole.domain.profile import BucketTarget, KeyReference, KeySource
from walconsole.errors import WalconsoleError
from walconsole.operator_files.key_ledger import LedgerFolder
from walconsole.ports import KeyService
from walconsole.provision.droplet.survey import Survey
from walconsole.provision.engine.model import CheckState
from walconsole.provision.engine.model import Stage as At
from walconsole.provision.engine.runner import Runner
from walconsole.provision.engine.site import Site
from walconsole.provision.keys.temporary_key import TemporaryKey
from walconsole.provision.steps.bucket_state import MADE, bucket_name
from walconsole.provision.steps.buckets import Buckets
from walconsole.provision.steps.temporary_key import DeleteTemporaryKey, TemporaryKeyStep

pytestmark = [pytest.mark.server, pytest.mark.timeout(120), pytest.mark.asyncio(loop_scope="module")]

DROP = ""
"""An answer that never comes: the connection is closed."""


@dataclass
class Front:
    """Before a region. `makes` and `looks` are what the next PUT and HEAD of each bucket's are answered with.

    Each is `STATUS CODE`; None lets it through, DROP closes the connection. The last one is for ever.
    `done` lets a PUT through before it is answered otherwise.
    """

    upstream: str
    makes: dict[str, list[str | None]] = field(default_factory=dict)
    looks: dict[str, list[str | None]] = field(default_factory=dict)
    done: bool = False
    asked: list[str] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request a connection."""
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
            body = await reader.readexactly(int(length[1])) if length else b""
            answer = self._scripted(head)
            through = answer is None or (self.done and head.startswith(b"PUT"))
            passed = await self._pass(head, body) if through else b""
            writer.write(passed if answer is None else _error(answer, head))
            await writer.drain()
        writer.close()

    def _scripted(self, head: bytes) -> str | None:
        method, target = head.decode().split(" ")[:2]
        self.asked.append(f"{method} {target}")
        scripts = {"PUT": self.makes, "HEAD": self.looks}.get(method, {})
        script = scripts.get(target.partition("?")[0].strip("/"), [])
        if not script:
            return None
        return script.pop(0) if len(script) > 1 else script[0]

    async def _pass(self, head: bytes, body: bytes) -> bytes:
        place = urlsplit(self.upstream)
        reader, writer = await asyncio.open_connection(place.hostname, place.port)
        writer.write(head.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n") + body)
        answer = await reader.read()
        writer.close()
        return answer


def _error(answer: str, head: bytes) -> bytes:
    if answer == DROP:
        return b""
    status, _, code = answer.partition(" ")
    body = f"<Error><Code>{code}</Code><Message>because</Message></Error>"
    shown = "" if head.startswith(b"HEAD") else body
    return f"HTTP/1.1 {status} No\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{shown}".encode()


@dataclass
class Deployment:
    """Steps 2 to 4 over an account whose buckets were never made, behind `front`."""

    account: Account
    front: Front
    site: Site
    temporary: TemporaryKey
    ledger: LedgerFolder
    runner: Runner

    async def run(self) -> None:
        """To the end; the session's clean-up is not needed for the key to go."""
        await self.runner.run()

    @property
    def primary(self) -> str:
        return self.site.profile.primary.bucket

    @property
    def dr(self) -> str:
        return self.site.profile.dr.bucket

    def made(self) -> list[str]:
        """What the record says that the store agreed to."""
        return [change.what for change in self.site.record.changes() if change.after == MADE]

    def no_key_is_left(self) -> bool:
        """Neither at the API nor in the ledger, and the step says so."""
        gone = self.runner.stages["delete-temporary-key"] in (At.CHANGED, At.DONE)
        return gone and self.account.alive == [] and not list(self.ledger.folder.glob("*"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def account(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Account]:
    async with an_account(tmp_path_factory.mktemp("account")) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def deployed(
    account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Deployment]:
    monkeypatch.setattr(spaces_admin, "_PAUSE_S", 0.01)
    front = Front(account.region.gate.url)
    server = await asyncio.start_server(front.serve, LOOPBACK, 0)
    async with server:
        yield _deployment(account, front, server.sockets[0].getsockname()[1], tmp_path)
    account.reset()


def _deployment(account: Account, front: Front, port: int, folder: Path) -> Deployment:
    profile, clock = account.fresh_profile(), VirtualClock()

    def at_the_front(target: BucketTarget) -> BucketTarget:
        return replace(target, endpoint=f"http://{LOOPBACK}:{port}")

    profile = replace(profile, primary=at_the_front(profile.primary), dr=at_the_front(profile.dr))
    ledger = LedgerFolder(folder / "ledger")
    temporary = TemporaryKey(
        profile.name, account.api.url, lambda: _service(account), ledger, clock, clock.sleep
    )
    keys = {"A": account.reader.access_key, "S": account.reader.secret}
    reference = KeyReference(KeySource.ENVIRONMENT, "A", "S")
    site = a_site(
        profile,
        None,  # type: ignore[arg-type]  # no shell is used
        _no_look,
        record=MemoryRecord(),
        temporary=temporary,
        key_service=lambda: _service(account),
        admin=SpacesAdmin,
        store=lambda target: SpacesStore(target, EnvironmentKeys(reference, keys), environ={}, connections=2),
    )
    site.clock, site.sleep = clock, clock.sleep
    steps = (TemporaryKeyStep(site), Buckets(site), DeleteTemporaryKey(site))
    runner = Runner(site, steps, ScriptedGate(), lambda _: None)
    return Deployment(account, front, site, temporary, ledger, runner)


async def _service(account: Account) -> KeyService:
    return account.service


async def _no_look(_: Site) -> Survey:
    raise AssertionError("the droplet is not looked at")


async def refused(deployed: Deployment) -> WalconsoleError:
    with pytest.raises(WalconsoleError) as caught:
        await deployed.run()
    assert deployed.runner.stages["buckets"] is At.FAILED
    assert deployed.no_key_is_left()
    assert not [key for key in deployed.account.api.keys if key.secret in f"{caught.value.line()}"]
    return caught.value


@pytest.mark.parametrize(
    ("answer", "told", "advised"),
    [
        ("400 TooManyBuckets", "as many buckets as it may", "delete one that is not needed"),
        ("400 InvalidBucketName", "no bucket may have this name", "lower-case letters"),
        (
            "409 BucketAlreadyExists",
            "another account, or by a bucket that is being destroyed",
            "another name",
        ),
        ("409 OperationAborted", "another change to this name is under way", "another name"),
        ("403 AccessDenied", "the key may not do this", "full-access key"),
        ("503 SlowDown", "SlowDown", "run this step again"),
        ("500 InternalError", "InternalError", "run this step again"),
        ("418 Unheard", "the store answered HTTP 418 Unheard: because", "run this step again"),
        (DROP, "no answer", "check the network"),
    ],
)
async def test_a_bucket_that_cannot_be_made(
    deployed: Deployment, answer: str, told: str, advised: str
) -> None:
    deployed.front.makes[deployed.dr] = [answer]
    error = await refused(deployed)
    assert deployed.dr in error.tried
    assert told in error.why, error.line()
    assert advised in error.remedy, error.line()
    assert deployed.made() == [bucket_name(deployed.site.profile.primary)]
    assert [change.what for change in deployed.site.record.changes()] == deployed.made()


@pytest.mark.parametrize("answer", ["400 TooManyBuckets", DROP])
async def test_another_run_makes_what_is_missing(deployed: Deployment, answer: str) -> None:
    deployed.front.makes[deployed.dr] = [answer]
    await refused(deployed)
    deployed.front.makes.clear()
    made = len([one for one in deployed.front.asked if one == f"PUT /{deployed.primary}"])
    await deployed.run()
    assert deployed.runner.done
    assert deployed.no_key_is_left()
    assert len([one for one in deployed.front.asked if one == f"PUT /{deployed.primary}"]) == made
    assert len(deployed.made()) == 2


@pytest.mark.parametrize(
    "answers",
    [
        ["409 OperationAborted", "409 OperationAborted", None],
        ["503 SlowDown", None],
        ["500 InternalError", None],
        [DROP, None],
    ],
)
@pytest.mark.parametrize("done", [False, True])
async def test_what_passes_is_waited_for(
    deployed: Deployment, answers: Sequence[str | None], done: bool
) -> None:
    """`done`: the bucket was made though the answer says otherwise."""
    deployed.front.done = done
    deployed.front.makes[deployed.primary] = list(answers)
    await deployed.run()
    assert deployed.runner.done
    assert deployed.no_key_is_left()
    assert deployed.made() == [bucket_name(target) for target in deployed.site.targets()]
    assert (await Buckets(deployed.site).check()).state is CheckState.DONE


async def test_a_new_bucket_appears_late(deployed: Deployment) -> None:
    deployed.front.looks[deployed.primary] = ["404 NotFound", "404 NotFound", None]
    await deployed.run()
    assert deployed.runner.done
    assert deployed.no_key_is_left()


async def test_a_new_bucket_never_appears(deployed: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was made: the record must not forget it, and the operator is told what to wait for."""
    monkeypatch.setattr(spaces_admin, "LONGEST_APPEARANCE_S", 0.05)
    deployed.front.looks[deployed.primary] = ["404 NotFound"]
    error = await refused(deployed)
    assert "not found yet" in error.why, error.line()
    assert "run this step again" in error.remedy
    deployed.front.looks.clear()
    await deployed.run()
    assert deployed.runner.done
    assert deployed.no_key_is_left()


async def test_somebody_else_s_bucket_is_never_called_ours(deployed: Deployment) -> None:
    """It is there, no key of the account has a grant on it, and the account does not list it."""
    deployed.account.region.make_bucket(deployed.primary)
    deployed.front.makes[deployed.primary] = ["409 BucketAlreadyExists"]
    listing = deployed.site.admin

    class Another(SpacesAdmin):
        async def buckets(self) -> tuple[str, ...]:
            return tuple(name for name in await super().buckets() if name != deployed.primary)

    deployed.site.admin = Another
    error = await refused(deployed)
    deployed.site.admin = listing
    assert "BucketAlreadyExists" in error.why
    assert deployed.made() == []
    check = await Buckets(deployed.site).check()
    assert check.state is CheckState.NEEDED
    assert "no key of this account has a grant on it" in check.summary
