"""The script that gathers every configuration file on the host, and its answer."""

import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from walconsole.domain.pgconf.tree import ConfigTree, EntryKind, FileContent, Listing, Obstacle
from walconsole.domain.records import record
from walconsole.domain.redaction import decode, safe
from walconsole.errors import ShellError
from walconsole.observe.host.host_script import assignment, script_named

MAX_FILES = 200
MAX_FILE_BYTES = 1024 * 1024
MAX_TOTAL_BYTES = 8 * 1024 * 1024


def new_token() -> str:
    """What begins each record of an answer: not to be guessed by who writes a file on the host."""
    return secrets.token_hex(16)


@record
class Errand:
    """What to gather. Paths as the host knows them; empty where they are not known.

    `more` are files or folders that an earlier look turned out to miss.
    """

    config_file: str = ""
    data_directory: str = ""
    cluster: str = ""
    owner: str = ""
    more: tuple[str, ...] = ()
    token: str = field(default_factory=new_token)

    def script(self) -> str:
        """The script, all of it ASCII."""
        limits = {"max_files": MAX_FILES, "max_bytes": MAX_FILE_BYTES, "max_total": MAX_TOTAL_BYTES}
        named = {
            "token": self.token,
            "config": self.config_file,
            "data": self.data_directory.rstrip("/"),
            "cluster": self.cluster,
            "owner": self.owner,
            "more": "\n".join(self.more),
        } | {name: str(limit) for name, limit in limits.items()}
        lines = (assignment(name, text.encode("utf-8", "surrogateescape")) for name, text in named.items())
        return "".join(lines) + script_named("configuration.sh")


@record
class Gathered:
    """Everything that the host showed. `major` is the version that made the data directory (PG_VERSION).

    `argv` and `environ` (PGDATA and the like) are the running postmaster's, empty when none runs;
    `environ` is None when this SSH user may not see it. `units` is what systemctl says of the units that may
    be the server's, by name, `unit_files` are systemd's own files by path, in systemd's order of precedence.
    `pid` and `cgroup` (/proc/PID/cgroup) are the postmaster's.
    """

    tree: ConfigTree
    argv: tuple[str, ...]
    environ: Mapping[str, str] | None
    units: Mapping[str, Mapping[str, str]]
    unit_files: Mapping[str, bytes]
    major: int | None = None
    pid: int | None = None
    cgroup: str = ""


@dataclass(slots=True)
class _Gathering:
    files: dict[str, FileContent] = field(default_factory=dict)
    listings: dict[str, Listing] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    denied: frozenset[str] | None = None
    modified: dict[str, float] = field(default_factory=dict)
    argv: tuple[str, ...] = ()
    environ: dict[str, str] | None = field(default_factory=dict)
    units: dict[str, Mapping[str, str]] = field(default_factory=dict)
    unit_files: dict[str, bytes] = field(default_factory=dict)
    major: int | None = None
    pid: int | None = None
    cgroup: str = ""
    ended: bool = False

    def take(self, kind: str, path: str, body: bytes) -> None:
        match kind:
            case "file":
                self.files[path] = FileContent(path, body[:MAX_FILE_BYTES], cut=len(body) > MAX_FILE_BYTES)
            case "no":
                self.files[path] = FileContent(path, obstacle=_obstacle(body))
            case "dir":
                self.listings[path] = Listing(path, dict(_entries(body)))
            case "nodir":
                self.listings[path] = Listing(path, obstacle=_obstacle(body))
            case "link":
                self.links[path] = decode(body)
            case "modified":
                self.modified.update(_times(body))
            case "asked":
                self.denied = _denied(body)
            case _:
                self.take_process(kind, path, body)

    def take_process(self, kind: str, path: str, body: bytes) -> None:
        match kind:
            case "argv":
                self.argv = tuple(decode(word) for word in body.removesuffix(b"\0").split(b"\0"))
                self.pid = int(path) if path.isascii() and path.isdigit() else None
            case "cgroup":
                self.cgroup = decode(body[:MAX_FILE_BYTES])
            case "environ":
                self.environ = _assignments(body)
            case "noenviron":
                self.environ = None
            case "unit":
                self.units[path] = _assignments(body)
            case "unitfile":
                self.unit_files[path] = body
            case "version":
                self.major = int(body) if body.strip().isdigit() else None
            case _:
                self.ended = kind == "end"

    def gathered(self) -> Gathered:
        files = {path: self.finished(content) for path, content in self.files.items()}
        listings = {path: self.seen_by_server(listing) for path, listing in self.listings.items()}
        tree = ConfigTree(files, listings, _cut(files))
        return Gathered(
            tree,
            self.argv,
            self.environ,
            self.units,
            self.unit_files,
            self.major,
            self.pid,
            self.cgroup,
        )

    def seen_by_server(self, listing: Listing) -> Listing:
        """A folder that root may list and the server may not is none to the server."""
        if listing.obstacle is None and self.denied is not None and listing.path in self.denied:
            return Listing(listing.path, obstacle=Obstacle.DENIED)
        return listing

    def finished(self, content: FileContent) -> FileContent:
        there = content.obstacle in (None, Obstacle.DENIED)
        server_reads = content.path not in self.denied if self.denied is not None and there else None
        return FileContent(
            content.path,
            content.raw,
            content.obstacle,
            content.cut,
            self.links.get(content.path),
            server_reads,
            self.modified.get(content.path),
        )


def read_answer(stdout: bytes, token: str) -> Gathered:
    """Read the script's answer. Raises errors.ShellError when its end is missing."""
    gathering = _Gathering()
    for kind, path, body in _records(stdout, token):
        gathering.take(kind, path, body)
    if not gathering.ended:
        noise = safe(decode(stdout[-200:])).strip() if token.encode() not in stdout else ""
        why = f"its script did not run to the end{f': {noise}' if noise else ''}"
        raise ShellError("read the configuration files", why, "is /bin/sh on the host a POSIX shell?")
    return gathering.gathered()


def _records(stdout: bytes, token: str) -> Iterator[tuple[str, str, bytes]]:
    _, *records = stdout.split(b"\n" + token.encode() + b" ")
    for each in records:
        head, nul, body = each.partition(b"\0")
        kind, space, path = head.partition(b" ")
        if nul and space:
            yield kind.decode("ascii", "replace"), decode(path), body


_OBSTACLES = {obstacle.name.lower().encode(): obstacle for obstacle in Obstacle}


def _obstacle(body: bytes) -> Obstacle:
    return _OBSTACLES.get(body.strip(), Obstacle.MISSING)


def _entries(body: bytes) -> Iterator[tuple[str, EntryKind]]:
    kinds = {kind.name.lower().encode(): kind for kind in EntryKind}
    for entry in body.split(b"\0"):
        word, space, name = entry.partition(b" ")
        if space and word in kinds:
            yield decode(name), kinds[word]


def _times(body: bytes) -> Iterator[tuple[str, float]]:
    """`SECONDS PATH` on each line."""
    for line in body.split(b"\n"):
        seconds, space, path = line.partition(b" ")
        if space and seconds.isdigit():
            yield decode(path), float(seconds)


def _denied(body: bytes) -> frozenset[str] | None:
    """None when the question could not be put (no setpriv on the host)."""
    first, *paths = body.split(b"\0")
    return frozenset(decode(path) for path in paths if path) if first == b"asked" else None


def _assignments(body: bytes) -> dict[str, str]:
    lines = (line.partition("=") for line in decode(body).split("\n"))
    return {name: value for name, equals, value in lines if equals}


def _cut(tree: Mapping[str, FileContent]) -> str | None:
    """One line on what was left out because of the limits."""
    unread = sum(content.obstacle is Obstacle.TOO_MANY for content in tree.values())
    long = [path for path, content in tree.items() if content.cut]
    parts = []
    if unread:
        parts.append(
            f"{unread} left unread: at most {MAX_FILES} files and {MAX_TOTAL_BYTES >> 20} MiB are read"
        )
    if long:
        parts.append(f"only the first {MAX_FILE_BYTES >> 20} MiB of {', '.join(long[:3])} was read")
    return "; ".join(parts) or None
