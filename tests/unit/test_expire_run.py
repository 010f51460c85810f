"""A run of retention over two buckets: never more than was shown, and the same end wherever it is cut."""

import asyncio
import contextlib
import itertools
import os
import subprocess
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.data.provisioning import ScriptedGate
from tests.data.recovery import NOW, backup_id
from tests.data.retained import PREFIX, KilledError, World, world
from tests.examples import some_of
from walconsole.domain.profile import BucketRole
from walconsole.domain.recovery.keep import Keep
from walconsole.domain.recovery.lock import LOCK_KEY, LOCK_S, LockMarker
from walconsole.domain.recovery.recover_state import RecoveryPhase, RecoveryState
from walconsole.domain.standing.backup_runs import BackupRuns, RunningBackup
from walconsole.domain.units import bytes_text
from walconsole.domain.wal import Segment
from walconsole.errors import BlockedError, ObjectStoreError, ProvisionError, RefusedError
from walconsole.provision.droplet.claim import is_dead, this_console
from walconsole.provision.engine.model import CheckState, Progress, Proved, Stage
from walconsole.provision.engine.runner import Runner
from walconsole.provision.recovering.recovery import Recovery
from walconsole.provision.retention import archive_lock, steps
from walconsole.provision.retention.steps import Expire, expire_steps
from walconsole.provision.retention.unattended import Unattended

PRIMARY, DR = BucketRole.PRIMARY, BucketRole.DR
MINE = f"{PREFIX}{LOCK_KEY}"


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> World:
    one = world()
    looked_at(monkeypatch, one)
    return one


def looked_at(monkeypatch: pytest.MonkeyPatch, made: World) -> None:
    monkeypatch.setattr(steps, "look", made.look)
    stands_at(monkeypatch, RecoveryState())


def stands_at(monkeypatch: pytest.MonkeyPatch, state: RecoveryState) -> None:
    """A recovery on the droplet, or that there is none."""

    async def stands(_: Recovery) -> RecoveryState:
        return state

    monkeypatch.setattr(Recovery, "state", stands)


async def run(made: World, gate: ScriptedGate | None = None) -> list[Progress]:
    """A console of its own, to the end."""
    site, told = made.site(), list[Progress]()
    await Runner(site, expire_steps(site), gate or ScriptedGate(), told.append).run()
    return told


def keys(made: World) -> dict[BucketRole, set[str]]:
    return {role: set(bucket.objects) for role, bucket in made.buckets.items()}


def expected() -> dict[BucketRole, set[str]]:
    """What stays of `world`: the two newest backups, WAL from the older one's start on, what is neither."""
    going = tuple(f"base/{backup_id(day)}/" for day in (0.6, 0.8))
    below = Segment(1, 26).name()

    def is_going(key: str) -> bool:
        is_wal = key.endswith((".zst", ".00000028.backup")) and "/" not in key
        return key.startswith(going) or (is_wal and key[:24] < below)

    return {
        role: {key for key in held if not is_going(key.removeprefix(PREFIX))}
        for role, held in keys(world()).items()
    }


async def test_what_no_rule_keeps_goes_and_nothing_else(made: World) -> None:
    gate = ScriptedGate()
    told = await run(made, gate)
    assert keys(made) == expected()
    (question,) = gate.asked
    assert question.plan.confirm == "shithub"
    assert question.plan.notes[0].startswith("before: restorable to any moment since ")
    assert question.plan.notes[1].startswith("after: restorable to any moment since ")
    assert sum(isinstance(news.event, Proved) for news in told) == 4
    again = await run(made)
    first = next(news.check.summary for news in again if news.check is not None)
    assert first == "nothing goes (keep: 2 full)"
    assert keys(made) == expected()


async def test_killed_at_any_call_the_next_run_comes_to_the_same_end(monkeypatch: pytest.MonkeyPatch) -> None:
    for at in itertools.count():
        for when in ("before", "after"):
            made, numbers = world(), itertools.count()
            looked_at(monkeypatch, made)

            def spring(numbers: "itertools.count[int]" = numbers, at: int = at) -> None:
                if next(numbers) >= at:
                    raise KilledError

            for bucket in made.buckets.values():
                setattr(bucket, when, spring)
            try:
                await run(made)
            except KilledError:
                for bucket in made.buckets.values():
                    setattr(bucket, when, lambda: None)
                monkeypatch.setattr(archive_lock, "is_dead", lambda _: True)
                await run(made)
            else:
                assert at > 15
                return
            assert keys(made) == expected(), (at, when)


DAYS = (0.2, 0.4, 0.6, 0.8, 1.0)


async def end_of(made: World, kill: tuple[int, str] | None) -> dict[BucketRole, set[str]]:
    """What is left; with `kill` after a run that ended at that call, and another.

    Where one copy is in doubt and nothing is to go in the other, a run is blocked.
    """
    with pytest.MonkeyPatch.context() as patched:
        looked_at(patched, made)
        patched.setattr(archive_lock, "is_dead", lambda _: True)
        if kill is not None:
            numbers = itertools.count()

            def spring() -> None:
                if next(numbers) >= kill[0]:
                    raise KilledError

            for bucket in made.buckets.values():
                setattr(bucket, kill[1], spring)
            with contextlib.suppress(KilledError, BlockedError):
                await run(made)
            for bucket in made.buckets.values():
                setattr(bucket, kill[1], lambda: None)
        with contextlib.suppress(BlockedError):
            await run(made)
    return keys(made)


@settings(max_examples=some_of(60))
@given(
    st.sets(st.sampled_from(DAYS), min_size=1),
    st.sets(st.sampled_from(DAYS)),
    st.integers(1, 4),
    st.tuples(st.integers(0, 25), st.sampled_from(["before", "after"])),
)
def test_whatever_lies_there_a_run_that_was_killed_comes_to_the_same_end(
    days: set[float], lost: set[float], full: int, kill: tuple[int, str]
) -> None:
    def made() -> World:
        one = world(sorted(days), sorted(lost))
        one.keep = Keep(full=full, most_share=1.0)
        return one

    assert asyncio.run(end_of(made(), kill)) == asyncio.run(end_of(made(), None))


async def test_ended_by_the_operator_it_takes_its_lock_away(made: World) -> None:
    running = asyncio.create_task(run(made))
    numbers = itertools.count()

    def end() -> None:
        if next(numbers) == 3:
            running.cancel()

    made.buckets[PRIMARY].after = end
    with pytest.raises(asyncio.CancelledError):
        await running
    assert MINE not in made.buckets[PRIMARY].objects
    assert MINE not in made.buckets[DR].objects
    assert keys(made) != keys(world())
    await run(made)
    assert keys(made) == expected()


async def test_no_is_no(made: World) -> None:
    with pytest.raises(RefusedError):
        await run(made, ScriptedGate({"expire": False}))
    assert keys(made) == keys(world())


async def test_nothing_goes_where_a_plan_made_anew_wants_more(
    made: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where a day ends while somebody thinks it over."""
    looks = []

    async def looking(*arguments: object) -> object:
        looks.append(await made.look(*arguments))  # type: ignore[arg-type]
        made.keep = replace(made.keep, full=1, most_share=1.0)
        return looks[-1]

    monkeypatch.setattr(steps, "look", looking)
    with pytest.raises(
        BlockedError, match="a plan made anew deletes 12 objects more, the first primary: wal/0000"
    ):
        await run(made)
    assert keys(made) == keys(world())


async def test_nothing_goes_where_a_guard_refuses_meanwhile(made: World) -> None:
    bucket = made.buckets[PRIMARY]

    def lose() -> None:
        bucket.objects.pop(f"{PREFIX}{Segment(1, 29).name()}.zst", None)

    bucket.after = lose
    with pytest.raises(BlockedError, match=r"since the plan was shown: .* does not reach now"):
        await run(made)
    assert len(keys(made)[PRIMARY]) == len(keys(world())[PRIMARY]) - 1
    assert keys(made)[DR] == keys(world())[DR]


@pytest.mark.parametrize("role", list(BucketRole))
async def test_nothing_goes_while_another_s_lock_lies_in_either_copy(made: World, role: BucketRole) -> None:
    lock = LockMarker("root@elsewhere", "drill", NOW + 60, "0" * 32)
    made.buckets[role].objects[MINE] = lock.document()
    with pytest.raises(BlockedError, match="a lock lies there: drill by root@elsewhere"):
        await run(made)
    assert made.buckets[role].objects.pop(MINE) == lock.document()
    assert keys(made) == keys(world())


async def test_a_lock_that_ran_out_is_written_over(made: World) -> None:
    made.buckets[DR].objects[MINE] = LockMarker("root@elsewhere", "drill", NOW - 1, "0" * 32).document()
    await run(made)
    assert keys(made) == expected()


def test_a_holder_is_dead_whose_process_is_gone_and_not_one_that_is_hidden(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def held_by(pid: int) -> str:
        return f"{this_console().replace(f'process {os.getpid()} ', f'process {pid} ')} since 10:00 UTC"

    assert not is_dead(held_by(os.getpid()))
    child = subprocess.Popen(["sleep", "60"])
    assert not is_dead(held_by(child.pid))
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert is_dead(held_by(child.pid)), "a zombie"
    child.wait()
    assert is_dead(held_by(child.pid))
    assert is_dead(held_by(9_999_999_999))

    def another_users(pid: int, _: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "kill", another_users)
    assert not is_dead(held_by(child.pid)), "though /proc does not show it (hidepid)"


async def test_a_lock_that_cannot_be_read_holds(made: World) -> None:
    made.buckets[DR].objects[MINE] = b"{"
    with pytest.raises(BlockedError, match="cannot be read"):
        await run(made)


async def test_who_was_later_with_the_lock_has_it(made: World) -> None:
    theirs = LockMarker("root@elsewhere", "drill", NOW + LOCK_S, "0" * 32).document()

    def write_over() -> None:
        made.buckets[PRIMARY].objects[MINE] = theirs

    made.buckets[DR].after = write_over
    with pytest.raises(ProvisionError, match="another has taken it meanwhile"):
        await run(made)
    assert made.buckets[PRIMARY].objects.pop(MINE) == theirs
    assert keys(made) == keys(world())


async def test_a_key_that_may_only_read_ends_before_anything_is_deleted(made: World) -> None:
    made.buckets[DR].may_write = False
    with pytest.raises(BlockedError, match=r"writing wal/walconsole/lock.json.* the grant readwrite on it"):
        await run(made)
    assert keys(made) == keys(world())


async def test_a_grant_that_is_lost_meanwhile_is_no_plan_that_cannot_be_done(made: World) -> None:
    bucket, numbers = made.buckets[PRIMARY], itertools.count()

    def lose() -> None:
        bucket.may_write = next(numbers) < 2

    bucket.after = lose
    with pytest.raises(ObjectStoreError, match="the grant readwrite on it"):
        await run(made)
    bucket.after, bucket.may_write = (lambda: None), True
    await run(made)
    assert keys(made) == expected()


async def test_a_key_that_the_store_does_not_delete_is_an_error(made: World) -> None:
    marker = f"{PREFIX}base/{backup_id(0.6)}/backup.json"
    made.buckets[PRIMARY].refuses[marker] = ["AccessDenied: no"]
    with pytest.raises(ObjectStoreError, match=r"deleting wal/base/.*/backup.json from .*: AccessDenied: no"):
        await run(made)
    held = keys(made)
    assert held[DR] == keys(world())[DR]
    assert {each.rpartition("/")[2][:9] for each in held[PRIMARY] - keys(world())[PRIMARY]} == {"expiring."}
    await run(made)
    assert keys(made) == expected()


async def test_a_store_that_is_busy_is_asked_again(made: World) -> None:
    segment = f"{PREFIX}{Segment(1, 6).name()}.zst"
    made.buckets[PRIMARY].refuses[segment] = ["SlowDown: less", "InternalError: x"]
    await run(made)
    assert keys(made) == expected()


async def test_what_is_missing_afterwards_is_said(made: World) -> None:
    bucket = made.buckets[DR]

    def lose() -> None:
        bucket.objects.pop(f"{PREFIX}base/{backup_id(0.2)}/base.tar.zst", None)

    last = f"{PREFIX}{Segment(1, 25).name()}.zst"
    bucket.after = lambda: None if last in bucket.objects else lose()
    with pytest.raises(
        ProvisionError, match=f"{backup_id(0.2)} is missing in shithub-wal-dr, which was to stay"
    ):
        await run(made)


async def test_without_a_rule_nothing_is_ever_deleted(made: World) -> None:
    site = made.site()
    site.profile = replace(site.profile, keep=None)
    check = await expire_steps(site)[0].check()
    assert check.state is CheckState.BLOCKED
    assert "nothing is ever deleted" in check.summary


async def test_the_plan_says_of_each_backup_and_of_the_wal_what_becomes_of_it(made: World) -> None:
    site, told = made.site(), list[Progress]()
    runner = Runner(site, expire_steps(site), ScriptedGate(), told.append)
    await runner.check_all()
    assert runner.stages == {"expire": Stage.WAITING, "release-lock": Stage.DONE}
    check = next(news.check for news in told if news.check is not None)
    said = [f"{fact.label}: {fact.value}" for fact in check.facts]
    assert f"shithub-wal: stays: {backup_id(0.2)}: of the newest 2 full backups" in said
    (going,) = [line for line in said if line.startswith(f"shithub-wal: goes: {backup_id(0.6)}, ")]
    assert going.endswith(": no rule keeps it")
    assert bytes_text(1000) in going
    first, last = Segment(1, 5).name(), Segment(1, 25).name()
    assert f"shithub-wal: goes: WAL {first} to {last}, 21 segments" in said
    assert keys(made) == keys(world())


async def test_nothing_goes_while_a_recovery_stands_at_its_pause(
    made: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    stands_at(monkeypatch, PAUSED)
    with pytest.raises(BlockedError, match=r"a recovery goes on \(it stands at the target.*; end it first"):
        await run(made)
    assert keys(made) == keys(world())


# -- Without anybody there.


PAUSED = RecoveryState("20261129T031000Z", RecoveryPhase.PAUSED)


async def unattended(made: World, after: dict[str, str] | None = None) -> Expire:
    """A run by the schedule, to its end; `after` are the newest base backups when there was one before."""
    site = made.site()
    step, release = expire_steps(site, Unattended(site, after or {}))
    await Runner(site, (step, release), ScriptedGate(), lambda _: None).run()
    return step


async def test_by_the_schedule_it_goes_once_after_each_base_backup(made: World) -> None:
    step = await unattended(made, {role: backup_id(0.4) for role in map(str, BucketRole)})
    assert keys(made) == expected()
    assert not step.waited
    assert step.newest == {role: backup_id(0.2) for role in map(str, BucketRole)}
    assert step.said.startswith("shithub-wal: 2 base backups and 21 segments, ")
    assert "; shithub-wal-dr: " in step.said
    again = await unattended(made, step.newest)
    assert again.waited
    assert again.said == f"not now: no base backup was completed in the primary copy since {backup_id(0.2)}"


async def test_by_the_schedule_it_waits_for_whatever_else_goes_on(
    made: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = LockMarker("root@elsewhere", "restore drill", NOW + 60, "0" * 32)
    made.buckets[DR].objects[MINE] = lock.document()
    step = await unattended(made)
    assert step.said.startswith("not now: a lock lies there: restore drill by root@elsewhere")
    made.buckets[DR].objects.pop(MINE)
    made.runs = BackupRuns((RunningBackup("walconsole", "streaming"),))
    step = await unattended(made)
    assert step.said == "not now: a base backup runs (walconsole: streaming)"
    made.runs = BackupRuns(unseen=("the server: no answer",), blind=True)
    step = await unattended(made)
    assert step.said.startswith("not now: it is not known whether a base backup runs")
    made.runs = BackupRuns()
    stands_at(monkeypatch, PAUSED)
    step = await unattended(made)
    assert step.said.startswith("not now: a recovery goes on (it stands at the target")
    assert step.waited
    assert keys(made) == keys(world())
    stands_at(monkeypatch, replace(PAUSED, phase=RecoveryPhase.DONE))
    step = await unattended(made)
    assert not step.waited
    assert keys(made) == expected()


async def test_by_the_schedule_nothing_goes_where_a_base_backup_begins_meanwhile(made: World) -> None:
    def begin() -> None:
        made.runs = BackupRuns((RunningBackup("walconsole", "streaming"),))

    made.buckets[PRIMARY].after = begin
    with pytest.raises(BlockedError, match="since the plan was made: a base backup runs"):
        await unattended(made)
    assert keys(made) == keys(world())


async def test_by_the_schedule_what_is_in_doubt_fails_and_does_not_wait(made: World) -> None:
    made.made[0] = replace(made.made[0], verified=False)
    with pytest.raises(BlockedError, match="was not verified"):
        await unattended(made)
    assert keys(made) == keys(world())
