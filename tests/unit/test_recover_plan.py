"""A recovery before it is made: which base backup, what it takes, and everything that is in its way."""

import shlex
from dataclasses import replace

import pytest

from tests.data.recovery import CLUSTER, DAY_S, MIB, NOW, SIZE, backup_id, base, copy_of, history
from walconsole.domain.archivers.own_restore import own_restore
from walconsole.domain.facts.evidence import FoundCopy
from walconsole.domain.moments.targets import time_value
from walconsole.domain.profile import BucketRole, ClusterName, default_bucket
from walconsole.domain.recovery.backups import Completeness, Writer
from walconsole.domain.recovery.by_tool import (
    ClusterPlace,
    called_by,
    own_places,
    read_place,
)
from walconsole.domain.recovery.recover_plan import (
    RecoveryHost,
    RecoveryPlan,
    RecoveryWish,
    plan_lines,
    plan_recovery,
)
from walconsole.domain.recovery.recover_state import RecoveryPhase, RecoveryState, read_recovery
from walconsole.domain.recovery.recover_target import (
    IN_PLACE,
    RecoverTo,
    RecoveryPlace,
    RecoveryTarget,
    read_into,
    read_target,
    time_text,
)
from walconsole.domain.recovery.recoverability import recoverability
from walconsole.domain.recovery.target_judgement import PlannedLoss, Trap
from walconsole.domain.recovery.wal_supply import ArchiveCopy
from walconsole.domain.wal import format_lsn

PRIMARY, DR = BucketRole.PRIMARY, BucketRole.DR
HOST = RecoveryHost(
    "/var/lib/postgresql/15/main", ClusterName("15", "main"), True, 50_000, folder="/var/lib/postgresql/15"
)
INTO = read_into("15/restored")
FOLDER = read_into("/srv/pg/restored")
TIMES = {number: NOW - DAY_S * (12 - number) / 10 for number in range(1, 12)}
OLD, NEW = base(3, day=0.9, unpacked_bytes=100 * MIB), base(7, day=0.45, unpacked_bytes=100 * MIB)
BOTH = (
    copy_of({1: range(1, 11)}, OLD, NEW, times=TIMES),
    copy_of({1: range(1, 11)}, OLD, NEW, role=DR, times=TIMES),
)


def at(day: float) -> RecoveryTarget:
    """A time so many days ago."""
    return read_target(RecoverTo.TIME, time_text(NOW - day * DAY_S))


def lsn(segment: int, offset: int = 1000, **more: object) -> RecoveryTarget:
    return read_target(RecoverTo.LSN, format_lsn(segment * SIZE + offset), **more)  # type: ignore[arg-type]


LATEST = read_target(RecoverTo.LATEST)


def planned(
    target: RecoveryTarget,
    *copies: ArchiveCopy,
    place: RecoveryPlace = INTO,
    host: RecoveryHost = HOST,
    backup: str = "",
    left_out: tuple[BucketRole, ...] = (),
) -> RecoveryPlan:
    found = recoverability(copies or BOTH, CLUSTER)
    return plan_recovery(RecoveryWish(target, place, backup), found, host, left_out=left_out)


# -- Which base backup.


@pytest.mark.parametrize(
    ("target", "backup"),
    [
        (LATEST, NEW),
        (at(0.2), NEW),
        (at(0.45), OLD),  # the newest had not stopped by then: it takes a minute
        (at(0.6), OLD),
        (lsn(9), NEW),
        (lsn(7, 311), OLD),  # a byte before the newest had stopped
        (lsn(7, 312), NEW),
        (lsn(4), OLD),
        (read_target(RecoverTo.XID, "742"), NEW),
        (read_target(RecoverTo.NAME, "point"), NEW),
        (read_target(RecoverTo.IMMEDIATE), NEW),
    ],
)
def test_the_newest_that_had_stopped_before_the_target(target: RecoveryTarget, backup: object) -> None:
    plan = planned(target)
    assert plan.refusals == ()
    assert (plan.backup, plan.copy, plan.target.timeline) == (backup, PRIMARY, 1)


def test_in_the_second_in_which_a_backup_stopped_it_may_not_have_stopped_yet() -> None:
    """Its writer cut that second: a server does not always refuse what is before it."""
    assert NEW.stopped is not None
    assert OLD.stopped is not None
    for stopped, backup in ((NEW.stopped, OLD), (NEW.stopped + 0.9, OLD), (NEW.stopped + 1, NEW)):
        assert planned(read_target(RecoverTo.TIME, time_value(round(stopped * 1e6)))).backup == backup
    only = planned(read_target(RecoverTo.TIME, time_value(round(OLD.stopped * 1e6))))
    assert "1.0 s before" in only.refusals[0].text
    assert only.refusals[0].trap is Trap.BEFORE_CONSISTENCY
    exact = replace(NEW, stopped=NEW.stopped + 0.5)
    told = copy_of({1: range(1, 11)}, OLD, exact, times=TIMES)
    assert (
        planned(read_target(RecoverTo.TIME, time_value(round((NEW.stopped + 0.5) * 1e6))), told).backup
        == exact
    )


def test_another_one_may_be_named_and_its_wal_is_counted() -> None:
    plan = planned(LATEST, backup=OLD.id)
    assert plan.backup == OLD
    assert (plan.first, plan.last, plan.segments) == (
        "000000010000000000000003",
        "00000001000000000000000A",
        8,
    )
    assert plan.wal_bytes == 8 * SIZE
    assert planned(read_target(RecoverTo.IMMEDIATE), backup=OLD.id).segments == 1


def test_of_the_copy_that_has_it_and_can_be_read() -> None:
    alone = copy_of({1: range(1, 11)}, times=TIMES)
    assert planned(LATEST, alone, BOTH[1]).copy is DR
    plan = planned(LATEST, BOTH[1], left_out=(PRIMARY,))
    assert plan.copy is DR
    assert any("the primary could not be read" in each.text for each in plan.warnings)


# -- What is in the way.

HOLE = copy_of({1: [*range(1, 6), *range(7, 11)]}, OLD, times=TIMES)
BRANCH = copy_of(
    {1: range(1, 11), 2: range(5, 9)}, OLD, NEW, histories=[history(2, (1, 5 * SIZE + 100))], times=TIMES
)
ENCRYPTED = replace(NEW, encryption="age")


@pytest.mark.parametrize(
    ("target", "copies", "why"),
    [
        (at(1.5), BOTH, "where the oldest base backup that can be replayed had stopped"),
        (lsn(2), BOTH, "where the oldest base backup that can be replayed had stopped"),
        (lsn(3, 100), BOTH, "would open at a later state than was asked for"),
        (LATEST, (copy_of({1: range(1, 11)}),), "there is no base backup that leads to timeline 1"),
        (lsn(8), (HOLE,), "000000010000000000000006 is missing"),
        (LATEST, (HOLE,), "000000010000000000000006 is missing"),
        (LATEST, (copy_of({1: range(4, 11)}, OLD),), "000000010000000000000003 is missing"),
        (replace(LATEST, timeline=9), BOTH, "no copy holds anything of timeline 9: there are 1"),
        (
            replace(lsn(8), timeline=2),
            (copy_of({1: range(1, 11), 2: [8]}, OLD),),
            "00000002.history is missing",
        ),
        (LATEST, (copy_of({1: range(1, 11)}, ENCRYPTED),), "its secret key is not on this host"),
        (LATEST, (copy_of({1: range(1, 11)}, replace(NEW, completeness=Completeness.INCOMPLETE)),), NEW.id),
    ],
)
def test_is_known_before_it_is_tried(
    target: RecoveryTarget, copies: tuple[ArchiveCopy, ...], why: str
) -> None:
    plan = planned(target, *copies)
    assert not plan.possible
    assert why in " ".join(each.text for each in plan.refusals)


def test_a_path_that_the_script_does_not_handle_is_refused_before_anything_is_made() -> None:
    plan = planned(LATEST, host=replace(HOST, data="/srv/my data/15"))
    assert "/srv/my data/15 has signs" in plan.refusals[0].text
    assert planned(LATEST, host=replace(HOST, data="/srv/my-data_@1/15,a:b")).possible


def test_a_backup_on_the_other_branch_is_not_begun_with() -> None:
    plan = planned(replace(LATEST, timeline=2), BRANCH)
    assert plan.backup == OLD, "the newer one is on the branch that was left"
    assert plan.last == "000000020000000000000008"
    named = planned(replace(LATEST, timeline=2), BRANCH, backup=NEW.id)
    assert "timeline 2 does not descend from it" in named.refusals[0].text


def test_up_to_the_hole_it_can_go() -> None:
    assert planned(lsn(5), HOLE).possible
    plan = planned(lsn(8), HOLE)
    assert f"--to-lsn {format_lsn(6 * SIZE)}" in plan.refusals[0].remedy


@pytest.mark.parametrize(
    ("changes", "place", "why"),
    [
        ({"data": ""}, INTO, "is not known on this host"),
        ({"in_recovery": True}, INTO, "is a standby"),
        ({"tablespaces": 2}, IN_PLACE, "the replay would make them at their old paths"),
        ({"crowded": "its folder is root's"}, INTO, "beside /var/lib/postgresql/15/main cannot be made"),
        ({"crowded": "it is there already"}, FOLDER, "/srv/pg/restored cannot be made: it is there already"),
        ({"fixed": "it is a link"}, IN_PLACE, "cannot be moved aside in one step: it is a link"),
        ({"cluster": None}, INTO, "none of Debian's"),
        ({"clusters": (ClusterName("15", "restored"),)}, INTO, "there is a cluster 15/restored"),
        (
            {"taken": "/srv/15/restored"},
            INTO,
            "15/restored cannot be made: /srv/15/restored is there already",
        ),
        ({}, read_into("16/restored"), "starts with 15 alone"),
        ({"free_mib": 500}, INTO, "no room: /var/lib/postgresql/15 has 500 MiB free"),
        ({"databases_bytes": 90_000 * MIB}, INTO, "no room"),
    ],
)
def test_what_the_host_refuses(changes: dict[str, object], place: RecoveryPlace, why: str) -> None:
    plan = planned(LATEST, place=place, host=replace(HOST, **changes))  # type: ignore[arg-type]
    assert not plan.possible
    assert why in " ".join(each.text for each in plan.refusals)


def test_a_link_or_another_cluster_beside_is_no_matter_elsewhere() -> None:
    assert planned(LATEST, host=replace(HOST, fixed="it is a link")).possible
    assert planned(LATEST, place=IN_PLACE, host=replace(HOST, cluster=None)).possible
    assert planned(LATEST, place=FOLDER, host=replace(HOST, cluster=None, fixed="it is a link")).possible


THERE = replace(HOST, data="", cluster=None, elsewhere="root@spare")


@pytest.mark.parametrize(
    ("changes", "place", "why"),
    [
        ({}, IN_PLACE, "no old cluster on root@spare"),
        ({"debian": False}, INTO, "root@spare has no pg_createcluster"),
        (
            {"clusters": (ClusterName("15", "restored"),)},
            INTO,
            "there is a cluster 15/restored on root@spare",
        ),
        ({"crowded": "its folder is root's, not postgres's"}, FOLDER, "cannot be made on root@spare"),
        ({}, read_into("16/restored"), "is of PostgreSQL 15"),
        ({"tablespaces": 2}, INTO, "holds none"),
        ({"free_mib": 500}, FOLDER, "no room"),
    ],
)
def test_what_another_host_refuses(changes: dict[str, object], place: RecoveryPlace, why: str) -> None:
    plan = planned(LATEST, place=place, host=replace(THERE, **changes))  # type: ignore[arg-type]
    assert not plan.possible
    assert why in " ".join(each.text for each in plan.refusals)


def test_on_another_host_it_goes_on_without_production() -> None:
    for place in (INTO, FOLDER):
        plan = planned(LATEST, place=place, host=THERE)
        assert plan.possible
        assert plan.warnings == ()
        assert dict(plan_lines(plan))["where"] == f"{place.text} on root@spare"
    (told,) = planned(LATEST, host=replace(THERE, running=False)).warnings
    assert "production's server does not answer" in told.text


def test_into_a_folder_the_old_cluster_need_not_be_known() -> None:
    plan = planned(LATEST, place=FOLDER, host=replace(HOST, data="", cluster=None, running=False))
    assert plan.possible
    assert "of its last WAL nothing can be kept" in plan.warnings[0].text


def test_an_encrypted_one_takes_its_key() -> None:
    found = recoverability((copy_of({1: range(1, 11)}, ENCRYPTED),), CLUSTER)
    wish = RecoveryWish(LATEST, INTO)
    assert "--identity /dev/shm/FILE" in plan_recovery(wish, found, HOST).refusals[0].remedy
    assert plan_recovery(replace(wish, identity="/dev/shm/key"), found, HOST).possible


def test_the_key_that_drills_use_is_used_where_none_is_named() -> None:
    found = recoverability((copy_of({1: range(1, 11)}, ENCRYPTED),), CLUSTER)
    host = replace(HOST, identity="/etc/it-drill.key")
    plan = plan_recovery(RecoveryWish(LATEST, INTO), found, host)
    assert plan.possible
    assert plan.identity == "/etc/it-drill.key"
    assert dict(plan_lines(plan))["key"] == "decrypted by age's keys in /etc/it-drill.key"
    assert plan_recovery(RecoveryWish(LATEST, INTO, identity="/dev/shm/key"), found, host).identity == (
        "/dev/shm/key"
    )
    fault = replace(host, key_fault="user postgres cannot read it")
    refused = plan_recovery(RecoveryWish(LATEST, INTO), found, fault).refusals[0]
    assert "/etc/it-drill.key: user postgres cannot read it" in refused.text
    plain = recoverability((copy_of({1: range(1, 11)}),), CLUSTER)
    assert plan_recovery(RecoveryWish(LATEST, INTO), plain, fault).identity == "", "nothing is encrypted"


def test_another_tools_backup_is_left_to_it() -> None:
    theirs = replace(NEW, writer=Writer.BARMAN)
    assert "Barman made" in planned(LATEST, copy_of({1: range(1, 11)}, theirs)).refusals[0].text


THEIRS = replace(NEW, writer=Writer.PGBACKREST, id="20261128-020000F", place="backup/main/")


def test_pgbackrests_is_restored_by_itself_where_it_is_installed() -> None:
    copies = copy_of({1: range(1, 11)}, THEIRS)
    command = "env PGBACKREST_REPO1_S3_BUCKET=wal /opt/bin/pgbackrest --config /srv/it.conf --stanza=old"
    command += " archive-push %p"
    there = replace(HOST, called=own_restore(command), has_pgbackrest=True, tablespaces=2)
    plan = planned(LATEST, copies, host=there, place=IN_PLACE)
    call = "env PGBACKREST_REPO1_S3_BUCKET=wal /opt/bin/pgbackrest --config=/srv/it.conf --stanza=main"
    assert (plan.possible, plan.pgbackrest, plan.warnings) == (True, tuple(call.split()), ())
    blank = own_restore("pgbackrest '--repo1-path=/my repo' --stanza=main archive-push %p")
    odd = replace(there, called=blank)
    refused = planned(LATEST, copies, host=odd, place=IN_PLACE).refusals[0]
    folder = "/var/lib/postgresql/15"
    made = f"own commands: mkdir -p {folder} && mkdir -m 700 {folder}/main.restored"
    assert f"{made} && pgbackrest '--repo1-path=/my repo' --stanza=main --set=" in refused.remedy
    assert "--promote writes into it (pg1-path" in planned(LATEST, copies, host=there).warnings[0].text


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (LATEST, "--target-timeline=1 "),
        (at(0.2), "--type=time --target-action=pause '--target=2026-11-29 02:49:30.000000+00' "),
        (
            lsn(9),
            f"--type=lsn --target-action=pause --target={format_lsn(9 * SIZE + 1000)} --target-exclusive ",
        ),
        (read_target(RecoverTo.IMMEDIATE), "--type=immediate --target-action=pause "),
    ],
)
def test_where_it_is_not_its_exact_command_is_told(target: RecoveryTarget, words: str) -> None:
    told = planned(target, copy_of({1: range(1, 11)}, THEIRS, times=TIMES), place=FOLDER).refusals[0].remedy
    assert told.startswith(
        "as the cluster's owner (another's files no server starts upon), restore it with pgBackRest's own "
        "commands: mkdir -p /srv/pg && mkdir -m 700 /srv/pg/restored && "
        "pgbackrest --stanza=main --set=20261128-020000F "
        "--pg1-path=/srv/pg/restored --tablespace-map-all=/srv/pg/restored.tablespaces --archive-mode=off "
    )
    assert words in told
    assert told.endswith(" restore")
    assert all(f" {each} " in told for each in ("--no-link-all", "--no-delta", "--reset-tablespace-map"))


def test_barmans_exact_commands_are_told() -> None:
    theirs = replace(NEW, writer=Writer.BARMAN, id="20261128T020000", place="it/main/base/")
    archive = replace(default_bucket(PRIMARY, "shop", "fra1"), prefix="pg/")
    host = replace(HOST, archive=archive)
    told = planned(lsn(9), copy_of({1: range(1, 11)}, theirs), place=FOLDER, host=host).refusals[0].remedy
    where = f"--cloud-provider aws-s3 --endpoint-url {archive.endpoint} s3://{archive.bucket}/pg/it main"
    *made, first, settings, last = told.partition("own commands: ")[2].split(" && ")
    assert made == ["mkdir -p /srv/pg", "mkdir -m 700 /srv/pg/restored"]
    assert first == f"barman-cloud-restore {where} 20261128T020000 /srv/pg/restored"
    assert last == "touch /srv/pg/restored/recovery.signal"
    words = shlex.split(settings.partition(" >>")[0])
    assert words[:2] == ["printf", r"%s\n"]
    assert words[2] == f"restore_command = 'barman-cloud-wal-restore {where} %f \"%p\"'"
    assert words[3:] == [
        *replace(lsn(9), timeline=1).lines(),
        "recovery_target_action = 'pause'",
        "archive_mode = 'off'",
    ]
    assert settings.endswith(" >>/srv/pg/restored/postgresql.auto.conf")
    command = "envdir /etc/b.d /opt/barman-cloud-wal-archive -P pg s3://b/x main %p"
    called = replace(host, called=own_restore(command))
    told = planned(lsn(9), copy_of({1: range(1, 11)}, theirs), place=FOLDER, host=called).refusals[0].remedy
    assert "envdir /etc/b.d /opt/barman-cloud-restore -P pg s3://b/x main 20261128T020000 /srv" in told
    assert "envdir /etc/b.d /opt/barman-cloud-wal-restore -P pg s3://b/x main %f" in told
    there = replace(host, data="", elsewhere="root@spare")
    told = planned(LATEST, copy_of({1: range(1, 11)}, theirs), place=FOLDER, host=there).refusals[0].remedy
    assert "on root@spare, once it is configured there as on production's host: mkdir -p /srv/pg && " in told


def test_the_configuration_is_named_where_pgbackrest_would_not_look_by_itself() -> None:
    def found(source: str) -> FoundCopy:
        return FoundCopy("pgBackRest", "s3://it", rows=(("bucket", "it", source, "stated"),))

    def whence(*copies: FoundCopy, command: str = "") -> tuple[str, ...]:
        return called_by(command, copies).whence

    assert whence(found("/srv/it.conf line 4")) == ("--config=/srv/it.conf",)
    assert whence(found("/etc/pgbackrest/pgbackrest.conf line 4"), found("the command")) == ()
    assert whence(replace(found("/srv/it.conf line 4"), tool="rclone")) == ()
    assert whence(found("/srv/$(it).conf line 4")) == ()
    named = "pgbackrest --config-path=/srv/other --stanza=main archive-push %p"
    here = found("/srv/it.conf line 4")
    assert whence(here, command=named) == ("--config-path=/srv/other", "--stanza=main")
    inherited = "env PGBACKREST_CONFIG=/srv/its.conf pgbackrest --stanza=main archive-push %p"
    assert whence(here, command=inherited) == ("--stanza=main",)
    plain = "pgbackrest --stanza=main archive-push %p"
    assert whence(here, command=plain) == ("--config=/srv/it.conf", "--stanza=main")
    assert whence(command="wal-g --config=/srv/other.conf wal-push %p") == ()


def test_where_a_configuration_of_pgbackrests_finds_the_cluster() -> None:
    assert own_places("--config=/srv/it.conf --stanza=main") == (("/srv/it.conf",), "main")
    by_path = "env PGBACKREST_CONFIG_PATH=/srv/ pgbackrest --stanza=main"
    assert own_places(by_path) == (("/srv/pgbackrest.conf",), "main")
    usual, stanza = own_places("--stanza=main")
    assert (usual[0], stanza) == ("/etc/pgbackrest/pgbackrest.conf", "main")
    told = "pg1-path = /srv/old\n  pg1-port=5433\nrepo1-path=/x\npg1-path=/srv/new/ \n"
    assert read_place(told) == ClusterPlace("/srv/new/", 5433)
    assert read_place("pg1-port=many\n") == ClusterPlace("")
    new = ClusterPlace("/srv/new", 5433, "/run")
    assert new.lines == ("pg1-path=/srv/new", "pg1-port=5433", "pg1-socket-path=/run")
    assert read_place(told).serves(new)
    assert not read_place(told).serves(replace(new, port=None)), "which is 5432"
    assert ClusterPlace("/srv/new").serves(ClusterPlace("/srv/new", 5432, "/run"))


def test_without_any_copy_nothing_is_planned() -> None:
    plan = plan_recovery(RecoveryWish(LATEST, INTO), None, HOST)
    assert [each.text for each in plan.refusals] == ["no copy of the archive could be read"]


# -- What to know, and what is told.


@pytest.mark.parametrize(
    ("target", "copies", "host", "note"),
    [
        (at(-1.0), BOTH, HOST, "comes from the old server's last WAL"),
        (read_target(RecoverTo.XID, "742"), BOTH, HOST, "stands in the WAL is not known"),
        (LATEST, BOTH, replace(HOST, running=False), "the old server does not run"),
        (LATEST, (BRANCH,), HOST, "timeline 2 beside 1, on which 'latest' would end"),
    ],
)
def test_what_is_told_and_does_not_stop_it(
    target: RecoveryTarget, copies: tuple[ArchiveCopy, ...], host: RecoveryHost, note: str
) -> None:
    plan = planned(target, *copies, host=host)
    assert plan.possible
    assert note in " ".join(each.text for each in plan.warnings)


def test_what_the_old_server_did_not_archive_takes_room_where_it_is_copied() -> None:
    """Its pg_wal may have a disk of its own, on which it piled up."""
    piled = replace(HOST, unarchived=2_000)
    runs = planned(LATEST, host=piled)
    stopped, in_place = (
        planned(LATEST, host=replace(piled, running=False)),
        planned(LATEST, host=piled, place=IN_PLACE),
    )
    none = planned(LATEST).room
    assert none is not None
    assert runs.room == none, "of a server that goes on nothing is copied"
    for each in (stopped, in_place):
        assert each.room is not None
        assert each.room.needed_mib - none.needed_mib == 2_000 * SIZE // MIB
    short = planned(LATEST, host=replace(piled, running=False, free_mib=20_000)).refusals
    assert "no room: /var/lib/postgresql/15 has 19.5 GiB free" in short[0].text


def test_a_max_wal_size_for_a_disk_of_its_own_is_told() -> None:
    large = replace(HOST, max_wal_bytes=200 << 30, free_mib=50_000)
    (told,) = (each for each in planned(LATEST, host=large).warnings if "max_wal_size" in each.text)
    assert told.text.startswith("once it runs, pg_wal may grow to 200 GiB (max_wal_size), and beside ")
    for host in (HOST, replace(large, free_mib=500_000), replace(large, elsewhere="root@spare")):
        assert not [each for each in planned(LATEST, host=host).warnings if "max_wal_size" in each.text]


def test_what_is_lost_after_it() -> None:
    assert planned(lsn(9, 0)).loss == PlannedLoss(None, 2 * SIZE)
    loss = planned(at(0.5)).loss
    assert loss.seconds == pytest.approx(DAY_S * 0.3, abs=2)
    assert planned(LATEST).loss == PlannedLoss(0.0, 0)
    assert planned(read_target(RecoverTo.IMMEDIATE)).loss == PlannedLoss(None, 4 * SIZE - 312)


def test_the_lines_of_a_plan() -> None:
    told = dict(plan_lines(planned(lsn(9))))
    assert told["target"] == f"lsn {format_lsn(9 * SIZE + 1000)}, exclusive, timeline 1"
    assert told["where"] == "into the new cluster 15/restored"
    assert told["base backup"] == f"{NEW.id}, 0.98 KiB stored, from the primary"
    assert told["takes"] == "not known: no restore drill was made yet"
    assert told["room"].startswith("48.8 GiB free")
    assert "loses" not in dict(plan_lines(planned(LATEST)))


# -- Where it stands, by the file on the droplet.

KEPT = f"""\
format=1
id=20261128T140200Z
phase=paused
backup={backup_id(1.0)}
copy=dr
timeline=2
work=/var/lib/postgresql/15/restored.recovery-20261128T140200Z
old=/var/lib/postgresql/15/main
into=15/restored
to=lsn
value=0/203A4D0
inclusive=off
lsn=0/203A4A0
reached=2026-11-28T14:01:59Z
kept=3
stopped_old=
data=/var/lib/postgresql/15/restored.recovery-20261128T140200Z/data
socket=/var/lib/shop-recover
"""


def test_where_it_stands() -> None:
    state = read_recovery(KEPT)
    assert state is not None
    assert (state.phase, state.copy, state.kept, state.stopped_old) == (RecoveryPhase.PAUSED, DR, 3, False)
    assert state.target == read_target(RecoverTo.LSN, "0/203A4D0", inclusive=False, timeline=2)
    assert state.place == INTO
    assert state.is_open
    assert not state.readable
    assert "its server does not run" in state.words[0]
    assert replace(state, lives=True).readable
    words = "--config=/srv/it.conf --stanza=main"
    theirs = read_recovery(
        KEPT.replace(backup_id(1.0), THEIRS.id).replace("kept=3", f"kept=3\npgbackrest={words}")
    )
    assert theirs is not None
    assert (theirs.backup, theirs.pgbackrest) == (THEIRS.id, f"pgbackrest {words}")
    hostile = read_recovery(KEPT.replace("kept=3", "kept=3\npgbackrest=--stanza=$(reboot)"))
    assert hostile is not None
    assert hostile.pgbackrest == ""
    bare = read_recovery(KEPT.replace("into=15/restored", "into=/srv/pg/restored"))
    assert bare is not None
    assert bare.place == FOLDER
    begun = read_recovery(
        KEPT.replace("to=lsn", "to=").replace("kept=3", "kept=").replace("into=15/restored", "into=")
    )
    assert begun is not None
    assert (begun.target, begun.kept, begun.place) == (None, None, IN_PLACE)


@pytest.mark.parametrize(
    ("was", "is_"),
    [
        ("format=1", "format=2"),
        ("id=20261128T140200Z", "id=../../etc"),
        ("phase=paused", "phase=flying"),
        ("copy=dr", "copy=third"),
        ("value=0/203A4D0", "value=everything"),
        ("into=15/restored", "into=a/b/c"),
        ("into=15/restored", "into=/srv/../etc"),
        ("old=/var", "old=var"),
    ],
)
def test_what_no_script_writes_is_no_recovery(was: str, is_: str) -> None:
    assert was in KEPT
    assert read_recovery(KEPT.replace(was, is_)) is None


def test_no_recovery_at_all() -> None:
    assert read_recovery("") is None
    assert RecoveryState().words[0] == "no recovery was begun"
    assert not RecoveryState().is_open
