"""What a recovery is asked for as words, those of `walconsole recover`, and back: one line carries it all."""

import re
from collections.abc import Iterator, Sequence
from shlex import join

from walconsole.domain.moments.asking import read_time
from walconsole.domain.moments.targets import time_value
from walconsole.domain.recovery.recover_plan import RecoveryWish
from walconsole.domain.recovery.recover_target import (
    IN_PLACE,
    RecoverTo,
    RecoveryTarget,
    read_into,
    read_target,
)

_TARGETS = {
    "--to": RecoverTo.TIME,
    "--to-lsn": RecoverTo.LSN,
    "--to-xid": RecoverTo.XID,
    "--to-name": RecoverTo.NAME,
    "--to-latest": RecoverTo.LATEST,
    "--to-immediate": RecoverTo.IMMEDIATE,
}
_SIDES = {"--before": False, "--through": True}
_ALONE = frozenset({"--to-latest", "--to-immediate", "--in-place", *_SIDES})
_TOLD = frozenset({"--timeline", "--into", "--backup", "--look", "--count", "--in-database", "--identity"})
_WITH_VALUE = (_TOLD | _TARGETS.keys()) - _ALONE
_LONGEST_TIMELINE = 10
_PATH = re.compile(r"/[-A-Za-z0-9/._+@]{1,200}", re.ASCII)


def wish_words(wish: RecoveryWish) -> tuple[str, ...]:
    """The options that ask for it."""
    return (*wish.target.options(), *wish.place.options(), *_more(wish))


def _more(wish: RecoveryWish) -> Iterator[str]:
    if wish.backup:
        yield from ("--backup", wish.backup)
    for sql in wish.looks:
        yield from ("--look", sql)
    for table in wish.tables:
        yield from ("--count", table)
    if wish.database:
        yield from ("--in-database", wish.database)
    if wish.identity:
        yield from ("--identity", wish.identity)


def command_line(profile: str, wish: RecoveryWish, *more: str) -> str:
    """The command that does the same without a screen."""
    return join(("walconsole", "recover", profile, *wish_words(wish), *more))


def read_wish(words: Sequence[str]) -> RecoveryWish:
    """What these options ask for; of one that is given twice the last counts. Raises ValueError with what is
    wrong.
    """
    told = list(_pairs(words))
    last = dict(told)
    to, value = RecoverTo.LATEST, ""
    inclusive: bool | None = None
    for name, text in told:
        to, value = (_TARGETS[name], text) if name in _TARGETS else (to, value)
        inclusive = _SIDES.get(name, inclusive)
    timeline = read_timeline(last["--timeline"]) if "--timeline" in last else None
    return RecoveryWish(
        read_target(to, value, inclusive=inclusive, timeline=timeline),
        read_into(last["--into"]) if "--into" in last else IN_PLACE,
        last.get("--backup", ""),
        tuple(text for name, text in told if name == "--look"),
        tuple(text for name, text in told if name == "--count"),
        last.get("--in-database", ""),
        read_identity(last.get("--identity", "")),
    )


def _pairs(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    rest = iter(words)
    for word in rest:
        if word in _ALONE:
            yield word, ""
        elif word in _WITH_VALUE:
            yield word, _after(word, rest)
        else:
            raise ValueError(f"{word!r} asks for nothing")


def _after(word: str, rest: Iterator[str]) -> str:
    value = next(rest, None)
    if value is None:
        raise ValueError(f"{word} wants a value")
    return value


def read_identity(text: str) -> str:
    """The path of a file on the host, empty for none. Raises ValueError with what is wrong."""
    if text and not _PATH.fullmatch(text):
        raise ValueError("name age's secret keys by the path of a file on the host: /dev/shm/FILE")
    return text


def read_timeline(text: str) -> int:
    """A timeline's number. Raises ValueError with what is wrong."""
    if not (text.isascii() and text.isdecimal()) or len(text) > _LONGEST_TIMELINE or not int(text):
        raise ValueError(
            "name a timeline by its number, 1 or above; without --timeline it is the one that the server "
            "wrote last"
        )
    return int(text)


# -- A target as an operator types it on a screen.

HOW = "a time (UTC), an LSN, xid N, name NAME, latest"
_LSN = re.compile(r"[0-9A-Fa-f]{1,8}/[0-9A-Fa-f]{1,8}", re.ASCII)
_NAMED = re.compile(r"(xid|name|lsn)\s+(\S.*)", re.ASCII)


def read_aim(text: str, now: float) -> RecoveryTarget:
    """`14:02`, `2026-11-28 14:02:00Z`, `0/203A4D0`, `xid 731`, `name before_the_import`, `latest`.

    A time stops before what was committed then or later, a place just before it: what is meant by it is the
    damage. Raises ValueError with what is wrong.
    """
    text = text.strip()
    if text in (RecoverTo.LATEST, RecoverTo.IMMEDIATE):
        return read_target(RecoverTo(text))
    named = _NAMED.fullmatch(text)
    if named is not None:
        to = RecoverTo(named[1])
        return read_target(to, named[2], inclusive=None if to is RecoverTo.NAME else False)
    if _LSN.fullmatch(text):
        return read_target(RecoverTo.LSN, text, inclusive=False)
    at = read_time(text, now)
    return read_target(RecoverTo.TIME, time_value(round(at * 1_000_000)), inclusive=False)
