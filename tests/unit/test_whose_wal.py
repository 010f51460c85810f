"""A second cluster's verdict counts its own WAL: what another cluster archived saves nothing of it."""

from typing import Any

import pytest

from tests.data.facts import NOW, SEGMENT, archiver, bucket, healthy, server, settings
from walconsole.domain.archive.page_header import PageHeader, SegmentIdentity
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.failures import diagnose
from walconsole.domain.standing.exposure import agreement, exposure
from walconsole.domain.standing.whose import holds_others_newest, own_newest
from walconsole.report.metrics import metrics

NEWEST = "000000010000000000000041"
OTHER = "7400000000000000001"
SYSTEM = str(server().system_identifier)
OFF = settings(archive_mode="off", archive_command="(disabled)")
FRESH: dict[str, Any] = {"archived_count": 0, "last_archived_wal": None, "last_archived_at": None}


def head_of(system: str) -> tuple[SegmentIdentity, ...]:
    header = PageHeader(0xD110, 15, 1, 0x41 * SEGMENT, system, SEGMENT, 8192)
    return (SegmentIdentity(NEWEST, NEWEST, NOW, header),)


def second(lsn: int, **told: Any) -> Snapshot:
    """Archiving is off on it, or was never begun; the bucket has the first one's WAL up to 0x41."""
    return healthy(
        archiver=archiver(lsn=lsn, current_wal=f"{1:08X}{0:08X}{lsn // SEGMENT:08X}", **(FRESH | told)),
        primary=bucket(identities=head_of(OTHER)),
        settings=OFF,
    )


@pytest.mark.parametrize("lsn", [3 * SEGMENT + 5, 0x41 * SEGMENT, 0x90 * SEGMENT])
def test_the_first_cluster_s_segment_is_not_what_would_survive_of_the_second(lsn: int) -> None:
    snapshot = second(lsn)
    diagnosis = diagnose(snapshot, NOW)
    assert NEWEST not in diagnosis.verdict.text
    assert "nothing of this one would survive a lost disk" in diagnosis.verdict.text
    at_risk = [line for story in diagnosis.stories for line in story.at_risk]
    assert not [line for line in at_risk if "0 B" in line]
    assert any("everything: nothing is known to be in the archive" in line for line in at_risk)
    assert exposure(snapshot, NOW) is None
    assert "unarchived_bytes" not in {metric.name for metric in metrics(snapshot, diagnosis, NOW)}


def test_without_a_head_that_was_read_its_position_tells() -> None:
    snapshot = healthy(
        archiver=archiver(lsn=3 * SEGMENT, current_wal=f"{3:024X}", **FRESH), primary=bucket(), settings=OFF
    )
    assert own_newest(snapshot) is None
    assert holds_others_newest(snapshot)
    assert exposure(snapshot, NOW) is None


def test_what_it_archived_itself_is_counted_by_its_own_word() -> None:
    """To another place than the one that is looked at, or beside the first cluster's."""
    own = f"{1:08X}{0:08X}{2:08X}"
    snapshot = second(4 * SEGMENT + 7, archived_count=2, last_archived_wal=own, last_archived_at=NOW - 60)
    lost = exposure(snapshot, NOW)
    assert lost is not None
    assert lost.bytes == SEGMENT + 7
    assert snapshot.archiver.value is not None
    said = agreement(snapshot.archiver.value, server(), snapshot)
    assert (said.ok, said.text) == (None, f"the bucket's newest, {NEWEST}, is not this server's")


def test_its_own_is_its_own() -> None:
    for identities in (head_of(SYSTEM), ()):
        snapshot = healthy(primary=bucket(identities=identities), settings=OFF)
        assert own_newest(snapshot) == NEWEST
        assert not holds_others_newest(snapshot)
        assert f"nothing written after {NEWEST}" in diagnose(snapshot, NOW).verdict.text
    assert own_newest(healthy(primary=bucket(newest_segment=None))) is None
    assert not holds_others_newest(healthy(primary=bucket(newest_segment=None)))
