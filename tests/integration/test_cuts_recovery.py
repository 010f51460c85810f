"""A recovery whose connection is lost in each of its commands: made again, or not, and gone on with later."""

import asyncio
import random
import re
import secrets
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread

import pytest

from tests.e2e.terminal import Terminal
from tests.integration.cut_lines import Cutting, Line, walked
from tests.integration.deaths import each_death
from tests.integration.failure_stage import deployment, provisioned
from tests.integration.provision_stage import Stage
from tests.integration.recover_parts import (
    Program,
    assert_untouched,
    listing,
    names,
    observed,
    orders,
    text_of,
)
from tests.integration.walking import ALARMS, GREEN, Operator
from tests.servers.archived import fill_segment, wait_archived
from tests.servers.ports import wait_until
from tests.servers.rgw import RadosGateway
from tests.servers.workspace import Workspace
from walconsole.domain.recovery.recover_plan import RecoveryWish
from walconsole.domain.recovery.recover_state import RecoveryPhase
from walconsole.domain.recovery.recover_target import (
    IN_PLACE,
    RecoverTo,
    RecoveryPlace,
    read_into,
    read_target,
)
from walconsole.droplet.names import names_of
from walconsole.errors import WalconsoleError
from walconsole.provision.droplet import followed_run
from walconsole.provision.engine import runner
from walconsole.provision.engine.model import Step
from walconsole.provision.recovering.catalogue import back, further, loading, onwards, to_the_pause
from walconsole.provision.recovering.recovery import Recovery
from walconsole.provision.steps.catalogue import drill_steps

pytestmark = [pytest.mark.server, pytest.mark.timeout(1500)]

FEWEST_LOST, MOST_CUTS = 4, 10
LOST = re.compile("connection (was lost|did not come back)|cannot connect")
"""What a console says that has ended for that."""


@pytest.fixture
async def stage(workspace: Workspace, rgw: RadosGateway, rgw_dr: RadosGateway) -> AsyncIterator[Stage]:
    async with deployment(workspace, rgw, rgw_dr, f"r{secrets.token_hex(2)}") as made:
        await provisioned(made)
        observed(made)
        yield made


@dataclass
class Recovering:
    """A deployment with an accident in it, its operator's console, and the way to the droplet."""

    stage: Stage
    line: Line
    place: str
    """The LSN before the accident."""
    later: str
    """Between its two parts."""
    moments: random.Random
    said: list[str] = field(default_factory=list)

    @property
    def recovery(self) -> Recovery:
        """As a console that is started now has it."""
        return Recovery(self.stage.site, tables=("orders",))

    def wished(self, into: RecoveryPlace) -> Recovery:
        """One that is begun."""
        wish = RecoveryWish(read_target(RecoverTo.LSN, self.place), into, tables=("orders",))
        return Recovery(self.stage.site, wish)

    async def made_again(self, *of: Sequence[Step]) -> None:
        """These runs, one after the other, with the connection cut in each command: no run may fail."""
        cutting = Cutting(self.line.cut, self.moments)
        for steps in of:
            await walked(self.stage.site, steps, self.stage, cutting.heard)
        assert len(cutting.done) >= len(of)

    async def not_made_again(self, of: Callable[[], Awaitable[Sequence[Step]]]) -> int:
        """One run, begun again by another console as often as the connection was lost for good; how often."""
        cutting, lost = Cutting(self.line.go, self.moments), 0
        while True:
            try:
                await walked(self.stage.site, await of(), self.stage, cutting.heard)
            except WalconsoleError as error:
                self.said.append(error.line())
                if self.stage.sshd.running:
                    raise
                lost += 1
                self.line.come_back()
                self.stage.site.shell.retry()  # as of one that begins
            else:
                self.line.come_back()
                return lost

    async def assert_nothing_left(self) -> None:
        """No script and no private server runs, no lock, no file in a temporary folder, no claim."""
        names_here = names_of(self.stage.profile)
        state = await self.recovery.state()
        assert (state.running, state.lives, state.is_open) == (False, False, False)
        assert running_of(names_here.recover.rpartition("/")[2]) == []
        assert names(f"{self.stage.root}/var/tmp") == set()
        assert not [key for held in listing(self.stage) for key in held if key.endswith("lock.json")]


def running_of(word: str) -> list[str]:
    """The command lines of processes that have that word in them."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_text().replace("\0", " ")
        except OSError:
            continue
        if word in command:
            found.append(command)
    return found


@pytest.fixture
def accident(stage: Stage, cut: int) -> Recovering:
    """Rows deleted, then a table dropped."""
    cluster = stage.cluster
    cluster.sql("CREATE TABLE orders AS SELECT generate_series(1, 50) AS n")
    cluster.sql("CREATE TABLE lost AS SELECT generate_series(1, 7) AS n")
    place = text_of(cluster, "SELECT pg_current_wal_insert_lsn()")
    cluster.sql("DELETE FROM orders WHERE n <= 40")
    later = text_of(cluster, "SELECT pg_current_wal_insert_lsn()")
    cluster.sql("DROP TABLE lost")
    wait_archived(cluster, [fill_segment(cluster) for _ in range(3)])
    return Recovering(stage, Line(stage), place, later, random.Random(cut))  # noqa: S311  # no secret


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Of each a deployment of its own."""
    each_death(metafunc, "cut", 1, 6)


@pytest.mark.long
async def test_cut_in_each_command_beside_the_old_server_and_made_again(accident: Recovering) -> None:
    cluster, stage = accident.stage.cluster, accident.stage
    started, before = text_of(cluster, "SELECT pg_postmaster_start_time()"), listing(stage)
    recovery = accident.wished(read_into("15/restored"))
    await accident.made_again(
        to_the_pause(recovery),
        loading(recovery, "postgres", "public.lost"),
        further(recovery, read_target(RecoverTo.LSN, accident.later)),
        back(recovery),
    )
    assert cluster.sql("SELECT count(*) FROM lost") == [(7,)]
    assert (await recovery.state()).phase is RecoveryPhase.GIVEN_UP
    await accident.assert_nothing_left()
    assert assert_untouched(before, listing(stage)) == set()
    assert orders(cluster) == 10
    assert text_of(cluster, "SELECT pg_postmaster_start_time()") == started, "it was never stopped"
    assert cluster.sql("SELECT failed_count FROM pg_stat_archiver") == [(0,)]


@pytest.mark.long
async def test_cut_in_each_command_in_its_place_and_made_again(accident: Recovering) -> None:
    before = listing(accident.stage)
    recovery = accident.wished(IN_PLACE)
    await accident.made_again(to_the_pause(recovery))
    await accident.made_again(onwards(recovery, await recovery.state()))
    await in_force(accident, before)


@pytest.mark.long
async def test_cut_while_it_is_given_up_the_old_server_runs_again(accident: Recovering) -> None:
    cluster, stage = accident.stage.cluster, accident.stage
    before = listing(stage)
    await walked(stage.site, to_the_pause(accident.wished(IN_PLACE))[:3], stage)
    assert not cluster.running
    loop, starts = asyncio.get_running_loop(), cluster.data_dir / "postmaster.pid"

    def cut_while_it_starts() -> None:
        wait_until(starts.exists, "the old server starts", 120)
        accident.line.cut()

    cutting = Cutting(lambda: loop.run_in_executor(None, cut_while_it_starts), accident.moments)
    await walked(stage.site, back(accident.recovery), stage, cutting.heard)
    assert len(cutting.done) == 2, "its server ended, the old one started"
    assert (await accident.recovery.state()).phase is RecoveryPhase.GIVEN_UP
    assert orders(cluster) == 10
    await accident.assert_nothing_left()
    assert assert_untouched(before, listing(stage)) == set()


async def in_force(accident: Recovering, before: list[dict[str, str]]) -> None:
    """In its place to the end: the old files stay, and in the archive what was there is as it was."""
    cluster, state = accident.stage.cluster, await accident.recovery.state()
    assert state.phase is RecoveryPhase.DONE
    assert orders(cluster) == 50
    assert names(f"{state.old}.before-{state.id}") >= {"PG_VERSION", "base"}
    assert cluster.sql("SHOW archive_mode") == [("on",)]
    await accident.assert_nothing_left()
    new = assert_untouched(before, listing(accident.stage))
    assert all(key.startswith("base/") or key == "00000002.history" for key in new), new


# -- By command, and by screen.


@contextmanager
def cutting_now_and_then(accident: Recovering) -> Iterator[list[int]]:
    """Meanwhile the connection is cut some ten times; how many connections each time."""
    ended, cuts = Event(), list[int]()

    def cut() -> None:
        while not ended.wait(accident.moments.uniform(4.0, 15.0)) and len(cuts) < MOST_CUTS:
            cuts.append(accident.line.cut())

    running = Thread(target=cut, name="cuts")
    running.start()
    try:
        yield cuts
    finally:
        ended.set()
        running.join()


@pytest.mark.long
async def test_by_command_cut_now_and_then(accident: Recovering, tmp_path: Path) -> None:
    program = Program(accident.stage, tmp_path)
    wish = ("--to-lsn", accident.place, "--into", "15/restored", "--count", "orders")
    with cutting_now_and_then(accident) as cuts:
        code, said = await program.run(*wish, "--apply", *program.confirm)
        assert code == 0, said
        assert "    50" in said
        code, said = await program.run("--give-up", *program.confirm)
        assert code == 0, said
    assert any(cuts)
    await accident.assert_nothing_left()
    assert orders(accident.stage.cluster) == 10


@pytest.mark.long
async def test_by_screen_cut_now_and_then(accident: Recovering, tmp_path: Path) -> None:
    program = Program(accident.stage, tmp_path)
    await asyncio.to_thread(walks, program, accident)
    await accident.assert_nothing_left()
    assert accident.stage.cluster.sql("SELECT count(*) FROM lost") == [(7,)]


def walks(program: Program, accident: Recovering) -> None:
    """By the keys that the screen offers: to the pause, one table brought back, given up."""
    home = {"HOME": program.environment["HOME"], "LANG": "C.UTF-8"}
    path = {"PYTHONPATH": str(Path(__file__).parents[2] / "src")}
    command = [sys.executable, "-m", "walconsole", "it"]
    with Terminal(command, environment=home | path, columns=120, rows=40) as terminal:
        operator = Operator(terminal)
        terminal.wait_until(lambda: operator.verdict in (GREEN, "UNKNOWN", *ALARMS), "the first picture", 90)
        operator.press("v")
        terminal.wait_for("Base backups")
        operator.press("U")
        terminal.wait_for("The way", 30.0)
        operator.press("T")
        terminal.wait_for("to (a time")
        terminal.type(f"{accident.place}\r")
        terminal.wait_for(f"lsn {accident.place}, exclusive", 30.0)
        with cutting_now_and_then(accident) as cuts:
            operator.press("x")
            operator.steps()
            terminal.wait_for("it stands at the target, and can be read", 120.0)
            operator.press("e")
            terminal.wait_for("dump (")
            terminal.type("public.lost\r")
            operator.steps()
            terminal.wait_for("it stands at the target, and can be read", 120.0)
            operator.press("u")
            operator.steps()
            terminal.wait_for("no recovery goes on there", 120.0)
        assert any(cuts)
        terminal.type("q")
        terminal.wait()


# -- A drill.


def drills_of(stage: Stage) -> list[set[str]]:
    """What drills proved, by their keys, in each copy."""
    return [{key for key in held if key.startswith("walconsole/drills/")} for held in listing(stage)]


def assert_proved_once(stage: Stage, before: list[dict[str, str]]) -> None:
    """Its result in both copies, the same; nothing else of it anywhere."""
    primary, dr = drills_of(stage)
    assert (len(primary), primary) == (1, dr)
    assert assert_untouched(before, listing(stage)) == primary
    drill = names_of(stage.profile).drill
    assert running_of(drill.rpartition("/")[2]) == []
    left = {"by-hand.ended", "by-hand.said", "last.json", "proved", "status.json"}
    assert names(names_of(stage.profile).drill_state) <= left
    assert names(f"{stage.root}/var/tmp") == set()


@pytest.mark.long
async def test_a_drill_is_followed_again_after_each_cut(stage: Stage, cut: int) -> None:
    line, moments, before = Line(stage), random.Random(cut), listing(stage)  # noqa: S311  # no secret
    cutting = Cutting(line.cut, moments)

    async def cuts_more() -> None:
        for _ in range(2):
            await asyncio.sleep(moments.uniform(1.0, 8.0))
            line.cut()

    more = asyncio.create_task(cuts_more())
    await walked(stage.site, drill_steps(stage.site), stage, cutting.heard)
    more.cancel()
    assert ("drill", names_of(stage.profile).drill) in cutting.done
    assert_proved_once(stage, before)


@pytest.mark.long
@pytest.mark.usefixtures("impatient")
async def test_a_drill_goes_on_where_nobody_comes_back(stage: Stage, cut: int) -> None:
    line, before = Line(stage), listing(stage)
    cutting = Cutting(line.go, random.Random(cut), only=frozenset(("drill",)))  # noqa: S311  # no secret
    with pytest.raises(WalconsoleError, match=LOST):
        await walked(stage.site, drill_steps(stage.site), stage, cutting.heard)
    state = Path(names_of(stage.profile).drill_state)
    await asyncio.to_thread(wait_until, (state / "by-hand.ended").exists, "the drill's end", 900)
    assert_proved_once(stage, before)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "LONGEST_RECONNECTING_S", 4.0)
    monkeypatch.setattr(followed_run, "_AWAY_S", 4.0)


@pytest.mark.long
@pytest.mark.usefixtures("impatient")
async def test_lost_for_good_in_each_command_and_gone_on_with_by_another_console(
    accident: Recovering,
) -> None:
    before, begun = listing(accident.stage), accident.wished(IN_PLACE)

    async def restoring() -> Sequence[Step]:
        open_there = (await accident.recovery.state()).is_open
        return to_the_pause(accident.recovery if open_there else begun)

    async def opening() -> Sequence[Step]:
        recovery = accident.recovery
        return onwards(recovery, await recovery.state())

    lost = await accident.not_made_again(restoring) + await accident.not_made_again(opening)
    assert lost >= FEWEST_LOST
    assert all(LOST.search(line) for line in accident.said), accident.said
    await in_force(accident, before)
