"""`walconsole recover`: what its arguments ask for."""

import argparse

import pytest

from walconsole.cli.recovering import asked_part, asked_wish, declare
from walconsole.domain.recovery.recover_target import IN_PLACE, RecoverTo, read_into, read_target
from walconsole.errors import UsageError


def parsed(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    declare("recover", parser)
    return parser.parse_args(["shop", *arguments])


@pytest.mark.parametrize(
    ("arguments", "target"),
    [
        (("--to", "2026-11-28 14:02Z"), read_target(RecoverTo.TIME, "2026-11-28 14:02:00Z")),
        (("--to-lsn", "0/203A4D0"), read_target(RecoverTo.LSN, "0/203A4D0", inclusive=False)),
        (("--to-lsn", "0/203A4D0", "--through"), read_target(RecoverTo.LSN, "0/203A4D0", inclusive=True)),
        (("--to-xid", "742", "--before"), read_target(RecoverTo.XID, "742", inclusive=False)),
        (("--to-name", "point", "--timeline", "2"), read_target(RecoverTo.NAME, "point", timeline=2)),
        (("--to-latest",), read_target(RecoverTo.LATEST)),
        (("--to-immediate",), read_target(RecoverTo.IMMEDIATE)),
    ],
)
def test_a_target_and_a_place(arguments: tuple[str, ...], target: object) -> None:
    wish = asked_wish(parsed(*arguments, "--into", "15/restored", "--count", "orders", "--look", "SELECT 1"))
    assert wish is not None
    assert (wish.target, wish.place) == (target, read_into("15/restored"))
    assert (wish.tables, wish.looks) == (("orders",), ("SELECT 1",))
    in_place = asked_wish(parsed(*arguments, "--in-place"))
    assert in_place is not None
    assert in_place.place == IN_PLACE


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--to", "2026-11-28 14:02", "--in-place"), "its zone"),
        (("--to-latest",), "--into VERSION/NAME, /PATH, or --in-place"),
        (("--in-place",), "--to"),
        (("--to-latest", "--into", "restored"), "VERSION/NAME"),
        (("--to-latest", "--in-place", "--before"), "says nothing"),
        (("--count", "orders; DROP TABLE x"), "SCHEMA.TABLE"),
        (("--dump", "-t x"), "SCHEMA.TABLE"),
    ],
)
def test_what_cannot_be_meant_is_refused(arguments: tuple[str, ...], why: str) -> None:
    with pytest.raises(UsageError) as refused:
        asked_wish(parsed(*(each if each != "-t x" else "t x" for each in arguments)))
    assert why in refused.value.remedy


@pytest.mark.parametrize(
    "arguments",
    [
        ("--to-lsn", "0/1", "--to-lsn", "0/2"),
        ("--into", "15/a", "--into", "15/b"),
        ("--step-to", "0/1", "--step-to", "0/2"),
        ("--timeline", "0"),
        ("--timeline", "-1"),
        ("--timeline", "latest"),
    ],
)
def test_of_two_targets_none_wins_and_a_timeline_has_a_number(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parsed(*arguments)
    said = capsys.readouterr().err
    assert ended.value.code == 2
    assert "it is said twice" in said or "by its number, 1 or above" in said


@pytest.mark.parametrize(
    ("arguments", "part", "applies"),
    [
        ((), "to the pause", False),
        (("--plan",), "to the pause", False),
        (("--apply",), "to the pause", True),
        (("--step-to", "latest"), "further", True),
        (("--look-only",), "look", True),
        (("--dump", "orders"), "dump", True),
        (("--promote",), "onwards", True),
        (("--give-up",), "back", True),
        (("--promote", "--plan"), "onwards", False),
        (("--plan", "--step-to", "0/1"), "further", False),
    ],
)
def test_one_phase_at_a_time(arguments: tuple[str, ...], part: str, applies: bool) -> None:
    options = parsed(*arguments)
    assert asked_wish(options) is None, "what was begun is gone on with"
    assert asked_part(options) == (part, applies)


def test_a_table_is_named_as_sql_names_it() -> None:
    for table in ("orders", "public.orders", 'public."My Orders"', '"a ""b"""."c.d"'):
        assert parsed("--count", table, "--to-latest", "--in-place").count == [table]
        assert asked_wish(parsed("--count", table, "--to-latest", "--in-place")) is not None
    for none in ("", "a b", '"a', "a;b", '"a"b', "a.", "x" * 201):
        with pytest.raises(UsageError, match="name of a table"):
            asked_wish(parsed("--count", none, "--to-latest", "--in-place"))


def test_two_phases_at_once_are_none(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parsed("--promote", "--give-up")
    assert "not allowed with" in capsys.readouterr().err
    with pytest.raises(UsageError):
        asked_part(parsed("--plan", "--apply"))
