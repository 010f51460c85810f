"""To where a recovery goes, as it is written, kept and given to the server."""

import pytest

from walconsole.domain.moments.targets import By, Target
from walconsole.domain.profile import ClusterName
from walconsole.domain.recovery.recover_target import (
    IN_PLACE,
    RecoverTo,
    RecoveryPlace,
    RecoveryTarget,
    is_behind,
    is_earlier,
    read_into,
    read_step,
    read_target,
    recover_command,
    time_text,
)

BY_TIME, BY_LSN = (
    "recovery_target_time = '2026-11-28 14:02:00.000000+00'",
    "recovery_target_lsn = '0/203A4D0'",
)
ON, OFF = (f"recovery_target_inclusive = '{side}'" for side in ("on", "off"))


@pytest.mark.parametrize(
    ("to", "text", "inclusive", "lines"),
    [
        (RecoverTo.TIME, "2026-11-28 14:02:00Z", None, (BY_TIME, ON)),
        (RecoverTo.TIME, "2026-11-28T15:02+01:00", False, (BY_TIME, OFF)),
        (RecoverTo.LSN, "0/203a4d0", None, (BY_LSN, OFF)),
        (RecoverTo.LSN, "0/203A4D0", True, (BY_LSN, ON)),
        (RecoverTo.XID, " 0742 ", None, ("recovery_target_xid = '742'", ON)),
        (RecoverTo.NAME, "before it's late", None, ("recovery_target_name = 'before it''s late'",)),
        (RecoverTo.IMMEDIATE, "", None, ("recovery_target = 'immediate'",)),
        (RecoverTo.LATEST, "", None, ()),
    ],
)  # fmt: skip
def test_what_is_written_is_what_the_server_is_given(
    to: RecoverTo, text: str, inclusive: bool | None, lines: tuple[str, ...]
) -> None:
    assert read_target(to, text, inclusive=inclusive).lines() == lines
    named = read_target(to, text, inclusive=inclusive, timeline=3)
    assert named.lines() == (*lines, "recovery_target_timeline = '3'")


@pytest.mark.parametrize(
    ("to", "text", "inclusive"),
    [
        (RecoverTo.TIME, "2026-11-28 14:02:00", None),  # whose clock?
        (RecoverTo.TIME, "14:02", None),
        (RecoverTo.TIME, "yesterday", None),
        (RecoverTo.TIME, "infinity", None),
        (RecoverTo.TIME, "9999-12-31T23:59:59-12:00", None),  # in UTC it has no date
        (RecoverTo.LSN, "203A4D0", None),
        (RecoverTo.LSN, "0/203A4D0'; DROP", None),
        (RecoverTo.XID, "2", None),
        (RecoverTo.XID, "-5", None),
        (RecoverTo.XID, "٣٣", None),
        (RecoverTo.XID, "1" * 30, None),
        (RecoverTo.NAME, "", None),
        (RecoverTo.NAME, "two\nlines", None),
        (RecoverTo.NAME, "ä" * 32, None),
        (RecoverTo.NAME, "point", True),
        (RecoverTo.LATEST, "", False),
        (RecoverTo.IMMEDIATE, "", True),
    ],
)
def test_what_is_no_target_is_refused(to: RecoverTo, text: str, inclusive: bool | None) -> None:
    with pytest.raises(ValueError, match=r"write|restore point|says nothing"):
        read_target(to, text, inclusive=inclusive)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("now", "--to-latest"),
        ("infinity", "--to-latest"),
        ("1795874520", "are '2026-11-28 14:02:00Z'"),
        ("@1795874520", "are '2026-11-28 14:02:00Z'"),
        ("1795874520.25", "are '2026-11-28 14:02:00Z'"),
        ("1795874520250", "are '2026-11-28 14:02:00Z'"),
        ("2026-11-28 15:02 CET", "by its offset"),
        ("2026-10-25 02:30 Europe/Berlin", "by its offset"),
    ],
)
def test_what_was_probably_meant_is_said(text: str, meant: str) -> None:
    with pytest.raises(ValueError, match=r"with its zone") as refused:
        read_target(RecoverTo.TIME, text)
    assert meant in str(refused.value)


@pytest.mark.parametrize("zone", [" UTC", "UTC", " GMT", " utc"])
def test_a_time_may_be_copied_from_a_servers_log(zone: str) -> None:
    assert read_target(RecoverTo.TIME, f"2026-11-28 14:02:00.123{zone}").value == (
        "2026-11-28 14:02:00.123000+00"
    )


def test_a_segments_name_is_no_place() -> None:
    for text in ("00000001000000000000000A", "000000010000000000000009"):
        with pytest.raises(ValueError, match=r"not as a segment's name"):
            read_target(RecoverTo.LSN, text)
        with pytest.raises(ValueError, match=r"not as a segment's name"):
            read_step(text)  # it would be a restore point, or a transaction, that nobody has


def test_seconds_since_1970_are_no_transaction() -> None:
    for text in ("1795874520", "@1795874520"):
        with pytest.raises(ValueError, match=r"write '2026-11-28 14:02:00Z'; .*'xid 1795874520'"):
            read_step(text)
    assert (read_step("xid 1795874520").to, read_step("xid 1795874520").value) == (
        RecoverTo.XID,
        "1795874520",
    )


def test_of_a_restore_points_name_every_sign_counts() -> None:
    assert read_target(RecoverTo.NAME, " x ").value == " x "
    with pytest.raises(ValueError, match=r"--to-lsn"):
        read_target(RecoverTo.NAME, "a\tb")


def test_a_time_before_all_servers_is_the_earliest() -> None:
    for text in ("0099-01-01T00:00Z", "0001-01-01T00:00:00+12:00", "1969-12-31T23:59:59Z"):
        assert read_target(RecoverTo.TIME, text).at == 0.0


@pytest.mark.parametrize(
    ("text", "to"),
    [
        ("2026-11-28 14:02:00Z", RecoverTo.TIME),
        ("0/203A4D0", RecoverTo.LSN),
        ("742", RecoverTo.XID),
        ("latest", RecoverTo.LATEST),
        ("before the migration", RecoverTo.NAME),
        ("name 2026-11-28", RecoverTo.NAME),
        ("0/203a4d0", RecoverTo.LSN),
    ],
)
def test_a_later_target_is_told_by_its_form(text: str, to: RecoverTo) -> None:
    assert read_step(text).to is to


@pytest.mark.parametrize(
    "text", ["14:05", "now", "today 14:05", "yesterday", "28 Nov 14:05", "20261128T140500Z", "-2h", "2h ago"]
)
def test_what_might_be_meant_for_a_time_is_no_restore_point(text: str) -> None:
    with pytest.raises(ValueError, match=r"its day and zone"):
        read_step(text)
    assert read_step(f"name {text}").value == text


def test_what_is_known_to_be_replayed_is_behind() -> None:
    lsn, reached = "0/203A4D0", "2026-11-28 14:02:00.5+00"
    assert is_behind(read_step("0/203A4CF"), lsn, reached)
    assert not is_behind(read_step("0/203A4D0"), lsn, reached)
    assert is_behind(read_step("2026-11-28 15:02:00.4+01:00"), lsn, reached)
    assert not is_behind(read_step("2026-11-28 14:02:01Z"), lsn, reached)
    assert not is_behind(read_step("742"), lsn, reached)
    assert not is_behind(read_step("0/1"), "", ""), "it was not told"


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2026-10-25 02:30:00+02:00", 1792888200.0),  # Europe's clocks go back: the zone tells them apart
        ("2026-10-25 02:30:00+01:00", 1792891800.0),
        ("2026-10-25T00:30Z", 1792888200.0),
        ("2026-10-25 06:15:00.000001+05:45", 1792888200.000001),
    ],
)
def test_the_zone_tells_the_moment(text: str, at: float) -> None:
    assert read_target(RecoverTo.TIME, text).at == pytest.approx(at, abs=1e-6)


@pytest.mark.parametrize(
    ("new", "old", "earlier"),
    [
        ("2026-11-28 14:01:59Z", "2026-11-28 14:02:00Z", True),
        ("2026-11-28 14:02:00Z", "2026-11-28 14:02:00Z", False),
        ("0/1000", "0/2000", True),
        ("0/3000", "0/2000", False),
        ("742", "741", False),  # numbers are given when a transaction begins: nothing tells
        ("0/1000", "2026-11-28 14:02:00Z", False),
    ],
)
def test_only_what_is_known_to_be_earlier_is_called_so(new: str, old: str, earlier: bool) -> None:
    assert is_earlier(read_step(new), read_step(old)) is earlier


def test_a_moments_target_is_one_and_its_command_leads_back_to_it() -> None:
    target = RecoveryTarget.of(Target(By.LSN, "0/203A4D0", False, 2, "exact"))
    assert target == read_target(RecoverTo.LSN, "0/203A4D0", inclusive=False, timeline=2)
    assert recover_command("shop", target, read_into("15/restored"), "--plan") == (
        "walconsole recover shop --to-lsn 0/203A4D0 --before --timeline 2 --into 15/restored --plan"
    )
    by_name = read_target(RecoverTo.NAME, "it's")
    assert (
        recover_command("shop", by_name, IN_PLACE)
        == """walconsole recover shop --to-name 'it'"'"'s' --in-place"""
    )


@pytest.mark.parametrize(
    "text", ["restored", "15/", "15/Up", "15/../x", "x/y", "15/-a", "srv/restored", "9.6/main"]
)
def test_what_is_no_new_clusters_name_is_refused_with_what_to_do(text: str) -> None:
    with pytest.raises(ValueError, match="VERSION/NAME"):
        read_into(text)


def test_a_new_clusters_name() -> None:
    assert read_into(" 15/restored-2 ") == RecoveryPlace(ClusterName("15", "restored-2"))
    assert not read_into("15/restored").in_place
    assert IN_PLACE.in_place


@pytest.mark.parametrize("text", ["/", "/srv", "/srv/../etc", "/srv//x", "/srv/a b", "/srv/a'b", "/srv/./a"])
def test_what_is_no_folder_of_its_own_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="write a folder's path from / on"):
        read_into(text)


def test_a_folder_is_a_place_and_its_command_leads_back_to_it() -> None:
    place = read_into(" /srv/postgresql/restored/ ")
    assert place == RecoveryPlace(folder="/srv/postgresql/restored")
    assert not place.in_place
    assert place.options() == ("--into", "/srv/postgresql/restored")
    assert place.text == "into the folder /srv/postgresql/restored"


def test_a_time_in_words_has_its_day_and_zone() -> None:
    assert time_text(read_target(RecoverTo.TIME, "2026-11-28 15:02+01").at or 0.0) == "2026-11-28 14:02:00Z"
