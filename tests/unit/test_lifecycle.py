"""Which rules of a bucket's lifecycle take what a restore needs, and which are retention or harmless."""

import json
import shlex
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.data.facts import NOW, SEGMENT, healthy, holding, read, settings
from tests.data.facts import backup as a_backup
from tests.data.facts import bucket as a_bucket
from walconsole.adapters.s3.lifecycle import read_lifecycle
from walconsole.domain.archive.times import StoredTimes
from walconsole.domain.facts.evidence import LifecycleRule, PolicyFacts, RuleAction
from walconsole.domain.facts.snapshot import Snapshot, fold
from walconsole.domain.failures import Finding, diagnose
from walconsole.domain.profile import BucketRole
from walconsole.domain.recovery.backups import BackupObject
from walconsole.domain.recovery.lifecycle import (
    DAY_S,
    Needed,
    NeededBackup,
    Taken,
    ends_uploads,
    losses,
    staying_days,
)
from walconsole.domain.standing.model import Level, Severity
from walconsole.domain.standing.storage import stored
from walconsole.domain.wal import Segment

pytestmark = pytest.mark.cases("Lifecycle rules that delete what a restore needs")

NEWEST = Segment(1, 2000)
ABORT = LifecycleRule("up", RuleAction.ABORT, "", 7)


def deletes(days: int | None = 1, prefix: str = "", **more: Any) -> LifecycleRule:
    return LifecycleRule("r", RuleAction.EXPIRE, prefix, days, **more)


def of_age(days: float, root: str = "") -> NeededBackup:
    at = NOW - days * DAY_S
    objects = (
        (f"{root}base/{days}/backup.json", None, at),
        (f"{root}base/{days}/backup_manifest", 200_000, at),
        (f"{root}base/{days}/base.tar.zst", 500_000_000, at),
    )
    return NeededBackup(f"{days}", objects, Segment(1, 1900 - int(days * 100)), at - 600)


def needed(*ages: float, due: float | None = None, **more: Any) -> Needed:
    """Base backups of those ages in days, oldest first; `due` is in how many days the next one is."""
    at = None if due is None else NOW + due * DAY_S
    found = Needed("", SEGMENT, 4_000_000.0, NEWEST, tuple(map(of_age, ages)), due=at)
    return replace(found, **more)


NIGHTLY = needed(6.5, 5.5, 4.5, 3.5, 2.5, 1.5, 0.5, due=0.5)


@pytest.mark.parametrize(
    "rule",
    [
        deletes(1, "pgdump/"),
        deletes(1, "00000002"),
        deletes(1, "0000000100000008"),  # WAL from beyond the newest
        deletes(1, tags=(("tmp", "1"),)),
        deletes(1, enabled=False),
        deletes(2),
        deletes(30),
        deletes(2, "base/"),
        deletes(1, larger_than=1 << 40),
        deletes(1, smaller_than=1024),
        deletes(1, "00000001", larger_than=8_000_000),
        LifecycleRule("old", RuleAction.OLD_VERSIONS, days=1),
        ABORT,
        LifecycleRule("cold", RuleAction.FREEZE, days=30, storage_class="GLACIER"),
    ],
)
def test_no_harm_is_done_where_base_backups_are_nightly(rule: LifecycleRule) -> None:
    assert losses((rule,), NIGHTLY, NOW) == ()


@pytest.mark.parametrize(
    ("rule", "what", "left_days"),
    [
        (deletes(1), Taken.BACKUP, 0.5),
        (deletes(1, "base/"), Taken.BACKUP, 0.5),
        (deletes(1, "base/", smaller_than=10_000), Taken.BACKUP, 0.5),  # backup.json alone
        (deletes(1, "base/", larger_than=1 << 20), Taken.BACKUP, 0.5),
        (deletes(1, "0"), Taken.WAL, 0.5),
        (deletes(1, "0000000100000007000000"), Taken.WAL, 0.5),
        (deletes(1, larger_than=1 << 20, smaller_than=1 << 23), Taken.WAL, 0.5),
        (deletes(None, date=NOW + 90 * DAY_S), Taken.BACKUP, 90.0),
        (deletes(None, date=NOW - 90 * DAY_S), Taken.BACKUP, -0.5),  # from then on at once
        (LifecycleRule("c", RuleAction.FREEZE, days=0, storage_class="GLACIER"), Taken.BACKUP, -0.5),
    ],
)
def test_the_newest_goes_before_the_next_is_sure_to_stand(
    rule: LifecycleRule, what: Taken, left_days: float
) -> None:
    worst = losses((rule,), NIGHTLY, NOW)[0]
    assert (worst.what, worst.id, worst.newest) == (what, "0.5", True)
    assert worst.left_s / DAY_S == pytest.approx(left_days, abs=0.01)


def test_of_wal_that_goes_first_the_oldest_backup_that_stays_is_told() -> None:
    rule = deletes(7, "0")
    (loss,) = losses((rule,), NIGHTLY, NOW)
    assert (loss.what, loss.id, loss.newest) == (Taken.WAL, "6.5", False)
    assert loss.left_s / DAY_S == pytest.approx(0.5, abs=0.01)
    assert losses((rule, deletes(7, "base/")), NIGHTLY, NOW) == ()  # together they are retention
    assert losses((rule,), needed(4.5, 3.5, 0.5, due=0.5), NOW) == ()


def test_where_nobody_knows_of_a_next_one_it_is_told_a_day_before() -> None:
    assert losses((deletes(30),), needed(3), NOW) == ()
    (loss,) = losses((deletes(30),), needed(29.5), NOW)
    assert loss.what is Taken.BACKUP
    overdue = needed(3, due=-2)  # it was nightly, and is no more
    assert losses((deletes(30),), overdue, NOW) == ()
    assert losses((deletes(4),), overdue, NOW) != ()


@pytest.mark.parametrize(
    ("prefix", "by_day", "taken"),
    [
        ("", False, True), ("w", False, True), ("wal/", False, True), ("wal/0000000100000007", False, True),
        ("wal/00000001000000070000009", False, True), ("wal/00000001000000060000009", False, False),
        ("wal/0000000100000007/", False, True), ("wal/x", False, False), ("walled/", False, False),
        ("dump/", False, False), ("wal/2026/11/", True, True), ("wal/2026/", True, True),
    ],
)  # fmt: skip
def test_a_prefix_may_go_on_into_the_names(prefix: str, by_day: bool, taken: bool) -> None:
    held = needed(0.5, due=0.5, root="wal/", by_day=by_day)
    assert bool(losses((deletes(1, prefix),), held, NOW)) is taken


def test_histories_are_needed_for_ever() -> None:
    held = replace(NIGHTLY, history_keys=("00000002.history",))
    (loss,) = losses((deletes(3650),), held, NOW)
    assert (loss.what, loss.newest) == (Taken.HISTORY, False)
    assert losses((deletes(1, "base/x"), deletes(9, larger_than=1 << 20)), held, NOW) == ()


PREFIX = st.sampled_from(["", "base/", "0", "00000001", "x/", "base", "0000000100000007"])
RULE = st.builds(
    LifecycleRule,
    st.just("r"),
    st.sampled_from(RuleAction),
    PREFIX,
    st.integers(0, 40),
    enabled=st.booleans(),
    larger_than=st.none() | st.integers(0, 1 << 30),
    smaller_than=st.none() | st.integers(0, 1 << 30),
)


@given(
    st.lists(RULE, max_size=4),
    st.lists(st.integers(0, 60).map(lambda half: half / 2), min_size=1, max_size=5, unique=True),
)
def test_what_is_told_is_taken_object_by_object(rules: list[LifecycleRule], ages: list[float]) -> None:
    """A slow and simple model: each object that is needed, asked of each rule."""
    held = needed(*sorted(ages, reverse=True))

    def gone(key: str, size: float | None, stored_at: float) -> list[float]:
        size = 4096 if size is None else size
        return [
            stored_at + (rule.days or 0) * DAY_S
            for rule in rules
            if rule.enabled
            and rule.action in (RuleAction.EXPIRE, RuleAction.FREEZE)
            and key.startswith(rule.prefix)
            and (rule.larger_than is None or size > rule.larger_than)
            and (rule.smaller_than is None or size < rule.smaller_than)
        ]

    newest = held.backups[-1]
    whole = [each for key, size, at in newest.objects for each in gone(key, size, at)]
    wal = [
        each
        for number in range(newest.first.number, NEWEST.number + 1)
        for each in gone(Segment(1, number).name(), held.segment_stored_bytes, newest.wal_from)
    ]
    told = [loss for loss in losses(rules, held, NOW) if loss.newest]
    assert bool(told) is (min([*whole, *wal], default=NOW * 2) <= NOW + DAY_S)


def test_how_long_things_stay() -> None:
    rules = (deletes(9), deletes(3, "base/"), deletes(1, "x/"), deletes(2, tags=(("a", "b"),)))
    assert staying_days(rules, "0000", 4e6, "base/1/", None) == (9, 3)
    assert staying_days((), "0000", 4e6, "base/1/", None) == (None, None)


def test_which_rule_ends_uploads() -> None:
    assert ends_uploads((ABORT,), "wal/base/")
    assert ends_uploads((replace(ABORT, prefix="wal/"),), "wal/base/")
    assert not ends_uploads((replace(ABORT, prefix="x/"), deletes(1)), "wal/base/")
    assert not ends_uploads((replace(ABORT, enabled=False),), "wal/base/")


# --- as the console tells it


def told(*rules: LifecycleRule, role: BucketRole = BucketRole.PRIMARY, **changes: Any) -> list[Finding]:
    facts = replace(PolicyFacts((*rules, ABORT)), **changes)
    slot = Snapshot.policy if role is BucketRole.PRIMARY else Snapshot.dr_policy
    return list(diagnose(fold(healthy(), read(slot, facts), NOW), NOW).findings)


def test_the_case_of_rules_that_are_none_of_its_business() -> None:
    rules = (
        "<Rule><ID>dumps</ID><Status>Enabled</Status><Filter><Prefix>pgdump/</Prefix></Filter>"
        "<Expiration><Days>1</Days></Expiration></Rule>"
        "<Rule><ID>tagged</ID><Status>Enabled</Status><Filter><And><Prefix></Prefix>"
        "<Tag><Key>tmp</Key><Value>1</Value></Tag></And></Filter><Expiration><Days>1</Days></Expiration></Rule>"
    )
    assert told(*read_lifecycle(f"<LifecycleConfiguration>{rules}</LifecycleConfiguration>".encode())) == []


def test_a_rule_that_eats_the_newest_is_told_with_the_command_that_ends_it() -> None:
    (finding,) = told(replace(deletes(1), rule='tidy "up"'))
    assert (finding.rule, finding.severity) == ("lifecycle-eats-wal", Severity.WARNING)
    assert (
        "deletes everything after 1 day: the newest base backup 20260921T133000Z goes in 23 h"
        in finding.title
    )
    get, put = finding.fixes[0].commands
    words = shlex.split(get)
    assert words[:3] == ["aws", "s3api", "get-bucket-lifecycle-configuration"]
    assert words[words.index("--bucket") + 1] == "shithub-wal"
    assert (
        words[words.index("jq") + 1]
        == r'{Rules} | (.Rules[] | select(.ID == "tidy \"up\"")).Status = "Disabled"'
    )
    assert put.endswith("--lifecycle-configuration file://rules.json")


def test_what_is_gone_is_critical_in_the_primary_and_a_warning_in_its_copy() -> None:
    frozen = LifecycleRule("cold", RuleAction.FREEZE, days=0, storage_class="DEEP_ARCHIVE")
    (finding,) = told(frozen)
    assert finding.severity is Severity.CRITICAL
    assert (
        "moves to DEEP_ARCHIVE, from where nothing is read at once, everything after 0 days" in finding.title
    )
    (copy,) = told(frozen, role=BucketRole.DR)
    assert (copy.severity, copy.slot) == (Severity.WARNING, Snapshot.dr_policy)
    assert copy.title.startswith("the DR bucket moves")


def test_sizes_of_a_base_backups_objects_are_compared() -> None:
    made = a_backup(
        objects=(BackupObject("base.tar.zst", 470 << 20), BackupObject("backup_manifest", 1 << 17))
    )
    snapshot = healthy(primary=a_bucket(backups=(made,)), dr=a_bucket(BucketRole.DR, backups=(made,)))

    def found(rule: LifecycleRule) -> bool:
        policy = read(Snapshot.policy, PolicyFacts((rule, ABORT)))
        return bool(diagnose(fold(snapshot, policy, NOW), NOW).findings)

    assert found(deletes(1, "base/", larger_than=100 << 20))
    assert not found(deletes(1, "base/", larger_than=500 << 20))


def test_without_a_base_backup_a_label_tells_or_the_oldest_wal() -> None:
    for labels in ((), (Segment(1, 0x40),)):
        times = StoredTimes()
        times.note(1, 1, NOW - 5 * DAY_S)
        times.note(1, 0x41, NOW - 40)
        held = holding(labels=labels, times=times)
        snapshot = healthy(
            primary=a_bucket(backups=(), holding=held), dr=a_bucket(BucketRole.DR, backups=(), holding=held)
        )
        policy = read(Snapshot.policy, PolicyFacts((deletes(5), ABORT)))
        rules = {each.rule for each in diagnose(fold(snapshot, policy, NOW), NOW).findings}
        assert ("lifecycle-eats-wal" in rules) is not bool(labels)


def test_the_rule_that_is_worth_having_is_proposed_as_it_can_be_put() -> None:
    def proposed(*rules: LifecycleRule, **changes: Any) -> list[Finding]:
        facts = replace(PolicyFacts(rules), **changes)
        return list(diagnose(fold(healthy(), read(Snapshot.policy, facts), NOW), NOW).findings)

    (note,) = proposed()
    assert (note.rule, note.severity) == ("no-end-of-uploads", Severity.NOTE)
    (command,) = note.fixes[0].commands
    words = shlex.split(command)
    put = json.loads(words[words.index("--lifecycle-configuration") + 1])
    assert put["Rules"][0]["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 7}
    (note,) = proposed(deletes(300))
    assert len(note.fixes[0].commands) == 2  # what is there is kept
    assert "jq '{Rules} | .Rules += [" in note.fixes[0].commands[0]
    assert proposed(ABORT) == []
    assert proposed(supported=False) == []
    assert proposed(missing=("the bucket's lifecycle rules: 403 AccessDenied",)) == []
    assert diagnose(fold(healthy(), read(Snapshot.policy, PolicyFacts()), NOW), NOW).verdict.level is Level.OK


@pytest.mark.parametrize(
    ("refused", "said"),
    [
        ((Snapshot.policy,), "; the bucket's lifecycle rules cannot be read with this key"),
        ((Snapshot.dr_policy,), "; the DR bucket's lifecycle rules cannot be read with this key"),
        (
            (Snapshot.policy, Snapshot.dr_policy),
            "; lifecycle rules cannot be read with these keys",
        ),
    ],
)
def test_what_could_not_be_read_is_in_the_verdict_and_no_warning(refused: Any, said: str) -> None:
    snapshot = healthy()
    for slot in refused:
        snapshot = fold(snapshot, read(slot, PolicyFacts(missing=("x: AccessDenied",))), NOW)
    verdict = diagnose(snapshot, NOW).verdict
    assert verdict.level is Level.OK
    assert verdict.text.endswith(said)
    off = fold(snapshot, read(Snapshot.settings, settings(archive_mode="off")), NOW)
    assert said not in diagnose(off, NOW).verdict.text


def test_what_the_rules_delete_is_taken_off_the_forecast() -> None:
    for prefix, rule_takes in (("", True), ("x/", False)):
        policy = read(Snapshot.policy, PolicyFacts((deletes(1, prefix), ABORT)))
        found = stored(fold(healthy(), policy, NOW), NOW)[0]
        assert (found.staying.wal_days, found.staying.backup_days) == ((1, 1) if rule_takes else (None, None))
        assert stored(healthy(), NOW)[0].staying.wal_days is None
