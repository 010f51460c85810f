"""The window as strips over time: for all copies together and for each, with base backups and timelines."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby, pairwise
from typing import TYPE_CHECKING

from rich.cells import cell_len

from walconsole.domain.recovery.drill_result import HIGHEST_LEVEL, Outcome
from walconsole.domain.recovery.held import StopKind
from walconsole.domain.recovery.time_strip import Moments, cell_of, time_strip
from walconsole.domain.recovery.words import moment_text
from walconsole.domain.units import age_text, bytes_text, duration_text, plural
from walconsole.domain.wal import format_lsn
from walconsole.ui.board.content import Line, Span, Tone
from walconsole.ui.board.typeset import GUTTER, NOT_AVAILABLE, fit, pad, shown, wrapped
from walconsole.ui.recovery import run_rows
from walconsole.ui.recovery.picture import TOGETHER

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from walconsole.domain.recovery.recoverability import Recoverability, Window
    from walconsole.domain.recovery.time_strip import TimeCell
    from walconsole.ui.board.glyphs import Glyphs
    from walconsole.ui.recovery.picture import RecoveryPicture

STRIP, MARKS, DRILLED, POINTS, TIMELINES, AXIS, LEGEND, REACH, LOST, PROOF, RETENTION = (
    "strip", "backup_mark", "drill_mark", "point_mark", "timeline_mark", "axis", "legend", "reach", "lost",
    "proof", "retention",
)  # fmt: skip
"""The entries of the rows."""
LABEL = 10
_MARGIN = 1
_LEAST_CELLS = 8
_TONES = {
    Moments.HOLE: Tone.CRITICAL,
    Moments.UNKNOWN: Tone.UNKNOWN,
    Moments.RESTORABLE: Tone.LABEL,
    Moments.AFTER: Tone.MUTED,
    Moments.BEFORE: Tone.MUTED,
}
"""What is well has no colour: a month of it would outshine the hour that is missing."""


def rows(picture: RecoveryPicture, width: int, glyphs: Glyphs) -> tuple[Line, ...]:
    """The rows of the pane: what runs now before all else, where anything does."""
    strips = _Strips(picture, width, glyphs)
    runs = tuple(run_rows.rows(picture.runs, picture.seen_at, width, glyphs))
    first, then = (runs, ()) if picture.runs.running else ((), runs)
    return (*first, *strips.lines(), *_texts(picture, width, glyphs), *then)


class _Strips:
    """One scale for all: the same moment stands in the same column."""

    def __init__(self, picture: RecoveryPicture, width: int, glyphs: Glyphs) -> None:
        self.picture, self.width, self.glyphs = picture, width, glyphs
        self.room = width - GUTTER - LABEL - _MARGIN
        self.cells = {
            name: time_strip(found.windows, picture.span or (0.0, 0.0), self.room)
            for name, found in picture.subjects
        }
        if picture.left_out and TOGETHER in self.cells:
            self.cells[TOGETHER] = tuple(map(_doubted, self.cells[TOGETHER]))

    def lines(self) -> Iterator[Line]:
        """Base backups, strips, timelines, the axis, the signs; nothing where no time is known."""
        if self.picture.span is None or self.room < _LEAST_CELLS or not self.cells:
            return
        yield from self._marks()
        yield from self._drills()
        yield from self._points()
        for name, cells in self.cells.items():
            yield Line((_head(name), *self._strip(cells)), STRIP, name, f"{name}: {_share(cells)}")
        yield from self._timelines()
        yield self._axis(*self.picture.span)
        yield from self._legend()

    def _strip(self, cells: tuple[TimeCell, ...]) -> Iterator[Span]:
        for moments, same in groupby(cells, key=lambda cell: cell.moments):
            yield Span(self._sign(moments) * len(list(same)), _TONES[moments])

    def _sign(self, moments: Moments) -> str:
        signs = self.glyphs
        return {
            Moments.HOLE: signs.critical,
            Moments.UNKNOWN: signs.unknown,
            Moments.RESTORABLE: signs.both,
        }.get(moments, signs.outside)

    @property
    def _scale(self) -> tuple[TimeCell, ...]:
        return next(iter(self.cells.values()))

    def _backups(self) -> dict[int, bool]:
        """The cells in which a base backup stopped, and whether one of them is of use."""
        found: dict[int, bool] = {}
        for reach in self.picture.reaches:
            stopped = reach.held.backup.stopped
            at = None if stopped is None else cell_of(self._scale, stopped)
            if at is not None:
                found[at] = found.get(at, False) or reach.usable
        return found

    def _marks(self) -> Iterator[Line]:
        signs, found = self.glyphs, self._backups()
        if not found:
            return
        spans = [_head("backups")]
        for usable, same in groupby(range(max(found) + 1), key=found.get):
            sign = " " if usable is None else signs.backup if usable else signs.accepted
            spans.append(Span(sign * len(list(same)), Tone.STRONG if usable else Tone.LABEL))
        yield Line(tuple(spans), MARKS, TOGETHER)

    def _drills(self) -> Iterator[Line]:
        """When a restore was proved last, and the newest drill that was not: the newest counts in a cell."""
        drills, now = self.picture.drills, self.picture.now
        told = [] if drills is None else [each for each in (drills.good, drills.newest) if each is not None]
        signs: dict[int, tuple[str, Tone]] = {}
        for each in told:
            at = cell_of(self._scale, min(each.ended, self._scale[-1].end)) if self._scale else None
            if at is not None:
                proved = self.glyphs.ok, Tone.OK
                signs[at] = proved if each.good else (self.glyphs.critical, Tone.CRITICAL)
        said = ", ".join(f"{each.outcome} {moment_text(each.ended, now)}" for each in dict.fromkeys(told))
        yield from _signs("drills", signs, DRILLED, said)

    def _points(self) -> Iterator[Line]:
        """Restore points, where the WAL was read for moments."""
        scale, now, points = self._scale, self.picture.now, self.picture.points
        cells = {cell_of(scale, at) for at, _ in points} if scale else set()
        signs = {at: (self.glyphs.caret, Tone.STRONG) for at in cells if at is not None}
        said = ", ".join(f"{shown(name)} {moment_text(at, now)}" for at, name in points)
        yield from _signs("points", signs, POINTS, said)

    def _timelines(self) -> Iterator[Line]:
        """The number of a timeline where it began, as far as one does not stand on another."""
        text = ""
        for moment, timeline in self.picture.switches:
            at = cell_of(self._scale, moment)
            if at is not None and (not text or at > len(text)):
                text = f"{pad(text, at)}{timeline}"
        if text:
            said = ", ".join(
                f"{timeline} since {moment_text(moment, self.picture.now)}"
                for moment, timeline in self.picture.switches
            )
            yield Line(
                (_head("timelines"), Span(fit(text, self.room), Tone.STRONG)), TIMELINES, TOGETHER, said
            )

    def _axis(self, begin: float, end: float) -> Line:
        now = self.picture.now
        left, right = moment_text(begin, now), moment_text(end, now)
        blank = max(2, self.room - cell_len(left) - cell_len(right))
        text = fit(f"{left}{' ' * blank}{right}", self.room)
        return Line((_head(""), Span(text, Tone.LABEL)), AXIS, TOGETHER, f"{left} to {right}")

    def _legend(self) -> Iterator[Line]:
        """The signs that are seen, the worst first, in as many rows as they need."""
        seen = {cell.moments for cells in self.cells.values() for cell in cells}
        words: dict[Moments, str] = {}
        if seen >= {Moments.BEFORE, Moments.AFTER}:
            words[Moments.AFTER] = "no backup yet, or not archived yet"
        said: dict[str, tuple[str, Tone]] = {}
        for moments in Moments:
            if moments in seen:
                said.setdefault(self._sign(moments), (words.get(moments, moments.value), _TONES[moments]))
        marks = set(self._backups().values())
        if True in marks:
            said[self.glyphs.backup] = ("base backup", Tone.STRONG)
        if False in marks:
            said[self.glyphs.accepted] = ("one of no use", Tone.LABEL)
        if self.picture.points:
            said[self.glyphs.caret] = ("restore point", Tone.STRONG)
        rows: list[list[Span]] = [[_head("")]]
        room = self.room
        for sign, (word, tone) in said.items():
            text = f" {word}  "
            if 1 + cell_len(text) > room and room < self.room:
                rows.append([_head("")])
                room = self.room
            rows[-1] += [Span(sign, tone), Span(fit(text, room - 1, self.glyphs.more), Tone.MUTED)]
            room -= 1 + cell_len(text)
        for row in rows:
            yield Line(tuple(row), LEGEND, TOGETHER)


def _head(label: str) -> Span:
    return Span(" " * GUTTER + pad(label, LABEL), Tone.LABEL)


def _signs(label: str, signs: Mapping[int, tuple[str, Tone]], entry: str, said: str) -> Iterator[Line]:
    """A row of signs, each in its cell; none where there is none."""
    if not signs:
        return
    spans = [_head(label)]
    for before, at in pairwise((-1, *sorted(signs))):
        spans += [Span(" " * (at - before - 1)), Span(*signs[at])]
    yield Line(tuple(spans), entry, TOGETHER, said)


def _doubted(cell: TimeCell) -> TimeCell:
    """A hole that the copy which was not read may fill."""
    return replace(cell, moments=Moments.UNKNOWN) if cell.moments is Moments.HOLE else cell


def _share(cells: tuple[TimeCell, ...]) -> str:
    """How long of the strip's time can be restored."""
    whole = cells[-1].end - cells[0].begin
    return f"{duration_text(sum(cell.restorable_s for cell in cells))} of {duration_text(whole)} restorable"


# -- The same in words.


def _texts(picture: RecoveryPicture, width: int, glyphs: Glyphs) -> Iterator[Line]:
    for name in picture.being_read:
        yield from _paragraph(REACH, name, f"{NOT_AVAILABLE}: it is still being read", Tone.MUTED, width)
    for name, found in picture.subjects:
        text, tone = reach_text(found, picture, glyphs, doubted=name == TOGETHER and bool(picture.left_out))
        yield from _paragraph(REACH, name, text, tone, width)
    together = picture.together
    if together is not None and together.window is not None:
        yield from _paragraph(LOST, "lost now", lost_text(together, picture.now), Tone.TEXT, width)
    if together is not None:
        text, tone = proof_text(picture, glyphs)
        yield from _paragraph(PROOF, "proof", text, tone, width)
        yield from _paragraph(RETENTION, "retention", shown(picture.retention), Tone.TEXT, width)


def _paragraph(entry: str, label: str, text: str, tone: Tone, width: int) -> Iterator[Line]:
    for index, part in enumerate(wrapped(text, width - GUTTER - LABEL - _MARGIN)):
        yield Line((_head("" if index else label), *toned(part, tone)), entry, label, text)


def toned(text: str, tone: Tone) -> tuple[Span, ...]:
    """What is well has its sign in colour, and no more."""
    return (Span(text[:1], tone), Span(text[1:])) if tone is Tone.OK else (Span(text, tone),)


def reach_text(
    found: Recoverability, picture: RecoveryPicture, glyphs: Glyphs, *, doubted: bool
) -> tuple[str, Tone]:
    """To which moments, and what is in the way: with its sign. `doubted`: a copy was not read."""
    window = found.window
    bad = (glyphs.unknown, Tone.UNKNOWN) if doubted else (glyphs.critical, Tone.CRITICAL)
    if window is None and _may_be_of_use(found):
        return f"{glyphs.unknown} not known: no base backup in it is known to be whole", Tone.UNKNOWN
    if window is None:
        text = "no base backup in it can be replayed" if found.backups else "no base backup"
        return f"{bad[0]} nothing: {text}", bad[1]
    holes = len(found.windows) - 1
    more = f"; {plural(holes, 'older window')} before it" if holes else ""
    if window.stop is not None:
        text = f"{ends_text(window, picture.now)}, then nothing: {shown(window.stop.text)}{more}"
        return f"{bad[0]} {text}", bad[1]
    return f"{glyphs.ok} {ends_text(window, picture.now)}{more}", Tone.OK


def _may_be_of_use(found: Recoverability) -> bool:
    """Whether a base backup of which too little is known could change the answer."""
    unknown = (StopKind.NOT_KNOWN, StopKind.HISTORY_UNREAD)
    stops = [reach.stop for reach in found.reach[found.target].reaches]
    return bool(found.unreadable) or any(stop is not None and stop.kind in unknown for stop in stops)


def ends_text(window: Window, now: float) -> str:
    """From when to when; in positions where nothing tells the time."""
    if window.since is None or window.until is None:
        known = window.since if window.until is None else window.until
        side = (
            ""
            if known is None
            else f" ({'from' if window.until is None else 'to'} {moment_text(known, now)})"
        )
        return f"{format_lsn(window.since_lsn)} to {format_lsn(window.until_lsn)}{side}"
    lasted = duration_text(max(0.0, window.until - window.since))
    return f"{moment_text(window.since, now)} to {moment_text(window.until, now)}, {lasted}"


def proof_text(picture: RecoveryPicture, glyphs: Glyphs) -> tuple[str, Tone]:
    """What restore drills proved: the newest verdict, and the newest proof where that is another."""
    drills = picture.drills
    newest = drills.newest if drills is not None else None
    if drills is None or newest is None:
        text = "not known: the results of restore drills were not read"
        return (
            "none: no restore drill was made yet; R makes one" if drills is not None else text
        ), Tone.MUTED
    good, now = drills.good, picture.seen_at
    proved = ""
    if good is not None:
        takes = "" if picture.forecast is None else f"; now: {picture.forecast}"
        level = f"level {good.level} of {HIGHEST_LEVEL}"
        took, when = duration_text(good.restore_s), moment_text(good.ended, now)
        proved = f"{good.backup} restored in {took}, {when}, {level}{takes}"
    if newest.good:
        return f"{glyphs.ok} {proved}", Tone.OK
    sign, tone = glyphs.warning, Tone.WARNING
    if newest.outcome is Outcome.FAILED:
        sign, tone = glyphs.critical, Tone.CRITICAL
    before = f"; before that: {proved}" if proved else "; no restore was ever proved"
    said = f"the drill of {moment_text(newest.ended, now)}: {newest.why[0]}: {shown(newest.message)}"
    return f"{sign} {said}{before}", tone


def lost_text(found: Recoverability, now: float) -> str:
    """What is behind the window's end: `now` is the store's clock."""
    lost = found.lost(now)
    wal = NOT_AVAILABLE if lost.wal_bytes is None else f"{bytes_text(lost.wal_bytes)} of WAL"
    stored = (
        "" if lost.seconds is None else f"; the window's last segment was stored {age_text(lost.seconds)}"
    )
    return f"{wal}{stored}"
