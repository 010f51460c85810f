"""The restore drill's script in /usr/local/bin, root's, and the folder in which it works."""

from shlex import quote

from walconsole.domain.redaction import safe
from walconsole.droplet.files import DropletFile, Schedule
from walconsole.droplet.names import names_of
from walconsole.provision.droplet.commands import os_user, programs, status_of
from walconsole.provision.droplet.schedules import archived_by_other, wanted_drill_files
from walconsole.provision.droplet.survey import Survey, blocked_without
from walconsole.provision.engine.model import Check, CheckState
from walconsole.provision.engine.site import Site
from walconsole.provision.steps.backup_command import BackupCommand, stranger

NEEDED_OF_ANY = ("psql", "timeout", "flock")
NEEDED = (*NEEDED_OF_ANY, "zstd", "rclone")
"""Programs that the script calls, besides PostgreSQL's own, age, and those of a tool whose archive it is."""
_FAULT_SHOWN = 200
_HOW = "docs/recovery.md says what that means for the keys"
_NAME_A_KEY = f"name a file of age's secret keys on the host: drills.identity in the profile; {_HOW}"


async def drill_obstacle(survey: Survey, site: Site) -> Check | None:
    """BLOCKED where nothing can be drilled here; None where it can."""
    other = archived_by_other(survey)
    if other is not None:
        blocked = blocked_without(survey, *NEEDED_OF_ANY)
    else:
        decrypts = ("age",) if site.drill.identity else ()
        blocked = stranger(survey, site) or blocked_without(survey, *NEEDED, *decrypts)
    if blocked is not None:
        return blocked
    return await key_obstacle(site) if other is None else None


async def key_obstacle(site: Site) -> Check | None:
    """BLOCKED where base backups are encrypted, and the drill has no key to decrypt them."""
    file = site.drill.identity
    if not file:
        if not site.backup.recipients:
            return None
        why = "base backups are encrypted, and the profile names no secret key of theirs on this host"
        return Check(CheckState.BLOCKED, why, remedy=_NAME_A_KEY)
    fault = await key_fault(site, file)
    if not fault:
        return None
    why = f"drills.identity, {file}: {fault}"
    remedy = f"put age's secret keys there, {os_user(site)}'s alone (mode 0600); {_HOW}"
    return Check(CheckState.BLOCKED, why, remedy=remedy)


async def key_fault(site: Site, file: str) -> str:
    """Why that file of age's secret keys is not to be used, in words; empty where it is."""
    script = f"""at={quote(file)}
{programs(site)}command -v age >/dev/null || echo 'age is not installed, which decrypts by it'
if [ ! -r "$at" ]; then echo "user $(id -un) cannot read it"
elif [ -n "$(find -L "$at" -perm /007)" ]; then echo 'everybody may read it, or write to it'; fi"""
    _, said = await status_of(site, script, user=os_user(site))
    return safe("; ".join(said.strip().splitlines()))[:_FAULT_SHOWN]


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
