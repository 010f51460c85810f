"""Commands on the droplet, as root or as another user, with what they print.

A script travels on the shell's standard input. Where it is run as another user it stands in an argument
list for as long as it runs: no script holds a secret, what is secret goes in through a pipe.
"""

import asyncio
import json
import secrets
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from shlex import quote

from walconsole.domain.facts.host import ClusterFacts
from walconsole.domain.patience import HANGS, OVERDUE
from walconsole.domain.redaction import decode, safe
from walconsole.errors import ProvisionError, ShellError
from walconsole.observe.host.invocation import as_user
from walconsole.provision.engine.model import Command, Event, Printed, Ran
from walconsole.provision.engine.site import Site

ROOT = "root"
LONGEST_COMMAND_S = 180.0
"""For what ends in a moment unless something hangs: the disk, a lock, systemd."""
LONGEST_TRANSFER_S = 1800.0
"""For what moves a whole segment: the installed scripts bound each transfer by themselves, to 20 minutes."""
DATABASE_BYTES = "SELECT sum(pg_database_size(oid))::bigint FROM pg_database"
"""The databases' size."""
_ANSWERS_WITHIN_S = 5.0
_LAST_WORDS = 5
_LONGEST_LINE = 8192


def script_for(site: Site, script: str, user: str) -> str:
    """`script` for `user`: root's is the shell's own user, which is root unless the profile has no sudo."""
    return f"(\n{script}\n)" if user == ROOT else as_user(user, script)


async def ask(site: Site, script: str, *, user: str = ROOT, timeout_s: float = 20.0, tried: str = "") -> str:
    """What `script` printed, errors among it.

    Raises ProvisionError where it ends with anything but 0, or not within `timeout_s`.
    """
    tried = tried or f"running as {user} on the droplet: {_first_line(script)}"
    try:
        answer = await site.shell.run(script_for(site, script, user), timeout_s=timeout_s)
    except ShellError as error:
        if error.code not in (HANGS, OVERDUE):
            raise
        raise _hangs(tried, timeout_s, []) from None
    said = decode(answer.stdout)
    if answer.status != 0:
        raise failed(tried, answer.status, said)
    return said


async def status_of(site: Site, script: str, *, user: str = ROOT, timeout_s: float = 20.0) -> tuple[int, str]:
    """Its exit status and what it printed."""
    answer = await site.shell.run(script_for(site, script, user), timeout_s=timeout_s)
    return answer.status, decode(answer.stdout)


async def run(
    site: Site,
    command: Command,
    *,
    script: str = "",
    accepted: tuple[int, ...] = (0,),
    timeout_s: float | None = None,
) -> AsyncIterator[Event]:
    """Run a command and tell every line as it comes. `script` is what really runs, where that is more.

    Raises ProvisionError where it ends with another status than those `accepted`, and where it has not ended
    after `timeout_s` (None: LONGEST_COMMAND_S); SshError where the connection does not answer any more. What
    it started ends with the iterator.
    """
    yield Ran(command)
    mark = f"walconsole-{secrets.token_hex(8)}"
    body = script_for(site, script or command.text, command.user)
    stream = site.shell.stream(f"{body}\nprintf '\\n%s %s\\n' {mark} \"$?\"")
    tried = f"running as {command.user} on the droplet: {_first_line(command.text)}"
    last: list[str] = []
    status: int | None = None
    limit_s = LONGEST_COMMAND_S if timeout_s is None else timeout_s
    until = asyncio.get_running_loop().time() + limit_s
    async with aclosing(_lines(stream)) as lines:
        while True:
            try:
                async with asyncio.timeout_at(until):
                    line = await anext(lines)
            except StopAsyncIteration:
                break
            except TimeoutError:
                await site.shell.run(":", timeout_s=_ANSWERS_WITHIN_S)
                raise _hangs(tried, limit_s, last) from None
            if line.startswith(mark):
                status = int(line.removeprefix(mark).strip() or 255)
                continue
            if line:
                last = [*last, line][-_LAST_WORDS:]
                yield Printed(line)
    if status not in accepted:
        raise failed(tried, status, "\n".join(last))


def _hangs(tried: str, limit_s: float, last: list[str]) -> ProvisionError:
    said = f"; its last words: {'; '.join(last)}" if last else ""
    return ProvisionError(
        tried,
        f"it had not ended after {limit_s:g} s, and was ended{said}",
        "see what it waits for by running it by hand (uptime, ps and dmesg tell of a busy host or a disk that"
        " hangs); then run this step again",
    )


async def psql(site: Site, sql: str, *, timeout_s: float = 20.0) -> str:
    """What a statement answers, without the last line's end: fields apart by tabs, rows by lines.

    Raises ProvisionError with what the server said.
    """
    script = answer_alone(await psql_script(site, sql))
    tried = f"running as {os_user(site)} on the droplet: {_first_line(await psql_script(site, sql))}"
    return (await ask(site, script, user=os_user(site), timeout_s=timeout_s, tried=tried)).rstrip("\n")


def answer_alone(command: str) -> str:
    """A script that prints what `command` does, and its errors only where it fails, with its status.

    What psql warns of while it goes well is no part of an answer: since PostgreSQL 15 each connection to a
    database whose collation is of another version on this host begins with a WARNING.
    """
    return (
        f"{{ complaints=$({command} 2>&1 >&4 4>&-); status=$?; }} 4>&1\n"
        '[ "$status" = 0 ] || printf \'%s\\n\' "$complaints"\n(exit "$status")'
    )


def database_word(name: str) -> str:
    """How a program of libpq's is given a database: it takes a name with `=`, or of a URI's form, for more.

    libpq documentation, "Connection Strings".
    """
    if "=" not in name and not name.startswith(("postgresql://", "postgres://")):
        return name
    escaped = name.replace("\\", r"\\").replace("'", r"\'")
    return f"dbname='{escaped}'"


async def data_directory(site: Site) -> str:
    """The server's. Raises ProvisionError."""
    return await psql(site, "SHOW data_directory")


async def archive_command_in_force(site: Site) -> str:
    """The setting, empty where there is none or archiving is off. Raises ProvisionError."""
    command = await psql(site, "SHOW archive_command")
    return "" if command == "(disabled)" else command


async def psql_script(site: Site, sql: str) -> str:
    """The command line of `psql`, for the server's own OS user."""
    return f"{await psql_command(site)} -c {quote(sql)}"


async def psql_command(site: Site) -> str:
    """psql with the options that reach the observed cluster, without a statement."""
    return psql_for(site, (await site.survey()).cluster)


def psql_for(site: Site, cluster: ClusterFacts | None) -> str:
    """psql with the options that reach `cluster`; what the profile says counts more."""
    postgres = site.profile.postgres
    socket = postgres.socket_dir or (cluster.socket_dir if cluster is not None else "")
    port = postgres.port or (cluster.port if cluster is not None else None)
    options = f"{' -h ' + quote(socket) if socket else ''}{f' -p {port}' if port else ''}"
    connection = f"-U {quote(postgres.user)} -d {quote(database_word(postgres.database))}"
    own = _own_programs(cluster) if not site.profile.paths.root and socket and port else ""
    return f"{programs(site)}{own}psql -XAtq -v ON_ERROR_STOP=1 -F '\t'{options} {connection}"


def _own_programs(cluster: ClusterFacts | None) -> str:
    """What has psql be the cluster's own, where Debian has it.

    /usr/bin/psql is Perl there, pg_wrapper(1): it takes three times as long, on a slow droplet half a second.
    """
    if cluster is None or cluster.name is None:
        return ""
    return f'PATH={quote(f"/usr/lib/postgresql/{cluster.name.version}/bin")}:"$PATH" '


def programs(site: Site) -> str:
    """What stands before a command so that its programs are found where this droplet has them."""
    root = site.profile.paths.root
    return f"PATH={quote(site.choices.path)} " if root else ""


def os_user(site: Site) -> str:
    """The operating system's user that the server runs as."""
    return site.profile.postgres.os_user


def failed(tried: str, status: int | None, said: str) -> ProvisionError:
    """A command's failure, with its last words."""
    words = "; ".join([line.strip() for line in said.splitlines() if line.strip()][-_LAST_WORDS:])
    ended = "did not end by itself" if status is None else f"exit status {status}"
    return ProvisionError(tried, f"{ended}: {words}" if words else ended)


def _first_line(script: str) -> str:
    line = next((line for line in script.splitlines() if line.strip()), "")
    return line if len(line) <= 100 else f"{line[:99]}…"


async def _lines(stream: AsyncIterator[bytes]) -> AsyncGenerator[str, None]:
    """Lines without their ends; one that never ends comes in pieces. The stream ends with this."""
    rest = b""
    try:
        async for chunk in stream:
            *lines, rest = (rest + chunk).replace(b"\r", b"\n").split(b"\n")
            for line in lines:
                yield decode(line)
            if len(rest) > _LONGEST_LINE:
                yield decode(rest)
                rest = b""
        if rest:
            yield decode(rest)
    finally:
        if isinstance(stream, AsyncGenerator):
            await stream.aclose()


# -- The server's own log on the droplet, as far as Debian's list of clusters names it.

_SERVER_LOG_LONGEST_LINE = 500


async def server_log(site: Site) -> str:
    """The file that the cluster logs to at its start, by pg_lsclusters; empty where it has none."""
    cluster = (await site.survey()).cluster
    name = cluster.name if cluster is not None else None
    if name is None:
        return ""
    which = f"$1 == {json.dumps(name.version)} && $2 == {json.dumps(name.name)} {{ print $7 }}"
    status, said = await status_of(site, f"{programs(site)}pg_lsclusters -h | awk {quote(which)}")
    path = said.strip()
    return path if status == 0 and path.startswith("/") else ""


async def last_lines(site: Site, about: str, count: int = 2) -> tuple[str, ...]:
    """The newest lines of it that have `about` in them, the oldest first; none where it cannot be read."""
    path = await server_log(site)
    if not path:
        return ()
    script = f"tail -c 65536 -- {quote(path)} | grep -F -e {quote(about)} | tail -n {count}"
    # as the server: in its folder of logs a link may lead anywhere
    _, said = await status_of(site, script, user=os_user(site))
    return tuple(safe(line[:_SERVER_LOG_LONGEST_LINE]) for line in said.splitlines())
