"""The endpoint in rclone's configuration: where the archive stands, in the sections that name another."""

import shlex
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

from walconsole.domain.profile import BucketTarget
from walconsole.domain.records import record
from walconsole.errors import ProvisionError
from walconsole.provision.droplet.commands import os_user, status_of
from walconsole.provision.droplet.files import whose
from walconsole.provision.droplet.reworked import PutBackUnseen, kept_before, rework
from walconsole.provision.engine.model import (
    Check,
    CheckState,
    Command,
    Event,
    Fact,
    FactState,
    Plan,
    Proved,
    Ran,
)
from walconsole.provision.fixes.base import FixStep

_REWRITE = r"""NR == 1 { section = $0; next }
NR == 2 { endpoint = $0; next }
/^[[:space:]]*\[/ { name = $0; gsub(/^[[:space:]]*\[|\][[:space:]]*$/, "", name); wanted = name == section }
wanted && /^[[:space:]]*endpoint[[:space:]]*=/ { print "endpoint = " endpoint; done = 1; next }
{ print }
END { exit !done }
"""
"""awk: the section and its endpoint come as the first two lines of its input, then the configuration."""


@record
class _Wrong:
    """A section of rclone's configuration, with the endpoint that it has and the one it shall have."""

    remote: str
    now: str
    wanted: str


class EndpointInForce(PutBackUnseen, FixStep):
    """Each copy's section names the endpoint that the profile has for it."""

    id = "rclone-endpoint"
    title = "Endpoint"
    undone = "put the earlier rclone configuration back"
    explanation = (
        "The archive command writes where rclone's configuration says; the archive stands where the profile "
        "says, and the console reads it there. This writes the profile's endpoint into each section that has "
        "another. The keys in the file stay as they are, and are neither read nor shown; the old file is "
        "kept, and undo puts it back. Where it is the profile that is wrong, correct that instead."
    )

    async def check(self) -> Check:
        """NEEDED where a section names another host, BLOCKED where there is none to correct."""
        survey = await self._site.survey(again=True)
        facts = tuple(
            Fact(one.remote, f"{one.now}; the profile has {one.wanted}", FactState.WARNING)
            for one in await self._wrong()
        )
        if facts:
            return Check(CheckState.NEEDED, f"{survey.rclone.config} names another endpoint", facts)
        missing = [target for target in self._site.targets() if survey.rclone.remote(_remote(target)) is None]
        if survey.rclone.problem or missing:
            why = survey.rclone.problem or f"there is no section [{_remote(missing[0])}]"
            return Check(
                CheckState.BLOCKED,
                f"{survey.rclone.config}: {why}",
                remedy="write its sections first: type, provider, endpoint, keys",
            )
        return Check(CheckState.DONE, f"{survey.rclone.config} names the profile's endpoints")

    async def plan(self) -> Plan:
        """The lines that change; the rest of the file holds keys, and is not shown."""
        config = (await self._site.survey()).rclone.config
        user = await whose(self._site, config)
        wrong = await self._wrong()
        return Plan(
            f"write the endpoint of {' and '.join(one.remote for one in wrong)} into {config}",
            commands=tuple(Command(_by_hand(config, one), user=user) for one in wrong),
            notes=tuple(f"[{one.remote}] endpoint: {one.now} -> {one.wanted}" for one in wrong),
            undo="the old file is put back",
        )

    async def apply(self) -> AsyncIterator[Event]:
        """Each section in turn; the old file is kept first. Raises ProvisionError."""
        config = (await self._site.survey()).rclone.config
        wrong = await self._wrong()
        user = await whose(self._site, config)
        after = ", ".join(f"[{one.remote}] {one.wanted}" for one in wrong)
        yield await kept_before(self._site, self.id, config, after)
        for one in wrong:
            yield Ran(Command(_by_hand(config, one), user=user))
            tried = f"writing the endpoint into {config} on the droplet"
            lines, unfit = (one.remote, one.wanted), "the section has no endpoint"
            await rework(self._site, config, _REWRITE, lines, unfit, tried)

    async def verify(self) -> AsyncIterator[Event]:
        """As the server's user, by that configuration: does each copy answer?"""
        check = await self.check()
        if check.state is not CheckState.DONE:
            raise ProvisionError("reading the configuration back", check.summary, check.remedy)
        config = shlex.quote((await self._site.survey()).rclone.config)
        for target in self._site.targets():
            place = f"{_remote(target)}:{target.bucket}"
            listing = f"rclone --config {config} lsf --max-depth 1 {shlex.quote(place)} --retries 1"
            status, said = await status_of(
                self._site, f"timeout 60 {listing} >/dev/null", user=os_user(self._site), timeout_s=90.0
            )
            if status != 0:
                why = " ".join(said.split())[:300] or f"exit status {status}"
                raise ProvisionError(f"listing {place} from the droplet", why, "the probes (d) tell more")
            yield Proved(f"{place} answers the archiver at {target.endpoint}")

    async def _wrong(self) -> tuple[_Wrong, ...]:
        remotes = (await self._site.survey()).rclone
        found = []
        for target in self._site.targets():
            section = remotes.remote(_remote(target))
            if section is not None and target.endpoint and _host(section.endpoint) != _host(target.endpoint):
                found.append(_Wrong(section.name, section.endpoint, target.endpoint))
        return tuple(found)


def _remote(target: BucketTarget) -> str:
    return target.keys.rclone_remote


def _host(endpoint: str) -> str:
    """Host and port; rclone takes an endpoint with its scheme and without."""
    return urlsplit(endpoint if "//" in endpoint else f"//{endpoint}").netloc.lower()


def _by_hand(config: str, one: _Wrong) -> str:
    """One sed, for a shell of whoever may write the file."""
    section = one.remote.replace("/", r"\/")
    edit = rf"/^\[{section}\]/,/^\[/ s|^endpoint *=.*|endpoint = {one.wanted}|"
    return f"sed -i {shlex.quote(edit)} {shlex.quote(config)}"
