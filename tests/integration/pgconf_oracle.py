"""PostgreSQL as the oracle for its own configuration files, and random trees to ask it about."""

import os
import random
import shutil
import signal
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from tests.servers.ports import wait_until
from tests.servers.postgres import PostgresServer
from walconsole.domain.pgconf.catalogue import Catalogue
from walconsole.domain.pgconf.loading import InForce
from walconsole.domain.pgconf.tree import ConfigTree, EntryKind, FileContent, Listing, Obstacle
from walconsole.domain.pgconf.values import BadValueError, Context, SettingMeta, VarType, stored
from walconsole.domain.redaction import decode

SESSION_SOURCES = ("client", "session", "override", "environment variable")


@dataclass(frozen=True, slots=True)
class FileSetting:
    """A row of pg_file_settings."""

    file: str | None
    line: int | None
    name: str | None
    setting: str | None
    applied: bool
    error: str | None


class Oracle:
    """A running server whose configuration file is `folder`/postgresql.conf."""

    def __init__(self, server: PostgresServer) -> None:
        self.server = server
        self.folder = server.folder / "conf"
        self.config_file = self.folder / "postgresql.conf"
        self.auto_conf = server.data_dir / "postgresql.auto.conf"
        rules = server.data_dir / "pg_hba.conf"
        rules.write_text("local all all trust\n")
        self.clear()

    def clear(self) -> None:
        """An empty tree."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(mode=0o755)
        self.config_file.write_bytes(b"")
        self.auto_conf.write_bytes(b"")
        self.give()

    def give(self) -> None:
        """Let the server's own user have all of the tree."""
        if os.geteuid() != 0:
            return
        for place, folders, files in os.walk(self.folder):
            for name in (".", *folders, *files):
                path = Path(place, name)
                if not path.is_symlink():
                    shutil.chown(path, self.server.os_user)

    def start(self, arguments: str = "") -> None:
        """Start with `arguments` besides those that the test itself needs."""
        needed = f"-c config_file={self.config_file} -c port={self.server.port} -c listen_addresses="
        needed += f" -c unix_socket_directories={self.server.socket_dir}"
        options = ["-s", "-w", "-t", "20", "-l", str(self.server.log_file), "-o", f"{needed} {arguments}"]
        pg_ctl = [str(self.server.bin_dir / "pg_ctl"), "start", "-D", str(self.server.data_dir)]
        self.server.run([*pg_ctl, *options])
        wait_until(self.answers, "PostgreSQL accepts connections")

    def answers(self) -> bool:
        """With hot_standby off pg_ctl does not wait until a crash is recovered from."""
        try:
            self.connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def stop(self) -> None:
        self.server.stop("immediate")

    def reload(self) -> None:
        """SIGHUP. The postmaster handles it before it accepts the next connection."""
        os.kill(self.server.pid, signal.SIGHUP)

    def connect(self) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(
            host=str(self.server.socket_dir),
            port=self.server.port,
            user="postgres",
            dbname="postgres",
            client_encoding="sql_ascii",
            autocommit=True,
        )

    def ask(self) -> tuple[dict[str, InForce], list[FileSetting]]:
        """pg_settings first: reading pg_file_settings sets pending_restart in the session that does."""
        with self.connect() as session:
            running = {
                text(name): InForce(
                    text(value), text(source), text(file) if file else None, number(line), bool(pending)
                )
                for name, value, source, file, line, pending in session.execute(
                    "SELECT name, CASE name WHEN 'archive_command' THEN reset_val ELSE setting END,"
                    " source, sourcefile, sourceline, pending_restart FROM pg_settings"
                )
            }
            rows = [
                FileSetting(
                    optional(file),
                    number(line),
                    optional(name),
                    optional(value),
                    bool(applied),
                    optional(error),
                )
                for file, line, name, value, applied, error in session.execute(
                    "SELECT sourcefile, sourceline, name, setting, applied, error"
                    " FROM pg_file_settings ORDER BY seqno"
                )
            ]
        return running, rows

    def catalogue(self) -> Catalogue:
        """The server's own."""
        with self.connect() as session:
            rows = session.execute(
                "SELECT name, vartype, context, boot_val, unit, min_val, max_val, enumvals FROM pg_settings"
            ).fetchall()
        metas = (meta(*row) for row in rows)
        return Catalogue({one.name: one for one in metas}, self.server.version)


def text(value: object) -> str:
    return decode(value) if isinstance(value, bytes) else str(value)


def optional(value: object) -> str | None:
    return None if value is None else text(value)


def number(value: object) -> int | None:
    return int(text(value)) if value is not None else None


def meta(*row: object) -> SettingMeta:
    name, vartype, context, boot, unit, low, high, choices = row
    words = [text(word) for word in choices] if isinstance(choices, list) else []
    return SettingMeta(
        text(name),
        VarType(text(vartype)),
        Context(text(context)),
        optional(boot),
        optional(unit),
        float(text(low)) if low is not None else None,
        float(text(high)) if high is not None else None,
        tuple(words),
    )


class DiskTree(ConfigTree):
    """The files of this machine, looked at when they are asked for, as the server's user sees them."""

    def __init__(self, unreadable: frozenset[str] = frozenset()) -> None:
        super().__init__({})
        object.__setattr__(self, "files", _Files(unreadable))
        object.__setattr__(self, "listings", _Listings())


class _Files(dict[str, FileContent]):
    def __init__(self, unreadable: frozenset[str]) -> None:
        super().__init__()
        self.unreadable = unreadable

    def get(self, path: str, default: object = None) -> FileContent:
        try:
            raw = Path(path).read_bytes()
        except IsADirectoryError:
            return FileContent(path, obstacle=Obstacle.DIRECTORY)
        except OSError:
            return FileContent(path, obstacle=Obstacle.MISSING)
        if str(Path(path).resolve()) in self.unreadable:
            return FileContent(path, obstacle=Obstacle.DENIED)
        return FileContent(path, raw)


class _Listings(dict[str, Listing]):
    def get(self, path: str, default: object = None) -> Listing:
        try:
            return Listing(path, {entry.name: _kind(entry) for entry in Path(path).iterdir()})
        except OSError:
            return Listing(path, obstacle=Obstacle.MISSING)


def _kind(path: Path) -> EntryKind:
    if path.is_dir():
        return EntryKind.DIRECTORY
    return EntryKind.FILE if path.exists() else EntryKind.DANGLING


# --- random trees

VALUES: Mapping[str, tuple[str, ...]] = {
    "archive_timeout": ("0", "60", "1min", "0x3c", "074", "1.5h", "0.1d", "500ms", "60S", "-1", "1e2", "2e9"),
    "archive_command": ("", "cp %p /x/%f", "test ! -f '/a b' && true", "a\\b", "true # no comment", "a\tb"),
    "archive_mode": ("on", "off", "always", "TRUE", "no", "maybe", "1"),
    "archive_cleanup_command": ("x", "y"),
    "restore_command": ("cp /x/%f %p", "false"),
    "wal_level": ("minimal", "replica", "logical", "archive", "hot_standby", "Replica", "none"),
    "wal_keep_size": ("0", "16", "1GB", "0.5GB", "1.7MB", "100kB", "1TB", "1 GB", "1gb", "3000TB"),
    "max_wal_size": ("1GB", "128", "64MB", "0x80"),
    "checkpoint_timeout": ("300", "5min", "29s", "1h", "0.5h", "1d", "2d", "90000ms"),
    "checkpoint_completion_target": ("0.9", ".5", "1", "1.1", "5e-1", "0x1p-1", "nan", "inf", "0.1234567"),
    "random_page_cost": ("1.1", "4", "1e1", "-1", "1.0.0", "0x10", " 2 "),
    "autovacuum_vacuum_cost_delay": ("2ms", "2000us", "0.002s", "1.5", "-1", "1s"),
    "work_mem": ("4MB", "4096", "1GB", "63", "4 MB ", "4mb", "1e3", "2147483647kB", "2147483648"),
    "sort_mem": ("5MB",),
    "temp_buffers": ("8MB", "1024", "1000kB", "100B", "12.5MB"),
    "log_rotation_age": ("1d", "1440", "90s", "29s", "100us", "1.5d"),
    "log_min_messages": ("warning", "DEBUG", "debug2", "error", "loud"),
    "synchronous_commit": ("on", "off", "local", "false", "remote_apply", "yes", "2"),
    "wal_compression": ("on", "off", "pglz", "true", "0"),
    "track_io_timing": ("on", "of", "o", "t", "FALSE", "y", "1", "", " on"),
    "full_page_writes": ("on", "off", "tru", "fa"),
    "max_connections": ("100", "50", "0x64", "100.4", "0"),
    "max_wal_senders": ("10", "5", "012"),
    "hot_standby": ("on", "off", "yes"),
    "cluster_name": ("main", "other one"),
    "deadlock_timeout": ("1s", "1000", "1000000us", "0", "0.9"),
    "bgwriter_delay": ("200ms", "10s", "11s", "200000us"),
    "custom.name": ("1", "two", "it''s"),
    "Other.Thing": ("x",),
    "block_size": ("8192", "1"),
}  # fmt: skip
UNKNOWN = ("archive_mod", "no_such_setting", "wal_keep_segments")
BAD_LINES = (
    b"= 5", b"work_mem", b"work_mem =", b"work_mem = 1.5MB", b"work_mem == 4MB", b"a.b.c = 1",
    b"custom.x = y.z", b"work_mem 4MB 5MB", b"'work_mem' = 4", b"archive_command = 'open", b"work-mem = 1",
    b"\xef\xbb\xbfwork_mem = 4MB", b"\x00", b"work_mem = 4MB;", b"archive_command = 'a' 'b'", b"{", b"5 = 5",
)  # fmt: skip
ODD_LINES = (
    b"", b"   ", b"# archive_mode = on", b"\t# x", b"\r", b"archive_command = 'it''s'",
    b"archive_command = 'a\\'b'", b"archive_command = '\\101\\x\\n\\t\\777\\60'", b"archive_command='x'# y",
    b"archive_command'z'", b"restore_command = '/a/\xc3\xa9\xff'", b"archive_command = 'a\\\\b'",
    b"archive_command = ab:c/d-e.f_g", b"archive_command = 'nul\\0after'", b"archive_command = 'a\x00b'",
    b"random_page_cost=+2.5e0", b"work_mem=+5000", b"WORK_MEM = 8MB",
    b"Archive_Timeout\t=\t'30'", b"archive_command = '\xe2\x82\xac'", b"restore_command = ''''",
)  # fmt: skip


PLACES = (
    "a.conf", "b.conf", "sub/c.conf", "sub/deep/d.conf", "conf.d/10-x.conf", "conf.d/9-x.conf",
    "conf.d/.hidden.conf", "conf.d/x.CONF", "conf.d/y.conf.bak", "conf.d/Z.conf", "conf.d/.conf",
    "sub/conf.d/_.conf", "conf.d/a b.conf", "elsewhere/e.conf",
)  # fmt: skip


@dataclass(slots=True)
class TreeMaker:
    """Writes one random tree.

    A `clean` one has no error that makes a reload throw all of it away, a `flawless` one no bad value
    either, as its catalogue judges.
    """

    oracle: Oracle
    rng: random.Random
    clean: bool
    flawless: Catalogue | None = None
    files: list[Path] = field(default_factory=list)
    unreadable: set[str] = field(default_factory=set)

    def make(self) -> frozenset[str]:
        """Write it; returns the files that the server may not read."""
        self.oracle.clear()
        folder = self.oracle.folder
        self.files = [folder / place for place in PLACES if self.rng.random() < 0.7]
        for file in self.files:
            file.parent.mkdir(parents=True, exist_ok=True)
        if self.rng.random() < 0.2:
            (folder / "conf.d" / "folder.conf").mkdir(parents=True, exist_ok=True)
        for depth, file in enumerate(self.files):
            file.write_bytes(self.content(file, self.files[depth + 1 :]))
        self.links(folder)
        self.oracle.config_file.write_bytes(self.content(self.oracle.config_file, self.files, top=True))
        if self.rng.random() < 0.6:
            self.oracle.auto_conf.write_bytes(self.content(self.oracle.auto_conf, self.files[-2:]))
        elif self.rng.random() < 0.3:
            self.oracle.auto_conf.unlink()
        self.oracle.give()
        self.forbid()
        return frozenset(self.unreadable)

    def links(self, folder: Path) -> None:
        if self.files and self.rng.random() < 0.4:
            link = folder / "linked" / "l.conf"
            link.parent.mkdir(exist_ok=True)
            link.symlink_to(self.rng.choice(self.files))
            self.files.append(link)
        if not self.clean and self.rng.random() < 0.15:
            (folder / "conf.d").mkdir(exist_ok=True)
            (folder / "conf.d" / "loop.conf").symlink_to("loop.conf")

    def forbid(self) -> None:
        if self.clean or self.rng.random() > 0.1 or not self.files:
            return
        victim = self.rng.choice(self.files)
        if victim.exists():
            victim.chmod(0)
            self.unreadable.add(str(victim.resolve()))

    def content(self, file: Path, later: list[Path], *, top: bool = False) -> bytes:
        lines = [self.line() for _ in range(self.rng.choice((0, 1, 3, 6, 12)))]
        for _ in range(self.rng.choice((1, 2, 3) if top else (0, 0, 1, 1))):
            lines.insert(self.rng.randint(0, len(lines)), self.include(file, later))
        newline = b"\r\n" if self.rng.random() < 0.1 else b"\n"
        return newline.join(lines) + (newline if self.rng.random() < 0.8 else b"")

    def line(self) -> bytes:
        roll = self.rng.random()
        if roll < 0.2:
            return self.rng.choice(ODD_LINES)
        if not self.clean and roll < 0.23:
            return self.rng.choice(BAD_LINES)
        if not self.clean and roll < 0.24:
            return self.rng.choice(UNKNOWN).encode() + b" = 1"
        while True:
            name = self.rng.choice(list(VALUES))
            value = self.rng.choice(VALUES[name])
            if self.flawless is None or is_valid(self.flawless, name, value):
                return self.assigned(name, value)

    def assigned(self, name: str, value: str) -> bytes:
        case = self.rng.choice((str, str, str, str.upper, str.title))
        equals = self.rng.choice((" = ", "=", " ", "\t=  "))
        bare = value.replace("_", "").replace("-", "").isalnum() and value[0].isalpha()
        if (bare or (value.isdigit())) and self.rng.random() < 0.6:
            said = value
        else:
            said = "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"
        tail = self.rng.choice(("", "", " # comment", "\t", "#"))
        lead = self.rng.choice(("", "", "  "))
        return f"{lead}{case(name)}{equals}{said}{tail}".encode()

    def include(self, file: Path, later: list[Path]) -> bytes:
        roll = self.rng.random()
        if roll < 0.3:
            return self.spelt("include_dir", self.folder_name(file))
        if roll < 0.45:
            missing = self.rng.choice(("nowhere.conf", "/nowhere/x.conf", "conf.d/absent.conf"))
            return self.spelt("include_if_exists", missing)
        if not self.clean and roll < 0.5:
            hostile = ("nowhere.conf", "", " ", ".", file.name, str(file), "conf.d", "./" + file.name)
            return self.spelt(self.rng.choice(("include", "include_dir")), self.rng.choice(hostile))
        if not later:
            return b"# nothing more to include"
        target = self.rng.choice(later)
        relative = os.path.relpath(target, file.parent)
        named = self.rng.choice((str(target), relative, f"./{relative}", f"sub/../{relative}"))
        return self.spelt(self.rng.choice(("include", "include_if_exists")), named)

    def folder_name(self, file: Path) -> str:
        """A folder that is there, unless the tree may be broken."""
        for name in self.rng.sample(("conf.d", "sub", "elsewhere", "sub/conf.d/", "sub/deep"), 5):
            folder = self.oracle.folder / name
            if folder.is_dir() and not self.includes_itself(folder, file):
                return self.rng.choice((str(folder), os.path.relpath(folder, file.parent)))
        return "conf.d" if not self.clean else str(self.empty())

    def includes_itself(self, folder: Path, file: Path) -> bool:
        return self.clean and folder in (file.parent, *file.parents)

    def empty(self) -> Path:
        folder = self.oracle.folder / "empty"
        folder.mkdir(exist_ok=True)
        return folder

    def spelt(self, directive: str, location: str) -> bytes:
        directive = self.rng.choice((directive, directive, directive.upper()))
        plain = location.replace("/", "").replace(".", "").isalnum() and location[0].isalpha()
        if plain and location.count(".") != 1 and self.rng.random() < 0.3:
            return f"{directive} {location}".encode()
        return f"{directive}{self.rng.choice((' ', ' = '))}'{location}'".encode()


def is_valid(catalogue: Catalogue, name: str, value: str) -> bool:
    """Whether a starting server takes it."""
    known = catalogue.meta(name)
    if known is None or known.context is Context.INTERNAL:
        return known is None
    try:
        stored(value, known)
    except BadValueError:
        return False
    return True


def trees(
    oracle: Oracle, seed: object, count: int, flawless: Catalogue | None = None
) -> Iterator[frozenset[str]]:
    """Write `count` random trees, one after the other; half of them are clean.

    Yields the files that the server may not read.
    """
    for turn in range(count):
        rng = random.Random(f"{seed}/{turn}")  # noqa: S311  # reproducible, not secret
        yield TreeMaker(oracle, rng, turn % 2 == 0, flawless).make()
