"""What a shell word is once its variables are filled in, as far as they are known.

POSIX.1-2024, Shell Command Language, 2.6.2 (parameter expansion). Nothing is run: what only a run tells
becomes UNKNOWN, and only `basename`, `dirname`, `cd FOLDER && pwd` and `printf %s` are followed.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from posixpath import normpath

from walconsole.domain.archivers.shell_words import Operator, Token, Word, c_quoted, tokens
from walconsole.domain.archivers.target import Found

UNKNOWN = "\x00"
"""In a word: something that only the run tells."""
UNKNOWN_WORDS = UNKNOWN * 2
"""As a word: any number of words, for nothing is quoted there."""

Environment = dict[str, Found[str]]
"""Variables by name. UNKNOWN among the names: others may be set that only the run tells, and why."""

_ALL_OF_ARRAY = re.compile(r"\"?\$\{(\w+)\[[@*]\]\}\"?")
_OF_ARRAY = re.compile(r"(\w+)\[(\d+)\]")
_NAME = re.compile(r"[A-Za-z_]\w*|[0-9]|[@*#?$!-]")
_OPERATION = re.compile(r"([A-Za-z_]\w*|[0-9@*])(:?[-=+?]|##?|%%?)?(.*)", re.DOTALL)
_CLOSING = {"(": ")", "{": "}"}


def shown(text: str) -> str:
    """As a screen has it: `…` for what only the run tells."""
    return re.sub(f"{UNKNOWN}+", "…", text)


def opened(why: str) -> Environment:
    """Added to an environment: variables may be set in it that only the run tells, and `why`."""
    return {UNKNOWN: Found(why)}


def within(folder: str, path: str) -> str:
    """The path as seen from `folder`: empty for the data directory, UNKNOWN where only the run tells."""
    if path in (".", "./"):
        return folder or path
    if not folder or path.startswith(("/", "~", UNKNOWN)):
        return path
    return UNKNOWN if folder.startswith(UNKNOWN) else f"{folder.rstrip('/')}/{path.removeprefix('./')}"


@dataclass(slots=True)
class Names:
    """What the shell knows: variables, arrays, the positional parameters from `$0` on (None: not known)."""

    variables: dict[str, Found[str]] = field(default_factory=dict)
    inherited: Mapping[str, Found[str]] = field(default_factory=dict)
    positional: Sequence[str] | None = None
    arrays: dict[str, list[str]] = field(default_factory=dict)

    def get(self, name: str) -> str | None:
        """The value, None where it is not known."""
        if name.isdigit():
            known = self.positional
            if known is None:
                return None
            return known[int(name)] if int(name) < len(known) else ""
        if name in ("@", "*"):
            return " ".join(self.positional[1:]) if self.positional is not None else None
        found = self.variables.get(name) or self.inherited.get(name)
        return found.value if found is not None else None


def expanded(word: Word, names: Names) -> list[str]:
    """The word's fields: one, but for `"$@"` and a bare `$OPTIONS`, which is split (2.6.5)."""
    raw = word.raw or word.text
    if raw in ('"$@"', "$@", "$*", '"${@}"') and names.positional is not None:
        return list(names.positional[1:])
    array = _ALL_OF_ARRAY.fullmatch(raw)
    if array is not None:
        return list(names.arrays.get(array[1], [UNKNOWN_WORDS]))
    text = text_of(raw, names)
    if not raw.startswith("$") or raw.startswith("$'") or any(quote in raw for quote in "\"'"):
        return [text]
    if text == UNKNOWN:
        return [UNKNOWN_WORDS]
    return text.split() if UNKNOWN not in text else [text]  # what is empty and not quoted is no word


def redirected(command: Sequence[Token], names: Names) -> tuple[list[Word], str, str]:
    """Its words without the redirections, the file of standard output, and what standard input is."""
    words: list[Word] = []
    output = given = waiting = ""
    for token in command:
        if isinstance(token, Operator):
            waiting = token.descriptor + token.text
        elif waiting:
            if waiting in (">", ">>", ">|", "&>", "&>>"):
                output = text_of(token.raw or token.text, names)
            elif waiting in ("<", "<<<", "<>"):
                given = text_of(token.raw or token.text, names)
            waiting = ""
        else:
            words.append(token)
    return words, output, given


def array_of(raw: str, names: Names) -> list[str]:
    """The words of bash's `(WORDS)`; one UNKNOWN_WORDS where a run alone tells them."""
    inside = tokens(raw[1:-1])
    words = [token for token in inside if isinstance(token, Word)]
    if any(token != Operator("\n") for token in inside if isinstance(token, Operator)):
        return [UNKNOWN_WORDS]
    return [text for word in words for text in expanded(word, names)]


def text_of(raw: str, names: Names) -> str:
    """The text without its quotes, filled in."""
    parts: list[str] = []
    at, quoted = 0, False
    while at < len(raw):
        sign = raw[at]
        if sign == "'" and not quoted:
            end = raw.find("'", at + 1)
            end = len(raw) if end < 0 else end
            parts.append(raw[at + 1 : end])
            at = end + 1
        elif sign == '"':
            quoted, at = not quoted, at + 1
        elif sign == "\\":
            following = raw[at + 1 : at + 2]
            parts.append(following if not quoted or following in '$`"\\' else f"\\{following}")
            at += 2
        elif raw.startswith("$'", at) and not quoted:
            text, at = c_quoted(raw, at)
            parts.append(text)
        elif sign in "$`":
            text, at = _expansion(raw, at, names)
            parts.append(text)
        else:
            parts.append(sign)
            at += 1
    return "".join(parts)


def _expansion(raw: str, at: int, names: Names) -> tuple[str, int]:
    """What stands for the expansion at `at`, and where it ends."""
    if raw[at] == "`":
        end = raw.find("`", at + 1)
        end = len(raw) if end < 0 else end
        return _substituted(raw[at + 1 : end], names), end + 1
    following = raw[at + 1 : at + 2]
    if following in _CLOSING:
        end = _end_of(raw, at + 1)
        inside = raw[at + 2 : end]
        if following == "{":
            return _operation(inside, names), end + 1
        return (UNKNOWN if inside.startswith("(") else _substituted(inside, names)), end + 1
    match = _NAME.match(raw, at + 1)
    if match is None:
        return "$", at + 1
    value = names.get(match[0])
    return (UNKNOWN if value is None else value), match.end()


def _end_of(raw: str, at: int) -> int:
    """Where the bracket that opens at `at` is closed."""
    opening, closing, depth = raw[at], _CLOSING[raw[at]], 0
    quote = ""
    for place in range(at, len(raw)):
        sign = raw[place]
        if quote:
            quote = "" if sign == quote else quote
        elif sign == "'":
            quote = sign
        elif sign == opening:
            depth += 1
        elif sign == closing:
            depth -= 1
            if not depth:
                return place
    return len(raw)


def _operation(inside: str, names: Names) -> str:
    """`${NAME}` and its forms: a default, a prefix or suffix taken off."""
    array = _OF_ARRAY.fullmatch(inside)
    if array is not None:
        return _item(array[1], int(array[2]), names)
    match = _OPERATION.fullmatch(inside)
    if match is None:
        return UNKNOWN
    name, what, rest = match[1], match[2] or "", match[3]
    value = names.get(name)
    if not what:
        return UNKNOWN if value is None or rest else value
    if what in (":-", "-", ":=", "="):
        return value or text_of(rest, names)
    if what in (":?", "?"):
        return UNKNOWN if value is None else value
    if what == "##" and rest == "*/" and value is not None:
        return base_name(value)
    if what == "%" and value is not None:
        return _without_end(value, text_of(rest, names))
    return UNKNOWN


def _item(name: str, at: int, names: Names) -> str:
    """`${NAME[0]}`. bash's BASH_SOURCE is the file that the shell reads."""
    if name == "BASH_SOURCE" and at == 0:
        return names.get(name) or UNKNOWN
    found = names.arrays.get(name, [])
    known = at < len(found) and not any(UNKNOWN in each for each in found[: at + 1])
    return found[at] if known else UNKNOWN


def _without_end(value: str, pattern: str) -> str:
    """`${NAME%PATTERN}` of `/*`, and of what is no pattern."""
    last = value.rpartition("/")[2]
    if pattern == "/*":
        if "%p" in last or UNKNOWN in last:
            return UNKNOWN
        return value.rpartition("/")[0] if "/" in value else value
    open_ended = value.endswith(("%p", "%f", UNKNOWN))
    return UNKNOWN if open_ended or re.search(rf"[*?\[{UNKNOWN}]", pattern) else value.removesuffix(pattern)


def base_name(value: str) -> str:
    """`basename`: of `%p` that is `%f`."""
    last = value.rpartition("/")[2]
    return "%f" if last == "%p" else last


def _substituted(command: str, names: Names) -> str:
    """What a command substitution prints, where that can be known."""
    found = tokens(command)
    words = [token for token in found if isinstance(token, Word)]
    listed = [text for word in words for text in expanded(word, names)]
    listed = [text for text in listed if text != "--"]
    if [token.text for token in found if isinstance(token, Operator)] in (["&&"], [";"]):
        return _folder_of(listed)
    if len(words) != len(found) or not 2 <= len(listed) <= 4:
        return UNKNOWN
    program, last = listed[0].rpartition("/")[2], listed[-1]
    if UNKNOWN in last:
        return UNKNOWN
    if program == "basename" and len(listed) == 2:
        return base_name(last)
    if program == "dirname" and last == "%p":
        return "pg_wal"
    if program == "dirname" and "/" in last:
        return last.rpartition("/")[0] or "/"
    if program == "printf" and listed[1] == "%s" and len(listed) == 3:
        return last
    return UNKNOWN


def _folder_of(words: Sequence[str]) -> str:
    """`cd FOLDER && pwd`, which prints it."""
    plain = [word for word in words if word not in ("-P", "-L")]
    if len(plain) != 3 or (plain[0], plain[2]) != ("cd", "pwd") or UNKNOWN in plain[1]:
        return UNKNOWN
    return normpath(plain[1]) if plain[1].startswith("/") else UNKNOWN
