"""The list of clusters as rows, each made when it is seen; and what is told of one."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, overload

from walconsole.domain.fleet.order import Grouping, grouped, one_a_server
from walconsole.domain.fleet.row import FleetRow
from walconsole.domain.redaction import safe
from walconsole.domain.standing.model import Level
from walconsole.domain.standing.worsening import RANK
from walconsole.domain.units import plural
from walconsole.ui.board.content import TONE_OF_LEVEL, Line, Span, Tone
from walconsole.ui.board.page import Page
from walconsole.ui.board.typeset import GUTTER, fit, pad, right, shown
from walconsole.ui.fleet.columns import ALL, GAP, VERDICT, Layout

if TYPE_CHECKING:
    from walconsole.ui.board.export import Export
    from walconsole.ui.board.glyphs import Glyphs

ENTRY = "cluster_row"
_SIGN = 2
Entry = FleetRow | str
"""A cluster, or the name of the group that follows."""


class Rows(Sequence[Line]):
    """A line for each entry at `now`."""

    def __init__(self, entries: Sequence[Entry], layout: Layout, now: float, glyphs: Glyphs) -> None:
        self._entries, self._layout, self._now, self._glyphs = entries, layout, now, glyphs
        self._made: dict[int, Line] = {}

    def __len__(self) -> int:
        return len(self._entries)

    @overload
    def __getitem__(self, index: int) -> Line: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Line]: ...

    def __getitem__(self, index: int | slice) -> Line | Sequence[Line]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        if index not in self._made:
            self._made[index] = self._line(self._entries[index])
        return self._made[index]

    def _line(self, entry: Entry) -> Line:
        if isinstance(entry, str):
            return Line((Span(" " * GUTTER + safe(entry), Tone.LABEL),), ENTRY)
        tone = TONE_OF_LEVEL[entry.level]
        spans = [Span(" " * GUTTER)]
        texts = [ALL[number].text(entry, self._now) for number in self._layout.columns]
        for number, width, text in zip(self._layout.columns, self._layout.widths, texts, strict=True):
            ink = Tone.STRONG if number == 0 else Tone.TEXT
            if number == VERDICT:
                text, ink = f"{self._glyphs.sign(entry.level)} {text}", tone
            cell = fit(text, width, self._glyphs.more)
            set_ = right(cell, width) if ALL[number].number else pad(cell, width)
            spans.append(Span(set_ + " " * GAP, ink if text != "n/a" else Tone.MUTED))
        if self._layout.why:
            spans.append(Span(fit(shown(entry.verdict), self._layout.why, self._glyphs.more), Tone.TEXT))
        return Line(tuple(spans), ENTRY, shown(entry.name), shown(f"{entry.name}: {entry.verdict}"))


def head(layout: Layout, order: int, glyphs: Glyphs, *, backwards: bool) -> str:
    """The names of the columns; the one that the list is in the order of has a mark."""
    text = " " * GUTTER
    for number, width in zip(layout.columns, layout.widths, strict=True):
        title = ALL[number].title
        if number == order:
            title = fit(f"{title}{glyphs.caret if backwards else glyphs.backup}", width, glyphs.more)
        cell = fit(title, width, glyphs.more)
        text += (right(cell, width) if ALL[number].number else pad(cell, width)) + " " * GAP
    return text + ("why" if layout.why else "")


def entries(rows: Sequence[FleetRow], by: Grouping) -> list[Entry]:
    """The rows, below the names of their groups."""
    found: list[Entry] = []
    for name, group in grouped(rows, by):
        found += [name, *group] if name else group
    return found


def summary(rows: Sequence[FleetRow]) -> tuple[Level, str]:
    """The worst state, and how many are in each; a server with several names counts once, as its worst."""
    servers = [max(same, key=lambda row: RANK[row.level]) for same in one_a_server(rows)]
    seen = [row for row in servers if row.was_seen]
    waiting = len(servers) - len(seen)
    counts = Counter(row.level for row in seen)
    worst_first = sorted(counts, key=lambda level: -RANK[level])
    told = [f"{counts[level]:,} {level.value}" for level in worst_first]
    told += [f"{waiting:,} not yet"] if waiting else []
    more = len(rows) - len(servers)
    told += [f"{plural(more, 'row')} of the same"] if more else []
    worst = worst_first[0] if worst_first else Level.UNKNOWN
    if worst is Level.OK and waiting:
        worst = Level.UNKNOWN
    return worst, f"{plural(len(servers), 'cluster')}: {', '.join(told)}"


def detail(row: FleetRow, now: float, width: int, glyphs: Glyphs) -> tuple[Line, ...]:
    """All that is known of one."""
    page = Page(width, glyphs)
    page.fact("verdict", safe(f"{row.level.value}: {row.verdict}"), TONE_OF_LEVEL[row.level])
    for number in range(2, len(ALL)):
        text = ALL[number].text(row, now)
        page.fact(ALL[number].title, text, Tone.MUTED if text == "n/a" else Tone.TEXT)
    if row.identity.tags:
        page.fact("tags", safe(" ".join(f"#{tag}" for tag in row.identity.tags)))
    return tuple(page)


def table(rows: Sequence[FleetRow], now: float) -> tuple[tuple[str, ...], ...]:
    """Every column, for CSV: a header, then the rows."""
    titles = (*(column.title for column in ALL), "why")
    return (
        titles,
        *((*(column.text(row, now) for column in ALL), safe(row.verdict)) for row in rows),
    )


def export(rows: Sequence[FleetRow], now: float) -> Export:
    """The list as files: JSON with every value as it is, CSV with what is shown."""
    from walconsole.ui.board.export import Export, csv_text, moment_text

    clusters = [_document(row) for row in rows]
    document = {"pane": "Clusters", "at": moment_text(now), "clusters": clusters}
    stem = f"walconsole-clusters-{datetime.fromtimestamp(now, UTC):%Y%m%dT%H%M%SZ}"
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    return Export(stem, (("json", text), ("csv", csv_text(table(rows, now)))))


def _document(row: FleetRow) -> dict[str, object]:
    values = {field.name: getattr(row, field.name) for field in fields(row) if field.name != "identity"}
    told = {
        "cluster": safe(row.name),
        "host": safe(row.identity.host),
        "tags": list(row.identity.tags),
        **values,
        "level": row.level.value,
        "verdict": safe(row.verdict),
        "version": safe(row.version),
        "system": None if row.system is None else safe(row.system),
    }
    return {name: None if value == float("inf") else value for name, value in told.items()}
