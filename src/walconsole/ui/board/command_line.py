"""What is typed after `:`, by the table of keys: each action has a word there, and nothing else has one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from walconsole.domain.units import plural

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from walconsole.ui.board.key_actions import Action


class Command(NamedTuple):
    """An action by its word."""

    word: str
    action: Action


class Understood(NamedTuple):
    """What was typed: the action, and what is to answer the line or list that it opens."""

    action: Action
    argument: str


def commands(actions: Sequence[Action]) -> tuple[Command, ...]:
    """Each action's word; of two that have one the first."""
    found: dict[str, Command] = {}
    for action in actions:
        word = word_of(action)
        found.setdefault(word, Command(word, action))
    return tuple(found.values())


def word_of(action: Action) -> str:
    """`archive` for `screen.archive`, `pane log` for a jump; with another argument words of its title."""
    if action.word:
        return action.word
    name, _, argument = action.action.removeprefix("screen.").removesuffix(")").partition("(")
    if name == "jump":
        return f"pane {argument.strip(chr(39)).replace('_', '-')}"
    if argument:
        return re.sub(r"[^a-z0-9]+", "-", re.split(r"[,:;(]", action.title.lower())[0]).strip("-")
    return name.replace("_", "-")


def understand(text: str, known: Sequence[Command], values: Mapping[str, Sequence[str]]) -> Understood:
    """The command, by its word or the beginning of one word alone. Raises ValueError that says what is wrong.

    `values` are those that may follow, by what the command takes.
    """
    typed = " ".join(text.split())
    exact = [each for each in known if typed == each.word or typed.startswith(f"{each.word} ")]
    if exact:
        command = max(exact, key=lambda each: len(each.word))
        argument = typed.removeprefix(command.word).strip()
    else:
        command, argument = _begun(typed, known)
    _check(command, argument, values)
    return Understood(command.action, argument)


def _begun(typed: str, known: Sequence[Command]) -> tuple[Command, str]:
    """By the beginning of a word, or by its key's own sign (`q`)."""
    first, _, argument = typed.partition(" ")
    if not first:
        raise ValueError("type a command's name")
    found = [each for each in known if each.word.startswith(first)]
    signed = [each for each in known if each.action.sign == first]
    if len(found) > 1 and not signed:
        names = ", ".join(each.word for each in found[:5])
        raise ValueError(
            f"{plural(len(found), 'command')} begin with {first}: {names}{'…' * (len(found) > 5)}"
        )
    if not found and not signed:
        raise ValueError(f"there is no command {first} here{_meant(first, [each.word for each in known])}")
    return (signed or found)[0], argument


def _check(command: Command, argument: str, values: Mapping[str, Sequence[str]]) -> None:
    takes = command.action.takes
    if argument and not takes:
        raise ValueError(f"{command.word} takes nothing more")
    allowed = values.get(takes, ())
    if argument and allowed and argument not in allowed:
        raise ValueError(f"there is no {takes} {argument}{_meant(argument, allowed)}")


def _meant(typed: str, words: Sequence[str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(typed, words, 1, 0.5)
    return f"; did you mean {near[0]}?" if near else ""


def completions(
    text: str, known: Sequence[Command], values: Mapping[str, Sequence[str]]
) -> tuple[tuple[str, str], ...]:
    """What the text may become, each with what it does: words that begin so, then those that hold it."""
    typed = text.lstrip()
    for each in known:
        if each.action.takes in values and typed.startswith(f"{each.word} "):
            begun = typed.removeprefix(each.word).strip()
            found = (value for value in values[each.action.takes] if value.startswith(begun))
            return tuple((f"{each.word} {value}", each.action.title) for value in found)
    begins = [each for each in known if each.word.startswith(typed)]
    holds = [each for each in known if each not in begins and typed and typed.strip() in each.word]
    return tuple((each.word, _told(each.action)) for each in (*begins, *holds))


def _told(action: Action) -> str:
    takes = f" [{action.takes}]" if action.takes else ""
    return f"{action.title}{takes} ({action.sign})"


def completed(text: str, found: Sequence[tuple[str, str]]) -> str:
    """As far as all that it may become agree, where that is more than was typed; else the first of them."""
    words = [word for word, _ in found if word.startswith(text)]
    if not words:
        return found[0][0] if found else text
    shortest, last = min(words), max(words)
    shared = next((at for at, sign in enumerate(shortest) if sign != last[at : at + 1]), len(shortest))
    return shortest[:shared] if shared > len(text) else words[0]
