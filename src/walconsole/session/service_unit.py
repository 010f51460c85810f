"""systemd units that run this program on the operator's machine: shown, agreed to, written."""

import shlex
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from walconsole.domain.records import record
from walconsole.errors import RefusedError, UsageError
from walconsole.operator_files.private import replace_text
from walconsole.process.stderr import say

SYSTEM_CONFIG = Path("/etc/walconsole/config.toml")
CREDENTIALS = "/etc/walconsole/credentials"
"""Below it a file for each secret, root's alone; systemd hands them to the service."""

_HARDENED = (
    "NoNewPrivileges=yes",
    "LockPersonality=yes",
    "RestrictRealtime=yes",
    "RestrictSUIDSGID=yes",
    "RestrictNamespaces=yes",
    "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK",
    "SystemCallArchitectures=native",
    "SystemCallFilter=@system-service",
    "SystemCallErrorNumber=EPERM",
    "UMask=0077",
    "MemoryMax=512M",
    "TasksMax=128",
)
"""What a unit of a user's can have, too: nothing of it needs another namespace or a capability."""
_HIDDEN = ("/home", "/root", "/run/user", "/tmp", "/var/tmp")  # noqa: S108  # none of them is written to
_SYSTEM_HARDENED = (
    "DynamicUser=yes",
    # One user for all of the program's units: they share what is kept (systemd.exec(5), DynamicUser=).
    "User=walconsole",
    "CapabilityBoundingSet=",
    "StateDirectory=walconsole",
    "StateDirectoryMode=0700",
    "CacheDirectory=walconsole",
    "CacheDirectoryMode=0700",
    "ConfigurationDirectory=walconsole",
    "ProtectSystem=strict",
    "ProtectHome=yes",
    "PrivateTmp=yes",
    "PrivateDevices=yes",
    "ProtectClock=yes",
    "ProtectControlGroups=yes",
    "ProtectHostname=yes",
    "ProtectKernelLogs=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelTunables=yes",
    "ProtectProc=invisible",
    "ProcSubset=pid",
    "RemoveIPC=yes",
)


@record
class Unit:
    """One unit: where its file lies, and what is in it."""

    path: Path
    text: str


def head(about: str, *, system: bool) -> Iterator[str]:
    """The lines of [Unit]."""
    yield from ("[Unit]", f"Description={about}", "Documentation=man:walconsole(1)")
    if system:  # a user's manager has no such target
        yield from ("Wants=network-online.target", "After=network-online.target")


def started(words: Sequence[str]) -> str:
    """ExecStart= of this program with these words, by absolute paths."""
    return f"ExecStart={' '.join(_quoted(word) for word in (*program(), *words))}"


def confined(secrets: Iterable[str], *, system: bool) -> Iterator[str]:
    """What the service may do, and what of root's it is given: lines of [Service]."""
    if system:
        # Not by /var/lib/walconsole: that is a link of root's, which is taken for somebody else's folder.
        yield "Environment=HOME=/var/lib/private/walconsole XDG_STATE_HOME=/var/lib/private"
        yield "Environment=XDG_CACHE_HOME=/var/cache/private"
        yield "Environment=XDG_CONFIG_HOME=/etc"
        yield from _SYSTEM_HARDENED
        yield from (f"LoadCredential={name}:{CREDENTIALS}/{name}" for name in secrets)
    yield from _HARDENED


def _quoted(word: str) -> str:
    """A word of ExecStart=: quotes, and no specifier or variable of systemd's."""
    plain = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{plain}"' if plain != word or any(sign in word for sign in " \t'") else word


def program() -> tuple[str, ...]:
    """How this program was started, by absolute paths."""
    script = Path(sys.argv[0])
    if script.name == "walconsole" and script.is_file():
        return (str(script.absolute()),)
    return (sys.executable, "-P", "-m", "walconsole")


def unseen(config: Path | None) -> list[Path]:
    """The files that a service of the system starts with and cannot see (ProtectHome=, PrivateTmp=)."""
    needed = [Path(sys.executable), *(Path(word) for word in program() if word.startswith("/"))]
    needed += [config.absolute()] if config is not None else []
    ways = {way for path in needed for way in (path, path.resolve())}
    return sorted(way for way in ways if any(way.is_relative_to(hidden) for hidden in _HIDDEN))


def refuse_unseen(config: Path | None) -> None:
    """Raises UsageError where a service of the system could not start."""
    hidden = unseen(config)
    if hidden:
        named = ", ".join(map(str, hidden))
        remedy = "install walconsole below /opt or /usr, the configuration below /etc, and run it from there"
        raise UsageError("writing a unit of the system", f"hidden from such a service: {named}", remedy)


def then(secrets: Sequence[str], enabled: str, *, system: bool, config: Path | None = None) -> Iterator[str]:
    """What the operator does besides, until the unit `enabled` runs; `config` is the file that it names."""
    yield "# then, by your own hands:"
    if system:
        for path in unseen(config):
            yield f"#   it would NOT start: {path} is hidden from it; have that below /opt, /usr or /etc"
        yield f"#   the configuration: {SYSTEM_CONFIG}; the SSH key and known_hosts that it names"
        yield from (f"#   install -m 600 -D SECRET {CREDENTIALS}/{name}" for name in secrets)
        yield f"#   systemctl daemon-reload && systemctl enable --now {enabled}"
        return
    if secrets:
        yield f"#   the secrets, in the keyring or by a drop-in with LoadCredential=: {', '.join(secrets)}"
    yield f"#   systemctl --user daemon-reload && systemctl --user enable --now {enabled}"
    yield "#   loginctl enable-linger   (so that it runs while you are not logged in)"


def show(units: Iterable[Unit], besides: Iterable[str]) -> None:
    """What would be written, and what is left to be done then."""
    for unit in units:
        sys.stdout.write(f"# {unit.path}\n{unit.text}\n")
    for line in besides:
        sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def agree(paths: Sequence[Path], word: str, confirm: str) -> None:
    """The gate: `confirm` is what was typed, `word` what it takes. Raises RefusedError."""
    if confirm == word:
        return
    named = " and ".join(shlex.quote(str(path)) for path in paths)
    if sys.stdin is None or not sys.stdin.isatty():
        raise RefusedError(f"writing {named}", "that was not confirmed", f"add --confirm {word}")
    over = "it exists and is replaced; " if any(path.exists() for path in paths) else ""
    sys.stderr.write(f"walconsole: {over}write {named}? [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise RefusedError(f"writing {named}", "it was not agreed to")


def write(units: Iterable[Unit]) -> None:
    """Each in the place of what is there. Raises UsageError."""
    for unit in units:
        try:
            unit.path.parent.mkdir(parents=True, exist_ok=True)
            replace_text(unit.path, unit.text, 0o644)
        except OSError as error:
            why = error.strerror or str(error)
            raise UsageError(f"writing {unit.path}", why, "run it as who may write there") from None
        say(f"{unit.path} is written; nothing is started yet")


def unit_text(lines: Iterable[str]) -> str:
    """A unit's file."""
    return "".join(f"{line}\n" for line in lines)
