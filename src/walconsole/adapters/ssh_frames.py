"""The long-lived shell's protocol: one script in, its output and status out, between two markers.

The markers carry a random nonce, so that nothing a script prints, nor a profile's greeting or a
background process of an earlier script, can be taken for one.
"""

import asyncio
import re
import secrets
from collections.abc import Callable

import asyncssh

from walconsole.domain.redaction import decode, safe

OUTPUT_LIMIT = 16 * 1024 * 1024
_KEPT_STDERR = 4096
_STATUS = re.compile(rb"(\d{1,3})\n")


class OutputTooLongError(Exception):
    """A script printed more than OUTPUT_LIMIT."""


class ShellEndedError(Exception):
    """The shell went away. `stderr` is what it said last, made safe to show."""

    def __init__(self, stderr: str, status: int | None) -> None:
        self.stderr, self.status = stderr, status
        super().__init__(stderr)


class Frame:
    """One script on its way: what to write, and what comes back."""

    def __init__(self, script: str, now: Callable[[], float]) -> None:
        self._now = now
        self.sent_at = now()
        nonce = secrets.token_hex(16)
        self._begin, self._end = f"{nonce}[".encode(), f"]{nonce} ".encode()
        quoted = "'" + script.replace("'", "'\\''") + "'"
        self._text = (
            f"printf %s '{nonce}['\n(eval {quoted}) </dev/null 2>&1\nprintf '%s %d\\n' ']{nonce}' $?\n"
        ).encode()
        self._received = bytearray()
        self._begun = False
        self._searched = 0

    def send(self) -> bytes:
        """What to write; it is being written now."""
        self.sent_at = self._now()
        return self._text

    def feed(self, chunk: bytes) -> tuple[bytes, int] | None:
        """Take what came; the output and the status once the frame is complete. Raises OutputTooLongError."""
        self._received += chunk
        if not self._begun and not self._skip_noise():
            return None
        at = self._received.find(self._end, self._searched)
        if at < 0:
            self._searched = max(0, len(self._received) - len(self._end) + 1)
            if len(self._received) > OUTPUT_LIMIT:
                raise OutputTooLongError
            return None
        self._searched = at
        status = _STATUS.match(self._received, at + len(self._end))
        return (bytes(self._received[:at]), int(status[1])) if status else None

    def _skip_noise(self) -> bool:
        at = self._received.find(self._begin)
        if at < 0:
            del self._received[: max(0, len(self._received) - len(self._begin) + 1)]
            return False
        del self._received[: at + len(self._begin)]
        self._begun = True
        return True


class FramedSession(asyncssh.SSHClientSession[bytes]):
    """The exec channel of the shell, as asyncssh sees it. One frame at a time."""

    def __init__(self, prologue: str) -> None:
        self._prologue = prologue.encode()
        self._chan: asyncssh.SSHClientChannel[bytes] | None = None
        self._frame: Frame | None = None
        self._answer: asyncio.Future[tuple[bytes, int]] | None = None
        self._stderr = bytearray()
        self._status: int | None = None
        self._ended = False

    def connection_made(self, chan: asyncssh.SSHClientChannel[bytes]) -> None:
        """The channel is open and asyncssh asks for the command next: what is known already is written
        right behind that request, without waiting a round trip for the reply."""
        self._chan = chan
        asyncio.get_running_loop().call_soon(self._write_early)

    def _write_early(self) -> None:
        if self._chan is not None and not self._chan.is_closing():
            self._chan.write(self._prologue + (self._frame.send() if self._frame else b""))

    def send(self, frame: Frame) -> asyncio.Future[tuple[bytes, int]]:
        """Send `frame`, or have it sent as soon as the channel is open; a future of its output and status.

        The future's exceptions: ShellEndedError, OutputTooLongError.
        """
        self._frame = frame
        self._answer = asyncio.get_running_loop().create_future()
        if self._ended:
            self._fail(ShellEndedError(self.said, self._status))
        elif self._chan is not None:
            self._chan.write(frame.send())
        return self._answer

    @property
    def ended(self) -> bool:
        """The shell is gone."""
        return self._ended

    @property
    def said(self) -> str:
        """The end of the shell's own standard error, safe to show."""
        return safe(decode(bytes(self._stderr)).strip().replace("\n", "; "))

    def data_received(self, data: bytes, datatype: asyncssh.DataType) -> None:
        if datatype is not None:
            self._stderr = (self._stderr + data)[-_KEPT_STDERR:]
            return
        if self._frame is None or self._answer is None or self._answer.done():
            return  # nobody asked: something left in the background prints
        try:
            answer = self._frame.feed(data)
        except OutputTooLongError as error:
            self._fail(error)
            return
        if answer is not None:
            self._answer.set_result(answer)

    def exit_status_received(self, status: int) -> None:
        self._status = status

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended = True
        self._fail(ShellEndedError(self.said, self._status))

    def _fail(self, error: Exception) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)
            self._answer.exception()  # retrieved, should nobody wait any more
