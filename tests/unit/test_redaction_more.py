"""Secrets in the words of more programs go; PostgreSQL's and the tools' own messages about secrets stay."""

import re
import time
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.examples import some_of
from walconsole.domain.facts.log_entries import entries_of, utc
from walconsole.domain.redaction import MASK, redact, safe
from walconsole.domain.secret_shapes import LED, SHAPES, Shape

pytestmark = pytest.mark.cases("Secrets in commands, and prose that is none")

DATA = Path(__file__).parents[1] / "data"
SAID_WITH_SECRETS = tuple(
    line.replace("\\n", "\n").replace("\\\\", "\\")
    for line in (DATA / "said_with_secrets.txt").read_text("utf-8").splitlines()
)
"""Commands and messages with S3cretK3y in them, one a line; a line break in one is written as in C."""
PROSE = tuple((DATA / "said_of_secrets.txt").read_text("utf-8").splitlines())


@pytest.mark.parametrize("text", SAID_WITH_SECRETS)
def test_no_secret_is_left(text: str) -> None:
    shown = redact(text)
    assert "k3y" not in shown.lower(), shown
    assert MASK in shown


@pytest.mark.parametrize("shape", [*SHAPES, *LED], ids=lambda shape: shape.needs[0])
@settings(max_examples=some_of(50))  # to make up what a pattern finds takes long
@given(data=st.data())
def test_what_a_shape_finds_has_what_it_needs(shape: Shape, data: st.DataObject) -> None:
    """A text without it is not searched."""
    text = data.draw(st.from_regex(re.compile(shape.secret.pattern, re.ASCII)))
    found = shape.secret.search(text)
    assume(found is not None)
    assert any(need in text.casefold() for need in shape.needs)
    assert shape.masked(text, text.casefold(), MASK) == shape.secret.sub(MASK, text)


@pytest.mark.parametrize("text", PROSE)
def test_messages_about_secrets_stay_as_they_are(text: str) -> None:
    assert safe(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("lftp -e 'open u:x7@h; put %p'", "lftp -e 'open *@h; put %p'"),
        ("postgresql%3A%2F%2Fu%3Ax7%40h%2Fdb", "postgresql%3A%2F%2F*%40h%2Fdb"),
        ("host%3Dh%20password%3Dx7%20user%3Du", "host%3Dh%20password%3D*%20user%3Du"),
        ("echo 'h:5433:db:u:x77' > ~/.pgpass", "echo 'h:5433:db:u:*' > ~/.pgpass"),
        ('"password" => "x7", "user" => "u"', '"password" => *, "user" => "u"'),
        ("ALTER USER w PASSWORD E'x\\'7' VALID UNTIL 'x'", "ALTER USER w PASSWORD E'*' VALID UNTIL 'x'"),
        ("SELECT pgp_sym_encrypt(body, 'x7') FROM t", "SELECT pgp_sym_encrypt(body, '*') FROM t"),
        ("---> PASS x7", "---> PASS *"),
    ],
)
def test_only_the_secret_goes(text: str, shown: str) -> None:
    assert redact(text) == shown.replace("*", MASK)


@pytest.mark.parametrize(
    "piece",
    [
        "%3a%2f%2f", "%3a%2f%2fa%3a", "%253a%252f%252f", "password%3d", "pgp_sym_encrypt(",
        "pgp_sym_encrypt(a,",
        ":5432:a:b:", "a:5432:a:b:c'", "s.aA1", "s." + "aA1" * 13, "b." + "a" * 60,
        "lftp open ", "lftp open a:b",
        "ftp -n user ", "ftp -n ", "password $$", "password E'\\", "a => ", "a := ", "AKIA" + "A" * 16 + ":",
        "---> PASS ", "akia", "%40",
    ],
)  # fmt: skip
@pytest.mark.parametrize("head", ["", "lftp ", "ftp -n "])
def test_hostile_words_cost_no_more_than_their_length(head: str, piece: str) -> None:
    line = head + piece * (20_000 // len(piece))
    began = time.process_time()
    safe(line)
    assert time.process_time() - began < 0.32, "quadratic would take tens of seconds"


KEY = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKB"
LOG = (
    "sh: here is the key:",
    "-----BEGIN RSA PRIVATE KEY-----",
    "Proc-Type: 4,ENCRYPTED",
    "",
    KEY,
    "c2hvcnQ=",
    "-----END RSA PRIVATE KEY-----",
    "upload failed",
    "2026-11-29 10:00:00.000 UTC [7] LOG:  archive command failed with exit code 1",
)


def entries(lines: tuple[str, ...]) -> list[str]:
    return [entry.text for entry in entries_of([(line, None) for line in lines], utc)]


def test_a_private_key_over_several_lines_of_a_log_is_in_no_finding() -> None:
    told = entries(LOG)
    assert not any(part in text for text in told for part in (KEY, "c2hvcnQ", "Proc-Type"))
    assert "upload failed" in told
    assert told[-1] == LOG[-1]


def test_a_private_key_whose_beginning_was_cut_off_is_told_by_its_width() -> None:
    assert not any(KEY in text for text in entries((KEY, KEY, *LOG[-2:])))


def test_the_servers_own_lines_are_never_taken_for_a_keys() -> None:
    """A message about a key, which has no end: what the server says after it is what an operator needs."""
    told = entries(("curl: expecting -----BEGIN PRIVATE KEY-----", LOG[-1]))
    assert told[-1] == LOG[-1]


def test_what_is_as_wide_as_a_key_and_none_stays() -> None:
    line = "/srv/archive/main/0000000100000000/000000010000000000000042.part"
    assert len(line) == 64
    assert entries((line, LOG[-1]))[0] == line
    checksum = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
    assert entries((checksum, LOG[-1]))[0] == checksum
