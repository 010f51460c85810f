"""What a value must look like. Each check returns the value as the domain holds it, or raises UnfitError."""

import ipaddress
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import time
from enum import StrEnum
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from walconsole.domain.patterns import pattern
from walconsole.domain.profile import ClusterName, Engine, KeySource, SshTarget, WebhookShape, folder_place
from walconsole.domain.redaction import MASK, redact

ALERTS = ("bell", "osc9")
"""The terminal's bell, and a notification that the terminal passes on to the desktop (OSC 9)."""

Check = Callable[[object], object]
_Word = TypeVar("_Word", bound=StrEnum)

_TYPES: dict[type, str] = {
    str: "text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    list: "a list",
    dict: "a table",
}
_VARIABLE = pattern(r"[A-Za-z_][A-Za-z0-9_]*")
_SPACES_KEY = pattern(r"(?:DO|AKIA|ASIA)[0-9A-Z]{16,}|[A-Za-z0-9+/]{40,}")
_SHORT_NAME = pattern(r"[a-z0-9](?:[a-z0-9-]{0,50}[a-z0-9])?")
_BUCKET = pattern(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_REGION = pattern(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?")
_CLUSTER = pattern(r"(?P<version>\d{1,2}(?:\.\d{1,2})?)/(?P<name>[A-Za-z0-9_][A-Za-z0-9_.-]*)")
_HOST_NAME = pattern(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,252})")
_TAG = pattern(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,39}")
_LOGIN = pattern(r"[A-Za-z0-9_][A-Za-z0-9_.@+-]{0,63}")
_MAIL_ADDRESS = pattern(r"[A-Za-z0-9_][A-Za-z0-9_.+=-]{0,63}@[A-Za-z0-9][A-Za-z0-9.-]{0,253}")
_BACKUP_ID = pattern(r"[0-9]{8}T[0-9]{6}Z")
_FORBIDDEN = pattern(r"[\x00-\x1f\x7f]")


class UnfitError(ValueError):
    """Why a value cannot be used; the text follows the key's name: `port must be ...`."""


def type_name(value: object) -> str:
    """A TOML value's type in words."""
    return _TYPES.get(type(value), "a date or time")


def shown(value: object) -> str:
    """The value for a message: short, redacted, quoted when it is text."""
    text = redact(repr(value) if isinstance(value, str) else str(value))
    if _SPACES_KEY.search(text):
        return MASK
    return text if len(text) <= 60 else f"{text[:57]}..."


def text(value: object) -> str:
    """Text that is not empty and holds no control character."""
    if not isinstance(value, str):
        raise UnfitError(f"must be text in quotes, not {type_name(value)} ({shown(value)})")
    if not value.strip():
        raise UnfitError("must not be empty; leave the line out to get the default")
    if _FORBIDDEN.search(value):
        raise UnfitError("must not contain control characters")
    return value


def _matching(pattern: re.Pattern[str], wanted: str) -> Callable[[object], str]:
    def check(value: object) -> str:
        checked = text(value)
        if not pattern.fullmatch(checked):
            raise UnfitError(f"must be {wanted}, not {shown(checked)}")
        return checked

    return check


short_name = _matching(_SHORT_NAME, "lower-case letters, digits and dashes (it names buckets), at most 52")
region = _matching(_REGION, "a region's short name such as 'nyc3'")
tag = _matching(_TAG, "letters, digits, and any of . _ + -, at most 40")
login = _matching(_LOGIN, "a user's name")
backup_id = _matching(_BACKUP_ID, "a base backup's id such as '20261129T031000Z'")


def flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise UnfitError(f"must be true or false (without quotes), not {type_name(value)} ({shown(value)})")
    return value


def _integer(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise UnfitError(f"must be a whole number without quotes, not {type_name(value)} ({shown(value)})")
    return value


def port(value: object) -> int:
    """A TCP port."""
    number = _integer(value)
    if not 1 <= number <= 65535:
        raise UnfitError(f"must be between 1 and 65535, not {number}")
    return number


def between(low: float, high: float, unit: str) -> Callable[[object], float]:
    """A number of `unit` from `low` to `high`."""

    def check(value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise UnfitError(f"must be a number without quotes, not {type_name(value)} ({shown(value)})")
        if not low <= value <= high:  # also refuses nan
            raise UnfitError(f"must be between {low:g} and {high:g} {unit}, not {value:g}")
        return float(value)

    return check


def whole(low: int, high: int, unit: str) -> Callable[[object], int]:
    """A whole number of `unit` from `low` to `high`."""

    def check(value: object) -> int:
        number = _integer(value)
        if not low <= number <= high:
            raise UnfitError(f"must be between {low} and {high} {unit}, not {number}")
        return number

    return check


_TIME_OF_DAY = pattern(r"([01]?[0-9]|2[0-3]):([0-5][0-9])")


def time_of_day(value: object) -> str:
    """`HH:MM`. TOML's own time, without quotes, is taken as well."""
    if isinstance(value, time):
        return f"{value:%H:%M}"
    checked = text(value)
    matched = _TIME_OF_DAY.fullmatch(checked)
    if matched is None:
        raise UnfitError(f"must be a time of day from '00:00' to '23:59', not {shown(checked)}")
    return f"{int(matched[1]):02}:{matched[2]}"


_DAYS = pattern(r"([0-9]{1,4}) ?([dh])")


def days(value: object) -> float:
    """A time of days or hours, `7d` or `36h`, in days."""
    checked = text(value)
    matched = _DAYS.fullmatch(checked)
    if matched is None or not int(matched[1]):
        raise UnfitError(f"must be a number of days or hours such as '7d' or '36h', not {shown(checked)}")
    return int(matched[1]) / (24 if matched[2] == "h" else 1)


def days_text(value: float) -> str:
    """`7d`, `36h`: as `days` reads it."""
    return f"{value:.0f}d" if value == round(value) else f"{value * 24:.0f}h"


def list_of(check: Callable[[object], str]) -> Callable[[object], tuple[str, ...]]:
    """A list of at least one value, each passing `check`."""

    def check_list(value: object) -> tuple[str, ...]:
        if not isinstance(value, list):
            raise UnfitError(f'must be a list such as ["..."], not {type_name(value)} ({shown(value)})')
        if not value:
            raise UnfitError("must not be empty; leave the line out to get the default")
        checked = []
        for position, item in enumerate(value, start=1):
            try:
                checked.append(check(item))
            except UnfitError as unfit:
                raise UnfitError(f"is wrong at item {position}: it {unfit}") from None
        return tuple(checked)

    return check_list


def bucket(value: object) -> str:
    """S3's rule for bucket names, which Spaces keeps; or a folder's path, maybe behind `[user@]host:`."""
    checked = text(value)
    if "/" in checked:
        return _folder(checked)
    if not _BUCKET.fullmatch(checked) or ".." in checked or _is_address(checked):
        raise UnfitError(f"must be 3 to 63 lower-case letters, digits, dashes and dots, not {shown(checked)}")
    return checked


def _folder(checked: str) -> str:
    """`/mnt/wal` on the droplet, `backup@nas:/srv/wal` on another host."""
    host, path = folder_place(checked)
    if host:
        destination(host)
    if not (host or checked.startswith("/")) or not path.startswith("/") or ".." in path.split("/"):
        raise UnfitError(f"must be a bucket's name, /a/path or [user@]host:/a/path, not {shown(checked)}")
    return f"{host}{':' if host else ''}{path.rstrip('/') or '/'}"


def prefix(value: object) -> str:
    """A key prefix; the slash at its end is added. Empty means the bucket's root."""
    if value == "":
        return ""
    checked = text(value)
    if checked.startswith("/"):
        raise UnfitError(f"must not begin with a slash: S3 keys do not ({shown(checked)})")
    return checked if checked.endswith("/") else f"{checked}/"


def absolute_path(value: object) -> str:
    """A path on the droplet."""
    checked = text(value)
    if not checked.startswith("/"):
        raise UnfitError(f"must be an absolute path on the droplet, not {shown(checked)}")
    return checked


def file_of_keys(kind: str) -> Callable[[object], str]:
    """A path on the droplet; a key itself in its place, of whichever kind, is not repeated."""

    def check(value: object) -> str:
        if isinstance(value, str) and value.strip().lower().startswith(("age", "ssh-", "-----begin")):
            raise UnfitError(
                f"must be the path of a file on the droplet that holds {kind} keys, not a key itself"
            )
        return absolute_path(value)

    return check


def local_path(value: object) -> str:
    """A path on this machine; `~` is the operator's home."""
    checked = text(value)
    try:
        path = Path(checked).expanduser()
    except RuntimeError as error:
        raise UnfitError(f"cannot be found: {error}") from None
    if not path.is_absolute():
        raise UnfitError(f"must be an absolute path or begin with ~/, not {shown(checked)}")
    return str(path)


def file_name(value: object) -> str:
    """The drop-in's bare name; PostgreSQL's include_dir reads only names that end in .conf."""
    checked = text(value)
    if "/" in checked or checked.startswith(".") or not checked.endswith(".conf"):
        raise UnfitError(f"must be a file name that ends in .conf, without a directory, not {shown(checked)}")
    return checked


def variable(value: object) -> str:
    """The name of an environment variable; a secret in its place is not repeated."""
    checked = text(value)
    if _SPACES_KEY.fullmatch(checked) or redact(checked) != checked:
        raise UnfitError(
            "looks like a secret itself; put it into an environment variable and give that one's name"
        )
    if not _VARIABLE.fullmatch(checked):
        raise UnfitError(f"must be the name of an environment variable, not {shown(checked)}")
    return checked


def alert(value: object) -> str:
    """A way to call an operator who looks elsewhere."""
    checked = text(value)
    if checked not in ALERTS:
        raise UnfitError(f"must be one of {', '.join(map(repr, ALERTS))}, not {shown(checked)}")
    return checked


def webhook_shape(value: object) -> WebhookShape:
    """What a webhook's receiver takes."""
    return _one_of(WebhookShape, value)


def mail_address(value: object) -> str:
    """One address, without a name; no option that a mailer would take it for."""
    checked = text(value)
    if not _MAIL_ADDRESS.fullmatch(checked):
        raise UnfitError(f"must be a mail address such as 'oncall@example.org', not {shown(checked)}")
    return checked


def server(value: object) -> str:
    """`host[:port]`."""
    checked = text(value)
    if destination(checked).user is not None:
        raise UnfitError("must be a host, and a port after a colon, without a user")
    return checked


def command(value: object) -> tuple[str, ...]:
    """A program's absolute path on this machine, and its arguments."""
    words = list_of(text)(value)
    return (local_path(words[0]), *words[1:])


def no_second_copy(value: object) -> str:
    """`none`; whatever else says where the second copy is stands in a table."""
    if value != "none":
        raise UnfitError(f"must be 'none' (no second copy is wanted) or a table, not {shown(value)}")
    return "none"


def engine(value: object) -> Engine:
    """What provisioning sets up."""
    return _one_of(Engine, value)


def key_source(value: object) -> KeySource:
    """Where a key pair comes from."""
    return _one_of(KeySource, value)


def _one_of(kind: type[_Word], value: object) -> _Word:
    choices = ", ".join(f"'{each}'" for each in kind)
    checked = text(value)
    try:
        return kind(checked)
    except ValueError:
        raise UnfitError(f"must be one of {choices}, not {shown(checked)}") from None


def cluster(value: object) -> ClusterName:
    """`15/main` as pg_lsclusters shows it, or the list `["15", "main"]`."""
    pair = value if isinstance(value, list) and len(value) == 2 else None
    checked = "/".join(str(part) for part in pair) if pair else text(value)
    matched = _CLUSTER.fullmatch(checked)
    if matched is None:
        raise UnfitError(
            f"must be VERSION/NAME as pg_lsclusters shows it, such as '15/main', not {shown(checked)}"
        )
    return ClusterName(matched["version"], matched["name"])


def cluster_or_port(value: object) -> ClusterName | int:
    """The same, or the port of a server that pg_lsclusters does not list."""
    return port(int(str(value))) if str(value).isdecimal() else cluster(value)


def endpoint(value: object) -> str:
    """An http or https URL without path, user or query; plain http only to this very machine."""
    checked = text(value)
    try:
        url = urlsplit(checked)
        host, _ = url.hostname, url.port
    except ValueError as error:
        raise UnfitError(f"is not a URL: {error}") from None
    if url.scheme not in {"http", "https"} or not host:
        raise UnfitError(f"must be a URL such as 'https://nyc3.digitaloceanspaces.com', not {shown(checked)}")
    if url.username or url.password or url.query or url.fragment or url.path not in {"", "/"}:
        raise UnfitError("must be scheme, host and port alone, without user, path or query")
    if url.scheme == "http" and not _is_loopback(host):
        raise UnfitError(f"must use https: {shown(checked)} would send signed requests in the clear")
    return checked.rstrip("/")


def host(value: object) -> str:
    """A host name, an ssh_config alias or an address; brackets around IPv6 are taken off."""
    checked = text(value)
    bare = checked[1:-1] if checked.startswith("[") and checked.endswith("]") else checked
    if not (_is_address(bare) or _HOST_NAME.fullmatch(bare)):
        raise UnfitError(f"must be a host name or an address, not {shown(checked)}")
    return bare


def destination(value: object) -> SshTarget:
    """`[user@]host[:port]`; an IPv6 address takes brackets when a port follows."""
    checked = text(value)
    user, joint, place = checked.rpartition("@")
    if joint and not _LOGIN.fullmatch(user):
        raise UnfitError(f"has a user that cannot be one: {shown(user)}")
    bracketed = re.fullmatch(r"\[(?P<host>[^\]]*)\](?::(?P<port>.*))?", place)
    named = re.fullmatch(r"(?P<host>[^:]*)(?::(?P<port>[^:]*))?", place)  # no match: a bare IPv6 address
    parts = bracketed or named
    target = SshTarget(host=host(parts["host"] if parts else place), user=user or None)
    given = parts["port"] if parts else None
    if given is None:
        return target
    if not re.fullmatch(r"[0-9]{1,6}", given):
        raise UnfitError(f"must end in a port number after the colon, not {shown(given)}")
    return replace(target, port=port(int(given)))


def is_address(value: str) -> bool:
    """Whether `value` is an IPv4 or IPv6 address (a zone such as %eth0 may follow)."""
    return _is_address(value)


def _is_address(value: str) -> bool:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return True


def _is_loopback(name: str) -> bool:
    return name == "localhost" or (_is_address(name) and ipaddress.ip_address(name).is_loopback)
