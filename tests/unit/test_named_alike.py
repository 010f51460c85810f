"""What is only named like this server's segments is no proof of a loss, and no archive either."""

from dataclasses import replace
from typing import Any

import pytest

from tests.data.facts import NOW, archiver, bucket, healthy, holding
from walconsole.domain.archive.continuity import Continuity
from walconsole.domain.facts.observed import NamedAlike
from walconsole.domain.failures import diagnose
from walconsole.domain.profile import BucketRole
from walconsole.domain.standing.model import Certainty, Level, Severity

NEWEST, OLDER = "000000010000000000000041", "00000001000000000000003E"


def nothing_known(**more: Any) -> Any:
    return bucket(
        segments=0, newest_segment=None, newest_at=None, oldest_segment=None, holding=None,
        continuity=Continuity(1), foreign_objects=3, newest_key=None, **more,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("held", "alike", "certainty", "severity"),
    [
        (nothing_known(), NamedAlike(3, NEWEST, f"wal//{NEWEST}.zip"), Certainty.POSSIBLE, Severity.WARNING),
        (nothing_known(), NamedAlike(3, OLDER, f"wal/{OLDER}.json"), Certainty.PROVED, Severity.CRITICAL),
        (nothing_known(), None, Certainty.PROVED, Severity.CRITICAL),
        (
            bucket(newest_segment=OLDER, holding=holding(last=0x3E)),
            NamedAlike(1, NEWEST, f"{NEWEST}.cpt"),
            Certainty.POSSIBLE,
            Severity.WARNING,
        ),
    ],
)
def test_what_is_stored_in_an_unknown_form_is_told_and_not_called_lost(
    held: Any, alike: NamedAlike | None, certainty: Certainty, severity: Severity
) -> None:
    snapshot = healthy(archiver=archiver(), primary=replace(held, alike=alike), dr=bucket(BucketRole.DR))
    (found,) = (each for each in diagnose(snapshot, NOW).findings if each.rule == "silent-loss")
    assert (found.certainty, found.severity) == (certainty, severity)
    if alike is not None and certainty is Certainty.POSSIBLE:
        assert f"{alike.objects} object" in found.title
        assert "named like this server's segments" in found.title
        assert "stores nothing" not in found.title


@pytest.mark.parametrize("ending", [".tmp", ".part", ".gz.tmp", ".new", "~"])
def test_a_copy_that_is_never_renamed_is_told_as_that(ending: str) -> None:
    held = bucket(newest_segment=OLDER, holding=holding(last=0x3E))
    alike = NamedAlike(3, NEWEST, f"{NEWEST}{ending}")
    primary = replace(held, alike=alike)
    snapshot = healthy(archiver=archiver(), primary=primary, dr=bucket(BucketRole.DR))
    (found,) = (each for each in diagnose(snapshot, NOW).findings if each.rule == "silent-loss")
    assert "not renamed when they are whole" in found.title
    assert "mv" in found.remedy
    assert (found.certainty, found.severity) == (Certainty.LIKELY, Severity.WARNING)


def test_it_is_never_green() -> None:
    alike = NamedAlike(3, NEWEST, f"wal//{NEWEST}.zip")
    verdict = diagnose(healthy(primary=nothing_known(alike=alike)), NOW).verdict
    assert verdict.level is not Level.OK


def test_where_they_lie_is_said() -> None:
    text = NamedAlike(2, NEWEST, f"wal//{NEWEST}.zip\x1b[2J").text
    named = "2 objects named like this server's segments, under wal//"
    assert text == f"{named}, in a form that is not known ({NEWEST}.zip)"
    assert "under" not in NamedAlike(1, NEWEST, f"{NEWEST}.zip").text
