"""To where a recovery goes: the moment, and the place in which the recovered cluster shall stand.

When recovery stops is told in domain/moments/targets.py, which is where PostgreSQL's source says so.
"""

import re
from dataclasses import replace
from datetime import UTC, datetime
from enum import StrEnum
from shlex import join

from walconsole.domain.moments.targets import Target, time_value
from walconsole.domain.pgconf.advice import quoted
from walconsole.domain.profile import ClusterName
from walconsole.domain.records import record
from walconsole.domain.wal import format_lsn, parse_lsn

MOST_XID = 2**64 - 1
LONGEST_NAME = 63
"""A restore point's name has MAXFNAMELEN - 1 bytes at most; pg_create_restore_point(text)."""
_LSN = re.compile(r"[0-9A-Fa-f]{1,8}/[0-9A-Fa-f]{1,8}")
_NAMED, _NUMBERED = "name ", "xid "
_LIKE_A_TIME = re.compile(
    r"^[\d+@-]|:|^(?:now|today|yesterday|tomorrow|epoch|infinity)\b|\bago$", re.IGNORECASE
)
_END_OF_ALL = re.compile(r"now|current|latest|\+?infinity", re.IGNORECASE)
_IN_UTC = re.compile(r"\s*(?:UTC|GMT)", re.IGNORECASE)
"""As a server's log has it behind a time, by default."""
_EPOCH = re.compile(r"@?(\d{10})(?:\.\d+|\d{3})?", re.ASCII)
"""Seconds since 1970, with a part of one or in milliseconds."""
_ZONE_NAMED = re.compile(r"[A-Za-z]{3,}(?:/[A-Za-z_/]+)?$", re.ASCII)
_SEGMENT = re.compile(r"[0-9A-Fa-f]{24}", re.ASCII)
_DATED = re.compile(r"\d{4}-\d\d-\d\d")
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,50}", re.ASCII)
_FOLDER = re.compile(r"[-A-Za-z0-9/._+@,:]{3,200}", re.ASCII)
_LEAST_PARTS = 2


class RecoverTo(StrEnum):
    """Which setting names the target. LATEST: none does, all that is archived is replayed."""

    TIME = "time"
    LSN = "lsn"
    XID = "xid"
    NAME = "name"
    IMMEDIATE = "immediate"
    LATEST = "latest"


@record
class RecoveryTarget:
    """A target of recovery. `value` is as the server takes it, empty for IMMEDIATE and LATEST.

    `inclusive`: what stands at the target is replayed, too; None where that does not matter. `timeline` None:
    the one that the server wrote last, which the plan names.
    """

    to: RecoverTo
    value: str = ""
    inclusive: bool | None = None
    timeline: int | None = None

    @classmethod
    def of(cls, target: Target) -> "RecoveryTarget":
        """The same as one that a moment found."""
        return cls(RecoverTo(target.by.value), target.value, target.inclusive, target.timeline)

    @property
    def at(self) -> float | None:
        """Seconds since the epoch, for a time."""
        return datetime.fromisoformat(self.value).timestamp() if self.to is RecoverTo.TIME else None

    @property
    def lsn(self) -> int | None:
        """The position, for one."""
        return parse_lsn(self.value) if self.to is RecoverTo.LSN else None

    @property
    def xid(self) -> int | None:
        """The transaction's number, for one."""
        return int(self.value) if self.to is RecoverTo.XID else None

    @property
    def how(self) -> str:
        """`lsn 0/203A4D0, exclusive`; `all that is archived`."""
        if self.to is RecoverTo.LATEST:
            return "all that is archived"
        if self.to is RecoverTo.IMMEDIATE:
            return "the end of the base backup"
        how = {True: ", inclusive", False: ", exclusive", None: ""}[self.inclusive]
        return f"{self.to.value} {self.value}{how}"

    def settings(self) -> tuple[tuple[str, str], ...]:
        """What recovery is to be given, by name and value; the timeline where one is named."""
        lines: list[tuple[str, str]] = []
        if self.to is RecoverTo.IMMEDIATE:
            lines.append(("recovery_target", "immediate"))
        elif self.to is not RecoverTo.LATEST:
            lines.append((f"recovery_target_{self.to.value}", self.value))
        if self.inclusive is not None:
            lines.append(("recovery_target_inclusive", "on" if self.inclusive else "off"))
        if self.timeline is not None:
            lines.append(("recovery_target_timeline", str(self.timeline)))
        return tuple(lines)

    def lines(self) -> tuple[str, ...]:
        """The same, as postgresql.conf has it."""
        return tuple(f"{name} = {quoted(value)}" for name, value in self.settings())

    def options(self) -> tuple[str, ...]:
        """What `walconsole recover` is given for it."""
        line = () if self.timeline is None else ("--timeline", str(self.timeline))
        if self.to in (RecoverTo.LATEST, RecoverTo.IMMEDIATE):
            return (f"--to-{self.to.value}", *line)
        name = "--to" if self.to is RecoverTo.TIME else f"--to-{self.to.value}"
        side = {True: ("--through",), False: ("--before",), None: ()}[self.inclusive]
        return (name, self.value, *side, *line)


def read_target(
    to: RecoverTo, text: str = "", *, inclusive: bool | None = None, timeline: int | None = None
) -> RecoveryTarget:
    """What an operator wrote. Raises ValueError with what is wrong.

    A time must have its zone: a droplet's, a console's and a user's are three.
    """
    reading = _READ.get(to)
    # of a name every sign counts
    value = reading(text if to is RecoverTo.NAME else text.strip()) if reading is not None else ""
    if to not in _WITH_SIDES:
        if inclusive is not None:
            raise ValueError(f"before or through says nothing of {to.value}")
    elif inclusive is None:
        inclusive = to is not RecoverTo.LSN  # PostgreSQL's default is on; of a place just before is meant
    return RecoveryTarget(to, value, inclusive, timeline)


_WITH_SIDES = frozenset({RecoverTo.TIME, RecoverTo.LSN, RecoverTo.XID})


def _time(text: str) -> str:
    in_utc = _IN_UTC.search(text)
    whole = f"{text[: in_utc.start()]}+00:00" if in_utc is not None and in_utc.end() == len(text) else text
    try:
        told = datetime.fromisoformat(whole)
        at_us = round((told - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1_000_000)
        return time_value(max(at_us, 0))  # no server is older
    except (ValueError, TypeError, OverflowError):
        raise ValueError(_how_to_write(text)) from None


def _how_to_write(text: str) -> str:
    """What is said of a time that is none, with what was probably meant."""
    how = "write a time with its zone, as '2026-11-28 14:02:00Z' or '… 15:02+01'"
    if _END_OF_ALL.fullmatch(text):
        return f"{how}; all that is archived: --to-latest"
    epoch = _EPOCH.fullmatch(text)
    if epoch is not None:
        return f"{how}; {epoch[1]} seconds since 1970 are '{time_text(int(epoch[1]))}'"
    if _ZONE_NAMED.search(text):
        return f"{how}; by its offset, for a zone's name has two such times when clocks are set back"
    return how


def _lsn(text: str) -> str:
    try:
        return format_lsn(parse_lsn(text))
    except ValueError:
        of = f", not as a segment's name: {_OF_SEGMENT}" if _SEGMENT.fullmatch(text) else ""
        raise ValueError(f"write a place in the WAL as 0/203A4D0{of}") from None


_OF_SEGMENT = "`walconsole moment` tells places, and the archive screen (b, then /) where a segment begins"


def _xid(text: str) -> str:
    if not (text.isascii() and text.isdecimal()) or len(text) > 20 or not 3 <= int(text) <= MOST_XID:
        raise ValueError("write a transaction's number as 1234, 3 or above")
    return str(int(text))


def _name(text: str) -> str:
    if not text or len(text.encode()) > LONGEST_NAME or not text.isprintable():
        raise ValueError(
            f"a restore point's name has 1 to {LONGEST_NAME} bytes, and signs that can be shown; of any "
            "other give its place, which `walconsole moment` tells: --to-lsn"
        )
    return text


_READ = {RecoverTo.TIME: _time, RecoverTo.LSN: _lsn, RecoverTo.XID: _xid, RecoverTo.NAME: _name}


def time_text(at: float) -> str:
    """`2026-11-28 14:02:00Z`: with its day and its zone, always."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S}Z"


def read_step(text: str, *, inclusive: bool | None = None) -> RecoveryTarget:
    """A later target as it is written: a position, a transaction's number, a time, `latest`, else a name.

    One that might be meant for a time is told by `name WORDS`: replayed past that time, nothing leads back.

    Raises ValueError with what is wrong.
    """
    value = text.strip()
    if value == "latest":
        return read_target(RecoverTo.LATEST, inclusive=inclusive)
    if _LSN.fullmatch(value):
        return read_target(RecoverTo.LSN, value, inclusive=inclusive)
    if value.startswith(_NUMBERED):
        return read_target(RecoverTo.XID, value.removeprefix(_NUMBERED), inclusive=inclusive)
    epoch = _EPOCH.fullmatch(value)
    if epoch is not None:
        told = f"of {epoch[1]} seconds since 1970 write '{time_text(int(epoch[1]))}'"
        raise ValueError(f"{told}; of a transaction of that number: 'xid {value.lstrip('@')}'")
    if _SEGMENT.fullmatch(value):
        raise ValueError(f"write a place in the WAL as 0/203A4D0, not as a segment's name: {_OF_SEGMENT}")
    if value.isdecimal():
        return read_target(RecoverTo.XID, value, inclusive=inclusive)
    if _DATED.match(value):
        return read_target(RecoverTo.TIME, value, inclusive=inclusive)
    if value.startswith(_NAMED):
        return read_target(RecoverTo.NAME, value.removeprefix(_NAMED), inclusive=inclusive)
    if _LIKE_A_TIME.search(value):
        how = "write a time with its day and zone, as '2026-11-28 14:02:00Z'"
        raise ValueError(f"{how}; of a restore point that is called so: 'name {value}'")
    return read_target(RecoverTo.NAME, value, inclusive=inclusive)


def is_earlier(new: RecoveryTarget, old: RecoveryTarget) -> bool:
    """Whether it is known that `new` lies before `old`: what was replayed is not taken back."""
    if new.at is not None and old.at is not None:
        return new.at < old.at
    if new.lsn is not None and old.lsn is not None:
        return new.lsn < old.lsn
    return False


def is_behind(new: RecoveryTarget, lsn: str, reached: str) -> bool:
    """Whether what was replayed is known to be past `new`: up to `lsn`, and to a commit of the time
    `reached`, as the server writes both.
    """
    try:
        if new.lsn is not None:
            return new.lsn < parse_lsn(lsn)
        return new.at is not None and new.at < datetime.fromisoformat(reached).timestamp()
    except ValueError:  # it was not told
        return False


def on_timeline(target: RecoveryTarget, timeline: int) -> RecoveryTarget:
    """The target with its timeline named, where it names none: `latest` may lead elsewhere."""
    return target if target.timeline is not None else replace(target, timeline=timeline)


# -- Where.


@record
class RecoveryPlace:
    """A new Debian `cluster` beside the old one, or a data directory of its own, `folder` (a path).

    Neither: in the old one's place, whose files are moved aside.
    """

    cluster: ClusterName | None = None
    folder: str = ""

    @property
    def in_place(self) -> bool:
        """Whether the old cluster's own place is taken."""
        return self.cluster is None and not self.folder

    @property
    def name(self) -> str:
        """As --into takes it: `15/restored`, `/srv/pg/restored`; empty for the old one's place."""
        return str(self.cluster) if self.cluster is not None else self.folder

    def options(self) -> tuple[str, ...]:
        """What `walconsole recover` is given for it."""
        return ("--in-place",) if self.in_place else ("--into", self.name)

    @property
    def text(self) -> str:
        """`in place of the old cluster`, `into the new cluster 15/restored`, `into the folder /srv/pg/it`."""
        if self.in_place:
            return "in place of the old cluster"
        return (
            f"into the new cluster {self.cluster}"
            if self.cluster is not None
            else f"into the folder {self.folder}"
        )


IN_PLACE = RecoveryPlace()


def recover_command(profile: str, target: RecoveryTarget, place: RecoveryPlace, *more: str) -> str:
    """What an operator types: `walconsole recover PROFILE --to-lsn 0/203A4D0 --before --into 15/restored`."""
    return join(("walconsole", "recover", profile, *target.options(), *place.options(), *more))


def read_into(text: str) -> RecoveryPlace:
    """`15/restored`, or the path of a folder that is not there yet. Raises ValueError with what is wrong."""
    text = text.strip()
    if text.startswith("/"):
        return RecoveryPlace(folder=_folder(text.rstrip("/")))
    version, _, name = text.partition("/")
    if not version.isdecimal() or not 13 <= int(version) <= 99 or not _NAME.fullmatch(name):
        raise ValueError(
            "name the new cluster as VERSION/NAME, as Debian does: 15/restored; or a data directory by its "
            "path: /srv/postgresql/restored; another host is named by --on"
        )
    return RecoveryPlace(ClusterName(str(int(version)), name))


def _folder(path: str) -> str:
    parts = path.split("/")[1:]
    if (
        len(parts) < _LEAST_PARTS
        or not _FOLDER.fullmatch(path)
        or any(part in ("", ".", "..") for part in parts)
    ):
        raise ValueError(
            "write a folder's path from / on, below a folder of the cluster owner's, of letters, digits and "
            "-._+@,: alone: /srv/postgresql/restored"
        )
    return path
