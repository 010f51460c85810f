"""The server's log as evidence, from whatever a real server logs with."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio

from tests.integration.observed import Connected, connected, profile_of
from tests.servers.fixtures import or_skip
from tests.servers.postgres import PostgresServer, system_bin_dir
from tests.servers.sshd import SshServer
from tests.servers.workspace import Workspace
from walconsole.domain.facts.evidence import LogEntry, LogFacts, LogKind
from walconsole.domain.round_trips import ShellAnswer
from walconsole.observe.logs.server_log import ServerLogProbe
from walconsole.observe.logs.stream import server_log_command

pytestmark = [pytest.mark.server, pytest.mark.asyncio(loop_scope="module")]

COMMAND = "echo 'rclone: AccessDenied for %f' >&2; exit 3"
COLLECTED = {"logging_collector": "on", "log_filename": "postgresql.log"}
SEGMENT = "000000010000000000000042"
"""Of the messages of syslog that are written by hand."""


@pytest.fixture(scope="module")
def server(workspace: Workspace) -> Iterator[PostgresServer]:
    """Its archive command says why it fails; where it logs is each test's own."""
    made = or_skip(lambda: PostgresServer.make(workspace, system_bin_dir(), wal_segment_mib=1))
    yield made
    made.stop("immediate")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def droplet(server: PostgresServer, sshd: SshServer) -> AsyncIterator[Connected]:
    server.start()
    async with connected(profile_of(sshd, server)) as to:
        await to.host.locate()
        yield to


@contextmanager
def logging(server: PostgresServer, **settings: str) -> Iterator[float]:
    """Restarted to log like this, with an archive command that fails; since when.

    Where the log goes on in one file, the last word of who ran before has a time: a line without one is not
    older than that, and of a test before that logged without times it would be who knows when.
    """
    server.configure(archive_mode="on", archive_command=COMMAND, **settings)
    server.stop("immediate")
    began = time.time()
    if server.log_file.exists():
        last = datetime.fromtimestamp(began, UTC)
        with server.log_file.open("a") as log:
            log.write(f"{last:%Y-%m-%d %H:%M:%S}.000 UTC [1] LOG:  database system is shut down\n")
    server.start()
    server.sql("SELECT pg_create_restore_point('x')")
    server.sql("SELECT pg_switch_wal()")
    yield began


def probe(to: Connected, root: str = "", **settings: str) -> ServerLogProbe:
    return ServerLogProbe(to.shell, to.host, to.clock, settings.get, root)


class Measured:
    """The droplet's shell, and how many bytes each of its answers had."""

    def __init__(self, to: Connected) -> None:
        self._shell = to.shell
        self.answers: list[int] = []

    async def run(self, script: str, *, timeout_s: float) -> ShellAnswer:
        answer = await self._shell.run(script, timeout_s=timeout_s)
        self.answers.append(len(answer.stdout))
        return answer


async def read(looks: ServerLogProbe) -> LogFacts:
    (fact,) = await looks.take()
    assert isinstance(fact.value, LogFacts)
    return fact.value


async def told(looks: ServerLogProbe, *kinds: LogKind) -> list[LogEntry]:
    """The entries, as soon as one of each of these is there."""
    until = time.monotonic() + 10
    while True:
        facts = await read(looks)
        if {entry.kind for entry in facts.entries}.issuperset(kinds):
            return list(facts.entries)
        assert time.monotonic() < until, facts
        await asyncio.sleep(0.1)


WAYS = {
    "standard error": {},
    "an odd prefix": {"log_line_prefix": "%q%u@%d/%a <%n> "},
    "no prefix": {"log_line_prefix": ""},
    "the collector": {**COLLECTED, "log_destination": "stderr"},
    "csvlog": {**COLLECTED, "log_destination": "csvlog"},
    "jsonlog": {**COLLECTED, "log_destination": "jsonlog"},
    "jsonlog and stderr": {**COLLECTED, "log_destination": "jsonlog,stderr"},
    "local time": {"log_timezone": "America/St_Johns"},
}


@pytest.mark.parametrize("way", WAYS)
async def test_the_exit_code_and_the_commands_own_words(
    droplet: Connected, server: PostgresServer, way: str
) -> None:
    with logging(server, **WAYS[way]) as began:
        looks = probe(droplet, **WAYS[way])
        entries = await told(looks, LogKind.FAILED, LogKind.PROGRAM)
    failed = [entry for entry in entries if entry.kind is LogKind.FAILED][-1]
    words = [entry for entry in entries if entry.kind is LogKind.PROGRAM][-1]
    assert failed.exit_code == 3
    assert "AccessDenied" in words.text
    if way != "no prefix":
        assert failed.at is not None
        assert began - 1 <= failed.at <= time.time() + 1
    assert words.at is None or began - 2 <= words.at <= time.time() + 1


async def test_what_is_old_is_not_read_again_and_a_new_file_is_followed(
    droplet: Connected, server: PostgresServer
) -> None:
    with logging(server, **COLLECTED | {"log_filename": "postgresql-%H%M%S.log"}):
        shell = Measured(droplet)
        looks = ServerLogProbe(shell, droplet.host, droplet.clock, {}.get)  # type: ignore[arg-type]
        await told(looks, LogKind.FAILED)
        await read(looks)
        await read(looks)
        assert shell.answers[-1] < 4096
        server.sql("SELECT pg_sleep(1.1)")
        server.sql("SELECT pg_rotate_logfile()")
        server.sql("ALTER SYSTEM SET archive_command = 'exit 77'")
        server.reload()
        until = time.monotonic() + 70
        codes: list[int | None] = []
        while 77 not in codes and time.monotonic() < until:
            codes = [entry.exit_code for entry in (await read(looks)).entries if entry.kind is LogKind.FAILED]
        server.sql("ALTER SYSTEM RESET ALL")
        assert codes[-1] == 77


async def test_of_a_huge_log_only_the_end_is_read(droplet: Connected, server: PostgresServer) -> None:
    failed = "2026-11-25 12:00:01.000 UTC [1] LOG:  archive command failed with exit code {}\n"
    line = "2026-11-25 12:00:00.000 UTC [1] LOG:  duration: 0.1 ms  statement: SELECT 'nothing of interest'\n"
    with logging(server):
        with server.log_file.open("a") as file:
            file.write(failed.format(76))
            file.write(line * 200_000)  # 19 MB
            file.write(failed.format(78))
        facts = await read(probe(droplet))
    codes = [entry.exit_code for entry in facts.entries if entry.kind is LogKind.FAILED]
    assert codes[-1] == 78
    assert 76 not in codes


HEAD = "2026-11-25 12:00:01.000 UTC [{pid}] "
OTHERS = [
    "СООБЩЕНИЕ:  начата контрольная точка: time",
    'ERROR:  relation "x" does not exist',
    "STATEMENT:  SELECT 1 FROM x",
    "LOG:  checkpoint starting: time",
]
"""What a server writes that says nothing of its archiver."""
FOREIGN: dict[str, tuple[list[str], list[LogKind]]] = {
    "Spanish": (["LOG:  la orden de archivado falló con código de retorno 7"], [LogKind.FAILED]),
    "Japanese": (
        [
            "LOG:  アーカイブコマンドがリターンコード 7で失敗しました",
            "詳細:  失敗したアーカイブコマンドは次のとおりです: cp",
        ],
        [LogKind.FAILED, LogKind.COMMAND],
    ),
    "Russian": (["СООБЩЕНИЕ:  команда архивации завершилась ошибкой с кодом 7"], [LogKind.FAILED]),
    "Chinese": (["日志:  归档命令执行失败，退出代码为 7"], [LogKind.FAILED]),
    "a library's error, by the archiver's process": (
        ["FEHLER:  konnte Datei »/x/t« nicht erstellen: Keine Berechtigung", "TIPP:  anderswo"],
        [LogKind.ARCHIVER_ERROR, LogKind.DETAIL],
    ),
    "a value that is refused": (
        ['ERROR:  invalid value for parameter "archive_command": "cp %q"', "DETAIL:  unexpected placeholder"],
        [LogKind.ARCHIVER_FATAL, LogKind.DETAIL],
    ),
}


@pytest.mark.parametrize("case", FOREIGN)
async def test_a_log_in_another_language(droplet: Connected, server: PostgresServer, case: str) -> None:
    lines, kinds = FOREIGN[case]
    with logging(server):
        none: dict[str, str] = {}
        looks = ServerLogProbe(droplet.shell, droplet.host, droplet.clock, none.get, archiver_pid=lambda: 801)
        await read(looks)
        with server.log_file.open("a") as file:
            for line in [*OTHERS, *(f"own {line}" for line in lines), *OTHERS]:
                head = HEAD.format(pid=801 if line.startswith("own ") else 90)
                file.write(f"{head}{line.removeprefix('own ')}\n")
            file.write('{"level":"error","msg":"NoSuchBucket"}\nupload failed:  twice\n')
        entries = (await read(looks)).entries
    told = [entry for entry in entries if entry.text.startswith(HEAD.format(pid=801))]
    assert [entry.kind for entry in told][-len(kinds) :] == kinds  # the others' cases are before it
    assert told[-len(kinds)].text.endswith(lines[0])
    assert not [entry for entry in entries if entry.text.startswith(HEAD.format(pid=90))]
    printed = [entry.text for entry in entries if entry.kind is LogKind.PROGRAM]
    assert {'{"level":"error","msg":"NoSuchBucket"}', "upload failed:  twice"} <= set(printed)


FORMATS = {
    "today's": "2026-11-25T12:00:01.250000+00:00 db postgres[41]: [3-1] {text}",
    "the traditional": "Nov 25 12:00:01 db postgres[41]: [3-1] {text}",
    "without sequence numbers": "2026-11-25T12:00:01.250000+00:00 db postgres[41]: {text}",
}


@pytest.mark.parametrize("shape", FORMATS)
async def test_syslog(droplet: Connected, server: PostgresServer, tmp_path: Path, shape: str) -> None:
    """Its files as rsyslog writes them; what the command prints goes to standard error all the same."""
    failed = f'The failed archive command was: cp "pg_wal/{SEGMENT}"'
    messages = [
        "2026-11-25 12:00:01.250 UTC [41] LOG:  archive command failed with exit code 9",
        f"2026-11-25 12:00:01.250 UTC [41] DETAIL:  {failed}",
        "#011a line that goes on",
    ]
    lines = [FORMATS[shape].format(text=text) for text in messages]
    lines += ["2026-11-25T12:00:02.250000+00:00 db sshd[7]: archive command failed with exit code 99"]
    lines += [
        "2026-11-25T12:00:02.250000+00:00 db postgres-other[7]: archive command failed with exit code 98"
    ]
    folder = tmp_path / "var/log"
    folder.mkdir(parents=True)
    (folder / "syslog").write_text("\n".join(lines) + "\n")
    for each in (tmp_path, *tmp_path.parents):
        if str(each).startswith("/tmp/"):
            each.chmod(each.stat().st_mode | 0o055)
    with logging(server):
        entries = await told(
            probe(droplet, str(tmp_path), log_destination="syslog", syslog_ident="postgres"),
            LogKind.FAILED,
            LogKind.COMMAND,
            LogKind.PROGRAM,
        )
    codes = [entry.exit_code for entry in entries if entry.kind is LogKind.FAILED]
    assert codes == [9]
    assert [SEGMENT in entry.text for entry in entries if entry.kind is LogKind.COMMAND] == [True]
    assert any("AccessDenied" in entry.text for entry in entries if entry.kind is LogKind.PROGRAM)


@pytest.mark.root("only root can be led astray")
@pytest.mark.parametrize("way", ["the list of log files", "a link"])
async def test_nothing_of_root_s_is_read_for_the_server_s_log(
    droplet: Connected, server: PostgresServer, tmp_path: Path, way: str
) -> None:
    """The server's user says where the log is; what that user may not read is no log."""
    victim, listed = tmp_path / "victim", server.data_dir / "current_logfiles"
    victim.write_text("root:$y$never-to-be-seen:19000\n" * 3)
    victim.chmod(0o600)
    link = server.data_dir / "server.log"
    link.symlink_to(victim)
    with logging(server):
        listed.write_text(f"stderr {victim if way == 'the list of log files' else link}\n")
        try:
            entries = await told(probe(droplet), LogKind.FAILED)
            stream = droplet.shell.stream(
                server_log_command(str(server.data_dir).encode(), "", server.os_user or "")
            )
            seen = await anext(aiter(stream))
            await stream.aclose()  # type: ignore[attr-defined]  # an async generator
        finally:
            listed.unlink()
            link.unlink()
    assert "never-to-be-seen" not in str(entries)
    assert b"never-to-be-seen" not in seen
    assert seen, "the log that is really the server's is found all the same"
