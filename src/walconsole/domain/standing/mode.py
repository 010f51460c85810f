"""One failure mode, whole: how it is found, what it means, what it leads to, what is at risk."""

from collections.abc import Callable, Iterable, Iterator
from enum import Enum, IntEnum
from textwrap import wrap

from walconsole.domain.records import record
from walconsole.domain.standing.assessment import Assessment
from walconsole.domain.standing.model import Finding

Look = Callable[[Assessment], Iterable[Finding]]
"""Looks at a snapshot, assessed, and yields what it finds."""


class Risk(Enum):
    """What a failure mode puts at risk; `standing.stories` makes the lines of it."""

    STOPPED = "no WAL gets through: what would be lost grows, and pg_wal with it"
    OFF = "no WAL is archived, and none is kept for it: what would be lost grows, pg_wal does not"
    SLOW = "WAL gets through too late: what would be lost, and pg_wal"
    DISK = "pg_wal's disk"
    REPLAY = "a stretch of the archive cannot be reached"
    BASE = "nothing can be restored at all"


class Late(IntEnum):
    """What is told after every other consequence, and in this order, whatever else is there."""

    FAILING = 1
    STALLED = 2
    NEVER = 3
    SLOW = 4
    COPY = 5
    DISK = 6


@record
class Page:
    """What `walconsole explain` prints and docs/failures/ID.md holds; Markdown of one or a few paragraphs.

    `symptom` is what an operator sees, `cause` what is behind it, `signal` how the console knows, `fix` what
    to do (commands in fenced blocks), `never` what not to do, `source` where this was seen: a tracker's
    issue, a file of PostgreSQL's sources, its documentation.
    """

    title: str
    symptom: str
    cause: str
    signal: str
    fix: str
    never: str = ""
    source: str = ""


@record
class FailureMode:
    """A failure mode, or what only looks like one: then `look` is None, nothing ever reports it.

    `look` finds it. One look may tell several modes apart (all name it, it runs once, in the first one's
    place), and another mode's look may find this one, too. `explains` are the ids of what it leads to; what
    those lead to follows by itself. `untried` says why no test brings it about on real servers, where none
    does. `refused`: nothing looks for it, a target of recovery is judged by it before anything is restored.
    """

    id: str
    page: Page
    look: Look | None = None
    explains: tuple[str, ...] = ()
    risk: Risk | None = None
    late: Late | None = None
    untried: str = ""
    refused: bool = False

    @property
    def alarms(self) -> bool:
        """Whether it is a fault at all."""
        return self.look is not None


REFUSED = ("failing", "stalled", "never-archived", "silent-loss", "dr-behind")
"""What follows where no WAL gets through."""
PILING = ("too-slow", "disk-filling")
"""What follows where WAL waits."""


# -- Its page as text for a terminal, and as Markdown.


NARROWEST = 40


def sections(mode: FailureMode) -> Iterator[tuple[str, str]]:
    """Heading and text of each section that has one."""
    page = mode.page
    named = (
        ("What you see", page.symptom),
        ("What is behind it", page.cause),
        ("How walconsole knows", page.signal),
        ("What to do" if mode.alarms or mode.refused else "Why it is no alarm", page.fix),
        ("What not to do", page.never),
        ("Seen in", page.source),
    )
    return ((heading, text.strip()) for heading, text in named if text)


def page_text(mode: FailureMode, width: int) -> Iterator[str]:
    """Lines at most `width` wide (but for commands, which are never wrapped)."""
    width = max(width, NARROWEST)
    yield from wrap(f"{mode.id}: {mode.page.title}", width)
    for heading, text in sections(mode):
        yield ""
        yield f"{heading}"
        for block in text.split("\n\n"):
            if block.startswith("```"):
                yield from (f"      {line}" for line in block.splitlines()[1:-1])
            else:
                yield from wrap(
                    block.replace("\n", " ").replace("`", ""),
                    width,
                    initial_indent="  ",
                    subsequent_indent="  ",
                )


def page_markdown(mode: FailureMode) -> str:
    """The page as docs/failures has it."""
    parts = [f"# `{mode.id}`: {mode.page.title}"]
    parts += [f"## {heading}\n\n{text}" for heading, text in sections(mode)]
    return "\n\n".join(parts) + "\n"
