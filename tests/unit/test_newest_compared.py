"""The newest segment that was archived beside the file in pg_wal: another server may write the same names."""

from dataclasses import replace

import pytest

from tests.data.facts import NOW, SEGMENT, archiver, bucket, healthy, server
from walconsole.domain.archive.page_header import PageHeader, SegmentIdentity
from walconsole.domain.facts.evidence import ComparedFacts
from walconsole.domain.facts.observed import BucketFacts
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.failures import diagnose
from walconsole.domain.standing.model import Level
from walconsole.domain.standing.newest import to_compare

NEWEST = "000000010000000000000041"
NEXT = "000000010000000000000042"
OURS, THEIRS = "0" * 64, "1" * 64


def identity(**changes: object) -> SegmentIdentity:
    header = PageHeader(0xD110, 15, 1, 0x41 * SEGMENT, "7412345678901234567", SEGMENT, 8192)
    return replace(SegmentIdentity(NEWEST, NEWEST, NOW, header, begins=OURS), **changes)  # type: ignore[arg-type]


def holding_newest(**changes: object) -> BucketFacts:
    return bucket(identities=(identity(**changes),))


def compared(begins: str, local: str, *, same: bool | None) -> ComparedFacts:
    return ComparedFacts(NEWEST, NEWEST, same, local, begins, begins_alone=True)


def test_another_content_under_the_newest_name_is_no_green() -> None:
    found = diagnose(healthy(primary=holding_newest(), compared=compared(OURS, THEIRS, same=False)), NOW)
    assert found.verdict.level is Level.CRITICAL
    root = found.stories[0].root
    assert root.rule == "same-name-different-content"
    assert "first 1,024 bytes differ" in root.evidence[0]
    assert root.since is None


@pytest.mark.parametrize(
    "facts",
    [
        compared(OURS, OURS, same=True),
        compared(OURS, "", same=None),  # it is not in pg_wal any more
        compared("2" * 64, THEIRS, same=False),  # of what the object was before
        replace(compared(OURS, THEIRS, same=False), key="another"),
    ],
)
def test_what_is_alike_or_not_to_be_told_alarms_nobody(facts: ComparedFacts) -> None:
    found = diagnose(healthy(primary=holding_newest(), compared=facts), NOW)
    assert (found.verdict.level, found.findings) == (Level.OK, ())


@pytest.mark.parametrize(
    "snapshot",
    [
        healthy(primary=holding_newest(begins="")),
        healthy(primary=holding_newest(header=None)),
        healthy(primary=holding_newest(name="000000010000000000000040")),
        healthy(primary=holding_newest(), server=server(in_recovery=True)),
        healthy(primary=holding_newest(), server=server(system_identifier="1")),
        healthy(
            primary=holding_newest(),
            archiver=archiver(failed_count=1, last_failed_at=NOW, last_failed_wal=NEXT, ready_count=1),
        ),
    ],
)
def test_only_the_newest_of_this_primary_is_compared(snapshot: Snapshot) -> None:
    assert to_compare(snapshot) == ()


def test_it_is_compared_while_all_is_well() -> None:
    assert to_compare(healthy(primary=holding_newest())) == (identity(),)
