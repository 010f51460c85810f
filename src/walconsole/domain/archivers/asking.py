"""What one types to ask, back up, check and restore in the words of the tool that an archive command runs.

Never raises. What changes anything is told apart: `pgbackrest check` switches WAL, and
`barman-cloud-check-wal-archive` makes the bucket (both tried), so that neither is ever offered as a look.
"""

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from walconsole.domain.archivers.expansion import UNKNOWN
from walconsole.domain.archivers.s3_clients import words_of
from walconsole.domain.archivers.target import NO_COMMANDS, OwnCommands
from walconsole.domain.archivers.whence import Option, options_that_say_where
from walconsole.domain.records import record
from walconsole.domain.redaction import may_hold_secret

_S3 = re.compile(r"s3://[^\s'\"]+")
_SHELL = re.compile(r"[$`%]|\A[;&|]+\Z")
"""What only the shell or PostgreSQL fills in."""
_SETS = frozenset({".", "source", "export", "eval", "declare", "typeset"})
_PROBACKUP = "pg_probackup"
"""Debian adds a version to the program's name."""
_ALIASES = {"walg": "wal-g"}


@record
class _Asked:
    """A tool's call taken apart: what it is run by, the options that stay, and all of its words."""

    program: tuple[str, ...]
    options: tuple[str, ...]
    words: tuple[str, ...]
    data: str

    def call(self, *words: str, first: bool = False) -> str:
        """The program with other words, its options before them where it wants them `first`."""
        parts = (*self.options, *words) if first else (*words, *self.options)
        return shlex.join((*self.program, *parts))

    def by(self, name: str, *words: str) -> str:
        """Another program of the same package, in the same folder."""
        folder, slash, _ = self.program[-1].rpartition("/")
        program = (*self.program[:-1], f"{folder}{slash}{name}")
        return shlex.join((*program, *self.options, *words))


def own_commands(words: Sequence[str], data_directory: str = "", program: str = "") -> OwnCommands:
    """By the words of the call that archives; `data_directory` is the server's, empty where not known.

    `program` is the file name of the one that is asked for, empty for the first that is known.

    What the shell or PostgreSQL would fill in, and what may be a secret, is left out, so that each can be
    typed as it is.
    """
    for at, word in enumerate(words):
        tool = word.rpartition("/")[2]
        if program and tool != program:
            continue
        tool = _ALIASES.get(tool, tool)
        tool = _PROBACKUP if tool.startswith(_PROBACKUP) else tool
        tool = "wal-g" if tool.startswith("wal-g-") else tool
        maker = _MAKERS.get(tool)
        if maker is not None:
            before, rest = [each for each in words[:at] if not _fills(each)], tuple(words[at + 1 :])
            found = filter(_may_be_told, options_that_say_where(tool, rest))
            kept = tuple(each for option in found for each in option.words)
            return maker(_Asked((*_prefix(before), word), kept, rest, data_directory))
    return NO_COMMANDS


def of_text(command: str, data_directory: str = "", program: str = "") -> OwnCommands:
    """The same by an archive command's text; none where a command before it sets what the tool needs."""
    try:
        words = shlex.split(command)
    except ValueError:
        return NO_COMMANDS
    return NO_COMMANDS if _SETS & set(words) else own_commands(words, data_directory, program)


def _fills(word: str) -> bool:
    """Whether only a run tells the word."""
    return UNKNOWN in word or _SHELL.search(word) is not None


def _prefix(words: Sequence[str]) -> list[str]:
    """What the tool is run by: `envdir FOLDER`, `sudo`, a variable before it."""
    if "envdir" in (word.rpartition("/")[2] for word in words) or all("=" in word for word in words):
        return [word for word in words if not may_hold_secret(word)]
    return []


def _may_be_told(option: Option) -> bool:
    return not any(map(_fills, option.words)) and not _tells_secret(option.name)


def _tells_secret(option: str) -> bool:
    """pgBackRest takes its keys as options, too: repo1-s3-key, repo1-s3-key-secret, repo1-cipher-pass."""
    return re.search(r"-(?:key|key-secret|token|pass|sas-token|account)$", option) is not None


def _s3_place(asked: _Asked) -> str:
    """The folder that the segments are put into, with a slash at its end; empty where a run alone tells."""
    found = next((match[0] for word in asked.words if (match := _S3.search(word)) is not None), "")
    if "sync" in asked.words:
        found = f"{found.rstrip('/')}/"
    folder = re.split(rf"[$`%{UNKNOWN}]", found)[0].rpartition("/")[0]
    return "" if not folder or folder in ("s3:", "s3:/") else f"{folder}/"


def _aws(asked: _Asked) -> OwnCommands:
    place = _s3_place(asked)
    return OwnCommands(asked.call("s3", "ls", place) if place else "", keys=asked.call("configure"))


def _s3cmd(asked: _Asked) -> OwnCommands:
    place = _s3_place(asked)
    return OwnCommands(asked.call("ls", place) if place else "", keys=asked.call("--configure"))


def _s5cmd(asked: _Asked) -> OwnCommands:
    place = _s3_place(asked)
    return OwnCommands(look=asked.call("ls", place, first=True)) if place else NO_COMMANDS


def _pgbackrest(asked: _Asked) -> OwnCommands:
    return OwnCommands(
        asked.call("info", first=True),
        asked.call("backup", first=True),
        asked.call("verify", first=True),
        asked.call("restore", first=True),
        asked.call("--dry-run", "expire", first=True),
        asked.call("stanza-create", first=True),
        asked.call("stanza-upgrade", first=True),
        asked.call("start", first=True),
        listed=asked.call("--output=json", "info", first=True),
    )


def _wal_g(asked: _Asked) -> OwnCommands:
    data = asked.data
    return OwnCommands(
        asked.call("wal-show"),
        shlex.join((*asked.program, "backup-push", *asked.options, data)) if data else "",
        asked.call("wal-verify", "integrity", "timeline"),
        asked.call("backup-list"),
        asked.call("delete", "retain", "FULL", "7"),
    )


def _barman_cloud(asked: _Asked) -> OwnCommands:
    plain = [word for word in asked.words if not word.startswith("-")]
    at = next((number for number, word in enumerate(plain) if word.startswith("s3://")), len(plain))
    where = plain[at : at + 2]
    if len(where) < 2 or any(map(_fills, where)):
        return NO_COMMANDS
    return OwnCommands(
        asked.by("barman-cloud-backup-list", *where),
        asked.by("barman-cloud-backup", *where),
        restore=asked.by("barman-cloud-backup-list", *where),
        expire=asked.by("barman-cloud-backup-delete", "--dry-run", "-r", "REDUNDANCY 2", *where),
        listed=asked.by("barman-cloud-backup-list", "--format", "json", *where),
    )


def _barman(asked: _Asked) -> OwnCommands:
    """On the host that keeps it, by the way that barman-wal-archive itself takes there."""
    options, plain = words_of(asked.words, frozenset({"-U", "--user", "-c", "--config", "--port"}))
    if len(plain) < 2 or any(map(_fills, (*plain[:2], *options.values()))):
        return NO_COMMANDS
    host, server = plain[:2]
    user = options.get("-U") or options.get("--user") or "barman"
    port, config = options.get("--port", ""), options.get("-c") or options.get("--config") or ""
    way = (
        *("ssh", *(("-p", port) if port else ()), f"{user}@{host}"),
        *("barman", *(("-c", config) if config else ())),  # a file on that host
    )
    return OwnCommands(
        shlex.join((*way, "list-backups", server)),
        shlex.join((*way, "backup", server)),
        shlex.join((*way, "check", server)),
        shlex.join((*way, "list-backups", server)),
    )


def _pghoard(asked: _Asked) -> OwnCommands:
    """Its daemon takes the base backups by itself, and expires them."""
    site = asked.options[:2]
    words = ("list-basebackups", "--config", "/var/lib/pghoard/pghoard.json", *site)
    listed = replace(asked, options=()).by("pghoard_restore", *words)
    return OwnCommands(look=listed, restore=listed)


def _probackup(asked: _Asked) -> OwnCommands:
    return OwnCommands(
        asked.call("show", "--archive"),
        asked.call("backup", "-b", "FULL"),
        restore=asked.call("show"),
        expire=asked.call("delete", "--delete-expired", "--dry-run"),
    )


_MAKERS: Mapping[str, Callable[[_Asked], OwnCommands]] = {
    "aws": _aws,
    "s3cmd": _s3cmd,
    "s5cmd": _s5cmd,
    "pgbackrest": _pgbackrest,
    "wal-g": _wal_g,
    "barman-cloud-wal-archive": _barman_cloud,
    "barman-wal-archive": _barman,
    "pghoard_postgres_command": _pghoard,
    "pg_probackup": _probackup,
}
