"""Each failure mode, really brought about: found as the root with its evidence, mended, and green again."""

import secrets
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
        print(f"{row.failure:50} {row.found:28} {row.seconds:5.1f} s  {green}")


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
        console.switch()
        await console.root("silent-loss", evidence="last_archived_wal", within_s=15)


async def test_too_slow(console: Watched) -> None:
    with console.broken("every push takes 3 s"):
        command = console.sql("SHOW archive_command")[0][0]
        console.config(archive_command=f"sleep 3 && {command}")
        console.switch(12)
        await console.root("too-slow", evidence="wait", within_s=10)
    await console.green("the delay taken away")
