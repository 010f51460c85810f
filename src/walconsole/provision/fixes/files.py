"""Modes and owners of the two files that archiving needs: rclone's configuration, the command's program."""

import re
from collections.abc import AsyncIterator, Sequence
from shlex import join, quote

from walconsole.domain.redaction import safe
from walconsole.errors import ProvisionError
from walconsole.provision.droplet.commands import ROOT, ask, os_user, run, status_of
from walconsole.provision.droplet.files import file_script, whose
from walconsole.provision.engine.model import (
    Change,
    ChangeKind,
    Changing,
    Check,
    CheckState,
    Command,
    Event,
    Fact,
    Plan,
    Proved,
)
from walconsole.provision.fixes.base import FixStep, commands

_PATH = re.compile(r"/[^\0\n]{1,1000}")
Program = tuple[str, ...]
"""A program with its arguments, without the file's path."""
_BEFORE = re.compile(r"([0-7]{1,4}) (\d+):(\d+)")


class _Access(FixStep):
    """Let the server's user do something with a file: `test` asks whether it can, `mode` is what it gets."""

    test = "-r"
    verb = "read"

    async def check(self) -> Check:
        """As the server's user. BLOCKED where it is not the file's own mode that is in the way."""
        path, user = self._fits(_PATH, "absolute path"), os_user(self._site)
        status, _ = await status_of(self._site, f"test {self.test} {quote(path)}", user=user)
        if status == 0:
            return Check(CheckState.DONE, f"user {user} can {self.verb} {path}")
        exists, now = await status_of(
            self._site, f"[ -f {quote(path)} ] && stat -L -c '%a %U:%G' -- {quote(path)}"
        )
        if exists != 0:
            return Check(CheckState.BLOCKED, f"{path} is not there, or no file", remedy="put it there first")
        barred = await self._barred(path, user)
        if barred:
            remedy = "move the file to where that user can reach it, and name it there"
            return Check(CheckState.BLOCKED, f"user {user} may not enter {barred}", remedy=remedy)
        return Check(
            CheckState.NEEDED, f"user {user} may not {self.verb} {path}", (Fact(path, safe(now.strip())),)
        )

    async def plan(self) -> Plan:
        """Owner and mode."""
        path = self._fits(_PATH, "absolute path")
        user = await whose(self._site, path, at=True)
        return Plan(
            summary=f"let user {os_user(self._site)} {self.verb} {path}",
            commands=commands([_text(each, path) for each in await self._wanted(user)], user),
            notes=(f"now: {safe(await self._now(path))}",),
            undo="puts back owner and mode",
        )

    async def apply(self) -> AsyncIterator[Event]:
        """Each in turn; what was is recorded first."""
        path = self._fits(_PATH, "absolute path")
        change = Change(
            self.id, ChangeKind.FILE, path, before=await self._now(path), at=self._site.clock.now()
        )
        yield Changing(change)
        user = await whose(self._site, path, at=True)
        async for event in self._change(path, await self._wanted(user), user):
            yield event

    async def _change(self, path: str, programs: Sequence[Program], user: str) -> AsyncIterator[Event]:
        for program in programs:
            command = Command(_text(program, path), user=user)
            async for event in run(self._site, command, script=file_script("change", path, *program)):
                yield event

    async def verify(self) -> AsyncIterator[Event]:
        """As the server's user."""
        path, user = self._fits(_PATH, "absolute path"), os_user(self._site)
        status, _ = await status_of(self._site, f"test {self.test} {quote(path)}", user=user)
        if status != 0:
            raise ProvisionError(
                f"letting user {user} {self.verb} {path}",
                "it still may not",
                "a noexec mount, an ACL or SELinux?",
            )
        yield Proved(f"user {user} can {self.verb} {path}")

    async def undo_plan(self, changes: tuple[Change, ...]) -> Plan | None:
        """Owner and mode as they were."""
        shown: list[Command] = []
        for change in changes:
            user = await whose(self._site, change.what, at=True)
            shown += commands([_text(each, change.what) for each in _put_back(change, user)], user)
        return Plan("put back owner and mode", tuple(shown))

    async def undo(self, changes: tuple[Change, ...]) -> AsyncIterator[Event]:
        """The newest first."""
        for change in changes:
            user = await whose(self._site, change.what, at=True)
            async for event in self._change(change.what, _put_back(change, user), user):
                yield event

    async def _wanted(self, user: str) -> tuple[Program, ...]:
        """What `user`, whose the file's folder is, runs on it."""
        raise NotImplementedError

    async def _now(self, path: str) -> str:
        tried = f"looking at {path} on the droplet"
        return (await ask(self._site, f"stat -L -c '%a %u:%g' -- {quote(path)}", tried=tried)).strip()

    async def _barred(self, path: str, user: str) -> str:
        """The first folder above it that this user may not enter, empty for none."""
        parts = path.split("/")[1:-1]
        folders = " ".join(quote("/" + "/".join(parts[: count + 1])) for count in range(len(parts)))
        script = f'for folder in {folders}; do [ -x "$folder" ] || {{ echo "$folder"; exit 0; }}; done'
        return safe((await ask(self._site, script, user=user)).strip()) if folders else ""


def _put_back(change: Change, user: str) -> tuple[Program, ...]:
    """Where the folder is not root's alone, the file was its own, and still is."""
    was = _BEFORE.fullmatch(change.before)
    if was is None:
        raise ProvisionError(f"putting {change.what} back", "what it was is not known", "look at it by hand")
    owner: tuple[Program, ...] = (("chown", f"{was[2]}:{was[3]}"),) if user == ROOT else ()
    return (*owner, ("chmod", was[1]))


def _text(program: Program, path: str) -> str:
    return f"{join(program)} -- {quote(path)}"


class ReadableConfig(_Access):
    """rclone's configuration: root's, readable for the server's group."""

    id = "readable-config"
    title = "Make rclone's configuration readable for the server"
    explanation = (
        "The archive command runs as the server's user and must read rclone's configuration. It "
        "becomes root's, mode 0640 and that user's group: nobody else may read the key's secret. "
        "Where a folder above it (/root) is closed, this does not open it; move the file instead. In a "
        "folder that somebody else may write to it is changed as that user, if it is that user's."
    )

    async def _wanted(self, user: str) -> tuple[Program, ...]:
        server = os_user(self._site)
        group = (
            await ask(self._site, f"id -gn -- {quote(server)}", tried=f"looking for the group of {server}")
        ).strip()
        survey = await self._site.survey()
        owner: tuple[Program, ...] = (("chown", f"root:{group}"),) if survey.root and user == ROOT else ()
        return (*owner, ("chmod", "0640"))


class ExecutableCommand(_Access):
    """The archive command's program: executable."""

    id = "executable-command"
    title = "Make the archive command executable"
    explanation = (
        "The server's user must be able to run the program that archive_command names. Its mode "
        "becomes 0755; whose it is stays. PostgreSQL tries the waiting segment again within a minute."
    )
    test = "-x"
    verb = "run"

    async def _wanted(self, user: str) -> tuple[Program, ...]:
        return (("chmod", "0755"),)
