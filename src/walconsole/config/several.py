"""Which servers are meant where there may be several: profiles, hosts, patterns, a list, tags."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from walconsole.config.choose import choose, is_alias, ssh_hosts
from walconsole.config.reader import ConfigFile
from walconsole.config.resolve import SSH_PORT, Resolved
from walconsole.config.schema import PROFILE_KEYS
from walconsole.domain.records import record
from walconsole.domain.redaction import safe
from walconsole.domain.ssh_config import is_pattern, matches
from walconsole.errors import UsageError
from walconsole.operator_files.places import home_of

MOST_CLUSTERS = 2000
"""More are a slip of the pattern: the console would look at each only every few minutes."""


@record
class Named:
    """One cluster of several: what tells it from the others, and what its profile says."""

    name: str
    resolved: Resolved


def choose_several(
    targets: Sequence[str],
    file: ConfigFile,
    environment: Mapping[str, str],
    *,
    hosts: Path | None = None,
    tags: Sequence[str] = (),
    every: bool = False,
) -> tuple[Named, ...]:
    """What `targets` and the list in `hosts` name, each once, in their order; `every` adds all profiles.

    A target is a profile, a host, or a pattern with `*` and `?` of profiles' names and of Host names in
    ~/.ssh/config. Without targets and list every profile is meant. `tags` keep those that have one of them.
    The deployment's variables describe one server, and are left out. Raises UsageError.
    """
    words = [(word, "") for word in targets]
    words += _listed(hosts) if hosts is not None else []
    names = dict.fromkeys(file.profiles, "") if every or not words else {}
    for word, where in words:
        with _told_where(where):
            meant = _meant(word, file, environment) if is_pattern(word) else [word]
        names |= {name: where for name in meant if name not in names}
    without = {name: value for name, value in environment.items() if name not in _DEPLOYMENT}
    found = list(_each_once(names, file, without))
    if tags:
        found = [one for one in found if set(tags) & set(one.resolved.profile.tags)]
    if not found:
        raise _nobody(file, tags)
    if len(found) > MOST_CLUSTERS:
        raise UsageError(
            "choosing servers", f"{len(found):,} are named, {MOST_CLUSTERS:,} is the most", "name fewer"
        )
    return tuple(found)


def _each_once(names: Mapping[str, str], file: ConfigFile, environment: Mapping[str, str]) -> Iterator[Named]:
    """A server that is named in several ways (its profile, its host, with the usual port) is one row."""
    config = home_of(environment) / ".ssh" / "config"
    seen = set()
    for name, where in names.items():
        with _told_where(where):
            resolved = choose(name, file, environment)
        ssh = resolved.profile.ssh
        port = None if ssh.port == SSH_PORT and not is_alias(ssh.host, config) else ssh.port
        server = ssh.user, ssh.host.lower(), port, resolved.fallback_name
        if server not in seen:
            seen.add(server)
            yield Named(name, resolved)


@contextmanager
def _told_where(where: str) -> Iterator[None]:
    """What is wrong with a word of a list is told with its line."""
    try:
        yield
    except UsageError as error:
        if not where:
            raise
        raise UsageError(f"{where}: {error.tried}", error.why, error.remedy) from None


_DEPLOYMENT = frozenset(key.variable for key in PROFILE_KEYS if key.variable)


def _meant(pattern: str, file: ConfigFile, environment: Mapping[str, str]) -> list[str]:
    profiles = [name for name in file.profiles if matches([pattern], name)]
    described = {str(settings["host"].value) for settings in file.profiles.values()}
    config = home_of(environment) / ".ssh" / "config"
    hosts = [host for host in ssh_hosts(config) if host not in described and matches([pattern], host)]
    if not profiles and not hosts:
        raise UsageError(
            f"opening '{safe(pattern)}'",
            f"no profile in {file.path} and no Host in ~/.ssh/config is named so",
            "`walconsole config path` says where the profiles are; quote the pattern from the shell",
        )
    return [*profiles, *hosts]


def _listed(file: Path) -> Iterator[tuple[str, str]]:
    """One a line, and where it stands; `#` begins a comment. Raises UsageError."""
    try:
        text = file.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise UsageError(
            f"reading {file}", str(why), "a list has a profile or [user@]host[:port] a line"
        ) from None
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].split()
        if len(words) > 1:
            raise UsageError(
                f"reading {file}", f"line {number} has more than one word", "name one server a line"
            )
        yield from ((word, f"{file} line {number}") for word in words)


def _nobody(file: ConfigFile, tags: Sequence[str]) -> UsageError:
    if tags and file.profiles:
        named = ", ".join(safe(tag) for tag in tags)
        return UsageError(
            "choosing servers", f"none has a tag of: {named}", "tags = [...] is a key of a profile"
        )
    return UsageError(
        "choosing servers", f"{file.path} has no profile", "`walconsole config init` writes an example"
    )
