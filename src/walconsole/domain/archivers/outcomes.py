"""How a shell's text can end where what stores the segment fails. Nothing is run: every way is followed.

POSIX.1-2024, Shell Command Language, 2.8.2 (exit status), 2.9 (commands), 2.15 (set, trap); bash(1).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from walconsole.domain.archivers import simple_commands
from walconsole.domain.archivers.expansion import UNKNOWN, expanded, text_of
from walconsole.domain.archivers.look import Look
from walconsole.domain.archivers.shell_tests import FAILED, changed, of_arithmetic, of_brackets
from walconsole.domain.archivers.shell_tree import (
    AndOr,
    Block,
    Case,
    For,
    Function,
    If,
    Node,
    Pipeline,
    Simple,
    Subshell,
    Test,
    While,
    tree_of,
)
from walconsole.domain.archivers.shell_words import Operator, Token
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

MOST_STEPS = 4000
_ROUNDS = 3
"""So often a loop is followed: once more than what it takes to fail and to try again."""
_DEPTH = 8


class Run:
    """Follows a text. `follows` are pairs of stores, the second of which runs where the first succeeded.

    What runs only where another failed makes that good.
    """

    def __init__(self, look: Look, follows: frozenset[tuple[Store, Store]] | None = None) -> None:
        self.look, self._steps = look, 0
        self._follows = follows
        self._functions: dict[str, Node] = {}
        self.seen: set[tuple[Store, Store]] = set()
        self.stores: set[Store] = set()
        self.is_open = False

    def text(self, text: str, source: str, begin: State, depth: int = 0, shell: str = "sh") -> list[State]:
        """As a process of its own, up to its end, by that shell. Raises GaveUpError, NotUnderstoodError."""
        posix = shell == "dash" or (shell == "sh" and self.look.seen.sh == "dash")
        states = self._node(tree_of(text, posix=posix), [begin], Place(source, depth=depth, posix=posix))
        return [ended for state in states for ended in self._at_exit(state, source, depth)]

    def _at_exit(self, state: State, source: str, depth: int) -> Iterator[State]:
        if not state.at_exit:
            yield replace(state, leaving="")
            return
        begin = replace(state, leaving="", at_exit="", at_error="", errexit=False)
        for after in self._node(tree_of(state.at_exit), [begin], Place(source, True, depth=depth + 1)):
            if after.leaving.startswith("exit") and after.status != state.status:
                yield replace(after, leaving="", by=f"trap … {after.by}", line=state.line, source=source)
            else:
                yield replace(state, failed=after.failed, stored=after.stored, leaving="")

    def _node(self, node: Node, states: Sequence[State], place: Place) -> list[State]:
        going = [state for state in states if not state.leaving]
        gone = [state for state in states if state.leaving]
        found: list[State] = []
        for state in going:
            self._steps += 1
            if self._steps > MOST_STEPS:
                raise GaveUpError
            found += self._one(node, state, place)
        return merged([*gone, *found])

    def _one(self, node: Node, state: State, place: Place) -> list[State]:
        match node:
            case Simple():
                return self._failing(simple_commands.run(self, node, state, place), place)
            case Test():
                return self._failing(self._test(node, state, place), place)
            case Pipeline():
                return self._failing(self._pipeline(node, state, place), place)
            case Subshell():
                return self._failing(self.apart(node.body, state, place), place)
            case AndOr():
                return self._and_or(node, state, place)
            case Block():
                return self._block(node, state, place)
            case _:
                return self._compound(node, state, place)

    def _compound(self, node: If | While | For | Case | Function, state: State, place: Place) -> list[State]:
        match node:
            case If():
                return self._if(node, state, place)
            case While():
                return self._while(node, state, place)
            case For():
                return self._for(node, state, place)
            case Case():
                return self._case(node, state, place)
            case Function():
                self._functions[node.name] = node.body
                return [replace(state, status=WELL)]

    def apart(self, node: Node, state: State, place: Place) -> list[State]:
        """In a shell of its own: what it sets and where it leaves ends there."""
        inside = self._node(node, [replace(state, at_exit="")], place)
        return [
            replace(
                after, leaving="", variables=state.variables, errexit=state.errexit, pipefail=state.pipefail,
                positional=state.positional, at_exit=state.at_exit, at_error=state.at_error,
            )
            for after in inside
        ]  # fmt: skip

    def _failing(self, states: Iterable[State], place: Place) -> list[State]:
        """`set -e` and `trap … ERR`."""
        found: list[State] = []
        for state in states:
            if place.checked or state.leaving or state.status == WELL:
                found.append(state)
                continue
            if state.at_error:
                begin = replace(state, at_error="", errexit=False)
                after = self._node(tree_of(state.at_error), [begin], replace(place, checked=True))
                gone = [replace(each, at_error=state.at_error, errexit=state.errexit) for each in after]
                found += [each for each in gone if each.leaving]
                if all(each.leaving for each in gone):
                    continue
            if state.errexit is not False:
                found.append(replace(state, leaving="exit"))
            if state.errexit is not True:
                found.append(state)
        return found

    def _test(self, node: Test, state: State, place: Place) -> list[State]:
        names = names_of(state, self.look)
        said = (of_arithmetic if node.arithmetic else of_brackets)(node.inside, names)
        if node.arithmetic:
            unknown = {name: Found(UNKNOWN) for name in changed(node.inside)}
            state = replace(state, variables=state.variables | unknown)
        words = " ".join(token.text for token in node.inside)
        shown = f"(( {words} ))" if node.arithmetic else f"[[ {words} ]]"
        ways = answered(state, said, shown, node.line, place.source)
        if said is None:
            ways = followed(ways, node.arithmetic or any(map(_is_computed, node.inside)))
        return [replace(each, by="((…))" if node.arithmetic else "[[…]]") for each in ways]

    def _block(self, node: Block, state: State, place: Place) -> list[State]:
        states = [state]
        for at, (each, background) in enumerate(node.items):
            if background:
                states = self._in_background(each, states, place)
                continue
            before = states
            states = self._node(each, states, place)
            if at and any(one.failed for one in before):
                states = [_behind(";", one) if isinstance(each, Simple) else one for one in states]
        return states

    def _in_background(self, node: Node, states: Sequence[State], place: Place) -> list[State]:
        found: list[State] = [state for state in states if state.leaving]
        for state in states:
            if not state.leaving:
                after = self.apart(node, state, replace(place, checked=True))
                found += [each.ended(WELL, "&", each.line, place.source) for each in after]
        return merged(found)

    def _and_or(self, node: AndOr, state: State, place: Place) -> list[State]:
        listed = [("", node.first), *node.rest]
        states = [state]
        for at, (operator, each) in enumerate(listed):
            last = at == len(listed) - 1
            inner = place if last else replace(place, checked=True)
            runs = [one for one in states if _goes_on(one, operator)]
            left = [one for one in states if not _goes_on(one, operator)]
            after = self._node(each, runs, inner)
            states = merged([*left, *(_behind(operator, one) if operator == "||" else one for one in after)])
        return states

    def _pipeline(self, node: Pipeline, state: State, place: Place) -> list[State]:
        if len(node.parts) == 1:
            after = self._node(node.parts[0], [state], replace(place, checked=True))
        else:
            after = self._parts(node, state, place)
        if not node.negated:
            return after
        return [
            one if one.leaving else replace(one, status=FAILED if one.status == WELL else WELL, by=_not(one))
            for one in after
        ]

    def _parts(self, node: Pipeline, state: State, place: Place) -> list[State]:
        ways: list[tuple[State, bool, bool]] = [(state, False, place.fed)]
        for at, part in enumerate(node.parts):
            last = at == len(node.parts) - 1
            following: list[tuple[State, bool, bool]] = []
            for one, broken, fed in ways:
                inner = replace(
                    place, checked=True, fed=fed, piped_on=not last or place.piped_on, behind=at > 0
                )
                handed = self._hands_on(part, one, inner)
                for after in self.apart(part, one, inner):
                    ended = _behind("|", after) if at and after.failed else after
                    following.append((ended, broken or after.status != WELL, handed))
            ways = following
        return merged(
            replace(one, status=FAILED) if one.pipefail and broken and one.status == WELL else one
            for one, broken, _ in ways
        )

    def _hands_on(self, part: Node, state: State, place: Place) -> bool:
        """Whether the part gives the segment to the next one."""
        if isinstance(part, Simple):
            return simple_commands.hands_on(self, part, state, place)
        return place.fed

    def _if(self, node: If, state: State, place: Place) -> list[State]:
        states, found = [state], []
        for condition, body in node.branches:
            answers = self._node(condition, states, replace(place, checked=True))
            found += [one for one in answers if one.leaving]
            yes = [one for one in answers if not one.leaving and one.status == WELL]
            found += self._node(body, yes, place)
            states = [one for one in answers if not one.leaving and one.status != WELL]
        if node.otherwise is not None:
            found += self._node(node.otherwise, states, place)
        else:
            found += [one.ended(WELL, "if … fi", node.line, place.source) for one in states]
        return merged(found)

    def _while(self, node: While, state: State, place: Place) -> list[State]:
        states, found = [replace(state, status=WELL, by="")], []
        for _ in range(_ROUNDS):
            goes: list[State] = []
            for before in states:
                for one in self._node(node.condition, [before], replace(place, checked=True)):
                    if one.leaving:
                        found.append(one)
                    elif (one.status == WELL) == node.until:  # it ends as its body did
                        found.append(replace(one, status=before.status, by=f"{before.by or 'while'} … done"))
                    else:
                        goes.append(one)
            states, left = _after_body(self._node(node.body, merged(goes), place))
            found += left
        self.is_open = self.is_open or bool(states)  # for how long it goes on is not known
        return merged(found)

    def _for(self, node: For, state: State, place: Place) -> list[State]:
        names = names_of(state, self.look)
        values: list[str] = [UNKNOWN] * 2
        if node.words is None and state.positional is not None:
            values = list(state.positional[1:])
        elif node.words is not None and node.name:
            values = [text for word in node.words for text in expanded(word, names)]
            if len(values) == 1 and UNKNOWN in values[0]:
                values *= 2
        states, found = [state], []
        for value in values[:_ROUNDS]:
            into = [replace(one, variables=one.variables | {node.name: Found(value)}) for one in states]
            states, left = _after_body(self._node(node.body, into, place))
            found += left
        return merged([*found, *states])

    def _case(self, node: Case, state: State, place: Place) -> list[State]:
        value = text_of(node.word.raw or node.word.text, names_of(state, self.look))
        known = UNKNOWN not in value and "%" not in value and FAILED not in value
        found, whole = [], False
        state = state if known else replace(state, chosen=True)
        for patterns, body in node.arms:
            texts = [pattern.text for pattern in patterns if not pattern.computed or pattern.text == "*"]
            whole = whole or "*" in texts
            plain = len(texts) == len(patterns)
            if known and plain and value not in texts and "*" not in texts:
                continue
            found += self._node(body, [replace(state, status=WELL)], place)
            if known and plain:
                return merged(found)
        if not whole:
            found.append(state.ended(WELL, "case … esac", 0, place.source))
        return merged(found)

    def function(self, name: str) -> Node | None:
        """Its body."""
        return self._functions.get(name)

    def call(self, body: Node, state: State, words: Sequence[str], place: Place) -> list[State]:
        """A function, with these words."""
        if place.depth > _DEPTH:
            raise GaveUpError
        first = state.positional[:1] if state.positional else ("sh",)
        begin = replace(state, positional=(*first, *words) if UNKNOWN * 2 not in words else None)
        after = self._node(body, [begin], replace(place, depth=place.depth + 1))
        return [
            replace(
                one,
                positional=state.positional,
                leaving="" if one.leaving == "return" else one.leaving,
            )
            for one in after
        ]

    def stored(self, state: State, store: Store) -> State:
        """After that store succeeded."""
        self.stores.add(store)
        failed = state.failed
        if self._follows is not None:
            failed = frozenset(each for each in failed if (each, store) in self._follows)
        return replace(state, stored=state.stored | {store}, failed=failed)

    def not_stored(self, state: State, store: Store) -> State:
        """After it failed."""
        self.stores.add(store)
        return replace(state, failed=state.failed | {store})

    def may_store(self) -> None:
        """Note that something is run of which that is not known."""
        self.is_open = True

    def begins(self, state: State, store: Store) -> None:
        """Note what runs after what succeeded."""
        self.seen |= {(each, store) for each in state.stored}

    def nested(self, text: str, states: Sequence[State], place: Place) -> list[State]:
        """In this very shell: `eval`, `. FILE`."""
        if place.depth > _DEPTH:
            raise GaveUpError
        listed = tree_of(text, posix=place.posix)
        return self._node(listed, states, replace(place, depth=place.depth + 1))


def _is_computed(token: Token) -> bool:
    """Whether the segment, or what only a run tells, is in it."""
    text = token.raw if not isinstance(token, Operator) and token.raw else token.text
    return any(sign in text for sign in "%$`")


def _goes_on(state: State, operator: str) -> bool:
    if state.leaving:
        return False
    return not operator or (state.status == WELL) == (operator == "&&")


def _behind(operator: str, state: State) -> State:
    """What ended well behind an operator is told with it."""
    if state.status != WELL or not state.by or state.by.startswith(("|", ";", "&")):
        return state
    return replace(state, by=f"{operator} {state.by}")


def _not(state: State) -> str:
    return "!" if state.status != WELL else state.by


def _after_body(states: Sequence[State]) -> tuple[list[State], list[State]]:
    """Those that begin the next round, and those that left the loop."""
    goes, left = [], []
    for one in states:
        kind, _, count = one.leaving.partition(" ")
        more = f"{kind} {int(count) - 1}" if count.isdigit() and int(count) > 1 else ""
        if not kind:
            goes.append(one)
        elif kind == "break":
            left.append(replace(one, leaving=more, status=WELL, by="break"))
        elif kind == "continue":
            (left if more else goes).append(replace(one, leaving=more))
        else:
            left.append(one)
    return goes, left
