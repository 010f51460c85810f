"""Where keys stand in a TOML document: held against tomllib and against where they were written."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from walconsole.config.toml_lines import line_of, locate

_BARE = st.from_regex(r"[A-Za-z0-9_-]{1,6}", fullmatch=True)
_TEXT = st.text(st.sampled_from("ab#=[]{}\"'\\ .\n,é"), max_size=12)


def _basic(text: str) -> str:
    escapes = {"\\": "\\\\", '"': '\\"', "\n": "\\n"}
    return '"' + "".join(escapes.get(letter, letter) for letter in text) + '"'


def _multi_line(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"""{escaped}"""'


def _multi_line_literal(text: str) -> str:
    return "'''" + text.replace("'", "") + "'''"


_KEYS = st.one_of(_BARE.map(lambda key: (key, key)), _TEXT.map(lambda key: (key, _basic(key))))
_SCALARS = st.one_of(
    _TEXT.map(_basic),
    _TEXT.map(_multi_line),
    _TEXT.map(_multi_line_literal),
    st.just('"""ends in quotes"""""'),
    st.sampled_from(["1", "true", "1.5", "1979-05-27T07:32:00Z", "[]", "{}"]),
)
_LISTS = st.lists(_SCALARS, max_size=3).map(lambda items: "[ # a ] comment\n" + ",\n".join(items) + "\n]")
_INLINE = st.dictionaries(_BARE, st.sampled_from(["1", '"}"', "[[]]"]), max_size=2).map(
    lambda table: "{" + ", ".join(f"{key} = {value}" for key, value in table.items()) + "}"
)
_VALUES = st.one_of(_SCALARS, _LISTS, _INLINE)
_BETWEEN = st.sampled_from(["", "\n", "# [no] = 'table'\n", "  \n\t# key = 1\n"])


@st.composite
def _documents(draw: st.DrawFn) -> tuple[str, dict[tuple[str, ...], int]]:
    """A document and the line on which each of its keys was written."""
    text, written = "", {}
    tables = draw(st.lists(_KEYS, max_size=4, unique_by=lambda key: key[0]))
    for name, shown in [("", ""), *tables]:
        path: tuple[str, ...] = (name,) if shown else ()
        if shown:
            text += draw(_BETWEEN)
            written[path] = text.count("\n") + 1
            text += f"[ {shown} ] # comment\n"
        taken = {table[0] for table in tables} if not shown else set()
        for key, key_shown in draw(st.lists(_KEYS, max_size=4, unique_by=lambda key: key[0])):
            if key in taken:
                continue
            text += draw(_BETWEEN)
            written[(*path, key)] = text.count("\n") + 1
            text += f"  {key_shown} = {draw(_VALUES)} # {key_shown!r}\n"
    return text, written


@given(_documents())
def test_every_key_is_found_on_the_line_it_was_written_on(
    case: tuple[str, dict[tuple[str, ...], int]],
) -> None:
    text, written = case
    tomllib.loads(text)  # the locator's own condition
    assert locate(text) == written


@given(_documents())
def test_carriage_returns_change_nothing(case: tuple[str, dict[tuple[str, ...], int]]) -> None:
    text, written = case
    assert locate(text.replace("\n", "\r\n")) == written


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", {}),
        ("# nothing", {}),
        ("a.b.c = 1", {("a",): 1, ("a", "b"): 1, ("a", "b", "c"): 1}),
        ("\n[x.y]\nz = 1", {("x",): 2, ("x", "y"): 2, ("x", "y", "z"): 3}),
        ("[x.y]\n[x]\nb = 1", {("x",): 1, ("x", "y"): 1, ("x", "b"): 3}),
        ("[[p]]\na = 1\n[[p]]\na = 2", {("p",): 1, ("p", "a"): 2}),
        ("a = [\n1,\n# ]\n2 ]\nb = 1", {("a",): 1, ("b",): 5}),
        ("a = '''\n[x]\nb = 1\n'''\nc = 2", {("a",): 1, ("c",): 5}),
        ("\"a.b\" = 1\n'c d' . e = 2", {("a.b",): 1, ("c d",): 2, ("c d", "e"): 2}),
        ('"\\u0061" = 1', {("a",): 1}),
    ],
)
def test_the_forms_of_keys(text: str, lines: dict[tuple[str, ...], int]) -> None:
    assert locate(text) == lines


def test_a_path_that_is_not_written_has_the_line_around_it() -> None:
    lines = locate("\n[a]\nb = {c = 1}\n")
    assert line_of(lines, ("a", "b", "c")) == 3
    assert line_of(lines, ("a", "missing")) == 2
    assert line_of(lines, ("elsewhere",)) == 1
