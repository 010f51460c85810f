"""The transcript of a run as files: written by itself when a run that changed something ends."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from walconsole.operator_files.places import places
from walconsole.operator_files.private import make_private
from walconsole.provision.engine.transcript import as_json, as_markdown
from walconsole.ui.board.export import Export

if TYPE_CHECKING:
    from collections.abc import Sequence

    from walconsole.provision.engine.model import Change, Progress, Step


def transcript_of(
    title: str, steps: Sequence[Step], history: Sequence[Progress], changes: Sequence[Change]
) -> Export:
    """Markdown and JSON, redacted; named by when the run began."""
    began = datetime.fromtimestamp(history[0].at if history else 0.0, UTC)
    texts = (
        ("md", as_markdown(title, steps, history, changes)),
        ("json", as_json(title, history, changes)),
    )
    return Export(f"walconsole-provisioning-{began:%Y%m%dT%H%M%SZ}", texts)


def save_transcript(
    title: str, steps: Sequence[Step], history: Sequence[Progress], changes: Sequence[Change]
) -> tuple[str, str]:
    """Write it into the operator's data folder: why it failed (empty: it did not), and the files."""
    folder = places(os.environ).transcripts
    try:
        make_private(folder)
    except OSError as error:
        return f"{folder}: {error.strerror or error}", ""
    return transcript_of(title, steps, history, changes).write(folder)
