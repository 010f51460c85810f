"""The end of the server's log as evidence: what it says about archiving, and goes on to say."""

import secrets
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from walconsole.domain.facts.evidence import LogEntry, LogFacts, LogKind
from walconsole.domain.facts.log_entries import LOG_LINE, Zone, entries_of, read_entry, utc
from walconsole.domain.facts.log_languages import DETAILS
from walconsole.domain.facts.log_line import plain_text
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.redaction import decode, safe
from walconsole.observe.host.host import HostProbe
from walconsole.observe.host.host_script import assignment, read_records
from walconsole.observe.logs.stream import log_script
from walconsole.observe.poller.probe import Fact
from walconsole.ports import Clock, Shell

FIRST_BYTES = 2 << 20
"""How far back the first look goes."""
MOST_BYTES = 256 << 10
"""How much a later look reads at most, from the end: of a flood the newest."""
LINES_KEPT = 400
JOURNAL_BACK_S = 7200.0
SCRIPT_S = 8.0
JOURNAL = "journal"
ARCHIVERS_KEPT = 8
"""Process ids: one that dies is followed by the next."""
WORDS_KEPT = 20
"""Lines of programs, where those have a file of their own."""


class _File:
    """One file as it was last read: which one, how far, and its last lines."""

    def __init__(self, key: str) -> None:
        self._key = key
        self.lines: deque[tuple[str, float | None]] = deque(maxlen=LINES_KEPT)
        """With the time of the look before the one that found it: it is no older; None at the first."""
        self.found: deque[float | None] = deque(maxlen=LINES_KEPT)
        """For each of the lines when it was found: it is no younger."""
        self.known = b""
        self.offset = -1
        self.source = ""
        self.written_at: float | None = None

    def forget(self) -> None:
        """Read its end anew."""
        self.known, self.offset = b"", -1

    def learn(self, answer: dict[str, bytes], looked_at: float | None, now: float) -> None:
        """Keep what is new since `looked_at`, found `now`."""
        source, known = safe(decode(self._of(answer, "source"))), self._of(answer, "known")
        since = looked_at if known == self.known and source != JOURNAL else None
        if known != self.known:
            if source != self.source:
                self._clear()
            self.known = known
        self.source = source
        if source == JOURNAL:
            self._clear()  # it is asked for the same stretch again
        offset = self._of(answer, "offset")
        written = self._of(answer, "written")
        self.offset = int(offset) if offset.isdigit() else -1
        self.written_at = float(written) + 1.0 if written.isdigit() else None  # it was cut to a second
        lines = decode(self._of(answer, "lines")).split("\n")
        if self._of(answer, "whole") == b"0":
            lines = lines[1:]  # the first one may be cut
        if source.endswith((".csv", ".json")):  # no program writes there: a line that is no record goes on
            lines = [line for line in lines if plain_text(line) != line]
        new = [line for line in lines if line]
        self.lines.extend((line, since) for line in new)
        self.found.extend(now for _ in new)

    def _clear(self) -> None:
        self.lines.clear()
        self.found.clear()

    def _of(self, answer: dict[str, bytes], what: str) -> bytes:
        return answer.get(f"{self._key}.{what}", b"")


class ServerLogProbe:
    """Fills LOG. `setting` gives the server's settings about its log, None while they are not known.

    `root` is what stands before /var/log on the droplet. Where log_line_prefix has no time, a line is as old
    as the look before the one that found it, at most.
    """

    name = "the server's log"
    slots = (Snapshot.log,)
    cadence_s = 2.0
    timeout_s = 18.0

    def __init__(
        self,
        shell: Shell,
        host: HostProbe,
        clock: Clock,
        setting: Callable[[str], str | None],
        root: str = "",
        archiver_pid: Callable[[], int | None] = lambda: None,
    ) -> None:
        self._shell, self._host, self._clock = shell, host, clock
        self._setting, self._root, self._archiver_pid = setting, root, archiver_pid
        self._archivers: deque[int] = deque(maxlen=ARCHIVERS_KEPT)
        self._log, self._beside = _File("log"), _File("beside")
        self._looked_at: float | None = None
        self._since = clock.now() - JOURNAL_BACK_S

    def refresh(self) -> None:
        """Read the end of it anew."""
        self._log.forget()
        self._beside.forget()
        self._looked_at = None

    async def take(self) -> Sequence[Fact]:
        """What was written since the last look. Raises errors.SshError, errors.ShellError."""
        await self._host.locate()
        pid = self._archiver_pid()
        if pid is not None and pid not in self._archivers:
            self._archivers.append(pid)
        token = secrets.token_hex(8)
        answer = await self._shell.run(self._script(token), timeout_s=SCRIPT_S)
        at = (answer.sent_at + answer.answered_at) / 2
        now = at + self._host.clock_offset_s
        missing = self._learn(read_records(answer.stdout, token), now)
        self._looked_at = now
        return [Fact(Snapshot.log, self._facts(missing), at, self._log.source or self.name)]

    def _script(self, token: str) -> str:
        cluster = self._host.observed
        path, log = (cluster.path, cluster.log) if cluster else (b"", None)
        owner = cluster.facts.owner if cluster else ""
        assigned = (
            ("data", path),
            ("log", (log or "").encode("utf-8", "surrogateescape")),
            ("ident", self._ident().encode()),
            ("root", self._root.encode()),
            ("owner", owner.encode()),
            ("token", token.encode()),
            ("known", self._log.known),
            ("offset", b"%d" % self._log.offset),
            ("beside_known", self._beside.known),
            ("beside_offset", b"%d" % self._beside.offset),
            ("most", b"%d" % (MOST_BYTES if self._log.known else FIRST_BYTES)),
            ("since", b"%d" % self._since),
            ("words", LOG_LINE.pattern.encode()),
            ("details", "|".join(sorted(DETAILS)).encode()),
            ("archivers", "|".join(map(str, self._archivers)).encode()),
        )
        return "".join(assignment(name, raw) for name, raw in assigned) + log_script("server_log_end.sh")

    def _ident(self) -> str:
        """The name of the server in syslog, where it logs there and nowhere else; else empty."""
        destinations = {word.strip() for word in (self._setting("log_destination") or "").split(",")}
        return (self._setting("syslog_ident") or "postgres") if destinations == {"syslog"} else ""

    def _learn(self, answer: dict[str, bytes], now: float) -> tuple[str, ...]:
        """Keep what is new; what could not be read."""
        if "log.missing" in answer:
            self._log.source = ""
            return (f"the server's log cannot be read: {safe(decode(answer['log.missing']))}",)
        for file in (self._log, self._beside):
            file.learn(answer, self._looked_at, now)
        return ()

    def _facts(self, missing: tuple[str, ...]) -> LogFacts:
        zone = zone_of(self._setting("log_timezone"))
        entries = entries_of(self._log.lines, zone, self._archivers)
        if self._beside.source:
            entries = _before_the_last_end(entries, self._printed(zone, entries))
        return LogFacts(self._log.source, entries, _first_time(entries), missing)

    def _printed(self, zone: Zone, entries: Sequence[LogEntry]) -> tuple[LogEntry, ...]:
        """What programs printed into a file of their own: no later than that was last written to.

        What was found before the last failure but one ended is that one's, or an older one's.
        """
        ends = [entry.at for entry in entries if entry.kind in _ENDS and entry.at is not None][-2:]
        before = ends[0] if len(ends) == 2 else None
        lines = [
            line
            for (line, _), found in zip(self._beside.lines, self._beside.found, strict=True)
            if before is None or found is None or found > before
        ]
        read = (read_entry(line, zone) for line in lines[-WORDS_KEPT:])
        return tuple(
            replace(entry, at=self._beside.written_at)
            for entry in read
            if entry is not None and entry.kind in (LogKind.PROGRAM, LogKind.DISK_FULL)
        )


_ENDS = frozenset({LogKind.FAILED, LogKind.KILLED})


def _before_the_last_end(entries: Sequence[LogEntry], words: Sequence[LogEntry]) -> tuple[LogEntry, ...]:
    """What a command printed comes before the server's word on how it ended."""
    ends = [place for place, entry in enumerate(entries) if entry.kind in _ENDS]
    last = ends[-1] if ends else len(entries)
    return (*entries[:last], *words, *entries[last:])


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
