"""What the screen that leads through a recovery shows: what happened, where to, what it takes, the way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from walconsole.domain.records import record
from walconsole.domain.recovery.recover_asked import command_line
from walconsole.domain.recovery.recover_plan import plan_lines
from walconsole.domain.standing.model import Level
from walconsole.ui.board.content import Line, Span, Tone
from walconsole.ui.board.typeset import GUTTER, pad, shown, wrapped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from walconsole.domain.recovery.recover_draft import RecoverDraft
    from walconsole.domain.recovery.recover_plan import RecoveryPlan
    from walconsole.domain.recovery.recover_state import RecoveryState
    from walconsole.domain.recovery.recover_target import RecoveryTarget
    from walconsole.domain.recovery.target_judgement import Concern
    from walconsole.ui.board.glyphs import Glyphs

HAPPENED, TARGET, WHERE, STANDS, PLANNED, REFUSED, RISKED, STEP, CHOICE, COMMAND = (
    "happened", "target", "where", "stands", "planned", "refused", "risked", "step", "choice", "command",
)  # fmt: skip
"""The entries of the rows."""
LABEL = 13
NOTHING_HAPPENED = "not said: M finds what happened when, and takes the moment just before it"


@record
class RecoverPicture:
    """`state` is where a recovery stands on the droplet, None where it was not read: `unread` says why."""

    profile: str
    draft: RecoverDraft
    seen: RecoveryPlan | None
    state: RecoveryState | None = None
    unread: str = ""

    @property
    def open(self) -> RecoveryState | None:
        """A recovery that goes on there; None where none does, or none is known of."""
        return self.state if self.state is not None and self.state.is_open else None

    @property
    def refusals(self) -> tuple[tuple[str, str], ...]:
        """What refuses it: the page that explains it, empty where none does, and the words."""
        return () if self.seen is None else tuple(map(_told_of, self.seen.refusals))

    @property
    def risks(self) -> tuple[tuple[str, str], ...]:
        """What to know before it, likewise."""
        return () if self.seen is None else tuple(map(_told_of, self.seen.warnings))

    @property
    def where(self) -> str:
        """Where it shall stand, with the host where that is another."""
        text = self.draft.wish.place.text
        return f"{text} on {self.seen.elsewhere}" if self.seen is not None and self.seen.elsewhere else text

    @property
    def verdict(self) -> tuple[Level, str, str]:
        """The first line: level, word, sentence."""
        going = self.open
        if going is not None:
            said = going.words[0]
            on = f" on {going.host}" if going.host else ""
            return Level.WARNING, "open", f"{self.profile}: recovery {going.id}{on}: {said}; {_next(going)}"
        wish = self.draft.wish
        if self.seen is None:
            return Level.UNKNOWN, "", f"{self.profile}: nothing was read yet"
        if self.refusals:
            return Level.CRITICAL, "blocked", f"{self.profile}: {self.refusals[0][1]}"
        aim = f"recover {self.profile} to {wish.target.how}, {self.where}"
        return Level.WARNING, "to do", f"{aim}: x looks, shows each plan, and asks before it"


def _told_of(concern: Concern) -> tuple[str, str]:
    """The page that explains it, empty where none does, and the words."""
    text = f"{concern.text}; {concern.remedy}" if concern.remedy else concern.text
    return concern.trap or "", text


def _next(state: RecoveryState) -> str:
    """The keys of this screen that lead on."""
    if state.readable:
        return "P looks into it, e brings a table back, x opens it, T takes a later target, u gives up"
    return "x goes on where it was, u gives it up"


# -- What and where to.


def aim_rows(picture: RecoverPicture, width: int, glyphs: Glyphs) -> tuple[Line, ...]:
    """The rows of the first pane; Enter on one chooses it anew."""
    draft, going = picture.draft, picture.open
    lines: list[Line] = []
    if going is None:
        lines += _labelled(HAPPENED, "happened", draft.event or NOTHING_HAPPENED, width)
        lines += _labelled(TARGET, "target", _target(draft.wish.target), width, Tone.STRONG)
        lines += _labelled(WHERE, "where", picture.where, width, Tone.STRONG)
        why = picture.unread or "no recovery goes on there"
        lines += _labelled(STANDS, "stands", why, width, Tone.MUTED if not picture.unread else Tone.WARNING)
        return tuple(lines)
    target = "n/a" if going.target is None else _target(going.target)
    lines += _labelled(STANDS, "stands", f"{glyphs.warning} {going.words[0]}", width, Tone.WARNING)
    lines += _labelled(TARGET, "target", target, width)
    lines += _labelled(WHERE, "where", f"{going.where}: {going.data or 'n/a'}", width)
    reached = f"{going.reached or 'no commit was replayed yet'} at {going.lsn or 'n/a'}"
    lines += _labelled(STANDS, "replayed to", reached, width)
    if going.message:
        lines += _labelled(STANDS, "said last", going.message, width, Tone.MUTED)
    return tuple(lines)


def _target(target: RecoveryTarget) -> str:
    line = "" if target.timeline is None else f", timeline {target.timeline}"
    return f"{target.how}{line}"


# -- What it takes, and loses.


def forecast_rows(picture: RecoverPicture, width: int, glyphs: Glyphs) -> tuple[Line, ...]:
    """What is in its way first, then the numbers."""
    lines: list[Line] = []
    going = picture.open is not None
    for page, text in () if going else picture.refusals:
        lines += _labelled(REFUSED, "refused", f"{glyphs.critical} {text}{_page(page)}", width, Tone.CRITICAL)
    if picture.seen is not None:
        planned = dict(plan_lines(picture.seen))
        for label in _WHILE_OPEN if going else _FORECAST:
            if label in planned:
                tone = Tone.WARNING if label == "loses" else Tone.TEXT
                lines += _labelled(PLANNED, label, _told(label, planned[label], picture.draft), width, tone)
    for page, text in () if going else picture.risks:
        lines += _labelled(RISKED, "know", f"{glyphs.warning} {text}{_page(page)}", width, Tone.WARNING)
    return tuple(lines)


_FORECAST = ("loses", "takes", "room", "base backup", "WAL", "key")
"""What of the plan, the weightiest first: a low terminal shows no more than that."""
_WHILE_OPEN = ("loses", "base backup", "WAL")


def _told(label: str, text: str, draft: RecoverDraft) -> str:
    """What the plan says; of a loss what the WAL says, where it was read for this target."""
    if label == "loses":
        return f"once it is opened: {draft.loss if draft.loss and draft.is_offered else text}"
    return f"{text}; the first step asks the disk itself" if label == "room" else text


def _page(id: str) -> str:
    return f" (walconsole explain {id})" if id else ""


# -- The way there, or on from where it stands.


_BEFORE = (
    ("choose", "base backup, room, time and loss are looked at again, on the droplet", "changes nothing"),
    (
        "keep",
        "the old server's last WAL is archived if it can be, and kept in any case",
        "nothing is deleted",
    ),
    ("restore", "fetched, unpacked and compared in a folder of its own", "the folder stays until you say"),
    (
        "replay",
        "by a private server without network or archiving, up to the target, and paused",
        "give it up",
    ),
    (
        "look",
        "read-only, with lock and statement timeouts; after a wrong DROP or DELETE one table is brought back "
        "from here (e), and the rest given up (u)",
        "changes nothing",
    ),
    (
        "open",
        "asks once more; then it is promoted, on a timeline of its own",
        "the old data stay as they are",
    ),
    (
        "in force",
        "the old server is stopped; real configuration, archiving, base backup",
        "the old files stay",
    ),
)
_LOOK = (
    "look into it: a read-only query, a table's rows. What the replayed WAL has locked (a DROP whose commit "
    "is not replayed) cannot be read: lock_timeout and statement_timeout end the question"
)
_PART = (
    "dump a table, or a database, into a file beside it; a table that the running server lacks is loaded "
    "into it. After a wrong DROP that is all it takes: the old server goes on, and u gives this up"
)
_CHOICES = (
    ("P", _LOOK),
    ("e", _PART),
    ("x", "open it: asks, promotes, puts the configuration in force, takes a base backup"),
    ("T", "another, later target: it is replayed on without a new restore; back is a new restore"),
    ("u", "give it up: its server ends, an old one that was stopped for it is started again"),
)


def way_rows(picture: RecoverPicture, width: int) -> tuple[Line, ...]:
    """What x does, step by step, and how each is taken back; where it stands open, what can be chosen."""
    lines: list[Line] = []
    if picture.open is not None:
        for key, text in _CHOICES if picture.open.readable else (_CHOICES[2], _CHOICES[4]):
            lines += _labelled(CHOICE, key, text, width)
        return tuple(lines)
    for number, (name, text, undo) in enumerate(_BEFORE, 1):
        lines += _labelled(STEP, f"{number} {name}", f"{text} ({undo})", width)
    lines.append(Line((Span(""),)))
    lines += _labelled(COMMAND, "command", command_of(picture), width, Tone.MUTED)
    return tuple(lines)


def command_of(picture: RecoverPicture) -> str:
    """What does the same without a screen."""
    going, wish = picture.open, picture.draft.wish
    if going is not None:
        return f"walconsole recover {picture.profile} --promote --plan"
    return command_line(picture.profile, wish, "--plan")


def _labelled(entry: str, label: str, text: str, width: int, tone: Tone = Tone.TEXT) -> Iterator[Line]:
    """A value on as many lines as it needs."""
    for index, part in enumerate(wrapped(shown(text), width - GUTTER - LABEL - 1)):
        head = Span(" " * GUTTER + pad("" if index else label, LABEL), Tone.LABEL)
        yield Line((head, Span(part, tone)), entry, label, text)
