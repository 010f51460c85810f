"""Where a recovery stands, as its script on the droplet tells: `recovery`, a file of lines `name=value`.

The file lies in the recovery's state folder and is replaced whole, so that whoever looks next, on any
console, knows what was begun. The folder is the cluster owner's, who may write anything there: what does not
fit is taken for nothing.
"""

import re
from collections.abc import Mapping
from enum import StrEnum

from walconsole.domain.profile import BucketRole, ClusterName
from walconsole.domain.records import record
from walconsole.domain.recovery.pgbackrest import LABEL
from walconsole.domain.recovery.recover_target import (
    IN_PLACE,
    RecoverTo,
    RecoveryPlace,
    RecoveryTarget,
    read_into,
    read_target,
)
from walconsole.domain.redaction import safe

FORMAT = "1"
LONGEST_BYTES = 16 * 1024


class RecoveryPhase(StrEnum):
    """What was reached. PAUSED: at the target. ENDED: all that could be had is replayed, and it waits there;
    a target that was named was not reached.
    """

    NONE = "none"
    RESTORING = "restoring"
    RESTORED = "restored"
    REPLAYING = "replaying"
    PAUSED = "paused"
    ENDED = "ended"
    PROMOTING = "promoting"
    PROMOTED = "promoted"
    TAKEN_OVER = "taken-over"
    DONE = "done"
    GIVEN_UP = "given-up"


PHASES: Mapping[RecoveryPhase, tuple[str, str]] = {
    RecoveryPhase.NONE: (
        "no recovery was begun",
        "walconsole recover PROFILE --to TIME --into VERSION/NAME --plan",
    ),
    RecoveryPhase.RESTORING: (
        "the base backup is brought and unpacked",
        "run it again: it begins the unpacking anew",
    ),
    RecoveryPhase.RESTORED: (
        "the base backup is unpacked and compared",
        "run it again: it goes on with the replay",
    ),
    RecoveryPhase.REPLAYING: ("the WAL is replayed", "run it again: it goes on where it was"),
    RecoveryPhase.PAUSED: (
        "it stands at the target, and can be read",
        "look, then --step-to, --promote or --give-up (on the screen T, x, u)",
    ),
    RecoveryPhase.ENDED: (
        "all that could be had is replayed; a target that was named is not in it",
        "look, then --promote what there is, or --give-up",
    ),
    RecoveryPhase.PROMOTING: ("it is being promoted", "run --promote again"),
    RecoveryPhase.PROMOTED: ("it was promoted, and archives nothing yet", "run --promote again: it goes on"),
    RecoveryPhase.TAKEN_OVER: ("it runs with the real configuration", "run --promote again: it goes on"),
    RecoveryPhase.DONE: ("it is done", ""),
    RecoveryPhase.GIVEN_UP: ("it was given up", ""),
}
"""In words, and what to do where it was left there."""
OPEN = frozenset(RecoveryPhase) - {RecoveryPhase.NONE, RecoveryPhase.DONE, RecoveryPhase.GIVEN_UP}
"""Phases of a recovery that goes on: no second one is begun beside it."""
OPENING = frozenset({RecoveryPhase.PROMOTING, RecoveryPhase.PROMOTED, RecoveryPhase.TAKEN_OVER})
"""From which only --promote leads on."""
UNDER_WAY = frozenset({RecoveryPhase.RESTORING, RecoveryPhase.RESTORED, RecoveryPhase.REPLAYING})
"""In which the script works; where none runs it was left there."""
READABLE = frozenset({RecoveryPhase.PAUSED, RecoveryPhase.ENDED})
"""In which its server can be asked, as long as it lives."""
_IS_ID = re.compile(r"\d{8}T\d{6}Z", re.ASCII)
_IS_WORDS = re.compile(r"[-A-Za-z0-9/._=+@:, ]{0,2000}", re.ASCII)
_IS_PATH = re.compile(r"/[^\n\x00]{0,1000}")


@record
class RecoveryState:
    """One recovery on a droplet. Texts are safe to show; None and empty stand for what is not known.

    `data` is the recovered tree, `work` its folder beside it (configuration, log, WAL that was kept), `old`
    the old cluster's data directory. `place` is where it shall stand. `socket` is the folder of the paused
    server's socket and `port` its number. `lsn` and `reached` are how far was replayed: a position, and the
    time of the last commit, as the server wrote it. `kept` counts WAL files of the old server that were kept,
    None: that was not done yet. `tree` is where the recovered files lie for good, once they do, `bin` the
    folder of its programs; `tree_port` and `tree_socket` are those of the server in a folder, while it runs.
    `stopped_old`: this recovery stopped the old server. `lives`: its server's process runs. `running`: its
    script does. `message` is the script's last word, `exit_status` how it ended. `host` is where it is, where
    that is not production's host.
    """

    id: str = ""
    phase: RecoveryPhase = RecoveryPhase.NONE
    backup: str = ""
    copy: BucketRole | None = None
    target: RecoveryTarget | None = None
    place: RecoveryPlace = IN_PLACE
    data: str = ""
    work: str = ""
    old: str = ""
    socket: str = ""
    port: int = 5499
    lsn: str = ""
    reached: str = ""
    timeline: int | None = None
    tree: str = ""
    bin: str = ""
    tree_port: int | None = None
    tree_socket: str | None = None
    pgbackrest: str = ""
    kept: int | None = None
    stopped_old: bool = False
    lives: bool = False
    running: bool = False
    message: str = ""
    exit_status: int | None = None
    host: str = ""

    @property
    def where(self) -> str:
        """The place in words, with the host where that is another."""
        return f"{self.place.text} on {self.host}" if self.host else self.place.text

    @property
    def is_open(self) -> bool:
        """Whether a recovery goes on, or was left in the midst of it."""
        return self.phase in OPEN

    @property
    def by_pgbackrest(self) -> bool:
        """Whether its base backup is pgBackRest's, by its options, or by its name alone."""
        return bool(self.pgbackrest) or LABEL.fullmatch(self.backup) is not None

    @property
    def opening(self) -> bool:
        """Whether it is being opened, or was, and is not in force to its end yet."""
        return self.phase in OPENING

    @property
    def readable(self) -> bool:
        """Whether its server can be asked now."""
        return self.phase in READABLE and self.lives

    @property
    def not_reached(self) -> bool:
        """Whether it waits at the archive's end though a target was named."""
        latest = self.target is not None and self.target.to is RecoverTo.LATEST
        return self.phase is RecoveryPhase.ENDED and not latest

    @property
    def words(self) -> tuple[str, str]:
        """Where it stands in words, and what to do."""
        told, to_do = PHASES[self.phase]
        if self.phase is RecoveryPhase.ENDED and not self.not_reached:
            told, to_do = (
                "all that is archived is replayed, and can be read",
                "look, then --promote or --give-up",
            )
        if self.running and self.phase in UNDER_WAY:
            return f"{told}: its script is at it now", "run it again: it is followed; --give-up ends it"
        if self.phase in READABLE and not self.lives:
            return f"{told}; but its server does not run", "run it again: it starts it anew"
        return told, to_do


def read_recovery(text: str) -> RecoveryState | None:
    """What the file says; None for what is none, or is a newer format's."""
    told = dict(line.split("=", 1) for line in text[:LONGEST_BYTES].splitlines() if "=" in line)
    if told.get("format") != FORMAT or not _IS_ID.fullmatch(told.get("id", "")):
        return None
    try:
        phase = RecoveryPhase(told.get("phase", ""))
        copy = BucketRole(told["copy"]) if told.get("copy") else None
        target = _target(told)
        place = _place(told.get("into", ""))
    except (ValueError, TypeError):
        return None
    paths = {name: told.get(name, "") for name in ("data", "work", "old", "socket", "tree", "bin")}
    if any(path and not _IS_PATH.fullmatch(path) for path in paths.values()):
        return None
    return RecoveryState(
        id=told["id"],
        phase=phase,
        backup=_backup_id(told.get("backup", "")),
        copy=copy,
        target=target,
        place=place,
        data=paths["data"],
        work=paths["work"],
        old=paths["old"],
        socket=paths["socket"],
        tree=paths["tree"],
        bin=paths["bin"],
        pgbackrest=_call(told.get("pgbackrest", "")),
        lsn=safe(told.get("lsn", ""))[:20],
        reached=safe(told.get("reached", ""))[:40],
        timeline=_number(told, "timeline"),
        kept=_number(told, "kept"),
        stopped_old=told.get("stopped_old") == "yes",
    )


def _call(words: str) -> str:
    """How pgBackRest is called; options alone are those of a recovery that an earlier console began."""
    if not _IS_WORDS.fullmatch(words):
        return ""
    return f"pgbackrest {words}" if words.startswith("-") else words


def _backup_id(text: str) -> str:
    return text if _IS_ID.fullmatch(text) or LABEL.fullmatch(text) else ""


def _place(into: str) -> RecoveryPlace:
    if into.startswith("/"):
        return read_into(into)
    return RecoveryPlace(ClusterName(*into.split("/"))) if into else IN_PLACE


def _target(told: Mapping[str, str]) -> RecoveryTarget | None:
    if not told.get("to"):
        return None
    to, inclusive = RecoverTo(told["to"]), {"on": True, "off": False}.get(told.get("inclusive", ""))
    return read_target(to, told.get("value", ""), inclusive=inclusive, timeline=_number(told, "timeline"))


def _number(told: Mapping[str, str], name: str) -> int | None:
    value = told.get(name, "")
    return int(value) if value.isdecimal() and len(value) < 11 else None


# -- What was seen in the paused server.


@record
class Seen:
    """One statement's answer in the paused server: its first rows, `cut` where there were more.

    `locked`: a table that it reads is locked by what is being replayed (a DROP or ALTER whose commit is not
    replayed yet), so that nothing could be read in time. `fault` is why there is no answer.
    """

    sql: str
    rows: tuple[str, ...] = ()
    cut: bool = False
    locked: bool = False
    fault: str = ""


@record
class RecoveryLook:
    """What the paused server holds: how far it is, and what was asked."""

    lsn: str
    reached: str
    answers: tuple[Seen, ...] = ()
