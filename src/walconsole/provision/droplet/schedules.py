"""Schedules on a droplet (verifier, base backup, drill): what runs them, and whether it is on."""

from collections.abc import AsyncIterator
from dataclasses import replace
from shlex import quote

from walconsole.domain.archivers.own_restore import OwnRestore, own_restore
from walconsole.domain.profile import Profile
from walconsole.domain.records import record
from walconsole.droplet.files import (
    DropletFile,
    Schedule,
    backup_files,
    drill_files,
    recover_file,
    verifier_files,
)
from walconsole.droplet.names import names_of
from walconsole.errors import ProvisionError
from walconsole.provision.droplet.commands import programs, run, status_of
from walconsole.provision.droplet.files import put_back, put_back_command
from walconsole.provision.droplet.survey import Survey
from walconsole.provision.engine.model import Change, ChangeKind, Changing, Command, Event
from walconsole.provision.engine.site import Site

SWITCHED_ON = "enabled, active"
_NO_SUCH_UNIT = (0, 1, 5)
"""systemctl(1): 1 and 5 where somebody took the unit's file away already."""


def schedule_of(survey: Survey) -> Schedule | None:
    """systemd where it runs the host, else cron, else nothing that could run anything."""
    if survey.systemd:
        return Schedule.SYSTEMD
    return Schedule.CRON if survey.crontabs else None


def profile_for(profile: Profile, survey: Survey) -> Profile:
    """The profile with the observed cluster's port and socket, so that no script asks another server."""
    cluster, postgres = survey.cluster, profile.postgres
    if cluster is None:
        return profile
    return replace(
        profile,
        postgres=replace(
            postgres,
            cluster=postgres.cluster or cluster.name,
            port=postgres.port or cluster.port,
            socket_dir=postgres.socket_dir or cluster.socket_dir,
        ),
    )


def wanted_files(site: Site, survey: Survey, schedule: Schedule) -> tuple[DropletFile, ...]:
    """The verifier and its schedule; the rotation of its log only where logrotate is."""
    names = names_of(site.profile)
    files = verifier_files(profile_for(site.profile, survey), site.choices, schedule)
    return tuple(file for file in files if file.path != names.logrotate or "logrotate" in survey.tools)


def wanted_backup_files(site: Site, survey: Survey, schedule: Schedule) -> tuple[DropletFile, ...]:
    """The base backup's script, the first, and its schedule."""
    return backup_files(profile_for(site.profile, survey), site.choices, site.backup, schedule)


def wanted_recover_file(site: Site, survey: Survey) -> DropletFile:
    """The recovery's script."""
    return recover_file(profile_for(site.profile, survey), site.choices, site.drill)


def wanted_drill_files(site: Site, survey: Survey, schedule: Schedule) -> tuple[DropletFile, ...]:
    """The restore drill's script, the first, and its schedule."""
    profile, other = profile_for(site.profile, survey), archived_by_other(survey)
    return drill_files(profile, site.choices, site.drill, schedule, other)


def archived_by_other(survey: Survey) -> OwnRestore | None:
    """How another tool brings back what it archives from here; None where that is ours, or not known."""
    settings = survey.server.settings if survey.server is not None else {}
    return None if settings.get("archive_library") else own_restore(settings.get("archive_command", ""))


def runner_text(schedule: Schedule) -> str:
    """What runs it, in words."""
    return "a systemd timer" if schedule is Schedule.SYSTEMD else "cron"


@record
class Timer:
    """systemd's timer whose unit is the file `path`, by the commands that an operator would type."""

    site: Site
    path: str

    @property
    def unit(self) -> str:
        """`NAME-verify-wal-archive.timer`."""
        return self.path.rpartition("/")[2]

    async def state(self) -> str:
        """`enabled, active`, `disabled, inactive`, …: systemd's own two words."""
        script = (
            f"{self._systemctl} is-enabled {self.unit} 2>/dev/null | head -n 1 | grep . || echo 'not there'\n"
            f"{self._systemctl} is-active {self.unit} 2>/dev/null | head -n 1 | grep . || echo inactive"
        )
        _, said = await status_of(self.site, script)
        return ", ".join(line.strip() for line in said.splitlines()[:2])

    def switch_on(self) -> tuple[Command, ...]:
        """Have systemd read its files again, and start the timer now and at every boot."""
        return (self.read_again(), Command(f"{self._systemctl} enable --now {quote(self.unit)}"))

    def switch_off(self) -> Command:
        """The opposite."""
        return Command(f"{self._systemctl} disable --now {quote(self.unit)}")

    def read_again(self) -> Command:
        """After a unit file changed."""
        return Command(f"{self._systemctl} daemon-reload")

    async def switched_on(self, step: str, before: str) -> AsyncIterator[Event]:
        """Switch it on, for `step`; where its state was another `before` that is a change.

        Raises ProvisionError.
        """
        if before != SWITCHED_ON:
            now = self.site.clock.now()
            yield Changing(Change(step, ChangeKind.SCHEDULE, self.unit, before, SWITCHED_ON, at=now))
        for command in self.switch_on():
            async for event in run(self.site, command):
                yield event

    async def undo_commands(self, changes: tuple[Change, ...]) -> tuple[Command, ...]:
        """What `undone` does, by hand."""
        commands = [self.switch_off()] if _scheduled(changes) else []
        commands += [await put_back_command(self.site, change) for change in _files(changes)]
        if (await self.site.survey()).systemd:
            commands.append(self.read_again())
        return tuple(commands)

    async def undone(self, changes: tuple[Change, ...]) -> AsyncIterator[Event]:
        """The timer first, while its file is there, then the files, the newest first.

        Raises ProvisionError.
        """
        if _scheduled(changes):
            async for event in run(self.site, self.switch_off(), accepted=_NO_SUCH_UNIT):
                yield event
            state = await self.state()
            if state.endswith(", active"):
                raise ProvisionError(f"switching {self.unit} off", f"it is {state}")
        for change in _files(changes):
            async for event in put_back(self.site, change):
                yield event
        if (await self.site.survey()).systemd:
            async for event in run(self.site, self.read_again()):
                yield event

    @property
    def _systemctl(self) -> str:
        return f"{programs(self.site)}systemctl"


def _scheduled(changes: tuple[Change, ...]) -> bool:
    return any(change.kind is ChangeKind.SCHEDULE for change in changes)


def _files(changes: tuple[Change, ...]) -> list[Change]:
    return [change for change in changes if change.kind is ChangeKind.FILE]
