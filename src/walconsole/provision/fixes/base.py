"""What the fixes have in common."""

import re
from collections.abc import AsyncIterator, Sequence

from walconsole.errors import ProvisionError
from walconsole.provision.droplet.commands import os_user, psql_script, run
from walconsole.provision.engine.model import Change, Command, Event, Plan, Risk
from walconsole.provision.engine.site import Site

WAL_NAME = re.compile(r"[0-9A-F]{24}(?:\.partial|\.[0-9A-F]{8}\.backup)?|[0-9A-F]{8}\.history")
SETTING_NAME = re.compile(r"[a-z_][a-z0-9_.]{0,62}")
POLL_S = 0.3
POLLS = 40


class FixStep:
    """model.Step about one `subject`: a file, a setting, a WAL file, a process. Most cannot be undone."""

    id = ""
    title = ""
    risk = Risk.CHANGES
    gated = True
    always = False
    explanation = ""

    def __init__(self, site: Site, subject: str = "") -> None:
        self._site, self._subject = site, subject

    async def undo_plan(self, changes: tuple[Change, ...]) -> Plan | None:
        """Nothing to undo."""
        return None

    async def undo(self, changes: tuple[Change, ...]) -> AsyncIterator[Event]:
        """Nothing to undo."""
        for _ in ():
            yield _

    def _fits(self, pattern: re.Pattern[str], what: str) -> str:
        """The subject, where it is one. Raises ProvisionError."""
        if pattern.fullmatch(self._subject) is None:
            raise ProvisionError(self.title, f"{self._subject!r} is no {what}", "take it from the finding")
        return self._subject

    async def _sql(self, *statements: str) -> AsyncIterator[Event]:
        """Run statements as the server's own user, and tell them."""
        for statement in statements:
            command = self.sql_command(statement)
            async for event in run(self._site, command, script=await psql_script(self._site, statement)):
                yield event

    def sql_command(self, statement: str) -> Command:
        """The statement as an operator would type it."""
        return Command(f'psql -c "{statement}"', user=os_user(self._site))


def commands(texts: Sequence[str], user: str = "root") -> tuple[Command, ...]:
    """Commands for the droplet."""
    return tuple(Command(text, user=user) for text in texts)


def filled_in(command: str, name: str) -> str:
    """archive_command with the file in it, for the data directory (PostgreSQL's shell_archive.c)."""
    return command.replace("%%", "\0").replace("%p", f"pg_wal/{name}").replace("%f", name).replace("\0", "%")


def literal(value: str) -> str:
    """An SQL string constant."""
    doubled = value.replace("'", "''")
    return f"E'{doubled.replace(chr(92), chr(92) * 2)}'" if "\\" in value else f"'{doubled}'"
