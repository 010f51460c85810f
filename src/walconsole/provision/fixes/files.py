"""Modes and owners of the two files that archiving needs: rclone's configuration, the command's program."""

import re
from collections.abc import AsyncIterator
from shlex import quote

from walconsole.domain.redaction import safe
from walconsole.errors import ProvisionError
from walconsole.provision.droplet import ask, os_user, run, status_of
from walconsole.provision.fixes.base import Fix, commands
from walconsole.provision.model import (
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

_PATH = re.compile(r"/[^\0\n]{1,1000}")
_BEFORE = re.compile(r"([0-7]{3,4}) (\d+):(\d+)")


class _Access(Fix):
    """Let the server's user do something with a file: `test` asks whether it can, `mode` is what it gets."""

    test = "-r"
    verb = "read"

    async def check(self) -> Check:
        """As the server's user. BLOCKED where it is not the file's own mode that is in the way."""
        path, user = self._fits(_PATH, "absolute path"), os_user(self._site)
        status, _ = await status_of(self._site, f"test {self.test} {quote(path)}", user=user)
        if status == 0:
            return Check(CheckState.DONE, f"{user} can {self.verb} {path}")
        exists, now = await status_of(
            self._site, f"[ -f {quote(path)} ] && stat -L -c '%a %U:%G' -- {quote(path)}"
        )
        if exists != 0:
            return Check(CheckState.BLOCKED, f"{path} is not there, or no file", remedy="put it there first")
        barred = await self._barred(path, user)
        if barred:
            remedy = "move the file to where that user can reach it, and name it there"
            return Check(CheckState.BLOCKED, f"{user} may not enter {barred}", remedy=remedy)
        return Check(
            CheckState.NEEDED, f"{user} may not {self.verb} {path}", (Fact(path, safe(now.strip())),)
        )

    async def plan(self) -> Plan:
        """Owner and mode."""
        path = self._fits(_PATH, "absolute path")
        return Plan(
            summary=f"let {os_user(self._site)} {self.verb} {path}",
            commands=commands(await self._wanted(path)),
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
        for text in await self._wanted(path):
            async for event in run(self._site, Command(text)):
                yield event

    async def verify(self) -> AsyncIterator[Event]:
        """As the server's user."""
        path, user = self._fits(_PATH, "absolute path"), os_user(self._site)
        status, _ = await status_of(self._site, f"test {self.test} {quote(path)}", user=user)
        if status != 0:
            raise ProvisionError(
                f"letting {user} {self.verb} {path}", "it still may not", "a noexec mount, an ACL or SELinux?"
            )
        yield Proved(f"{user} can {self.verb} {path}")

    async def undo_plan(self, changes: tuple[Change, ...]) -> Plan | None:
        """Owner and mode as they were."""
        return Plan(
            "put back owner and mode", commands(tuple(text for each in changes for text in _put_back(each)))
        )

    async def undo(self, changes: tuple[Change, ...]) -> AsyncIterator[Event]:
        """The newest first."""
        for change in changes:
            for text in _put_back(change):
                async for event in run(self._site, Command(text)):
                    yield event

    async def _wanted(self, path: str) -> tuple[str, ...]:
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


def _put_back(change: Change) -> tuple[str, ...]:
    was = _BEFORE.fullmatch(change.before)
    if was is None:
        raise ProvisionError(f"putting {change.what} back", "what it was is not known", "look at it by hand")
    return f"chown {was[2]}:{was[3]} -- {quote(change.what)}", f"chmod {was[1]} -- {quote(change.what)}"


class ReadableConfig(_Access):
    """rclone's configuration: root's, readable for the server's group."""

    id = "readable-config"
    title = "Make rclone's configuration readable for the server"
    explanation = (
        "The archive command runs as the server's user and must read rclone's configuration. It "
        "becomes root's, mode 0640 and that user's group: nobody else may read the key's secret. "
        "Where a folder above it (/root) is closed, this does not open it; move the file instead."
    )

    async def _wanted(self, path: str) -> tuple[str, ...]:
        user = os_user(self._site)
        group = (
            await ask(self._site, f"id -gn -- {quote(user)}", tried=f"looking for the group of {user}")
        ).strip()
        survey = await self._site.survey()
        owner = (f"chown root:{quote(group)} -- {quote(path)}",) if survey.root else ()
        return (*owner, f"chmod 0640 -- {quote(path)}")


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

    async def _wanted(self, path: str) -> tuple[str, ...]:
        return (f"chmod 0755 -- {quote(path)}",)
