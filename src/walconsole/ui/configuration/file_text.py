"""A configuration file as it stands, line by line; a dead one against what is in force, as a difference.

Rows are made only for what is seen. A difference is read so: - what stands there, + what counts.
"""

import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import overload

from walconsole.domain.pgconf.catalogue import ARCHIVE_RELEVANT
from walconsole.domain.pgconf.running import Differing, difference
from walconsole.domain.pgconf.tree import FileContent
from walconsole.domain.redaction import MASK, decode
from walconsole.domain.units import plural
from walconsole.ui.board.content import Glyphs, Line, Span, Spot, Tone
from walconsole.ui.board.page import Page
from walconsole.ui.board.typeset import NOT_AVAILABLE, shown
from walconsole.ui.configuration.picture import ConfigurationPicture
from walconsole.ui.configuration.settings import stored_text, value_text

_LONGEST = 2_000
"""Bytes of a line that are shown: rubbish may have no line breaks at all."""
_PARTS = re.compile(
    r"(?P<space>\s*)(?P<name>[^\s=#']+)(?P<equals>\s*=?\s*)(?P<value>'(?:[^'\\]|\\.|'')*'?|[^\s#]*)"
    r"(?P<rest>\s*)(?P<comment>#.*)?(?P<more>.*)"
)
_KEY_BLOCK = re.compile(
    rb"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----.*?(?:-----END [A-Z ]{0,40}PRIVATE KEY-----|\Z)", re.DOTALL
)


class FileRows(Sequence[Line]):
    """One row a line. `marks` are signs beside lines by their number, `errors` say
    what is wrong with them.

    `dead`: every line is struck through, for none has an effect.
    """

    def __init__(
        self,
        content: FileContent,
        glyphs: Glyphs,
        *,
        dead: bool = False,
        marks: Mapping[int, tuple[str, Tone]] | None = None,
        errors: Mapping[int, str] | None = None,
    ) -> None:
        self.content, self.glyphs, self.dead = content, glyphs, dead
        self.marks, self.errors = marks or {}, errors or {}
        raw = content.raw or b""
        self._lines = raw.split(b"\n")
        if len(self._lines) > 1 and not self._lines[-1]:
            self._lines.pop()
        self._hidden = _hidden_lines(raw)
        self._digits = max(3, len(str(len(self._lines))))
        self._row = lru_cache(maxsize=1024)(self._make)

    def __len__(self) -> int:
        return 1 if self.content.raw is None else len(self._lines) + self.content.cut

    @overload
    def __getitem__(self, index: int) -> Line: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Line]: ...

    def __getitem__(self, index: int | slice) -> Line | Sequence[Line]:
        if isinstance(index, slice):
            return [self._row(at) for at in range(len(self))[index]]
        return self._row(range(len(self))[index])

    def _make(self, index: int) -> Line:
        if self.content.raw is None:
            why = self.content.obstacle.value if self.content.obstacle is not None else "it was not read"
            return Line((Span(f"  {shown(self.content.path)}: {why}", Tone.WARNING),), "file_line")
        if index >= len(self._lines):
            return Line((Span("  the rest was not read: the file is too long", Tone.WARNING),), "file_line")
        number = index + 1
        sign, tone = self.marks.get(number, (" ", Tone.MUTED))
        gutter = Span(f"{number:>{self._digits}}", Tone.LABEL if number in self.marks else Tone.MUTED)
        text = self._text(index)
        spans = (gutter, Span(f" {sign} ", tone), *self._coloured(text))
        if number in self.errors:
            spans = (*spans, Span(f"  {self.glyphs.critical} {self.errors[number]}", Tone.CRITICAL))
        spot = Spot(self.content.path, number)
        return Line(spans, "file_line", text, f"{spot.path}:{number}", spot=spot)

    def _text(self, index: int) -> str:
        if any(first <= index <= last for first, last in self._hidden):
            return MASK
        raw = self._lines[index]
        text = shown(decode(raw[:_LONGEST].rstrip(b"\r")))
        return text + self.glyphs.more if len(raw) > _LONGEST else text

    def _coloured(self, text: str) -> tuple[Span, ...]:
        if self.dead:
            return (Span(text, Tone.MUTED, struck=True),)
        if text.lstrip().startswith("#"):
            return (Span(text, Tone.MUTED),)
        found = _PARTS.fullmatch(text)
        if found is None:
            return (Span(text, Tone.TEXT),)
        tones = zip(
            ("space", "name", "equals", "value", "rest", "comment", "more"),
            (Tone.TEXT, Tone.UNKNOWN, Tone.MUTED, Tone.STRONG, Tone.TEXT, Tone.MUTED, Tone.TEXT),
            strict=True,
        )
        return tuple(Span(found[part], tone) for part, tone in tones if found[part])


def _hidden_lines(raw: bytes) -> tuple[tuple[int, int], ...]:
    """First and last index of lines that hold a private key: redaction by the line would miss its middle."""
    if b"PRIVATE KEY-----" not in raw:
        return ()
    breaks = [found.start() for found in re.finditer(rb"\n", raw)]
    return tuple(
        (bisect_right(breaks, block.start()), bisect_right(breaks, block.end() - 1))
        for block in _KEY_BLOCK.finditer(raw)
    )


def difference_rows(picture: ConfigurationPicture, path: str, width: int, glyphs: Glyphs) -> tuple[Line, ...]:
    """What differs, what does not, and what only the files in force set."""
    page = Page(width, glyphs)
    content = picture.content(path)
    counts = "in force" if picture.running else "what a start would take, from the files alone"
    page.block((Span("- ", Tone.WARNING),), f"never read: {shown(path)}", Tone.WARNING, spot=Spot(path))
    page.block((Span("+ ", Tone.OK),), counts, Tone.OK)
    if content.raw is None:
        why = content.obstacle.value if content.obstacle is not None else "it was not read"
        page.paragraph(f"cannot be compared: {why}", Tone.WARNING)
        return tuple(page)
    rows = difference(content, picture.resolution)
    differing = [row for row in rows if not row.alike and row.here is not None]
    differing.sort(key=lambda row: row.name not in ARCHIVE_RELEVANT)
    alike = [row for row in rows if row.alike]
    lost = [row for row in rows if row.here is None]
    page.heading(plural(len(differing), "setting would differ", "settings would differ"))
    for row in differing:
        _both(page, picture, row, path)
    if alike:
        words = "setting agrees with what is in force", "settings agree with what is in force"
        page.heading(plural(len(alike), *words))
    for row in alike:
        spot = Spot(path, row.line or 0)
        text = f"{shown(row.name)} = {value_text(row.name, row.here or '')}"
        page.block((Span("  "),), text, Tone.MUTED, spot=spot)
    if lost:
        page.heading(
            plural(
                len(lost), "setting is only in the files in force", "settings are only in the files in force"
            )
        )
    for row in lost:
        page.block(
            (Span("+ ", Tone.OK),),
            f"{shown(row.name)} = {_now(picture, row)}  {shown(row.where)}",
            Tone.LABEL,
        )
    return tuple(page)


def _both(page: Page, picture: ConfigurationPicture, row: Differing, path: str) -> None:
    spot = Spot(path, row.line or 0)
    here = f"{shown(row.name)} = {value_text(row.name, row.here or '')}"
    page.block((Span("- ", Tone.WARNING),), f"{here}  line {row.line}", Tone.WARNING, struck=True, spot=spot)
    now = f"{shown(row.name)} = {_now(picture, row)}"
    page.block((Span("+ ", Tone.OK),), f"{now}  {shown(row.where)}", Tone.STRONG)


def _now(picture: ConfigurationPicture, row: Differing) -> str:
    chain = picture.resolution.chain(row.name)
    if row.now is None:
        return NOT_AVAILABLE
    return stored_text(row.name, row.now, chain.meta if chain is not None else None)
