"""Each rule fires on its failure and on nothing else; the verdict says the worst first."""

from dataclasses import replace
from typing import Any

import pytest

from tests.data.archiver_log import log_of, stamp
from tests.data.facts import (
    CLUSTER,
    NOW,
    SEGMENT,
    archiver,
    backup,
    broken,
    bucket,
    healthy,
    holding,
    host,
    read,
    server,
    setting,
    settings,
    wal_disk,
)
from walconsole.domain.archive.continuity import Continuity
from walconsole.domain.archive.gaps import Gap
from walconsole.domain.archive.page_header import PageHeader, SegmentIdentity
from walconsole.domain.facts.host import VerifierSchedule
from walconsole.domain.facts.observed import ConfigFile, ConfigFiles, FileRole, RepeatedSegment, SettingsFacts
from walconsole.domain.facts.snapshot import SLOTS, AnySlot, Need, Problem, Snapshot, failed, fold
from walconsole.domain.failures import Level, Severity, diagnose
from walconsole.domain.profile import BucketRole, ClusterName

DEAD = ConfigFiles(
    (
        ConfigFile(
            "/data/pgdata/postgresql.conf",
            FileRole.NEVER_READ,
            "the postmaster runs with -c config_file=/etc/postgresql/15/main/postgresql.conf",
            (("archive_mode", "on", 12), ("archive_command", "/usr/local/bin/x %p", 13)),
        ),
    )
)
OFF = settings(archive_mode="off", archive_command="(disabled)")
FAILING = archiver(
    failed_count=7,
    last_failed_wal="000000010000000000000042",
    last_failed_at=NOW - 3,
    last_archived_at=NOW - 185,
    ready_count=4,
    lsn=0x46 * SEGMENT,
)
RUNS = VerifierSchedule.RUNS
GAP = Gap(1, "00000001000000000000001F", "000000010000000000000021", 3)
DOWN = host(cluster=CLUSTER.__class__(None, 5432, "/run", "/data", None, running=False, owner="postgres"))


SYSTEM = str(server().system_identifier)


def _refused(code: str, slot: AnySlot = Snapshot.primary) -> Any:
    return broken(slot, f"listing shithub-wal: {code}", code)


def identity(system_identifier: str | None) -> SegmentIdentity:
    """The newest segment's; None: it could not be read."""
    name = "000000010000000000000041"
    if system_identifier is None:
        return SegmentIdentity(name, name, NOW, problem="it is encrypted")
    header = PageHeader(0xD110, 15, 1, 0x41 * SEGMENT, system_identifier, SEGMENT, 8192)
    return SegmentIdentity(name, name, NOW, header)


def _of_version(version_num: int, version: str) -> dict[str, Any]:
    held = bucket(backups=(backup(server_version_num=version_num),))
    return {
        "server": server(version_num=version_num, version=version),
        "primary": held,
        "dr": replace(held, role=BucketRole.DR),
    }


CASES: list[tuple[str, dict[str, Any], set[str]]] = [
    ("healthy", {}, set()),
    ("off", {"settings": OFF}, {"archive-off"}),
    (
        "incident",
        {
            "settings": OFF,
            "files": DEAD,
            "primary": _refused("NoSuchBucket"),
            "dr": _refused("NoSuchBucket", Snapshot.dr),
        },
        {"archive-off", "dead-config", "bucket-404"},
    ),
    ("failing", {"archiver": FAILING}, {"failing"}),
    ("403", {"archiver": FAILING, "primary": _refused("AccessDenied")}, {"failing", "key-403"}),
    (
        "slow",
        {
            "archiver": archiver(ready_count=12, last_archived_at=NOW - 2),
            "wal_disk": wal_disk(ready_count=12, oldest_ready_at=NOW - 70),
        },
        {"too-slow"},
    ),
    ("idle", {"archiver": archiver(last_archived_at=NOW - 90000)}, set()),
    (
        "red for ever",
        {"archiver": archiver(failed_count=900, last_failed_wal="x", last_failed_at=NOW - 9000)},
        set(),
    ),
    (
        "stalled",
        {
            "archiver": archiver(ready_count=2, last_archived_at=NOW - 500),
            "wal_disk": wal_disk(oldest_ready_at=NOW - 499),
        },
        {"stalled"},
    ),
    ("no command", {"settings": settings(archive_command="")}, {"command-empty"}),
    ("both", {"settings": settings(archive_library="basic_archive")}, {"library-and-command"}),
    (
        "pending",
        {
            "settings": SettingsFacts(
                (*settings().settings, setting("wal_level", "replica", pending_restart=True))
            )
        },
        {"pending-restart"},
    ),
    ("no timeout", {"settings": settings(archive_timeout="0")}, {"no-archive-timeout"}),
    (
        "silent loss",
        {"primary": bucket(newest_segment="00000001000000000000003E"), "dr": bucket(BucketRole.DR)},
        {"silent-loss"},
    ),
    ("gap", {"primary": bucket(gaps=(GAP,))}, {"gap"}),
    ("gap while the sweep runs", {"primary": bucket(gaps=(GAP,), complete=False)}, set()),
    ("dr behind", {"dr": bucket(BucketRole.DR, holding=holding(last=40))}, {"dr-behind"}),
    ("dr a few behind", {"dr": bucket(BucketRole.DR, holding=holding(last=0x3C))}, set()),
    ("dr just behind", {"dr": bucket(BucketRole.DR, holding=holding(last=0x30))}, set()),
    (
        "another cluster's",
        {"primary": bucket(identities=(identity("7412345678901234568"),))},
        {"foreign-writer"},
    ),
    ("its own", {"primary": bucket(identities=(identity(SYSTEM),))}, set()),
    (
        "cut short in the midst",
        {
            "primary": bucket(
                sampled=(
                    replace(
                        identity(SYSTEM), problem="its beginning is whole, and then: it is cut off: the end"
                    ),
                )
            )
        },
        {"damaged-object"},
    ),
    ("whole in the midst", {"primary": bucket(sampled=(identity(SYSTEM),))}, set()),
    ("not readable", {"primary": bucket(identities=(identity(None),))}, set()),
    (
        "ahead of the server",
        {"primary": bucket(newest_segment="000000010000000000000043")},
        {"foreign-writer"},
    ),
    ("the current one", {"primary": bucket(newest_segment="000000010000000000000042")}, set()),
    (
        "just promoted",
        {
            "server": server(timeline=2),
            "archiver": archiver(
                last_archived_wal="000000010000000000000042.partial",
                current_wal="000000020000000000000042",
            ),
        },
        set(),
    ),
    (
        "no history",
        {"primary": bucket(continuity=Continuity(1, missing_histories=(2,), unreachable=(3,)))},
        {"history-missing"},
    ),
    (
        "stored twice, differently",
        {"primary": bucket(repeats=(RepeatedSegment("000000010000000000000040", ("a", "b"), False),))},
        {"same-name-different-content"},
    ),
    (
        "stored twice",
        {"primary": bucket(repeats=(RepeatedSegment("000000010000000000000040", ("a", "b"), True),))},
        set(),
    ),
    ("skew", {"host": host(clock=NOW + 1200)}, {"clock-skew"}),
    (
        "the console's own clock is off",
        {
            "host": host(clock=NOW + 1200),
            "primary": bucket(store_clock_offset_s=1200.0),
            "dr": bucket(BucketRole.DR, store_clock_offset_s=1200.0),
        },
        set(),
    ),
    ("disk", {"wal_disk": wal_disk(free_bytes=1 << 30)}, {"disk-filling"}),
    ("ssh", {"link": broken(Snapshot.link, "connection lost", "SshLost")}, {"ssh-lost"}),
    ("down", {"archiver": broken(Snapshot.archiver, "no socket", "NoSocket")}, {"postgres-unreachable"}),
    ("sudo", {"host": broken(Snapshot.host, "sudo wants a password", "Sudo")}, {"host-unreadable"}),
    (
        "the verifier's heart stopped",
        {"host": host(verifier=RUNS, heartbeat_at=NOW - 7201)},
        {"verifier-silent"},
    ),
    ("it beats", {"host": host(verifier=RUNS, heartbeat_at=NOW - 7199)}, set()),
    ("no heartbeat since the boot", {"host": host(verifier=RUNS, heartbeat_at=None)}, set()),
    ("an old heartbeat of no verifier", {"host": host(heartbeat_at=NOW - 90000)}, set()),
    ("nothing runs it", {"host": host(verifier=VerifierSchedule.MISSING)}, {"verifier-silent"}),
    ("its timer is off", {"host": host(verifier=VerifierSchedule.STOPPED)}, {"verifier-silent"}),
    (
        "it rightly calls nothing clean",
        {"archiver": FAILING, "host": host(verifier=RUNS, heartbeat_at=NOW - 90000)},
        {"failing"},
    ),
    ("privileges", {"server": server(missing=("pg_ls_waldir: permission denied",))}, {"privileges"}),
    ("newer", _of_version(190000, "19beta1"), {"newer-version"}),
    ("a newer minor", _of_version(180099, "18.99"), set()),
    ("no key", {"primary": _refused("NoKey")}, {"no-key"}),
    ("unreachable", {"dr": _refused("Unreachable", Snapshot.dr)}, {"endpoint-wrong"}),
    ("slowed down", {"primary": _refused("SlowDown")}, {"throttled"}),
    ("the store's fault", {"primary": _refused("InternalError")}, {"store-error"}),
    ("a cap", {"primary": _refused("QuotaExceeded")}, {"store-error"}),
    ("expired", {"primary": _refused("ExpiredToken")}, {"key-403"}),
    ("another region", {"primary": _refused("PermanentRedirect")}, {"endpoint-wrong"}),
    ("a code that nobody knows", {"primary": _refused("XVendorSurprise")}, {"store-error"}),
]


@pytest.mark.parametrize(("facts", "rules"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_rules(facts: dict[str, Any], rules: set[str]) -> None:
    findings = diagnose(healthy(**facts), NOW).findings
    assert {finding.rule for finding in findings} == rules
    assert [finding.severity for finding in findings] == sorted(
        (finding.severity for finding in findings), reverse=True
    )
    for finding in findings:
        assert finding.title
        assert finding.remedy
        assert all(finding.evidence)


@pytest.mark.parametrize(
    ("beat", "severity"),
    [(NOW - 60, Severity.NOTE), (NOW - 7201, Severity.WARNING), (None, Severity.WARNING)],
)
def test_a_verifier_that_beats_without_a_schedule_is_a_note(beat: float | None, severity: Severity) -> None:
    stopped = host(verifier=VerifierSchedule.STOPPED, heartbeat_at=beat)
    (finding,) = diagnose(healthy(host=stopped), NOW).findings
    assert (finding.rule, finding.severity) == ("verifier-silent", severity)


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        ({}, "the archiver process runs"),
        ({"archiver_pid": None}, "no archiver process runs (pg_stat_activity)"),
        (
            {"archiver_pid": None, "archiver_visible": False},
            "whether the archiver process runs cannot be seen in pg_stat_activity",
        ),
    ],
)
def test_an_archiver_that_cannot_be_seen_is_not_said_to_be_gone(seen: dict[str, Any], said: str) -> None:
    """PostgreSQL 13 lists it for nobody, later ones not for every role."""
    still = archiver(ready_count=2, last_archived_at=NOW - 500, **seen)
    (finding,) = diagnose(healthy(archiver=still, wal_disk=wal_disk(oldest_ready_at=NOW - 499)), NOW).findings
    assert (finding.rule, finding.evidence[-1]) == ("stalled", said)


VERDICTS: list[tuple[dict[str, Any], Level, str]] = [
    ({}, Level.OK, "restorable to any moment since 13:30Z, 41 s behind"),
    (
        {"archiver": archiver(last_archived_at=NOW - 90000)},
        Level.OK,
        "restorable to any moment since 13:30Z; idle, nothing is behind",
    ),
    (
        {"settings": OFF, "primary": _refused("NoSuchBucket")},
        Level.CRITICAL,
        "archiving is OFF: nothing written since the server began would survive a lost disk",
    ),
    (
        {"settings": OFF},
        Level.CRITICAL,
        "archiving is OFF: nothing written after 000000010000000000000041 (40 s ago) "
        "would survive a lost disk",
    ),
    (
        {"archiver": FAILING},
        Level.CRITICAL,
        "archiving FAILS, last success 3 min 05 s ago: 4 segments wait, 64.0 MiB or 3 min 05 s of writes "
        "would be lost with the disk",
    ),
    (
        {"primary": bucket(gaps=(GAP,))},
        Level.CRITICAL,
        "the archive has a HOLE of 3 segments in 1 gap (DR holds all), the newest "
        "00000001000000000000001F to 000000010000000000000021; unbroken only back to "
        "000000010000000000000001 (44 min 24 s ago)",
    ),
    (
        {"server": server(in_recovery=True)},
        Level.UNKNOWN,
        "this is a standby: its primary archives; look there",
    ),
    (
        {"primary": bucket(complete=False)},
        Level.UNKNOWN,
        "archiving works: 41 s behind by PostgreSQL's own count; the bucket is being read",
    ),
    (
        {"primary": _refused("AccessDenied")},
        Level.WARNING,
        "archiving works: 41 s behind by PostgreSQL's own count; the bucket could not be read: "
        "listing shithub-wal: AccessDenied",
    ),
]


@pytest.mark.parametrize(("facts", "level", "text"), VERDICTS)
def test_verdicts(facts: dict[str, Any], level: Level, text: str) -> None:
    verdict = diagnose(healthy(**facts), NOW).verdict
    assert (verdict.level, verdict.text) == (level, text)


def test_a_key_that_both_buckets_lack_is_one_finding() -> None:
    lacking = {"primary": _refused("NoKey"), "dr": _refused("NoKey", Snapshot.dr)}
    problem = lacking["primary"].problem
    both = {name: replace(reading, problem=problem) for name, reading in lacking.items()}
    (finding,) = diagnose(healthy(**both), NOW).findings
    assert finding.title == "neither bucket was asked: there is no key to ask with"
    apart = replace(lacking["dr"], problem=Problem("another reason", "", "NoKey"))
    assert len(diagnose(healthy(**both | {"dr": apart}), NOW).findings) == 2


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        ({}, "the archiver process runs"),
        ({"archiver_pid": None}, "no archiver process runs (pg_stat_activity)"),
        (
            {"archiver_pid": None, "archiver_visible": False},
            "whether the archiver process runs cannot be seen in pg_stat_activity",
        ),
    ],
)
def test_an_archiver_that_may_not_be_seen_is_not_called_gone(seen: dict[str, Any], said: str) -> None:
    waits = archiver(ready_count=2, last_archived_at=NOW - 500, **seen)
    found = diagnose(healthy(archiver=waits, wal_disk=wal_disk(oldest_ready_at=NOW - 499)), NOW).findings
    assert said in found[0].evidence


def test_a_server_that_is_down_is_told_from_one_that_cannot_be_asked() -> None:
    refused = broken(Snapshot.archiver, "no socket", "NoSocket", at=NOW - 12)
    down = diagnose(healthy(archiver=refused, host=DOWN), NOW).verdict
    assert (down.level, down.text) == (
        Level.CRITICAL,
        "PostgreSQL is DOWN for 12 s: nothing is written and nothing is archived",
    )
    unknown = diagnose(healthy(archiver=refused), NOW).verdict
    assert (unknown.level, unknown.text[:40]) == (Level.UNKNOWN, "cannot tell: PostgreSQL does not answer ")


READY = "LOG:  database system is ready to accept connections"


@pytest.mark.parametrize(
    ("lines", "rule", "title"),
    [
        (
            (READY, 'PANIC:  could not create file "pg_wal/xlogtemp.6": No space left on device'),
            "disk-full",
            "no space or no inode left for pg_wal: PostgreSQL cannot write, and stops",
        ),
        (
            (
                READY,
                "PANIC:  could not locate a valid checkpoint record",
                "LOG:  database system is shut down",
            ),
            "postgres-unreachable",
            "PostgreSQL is down: could not locate a valid checkpoint record",
        ),
        (
            (
                READY,
                "LOG:  performing immediate shutdown because data directory lock file is invalid",
                "LOG:  received immediate shutdown request",
                "LOG:  database system is shut down",
            ),
            "postgres-unreachable",
            "PostgreSQL is down: performing immediate shutdown because data directory lock file is invalid",
        ),
        (
            (READY, "LOG:  received fast shutdown request", "LOG:  database system is shut down"),
            "postgres-unreachable",
            "PostgreSQL is down: received fast shutdown request",
        ),
        (
            ("PANIC:  could not locate a valid checkpoint record", READY),
            "postgres-unreachable",
            "PostgreSQL does not answer",
        ),
    ],
)
def test_why_a_server_is_down_its_log_says_first(lines: tuple[str, ...], rule: str, title: str) -> None:
    refused = broken(Snapshot.archiver, "nothing listens", "NoSocket", at=NOW - 12)
    snapshot = healthy(archiver=refused, host=DOWN)
    slot, log = log_of([f"{stamp(9)} [77] {line}" for line in lines])
    root = diagnose(fold(snapshot, read(slot, log), NOW), NOW).stories[0].root
    assert (root.rule, root.title) == (rule, title)


def test_a_server_that_is_down_is_told_how_to_be_started() -> None:
    refused = broken(Snapshot.archiver, "nothing listens", "NoSocket", at=NOW - 12)
    assert DOWN.cluster is not None
    named = replace(DOWN, cluster=replace(DOWN.cluster, name=ClusterName("15", "main")))
    told = diagnose(healthy(archiver=refused, host=named), NOW)
    (found,) = (each for each in told.findings if each.rule == "postgres-unreachable")
    look, start = found.fixes
    assert "pg_lsclusters" in look.commands
    assert any(" start" in command for command in start.commands)
    assert not any("restart" in command for command in start.commands)
    assert "promoted" in start.risk
    running = replace(named, cluster=replace(DOWN.cluster, running=True))
    told = diagnose(healthy(archiver=refused, host=running), NOW)
    (found,) = (each for each in told.findings if each.rule == "postgres-unreachable")
    assert found.fixes == ()


def test_beside_debians_idle_cluster_the_server_that_runs_is_told_of() -> None:
    """apt makes 15/main, which nobody may ever have started; the real one is somewhere else."""
    refused = broken(Snapshot.archiver, "no socket", "NoSocket", at=NOW - 12)
    assert DOWN.cluster is not None
    idle = replace(DOWN.cluster, name=ClusterName("15", "main"))
    other = replace(idle, name=None, port=5477, data_directory="/srv/data\x1b[2J", running=True)
    facts = replace(DOWN, cluster=idle, clusters=(idle, other))
    told = diagnose(healthy(archiver=refused, host=facts), NOW)
    assert told.verdict.level is Level.CRITICAL
    assert told.verdict.text.startswith("PostgreSQL is DOWN for 12 s: 15/main on port 5432; /srv/data")
    assert told.verdict.text.endswith("on port 5477 runs beside it")
    (found,) = (each for each in told.findings if each.rule == "postgres-unreachable")
    assert any("on port 5477 runs beside it" in line and "\x1b" not in line for line in found.evidence)
    assert "--cluster 5477" in found.remedy
    assert found.fixes == ()
    listed = replace(other, name=ClusterName("15", "second"))
    for seen in (replace(facts, chosen=True), replace(facts, clusters=(idle, listed))):
        told = diagnose(healthy(archiver=refused, host=seen), NOW)
        assert told.verdict.text.endswith("nothing is archived")


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("Sudo", "cannot tell: the droplet lets nothing be read for 12 s: why"),
        ("Shell", "cannot tell: the droplet lets nothing be read for 12 s: why"),
        ("NoCluster", "cannot tell: no PostgreSQL cluster is observed for 12 s: why"),
        ("3D000", "cannot tell: PostgreSQL refuses the console for 12 s: why"),
        ("28000", "cannot tell: PostgreSQL refuses the console for 12 s: why"),
        ("57P03", "cannot tell: PostgreSQL starts, stops or recovers, and lets nobody in for 12 s: why"),
        ("SshLost", "cannot tell: the droplet cannot be reached for 12 s: why"),
    ],
)
def test_what_keeps_the_archiver_from_being_read_is_said_once_and_briefly(code: str, text: str) -> None:
    problem = Problem("what was tried: why", "what to do", code, brief="why")
    snapshot = Snapshot("shithub", NOW - 60, NOW)
    database: tuple[AnySlot, ...] = (Snapshot.server, Snapshot.archiver, Snapshot.settings)
    host: tuple[AnySlot, ...] = (Snapshot.link, Snapshot.host, Snapshot.wal_disk, Snapshot.files)
    host = (*host, Snapshot.primary, Snapshot.dr)  # the keys lie there
    behind = {"NoCluster": (Snapshot.wal_disk,), "Sudo": host, "Shell": host, "SshLost": host}
    for slot in (*database, *behind.get(code, ())):
        reading = failed(slot.of(snapshot), problem, NOW - 12, "test", 1.0)
        snapshot = fold(snapshot, reading, NOW)
    diagnosis = diagnose(snapshot, NOW)
    assert diagnosis.verdict.text == text
    (finding,) = diagnosis.findings
    assert (finding.severity, finding.remedy) == (Severity.CRITICAL, "what to do")


def test_what_would_be_lost_does_not_grow_while_nothing_is_written_or_nobody_sees_it() -> None:
    failing = healthy(archiver=FAILING)

    def lost(snapshot: Snapshot) -> str:
        return next(line for story in diagnose(snapshot, NOW + 60).stories for line in story.at_risk)

    assert lost(failing).endswith(", and it grows")
    silent = failed(failing.archiver, Problem("no answer within 10 s"), NOW + 50, "test", 1.0)
    unseen = fold(failing, silent, NOW + 60)
    assert lost(unseen).endswith(" as last seen 1 min 00 s ago")
    down = fold(unseen, read(Snapshot.host, DOWN), NOW + 60)
    assert lost(down).endswith("; the server is down, and writes nothing more")


def test_a_lost_connection_is_one_finding_and_keeps_what_was_last_seen() -> None:
    snapshot = healthy()
    over_ssh = [slot for slot in SLOTS if slot.through_ssh and slot.need is Need.VERDICT]
    lost: tuple[AnySlot, ...] = (Snapshot.link, *over_ssh)
    for slot in lost:
        previous = slot.of(snapshot)
        reading = failed(previous, Problem("connection lost", "", "SshLost"), NOW + 10, "test", 1.0)
        snapshot = fold(snapshot, reading, NOW + 10)
    diagnosis = diagnose(snapshot, NOW + 22)
    assert [finding.rule for finding in diagnosis.findings] == ["ssh-lost"]
    assert diagnosis.verdict.level is Level.UNKNOWN
    assert "for 12 s" in diagnosis.verdict.text
    assert "last seen 22 s ago: working" in diagnosis.verdict.text


def test_before_anything_was_read_nothing_is_claimed() -> None:
    diagnosis = diagnose(Snapshot("x", NOW, NOW), NOW)
    assert diagnosis.findings == ()
    assert diagnosis.verdict.level is Level.UNKNOWN


def test_archiving_that_is_switched_off_outranks_the_dead_file_that_was_meant_to_switch_it_on() -> None:
    findings = diagnose(healthy(settings=OFF, files=DEAD), NOW).findings
    assert [finding.rule for finding in findings] == ["archive-off", "dead-config"]
    assert findings[0].severity is Severity.CRITICAL
    assert any(
        "/data/pgdata/postgresql.conf:12 says archive_mode = on" in line for line in findings[0].evidence
    )


def test_a_slot_alone_never_raises() -> None:
    """Whatever was read first, every rule and the verdict can look at it."""
    whole = healthy()
    for slot in SLOTS:
        alone = fold(Snapshot("x", NOW, NOW), slot.of(whole), NOW)
        assert diagnose(alone, NOW).verdict.text
        without = fold(whole, read(slot, slot.of(whole).value), NOW)
        assert diagnose(fold(without, broken(slot, "gone", "Timeout"), NOW), NOW).verdict.text
