"""The verifier's schedule on a droplet: what runs it there, and whether that is switched on."""

from dataclasses import dataclass, replace
from shlex import quote

from walconsole.domain.profile import Profile
from walconsole.droplet.files import DropletFile, Schedule, verifier_files
from walconsole.droplet.names import names_of
from walconsole.provision.droplet.commands import programs, status_of
from walconsole.provision.droplet.survey import Survey
from walconsole.provision.engine.model import Command
from walconsole.provision.engine.site import Site

SWITCHED_ON = "enabled, active"


def schedule_of(survey: Survey) -> Schedule | None:
    """systemd where it runs the host, else cron, else nothing that could run the verifier."""
    if survey.systemd:
        return Schedule.SYSTEMD
    return Schedule.CRON if survey.crontabs else None


def profile_for(profile: Profile, survey: Survey) -> Profile:
    """The profile with the observed cluster's port and socket, so that the verifier asks no other server."""
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


@dataclass(frozen=True, slots=True)
class Timer:
    """systemd's timer of one deployment, by the commands that an operator would type."""

    site: Site

    @property
    def unit(self) -> str:
        """`NAME-verify-wal-archive.timer`."""
        return names_of(self.site.profile).timer.rpartition("/")[2]

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

    @property
    def _systemctl(self) -> str:
        return f"{programs(self.site)}systemctl"
