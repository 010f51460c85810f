"""Every command that the console ran, here and there, and every request that it sent.

What, where, how it ended, when, how long it took.

In memory alone and bounded, redacted before it is kept. A command that is run again and ends in the same way
is one entry with its count: observation repeats a few scripts for ever, and must not push out what was run
once. Two that differ in a mark of 16 or more hexadecimal digits alone are the same.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from enum import StrEnum
from hashlib import sha256
from urllib.parse import unquote, urlsplit

from walconsole.domain.patterns import pattern
from walconsole.domain.records import record
from walconsole.domain.redaction import redact, safe

MOST_ENTRIES = 400
MOST_REQUESTS = 150
"""Of them requests: each object that is read is another one, and must not push out what was run once."""
MOST_RUNNING = 100
MOST_CHARACTERS = 6000
"""Of one command. With the entries above that is less than 3 MiB."""
MOST_TIMES = 8
_MOST_SHOWN = 64
_REFUSED = 300

HERE = "this machine"
LASTING = "it runs as long as the connection does"
"""Of what carries a connection: it tells no exit status that anybody waits for."""

TITLE = "## "
"""What begins a comment that says what a whole script does."""
_QUOTED_QUOTE = "'\"'\"'"
"""As a shell's word has it, in which a script for another user stands."""
_TELLS_LITTLE = ("#", "printf", "done", "esac")

_PACKED = pattern(r"[A-Za-z0-9+/]{64,}={0,2}")
"""A file's content on its way to the droplet (base64): it may hold a key, and nobody reads it."""
_NONCE = pattern(r"\b[0-9a-f]{16,}\b")
"""What marks where an answer begins and ends: another one each time."""


class CommandKind(StrEnum):
    """By what it was run."""

    SHELL = "shell"
    """A script of the long-lived shell on the droplet."""
    STREAM = "stream"
    """A command on the droplet whose output is read as it comes."""
    LOCAL = "local"
    """A process on this machine."""
    SQL = "SQL"
    """A statement; it is no command, and is told by its first line."""
    HTTP = "HTTP"
    """A request to a store or an API: method, path, the names of what it asks for. Its status is HTTP's."""


@record
class Ran:
    """One time: `at` it began (seconds since the epoch), `seconds` it took, None while it runs."""

    at: float
    seconds: float | None = None


@record
class CommandEntry:
    """A command and how it ended, `count` times so; `times` are the last of them, the newest last.

    `where` is the machine, `text` what was run, safe to show. `status` is its exit status, None where there
    is none: it runs, or `problem` says why nobody knows.
    """

    kind: CommandKind
    where: str
    text: str
    status: int | None = None
    problem: str = ""
    count: int = 1
    times: tuple[Ran, ...] = ()

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return bool(self.times) and self.times[-1].seconds is None

    @property
    def last(self) -> Ran:
        """The newest time."""
        return self.times[-1]

    @property
    def failed(self) -> bool:
        """Whether it ended otherwise than with 0. A script may well answer a question with its status.

        A request: with no answer, or with a refusal.
        """
        refused = (self.status or 0) >= _REFUSED if self.kind is CommandKind.HTTP else bool(self.status)
        return refused or self.problem not in ("", LASTING)

    @property
    def line(self) -> str:
        """The line that says most.

        A script's functions come first and what it does comes last, as far as that says anything without what
        its variables hold; else its title says it (of several that were put together the last one's), or its
        first comment.
        """
        lines = [line.strip() for line in self.text.splitlines()]
        telling = [line for line in lines if len(line) > 3 and not line.startswith(_TELLS_LITTLE)]
        if self.kind is CommandKind.SQL or len(lines) <= 3:
            return (telling or lines or [""])[0]
        last = (telling or lines)[-1]
        if "$" not in last and not last.startswith(("'", '"', ")")):
            return last
        titles = (line for line in reversed(lines) if line.startswith(TITLE))
        comments = (line for line in lines if line.startswith("# "))
        title = next(titles, "").removeprefix(TITLE).replace(_QUOTED_QUOTE, "'")
        return title or next(comments, last)


@dataclass(slots=True)
class Running:
    """What whoever runs a command finds out of its end."""

    status: int | None = None
    problem: str = ""
    not_run: bool = False


@dataclass(slots=True)
class CommandRegister:
    """What was run, the last that ended last. It may be told from several threads."""

    _entries: "OrderedDict[tuple[object, ...], CommandEntry]" = field(default_factory=OrderedDict)
    _running: dict[int, tuple[str, CommandEntry]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _shown: "OrderedDict[str, str]" = field(default_factory=OrderedDict)
    _next: int = 0
    forgotten: int = 0
    """How many entries were dropped, the oldest first, since there is room for so many."""

    def began(self, kind: CommandKind, where: str, text: str, at: float) -> int:
        """It is under way since `at`; the number by which its end is told."""
        mark = sha256(_NONCE.sub("", text).encode("utf-8", "replace")).hexdigest()
        with self._lock:
            entry = CommandEntry(kind, safe(where), self._text(mark, text), times=(Ran(at),))
            self._next += 1
            self._running[self._next] = mark, entry
            while len(self._running) > MOST_RUNNING:  # an end that was never told
                self._running.pop(next(iter(self._running)))
            return self._next

    def ended(self, number: int, at: float, status: int | None = None, problem: str = "") -> None:
        """It ended `at`, with `status`; `problem` says why there is none. A number nobody knows is let go."""
        with self._lock:
            mark, begun = self._running.pop(number, ("", None))
            if begun is None:
                return
            ran = Ran(begun.last.at, max(0.0, at - begun.last.at))
            why = safe((problem.strip().splitlines() or [""])[0])
            entry = replace(begun, status=status, problem=why, times=(ran,))
            key = (entry.kind, entry.where, mark, status, why)
            before = self._entries.pop(key, None)
            if before is not None:
                times = (*before.times, ran)[-MOST_TIMES:]
                entry = replace(entry, count=before.count + 1, times=times)
            self._entries[key] = entry
            if before is None:
                self._forget(entry.kind)

    def _forget(self, kind: CommandKind) -> None:
        """The oldest, where there are too many; of requests the oldest of these."""
        if kind is CommandKind.HTTP:
            requests = [key for key in self._entries if key[0] is CommandKind.HTTP]
            for key in requests[: max(0, len(requests) - MOST_REQUESTS)]:
                del self._entries[key]
                self.forgotten += 1
        while len(self._entries) > MOST_ENTRIES:
            self._entries.popitem(last=False)
            self.forgotten += 1

    def _text(self, mark: str, text: str) -> str:
        """As it is shown, which alone is kept. What is sent again and again is made so once."""
        known = self._shown.pop(mark, None)
        self._shown[mark] = known = shown(text) if known is None else known
        if len(self._shown) > _MOST_SHOWN:
            self._shown.popitem(last=False)
        return known

    @contextmanager
    def telling(
        self, kind: CommandKind, where: str, text: str, now: Callable[[], float]
    ) -> Iterator["Running"]:
        """Around a command: told that it began and how it ended, whatever ends it."""
        running = Running()
        number = self.began(kind, where, text, now())
        try:
            yield running
        except BaseException as error:
            running.problem = running.problem or _why(error)
            raise
        finally:
            if running.not_run:
                self._running.pop(number, None)
            known = running.status is not None or running.problem
            untold = "no answer" if kind is CommandKind.HTTP else "it told no exit status"
            self.ended(number, now(), running.status, running.problem if known else untold)

    def entries(self) -> tuple[CommandEntry, ...]:
        """All of them, the newest first; what runs stands before what has ended."""
        with self._lock:
            running = [entry for _, entry in reversed(self._running.values())]
            return (*running, *reversed(self._entries.values()))


class UnheardRegister(CommandRegister):
    """Keeps nothing, where nobody could ask: a check, a watcher, the list of clusters have no screen for it.

    To redact one script takes 2 ms of processor time, and each host has scripts of its own.
    """

    def began(self, kind: CommandKind, where: str, text: str, at: float) -> int:
        """Nothing is kept of it."""
        return 0

    def ended(self, number: int, at: float, status: int | None = None, problem: str = "") -> None:
        """Nor of its end."""


Telling = Callable[[str, str], AbstractContextManager[Running]]
"""Tells of a request to a host, by its line (`GET /bucket/key`); what it gives takes the answer's status."""


def telling_of_requests(register: CommandRegister, now: Callable[[], float]) -> Telling:
    """Each is told to `register`; `now` is seconds since the epoch."""
    return lambda host, line: register.telling(CommandKind.HTTP, host, line, now)


def untold(host: str, line: str) -> AbstractContextManager[Running]:
    """Nobody is told."""
    return nullcontext(Running())


def request_line(method: str, url: str) -> str:
    """`GET /bucket/key?lifecycle`: of a query only the names, for a value may be a signature.

    So the many pages of a listing are one line, too.
    """
    parts = urlsplit(url)
    names = "&".join(name.partition("=")[0] for name in parts.query.split("&") if name)
    return f"{method} {unquote(parts.path) or '/'}{'?' if names else ''}{names}"


def _why(error: BaseException) -> str:
    """What ended the waiting for a command."""
    if isinstance(error, GeneratorExit):
        return "it was ended: nobody reads it any more"
    return str(getattr(error, "why", "")) or ("it was not waited for" if not str(error) else str(error))


def shown(text: str) -> str:
    """A command as it may be kept: redacted, without the content of files, cut where it is long."""
    packed = _PACKED.sub(lambda match: f"<{len(match[0]):,} characters>", text)
    lines = safe_lines(packed)
    if len(lines) <= MOST_CHARACTERS:
        return lines
    half = MOST_CHARACTERS // 2
    return f"{lines[:half]}\n… {len(lines) - 2 * half:,} characters …\n{lines[-half:]}"


def safe_lines(text: str) -> str:
    """Redacted as a whole, for a secret may stand on a line of its own; its lines stay lines.

    A line is so once more only where something in it had no shape, which may have hidden a secret.
    """
    lines = redact(text).splitlines()
    return "\n".join(line if line.isprintable() else safe(line) for line in lines)
