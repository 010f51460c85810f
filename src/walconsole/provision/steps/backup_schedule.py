"""What takes a base backup every night: a systemd timer, or a table of cron's."""

from collections.abc import AsyncIterator

from walconsole.domain.units import duration_text, plural
from walconsole.droplet.files import DropletFile, Schedule
from walconsole.droplet.names import names_of
from walconsole.errors import BlockedError, ProvisionError
from walconsole.provision.droplet.files import differences, foreign, install, install_command, undoing
from walconsole.provision.droplet.schedules import (
    SWITCHED_ON,
    Timer,
    runner_text,
    schedule_of,
    wanted_backup_files,
)
from walconsole.provision.droplet.survey import Survey
from walconsole.provision.engine.model import (
    Change,
    Check,
    CheckState,
    Event,
    Fact,
    FactState,
    FileChange,
    Plan,
    Proved,
    Risk,
)
from walconsole.provision.engine.site import Site

_NO_SCHEDULE = Check(
    CheckState.BLOCKED,
    "neither systemd nor cron runs on the droplet: nothing could take a base backup every night",
    remedy="apt-get install cron",
)


class BackupSchedule:
    """model.Step. Only what is missing or differs is written, only a timer that is off is switched on."""

    id = "backup-schedule"
    title = "Backup schedule"
    risk = Risk.ADDS
    gated = True
    always = False
    explanation = (
        "Has the base backup taken every night: by a systemd timer, at a time that differs by up to an "
        "hour, or by cron where there is no systemd. The older the newest base backup is, the more WAL a "
        "restore has to replay. A run that finds another one under way ends at once."
    )

    done = "a base backup is taken"
    undone = "no base backup is taken any more, and none is deleted"

    def __init__(self, site: Site) -> None:
        self._site = site
        self._timer = Timer(site, self._unit())

    async def check(self) -> Check:
        """Every file by text, mode and owner, and the timer's state."""
        schedule = schedule_of(await self._site.survey())
        if schedule is None:
            return _NO_SCHEDULE
        schedule, changes = await self._needed()
        state = await self._state(schedule)
        facts = [
            Fact(change.path, "not there" if change.before is None else "differs", FactState.NOTE)
            for change in changes
        ]
        if schedule is Schedule.SYSTEMD:
            good = FactState.OK if state == SWITCHED_ON else FactState.NOTE
            facts.append(Fact(self._timer.unit, state, good))
        if not changes and state == SWITCHED_ON:
            return Check(CheckState.DONE, f"{self._when(schedule)} {self.done}", tuple(facts))
        missing = [change.path for change in changes]
        if state != SWITCHED_ON:
            missing.append(f"the timer is {state}")
        return Check(CheckState.NEEDED, f"to be mended: {', '.join(missing)}", tuple(facts))

    async def plan(self) -> Plan:
        """The files that differ, and the timer where it is off."""
        schedule, changes = await self._needed()
        others = foreign(changes)
        commands = [install_command(change) for change in changes]
        doing = [f"write {plural(len(changes), 'file')}"] if changes else []
        if await self._to_switch_on(schedule, changes):
            commands += self._timer.switch_on()
            doing.append("switch the timer on")
        return Plan(
            f"{' and '.join(doing)}: {self._when(schedule)} {self.done}",
            commands=tuple(commands),
            files=changes,
            notes=tuple(f"{path} is there, and was not written by this console" for path in others),
            undo="walconsole undo switches it off and puts back what was there",
            confirm=others[0].rpartition("/")[2] if others else "",
        )

    async def apply(self) -> AsyncIterator[Event]:
        """Files first, then the timer."""
        schedule, changes = await self._needed()
        switching = await self._to_switch_on(schedule, changes)
        before = await self._state(schedule)
        for change in changes:
            async for event in install(self._site, self.id, change):
                yield event
        if switching:
            async for event in self._timer.switched_on(self.id, before):
                yield event

    async def verify(self) -> AsyncIterator[Event]:
        """Files and timer as they shall be."""
        schedule, left = await self._needed()
        if left:
            raise ProvisionError(
                "reading the schedule back", f"{left[0].path} is not as it was written", "run this step again"
            )
        state = await self._state(schedule)
        if state != SWITCHED_ON:
            remedy = f"see `systemctl status {self._timer.unit}` on the droplet"
            raise ProvisionError(f"looking at {self._timer.unit}", f"it is {state}", remedy)
        yield Proved(f"{self._when(schedule)} {self.done}")

    async def undo_plan(self, changes: tuple[Change, ...]) -> Plan | None:
        """Switch the timer off, put back what was there, and have systemd read its files again."""
        files = await undoing(self._site, changes)
        commands = await self._timer.undo_commands(changes)
        return Plan("take the schedule away", commands, files, (self.undone,))

    async def undo(self, changes: tuple[Change, ...]) -> AsyncIterator[Event]:
        """See Timer.undone."""
        async for event in self._timer.undone(changes):
            yield event

    def _unit(self) -> str:
        """The timer's path."""
        return names_of(self._site.profile).backup_timer

    def _wanted(self, survey: Survey, schedule: Schedule) -> tuple[DropletFile, ...]:
        """The script, and what starts it."""
        return wanted_backup_files(self._site, survey, schedule)

    async def _needed(self) -> tuple[Schedule, tuple[FileChange, ...]]:
        """Raises BlockedError where nothing could run it."""
        survey = await self._site.survey()
        schedule = schedule_of(survey)
        if schedule is None:
            raise BlockedError(self.title, _NO_SCHEDULE.summary, _NO_SCHEDULE.remedy)
        _, *files = self._wanted(survey, schedule)
        return schedule, await differences(self._site, files)

    async def _state(self, schedule: Schedule) -> str:
        """The timer's; cron needs no switching on."""
        return await self._timer.state() if schedule is Schedule.SYSTEMD else SWITCHED_ON

    async def _to_switch_on(self, schedule: Schedule, changes: tuple[FileChange, ...]) -> bool:
        if schedule is not Schedule.SYSTEMD:
            return False
        return bool(changes) or await self._timer.state() != SWITCHED_ON

    def _when(self, schedule: Schedule) -> str:
        """`every night from 03:10 on, within 1 h 00 min, by a systemd timer`: by the droplet's clock."""
        backup = self._site.backup
        at = f"{backup.hour:02}:{backup.minute:02}"
        if schedule is Schedule.CRON:
            return f"every night at {at}, by {runner_text(schedule)},"
        within = f" within {duration_text(float(backup.jitter_s))}" if backup.jitter_s else ""
        return f"every night from {at} on{within}, by {runner_text(schedule)},"
