"""Folders by year, month, day or hour: read, and written again for another time.

`2026/11/29/`, `2026-11-29/`, `20261129/`, `2026/11/`, `2026/11/29/07/`, `year=2026/month=11/`,
`dt=2026-11-29/`, `2026/2026-11-29/`, `29.11.2026/`: whatever the form, all such folders
below one root are one archive.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from functools import lru_cache

_KEY = r"(?:[A-Za-z_]+=)?"
_SEPARATOR = rf"(?:[-_.]|/{_KEY})?"
_YEAR = r"(?:19|20)\d\d"
_MONTH = r"(?:0[1-9]|1[0-2])"
_DAY = r"(?:0[1-9]|[12]\d|3[01])"
_HOUR = r"(?:[01]\d|2[0-3])"
_TIME = rf"(?:(?:{_SEPARATOR}|[T ])(?P<H>{_HOUR})(?P<rest>(?:[-_.:/]?[0-5]\d){{0,2}})Z?)?"
_LOG = r"(?P<log>(?:[0-9A-F]{16}/|0[0-9A-F]{7}/)?)"
_ROOT = r"(?P<root>(?:.*?/)??)"
_FLAGS = re.DOTALL | re.ASCII
_FORMS = (
    re.compile(rf"{_ROOT}(?P<Y>\d{{4}})/(?P<m>\d\d)/(?P<d>\d\d)/{_LOG}", _FLAGS),
    re.compile(  # the larger units once more, in folders of their own
        rf"{_ROOT}{_KEY}(?P<Y1>{_YEAR})/(?:{_KEY}(?:(?P<Y2>{_YEAR})[-_.]?)?(?P<m1>{_MONTH})/)?"
        rf"{_KEY}(?P<Y>{_YEAR})[-_.]?(?P<m>{_MONTH})(?:[-_.]?(?P<d>{_DAY}){_TIME})?/{_LOG}",
        _FLAGS,
    ),
    re.compile(
        rf"{_ROOT}{_KEY}(?P<Y>{_YEAR})(?:{_SEPARATOR}(?P<m>{_MONTH})"
        rf"(?:{_SEPARATOR}(?P<d>{_DAY}){_TIME})?)?/{_LOG}",
        _FLAGS,
    ),
    re.compile(rf"{_ROOT}{_KEY}(?P<d>{_DAY})[-_.](?P<m>{_MONTH})[-_.](?P<Y>{_YEAR})/{_LOG}", _FLAGS),
)
_REPEATED_UNITS = {"Y1": "Y", "Y2": "Y", "m1": "m"}
_WIDTHS = {"Y": 4}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Unit(IntEnum):
    """What a folder is for."""

    YEAR = 0
    MONTH = 1
    DAY = 2
    HOUR = 3


@dataclass(frozen=True, slots=True)
class DatedForm:
    """How the folders of one archive are written: literal text and the letters of `strftime`.

    `ordered`: they sort as time goes.
    """

    parts: tuple[tuple[str, str], ...]
    unit: Unit
    ordered: bool

    def folder(self, at: datetime) -> str:
        """The folder of that time, relative to the root, with its slash."""
        numbers = {"Y": at.year, "m": at.month, "d": at.day, "H": at.hour, "0": 0}
        return "".join(
            text if not letter else f"{numbers[letter]:0{_WIDTHS.get(letter, 2)}}"
            for letter, text in self.parts
        )

    def neighbours(self, at: datetime) -> list[datetime]:
        """That time, and one folder's time after and before it."""
        step = timedelta(hours=1) if self.unit is Unit.HOUR else timedelta(days=1)
        if self.unit < Unit.DAY:
            step = timedelta(days=31 if self.unit is Unit.MONTH else 366)
        found = [at]
        for other in (step, -step):
            try:
                found.append(at + other)
            except OverflowError:
                continue
        return found


@dataclass(frozen=True, slots=True)
class DatedFolder:
    """A folder below `root`: from when it is (in UTC, or whatever its writer's clock shows), and its form.

    `at` is None where the calendar has no such day. `log` is a folder by log within it, or empty.
    """

    root: str
    at: datetime | None
    form: DatedForm
    log: str


@lru_cache(maxsize=1024)
def dated_folder(directory: str) -> DatedFolder | None:
    """What `directory` (ending in a slash) says of time, None where it says nothing."""
    for form in _FORMS:
        match = form.fullmatch(directory)
        if match is not None:
            return _folder(match, ordered=form is not _FORMS[-1])
    return None


def _folder(match: re.Match[str], *, ordered: bool) -> DatedFolder:
    groups = {name: text for name, text in match.groupdict().items() if text}
    unit = Unit(sum(name in groups for name in ("m", "d", "H")))
    values = [int(groups.get(name, default)) for name, default in (("Y", 1), ("m", 1), ("d", 1), ("H", 0))]
    try:
        at = datetime(values[0], values[1], values[2], values[3], tzinfo=UTC)
    except ValueError:
        at = None
    return DatedFolder(match["root"], at, DatedForm(_parts(match), unit, ordered), match["log"])


def _parts(match: re.Match[str]) -> tuple[tuple[str, str], ...]:
    """Literal text between the fields; minutes and seconds are written as noughts."""
    parts: list[tuple[str, str]] = []
    done = match.end("root")
    fields = [name for name in match.groupdict() if name not in ("root", "log") and match[name]]
    for name in sorted(fields, key=match.start):
        parts.append(("", match.string[done : match.start(name)]))
        if name == "rest":
            parts.append(("", re.sub(r"\d", "0", match[name])))
        else:
            parts.append((_REPEATED_UNITS.get(name, name), ""))
        done = match.end(name)
    end = match.start("log") if match["log"] else match.end()
    parts.append(("", match.string[done:end]))
    return tuple(part for part in parts if part != ("", ""))


def seconds(at: datetime) -> float:
    """Seconds since the epoch."""
    return (at - _EPOCH).total_seconds()
