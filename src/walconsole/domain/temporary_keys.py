"""Names of temporary full-access keys: unique, and known by their beginning to whoever finds one."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

PREFIX = "walconsole-temp-"
_NAME = re.compile(
    rf"{PREFIX}(?P<profile>[a-z0-9][a-z0-9-]*)-(?P<made>[0-9]{{8}}T[0-9]{{6}}Z)-(?P<random>[0-9a-f]{{16}})"
)
_STAMP = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True, slots=True)
class TemporaryName:
    """A name taken apart. `made_at` is seconds since the epoch, by the clock of the console that made it."""

    profile: str
    made_at: float


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
    """What a name says, None where no console of ours made it."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    try:
        made = datetime.strptime(match["made"], _STAMP).replace(tzinfo=UTC)
    except ValueError:
        return None
    return TemporaryName(match["profile"], made.timestamp())
