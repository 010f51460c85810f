"""A watcher beside a disk without room, and by a clock that jumps: a test receiver counts what it is told."""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.integration.failure_stage import deployment, provisioned
from tests.integration.provision_stage import Stage
from tests.integration.watch_parts import fetched, replace, served_port, told_by, until, watcher
from tests.servers.fixtures import MakeProxy, or_skip
from tests.servers.full_disk import FILLER, fill, small_disk
from tests.servers.proxy import Proxy
from tests.servers.receiver import Receiver, receiver
from tests.servers.rgw import RadosGateway
from tests.servers.workspace import Workspace
from walconsole.domain.profile import BucketRole, NotifySettings

pytestmark = [
    pytest.mark.server,
    pytest.mark.long,
    pytest.mark.timeout(600),
    pytest.mark.asyncio(loop_scope="module"),
]

CHILD = str(Path(__file__).with_name("watch_clock_child.py"))
HOUR_S, DAY_S, TEN_YEARS_S = 3600, 86_400, 3653 * 86_400


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(workspace: Workspace, rgw: RadosGateway, rgw_dr: RadosGateway) -> AsyncIterator[Stage]:
    async with deployment(workspace, rgw, rgw_dr, f"hostile-{secrets.token_hex(3)}") as made:
        await provisioned(made)
        yield made


def watched_through(stage: Stage, config: Path, make_proxy: MakeProxy, seconds: float) -> Proxy:
    """The profile, whose verdict changes are told after so long; what stands before its primary bucket."""
    settings = NotifySettings(
        webhook_env="HOOK",
        worse_after_minutes=seconds / 60,
        blind_after_minutes=seconds / 60,
        well_after_minutes=seconds / 60,
    )
    told_by(settings, stage, config)
    endpoint = stage.target(BucketRole.PRIMARY).endpoint
    proxy = make_proxy(int(endpoint.rpartition(":")[2]))
    replace(config, f'endpoint = "{endpoint}"', f'endpoint = "http://127.0.0.1:{proxy.port}"')
    return proxy


def breaks(proxy: Proxy) -> None:
    proxy.refuse()
    proxy.cut()


def kinds(taking: Receiver) -> list[tuple[str, bool]]:
    documents = [json.loads(one.body) for one in taking.taken()]
    return [(each["kind"], each["repeat"]) for each in documents]


@pytest.mark.root("a disk of a test's own is mounted")
async def test_on_a_disk_that_becomes_full_each_is_told_once_though_it_is_killed(
    stage: Stage, tmp_path: Path, make_proxy: MakeProxy
) -> None:
    config, state = tmp_path / "config.toml", tmp_path / "state"
    state.mkdir()
    proxy = watched_through(stage, config, make_proxy, 2.0)
    with or_skip(lambda: small_disk(state, 4096)), receiver() as taking:
        places = {"HOOK": taking.url, "XDG_STATE_HOME": str(state)}
        async with watcher(tmp_path, config, **places) as process:
            port = await served_port(process)
            await asyncio.sleep(5.0)
            fill(state / FILLER)
            breaks(proxy)
            await until(lambda: kinds(taking) == [("worse", False)], "the notice")
            await asyncio.sleep(5.0)
            page = await fetched(port, "/metrics")
            assert f'walconsole_watch_unwritten{{profile="{stage.profile.name}"}} 0' in page
            process.kill()
        async with watcher(tmp_path, config, **places) as process:
            port = await served_port(process)
            await asyncio.sleep(8.0)
            assert kinds(taking) == [("worse", False)], "it knows what it told"
            assert '"watch": "runs"' in await fetched(port, "/healthz")
            proxy.accept()
            await until(lambda: kinds(taking)[1:] == [("well", False)], "that it is well")
            process.terminate()
            assert await asyncio.wait_for(process.wait(), 30) == 143
        await asyncio.sleep(1.0)
        assert kinds(taking) == [("worse", False), ("well", False)]


async def test_a_clock_that_jumps_is_no_news_and_hides_none(
    stage: Stage, tmp_path: Path, make_proxy: MakeProxy
) -> None:
    """While all is well, while it is pending, while it is bad, while it is about to be well."""
    config, clock = tmp_path / "config.toml", tmp_path / "set"
    proxy = watched_through(stage, config, make_proxy, 20.0)

    def set_clock(seconds: int) -> None:
        new = clock.with_suffix(".new")
        new.write_text(str(seconds))
        new.rename(clock)

    set_clock(0)
    with receiver() as taking:
        places = {"HOOK": taking.url, "CLOCK_SET_S": str(clock)}
        async with watcher(tmp_path, config, program=(CHILD,), **places) as process:
            await served_port(process)
            await asyncio.sleep(8.0)
            for jump_s in (HOUR_S, -HOUR_S, DAY_S, -DAY_S, TEN_YEARS_S, -TEN_YEARS_S, 0):
                set_clock(jump_s)
                await asyncio.sleep(12.0)
                assert kinds(taking) == [], f"told of a clock that jumped to {jump_s} s"
            breaks(proxy)
            await asyncio.sleep(8.0)
            for jump_s in (DAY_S, TEN_YEARS_S, -HOUR_S):
                set_clock(jump_s)
                await asyncio.sleep(2.0)
            await until(lambda: kinds(taking) == [("worse", False)], "the notice")
            for jump_s in (TEN_YEARS_S, -TEN_YEARS_S, DAY_S, -DAY_S):
                set_clock(jump_s)
                await asyncio.sleep(6.0)
                assert kinds(taking) == [("worse", False)]
            proxy.accept()
            await asyncio.sleep(6.0)
            for jump_s in (-HOUR_S, TEN_YEARS_S, 0):
                set_clock(jump_s)
                await asyncio.sleep(2.0)
            await until(lambda: kinds(taking)[1:] == [("well", False)], "that it is well")
            process.terminate()
            assert await asyncio.wait_for(process.wait(), 30) == 143
    worse = json.loads(taking.taken()[0].body)
    lasts = [line for line in worse["text"].splitlines() if line.startswith("since ")]
    assert lasts, worse
