"""What retention says of a snapshot, which keys a plan means, and what a lock says."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.data.facts import SEGMENT
from tests.data.recoveries import BEGUN, NOW, RECOVERIES, base_at
from tests.data.recovery import CLUSTER, MIB, base, copy_of
from tests.data.recovery import NOW as THEN
from tests.data.snapshots import problem
from tests.unit.test_drill_result import good
from walconsole.config.choose import choose
from walconsole.config.reader import FaultyConfigError, load
from walconsole.config.resolve import described
from walconsole.config.writer import profile_as_toml
from walconsole.domain.archive.holding import Holding
from walconsole.domain.archive.layouts import Layout, Place
from walconsole.domain.archive.times import StoredTimes
from walconsole.domain.facts.snapshot import Reading, Snapshot
from walconsole.domain.profile import BucketRole
from walconsole.domain.recovery.backups import BaseBackup, Completeness, Writer
from walconsole.domain.recovery.drill_result import Outcome
from walconsole.domain.recovery.expiry import CopyExpiry, Now, WalDeletion, expiry_plan
from walconsole.domain.recovery.going import CopyKeys, WalKeys, more_than
from walconsole.domain.recovery.hostile import RefusedError
from walconsole.domain.recovery.keep import Keep
from walconsole.domain.recovery.lock import LONGEST_LOCK_S, LockMarker, held, read_lock
from walconsole.domain.recovery.ours import expiring_from, expiring_name
from walconsole.domain.recovery.whereabouts import Folder, read_folder
from walconsole.domain.standing.retention import is_judgeable, retention, retention_line
from walconsole.domain.wal import Segment

ID = "20261129T031000Z"
NAMES = [Segment(1, number).name(SEGMENT) for number in range(1, 12)]


def nightly(keep: Keep | None = None, **changes: object) -> Snapshot:
    """All copies read; the oldest backup is not in DR, which is 41 segments behind."""
    snapshot = RECOVERIES["nightly"]()
    return replace(snapshot, told=replace(snapshot.told, keep=keep), **changes)  # type: ignore[arg-type]


# -- From a snapshot.


def test_without_a_rule_nothing_is_deleted_and_that_is_said() -> None:
    assert retention(nightly(), NOW) is None
    assert retention_line(None) == "no rule (keep): nothing is deleted"


def test_the_line_says_what_goes_next_and_why_nothing_goes_in_a_copy() -> None:
    found = retention(nightly(Keep(full=5, days=3)), NOW)
    assert found is not None
    assert found.plan is not None
    gone = [each.id for each in found.plan.copies[0].backups]
    assert gone == [base_at(number).id for number in reversed(BEGUN[:3])]
    line = retention_line(found)
    segments = BEGUN[1] - 0x100  # DR keeps its backups, and with them their WAL in both copies
    assert line.startswith(f"keep 5 full, 3 d; next: 3 base backups, {segments:,} segments, about ")
    assert "in the primary copy; nothing in the DR copy: " in line
    assert "is 41 segments behind" in line


def test_the_newest_base_backup_that_a_restore_was_proved_with_stays() -> None:
    made = nightly(Keep(full=5, days=3))
    primary = made.primary.value
    assert primary is not None
    proved = tuple(
        replace(good(), id=f"2026092{day}T000000Z", backup=base_at(BEGUN[day]).id) for day in (0, 1)
    )
    failed = replace(good(), outcome=Outcome.FAILED, backup=base_at(BEGUN[2]).id)
    reading = replace(made.primary, value=replace(primary, drills=(*proved, failed)))
    found = retention(replace(made, primary=reading), NOW)
    assert found is not None
    assert found.plan is not None
    gone = [each.id for each in found.plan.copies[0].backups]
    assert gone == [base_at(BEGUN[2]).id, base_at(BEGUN[0]).id]
    kept = found.plan.copies[0].kept
    assert kept is not None
    assert kept[base_at(BEGUN[1]).id] == "the newest drilled"


@pytest.mark.parametrize(
    ("slot", "why"),
    [
        ("primary", "the primary bucket could not be read: no"),
        ("dr", "the DR bucket could not be read: no"),
        ("server", "the server could not be read: no"),
        ("archiver", "pg_stat_archiver could not be read: no"),
    ],
)
def test_what_could_not_be_read_forbids_it_in_both_copies(slot: str, why: str) -> None:
    unread = problem(getattr(Snapshot, slot), "no", "", "AccessDenied")
    found = retention(nightly(Keep(full=2), **{slot: unread}), NOW)
    assert found is not None
    assert found.plan is None
    assert found.refused == (why,)
    assert retention_line(found) == f"keep 2 full; nothing goes: {why}"


def test_a_dr_bucket_that_is_not_there_forbids_nothing() -> None:
    absent = problem(Snapshot.dr, "no such bucket", "", "NoSuchBucket")
    found = retention(nightly(Keep(full=5), dr=absent), NOW)
    assert found is not None
    assert found.plan is not None
    assert found.absent
    assert [part.role for part in found.plan.copies] == [BucketRole.PRIMARY]
    assert len(found.plan.copies[0].backups) == 3


def test_nothing_is_planned_before_all_was_read() -> None:
    assert is_judgeable(nightly())
    assert not is_judgeable(nightly(backup_sessions=Reading(Snapshot.backup_sessions)))
    assert not is_judgeable(nightly(backup_script=Reading(Snapshot.backup_script)))
    early = RECOVERIES["not_read"]()
    assert not is_judgeable(early)
    found = retention(replace(early, told=replace(early.told, keep=Keep(full=1))), NOW)
    assert found is not None
    assert found.plan is None
    assert found.refused == ("the primary bucket is still being read", "the DR bucket is still being read")


def test_wal_as_another_tool_stores_it_is_left_to_that() -> None:
    snapshot = nightly(Keep(full=2))
    bucket = snapshot.primary.value
    assert bucket is not None
    assert bucket.holding is not None
    dated = replace(bucket, holding=replace(bucket.holding, place=Place(Layout.DATED)), layout=Layout.DATED)
    found = retention(replace(snapshot, primary=replace(snapshot.primary, value=dated)), NOW)
    assert found is not None
    assert found.plan is not None
    assert found.plan.empty
    assert any("as another tool stores it" in why for why in found.plan.copies[0].refused)


# -- The keys.


def wal_keys(part: CopyExpiry, segment_bytes: int = SEGMENT) -> WalKeys:
    holding = Holding(
        Place(Layout.FLAT), "p/", segment_bytes, {}, StoredTimes(), 0, {}, {}, (), 0, (), 0, None, "", ""
    )
    return WalKeys(holding, part)


def test_only_what_holds_a_planned_segment_in_the_archives_own_place_is_its_key() -> None:
    planned = (WalDeletion(NAMES[0], NAMES[2], 3), WalDeletion(NAMES[5], NAMES[5], 1))
    begun = frozenset({(1, 4 * SEGMENT + 40), (1, 10 * SEGMENT)})
    found = wal_keys(CopyExpiry(BucketRole.PRIMARY, wal=planned, below=8, begun=begun))
    assert list(found.stretches()) == [(f"p/{NAMES[0][:-1]}", f"p/{NAMES[5]}~")]
    wal = [NAMES[0], f"{NAMES[0]}.zst", f"{NAMES[2]}-{'0' * 40}.gz", f"{NAMES[5]}.lz4"]
    labels = [f"{NAMES[3]}.00000028.backup", f"{NAMES[3]}.00000028.backup.zst"]
    others = [
        NAMES[3],
        f"{NAMES[6]}.zst",
        f"{NAMES[0]}.partial",
        f"{NAMES[0]}.zst.tmp",
        f"{NAMES[0]}.00000028.backup",
        f"{NAMES[9]}.00000028.backup",
        "00000001.history",
        Segment(2, 1).name(SEGMENT),
        f"2026/11/29/{NAMES[0]}",
        f"other/{NAMES[0]}.zst",
        f"base/{ID}/{NAMES[0]}",
        "walconsole/lock.json",
    ]
    for key in (*wal, *labels, *others):
        found.note(f"p/{key}", 10)
    assert found.wal == [f"p/{key}" for key in wal]
    assert found.labels == [f"p/{key}" for key in labels]
    assert found.wal_bytes == 40


@pytest.mark.parametrize("segment_mib", [1, 64, 1024])
def test_wal_of_another_segment_size_goes_by_its_own_names(segment_mib: int) -> None:
    """The names' last eight digits begin anew every 4 GiB: after 4096, 64 or 4 segments."""
    size = segment_mib * MIB
    turn = 2**32 // size
    names = [Segment(1, number).name(size) for number in range(turn - 3, turn + 4)]
    backups = base(turn - 2, day=12, size=size), base(turn + 1, day=1, size=size)
    copy = copy_of({1: range(turn - 3, turn + 4)}, *backups)
    now = Now(THEN, archived=Segment(1, turn + 3))
    keep = Keep(full=1, most_share=1.0)
    (part,) = expiry_plan([copy], replace(CLUSTER, segment_bytes=size), keep, now).copies
    assert [each.id for each in part.backups] == [backups[0].id]
    assert part.wal == (WalDeletion(names[0], names[3], 4),)
    found = wal_keys(part, size)
    for name in names:
        found.note(f"p/{name}.zst", 10)
    assert found.wal == [f"p/{name}.zst" for name in names[:4]]
    ((before, beyond),) = found.stretches()
    assert all(before < key < beyond for key in found.wal)


@given(st.frozensets(st.sampled_from(NAMES)), st.frozensets(st.sampled_from(NAMES)))
def test_a_newer_plan_may_want_less_and_never_more(shown: frozenset[str], anew: frozenset[str]) -> None:
    one, other = (
        CopyKeys(role, "", CopyExpiry(role), tuple(sorted(names)))
        for role, names in ((BucketRole.PRIMARY, shown), (BucketRole.PRIMARY, anew))
    )
    assert more_than([one], [other]) == tuple(f"primary: {name}" for name in sorted(anew - shown))
    assert len(more_than([], [other])) == len(anew)


# -- What says that a backup is being taken away.


@given(st.integers(1, 2**32 - 1), st.integers(0, 2**64 - 1))
def test_where_it_began_is_in_its_name(timeline: int, lsn: int) -> None:
    assert expiring_from(expiring_name(timeline, lsn)) == (timeline, lsn)


@pytest.mark.parametrize("name", ["backup.json", "expiring.1.2", "expiring.00000001.00000000000000280"])
def test_no_other_name_says_it(name: str) -> None:
    assert expiring_from(name) is None


def test_without_its_marker_it_is_no_backup_and_with_it_it_still_is() -> None:
    sizes = {expiring_name(1, 0x2000028): 0, "base.tar.zst": 4711}
    (read,) = read_folder(Folder(Writer.OURS, "base/", ID, sizes), {})
    assert isinstance(read, BaseBackup)
    assert (read.completeness, read.expiring, read.start_lsn) == (
        Completeness.INCOMPLETE,
        (1, 0x2000028),
        None,
    )
    (marked,) = read_folder(Folder(Writer.OURS, "base/", ID, {**sizes, "backup.json": 9}), {})
    assert isinstance(marked, BaseBackup)
    assert (marked.completeness, marked.expiring) == (Completeness.UNKNOWN, None)


# -- The lock.

LOCK = LockMarker("root@here (process 7)", "retention", NOW + 60, "0123456789abcdef" * 2)


def test_a_lock_says_who_what_for_and_until_when() -> None:
    assert read_lock(LOCK.document()) == LOCK
    lock = held(LOCK.document(), "shithub-wal", NOW)
    assert lock.until == NOW + 60
    assert lock.owner.startswith("retention by root@here (process 7), in shithub-wal, until 20")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"nonce": "x"}, "its 'nonce' is wrong"),
        ({"nonce": None}, "its 'nonce' is missing"),
        ({"until": "soon"}, "its 'until' is wrong"),
        ({"until": True}, "its 'until' is wrong"),
        ({"until": 1e999}, "it is not JSON"),
        ({"owner": 7}, "its 'owner' is wrong"),
    ],
)
def test_what_is_no_lock_of_ours_holds_for_ever(changes: dict[str, object], why: str) -> None:
    content = json.dumps({**json.loads(LOCK.document()), **changes}).encode()
    with pytest.raises(RefusedError, match=why):
        read_lock(content)
    lock = held(content, "b", NOW)
    assert lock.until == math.inf
    assert why in lock.owner


def test_a_lock_of_a_day_that_no_clock_says_holds() -> None:
    assert held(replace(LOCK, until=NOW + LONGEST_LOCK_S + 1).document(), "b", NOW).until == math.inf
    assert held(replace(LOCK, until=1e300).document(), "b", NOW).until == math.inf


@given(st.binary(max_size=200))
def test_no_content_of_a_lock_breaks_anything(content: bytes) -> None:
    assert held(content, "b", NOW).until > NOW


# -- In the profile.


def _keep(tmp_path: Path, line: str) -> Keep | None:
    file = tmp_path / "config.toml"
    file.write_text(f'[profiles.p]\nhost = "h.example"\n{line}\n')
    return choose("p", load(file), {}).profile.keep


def test_the_rules_are_read_shown_and_written(tmp_path: Path) -> None:
    keep = Keep(7, 14.0, (ID,), 0.25)
    line = f'keep = {{ full = 7, days = 14, pins = ["{ID}"], most_share = 0.25 }}'
    assert _keep(tmp_path, line) == keep
    assert _keep(tmp_path, "keep.full = 2") == Keep(full=2)
    assert _keep(tmp_path, "keep.days = 0.5") == Keep(days=0.5)
    assert _keep(tmp_path, "") is None
    assert _keep(tmp_path, "keep = {}") is None
    file = tmp_path / "config.toml"
    file.write_text(f'[profiles.p]\nhost = "h.example"\n{line}\n')
    resolved = choose("p", load(file), {})
    shown = [each.split()[:2] for each in described(resolved) if each.startswith("keep.")]
    assert shown == [
        ["keep.full", "7"],
        ["keep.days", "14.0"],
        ["keep.pins", ID],
        ["keep.most_share", "0.25"],
    ]
    file.write_text(profile_as_toml(resolved.profile, "p"))
    assert choose("p", load(file), {}).profile.keep == keep
    file.write_text(profile_as_toml(replace(resolved.profile, keep=None), "p"))
    assert choose("p", load(file), {}).profile.keep is None


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("keep = 7", "'keep' must be a table"),
        ("keep = { full = 0 }", "must be between 1 and 10000 full backups, not 0"),
        ("keep = { full = 1.5 }", "must be a whole number"),
        ("keep = { days = 0 }", "must be between 0.01 and 36500 days, not 0"),
        ("keep = { days = nan }", "must be between 0.01 and 36500 days, not nan"),
        ("keep = { ful = 1 }", "unknown key 'ful' in [profiles.p.keep]; did you mean 'full'?"),
        (f'keep = {{ pins = ["{ID}"] }}', "[profiles.p.keep] has no rule: neither 'full' nor 'days'"),
        ('keep = { full = 1, pins = ["x"] }', "it must be a base backup's id such as '20261129T031000Z'"),
        ("keep = { full = 1, most_share = 2 }", "must be between 0.01 and 1"),
    ],
)
def test_a_wrong_rule_is_told_with_its_line(tmp_path: Path, line: str, why: str) -> None:
    with pytest.raises(FaultyConfigError) as caught:
        _keep(tmp_path, line)
    assert f"config.toml:3: {why}" in caught.value.line() or why in caught.value.line()
    assert "config.toml:3" in caught.value.line()
