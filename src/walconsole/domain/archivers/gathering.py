"""What the calls of a command come to: places, by each tool's module, and what is not known of the others."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from walconsole.domain.archivers import (
    barman,
    local_tools,
    passing,
    pgbackrest,
    programs,
    rclone,
    s3_clients,
    walg,
)
from walconsole.domain.archivers.branches import Otherwise
from walconsole.domain.archivers.called import Call
from walconsole.domain.archivers.calls import followed
from walconsole.domain.archivers.expansion import UNKNOWN, Names, shown, text_of
from walconsole.domain.archivers.look import FileText, Look, ProgramFile
from walconsole.domain.archivers.shell_words import Word, read_tokens
from walconsole.domain.archivers.target import NO_COMMANDS, ArchiveTarget, Found, UnreadStore
from walconsole.domain.archivers.typed import typed
from walconsole.domain.archivers.unsure import doubted
from walconsole.domain.archivers.whole_folders import whole_folder
from walconsole.domain.archivers.wrappers import SHELLS
from walconsole.domain.redaction import safe

_DEEPEST_SCRIPT = 2
_OURS = "installed by walconsole"
_OUR_VARIABLES = re.compile(r"^(config|primary|dr)=.*", re.MULTILINE)
_NOTHING = frozenset({"true", ":", "exit", "cd"})
_INTERPRETERS = re.compile(r"python[\d.]*|perl|ruby|node|php[\d.]*|lua|Rscript|make|gmake|ansible-playbook")

Reader = Callable[[Call, Look], Iterable[ArchiveTarget]]


def _one(reader: Callable[[Call, Look], ArchiveTarget | None]) -> Reader:
    def read(call: Call, look: Look) -> Iterable[ArchiveTarget]:
        found = reader(call, look)
        return () if found is None else (found,)

    return read


_BY_NAME: dict[str, Reader] = {
    "rclone": _one(rclone.target),
    "pgbackrest": pgbackrest.targets,
    "barman-cloud-wal-archive": _one(barman.cloud_target),
    "barman-wal-archive": _one(lambda call, _look: barman.server_target(call)),
    "pghoard_postgres_command": _one(local_tools.pghoard),
    **dict.fromkeys(
        ("wal-g", "walg", "wal-g-pg", "walg-daemon-client", "walg_archive", "wal-e", "wal-e.py"),
        _one(walg.target),
    ),
    **dict.fromkeys(
        ("aws", "s3cmd", "s5cmd", "s4cmd", "mc", "mcli", "gsutil", "gcloud", "azcopy"),
        _one(s3_clients.target),
    ),
}
_NAMED = {
    "manager": ("CloudNativePG", "its operator's resources say where: kubectl get cluster, objectstore"),
    "rds_wal_archive": ("Amazon RDS", "where it archives to is Amazon's own"),
    "BlobLogUpload.sh": ("Azure Database for PostgreSQL", "where it archives to is Azure's own"),
    "omnipitr-archive": ("OmniPITR", "its options are not read"),
    "repmgr": ("repmgr", "it is no archiver of its own"),
}
"""Known by name, and not read."""


@dataclass(slots=True)
class Gathered:
    """`found` are places, `unknown` the programs of which it is not known; `given`: those with a segment.

    `perhaps`: those that are given none, and may fetch it themselves.
    """

    found: list[ArchiveTarget] = field(default_factory=list)
    unknown: list[ArchiveTarget] = field(default_factory=list)
    perhaps: list[ArchiveTarget] = field(default_factory=list)
    given: set[str] = field(default_factory=set)
    emptied: list[str] = field(default_factory=list)
    """What `rm` takes away."""

    @property
    def count(self) -> int:
        """Of all of them, sure or not."""
        return len(self.found) + len(self.unknown) + len(self.perhaps)


def read_call(call: Call, look: Look, gathered: Gathered, depth: int) -> None:
    """Add the call's targets, or those of the script that it is."""
    reader = _reader(call)
    if call.inside and (reader is None or not call.given):
        return
    gathered.given.difference_update(call.piped)
    if call.fed:  # then what only passes it on is not what stores it
        gathered.unknown = [each for each in gathered.unknown if each.tool.value not in call.piped]
    if call.name == "rm":
        gathered.found = passing.left_by_rm(call, gathered.found)
        gathered.emptied += [look.path(call.within(word)) for word in call.words if not word.startswith("-")]
    elif reader is not None:
        _by_reader(call, reader, look, gathered)
    elif call.name in _NAMED:
        tool, why = _NAMED[call.name]
        what = UnreadStore(Found(tool, call.source), why)
        gathered.found.append(ArchiveTarget(Found(tool, call.source), what))
    elif UNKNOWN in call.program:
        if not depth:
            name = shown(call.program)
            gathered.unknown.append(
                unknown_place(name, call.source, "the run of the command alone tells what it is")
            )
    elif why := programs.why_not_read(call):
        _note_given(call, gathered)
        place = unknown_place(call.name, call.source, why, programs.place_named(call))
        (gathered.unknown if call.given else gathered.perhaps).append(place)
    elif call.name not in _NOTHING:
        _by_script(call, look, gathered, depth)


def _by_reader(call: Call, reader: Reader, look: Look, gathered: Gathered) -> None:
    look.cut.clear()
    whole = whole_folder(call, look)
    read = [_by(call, replace(passing.as_piped(call, each), whole=whole)) for each in reader(call, look)]
    own = typed(call, look.command, look) if read else NO_COMMANDS
    targets = [doubted(call, replace(target, commands=own), look.cut) for target in read]
    gathered.found = passing.left_by_compressor(call, gathered.found)
    if (
        not targets
        and not passing.into_nothing(call)
        and (call.given or whole is not None or programs.may_fetch(call))
    ):
        place = unknown_place(call.name, call.source, programs.why_no_place(call))
        sure = call.given or whole is not None
        (gathered.unknown if sure else gathered.perhaps).append(replace(place, whole=whole))
    if read and call.kept and not local_tools.stores_by_itself(call):  # cp and the like read no variable
        names = ", ".join(sorted(call.kept))
        look.note(
            f"{names}: set in {call.source}'s shell, and not exported, so that {call.name} does not see it"
        )
    if call.user and call.user != look.seen.user and targets:
        look.note(f"{call.name} runs as {call.user}: what lies in that user's home is not read")
    gathered.found = passing.left_by_mv(call, gathered.found, targets)
    for target in targets:
        if not gathered.found or str(target.store) in {str(each.store) for each in gathered.found}:
            gathered.found.append(target)
        elif call.otherwise is Otherwise.FAILED:
            look.note(f"{call.name} archives to {target.store} only where what stands before it failed")
        elif call.otherwise is Otherwise.BRANCH:
            gathered.found[-1] = _either(gathered.found[-1], target)
        else:
            gathered.found.append(target)


def _either(one: ArchiveTarget, other: ArchiveTarget) -> ArchiveTarget:
    """Of two branches of a command."""
    what = Found(f"{one.store} or {other.store}", one.tool.source)
    why = "which of them takes a file, only the run of the command tells"
    return ArchiveTarget(one.tool, UnreadStore(what, why))


def _by_script(call: Call, look: Look, gathered: Gathered, depth: int) -> None:
    _note_given(call, gathered)
    why = _of_interpreter(call)
    if why:
        gathered.unknown.append(unknown_place(call.name, call.source, why))
        return
    program = _program(call, look)
    if program is None:
        return
    if program.script is not None and program.script.problem:
        why = f"{program.path} cannot be read: {program.script.problem}"
        gathered.unknown.append(unknown_place(call.name, call.source, why))
    elif program.script is None or depth >= _DEEPEST_SCRIPT:
        _not_followed(call, look, gathered.unknown, program.path, depth)
    else:
        _follow(call, program.script, look, gathered, depth)


def _note_given(call: Call, gathered: Gathered) -> None:
    """That it gets the file itself, and not its name alone, as a notice of it does."""
    if call.fed or any("%p" in word or (word.startswith("/") and "%f" in word) for word in call.words):
        gathered.given.add(safe(call.name))


def _program(call: Call, look: Look) -> ProgramFile | None:
    """Where PATH has it, as far as the command sets that itself; None while it is not known."""
    own, servers = call.environment.get("PATH"), look.environment().get("PATH")
    if own is None or own == servers or "/" in call.program:
        return look.program(call.program)
    value = own.value.replace(servers.value, UNKNOWN) if servers is not None and servers.value else own.value
    names = [f"{folder}/{call.program}" for folder in value.split(":") if folder.startswith("/")]
    found = [look.program(name) for name in (*names, call.program)]
    return (
        None if None in found else next((each for each in found if each is not None and each.path), found[-1])
    )


def _of_interpreter(call: Call) -> str:
    """Why what an interpreter is given is not followed; empty where the call is none of one."""
    if call.name in SHELLS:
        return f"what {call.name} runs comes from its standard input: it is not followed"
    if _INTERPRETERS.fullmatch(call.name):
        written = any(word in ("-e", "-E", "-c") for word in call.words)
        file = "what is written there" if written else ""
        file = file or next((shown(word) for word in call.words if word.startswith("/")), "it")
        return f"{file} is a program for {call.name}: it is not followed"
    return ""


def _follow(call: Call, script: FileText, look: Look, gathered: Gathered, depth: int) -> None:
    if _OURS in script.text[:400]:
        gathered.found += _ours(call, script, look)
        return
    if script.text.startswith("\ufeff"):
        look.note(
            f"{script.path} begins with a byte order mark: its #! is none, and a shell takes it for a command"
        )
    interpreter = _interpreter(script.text.removeprefix("\ufeff"))
    if interpreter.endswith("\r"):
        look.note(
            f"{script.path} has the line ends of Windows (CRLF): a shell does not run it as it is meant"
        )
        interpreter = interpreter.rstrip("\r")
    if interpreter not in SHELLS | {"env"}:
        why = f"{script.path} is a program for {interpreter}: it is not followed"
        gathered.unknown.append(unknown_place(call.name, call.source, why))
        return
    before = gathered.count
    for inner in followed(call, script.text, look, script.path, depth + 1, call.interpreter or interpreter):
        read_call(inner, look, gathered, depth + 1)
    if gathered.count == before and call.given:
        why = f"nothing in {script.path} is known here to store a file"
        gathered.unknown.append(unknown_place(call.name, call.source, why))


def _reader(call: Call) -> Reader | None:
    name = call.name
    if name in _BY_NAME:
        return _BY_NAME[name]
    if name.startswith("pg_probackup"):
        return _one(local_tools.probackup)
    if name.startswith("rclone-v"):
        return _BY_NAME["rclone"]
    if name.startswith("wal-g-"):  # as its releases call it: wal-g-pg-ubuntu-22.04-amd64
        return _BY_NAME["wal-g"]
    return _one(local_tools.target) if local_tools.stores_by_itself(call) else None


def _by(call: Call, target: ArchiveTarget) -> ArchiveTarget:
    return target if not call.user else replace(target, notes=(*target.notes, f"it runs as {call.user}"))


def _not_followed(call: Call, look: Look, unknown: list[ArchiveTarget], path: str, depth: int) -> None:
    if not call.given and depth:
        return
    if not path:
        why = programs.why_not_found(call, look.seen.user)
    elif depth >= _DEEPEST_SCRIPT:
        why = f"{path} is a script in a script in a script: it is not followed"
    else:
        why = f"{path} is not known here: what it does with a segment cannot be told"
    unknown.append(unknown_place(call.name, call.source, why))


def unknown_place(name: str, source: str, why: str, place: str = "") -> ArchiveTarget:
    what = Found(safe(place) or "an unknown place", source)
    return ArchiveTarget(Found(safe(name), source), UnreadStore(what, safe(why)))


def _interpreter(text: str) -> str:
    """What runs the script, by its first line; sh where it has none."""
    first = text.partition("\n")[0]
    if not first.startswith("#!"):
        return "sh"
    words = [word.rpartition("/")[2] for word in re.split(r"[ \t]+", first[2:].strip(" \t"))]
    if words[:1] == ["busybox"]:
        words = words[1:]
    if words[:1] == ["env"]:
        words = [word for word in words[1:] if not word.startswith("-")]
    return words[0] if words else "sh"


def _ours(call: Call, script: FileText, look: Look) -> list[ArchiveTarget]:
    """Of the script that provisioning installs: the first value of its variables, a line each.

    Read as a script it takes 20 ms, in which no key is painted, of every look at each of many clusters.
    """
    values: dict[str, str] = {}
    for line in _OUR_VARIABLES.finditer(script.text):
        token = next(read_tokens(line[0]), None)
        if line[1] not in values and isinstance(token, Word):
            values[line[1]] = text_of(token.raw.partition("=")[2], Names())
    found = []
    for name in ("primary", "dr"):
        remote = values.get(name, "")
        if remote:
            words = ("--config", values.get("config", ""), "copyto", "%p", f"{remote}%f")
            inner = Call("rclone", words, {}, f"{name} in {script.path}", call.user)
            found += [
                replace(each, tool=Found("walconsole", script.path))
                for each in _BY_NAME["rclone"](inner, look)
            ]
    return found
