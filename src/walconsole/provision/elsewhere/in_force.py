"""The end of a recovery on another host: keys to stay, a configuration, and production stopped on its own."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from shlex import join, quote

from walconsole.domain.recovery.recover_state import RecoveryState
from walconsole.droplet.files import dropin_file
from walconsole.droplet.names import names_of
from walconsole.errors import BlockedError, ProvisionError
from walconsole.observe.host.invocation import as_user
from walconsole.provision.droplet.commands import ask, os_user, programs, psql, run, status_of
from walconsole.provision.droplet.files import differences, file_functions, install, keep
from walconsole.provision.droplet.reworked import PutBackUnseen
from walconsole.provision.elsewhere.keys import brought, with_config
from walconsole.provision.elsewhere.place import free_port
from walconsole.provision.engine.model import (
    Change,
    ChangeKind,
    Changing,
    Check,
    CheckState,
    Command,
    Event,
    FileChange,
    Plan,
    Printed,
    Proved,
    Risk,
)
from walconsole.provision.engine.site import Site
from walconsole.provision.recovering.control import OldServer
from walconsole.provision.recovering.ending import TakeOver
from walconsole.provision.recovering.recovery import Recovery, site_of


class KeepKeys(PutBackUnseen):
    """model.Step. A server that archives needs them for good."""

    id = "elsewhere-keep-keys"
    title = "The store's keys, to stay"
    undone = "put back what was there before the store's keys, or take them away"
    undone_notes = ("a server there that archives by them fails from then on: segments wait in its pg_wal",)
    risk = Risk.ADDS
    gated = True
    always = False
    explanation = (
        "Puts the keys that were brought where a host of this deployment has them, root's, which "
        "PostgreSQL's user may read: from now on this host archives. They are copied on the host itself."
    )

    def __init__(self, recovery: Recovery) -> None:
        self._recovery, self._site = recovery, recovery.site

    async def check(self) -> Check:
        """DONE where the host has its own."""
        if self._site.profile.paths.rclone_config == self._path:
            return Check(CheckState.DONE, f"{self._site.where} has {self._path}")
        return Check(CheckState.NEEDED, f"{self._path} is to be written")

    async def plan(self) -> Plan:
        """The file, without its text."""
        reading = join(("runuser", "-u", os_user(self._site), "--", "cat", "--", self._brought))
        group = f'"$(id -gn {quote(os_user(self._site))})"'
        return Plan(
            f"write {self._path} on {self._site.where}, root's, mode 0640",
            commands=(
                Command(f"{reading} | install -m 0640 -o root -g {group} /dev/stdin {quote(self._path)}"),
            ),
            files=(FileChange(self._path, None, None, 0o640, secret=True),),
            undo=f"walconsole undo {self._site.profile.name} --on {self._site.where} takes it away",
        )

    async def apply(self) -> AsyncIterator[Event]:
        """Raises ProvisionError."""
        source, now = self._brought, self._site.clock.now()
        there, _ = await status_of(self._site, f"test -e {quote(self._path)}")
        kept = await keep(self._site, self._path) if there == 0 else ""
        before = f"kept as {kept}" if kept else "not there"
        yield Changing(Change(self.id, ChangeKind.FILE, self._path, before, "mode 0640", kept, now))
        reading = as_user(os_user(self._site), f"cat -- {quote(source)}")
        group = f'"$(id -gn {quote(os_user(self._site))})"'
        script = (
            f"{file_functions()}text=$( {reading} | sed '/^# walconsole:/d' | base64 | tr -d '\\n')\n"
            f'[ -n "$text" ] || {{ echo "there is nothing in {source}"; exit 1; }}\n'
            "bytes=$(printf '%s' \"$text\" | base64 -d | wc -c)\n"
            f'printf \'%s\' "$text" | base64 -d | put_in {quote(self._path)} 0640 root {group} "$bytes"\n'
        )
        await ask(self._site, script, tried=f"writing {self._path} on {self._site.where}")
        for site in (self._site, self._recovery.own(await self._recovery.state())):
            with_config(site, self._path)
            await site.survey(again=True)
        yield Printed(f"{self._path} holds the store's keys, root's")

    async def verify(self) -> AsyncIterator[Event]:
        """PostgreSQL's user can read it. Raises ProvisionError."""
        script = f"test -r {quote(self._path)}"
        status, _ = await status_of(self._site, script, user=os_user(self._site))
        if status != 0:
            raise ProvisionError(
                f"reading {self._path}", f"user {os_user(self._site)} cannot", "see its mode"
            )
        yield Proved(f"{self._path} can be read by user {os_user(self._site)}")

    @property
    def _brought(self) -> str:
        return brought(names_of(self._site.profile).recover_state)

    @property
    def _path(self) -> str:
        production = self._site.production
        return production.config if production is not None else self._site.profile.paths.rclone_config


class TakeOverElsewhere(TakeOver):
    """model.Step. Production is stopped on its host, and what was recovered runs on this one, archiving."""

    title = "In force"
    explanation = (
        "Stops production's server on its host, where that answers: two that take writes are two truths. "
        "What was recovered gets its place on the other host, with a configuration of that host's own, the "
        "limits of the old server, and the drop-in by which it archives, onto the new timeline; then it is "
        "started. Where production's host does not answer nothing is stopped: see that its server does not "
        "come back."
    )

    async def plan(self) -> Plan:
        """With what cannot be done on production's host."""
        plan, production = await super().plan(), self._site.production
        if production is None or not production.away:
            state = await self._recovery.state()
            stops = f"production's server is stopped on {self._site.source.where}; all else is done here"
            lost = f"what it committed after {state.lsn or 'the replay'} is not in what was recovered"
            return replace(plan, notes=(stops, lost, *plan.notes))
        where = production.site.where
        risk = (
            f"{where} does not answer ({production.away}): its server cannot be stopped. See that it does "
            "not come back with its applications: it would go on on the old timeline, as a second truth"
        )
        return replace(plan, notes=(risk, *plan.notes), confirm=self._site.profile.name)

    async def _words(self, state: RecoveryState, old: OldServer) -> tuple[str, ...]:
        if state.place.in_place:
            raise BlockedError(
                self.title, "there is no old cluster on this host", "--into VERSION/NAME or /PATH"
            )
        if state.place.folder:
            return "take-place", "-", str(await free_port(self._site))
        return "take-place", "-"

    async def _configure(self) -> AsyncIterator[Event]:
        """Debian is told of a cluster; the drop-in stands before the first start, so that no WAL is lost to
        it.
        """
        state = await self._recovery.state()
        folder = state.tree
        if state.place.cluster is not None:
            async for event in run(self._site, self._cluster(state)):
                yield event
            folder = (await ask(self._site, f"echo {_configuration(state)}")).strip()
        conf_d = f"{folder}/conf.d"
        # as its owner: a link that stands there leads root nowhere
        making = join(("mkdir", "-p", "--", conf_d))
        await ask(self._site, making, user=os_user(self._site), tried=f"making {conf_d}")
        wanted = dropin_file(self._site.profile, self._site.choices, conf_d)
        for change in await differences(self._site, (wanted,)):
            async for event in install(self._site, self.id, change):
                yield event

    def _cluster(self, state: RecoveryState) -> Command:
        """pg_createcluster(1) takes a data directory that is there for its own."""
        name = state.place.cluster
        if name is None:
            raise BlockedError(self.title, "it is no cluster of Debian's", "see docs/recovery.md")
        making = join(("pg_createcluster", "--start-conf", "auto", "-d", state.tree, name.version, name.name))
        return Command(f"[ -e {_configuration(state)}/start.conf ] || {programs(self._site)}{making}")

    async def _told(self, state: RecoveryState, site: Site) -> str:
        port = (await psql(site_of(self._site, state), "SHOW port")).strip()
        return "; ".join(self._advice(state, port))

    def _advice(self, state: RecoveryState, port: str) -> Iterator[str]:
        ssh = self._site.profile.ssh
        yield f"applications: {ssh.host}, port {port}"
        yield (
            "it listens to its own host alone: bring listen_addresses, pg_hba.conf and what else the old "
            "configuration had"
        )
        if state.place.folder:
            yield f"nothing starts it at a boot yet: make a unit for {state.tree}"
        yield f"nothing of {self._site.source.where} was deleted"


def _configuration(state: RecoveryState) -> str:
    """Where Debian has its configuration, as shell words."""
    name = state.place.cluster
    place = f"/{name.version}/{name.name}" if name is not None else ""
    return f'"${{PG_CLUSTER_CONF_ROOT:-/etc/postgresql}}"{place}'
