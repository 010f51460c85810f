"""pgBackRest itself, from the distribution."""

import re
from collections.abc import AsyncIterator

from walconsole.droplet.pgbackrest import FIRST_RELEASE
from walconsole.errors import ProvisionError
from walconsole.provision.droplet.commands import programs, run, status_of
from walconsole.provision.engine.model import (
    Check,
    CheckState,
    Command,
    Event,
    Fact,
    Plan,
    Proved,
    Risk,
)
from walconsole.provision.engine.not_undone import NotUndone
from walconsole.provision.engine.site import Site
from walconsole.provision.steps.engine import pgbackrest_obstacle

_LONGEST_S = 1800.0
"""For a package manager that waits for another one, and loads what it installs."""
_INSTALL = (
    "DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 apt-get -o DPkg::Lock::Timeout=120"
    " install -y --no-install-recommends pgbackrest"
)
_VERSION = re.compile(r"pgBackRest (\d{1,3})\.(\d{1,3})", re.ASCII)
_BY_HAND = "install pgBackRest 2.39 or newer by this host's own package manager, and run this again"


class PgBackRestPackage(NotUndone):
    """model.Step. The package stays when the rest is undone: something else may use it by then."""

    id = "pgbackrest"
    title = "pgBackRest"
    risk = Risk.ADDS
    gated = True
    always = False
    explanation = (
        "Installs pgBackRest from the distribution's own packages, without what is merely recommended. It "
        "asks nothing, restarts nothing, and waits up to two minutes where another package manager is at "
        "work. Nothing of the package is used before the drop-in names it. It takes release 2.39 at least: "
        "older ones send each small file by itself, of which a cluster has thousands."
    )

    def __init__(self, site: Site) -> None:
        self._site = site

    async def check(self) -> Check:
        """By the program's own word for its release."""
        survey = await self._site.survey()
        blocked = pgbackrest_obstacle(survey, self._site.profile, self._site.choices, self._site.backup)
        if blocked is not None:
            return blocked
        if "pgbackrest" in survey.tools:
            return await self._installed(survey.tools["pgbackrest"])
        if "apt-get" in survey.tools:
            return Check(CheckState.NEEDED, "pgBackRest is to be installed")
        return Check(CheckState.BLOCKED, "there is no pgBackRest, and no apt-get here", remedy=_BY_HAND)

    async def plan(self) -> Plan:
        """The one command."""
        return Plan(
            "install pgBackRest from the distribution's packages",
            commands=(Command(_INSTALL),),
            notes=("Debian's package brings a configuration of its own, which is not used",),
            undo="none: the package stays (`apt-get remove pgbackrest` takes it away)",
        )

    async def apply(self) -> AsyncIterator[Event]:
        """Raises ProvisionError with apt's last words."""
        async for event in run(self._site, Command(_INSTALL), timeout_s=_LONGEST_S):
            yield event
        await self._site.survey(again=True)

    async def verify(self) -> AsyncIterator[Event]:
        """Raises ProvisionError where it cannot be run, or is too old."""
        check = await self.check()
        if check.state is not CheckState.DONE:
            raise ProvisionError("looking for pgBackRest", check.summary, check.remedy)
        yield Proved(check.summary)

    async def _installed(self, place: str) -> Check:
        _, said = await status_of(self._site, f"{programs(self._site)}pgbackrest version")
        found = _VERSION.search(said)
        if found is None:
            return Check(
                CheckState.BLOCKED, f"{place} does not tell its version", remedy="run `pgbackrest version`"
            )
        release = (int(found[1]), int(found[2]))
        facts = (Fact("pgBackRest", f"{place}, {found[1]}.{found[2]}"),)
        if release < FIRST_RELEASE:
            why = f"pgBackRest {found[1]}.{found[2]} is too old: it takes 2.39"
            return Check(CheckState.BLOCKED, why, facts, _BY_HAND)
        return Check(CheckState.DONE, f"pgBackRest {found[1]}.{found[2]} is installed", facts)
