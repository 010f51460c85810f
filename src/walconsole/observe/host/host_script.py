"""The one script that a look at the host sends (scripts/host.sh behind a few assignments), and its answer."""

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import field
from functools import cache
from importlib.resources import files

from walconsole.command_register import TITLE
from walconsole.domain.facts.base_backups import BackupScript
from walconsole.domain.facts.observed import WalDiskFacts
from walconsole.domain.facts.snapshot import Problem
from walconsole.domain.linked_paths import LEAD
from walconsole.domain.records import record
from walconsole.domain.recovery.backups import Unreadable
from walconsole.domain.recovery.drill_result import DrillResult, read_drill_here
from walconsole.domain.recovery.running import read_status
from walconsole.domain.redaction import decode, safe
from walconsole.errors import ShellError

_SAID_FIRST = re.compile(r"# ([^,.:\n]+)")


@record
class Look:
    """What a look shall cover; see scripts/host.sh. Paths are the host's own bytes."""

    token: str
    full: bool
    count_wal: bool
    heartbeat: str
    verifier: str = ""
    timer: str = ""
    cron: str = ""
    run_state: str = ""
    run_name: str = ""
    drills: str = ""
    pick: bytes = b""
    pick_pid: int | None = None

    def script(self) -> str:
        """The script, all of it ASCII."""
        assigned = (
            ("token", self.token.encode()),
            ("full", b"%d" % self.full),
            ("list", b"%d" % self.count_wal),
            ("pick_pid", b"%d" % self.pick_pid if self.pick_pid else b""),
            ("heartbeat", self.heartbeat.encode("utf-8", "surrogateescape")),
            ("verifier", self.verifier.encode()),
            ("timer", self.timer.encode()),
            ("cron", self.cron.encode()),
            ("run_state", self.run_state.encode()),
            ("run_name", self.run_name.encode()),
            ("drills", self.drills.encode()),
            ("pick", self.pick),
        )
        return "".join(assignment(name, raw) for name, raw in assigned) + _body()


def _body() -> str:
    return untitled(script_named("base_backup.sh")) + script_named("host.sh")


@cache
def script_named(name: str) -> str:
    """The script of that name in `scripts/`, compact."""
    return compact(files("walconsole.observe.scripts").joinpath(name).read_text("ascii"))


def script_that_follows(name: str) -> str:
    """The script of that name, which looks at what the server sees: with `lead`, by which it comes there."""
    return LEAD + script_named(name)


def compact(script: str) -> str:
    """A script without indentation and whole-line comments, for it travels over the network.

    Its first comment stays up to a comma or a full stop, as its title in the list of commands.
    """
    lines = [line.strip() for line in script.splitlines()]
    said = _SAID_FIRST.match(script)
    title = f"{TITLE}{said[1]}\n" if said is not None else ""
    return title + "".join(f"{line}\n" for line in lines if line and not line.startswith("#"))


def untitled(script: str) -> str:
    """A compact script that is only a part of another."""
    return script.partition("\n")[2] if script.startswith(TITLE) else script


def assignment(name: str, raw: bytes) -> str:
    """A line that sets a shell variable to `raw`, in ASCII whatever its bytes are (but NUL)."""
    if raw.isascii() and (not raw or raw.decode("ascii").isprintable()):
        return f"{name}={shlex.quote(raw.decode('ascii'))}\n"
    octal = "".join(f"\\0{byte:03o}" for byte in raw if byte)
    # The full stop keeps $( ) from taking line breaks off the end.
    return f"{name}=$(printf %b '{octal}.')\n{name}=${{{name}%.}}\n"


# -- The answer of a host script: records in a stream that anything else may have been printed into.
#
# A record is `\x01 key space value \x00`. What stands between records (a shell's complaint, a banner)
# is skipped. A value may hold any byte but NUL, so no file name can break out of its record.

_RECORD = re.compile(rb"\x01([a-z_]+(?:\.[a-z_]+)?) ([^\x00]*)\x00")


@record
class Group:
    """Records that belong together; `raw` keeps a key's last value, with no line break at its end."""

    raw: dict[str, bytes] = field(default_factory=dict)

    def text(self, key: str) -> str | None:
        """The value as text, or None when there is none or an empty one."""
        value = self.raw.get(key)
        return decode(value) if value else None

    def integer(self, key: str) -> int | None:
        """The value as a whole number, or None when it is none."""
        value = self.raw.get(key, b"").strip()
        return int(value) if value.isdigit() and len(value) < 20 else None


@record
class HostAnswer:
    """What the host script said: about the host, then about each cluster, in the order it found them."""

    host: Group
    clusters: tuple[Group, ...]


def read_answer(stdout: bytes, token: str) -> HostAnswer:
    """Read a host script's answer. Raises errors.ShellError when its end is missing."""
    host = Group()
    clusters: list[Group] = []
    for key, value in _records(stdout):
        if key == "end":
            if value == token.encode():
                return HostAnswer(host, tuple(clusters))
        elif key == "cluster":
            clusters.append(Group({"cluster": value}))
        elif clusters and key.startswith(("cluster.", "wal.", "stat")):
            _keep(clusters[-1], key, value)
        else:
            _keep(host, key, value)
    raise ShellError("look at the host", _why_cut(stdout), "is /bin/sh on the host a POSIX shell?")


def read_records(stdout: bytes, token: str) -> dict[str, bytes]:
    """The records of a script that tells each key once. Raises errors.ShellError when its end is missing."""
    return dict(all_records(stdout, token))


def all_records(stdout: bytes, token: str) -> list[tuple[str, bytes]]:
    """All records of a script's answer in their order. Raises errors.ShellError when its end is missing."""
    found: list[tuple[str, bytes]] = []
    for key, value in _records(stdout):
        if key == "end" and value == token.encode():
            return found
        found.append((key, value))
    raise ShellError("look at the host", _why_cut(stdout), "is /bin/sh on the host a POSIX shell?")


def _records(stdout: bytes) -> Iterator[tuple[str, bytes]]:
    for match in _RECORD.finditer(stdout):
        value = match[2]
        yield match[1].decode("ascii"), value.removesuffix(b"\n")


def _keep(group: Group, key: str, value: bytes) -> None:
    """Keep the last value of a key; what is missing adds up, one a line."""
    if key.endswith("missing") and key in group.raw:
        value = group.raw[key] + b"\n" + value
    group.raw[key] = value


def _why_cut(stdout: bytes) -> str:
    noise = safe(decode(_RECORD.sub(b"", stdout)[-200:])).strip()
    return f"its script did not run to the end{f': {noise}' if noise else ''}"


def argv(value: bytes | None) -> tuple[str, ...]:
    """The arguments in a hex dump of /proc/PID/cmdline; empty for none or for no hex dump."""
    try:
        raw = bytes.fromhex((value or b"").decode("ascii"))
    except ValueError:
        return ()
    return tuple(decode(argument) for argument in raw.removesuffix(b"\0").split(b"\0")) if raw else ()


def options(arguments: Sequence[str]) -> dict[str, str]:
    """A postmaster's settings from its arguments, by name; `-D` is data_directory, `-k` the socket's.

    `-c name=value` and `--name=value` alike (postgres(1)); a hyphen in a name is an underscore.
    """
    letters = {"D": "data_directory", "p": "port", "k": "unix_socket_directories"}
    found: dict[str, str] = {}
    rest = iter(arguments[1:])
    for argument in rest:
        if argument.startswith("--"):
            assigned = argument[2:]
        elif argument[:2] in ("-c", "-D", "-p", "-k"):
            value = argument[2:] or next(rest, "")
            letter = argument[1]
            assigned = value if letter == "c" else f"{letters[letter]}={value}"
        else:
            continue
        name, equals, value = assigned.partition("=")
        if equals:
            found[name.replace("-", "_")] = value
    return found


# -- pg_wal as the host's file system shows it, from the script's records of one cluster.


_DF = re.compile(
    rb"^(?P<device>.+?) +(?:(?P<type>[^\s\d]\S*) +)?(?P<total>\d+) +\d+ +(?P<free>-?\d+) +(?:\d+%|-) +/",
    re.MULTILINE,
)
"""df -P, with -T or without."""
_KIB = 1024


def read_wal_disk(group: Group, data_directory: str, remedy: str) -> WalDiskFacts | Problem | None:
    """The facts, why there are none, or None when this look did not cover this cluster.

    `remedy` says how the SSH user would get to read what it could not.
    """
    if "wal.df" not in group.raw:
        return None
    spaces = [*_DF.finditer(group.raw["wal.df"])]
    if not spaces:
        said = decode(group.raw["wal.df"]).strip().splitlines()
        return Problem(f"df {data_directory}: {said[-1] if said else 'no answer'}", remedy, "Shell")
    space = spaces[0]
    hidden = (group.text("wal.missing") or "").split("\n")
    missing = [f"{data_directory}/{name}: cannot be read; {remedy}" for name in hidden if name]
    files, oldest = group.integer("wal.files"), group.text("wal.oldest")
    stats = _stats(group.raw.get("stat", b""))
    gone, _, newest_gone = (group.text("wal.gone") or "").partition("/")
    segment_bytes = next((size for name, (_, size) in stats.items() if "/" not in name), None)
    wal_bytes = 0 if files == 0 else files * segment_bytes if files and segment_bytes else None
    oldest_stat = stats.get(f"archive_status/{oldest}.ready")
    return WalDiskFacts(
        directory=group.text("wal.directory") or data_directory,
        device=decode(space["device"]),
        filesystem=decode(space["type"] or b"n/a"),
        total_bytes=int(space["total"]) * _KIB,
        free_bytes=max(0, int(space["free"])) * _KIB,
        wal_bytes=wal_bytes,
        wal_files=files,
        ready_count=group.integer("wal.ready"),
        oldest_ready=oldest,
        oldest_ready_at=float(oldest_stat[0]) if oldest_stat else None,
        missing=tuple(missing),
        strange_count=group.integer("wal.strange") or 0,
        strangers=tuple(name for name in (group.text("wal.strangers") or "").split("/") if name),
        read_only=None if "wal.read_only" not in group.raw else group.raw["wal.read_only"] == b"1",
        data_filesystem=decode(spaces[1]["type"] or b"") if len(spaces) > 1 else "",
        gone_count=int(gone) if gone.isdigit() else 0,
        newest_gone=newest_gone,
    )


def read_backup_script(host: Group, remedy: str) -> BackupScript:
    """What the base backup's script tells of itself. `remedy` as above."""
    text = host.text("backup.status")
    missing = [
        f"{path}: cannot be read; {remedy}"
        for path in (host.text("backup.missing") or "").split("\n")
        if path
    ]
    status = read_status(text.encode("utf-8", "surrogateescape")) if text is not None else None
    if text is not None and status is None:
        missing.append("the base backup's status.json: it is none that this console can read")
    return BackupScript(status, host.text("backup.lives") is not None, tuple(missing))


def read_drills(host: Group, folder: str, remedy: str) -> tuple[DrillResult | Unreadable, ...]:
    """What restore drills left in `folder` on the host, a line each. `remedy` as above."""
    found: list[DrillResult | Unreadable] = []
    for line in host.raw.get("drills", b"").splitlines():
        if line.startswith(b"{"):
            found.append(read_drill_here(folder, line))
        elif b"No such file" not in line:
            found.append(Unreadable(folder, f"cannot be read; {remedy}"))
    return tuple(dict.fromkeys(found))


def modified_at(group: Group, path: str) -> float | None:
    """The mtime of a file that the script was asked about."""
    stat = _stats(group.raw.get("stat", b"")).get(path)
    return float(stat[0]) if stat else None


def _stats(raw: bytes) -> dict[str, tuple[int, int]]:
    """stat's lines, `mtime size name`, by name."""
    found = {}
    for line in decode(raw).splitlines():
        mtime, _, rest = line.partition(" ")
        size, _, name = rest.partition(" ")
        if mtime.isdigit() and size.isdigit() and len(mtime) < 16 and len(size) < 20:
            found[name] = (int(mtime), int(size))
    return found
