"""Which server is meant: the argument, DEPLOY_HOST or the file's own choice."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from walconsole.config import checks
from walconsole.config.reader import ConfigFile, Setting, Settings, suggestion
from walconsole.config.resolve import (
    COMMAND_LINE,
    SSH_PORT,
    Resolved,
    destination_settings,
    from_environment,
    resolve,
)
from walconsole.domain.ssh_config import criteria, directive, matches, words
from walconsole.errors import UsageError
from walconsole.operator_files.places import home_of

# -- Which Host names ~/.ssh/config knows: enough to tell an alias from a misspelt profile.

_DEEPEST_INCLUDE = 8


def is_alias(name: str, config_file: Path) -> bool:
    """Whether a Host line (other than the bare `*`) or a Match of a host is for `name`.

    An unreadable file knows none.
    """
    return any(
        matches([pattern for pattern in patterns if pattern != "*"], name)
        for patterns in _host_patterns(config_file, 0)
    )


def ssh_hosts(config_file: Path) -> list[str]:
    """The names that its Host lines have, patterns left out, each once, in their order."""
    names = (name for patterns in _host_patterns(config_file, 0) for name in patterns)
    return list(dict.fromkeys(name for name in names if not any(sign in name for sign in "*?!")))


def _host_patterns(file: Path, depth: int) -> Iterator[list[str]]:
    """The patterns of each line that is for some hosts."""
    try:
        lines = file.read_text("utf-8", "replace").splitlines()
    except OSError:
        return
    for line in lines:
        keyword, rest = directive(line)
        try:
            arguments = words(rest)
            if keyword == "host":
                yield arguments
            elif keyword == "match":
                yield from (
                    pattern.split(",")
                    for what, negated, pattern in criteria(arguments)
                    if what in ("host", "originalhost") and not negated
                )
        except ValueError:
            continue
        if keyword == "include" and depth < _DEEPEST_INCLUDE:
            for included in _included(arguments):
                yield from _host_patterns(included, depth + 1)


def _included(patterns: list[str]) -> Iterator[Path]:
    """Include without a leading / or ~ means below ~/.ssh (ssh_config(5)).

    What names no file, as ssh sees it (a user who is not there, nothing at all), includes none.
    """
    for pattern in patterns:
        try:
            path = Path(pattern).expanduser()
            base = Path("/") if path.is_absolute() else Path("~/.ssh").expanduser()
            relative = str(path.relative_to("/")) if path.is_absolute() else pattern
            found = sorted(base.glob(relative))
        except (RuntimeError, ValueError, IndexError, OSError):
            continue
        yield from found


_DEPLOYMENT_VARIABLES = "DEPLOY_HOST, PRIMARY_REGION, DR_REGION, PROD_RW_KEY_NAME, WAL_BUCKET, WAL_DR_BUCKET"


def choose(
    target: str | None,
    file: ConfigFile,
    environment: Mapping[str, str],
    options: Settings | None = None,
    *,
    commands: Sequence[str] = (),
) -> Resolved:
    """The profile for `target` (a profile's name or a host), else for DEPLOY_HOST, else the file's default.

    `options` are settings from the command line, `commands` what `target` may be a misspelling of besides.
    Raises UsageError when nothing says which server.
    """
    deployment = from_environment(environment)
    layers: list[Settings] = [options or {}]
    if target is not None and target not in file.profiles:
        layers.append(_destination(target, file, environment, commands))
    known = home_of(environment) / ".ssh" / "config"
    name = target if target in file.profiles else _profile_name(target, layers, deployment, file, known)
    profile: Settings = file.profiles[name] if name is not None else {}
    host = _host(*layers, profile) or _host(deployment)
    if host is None:
        raise _nothing_named(file)
    ports = {_value("port", *layers, profile), _value("port", deployment)} - {None}
    meant_elsewhere = _host(deployment) not in (None, host) or len(ports) > 1
    if not meant_elsewhere:
        layers.append(deployment)
    resolved = resolve([*layers, profile], name or "")
    notes: tuple[str, ...] = (_ignored(deployment, resolved.settings),) if meant_elsewhere else ()
    if not resolved.profile.second_copy and any(path.startswith("dr.") for path in deployment):
        notes += ('WAL_DR_BUCKET and DR_REGION are not used: the profile says dr = "none"',)
    return resolved._replace(notes=notes)


def _profile_name(
    target: str | None, layers: list[Settings], deployment: Settings, file: ConfigFile, known: Path
) -> str | None:
    """The profile that describes the host which the argument or DEPLOY_HOST names, else the default one.

    Another port is another host: behind one address a relay or a router may have many. `known` is the
    operator's ssh_config, which may give an alias a port that is not said here.
    """
    named = layers if target is not None or _host(*layers) else [*layers, deployment]
    host, port = _host(*named), _value("port", *named)
    if host is not None:
        described = [
            name
            for name, settings in file.profiles.items()
            if settings["host"].value == host and _may_have(port, settings, known)
        ]
        return described[0] if len(described) == 1 else None
    default = file.console.get("default_profile")
    if default is not None:
        return str(default.value)
    return next(iter(file.profiles)) if len(file.profiles) == 1 else None


def _destination(
    target: str, file: ConfigFile, environment: Mapping[str, str], commands: Sequence[str]
) -> dict[str, Setting]:
    if _is_bare_word(target) and not is_alias(target, home_of(environment) / ".ssh" / "config"):
        raise UsageError(
            f"opening {checks.shown(target)}",
            f"it is neither a profile in {file.path} nor a Host in ~/.ssh/config",
            f"{suggestion(target, file.profiles, commands)}{_as_a_host(target)}",
        )
    try:
        return destination_settings(target, COMMAND_LINE)
    except checks.UnfitError as unfit:
        raise UsageError(f"opening {checks.shown(target)}", f"the destination {unfit}") from None


def _is_bare_word(target: str) -> bool:
    return not any(mark in target for mark in "@:.") and target != "localhost"


def _as_a_host(word: str) -> str:
    """How to say that the host of that name is meant; nothing where none can be, or it is secret."""
    if checks.shown(word) != repr(word):
        return ""
    try:
        destination_settings(f"{word}:{SSH_PORT}", "command line")
    except checks.UnfitError:
        return ""
    return f" (for a host of that name write {word}:{SSH_PORT})"


def _host(*layers: Settings) -> str | None:
    host = _value("host", *layers)
    return None if host is None else str(host)


def _may_have(port: object, profile: Settings, known: Path) -> bool:
    said = _value("port", profile)
    return port in (None, said or SSH_PORT) or (said is None and is_alias(str(_host(profile)), known))


def _value(path: str, *layers: Settings) -> object:
    return next((layer[path].value for layer in layers if path in layer), None)


def _ignored(deployment: Settings, chosen: Settings) -> str:
    one, other = _host(deployment), _host(chosen)
    if one == other:
        one, other = (f"{_host(each)}:{_value('port', each)}" for each in (deployment, chosen))
    return (
        f"DEPLOY_HOST names {one}, not {other}: the deployment's variables"
        f" ({_DEPLOYMENT_VARIABLES}) are left out"
    )


def _nothing_named(file: ConfigFile) -> UsageError:
    if file.profiles:
        return UsageError(
            "choosing a server",
            f"{file.path} has several profiles and no default_profile",
            f"name one: {', '.join(file.profiles)}",
        )
    return UsageError(
        "choosing a server",
        "no argument, no DEPLOY_HOST and no profile",
        "try `walconsole demo`, or `walconsole HOST`, or `walconsole config init` for a file of profiles",
    )
