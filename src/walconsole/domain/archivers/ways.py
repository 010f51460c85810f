"""The ways that a shell's text can take where what stores the segment fails or succeeds.

A way is a `State`; ways that differ in nothing but variables are taken as one.
"""

from collections.abc import Iterable
from dataclasses import field, replace

from walconsole.domain.archivers.expansion import UNKNOWN, Environment, Names
from walconsole.domain.archivers.look import Look
from walconsole.domain.archivers.shell_tests import FAILED
from walconsole.domain.archivers.target import Found
from walconsole.domain.records import record

WELL = "0"
_MOST_STATES = 96


class GaveUpError(Exception):
    """There are too many ways."""


@record
class Store:
    """One call that stores the segment. Not `sure`: it is only taken for one where nothing else is."""

    source: str
    line: int
    words: tuple[str, ...]
    sure: bool = True


@record
class Asked:
    """A question that only a run answers, and the answer that this way follows."""

    what: str
    holds: bool
    source: str = ""
    line: int = 0


@record
class State:
    """One way up to here. `status` is how the last command ended: WELL, FAILED, or a number.

    `failed` are the stores that failed and were not made good, `stored` those that succeeded. `by` is what
    `status` follows from, as it stands there, on `line` of `source`. `leaving`: by `exit`, `return`, `break`
    or `continue`. `errexit` None: not known.
    `asked` are the questions that led here and have nothing to do with the segment; `chosen`: another has.
    """

    status: str = WELL
    failed: frozenset[Store] = frozenset()
    stored: frozenset[Store] = frozenset()
    by: str = ""
    line: int = 0
    source: str = ""
    leaving: str = ""
    errexit: bool | None = False
    pipefail: bool = False
    at_exit: str = ""
    at_error: str = ""
    positional: tuple[str, ...] | None = None
    chosen: bool = False
    variables: Environment = field(default_factory=dict, compare=False)
    asked: frozenset[Asked] = field(default=frozenset(), compare=False)

    def key(self) -> tuple[object, ...]:
        """By which two ways are one."""
        return (
            self.status, self.failed, self.stored, self.leaving, self.errexit, self.pipefail, self.at_exit,
            self.at_error, self.positional, self.chosen, self.by if self.failed else "",
        )  # fmt: skip

    def ended(self, status: str, by: str, line: int, source: str) -> "State":
        """The same after a command that ended so."""
        return replace(self, status=status, by=by, line=line, source=source)


@record
class Place:
    """Where a command stands. `checked`: how it ends is looked at (`if`, `&&`): `set -e` lets it go on.

    `fed`: the segment comes by its pipe; `behind`: something does, from what may have stored it;
    `piped_on`: its output goes into the next part. `posix`: a shell runs it that knows nothing of bash's.
    """

    source: str
    checked: bool = False
    fed: bool = False
    piped_on: bool = False
    behind: bool = False
    depth: int = 0
    posix: bool = False


def merged(states: Iterable[State]) -> list[State]:
    """Each way once; variables in which two of them differ are not known. Raises GaveUpError."""
    found: dict[tuple[object, ...], State] = {}
    for state in states:
        key = state.key()
        other = found.get(key)
        if other is not None and other.variables != state.variables:
            state = replace(state, variables=_common(other.variables, state.variables))
        if other is not None and other.asked != state.asked:
            state = replace(state, asked=state.asked & other.asked)
        found[key] = state
    if len(found) > _MOST_STATES:
        raise GaveUpError
    return list(found.values())


def _common(one: Environment, other: Environment) -> Environment:
    names = one.keys() | other.keys()
    return {
        name: one[name] if name in one and one[name] == other.get(name) else Found(UNKNOWN) for name in names
    }


def answered(state: State, said: bool | None, by: str, line: int, source: str) -> list[State]:
    """After a question; both ways where its answer is not known."""
    ends = [WELL, FAILED] if said is None else [WELL if said else FAILED]
    return [state.ended(end, by, line, source) for end in ends]


def followed(ways: Iterable[State], about_segment: bool) -> list[State]:
    """Ways on from a question that only a run answers."""
    if about_segment:
        return [replace(each, chosen=True) for each in ways]
    return [
        replace(each, asked=each.asked | {Asked(each.by, each.status == WELL, each.source, each.line)})
        for each in ways
    ]


def names_of(state: State, look: Look) -> Names:
    """What the shell knows there."""
    variables = {**state.variables, "?": Found(state.status)}
    return Names(variables, look.environment(), state.positional)
