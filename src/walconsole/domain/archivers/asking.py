"""How one asks the store in the words of the tool that an archive command runs. Never raises."""

import re
import shlex
from collections.abc import Sequence

_S3 = re.compile(r"s3://[^\s'\"]+")
_OPTIONS = {
    "aws": ("--endpoint-url", "--profile", "--region", "--no-verify-ssl", "--no-sign-request"),
    "s3cmd": ("-c", "--config", "--host", "--host-bucket", "--region", "--access_key", "--no-ssl", "--ssl"),
    "s5cmd": ("--endpoint-url", "--profile", "--credentials-file", "--no-verify-ssl"),
    "barman-cloud-wal-archive": (
        "--cloud-provider", "--endpoint-url", "-P", "--profile", "--aws-profile", "--read-timeout",
    ),
    "pgbackrest": ("--stanza", "--config", "--config-path", "--config-include-path", "--repo"),
    "wal-g": ("--config",),
}  # fmt: skip
"""Of each tool's options those that say where the store is and whose key; the asking call takes them, too."""
_BARE = frozenset(("--no-verify-ssl", "--no-sign-request", "--no-ssl", "--ssl"))
"""Those without a value."""
_SHELL = re.compile(r"[$`%]|\A[;&|]+\Z")
"""What only the shell or PostgreSQL fills in."""


def look_with(command: str) -> str:
    """The call that lists what the archive command writes to, by the same tool; empty where none is known.

    What the shell or PostgreSQL would fill in is left out, so that the call can be typed as it is.
    """
    try:
        words = shlex.split(command)
    except ValueError:
        return ""
    for at, word in enumerate(words):
        tool = word.rpartition("/")[2]
        if tool in _OPTIONS:
            before = [each for each in words[:at] if not _SHELL.search(each)]
            return _asked(tool, [*_prefix(before), word], _kept(words[at + 1 :], _OPTIONS[tool]), command)
    return ""


def _prefix(words: Sequence[str]) -> list[str]:
    """What the tool is run by: `envdir FOLDER`, `sudo`, a variable before it."""
    if "envdir" in (word.rpartition("/")[2] for word in words) or all("=" in word for word in words):
        return list(words)
    return []


def _kept(words: Sequence[str], options: Sequence[str]) -> list[str]:
    found: list[str] = []
    for at, word in enumerate(words):
        name, given, _ = word.partition("=")
        # pgBackRest numbers its repositories: --repo1-path, --repo=1
        if name in options or (name.startswith("--repo") and "--repo" in options):
            if _SHELL.search(word):
                continue
            found.append(word)
            following = words[at + 1] if at + 1 < len(words) else ""
            if not given and name not in _BARE and following and not _SHELL.search(following):
                found.append(following)
    return found


def _asked(tool: str, program: Sequence[str], options: Sequence[str], command: str) -> str:
    place = _S3.search(command)
    folder = place[0] if place is not None else ""
    if tool in ("aws", "s3cmd", "s5cmd"):
        folder = re.split(r"[$`%]", folder)[0].rpartition("/")[0]
        if not folder or folder in ("s3:", "s3:/"):
            return ""
        calls = {"aws": ("s3", "ls"), "s3cmd": ("ls",), "s5cmd": ("ls",)}[tool]
        if tool == "s5cmd":
            return shlex.join((*program, *options, *calls, f"{folder}/"))
        return shlex.join((*program, *calls, f"{folder}/", *options))
    if tool == "pgbackrest":
        return shlex.join((*program, *options, "info"))  # `check` switches WAL
    if tool == "wal-g":
        return shlex.join((*program, "wal-show", *options))
    server = _after(command, folder)
    if not folder or not server:
        return ""
    listing = program[-1].replace("barman-cloud-wal-archive", "barman-cloud-backup-list")
    return shlex.join((*program[:-1], listing, *options, folder, server))


def _after(command: str, folder: str) -> str:
    """The word that follows the folder: barman-cloud's server name."""
    words = shlex.split(command)
    at = words.index(folder) + 1 if folder in words else len(words)
    return words[at] if at < len(words) and not _SHELL.search(words[at]) else ""


def backup_with(command: str, data_directory: str) -> str:
    """The call that takes a base backup, by the tool of the archive command; empty where none is known."""
    try:
        words = shlex.split(command)
    except ValueError:
        return ""
    for at, word in enumerate(words):
        tool = word.rpartition("/")[2]
        program = [*_prefix([each for each in words[:at] if not _SHELL.search(each)]), word]
        options = _kept(words[at + 1 :], _OPTIONS.get(tool, ()))
        if tool == "pgbackrest":
            return shlex.join((*program, *options, "backup"))
        if tool == "wal-g" and data_directory:
            return shlex.join((*program, "backup-push", *options, data_directory))
        if tool == "barman-cloud-wal-archive":
            listing = _asked(tool, program, options, command)
            return listing.replace("barman-cloud-backup-list", "barman-cloud-backup", 1)
    return ""
