"""Base backups of other tools, by their own restore commands."""

import re
from collections.abc import Iterable
from dataclasses import replace
from shlex import join, quote

from walconsole.domain.archivers.own_restore import APART, OwnRestore, OwnTool, own_restore
from walconsole.domain.facts.evidence import FoundCopy
from walconsole.domain.pgconf.advice import quoted
from walconsole.domain.profile import BucketTarget
from walconsole.domain.records import record
from walconsole.domain.recovery.backups import BaseBackup, Writer
from walconsole.domain.recovery.recover_target import RecoverTo, RecoveryTarget
from walconsole.domain.redaction import safe

_STANZA = re.compile(r"(?:.*/)?backup/([A-Za-z0-9._-]{1,100})/", re.ASCII)
_FILE = re.compile(r"(/[-A-Za-z0-9/._+@]{1,200}\.conf) line \d+", re.ASCII)
_SERVER = re.compile(r"(.*/)?([A-Za-z0-9._-]{1,100})/base/", re.ASCII)
_NAMES_ONE = ("--config=", "--config-path=", "PGBACKREST_CONFIG=", "PGBACKREST_CONFIG_PATH=")
_PASSED_ON = re.compile(r"[-A-Za-z0-9/._=+@:,]{1,200}", re.ASCII)
"""A word as the recovery's script keeps it, among others with blanks between them."""
_OWN = ("/etc/pgbackrest/pgbackrest.conf", "/etc/pgbackrest.conf")
"""Where pgBackRest looks by itself, the first that is there."""
_DEFAULT_PORT = 5432
_PORT_DIGITS = 5


def called_by(command: str, copies: Iterable[FoundCopy] = ()) -> OwnRestore:
    """How the archive's tool is called: as the archive command does. pgBackRest with the configuration named
    to it in which the host's values stand (`copies`), where that command names none; likewise where the
    command is another's, for its older backups.
    """
    own = own_restore(command)
    if own is not None and own.tool is OwnTool.BARMAN:
        return own
    own = own or OwnRestore(OwnTool.PGBACKREST)
    if any(word.startswith(_NAMES_ONE) for word in (*own.before, *own.whence)):
        return own
    for copy in copies:
        for _, _, source, _ in copy.rows if copy.tool == Writer.PGBACKREST else ():
            named = _FILE.fullmatch(source)
            if named is not None and named[1] not in _OWN and "/conf.d/" not in named[1]:
                return replace(own, whence=(f"--config={named[1]}", *own.whence))
    return own


@record
class ClusterPlace:
    """Where pgBackRest finds a cluster: its data directory, the port (None: the default), and the socket's
    folder (empty: the default).
    """

    path: str
    port: int | None = None
    socket: str = ""

    def __str__(self) -> str:
        """`/srv/restored, port 5433`."""
        return f"{self.path}{f', port {self.port}' if self.port else ''}"

    @property
    def lines(self) -> tuple[str, ...]:
        """The options of its configuration."""
        told = {"path": self.path, "port": self.port, "socket-path": self.socket}
        return tuple(f"pg1-{name}={value}" for name, value in told.items() if value)

    def serves(self, wanted: "ClusterPlace") -> bool:
        """Whether a configuration that names this one leads to `wanted`; what is left out is the default."""
        port = (self.port or _DEFAULT_PORT) == (wanted.port or _DEFAULT_PORT)
        return self.path.rstrip("/") == wanted.path.rstrip("/") and port


def read_place(text: str) -> ClusterPlace:
    """By the `pg1-` lines of a stanza's section; of one that is there twice the last counts."""
    told = dict(re.findall(r"^\s*pg1-(path|port|socket-path)\s*=\s*(.*?)\s*$", text, re.MULTILINE))
    port = told.get("port", "")
    return ClusterPlace(
        safe(told.get("path", "")),
        int(port) if port.isdecimal() and len(port) <= _PORT_DIGITS else None,
        safe(told.get("socket-path", "")),
    )


def own_places(call: str) -> tuple[tuple[str, ...], str]:
    """Of words as `pgbackrest_call` makes them: the configurations that may be meant, the first that is there
    counts; and the stanza.
    """
    told = dict(word.removeprefix("--").partition("=")[::2] for word in call.split())
    named = told.get("config") or told.get("PGBACKREST_CONFIG")
    path = told.get("config-path") or told.get("PGBACKREST_CONFIG_PATH")
    places = (named,) if named else (f"{path.rstrip('/')}/pgbackrest.conf",) if path else _OWN
    return places, told.get("stanza", "")


def pgbackrest_call(backup: BaseBackup, called: OwnRestore | None = None) -> tuple[str, ...]:
    """What every call about this backup's stanza begins with; empty where the backup's place names none."""
    stanza = _STANZA.fullmatch(backup.place)
    if backup.writer is not Writer.PGBACKREST or stanza is None:
        return ()
    called = called or OwnRestore(OwnTool.PGBACKREST)
    whence = [word for word in called.whence if not word.startswith("--stanza=")]
    return called.call("pgbackrest", f"--stanza={stanza[1]}", whence=whence)


def passed_on(call: Iterable[str]) -> bool:
    """Whether the recovery's script can keep such a call: one line, of words without blanks or quotes."""
    return all(_PASSED_ON.fullmatch(word) for word in call)


def by_its_tool(
    backup: BaseBackup,
    target: RecoveryTarget,
    folder: str,
    called: OwnRestore | None = None,
    archive: BucketTarget | None = None,
) -> str:
    """What makes `folder`, restores it there, and has a server that is started there stop at the target.

    Empty where its tool's commands take more than is known here. `called` is how the archive's tool is
    called, `archive` the copy that holds it.
    """
    making = f"mkdir -p {quote(folder.rpartition('/')[0])} && mkdir -m 700 {quote(folder)} && "
    call = pgbackrest_call(backup, called if called and called.tool is OwnTool.PGBACKREST else None)
    if call:
        words = [*call, f"--set={backup.id}", f"--pg1-path={folder}"]
        words += [f"--tablespace-map-all={folder}.tablespaces", "--archive-mode=off", *APART]
        words += _target(target)
        return making + join([*words, "restore"])
    server = _SERVER.fullmatch(backup.place)
    if backup.writer is not Writer.BARMAN or server is None or (archive is not None and archive.folder):
        return ""  # of its own server's folder Barman itself is asked
    if called is None or called.tool is not OwnTool.BARMAN or called.whence[-1:] != (server[2],):
        if archive is None:
            return ""
        url = f"s3://{archive.bucket}/{archive.prefix}{server[1] or ''}".rstrip("/")
        where = ("--cloud-provider", "aws-s3", "--endpoint-url", archive.endpoint, url, server[2])
        called = OwnRestore(OwnTool.BARMAN, whence=where)
    fetching = called.restore_command
    lines = [f"restore_command = {quoted(fetching)}", *target.lines(), "recovery_target_action = 'pause'"]
    settings = join(["printf", "%s\\n", *lines, "archive_mode = 'off'"])
    restoring = join(called.call("barman-cloud-restore", backup.id, folder))
    into, signal = (quote(f"{folder}/{name}") for name in ("postgresql.auto.conf", "recovery.signal"))
    return f"{making}{restoring} && {settings} >>{into} && touch {signal}"


def _target(target: RecoveryTarget) -> Iterable[str]:
    """pgBackRest's words for a target (its command reference, restore)."""
    if target.timeline is not None:
        yield f"--target-timeline={target.timeline}"
    if target.to is RecoverTo.LATEST:
        return
    yield f"--type={target.to.value}"
    yield "--target-action=pause"
    if target.to is not RecoverTo.IMMEDIATE:
        yield f"--target={target.value}"
    if target.inclusive is False:
        yield "--target-exclusive"
