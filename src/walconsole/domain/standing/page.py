"""One failure mode, explained: what `walconsole explain` prints, and docs/failures/ID.md holds."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Page:
    """A failure mode. `rule` is its id; every text is plain Markdown of one or a few paragraphs.

    `symptom` is what an operator sees, `cause` what is behind it, `signal` how the console knows, `fix` what
    to do (commands in fenced blocks), `never` what not to do, `source` where this was seen: a tracker's
    issue, a file of PostgreSQL's sources, its documentation. `alarms` False: it looks like a fault and is
    none; then no rule ever reports it, and the page says why.
    """

    rule: str
    title: str
    symptom: str
    cause: str
    signal: str
    fix: str
    never: str = ""
    source: str = ""
    alarms: bool = True
