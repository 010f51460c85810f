"""What is told of one base backup: where it is, which WAL it needs from where, how to restore it by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from walconsole.domain.profile import BucketRole
from walconsole.domain.recovery.by_hand import Copies, by_hand, why_not
from walconsole.domain.recovery.words import moment_text
from walconsole.domain.units import age_text, bytes_text, count_text, duration_text, plural
from walconsole.domain.wal import format_lsn
from walconsole.ui.board.content import Line, Span, Tone
from walconsole.ui.board.typeset import GUTTER, NOT_AVAILABLE, or_na, pad, shown, wrapped
from walconsole.ui.recovery.backup_table import kind_text, state_of, to_text
from walconsole.ui.recovery.picture import NAMES, TOGETHER, made_when, window_of
from walconsole.ui.recovery.window_rows import ends_text, lost_text, reach_text, toned

if TYPE_CHECKING:
    from collections.abc import Sequence

    from walconsole.domain.recovery.by_hand import Commands
    from walconsole.domain.recovery.recoverability import BackupReach, Recoverability, Route, Window
    from walconsole.droplet.names import RcloneNames
    from walconsole.ui.board.glyphs import Glyphs
    from walconsole.ui.recovery.picture import RecoveryPicture

LABEL = 14
COMMAND = "command"
"""The entry of a line of shell; its value is its whole paragraph."""


class _Rows:
    """Collects labelled rows."""

    def __init__(self, width: int) -> None:
        self.lines: list[Line] = []
        self._width = width

    def row(self, entry: str, label: str, text: str, tone: Tone = Tone.TEXT) -> None:
        """A value on as many lines as it needs. What comes from outside was made safe before."""
        for index, part in enumerate(wrapped(text, self._width - GUTTER - LABEL - 1)):
            head = Span(" " * GUTTER + pad("" if index else label, LABEL), Tone.LABEL)
            self.lines.append(Line((head, *toned(part, tone)), entry, label, text))

    def blank(self) -> None:
        """An empty row."""
        self.lines.append(Line((Span(""),)))


# -- A base backup.


def backup_rows(
    picture: RecoveryPicture, reach: BackupReach, names: RcloneNames, width: int, glyphs: Glyphs
) -> tuple[Line, ...]:
    """All that is known of it, then the commands."""
    rows = _Rows(width)
    backup = reach.held.backup
    sign, tone = state_of(picture, reach, glyphs)
    leads = "restorable to" if reach.usable else "of no use:"
    rows.row("state", "state", f"{sign} {leads} {to_text(picture, reach, whole=True)}", tone)
    _made(rows, picture, reach)
    _places(rows, picture, reach, names)
    route = picture.together.route_from(reach) if picture.together is not None else None
    if route is not None:
        _wal(rows, route)
    _alone(rows, picture, reach, glyphs)
    if backup.is_incremental:
        chain = ", ".join(each.backup.id for each in route.chain[:-1]) if route is not None else backup.parent
        rows.row("chain", "builds upon", shown(chain or NOT_AVAILABLE))
    _shell(rows, picture, reach, names)
    return tuple(rows.lines)


def _made(rows: _Rows, picture: RecoveryPicture, reach: BackupReach) -> None:
    backup = reach.held.backup
    major = backup.server_version_num
    version = f", PostgreSQL {major // 10_000}" if major is not None else ""
    standby = ", from a standby" if backup.from_standby else ""
    kind = "" if backup.start_lsn is None else f", {kind_text(backup)}"
    rows.row("backup", "backup", f"{shown(backup.id)}{kind}{version}{standby}")
    if backup.stopped is None:
        begun = made_when(backup)
        why = "its writer does not say" if begun is None else f"begun {moment_text(begun, picture.now)}"
        rows.row("made", "stopped", f"{NOT_AVAILABLE}: {why}", Tone.MUTED)
    else:
        took = ""
        if backup.started is not None:
            took = f", took {duration_text(max(0.0, backup.stopped - backup.started))}"
        ago = age_text(max(0.0, picture.now - backup.stopped))
        rows.row("made", "stopped", f"{moment_text(backup.stopped, picture.now)}, {ago}{took}")
    unpacked = "" if backup.unpacked_bytes is None else f", {bytes_text(backup.unpacked_bytes)} unpacked"
    rows.row("size", "size", f"{or_na(backup.stored_bytes, bytes_text)} stored{unpacked}")
    lsns = " to ".join(or_na(lsn, format_lsn) for lsn in (backup.start_lsn, backup.stop_lsn))
    rows.row("lsn", "LSN", f"{lsns}, timeline {or_na(backup.timeline, str)}")
    said = {
        True: "yes: read back, its manifest and its WAL compared",
        False: "no: read it back before you rely on it",
        None: f"{NOT_AVAILABLE}: its writer does not say",
    }[backup.verified]
    rows.row("verified", "verified", said, Tone.TEXT if backup.verified else Tone.MUTED)
    if backup.encryption:
        rows.row("encryption", "encrypted", f"{shown(backup.encryption)}: of no use without its secret key")


def _places(rows: _Rows, picture: RecoveryPicture, reach: BackupReach, names: RcloneNames) -> None:
    backup = reach.held.backup
    for role in picture.alone:
        if role not in reach.held.listed_in:
            rows.row("place", NAMES[role], "it is not in this copy", Tone.MUTED)
            continue
        whole = "" if role in reach.held.complete_in else ", not complete"
        path = f"{names.copies.get(role, '')}{backup.place}{backup.id}"
        rows.row("place", NAMES[role], f"{shown(path)}{whole}", Tone.WARNING if whole else Tone.TEXT)


def _wal(rows: _Rows, route: Route) -> None:
    sources = route.sources
    many = plural(sources.segments, "segment")
    rows.row("wal", "WAL", f"{route.first} to {route.last}, {many}, {bytes_text(route.replay_bytes)}")
    for role, held in sources.held.items():
        alone = sources.only.get(role, 0)
        only = f"; {count_text(alone)} of them only there" if alone and len(sources.held) > 1 else ""
        all_of = (
            "all" if held == sources.segments else f"{count_text(held)} of {count_text(sources.segments)}"
        )
        rows.row("wal_from", f"from {NAMES[role]}", f"{all_of}{only}")


def _alone(rows: _Rows, picture: RecoveryPicture, reach: BackupReach, glyphs: Glyphs) -> None:
    """How far it leads with one copy, the other being gone."""
    for role, found in picture.alone.items():
        label = f"{NAMES[role]} alone"
        if found is None:
            rows.row("alone", label, f"{NOT_AVAILABLE}: it was not read", Tone.MUTED)
            continue
        same = _same_in(found, reach)
        window = window_of(found, same) if same is not None else None
        if same is None or window is None:
            why = "it is not in this copy"
            if same is not None and same.stop is not None:
                why = shown(same.stop.text)
            rows.row("alone", label, f"{glyphs.warning} nothing: {why}", Tone.WARNING)
            continue
        end = ends_text(window, picture.now).split(",")[0].split(" to ")[-1]
        if window.stop is None:
            rows.row("alone", label, f"to {end}")
        else:
            rows.row("alone", label, f"{glyphs.warning} to {end}: {shown(window.stop.text)}", Tone.WARNING)


def _same_in(found: Recoverability, reach: BackupReach) -> BackupReach | None:
    backup = reach.held.backup
    return next(
        (
            each
            for each in found.reach[found.target].reaches
            if (each.held.backup.name, each.held.backup.start_lsn) == (backup.name, backup.start_lsn)
        ),
        None,
    )


# -- How to restore it by hand.


def commands_of(
    picture: RecoveryPicture, reach: BackupReach, names: RcloneNames
) -> tuple[Commands, ...] | str:
    """The paragraphs of shell; or why there are none."""
    found = picture.together
    route = found.route_from(reach) if found is not None else None
    if found is None or route is None:
        return "there is nothing to restore from it"
    roles = [
        role
        for role in reach.held.complete_in
        if role in names.copies and all(role in each.complete_in for each in route.chain)
    ]
    if not roles and reach.held.backup.is_incremental:
        return "no copy that the profile names holds all that it builds upon: join the copies' parts by hand"
    if not roles:
        return "the profile does not say how rclone names its copy"
    chosen = max(roles, key=lambda role: route.sources.held.get(role, 0))
    more = _lacking(route, chosen)
    refused = why_not(reach.held, route.chain, picture.flat >= {chosen, *more})
    if refused:
        return refused
    others = tuple(names.copies[role] for role in more if role in names.copies)
    return by_hand(
        reach.held.backup,
        Copies(names.copies[chosen], others, names.config, names.trust),
        segment_bytes=found.cluster.segment_bytes,
        timeline=found.target if found.latest != found.target else None,
        chain=[each.backup for each in route.chain],
    )


def commands_before(picture: RecoveryPicture, lsn: int, names: RcloneNames) -> tuple[Commands, ...] | str:
    """The same from the newest base backup that had stopped by `lsn`; or why there are none."""
    found = picture.together
    route = found.route(lsn) if found is not None else None
    if route is None:
        return "no base backup that had stopped before it leads there"
    begun = route.chain[-1]
    reach = next((each for each in picture.reaches if each.held is begun), None)
    return (
        "it is not known how far its base backup leads"
        if reach is None
        else commands_of(picture, reach, names)
    )


def _lacking(route: Route, chosen: BucketRole) -> list[BucketRole]:
    """The other copies that hold WAL which the chosen one lacks."""
    sources = route.sources
    if sources.held.get(chosen, 0) == sources.segments:
        return []
    return [role for role in sources.held if role is not chosen]


def _shell(rows: _Rows, picture: RecoveryPicture, reach: BackupReach, names: RcloneNames) -> None:
    commands = commands_of(picture, reach, names)
    if isinstance(commands, str):
        rows.row("by_hand", "by hand", shown(commands), Tone.MUTED)
        return
    rows.blank()
    rows.row(
        "by_hand", "by hand", "on any host with PostgreSQL, rclone and zstd; Y copies all of it", Tone.STRONG
    )
    for number, paragraph in enumerate(commands, 1):
        title = f"# {number}. {paragraph.title}"
        whole = text_of([paragraph])
        rows.lines.append(Line((Span(f"{' ' * GUTTER}{title}", Tone.MUTED),), COMMAND, str(number), whole))
        rows.lines += [
            Line((Span(f"{' ' * GUTTER}{shown(line)}", Tone.TEXT),), COMMAND, str(number), whole)
            for line in paragraph.lines
        ]


def text_of(commands: Sequence[Commands]) -> str:
    """All of it as one script; titles are comments."""
    return "\n".join(line for each in commands for line in (f"# {each.title}", *map(shown, each.lines)))


# -- A copy, or all together.


def subject_rows(
    picture: RecoveryPicture, name: str, found: Recoverability, width: int, glyphs: Glyphs
) -> tuple[Line, ...]:
    """Its windows, the newest first, with what ends each; what could not be read."""
    rows = _Rows(width)
    if not found.windows:
        text, tone = reach_text(found, picture, glyphs, doubted=name == TOGETHER and bool(picture.left_out))
        rows.row("window", "window", text, tone)
    for window in reversed(found.windows):
        _window(rows, picture, window, glyphs)
    if found.window is not None:
        rows.row("lost", "lost now", lost_text(found, picture.now))
    if not found.backups and found.listed:
        first = "s takes the first base backup; each step asks first"
        if picture.not_taken:
            first = f"have pgBackRest take the base backups: {picture.not_taken}"
        rows.row("to_do", "to do", first, Tone.STRONG)
    asked = " and ".join(NAMES[role] for role in found.read) or "no copy"
    rows.row("asked", "WAL from", f"{asked}; base backups are fetched by hand, from any copy")
    if found.latest != found.target:
        text = f"'latest' leads to timeline {found.latest}, the server writes {found.target}"
        rows.row("timeline", "timelines", f"{glyphs.warning} {text}", Tone.WARNING)
    for each in found.unreadable:
        rows.row("unreadable", "not read", f"{shown(each.key)}: {shown(each.why)}", Tone.WARNING)
    if not found.listed:
        rows.row("unreadable", "listing", "it is not complete, or in doubt", Tone.WARNING)
    return tuple(rows.lines)


def _window(rows: _Rows, picture: RecoveryPicture, window: Window, glyphs: Glyphs) -> None:
    newest = window.stop is None
    sign, tone = (glyphs.ok, Tone.OK) if newest else (glyphs.warning, Tone.WARNING)
    rows.row("window", "window", f"{sign} {ends_text(window, picture.now)}", tone)
    lsns = f"{format_lsn(window.since_lsn)} to {format_lsn(window.until_lsn)}"
    begun = plural(len(window.backups), "base backup")
    rows.row("window", "", f"{lsns}, timeline {window.timeline}, {begun}")
    if window.stop is not None:
        rows.row("hole", "ends", shown(window.stop.text), Tone.WARNING)
