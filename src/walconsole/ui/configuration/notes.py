"""Titles, ages and notices: what stands around the rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from walconsole.domain.facts.observed import FileRole
from walconsole.domain.facts.snapshot import Freshness
from walconsole.domain.units import duration_text, plural
from walconsole.ui.board.content import Glyphs, Line, Span, Spot, Tone
from walconsole.ui.board.typeset import fit_left, shown, stamp, stamp_spans
from walconsole.ui.configuration.files import line_text
from walconsole.ui.configuration.picture import ConfigurationPicture
from walconsole.ui.configuration.view_state import ConfigurationViewState

if TYPE_CHECKING:
    from walconsole.ui.board.messages import SnapshotTaken

_AROUND_TITLE = 6


def nothing(taken: SnapshotTaken | None, pane: str) -> tuple[Line, ...]:
    """Why there is nothing to show yet; in the first pane only."""
    if pane != "settings":
        return ()
    reading = taken.snapshot.files if taken is not None else None
    if reading is None or reading.problem is None:
        return (Line((Span("  the configuration files were not read yet", Tone.MUTED),), "unread"),)
    rows = [Line((Span(f"  {shown(reading.problem.why)}", Tone.WARNING),), "stale")]
    if reading.problem.remedy:
        rows.append(Line((Span(f"  {shown(reading.problem.remedy)}", Tone.TEXT),), "stale"))
    return tuple(rows)


def notice(picture: ConfigurationPicture) -> tuple[str, Tone]:
    """The one thing that must be known of all that is shown; empty where there is none."""
    errors = picture.resolution.errors
    parts = []
    if picture.alone:
        parts.append(f"from the files alone: {shown(picture.alone)}")
    if errors:
        first = errors[0].entry
        text = line_text(picture, Spot(first.file, first.line))
        said = f" `{text}`" if text else ""
        why = shown(errors[0].why or errors[0].error or "")
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        parts.insert(0, f"PostgreSQL would not start: {shown(first.file)}:{first.line}{said}: {why}{more}")
    parts += map(shown, picture.resolution.problems)
    if picture.files.cut:
        parts.append(shown(picture.files.cut))
    if picture.resolution.uncertain:
        parts.append(f"not seen, so it may be otherwise: {shown(picture.resolution.uncertain[0])}")
    return "; ".join(parts), Tone.CRITICAL if errors else Tone.WARNING


def files(picture: ConfigurationPicture, glyphs: Glyphs) -> tuple[Span, ...]:
    """What stands for the list of files while it is folded."""
    dead, said = len(picture.files.never_read), len(picture.files.contradictions)
    spans = [Span(f"{plural(len(picture.files.files), 'file')}", Tone.LABEL)]
    if dead:
        spans.append(Span(f"  {glyphs.warning} {dead} never read", Tone.WARNING))
    if said:
        spans.append(Span(f"  {glyphs.warning} {plural(said, 'contradiction')}", Tone.WARNING))
    return tuple(spans)


def ages(
    taken: SnapshotTaken, pane: str, desk: ConfigurationViewState | None, glyphs: Glyphs
) -> tuple[Span, ...]:
    """The right end of a list's title: how much it lists, where it comes from, how old that is."""
    snapshot = taken.snapshot
    if pane == "files":
        return stamp_spans((stamp(snapshot.files, taken.now, "host"),), 60, glyphs)
    count: tuple[Span, ...] = ()
    if desk is not None:
        what = f"/{shown(desk.pattern)}/ " if desk.pattern else ""
        total = len(desk.picture.names)
        shown_of = f"{len(desk.names)} of {total}" if len(desk.names) < total else f"all {total}"
        count = (Span(f"{what}{shown_of}  ", Tone.LABEL),)
    reading = snapshot.catalogue
    if reading.freshness is Freshness.UNREAD:
        return count
    age = reading.age_s(taken.now)
    if desk is not None and desk.picture.alone:
        return (*count, Span("files alone", Tone.WARNING))
    return (*count, Span(f"pg_settings {glyphs.dot} {duration_text(age)}", Tone.LABEL))


def file_title(desk: ConfigurationViewState, width: int) -> str:
    """The file's path, its end at least, after what must not be missed of it."""
    if desk.spot is None:
        return "File"
    path = shown(desk.spot.path)
    head = "NEVER READ " if desk.picture.is_dead(desk.spot.path) else ""
    return head + fit_left(path, max(12, width - len(head) - _AROUND_TITLE), desk.glyphs.more)


def file_note(desk: ConfigurationViewState) -> tuple[Span, ...]:
    """What the file is to the cluster."""
    if desk.spot is None:
        return ()
    file = desk.picture.roles.get(desk.spot.path)
    if file is None:
        return (Span("not PostgreSQL's", Tone.MUTED),)
    if file.role is FileRole.NEVER_READ:
        return ()  # its title says so
    tone = Tone.OK if file.role is FileRole.READ else Tone.MUTED
    return (Span(file.role.value, tone),)
