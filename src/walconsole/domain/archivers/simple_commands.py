"""How one command of a shell's text can end: the shell's own, a function, a script, what stores or not."""

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Protocol

from walconsole.domain.archivers.expansion import UNKNOWN, UNKNOWN_WORDS, expanded, text_of
from walconsole.domain.archivers.look import FileText, Look
from walconsole.domain.archivers.roles import Role, does, names_itself, role_of, says_nothing_of_it
from walconsole.domain.archivers.shell_tests import FAILED, answer
from walconsole.domain.archivers.shell_tree import Node, NotUnderstoodError, Simple, tree_of
from walconsole.domain.archivers.target import Found
from walconsole.domain.archivers.ways import (
    WELL,
    GaveUpError,
    Place,
    State,
    Store,
    answered,
    followed,
    merged,
    names_of,
)
from walconsole.domain.archivers.wrappers import ASSIGNMENT, SHELLS, Unwrapped, unwrapped

_DECLARES = frozenset({"export", "local", "declare", "typeset", "readonly"})
_LEAVES = frozenset({"exit", "return", "break", "continue"})
_OWN = frozenset(
    {"set", "trap", "wait", "shift", "read", "unset", "cd", ".", "source", "eval", "false", "kill", "let"}
)
_PIPES = re.compile(r"PIPESTATUS|pipestatus")
_FORKS = re.compile(r"(?:^|[ /])setsid (?:\S+ )*?(?:-\w*f\w*|--fork)(?= |$)")
_OURS = "installed by walconsole"
_MOST_SHOWN = 70


class Runs(Protocol):
    """What follows the text in which the command stands."""

    look: Look

    def text(
        self, text: str, source: str, begin: State, depth: int = 0, shell: str = "sh"
    ) -> list[State]: ...
    def apart(self, node: Node, state: State, place: Place) -> list[State]: ...
    def nested(self, text: str, states: Sequence[State], place: Place) -> list[State]: ...
    def function(self, name: str) -> Node | None: ...
    def call(self, body: Node, state: State, words: Sequence[str], place: Place) -> list[State]: ...
    def may_store(self) -> None: ...
    def begins(self, state: State, store: Store) -> None: ...
    def stored(self, state: State, store: Store) -> State: ...
    def not_stored(self, state: State, store: Store) -> State: ...


@dataclass(slots=True)
class _Words:
    """A command's words, filled in; `assigned` before them, `inside` are its substitutions' commands."""

    texts: list[str]
    assigned: dict[str, Found[str]]
    inside: list[str]
    output: str
    given: str
    pipes: bool


def run(runs: Runs, node: Simple, state: State, place: Place) -> list[State]:
    """The ways on from there."""
    words = _filled_in(node, state, runs.look)
    states = [state]
    for inside in words.inside:
        states = [after for one in states for after in _substitution(runs, inside, one, place)]
    found: list[State] = []
    for one in states:
        found += _one(runs, node, one, state, words, place)
    return merged(found)


def hands_on(runs: Runs, node: Simple, state: State, place: Place) -> bool:
    """Whether it gives the segment to the next part of its pipeline."""
    words = _filled_in(node, state, runs.look)
    left = _unwrapped(words, runs.look)
    if not left.words or left.text is not None:
        return False
    return _role(left.words, words, place) is Role.PASSES


def _filled_in(node: Simple, state: State, look: Look) -> _Words:
    names = names_of(state, look)
    listed, assigned = list(node.words), {}
    while listed and (match := ASSIGNMENT.fullmatch(listed[0].raw or listed[0].text)) is not None:
        value = UNKNOWN if match[2] else text_of(match[3], names)
        assigned[match[1]] = Found(value)
        listed = listed[1:]
    output = given = ""
    for operator, word in node.redirected:
        if operator in (">", ">>", ">|", "&>", "&>>"):
            output = text_of(word.raw or word.text, names)
        elif operator in ("<", "<<<", "<>"):
            given = text_of(word.raw or word.text, names)
    inside = [each for word in (*node.words, *(to for _, to in node.redirected)) for each in word.inside]
    texts = [text for word in listed for text in expanded(word, names)]
    return _Words(texts, assigned, inside, output, given, any(_PIPES.search(word.raw) for word in node.words))


def _substitution(runs: Runs, inside: str, state: State, place: Place) -> list[State]:
    try:
        body = tree_of(inside)
    except NotUnderstoodError:
        runs.may_store()
        return [state.ended(WELL, "", 0, place.source)]
    return runs.apart(body, replace(state, status=WELL), Place(place.source, True, depth=place.depth))


def _unwrapped(words: _Words, look: Look) -> Unwrapped:
    return unwrapped(Unwrapped(list(words.texts), look.environment(), look.seen.user), "", look)


def _one(runs: Runs, node: Simple, state: State, before: State, words: _Words, place: Place) -> list[State]:
    """`state` after the substitutions, `before` them: what `$?` is in the command's words."""
    if not words.texts:
        status = state.status if words.inside else WELL
        by = state.by if words.inside else _shown(node)
        after = replace(state, variables=state.variables | words.assigned)
        return [after.ended(status, by, node.line, place.source)]
    left = _unwrapped(words, runs.look)
    if left.text is not None:
        return _shell_text(runs, left, words, state, place)
    if not left.words or not left.words[0]:
        return [state.ended(WELL, _shown(node), node.line, place.source)]
    name = left.words[0].rpartition("/")[2]
    body = runs.function(left.words[0])
    if body is not None:
        return runs.call(body, state, left.words[1:], place)
    if name in _LEAVES:
        return _leaving(name, left.words[1:], state, before, node, words, place)
    if name in _DECLARES:
        return [_declared(node, state, before, runs.look).ended(WELL, _shown(node), node.line, place.source)]
    if name in _OWN:
        return _own(runs, name, left.words[1:], replace(state, status=before.status), node, place)
    if name in ("test", "["):
        inside = left.words[1:-1] if name == "[" else left.words[1:]
        said = None if words.pipes else answer(inside)
        ways = answered(state, said, _shown(node), node.line, place.source)
        return followed(ways, words.pipes or _about_segment(inside)) if said is None else ways
    script = _script(left.words[0], runs.look)
    if script is not None:
        return _of_script(runs, left, script, words, state, place)
    return _by_role(runs, left, words, state, node, place)


def _by_role(
    runs: Runs, left: Unwrapped, words: _Words, state: State, node: Simple, place: Place
) -> list[State]:
    name = left.words[0].rpartition("/")[2]
    role = _role(left.words, words, place)
    well = state.ended(WELL, _shown(node), node.line, place.source)
    failed = replace(well, status=FAILED)
    store = Store(place.source, node.line, tuple(left.words), sure=role is not Role.MAY_STORE)
    if role in (Role.STORES, Role.SAYS_YES, Role.DETACHES, Role.MAY_STORE):
        runs.begins(state, store)
        lost = runs.not_stored(failed, store)
        if role is not Role.STORES:
            lost = replace(lost, status=WELL)
        return [runs.stored(well, store), lost, *_locked_out(words, well)]
    if role is not Role.WASTES and not does(name) and not names_itself(name, left.words):
        runs.may_store()
    told_elsewhere = place.behind and role in (Role.ASKS, Role.DOES)
    if told_elsewhere and says_nothing_of_it(name, left.words[1:], words.output):
        return [well]
    about = _about_segment(left.words) or bool(words.inside) or place.behind
    if role is Role.ASKS:
        return followed([well, failed], about) if place.checked or _about_segment(left.words) else [well]
    asked = place.checked and not does(name) and name != "false"
    return followed([well, failed], about) if asked else [well]


_YIELDS = re.compile(r"(?:^|[ /])flock (?:\S+ )*?(?:-\w*E ?|--conflict-exit-code[= ])0 ")


def _locked_out(words: _Words, well: State) -> list[State]:
    """flock(1), -E: it ends with that number, and runs nothing, where somebody else has the lock."""
    if not _YIELDS.search(" ".join(words.texts)):
        return []
    return followed([replace(well, by="flock -E 0")], False)


def _role(texts: Sequence[str], words: _Words, place: Place) -> Role:
    if _FORKS.search(" ".join(words.texts)):
        return Role.DETACHES
    from_file = "%p" in words.given
    return role_of(
        texts[0].rpartition("/")[2], texts[1:], fed=place.fed or from_file, piped_on=place.piped_on,
        output=words.output, from_file=from_file,
    )  # fmt: skip


def _about_segment(texts: Sequence[str]) -> bool:
    return any("%" in word or UNKNOWN in word for word in texts)


def _leaving(
    name: str, rest: Sequence[str], state: State, before: State, node: Simple, words: _Words, place: Place
) -> list[State]:
    given = rest[0] if rest else ""
    if name in ("break", "continue"):
        return [replace(state, leaving=f"{name} {given or '1'}", status=WELL)]
    if not rest:
        return [replace(state, status=before.status, leaving=name)]
    ends = [WELL, FAILED] if UNKNOWN in given or words.pipes else [WELL if given == WELL else FAILED]
    by = _shown(node)
    return [replace(state.ended(end, by, node.line, place.source), leaving=name) for end in ends]


def _declared(node: Simple, state: State, before: State, look: Look) -> State:
    names = names_of(replace(state, status=before.status), look)
    variables = dict(state.variables)
    for word in node.words[1:]:
        match = ASSIGNMENT.fullmatch(word.raw or word.text)
        if match is not None:
            variables[match[1]] = Found(UNKNOWN if match[2] else text_of(match[3], names))
    return replace(state, variables=variables)


def _own(runs: Runs, name: str, rest: Sequence[str], state: State, node: Simple, place: Place) -> list[State]:
    """The shell's own commands that change what it does or knows."""
    after = state.ended(WELL, _shown(node), node.line, place.source)
    either = [after, replace(after, status=FAILED)]
    match name:
        case "set":
            return [_set(rest, after)]
        case "trap":
            return [_trap(rest, after)]
        case "shift":
            return [_shift(rest, after)]
        case "false":
            return either[1:]
        case "wait":
            return either if rest else either[:1]
        case "kill" if any("$$" in word.raw for word in node.words):
            return [replace(after, status=FAILED, leaving="exit")]
        case "read" | "let" | "unset":
            return _assigned(name, rest, after)
        case "eval" | "." | "source":
            return _read_in(runs, name, rest, after, place)
    return either if place.checked else either[:1]


def _shift(rest: Sequence[str], state: State) -> State:
    known, count = state.positional, rest[0] if rest else "1"
    if known is None or not count.isdigit():
        return replace(state, positional=None)
    return replace(state, positional=(known[0], *known[1 + int(count) :]))


def _assigned(how: str, rest: Sequence[str], state: State) -> list[State]:
    """By `read`, `let` and `unset`."""
    names = [match[0] for word in rest if (match := re.match(r"[A-Za-z_]\w*", word)) is not None]
    value = Found("" if how == "unset" else UNKNOWN)
    after = replace(state, variables=state.variables | dict.fromkeys(names, value))
    return [after] if how == "unset" else [after, replace(after, status=FAILED)]


def _set(rest: Sequence[str], state: State) -> State:
    errexit, pipefail = state.errexit, state.pipefail
    if "--" in rest:
        words = rest[rest.index("--") + 1 :]
        first = state.positional[:1] if state.positional else ("sh",)
        return replace(state, positional=(*first, *words) if UNKNOWN_WORDS not in words else None)
    for at, word in enumerate(rest):
        on = word.startswith("-")
        named = rest[at + 1] if word[:1] in ("-", "+") and word.endswith("o") and at + 1 < len(rest) else ""
        if (word[:1] in ("-", "+") and "e" in word[1:]) or named == "errexit":
            errexit = on
        if named == "pipefail":
            pipefail = on
    return replace(state, errexit=errexit, pipefail=pipefail)


def _trap(rest: Sequence[str], state: State) -> State:
    words = [word for word in rest if word != "--"]
    if len(words) < 2:
        return state
    text = "" if words[0] in ("-", "") else words[0]
    signals = {word.upper().removeprefix("SIG") for word in words[1:]}
    if signals & {"EXIT", "0"}:
        state = replace(state, at_exit=text)
    return replace(state, at_error=text) if "ERR" in signals else state


def _read_in(runs: Runs, how: str, rest: Sequence[str], state: State, place: Place) -> list[State]:
    """`eval TEXT`, `. FILE`: a file that was not read may have set -e."""
    if how == "eval":
        if UNKNOWN not in "".join(rest):
            return runs.nested(" ".join(rest), [state], place)
        runs.may_store()
        return [state, replace(state, status=FAILED)]
    path = runs.look.path(rest[0]) if rest else ""
    file = runs.look.seen.files.get(path)
    if runs.look.is_absent(path):
        return [replace(state, status=FAILED)]
    if file is not None and not file.problem and not file.cut:
        with suppress(NotUnderstoodError):
            return runs.nested(file.text, [state], replace(place, source=path))
    runs.may_store()
    return [replace(state, errexit=None if state.errexit is False else state.errexit)]


def _shell_text(runs: Runs, left: Unwrapped, words: _Words, state: State, place: Place) -> list[State]:
    """`sh -c TEXT`."""
    text = left.text or ""
    if UNKNOWN in text and "%" not in text:
        runs.may_store()
        return [state.ended(WELL, "", 0, place.source)]
    if place.depth > 6:
        raise GaveUpError
    options = words.texts[: words.texts.index(text)] if text in words.texts else words.texts
    begin = replace(_started(options, state), positional=left.positional or ("sh",))
    shell = next((name for word in options if (name := word.rpartition("/")[2]) in SHELLS), "sh")
    inner = runs.text(text, place.source, begin, place.depth + 1, shell)
    return [_back(after, state) for after in inner]


def _started(options: Sequence[str], state: State) -> State:
    """A shell of its own, with the options that it is started with."""
    shell = next((at for at, word in enumerate(options) if word.rpartition("/")[2] in SHELLS), None)
    listed = options[shell + 1 :] if shell is not None else ()
    letters = "".join(word[1:] for word in listed if re.fullmatch(r"-[a-z]+", word))
    return replace(
        state, status=WELL, leaving="", variables={}, at_exit="", at_error="",
        errexit="e" in letters or "errexit" in listed, pipefail="pipefail" in listed,
    )  # fmt: skip


def _back(after: State, state: State) -> State:
    return replace(
        after, leaving="", variables=state.variables, errexit=state.errexit, pipefail=state.pipefail,
        positional=state.positional, at_exit=state.at_exit, at_error=state.at_error,
    )  # fmt: skip


def _script(program: str, look: Look) -> FileText | None:
    found = look.seen.programs.get(program)
    if found is None or found.script is None or found.script.problem or found.script.cut:
        return None
    first = found.script.text.partition("\n")[0]
    if first.startswith("#!") and not any(word.rpartition("/")[2] in SHELLS for word in first[2:].split()):
        return None
    return found.script if _OURS not in found.script.text[:400] else None


def _of_script(
    runs: Runs, left: Unwrapped, script: FileText, words: _Words, state: State, place: Place
) -> list[State]:
    """Its own process, with the command's words."""
    if place.depth > 4:
        raise GaveUpError
    first = script.text.partition("\n")[0]
    options = first[2:].split() if first.startswith("#!") else []
    listed = [*options, *[word for word in words.texts if word != left.words[0]]]
    begin = _started(listed, state)
    known = UNKNOWN_WORDS not in left.words
    begin = replace(begin, positional=(script.path, *left.words[1:]) if known else None)
    shell = next((name for word in options if (name := word.rpartition("/")[2]) in SHELLS), "sh")
    after = runs.text(script.text, script.path, begin, place.depth + 1, shell)
    return [_back(each, state) for each in after]


def _shown(node: Simple) -> str:
    text = " ".join(word.text or word.raw for word in node.words)
    return text if len(text) <= _MOST_SHOWN else f"{text[: _MOST_SHOWN - 1]}…"
