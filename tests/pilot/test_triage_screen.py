"""The triage screen under an operator's fingers."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from textual.pilot import Pilot

from tests.data.facts import NOW, archiver, healthy, read
from tests.data.snapshots import STATES, failing, incident
from tests.data.stage import FrozenClock, noting, screen_text, settle, stage, until
from tests.long import always
from walconsole.domain.facts.evidence import ChildProcess, CommandFacts
from walconsole.domain.facts.snapshot import Snapshot, fold
from walconsole.domain.incidents.model import (
    HOLD_S,
    AccessChange,
    IncidentLog,
    Look,
    Note,
    Run,
    RunResult,
    Seen,
    SetAside,
)
from walconsole.domain.standing.model import Fix, Level
from walconsole.operator_files.incident_file import SessionIncidents
from walconsole.session.incident_memory import IncidentMemory
from walconsole.ui.app import WalconsoleApp
from walconsole.ui.board.glyphs import UNICODE
from walconsole.ui.board.keys import own
from walconsole.ui.configuration.screen import ConfigurationScreen
from walconsole.ui.dashboard.screen import Dashboard
from walconsole.ui.dialogs.help import PageHelp
from walconsole.ui.triage import times
from walconsole.ui.triage.rows import story_rows
from walconsole.ui.triage.screen import TriageScreen

SIZES = ((80, 24), (120, 36), (200, 60), (100, 10), (40, 10), (20, 5), (1, 1))


def hanging() -> Snapshot:
    child = ChildProcess(4711, NOW - 400, "sh -c 'rclone \x1b[31mcopyto'", "sleeping", "hrtimer_nanosleep")
    return fold(
        healthy(archiver=archiver(ready_count=3)),
        read(Snapshot.command, CommandFacts("rclone copyto %p x:y", children=(child,))),
        NOW,
    )


async def opened(pilot: Pilot[None]) -> TriageScreen:
    await settle(pilot)
    await pilot.press("i")
    await until(pilot, lambda: isinstance(pilot.app.screen, TriageScreen))
    screen = pilot.app.screen
    assert isinstance(screen, TriageScreen)
    await pilot.pause()
    return screen


def shown(screen: TriageScreen, pane: str) -> str:
    rows = screen.panes[pane]
    return "\n".join(rows.line(index).text for index in range(rows.rows))


def written(folder: Path) -> list[Path]:
    return list(folder.glob("walconsole-incident-*"))


async def test_a_revoked_grant_is_one_story_from_the_key_to_the_disk() -> None:
    app = stage(failing())
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await opened(pilot)
        story = shown(screen, "story")
        assert story.index("refuses the key") < story.index("archiving fails at")
        assert "lost with the disk now" in story
        assert "AccessDenied" in shown(screen, "evidence")
        assert "aws s3 ls s3://shithub-wal/" in shown(screen, "remedy")
        assert "38 segments wait" in shown(screen, "remedy")


async def test_the_cursor_chooses_whose_evidence_is_shown() -> None:
    app = stage(failing())
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await opened(pilot)
        rows = screen.panes["story"]
        at = next(index for index in range(rows.rows) if "archiving fails at" in rows.line(index).text)
        for _ in range(at):
            await pilot.press("j")
        await pilot.pause()
        assert "failed_count=63" in shown(screen, "evidence")
        assert screen.finding is not None
        assert screen.finding.rule == "failing"


async def test_nothing_wrong_is_said_with_what_was_considered() -> None:
    app = stage(STATES["idle"]())
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await opened(pilot)
        story = shown(screen, "story")
        assert "nothing is wrong" in story
        assert "the server is idle" in story
        assert "nothing to mend" not in screen_text(app)
        await pilot.press("f", "y", "o", "question_mark")
        assert isinstance(app.screen, PageHelp | TriageScreen)


async def test_f_opens_the_steps_of_the_fix_and_only_where_something_may_be_changed() -> None:
    app = stage(hanging(), read_only=True)
    asked: list[Fix] = []

    async with app.run_test(size=(120, 36)) as pilot:
        screen = await opened(pilot)
        assert "(read-only: by hand)" in shown(screen, "remedy")
        await pilot.press("f")
        assert not asked
        app.current.read_only, app.current.fixer = False, noting(asked)
        with pytest.raises(RuntimeError, match="enough"):
            screen.action_fix()
        assert [(fix.step, fix.subject) for fix in asked] == [("bounded-command", "4711")]


async def test_d_opens_the_probes() -> None:
    app = stage(hanging())
    asked: list[Fix] = []

    async with app.run_test(size=(120, 36)) as pilot:
        screen = await opened(pilot)
        await pilot.press("P")  # read-only: said, and nothing more
        assert not asked
        app.current.fixer = noting(asked)
        with pytest.raises(RuntimeError, match="enough"):
            screen.action_dig()
        assert [fix.step for fix in asked] == ["probes"]


async def test_the_report_holds_what_the_screen_says_and_no_escape_sequence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    app = stage(hanging())
    async with app.run_test(size=(120, 36)) as pilot:
        await opened(pilot)
        await pilot.press("e")
        await until(pilot, lambda: len(written(tmp_path)) == 3)
    texts = {path.suffix: path.read_text("utf-8") for path in written(tmp_path)}
    assert "command-hangs" in texts[".md"]
    assert json.loads(texts[".json"])["stories"][0]["root"]["id"] == "command-hangs"
    assert texts[".svg"].startswith("<svg")
    assert not any("\x1b" in text for text in texts.values())


async def test_o_leads_to_the_setting() -> None:
    app = stage(incident())
    async with app.run_test(size=(120, 36)) as pilot:
        await opened(pilot)
        await pilot.press("o")
        await until(pilot, lambda: isinstance(app.screen, ConfigurationScreen))


async def test_a_click_on_the_verdict_opens_it() -> None:
    app = stage(failing())
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        await pilot.click(offset=(20, 0))
        await until(pilot, lambda: isinstance(app.screen, TriageScreen))


async def test_the_time_line_grows_and_shrinks() -> None:
    app = stage(failing())
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await opened(pilot)
        before = shown(screen, "times")
        await pilot.press("less_than_sign")
        assert shown(screen, "times") != before
        await pilot.press("greater_than_sign")
        assert shown(screen, "times") == before


@pytest.mark.parametrize(
    ("state", "size"),
    always(
        *((state, (120, 36)) for state in ("failing", "healthy", "nothing_readable")),
        *(("hostile", size) for size in ((80, 24), (1, 1))),
        of=[
            *((state, (120, 36)) for state in ("failing", "healthy", "nothing_readable")),
            *(("hostile", size) for size in SIZES),
        ],
        several=True,
    ),
)
async def test_no_size_and_no_key_ends_the_session(state: str, size: tuple[int, int]) -> None:
    app = stage(STATES[state]())
    async with app.run_test(size=size) as pilot:
        await opened(pilot)
        for action in own("triage"):
            if action.action in ("screen.leave", "screen.export", "screen.explain", "screen.go_there"):
                continue
            await pilot.press(action.keys.split(",")[0])
        await pilot.press("escape", "escape")
        await until(pilot, lambda: isinstance(app.screen, Dashboard))
        assert app.is_running


def remembering(app: WalconsoleApp, state: str) -> None:
    """The app's session knows of an incident before this one, and of a step that was run in it."""
    start = NOW - 3000
    cause = Seen("key-403/primary/", "key-403", "critical", "the store refuses the key")
    shelf = SessionIncidents()
    bad = Look(start, Level.CRITICAL, "archiving FAILS", (cause,), 412, 90.0, 412, 412 << 24, 600.0)
    notes: list[Note] = [bad, Run("grants", "Give the grant back", start + 700, RunResult.DONE, start + 705)]
    notes.append(AccessChange("grants", "grant", "walls@nyc3", "read", "readwrite", start + 702))
    if state == "idle":
        notes += [Look(at, Level.OK, "ok", (), 0) for at in (start + 720, start + 720 + HOLD_S)]
    shelf.note(notes, NOW)
    app.current.memory = IncidentMemory(shelf, FrozenClock())


@pytest.mark.parametrize("size", SIZES)
async def test_the_open_incident_is_on_the_dashboard_and_in_triage(size: tuple[int, int]) -> None:
    app = stage(failing())
    async with app.run_test(size=size) as pilot:
        remembering(app, "failing")
        screen = await opened(pilot)
        await until(pilot, lambda: size[0] < 80 or "worst 412" in " ".join(shown(screen, "story").split()))
        story = " ".join(shown(screen, "story").split())
        if size[0] >= 80:
            assert "incident since" in story.partition("refuses the key")[0]
            assert "“Give the grant back” done at" in story
        assert screen.finding is not None  # the cursor is on the incident's row: the worst story is meant
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, Dashboard))
        if size == (120, 36):
            await until(pilot, lambda: "incident since" in screen_text(app))


async def test_after_the_mend_the_last_incident_and_its_time_line_are_there() -> None:
    app = stage(STATES["idle"]())
    async with app.run_test(size=(120, 36)) as pilot:
        remembering(app, "idle")
        screen = await opened(pilot)
        await until(pilot, lambda: "last incident" in shown(screen, "story"))
        assert "(12 min 00 s): key-403, at worst 412 segments waiting, mended after" in " ".join(
            shown(screen, "story").split()
        )
        for _ in times.SPANS_S:
            screen.action_span(1)
        rows = screen.panes["times"]
        line = "\n".join(rows.line(index).value for index in range(rows.rows))
        for words in ("incident opened", "grant walls@nyc3 changed by walconsole", "the verdict is OK again"):
            assert words in line


async def test_nothing_is_called_right_before_it_was_read() -> None:
    app = stage(STATES["unread"]())
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await opened(pilot)
        assert "nothing was read yet" in shown(screen, "story")
        assert "nothing is wrong" not in shown(screen, "story")


async def test_what_is_not_remembered_is_said_with_why() -> None:
    app = stage(STATES["idle"]())
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await opened(pilot)
        aside = SetAside(NOW - 60, "/s/shithub.json.unreadable-1", "it is no object")
        old = replace(aside, at=NOW - 9 * 86_400, kept="/s/old")
        log = IncidentLog(set_aside=(old, aside), problem="writing what is remembered: No space left")
        assert app.dashboard.taken is not None
        taken = app.dashboard.taken
        rows = story_rows(taken.diagnosis, taken.snapshot, NOW, 200, UNICODE, log)
        told = [row.value for row in rows if row.entry == "incident"]
        assert len(told) == 2
        assert told[0].startswith("nothing is kept past this session: writing what is remembered: No space")
        assert "(it is no object); it is kept as /s/shithub.json.unreadable-1" in told[1]
        assert "unreadable" not in shown(screen, "story")
