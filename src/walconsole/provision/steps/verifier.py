"""The verifier, and what runs it every hour."""

import json
from collections.abc import AsyncIterator
from shlex import quote

from walconsole.domain.redaction import safe
from walconsole.domain.units import plural
from walconsole.droplet.files import Schedule
from walconsole.droplet.names import names_of
from walconsole.errors import BlockedError, ProvisionError
from walconsole.provision.droplet.commands import run
from walconsole.provision.droplet.files import (
    differences,
    file_script,
    foreign,
    install,
    install_command,
    undoing,
)
from walconsole.provision.droplet.schedules import SWITCHED_ON, Timer, runner_text, schedule_of, wanted_files
from walconsole.provision.droplet.survey import Survey, blocked_without
from walconsole.provision.engine.model import (
    Change,
    Check,
    CheckState,
    Command,
    Event,
    Fact,
    FactState,
    FileChange,
    Plan,
    Printed,
    Proved,
    Risk,
)
from walconsole.provision.engine.site import Site

_FAULTS = 1
"""docs/droplet.md: 0 is clean, 1 has found faults."""
_NO_SCHEDULE = Check(
    CheckState.BLOCKED,
    "neither systemd nor cron runs on the droplet: nothing could run the verifier every hour",
    remedy="apt-get install cron",
)


class Verifier:
    """model.Step. Only what is missing or differs is written, only a timer that is off is switched on."""

    id = "verifier"
    title = "Verifier"
    risk = Risk.ADDS
    gated = True
    always = False
    explanation = (
        "Puts a script onto the droplet that asks every hour whether the archive really works: that "
        "archiving is on and does not fail, that the segment which PostgreSQL archived last is in the "
        "bucket, and that nothing waits too long. It is silent while all is well, and touches its heartbeat; "
        "a fault is a line in its log and in the journal. A systemd timer runs it, or cron where there is no "
        "systemd. Until the restart it would rightly say that archiving is off."
    )

    def __init__(self, site: Site) -> None:
        self._site = site
        self._timer = Timer(site, names_of(site.profile).timer)

    async def check(self) -> Check:
        """Every file by text, mode and owner, and the timer's state."""
        survey = await self._site.survey()
        blocked = blocked_without(survey, "rclone", "timeout", "psql")
        if blocked is not None:
            return blocked
        schedule = schedule_of(survey)
        if schedule is None:
            return _NO_SCHEDULE
        changes = await differences(self._site, wanted_files(self._site, survey, schedule))
        state = await self._state(schedule)
        facts = tuple(_facts(changes, state, self._timer.unit, survey))
        if not changes and state == SWITCHED_ON:
            return Check(
                CheckState.DONE, f"it is installed, and {runner_text(schedule)} runs it every hour", facts
            )
        missing = [change.path for change in changes]
        if state != SWITCHED_ON:
            missing.append(f"the timer is {state}")
        return Check(CheckState.NEEDED, f"to be mended: {', '.join(missing)}", facts)

    async def plan(self) -> Plan:
        """The files that differ, and the timer where it is off."""
        survey, schedule, changes = await self._needed()
        others = foreign(changes)
        notes = [
            f"{path} is there, and was not written by this console: it is kept, and replaced"
            for path in others
        ]
        if "logrotate" not in survey.tools:
            notes.append(
                "there is no logrotate: the log grows until somebody empties it (a line for each fault)"
            )
        if not _archiving(survey):
            notes.append("until the restart it says that archiving is off: that is right")
        commands = [self._make_log_folder(), *(install_command(change) for change in changes)]
        doing = [f"write {plural(len(changes), 'file')}"] if changes else []
        if await self._to_switch_on(schedule, changes):
            commands += self._timer.switch_on()
            doing.append("switch the timer on")
        return Plan(
            summary=f"{' and '.join(doing)}: {runner_text(schedule)} runs the verifier every hour",
            commands=tuple(commands),
            files=changes,
            notes=tuple(notes),
            undo="walconsole undo switches the timer off and puts back what was there; the log stays",
            confirm=others[0].rpartition("/")[2] if others else "",
        )

    async def apply(self) -> AsyncIterator[Event]:
        """Files first, then the timer."""
        _, schedule, changes = await self._needed()
        made = file_script("stand", self._site.profile.paths.log, "make")
        async for event in run(self._site, self._make_log_folder(), script=f"umask 022\n{made}"):
            yield event
        switching = await self._to_switch_on(schedule, changes)
        before = await self._state(schedule)
        for change in changes:
            async for event in install(self._site, self.id, change):
                yield event
        if switching:
            async for event in self._timer.switched_on(self.id, before):
                yield event

    async def verify(self) -> AsyncIterator[Event]:
        """Files and timer as they shall be; where archiving is on, what the verifier itself says."""
        survey, schedule, left = await self._needed()
        if left:
            raise ProvisionError(
                "reading the verifier back", f"{left[0].path} is not as it was written", "run this step again"
            )
        yield Proved("every file is as it was written")
        state = await self._state(schedule)
        if state != SWITCHED_ON:
            raise ProvisionError(
                f"looking at {self._timer.unit}",
                f"it is {state}",
                f"see `systemctl status {self._timer.unit}` on the droplet",
            )
        yield Proved(f"{runner_text(schedule)} runs it every hour")
        if not _archiving(survey):
            yield Printed(
                "archiving is off until the restart: the verifier is not run yet, it would rightly alarm"
            )
            return
        async for event in self._run_once():
            yield event

    async def undo_plan(self, changes: tuple[Change, ...]) -> Plan | None:
        """Switch the timer off, put back what was there, and have systemd read its files again."""
        files = await undoing(self._site, changes)
        commands = await self._timer.undo_commands(changes)
        return Plan("switch the verifier off and take it away", commands, files, ("its log stays",))

    async def undo(self, changes: tuple[Change, ...]) -> AsyncIterator[Event]:
        """See Timer.undone."""
        async for event in self._timer.undone(changes):
            yield event

    def _make_log_folder(self) -> Command:
        return Command(f"mkdir -p -- {quote(self._site.profile.paths.log.rpartition('/')[0] or '/')}")

    async def _needed(self) -> tuple[Survey, Schedule, tuple[FileChange, ...]]:
        """Raises BlockedError where nothing could run the verifier."""
        survey = await self._site.survey()
        schedule = schedule_of(survey)
        if schedule is None:
            raise BlockedError(self.title, _NO_SCHEDULE.summary, _NO_SCHEDULE.remedy)
        return survey, schedule, await differences(self._site, wanted_files(self._site, survey, schedule))

    async def _state(self, schedule: Schedule) -> str:
        """The timer's; cron needs no switching on."""
        return await self._timer.state() if schedule is Schedule.SYSTEMD else SWITCHED_ON

    async def _to_switch_on(self, schedule: Schedule, changes: tuple[FileChange, ...]) -> bool:
        """Whether systemd has to be told: the timer is off, or a unit's file changes."""
        if schedule is not Schedule.SYSTEMD:
            return False
        names = names_of(self._site.profile)
        units = {names.service, names.timer}
        return any(change.path in units for change in changes) or await self._timer.state() != SWITCHED_ON

    async def _run_once(self) -> AsyncIterator[Event]:
        """With --json, which leaves no trace: an alarm now would be this step's own."""
        path = names_of(self._site.profile).verifier
        last = ""
        async for event in run(self._site, Command(f"{quote(path)} --json"), accepted=(0, _FAULTS)):
            if isinstance(event, Printed):
                last = event.text
            yield event
        faults = _faults(path, last)
        if "server-silent" in faults:
            raise ProvisionError(f"running {path}", f"it cannot ask PostgreSQL: {faults['server-silent']}")
        if not faults:
            yield Proved("the verifier finds nothing wrong")
        for text in faults.values():
            yield Printed(f"the verifier works, and finds: {text}")


def _faults(path: str, said: str) -> dict[str, str]:
    """The faults by id, of the verifier's JSON. Raises ProvisionError where it is none."""
    try:
        found = json.loads(said)["faults"]
        return {str(one["id"]): safe(str(one["text"])) for one in found}
    except (ValueError, KeyError, TypeError):
        raise ProvisionError(f"running {path} --json", f"it printed no report: {safe(said[:200])}") from None


def _archiving(survey: Survey) -> bool:
    return survey.server is not None and survey.server.settings.get("archive_mode", "off") != "off"


def _facts(changes: tuple[FileChange, ...], state: str, unit: str, survey: Survey) -> list[Fact]:
    facts = []
    for change in changes:
        there = "not there" if change.before is None else "differs"
        facts.append(Fact(change.path, there, FactState.NOTE))
    if survey.systemd:
        facts.append(Fact(unit, state, FactState.OK if state == SWITCHED_ON else FactState.NOTE))
    if "logrotate" not in survey.tools:
        facts.append(Fact("logrotate", "not there", FactState.NOTE, "apt-get install logrotate"))
    return facts
