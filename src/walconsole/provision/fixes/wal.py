"""WAL files: push one that the archive lacks, move an orphaned .ready file away. Nothing is ever deleted."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import replace
from shlex import quote

from walconsole.domain.profile import BucketTarget
from walconsole.domain.redaction import safe
from walconsole.errors import ProvisionError
from walconsole.provision.droplet.commands import (
    LONGEST_TRANSFER_S,
    ROOT,
    archive_command_in_force,
    ask,
    data_directory,
    os_user,
    run,
    status_of,
)
from walconsole.provision.droplet.files import file_script, kept_folder, put_back_command, whose
from walconsole.provision.engine.model import (
    Change,
    ChangeKind,
    Changing,
    Check,
    CheckState,
    Command,
    Event,
    Plan,
    Proved,
    Risk,
)
from walconsole.provision.fixes.base import WAL_NAME, FixStep, commands, filled_in

LARGEST = 80 << 20


class PushWal(FixStep):
    """Archive one file that is still in pg_wal, by the archive command in force."""

    id = "push-wal"
    title = "Push a WAL file again"
    risk = Risk.ADDS
    explanation = (
        "Runs the server's own archive command by hand, as the server's user, in the data directory, "
        "on one file that is still in pg_wal: a segment or a .history file that the archive lacks. "
        "Then the object is read back and compared with the file. Nothing in pg_wal is changed."
    )

    async def check(self) -> Check:
        """BLOCKED where it is not in pg_wal any more; DONE where every copy holds it."""
        name = self._fits(WAL_NAME, "WAL file's name")
        lacking = [target.bucket for target in self._site.targets() if await self._key(target, name) is None]
        if not lacking:
            return Check(CheckState.DONE, f"every copy holds {name}")
        path = f"{await data_directory(self._site)}/pg_wal/{name}"
        status, _ = await status_of(self._site, f"[ -f {quote(path)} ]", user=os_user(self._site))
        if status != 0:
            remedy = "a standby or the old primary may still have it; else take a new base backup"
            return Check(CheckState.BLOCKED, f"{name} is not in pg_wal any more", remedy=remedy)
        return Check(CheckState.NEEDED, f"{name} is in pg_wal, and not in {' and '.join(lacking)}")

    async def plan(self) -> Plan:
        """The command as it will run."""
        name = self._fits(WAL_NAME, "WAL file's name")
        return Plan(
            summary=f"archive {name} by hand",
            commands=commands((safe(await self._command(name)),), os_user(self._site)),
            undo="nothing to undo: an object is added",
        )

    async def apply(self) -> AsyncIterator[Event]:
        """Run it; its words are told."""
        command = Command(
            await self._command(self._fits(WAL_NAME, "WAL file's name")), user=os_user(self._site)
        )
        async for event in run(self._site, command, timeout_s=LONGEST_TRANSFER_S):
            yield event

    async def verify(self) -> AsyncIterator[Event]:
        """Every copy holds it, with the file's own bytes."""
        name = self._fits(WAL_NAME, "WAL file's name")
        path = f"{await data_directory(self._site)}/pg_wal/{name}"
        said = await ask(
            self._site, f"sha256sum -- {quote(path)}", user=os_user(self._site), tried=f"reading {name}"
        )
        local = said.split(" ", 1)[0].lstrip("\\")
        for target in self._site.targets():
            key = await self._key(target, name)
            if key is None:
                raise ProvisionError(
                    f"pushing {name}",
                    f"the command said yes, and {target.bucket} does not hold it",
                    "the archive command says 0 in vain: install another",
                )
            if await self._digest(target, key) != local:
                raise ProvisionError(
                    f"pushing {name}", f"{key} in {target.bucket} has other bytes than the file"
                )
            yield Proved(f"{key} in {target.bucket} equals pg_wal/{name}, byte by byte")

    async def _command(self, name: str) -> str:
        """archive_command in force with the file in it, as the archiver would run it."""
        text = await archive_command_in_force(self._site)
        if not text:
            raise ProvisionError(f"pushing {name}", "there is no archive_command in force", "set one first")
        return f"cd {quote(await data_directory(self._site))} && {filled_in(text, name)}"

    async def _key(self, target: BucketTarget, name: str) -> str | None:
        """The key of the file's object, whatever its suffix."""
        wanted = f"{target.prefix}{name}"
        page = await self._site.store(target).page(start_after=wanted[:-1], max_keys=20)
        found = [key for key in page.objects.keys if key == wanted or key.startswith(f"{wanted}.")]
        return next(
            (key for key in found if (".partial" not in key and ".backup" not in key) or key == wanted), None
        )

    async def _digest(self, target: BucketTarget, key: str) -> str:
        content = await self._site.store(target).read(key, LARGEST)
        body = content.body
        if self._site.plain is not None:
            body = await asyncio.to_thread(self._site.plain.whole, key, body, LARGEST)
        return hashlib.sha256(body).hexdigest()


class OrphanReady(FixStep):
    """Move the .ready file of a WAL file that is not there out of archive_status."""

    id = "orphan-ready"
    title = "Move an orphaned .ready file away"
    explanation = (
        "The archiver is asked for a WAL file that is not in pg_wal any more, and older servers try "
        "it for ever. The one .ready file is moved out of archive_status and kept; nothing else in "
        "pg_wal is touched. If the segment never reached the archive, it stays a gap there."
    )

    async def check(self) -> Check:
        """BLOCKED where the segment is there after all."""
        name = self._fits(WAL_NAME, "WAL file's name")
        wal = f"{await data_directory(self._site)}/pg_wal"
        script = (
            f"cd {quote(wal)} || exit 9\n[ -e archive_status/{name}.ready ] || exit 3\n"
            f"[ ! -e {name} ] || exit 4"
        )
        status, said = await status_of(self._site, script, user=os_user(self._site))
        match status:
            case 0:
                return Check(CheckState.NEEDED, f"archive_status/{name}.ready stands without {name}")
            case 3:
                return Check(CheckState.DONE, f"there is no archive_status/{name}.ready")
            case 4:
                return Check(
                    CheckState.BLOCKED, f"{name} is in pg_wal: it can be archived", remedy="leave it"
                )
        raise ProvisionError("looking at archive_status", safe(said.strip()) or f"exit status {status}")

    async def plan(self) -> Plan:
        """A copy for root, and its end in archive_status, which is the server's own."""
        name = self._fits(WAL_NAME, "WAL file's name")
        path, kept = await self._ready(name), f"{kept_folder(self._site)}/{name}.ready"
        return Plan(
            summary=f"move archive_status/{name}.ready to {kept_folder(self._site)}",
            commands=tuple([command for command, _ in await self._away(name, path, kept)]),
            notes=("if the segment is not in the archive, it stays a gap: take a new base backup",),
            undo="puts it back",
        )

    async def apply(self) -> AsyncIterator[Event]:
        """Look once more, and move it."""
        name = self._fits(WAL_NAME, "WAL file's name")
        path, kept = await self._ready(name), f"{kept_folder(self._site)}/{name}.ready"
        yield Changing(Change(self.id, ChangeKind.FILE, name, kept=kept, at=self._site.clock.now()))
        for command, script in await self._away(name, path, kept):
            async for event in run(self._site, command, script=script):
                yield event

    async def verify(self) -> AsyncIterator[Event]:
        """It is gone from there."""
        check = await self.check()
        if check.state is not CheckState.DONE:
            raise ProvisionError("moving the .ready file away", check.summary)
        yield Proved(check.summary)

    async def undo_plan(self, changes: tuple[Change, ...]) -> Plan | None:
        """Back into archive_status."""
        return Plan("put the .ready file back", tuple([await self._back(change) for change in changes]))

    async def undo(self, changes: tuple[Change, ...]) -> AsyncIterator[Event]:
        """The newest first."""
        for change in changes:
            command = await self._back(change)
            async for event in run(self._site, command, script=await self._back_script(change)):
                yield event

    async def _away(self, name: str, path: str, kept: str) -> tuple[tuple[Command, str], ...]:
        """By hand, and what really runs. Who may write to the folder decides what any name in it is."""
        user = await whose(self._site, path)
        wal = quote(path.removesuffix(f"/archive_status/{name}.ready"))
        none = f"[ ! -e {wal}/{name} ]"
        as_user = "" if user == ROOT else f"runuser -u {quote(user)} -- "
        folder = quote(kept.rpartition("/")[0])
        copied = f"mkdir -p -m 0700 -- {folder} && {as_user}cat -- {quote(path)} >{quote(kept)}"
        return (
            (Command(copied), file_script("keep", path, kept)),
            (
                Command(f"{none} && rm -f -- {quote(path)}", user=user),
                f"{none} || exit 1\n{file_script('take_out', path)}",
            ),
        )

    async def _ready(self, name: str) -> str:
        return f"{await data_directory(self._site)}/pg_wal/archive_status/{name}.ready"

    async def _back(self, change: Change) -> Command:
        return await put_back_command(self._site, await self._in_full(change))

    async def _back_script(self, change: Change) -> str:
        whole = await self._in_full(change)
        return file_script("put_back", whole.what, whole.kept)

    async def _in_full(self, change: Change) -> Change:
        """With the path; the record has the WAL file's name."""
        if WAL_NAME.fullmatch(change.what) is None:
            raise ProvisionError("putting a .ready file back", f"{change.what!r} is no WAL file's name")
        return replace(change, what=await self._ready(change.what))
