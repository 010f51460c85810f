"""What one snapshot says of a recovery before it is begun: where it may stand, what it takes and loses."""

from dataclasses import replace

import pytest

from tests.data import facts
from tests.data.archives import NEWEST
from tests.data.facts import MIB, SEGMENT
from tests.data.recoveries import NOW, nightly
from walconsole.domain.archivers.own_restore import OwnRestore, OwnTool
from walconsole.domain.facts.evidence import DiscoveryFacts, FoundCopy
from walconsole.domain.facts.snapshot import Reading, Snapshot
from walconsole.domain.profile import ClusterName
from walconsole.domain.recovery.recover_plan import RecoveryPlan, RecoveryWish
from walconsole.domain.recovery.recover_target import (
    IN_PLACE,
    RecoverTo,
    RecoveryPlace,
    RecoveryTarget,
    read_target,
)
from walconsole.domain.recovery.target_judgement import Trap
from walconsole.domain.standing.assessment import Assessment
from walconsole.domain.standing.recovering import foreseen, host_of, place_beside
from walconsole.domain.wal import format_lsn

HERE = read_target(RecoverTo.LSN, format_lsn((NEWEST.number - 4) * SEGMENT + 800), timeline=2)


def clusters(*names: str) -> Snapshot:
    made = nightly()
    host = made.host.value
    assert host is not None
    others = tuple(replace(facts.CLUSTER, name=ClusterName("15", name)) for name in names)
    return replace(made, host=replace(made.host, value=replace(host, clusters=(facts.CLUSTER, *others))))


def of(snapshot: Snapshot, target: RecoveryTarget = HERE) -> RecoveryPlan:
    wish = RecoveryWish(target, place_beside(snapshot))
    return foreseen(Assessment(snapshot, NOW), wish)


def test_pgbackrest_is_taken_for_there_where_it_archives() -> None:
    rows = (("bucket", "it", "/srv/it.conf line 4", ""),)
    found = DiscoveryFacts((FoundCopy("pgBackRest", "s3://it", rows=rows),))
    made = replace(nightly(), discovery=Reading(Snapshot.discovery, value=found, read_at=NOW))
    host = host_of(made)
    assert host.has_pgbackrest
    assert host.called == OwnRestore(OwnTool.PGBACKREST, whence=("--config=/srv/it.conf",))
    assert not host_of(nightly()).has_pgbackrest


def test_it_stands_beside_the_old_cluster_under_a_name_that_is_free() -> None:
    assert place_beside(nightly()) == RecoveryPlace(ClusterName("15", "restored"))
    assert place_beside(clusters("restored")) == RecoveryPlace(ClusterName("15", "restored2"))
    assert place_beside(clusters("restored", "restored2")) == RecoveryPlace(ClusterName("15", "restored3"))


@pytest.mark.parametrize(
    ("data", "place"),
    [
        ("/srv/pg/data", RecoveryPlace(folder="/srv/pg/data.restored")),
        ("/srv/my data", IN_PLACE),
        ("", IN_PLACE),
    ],
)
def test_beside_a_cluster_that_is_none_of_debians_it_is_a_folder(data: str, place: RecoveryPlace) -> None:
    made = nightly()
    host = made.host.value
    assert host is not None
    bare = replace(host, cluster=replace(facts.CLUSTER, name=None, data_directory=data))
    unasked = replace(made, host=replace(made.host, value=bare), server=replace(made.server, value=None))
    assert place_beside(unasked) == place


def test_where_the_old_host_is_gone_and_another_is_named_the_backups_tell_the_version() -> None:
    made = nightly()
    away = replace(made, host=Reading(Snapshot.host), server=Reading(Snapshot.server))
    assert place_beside(away) == IN_PLACE
    named = replace(away, told=replace(made.told, spare="root@spare"))
    assert place_beside(named) == RecoveryPlace(ClusterName("15", "restored"))


def test_the_disk_is_known_where_pg_wal_lies_in_the_data_directory() -> None:
    made = nightly()
    disk = made.wal_disk.value
    assert disk is not None
    assert host_of(made).free_mib == disk.free_bytes // MIB
    elsewhere = replace(made, wal_disk=replace(made.wal_disk, value=replace(disk, directory="/wal")))
    assert host_of(elsewhere).free_mib is None


def test_a_place_in_the_archive_is_possible_and_what_comes_after_is_lost() -> None:
    told = of(nightly())
    assert told.possible, told.refusals
    assert told.loss.wal_bytes == 5 * SEGMENT - 800


def test_a_place_that_nothing_reaches_is_refused_with_the_page_that_explains_it() -> None:
    told = of(nightly(), read_target(RecoverTo.LSN, "0/1000", timeline=2))
    assert not told.possible
    assert [each.trap for each in told.refusals] == [Trap.BEFORE_CONSISTENCY]


def test_what_is_not_archived_yet_may_come_from_the_old_servers_pg_wal() -> None:
    ahead = (NEWEST.number + 9) * SEGMENT
    there, archiver = read_target(RecoverTo.LSN, format_lsn(ahead), timeline=2), nightly().archiver
    assert archiver.value is not None
    writes = replace(archiver, value=replace(archiver.value, lsn=ahead))
    told = of(replace(nightly(), archiver=writes), there)
    assert told.possible
    assert [each.trap for each in told.warnings] == [Trap.AFTER_ARCHIVE]
    assert not of(nightly(), there).possible, "the server that runs has not written it"


def test_on_the_host_that_the_profile_names_nothing_of_the_droplet_is_in_the_way() -> None:
    made = clusters("restored")
    there = replace(made, told=replace(made.told, spare="root@spare"))
    wish = RecoveryWish(HERE, RecoveryPlace(ClusterName("15", "restored")))
    plan = foreseen(Assessment(there, NOW), wish)
    assert plan.elsewhere == "root@spare"
    assert plan.possible
    assert plan.room is None, "its disk was not asked"
    in_place = foreseen(Assessment(there, NOW), replace(wish, place=IN_PLACE))
    assert in_place.elsewhere == "", "in place is the droplet's"
