"""Gaps and the index as files: JSON with everything, CSV with a row for each gap or run.

Fields are documented at the functions; a field that changes its meaning raises `VERSION`. Times are
ISO 8601 in UTC, LSNs as PostgreSQL prints them, names and keys exact in JSON. In CSV what cannot be
printed is written as an escape (`\\x1b`, a backslash as two), and a cell that a spreadsheet could
take for a formula begins with an apostrophe.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from walconsole.domain.wal import DEFAULT_SEGMENT_BYTES, Segment, format_lsn
from walconsole.ui.board.export import Export, csv_text, moment_text, stem_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from walconsole.domain.archive.gaps import Gap
    from walconsole.domain.archive.holding import Holding
    from walconsole.domain.facts.observed import BucketFacts
    from walconsole.ui.board.messages import SnapshotTaken

VERSION = 1
_FORMULA = ("=", "+", "-", "@", "'", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""How a spreadsheet's formula begins; some read the full-width signs so, too."""
_GAP_HEADER = (
    "role", "bucket", "root", "timeline", "first", "last", "segments", "first_lsn", "end_lsn", "at_switch",
    "until_at", "accepted_reason", "accepted_at", "accepted_by",
)  # fmt: skip
_RUN_HEADER = ("role", "bucket", "root", "timeline", "first", "last", "segments", "first_lsn", "end_lsn")


def export_gaps(taken: SnapshotTaken) -> Export:
    """The gaps of both buckets.

    JSON: `format`, `version`, `profile`, `at`, and in `archives` for each bucket that was read:
    `role`, `bucket`, `endpoint`, `root` (what its keys begin with), `swept_at`, `complete`,
    `segment_bytes`, `gap_count` and `missing_segments` (of all that nobody accepted), and `gaps`
    (accepted ones too; both ends where there are very many), each with the CSV's fields from
    `timeline` on. `end_lsn` is the first byte after the gap, `until_at` when the segment after it was
    stored (null: not known).
    """
    archives = []
    rows: list[Sequence[str]] = [_GAP_HEADER]
    for facts in _read(taken):
        gaps = [_gap(gap, _segment_bytes(facts)) for gap in _all_gaps(facts)]
        counted = facts.continuity or facts
        counts = {"gap_count": counted.gap_count, "missing_segments": counted.missing_segments}
        archives.append({**_archive(facts, facts.holding), **counts, "gaps": gaps})
        head = [facts.role.value, csv_cell(facts.bucket), csv_cell(_root(facts.holding))]
        rows += [[*head, *(_cell(gap[name]) for name in _GAP_HEADER[3:])] for gap in gaps]
    return _export("gaps", taken, archives, rows)


def export_index(taken: SnapshotTaken) -> Export:
    """The index of every archive in both buckets: which segments are there, as unbroken runs.

    JSON: as `export_gaps`, and for each archive `layout`, `segments`, `stored_bytes`, `suffixes`
    (count by what follows the name), `histories` (key by timeline), `labels` (segments in which a
    base backup began), `partials`, `repeated_count`, `newest_key`, and `runs` with the CSV's fields
    from `timeline` on.
    """
    archives = []
    rows: list[Sequence[str]] = [_RUN_HEADER]
    for facts in _read(taken):
        for holding in (facts.holding, *facts.other_holdings):
            if holding is None:
                continue
            runs = list(_runs(holding))
            archives.append({**_archive(facts, holding), **_held(holding), "runs": runs})
            head = [facts.role.value, csv_cell(facts.bucket), csv_cell(holding.root)]
            rows += [[*head, *(_cell(run[name]) for name in _RUN_HEADER[3:])] for run in runs]
    return _export("index", taken, archives, rows)


def csv_cell(text: str) -> str:
    """Remote text as a CSV cell: printable, reversible, and no formula."""
    if "\\" in text or not text.isprintable():
        text = "".join(_escaped(char) for char in text)
    return f"'{text}" if text.startswith(_FORMULA) else text


def exact_json(value: object, *, indent: int | None = None) -> str:
    """JSON in plain ASCII: every string survives exactly, and nothing in it moves a terminal."""
    return json.dumps(value, indent=indent).replace("\x7f", "\\u007f")


def _escaped(char: str) -> str:
    if char == "\\":
        return "\\\\"
    return char if char.isprintable() else char.encode("unicode_escape").decode("ascii")


def _read(taken: SnapshotTaken) -> Iterator[BucketFacts]:
    for reading in (taken.snapshot.primary, taken.snapshot.dr):
        if reading.value is not None:
            yield reading.value


def _segment_bytes(facts: BucketFacts) -> int:
    if facts.holding is not None:
        return facts.holding.segment_bytes
    return facts.segment_bytes or DEFAULT_SEGMENT_BYTES


def _root(holding: Holding | None) -> str:
    return holding.root if holding is not None else ""


def _all_gaps(facts: BucketFacts) -> Sequence[Gap]:
    """Accepted ones too, in the order of what they lack."""
    found = facts.continuity
    between = facts.gaps if found is None else (*found.gaps, *found.accepted_gaps)
    return sorted((*between, *facts.lost), key=lambda gap: gap.first)


def _archive(facts: BucketFacts, holding: Holding | None) -> dict[str, object]:
    return {
        "role": facts.role.value,
        "bucket": facts.bucket,
        "endpoint": facts.endpoint,
        "root": _root(holding),
        "swept_at": moment_text(facts.swept_at),
        "complete": facts.complete,
        "segment_bytes": _segment_bytes(facts),
    }


def _stretch(timeline: int, first: int, last: int, segment_bytes: int) -> dict[str, object]:
    return {
        "timeline": timeline,
        "first": Segment(timeline, first).name(segment_bytes),
        "last": Segment(timeline, last).name(segment_bytes),
        "segments": last - first + 1,
        "first_lsn": format_lsn(first * segment_bytes),
        "end_lsn": format_lsn((last + 1) * segment_bytes),
    }


def _gap(gap: Gap, segment_bytes: int) -> dict[str, object]:
    first, last = (Segment.parse(name, segment_bytes).number for name in (gap.first, gap.last))
    accepted = gap.accepted
    return {
        **_stretch(gap.timeline, first, last, segment_bytes),
        "at_switch": gap.at_switch,
        "until_at": moment_text(gap.until_at) if gap.until_at is not None else None,
        "accepted_reason": accepted.reason if accepted else None,
        "accepted_at": moment_text(accepted.accepted_at) if accepted else None,
        "accepted_by": accepted.by if accepted else None,
    }


def _held(holding: Holding) -> dict[str, object]:
    return {
        "layout": holding.place.layout.value,
        "segments": holding.segments,
        "stored_bytes": holding.stored_bytes,
        "suffixes": dict(holding.suffixes),
        "histories": {str(timeline): key for timeline, key in sorted(holding.history_keys.items())},
        "labels": [segment.name(holding.segment_bytes) for segment in holding.labels],
        "partials": holding.partials,
        "repeated_count": holding.repeated_count,
        "newest_key": holding.newest_key,
    }


def _runs(holding: Holding) -> Iterator[dict[str, object]]:
    for timeline, runs in sorted(holding.timelines.items()):
        for first, last in runs:
            yield _stretch(timeline, first, last, holding.segment_bytes)


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return csv_cell(value) if isinstance(value, str) else str(value)


def _export(
    name: str, taken: SnapshotTaken, archives: list[dict[str, object]], rows: list[Sequence[str]]
) -> Export:
    document = {
        "format": f"walconsole-archive-{name}",
        "version": VERSION,
        "profile": taken.snapshot.profile_name,
        "at": moment_text(taken.now),
        "archives": archives,
    }
    texts = (("json", exact_json(document, indent=2) + "\n"), ("csv", csv_text(rows)))
    return Export(stem_of(f"archive-{name}", taken), texts)
