"""The proof where pgBackRest archives: one segment, seen in each repository without it, and compared."""

import asyncio
from collections.abc import AsyncIterator

from walconsole.domain.profile import BucketTarget
from walconsole.domain.wal import Segment
from walconsole.droplet.rendering import pgbackrest_call
from walconsole.errors import ObjectStoreError
from walconsole.provision.droplet.commands import programs
from walconsole.provision.engine.model import Check, CheckState, Event, Fact, FactState
from walconsole.provision.steps.proof import Counters, Proof
from walconsole.provision.steps.repository_look import look_at_stanza, segments_from

_SEGMENT_DIGITS = 24


class RepositoryProof(Proof):
    """The same, by `archive-get` from each repository alone, and by what the buckets themselves list."""

    explanation = (
        "Writes a restore point and switches to a new segment, so that the current one is archived at "
        "once. Then it watches PostgreSQL archive it, fetches it back from each repository with pgBackRest "
        "(archive-get) and compares it byte by byte with the file in pg_wal. It passes only where each "
        "bucket, asked without pgBackRest, lists the segment that was archived last, and no failure was "
        "counted meanwhile."
    )

    @property
    def _complains(self) -> str:
        """pgBackRest's errors in the server's log have no name of its own in them."""
        return "ERROR: ["

    def _fetch(self, segment: str, place: str, target: BucketTarget) -> str:
        number = self._site.targets().index(target) + 1
        call = f"{programs(self._site)}{pgbackrest_call(self._site.profile)} --repo={number}"
        return f"{call} archive-get {segment} {place}"

    async def _verified(self, counters: Counters) -> Check:
        """By the listing of each bucket."""
        survey = await self._site.survey()
        if survey.server is None:
            return Check(CheckState.BLOCKED, survey.server_problem, remedy="start the server")
        if counters.failing:
            return Check(CheckState.NEEDED, f"archiving fails, lately of {counters.last_failed}")
        try:
            segment = Segment.parse(counters.last[:_SEGMENT_DIGITS], survey.server.segment_bytes)
        except ValueError:
            return Check(CheckState.NEEDED, f"{counters.last or 'nothing'} was archived last: no segment")
        seen = [self._seen(target, segment, survey.server.segment_bytes) for target in self._site.targets()]
        facts = tuple(await asyncio.gather(*seen))
        lacking = [fact for fact in facts if fact.state is not FactState.OK]
        name = segment.name(survey.server.segment_bytes)
        if lacking:
            said = f"{name} in {lacking[0].label}: {lacking[0].value}"
            return Check(CheckState.NEEDED, said, facts, lacking[0].remedy)
        return Check(CheckState.DONE, f"{name} is in each repository, and nothing fails", facts)

    async def _first_heartbeat(self) -> AsyncIterator[Event]:
        """There is no verifier: pgBackRest's archive is the console's to look at."""
        for event in tuple[Event, ...]():
            yield event

    async def _seen(self, target: BucketTarget, segment: Segment, segment_bytes: int) -> Fact:
        label = f"{target.bucket} in {target.region}"
        stanza = await look_at_stanza(self._site, target)
        if stanza.system_identifier is None:
            return Fact(label, stanza.why or "no stanza", FactState.WARNING, stanza.remedy)
        try:
            there = await segments_from(self._site.store(target), stanza, segment, segment_bytes)
        except ObjectStoreError as error:
            return Fact(label, f"could not be looked at: {error.why}", FactState.UNKNOWN, error.remedy)
        if segment not in there:
            return Fact(label, "not there", FactState.WARNING)
        return Fact(label, "there")
