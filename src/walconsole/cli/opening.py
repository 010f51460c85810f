"""From the options to a session, and from a session to the console's screen."""

import os
from argparse import Namespace
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from walconsole.cli.table import BY_NAME, OPEN
from walconsole.config.choose import choose
from walconsole.config.reader import ConfigFile, Setting, load
from walconsole.config.resolve import COMMAND_LINE
from walconsole.domain.profile import Engine
from walconsole.domain.ssh_config import is_pattern
from walconsole.errors import UsageError
from walconsole.operator_files.places import places
from walconsole.process.environment import keep_secrets
from walconsole.process.garbage import collect_nothing
from walconsole.process.stop import Stop
from walconsole.session.wish import DemoWish, Session, Target

PAINTS_PER_S = "120"
"""At most. A key that moves the focus is painted in two goes, one for each pane; at Textual's own 60 the
second waits 17 ms for the first. Nothing is painted that has not changed, however often it may be."""


def config_path(options: Namespace) -> Path:
    """Where the configuration file is, or would be."""
    return options.config.absolute() if options.config else places(os.environ).config_file


def config_file(options: Namespace) -> ConfigFile:
    """What stands in it; empty where there is none and none was named. Raises ConfigError."""
    return load(config_path(options), required=options.config is not None)


def server_session(options: Namespace) -> Session:
    """What to open, with the profile or host that was named. Raises ConfigError, UsageError."""
    file = config_file(options)
    which = "postgres.port" if isinstance(options.cluster, int) else "postgres.cluster"
    given = {"name": options.name, which: options.cluster}
    if getattr(options, "engine", None):  # provision's alone
        given["engine"] = Engine(options.engine)
    named = {path: Setting(value, COMMAND_LINE) for path, value in given.items() if value}
    named_else = options.command != OPEN.name
    commands = () if named_else else tuple(name for name in BY_NAME if name != options.target)
    resolved = choose(options.target, file, os.environ, named, commands=commands)
    made = session(options, file, resolved.profile)
    return replace(made, notes=(*made.notes, *resolved.notes), resolved=resolved, typed=options.target or "")


def server_sessions(options: Namespace) -> tuple[Session, ...]:
    """The same for several: each profile, host or pattern that was named. Raises ConfigError, UsageError."""
    from walconsole.config.several import choose_several

    if options.name or options.cluster:
        raise UsageError(
            "opening several servers", "--name and --cluster are one server's", "say it in their profiles"
        )
    file = config_file(options)
    chosen = choose_several(
        options.targets, file, os.environ, hosts=options.hosts, tags=options.tag, every=options.all
    )
    profiles = [each.resolved.profile for each in chosen]
    environment = keep_secrets(os.environ, _secret_variables(file, *profiles))
    made = [
        replace(session(options, file, one, environment), called=each.name, resolved=each.resolved)
        for one, each in zip(profiles, chosen, strict=True)
    ]
    notes = [note for each in chosen for note in each.resolved.notes]
    return (replace(made[0], notes=(*made[0].notes, *notes)), *made[1:])


def means_several(options: Namespace) -> bool:
    """Whether more than one server may be meant, by how they were named."""
    return bool(
        options.all
        or options.hosts
        or options.tag
        or len(options.targets) > 1
        or any(is_pattern(word) for word in options.targets)
    )


def session(
    options: Namespace, file: ConfigFile, target: Target, environment: Mapping[str, str] | None = None
) -> Session:
    """What to open. An option wins over the file's [console].

    `environment` None: this process's, out of which the secrets are taken.
    """
    theme, interval = file.console.get("theme"), file.console.get("interval")
    notify = file.console.get("notify")
    return Session(
        target=target,
        log_file=options.log_file or places(os.environ).log_file,
        log_chosen=options.log_file is not None,
        theme=options.theme or (str(theme.value) if theme else None),
        interval_s=options.interval or (float(str(interval.value)) if interval else 1.0),
        read_only=options.read_only,
        notify=tuple(notify.value) if notify and isinstance(notify.value, tuple) else (),
        notes=file.warnings,
        environment=environment or keep_secrets(os.environ, _secret_variables(file, target)),
    )


def _secret_variables(file: ConfigFile, *targets: Target) -> set[str]:
    """The variables that hold secrets, by the profiles of the file and by those that are opened.

    The file is gone through once, however many are opened.
    """
    named: set[str] = set()
    for settings in file.profiles.values():
        for key, setting in settings.items():
            if key.endswith("_env"):
                named.add(str(setting.value))
            elif key.endswith("_envs") and isinstance(setting.value, (tuple, list)):
                named.update(map(str, setting.value))
    for target in targets:
        if isinstance(target, DemoWish):
            continue
        named.update(target.api.token_envs, filter(None, [target.postgres.password_env]))
        for bucket in target.buckets:
            named.update((bucket.keys.access_key_env, bucket.keys.secret_key_env))
    return named


def open_screen(opened: Session, stop: Stop) -> int:
    """Run the console; its exit code. Raises WalconsoleError."""
    _before_textual()
    from walconsole.session.console import open_console  # Textual: not for `--help`

    return open_console(opened, stop)


def open_fleet(opened: Sequence[Session], stop: Stop) -> int:
    """The same over many clusters."""
    _before_textual()
    from walconsole.session.console import open_fleet

    return open_fleet(opened, stop)


def open_replay(options: Namespace, file: ConfigFile, stop: Stop) -> int:
    """The console on a recording; its exit code. Raises WalconsoleError. No profile has to do with it."""
    _before_textual()
    from walconsole.session.console import open_replay

    return open_replay(session(options, file, DemoWish("replay")), options.file, stop)


def _before_textual() -> None:
    collect_nothing()
    os.environ.setdefault("TEXTUAL_FPS", PAINTS_PER_S)  # read when Textual is imported
