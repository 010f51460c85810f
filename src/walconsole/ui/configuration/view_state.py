"""What the operator looks at: the picture, the list's filter, the subject, the line of a file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from walconsole.domain.pgconf.resolution import State
from walconsole.ui.board.content import Glyphs, Line, Spot, Tone
from walconsole.ui.board.typeset import shown
from walconsole.ui.configuration import chain, files
from walconsole.ui.configuration.file_text import FileRows, difference_rows
from walconsole.ui.configuration.settings import SettingRows, matching, spot_of

if TYPE_CHECKING:
    from walconsole.domain.pgconf.advice import Advice
    from walconsole.ui.configuration.picture import ConfigurationPicture


class Kind(StrEnum):
    """What the detail is about."""

    SETTING = "setting"
    FILE = "file"
    START = "start"
    ERROR = "error"
    DIFFERENCE = "difference"
    WHAT_IF = "what if"


class Subject(NamedTuple):
    """`name` is a setting's name or a file's path; `line` an error's; `advice` the answer to a what-if."""

    kind: Kind
    name: str = ""
    line: int = 0
    advice: Advice | None = None


class ConfigurationViewState:
    """Decides what each pane shows. Knows nothing of widgets."""

    def __init__(self, picture: ConfigurationPicture, glyphs: Glyphs, name: str = "") -> None:
        self.picture, self.glyphs = picture, glyphs
        self.pattern, self.everything = "", False
        self.subject = self.last = Subject(Kind.SETTING, name or next(iter(picture.names), ""))
        self.spot: Spot | None = None
        self.names: tuple[str, ...] = ()
        if name in picture.names[picture.relevant :]:
            self.everything = True
        self.list_again()
        self.choose(self.subject)

    # What is chosen.

    def take(self, picture: ConfigurationPicture) -> None:
        """A newer picture; what is looked at stays."""
        self.picture = picture
        if self.subject.kind is Kind.WHAT_IF and self.subject.advice is not None:
            with suppress(ValueError):  # the newer server has no such setting: the answer stays
                self.subject = self.subject._replace(advice=chain.advise(picture, self.subject.name))
        self.list_again()

    def list_again(self) -> None:
        """The settings to list."""
        self.names = matching(self.picture, self.pattern, everything=self.everything)

    def choose(self, subject: Subject) -> None:
        """Look at another thing, and at its line in a file."""
        if subject.kind in (Kind.SETTING, Kind.FILE, Kind.START, Kind.ERROR):
            self.last = subject
        self.subject = subject
        self.spot = self._first_spot() or self.spot

    def back(self) -> bool:
        """From a difference or an answer back to what was looked at before; False where there is none."""
        if self.subject == self.last:
            return False
        self.choose(self.last)
        return True

    def wish(self, text: str) -> None:
        """Answer a what-if. Raises ValueError where it is none."""
        self.choose(Subject(Kind.WHAT_IF, text, advice=chain.advise(self.picture, text)))

    def dead_file(self) -> str | None:
        """The dead file that is meant: the one looked at, else one that sets the setting, else the first."""
        candidates = [self.subject.name] if self.subject.kind is Kind.FILE else []
        if self.spot is not None:
            candidates.append(self.spot.path)
        lines = self.picture.dead_lines.get(self.subject.name, ())
        candidates += [line.file.path for line in lines]
        candidates += [file.path for file in self.picture.files.never_read]
        return next((path for path in candidates if self.picture.is_dead(path)), None)

    def _first_spot(self) -> Spot | None:
        """The line to show for the subject."""
        subject = self.subject
        match subject.kind:
            case Kind.SETTING:
                return self._setting_spot(subject.name)
            case Kind.FILE | Kind.DIFFERENCE:
                file = self.picture.roles.get(subject.name)
                first = file.settings[0][2] if file is not None and file.settings else 1
                return Spot(subject.name, first)
            case Kind.ERROR:
                return Spot(subject.name, subject.line)
            case Kind.START:
                return files.first_spot_of_start(self.picture)
            case Kind.WHAT_IF:
                return self._advised_spot(subject.advice)

    def _setting_spot(self, name: str) -> Spot:
        """The winner's line, else the last line that any file has for it, dead ones too."""
        found = self.picture.chain(name)
        lines = [Spot(place.file, place.line or 0) for place in found.places if place.file is not None]
        dead = [Spot(line.file.path, line.line) for line in self.picture.dead_lines.get(name, ())]
        main = Spot(self.picture.resolution.config_file, 1)
        return spot_of(found) or next(iter([*reversed(lines), *dead]), main)

    def _advised_spot(self, advice: Advice | None) -> Spot | None:
        if advice is None or advice.path is None:
            return self._setting_spot(advice.name) if advice is not None else None
        content = self.picture.content(advice.path)
        if content.raw is None:
            return Spot(self.picture.resolution.config_file, 1)
        return Spot(advice.path, content.raw.rstrip(b"\n").count(b"\n") + 1)

    # What the panes show.

    def settings_rows(self, width: int) -> SettingRows:
        """The list at the left."""
        return SettingRows(self.picture, self.names, width, self.glyphs)

    def files_rows(self, width: int) -> tuple[Line, ...]:
        """The list of files."""
        return files.render(self.picture, width, self.glyphs)

    def subject_of(self, row: Line) -> Subject:
        """What a row of the files' list is about."""
        spot = row.spot or Spot("")
        if row.entry == files.START:
            return Subject(Kind.START)
        if row.entry == files.ERROR:
            return Subject(Kind.ERROR, spot.path, spot.line)
        return Subject(Kind.FILE, spot.path)

    def detail_rows(self, now: float, width: int) -> Sequence[Line]:
        """What is known of the subject."""
        picture, subject, glyphs = self.picture, self.subject, self.glyphs
        match subject.kind:
            case Kind.SETTING:
                return chain.render(picture, subject.name, now, width, glyphs)
            case Kind.FILE:
                return files.detail(picture, subject.name, width, glyphs)
            case Kind.START:
                return files.start_detail(picture, width, glyphs)
            case Kind.ERROR:
                return files.error_detail(picture, Spot(subject.name, subject.line), width, glyphs)
            case Kind.DIFFERENCE:
                return difference_rows(picture, subject.name, width, glyphs)
            case Kind.WHAT_IF:
                assert subject.advice is not None  # noqa: S101  # `wish` set both
                return chain.advice_rows(picture, subject.advice, width, glyphs)

    def detail_title(self) -> str:
        """What stands above it."""
        subject = self.subject
        match subject.kind:
            case Kind.SETTING:
                return chain.title(self.picture, subject.name)
            case Kind.WHAT_IF:
                return f"Where to set {shown(subject.name)}"
            case Kind.DIFFERENCE:
                return "A dead file against what is in force"
            case Kind.START:
                return "How the server was started"
            case Kind.ERROR:
                return "What keeps the server from starting"
            case Kind.FILE:
                dead = self.picture.is_dead(subject.name)
                return "A file that is never read" if dead else "A file"

    def file_rows(self) -> FileRows | None:
        """The file at `spot`; None before there is one."""
        if self.spot is None:
            return None
        path = self.spot.path
        errors = {
            judged.entry.line: shown(judged.why or judged.error or "")
            for judged in self.picture.resolution.errors
            if judged.entry.file == path
        }
        return FileRows(
            self.picture.content(path),
            self.glyphs,
            dead=self.picture.is_dead(path),
            marks=dict(self._marks(path)),
            errors=errors,
        )

    def _marks(self, path: str) -> Iterator[tuple[int, tuple[str, Tone]]]:
        """Signs beside the lines that set the setting that is looked at."""
        if self.last.kind is not Kind.SETTING:
            return
        found = self.picture.chain(self.last.name)
        for place in found.places:
            if place.file == path and place.line is not None:
                yield place.line, self._mark(place.state, wins=place == found.winner)
        for line in self.picture.dead_lines.get(self.last.name, ()):
            if line.file.path == path:
                yield line.line, (self.glyphs.critical, Tone.WARNING)

    def _mark(self, state: State, *, wins: bool) -> tuple[str, Tone]:
        if state in (State.ERROR, State.DISCARDED):
            return self.glyphs.critical, Tone.CRITICAL
        return (self.glyphs.cursor, Tone.OK) if wins else (self.glyphs.dot, Tone.LABEL)
