"""Everything that a profile installs on its droplet, as data: path, mode and text."""

from enum import StrEnum

from walconsole.domain.archivers.own_restore import OwnRestore
from walconsole.domain.profile import Engine, Profile
from walconsole.domain.records import record
from walconsole.droplet import rendering
from walconsole.droplet.choices import BackupChoices, DrillChoices, DropletChoices
from walconsole.droplet.names import names_of


class Schedule(StrEnum):
    """What runs the verifier every hour, and the base backup every night."""

    SYSTEMD = "systemd"
    CRON = "cron"


@record
class DropletFile:
    """One file, root's, with its permission bits. No text holds a secret."""

    path: str
    mode: int
    text: str


def command_files(profile: Profile, choices: DropletChoices) -> tuple[DropletFile, ...]:
    """The archive and the restore command, after the certificates by which they know the stores, if any.

    Raises ValueError where the profile's name is no short name.
    """
    names = names_of(profile)
    text = rendering.authorities(profile, choices)
    return (
        *((DropletFile(names.authorities, 0o644, text),) if text else ()),
        DropletFile(names.archive, 0o755, rendering.archive_script(profile, choices)),
        DropletFile(names.restore, 0o755, rendering.restore_script(profile, choices)),
    )


def verifier_files(profile: Profile, choices: DropletChoices, schedule: Schedule) -> tuple[DropletFile, ...]:
    """The verifier, its schedule, and the rotation of its log. Raises ValueError as command_files does."""
    names = names_of(profile)
    by_schedule = {
        Schedule.SYSTEMD: (
            DropletFile(names.service, 0o644, rendering.service_unit(profile)),
            DropletFile(names.timer, 0o644, rendering.timer_unit(profile)),
        ),
        Schedule.CRON: (DropletFile(names.cron, 0o644, rendering.cron_table(profile, choices)),),
    }
    return (
        DropletFile(names.verifier, 0o755, rendering.verify_script(profile, choices)),
        *by_schedule[schedule],
        DropletFile(names.logrotate, 0o644, rendering.logrotate_rule(profile)),
    )


def backup_files(
    profile: Profile, choices: DropletChoices, backup: BackupChoices, schedule: Schedule
) -> tuple[DropletFile, ...]:
    """The base backup's script and its schedule. Raises ValueError as command_files does."""
    names = names_of(profile)
    by_schedule = {
        Schedule.SYSTEMD: (
            DropletFile(names.backup_service, 0o644, rendering.backup_service(profile, backup)),
            DropletFile(names.backup_timer, 0o644, rendering.backup_timer(profile, backup)),
        ),
        Schedule.CRON: (DropletFile(names.backup_cron, 0o644, rendering.backup_cron(profile, backup)),),
    }
    ours = profile.engine is Engine.RCLONE
    render = rendering.backup_script if ours else rendering.pgbackrest_backup_script
    script = DropletFile(names.backup, 0o755, render(profile, choices, backup))
    return (script, *by_schedule[schedule])


def drill_files(
    profile: Profile,
    choices: DropletChoices,
    drill: DrillChoices,
    schedule: Schedule,
    other: OwnRestore | None = None,
) -> tuple[DropletFile, ...]:
    """The restore drill's script and its schedule; `other` brings another tool's archive.

    Raises ValueError as command_files does.
    """
    names = names_of(profile)
    by_schedule = {
        Schedule.SYSTEMD: (
            DropletFile(names.drill_service, 0o644, rendering.drill_service(profile, drill)),
            DropletFile(names.drill_timer, 0o644, rendering.drill_timer(profile, drill)),
        ),
        Schedule.CRON: (DropletFile(names.drill_cron, 0o644, rendering.drill_cron(profile, drill)),),
    }
    script = DropletFile(names.drill, 0o755, rendering.drill_script(profile, choices, drill, other))
    return (script, *by_schedule[schedule])


def recover_file(profile: Profile, choices: DropletChoices, drill: DrillChoices) -> DropletFile:
    """The recovery's script. Raises ValueError as command_files does."""
    return DropletFile(names_of(profile).recover, 0o755, rendering.recover_script(profile, choices, drill))


def dropin_file(profile: Profile, choices: DropletChoices, conf_d: str) -> DropletFile:
    """The drop-in in `conf_d`, the include folder of the configuration that the server really reads."""
    path = f"{conf_d.rstrip('/')}/{profile.paths.dropin}"
    return DropletFile(path, 0o644, rendering.dropin(profile, choices))
