"""A file with keys in it, of which lines are written anew on the droplet itself: no text of it is seen."""

from collections.abc import AsyncIterator, Sequence
from shlex import join, quote

from walconsole.provision.droplet.commands import ask
from walconsole.provision.droplet.files import (
    NOT_MADE,
    file_functions,
    keep,
    put_back,
    put_back_command,
)
from walconsole.provision.engine.model import Change, ChangeKind, Changing, Event, FileChange, Plan
from walconsole.provision.engine.site import Site


class PutBackUnseen:
    """The undoing half of model.Step for such files: the kept one is put back, or what was new taken away.

    `undone` is what is said of it, `undone_notes` what to know before.
    """

    undone = ""
    undone_notes: tuple[str, ...] = ()
    _site: Site

    async def undo_plan(self, changes: tuple[Change, ...]) -> Plan | None:
        """The commands, without a text."""
        return Plan(
            self.undone,
            commands=tuple([await put_back_command(self._site, change) for change in changes]),
            files=tuple(FileChange(change.what, None, None, secret=True) for change in changes[-1:]),
            notes=self.undone_notes,
        )

    async def undo(self, changes: tuple[Change, ...]) -> AsyncIterator[Event]:
        """The newest first."""
        for change in changes:
            async for event in put_back(self._site, change):
                yield event


async def kept_before(site: Site, step: str, path: str, after: str) -> Changing:
    """Keep the file, and the change to record before it is made. Raises ProvisionError."""
    kept = await keep(site, path)
    now = site.clock.now()
    return Changing(Change(step, ChangeKind.FILE, path, f"kept as {kept}", after, kept, now))


async def rework(site: Site, path: str, program: str, lines: Sequence[str], unfit: str, tried: str) -> None:
    """What awk's `program` makes of these lines, and then of the file, becomes the file, in one step.

    Raises ProvisionError; the file stays then. `unfit` says why where the program finds nothing to write.
    """
    told = join(("printf", "%s\\n", *lines))
    script = f"""{file_functions()}
{told} | rework {quote(path)} {quote(program)} || {{
    status=$?
    [ "$status" != {NOT_MADE} ] || echo {quote(f"{unfit}: nothing was changed")}
    exit 1
}}
"""
    await ask(site, script, tried=tried)
