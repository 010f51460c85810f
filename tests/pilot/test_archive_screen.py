"""The archive screen under an operator's fingers."""

import asyncio
import json
import stat
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from textual.command import CommandPalette
from textual.pilot import Pilot
from textual.widgets import Button

from tests.data.archives import (
    ARCHIVES,
    DR_RUNS,
    NEWEST,
    PRIMARY_RUNS,
    Register,
    bucket_of,
    dr_unread,
    holes,
    keys_of,
    of,
    readers,
    whole,
)
from tests.data.bucket_reader import KeysReader, refusal, segment_keys
from tests.data.facts import NOW
from tests.data.snapshots import HOSTILE, STATES, incident
from tests.data.stage import ScriptedObserver, noting, screen_text, settle, stage, until
from tests.long import always
from walconsole.domain.archive.gaps import Gap
from walconsole.domain.archive.growth import Compressibility
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.profile import BucketRole
from walconsole.domain.recovery.keep import Keep
from walconsole.domain.standing.model import Fix
from walconsole.domain.wal import Segment
from walconsole.errors import RegisterError
from walconsole.ui.archive.screen import ArchiveScreen
from walconsole.ui.board.glyphs import ASCII
from walconsole.ui.dashboard.screen import Dashboard
from walconsole.ui.dialogs.dialog import Confirm, Prompt

SIZES = ((80, 24), (120, 36), (200, 60), (100, 10), (40, 10), (20, 5), (1, 1))
PANES = ("coverage", "answers", "primary", "dr", "object")


def told(screen: ArchiveScreen, pane: str) -> str:
    """All rows of a pane, seen or not."""
    rows = screen.panes[pane]
    return "\n".join(rows.line(index).text for index in range(rows.rows))


def player(
    snapshot: Snapshot | None = None, keys: tuple[KeysReader, KeysReader] | None = None
) -> ScriptedObserver:
    return ScriptedObserver([snapshot or holes()], readers=keys or readers())


async def opened(pilot: Pilot[None], *keys: str) -> ArchiveScreen:
    """The screen with its picture on it, its keys fetched, and these keys pressed."""
    await settle(pilot)
    await pilot.press("b")
    await until(pilot, lambda: isinstance(pilot.app.screen, ArchiveScreen))
    screen = pilot.app.screen
    assert isinstance(screen, ArchiveScreen)
    await until(pilot, lambda: screen.desk is not None)
    await pilot.pause(0.05)
    for key in keys:
        await pilot.press(key)
        await pilot.pause()
    return screen


def on_key(screen: ArchiveScreen, role: BucketRole, key: str) -> Callable[[], bool]:
    """Whether the cursor of a bucket's keys is on that one."""
    return lambda: screen.views[role].key == key


async def test_the_worst_is_seen_at_once() -> None:
    app = stage(observer=player())
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await opened(pilot)
        text = screen_text(app)
        assert text.startswith(" ✗ CRITICAL")
        assert "▲ WARNING  the DR copy" in text
        assert "gaps        ✗ 2 gaps, 4 segments missing" in text
        assert "✗ 3 segments, 48.0 MiB of WAL" in told(screen, "object")
        assert "S3 LIST shithub-wal · 2.0 s" in text


@pytest.mark.parametrize("size", always((80, 24), (1, 1), of=SIZES))
async def test_no_size_and_no_key_ends_the_session(size: tuple[int, int]) -> None:
    app = stage(observer=player())
    async with app.run_test(size=size) as pilot:
        screen = await opened(pilot)
        for key in "1jkhlgGzlhggyz2jjG3jkGgh4kkyb5jz":
            await pilot.press(key)
        await pilot.press("home", "end", "pagedown", "pageup", "tab", "shift+tab", "enter", "enter")
        await pilot.press("slash", "escape", "question_mark", "escape", "m", "escape", "e", "escape")
        assert app._exception is None
        assert isinstance(app.screen, ArchiveScreen)
        screen.board.maximised = False
        for pane in PANES:
            screen.action_jump(pane)
            await pilot.pause()
            if size[1] > 10:
                assert screen.panes[pane].size.height > 2
        for _ in range(12):
            await pilot.press("escape")
        assert isinstance(app.screen, Dashboard)


@pytest.mark.parametrize(
    "make",
    always(*ARCHIVES.values(), STATES["incident"], of=[*ARCHIVES.values(), *STATES.values()]),
    ids=lambda make: f"{make.__module__.rpartition('.')[2]}.{make.__name__}",
)
async def test_every_state_of_the_snapshot_opens(make: Callable[[], Snapshot]) -> None:
    app = stage(observer=player(make()))
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await opened(pilot, "n", "enter", "y", "escape", "2", "y", "3", "enter", "y", "A", "escape")
        assert app._exception is None
        assert screen.verdicts.archive.word


@pytest.mark.parametrize("state", ["nothing_readable", "incident", "unread"])
async def test_what_cannot_be_read_says_why_and_never_zero(state: str) -> None:
    app = stage(STATES[state]())
    async with app.run_test(size=(200, 60)) as pilot:
        screen = await opened(pilot)
        for pane in ("coverage", "primary", "dr"):
            text = told(screen, pane)
            assert "n/a: " in text or "not read yet" in text, pane
            assert "0 segments" not in text


async def test_the_bill_says_what_it_would_be_where_retention_is_run() -> None:
    for keep, told_of in ((None, False), (Keep(full=2), True)):
        kept = whole()
        app = stage(observer=player(replace(kept, told=replace(kept.told, keep=keep))))
        async with app.run_test(size=(200, 60)) as pilot:
            screen = await opened(pilot)
            text = " ".join(told(screen, "answers").split())
            assert "of it primary: " in text
            assert ("where walconsole expire is run" in text) is told_of


# Coverage.


async def test_enter_goes_into_the_cell_down_to_the_key_and_esc_comes_back() -> None:
    app = stage(observer=player(whole()))
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await opened(pilot, "enter")
        assert screen.desk is not None
        assert screen.desk.depth == 1
        assert "zoomed x1" in screen_text(app)
        while screen.desk.cell.first != screen.desk.cell.last:
            await pilot.press("enter")
            await pilot.pause()
        name = screen.desk.at.name()
        await pilot.press("enter")
        await until(pilot, on_key(screen, BucketRole.PRIMARY, name))
        assert screen.board.focused_name == "primary"
        await pilot.press("1")
        while screen.desk.depth:
            await pilot.press("escape")
        assert isinstance(app.screen, ArchiveScreen)
        await pilot.press("escape")
        assert isinstance(app.screen, Dashboard)


async def test_n_moves_coverage_and_keys_to_the_next_gap() -> None:
    app = stage(observer=player())
    async with app.run_test(size=(200, 60)) as pilot:
        screen = await opened(pilot, "n")
        assert screen.desk is not None
        assert screen.desk.at == Segment(1, 0x800)
        after = Segment(1, 0x811).name()
        await until(pilot, on_key(screen, BucketRole.PRIMARY, after))
        await until(pilot, on_key(screen, BucketRole.DR, after))
        await pilot.press("n")
        await until(pilot, on_key(screen, BucketRole.PRIMARY, Segment(1, 0x1201).name()))
        assert "000000010000001200000000" in told(screen, "object")


async def test_no_gap_is_said() -> None:
    app = stage(observer=player(whole()))
    async with app.run_test(size=(120, 36), notifications=True) as pilot:
        await opened(pilot, "n")
        await until(pilot, lambda: "no gap is known" in screen_text(app))


async def test_a_click_chooses_a_cell() -> None:
    app = stage(observer=player())
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await opened(pilot)
        assert screen.desk is not None
        await pilot.click("#coverage", offset=(7, 2))
        await pilot.pause()
        assert screen.desk.at == Segment(1, 0x100)
        assert screen.desk.cell.first == 0x100


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("000000010000001500000030", Segment(1, 0x1530)),
        ("2/32/10", Segment(2, 0x3210)),
        ("15/30000000", Segment(1, 0x1530)),
        ("-1h", Segment(2, 0x3A41 - 60)),
    ],
)
async def test_slash_goes_to_a_segment_an_lsn_and_a_time(text: str, where: Segment) -> None:
    app = stage(observer=player())
    async with app.run_test(size=(200, 60)) as pilot:
        screen = await opened(pilot, "slash", *text, "enter")
        assert screen.desk is not None
        desk = screen.desk
        if not text.startswith("-"):
            await until(pilot, lambda: desk.at == where)
            await until(pilot, on_key(screen, BucketRole.PRIMARY, where.name()))
        else:
            await until(pilot, lambda: abs(desk.at.number - where.number) < 3)


async def test_what_slash_does_not_understand_it_explains() -> None:
    app = stage(observer=player())
    async with app.run_test(size=(120, 36), notifications=True) as pilot:
        await opened(pilot, "slash", *"tomorrow?", "enter")
        await until(pilot, lambda: "not understood" in screen_text(app))


# Keys.


async def test_keys_are_fetched_as_they_come_into_view_and_a_key_press_waits_for_none() -> None:
    reader = KeysReader(segment_keys(1_000_000))
    snapshot = of(primary=bucket_of(BucketRole.PRIMARY, {1: ((1, 1_000_000),)}, accepted_gaps=()))
    app = stage(observer=player(snapshot, (reader, KeysReader(role=BucketRole.DR))))
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await opened(pilot, "3")
        await until(pilot, on_key(screen, BucketRole.PRIMARY, Segment(1, 1_000_000).name()))
        reader.gate.clear()
        await pilot.press("home")
        assert "…" in told_top(screen)
        await pilot.press("pagedown", "pagedown")
        assert screen.panes["primary"].cursor > 10
        asked = len(reader.requests)
        reader.gate.set()
        await until(
            pilot, on_key(screen, BucketRole.PRIMARY, Segment(1, screen.panes["primary"].cursor + 1).name())
        )
        assert len(reader.requests) - asked <= 2
        assert len(reader.requests) < 8


def told_top(screen: ArchiveScreen) -> str:
    pane = screen.panes["primary"]
    return "\n".join(pane.line(pane.top + row).text for row in range(pane.page))


async def test_enter_on_a_key_reads_the_objects_head_and_esc_goes_back_to_it() -> None:
    app = stage(observer=player(whole()))
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await opened(pilot, "3")
        await until(pilot, on_key(screen, BucketRole.PRIMARY, NEWEST.name()))
        await pilot.press("enter")
        await until(pilot, lambda: "not read in tests" in told(screen, "object"))
        assert screen.board.focused_name == "object"
        assert NEWEST.name() in told(screen, "object")
        await pilot.press("escape")
        assert screen.board.focused_name == "primary"
        await pilot.press("y")
        assert app.clipboard == NEWEST.name()


async def test_a_page_that_cannot_be_listed_says_why_and_comes_later() -> None:
    keys = readers()
    app = stage(observer=player(keys=keys))
    keys[0].failures = [refusal() for _ in range(9)]
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await opened(pilot)
        await until(pilot, lambda: "the store said SlowDown" in told_top(screen))
        keys[0].failures.clear()
        app.current.clock.at = NOW + 6  # type: ignore[attr-defined]  # the stage's frozen clock
        app.current.publish(holes())
        await until(pilot, lambda: bool(screen.views[BucketRole.PRIMARY].key))
        assert "SlowDown" not in told_top(screen)


async def test_the_cursor_stays_on_its_key_when_a_poll_brings_more() -> None:
    keys = readers()
    app = stage(observer=player(whole(), keys))
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await opened(pilot, "3", "k", "k")
        await until(pilot, on_key(screen, BucketRole.PRIMARY, Segment(2, 0x3A3F).name()))
        more = {**PRIMARY_RUNS, 2: ((0x2F10, 0x3A45),)}
        keys[0].keys = keys_of(more)
        keys[0].poll()
        newer = of(primary=bucket_of(BucketRole.PRIMARY, more), dr=bucket_of(BucketRole.DR, DR_RUNS))
        app.current.publish(newer)
        await until(pilot, lambda: "14,647" in screen_text(app))
        await until(pilot, on_key(screen, BucketRole.PRIMARY, Segment(2, 0x3A3F).name()))


async def test_b_shows_the_other_bucket_and_digits_reach_both() -> None:
    app = stage(observer=player())
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await opened(pilot)
        assert "3 Primary keys: shithub-wal" in screen_text(app)
        await pilot.press("B")
        await until(pilot, lambda: "4 DR keys: shithub-wal-dr" in screen_text(app))
        assert screen.board.focused_name == "coverage"
        await pilot.press("3")
        await until(pilot, lambda: "3 Primary keys: shithub-wal" in screen_text(app))
        await pilot.press("B")
        await until(pilot, lambda: screen.board.focused_name == "dr")


async def test_hostile_keys_reach_neither_screen_nor_clipboard() -> None:
    bad = [HOSTILE, f"wal/{HOSTILE}", "0" * 3000, "漢字" * 90, Segment(1, 0x200).name()]
    keys = KeysReader(sorted(bad)), KeysReader(sorted(bad), role=BucketRole.DR)
    app = stage(observer=player(ARCHIVES["hostile"](), keys))
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await opened(pilot, "3", "home")
        for _ in bad:
            await pilot.press("enter")
            await pilot.pause()
            for pane in PANES:
                assert all(line.isprintable() for line in told(screen, pane).split("\n")), pane
            await pilot.press("escape", "y", "j")
            assert app.clipboard.isprintable()
        assert all(line.isprintable() for line in screen_text(app).split("\n"))


# What changes, and what is taken away.


async def test_what_the_other_copy_holds_is_not_lost_and_not_accepted() -> None:
    keys = readers()
    app = stage(observer=player(keys=keys))
    async with app.run_test(size=(120, 36), notifications=True) as pilot:
        screen = await opened(pilot, "A")  # on a gap of the primary's, of which DR holds the last segment
        await until(pilot, lambda: "it is not lost" in screen_text(app))
        assert "the DR bucket holds 1 of 3" in next(iter(app._notifications)).message
        assert app.screen is screen
        assert keys[0].marked == []


async def test_f_mends_the_holes_of_both_copies() -> None:
    app = stage(observer=player())
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await opened(pilot, "f")  # read-only: said, and nothing more
        assert app.screen is screen
        asked: list[Fix] = []
        app.current.fixer = noting(asked)
        with pytest.raises(RuntimeError, match="enough"):
            screen.action_fix()
        assert [fix.step for fix in asked] == ["mend-holes"]


async def test_a_gap_is_accepted_with_a_reason_and_not_without() -> None:
    keys = readers()
    lost = {1: ((0x100, 0x11FF), (0x1201, 0x1FFF), (0x2003, 0x2F10)), 2: ((0x2F10, 0x3A41),)}
    dr = replace(bucket_of(BucketRole.DR, lost), gaps=(), gap_count=0, continuity=None)
    app = stage(observer=player(of(primary=bucket_of(BucketRole.PRIMARY, PRIMARY_RUNS), dr=dr), keys=keys))
    async with app.run_test(size=(120, 36), notifications=True) as pilot:
        screen = await opened(pilot, "A")
        await until(pilot, lambda: isinstance(app.screen, Prompt))
        assert "accept 3 segments as lost in primary" in screen_text(app)
        await pilot.press("enter")
        await until(pilot, lambda: "nothing was accepted" in screen_text(app))
        await pilot.press("A", "escape")
        assert keys[0].marked == []
        await pilot.press("A", *"disk died", "enter")
        await until(pilot, lambda: bool(keys[0].marked))
        assert keys[0].marked == ["accept 000000010000002000000000 to 000000010000002000000002: disk died"]
        assert keys[1].marked == []
        assert isinstance(screen, ArchiveScreen)


async def test_a_gap_in_both_buckets_is_accepted_in_both() -> None:
    keys = readers()
    app = stage(observer=player(keys=keys))
    async with app.run_test(size=(120, 36)) as pilot:
        await opened(pilot, "n", "n", "A")
        await until(pilot, lambda: isinstance(app.screen, Prompt))
        await pilot.press("x", "enter")
        await until(pilot, lambda: bool(keys[1].marked))
        assert keys[0].marked == keys[1].marked


async def test_an_accepted_gap_is_taken_back_only_when_confirmed() -> None:
    keys = readers()
    app = stage(observer=player(keys=keys))
    async with app.run_test(size=(120, 36)) as pilot:
        await opened(pilot, "n", "A")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        assert app.screen.query_one("#no", Button).has_focus
        assert "lost with the old droplet" in screen_text(app)
        await pilot.press("enter")
        await pilot.press("A")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        assert keys[0].marked == []
        await pilot.press("right", "enter")
        await until(pilot, lambda: bool(keys[0].marked))
        assert keys[0].marked == ["withdraw 000000010000000800000000 to 000000010000000800000010"]
        assert keys[1].marked == keys[0].marked


GONE = Gap(2, Segment(2, 0x100).name(), Segment(2, 0x3A00).name(), 0x3901, lost_from="", with_backups=True)


@pytest.mark.parametrize("left", [True, False], ids=["one segment is left", "nothing is left"])
async def test_what_is_gone_is_shown_and_accepted_like_a_gap(left: bool) -> None:
    runs = {2: ((0x3A41, 0x3A41),)}
    kept = {} if left else {
        "holding": None, "continuity": None, "segments": 0, "newest_segment": None, "newest_key": None,
        "newest_at": None, "oldest_segment": None,
    }  # fmt: skip
    both = {role.value: bucket_of(role, runs, lost=(GONE,), gaps=(), **kept) for role in BucketRole}
    keys = (Register(runs), Register(runs, BucketRole.DR))
    app = stage(observer=player(of(**both), keys=keys))
    async with app.run_test(size=(120, 36), notifications=True) as pilot:
        screen = await opened(pilot, "n")
        assert "LOST" in screen_text(app)
        assert "✗" in told(screen, "coverage")
        if left:
            said = " ".join(told(screen, "answers").split())
            assert "gone in both" in said
            assert "and with it all base backups" in said
        await pilot.press("A")
        await until(pilot, lambda: isinstance(app.screen, Prompt))
        assert "accept 14,593 segments as lost in primary and DR" in screen_text(app)
        await pilot.press(*"on purpose", "enter")
        await until(pilot, lambda: bool(keys[1].marked))
        assert keys[0].marked == keys[1].marked == [f"accept {GONE.first} to {GONE.last}: on purpose"]


async def test_a_register_that_cannot_be_written_is_told() -> None:
    keys = readers()
    keys[0].refuses = RegisterError("writing accepted-gaps.toml", "No space left on device", "make room")
    app = stage(observer=player(keys=keys))
    async with app.run_test(size=(120, 36), notifications=True) as pilot:
        await opened(pilot, "n", "n", "A", "x", "enter")
        await until(pilot, lambda: "No space left on device" in screen_text(app))
        assert keys[0].marked == []


async def test_without_a_gap_under_the_cursor_it_asks_nothing() -> None:
    app = stage(observer=player(whole()))
    async with app.run_test(size=(120, 36), notifications=True) as pilot:
        screen = await opened(pilot, "A")
        await until(pilot, lambda: "no gap is under the cursor" in screen_text(app))
        assert app.screen is screen


class Measured(Register):
    """Whose segments compress to a quarter, once it is let."""

    def __init__(self) -> None:
        super().__init__(PRIMARY_RUNS)
        self.measuring = asyncio.Event()
        self.problem = ""

    async def compressibility(self) -> Compressibility:
        await self.measuring.wait()
        if self.problem:
            raise ValueError(self.problem)
        return await super().compressibility()


async def test_m_downloads_only_when_confirmed_and_shows_what_it_would_cost() -> None:
    reader = Measured()
    app = stage(observer=player(keys=(reader, readers()[1])))
    async with app.run_test(size=(200, 60)) as pilot:
        screen = await opened(pilot, "m")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        assert "downloaded" in screen_text(app)
        await pilot.press("escape")
        assert "press m to measure it" in told(screen, "answers")
        await pilot.press("m", "right", "enter")
        await until(pilot, lambda: "being measured" in told(screen, "answers"))
        reader.measuring.set()
        await until(pilot, lambda: "25 % of plain" in told(screen, "answers"))
        reader.problem = "the segments are compressed or encrypted already"
        await pilot.press("m", "right", "enter")
        await until(pilot, lambda: reader.problem in " ".join(told(screen, "answers").split()))


@pytest.mark.parametrize(("downs", "name"), [(0, "gaps"), (1, "index")])
async def test_gaps_and_index_are_exported(
    downs: int, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    app = stage(observer=player())
    async with app.run_test(size=(120, 36)) as pilot:
        await opened(pilot, "e", *["down"] * downs, "enter")
        await until(pilot, lambda: len(list(tmp_path.iterdir())) == 2)
    check_document(tmp_path, f"walconsole-archive-{name}")


def check_document(folder: Path, form: str) -> None:
    """Both buckets are in it."""
    document = json.loads(next(folder.glob("*.json")).read_text())
    assert document["format"] == form
    assert [archive["role"] for archive in document["archives"]] == ["primary", "dr"]


def check_listing(folder: Path, keys: Sequence[str]) -> None:
    """Private, and every key is in it exactly."""
    path = next(folder.glob("*.jsonl"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [json.loads(line)["key"] for line in path.read_text().splitlines()] == list(keys)


async def test_a_listing_is_written_while_the_screen_goes_on_and_when_it_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    keys = readers()
    app = stage(observer=player(whole(), keys))
    async with app.run_test(size=(120, 36), notifications=True) as pilot:
        screen = await opened(pilot, "3")
        await until(pilot, on_key(screen, BucketRole.PRIMARY, NEWEST.name()))
        keys[0].gate.clear()
        await pilot.press("e", "down", "down", "down", "enter")
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, Dashboard))
        keys[0].gate.set()
        await until(pilot, lambda: bool(list(tmp_path.glob("*.jsonl"))))
        await until(pilot, lambda: "14,643 keys" in screen_text(app))
    check_listing(tmp_path, keys[0].keys)


async def test_an_export_of_a_listing_can_be_stopped_and_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    keys = readers()
    app = stage(observer=player(whole(), keys))
    async with app.run_test(size=(120, 36), notifications=True) as pilot:
        screen = await opened(pilot, "3")
        await until(pilot, on_key(screen, BucketRole.PRIMARY, NEWEST.name()))
        keys[0].gate.clear()
        await pilot.press("e", "down", "down", "enter")
        await until(pilot, lambda: bool(list(tmp_path.iterdir())))
        await pilot.press("e")
        await until(pilot, lambda: "stop the export" in screen_text(app))
        await pilot.press("enter")
        await until(pilot, lambda: not list(tmp_path.iterdir()))


# Around it.


async def test_enter_on_the_bucket_pane_and_on_a_finding_opens_it() -> None:
    app = stage(observer=player())
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        await pilot.press("4", "enter")
        await until(pilot, lambda: isinstance(app.screen, ArchiveScreen))
        await pilot.press("escape", "6")
        pane = app.dashboard.board.panes["findings"]
        behind = next(row for row in range(pane.rows) if pane.line(row).label == "dr-behind")
        pane.go_to(behind)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, ArchiveScreen))
        screen = app.screen
        assert isinstance(screen, ArchiveScreen)
        assert screen.role is BucketRole.DR


async def test_an_open_screen_asks_for_fresh_facts_and_r_for_a_sweep() -> None:
    observer = player()
    app = stage(observer=observer)
    async with app.run_test(size=(120, 36)) as pilot:
        await opened(pilot, "r")
        assert observer.asked == ["hurry primary", "hurry dr", "refresh"]


async def test_it_follows_every_snapshot() -> None:
    app = stage(observer=player())
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await opened(pilot)
        app.current.publish(whole())
        await until(pilot, lambda: "none" in told(screen, "answers") and "✗" not in screen_text(app))
        app.current.publish(dr_unread())
        await until(pilot, lambda: "stored (DR n/a)" in screen_text(app))
        app.current.publish(incident())
        await until(pilot, lambda: "missing, see Archive" in told(screen, "coverage"))
        assert told(screen, "answers").count("bucket shithub-wal does not exist (HTTP 404)") == 1


async def test_enter_on_a_gap_among_the_answers_goes_to_its_place() -> None:
    app = stage(observer=player())
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await opened(pilot, "2")
        pane = screen.panes["answers"]
        pane.go_to(next(row for row in range(pane.rows) if "gap in both" in pane.line(row).text))
        await pilot.press("enter")
        assert screen.board.focused_name == "coverage"
        assert screen.desk is not None
        assert screen.desk.at == Segment(1, 0x1200)


async def test_pausing_is_said_in_the_verdict() -> None:
    app = stage(observer=player())
    async with app.run_test(size=(120, 36)) as pilot:
        await opened(pilot, "p")
        await until(pilot, lambda: "PAUSED" in screen_text(app))


async def test_without_unicode_every_sign_is_ascii() -> None:
    app = stage(observer=player(), glyphs=ASCII)
    async with app.run_test(size=(200, 60)) as pilot:
        await opened(pilot)
        assert {char for char in screen_text(app) if ord(char) > 126} == set()


async def test_the_palette_and_the_help_have_the_screens_own_actions() -> None:
    app = stage(observer=player())
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await opened(pilot, "question_mark")
        await until(pilot, lambda: "a timeline's cells" in screen_text(app))
        await pilot.press("escape", "ctrl+p")
        await until(pilot, lambda: isinstance(app.screen, CommandPalette))
        await pilot.press(*"next gap")
        await until(pilot, lambda: "Next gap" in screen_text(app))
        await pilot.press("enter", "enter")
        await until(pilot, lambda: screen.desk is not None and screen.desk.at == Segment(1, 0x800))


async def test_it_opens_at_once_however_often() -> None:
    app = stage(observer=player())
    async with app.run_test(size=(120, 36)) as pilot:
        await opened(pilot, "escape")
        best = 9.9
        for _ in range(5):
            begin = time.perf_counter()
            await pilot.press("b")
            screen = app.screen
            assert isinstance(screen, ArchiveScreen)
            await until(pilot, lambda screen=screen: screen.panes["answers"].rows > 5)  # type: ignore[misc]  # mypy infers no default
            best = min(best, time.perf_counter() - begin)
            await pilot.press("escape")
        assert best < 1.0  # a tenth of a second where nothing else runs; the pilot waits besides
