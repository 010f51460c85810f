"""A base backup that runs: end it, and see that nothing half is left of it."""

import asyncio
import re
from collections.abc import AsyncIterator

from walconsole.domain.facts.base_backups import BackupSession
from walconsole.domain.records import record
from walconsole.domain.recovery.running import BackupRunStatus, end_words
from walconsole.domain.redaction import safe
from walconsole.domain.standing.backup_runs import SCRIPT
from walconsole.domain.units import bytes_text
from walconsole.errors import BlockedError, ProvisionError
from walconsole.provision.droplet.backup_run import BackupRun, Look
from walconsole.provision.droplet.commands import os_user, psql
from walconsole.provision.engine.model import (
    Check,
    CheckState,
    Command,
    Event,
    Fact,
    FactState,
    Plan,
    Printed,
    Proved,
    Ran,
    Waiting,
)
from walconsole.provision.engine.site import Site
from walconsole.provision.fixes.base import FixStep
from walconsole.provision.steps.backup_look import names_below

_SUBJECT = re.compile(rf"(?:{SCRIPT}|[1-9]\d{{0,9}})?")
_MARKER = "backup.json"
_GONE_WITHIN_S = 120.0
"""The script waits for what it started, and deletes what it stored, in both copies."""
_TERMINATE = "SELECT pg_terminate_backend(pid) FROM pg_stat_progress_basebackup WHERE pid = {pid}"
_NOT_OURS = (
    "its own tool fails, and says so: pg_basebackup takes away the folder that it made (unless with "
    "--no-clean), Barman marks its backup as failed",
    "a tar on pg_basebackup's standard output ends cut, and what reads it may take that for the whole: see "
    "what became of it",
)


@record
class _Target:
    """What is to be ended: the script's run, or a session of somebody else's."""

    run: BackupRunStatus | None = None
    session: BackupSession | None = None

    @property
    def words(self) -> str:
        """In a sentence."""
        if self.run is not None:
            return f"the installed script's base backup {safe(self.run.id) or '(just begun)'}"
        session = self.session
        named = (session.application or "a client without a name") if session is not None else ""
        pid = session.pid if session is not None else 0
        return f"the base backup of {named} (session {pid})"


class EndBackup(FixStep):
    """TERM to the installed script, which clears away; pg_terminate_backend for anybody else's stream."""

    id = "end-backup"
    title = "End the base backup that runs"
    explanation = (
        "Ends a base backup, whoever takes it. The installed script gets one signal: it ends what it "
        "started, aborts its uploads, deletes what it stored where no backup.json stands, and ends its "
        "session; that nothing is left is looked up in each copy. Of another tool's the server's sending "
        "process is ended, and the tool fails. A backup between pg_backup_start and pg_backup_stop, as "
        "pgBackRest takes it, is ended where it runs. Complete base backups are not touched."
    )

    def __init__(self, site: Site, subject: str = "") -> None:
        super().__init__(site, subject)
        self._run = BackupRun(self._site)
        self._ended: _Target | None = None

    async def check(self) -> Check:
        """DONE where none runs; BLOCKED where several do, or it cannot be ended from here."""
        look = await self._look()
        found = self._targets(look)
        facts = tuple(map(_fact, found))
        if not found:
            which = f"{self._subject!r} takes no base backup now" if self._subject else "no base backup runs"
            return Check(CheckState.DONE, which)
        if len(found) > 1:
            names = ", ".join(
                SCRIPT if each.run is not None else str(each.session.pid if each.session else "")
                for each in found
            )
            why = f"{len(found)} base backups run"
            return Check(CheckState.BLOCKED, why, facts, f"say which: --subject with one of {names}")
        (target,) = found
        if target.session is not None and not target.session.streams:
            why = f"{target.words} copies the files itself"
            return Check(
                CheckState.BLOCKED, why, facts, "end it where it runs (pgbackrest stop, or its process)"
            )
        return Check(CheckState.NEEDED, f"{target.words} runs", facts)

    async def plan(self) -> Plan:
        """One signal, or one statement."""
        target = await self._target()
        undo = "cannot be undone; another one can be taken at any time"
        if target.run is not None:
            return Plan(
                f"end {target.words}",
                (Command(f"kill -TERM {target.run.pid}", user=os_user(self._site)),),
                notes=(
                    "it ends what it started and takes away what it stored of this base backup, in each copy",
                    "complete base backups stay as they are; the schedule goes on",
                ),
                undo=undo,
            )
        return Plan(
            f"end {target.words}", (self.sql_command(_terminate(target)),), notes=_NOT_OURS, undo=undo
        )

    async def apply(self) -> AsyncIterator[Event]:
        """Once more: only what takes a base backup at this moment. Raises ProvisionError."""
        target = self._ended = await self._target()
        if target.run is not None:
            yield Ran(Command(f"kill -TERM {target.run.pid}", user=os_user(self._site)))
            await self._run.end()
            return
        yield Ran(self.sql_command(_terminate(target)))
        if await psql(self._site, _terminate(target)) != "t":
            yield Printed("its session had ended before")

    async def verify(self) -> AsyncIterator[Event]:
        """It is gone, and of the script's run no object stands without backup.json. Raises ProvisionError."""
        target = self._ended
        if target is None:
            return
        began = self._site.clock.monotonic()
        while (look := await self._still(target)) is None:
            waited = self._site.clock.monotonic() - began
            if waited > _GONE_WITHIN_S:
                why = "it still runs, though it was told to end"
                raise ProvisionError(
                    f"ending {target.words}", why, "see what it waits for on the droplet (ps)"
                )
            yield Waiting(f"{target.words} ends", waited, _GONE_WITHIN_S)
            await self._site.sleep(1.0)
        if target.run is None:
            yield Proved(f"{target.words} has ended: the server has no such session any more")
            return
        status = look.status
        if status is not None and status.run == target.run.run and status.exit_status is not None:
            yield Printed(f"its last word ({end_words(status.exit_status)[0]}): {safe(status.message)}")
        identity = status.id if status is not None and status.run == target.run.run else target.run.id
        async for event in self._nothing_half(identity):
            yield event

    async def _still(self, target: _Target) -> Look | None:
        """None while it goes on; else what was seen. Raises ProvisionError where nothing is."""
        look = await self._look()
        if target.run is not None:
            running = look.running
            return None if running is not None and running.run == target.run.run else look
        pid = target.session.pid if target.session is not None else 0
        return None if any(each.pid == pid for each in look.sessions or ()) else look

    async def _nothing_half(self, identity: str) -> AsyncIterator[Event]:
        if not identity:
            yield Proved("it has ended; it had no name for its objects yet, and had stored none")
            return
        targets = self._site.targets()
        listed = await asyncio.gather(*(names_below(self._site, each, identity) for each in targets))
        for copy, names in zip(targets, listed, strict=True):
            where = f"{copy.bucket} in {copy.region}"
            if names and _MARKER not in names:
                raise ProvisionError(
                    f"ending base backup {identity}",
                    f"{where} still holds {', '.join(sorted(map(safe, names)))} of it, without {_MARKER}",
                    "it is no base backup; the script's next run clears it away",
                )
            what = "stands complete, for it had ended first" if names else "holds nothing of it"
            yield Proved(f"{where}: {what}")

    async def _look(self) -> Look:
        """Raises ProvisionError where the server does not tell of its sessions."""
        self._fits(_SUBJECT, f"process id, and not {SCRIPT!r}")
        look = await self._run.look()
        if look.sessions is None:
            raise ProvisionError(
                "looking for base backups that run",
                "PostgreSQL did not tell of its sessions",
                "is it up? The script on the droplet ends by itself where its server is gone",
            )
        return look

    def _targets(self, look: Look) -> tuple[_Target, ...]:
        """What the subject means; all that run where there is none."""
        found = [] if look.running is None else [_Target(run=look.running)]
        own = look.session if look.running is not None else None
        found += [_Target(session=each) for each in look.sessions or () if each is not own]
        if self._subject == SCRIPT:
            return tuple(each for each in found if each.run is not None)
        if self._subject:
            return tuple(each for each in found if each.session and str(each.session.pid) == self._subject)
        return tuple(found)

    async def _target(self) -> _Target:
        """The one. Raises BlockedError where there is none any more, or more."""
        found = self._targets(await self._look())
        if len(found) != 1 or (found[0].session is not None and not found[0].session.streams):
            raise BlockedError(self.title, "it is not the one that runs any more", "look again")
        return found[0]


def _terminate(target: _Target) -> str:
    """By what takes a base backup: a process of that number that does anything else is none of its rows."""
    pid = target.session.pid if target.session is not None else 0
    return _TERMINATE.format(pid=pid)


def _fact(target: _Target) -> Fact:
    if target.run is not None:
        return Fact(
            "script", f"{safe(target.run.id) or 'just begun'}, process {target.run.pid}", FactState.NOTE
        )
    session = target.session
    if session is None:
        return Fact("none", "")
    sent = "" if session.sent_bytes is None else f", {bytes_text(session.sent_bytes)} sent"
    client = f" from {session.client}" if session.client else ""
    who = session.application or "a client without a name"
    return Fact(
        f"session {session.pid}", f"{who}{client}: {session.phase or 'no phase told'}{sent}", FactState.NOTE
    )
