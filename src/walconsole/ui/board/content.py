"""What a pane shows, before any widget or theme: lines of spans whose tone says what they mean.

A pane is a pure function from a `View` to a `Content`. Colour is decided by the theme from the tone,
and every tone that means a state comes with a sign or a word in the text itself.
"""

from enum import StrEnum
from typing import NamedTuple

from walconsole.domain.facts.snapshot import Freshness, Snapshot
from walconsole.domain.incidents.model import IncidentLog
from walconsole.domain.records import record
from walconsole.domain.standing.model import Diagnosis, Level
from walconsole.ui.board.glyphs import ASCII, UNICODE, Glyphs


class Tone(StrEnum):
    """What a span means. The first four say nothing but its rank on the page; the rest are states."""

    TEXT = "text"
    STRONG = "strong"
    LABEL = "label"
    MUTED = "muted"
    OK = "ok"
    WARNING = "warning"
    CRITICAL = "critical"
    UNKNOWN = "unknown"


class Span(NamedTuple):
    """Printable text in one tone; struck through where it says what has no effect."""

    text: str
    tone: Tone = Tone.TEXT
    struck: bool = False


class Link(NamedTuple):
    """Where Enter leads from a line: a pane, and the setting or the bucket (its role) that it is about."""

    pane: str
    setting: str = ""
    role: str = ""


class Spot(NamedTuple):
    """A line of a configuration file on the host, counted from 1; 0 is the file as a whole."""

    path: str
    line: int = 0


@record
class Line:
    """One row. `entry` names its explanation, `label` and `value` are what is exported and copied.

    `spot` is the line of a configuration file that the row is about.
    """

    spans: tuple[Span, ...]
    entry: str = ""
    label: str = ""
    value: str = ""
    link: Link | None = None
    stale: bool = False
    spot: Spot | None = None

    @property
    def text(self) -> str:
        """The row without its tones."""
        return "".join(span.text for span in self.spans)


@record
class Stamp:
    """Where a pane's numbers come from and how old they are, in seconds (None: never read).

    `name` is what the source is called where there is no room for more, `dead` the word for it while
    it was never read: `missing`, `refused`, or `unread` where nothing answered.
    """

    name: str
    source: str
    age_s: float | None
    freshness: Freshness
    dead: str = "unread"


@record
class Content:
    """A pane's picture: its stamps, its rows, and one line that stands for it while it is folded.

    `table` holds the rows of a pane that is a table, for CSV: a header, then the rows. `wished` is how many
    rows it would have with more room, 0 for as many as it has; `first` how many of them say the most
    important thing, which stays in view whatever pane is in focus.
    """

    stamps: tuple[Stamp, ...]
    lines: tuple[Line, ...]
    summary: tuple[Span, ...] = ()
    table: tuple[tuple[str, ...], ...] = ()
    wished: int = 0
    first: int = 0


@record
class View:
    """What a pane renders from: the snapshot and its diagnosis, the time, its width, the signs.

    `remembered` is what is known of incidents, None where nothing is.
    `rows` are those in view, for a pane that can do with fewer; 0 for all that it has.
    """

    snapshot: Snapshot
    diagnosis: Diagnosis
    now: float
    width: int
    glyphs: Glyphs = UNICODE
    remembered: IncidentLog | None = None
    rows: int = 0


TONE_OF_LEVEL = {
    Level.OK: Tone.OK,
    Level.WARNING: Tone.WARNING,
    Level.CRITICAL: Tone.CRITICAL,
    Level.UNKNOWN: Tone.UNKNOWN,
}

__all__ = [
    "ASCII",
    "TONE_OF_LEVEL",
    "UNICODE",
    "Content",
    "Glyphs",
    "Line",
    "Link",
    "Span",
    "Spot",
    "Stamp",
    "Tone",
    "View",
]
