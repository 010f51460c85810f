"""Backups by pgBackRest: the script that takes one into each repository, and the first."""

from walconsole.provision.droplet.survey import Survey
from walconsole.provision.engine.model import Check
from walconsole.provision.engine.site import Site
from walconsole.provision.steps.backup_command import BackupCommand
from walconsole.provision.steps.engine import pgbackrest_obstacle, program_obstacle
from walconsole.provision.steps.first_backup import BackupNow, FirstBackup


def _obstacle(survey: Survey, site: Site) -> Check | None:
    blocked = pgbackrest_obstacle(survey, site.profile, site.choices, site.backup)
    return blocked or program_obstacle(survey, "flock")


class PgBackRestCommand(BackupCommand):
    """model.Step. Nothing calls the script before the schedule, or somebody, does."""

    explanation = (
        "Puts a script onto the droplet that has pgBackRest take a backup into each of its repositories, one "
        "after the other: without one all WAL of the archive restores nothing. pgBackRest waits for the WAL "
        "that a backup needs, and expires what the profile's rules do not keep. The script runs as "
        "PostgreSQL's user, one at a time, and notes what it does in a folder of that user's below /var/lib."
    )

    async def _obstacle(self, survey: Survey) -> Check | None:
        return _obstacle(survey, self._site)


class PgBackRestFirstBackup(FirstBackup):
    """model.Step. Each repository has backups of its own: what one holds the other need not."""

    explanation = (
        "Takes a backup now into each repository, by the installed script. It is done where each copy holds "
        "a complete one of this very cluster with all WAL that it needs, as backup.info says, which is read "
        "from the copy itself without pgBackRest, where that is not too old to be of use at night, and where "
        "no segment between it and the newest is missing in every copy. The script goes on by itself on the "
        "droplet where the connection is cut or this console is killed; run again, the step follows it. What "
        "was stored of one that is ended is no backup, and pgBackRest takes it up the next time."
    )
    _when_ended = "what it stored is taken up by the next one"

    async def _obstacle(self, survey: Survey) -> Check | None:
        return _obstacle(survey, self._site)


class PgBackRestBackupNow(PgBackRestFirstBackup, BackupNow):
    """The same for `walconsole backup`: one more is taken, whatever there is."""
