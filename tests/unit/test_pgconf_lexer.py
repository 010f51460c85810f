"""guc-file.l's grammar, point by point. The oracle test holds the same against real servers."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from walconsole.domain.pgconf.reader import Statement, statements, unquoted


@pytest.mark.parametrize(
    ("line", "name", "value"),
    [
        (b"port = 5432", "port", "5432"),
        (b"port=5432", "port", "5432"),
        (b"port 5432", "port", "5432"),
        (b" \t port\t=\t5432 \t", "port", "5432"),
        (b"port 5432# a comment", "port", "5432"),
        (b"port = 5432\r", "port", "5432"),
        (b"port'5432'", "port", "5432"),
        (b"port+5", "port", "+5"),
        (b"Archive_Mode = ON", "Archive_Mode", "ON"),
        (b"custom.name = x", "custom.name", "x"),
        (b"x = 60s", "x", "60s"),
        (b"x = 0x1F", "x", "0x1F"),
        (b"x = -1.5e-3", "x", "-1.5e-3"),
        (b"x = .5", "x", ".5"),
        (b"x = .", "x", "."),
        (b"x = a:b/c-d.e_f", "x", "a:b/c-d.e_f"),
        (b"x = a.b.c", "x", "a.b.c"),
        (b"x = ''", "x", ""),
        (b"x = 'it''s'", "x", "it's"),
        (b"x = 'it\\'s'", "x", "it's"),
        (b"x = 'a\\tb\\n\\r\\b\\f'", "x", "a\tb\n\r\b\f"),
        (b"x = '\\101\\60\\7z'", "x", "A0\x07z"),
        (b"x = '\\501'", "x", "A"),
        (b"x = '\\8'", "x", "8"),
        (b"x = 'a\\\\b'", "x", "a\\b"),
        (b"x = 'a # b'", "x", "a # b"),
        (b"x = 'a\\0b'", "x", "a"),
        (b"x = 'abc\x00def'", "x", "ab"),
        (b"x = '\xc3\xa9'", "x", "é"),
        (b"x = '\xff'", "x", "\ufffd"),
        (b"\xef\xbb\xbfport = 1", "\ufeffport", "1"),
    ],
)
def test_settings(line: bytes, name: str, value: str) -> None:
    assert list(statements(line + b"\n")) == [Statement(1, name, value)]
    assert list(statements(line)) == [Statement(1, name, value)]


@pytest.mark.parametrize("line", [b"", b"   ", b"\t\r", b"# a = b", b"  # x", b"#"])
def test_nothing_on_a_line(line: bytes) -> None:
    assert list(statements(line)) == []


@pytest.mark.parametrize(
    "line",
    [
        b"= 5", b"port == 5", b"port = 5 6", b"5 = 5", b"'port' = 5", b"port = a.b", b"port = 1.5MB",
        b"port = 1e5", b"a.b.c = 1", b"a-b = 1", b"port = 'open", b"port = 'a' 'b'", b"port = 'a''b",
        b"port = 5;", b"port = -", b"port = 0xg1", b"port = \x00", b"{", b"port = %", b"p\x00ort = 1",
    ],
)  # fmt: skip
def test_syntax_errors(line: bytes) -> None:
    assert list(statements(line + b"\nx = 1\n")) == [Statement(1), Statement(2, "x", "1")]


@pytest.mark.parametrize("line", [b"port", b"port =", b"port = # c", b"a.b", b"\xef\xbb\xbf# c"])
def test_an_error_at_the_end_of_the_file_counts_one_line_less(line: bytes) -> None:
    assert list(statements(b"x = 1\n" + line)) == [Statement(1, "x", "1"), Statement(1)]
    assert list(statements(b"x = 1\n" + line + b"\n")) == [Statement(1, "x", "1"), Statement(2)]


def test_a_file_is_given_up_after_a_hundred_errors() -> None:
    assert len(list(statements(b"!\n" * 200 + b"x = 1"))) == 100
    assert len(list(statements(b"!\n" * 200, max_syntax_errors=1))) == 1


@given(st.text(st.characters(exclude_characters="\n\0", exclude_categories=["Cs"])))
def test_what_is_quoted_comes_back(value: str) -> None:
    line = "x = '" + value.replace("\\", "\\\\").replace("'", "''") + "'"
    assert list(statements(line.encode())) == [Statement(1, "x", value)]


@given(st.binary(max_size=300))
def test_no_bytes_break_it(raw: bytes) -> None:
    for statement in statements(raw):
        assert 0 <= statement.line <= raw.count(b"\n") + 1


@pytest.mark.parametrize("piece", [b"'", b"\\'", b"''", b"a.", b"x = 'a", b"\xff", b"\0", b"1", b"-", b"#"])
def test_one_huge_line_costs_no_more_than_its_length(piece: bytes) -> None:
    raw = b"x = '" + piece * (1_000_000 // len(piece))
    began = time.process_time()
    list(statements(raw))
    assert time.process_time() - began < 2.0, "quadratic would take hours"


def test_the_last_character_before_a_nul_is_taken_for_the_quote() -> None:
    assert unquoted(b"'\x00'") == b""
