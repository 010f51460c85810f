"""What the server itself says of its configuration files, before anything is restarted or reloaded."""

import re
from collections.abc import Iterable
from shlex import quote

from walconsole.domain.records import record
from walconsole.errors import ProvisionError
from walconsole.observe.server.statements import query
from walconsole.provision.droplet.commands import os_user, psql, status_of
from walconsole.provision.engine.site import Site

NEEDS_RESTART = "setting could not be applied"
_GONE_AT_START = re.compile(r'parameter "[^"]*" cannot be changed without restarting the server')
"""What it says, in no other language, of a line that it started with and that is gone since: of no file."""
CORRECT = "correct those lines, and run it again"
_FIELDS = 6


@record
class FileSetting:
    """A row of pg_file_settings, with the setting's context."""

    file: str
    line: int
    name: str
    error: str
    context: str
    applied: bool

    @property
    def place(self) -> str:
        """`FILE:LINE`."""
        return f"{self.file}:{self.line}"

    @property
    def takes_restart(self) -> bool:
        """Whether it is no fault but a change that a restart brings."""
        if not self.name:
            return _GONE_AT_START.fullmatch(self.error) is not None
        return self.error == NEEDS_RESTART and self.context == "postmaster"


async def file_settings(site: Site) -> tuple[FileSetting, ...]:
    """Every line of the files that sets something, in order. Raises ProvisionError."""
    rows = (await psql(site, query("file_settings"))).splitlines()
    return tuple(_row(fields) for row in rows if len(fields := row.split("\t")) == _FIELDS)


def _row(fields: list[str]) -> FileSetting:
    file, line, name, error, context, applied = fields
    return FileSetting(file, int(line) if line.isdecimal() else 0, name, error, context, applied == "t")


def faults(rows: Iterable[FileSetting]) -> tuple[str, ...]:
    """What is wrong in the files, a line each."""
    wrong = (row for row in rows if row.error and not row.takes_restart)
    return tuple(dict.fromkeys(f"{row.place}: {f'{row.name} {row.error}'.strip()}" for row in wrong))


async def must_be_readable(site: Site) -> None:
    """Raises ProvisionError with the places where the running server finds fault with its files."""
    wrong = faults(await file_settings(site))
    if wrong:
        raise ProvisionError("letting the server read its files", "; ".join(wrong[:3]), CORRECT)


def pending(rows: Iterable[FileSetting]) -> tuple[FileSetting, ...]:
    """The lines that a restart would put in force."""
    return tuple(row for row in rows if row.takes_restart)


async def value_at_start(site: Site, name: str) -> str:
    """What a server that is started now would take for a setting, by its own program and without starting it.

    `postgres -C` reads and judges every line of the files, auto.conf too, but not the arguments that the
    running server was given. Raises ProvisionError with what it says of a line that it cannot take.
    """
    survey = await site.survey()
    server = survey.server
    if server is None:
        raise ProvisionError("asking PostgreSQL's program", survey.server_problem)
    data, config = quote(server.data_directory), quote(f"config_file={server.config_file}")
    script = f"""pid=$(head -n 1 {data}/postmaster.pid) || exit 1
program=$(readlink "/proc/$pid/exe") || exit 1
exec "${{program%% (deleted)}}" -D {data} -c {config} -C {quote(name)}"""
    status, said = await status_of(site, script, user=os_user(site))
    if status != 0:
        raise ProvisionError(
            f"letting PostgreSQL's program read {server.config_file}",
            "; ".join(said.strip().splitlines()[-3:]) or f"exit status {status}",
            "correct the line that it names; nothing was restarted",
        )
    return said.rstrip("\n").rpartition("\n")[2]
