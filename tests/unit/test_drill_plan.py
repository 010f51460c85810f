"""Which backup a drill takes, whether there is room for it, and how long it may take."""

from dataclasses import replace

import pytest

from tests.unit.test_drill_result import good
from walconsole.domain.recovery.backups import BaseBackup, Completeness, Writer
from walconsole.domain.recovery.drill_plan import Sizes, chosen, forecast, room, segments_between
from walconsole.domain.recovery.drill_status import read_drill_status

MIB = 1 << 20
OURS = BaseBackup(
    Writer.OURS,
    "20261128T031000Z",
    "base/",
    stopped=1000.0,
    system_identifier=7,
    unpacked_bytes=100 * MIB,
    completeness=Completeness.COMPLETE,
)


def test_the_newest_that_had_stopped_before_the_target() -> None:
    newer = replace(OURS, id="20261129T031000Z", stopped=2000.0)
    assert chosen([newer, OURS], 7) == newer
    assert chosen([newer, OURS], 7, target=1500.0) == OURS
    assert chosen([newer, OURS], 7, target=2000.0) == OURS, "a target inside of a backup is none"
    assert chosen([newer, OURS], 7, target=999.0) is None


@pytest.mark.parametrize(
    "other",
    [
        replace(OURS, system_identifier=8),
        replace(OURS, completeness=Completeness.INCOMPLETE),
        replace(OURS, completeness=Completeness.UNKNOWN),
        replace(OURS, writer=Writer.BARMAN),
    ],
)
def test_what_cannot_be_taken(other: BaseBackup) -> None:
    assert chosen([other], 7) is None
    assert chosen([replace(OURS, stopped=None)], 7, target=1500.0) is None


def test_room_is_for_the_cluster_as_it_is_by_now_its_wal_and_the_reserve() -> None:
    sizes = Sizes(databases=80 * MIB, max_wal=1024 * MIB, segment=16 * MIB)
    needed = room([OURS], 10, sizes, reserve_mib=1000, free_mib=1261)
    assert (needed.cluster_mib, needed.wal_mib, needed.needed_mib) == (100, 160, 1261)
    assert needed.suffices
    assert not replace(needed, free_mib=1260).suffices
    assert str(needed) == (
        "1.23 GiB free, and 1.23 GiB are needed: 100 MiB for the cluster, 160 MiB for its WAL, "
        "0.98 GiB that stay free"
    )
    assert str(replace(needed, free_mib=1260)).endswith("that stay free: 1.00 MiB too little")
    grown = room([OURS], 10, replace(sizes, databases=300 * MIB), reserve_mib=0, free_mib=0)
    assert grown.cluster_mib == 300


def test_of_much_wal_only_what_lies_between_two_restartpoints_takes_room() -> None:
    sizes = Sizes(databases=1, max_wal=1024 * MIB, segment=16 * MIB)
    assert room([OURS], 100_000, sizes, reserve_mib=0, free_mib=0).wal_mib == 2 * 1024 + 512


def test_a_chain_takes_its_parts_and_the_joined_cluster() -> None:
    sizes = Sizes(databases=120 * MIB, max_wal=MIB, segment=16 * MIB)
    chain = [OURS, replace(OURS, unpacked_bytes=5 * MIB)]
    assert room(chain, 1, sizes, reserve_mib=0, free_mib=0).cluster_mib == 100 + 5 + 120


def test_segments_are_counted_with_both_ends() -> None:
    assert segments_between(7, 7) == 1
    assert segments_between(7, 10) == 4
    assert segments_between(7, 2) == 0


def test_the_forecast_goes_by_an_earlier_drills_rates() -> None:
    earlier = good()
    stored, unpacked = earlier.stored_bytes or 0, earlier.unpacked_bytes or 0
    told = forecast(earlier, stored_bytes=2 * stored, unpacked_bytes=3 * unpacked, wal_bytes=400 << 20)
    assert told is not None
    assert told.restore_s == pytest.approx(2 * 1.042 + 3 * 0.217)
    assert told.replay_s == pytest.approx(100 * 3.084)
    assert told.total_s == told.restore_s + told.replay_s
    assert str(told) == "restore 3.0 s, replay 5 min 09 s"


def test_without_a_good_drill_or_sizes_there_is_no_forecast() -> None:
    earlier = good()
    for given, stored in (
        (None, 1),
        (replace(earlier, outcome=type(earlier.outcome).FAILED), 1),
        (earlier, None),
        (replace(earlier, segments=0), 1),
    ):
        assert forecast(given, stored_bytes=stored, unpacked_bytes=1, wal_bytes=1) is None


def test_the_scripts_status_is_read_and_nothing_else() -> None:
    told = (
        b'{"format":1,"id":"20261129T152758Z","state":"replaying","pid":7,"began":1795966078,"at":1795966090,'
        b'"backup":"20261129T152750Z","done_bytes":null,"total_bytes":2796093,"segments_done":3,"segments":4,'
        b'"lsn":"0/C00120","reached":"2026-11-29T15:28:00Z","exit":null,"message":""}'
    )
    status = read_drill_status(told)
    assert status is not None
    assert (status.run, status.segments_done, status.segments, status.exit_status) == (
        (7, 1795966078),
        3,
        4,
        None,
    )
    for other in (
        b"",
        b"{}",
        b"[]",
        told.replace(b'"format":1', b'"format":2'),
        told.replace(b"7,", b'"7",'),
    ):
        assert read_drill_status(other) is None
