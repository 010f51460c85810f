"""Looking at everything that provisioning needs, before anything is changed."""

import asyncio
from collections.abc import AsyncIterator

from walconsole.domain.redaction import safe
from walconsole.domain.units import plural
from walconsole.errors import BlockedError, ProvisionError
from walconsole.provision.droplet.commands import DATABASE_BYTES, psql
from walconsole.provision.droplet.survey import Survey
from walconsole.provision.engine.model import (
    Change,
    Check,
    CheckState,
    Event,
    Fact,
    FactState,
    Plan,
    Printed,
    Proved,
    Risk,
)
from walconsole.provision.engine.site import Site
from walconsole.provision.steps.engine import engine_facts
from walconsole.provision.steps.key_and_bucket_look import look_at_bucket, look_at_keys
from walconsole.provision.steps.preflight_archive import archive_facts
from walconsole.provision.steps.preflight_droplet import droplet_facts


class Preflight:
    """model.Step that changes nothing: done where nothing stands in the way, blocked by what does."""

    id = "preflight"
    title = "Preflight"
    risk = Risk.READS
    gated = False
    always = False
    explanation = (
        "Looks at the droplet, the server, the production rclone configuration (of its keys only the ids), "
        "the API token and the buckets, and changes nothing. What would make a later step fail or do harm "
        "stops here: a standby, another cluster's WAL in the bucket, a program that is missing. What is only "
        "worth knowing is said, and no obstacle; what only a write could tell is not tried."
    )

    def __init__(self, site: Site) -> None:
        self._site = site

    async def check(self) -> Check:
        """Looks anew each time: what stood in the way may have been mended."""
        facts = await self._facts()
        stops = [fact for fact in facts if fact.state is FactState.STOP]
        if stops:
            more = f" (and {plural(len(stops) - 1, 'more obstacle')})" if len(stops) > 1 else ""
            summary = safe(f"{stops[0].label}: {stops[0].value}{more}")
            return Check(CheckState.BLOCKED, summary, facts, stops[0].remedy)
        warnings = sum(fact.state is FactState.WARNING for fact in facts)
        summary = "nothing stands in the way"
        if warnings:
            summary += f"; {plural(warnings, 'warning')}"
        return Check(CheckState.DONE, summary, facts)

    async def plan(self) -> Plan:
        """Nothing is planned."""
        return Plan("look, and change nothing")

    async def apply(self) -> AsyncIterator[Event]:
        """Tell every fact."""
        for fact in await self._facts():
            yield Printed(f"{fact.label}: {fact.value}")

    async def verify(self) -> AsyncIterator[Event]:
        """Raises BlockedError where something stands in the way."""
        check = await self.check()
        if check.state is CheckState.BLOCKED:
            raise BlockedError(self.title, check.summary, check.remedy)
        yield Proved(check.summary)

    async def undo_plan(self, changes: tuple[Change, ...]) -> Plan | None:
        """Nothing was changed."""
        return None

    async def undo(self, changes: tuple[Change, ...]) -> AsyncIterator[Event]:
        """Nothing was changed."""
        for _ in changes:
            yield Printed("nothing was changed")

    async def _facts(self) -> tuple[Fact, ...]:
        site, targets = self._site, self._site.targets()
        survey, keys, looks = await asyncio.gather(
            site.survey(again=True),
            look_at_keys(site),
            asyncio.gather(*(look_at_bucket(site, target) for target in targets)),
        )
        size = await _database_bytes(site, survey)
        return (
            *droplet_facts(survey, site.profile, site.choices),
            *engine_facts(survey, site.profile, site.choices, site.backup, size),
            *archive_facts(survey, site.profile, targets, keys, looks),
        )


async def _database_bytes(site: Site, survey: Survey) -> int | None:
    """The databases' size, None where the server cannot be asked."""
    if survey.server is None:
        return None
    try:
        return int(await psql(site, DATABASE_BYTES) or 0)
    except ProvisionError:
        return None
