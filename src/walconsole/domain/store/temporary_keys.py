"""Names of the keys that the console makes: unique, and known again by whoever finds one."""

import re
from dataclasses import field
from datetime import UTC, datetime

from walconsole.domain.records import record

PREFIX = "walconsole-temp-"
_NAME = re.compile(
    rf"{PREFIX}(?P<profile>[a-z0-9][a-z0-9-]*)-(?P<made>[0-9]{{8}}T[0-9]{{6}}Z)-(?P<random>[0-9a-f]{{16}})"
)
_LIMITED = re.compile(
    r"(?P<profile>[a-z0-9][a-z0-9-]*)-wal-rw-(?P<made>[0-9]{8}T[0-9]{6}Z)-(?P<random>[0-9a-f]{8})"
)
_STAMP = "%Y%m%dT%H%M%SZ"
LONGEST_LAG_S = 3600.0
"""For so long after it was asked for a key may still appear."""


@record
class TemporaryName:
    """A name taken apart. `made_at` is seconds since the epoch, by the clock of the console that made it."""

    profile: str
    made_at: float


@record
class LedgerEntry:
    """A temporary key that was, or was about to be, asked for. `access_key` is empty until it is known.

    `endpoint` is the keys API's, `profile` the deployment's name, `noted_at` seconds since the epoch.
    `unknown_since`, likewise: since when it is known that nobody knows whether it was made; 0: it is not so.
    `age_s`, of an orphan: how long ago it was first noted, where the machine has run since; else None.
    """

    name: str
    endpoint: str
    profile: str
    noted_at: float
    access_key: str = ""
    unknown_since: float = 0.0
    age_s: float | None = field(default=None, compare=False)


def temporary_name(profile: str, now: float, random: str) -> str:
    """`walconsole-temp-PROFILE-20261125T081500Z-RANDOM`; `random` is 16 hexadecimal digits.

    Raises ValueError where it would not be a name that `parse` knows again.
    """
    stamp = datetime.fromtimestamp(now, UTC).strftime(_STAMP)
    name = f"{PREFIX}{profile}-{stamp}-{random}"
    if parse(name) is None:
        raise ValueError(f"not a temporary key's name: {name!r}")
    return name


def parse(name: str) -> TemporaryName | None:
    """What a temporary key's name says, None where no console of ours made it."""
    return _parsed(_NAME, name)


def parse_noted(name: str) -> TemporaryName | None:
    """The same of any name that a ledger may hold, be it a limited key's."""
    return _parsed(_NAME, name) or _parsed(_LIMITED, name)


def limited_name(profile: str, now: float, random: str) -> str:
    """`PROFILE-wal-rw-20261125T081500Z-RANDOM`; `random` is 8 hexadecimal digits."""
    return f"{profile}-wal-rw-{datetime.fromtimestamp(now, UTC).strftime(_STAMP)}-{random}"


def kind_of(name: str) -> str:
    """What sort of key bears such a name, for a sentence's beginning."""
    return "a full-access" if parse(name) is not None else "a limited"


def _parsed(pattern: re.Pattern[str], name: str) -> TemporaryName | None:
    match = pattern.fullmatch(name)
    if match is None:
        return None
    try:
        made = datetime.strptime(match["made"], _STAMP).replace(tzinfo=UTC)
    except ValueError:
        return None
    return TemporaryName(match["profile"], made.timestamp())
