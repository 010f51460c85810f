"""Questions to the operator: what is shown, what is the default, and that no answer is a no."""

import asyncio

import pytest
from textual.widgets import Button, Input, OptionList

from tests.data.facts import CLUSTER
from tests.data.snapshots import HOSTILE, healthy
from tests.data.stage import screen_text, settle, stage, until
from walconsole.domain.facts.observed import HostKeyQuestion
from walconsole.domain.profile import ClusterName
from walconsole.ports import Operator, Screen
from walconsole.ui.dialogs.dialog import Choice

QUESTION = HostKeyQuestion(
    "db.example.com",
    22,
    "ssh-ed25519",
    "SHA256:Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zm9vYmFyYmE",
    "~/.ssh/known_hosts",
)


def test_a_session_is_what_observation_tells_and_asks() -> None:
    session: Screen = stage(healthy()).current
    assert isinstance(session, Operator)


@pytest.mark.parametrize(
    ("keys", "trusted"), [(["enter"], False), (["escape"], False), (["y"], True), (["tab", "enter"], True)]
)
async def test_an_unknown_host_key_is_shown_and_no_is_the_default(keys: list[str], trusted: bool) -> None:
    app = stage(healthy())
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        asked = asyncio.ensure_future(app.current.trust_host_key(QUESTION))
        await until(pilot, lambda: app.screen is not app.dashboard)
        text = screen_text(app)
        for part in (
            "db.example.com:22",
            "ssh-ed25519",
            QUESTION.fingerprint,
            "ssh-keygen -lf",
            "known_hosts",
        ):
            assert part in text
        assert isinstance(app.focused, Button)
        assert app.focused.id == "no"
        await pilot.press(*keys)
        assert await asked is trusted


async def test_a_cluster_is_chosen_from_the_list_or_not_at_all() -> None:
    other = type(CLUSTER)(ClusterName("16", "main"), 5433, "/run", "/var/lib/16", None, False, "postgres")
    app = stage(healthy())
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        asked = asyncio.ensure_future(app.current.choose_cluster([CLUSTER, other]))
        await until(pilot, lambda: app.screen is not app.dashboard)
        assert "16/main" in screen_text(app)
        await pilot.press("down", "enter")
        assert await asked == other
        asked = asyncio.ensure_future(app.current.choose_cluster([CLUSTER, other]))
        await until(pilot, lambda: app.screen is not app.dashboard)
        await pilot.press("escape")
        assert await asked is None


async def test_a_passphrase_is_never_on_the_screen() -> None:
    app = stage(healthy())
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        asked = asyncio.ensure_future(app.current.passphrase(f"passphrase for {HOSTILE}"))
        await until(pilot, lambda: app.screen is not app.dashboard)
        await pilot.press(*"hunter2")
        assert "hunter2" not in screen_text(app)
        await pilot.press("enter")
        assert await asked == "hunter2"


async def test_a_question_whose_asker_went_away_goes_away_too() -> None:
    app = stage(healthy())
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        asked = asyncio.ensure_future(app.current.trust_host_key(QUESTION))
        await until(pilot, lambda: app.screen is not app.dashboard)
        asked.cancel()
        await until(pilot, lambda: app.screen is app.dashboard)


async def test_help_explains_the_pane_in_focus() -> None:
    app = stage(healthy())
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await pilot.press("4", "question_mark")
        await until(pilot, lambda: app.screen is not app.dashboard and app.focused is not None)
        await until(pilot, lambda: "worry" in screen_text(app))
        assert "Bucket: what it means" in screen_text(app)
        await pilot.press("escape")
        assert app.screen is app.dashboard


async def test_a_theme_is_shown_while_it_is_highlighted_and_kept_or_not() -> None:
    app = stage(healthy())
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await until(pilot, lambda: "paper" in app.available_themes)
        await pilot.press("t")
        await until(pilot, lambda: app.screen is not app.dashboard and app.focused is not None)
        names = app.screen.query_one(OptionList).option_count
        assert names >= 5
        await pilot.press("down")
        await until(pilot, lambda: app.theme != "night")
        await pilot.press("escape")
        await until(pilot, lambda: app.theme == "night")


async def test_the_filter_applies_while_it_is_typed() -> None:
    from tests.data.snapshots import log_lines

    app = stage(healthy(), lines=log_lines(40))
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        log = app.dashboard.log_pane
        whole = log.rows
        await pilot.press("slash")
        await until(pilot, lambda: app.screen is not app.dashboard and app.focused is not None)
        assert isinstance(app.focused, Input)
        await pilot.press(*"error")
        await until(pilot, lambda: 0 < log.rows < whole)
        await pilot.press("escape")
        await until(pilot, lambda: log.rows == whole)
        await pilot.press("slash")
        await until(pilot, lambda: app.screen is not app.dashboard and app.focused is not None)
        await pilot.press(*"/err(", "enter")
        await pilot.pause(0.1)
        assert app.screen is not app.dashboard
        await pilot.press("backspace", "enter")
        await until(pilot, lambda: app.screen is app.dashboard)
        assert log.pattern == "/err"


async def test_a_line_that_is_answered_twice_is_answered_once_and_takes_no_other_screen_away() -> None:
    """Enter twice, on a machine that is busy: the second comes when the line has gone."""
    app = stage(healthy())
    answers: list[str | None] = []
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        app.ask_line("time:", answers.append)
        await until(pilot, lambda: isinstance(app.focused, Input))
        line = app.focused
        assert isinstance(line, Input)
        for _ in range(2):
            line.post_message(Input.Submitted(line, "-2h"))
        await until(pilot, lambda: app.screen is app.dashboard)
        await pilot.pause(0.1)
        assert "Archiver" in screen_text(app)
    assert answers == ["-2h"]


async def test_what_is_chosen_twice_leaves_the_screen_below_where_it_is() -> None:
    app = stage(healthy())
    chosen: list[int | None] = []
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await pilot.press("i")
        await until(pilot, lambda: app.screen is not app.dashboard and app.focused is not None)
        below = app.screen
        await app.push_screen(Choice("Which", ["one", "two"]), chosen.append)
        await until(pilot, lambda: isinstance(app.focused, OptionList))
        options = app.focused
        assert isinstance(options, OptionList)
        options.highlighted = 1
        for _ in range(2):
            options.action_select()
        await until(pilot, lambda: app.screen is below)
        await pilot.pause(0.1)
        assert app.screen is below
    assert chosen == [1]


async def test_a_toast_parts_a_path_where_a_folder_ends_and_says_a_thing_once() -> None:
    app = stage(healthy())
    path = "/home/deploy/.local/share/walconsole/transcripts/walconsole-provisioning-20261125T030000Z.json"
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await settle(pilot)
        for _ in range(2):
            app.current.notify(f"[not] markup: {path}", "exported")
        await until(pilot, lambda: "exported" in screen_text(app))
        lines = screen_text(app).splitlines()
        assert sum("exported" in line for line in lines) == 1
        folder = "/home/deploy/.local/share/walconsole/ "
        name = " walconsole-provisioning-20261125T030000Z.json "
        parts = (folder, " transcripts/ ", name)
        assert all(any(part in line for line in lines) for part in parts)
