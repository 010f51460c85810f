"""The archive and the restore command: two scripts in /usr/local/bin, root's, run by PostgreSQL."""

from collections.abc import AsyncIterator
from shlex import quote

from walconsole.domain.units import plural
from walconsole.droplet.files import DropletFile, command_files
from walconsole.droplet.names import names_of
from walconsole.errors import ProvisionError
from walconsole.provision.droplet.commands import os_user, run
from walconsole.provision.droplet.files import (
    differences,
    foreign,
    install,
    install_command,
    put_back,
    put_back_command,
    undoing,
)
from walconsole.provision.droplet.survey import blocked_without
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

_WRONG_CALL = (2, 202)
"""docs/droplet.md: called wrongly, the archive and the restore command. Each then says how it is used."""


class ArchiveCommand:
    """model.Step. Nothing calls the scripts before the drop-in names them."""

    id = "archive-command"
    title = "Archive command"
    risk = Risk.ADDS
    gated = True
    always = False
    explanation = (
        "Puts two scripts onto the droplet: the archive command, which PostgreSQL will call for each "
        "segment, and the restore command that fetches one back. The archive command says that a segment is "
        "archived only when every copy has it, read back by size and checksum; it never overwrites another "
        "segment. Nothing uses them until the drop-in names them. A file that is there already is kept; one "
        "that this console did not write is replaced only when its name is typed. Where the profile names "
        "certificates (ca_file), they are brought along, and rclone trusts them."
    )

    def __init__(self, site: Site) -> None:
        self._site = site

    async def check(self) -> Check:
        """Text, mode and owner of both. BLOCKED without rclone or timeout."""
        survey = await self._site.survey()
        blocked = blocked_without(survey, "rclone", "timeout")
        if blocked is not None:
            return blocked
        changes = await differences(self._site, self._wanted())
        facts = tuple(_fact(file, changes) for file in self._wanted())
        if not changes:
            return Check(CheckState.DONE, "both commands are installed as they shall be", facts)
        names = " and ".join(change.path for change in changes)
        return Check(CheckState.NEEDED, f"to be written: {names}", facts)

    async def plan(self) -> Plan:
        """The files that differ, as a diff."""
        changes = await differences(self._site, self._wanted())
        others = foreign(changes)
        notes = [
            f"{path} is there, and was not written by this console: it is kept, and replaced"
            for path in others
        ]
        checks = tuple(command for file in self._scripts() for command in self._checks(file))
        return Plan(
            summary=_summary(changes),
            commands=(*(install_command(change) for change in changes), *checks),
            files=changes,
            notes=tuple(notes),
            undo="walconsole undo puts back what was there, or takes the scripts away",
            confirm=others[0].rpartition("/")[2] if others else "",
        )

    async def apply(self) -> AsyncIterator[Event]:
        """Each file that differs, in one step."""
        for change in await differences(self._site, self._wanted()):
            async for event in install(self._site, self.id, change):
                yield event

    async def verify(self) -> AsyncIterator[Event]:
        """Read back, parse, and call each as the server's user, who gets to hear how it is used."""
        left = await differences(self._site, self._wanted())
        if left:
            raise ProvisionError(
                "reading the commands back", f"{left[0].path} is not as it was written", "run this step again"
            )
        for file in self._scripts():
            parse, call = self._checks(file)
            async for event in run(self._site, parse):
                yield event
            said = ""
            async for event in run(self._site, call, accepted=_WRONG_CALL):
                said += event.text if isinstance(event, Printed) else ""
                yield event
            if "usage:" not in said:
                raise ProvisionError(f"calling {file.path}", f"it did not say how it is used: {said[:200]}")
            yield Proved(f"{file.path} can be run by user {os_user(self._site)}")

    async def undo_plan(self, changes: tuple[Change, ...]) -> Plan | None:
        """Put back what was there."""
        files = await undoing(self._site, changes)
        return Plan(
            summary="put back what was there before the two scripts, or take them away",
            commands=tuple([await put_back_command(self._site, change) for change in changes]),
            files=files,
            notes=("an archive_command that still calls them will fail: segments wait in pg_wal until then",),
        )

    async def undo(self, changes: tuple[Change, ...]) -> AsyncIterator[Event]:
        """The newest first."""
        for change in changes:
            async for event in put_back(self._site, change):
                yield event

    def _wanted(self) -> tuple[DropletFile, ...]:
        return command_files(self._site.profile, self._site.choices)

    def _scripts(self) -> tuple[DropletFile, ...]:
        """Without the certificates, which nobody runs."""
        certificates = names_of(self._site.profile).authorities
        return tuple(file for file in self._wanted() if file.path != certificates)

    def _checks(self, file: DropletFile) -> tuple[Command, Command]:
        user = os_user(self._site)
        return Command(f"sh -n {quote(file.path)}", user=user), Command(quote(file.path), user=user)


def _summary(changes: tuple[FileChange, ...]) -> str:
    """What is written: scripts, and certificates where the profile names any."""
    scripts = [change for change in changes if change.mode & 0o111]
    written = [f"{plural(len(scripts), 'script')}, root's, mode 0755"] if scripts else []
    if len(scripts) < len(changes):
        written.append("the certificates by which they know the store")
    return f"write {' and '.join(written)}"


def _fact(file: DropletFile, changes: tuple[FileChange, ...]) -> Fact:
    change = next((one for one in changes if one.path == file.path), None)
    if change is None:
        return Fact(file.path, "as it shall be")
    if change.before is None:
        return Fact(file.path, "not there", FactState.NOTE)
    if change.before == change.after:
        return Fact(file.path, "its mode or its owner differs", FactState.NOTE)
    if foreign((change,)):
        return Fact(file.path, "not this console's", FactState.WARNING, "its name is asked for")
    return Fact(file.path, f"{len(change.diff())} lines of difference", FactState.NOTE)
