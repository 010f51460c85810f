"""The rules on evidence: whatever it says, no rule raises; and what each kind of it leads to."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.data.facts import NOW, archiver, bucket, healthy, read, server, setting, settings, wal_disk
from tests.data.snapshots import STATES
from walconsole.domain.facts.base_backups import BackupScript, BackupSession, BackupSessions
from walconsole.domain.facts.evidence import (
    ChildProcess,
    CommandFacts,
    ComparedFacts,
    ConfigAccess,
    LifecycleRule,
    LogEntry,
    LogFacts,
    LogKind,
    PolicyFacts,
    ProductionCheck,
    ProductionFacts,
    ProgramFacts,
    ReplicationSlot,
    RetentionFacts,
    RuleAction,
    VerbResult,
    WatcherFacts,
)
from walconsole.domain.facts.observed import SettingsFacts
from walconsole.domain.facts.snapshot import AnySlot, Snapshot, fold
from walconsole.domain.failures import Diagnosis, diagnose
from walconsole.domain.recovery.running import ARCHIVING, SENDING, BackupRunStatus
from walconsole.domain.standing.model import Finding, Severity

TEXT = st.text(max_size=40) | st.sampled_from(
    ["AccessDenied", "403 Forbidden", "SlowDown", "permission denied", "chunk-signature=0", "spaces-prod:wal"]
)
TIME = st.none() | st.floats(NOW - 1e6, NOW + 1e6)
NUMBER = st.none() | st.integers(0, 1 << 50)
ENTRY = st.builds(
    LogEntry, TEXT, st.sampled_from(LogKind), at=TIME, exit_code=st.none() | st.integers(0, 300),
    signal=st.none() | st.integers(1, 64),
)  # fmt: skip
LOG = st.builds(
    LogFacts,
    TEXT,
    st.lists(ENTRY, max_size=8).map(tuple),
    missing=st.lists(TEXT, max_size=1).map(tuple),
)
PROGRAM = st.builds(ProgramFacts, TEXT, st.none() | TEXT, executable=st.none() | st.booleans(), why_not=TEXT)
CONFIG = st.builds(
    ConfigAccess, TEXT, st.booleans(), st.booleans(), why_not=TEXT,
    sections=st.lists(TEXT, max_size=3).map(tuple), remotes=st.lists(TEXT, max_size=3).map(tuple),
)  # fmt: skip
CHILD = st.builds(ChildProcess, st.integers(1, 1 << 22), st.floats(NOW - 1e5, NOW), TEXT)
COMMAND = st.builds(
    CommandFacts, TEXT, script=TEXT,
    programs=st.lists(PROGRAM, max_size=2).map(tuple), configs=st.lists(CONFIG, max_size=2).map(tuple),
    children=st.lists(CHILD, max_size=3).map(tuple), orphans=st.lists(TEXT, max_size=2).map(tuple),
)  # fmt: skip
RESULT = st.builds(VerbResult, st.just("LIST"), st.booleans(), TEXT, TEXT)
CHECK = st.builds(ProductionCheck, TEXT, TEXT, st.lists(RESULT, max_size=2).map(tuple), TEXT)
PRODUCTION = st.builds(ProductionFacts, st.lists(CHECK, max_size=2).map(tuple))
SLOT = st.builds(
    ReplicationSlot, TEXT, TEXT, st.booleans(), st.sampled_from(["", "reserved", "extended", "lost"]), NUMBER,
    inactive_since=TIME,
)  # fmt: skip
RETENTION = st.builds(
    RetentionFacts, st.lists(SLOT, max_size=3).map(tuple), NUMBER, summarizer_behind_bytes=NUMBER
)
RULE = st.builds(
    LifecycleRule,
    TEXT,
    st.sampled_from(RuleAction),
    TEXT,
    st.none() | st.integers(0, 4000),
    st.none() | st.floats(0, 1e11),
)
POLICY = st.builds(PolicyFacts, st.lists(RULE, max_size=3).map(tuple))
SEGMENT = st.sampled_from(["000000010000000000000042", "x"])
COMPARED = st.builds(ComparedFacts, SEGMENT, TEXT, st.none() | st.booleans(), head=TEXT)
SESSION = st.builds(
    BackupSession, st.integers(0, 1 << 22), TEXT, st.booleans(), client=TEXT, started_at=TIME,
    phase=TEXT | st.sampled_from([SENDING, ARCHIVING]), sent_bytes=NUMBER, total_bytes=NUMBER,
)  # fmt: skip
SESSIONS = st.builds(BackupSessions, st.lists(SESSION, max_size=3).map(tuple))
SECONDS = st.integers(0, 7_258_118_400)
STATUS = st.builds(
    BackupRunStatus, TEXT, TEXT, st.integers(0, 1 << 22), SECONDS, SECONDS, NUMBER, NUMBER,
    st.none() | st.integers(0, 255), TEXT,
)  # fmt: skip
SCRIPT = st.builds(BackupScript, st.none() | STATUS, st.booleans())
EVIDENCE: dict[AnySlot, st.SearchStrategy[Any]] = {
    Snapshot.log: LOG,
    Snapshot.command: COMMAND,
    Snapshot.production: PRODUCTION,
    Snapshot.retention: RETENTION,
    Snapshot.policy: POLICY,
    Snapshot.dr_policy: POLICY,
    Snapshot.compared: COMPARED,
    Snapshot.backup_sessions: SESSIONS,
    Snapshot.backup_script: SCRIPT,
    Snapshot.watcher: st.builds(
        WatcherFacts, began_at=st.none() | SECONDS, beat_at=SECONDS, silent_s=SECONDS
    ),
}


@given(st.sampled_from(sorted(STATES)), st.data())
def test_no_evidence_makes_a_rule_raise_or_say_nothing(state: str, data: st.DataObject) -> None:
    snapshot = STATES[state]()
    for slot, strategy in EVIDENCE.items():
        if data.draw(st.booleans()):
            snapshot = fold(snapshot, read(slot, data.draw(strategy)), NOW)
    diagnosis = diagnose(snapshot, NOW)
    for finding in diagnosis.findings:
        assert finding.title
        assert finding.remedy
    told = [each for story in diagnosis.stories for each in (story.root, *story.consequences)]
    assert len(told) == len(diagnosis.findings)


FAILED = {
    "failed_count": 3,
    "last_failed_wal": "000000010000000000000042",
    "last_failed_at": NOW - 3,
    "last_archived_at": NOW - 60,
    "ready_count": 2,
}


def found(*evidence: tuple[AnySlot, Any], **facts: Any) -> Diagnosis:
    snapshot: Snapshot = healthy(**({"archiver": archiver(**FAILED)} | facts))
    for slot, value in evidence:
        snapshot = fold(snapshot, read(slot, value), NOW)
    return diagnose(snapshot, NOW)


def log(*entries: LogEntry) -> tuple[AnySlot, LogFacts]:
    return Snapshot.log, LogFacts("the log", entries)


def said(text: str) -> LogEntry:
    return LogEntry(text, LogKind.PROGRAM, at=NOW - 3)


def ended(code: int) -> LogEntry:
    return LogEntry(
        f"archive command failed with exit code {code}", LogKind.FAILED, at=NOW - 3, exit_code=code
    )


def killed(signal: int) -> LogEntry:
    return LogEntry("terminated", LogKind.KILLED, at=NOW - 3, signal=signal)


def roots(diagnosis: Diagnosis) -> list[str]:
    return [story.root.rule for story in diagnosis.stories if story.severity > 1]


CASES: list[tuple[str, list[Any], str]] = [
    ("127", [log(ended(127))], "command-not-found"),
    ("126", [log(ended(126))], "command-not-executable"),
    ("137", [log(ended(137))], "archiver-crash-loop"),
    ("200", [log(ended(200))], "archiver-crash-loop"),
    ("signal", [log(killed(9))], "archiver-crash-loop"),
    ("segfault", [log(killed(11))], "archiver-crash-loop"),
    ("denied", [log(said("cp: Permission denied"), ended(1))], "permission"),
    ("config", [log(said("didn't find section in config file"), ended(1))], "rclone-config-unreadable"),
    (
        "full",
        [log(LogEntry("No space left on device", LogKind.DISK_FULL, at=NOW - 3), ended(1))],
        "disk-full",
    ),
    ("grant", [log(said("AccessDenied"), ended(1))], "key-403"),
    ("bare", [log(said("403 Forbidden"), ended(1))], "key-403"),
    ("bucket", [log(said("NoSuchBucket"), ended(1))], "bucket-404"),
    ("clock", [log(said("RequestTimeTooSkewed"), ended(1))], "clock-skew"),
    ("slow", [log(said("SlowDown"), ended(1))], "throttled"),
    ("fault", [log(said("InternalError: try again, status code: 500"), ended(1))], "store-error"),
    ("quota", [log(said("QuotaExceeded: status code: 403"), ended(1))], "store-error"),
    ("garage", [log(said("AccessDenied: Forbidden: No such key: GK1"), ended(1))], "key-403"),
    ("expired", [log(said("ExpiredToken: The provided token has expired."), ended(1))], "key-403"),
    ("dns", [log(said("dial tcp: lookup x: no such host"), ended(1))], "endpoint-wrong"),
    ("tls", [log(said("x509: certificate has expired"), ended(1))], "endpoint-wrong"),
    (
        "preflight",
        [
            (Snapshot.command, CommandFacts("rclone copyto %p r:b/%f")),
            log(said("operation error S3: CreateBucket, AccessDenied"), ended(1)),
        ],
        "preflight-403",
    ),
    (
        "stuck",
        [(Snapshot.compared, ComparedFacts("000000010000000000000042", "k", True))],
        "stuck-on-existing",
    ),
    (
        "differs",
        [(Snapshot.compared, ComparedFacts("000000010000000000000042", "k", False))],
        "same-name-different-content",
    ),
    (
        "hangs",
        [(Snapshot.command, CommandFacts("x", children=(ChildProcess(7, NOW - 400, "sleep"),)))],
        "command-hangs",
    ),
]


@pytest.mark.parametrize(("evidence", "rule"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_the_cause_is_the_root_and_the_failure_its_consequence(evidence: list[Any], rule: str) -> None:
    diagnosis = found(*evidence)
    assert roots(diagnosis) == [rule]
    story = diagnosis.stories[0]
    assert "failing" in [each.rule for each in story.consequences]
    assert story.root.proof
    assert any("lost with the disk now" in line for line in story.at_risk)


@pytest.mark.parametrize("evidence", [case[1] for case in CASES[:16]], ids=[case[0] for case in CASES[:16]])
def test_what_the_log_said_before_the_last_success_is_history(evidence: list[Any]) -> None:
    diagnosis = found(
        *evidence, archiver=archiver(failed_count=3, last_failed_at=NOW - 3, last_archived_at=NOW - 1)
    )
    assert roots(diagnosis) == []


def test_the_stores_own_code_is_surer_than_a_bare_403_in_the_log() -> None:
    check = ProductionCheck(
        "r:shithub-wal", "/etc/r.conf", (VerbResult("LIST", False, "SignatureDoesNotMatch"),)
    )
    diagnosis = found(log(said("403 Forbidden"), ended(1)), (Snapshot.production, ProductionFacts((check,))))
    root = diagnosis.stories[0].root
    assert "the secret" in root.title
    assert root.certainty.name == "PROVED"
    assert any("console's own key reads the bucket" in proof.text for proof in root.proof)


def test_a_check_from_before_the_last_success_says_nothing() -> None:
    check = ProductionCheck("r:shithub-wal", "/etc/r.conf", (VerbResult("LIST", False, "AccessDenied"),))
    snapshot = healthy()
    reading = replace(read(Snapshot.production, ProductionFacts((check,))), read_at=NOW - 500)
    assert roots(diagnose(fold(snapshot, reading, NOW), NOW)) == []


def test_an_idle_slot_keeps_wal_and_an_active_one_does_not_alarm() -> None:
    gone = ReplicationSlot("gone", "physical", False, "extended", 5 << 30)
    for active, expected in ((False, ["slot-retention"]), (True, [])):
        facts = RetentionFacts((replace(gone, active=active),), max_wal_bytes=1 << 30)
        assert roots(found((Snapshot.retention, facts), archiver=archiver())) == expected
    bounded = RetentionFacts((replace(gone, safe_wal_bytes=1 << 20),), max_wal_bytes=1 << 30)
    root = found((Snapshot.retention, bounded), archiver=archiver()).stories[0].root
    assert root.proof[0].text.endswith("retained=5,368,709,120 bytes, lost after 1,048,576 bytes more")


def noted(*slots: ReplicationSlot, **more: Any) -> list[Finding]:
    facts = RetentionFacts(slots, max_wal_bytes=1 << 30, **more)
    findings = found((Snapshot.retention, facts), archiver=archiver()).findings
    return [each for each in findings if each.rule == "slot-idle"]


def test_a_slot_that_nobody_reads_is_a_note_while_it_keeps_little() -> None:
    gone = ReplicationSlot("gone", "physical", False, "reserved", 12 << 20, inactive_since=NOW - 90)
    (note,) = noted(
        gone, keep_bytes=64 << 20, summarizer_behind_bytes=1 << 20, prepared=1, prepared_since=NOW - 7200
    )
    assert note.severity is Severity.NOTE
    assert "gone is not read: it keeps 12.0 MiB so far" in note.title
    assert note.evidence == (
        "slot gone (physical, inactive for 1 min 30 s, reserved) keeps 12.0 MiB until its reader comes back, "
        "or it is dropped; nothing bounds that (max_slot_wal_keep_size)",
        "wal_keep_size keeps the newest 64.0 MiB, for as long as it is set",
        "summarize_wal keeps 1.00 MiB until they are summarized",
        "1 prepared transaction, the oldest 2 h 00 min ago, until COMMIT PREPARED or ROLLBACK PREPARED: "
        "they keep no WAL without a logical slot",
    )
    assert noted(replace(gone, inactive_since=NOW - 10)) == []  # a standby that is being restarted
    assert noted(replace(gone, active=True)) == []
    assert noted(replace(gone, wal_status="extended")) == []  # slot-retention says it


def test_a_slot_that_is_lost_or_about_to_be_is_a_note() -> None:
    slot = ReplicationSlot("s", "logical", True, "unreserved", 2 << 30, safe_wal_bytes=-5)
    (note,) = noted(slot, prepared=2)
    assert "lost with the next checkpoint" in note.title
    assert "a logical slot keeps WAL from there on" in note.evidence[-1]
    (note,) = noted(replace(slot, wal_status="lost", active=False, retained_bytes=None))
    assert note.title == "replication slot s is LOST: its reader must be made anew"
    bounded = replace(
        slot, active=False, wal_status="reserved", retained_bytes=1 << 20, safe_wal_bytes=3 << 20
    )
    (note,) = noted(bounded)
    assert "it is lost after 3.00 MiB more (max_slot_wal_keep_size)" in note.evidence[0]


def test_what_expires_before_the_next_base_backup_is_said_and_a_year_is_long_enough() -> None:
    held = bucket(histories=())
    for days, expected in ((1, ["lifecycle-eats-wal"]), (365, [])):
        policy = PolicyFacts((LifecycleRule("r", RuleAction.EXPIRE, "", days),))
        assert roots(found((Snapshot.policy, policy), archiver=archiver(), primary=held)) == expected


def test_a_standby_that_archives_too() -> None:
    always = SettingsFacts((*settings(archive_mode="always").settings, setting("x", "y")))
    diagnosis = found(archiver=archiver(), server=server(in_recovery=True), settings=always)
    assert "archive-always" in roots(diagnosis)


def test_an_orphan_that_is_tried_first_blocks_all() -> None:
    facts = CommandFacts("x", orphans=("000000010000000000000042",), orphan_count=1)
    disk = wal_disk(ready_count=2, oldest_ready="000000010000000000000042", oldest_ready_at=NOW - 60)
    diagnosis = found((Snapshot.command, facts), wal_disk=disk)
    assert roots(diagnosis) == ["orphan-ready"]


@pytest.mark.parametrize("code", ["429", "403", "503"])
def test_milliseconds_of_a_time_are_no_answer_of_the_store(code: str) -> None:
    line = f'2026-11-25 22:10:30.{code} UTC [41] LOG:  parameter "archive_mode" needs a restart'
    assert roots(found(log(LogEntry(line, LogKind.OTHER, at=NOW - 3)), archiver=archiver())) == []


@pytest.mark.parametrize(
    "line", ["failed: status code: 429", "HTTP 429", "error 429: slow", "429 Too Many Requests"]
)
def test_a_store_that_asks_to_slow_down_in_numbers(line: str) -> None:
    assert "throttled" in roots(found(log(LogEntry(line, LogKind.PROGRAM, at=NOW - 3))))


BACKEND = "2026-11-25 22:10:30 UTC [41] app@archive "


@pytest.mark.parametrize(
    "line",
    [
        "LOG:  could not receive data from client: Connection reset by peer",
        "ERROR:  permission denied for table orders",
        'FATAL:  no pg_hba.conf entry for host "10.0.0.9", user "archive": certificate required',
        "ERROR:  AccessDenied (raised by a trigger)",
    ],
)
def test_what_a_backend_says_in_a_database_named_archive_is_not_the_commands_word(line: str) -> None:
    entry = LogEntry(BACKEND + line, LogKind.OTHER, at=NOW - 3)
    assert roots(found(log(entry, ended(1)))) == ["failing"]


def test_a_failure_in_a_log_without_times_is_history_while_segments_move() -> None:
    old = replace(ended(200), at=None)
    moving = archiver(last_archived_at=NOW - 1, ready_count=1)
    fresh = wal_disk(ready_count=1, oldest_ready="000000010000000000000042", oldest_ready_at=NOW - 1)
    assert roots(found(log(old), archiver=moving, wal_disk=fresh)) == []
    stuck = replace(fresh, oldest_ready_at=NOW - 20)
    assert roots(found(log(old), archiver=moving, wal_disk=stuck)) == ["archiver-crash-loop"]


def test_the_commands_own_words_and_its_exit_code_stand_in_the_evidence() -> None:
    root = found(log(said("cp: cannot stat 'x': No such file or directory"), ended(1))).stories[0].root
    assert root.rule == "failing"
    assert any(text.startswith("cp: cannot stat") for text in root.evidence)
    assert any("exit code 1 (" in text for text in root.evidence)


@pytest.mark.parametrize(
    ("words", "code", "evidence"),
    [
        ((), 1, "exit code 1, and nothing that it printed is there"),
        ((), 124, "of timeout: the time was up"),
        (("sh: 1: Syntax error: Unterminated quoted string",), 2, "does not understand the command"),
        (("sh: 1: set: Illegal option -o pipefail",), 2, "does not understand the command"),
    ],
)
def test_how_it_ended_is_said(words: tuple[str, ...], code: int, evidence: str) -> None:
    root = found(log(*map(said, words), ended(code))).stories[0].root
    assert any(evidence in text for text in root.evidence)


def test_a_login_that_ssh_is_refused_is_no_file_and_255_no_signal() -> None:
    diagnosis = found(log(said("wal@backup1: Permission denied (publickey,password)."), ended(255)))
    assert roots(diagnosis) == ["archiver-crash-loop"]
    root = diagnosis.stories[0].root
    assert "signal" not in root.title
    assert any("publickey" in text for text in root.evidence)


def test_a_host_that_is_not_found_explains_the_crash_loop() -> None:
    diagnosis = found(
        log(said("ssh: Could not resolve hostname x: Name or service not known"), ended(255)),
    )
    assert roots(diagnosis) == ["endpoint-wrong"]


def test_a_file_system_that_is_read_only() -> None:
    root = found(log(said("cp: cannot create regular file '/x': Read-only file system"), ended(1))).stories[0]
    assert root.root.rule == "permission"
    assert "read-only" in root.root.title


def test_a_configuration_that_nothing_names_need_not_be_there() -> None:
    usual = ConfigAccess("/var/lib/postgresql/.config/rclone/rclone.conf", exists=False, readable=False)
    facts = CommandFacts(". /etc/wal.env; rclone copyto %p s:bucket/%f", configs=(usual,))
    assert roots(found((Snapshot.command, facts), archiver=archiver())) == []
    notice = said('NOTICE: Config file "/x/rclone.conf" not found - using defaults')
    refused = found((Snapshot.command, facts), log(notice, said("AccessDenied"), ended(1)))
    assert roots(refused) == ["key-403"]
    section = found((Snapshot.command, facts), log(said("didn't find section in config file"), ended(1)))
    assert roots(section) == ["rclone-config-unreadable"]


def test_a_quota_is_told_apart_from_a_full_disk_for_df_shows_room() -> None:
    full, quota = (
        LogEntry(f"cp: error writing '/mnt/wal/x': {words}", LogKind.DISK_FULL, at=NOW - 3)
        for words in ("No space left on device", "Disk quota exceeded")
    )
    commands = [
        next(each for each in found(log(line, ended(1))).findings if each.rule == "disk-full")
        for line in (full, quota)
    ]
    assert [each.fixes[0].commands[0] for each in commands] == ["df -h", "quota -v -u postgres"]
    assert "quota" in commands[1].title


def test_after_a_reset_of_the_statistics_old_failures_stay_history() -> None:
    """The last success is not known then: what the log said before it must not come alive again."""
    reset = archiver(archived_count=0, last_archived_wal=None, last_archived_at=None, stats_reset_at=NOW - 1)
    moving = replace(reset, ready_count=1)
    full = LogEntry("cp: No space left on device", LogKind.DISK_FULL, at=NOW - 60)
    old = replace(ended(1), at=NOW - 60)
    assert roots(found(log(full, replace(said("AccessDenied"), at=NOW - 60), old), archiver=moving)) == []
    assert "disk-full" in roots(found(log(replace(full, at=NOW), replace(old, at=NOW)), archiver=moving))


def test_the_line_that_says_what_is_wrong_is_quoted_not_the_hint_below_it() -> None:
    hint = said("HINT: has a stanza been made?")
    root = found(log(said("ERROR: [055]: unable to load info file"), hint, ended(55))).stories[0].root
    assert any(text.startswith("ERROR: [055]") for text in root.evidence)


def test_an_endpoint_that_is_gone_hides_no_key_that_another_copy_refuses() -> None:
    gone = ProductionCheck("dr:shithub-wal-dr", "/etc/r.conf", (VerbResult("LIST", False, "Unreachable"),))
    refused = ProductionCheck("prod:shithub-wal", "/etc/r.conf", (VerbResult("LIST", False, "AccessDenied"),))
    diagnosis = found((Snapshot.production, ProductionFacts((refused, gone))))
    assert set(roots(diagnosis)) == {"key-403", "endpoint-wrong"}


@pytest.mark.parametrize(
    ("result", "rule", "title", "certainty"),
    [
        (
            VerbResult("LIST", False, "XVendorSurprise", "not on Sundays"),
            "store-error",
            "the store answered XVendorSurprise",
            "LIKELY",
        ),
        (
            VerbResult("LIST", False, "", "words that nobody knows"),
            "store-error",
            "the store answers what is not known here",
            "LIKELY",
        ),
        (
            VerbResult("LIST", False, "AccessDenied", "AccessDenied: Forbidden: No such key: GK1"),
            "key-403",
            "the store does not know the archiver's key: it was revoked, or never was one",
            "PROVED",
        ),
        (
            VerbResult("LIST", False, "AccessDenied", "AccessDenied: storage cap exceeded"),
            "store-error",
            "the store takes nothing more from this account: a quota, a cap or a bill",
            "PROVED",
        ),
    ],
)
def test_what_the_archivers_own_listing_is_answered(
    result: VerbResult, rule: str, title: str, certainty: str
) -> None:
    """A code that is not known is no endpoint that is wrong, and proves nothing."""
    check = ProductionCheck("prod:shithub-wal", "/etc/r.conf", (result,))
    root = found((Snapshot.production, ProductionFacts((check,))), log(ended(1))).stories[0].root
    assert (root.rule, root.title, root.certainty.name) == (rule, title, certainty)
    assert "getent" not in str(root.fixes)
    assert result.code in root.evidence[0] or result.said in root.evidence[0]


def test_a_command_that_stands_still_is_let_go_on() -> None:
    child = ChildProcess(7, NOW - 400, "sleep", state="stopped by a signal")
    root = found((Snapshot.command, CommandFacts("x", children=(child,)))).stories[0].root
    assert root.fixes[0].commands == ("kill 7", "kill -CONT 7")


def test_who_archives_with_another_client_is_not_told_to_call_rclone() -> None:
    facts = CommandFacts("aws s3 cp %p s3://wal/%f")
    words = said('upload failed: Could not connect to the endpoint URL: "https://x"')
    root = found((Snapshot.command, facts), log(words, ended(1))).stories[0].root
    assert root.rule == "endpoint-wrong"
    assert "rclone" not in f"{root.remedy}{root.fixes}"


def test_right_after_a_reset_a_segment_on_its_way_is_no_archive_that_never_began() -> None:
    reset = archiver(
        archived_count=0, last_archived_wal=None, last_archived_at=None, stats_reset_at=NOW - 2, ready_count=1
    )
    disk = wal_disk(ready_count=1, oldest_ready="000000010000000000000042", oldest_ready_at=NOW - 1)
    assert roots(found(archiver=reset, wal_disk=disk)) == []
