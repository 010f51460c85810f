"""Going somewhere: where `/` leads, and how coverage and keys of both buckets move there together.

The keys follow as soon as they are fetched.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from walconsole.domain.wal import Segment, parse_lsn
from walconsole.errors import WalconsoleError
from walconsole.ui.archive import coverage
from walconsole.ui.archive.stored_key import meaning_of
from walconsole.ui.board.latest_worker import run_latest
from walconsole.ui.board.typeset import shown

if TYPE_CHECKING:
    from walconsole.domain.archive.holding import Holding
    from walconsole.domain.archive.listing import ObjectListing, StoredObject
    from walconsole.domain.profile import BucketRole
    from walconsole.ports import BucketReader
    from walconsole.ui.archive.bucket_view import BucketView
    from walconsole.ui.archive.screen import ArchiveScreen
    from walconsole.ui.archive.view_state import ArchiveViewState
    from walconsole.ui.board.content import Line


UNDERSTOOD = (
    "a segment (000000010000000000000041, or its end: 41), timeline/log/segment (1/0/41), "
    "an LSN (0/3000000), a time in UTC (2026-05-10, 2026-05-10 14:00, 14:00) or an age (-2h, -30m, -3d)"
)
_NAME = re.compile(r"(?:.*/)?([0-9A-Fa-f]{24})(?:[.-].*)?", re.DOTALL)
_FIELDS = re.compile(r"([0-9A-Fa-f]{1,8})/([0-9A-Fa-f]{1,8})/([0-9A-Fa-f]{1,8})")
_DIGITS = re.compile(r"[0-9A-Fa-f]{1,23}")
_AGE = re.compile(r"-(?:\d{1,6}[wdhms])+")
_AGE_PART = re.compile(r"(\d+)([wdhms])")
_UNIT_S = {"w": 7 * 86400, "d": 86400, "h": 3600, "m": 60, "s": 1}
_MOMENT = re.compile(r"(\d{4}-\d{2}-\d{2})(?:[ T]+(\d{1,2}:\d{2})(?::(\d{2}))?)?\s*(?:Z|UTC)?", re.IGNORECASE)
_CLOCK = re.compile(r"(\d{1,2}:\d{2})(?::(\d{2}))?\s*(?:Z|UTC)?", re.IGNORECASE)
_PAGES = 4
"""Pages that are looked at for a time, at most: beyond them the index's own estimate has to do."""


def parse_target(
    text: str, now: float, segment_bytes: int, timeline: int, near: Segment | None = None
) -> Segment | float:
    """A segment, or a time as seconds since the epoch.

    An LSN is taken on `timeline`. The end of a name is completed by the beginning of `near`'s (the
    segment that is looked at, or the newest), else by zeroes on `timeline`. A time of day is the
    latest that is past by `now`. Raises ValueError that says what is understood, or why a name or a
    date cannot be.
    """
    text = text.strip()
    for read in (_moment, _age, _clock):
        at = read(text, now)
        if at is not None:
            return at
    segment = _segment(text, segment_bytes, near or Segment(timeline, 0))
    if segment is not None:
        return segment
    try:
        return Segment.at(timeline, parse_lsn(text), segment_bytes)
    except ValueError:
        raise ValueError(f"not understood; go to {UNDERSTOOD}") from None


def _segment(text: str, segment_bytes: int, near: Segment) -> Segment | None:
    """A name, a key that holds one, three fields, or the end of a name."""
    name = _NAME.fullmatch(text)
    if name is not None:
        return Segment.parse(name[1].upper(), segment_bytes)
    fields = _FIELDS.fullmatch(text)
    if fields is not None:
        return Segment.parse("".join(field.upper().rjust(8, "0") for field in fields.groups()), segment_bytes)
    if _DIGITS.fullmatch(text) is None:
        return None
    return Segment.parse(near.name(segment_bytes)[: 24 - len(text)] + text.upper(), segment_bytes)


def _moment(text: str, _: float) -> float | None:
    match = _MOMENT.fullmatch(text)
    if match is None:
        return None
    return _read_moment(match[1], match[2] or "00:00", match[3] or "00").timestamp()


def _clock(text: str, now: float) -> float | None:
    match = _CLOCK.fullmatch(text)
    if match is None:
        return None
    today = datetime.fromtimestamp(now, UTC)
    moment = _read_moment(f"{today:%Y-%m-%d}", match[1], match[2] or "00")
    return (moment if moment <= today else moment - timedelta(days=1)).timestamp()


def _read_moment(day: str, minute: str, second: str) -> datetime:
    """Raises ValueError for a day or an hour that does not exist."""
    text = f"{day} {minute}:{second}"
    try:
        return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        raise ValueError(f"{text} is not a date and time of the calendar") from None


def _age(text: str, now: float) -> float | None:
    if _AGE.fullmatch(text) is None:
        return None
    return now - sum(int(count) * _UNIT_S[unit] for count, unit in _AGE_PART.findall(text))


async def find(reader: BucketReader, holding: Holding, target: Segment | float) -> str | None:
    """The key to go to, None where nothing is stored.

    For a segment its own key, else that of the next one which is stored on its timeline, else of the
    one before. For a time the key of the segment that was stored nearest at or after it (the newest
    where none was); it takes a request to begin with and a few pages around. Raises
    errors.ObjectStoreError and SshError.
    """
    if isinstance(target, Segment):
        return await _key_near(reader, holding, target)
    segment = holding.times.segment_near(target)
    key = await _key_near(reader, holding, segment) if segment is not None else None
    key = key or holding.newest_key
    return await _at_time(reader, holding, target, key) if key else None


async def _key_near(reader: BucketReader, holding: Holding, segment: Segment) -> str | None:
    """The key of the segment, or of the one beside the gap that it lies in."""
    for candidate in (segment, *_neighbours(holding, segment)):
        stored = await reader.locate(candidate)
        if stored is not None:
            return stored.key
    return None


def _neighbours(holding: Holding, segment: Segment) -> tuple[Segment, ...]:
    """Where a gap ends and where it began: what is stored after and before `segment`."""
    runs = holding.timelines.get(segment.timeline)
    if runs is None:
        return ()
    before = max((last for _, last in runs if last < segment.number), default=None)
    after = next((first for first, _ in runs if first > segment.number), None)
    return tuple(Segment(segment.timeline, number) for number in (after, before) if number is not None)


async def _at_time(reader: BucketReader, holding: Holding, at: float, key: str) -> str:
    """Look at the page around `key`, and step on while what is stored there is all later or all earlier."""
    marks = reader.marks
    if marks is None or not marks.afters:
        return key
    tile, latest = marks.tile_for(key)[0], (float("-inf"), key)
    best: tuple[float, str] | None = None
    came = 0
    for _ in range(_PAGES):
        page = await reader.page(marks.afters[tile])
        times = _times(page.objects, holding)
        later = min((time for time in times if time[0] >= at), default=None)
        best = min((time for time in (best, later) if time is not None), default=None)
        latest = max([latest, *times], key=lambda time: time[0])
        step = _step(times, at)
        tile += step
        if not step or step == -came or not 0 <= tile < len(marks.afters):
            break
        came = step
    return best[1] if best is not None else latest[1]


def _step(times: list[tuple[float, str]], at: float) -> int:
    """To the next page where all of this one is earlier, to the one before where it begins later."""
    if not times or max(times)[0] < at:
        return 1
    return -1 if times[0][0] >= at else 0


def _times(objects: ObjectListing, holding: Holding) -> list[tuple[float, str]]:
    """When each of the archive's segments on a page was stored, and its key, in key order."""
    meanings = [meaning_of(key, holding.prefix, holding.segment_bytes) for key in objects.keys]
    return [
        (objects.modified_at(at), objects.keys[at])
        for at, meaning in enumerate(meanings)
        if meaning.segment is not None and meaning.place == holding.place
    ]


class Navigation:
    """Moves what one archive screen looks at."""

    def __init__(self, screen: ArchiveScreen) -> None:
        self.screen = screen

    def go_to(self, target: Segment | float) -> None:
        """To a segment, or to what was stored at a time (seconds since the epoch)."""
        screen, desk = self.screen, self.screen.desk
        if desk is None:
            return
        segment = target if isinstance(target, Segment) else _segment_at(desk, target)
        if segment is not None:
            desk.go_to(segment)
            screen.fill("coverage", "object")
        for view in screen.views.values():
            run_latest(screen, f"find in {view.role.value}", partial(self._find, view, target))

    async def _find(self, view: BucketView, target: Segment | float) -> None:
        try:
            found = await view.find(target)
        except WalconsoleError as error:
            self.screen.app.notify(shown(error.line()), severity="warning", markup=False)
            return
        if found and self.screen.taken is not None:
            view.show(self.screen.taken)
            self.screen.fill("object")

    def next_gap(self, role: BucketRole | None) -> None:
        """To the gap after the cursor, of one bucket alone where `role` is given."""
        gap = self.screen.desk.next_gap(role) if self.screen.desk is not None else None
        if gap is None:
            self.screen.app.notify("no gap is known", markup=False, timeout=4)
        else:
            self.go_to(Segment(gap.timeline, gap.first))

    def to_gap_of(self, row: Line | None) -> bool:
        """To the gap that a row of the answers is about; False where it is about none."""
        desk = self.screen.desk
        if row is None or desk is None or row.entry not in ("gap", "accepted_gap"):
            return False
        first = row.value.partition(" ")[0]
        gap = next((gap for gap in desk.picture.gaps if shown(gap.gap.first) == first), None)
        if gap is not None:
            self.go_to(Segment(gap.timeline, gap.first))
        return gap is not None

    def choose_cell(self, row: int, column: int) -> None:
        """To the cell at a place of the coverage's pane, where there is one."""
        desk, pane = self.screen.desk, self.screen.coverage
        if desk is None or row >= pane.rows:
            return
        line = pane.line(row)
        if line.entry == coverage.STRIP and line.label:
            desk.choose(int(line.label), column - coverage.prefix_width(desk))
            self.screen.fill("coverage", "object")

    def look_at_object(self, view: BucketView) -> None:
        """To the details of the object under the cursor of a bucket's keys, and read its head."""
        stored = view.stored
        if stored is not None:
            run_latest(self.screen, "head", partial(self._read_head, view, stored))
            self.screen.action_jump("object")

    async def _read_head(self, view: BucketView, stored: StoredObject) -> None:
        await view.read_head(stored)
        self.screen.fill("object")

    def ask(self) -> None:
        """Ask for a segment, an LSN or a time."""
        from walconsole.ui.dialogs.dialog import Prompt

        if self.screen.desk is not None:
            self.screen.app.push_screen(Prompt("go to (segment, LSN, time):"), self._answered)

    def _answered(self, text: str | None) -> None:
        desk, taken = self.screen.desk, self.screen.taken
        if not text or desk is None or taken is None:
            return
        size = desk.picture.segment_bytes
        try:
            target = parse_target(text, taken.now, size, desk.at.timeline, desk.at)
        except ValueError as error:
            self.screen.app.notify(shown(str(error)), severity="warning", markup=False)
            return
        self.go_to(target)


def _segment_at(desk: ArchiveViewState, at: float) -> Segment | None:
    main = desk.picture.main
    return main.holding.times.segment_near(at) if main is not None and main.holding is not None else None
