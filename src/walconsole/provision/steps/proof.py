"""The proof: one segment, from the server's switch to the object, checked byte by byte."""

import json
from collections.abc import AsyncIterator
from shlex import quote

from walconsole.domain.profile import BucketRole, BucketTarget
from walconsole.domain.records import record
from walconsole.domain.redaction import safe
from walconsole.droplet.names import names_of
from walconsole.droplet.rendering import archive_command
from walconsole.errors import ProvisionError
from walconsole.observe.server.statements import query
from walconsole.provision.droplet.commands import (
    LONGEST_TRANSFER_S,
    data_directory,
    last_lines,
    os_user,
    psql,
    psql_script,
    run,
    status_of,
)
from walconsole.provision.engine.model import (
    Check,
    CheckState,
    Command,
    Event,
    Fact,
    FactState,
    Plan,
    Printed,
    Proved,
    Ran,
    Risk,
    Waiting,
)
from walconsole.provision.engine.not_undone import NotUndone
from walconsole.provision.engine.site import Site

_PAUSE_S = 0.3
_BASE_LIMIT_S = 60.0
_BYTES_PER_S = 1024 * 1024
"""As slow as the archive command lets a copy be (docs/droplet.md)."""
_TELL_EVERY_S = 2.0
_RECYCLED = 3
_SWITCH = "SELECT pg_walfile_name(pg_create_restore_point('walconsole proof')), pg_switch_wal()"


@record
class Counters:
    """pg_stat_archiver, with how old the last success is against the server's start."""

    archived: int
    last: str
    failed: int
    last_failed: str
    since_start: bool
    failing: bool = False


class Proof(NotUndone):
    """model.Step: a segment is archived, every copy of it equals the file, and nothing failed meanwhile."""

    id = "proof"
    title = "Proof"
    risk = Risk.ADDS
    gated = True
    always = False
    explanation = (
        "Writes a restore point and switches to a new segment, so that the current one is archived at "
        "once. Then it watches PostgreSQL archive it, fetches it back from each copy with the restore "
        "command and compares it byte by byte with the file in pg_wal. It passes only where the last "
        "archived segment is that one or a later one, each copy is the same, and no failure was counted "
        "meanwhile."
    )

    def __init__(self, site: Site) -> None:
        self._site = site

    @property
    def _complains(self) -> str:
        """What the archive command's lines in the server's log have in them."""
        return f"{names_of(self._site.profile).archive.rpartition('/')[2]}: "

    async def check(self) -> Check:
        """Done where a segment was archived since the server's start, and the verifier finds no fault."""
        if await self._command() != archive_command(self._site.profile):
            return Check(CheckState.NEEDED, "nothing is archived by the installed command yet")
        counters = await self._counters()
        if not counters.since_start:
            return Check(CheckState.NEEDED, "nothing was archived since the server was started")
        return await self._verified(counters)

    async def plan(self) -> Plan:
        """By hand: the switch, and the comparison."""
        user = os_user(self._site)
        switch = Command(f"segment=$({await psql_script(self._site, _SWITCH)} | cut -f 1)", user=user)
        data = await data_directory(self._site)
        named = '"$segment"'
        kept = f"{quote(self._site.choices.temp_root)}/{named}"
        compared = f"cmp {kept} {quote(data)}/pg_wal/{named}"
        targets = self._site.targets()
        fetch = [
            Command(f"{self._fetch(named, kept, target)} && {compared}", user=user) for target in targets
        ]
        return Plan(
            "switch to a new segment, and see it arrive in "
            + " and ".join(target.role.value for target in targets),
            commands=(switch, *fetch),
            notes=("the switch fills the rest of the current segment with zeroes, once",),
            undo="nothing is to be undone: the segment belongs to the archive",
        )

    async def apply(self) -> AsyncIterator[Event]:
        """Raises ProvisionError where the segment does not arrive, is another, or a failure is counted."""
        before = await self._counters()
        yield Ran(Command(await psql_script(self._site, _SWITCH), user=os_user(self._site)))
        began = self._site.clock.monotonic()
        segment = (await psql(self._site, _SWITCH)).partition("\t")[0]
        yield Printed(f"segment {segment} is complete")
        async for event in self._until_archived(segment, before, began):
            yield event
        took = self._site.clock.monotonic() - began
        for target in self._site.targets():
            async for event in self._compare(segment, target):
                yield event
        yield Proved(f"segment {segment} archived in {took:.1f} s")

    async def verify(self) -> AsyncIterator[Event]:
        """Raises ProvisionError where the verifier finds a fault."""
        check = await self._verified(await self._counters())
        if check.state is not CheckState.DONE:
            raise ProvisionError("verifying the archive", check.summary, check.remedy)
        yield Proved(check.summary)
        async for event in self._first_heartbeat():
            yield event

    async def _first_heartbeat(self) -> AsyncIterator[Event]:
        """The verifier's own first run, as its schedule will run it: until then it has no heartbeat."""
        command = Command(quote(names_of(self._site.profile).verifier))
        yield Ran(command)
        status, said = await status_of(self._site, command.text, timeout_s=120.0)
        if status == 0:
            yield Proved("the verifier has run, and left its heartbeat")
        for line in said.splitlines():
            yield Printed(f"the verifier finds: {safe(line)}")

    def _fetch(self, segment: str, place: str, target: BucketTarget) -> str:
        """Shell, for PostgreSQL's user, that brings a segment from that copy alone, as shell words both."""
        return f"{quote(names_of(self._site.profile).restore)} {segment} {place} {target.role.value}"

    async def _until_archived(self, segment: str, before: Counters, began: float) -> AsyncIterator[Event]:
        survey = await self._site.survey()
        size = survey.server.segment_bytes if survey.server is not None else 0
        limit = _BASE_LIMIT_S + len(self._site.targets()) * size / _BYTES_PER_S
        told_at, archived = began, before.archived
        while True:
            now, counters = self._site.clock.monotonic(), await self._counters()
            if counters.failed > before.failed:
                said = "; ".join(await last_lines(self._site, self._complains)) or "its log does not say why"
                raise ProvisionError(
                    f"archiving segment {segment}",
                    f"PostgreSQL counted a failure of {counters.last_failed}: {said}",
                    "mend what it names; PostgreSQL tries again by itself, and keeps the segment meanwhile",
                )
            if _is_at_least(counters.last, segment):
                yield Printed(f"PostgreSQL says that {counters.last} is archived")
                return
            if counters.archived > archived:  # what waited before it comes first: the limit is each one's
                archived, began = counters.archived, now
            if now - began > limit:
                raise ProvisionError(
                    f"archiving segment {segment}",
                    f"it is not archived after {limit:.0f} s; the last one is {counters.last or 'none'}",
                    "look at the server's log, and at what the archive command does (ps)",
                )
            if now - told_at > _TELL_EVERY_S:
                yield Waiting(f"PostgreSQL archives {segment}", now - began, limit)
                told_at = now
            await self._site.rest(_PAUSE_S, now)

    async def _compare(self, segment: str, target: BucketTarget) -> AsyncIterator[Event]:
        """One copy through the restore command, against the file, where that was not recycled yet."""
        survey = await self._site.survey()
        wal = f"{survey.server.data_directory if survey.server is not None else ''}/pg_wal/{segment}"
        script = f"""umask 077
folder=$(mktemp -d {quote(self._site.choices.temp_root)}/walconsole-proof.XXXXXXXX) || exit 1
trap 'rm -rf -- "$folder"' EXIT
{self._fetch(segment, f'"$folder/{segment}"', target)} || exit 1
[ -f {quote(wal)} ] || exit {_RECYCLED}
cmp "$folder/{segment}" {quote(wal)}"""
        fetched = f"{self._site.choices.temp_root}/{segment}"
        text = f"{self._fetch(segment, fetched, target)} && cmp {fetched} {quote(wal)}"
        shown = Command(text, user=os_user(self._site))
        running = run(self._site, shown, script=script, accepted=(0, _RECYCLED), timeout_s=LONGEST_TRANSFER_S)
        async for event in running:
            yield event
        status, _ = await status_of(self._site, f"[ -f {quote(wal)} ]", user=os_user(self._site))
        recycled = status != 0
        where = f"{target.bucket} in {target.region}"
        if recycled:
            yield Printed(f"{segment} came back whole from {where}; its file was recycled already")
        else:
            yield Proved(f"{segment} in {where} equals the file, byte by byte")

    async def _command(self) -> str:
        rows = (await psql(self._site, query("in_force"))).splitlines()
        values = {name: value for name, _, value in (row.partition("\t") for row in rows)}
        return values.get("archive_command", "")

    async def _counters(self) -> Counters:
        row = (await psql(self._site, query("archived"))).split("\t")
        archived, last, failed, last_failed, since_start, failing = (*row, *[""] * 6)[:6]
        counts = int(archived or 0), last, int(failed or 0), last_failed
        return Counters(*counts, since_start == "t", failing == "t")

    async def _verified(self, counters: Counters) -> Check:
        """What the installed verifier says, which asks the buckets for the very segment."""
        script = f"{quote(names_of(self._site.profile).verifier)} --json"
        status, said = await status_of(self._site, script, timeout_s=120.0)
        try:
            answer = json.loads(said)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            return Check(CheckState.NEEDED, f"the verifier did not answer (exit status {status})")
        faults = [fault for fault in answer.get("faults", []) if fault.get("id") != "heartbeat"]
        facts = tuple(
            Fact(role.value, str(answer.get(role.value)), _state(answer.get(role.value)))
            for role in BucketRole
        )
        if faults:
            return Check(CheckState.NEEDED, str(faults[0].get("text", "the verifier finds a fault")), facts)
        return Check(CheckState.DONE, f"{counters.last} is in each copy, and nothing fails", facts)


def _state(presence: object) -> FactState:
    return FactState.OK if presence in ("present", None) else FactState.WARNING


def _is_at_least(archived: str, segment: str) -> bool:
    """Whether the file archived last is that segment or a later one of its timeline, or of a newer one."""
    name = archived[:24]
    return len(name) == len(segment) and name >= segment
