"""What a shell's own tests answer, as far as it is known without a run: of how something ended, of text."""

import re
from collections.abc import Callable, Sequence

from walconsole.domain.archivers.expansion import UNKNOWN, UNKNOWN_WORDS, Names, expanded, text_of
from walconsole.domain.archivers.shell_words import Operator, Token

FAILED = "\x02"
"""Stands for how something ended that failed: any number but 0."""

_NUMBERS: dict[str, Callable[[int, int], bool]] = {
    "-eq": lambda one, other: one == other, "-ne": lambda one, other: one != other,
    "-gt": lambda one, other: one > other, "-lt": lambda one, other: one < other,
    "-ge": lambda one, other: one >= other, "-le": lambda one, other: one <= other,
}  # fmt: skip
_TEXTS: dict[str, Callable[[str, str], bool]] = {
    "=": lambda one, other: one == other, "==": lambda one, other: one == other,
    "!=": lambda one, other: one != other,
}  # fmt: skip
_SWAPPED = {"-eq": "-eq", "-ne": "-ne", "-gt": "-lt", "-lt": "-gt", "-ge": "-le", "-le": "-ge"}
_COMPARED = re.compile(r"\s*(\$?\{?[\w?]+\}?)\s*(==|!=|>=|<=|>|<)\s*(\d+)\s*")
_AS_OPTION = {"==": "-eq", "!=": "-ne", ">": "-gt", "<": "-lt", ">=": "-ge", "<=": "-le"}
_ONE = re.compile(r"\s*(!?)\s*\$?\{?([\w?]+)\}?\s*")


def answer(words: Sequence[str]) -> bool | None:
    """Of `test WORDS`; None where only the run tells."""
    for operator, decides in (("-o", True), ("-a", False)):
        if operator in words:
            at = words.index(operator)
            return _joined(answer(words[:at]), answer(words[at + 1 :]), decides)
    if words[:1] == ["!"] and len(words) > 1:
        found = answer(words[1:])
        return None if found is None else not found
    if len(words) == 3:
        return compared(words[0], words[1], words[2])
    if any(_is_open(word) for word in words):
        return None
    if len(words) == 2 and words[0] in ("-n", "-z"):
        return (words[1] == "") == (words[0] == "-z")
    if len(words) == 1:
        return words[0] != ""
    return False if not words else None


def compared(one: str, how: str, other: str) -> bool | None:
    """`ONE -eq OTHER`."""
    if how in _SWAPPED and FAILED in other:
        return compared(other, _SWAPPED[how], one)
    if one == FAILED:
        return _of_failure(how, other)
    if how in _TEXTS and other == FAILED:
        return _of_failure(how, one)
    if _is_open(one) or _is_open(other):
        return None
    if how in _TEXTS:
        return None if set(other) & set("*?[") else _TEXTS[how](one, other)
    if how in _NUMBERS and _is_number(one) and _is_number(other):
        return _NUMBERS[how](int(one), int(other))
    return None


def _of_failure(how: str, other: str) -> bool | None:
    """Of 1 to 255, compared with a number."""
    if other == "0":
        return how in ("-ne", "!=", "-gt", "-ge")
    if other == "1" and how in ("-ge", "-lt"):
        return how == "-ge"
    return None


def _is_number(text: str) -> bool:
    return re.fullmatch(r"-?\d+", text) is not None


def _is_open(text: str) -> bool:
    """Whether only the run tells it, or the segment's name is in it."""
    return UNKNOWN in text or FAILED in text or "%" in text


def _joined(one: bool | None, other: bool | None, decides: bool) -> bool | None:
    if decides in (one, other):
        return decides
    return None if None in (one, other) else not decides


def of_brackets(inside: Sequence[Token], names: Names) -> bool | None:
    """`[[ … ]]`."""
    for operator, decides in (("||", True), ("&&", False)):
        if Operator(operator) in inside:
            at = list(inside).index(Operator(operator))
            return _joined(of_brackets(inside[:at], names), of_brackets(inside[at + 1 :], names), decides)
    words: list[str] = []
    for token in inside:
        if isinstance(token, Operator):
            if token.text not in ("<", ">"):
                return None
            words.append(token.text)
        elif token.raw[:1] in ("$", '"'):
            words += [" ".join(expanded(token, names)).replace(UNKNOWN_WORDS, UNKNOWN)]
        else:
            words.append(text_of(token.raw or token.text, names))
    return answer(words)


def of_arithmetic(inside: Sequence[Token], names: Names) -> bool | None:
    """`(( … ))`: a comparison with a number, or a variable alone."""
    text = " ".join(
        token.raw if not isinstance(token, Operator) and token.raw else token.text for token in inside
    )
    text = re.sub(r"([<>!=])\s+=", r"\1=", text)
    found = _COMPARED.fullmatch(text)
    if found is not None:
        value = names.get(found[1].strip("${}"))
        return None if value is None else compared(value, _AS_OPTION[found[2]], found[3])
    one = _ONE.fullmatch(text)
    if one is None:
        return None
    value = one[2] if one[2].isdigit() and "$" not in text else names.get(one[2])
    if value is None or _is_open(value.replace(FAILED, "")):
        return None
    return (value not in ("0", "")) != bool(one[1])


def changed(inside: Sequence[Token]) -> list[str]:
    """The variables that `(( … ))` may set."""
    text = " ".join(token.text for token in inside)
    return re.findall(r"[A-Za-z_]\w*", text) if re.search(r"\+\+|--|[-+*/|&^]?=(?!=)|\+ \+|- -", text) else []
