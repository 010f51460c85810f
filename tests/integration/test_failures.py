"""Each failure mode, really brought about: found as the root with its evidence, mended, and green again."""

import secrets
import sys
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from tests.integration.failure_stage import TABLE, Watched, deployment, provisioned, watching
from tests.servers.rgw import RadosGateway
from tests.servers.workspace import Workspace

pytestmark = [
    pytest.mark.server,
    pytest.mark.timeout(180),
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.xdist_group("failures"),
]


@pytest.fixture(scope="module", autouse=True)
def _table() -> Iterator[None]:
    yield
    for row in TABLE:
        green = "" if row.green_s is None else f"green {row.green_s:.1f} s after {row.mended}"
        sys.stdout.write(f"{row.failure:50} {row.found:28} {row.seconds:5.1f} s  {green}\n")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def console(workspace: Workspace, rgw: RadosGateway, rgw_dr: RadosGateway) -> AsyncIterator[Watched]:
    async with deployment(workspace, rgw, rgw_dr, f"broken-{secrets.token_hex(3)}") as stage:
        await provisioned(stage)
        async with watching(stage) as watched:
            await watched.green("provisioning")
            yield watched


async def test_command_empty(console: Watched) -> None:
    with console.broken("archive_command = ''"):
        console.config(archive_command="")
        console.switch()
        await console.root("command-empty", evidence="archive_command")
    await console.green("the setting taken back")


async def test_auto_conf_override(console: Watched) -> None:
    with console.broken("ALTER SYSTEM SET archive_command = 'false'"):
        console.sql("ALTER SYSTEM SET archive_command = 'false'")
        console.cluster.reload()
        console.switch()
        await console.root("auto-conf-override", evidence="postgresql.auto.conf")
        console.sql("ALTER SYSTEM RESET archive_command")
        console.cluster.reload()
    await console.green("ALTER SYSTEM RESET")


async def test_silent_loss(console: Watched) -> None:
    with console.broken("archive_command = '/bin/true'"):
        console.config(archive_command="/bin/true")
        lost = console.switch()
        await console.root("silent-loss", evidence="last_archived_wal")
    console.push(lost)
    await console.green("the segment pushed by hand")


async def test_too_slow(console: Watched) -> None:
    with console.broken("every push takes 3 s"):
        console.config(archive_command=f"sleep 3 && {console.command}")
        console.switch(12)
        await console.root("too-slow", evidence="wait", within_s=10)
    await console.green("the delay taken away")


async def test_command_not_found(console: Watched) -> None:
    with console.broken("a typo in the program's name"):
        console.config(archive_command="/usr/local/bin/pg-arhive %p")
        console.switch()
        await console.root("command-not-found", evidence="exit code 127")
    await console.green("the setting taken back")


async def test_killed_by_a_signal(console: Watched) -> None:
    with console.broken("the command kills itself"):
        console.config(archive_command="kill -9 $$")
        console.switch()
        await console.root("archiver-crash-loop", evidence="signal 9|exit code 137")
    await console.green("the setting taken back")


async def test_exit_above_125(console: Watched) -> None:
    with console.broken("the command exits with 200"):
        console.config(archive_command="exit 200")
        console.switch()
        await console.root("archiver-crash-loop", evidence="exit code 200")
    await console.green("the setting taken back")


async def test_key_revoked(console: Watched) -> None:
    with console.broken("the archiver's key deleted at the API"):
        key = console.stage.app_key
        grants = key.grants
        console.stage.keys.replace(key, key.name, ())
        console.switch()
        await console.root("key-403", evidence="AccessDenied")
        console.stage.keys.replace(key, key.name, grants)
    await console.green("the grant given back")
