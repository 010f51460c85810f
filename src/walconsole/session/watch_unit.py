"""`walconsole watch --install`: the systemd unit that runs the watcher, shown, agreed to, and written."""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from walconsole.config.reader import Settings, load
from walconsole.domain.records import record
from walconsole.errors import UsageError
from walconsole.operator_files.places import places
from walconsole.operator_files.unit_files import unit_path
from walconsole.session.service_unit import (
    SYSTEM_CONFIG,
    Unit,
    agree,
    confined,
    head,
    refuse_unseen,
    show,
    started,
    then,
    unit_text,
    write,
)

UNIT = "walconsole-watch.service"


@record
class UnitWish:
    """What the unit is for. `config` None: the configuration file in its usual place."""

    profiles: tuple[str, ...] = ()
    config: Path | None = None
    system: bool = False


def install(wish: UnitWish, plan: bool, confirm: str) -> int:
    """Show it; write it where that was agreed to. Raises UsageError, RefusedError."""
    if confirm not in ("", UNIT):
        raise UsageError("installing the watcher", f"--confirm is not {UNIT}", "give the unit's name")
    settings = _settings(wish, os.environ)
    secrets = _secrets(settings)
    path = unit_path(UNIT, os.environ, system=wish.system)
    unit = Unit(path, unit_text(unit_lines(wish, secrets)))
    show([unit], (*then(secrets, UNIT, system=wish.system, config=wish.config), *_by_sendmail(settings)))
    if not plan:
        if wish.system:
            refuse_unseen(wish.config)
        agree([path], UNIT, confirm)
        write([unit])
    return 0


def unit_lines(wish: UnitWish, secrets: Sequence[str]) -> Iterator[str]:
    """The unit (systemd.service(5), systemd.exec(5))."""
    config = SYSTEM_CONFIG if wish.system and wish.config is None else wish.config
    words = ["watch", *(["--config", str(config.absolute())] if config else [])]
    words += ["--", *wish.profiles] if wish.profiles else []
    yield from head("walconsole watches the WAL archive", system=wish.system)
    yield from ("StartLimitIntervalSec=0", "", "[Service]", "Type=notify", "NotifyAccess=main")
    yield started(words)
    yield from (
        "Restart=always",
        "RestartSec=10",
        "WatchdogSec=180",
        "TimeoutStartSec=120",
        "TimeoutStopSec=60",
    )
    yield from ("SuccessExitStatus=143", "RestartPreventExitStatus=2 3")
    yield from confined(secrets, system=wish.system)
    yield from ("", "[Install]", f"WantedBy={'multi-user.target' if wish.system else 'default.target'}")


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


def _by_sendmail(settings: Sequence[Settings]) -> Iterator[str]:
    """A sendmail that takes mail by its group (setgid) may not do so in a service that gains no privilege."""
    if any("notify.mail_to" in each and "notify.smtp" not in each for each in settings):
        yield '#   mail: put smtp = "127.0.0.1:25" into [profiles.NAME.notify]: a setgid sendmail fails'
