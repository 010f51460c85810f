"""The other host, before anything is done on it: what it must have, said with what is missing."""

from collections.abc import AsyncIterator, Awaitable, Callable

from walconsole.domain.recovery.other_host import ClusterNeeds, OtherHost, judged_host
from walconsole.domain.recovery.target_judgement import Concern
from walconsole.provision.elsewhere.look import NEEDED, look_at_other, needs_of_production
from walconsole.provision.engine.model import (
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
from walconsole.provision.engine.not_undone import NotUndone
from walconsole.provision.engine.site import Site

Known = Callable[[ClusterNeeds], Awaitable[ClusterNeeds]]
"""Completes what production could not be asked for."""


class OtherHostLook(NotUndone):
    """model.Step. It reads, and refuses with words. `known` is what the archive tells of the cluster."""

    id = "elsewhere-host"
    title = "What the host must have"
    risk = Risk.READS
    gated = False
    always = False
    explanation = (
        "Compares the other host with production's: PostgreSQL of the same major version with all its "
        "programs, the same architecture and block sizes, the databases' locales, preloaded libraries, "
        "glibc (by which text is sorted), the clock, rclone and zstd. That it is not production's own host "
        "under another name is told by its identity, and by the clusters that are on it. Production's host "
        "may be gone: then it says what was not compared."
    )

    def __init__(self, site: Site, known: Known | None = None, needed: tuple[str, ...] = NEEDED) -> None:
        self._site, self._known, self._needed = site, known, needed

    async def check(self) -> Check:
        """DONE where a cluster of production's can run there; BLOCKED with what forbids it first."""
        site, production = self._site, self._site.production
        needs = await needs_of_production(site)
        if self._known is not None:
            needs = await self._known(needs)
        there = await look_at_other(site, needs.major, self._needed)
        judged = judged_host(needs, there)
        facts = (*_facts(needs, there), *(_fact(each, FactState.WARNING) for each in judged.warnings))
        if production is not None and production.away:
            away = f"{production.site.where} does not answer: {production.away}"
            facts = (
                Fact("production", away, FactState.WARNING, "whether its server runs is not known"),
                *facts,
            )
        if judged.refusals:
            first = judged.refusals[0]
            facts += tuple(_fact(each, FactState.STOP) for each in judged.refusals[1:])
            return Check(CheckState.BLOCKED, first.text, facts, first.remedy)
        return Check(CheckState.DONE, f"{site.where} can run it", facts)

    async def plan(self) -> Plan:
        """Nothing is changed."""
        return Plan(f"look at {self._site.where}")

    async def apply(self) -> AsyncIterator[Event]:
        """Nothing: its check is all of it."""
        yield Printed("nothing is changed")

    async def verify(self) -> AsyncIterator[Event]:
        """Nothing."""
        yield Proved(f"{self._site.where} can run it")


def _facts(needs: ClusterNeeds, there: OtherHost) -> tuple[Fact, ...]:
    version = f"PostgreSQL {needs.major}" if needs.major is not None else "PostgreSQL"
    return (
        Fact(
            "host",
            f"{there.name}: {there.hostname or 'n/a'}, {there.machine or 'n/a'}, {there.glibc or 'n/a'}",
        ),
        Fact("programs", f"{version} in {there.bin}" if there.bin else f"{version}: n/a"),
    )


def _fact(concern: Concern, state: FactState) -> Fact:
    return Fact("note" if state is FactState.WARNING else "refused", concern.text, state, concern.remedy)
