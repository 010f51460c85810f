"""The listed chains as files: JSON with everything, CSV with a row for each place; redacted as on screen."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from walconsole.domain.redaction import safe
from walconsole.ui.board.export import Export, csv_text, moment_text, stem_of
from walconsole.ui.configuration.settings import now_text, place_value, source_text, value_text, where_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from walconsole.domain.pgconf.resolution import Chain
    from walconsole.ui.board.messages import SnapshotTaken
    from walconsole.ui.configuration.picture import ConfigurationPicture

_HEADER = ("setting", "order", "origin", "where", "value", "state", "why", "wins")


def export_chains(picture: ConfigurationPicture, names: Sequence[str], taken: SnapshotTaken) -> Export:
    """The chains of `names`, every file, and how the server was started."""
    chains = [picture.chain(name) for name in names]
    document = {
        "profile": safe(taken.snapshot.profile_name),
        "at": moment_text(taken.now),
        "from_files_alone": safe(picture.alone) or None,
        "config_file": safe(picture.resolution.config_file),
        "data_directory": safe(picture.resolution.data_directory or "") or None,
        "contradictions": [safe(text) for text in picture.files.contradictions],
        "errors": [safe(text) for text in _errors(picture)],
        "not_seen": [safe(text) for text in (*picture.resolution.uncertain, picture.files.cut or "") if text],
        "settings": [_setting(picture, chain) for chain in chains],
        "files": [
            {
                "path": safe(file.path),
                "role": file.role.value,
                "why": safe(file.why),
                "changes": [safe(change) for change in file.changes],
                "unreadable": file.unreadable,
            }
            for file in picture.files.files
        ],
    }
    rows = [_HEADER, *(row for chain in chains for row in _rows(chain))]
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    return Export(stem_of("chains", taken), (("json", text), ("csv", csv_text(rows))))


def _errors(picture: ConfigurationPicture) -> Iterator[str]:
    for judged in picture.resolution.errors:
        yield f"{judged.entry.file}:{judged.entry.line}: {judged.why or judged.error}"
    yield from picture.resolution.problems


def _setting(picture: ConfigurationPicture, chain: Chain) -> dict[str, object]:
    return {
        "name": safe(chain.name),
        "value": now_text(chain),
        "source": source_text(chain),
        "waits_for": chain.waits_for or None,
        "pending_restart": chain.in_force.pending_restart if chain.in_force is not None else None,
        "chain": [dict(zip(_HEADER[1:], row[1:], strict=True)) for row in _rows(chain)],
        "never_read": [
            {
                "where": safe(f"{line.file.path}:{line.line}"),
                "value": value_text(chain.name, line.value),
                "why": safe(line.file.why),
            }
            for line in picture.dead_lines.get(chain.name, ())
        ],
    }


def _rows(chain: Chain) -> Iterator[tuple[str, ...]]:
    for order, place in enumerate(chain.places, 1):
        why = place.why or (f"overridden by {place.overridden_by}" if place.overridden_by else "")
        yield (
            safe(chain.name),
            str(order),
            place.origin.value,
            where_text(place),
            place_value(chain, place),
            place.state.value,
            safe(why),
            "yes" if place == chain.winner else "no",
        )
