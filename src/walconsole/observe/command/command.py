"""The archive command as the operating system sees it: its programs, its configurations, what runs of it."""

import re
import secrets
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from walconsole.domain.archivers.command_words import (
    Program,
    configs_of,
    programs_of,
    remotes_of,
    targets_of,
)
from walconsole.domain.facts.evidence import (
    ChildProcess,
    CommandFacts,
    ConfigAccess,
    FileSystemRoom,
    ProgramFacts,
)
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.records import record
from walconsole.domain.redaction import decode, safe
from walconsole.errors import ShellError
from walconsole.observe.host.host import HostProbe
from walconsole.observe.host.host_script import (
    all_records,
    argv,
    assignment,
    script_named,
    script_that_follows,
)
from walconsole.observe.host.invocation import as_user
from walconsole.observe.poller.probe import Fact
from walconsole.ports import Clock, Shell

FILES_EVERY_S = 15.0
FILES_IN_TROUBLE_EVERY_S = 2.0
"""While something waits to be archived."""
SCRIPT_S = 8.0
SERVER_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""What a server's PATH is where it cannot be read."""
SOURCE = "the archive command on the droplet"
_LONGEST_COMMAND = 400


@record
class _Files:
    """What was found of the programs and configurations, and for which command.

    `restore` are the restore command's programs, which are looked for in the same call.
    """

    command: str
    programs: tuple[ProgramFacts, ...] = ()
    restore: tuple[ProgramFacts, ...] = ()
    configs: tuple[ConfigAccess, ...] = ()
    script: str = ""
    missing: tuple[str, ...] = ()
    room: tuple[FileSystemRoom, ...] = ()
    stop_files: tuple[str, ...] = ()


class CommandProbe:
    """Fills COMMAND. `command` is archive_command in force, None before it was read; `waiting` how many wait,
    `restore` the restore command that a recovery would call, empty where that is not known.

    `os_user` is the operating system's user that the server runs as.
    """

    name = SOURCE
    slots = (Snapshot.command,)
    cadence_s = 2.5
    timeout_s = 18.0

    def __init__(
        self,
        shell: Shell,
        host: HostProbe,
        clock: Clock,
        os_user: str,
        command: Callable[[], str | None],
        waiting: Callable[[], int | None],
        restore: Callable[[], str] = str,
    ) -> None:
        self._shell, self._host, self._clock, self._os_user = shell, host, clock, os_user
        self._command, self._waiting, self._restore = command, waiting, restore
        self._files: _Files | None = None
        self._files_at = 0.0

    def refresh(self) -> None:
        """Look at the files again at the next look."""
        self._files = None

    async def take(self) -> Sequence[Fact]:
        """Nothing before the settings were read. Raises errors.SshError, errors.ShellError."""
        command = self._command()
        if command is None:
            return ()
        command = "" if command == "(disabled)" else command
        now = self._clock.monotonic()
        every_s = FILES_IN_TROUBLE_EVERY_S if self._waiting() else FILES_EVERY_S
        if self._files is None or self._files.command != command or now - self._files_at >= every_s:
            self._files, self._files_at = await self._look_at_files(command), now
        facts, at = await self._look_at_processes(self._files)
        return [Fact(Snapshot.command, facts, at, SOURCE)]

    async def _look_at_files(self, command: str) -> _Files:
        programs = programs_of(command)
        if not programs:
            return _Files(command)
        restore = programs_of(self._restore())
        found = await self._look_up(command, programs, configs_of(command), restore)
        if found.script and not found.configs:  # only the script tells which configuration it uses
            inside = await self._look_up(command, (), configs_of(found.script))
            remotes = tuple(target.remote for target in targets_of(found.script))
            found = replace(
                found, configs=tuple(replace(each, remotes=_known(each, remotes)) for each in inside.configs)
            )
        wrapped = "" if _pgbackrest_config(command) else _pgbackrest_config(found.script)
        if wrapped and self._waiting() != 0:  # a script of the operator's own around it
            inside = await self._look_up(command, (), (), pgbackrest=wrapped)
            found = replace(found, stop_files=inside.stop_files)
        return found

    async def _look_up(
        self,
        command: str,
        programs: Sequence[Program],
        configs: Sequence[str],
        restore: Sequence[Program] = (),
        pgbackrest: str = "",
    ) -> _Files:
        token = secrets.token_hex(8)
        assigned = (
            ("token", token.encode()),
            ("data", self._data()),
            ("path", await self._server_path()),
            ("postmaster", self._postmaster()),
            ("programs", "\n".join(_places((*programs, *restore))).encode("utf-8", "surrogateescape")),
            ("configs", "\n".join(configs).encode("utf-8", "surrogateescape")),
            ("waiting", b"1" if (programs or pgbackrest) and self._waiting() != 0 else b"0"),
            ("pgbackrest", (pgbackrest or _pgbackrest_config(command)).encode("utf-8", "surrogateescape")),
        )
        script = "".join(assignment(name, raw) for name, raw in assigned) + script_that_follows("command.sh")
        answer = await self._shell.run(as_user(self._os_user, script), timeout_s=SCRIPT_S)
        try:
            records = all_records(answer.stdout, token)
        except ShellError:
            why = safe(decode(answer.stdout[-200:])).strip() or f"exit status {answer.status}"
            return _Files(command, missing=(f"what user {self._os_user} may run and read: {why}",))
        found = _read_files(command, records, remotes_of(command), own=len(_places(programs)))
        places = dict(zip(_places((*programs, *restore)), found.programs, strict=False))
        return replace(found, programs=_found_first(programs, places), restore=_found_first(restore, places))

    async def _server_path(self) -> bytes:
        """PATH of the running postmaster: what the archive command inherits."""
        pid = self._host.observed.pid if self._host.observed is not None else None
        if pid is None:
            return SERVER_PATH.encode()
        answer = await self._shell.run(
            f"tr '\\000\\n' '\\n ' 2>/dev/null </proc/{pid}/environ | sed -n 's/^PATH=//p' | head -n 1",
            timeout_s=SCRIPT_S,
        )
        return answer.stdout.strip() or SERVER_PATH.encode()

    def _data(self) -> bytes:
        observed = self._host.observed
        return observed.path if observed is not None else b""

    def _postmaster(self) -> bytes:
        observed = self._host.observed
        return b"%d" % observed.pid if observed is not None and observed.pid else b""

    async def _look_at_processes(self, files: _Files) -> tuple[CommandFacts, float]:
        await self._host.locate()
        token = secrets.token_hex(8)
        assigned = (
            ("token", token.encode()),
            ("data", self._data()),
            ("postmaster", self._postmaster()),
            ("orphans", b"1" if self._waiting() != 0 else b"0"),
        )
        script = "".join(assignment(name, raw) for name, raw in assigned) + script_named("archiver.sh")
        answer = await self._shell.run(script, timeout_s=SCRIPT_S)
        at = (answer.sent_at + answer.answered_at) / 2
        return _read_processes(files, all_records(answer.stdout, token), self._host_now(at)), at

    def _host_now(self, at: float) -> float:
        return at + self._host.clock_offset_s


def _known(config: ConfigAccess, remotes: Sequence[str]) -> tuple[str, ...]:
    """Of names that look like remotes in a script, those that can be meant: all where none is a section."""
    named = tuple(dict.fromkeys(remotes))
    return (
        named
        if not config.sections
        else tuple(name for name in named if name in config.sections) or named[:1]
    )


def _places(programs: Sequence[Program]) -> tuple[str, ...]:
    """What to look for, each once."""
    return tuple(dict.fromkeys(place for program in programs for place in program.places))


def _found_first(programs: Sequence[Program], found: Mapping[str, ProgramFacts]) -> tuple[ProgramFacts, ...]:
    """Of each program what a shell takes: the first that may be run, else the first that is there at all."""
    told: dict[str, ProgramFacts] = {}
    for program in programs:
        facts = [found[place] for place in program.places if place in found]
        runs = next((each for each in facts if each.executable), None)
        there = next((each for each in facts if each.path is not None), None)
        told.setdefault(
            program.name, replace(runs or there or ProgramFacts("", None), name=safe(program.name))
        )
    return tuple(told.values())


def _read_files(
    command: str, records: Sequence[tuple[str, bytes]], remotes: tuple[str, ...], own: int
) -> _Files:
    """`script` is taken of the first `own` programs alone: the others are the restore command's."""
    programs: list[ProgramFacts] = []
    configs: list[ConfigAccess] = []
    script = ""
    room: tuple[FileSystemRoom, ...] = ()
    stops: tuple[str, ...] = ()
    for key, value in records:
        text = decode(value)
        match key:
            case "room":
                room = read_room(text)
            case "stops":
                stops = tuple(safe(line) for line in text.splitlines()[:20] if line)
            case "program":
                programs.append(ProgramFacts(safe(text), None))
            case "config":
                configs.append(ConfigAccess(safe(text), exists=False, readable=False, remotes=remotes))
            case "program.script":
                script = text if len(programs) <= own else script
            case _ if key.startswith("program.") and programs:
                programs[-1] = _program(programs[-1], key, text)
            case _ if key.startswith("config.") and configs:
                configs[-1] = _config(configs[-1], key, text)
    return _Files(
        command,
        tuple(programs),
        configs=tuple(configs),
        script=script,
        room=room,
        stop_files=stops,
    )


def _pgbackrest_config(command: str) -> str:
    """The file that the command names for pgBackRest; empty where it names none."""
    named = re.search(r"pgbackrest\b[^|;&]*?--config[= ][\"']?([^\s\"']+)", command)
    return named[1] if named is not None else ""


_ROOM = re.compile(r"(i?)(\d{1,18})\t(\d{1,18})\t(/.*)")


def read_room(text: str) -> tuple[FileSystemRoom, ...]:
    """What df said, KiB and (after an `i`) inodes, by the mount point; the root's first."""
    found: dict[str, FileSystemRoom] = {}
    for line in text.splitlines():
        told = _ROOM.fullmatch(line)
        if told is None:
            continue
        free, total, path = int(told[2]), int(told[3]), safe(told[4])
        if not told[1]:
            found[path] = FileSystemRoom(path, free * 1024, total * 1024)
        elif total and path in found:  # btrfs and others count none
            found[path] = replace(found[path], free_inodes=free)
    return tuple(found[path] for path in sorted(found))


def _program(program: ProgramFacts, key: str, text: str) -> ProgramFacts:
    match key:
        case "program.path":
            return replace(program, path=safe(text))
        case "program.why":
            return replace(program, executable=False, why_not=safe(text))
        case "program.ok":
            return replace(program, executable=True)
        case "program.stat":
            mode, owner, modified = (*text.split(), "", "", "")[:3]
            return replace(
                program,
                mode=int(mode, 8) if mode.isdigit() and not set(mode) & set("89") else None,
                owner=safe(owner),
                modified_at=float(modified) if modified.isdigit() else None,
            )
    return program


def _config(config: ConfigAccess, key: str, text: str) -> ConfigAccess:
    match key:
        case "config.exists":
            return replace(config, exists=True)
        case "config.readable":
            return replace(config, readable=True)
        case "config.why":
            return replace(config, why_not=safe(text))
        case "config.at":
            return replace(config, modified_at=float(text) if text.isdigit() else None)
        case "config.sections":
            return replace(config, sections=tuple(safe(line) for line in text.splitlines() if line))
        case "config.places":
            cut = (line.split("\t") for line in text.splitlines())
            told = ((safe(one[0]), safe(one[1]), safe(one[2])) for one in cut if len(one) == 3)
            return replace(config, places=tuple(told))
    return config


def _read_processes(files: _Files, records: Sequence[tuple[str, bytes]], host_now: float) -> CommandFacts:
    single = {key: decode(value) for key, value in records if not key.startswith("child")}
    orphans = tuple(safe(name) for name in single.get("orphans", "").splitlines())
    uptime, ticks = _number(single.get("uptime", "")), _number(single.get("ticks", "")) or 100.0
    booted = host_now - uptime if uptime is not None else None
    missing = (*files.missing, *(["pg_wal: it may not be entered"] if "missing" in single else []))
    seen = sorted(_children(records, booted, ticks), key=lambda child: (child.started_at, child.pid))
    own = next((each for each in seen if str(each.pid) == single.get("archiver")), None)
    return CommandFacts(
        command=files.command,
        programs=files.programs,
        restore=files.restore,
        configs=files.configs,
        script=files.script,
        room=files.room,
        stop_files=files.stop_files,
        archiver=own,
        children=tuple(each for each in seen if each is not own),
        orphans=orphans[:20],
        orphan_count=len(orphans),
        missing=missing,
    )


def _children(
    records: Sequence[tuple[str, bytes]], booted: float | None, ticks: float
) -> Iterator[ChildProcess]:
    groups: list[dict[str, bytes]] = []
    for key, value in records:
        if key == "child":
            groups.append({key: value})
        elif key.startswith("child.") and groups:
            groups[-1][key] = value
    for group in groups:
        fields = decode(group.get("child.stat", b"")).split()
        if booted is None or len(fields) < 20 or not fields[19].isdigit():
            continue
        arguments = argv(group.get("child.argv"))
        command = safe(" ".join(shlex.quote(one) for one in arguments))
        yield ChildProcess(
            pid=int(group["child"]),
            started_at=booted + int(fields[19]) / ticks,
            command=command if len(command) <= _LONGEST_COMMAND else f"{command[: _LONGEST_COMMAND - 1]}…",
            state=_STATES.get(fields[0], fields[0]),
            wait_channel=safe(decode(group.get("child.wchan", b""))).strip(),
            sockets=tuple(
                safe(line) for line in decode(group.get("child.sockets", b"")).splitlines() if line
            ),
        )


_STATES = {
    "R": "running",
    "S": "sleeping",
    "D": "waiting for a disk or a network file system",
    "Z": "ended, not reaped",
    "T": "stopped by a signal",
    "t": "stopped by a debugger",
}
"""proc(5), /proc/pid/stat, field 3."""


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
