"""The screen that leads through a recovery, under an operator's fingers."""

import shlex
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest
from textual.pilot import Pilot

from tests.data.facts import MIB, SEGMENT
from tests.data.moments import found_moments
from tests.data.recoveries import RECOVERIES
from tests.data.recovering import PAUSED
from tests.data.stage import screen_text, settle, stage, until
from walconsole.domain.profile import ClusterName
from walconsole.domain.recovery.recover_asked import read_wish
from walconsole.domain.recovery.recover_plan import RecoveryWish
from walconsole.domain.recovery.recover_state import OPENING, RecoveryPhase, RecoveryState
from walconsole.domain.recovery.recover_target import IN_PLACE, RecoverTo
from walconsole.domain.standing.model import Fix
from walconsole.domain.wal import format_lsn
from walconsole.errors import ShellError
from walconsole.ui.app import WalconsoleApp
from walconsole.ui.dialogs.dialog import Choice, Prompt
from walconsole.ui.dialogs.help import HelpScreen
from walconsole.ui.recovery.moment_screen import MomentScreen
from walconsole.ui.recovery.recover_screen import BACK, DUMP, FURTHER, LOOK, ONWARDS, RECOVER, RecoverScreen
from walconsole.ui.recovery.screen import RecoveryScreen

FOUND = found_moments()


class Staged:
    """An app with a recovery that stands as `state` says; `fixes` are what was asked of the steps."""

    def __init__(self, state: RecoveryState | ShellError | None = None, picture: str = "nightly") -> None:
        self.app = stage(RECOVERIES[picture]())
        self.fixes: list[Fix] = []
        self.session = next(iter(self.app.sessions.values()))
        self.session.found_moments = FOUND
        self.session.open_fix = self.fixes.append  # type: ignore[assignment,method-assign]  # they have tests of their own

        async def read() -> RecoveryState:
            if isinstance(state, ShellError):
                raise state
            return state or RecoveryState()

        self.session.recovery_state = read

    @property
    def wish(self) -> RecoveryWish:
        return read_wish(shlex.split(self.fixes[-1].subject))


def screen_of(app: WalconsoleApp) -> RecoverScreen:
    return next(each for each in app.screen_stack if isinstance(each, RecoverScreen))


async def opened(pilot: Pilot[None], *keys: str) -> RecoverScreen:
    await settle(pilot)
    await pilot.press("v")
    await until(pilot, lambda: isinstance(pilot.app.screen, RecoveryScreen))
    await pilot.press(*keys, "U")
    await until(pilot, lambda: isinstance(pilot.app.screen, RecoverScreen))
    app = pilot.app
    assert isinstance(app, WalconsoleApp)
    await until(pilot, lambda: screen_of(app).unread != "not read yet")
    return screen_of(app)


def shown(screen: RecoverScreen, pane: str) -> str:
    rows = screen.panes[pane]
    return " ".join(" ".join(rows.line(index).text for index in range(rows.rows)).split())


async def test_from_the_event_to_the_steps_by_keys() -> None:
    staged = Staged()
    async with staged.app.run_test(size=(120, 36)) as pilot:
        screen = await opened(pilot, "M")
        dropped = FOUND.worst(FOUND.moments())
        assert dropped is not None
        aim = shown(screen, "aim")
        assert "happened dropped 3: shop: OID 16400" in aim
        assert dropped.first_lsn is not None
        assert (
            f"target lsn {format_lsn(dropped.first_lsn)}, exclusive" in aim
        )  # nothing was committed between
        assert "where into the new cluster 15/restored" in aim
        assert "at least 17 transactions" in shown(screen, "forecast")
        assert "recover shithub to lsn" in " ".join(screen_text(staged.app).split())
        await pilot.press("x")
        await until(pilot, lambda: bool(staged.fixes))
        assert staged.fixes[0].step == RECOVER
        assert staged.wish.target.lsn == dropped.first_lsn
        assert staged.wish.target.inclusive is False
        assert staged.wish.place.cluster == ClusterName("15", "restored")


async def test_lines_are_chosen_anew() -> None:
    staged = Staged()
    async with staged.app.run_test(size=(120, 36)) as pilot:
        screen = await opened(pilot)
        assert "all that is archived" in shown(screen, "aim")
        await pilot.press("j", "enter")
        await until(pilot, lambda: isinstance(staged.app.screen, Choice))
        await pilot.press("down", "enter")
        await until(pilot, lambda: isinstance(staged.app.screen, Prompt))
        await pilot.press(*"2026-09-21 13:02Z", "enter")
        await until(pilot, lambda: "time 2026-09-21 13:02:00.000000+00, exclusive" in shown(screen, "aim"))
        await pilot.press("I")
        await until(pilot, lambda: "00, inclusive" in shown(screen, "aim"))
        await pilot.press("j", "enter")
        await until(pilot, lambda: isinstance(staged.app.screen, Choice))
        await pilot.press("down", "down", "enter")
        await until(pilot, lambda: "in place of the old cluster" in shown(screen, "aim"))
        await pilot.press("Y")
        assert staged.app.clipboard.startswith("walconsole recover shithub --to '2026-09-21 13:02:00")
        assert "--in-place" in staged.app.clipboard


async def test_what_is_refused_says_why_and_is_not_begun() -> None:
    staged = Staged()
    async with staged.app.run_test(size=(120, 36)) as pilot:
        screen = await opened(pilot)
        await pilot.press("T", *"0/1000", "enter")
        await until(pilot, lambda: "target-before-consistency" in shown(screen, "forecast"))
        assert screen_text(staged.app).splitlines()[0].split()[1] == "BLOCKED"
        await pilot.press("x")
        await until(
            pilot, lambda: any("cannot be made so" in each.title for each in staged.app._notifications)
        )
        assert staged.fixes == []
        await pilot.press("T", *"some-day", "enter")
        await until(
            pilot, lambda: any("that is no target" in each.title for each in staged.app._notifications)
        )


async def test_a_recovery_that_stands_open_is_shown_whoever_began_it_and_led_on() -> None:
    staged = Staged(PAUSED)
    async with staged.app.run_test(size=(120, 36)) as pilot:
        screen = await opened(pilot)
        text = " ".join(screen_text(staged.app).split())
        assert "OPEN shithub: recovery 20260921T130011Z: it stands at the target" in text
        assert "lock_timeout and statement_timeout" in shown(screen, "way")
        await pilot.press("x")
        await until(pilot, lambda: len(staged.fixes) == 1)
        assert (staged.fixes[0].step, staged.wish.target) == (ONWARDS, PAUSED.target)
        await pilot.press("P", *"t", "enter")
        await until(pilot, lambda: len(staged.fixes) == 2)
        assert (staged.fixes[1].step, staged.wish.looks) == (LOOK, ("select count(*) from t",))
        await pilot.press("e", *"shop/public.t", "enter")
        await until(pilot, lambda: len(staged.fixes) == 3)
        assert (staged.fixes[2].step, staged.wish.database, staged.wish.tables) == (
            DUMP,
            "shop",
            ("public.t",),
        )
        staged.fixes.pop()
        staged.app.current.recover_draft = replace(screen.draft, part="shop/public.orders")
        await pilot.press("e", "enter")
        await until(pilot, lambda: len(staged.fixes) == 3)
        assert (staged.wish.database, staged.wish.tables) == ("shop", ("public.orders",))
        staged.fixes.pop()
        await pilot.press("u")
        await until(pilot, lambda: len(staged.fixes) == 3)
        assert (staged.fixes[2].step, staged.wish.place) == (BACK, PAUSED.place)
        assert PAUSED.target is not None
        later = format_lsn((PAUSED.target.lsn or 0) + SEGMENT)
        await pilot.press("T", *later, "enter")
        await until(pilot, lambda: len(staged.fixes) == 4)
        assert (staged.fixes[3].step, staged.wish.target.value) == (FURTHER, later)
        await pilot.press("T", *format_lsn((PAUSED.target.lsn or 0) - MIB), "enter")
        await until(
            pilot, lambda: any("not taken back" in each.message for each in staged.app._notifications)
        )
        assert len(staged.fixes) == 4


async def test_one_that_was_left_in_the_midst_goes_on() -> None:
    staged = Staged(RecoveryState(id="20260921T130011Z", phase=RecoveryPhase.RESTORING, place=IN_PLACE))
    async with staged.app.run_test(size=(120, 36)) as pilot:
        screen = await opened(pilot)
        assert "P" not in shown(screen, "way").split()[:1]
        await pilot.press("P")
        await until(pilot, lambda: len(staged.app._notifications) > 0)
        await pilot.press("x")
        await until(pilot, lambda: len(staged.fixes) == 1)
        assert (staged.fixes[0].step, staged.wish.target.to) == (RECOVER, RecoverTo.LATEST)


@pytest.mark.parametrize("phase", sorted(OPENING))
async def test_one_that_was_left_while_it_was_opened_is_opened_to_its_end(phase: RecoveryPhase) -> None:
    staged = Staged(replace(PAUSED, phase=phase, lives=False))
    async with staged.app.run_test(size=(120, 36)) as pilot:
        await opened(pilot)
        await pilot.press("x")
        await until(pilot, lambda: len(staged.fixes) == 1)
        assert (staged.fixes[0].step, staged.wish.backup) == (ONWARDS, PAUSED.backup)


async def test_where_it_cannot_be_read_nothing_is_claimed() -> None:
    staged = Staged(ShellError("reading the recovery's state", "the connection is lost", "r reads again"))
    async with staged.app.run_test(size=(120, 36)) as pilot:
        screen = await opened(pilot)
        assert "whether a recovery goes on there is not known: the connection is lost" in shown(screen, "aim")
        await pilot.press("u")
        await until(pilot, lambda: len(staged.app._notifications) > 0)
        assert staged.fixes == []


async def test_the_moment_leads_back_to_the_one_screen() -> None:
    staged = Staged()
    async with staged.app.run_test(size=(120, 36)) as pilot:
        screen = await opened(pilot)
        await pilot.press("M")
        await until(pilot, lambda: isinstance(staged.app.screen, MomentScreen))
        await pilot.press("U")
        await until(pilot, lambda: staged.app.screen is screen)
        await until(pilot, lambda: "dropped 3" in shown(screen, "aim"))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(staged.app.screen, RecoveryScreen))


NEW, OPEN, HOSTILE = Staged, partial(Staged, PAUSED), partial(Staged, picture="hostile_names")


@pytest.mark.parametrize(
    ("size", "made"),
    [
        ((80, 24), NEW),
        ((200, 60), NEW),
        ((20, 5), NEW),
        ((80, 24), OPEN),
        ((1, 1), OPEN),
        ((100, 10), HOSTILE),
    ],
    ids=["80x24", "200x60", "20x5", "open", "1x1", "hostile"],
)
async def test_it_holds_at_every_size(size: tuple[int, int], made: Callable[[], Staged]) -> None:
    staged = made()
    async with staged.app.run_test(size=size) as pilot:
        await opened(pilot, "M")
        for key in ("j", "tab", "j", "z", "z", "1", "2", "3", "G", "g", "r", "y"):
            await pilot.press(key)
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(staged.app.screen, HelpScreen))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(staged.app.screen, RecoverScreen))


def offered(screen: RecoverScreen) -> set[str]:
    return {sign for sign, _ in screen.hints()}


async def test_the_footer_offers_what_can_be_done_as_it_stands() -> None:
    begun = Staged()
    async with begun.app.run_test(size=(120, 36)) as pilot:
        screen = await opened(pilot)
        assert {"x", "T", "Enter", "I", "M"} <= offered(screen)
        assert not {"P", "e", "u"} & offered(screen)
    paused = Staged(PAUSED)
    async with paused.app.run_test(size=(120, 36)) as pilot:
        screen = await opened(pilot)
        await until(pilot, lambda: screen.picture is not None and screen.picture.open is not None)
        assert {"x", "T", "P", "e", "u"} <= offered(screen)
        assert not {"Enter", "I", "M"} & offered(screen)
        assert ("P", "look into it") in screen.key_bar.hints


async def test_where_nothing_is_to_be_kept_or_not_that_is_said() -> None:
    staged = Staged()
    async with staged.app.run_test(size=(120, 36)) as pilot:
        screen = await opened(pilot)
        assert screen.draft.wish.target.to is RecoverTo.LATEST
        await pilot.press("I")
        await until(pilot, lambda: len(staged.app._notifications) > 0)
        (toast,) = staged.app._notifications
        told = " ".join(toast.message.split())
        assert "all that is archived: nothing stands there to stop before or after" in told
