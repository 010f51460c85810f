"""The restart, only where one is needed; a reload where that is enough."""

import asyncio
from collections.abc import AsyncIterator, Mapping

from walconsole.domain.archivers.tools import OFF
from walconsole.domain.redaction import safe
from walconsole.domain.units import plural
from walconsole.droplet.rendering import archive_command
from walconsole.errors import BlockedError, ProvisionError
from walconsole.observe.server.statements import query
from walconsole.provision.droplet.commands import os_user, psql, psql_script, server_log
from walconsole.provision.droplet.file_settings import (
    file_settings,
    must_be_readable,
    pending,
    value_at_start,
)
from walconsole.provision.droplet.survey import Survey
from walconsole.provision.engine.model import (
    Change,
    ChangeKind,
    Changing,
    Check,
    CheckState,
    Command,
    Event,
    Fact,
    Plan,
    Printed,
    Proved,
    Ran,
    Risk,
)
from walconsole.provision.engine.site import Site
from walconsole.provision.steps.dropin import MINIMAL
from walconsole.provision.steps.restarting import Control, Restarting, control_of

_RELOAD = "SELECT pg_reload_conf()"
_RELOADED_WITHIN_S = 10.0
_OURS = frozenset(("archive_mode", "archive_command", "archive_timeout", "wal_level"))
_CONNECTED_SHOWN = 8


class Restart:
    """model.Step: the values of the drop-in are in force."""

    id = "restart"
    title = "Restart"
    risk = Risk.INTERRUPTS
    gated = True
    always = False
    explanation = (
        "archive_mode and wal_level change with a restart alone; the rest takes a reload, which "
        "interrupts nobody. The plan says who is connected. A checkpoint is written first, so that the "
        "restart is short. The restart runs on the droplet by itself, whatever becomes of this "
        "connection: where the server does not come up, the old drop-in is put back, the server is "
        "started again, and its log lines are shown that say why."
    )

    def __init__(self, site: Site) -> None:
        self._site = site

    async def check(self) -> Check:
        """Done where the drop-in's values are in force."""
        survey = await self._site.survey(again=True)
        if survey.server is None:
            return Check(CheckState.BLOCKED, survey.server_problem, remedy="start the server")
        if survey.server.in_recovery:
            return Check(CheckState.BLOCKED, "the server is a standby", remedy="provision the primary")
        values = await self._in_force()
        facts = tuple(Fact(name, value) for name, value in sorted(values.items()))
        lacking = self._lacking(values)
        if not lacking:
            return Check(CheckState.DONE, "the drop-in's values are in force", facts)
        how = "a restart" if _takes_restart(values) else "a reload"
        return Check(CheckState.NEEDED, f"{', '.join(lacking)} not in force: it takes {how}", facts)

    async def plan(self) -> Plan:
        """Who is connected, what else a restart would change, and what happens if it fails."""
        survey = await self._site.survey()
        if not _takes_restart(await self._in_force()):
            reload = Command(await psql_script(self._site, _RELOAD), user=os_user(self._site))
            return Plan("let the server read its files again", (reload,), downtime="none")
        control = control_of(survey)
        shown = control.restart if control is not None else "restart PostgreSQL"
        checkpoint = Command(await psql_script(self._site, "CHECKPOINT"), user=os_user(self._site))
        return Plan(
            "restart PostgreSQL",
            commands=(checkpoint, Command(shown)),
            notes=(*await self._connected(), *await self._also_changed(), *_IF_IT_FAILS),
            downtime="a few seconds: connections are cut, and new ones refused until it is up",
            undo="undoing the drop-in and restarting once more turns archiving off",
        )

    async def apply(self) -> AsyncIterator[Event]:
        """Raises BlockedError without the drop-in, ProvisionError where the server came not up with it."""
        survey = await self._site.survey()
        configured = survey.configured.get("archive_command")
        if configured is None or configured.value != archive_command(self._site.profile):
            raise BlockedError("restarting", "the drop-in is not in place", "run the step Drop-in first")
        if not _takes_restart(await self._in_force()):
            yield Ran(Command(await psql_script(self._site, _RELOAD), user=os_user(self._site)))
            await psql(self._site, _RELOAD)
            return
        control = control_of(survey)
        if control is None:
            raise BlockedError(
                "restarting",
                "how this server is restarted is not known",
                "restart it by hand, then run this again",
            )
        await self._must_come_up()
        async for event in self._restart(survey, control):
            yield event

    async def _must_come_up(self) -> None:
        """Raises BlockedError where the server's own program says that a start would fail, or be for nothing.

        Its files may have been changed since the drop-in was judged; and what another file than the drop-in
        does to it, putting the drop-in back does not mend.
        """
        try:
            await must_be_readable(self._site)
            mode = await value_at_start(self._site, "archive_mode")
            level = await value_at_start(self._site, "wal_level")
        except ProvisionError as error:
            raise BlockedError("restarting", f"it would not start: {error.why}", error.remedy) from None
        if mode not in ("on", "always") or level == MINIMAL:
            why = f"it would start with archive_mode {mode} and wal_level {level}"
            raise BlockedError("restarting", why, "take away what comes after the drop-in")

    async def verify(self) -> AsyncIterator[Event]:
        """Raises ProvisionError where the values are not in force after 10 s."""
        clock = self._site.clock
        until = clock.monotonic() + _RELOADED_WITHIN_S
        while lacking := self._lacking(await self._in_force()):
            if clock.monotonic() > until:
                raise ProvisionError(
                    "reading the settings back",
                    f"{', '.join(lacking)} not in force",
                    "look at the server's log for the line that it did not take",
                )
            await self._site.sleep(0.2)
        yield Proved("archive_mode is on, and the archive command is the installed one")

    async def undo_plan(self, changes: tuple[Change, ...]) -> Plan | None:
        """A restart is not undone; what it put in force is, with the drop-in."""
        return None

    async def undo(self, changes: tuple[Change, ...]) -> AsyncIterator[Event]:
        """Nothing."""
        for _ in changes:
            yield Printed("a restart is not undone")

    async def _restart(self, survey: Survey, control: Control) -> AsyncIterator[Event]:
        yield Ran(Command(await psql_script(self._site, "CHECKPOINT"), user=os_user(self._site)))
        await psql(self._site, "CHECKPOINT", timeout_s=300.0)
        yield Changing(
            Change(self.id, ChangeKind.RESTART, survey.unit or "PostgreSQL", at=self._site.clock.now())
        )
        dropin = await self._written_dropin(survey)
        data = survey.server.data_directory if survey.server is not None else ""
        restarting = Restarting(
            self._site, control, dropin.what, dropin.kept, await server_log(self._site), data
        )
        async for event in restarting.run():
            yield event
        outcome = restarting.outcome
        if outcome is None or outcome.word == "down":
            raise ProvisionError(
                "restarting PostgreSQL",
                "THE SERVER IS DOWN: it did not start, not even with the old drop-in put back",
                f"read its log above; correct what it names, then: {control.start}",
            )
        if outcome.word == "unchanged":
            raise ProvisionError(
                "restarting PostgreSQL",
                "it was not restarted: the same process runs as before; the drop-in stays for the next start",
                f"the command's own words above say why; restart it by hand ({control.restart}), then run"
                " this again",
            )
        if outcome.word != "restarted":
            await asyncio.to_thread(self._forget, dropin)
            raise ProvisionError(
                "restarting PostgreSQL",
                f"it did not come up with the drop-in; it was put back, and the server runs as before"
                f" (away for at most {outcome.away_s} s)",
                "the lines of its log above say why; correct that, and run this again",
            )
        yield Printed(f"PostgreSQL restarted; away for at most {outcome.away_s} s")
        await self._site.survey(again=True)

    async def _written_dropin(self, survey: Survey) -> Change:
        """What the record has of our drop-in, newest; where it has nothing, as if the file had been new."""
        path = f"{survey.conf_d}/{self._site.profile.paths.dropin}"
        recorded = await asyncio.to_thread(self._site.record.changes)
        found = [change for change in recorded if change.kind is ChangeKind.FILE and change.what == path]
        return found[-1] if found else Change("drop-in", ChangeKind.FILE, path)

    def _forget(self, dropin: Change) -> None:
        if dropin in self._site.record.changes():
            self._site.record.undone(dropin)

    async def _in_force(self) -> Mapping[str, str]:
        rows = (await psql(self._site, query("in_force"))).splitlines()
        return {name: value for name, _, value in (row.partition("\t") for row in rows)}

    def _lacking(self, values: Mapping[str, str]) -> list[str]:
        lacking = []
        if values.get("wal_level") == "minimal":
            lacking.append("wal_level")
        if values.get("archive_mode") not in ("on", "always"):
            lacking.append("archive_mode")
        if values.get("archive_command", "") != archive_command(self._site.profile):
            lacking.append("archive_command")
        if values.get("archive_timeout") != str(self._site.choices.archive_timeout_s):
            lacking.append("archive_timeout")
        return lacking

    async def _connected(self) -> tuple[str, ...]:
        rows = [row.split("\t") for row in (await psql(self._site, query("connected"))).splitlines()]
        if not rows:
            return ("nobody is connected",)
        total = sum(int(row[3]) for row in rows)
        lines = [f"{plural(total, 'connection')} will be cut:"]
        for name, user, database, count, longest in rows[:_CONNECTED_SHOWN]:
            open_for = f", a transaction open for {longest} s" if longest else ""
            lines.append(safe(f"  {count} of {name} (user {user}, database {database}){open_for}"))
        if len(rows) > _CONNECTED_SHOWN:
            lines.append(f"  and of {len(rows) - _CONNECTED_SHOWN} more kinds")
        return tuple(lines)

    async def _also_changed(self) -> tuple[str, ...]:
        others = [row for row in pending(await file_settings(self._site)) if row.name not in _OURS]
        return tuple(f"it also puts in force {row.name} ({row.place})" for row in others)


_IF_IT_FAILS = (
    "if the server does not come up, the old drop-in is put back and the server started again, by itself",
)


def _takes_restart(values: Mapping[str, str]) -> bool:
    return (
        values.get("archive_mode") not in ("on", "always")
        or values.get("wal_level") == "minimal"
        or values.get("archive_command", "") in OFF - {""}
    )
