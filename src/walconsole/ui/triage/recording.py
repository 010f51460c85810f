"""The recording that goes with an incident's report: its screens, from a little before it to its end."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from walconsole.domain.kept.recording import Recording, bounded, recording_text
from walconsole.errors import RegisterError

if TYPE_CHECKING:
    from walconsole.domain.incidents.model import IncidentLog
    from walconsole.ui.board.droplet_session import DropletSession

BEFORE_S = 900.0
AFTER_S = 300.0
_WITHOUT_S = 3600.0
"""Where no incident is remembered: the last hour."""


def span_of(log: IncidentLog | None, now: float) -> tuple[float, float]:
    """From when to when: of the open incident, else of the last one that was closed."""
    incident = None if log is None else log.open or log.last
    if incident is None:
        return now - _WITHOUT_S, now
    end = now if incident.ok_since is None else min(now, incident.ok_since + AFTER_S)
    return incident.opened_at - BEFORE_S, end


async def incident_recording(session: DropletSession) -> str:
    """The file's text, redacted; empty where nothing is kept of that time, which is said where it failed."""
    taken, past = session.taken, session.past
    if taken is None or past is None:
        return ""
    try:
        span = span_of(taken.remembered, taken.now)
        frames, runs = await past.frames(*span), await past.runs_between(*span)
    except RegisterError as error:
        session.notify(error.line(), "no recording is written", "warning")
        return ""
    if not frames:
        return ""
    names = session.rclone
    remotes = {role.value: name for role, name in names.copies.items()} if names is not None else {}
    config = names.config if names else ""
    recording = Recording(session.title, tuple(bounded(frames)), remotes, config, tuple(runs))
    return await asyncio.to_thread(recording_text, recording)
