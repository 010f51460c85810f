"""The base backup unpacked beside the old files, and its WAL replayed to a pause at the target."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace

from walconsole.domain.recovery.recover_state import READABLE, RecoveryPhase, RecoveryState
from walconsole.domain.recovery.recover_target import (
    RecoverTo,
    RecoveryTarget,
    is_behind,
    is_earlier,
    on_timeline,
)
from walconsole.domain.recovery.target_judgement import Concern, Trap
from walconsole.errors import ProvisionError
from walconsole.provision.engine.model import (
    Check,
    CheckState,
    Event,
    Fact,
    FactState,
    Plan,
    Proved,
    Risk,
)
from walconsole.provision.engine.not_undone import NotUndone
from walconsole.provision.recovering.recovery import Recovery, target_words

_BEFORE_RESTORE = frozenset({RecoveryPhase.NONE, RecoveryPhase.RESTORING})
_AFTER_PAUSE = frozenset(
    {RecoveryPhase.PROMOTING, RecoveryPhase.PROMOTED, RecoveryPhase.TAKEN_OVER, RecoveryPhase.DONE}
)
_NOWHERE = frozenset({Trap.AFTER_ARCHIVE, Trap.AFTER_LAST_COMMIT, Trap.NOT_PLACED, Trap.SILENT_HOLE})
"""Why the replay does not come to a target: none of these is about the restore that was made."""
_AS_STEP = re.compile(r"--to-(?:lsn )?([^ ;,]+)(?: --before)?")
"""How a remedy names a target for a recovery that begins."""
STAYS = "walconsole recover --give-up ends it; its folder stays until you remove it"


class RestoreBackup(NotUndone):
    """model.Step. Into the recovery's own folder: nothing of the old cluster is touched."""

    id = "recover-restore"
    title = "Base backup"
    risk = Risk.ADDS
    gated = True
    always = False
    explanation = (
        "Brings the base backup, with all that it builds upon, compares what flows with the sum that was "
        "noted when it was stored, unpacks it into the recovery's own folder and compares each file with "
        "the manifest. While it reads a lock lies in the copies that answer, so that retention deletes "
        "nothing. It goes on by itself where the connection is cut; killed, the same step unpacks anew."
    )

    def __init__(self, recovery: Recovery) -> None:
        self._recovery = recovery

    async def check(self) -> Check:
        """DONE once it is unpacked and compared."""
        state = await self._recovery.state()
        if state.is_open and state.phase not in _BEFORE_RESTORE:
            return Check(CheckState.DONE, f"{state.backup} is unpacked in {state.data}")
        return Check(CheckState.NEEDED, "the base backup is to be unpacked beside the old files")

    async def plan(self) -> Plan:
        """One command, and how long it may take."""
        state = await self._recovery.state()
        backup, notes = state.backup, tuple[str, ...]()
        if not state.is_open:
            plan = await self._recovery.plan()
            backup = plan.backup.id if plan.backup is not None else "n/a"
            time = "not known: no drill was made yet" if plan.forecast is None else str(plan.forecast)
            notes = (f"room: {plan.room or 'n/a'}", f"it may take: {time}")
        return Plan(
            f"bring and unpack {backup}, and compare it with its manifest",
            commands=(self._recovery.command("restore"),),
            notes=(*notes, "it goes on by itself where the connection is cut"),
            undo=STAYS,
        )

    async def apply(self) -> AsyncIterator[Event]:
        """Raises ProvisionError with the script's own last word."""
        identity = (await self._recovery.wish()).identity
        if identity:
            await self._recovery.note("identity", identity)
        async for event in self._recovery.run("restore"):
            yield event

    async def verify(self) -> AsyncIterator[Event]:
        """Raises ProvisionError where it is not unpacked."""
        state = await self._recovery.state()
        if state.phase in _BEFORE_RESTORE:
            raise ProvisionError("restoring the base backup", "it is not unpacked", "run this step again")
        yield Proved(f"{state.backup} lies in {state.data}, as its manifest says")


class ReplayToTarget(NotUndone):
    """model.Step. `further` None: to the target that is asked for; else a later one, without a restore."""

    id = "recover-replay"
    title = "Replay, and pause at the target"
    risk = Risk.ADDS
    gated = True
    always = False
    explanation = (
        "Starts a private server on what was unpacked: no network, a socket in a folder of its own, "
        "archiving off on its command line, none of the old configuration, none of what an earlier "
        "recovery or a standby left. It replays the archive, then what was kept of the old server's "
        "pg_wal, and pauses at the target. It is a standby: where the archive ends, or has a hole, it "
        "waits, and never opens by itself. A later target goes on from where it is; an earlier one takes "
        "a new restore."
    )

    def __init__(self, recovery: Recovery, further: RecoveryTarget | None = None) -> None:
        self._recovery, self._further = recovery, further
        self._ahead: Check | None = None

    async def check(self) -> Check:
        """DONE where it stands at that very target; BLOCKED for one that lies before it."""
        state = await self._recovery.state()
        target = await self._target(state)
        if state.phase in _AFTER_PAUSE:
            return Check(CheckState.DONE, f"it was promoted: {state.words[0]}")
        if state.phase is RecoveryPhase.NONE or state.phase is RecoveryPhase.GIVEN_UP:
            if self._further is None:
                return Check(CheckState.NEEDED, f"{target.how} is to be replayed to")
            return Check(
                CheckState.BLOCKED, "no recovery stands at a target", remedy="begin one: --to, --into"
            )
        if state.phase in READABLE and state.target != target and await self._is_passed(state, target):
            replayed = f"what is replayed, up to {state.lsn}, is past {target.how}, and is not taken back"
            return Check(CheckState.BLOCKED, replayed, remedy="--give-up, then begin anew with that target")
        if state.phase in READABLE and state.target is not None and is_earlier(target, state.target):
            why = f"{target.how} lies before {state.target.how}: what is replayed is not taken back"
            return Check(CheckState.BLOCKED, why, remedy="--give-up, then begin anew with the earlier target")
        if state.readable and state.target == target:
            return Check(CheckState.DONE, f"it stands: {target.how}, at {state.lsn}")
        if self._further is not None and state.readable and target.to is not RecoverTo.LATEST:
            if self._ahead is None:
                self._ahead = await self._lies_ahead(state, target)
            return self._ahead
        return Check(CheckState.NEEDED, f"{target.how} is to be replayed to")

    async def _lies_ahead(self, state: RecoveryState, target: RecoveryTarget) -> Check:
        """A later target that is nowhere would take the copy to the end of all WAL, and nothing leads back:
        it is judged as a first one is.
        """
        wish = await self._recovery.wish()
        try:
            plan = await self._recovery.planned(replace(wish, target=target, backup=state.backup))
            refused = next((each for each in plan.refusals if each.trap in _NOWHERE), None)
            risked = [each for each in plan.warnings if each.trap in _NOWHERE]
        except ProvisionError as error:
            refused, risked = None, [Concern(f"whether it can be reached is not known: {error}")]
        if refused is not None:
            why = f"{target.how} cannot be reached: {refused.text}; it stays where it stands, at {state.lsn}"
            return Check(CheckState.BLOCKED, why, remedy=_AS_STEP.sub(r"--step-to \1", refused.remedy))
        facts = [Fact("note", each.text, FactState.WARNING, each.remedy) for each in risked]
        if risked:
            text = "where it is not met, all that can be had is replayed, and only a new restore leads back"
            facts.append(Fact("note", text, FactState.WARNING))
        return Check(CheckState.NEEDED, f"{target.how} is to be replayed to", tuple(facts))

    async def plan(self) -> Plan:
        """The command."""
        target = await self._target(await self._recovery.state())
        return Plan(
            f"replay up to {target.how}, and pause there",
            commands=(self._recovery.command("replay", *target_words(target)),),
            notes=("nothing outside of the recovery's own folder is written",),
            undo=STAYS,
        )

    async def apply(self) -> AsyncIterator[Event]:
        """Raises ProvisionError with the reason in the failure modes' words."""
        target = await self._target(await self._recovery.state())
        async for event in self._recovery.run("replay", *target_words(target)):
            yield event

    async def verify(self) -> AsyncIterator[Event]:
        """The server itself is asked. Raises ProvisionError where it is not paused."""
        status, said = await self._recovery.ask_copy("SELECT pg_is_in_recovery(), pg_last_wal_replay_lsn()")
        state = await self._recovery.state()
        if status != 0 or not said.startswith("t") or not state.readable:
            raise ProvisionError("asking the recovery's server", said.strip()[:300], "run this step again")
        yield Proved(f"it is in recovery, at {state.lsn}; the last commit is of {state.reached or 'n/a'}")

    async def _is_passed(self, state: RecoveryState, target: RecoveryTarget) -> bool:
        """Whether it is known to lie before what was replayed: the copy itself is asked, which knows parts of
        a second, too.
        """
        if state.readable and target.to is RecoverTo.TIME:
            sql = f"SELECT '{target.value}'::timestamptz < pg_last_xact_replay_timestamp()"
            status, said = await self._recovery.ask_copy(sql)
            if status == 0:
                return said.strip() == "t"
        if target.to is not RecoverTo.XID:
            return is_behind(target, state.lsn, state.reached)
        if target.xid is None or not state.readable:
            return False
        status, said = await self._recovery.ask_of_xid(target.xid)
        return status == 0 and said.strip() in ("committed", "aborted")

    async def _target(self, state: RecoveryState) -> RecoveryTarget:
        if self._further is not None:
            named = state.target.timeline if state.target is not None else None
            return self._further if named is None else on_timeline(self._further, named)
        wish = await self._recovery.wish()
        if state.is_open and state.timeline is not None:
            return on_timeline(wish.target, state.timeline)
        return (await self._recovery.plan()).target
