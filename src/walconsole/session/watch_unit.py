"""`walconsole watch --install`: the systemd unit that runs the watcher, shown, agreed to, and written."""

import os
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from walconsole.config.reader import Settings, load
from walconsole.errors import RefusedError, UsageError
from walconsole.operator_files.places import config_base, home_of, places
from walconsole.operator_files.private import replace_text
from walconsole.process.stderr import say

UNIT = "walconsole-watch.service"
SYSTEM_CONFIG = Path("/etc/walconsole/config.toml")
CREDENTIALS = "/etc/walconsole/credentials"
"""Below it a file for each secret, root's alone; systemd hands them to the service."""
_SYSTEM_UNITS = Path("/etc/systemd/system")

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
_SYSTEM_HARDENED = (
    "DynamicUser=yes",
    "CapabilityBoundingSet=",
    "StateDirectory=walconsole",
    "CacheDirectory=walconsole",
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


@dataclass(frozen=True, slots=True)
class UnitWish:
    """What the unit is for. `config` None: the configuration file in its usual place."""

    profiles: tuple[str, ...] = ()
    config: Path | None = None
    system: bool = False

    def path(self, environment: Mapping[str, str]) -> Path:
        """Where the unit lies."""
        if self.system:
            return _SYSTEM_UNITS / UNIT
        return config_base(environment, home_of(environment)) / "systemd" / "user" / UNIT


def install(wish: UnitWish, plan: bool, confirm: str) -> int:
    """Show it; write it where that was agreed to. Raises UsageError, RefusedError."""
    if confirm not in ("", UNIT):
        raise UsageError("installing the watcher", f"--confirm is not {UNIT}", "give the unit's name")
    path = wish.path(os.environ)
    settings = _settings(wish, os.environ)
    secrets = _secrets(settings)
    text = "".join(f"{line}\n" for line in unit_lines(wish, _program(), secrets))
    sys.stdout.write(f"# {path}\n{text}\n")
    for line in (*_then(wish, secrets), *_by_sendmail(settings)):
        sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
    if plan:
        return 0
    _agree(path, confirm)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_text(path, text, 0o644)
    except OSError as error:
        raise UsageError(
            f"writing {path}", error.strerror or str(error), "run it as who may write there"
        ) from None
    say(f"{path} is written; nothing is started yet")
    return 0


def unit_lines(wish: UnitWish, program: Sequence[str], secrets: Sequence[str]) -> Iterator[str]:
    """The unit (systemd.service(5), systemd.exec(5))."""
    config = SYSTEM_CONFIG if wish.system and wish.config is None else wish.config
    words = [*program, "watch", *(["--config", str(config)] if config else [])]
    words += ["--", *wish.profiles] if wish.profiles else []
    yield from ("[Unit]", "Description=walconsole watches the WAL archive", "Documentation=man:walconsole(1)")
    if wish.system:  # a user's manager has no such target
        yield from ("Wants=network-online.target", "After=network-online.target")
    yield from ("StartLimitIntervalSec=0", "", "[Service]", "Type=notify", "NotifyAccess=main")
    yield f"ExecStart={' '.join(_quoted(word) for word in words)}"
    yield from (
        "Restart=always",
        "RestartSec=10",
        "WatchdogSec=180",
        "TimeoutStartSec=120",
        "TimeoutStopSec=60",
    )
    yield from ("SuccessExitStatus=143", "RestartPreventExitStatus=2 3")
    if wish.system:
        # Not by /var/lib/walconsole: that is a link of root's, which is taken for somebody else's folder.
        yield "Environment=HOME=/var/lib/private/walconsole XDG_STATE_HOME=/var/lib/private"
        yield "Environment=XDG_CACHE_HOME=/var/cache/private"
        yield "Environment=XDG_CONFIG_HOME=/etc"
        yield from _SYSTEM_HARDENED
        yield from (f"LoadCredential={name}:{CREDENTIALS}/{name}" for name in secrets)
    yield from _HARDENED
    yield from ("", "[Install]", f"WantedBy={'multi-user.target' if wish.system else 'default.target'}")


def _quoted(word: str) -> str:
    """A word of ExecStart=: quotes, and no specifier or variable of systemd's."""
    plain = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{plain}"' if plain != word or any(sign in word for sign in " \t'") else word


def _program() -> tuple[str, ...]:
    """How this program was started, by absolute paths."""
    script = Path(sys.argv[0])
    if script.name == "walconsole" and script.is_file():
        return (str(script.absolute()),)
    return (sys.executable, "-P", "-m", "walconsole")


def _settings(wish: UnitWish, environment: Mapping[str, str]) -> list[Settings]:
    """Those of the profiles that it is for; none where there is no file. Raises ConfigError."""
    file = load(wish.config.absolute() if wish.config else places(environment).config_file)
    chosen = wish.profiles or tuple(file.profiles)
    return [file.profiles[name] for name in chosen if name in file.profiles]


def _secrets(settings: Sequence[Settings]) -> list[str]:
    """The secrets that the profiles name for telling."""
    found = (
        str(setting.value)
        for each in settings
        for key, setting in each.items()
        if key.startswith("notify.") and key.endswith("_env")
    )
    return list(dict.fromkeys(found))


def _then(wish: UnitWish, secrets: Sequence[str]) -> Iterator[str]:
    """What the operator does besides."""
    yield "# then, by your own hands:"
    if wish.system:
        yield f"#   the configuration: {SYSTEM_CONFIG}; the SSH key and known_hosts that it names"
        yield from (f"#   install -m 600 -D SECRET {CREDENTIALS}/{name}" for name in secrets)
        yield f"#   systemctl daemon-reload && systemctl enable --now {UNIT}"
        return
    if secrets:
        yield f"#   the secrets, in the keyring or by a drop-in with LoadCredential=: {', '.join(secrets)}"
    yield f"#   systemctl --user daemon-reload && systemctl --user enable --now {UNIT}"
    yield "#   loginctl enable-linger   (so that it runs while you are not logged in)"


def _by_sendmail(settings: Sequence[Settings]) -> Iterator[str]:
    """A sendmail that takes mail by its group (setgid) may not do so in a service that gains no privilege."""
    if any("notify.mail_to" in each and "notify.smtp" not in each for each in settings):
        yield '#   mail: put smtp = "127.0.0.1:25" into [profiles.NAME.notify]: a setgid sendmail fails'


def _agree(path: Path, confirm: str) -> None:
    """The gate. Raises RefusedError."""
    if confirm == UNIT:
        return
    if sys.stdin is None or not sys.stdin.isatty():
        raise RefusedError(f"writing {path}", "that was not confirmed", f"add --confirm {UNIT}")
    over = "it exists and is replaced; " if path.exists() else ""
    sys.stderr.write(f"walconsole: {over}write {shlex.quote(str(path))}? [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise RefusedError(f"writing {path}", "it was not agreed to")
