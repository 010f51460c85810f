"""Where the seconds of one segment go: start, compress, ask, upload and read back, for each copy."""

import re
import secrets
from collections.abc import AsyncIterator
from shlex import quote
from textwrap import wrap

from walconsole.domain.archive.segment_time import (
    CopySeconds,
    SegmentSeconds,
    conclusion,
    table,
    what_helps,
)
from walconsole.domain.redaction import safe
from walconsole.droplet.names import names_of
from walconsole.droplet.one_time import seconds_script
from walconsole.errors import ProvisionError
from walconsole.provision.droplet.commands import data_directory, os_user, psql, status_of
from walconsole.provision.engine.model import Check, CheckState, Command, Event, Plan, Printed, Proved, Risk
from walconsole.provision.engine.site import Site
from walconsole.provision.fixes.base import FixStep
from walconsole.provision.probes.in_force import InForce, in_force

LIMIT_S = 30
"""Of each call; what takes longer is no speed but a fault, which the other probes tell."""
_PARTS_S, _LONGEST_S = 30.0, 300.0
_CELLS = 72
"""A line of the pane on a small terminal."""
_RECORD = re.compile(r"\x01([A-Z]+) (\S+) (\d+) (\d+) ?(.*)")
_PACKS = re.compile(r"\b(?:zstd|gzip|lz4|xz|bzip2)\b|crypt:|compress")
_SEGMENT = r"""cd {folder} 2>/dev/null || exit 0
{{
    ls -1q archive_status | sed -n 's/^\([0-9A-F]\{{24\}}\)[.]ready$/\1/p'
    ls -1q | grep -E '^[0-9A-F]{{24}}$'
}} | while IFS= read -r name; do [ ! -f "$name" ] || {{ echo "$name"; break; }}; done"""


class SecondsProbe(FixStep):
    """Each part of archiving one segment, by rclone's configuration in force, to each copy."""

    id = "probe-seconds"
    title = "Seconds of a segment"
    risk = Risk.ADDS
    explanation = (
        "PostgreSQL hands its archive command one segment at a time. Where segments are complete faster than "
        "one is archived, they pile up in pg_wal. This measures with one segment that waits: how long rclone "
        "takes to start, how long to compress, to ask for a name, to upload, to read back, for each copy. "
        "Beside it stands how often a segment is due, and what would help, in seconds. Its objects have "
        f"names of their own and are taken away again; a call that takes longer than {LIMIT_S} s is ended."
    )

    def __init__(self, site: Site, subject: str = "") -> None:
        super().__init__(site, subject)
        self._found: SegmentSeconds | None = None

    async def check(self) -> Check:
        """BLOCKED where there is no segment, or the command in force uses another tool."""
        now = await in_force(self._site)
        if now.command and "rclone" not in now.text:
            return Check(
                CheckState.BLOCKED,
                "the archive command in force does not use rclone",
                remedy="the probe Command by hand times it as a whole (P in triage)",
            )
        name = await self._segment()
        if not name:
            return Check(CheckState.BLOCKED, "there is no segment in pg_wal", remedy="write something first")
        return Check(CheckState.NEEDED, f"where the seconds of {name} go is not known yet")

    async def plan(self) -> Plan:
        """The calls that are timed, as they can be typed."""
        now, name = await in_force(self._site), await self._segment()
        file = quote(f"{await data_directory(self._site)}/pg_wal/{name}")
        options = f"--config {quote(now.config)} --s3-no-check-bucket --retries 1"
        texts = [f"time rclone listremotes {options}", f"time zstd -q -c {file} | wc -c"]
        for target in now.targets:
            place = quote(f"{target.remote}:{target.bucket}/{target.prefix}walconsole-probe-by-hand")
            texts += [
                f"time rclone copyto {file} {place} {options}",
                f"time rclone cat {place} {options} | wc -c",
                f"rclone deletefile {place} {options}",
            ]
        return Plan(
            f"send {name} under a name of its own, and time each part",
            commands=tuple(Command(text, user=os_user(self._site)) for text in texts),
            notes=("its objects' names begin with walconsole-probe-; they are deleted again",),
            undo="nothing is left to undo",
        )

    async def apply(self) -> AsyncIterator[Event]:
        """Raises ProvisionError with the first call that fails."""
        now, name = await in_force(self._site), await self._segment()
        wal = f"{await data_directory(self._site)}/pg_wal/{name}"
        places = tuple(f"{target.remote}:{target.bucket}/{target.prefix}" for target in now.targets)
        began, written = self._site.clock.monotonic(), await self._written()
        yield Printed(f"timing {name} to {' and '.join(map(str, now.targets))}")
        script = seconds_script(
            self._site.profile,
            self._site.choices,
            places,
            now.config,
            wal=wal,
            name=f"walconsole-probe-{secrets.token_hex(8)}",
            packs=_packs(now, self._site),
            limit_s=LIMIT_S,
        )
        limit = min(_LONGEST_S, _PARTS_S + LIMIT_S * (1 + 4 * len(places)))
        status, said = await status_of(self._site, script, user=os_user(self._site), timeout_s=limit)
        took = self._site.clock.monotonic() - began
        size = (await self._site.survey()).server
        segments = (await self._written() - written) / (size.segment_bytes if size is not None else 1)
        due = took / segments if segments > 0 else None
        self._found = self._read(said, status, now, due)
        for line in (*table(self._found), conclusion(self._found)):
            yield Printed(line)

    async def verify(self) -> AsyncIterator[Event]:
        """What would help, and then the whole in a line."""
        if self._found is None:
            return
        for text in what_helps(self._found):
            for line in wrap(f"would help: {text}", _CELLS, subsequent_indent="    "):
                yield Printed(line)
        yield Proved(conclusion(self._found))

    def _read(self, said: str, status: int, now: InForce, due_s: float | None) -> SegmentSeconds:
        records = [match.groups() for match in _RECORD.finditer(said)]
        for part, which, ended, _, words in records:
            if ended != "0":
                where = f" at {now.targets[int(which)]}" if which.isdigit() and now.targets else ""
                why = safe(words).strip() or f"exit status {ended}"
                raise ProvisionError(
                    f"timing {part.lower()}{where}", why, "the probe Store, call by call tells more"
                )
        if status != 0 or not records:
            raise ProvisionError("timing a segment on the droplet", safe(" ".join(said.split()))[:300])
        times = {(part, which): int(value) for part, which, _, value, _ in records}
        packer = next((which for part, which, *_ in records if part == "PACK"), "")
        return SegmentSeconds(
            plain_bytes=times.get(("PLAIN", "0"), 0),
            start_s=times.get(("START", "0"), 0) / 1000,
            pack_s=times.get(("PACK", packer), 0) / 1000,
            packer=packer,
            packed_bytes=times.get(("PACKED", "0")),
            packs=_packs(now, self._site),
            copies=tuple(
                CopySeconds(
                    str(target),
                    *(times.get((part, str(at)), 0) / 1000 for part in ("ASK", "UPLOAD", "READ")),
                )
                for at, target in enumerate(now.targets)
            ),
            side_by_side=_is_ours(now, self._site),
            due_s=due_s,
        )

    async def _segment(self) -> str:
        """The one that waits longest, else any that is in pg_wal; empty for none."""
        folder = quote(f"{await data_directory(self._site)}/pg_wal")
        _, said = await status_of(self._site, _SEGMENT.format(folder=folder), user=os_user(self._site))
        name = said.strip()
        return name if re.fullmatch(r"[0-9A-F]{24}", name) else ""

    async def _written(self) -> int:
        """How many bytes of WAL the server has ever written."""
        return int(await psql(self._site, "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint"))


def _is_ours(now: InForce, site: Site) -> bool:
    return now.command.startswith(f"{names_of(site.profile).archive} ")


def _packs(now: InForce, site: Site) -> bool:
    if _is_ours(now, site):
        return site.choices.compression.value != "none"
    return _PACKS.search(now.text) is not None
