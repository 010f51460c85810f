"""Streams the logs of a host to the screen, in batches, through every interruption.

Which are streamed, and by which command; from their bytes to log lines, bounded in memory, whatever comes and
however fast; and who follows them.
"""

import asyncio
import logging
import re
import shlex
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from pathlib import PurePosixPath
from typing import cast

from walconsole.domain.facts.log_entries import stamp_at, utc
from walconsole.domain.facts.log_languages import DETAILS, STATEMENTS
from walconsole.domain.facts.log_line import (
    LogLevel,
    LogLine,
    PrivateKeys,
    below,
    continuation,
    continues,
    plain_text,
    read_line,
    servers_level,
)
from walconsole.domain.profile import DropletPaths
from walconsole.domain.records import record
from walconsole.domain.redaction import MASK, decode, may_hold_secret, printable, redact, safe
from walconsole.domain.units import count_text
from walconsole.errors import WalconsoleError
from walconsole.observe.host.host import HostProbe
from walconsole.observe.host.host_script import assignment, script_named
from walconsole.ports import Clock, Shell

BACKLOG_LINES = 200
"""How many lines from before the console began are shown."""


@record
class LogSource:
    """One stream. `command` is asked again whenever the stream is opened; it may raise WalconsoleError.

    `always`: every line of it is about archiving.
    """

    origin: str
    command: Callable[[], Awaitable[str]]
    always: bool


def log_sources(paths: DropletPaths, host: HostProbe) -> tuple[LogSource, ...]:
    """PostgreSQL's log, the verifier's journal tag and the archive command's log file."""

    async def server_log() -> str:
        await host.locate()
        cluster = host.observed
        if cluster is None:
            return server_log_command(b"", "")
        return server_log_command(cluster.path, cluster.log or "", cluster.facts.owner)

    async def journal() -> str:
        tag = shlex.quote(paths.journal_tag)
        options = f"-q -f -n {BACKLOG_LINES} -o short-iso -t {tag}"
        return f"command -v journalctl >/dev/null 2>&1 && exec journalctl {options} 2>/dev/null"

    async def file() -> str:
        return f"exec tail -n {BACKLOG_LINES} -F -- {shlex.quote(paths.log)} 2>/dev/null"

    return (
        LogSource("postgresql", server_log, always=False),
        LogSource(paths.journal_tag, journal, always=True),
        LogSource(PurePosixPath(paths.log).name, file, always=True),
    )


def server_log_command(data_directory: bytes, log: str, owner: str = "") -> str:
    """The script that streams the log of the cluster there, read as its `owner`.

    `log` is empty where no list names one.
    """
    assigned = (
        ("data", data_directory),
        ("log", log.encode()),
        ("root", b""),
        ("owner", owner.encode()),
        ("backlog", b"%d" % BACKLOG_LINES),
    )
    return "".join(assignment(name, raw) for name, raw in assigned) + log_script("server_log.sh")


def log_script(name: str) -> str:
    """The script of that name, after the one that finds where the server logs."""
    return script_named("log_target.sh") + script_named(name)


LONGEST_LINE = 8 * 1024
"""Bytes of a line that are kept."""
WAITING_BYTES = 2 * 1024 * 1024
"""Bytes that wait to be read; older ones are dropped."""
SETTLE_S = 0.4
"""How long a reopened stream is watched before its repetition is told from what is new."""


class RawLines:
    """Cuts a stream of bytes into lines. Drops the oldest when too much waits, and counts them."""

    def __init__(self) -> None:
        self._waiting = bytearray()
        self._inside_long = False
        self._dropped = 0

    def feed(self, chunk: bytes) -> None:
        """Take what came."""
        if self._inside_long:
            end = chunk.find(b"\n")
            if end < 0:
                return
            chunk = chunk[end:]
            self._inside_long = False
        self._waiting += chunk
        if len(self._waiting) > WAITING_BYTES:
            self._drop_oldest()
        begin = self._waiting.rfind(b"\n") + 1
        if len(self._waiting) - begin > LONGEST_LINE:
            del self._waiting[begin + LONGEST_LINE + 1 :]
            self._inside_long = True

    def take(self, most: int) -> tuple[list[bytes], int]:
        """The newest complete lines, at most `most`, without line ends; and how many were dropped."""
        end = self._waiting.rfind(b"\n")
        lines = bytes(self._waiting[:end]).split(b"\n") if end >= 0 else []
        del self._waiting[: end + 1]
        dropped = self._dropped + max(0, len(lines) - most)
        self._dropped = 0
        return lines[-most:], dropped

    def _drop_oldest(self) -> None:
        end = self._waiting.find(b"\n", len(self._waiting) - WAITING_BYTES) + 1
        self._dropped += self._waiting.count(b"\n", 0, end)
        del self._waiting[:end]


class LogStream:
    """One source's lines, over all its connections: what was shown is not shown again."""

    def __init__(self, origin: str, *, always: bool) -> None:
        self.origin = origin
        self._always = always
        self._raw = RawLines()
        self._shown: deque[bytes] = deque(maxlen=BACKLOG_LINES)
        self._held: list[bytes] | None = None
        self._settles_at = 0.0
        self._before: LogLine | None = None
        self._message: LogLine | None = None
        self._since_message = 0
        self._keys = PrivateKeys()

    def opened(self) -> None:
        """The stream begins anew, with lines that may have been shown already."""
        self._raw = RawLines()
        self._held = [] if self._shown else None
        self._settles_at = float("inf")

    def feed(self, chunk: bytes, now: float) -> None:
        """Take what came at `now`, seconds of a monotonic clock."""
        self._raw.feed(chunk)
        self._settles_at = min(self._settles_at, now + SETTLE_S)

    @property
    def settling(self) -> bool:
        """Whether `read` must be called again though nothing more came."""
        return self._held is not None and self._settles_at != float("inf")

    def read(self, most: int, now: float) -> list[LogLine]:
        """The lines since the last call, oldest first, with a note where some are missing."""
        raw, dropped = self._raw.take(most)
        missing = (
            f"{count_text(dropped)} {'line was' if dropped == 1 else 'lines were'} dropped here"
            if dropped
            else ""
        )
        if self._held is not None:
            self._held += raw
            if len(self._held) < BACKLOG_LINES and now < self._settles_at:
                return []
            raw, self._held = self._held, None
            repeated = overlap(tuple(self._shown), raw)
            if not repeated:
                missing = "the stream was interrupted: lines may be missing here"
            raw = raw[repeated:]
        self._shown.extend(raw)
        lines = self._lines(raw)
        return [self.note(missing), *lines] if missing else lines

    def note(self, text: str) -> LogLine:
        """A line of our own among the stream's."""
        return LogLine(self.origin, "", LogLevel.WARNING, f"walconsole: {safe(text)}", about_archiving=True)

    def _lines(self, raw: Sequence[bytes]) -> list[LogLine]:
        """The secrets' signs are looked for once in all of them: most batches hold none."""
        texts = [self._text(line) for line in raw]
        if may_hold_secret("\n".join(texts)):
            texts = [redact(text) for text in texts]
        lines: list[LogLine] = []
        for text, line in zip(texts, raw, strict=True):
            self._add(lines, text, line)
        return lines

    def _text(self, raw: bytes) -> str:
        text = decode(raw[:LONGEST_LINE])
        if len(raw) > LONGEST_LINE:
            text += " … (cut)"
        shown = printable(plain_text(text.rstrip("\r")))
        return MASK if self._keys.hidden(shown) else shown

    def _add(self, lines: list[LogLine], text: str, raw: bytes) -> None:
        """The line; the message above it is looked at anew where this one belongs to it."""
        if self._before is not None and continues(raw):
            line = continuation(self._before, text)
            self._since_message += 1
        else:
            line = read_line(self.origin, text, always=self._always)
            level = "" if self._always else servers_level(text)[0]
            if level not in DETAILS and level not in STATEMENTS:
                self._message, self._since_message = line, 0
            else:
                self._since_message += 1
                if self._message is None:  # what it is about was before the stream began
                    line = line._replace(about_archiving=False)
                else:
                    self._message, line = below(self._message, line, level)
                    if self._since_message <= len(lines):
                        lines[-self._since_message] = self._message
        self._before = line
        lines.append(line)


_FAULT = re.compile(r"^(?:\S+ ALARM: |\S+ \S+ [^\s:\[]+(?:\[\d+\])?: )(?P<words>(?P<id>[a-z][a-z-]*): .+)$")
"""As the verifier writes it into its file, and as journalctl prints what it told the journal."""
_APART_S = 5.0


class ToldTwice:
    """The verifier tells each fault to the journal and to its file: whichever comes second is not shown."""

    def __init__(self) -> None:
        self._told: deque[tuple[str, str, float]] = deque(maxlen=2 * BACKLOG_LINES)

    def repeats(self, line: LogLine) -> bool:
        """Whether the same fault of the same moment has come from another stream."""
        found, at = _FAULT.match(line.text), stamp_at(line.text, utc)
        if found is None or at is None:
            return False
        words = found["words"]
        for other in self._told:
            origin, said, when = other
            if origin != line.origin and said == words and abs(when - at) <= _APART_S:
                self._told.remove(other)
                return True
        self._told.append((line.origin, words, at))
        return False


def overlap(shown: Sequence[bytes], came: Sequence[bytes]) -> int:
    """How many lines at the beginning of `came` are those that `shown` ends with."""
    shown = list(shown)
    for count in range(len(came), 0, -1):
        same = min(count, len(shown))
        if list(came[count - same : count]) == shown[len(shown) - same :]:
            return count
    return 0


_log = logging.getLogger(__name__)

BATCH_EVERY_S = 0.02
BATCH_LINES = 400
"""With BATCH_EVERY_S, at most 20,000 lines a second from each source; older ones are dropped.

Reading a line takes 5 to 10 µs: a batch must not keep a key press waiting.
"""
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0

Show = Callable[[Sequence[LogLine]], None]


class LogFollower:
    """Follows every source until cancelled; a source that fails or ends is opened again."""

    def __init__(self, shell: Shell, clock: Clock, sources: Sequence[LogSource]) -> None:
        self._shell, self._clock = shell, clock
        self._streams = [(source, LogStream(source.origin, always=source.always)) for source in sources]
        self._arrived = asyncio.Event()
        self._hurry = asyncio.Event()
        self._twice = ToldTwice()
        self._notes: list[LogLine] = []
        self._problems: dict[str, str] = {}

    async def run(self, show: Show) -> None:
        """Stream until cancelled; `show` gets batches, at most fifty a second."""
        async with asyncio.TaskGroup() as tasks:
            for source, stream in self._streams:
                tasks.create_task(self._follow(source, stream), name=f"log: {source.origin}")
            await self._deliver(show)

    def refresh(self) -> None:
        """Open what is closed now, instead of at the end of its pause."""
        self._hurry.set()
        self._hurry.clear()

    async def _follow(self, source: LogSource, stream: LogStream) -> None:
        pause_s = FIRST_PAUSE_S
        while True:
            began = self._clock.monotonic()
            problem = await self._follow_once(source, stream)
            if self._clock.monotonic() - began > LONGEST_PAUSE_S:
                pause_s = FIRST_PAUSE_S
                self._problems.pop(source.origin, None)
            if problem:
                self._note(source, stream, problem)
            await self._rest(pause_s)
            pause_s = min(LONGEST_PAUSE_S, pause_s * 2)

    def _note(self, source: LogSource, stream: LogStream, problem: str) -> None:
        """Say what is wrong once: not again at each attempt, nor for each source that it keeps closed."""
        known = problem in self._problems.values()
        self._problems[source.origin] = problem
        if not known:
            self._notes.append(stream.note(problem))
            self._arrived.set()

    async def _follow_once(self, source: LogSource, stream: LogStream) -> str:
        """Stream until it ends; returns why it did, empty where it just ended."""
        try:
            command = await source.command()
            stream.opened()
            chunks = cast("AsyncGenerator[bytes, None]", self._shell.stream(command))
            async with aclosing(chunks):
                async for chunk in chunks:
                    stream.feed(chunk, self._clock.monotonic())
                    self._arrived.set()
        except WalconsoleError as error:
            return error.line()
        except Exception as error:  # noqa: BLE001  # a stream's bug ends no other, and is told
            _log.exception("log %s", source.origin)
            return f"{type(error).__name__} inside walconsole; the log file has the details"
        return ""

    async def _rest(self, pause_s: float) -> None:
        try:
            async with asyncio.timeout(pause_s):
                await self._hurry.wait()
        except TimeoutError:
            return

    async def _deliver(self, show: Show) -> None:
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            now = self._clock.monotonic()
            batch, self._notes = self._notes, []
            for source, stream in self._streams:
                lines = stream.read(BATCH_LINES, now)
                batch += [line for line in lines if not (source.always and self._twice.repeats(line))]
                if stream.settling:
                    self._arrived.set()
            if batch:
                show(batch)
            await asyncio.sleep(BATCH_EVERY_S)
