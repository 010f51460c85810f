"""The base backup's script in /usr/local/bin, root's, and the folder in which it notes what it does."""

from collections.abc import AsyncIterator
from shlex import quote

from walconsole.domain.archivers.tools import recognise
from walconsole.domain.redaction import safe
from walconsole.droplet.files import DropletFile, Schedule
from walconsole.droplet.names import names_of
from walconsole.droplet.rendering import recipients_fault
from walconsole.errors import ProvisionError
from walconsole.provision.droplet.commands import os_user, run, status_of
from walconsole.provision.droplet.files import (
    differences,
    file_script,
    foreign,
    install,
    install_command,
    put_back,
    put_back_command,
    undoing,
)
from walconsole.provision.droplet.schedules import wanted_backup_files
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

NEEDED = ("psql", "zstd", "perl", "rclone", "timeout", "flock")
"""Programs that the script calls, besides PostgreSQL's own."""
_WRONG_CALL = 2
"""docs/recovery.md: called wrongly. It then says how it is used."""
_OLDEST = 130000
_FAULT_SHOWN = 200
_BY_PGBACKREST = 'have pgBackRest archive and take its backups: engine = "pgbackrest" in the profile'
_ELSEWHERE = "set expect_base_backups = false in the profile, where another tool takes the base backups"


def stranger(survey: Survey, site: Site) -> Check | None:
    """BLOCKED where no base backup of ours would be worth anything; None where one would.

    Whose WAL goes elsewhere is another tool's, which takes its own base backups beside it.
    """
    server = survey.server
    if server is None:
        return Check(CheckState.BLOCKED, survey.server_problem, remedy="start it, or correct the profile")
    if server.version_num < _OLDEST:
        why = f"PostgreSQL 13 or newer is needed, for its manifest; this is {server.version_num // 10000}"
        return Check(CheckState.BLOCKED, why, remedy=_ELSEWHERE)
    library = server.settings.get("archive_library", "")
    command = server.settings.get("archive_command", "")
    tool = recognise(command, names_of(site.profile).archive)
    if library or (tool is not None and not tool.ours):
        name = library or (tool.name if tool is not None else "")
        why = f"{name} archives this server: base backups are that tool's to take, beside its WAL"
        return Check(CheckState.BLOCKED, why, remedy=_ELSEWHERE)
    if server.tablespaces:
        why = f"this cluster has tablespaces of its own ({server.tablespaces}), which cannot be streamed"
        return Check(CheckState.BLOCKED, why, remedy=_BY_PGBACKREST)
    if server.settings.get("max_wal_senders") == "0":
        why = "max_wal_senders is 0: nothing can stream a base backup"
        return Check(CheckState.BLOCKED, why, remedy="set it to 2 at least, and restart the server")
    return None


async def obstacle(survey: Survey, site: Site) -> Check | None:
    """BLOCKED where none can be taken: by `stranger`, or without its programs and keys to encrypt for."""
    recipients = site.backup.recipients
    needed = (*NEEDED, "age") if recipients else NEEDED
    blocked = stranger(survey, site) or blocked_without(survey, *needed)
    if blocked is not None or not recipients:
        return blocked
    script = f"{recipients_fault()}recipients_fault {quote(recipients)}"
    status, said = await status_of(site, script, user=os_user(site))
    if status == 0 and not said.strip():
        return None
    why = safe(said.strip())[:_FAULT_SHOWN] or f"it could not be looked at (status {status})"
    remedy = "put the public key there, a line of `age-keygen`'s that begins with age1; docs/recovery.md"
    return Check(CheckState.BLOCKED, f"backups.encrypt_for, {recipients}: {why}", remedy=remedy)


async def folder_fault(site: Site, path: str) -> str:
    """What keeps a folder from being one of the server's user, in words; empty where it is one."""
    _, said = await status_of(site, f"stat -c '%U %F' -- {quote(path)} 2>/dev/null")
    user = os_user(site)
    return "" if said.strip() == f"{user} directory" else f"{path} is no folder of {user}'s yet"


def folder_command(site: Site, path: str) -> Command:
    """What makes it, by hand."""
    return Command(f"install -d -o {quote(os_user(site))} -m 0750 {quote(path)}")


async def make_folder(site: Site, path: str) -> AsyncIterator[Event]:
    """Make it where nobody but root may change what is there. Raises ProvisionError."""
    made = file_script("own_folder", path, os_user(site))
    async for event in run(site, folder_command(site, path), script=made):
        yield event


class BackupCommand:
    """model.Step. Nothing calls the script before the schedule, or somebody, does."""

    id = "backup-command"
    title = "Backup command"
    risk = Risk.ADDS
    gated = True
    always = False
    explanation = (
        "Puts a script onto the droplet that takes a base backup: without one all WAL of the archive "
        "restores nothing. It streams the cluster through zstd into every copy at once, without a file on "
        "the droplet's disk, compares what flows with the server's own manifest, reads each copy back, "
        "and writes the small object that makes it a backup last of all. It runs as PostgreSQL's user. "
        "What it does, and what a killed run may have left, it notes in a folder of that user's below "
        "/var/lib."
    )
    what_stays = "base backups stay"
    how_undone = "walconsole undo puts back what was there, or takes it away; a base backup it never deletes"

    def __init__(self, site: Site) -> None:
        self._site = site

    async def check(self) -> Check:
        """Text, mode and owner, and the folder. BLOCKED without a program that it calls."""
        survey = await self._site.survey()
        blocked = await self._obstacle(survey)
        if blocked is not None:
            return blocked
        changes, folder = await self._missing(survey)
        facts = tuple(_fact(change) for change in changes)
        if not changes and not folder:
            return Check(CheckState.DONE, f"{self._script(survey).path} is installed as it shall be")
        texts = [f"{change.path} is to be written" for change in changes]
        return Check(CheckState.NEEDED, "; ".join([*texts, *([folder] if folder else [])]), facts)

    async def plan(self) -> Plan:
        """The script as a diff, and the folder."""
        survey = await self._site.survey()
        changes, folder = await self._missing(survey)
        others = foreign(changes)
        notes = [
            f"{path} is there, and was not written by this console: it is kept, and replaced"
            for path in others
        ]
        commands = [install_command(change) for change in changes]
        if folder:
            commands.append(folder_command(self._site, self._state()))
        return Plan(
            f"write {self._script(survey).path}, root's, mode 0755",
            commands=(*commands, *self._checks(survey)),
            files=changes,
            notes=tuple(notes),
            undo=self.how_undone,
            confirm=others[0].rpartition("/")[2] if others else "",
        )

    async def apply(self) -> AsyncIterator[Event]:
        """The folder where it is missing, then the script."""
        changes, folder = await self._missing(await self._site.survey())
        if folder:
            async for event in make_folder(self._site, self._state()):
                yield event
        for change in changes:
            async for event in install(self._site, self.id, change):
                yield event

    async def verify(self) -> AsyncIterator[Event]:
        """Read back, parse, and call it as the server's user, who gets to hear how it is used."""
        survey = await self._site.survey()
        changes, folder = await self._missing(survey)
        if changes or folder:
            why = folder or f"{changes[0].path} is not as it was written"
            raise ProvisionError("reading the backup command back", why, "run this step again")
        parse, call_wrongly = self._checks(survey)
        async for event in run(self._site, parse):
            yield event
        said = ""
        async for event in run(self._site, call_wrongly, accepted=(_WRONG_CALL,)):
            said += event.text if isinstance(event, Printed) else ""
            yield event
        path = self._script(survey).path
        if "usage:" not in said:
            raise ProvisionError(f"calling {path}", f"it did not say how it is used: {said[:200]}")
        yield Proved(f"{path} can be run by user {os_user(self._site)}")

    async def undo_plan(self, changes: tuple[Change, ...]) -> Plan | None:
        """Put back what was there."""
        return Plan(
            "put back what was there before the script, or take it away",
            commands=tuple([await put_back_command(self._site, change) for change in changes]),
            files=await undoing(self._site, changes),
            notes=(f"{self.what_stays}, and so does {self._state()}, with what it tells of them",),
        )

    async def undo(self, changes: tuple[Change, ...]) -> AsyncIterator[Event]:
        """The newest first."""
        for change in changes:
            async for event in put_back(self._site, change):
                yield event

    async def _obstacle(self, survey: Survey) -> Check | None:
        return await obstacle(survey, self._site)

    def _state(self) -> str:
        """The folder in which the script notes what it does."""
        return names_of(self._site.profile).backup_state

    def _script(self, survey: Survey) -> DropletFile:
        return wanted_backup_files(self._site, survey, Schedule.CRON)[0]  # the same with either

    def _files(self, survey: Survey) -> tuple[DropletFile, ...]:
        """The script, and whatever it needs besides that is installed with it."""
        return (self._script(survey),)

    async def _missing(self, survey: Survey) -> tuple[tuple[FileChange, ...], str]:
        """What differs of its files, and what is wrong with its folder, in words."""
        changes = await differences(self._site, self._files(survey))
        return changes, await folder_fault(self._site, self._state())

    def _checks(self, survey: Survey) -> tuple[Command, Command]:
        user, path = os_user(self._site), quote(self._script(survey).path)
        return Command(f"sh -n {path}", user=user), Command(f"{path} --help", user=user)


def _fact(change: FileChange) -> Fact:
    if change.before is None:
        return Fact(change.path, "not there", FactState.NOTE)
    if change.before == change.after:
        return Fact(change.path, "its mode or its owner differs", FactState.NOTE)
    if foreign((change,)):
        return Fact(change.path, "not this console's", FactState.WARNING, "its name is asked for")
    return Fact(change.path, f"{len(change.diff())} lines of difference", FactState.NOTE)
