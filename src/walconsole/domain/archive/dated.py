"""Folders by year, month, week, day or hour: read, and written again for another time.

`2026/11/29/`, `2026-11-29/`, `20261129/`, `2026/11/`, `2026/11/29/07/`, `year=2026/month=11/`,
`dt=2026-11-29/`, `2026/2026-11-29/`, `29.11.2026/`, `2026/Nov/29/`, `Nov-2026/`, `2026-W48/`, `261129/`:
whatever the form (dated_forms.py), all such folders below one root are one archive.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from functools import lru_cache

from walconsole.domain.archive.dated_forms import MONTHS, WEEKDAYS, forms
from walconsole.domain.records import record

_REPEATED_UNITS = {"Y1": "Y", "Y2": "Y", "m1": "m"}
_NO_FIELDS = frozenset({"root", "log", "_s"})
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Unit(IntEnum):
    """What a folder is for."""

    YEAR = 0
    MONTH = 1
    DAY = 2
    HOUR = 3
    WEEK = 4


_STEPS = {
    Unit.YEAR: timedelta(days=366),
    Unit.MONTH: timedelta(days=31),
    Unit.DAY: timedelta(days=1),
    Unit.HOUR: timedelta(hours=1),
    Unit.WEEK: timedelta(days=7),
}


def _as_written(name: str, like: str) -> str:
    """The name in the letters' case of another one."""
    return name.upper() if like.isupper() else name.lower() if like.islower() else name


_WRITTEN: Mapping[str, Callable[[datetime, str], str]] = {
    "Y": lambda at, _: f"{at.year:04}",
    "G": lambda at, _: f"{at.isocalendar().year:04}",
    "y": lambda at, _: f"{at.year % 100:02}",
    "m": lambda at, _: f"{at.month:02}",
    "M": lambda at, _: f"{at.month}",
    "B": lambda at, like: _as_written(MONTHS[at.month - 1], like),
    "b": lambda at, like: _as_written(MONTHS[at.month - 1][:3], like),
    "d": lambda at, _: f"{at.day:02}",
    "D": lambda at, _: f"{at.day}",
    "H": lambda at, _: f"{at.hour:02}",
    "j": lambda at, _: f"{at.timetuple().tm_yday:03}",
    "V": lambda at, _: f"{at.isocalendar().week:02}",
    "A": lambda at, like: _as_written(WEEKDAYS[at.weekday()], like),
    "a": lambda at, like: _as_written(WEEKDAYS[at.weekday()][:3], like),
}


@record
class DatedForm:
    """How the folders of one archive are written: literal text, and the letters of dated_forms.py.

    Beside a letter stands how such a name is written (`NOV`). `ordered`: they sort as time goes.
    """

    parts: tuple[tuple[str, str], ...]
    unit: Unit
    ordered: bool

    def folder(self, at: datetime) -> str:
        """The folder of that time, relative to the root, with its slash."""
        return "".join(_WRITTEN[letter](at, text) if letter else text for letter, text in self.parts)

    @property
    def in_full(self) -> "DatedForm":
        """With the months' names in full."""
        return replace(
            self, parts=tuple(("B" if letter == "b" else letter, text) for letter, text in self.parts)
        )

    def neighbours(self, at: datetime) -> list[datetime]:
        """That time, and one folder's time after and before it."""
        step = _STEPS[self.unit]
        found = [at]
        for other in (step, -step):
            try:
                found.append(at + other)
            except OverflowError:
                continue
        return found


@record
class DatedFolder:
    """A folder below `root`: from when it is (in UTC, or whatever its writer's clock shows), and its form.

    `at` is None where the calendar has no such day, or the name may mean several (05-09-2026): `alike` are
    its further forms then. `log` is a folder by log within it, or empty.
    """

    root: str
    at: datetime | None
    form: DatedForm
    log: str
    alike: tuple[DatedForm, ...] = ()

    @property
    def forms(self) -> tuple[DatedForm, ...]:
        """The form, and others that it may be: May is as short as it is long."""
        named = self.at is not None and self.at.month == 5 and self.form.in_full != self.form
        return (self.form, self.form.in_full) if named else (self.form, *self.alike)


@lru_cache(maxsize=1024)
def dated_folder(directory: str) -> DatedFolder | None:
    """What `directory` (ending in a slash) says of time, None where it says nothing."""
    for form in forms():
        match = form.pattern.fullmatch(directory)
        if match is not None:
            first = _folder(match, ordered=form.ordered)
            others = (each.fullmatch(directory) for each in form.alike)
            return _among(first, [_folder(each, ordered=False) for each in others if each is not None])
    return None


def _among(first: DatedFolder, others: list[DatedFolder]) -> DatedFolder:
    """What a name says that may be meant in several ways: nothing of time where those differ."""
    others = [each for each in others if each.root == first.root and each.at is not None]
    alike = tuple(each.form for each in others)
    one = {each.at for each in (first, *others)} == {first.at}
    return replace(first, at=first.at if one else None, alike=alike) if others else first


def _folder(match: re.Match[str], *, ordered: bool) -> DatedFolder:
    groups = {name: text for name, text in match.groupdict().items() if text}
    return DatedFolder(
        match["root"], _time(groups), DatedForm(_parts(match), _unit(groups), ordered), match["log"]
    )


def _unit(groups: Mapping[str, str]) -> Unit:
    if "H" in groups:
        return Unit.HOUR
    if groups.keys() & {"d", "D", "j", "a", "A"}:
        return Unit.DAY
    if "V" in groups:
        return Unit.WEEK
    return Unit.MONTH if groups.keys() & {"m", "M", "b", "B", "W"} else Unit.YEAR


def _time(groups: Mapping[str, str]) -> datetime | None:
    """None where the calendar has no such day, or the folder does not name the year or a known month."""
    if "W" in groups or not groups.keys() & {"Y", "y", "G"}:
        return None
    year = 2000 + int(groups["y"]) if "y" in groups else int(groups.get("Y", groups.get("G", 0)))
    hour = int(groups.get("H", 0))
    try:
        if "V" in groups:
            day = 1 + _at(WEEKDAYS, groups.get("A", groups.get("a", WEEKDAYS[0])))
            return datetime.fromisocalendar(year, int(groups["V"]), day).replace(hour=hour, tzinfo=UTC)
        if "j" in groups:
            first = datetime(year, 1, 1, hour, tzinfo=UTC)
            at = first + timedelta(days=int(groups["j"]) - 1)
            return at if at.year == year else None
        return datetime(year, _month(groups), int(groups.get("d", groups.get("D", 1))), hour, tzinfo=UTC)
    except ValueError:
        return None


def _month(groups: Mapping[str, str]) -> int:
    name = groups.get("B", groups.get("b"))
    return 1 + _at(MONTHS, name) if name is not None else int(groups.get("m", groups.get("M", 1)))


def _at(names: tuple[str, ...], name: str) -> int:
    """Which of them it is, by its first three letters."""
    return [each[:3].lower() for each in names].index(name[:3].lower())


def _parts(match: re.Match[str]) -> tuple[tuple[str, str], ...]:
    """Literal text between the fields; minutes and seconds are noughts, a month's strange name stays."""
    parts: list[tuple[str, str]] = []
    done = match.end("root")
    fields = [name for name in match.groupdict() if name not in _NO_FIELDS and match[name]]
    for name in sorted(fields, key=match.start):
        parts.append(("", match.string[done : match.start(name)]))
        if name == "rest":
            parts.append(("", re.sub(r"\d", "0", match[name])))
        elif name == "W":
            parts.append(("", match[name]))
        else:
            parts.append((_REPEATED_UNITS.get(name, name), _like(name, match[name])))
        done = match.end(name)
    end = match.start("log") if match["log"] else match.end()
    parts.append(("", match.string[done:end]))
    return tuple(part for part in parts if part != ("", ""))


def _like(field: str, text: str) -> str:
    """How a name is written, by one that has both cases where it has both; nothing for a number."""
    if field not in ("B", "b", "A", "a"):
        return ""
    return "NAME" if text.isupper() else "name" if text.islower() else "Name"


def seconds(at: datetime) -> float:
    """Seconds since the epoch."""
    return (at - _EPOCH).total_seconds()
