"""The restore drill's script in /usr/local/bin, root's, and the folder in which it works."""

from walconsole.droplet.files import DropletFile, Schedule
from walconsole.droplet.names import names_of
from walconsole.provision.droplet.schedules import archived_by_other, wanted_drill_files
from walconsole.provision.droplet.survey import Survey, blocked_without
from walconsole.provision.engine.model import Check, CheckState
from walconsole.provision.engine.site import Site
from walconsole.provision.steps.backup_command import BackupCommand, stranger

NEEDED_OF_ANY = ("psql", "timeout", "flock")
NEEDED = (*NEEDED_OF_ANY, "zstd", "rclone")
"""Programs that the script calls, besides PostgreSQL's own and those of a tool whose archive it is."""


async def drill_obstacle(survey: Survey, site: Site) -> Check | None:
    """BLOCKED where nothing can be drilled here; None where it can."""
    other = archived_by_other(survey)
    if other is not None:
        blocked = blocked_without(survey, *NEEDED_OF_ANY)
    else:
        blocked = stranger(survey, site) or blocked_without(survey, *NEEDED)
    if blocked is not None:
        return blocked
    if survey.server is not None and survey.server.in_recovery:
        why = "this server is a standby: a drill writes two empty transactions"
        return Check(CheckState.BLOCKED, why, remedy="make the drill beside the primary")
    if other is None and site.backup.recipients:
        why = "base backups are encrypted, and their secret key is not on this host"
        return Check(CheckState.BLOCKED, why, remedy="restore one where the key is; docs/recovery.md has how")
    return None


class DrillCommand(BackupCommand):
    """model.Step. Nothing calls the script before somebody does."""

    id = "drill-command"
    title = "Drill command"
    explanation = (
        "Puts a script onto the droplet that restores the newest base backup beside the server, replays all "
        "WAL up to now, reads the result and takes it away again: the only proof that a restore works. It "
        "runs as PostgreSQL's user, with a low priority, in a folder of its own below /var/lib (or where the "
        "profile's drills.folder says), and never touches production."
    )
    what_stays = "what drills proved stays in the copies"

    async def _obstacle(self, survey: Survey) -> Check | None:
        return await drill_obstacle(survey, self._site)

    def _script(self, survey: Survey) -> DropletFile:
        return wanted_drill_files(self._site, survey, Schedule.CRON)[0]  # the same with either

    def _state(self) -> str:
        return names_of(self._site.profile).drill_state
