"""What the droplet's script prints: lines of words, then a compressed stream of pg_waldump's lines."""

import binascii
import zlib
from base64 import b64decode
from collections.abc import Iterator

from walconsole.domain.wal import parse_lsn

GZIP = 31
"""zlib's window bits for a stream of gzip."""
LONGEST_WORDS = 16 * 1024
MOST_AFTER = 24 << 20
"""Of what follows a run: its last words, and the images of pages."""
_PIECE = 1 << 20


class MomentStream:
    """Takes the chunks as they come, in bounded memory: a compressed chunk gives a MiB of text at a time.

    `words` are the last lines before the stream; `ended` what each run of pg_waldump ended with: its exit
    status, None where that was not said, and its last words.
    """

    def __init__(self, mark: str) -> None:
        self._start = f"{mark} dump\n".encode()
        self._mark = mark.encode()
        self._plain = b""
        self._unpacker = zlib.decompressobj(GZIP)
        self._rest = b""
        self._said = bytearray()
        self._in_words = False
        self.images: list[tuple[int, bytes]] = []
        self.began = False
        self.words: list[str] = []
        self.ended: list[tuple[int | None, str]] = []

    def feed(self, chunk: bytes) -> Iterator[bytes | None]:
        """pg_waldump's text; None where one run of it has ended. Raises zlib.error for what is no such
        stream.
        """
        if not self.began:
            self._plain += chunk
            before, found, chunk = self._plain.partition(self._start)
            *lines, rest = before.split(b"\n")
            self.words += [line.decode("utf-8", "replace") for line in lines]
            self.words = self.words[-50:]
            if not found:
                self._plain = rest[-LONGEST_WORDS:]
                return
            self.began, self._plain = True, b""
        while chunk:
            text = self._unpacker.decompress(chunk, _PIECE)
            chunk = self._unpacker.unconsumed_tail
            yield from self._split(text)

    @property
    def whole(self) -> bool:
        """The stream came to its own end, with its checksum."""
        return self._unpacker.eof

    @property
    def last_words(self) -> str:
        """What was said before the stream, for an error."""
        lines = [*self.words, self._plain.decode("utf-8", "replace")]
        return "; ".join(line.strip() for line in lines[-3:] if line.strip())

    def _split(self, text: bytes) -> Iterator[bytes | None]:
        """What stands between two marks are a run's last words."""
        text = self._rest + text
        while True:
            before, found, after = text.partition(self._mark)
            if not found:
                break
            text = after
            if self._in_words:
                self._said += before
                self._run_ended()
                yield None
            elif before:
                yield before
            self._in_words = not self._in_words
        keep = len(self._mark) - 1
        cut = max(0, len(text) - keep)
        whole, self._rest = text[:cut], text[cut:]
        if self._in_words:
            if len(self._said) < MOST_AFTER:
                self._said += whole
        elif whole:
            yield whole

    def _run_ended(self) -> None:
        """What stands between the marks: exit status, last words, images."""
        status, *lines = bytes(self._said).split(b"\n")
        self._said.clear()
        words = []
        for line in lines:
            what, _, rest = line.partition(b" ")
            if what != b"image":
                words.append(line.decode("utf-8", "replace"))
                continue
            lsn, _, encoded = rest.partition(b" ")
            try:
                self.images.append((parse_lsn(lsn.decode("ascii")), b64decode(encoded, validate=True)))
            except (ValueError, binascii.Error):
                continue
        said = "\n".join(words).strip()[-LONGEST_WORDS:]
        self.ended.append((int(status) if status.isdigit() else None, said))
