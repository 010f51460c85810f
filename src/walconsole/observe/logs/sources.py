"""What is streamed from the host into the log pane, and by which command."""

import shlex
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import PurePosixPath

from walconsole.domain.profile import DropletPaths
from walconsole.observe.host.host import HostProbe
from walconsole.observe.host.host_script import assignment, script_named

BACKLOG_LINES = 200
"""How many lines from before the console began are shown."""


@dataclass(frozen=True, slots=True)
class LogSource:
    """One stream. `command` is asked again whenever the stream is opened; it may raise WalconsoleError.

    `always`: every line of it is about archiving.
    """

    origin: str
    command: Callable[[], Awaitable[str]]
    always: bool


def log_sources(paths: DropletPaths, host: HostProbe) -> tuple[LogSource, ...]:
    """PostgreSQL's log, the verifier's journal tag and the archive command's log file."""

    async def server_log() -> str:
        await host.locate()
        cluster = host.observed
        if cluster is None:
            return server_log_command(b"", "")
        return server_log_command(cluster.path, cluster.log or "", cluster.facts.owner)

    async def journal() -> str:
        tag = shlex.quote(paths.journal_tag)
        options = f"-q -f -n {BACKLOG_LINES} -o short-iso -t {tag}"
        return f"command -v journalctl >/dev/null 2>&1 && exec journalctl {options} 2>/dev/null"

    async def file() -> str:
        return f"exec tail -n {BACKLOG_LINES} -F -- {shlex.quote(paths.log)} 2>/dev/null"

    return (
        LogSource("postgresql", server_log, always=False),
        LogSource(paths.journal_tag, journal, always=True),
        LogSource(PurePosixPath(paths.log).name, file, always=True),
    )


def server_log_command(data_directory: bytes, log: str, owner: str = "") -> str:
    """The script that streams the log of the cluster there, read as its `owner`.

    `log` is empty where no list names one.
    """
    assigned = (
        ("data", data_directory),
        ("log", log.encode()),
        ("root", b""),
        ("owner", owner.encode()),
        ("backlog", b"%d" % BACKLOG_LINES),
    )
    return "".join(assignment(name, raw) for name, raw in assigned) + log_script("server_log.sh")


def log_script(name: str) -> str:
    """The script of that name, after the one that finds where the server logs."""
    return script_named("log_target.sh") + script_named(name)
