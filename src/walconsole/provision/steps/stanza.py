"""pgBackRest's stanza: whose cluster a repository is, noted in each before anything is stored there."""

import asyncio
from collections.abc import AsyncIterator

from walconsole.droplet.rendering import pgbackrest_call
from walconsole.errors import ProvisionError
from walconsole.provision.droplet.commands import os_user, programs, run
from walconsole.provision.droplet.survey import ServerSurvey
from walconsole.provision.engine.model import (
    Check,
    CheckState,
    Command,
    Event,
    Fact,
    FactState,
    Plan,
    Proved,
    Risk,
)
from walconsole.provision.engine.not_undone import NotUndone
from walconsole.provision.engine.site import Site
from walconsole.provision.steps.engine import pgbackrest_obstacle, program_obstacle
from walconsole.provision.steps.repository_look import StanzaLook, look_at_stanza

_LONGEST_S = 600.0
_ANOTHER = (
    "give this server a prefix or a bucket of its own, or its profile another name; nothing there is touched"
)


class Stanza(NotUndone):
    """model.Step. What is in the buckets stays: a stanza is never deleted."""

    id = "stanza"
    title = "Stanza"
    risk = Risk.ADDS
    gated = True
    always = False
    explanation = (
        "Has pgBackRest make its stanza (stanza-create): a small file in each repository that says which "
        "cluster it is for, without which nothing is archived. It is done where both files, read from the "
        "buckets without pgBackRest, name this very cluster. A stanza of another cluster is never replaced."
    )

    def __init__(self, site: Site) -> None:
        self._site = site

    async def check(self) -> Check:
        """By archive.info of each copy, read by the profile's own key."""
        survey = await self._site.survey()
        blocked = pgbackrest_obstacle(survey, self._site.profile, self._site.choices, self._site.backup)
        blocked = blocked or program_obstacle(survey)
        if blocked is not None or survey.server is None:
            return blocked or Check(CheckState.BLOCKED, survey.server_problem)
        looks = await self._looks()
        return _judged(looks, survey.server)

    async def plan(self) -> Plan:
        """The one command."""
        where = " and ".join(target.bucket for target in self._site.targets())
        return Plan(
            f"make the stanza {self._site.profile.name} in {where}",
            commands=(self._command(),),
            notes=("it asks the server for its identity, and writes two small files into each repository",),
            undo="none: what is in the buckets stays",
        )

    async def apply(self) -> AsyncIterator[Event]:
        """Raises ProvisionError with pgBackRest's last words."""
        script = f"cd / && {programs(self._site)}{self._command().text}"
        async for event in run(self._site, self._command(), script=script, timeout_s=_LONGEST_S):
            yield event

    async def verify(self) -> AsyncIterator[Event]:
        """Raises ProvisionError where a copy's file does not name this cluster."""
        check = await self.check()
        if check.state is not CheckState.DONE:
            raise ProvisionError("reading the stanza back", check.summary, check.remedy)
        yield Proved(check.summary)

    async def _looks(self) -> list[StanzaLook]:
        return list(
            await asyncio.gather(*(look_at_stanza(self._site, each) for each in self._site.targets()))
        )

    def _command(self) -> Command:
        return Command(f"{pgbackrest_call(self._site.profile)} stanza-create", user=os_user(self._site))


def _judged(looks: list[StanzaLook], server: ServerSurvey) -> Check:
    own = int(server.system_identifier) % 2**64
    facts = tuple(_fact(look, own) for look in looks)
    another = next((look for look in looks if look.system_identifier not in (None, own)), None)
    if another is not None:
        why = f"the stanza in {another.where} is of another cluster, {another.system_identifier}"
        return Check(CheckState.BLOCKED, why, facts, _ANOTHER)
    lacking = [look for look in looks if look.system_identifier is None]
    if lacking:
        said = [f"{look.where}: {look.why}" if look.why else f"no stanza in {look.where}" for look in lacking]
        remedy = next((look.remedy for look in lacking if look.remedy), "")
        return Check(CheckState.NEEDED, "; ".join(said), facts, remedy)
    return Check(CheckState.DONE, "each repository has the stanza of this cluster", facts)


def _fact(look: StanzaLook, own: int) -> Fact:
    if look.why:
        return Fact(look.where, look.why, FactState.UNKNOWN, look.remedy)
    if look.system_identifier is None:
        return Fact(look.where, "no stanza", FactState.NOTE)
    whose = "this cluster's" if look.system_identifier == own else f"of system {look.system_identifier}"
    return Fact(look.where, whose, FactState.OK if look.system_identifier == own else FactState.STOP)
