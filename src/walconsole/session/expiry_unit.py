"""`walconsole expire --schedule`: the systemd units that run retention after each good base backup."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from walconsole.domain.profile import KeySource, Profile
from walconsole.domain.records import record
from walconsole.domain.recovery.expiry_words import NO_RULE
from walconsole.errors import BlockedError, UsageError
from walconsole.operator_files.unit_files import expiry_unit, is_enabled, unit_path
from walconsole.process.stderr import say
from walconsole.session.service_unit import (
    SYSTEM_CONFIG,
    Unit,
    confined,
    head,
    refuse_unseen,
    show,
    started,
    then,
    unit_text,
    write,
)
from walconsole.session.wish import Session

EVERY = "*-*-* 00/6:30:00"
"""Base backups are nightly. A run that found something in its way is followed by another the same day."""


@record
class ScheduleWish:
    """What the command line asks for. `apply` False: show it, and write nothing. `confirm` names the profile.

    `config` None: the configuration file in its usual place. `remove`: the schedule is taken away.
    """

    apply: bool = False
    confirm: str = ""
    config: Path | None = None
    system: bool = False
    remove: bool = False


def schedule(session: Session, wish: ScheduleWish) -> int:
    """Install the schedule, or take it away; the exit code.

    Raises UsageError, and BlockedError where it cannot be as things are.
    """
    profile = session.target
    if not isinstance(profile, Profile) or session.resolved is None or not session.resolved.fallback_name:
        why = "the run by the schedule finds the server by a profile, and none describes this one"
        raise UsageError("scheduling retention", why, "write one (walconsole config init), and name it")
    if wish.apply and not session.agreed(wish.confirm):
        why = "that was not confirmed"
        remedy = f"add --confirm {profile.name}, its name"
        raise UsageError(f"scheduling retention of {profile.name}", why, remedy)
    base = expiry_unit(profile.kept_under)
    paths = [unit_path(f"{base}.{kind}", os.environ, system=wish.system) for kind in ("service", "timer")]
    return (
        _remove(paths, wish)
        if wish.remove
        else _install(session.resolved.fallback_name, profile, paths, wish)
    )


def _install(name: str, profile: Profile, paths: Sequence[Path], wish: ScheduleWish) -> int:
    tried = f"scheduling retention of {profile.name}"
    if profile.keep is None:
        raise BlockedError(tried, NO_RULE, "say what to keep first, such as keep = { full = 7, days = 14 }")
    if profile.read_only:
        raise BlockedError(tried, "the profile is read-only", "take read_only out of it")
    secrets = _secrets(profile)
    service, timer = paths
    units = [
        Unit(service, unit_text(service_lines(name, profile.name, secrets, wish))),
        Unit(timer, unit_text(timer_lines(profile.name))),
    ]
    besides = then(secrets, timer.name, system=wish.system, config=wish.config)
    show(units, (*besides, *_keys(profile, wish)))
    if wish.apply:
        if wish.system:
            refuse_unseen(wish.config)
        write(units)
    return 0


def service_lines(name: str, called: str, secrets: Sequence[str], wish: ScheduleWish) -> Iterator[str]:
    """The service (systemd.service(5)). `name` is the profile's in the file, `called` its own `name`."""
    config = SYSTEM_CONFIG if wish.system and wish.config is None else wish.config
    words = ["expire", *(["--config", str(config.absolute())] if config else [])]
    words += ["--apply", "--confirm", called, "--after-backup", "--", name]
    yield from head(f"walconsole: retention of {called}", system=wish.system)
    yield from ("", "[Service]", "Type=oneshot", started(words))
    # Ended by a signal it lets its lock go first.
    yield from ("TimeoutStartSec=6h", "TimeoutStopSec=90")
    yield from confined(secrets, system=wish.system)


def timer_lines(called: str) -> Iterator[str]:
    """What starts it (systemd.timer(5))."""
    yield from ("[Unit]", f"Description=walconsole: retention of {called} after each good base backup")
    yield from ("", "[Timer]", f"OnCalendar={EVERY}", "RandomizedDelaySec=30min", "Persistent=true")
    yield from ("", "[Install]", "WantedBy=timers.target")


def _secrets(profile: Profile) -> list[str]:
    """The variables that hold what a run needs, which a service gets as credentials."""
    named: list[str] = []
    for target in profile.buckets:
        if target.keys.source is KeySource.ENVIRONMENT:
            named += (target.keys.access_key_env, target.keys.secret_key_env)
    named += filter(None, [profile.postgres.password_env])
    return list(dict.fromkeys(named))


def _keys(profile: Profile, wish: ScheduleWish) -> Iterator[str]:
    """From where the run has what opens the buckets and the droplet."""
    sources = {target.keys.source for target in profile.buckets}
    yield "# its keys must be allowed to write (readwrite); a run has them"
    if KeySource.ENVIRONMENT in sources:
        yield "#   as credentials of the service, by the names above"
    if KeySource.DROPLET in sources:
        yield "#   from the droplet, in memory: nothing of them lies here"
    if KeySource.KEYRING in sources:
        locked = "; a service of the system has none" if wish.system else ", which must be open by then"
        yield f"#   from the keyring{locked}"
    if not profile.ssh.identity_files:
        yield "#   SSH: no agent is there: name identity_files, without passphrase, in the profile"


def _remove(paths: Sequence[Path], wish: ScheduleWish) -> int:
    there = [path for path in paths if path.exists()]
    if not there:
        say(f"no schedule of retention is installed: {paths[-1]} is not there")
        return 0
    timer, by = paths[-1], "systemctl" if wish.system else "systemctl --user"
    if is_enabled(timer):
        remedy = f"first, by your own hands: {by} disable --now {timer.name}"
        raise BlockedError(
            f"taking {timer} away", "it is enabled, and would go on until it is stopped", remedy
        )
    for path in there:
        if not wish.apply:
            say(f"would be taken away: {path}")
            continue
        try:
            path.unlink()
        except OSError as error:
            why = error.strerror or str(error)
            raise UsageError(f"taking {path} away", why, "run it as who may write there") from None
        say(f"{path} is taken away")
    say(f"then, by your own hands: {by} daemon-reload")
    return 0
