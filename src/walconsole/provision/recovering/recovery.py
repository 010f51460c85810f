"""One recovery on one droplet: where it stands, what is planned, and the runs of its script.

What was begun is known by the script's own file on the droplet: whoever looks next goes on from there.
"""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from shlex import join, quote

from walconsole.domain.archivers.own_restore import OwnRestore
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.profile import BucketRole
from walconsole.domain.recovery.by_tool import called_by
from walconsole.domain.recovery.drill_status import DOING, DrillStatus
from walconsole.domain.recovery.epochs import meant_by
from walconsole.domain.recovery.recover_plan import RecoveryPlan, RecoveryWish, plan_recovery
from walconsole.domain.recovery.recover_state import RecoveryPhase, RecoveryState, read_recovery
from walconsole.domain.recovery.recover_target import RecoverTo, RecoveryTarget
from walconsole.domain.recovery.target_judgement import TargetKnown
from walconsole.domain.standing.recovering import ahead_of_stores, written_to
from walconsole.domain.standing.recovery import restorable
from walconsole.droplet.names import names_of
from walconsole.errors import BlockedError, ProvisionError
from walconsole.provision.droplet.commands import answer_alone, ask, database_word, os_user, psql, status_of
from walconsole.provision.droplet.drill_run import DrillRun
from walconsole.provision.droplet.surveying import take_survey
from walconsole.provision.elsewhere.place import look_elsewhere
from walconsole.provision.engine.model import Command, Event, Printed
from walconsole.provision.engine.site import Site
from walconsole.provision.recovering.control import NOBODYS, OldServer
from walconsole.provision.recovering.host_look import look_at_host
from walconsole.provision.recovering.its_key import opened_by_its_key
from walconsole.provision.steps.drill_command import key_fault
from walconsole.provision.steps.drill_look import last_good

IN_FORCE = frozenset({RecoveryPhase.TAKEN_OVER, RecoveryPhase.DONE})
BEFORE_PROMOTION = frozenset(
    {
        RecoveryPhase.RESTORING,
        RecoveryPhase.RESTORED,
        RecoveryPhase.REPLAYING,
        RecoveryPhase.PAUSED,
        RecoveryPhase.ENDED,
    }
)
"""In which a phase that is under way can be ended anywhere: what it writes lies in the recovery's folder."""
_BLOCKED = frozenset({2, 3, 6})
_PORT_DIGITS = 6
_PHASES = {**DOING, "starting": "it looks where it stands", "keeping": "the old server's last WAL is kept"}
ENDS = {
    1: ("not done now", "mend what it names, then run it again: it goes on where it was"),
    2: ("it cannot be done so", "see what it says"),
    3: ("another has the lock, or a phase runs", "wait until that one has ended, then run it again"),
    4: ("FAILED", "see what it names; another base backup (--backup ID) may lead there"),
    6: ("no room", "make room on that disk, then run it again"),
    9: ("ended by a signal", "run it again: it goes on where it was"),
}
"""The script's exit statuses (docs/recovery.md): what each means, and what to do."""


class RecoverRun(DrillRun):
    """The recovery's script, called with a verb."""

    about = "the recovery"
    doing = _PHASES

    def __init__(self, site: Site, *words: str) -> None:
        super().__init__(site)
        names = names_of(site.profile)
        self._script, self._state = names.recover, names.recover_state
        self.options = f" {join(words)}" if words else ""


class Recovery:
    """What the steps of one recovery share. `wish` None: what was begun is gone on with, and `looks`,
    `tables` and `database` are what is looked at then.
    """

    def __init__(
        self,
        site: Site,
        wish: RecoveryWish | None = None,
        *,
        looks: tuple[str, ...] = (),
        tables: tuple[str, ...] = (),
        database: str = "",
    ) -> None:
        self.site, self._asked = site, wish
        self._looks, self._tables, self._database = looks, tables, database
        self.id = f"{datetime.fromtimestamp(site.clock.now(), UTC):%Y%m%dT%H%M%SZ}"
        """Of a recovery that this begins."""
        self._plan: RecoveryPlan | None = None
        self._own: Site | None = None

    @property
    def asks_where(self) -> bool:
        """Whether nobody said where to: what was begun is gone on with, or told of."""
        return self._asked is None

    @property
    def may_stop_old(self) -> bool:
        """Whether the old server is stopped before anything is restored: known once it is told where."""
        return self.site.production is None and (self._asked is None or self._asked.place.in_place)

    async def state(self) -> RecoveryState:
        """Where it stands; RecoveryPhase.NONE where none was begun. Raises what the shell raises."""
        run = RecoverRun(self.site)
        kept = f"{quote(names_of(self.site.profile).recover_state)}/recovery"
        script = f"""cat -- {kept} 2>/dev/null
printf '\\001'
data=$(sed -n 's/^data=//p' {kept} 2>/dev/null)
pid=$(head -n 1 "$data/postmaster.pid" 2>/dev/null)
case $pid in '' | *[!0-9]*) ;; *)
    tr '\\000' ' ' 2>/dev/null <"/proc/$pid/cmdline" | grep -qF -- "-D $data " && echo lives ;;
esac
printf '\\001'
tree=$(sed -n 's/^tree=//p' {kept} 2>/dev/null)
case $(sed -n 's/^into=//p' {kept} 2>/dev/null) in
    /*) sed -n '4p;5p' "$tree/postmaster.pid" 2>/dev/null ;;
esac
printf '\\001'
{run.seen_script()}"""
        _, said = await status_of(self.site, script, user=os_user(self.site))
        text, lives, placed, rest = (*said.split("\001", 3), "", "", "")[:4]
        port, socket = (*placed.split("\n"), "", "")[:2]
        state = read_recovery(text) or RecoveryState()
        look = run.read_look(rest)
        status = look.status
        return replace(
            state,
            lives=lives.strip() == "lives",
            tree_port=int(port) if port.isdecimal() and len(port) < _PORT_DIGITS else None,
            tree_socket=socket if socket.startswith("/") else None,
            running=look.running is not None,
            message=status.message if status is not None else "",
            exit_status=status.exit_status if status is not None else None,
            host="" if self.site.production is None else self.site.where,
        )

    async def old(self) -> OldServer:
        """The old server as it is now, on production's host. Raises what the shell raises.

        Where that host does not answer nothing is known of it, and nothing done there.
        """
        production = self.site.production
        if production is not None:
            return NOBODYS if production.away else await OldServer.of(production.site)
        state = await self.state()
        return await OldServer.of(self.site, state.old if state.is_open else "")

    def own(self, state: RecoveryState) -> Site:
        """The droplet as the steps see it that come after the end: with the recovered cluster as its own."""
        if self._own is None:
            self._own = site_of(self.site, state)
        return self._own

    def found(self, site: Site) -> None:
        """The recovered server answers there: of one in a folder that is not known before it runs."""
        if self._own is not None and self._own is not self.site:
            self._own.profile, self._own._survey = site.profile, None

    async def wish(self) -> RecoveryWish:
        """What is asked for: told here, else what was begun. Raises BlockedError where neither is."""
        if self._asked is not None:
            return self._asked
        state = await self.state()
        if state.target is None:
            raise BlockedError("going on with a recovery", "none was begun", "say where to: --to, --into")
        return RecoveryWish(
            state.target, state.place, state.backup, self._looks, self._tables, self._database
        )

    async def plan(self) -> RecoveryPlan:
        """Made once. Raises ProvisionError, and what the shell and the stores raise."""
        if self._plan is None:
            self._plan = await self.planned(await self.wish())
        return self._plan

    async def planned(self, wish: RecoveryWish) -> RecoveryPlan:
        """Another wish's. Raises as `plan`."""
        if self.site.snapshot is None:
            raise ProvisionError("planning a recovery", "this site cannot be observed")
        snapshot = await self.site.snapshot()
        known = restorable(snapshot, by_installed=True)
        found = known.found if known is not None else None
        roles = (BucketRole.PRIMARY, BucketRole.DR)
        read = zip(roles, snapshot.copies, strict=False)
        left_out = [role for role, each in read if each.problem is not None]
        identifier = found.cluster.system_identifier if found is not None else None
        earlier = await last_good(self.site, identifier) if identifier is not None else None
        looking = look_at_host if self.site.production is None else look_elsewhere
        host = await looking(self.site, wish.place, await self._called(snapshot))
        file = wish.identity or self.site.drill.identity
        host = replace(
            host,
            identity=self.site.drill.identity,
            key_fault=await key_fault(self.site, file) if file else "",
        )
        plan = plan_recovery(
            wish,
            found,
            host,
            left_out=left_out,
            earlier=earlier,
            known=TargetKnown(
                now=self.site.clock.now(),
                written=written_to(snapshot),
                ahead_s=ahead_of_stores(snapshot),
                next_xid=None if wish.target.xid is None else await self._next_xid(),
                profile=self.site.profile.name,
            ),
        )
        return await opened_by_its_key(self.site, plan)

    async def _next_xid(self) -> int | None:
        """Of production's transactions none from this one on has ended; None where it cannot be asked."""
        production = self.site.production
        if production is not None and production.away:
            return None
        try:
            told = await psql(self.site.source, "SELECT pg_snapshot_xmax(pg_current_snapshot())")
        except ProvisionError:
            return None
        return int(told) if told.isdecimal() else None

    async def _called(self, snapshot: Snapshot) -> OwnRestore:
        """How the archive's tool is called on production's host."""
        production, told = self.site.production, snapshot.discovery.value
        if production is not None and production.away:
            return called_by("", told.copies if told is not None else ())
        survey = await self.site.source.survey()
        configured = survey.configured.get("archive_command")
        command = configured.value if configured is not None else ""
        return called_by(command, told.copies if told is not None else ())

    async def run(self, *words: str) -> AsyncIterator[Event]:
        """A phase by the script, to its end; one that is under way is followed first.

        Raises BlockedError, ProvisionError with the script's own last word. Cancelled, the script goes on:
        what it does can be gone on with, and nothing of it is lost.
        """
        run = RecoverRun(self.site, *words)
        look = await run.look()
        if look.running is not None:
            yield Printed("a phase of the recovery is under way, which was begun elsewhere: it is followed")
            async for event in run.follow():
                yield event
            look = await run.look()
        async for event in run.start():
            yield event
        async for event in run.follow(look.status.run if look.status is not None else None):
            yield event
        self._must_be_good(words[0], run.outcome)
        if run.outcome is not None:
            yield Printed(run.outcome.message)

    async def end_phase(self) -> AsyncIterator[Event]:
        """One that is under way is ended, where there is one. Raises ProvisionError where it goes on."""
        run = RecoverRun(self.site)
        if (await run.look()).running is None:
            return
        yield Printed("a phase of it is under way, and is ended")
        await run.end()
        if (await run.look()).running is not None:
            raise ProvisionError("ending a phase of the recovery", "it goes on", "run this step again")

    def _must_be_good(self, verb: str, outcome: DrillStatus | None) -> None:
        tried = f"recovering ({verb})"
        if outcome is None:
            raise ProvisionError(tried, "it told no end", "run it again: it goes on where it was")
        status = outcome.exit_status or 0
        if status == 0:
            return
        means, remedy = ENDS.get(status, (f"exit status {status}", "see what it says"))
        error = BlockedError if status in _BLOCKED else ProvisionError
        raise error(tried, f"{means}: {outcome.message}", remedy)

    async def note(self, name: str, value: str) -> None:
        """A word in the script's own file. Raises ProvisionError."""
        script = join((names_of(self.site.profile).recover, "note", name, value))
        await ask(self.site, script, user=os_user(self.site), tried=f"noting that the {name} is {value}")

    def command(self, *words: str) -> Command:
        """What an operator types for a phase."""
        return Command(join((names_of(self.site.profile).recover, *words)), user=os_user(self.site))

    async def ask_copy(self, sql: str, *, database: str = "", timeout_s: float = 60.0) -> tuple[int, str]:
        """A statement for the paused server, read-only and bounded; its exit status and what it said.

        Raises BlockedError where it does not stand where it can be asked.
        """
        state = await self.state()
        if not state.readable:
            raise BlockedError("asking the recovery's server", *state.words)
        postgres = self.site.profile.postgres
        options = (
            "-c default_transaction_read_only=on -c lock_timeout=3s "
            f"-c statement_timeout={int(timeout_s)}s -c idle_in_transaction_session_timeout={int(timeout_s)}s"
        )
        words = ["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-v", "VERBOSITY=verbose", "-F", " | "]
        words += ["-h", state.socket, "-p", str(state.port), "-U", postgres.user]
        words += ["-d", database_word(database or postgres.database), "-c", sql]
        asked = answer_alone(f"{join(words)} </dev/null")
        script = f"PGOPTIONS={quote(options)}; export PGOPTIONS\n{self._path()}{asked}"
        status, said = await status_of(self.site, script, user=os_user(self.site), timeout_s=timeout_s + 10)
        return status, said[:65536]

    async def ask_of_xid(self, xid: int) -> tuple[int, str]:
        """What became of a transaction (pg_xact_status), as `ask_copy`; of a number with 32 bits of the one
        that is nearest to the copy's own. Raises as `ask_copy`.
        """
        status, said = await self.ask_copy("SELECT pg_snapshot_xmax(pg_current_snapshot())")
        if status != 0 or not said.strip().isdecimal():
            return status or 1, said
        return await self.ask_copy(f"SELECT pg_xact_status('{meant_by(xid, int(said))}')")

    def _path(self) -> str:
        root = self.site.profile.paths.root
        return f"PATH={quote(self.site.choices.path)}; export PATH\n" if root else ""


def site_of(site: Site, state: RecoveryState) -> Site:
    """The same droplet, with the cluster that was recovered as its own."""
    place = state.place
    if place.in_place:
        return site
    if site.production is not None:  # from now on that host is production's
        site = replace(site, look=take_survey, production=None)
    postgres = replace(
        site.profile.postgres, cluster=place.cluster, port=state.tree_port, socket_dir=state.tree_socket
    )
    return replace(site, profile=replace(site.profile, postgres=postgres), _survey=None)


def target_words(target: RecoveryTarget) -> tuple[str, ...]:
    """A target as the script is given it."""
    if target.to in (RecoverTo.LATEST, RecoverTo.IMMEDIATE):
        return (target.to.value,)
    side = {True: ("on",), False: ("off",), None: ()}[target.inclusive]
    return target.to.value, target.value, *side
