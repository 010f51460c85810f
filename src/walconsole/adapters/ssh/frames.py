"""The long-lived shell's protocol: one script in, its output and status out, between two markers.

The markers carry a random nonce, so that nothing a script prints, nor a profile's greeting or a
background process of an earlier script, can be taken for one. Frames are pipelined: the shell runs them
one after the other, but they share their round trips.
"""

import asyncio
import re
import secrets
from collections import deque
from collections.abc import Awaitable, Callable

import asyncssh

from walconsole.domain.redaction import decode, safe

OUTPUT_LIMIT = 16 * 1024 * 1024
_KEPT_STDERR = 4096
_STATUS = re.compile(rb"(\d{1,3})\n")

Output = tuple[bytes, int]


class OutputTooLongError(Exception):
    """A script printed more than OUTPUT_LIMIT."""


class OverdueError(Exception):
    """A script did not end in its time, and its shell was given up.

    `began`: the shell ran it. Else `said` is what came in its stead, made safe to show. `ran_s` is how long
    it was waited for.
    """

    def __init__(self, said: str = "", *, began: bool = True, ran_s: float = 0.0) -> None:
        self.said, self.began, self.ran_s = said, began, ran_s
        super().__init__(said)


class SupersededError(Exception):
    """The shell was given up because of another script, before this one's turn came: send it again."""


class ShellEndedError(Exception):
    """The shell went away. `said` is what it said last, made safe to show; `began`: it had served before."""

    def __init__(self, said: str, status: int | None, *, began: bool) -> None:
        self.said, self.status, self.began = said, status, began
        super().__init__(said)


class Frame:
    """One script on its way: what to write, and what comes back. `timeout_s` counts from its turn."""

    def __init__(self, script: str, timeout_s: float, now: Callable[[], float]) -> None:
        self.timeout_s = timeout_s
        self.sent_at = now()
        self.answer: asyncio.Future[Output] = asyncio.get_running_loop().create_future()
        self._now = now
        nonce = secrets.token_hex(16)
        self._begin, self._end = f"{nonce}[".encode(), f"]{nonce} ".encode()
        quoted = "'" + script.replace("'", "'\\''") + "'"
        self._text = (
            f"printf %s '{nonce}['\n(eval {quoted}) </dev/null 2>&1\nprintf '%s %d\\n' ']{nonce}' $?\n"
        )
        self._received = bytearray()
        self.begun = False
        self._searched = 0

    def send(self) -> bytes:
        """What to write; it is being written now."""
        self.sent_at = self._now()
        return self._text.encode("utf-8", "surrogateescape")

    def feed(self, chunk: bytes) -> bytes | None:
        """Take what came. Once the frame is complete its answer is set, and what came after it returned.

        Raises OutputTooLongError.
        """
        self._received += chunk
        if not self.begun and not self._skip_noise():
            return None
        at = self._received.find(self._end, self._searched)
        if at < 0:
            self._searched = max(0, len(self._received) - len(self._end) + 1)
            if len(self._received) > OUTPUT_LIMIT:
                raise OutputTooLongError
            return None
        self._searched = at
        status = _STATUS.match(self._received, at + len(self._end))
        if status is None:
            return None
        if not self.answer.done():
            self.answer.set_result((bytes(self._received[:at]), int(status[1])))
        return bytes(self._received[status.end() :])

    def fail(self, error: Exception) -> None:
        """Let whoever still waits have `error`."""
        if not self.answer.done():
            self.answer.set_exception(error)
            self.answer.exception()  # counts as retrieved, should nobody wait any more

    def _skip_noise(self) -> bool:
        at = self._received.find(self._begin)
        if at < 0:
            del self._received[: max(0, len(self._received) - len(self._begin) + 1)]
            return False
        del self._received[: at + len(self._begin)]
        self.begun = True
        return True


Judge = Callable[[float, float], Awaitable[float]]
"""By a script's usual time and how long it has run: how much longer it may run, 0 where it hangs."""
Measured = Callable[[float, float], None]
"""Told a script's usual time, and after how long it was answered."""


class FramedSession(asyncssh.SSHClientSession[bytes]):
    """The exec channel of the shell called `name`, as asyncssh sees it.

    A script that is overdue is given up at once where there is no `judge`.
    """

    def __init__(
        self, name: str, prologue: str, judge: Judge | None = None, measured: Measured | None = None
    ) -> None:
        self.name = name
        self._judge, self._measured = judge, measured
        self._judging: asyncio.Task[None] | None = None
        self._turn_at = 0.0
        self.ended = False
        self.left_running = False
        self._prologue = prologue.encode()
        self._chan: asyncssh.SSHClientChannel[bytes] | None = None
        self._open = False
        self._frames: deque[Frame] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._served = 0
        self._stderr, self._greeting = bytearray(), bytearray()
        self._status: int | None = None

    def send(self, frame: Frame) -> None:
        """Send `frame`, or have it sent as soon as the channel is open.

        Its answer's exceptions: ShellEndedError, OverdueError, OutputTooLongError, SupersededError, and
        what refuse() was told.
        """
        self._frames.append(frame)
        if len(self._frames) == 1:
            self._start_timer()
        if self._open and self._chan is not None:
            self._chan.write(frame.send())

    def refuse(self, error: Exception) -> None:
        """The channel could not be opened."""
        self._end(error, error)

    def give_up(self) -> None:
        """Close the channel. What runs in the shell may still run: see `left_running`."""
        self.left_running = self.left_running or bool(self._frames)
        self._end(SupersededError(), SupersededError())
        if self._chan is not None:
            self._chan.abort()

    # -- what asyncssh calls

    def connection_made(self, chan: asyncssh.SSHClientChannel[bytes]) -> None:
        """The channel is open and asyncssh asks for the command next: what is known already is written
        right behind that request, and leaves as soon as sshd opens its window."""
        self._chan = chan
        if self.ended:
            chan.abort()
        else:
            asyncio.get_running_loop().call_soon(self._write_first)

    def _write_first(self) -> None:
        if self._chan is not None and not self.ended:
            self._open = True
            self._chan.write(self._prologue + b"".join(frame.send() for frame in self._frames))

    def data_received(self, data: bytes, datatype: asyncssh.DataType) -> None:
        if datatype is not None:
            self._stderr = (self._stderr + data)[-_KEPT_STDERR:]
            return
        if not self._served and not (self._frames and self._frames[0].begun):
            self._greeting = (self._greeting + data)[-_KEPT_STDERR:]
        rest: bytes | None = data
        while rest and self._frames:  # without a frame: something left in the background prints
            try:
                rest = self._frames[0].feed(rest)
            except OutputTooLongError as error:
                self._abandon(error)
                return
            if rest is not None:
                answered = self._frames.popleft()
                if self._measured is not None:
                    self._measured(answered.timeout_s, self._ran_s())
                self._served += 1
                self._start_timer()

    def exit_status_received(self, status: int) -> None:
        self._status = status

    def connection_lost(self, exc: Exception | None) -> None:
        self.left_running = self.left_running or bool(self._frames)
        began = self._served > 0 or any(frame.begun for frame in self._frames)
        text = safe(decode(bytes(self._stderr)).strip().replace("\n", "; ")) if began else self._said()
        ended = ShellEndedError(text, self._status, began=began)
        self._end(ended, SupersededError() if self._served else ended)

    # -- endings

    def _start_timer(self) -> None:
        """The first frame's time begins; for those behind it, when their turn comes."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._judging is not None:
            self._judging.cancel()
            self._judging = None
        if self._frames:
            loop = asyncio.get_running_loop()
            self._turn_at = loop.time()
            self._timer = loop.call_later(self._frames[0].timeout_s, self._overdue)

    def _ran_s(self) -> float:
        return asyncio.get_running_loop().time() - self._turn_at

    def _overdue(self) -> None:
        self._timer = None
        if self._judge is None:
            self._give_first_up()
        else:
            judged = self._judged(self._judge, self._frames[0])
            self._judging = asyncio.create_task(judged, name="an overdue script")

    async def _judged(self, judge: Judge, frame: Frame) -> None:
        """Give it up where it hangs; else ask again when its time is over."""
        more_s = await judge(frame.timeout_s, self._ran_s())
        if self.ended or not self._frames or self._frames[0] is not frame:
            return
        self._judging = None
        if more_s > 0:
            self._timer = asyncio.get_running_loop().call_later(more_s, self._overdue)
        else:
            self._give_first_up()

    def _give_first_up(self) -> None:
        began = self._served > 0 or self._frames[0].begun
        said = "" if began else self._said()
        self._abandon(OverdueError(said, began=began, ran_s=self._ran_s()))

    def _said(self) -> str:
        """What came before anything was served; nologin, for one, says why on its output."""
        return safe(decode(bytes(self._greeting + self._stderr)).strip().replace("\n", "; "))

    def _abandon(self, error: Exception) -> None:
        """Give the shell up because of its first frame."""
        self._frames.popleft().fail(error)
        self.left_running = True
        self.give_up()

    def _end(self, first: Exception, others: Exception) -> None:
        self.ended = True
        frames, self._frames = self._frames, deque()
        self._start_timer()
        for number, frame in enumerate(frames):
            frame.fail(others if number else first)
