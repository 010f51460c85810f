"""What probes found, as recovery asks for it."""

import pytest

from tests.data.facts import NOW, archiver, bucket, holding, server
from tests.data.recovery import base, history, label
from walconsole.domain.archive.page_header import PageHeader, SegmentIdentity
from walconsole.domain.profile import BucketRole
from walconsole.domain.recovery.backups import Completeness, Unreadable, Writer
from walconsole.domain.recovery.from_facts import archive_copy, cluster_of
from walconsole.domain.recovery.held import Cluster
from walconsole.domain.recovery.recoverability import recoverability
from walconsole.domain.wal import Segment

MIB = 1024 * 1024


def identity(system_identifier: str | None) -> SegmentIdentity:
    """The head of a segment of that cluster's; None: it could not be read."""
    header = None
    if system_identifier is not None:
        header = PageHeader(0xD110, 15, 1, 0, system_identifier, 16 * MIB, 8192)
    return SegmentIdentity("000000010000000000000041", "k", NOW, header)


def test_a_bucket_becomes_a_copy() -> None:
    facts = bucket(
        BucketRole.DR,
        holding=holding(1, 9, labels=(Segment(1, 3), Segment(1, 5)), history_keys={2: "00000002.history"}),
        histories_read={2: history(2, (1, 5))},
        store_clock_offset_s=1.5,
        identities=(identity("-2"), identity(str(2**64 - 2)), identity(None)),
    )
    broken = Unreadable("base/x/backup.json", "it is not JSON")
    copy = archive_copy(facts, [base(3), label(5), broken], read_by_restore=False)
    assert copy.role is BucketRole.DR
    assert list(copy.timelines[1]) == [(1, 9)]
    assert [(each.writer, each.start_lsn) for each in copy.backups] == [
        (Writer.OURS, 3 * 16 * MIB + 40),
        (Writer.LABEL, 5 * 16 * MIB + 40),
        (Writer.LABEL, 3 * 16 * MIB),
    ]
    assert copy.backups[-1].completeness is Completeness.UNKNOWN
    assert copy.histories == facts.histories_read
    assert list(copy.known_histories) == [2]
    assert copy.unreadable == (broken,)
    assert (copy.read_by_restore, copy.listed, copy.clock_offset_s) == (False, True, 1.5)
    assert copy.system_identifier == 2**64 - 2


@pytest.mark.parametrize("told", [(), ("7", "8"), (None,)])
def test_whose_wal_it_is_is_not_guessed(told: tuple[str | None, ...]) -> None:
    facts = bucket(identities=tuple(identity(each) for each in told))
    assert archive_copy(facts).system_identifier is None


def test_a_doubted_or_unfinished_listing_is_told() -> None:
    assert not archive_copy(bucket(doubted=True)).listed
    assert not archive_copy(bucket(complete=False)).listed


def test_a_bucket_without_an_archive_restores_nothing() -> None:
    copy = archive_copy(bucket(holding=None, continuity=None))
    assert recoverability([copy], cluster_of(None, None)).windows == ()


def test_the_cluster_is_the_servers() -> None:
    facts = server(system_identifier="-2", timeline=3, version_num=150018)
    assert cluster_of(facts, archiver(lsn=4711)) == Cluster(16 * MIB, 2**64 - 2, 150018, 3, 4711)
    for none in (None, "", "[red]x", "0", "9" * 30):
        assert cluster_of(server(system_identifier=none), None).system_identifier is None
    assert cluster_of(None, None, MIB) == Cluster(MIB)
