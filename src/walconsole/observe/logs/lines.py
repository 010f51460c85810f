"""From bytes of a stream to log lines: bounded in memory, whatever comes and however fast. No I/O."""

from collections import deque
from collections.abc import Sequence

from walconsole.domain.facts.log_line import LogLevel, LogLine, continuation, continues, plain_text, read_line
from walconsole.domain.redaction import MASK, decode, may_hold_secret, printable, redact, safe
from walconsole.domain.units import count_text
from walconsole.observe.logs.sources import BACKLOG_LINES

LONGEST_LINE = 8 * 1024
"""Bytes of a line that are kept."""
WAITING_BYTES = 2 * 1024 * 1024
"""Bytes that wait to be read; older ones are dropped."""
SETTLE_S = 0.4
"""How long a reopened stream is watched before its repetition is told from what is new."""
_LONGEST_KEY = 100


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
        self._key_lines = 0

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
        return [self._line(text, line) for text, line in zip(texts, raw, strict=True)]

    def _text(self, raw: bytes) -> str:
        text = decode(raw[:LONGEST_LINE])
        if len(raw) > LONGEST_LINE:
            text += " … (cut)"
        if self._key_lines or "-----BEGIN" in text:
            text = self._without_key(text)
        return printable(plain_text(text.rstrip("\r")))

    def _line(self, text: str, raw: bytes) -> LogLine:
        if self._before is not None and continues(raw):
            line = continuation(self._before, text)
        else:
            line = read_line(self.origin, text, always=self._always)
        self._before = line
        return line

    def _without_key(self, text: str) -> str:
        """A private key goes over many lines: none of them is shown."""
        if "-----BEGIN" in text and "PRIVATE KEY" in text:
            self._key_lines = _LONGEST_KEY
            return safe(text)
        if not self._key_lines:
            return text
        self._key_lines = 0 if "-----END" in text else self._key_lines - 1
        return MASK


def overlap(shown: Sequence[bytes], came: Sequence[bytes]) -> int:
    """How many lines at the beginning of `came` are those that `shown` ends with."""
    shown = list(shown)
    for count in range(len(came), 0, -1):
        same = min(count, len(shown))
        if list(came[count - same : count]) == shown[len(shown) - same :]:
            return count
    return 0
