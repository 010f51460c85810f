"""The spool of an archiver that works in the background: read where the host has one, as its own user."""

import secrets
from collections.abc import Callable, Sequence

from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.facts.spool import SpoolFacts, SpoolNote
from walconsole.domain.redaction import decode, safe
from walconsole.errors import ShellError
from walconsole.observe.host.host_script import all_records, assignment, script_named
from walconsole.observe.host.invocation import as_user
from walconsole.observe.poller.probe import Fact
from walconsole.ports import Clock, Shell

SOURCE = "the archiver's spool on the droplet"
SCRIPT_S = 8.0
_LONGEST = 800


class SpoolProbe:
    """Fills SPOOL; `snapshot` has what was discovered, which says where the spool lies."""

    name = SOURCE
    slots = (Snapshot.spool,)
    cadence_s = 5.0
    timeout_s = 12.0

    def __init__(self, shell: Shell, clock: Clock, os_user: str, snapshot: Callable[[], Snapshot]) -> None:
        self._shell, self._clock, self._os_user, self._snapshot = shell, clock, os_user, snapshot

    async def take(self) -> Sequence[Fact]:
        """Nothing where no tool with a spool archives. Raises errors.SshError, errors.ShellError."""
        discovery = self._snapshot().discovery.value
        folder = next((copy.spool for copy in discovery.copies if copy.spool), "") if discovery else ""
        if not folder:
            return ()
        return [Fact(Snapshot.spool, await self._look(folder), self._clock.now(), SOURCE)]

    async def _look(self, folder: str) -> SpoolFacts:
        token = secrets.token_hex(8)
        assigned = (("token", token.encode()), ("folder", folder.encode("utf-8", "surrogateescape")))
        script = "".join(assignment(name, raw) for name, raw in assigned) + script_named("spool.sh")
        answer = await self._shell.run(as_user(self._os_user, script), timeout_s=SCRIPT_S)
        try:
            records = all_records(answer.stdout, token)
        except ShellError:
            why = safe(decode(answer.stdout[-200:])).strip() or f"exit status {answer.status}"
            raise ShellError(f"reading {folder}", why, "is /bin/sh a POSIX shell?") from None
        return read_spool(folder, records)


def read_spool(folder: str, records: Sequence[tuple[str, bytes]]) -> SpoolFacts:
    """The facts of the script's answer; a file that is none of pgBackRest's says nothing."""
    notes: list[SpoolNote] = []
    name, at, files, why = "", None, 0, ""
    for key, value in records:
        text = decode(value)
        if key == "note":
            name, at = text, None
        elif key == "note.at":
            at = float(text) if text.isdigit() else None
        elif key == "note.text":
            note = _note(folder, name, text, at)
            notes += [note] if note is not None else []
        elif key == "files":
            files = int(text) if text.isdigit() else 0
        elif key == "why":
            why = safe(text)
    return SpoolFacts(safe(folder), tuple(reversed(notes)), files, why)


def _note(folder: str, name: str, text: str, at: float | None) -> SpoolNote | None:
    first, _, words = text.partition("\n")
    segment, _, kind = name.rpartition(".")
    if not first.strip().isdigit() or kind not in ("ok", "error"):
        return None
    code = int(first.strip()[:6]) if kind == "error" else 0
    line = safe(" ".join(words.split()))[:_LONGEST]
    return SpoolNote(safe(segment), code, line, at, safe(f"{folder}/{name}"))
