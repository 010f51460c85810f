"""What pghoard's daemon says of itself: its state file (README, `json_state_file_path`; its transfer.py).

It counts uploads and those that failed since it was installed, names the newest segment that it stored, and
how many wait. Its times are of a clock of its own, and tell nothing elsewhere.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from walconsole.domain.archivers.look import Look
from walconsole.domain.archivers.places import json_of
from walconsole.domain.redaction import safe
from walconsole.domain.units import plural

PATH = "/var/lib/pghoard/pghoard_state.json"


def told(document: Mapping[str, Any], site: str, look: Look) -> tuple[str, ...]:
    """In words; nothing where it has no state file, or says nothing of this site. `document` is its JSON."""
    named = document.get("json_state_file_path")
    path = named if isinstance(named, str) and named.startswith("/") else PATH
    file = look.file(path)
    if file is None or file.cut:
        return ()
    try:
        state = json_of(file.text)
        uploads = list(_uploads(state, site))
        waiting = int(state["queues"]["transfer_queue"]) + int(state["queues"]["compression_queue"])
        failures = sum(int(each.get("failures") or 0) for each in uploads)
    except (ValueError, KeyError, TypeError, AttributeError):
        return (f"{path} is not understood: what pghoard says of its own uploads is not known",)
    newest = max(
        (str(each["latest_filename"]) for each in uploads if each.get("latest_filename")), default=""
    )
    lines = []
    if waiting:
        lines.append(f"{plural(waiting, 'file')} in pghoard's queues")
    if failures:
        lines.append(f"{plural(failures, 'upload')} of WAL failed, and were tried again")
    if newest and lines:
        lines.append(f"the newest segment that it stored is {safe(newest)[:40]}")
    return (f"{', '.join(lines)} ({path})",) if lines else ()


def _uploads(state: Mapping[str, Any], site: str) -> Iterator[Mapping[str, Any]]:
    """Of WAL: by each of its threads, or by all of them together in newer ones."""
    agents = [*(state.get("transfer_agents") or ()), state.get("transfer_agent_state") or {}]
    for agent in agents:
        if site in agent:
            yield agent[site]["upload"]["xlog"]
