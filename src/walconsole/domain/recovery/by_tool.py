"""Base backups of other tools, by their own restore commands."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from shlex import join, quote

from walconsole.domain.facts.evidence import FoundCopy
from walconsole.domain.pgconf.advice import quoted
from walconsole.domain.profile import BucketTarget
from walconsole.domain.recovery.backups import BaseBackup, Writer
from walconsole.domain.recovery.recover_target import RecoverTo, RecoveryTarget
from walconsole.domain.redaction import safe

_STANZA = re.compile(r"(?:.*/)?backup/([A-Za-z0-9._-]{1,100})/", re.ASCII)
_FILE = re.compile(r"(/[-A-Za-z0-9/._+@]{1,200}\.conf) line \d+", re.ASCII)
_SERVER = re.compile(r"(.*/)?([A-Za-z0-9._-]{1,100})/base/", re.ASCII)
_NAMED = re.compile(r"--config[= ](/[-A-Za-z0-9/._+@]{1,200})(?=\s|$)", re.ASCII)
_OWN = ("/etc/pgbackrest/pgbackrest.conf", "/etc/pgbackrest.conf")
"""Where pgBackRest looks by itself, the first that is there."""
_DEFAULT_PORT = 5432
_PORT_DIGITS = 5


def pgbackrest_config(copies: Iterable[FoundCopy], command: str = "") -> str:
    """The file that must be named to it, as far as the host says where its values stand; empty: none.

    `command` is the archive command, whose own words count more.
    """
    said = _NAMED.search(command) if Writer.PGBACKREST.value.lower() in command else None
    if said is not None:
        return said[1]
    for copy in copies:
        for _, _, source, _ in copy.rows if copy.tool == Writer.PGBACKREST else ():
            named = _FILE.fullmatch(source)
            if named is not None and named[1] not in _OWN and "/conf.d/" not in named[1]:
                return named[1]
    return ""


@dataclass(frozen=True, slots=True)
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


def own_places(options: str) -> tuple[tuple[str, ...], str]:
    """Of options as `pgbackrest_options` makes them: the configurations that may be meant, the first that is
    there counts; and the stanza.
    """
    told = dict(word.removeprefix("--").partition("=")[::2] for word in options.split())
    named = told.get("config")
    return ((named,) if named else _OWN), told.get("stanza", "")


def pgbackrest_options(backup: BaseBackup, config: str = "") -> tuple[str, ...]:
    """What every call about this backup's stanza has; empty where the backup's place names none."""
    stanza = _STANZA.fullmatch(backup.place)
    if backup.writer is not Writer.PGBACKREST or stanza is None:
        return ()
    return (*((f"--config={config}",) if config else ()), f"--stanza={stanza[1]}")


def by_its_tool(
    backup: BaseBackup,
    target: RecoveryTarget,
    folder: str,
    config: str = "",
    archive: BucketTarget | None = None,
) -> str:
    """What restores it into an empty `folder`, and has a server that is started there stop at the target.

    Empty where its tool's commands take more than is known here. `archive` is the copy that holds it.
    """
    options = pgbackrest_options(backup, config)
    if options:
        words = ["pgbackrest", *options, f"--set={backup.id}", f"--pg1-path={folder}"]
        words += [f"--tablespace-map-all={folder}.tablespaces", "--archive-mode=off", *_target(target)]
        return join([*words, "restore"])
    server = _SERVER.fullmatch(backup.place)
    if backup.writer is not Writer.BARMAN or server is None or archive is None or archive.folder:
        return ""  # of its own server's folder Barman itself is asked
    url = f"s3://{archive.bucket}/{archive.prefix}{server[1] or ''}".rstrip("/")
    store = ["--cloud-provider", "aws-s3", "--endpoint-url", archive.endpoint, url, server[2]]
    fetching = f"{join(['barman-cloud-wal-restore', *store])} %f %p"
    lines = [f"restore_command = {quoted(fetching)}", *target.lines(), "recovery_target_action = 'pause'"]
    settings = join(["printf", "%s\\n", *lines, "archive_mode = 'off'"])
    restoring = join(["barman-cloud-restore", *store, backup.id, folder])
    into, signal = (quote(f"{folder}/{name}") for name in ("postgresql.auto.conf", "recovery.signal"))
    return f"{restoring} && {settings} >>{into} && touch {signal}"


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
