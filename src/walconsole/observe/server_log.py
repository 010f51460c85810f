"""The end of the server's log as evidence: what it says about archiving, and goes on to say."""

import secrets
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from walconsole.domain.evidence import LogEntry, LogFacts, LogKind
from walconsole.domain.logline import plain_text
from walconsole.domain.redaction import decode, safe
from walconsole.domain.server_log import LOG_LINE, Zone, is_foreign, read_entry, utc, with_times
from walconsole.domain.snapshot import Slot
from walconsole.observe.host import HostProbe
from walconsole.observe.host_script import assignment
from walconsole.observe.log_sources import log_script
from walconsole.observe.probe import Fact
from walconsole.observe.records import read_records
from walconsole.ports import Clock, Shell

FIRST_BYTES = 2 << 20
"""How far back the first look goes."""
MOST_BYTES = 256 << 10
"""How much a later look reads at most, from the end: of a flood the newest."""
LINES_KEPT = 400
JOURNAL_BACK_S = 7200.0
SCRIPT_S = 8.0


class ServerLogProbe:
    """Fills LOG. `log_timezone` is the setting of that name, None while it is not known.

    Where log_line_prefix has no time, a line is as old as the look before the one that found it, at most.
    """

    name = "the server's log"
    slots = (Slot.LOG,)
    cadence_s = 2.0
    timeout_s = 18.0

    def __init__(
        self, shell: Shell, host: HostProbe, clock: Clock, log_timezone: Callable[[], str | None]
    ) -> None:
        self._shell, self._host, self._clock = shell, host, clock
        self._log_timezone = log_timezone
        self._lines: deque[tuple[str, float | None]] = deque(maxlen=LINES_KEPT)
        self._looked_at: float | None = None
        self._words: tuple[str, ...] = ()
        self._words_at: float | None = None
        self._known = b""
        self._offset = -1
        self._read_bytes = 0
        self._source = ""
        self._foreign = False
        self._since = clock.now() - JOURNAL_BACK_S

    def refresh(self) -> None:
        """Read the end of it anew."""
        self._known, self._offset, self._looked_at = b"", -1, None

    async def take(self) -> Sequence[Fact]:
        """What was written since the last look. Raises errors.SshError, errors.ShellError."""
        await self._host.locate()
        token = secrets.token_hex(8)
        answer = await self._shell.run(self._script(token), timeout_s=SCRIPT_S)
        at = (answer.sent_at + answer.answered_at) / 2
        missing = self._learn(read_records(answer.stdout, token))
        self._looked_at = at + self._host.clock_offset_s
        return [Fact(Slot.LOG, self._facts(missing), at, self._source or self.name)]

    def _script(self, token: str) -> str:
        cluster = self._host.observed
        path, log = (cluster.path, cluster.log) if cluster else (b"", None)
        assigned = (
            ("data", path),
            ("log", (log or "").encode("utf-8", "surrogateescape")),
            ("token", token.encode()),
            ("known", self._known),
            ("offset", b"%d" % self._offset),
            ("most", b"%d" % (MOST_BYTES if self._known else FIRST_BYTES)),
            ("since", b"%d" % self._since),
            ("words", LOG_LINE.pattern.encode()),
        )
        return "".join(assignment(name, raw) for name, raw in assigned) + log_script("server_log_end.sh")

    def _learn(self, answer: dict[str, bytes]) -> tuple[str, ...]:
        """Keep what is new; what could not be read."""
        if "log.missing" in answer:
            self._source = ""
            return (f"the server's log cannot be read: {safe(decode(answer['log.missing']))}",)
        source = safe(decode(answer.get("log.source", b"")))
        known, before = answer.get("log.known", b""), self._known
        if known != self._known:
            if source != self._source or source == "journal":
                self._lines.clear()
            self._known = known
        self._source = source
        if source == "journal":
            self._lines.clear()  # it is asked for the same stretch again
        self._words = tuple(filter(None, decode(answer.get("log.words", b"")).split("\n")))
        words_at = answer.get("log.words_at", b"")
        self._words_at = int(words_at) + 1.0 if words_at.isdigit() else None  # it was cut to a second
        offset = answer.get("log.offset", b"")
        self._offset = int(offset) if offset.isdigit() else -1
        read = answer.get("log.read", b"")
        self._read_bytes += int(read) if read.isdigit() else len(answer.get("log.lines", b""))
        lines = decode(answer.get("log.lines", b"")).split("\n")
        new = known == before and source != "journal"
        if answer.get("log.whole") == b"0":
            lines = lines[1:]  # the first one may be cut
        if source.endswith((".csv", ".json")):  # no program writes there: a line that is no record goes on
            lines = [line for line in lines if plain_text(line) != line]
        since = self._looked_at if new else None
        self._lines.extend((line, since) for line in lines if line)
        self._foreign = self._foreign or any(is_foreign(line) for line in lines)
        return ()

    def _with_words(self, entries: tuple[LogEntry, ...], zone: Zone) -> tuple[LogEntry, ...]:
        """What programs printed into a file of its own, before the last failure: as old as the last of it."""
        read = filter(None, (read_entry(line, zone) for line in self._words))
        words = tuple(
            replace(entry, at=self._words_at)
            for entry in read
            if entry.kind in (LogKind.PROGRAM, LogKind.DISK_FULL)
        )
        last = next(
            (place for place in range(len(entries) - 1, -1, -1) if _ends(entries[place])), len(entries)
        )
        return (*entries[:last], *words, *entries[last:])

    def _facts(self, missing: tuple[str, ...]) -> LogFacts:
        zone = zone_of(self._log_timezone())
        read = ((read_entry(line, zone), since) for line, since in self._lines)
        told = [(_bounded(entry, since), since) for entry, since in read if entry is not None]
        entries = with_times(entry for entry, _ in told)
        if not any(entry.at is not None for entry in entries):
            entries = tuple(replace(entry, at=since) for entry, since in told)
        entries = self._with_words(entries, zone)
        if self._foreign:
            missing = (
                *missing,
                "the server logs in another language than English: its own lines are not understood",
            )
        return LogFacts(self._source, entries, self._read_bytes, _first_time(entries), missing)


def _bounded(entry: LogEntry, since: float | None) -> LogEntry:
    """A line of the server's own without a time is no older than the look before the one that found it."""
    return entry if entry.at is not None or entry.kind is LogKind.PROGRAM else replace(entry, at=since)


def _ends(entry: LogEntry) -> bool:
    return entry.kind in (LogKind.FAILED, LogKind.KILLED)


def _first_time(entries: Sequence[LogEntry]) -> float | None:
    return next((entry.at for entry in entries if entry.at is not None), None)


@lru_cache(maxsize=4)
def zone_of(name: str | None) -> Zone:
    """The zone of that name, by this machine's list of them; UTC where none is known."""
    try:
        zone = ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return utc

    def offset(local: datetime) -> timedelta | None:
        return zone.utcoffset(local)

    return offset
