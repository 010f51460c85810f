"""The command line: what was asked for, and the exit code."""

import os
import sys
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from walconsole.cli import checking, provisioning
from walconsole.cli.arguments import parse
from walconsole.config.choose import choose
from walconsole.config.example import write_example
from walconsole.config.places import places
from walconsole.config.reader import ConfigFile, Setting, load
from walconsole.config.show import described
from walconsole.domain.redaction import safe
from walconsole.errors import WalconsoleError
from walconsole.runtime.environment import keep_secrets
from walconsole.runtime.garbage import collect_nothing
from walconsole.runtime.loop import leave
from walconsole.runtime.say import say
from walconsole.runtime.session import DemoWish, Session, Target
from walconsole.runtime.stop import Stop

PAINTS_PER_S = "120"
"""At most. A key that moves the focus is painted in two goes, one for each pane; at Textual's own 60 the
second waits 17 ms for the first. Nothing is painted that has not changed, however often it may be."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program; its exit code. One line on standard error for every error."""
    stop = Stop()
    stop.install()
    try:
        status = _dispatch(parse(sys.argv[1:] if arguments is None else arguments), stop)
        if sys.stdout is not None:
            sys.stdout.flush()
    except WalconsoleError as error:
        say(error.line())
        status = error.exit_code
    except BrokenPipeError:  # `walconsole config show | head`: the reader has what it wanted
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 0
    return leave(stop.exit_code if stop.noted else status)


def _dispatch(options: Namespace, stop: Stop) -> int:
    if options.command == "explain":
        from walconsole.cli.explaining import explain  # the pages: not before the first frame

        return explain(options.rule)
    if options.command in ("check", "report"):
        return checking.as_plugin(lambda: _check(options, stop))
    if options.command == "config":
        return _CONFIG_ACTIONS[options.action](options)
    file = _file(options)
    if options.command == "demo":
        session = _session(options, file, DemoWish(options.scenario, options.load))
        return _serve(session, stop) if options.serve else _open(session, stop)
    session = _of_a_server(options, file)
    if options.command in ("provision", "undo", "fix", "probe") and (options.plan or options.apply):
        return provisioning.run(options, session, stop)
    return _open(replace(session, provisioning=options.command == "provision"), stop)


def _check(options: Namespace, stop: Stop) -> int:
    return checking.run(options, _of_a_server(options, _file(options)), stop)


def _of_a_server(options: Namespace, file: ConfigFile) -> Session:
    """What to open, with the profile or host that was named. Raises ConfigError, UsageError."""
    named = {"name": Setting(options.name, "command line")} if options.name else {}
    resolved = choose(options.target, file, os.environ, named)
    session = _session(options, file, resolved.profile)
    return replace(session, notes=(*session.notes, *resolved.notes))


def _session(options: Namespace, file: ConfigFile, target: Target) -> Session:
    """What to open. An option wins over the file's [console]."""
    theme, interval = file.console.get("theme"), file.console.get("interval")
    environment = keep_secrets(os.environ, _secret_variables(file, target))
    return Session(
        target=target,
        log_file=options.log_file or places(os.environ).log_file,
        log_chosen=options.log_file is not None,
        theme=options.theme or (str(theme.value) if theme else None),
        interval_s=options.interval or (float(str(interval.value)) if interval else 1.0),
        read_only=options.read_only,
        notes=file.warnings,
        environment=environment,
    )


def _secret_variables(file: ConfigFile, target: Target) -> set[str]:
    """The variables that hold secrets, by the profiles of the file and by the one that is opened."""
    named: set[str] = set()
    for settings in file.profiles.values():
        for key, setting in settings.items():
            if key.endswith("_env"):
                named.add(str(setting.value))
            elif key.endswith("_envs") and isinstance(setting.value, (tuple, list)):
                named.update(map(str, setting.value))
    if not isinstance(target, DemoWish):
        named.update(target.api.token_envs, filter(None, [target.postgres.password_env]))
        for bucket in (target.primary, target.dr):
            named.update((bucket.keys.access_key_env, bucket.keys.secret_key_env))
    return named


def _open(session: Session, stop: Stop) -> int:
    collect_nothing()
    os.environ.setdefault("TEXTUAL_FPS", PAINTS_PER_S)  # read when Textual is imported
    from walconsole.runtime.console import open_console  # Textual: not for `--help`

    return open_console(session, stop)


def _serve(session: Session, stop: Stop) -> int:
    from walconsole.runtime.serve import serve

    return serve(session, stop)


def _config_init(options: Namespace) -> int:
    path = _config_path(options)
    write_example(path)
    return _print(f"{path} is written: put your host into it, then run `walconsole config check`")


def _config_print_path(options: Namespace) -> int:
    return _print(str(_config_path(options)))


def _config_check(options: Namespace) -> int:
    file = load(_config_path(options), required=True)
    for warning in file.warnings:
        say(warning)
    return _print(f"{file.path}: nothing is wrong; profiles: {', '.join(file.profiles) or 'none'}")


def _config_show(options: Namespace) -> int:
    return _print(*described(choose(options.target, _file(options), os.environ)))


_CONFIG_ACTIONS = {
    "init": _config_init,
    "path": _config_print_path,
    "check": _config_check,
    "show": _config_show,
}


def _config_path(options: Namespace) -> Path:
    return options.config.absolute() if options.config else places(os.environ).config_file


def _file(options: Namespace) -> ConfigFile:
    return load(_config_path(options), required=options.config is not None)


def _print(*lines: str) -> int:
    for line in lines:
        sys.stdout.write(f"{safe(line)}\n")
    return 0
