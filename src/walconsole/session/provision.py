"""`walconsole provision` and the commands like it without a screen: their steps, with news as lines."""

import asyncio
import os
import signal
import sys
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from walconsole.config.found import is_ours, told_of
from walconsole.config.resolve import Resolved
from walconsole.domain.archivers.instead import OwnStep
from walconsole.domain.facts.host import ClusterFacts
from walconsole.domain.facts.observed import HostKeyQuestion
from walconsole.domain.profile import Profile, SshTarget
from walconsole.domain.records import record
from walconsole.domain.standing.model import Fix
from walconsole.domain.store.temporary_keys import kind_of
from walconsole.domain.units import plural
from walconsole.droplet.choices import DropletChoices
from walconsole.errors import BlockedError, SshError, TemporaryKeyError, UsageError, WalconsoleError
from walconsole.operator_files.begun_elsewhere import BegunElsewhere
from walconsole.operator_files.history_file import HistoryFile
from walconsole.operator_files.incident_file import IncidentFile
from walconsole.process import loop as event_loop
from walconsole.process.cleanup import Cleanups
from walconsole.process.clock import SystemClock
from walconsole.process.logs import start_logging
from walconsole.process.stderr import say
from walconsole.process.stop import Stop
from walconsole.provision.engine.model import Changing, Doing, Progress, Question, Stage, Step
from walconsole.provision.engine.printing import JsonLines, PlainLines, Printer
from walconsole.provision.engine.runner import Runner
from walconsole.provision.engine.site import Site
from walconsole.provision.fixes.catalogue import fix_steps, independent, undoable
from walconsole.provision.steps.catalogue import backup_steps, drill_steps, steps
from walconsole.session.deployment import Provisioned, provisioned
from walconsole.session.expiring import ExpiryMemory
from walconsole.session.incident_memory import IncidentMemory, StepsHeard
from walconsole.session.recovering import Part, RecoverAsked, recover_steps
from walconsole.session.steps_kept import StepsKept
from walconsole.session.wish import Session
from walconsole.ui.provisioning.transcript import save_transcript

if TYPE_CHECKING:
    from walconsole.session.finding import HostFinding

_CLEANING_S = 60.0


@record
class ProvisionWish:
    """What the command line asks for. `apply` False: show the plan and change nothing.

    `confirm` is the profile, named once more as it was typed or by its `name`: it answers every gate.
    `replace` answers those gates that ask for the name of what is replaced. `offer` is a fix that shall be
    made instead of provisioning, `backup` a base backup that shall be taken instead, `drill` a restore drill,
    `expire` retention, `after_backup` only where a base backup came since the last time and nothing is in
    its way, `recover` a phase of a recovery. `on` is another host for a drill, a recovery, or for taking
    back what they changed, None: the droplet; `on_told`: somebody named it, not the profile alone.
    """

    choices: DropletChoices
    apply: bool = False
    undo: bool = False
    confirm: str = ""
    replace: tuple[str, ...] = ()
    json: bool = False
    offer: Fix | None = None
    backup: bool = False
    drill: bool = False
    expire: bool = False
    after_backup: bool = False
    recover: RecoverAsked | None = None
    on: SshTarget | None = None
    on_told: bool = False

    @property
    def only_reads(self) -> bool:
        """Whether nothing is changed by it, so that nothing needs to be agreed to."""
        return self.recover is not None and self.recover.part is Part.LOOK

    @property
    def own_step(self) -> OwnStep | None:
        """Which of the steps it is that another tool has a command of its own for; None for a fix."""
        if self.offer is not None or self.undo:
            return None
        if self.recover is not None:
            return OwnStep.RECOVER
        named = {OwnStep.BACKUP: self.backup, OwnStep.DRILL: self.drill, OwnStep.EXPIRE: self.expire}
        return next((step for step, asked in named.items() if asked), OwnStep.PROVISION)

    @property
    def words(self) -> str:
        """What its steps are for, in words."""
        if self.offer is not None:
            return self.offer.step
        step = self.own_step
        return "walconsole undo" if step is None else f"walconsole {step}"

    @property
    def planning(self) -> str:
        """What a plan is made of that may be refused as a whole; empty for what goes step by step."""
        if self.recover is not None:
            return "planning a recovery"
        return "planning a restore drill" if self.drill else "planning retention" if self.expire else ""


class WordGate:
    """model.Gate that was answered on the command line, before anything was asked."""

    def __init__(self, replace: Sequence[str]) -> None:
        self._replace = frozenset(replace)

    async def ask(self, question: Question) -> bool:
        """Yes; where a name is asked for, only if that very name was given."""
        wanted = question.plan.confirm
        if wanted and wanted not in self._replace:
            say(f"{question.title}: {question.plan.summary}; to agree add --confirm-replace {wanted!r}")
            return False
        return True


class Nobody:
    """ports.Operator where nobody can be asked: every question is a no."""

    async def trust_host_key(self, question: HostKeyQuestion) -> bool:
        """Connect once by hand, or by the console, which shows the fingerprint."""
        say(f"the host key of {question.host} is not known: {question.algorithm} {question.fingerprint}")
        return False

    async def choose_cluster(self, clusters: Sequence[ClusterFacts]) -> ClusterFacts | None:
        """The command line, or the profile, must name it."""
        return None

    async def passphrase(self, prompt: str) -> str | None:
        """Use an agent."""
        return None


def provision(session: Session, wish: ProvisionWish, stop: Stop) -> int:
    """Run it; the exit code. Raises WalconsoleError: what ended the run."""
    profile = session.target
    if not isinstance(profile, Profile):
        raise UsageError(
            "provisioning", "the embedded droplet has no command line", "use the demo's own screen"
        )
    changes = wish.apply and not wish.only_reads
    if changes and (profile.read_only or session.read_only):
        raise UsageError("provisioning", "the session is read-only", "leave --read-only and read_only away")
    if changes and not session.agreed(wish.confirm):
        raise UsageError(
            f"changing {profile.name}", "that was not confirmed", f"add --confirm {profile.name}, its name"
        )
    wish = replace(wish, confirm=profile.name if wish.apply else "")
    os.umask(0o077)
    warning = start_logging(session.log_file, chosen=session.log_chosen)
    for note in (*session.notes, *([warning] if warning else [])):
        say(note)
    resolved = session.resolved
    if resolved is None:
        raise AssertionError("a profile that came of nothing")
    return event_loop.run(lambda: _Command(resolved, wish, stop, session.environment).run())


class _Command:
    """One run inside the session's clean-ups."""

    def __init__(
        self, resolved: Resolved, wish: ProvisionWish, stop: Stop, environment: Mapping[str, str]
    ) -> None:
        self._resolved, self._wish, self._stop = resolved, wish, stop
        self._environment = environment
        self._history: list[Progress] = []
        self._part: tuple[HostFinding, Cleanups] | None = None
        self._memory = IncidentMemory(IncidentFile(resolved.profile.kept_under, environment), SystemClock())
        self._expiry: ExpiryMemory | None = None
        if wish.expire:
            named, clock = resolved.profile.kept_under, SystemClock()
            self._expiry = ExpiryMemory(named, environment, clock, after_backup=wish.after_backup)
        plain = PlainLines(self._write, undoing=wish.undo)
        self._printer: Printer = JsonLines(self._write) if wish.json else plain

    def _write(self, line: str) -> None:
        """A line; where nobody can read it any more, that is a request to end."""
        try:
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what is buffered
            self._stop.request(signal.SIGHUP)

    async def run(self) -> int:
        """The exit code. Raises WalconsoleError."""
        self._stop.attach(asyncio.get_running_loop(), lambda: None)
        cleanups = Cleanups()
        failure: WalconsoleError | None = None
        cleanups.add("writing down what was run", self._memory.close)
        parts: Provisioned | None = None
        async with cleanups:
            try:
                finding = self._finding(cleanups)
                if await self._until_ended(self._settle(finding)):
                    parts = self._provisioned(finding, cleanups)
                    await self._until_ended(self._steps(parts))
            except WalconsoleError as error:
                failure = error
            self._stop.limit_exit()
        for line in cleanups.left:
            say(line)
        if self._expiry is not None and self._wish.apply:
            await self._expiry.note(failure, self._stop.exit_code if self._stop.noted else None)
        if parts is not None and parts.temporary.left:
            names = ", ".join(parts.temporary.names)
            raise TemporaryKeyError(f"deleting the key {names}", parts.temporary.left)
        if self._stop.noted:
            return self._stop.exit_code
        if failure is not None:
            raise failure
        return 0

    async def _until_ended(self, doing: Coroutine[Any, Any, None]) -> bool:
        """Whether that went through; where the program is asked to end, it cleans up first."""
        running = asyncio.create_task(doing, name="steps")
        asked = asyncio.create_task(self._stop.requested.wait(), name="asked to end")
        await asyncio.wait([running, asked], return_when=asyncio.FIRST_COMPLETED)
        asked.cancel()
        if not running.done():
            running.cancel()
            await asyncio.wait([running], timeout=_CLEANING_S)
        if not running.done() or running.cancelled():
            return False
        running.result()
        return True

    def _finding(self, cleanups: Cleanups) -> "HostFinding":
        from walconsole.session.dialling import ssh_shell  # asyncssh: not where it is refused
        from walconsole.session.wiring import finding_of

        clock, profile = SystemClock(), self._resolved.profile
        return finding_of(self._resolved, ssh_shell(profile, Nobody(), clock, cleanups), clock)

    async def _settle(self, finding: "HostFinding") -> None:
        """Where the server archives to, by the host: not where the record says all. Raises as `settle`."""
        if self._wish.undo:
            return
        try:
            await finding.settle()
        except SshError as error:
            if self._wish.on is None:
                raise
            tried = f"asking {finding.profile.ssh} where its server archives to"
            raise BlockedError(
                tried, error.why, "name buckets and keys in the profile: it may be gone"
            ) from None
        adopted = finding.adopted
        if adopted is not None and not is_ours(adopted):
            for line in told_of(adopted):
                say(line)
        step = self._wish.own_step
        if step is not None:
            finding.refuse(step)

    def _provisioned(self, finding: "HostFinding", cleanups: Cleanups) -> Provisioned:
        profile, choices = finding.profile, self._wish.choices
        self._part = finding, cleanups
        return provisioned(
            profile,
            finding.shell,
            finding.clock,
            self._environment,
            cleanups,
            choices=replace(choices, to_dr=choices.to_dr and profile.second_copy),
            memory=self._memory,
            finding=finding,
        )

    async def _steps(self, parts: Provisioned) -> None:
        wish, site = self._wish, await self._site(parts)
        if wish.undo:
            await self._tell_elsewhere(site)
        by_name = wish.expire or wish.recover is not None  # whose gates ask for that name
        agreed = (*wish.replace, wish.confirm) if by_name else wish.replace
        gate, apart = WordGate(agreed), independent(wish.offer)
        chosen = await self._chosen(site)
        named, history = self._resolved.profile.kept_under, HistoryFile(self._environment)
        kept = StepsKept(history, named, SystemClock(), chosen, wish.words, "without a screen")
        tell = StepsHeard(self._memory, chosen).before(self._heard)
        runner = Runner(site, chosen, gate, kept.before(tell), independent=apart)
        parts.doubts.told = say
        if wish.apply and not wish.only_reads:
            await self._take_leftovers(parts)
        else:
            await _name_leftovers(parts)
        self._printer.begin(site, runner.steps)
        try:
            async with self._noted(site):
                await self._run(runner, kept)
        finally:
            self._keep(runner)
        self._printer.end(runner.stages)

    def _noted(self, site: Site) -> AbstractAsyncContextManager[None]:
        """A recovery on another host is found again by whoever does not remember where it was begun."""
        if not self._wish.apply or self._wish.recover is None or site.production is None:
            return nullcontext()
        from walconsole.session.elsewhere import noted

        return noted(site, BegunElsewhere(site.profile.kept_under, self._environment))

    async def _site(self, parts: Provisioned) -> Site:
        """The droplet's, or another host's. Raises SshError, ShellError where that cannot be asked."""
        wish, on, told, profile = self._wish, self._wish.on, self._wish.on_told, parts.site.profile
        if self._part is None or (on is None and (wish.recover is None or told)):
            return parts.site
        from walconsole.session.elsewhere import OtherSite, begun_there  # asyncssh: as above

        begun = begun_there(profile, BegunElsewhere(profile.kept_under, self._environment))
        if begun is not None and wish.recover is not None and not told:
            say(f"a recovery was begun on {begun}: it is asked there (--on here: the droplet)")
            on, told = begun, True
        if on is None:
            return parts.site
        finding, cleanups = self._part
        other = OtherSite(parts.site, finding.shell, finding, on, self._environment, cleanups)
        if wish.undo:
            return await other.for_undo()
        return await (other.for_drill() if wish.drill else other.for_recovery(told=told))

    async def _tell_elsewhere(self, site: Site) -> None:
        """What this does not take back: nobody shall think that all is gone."""
        for host, many in (await asyncio.to_thread(site.record.elsewhere)).items():
            say(
                f"not on {site.where}: {plural(many, 'change')} on {host}, which walconsole undo "
                f"{site.profile.name} --on {host} takes back"
            )

    async def _run(self, runner: Runner, kept: StepsKept) -> None:
        wish = self._wish
        if wish.apply and not wish.only_reads:
            async with kept.doing(Doing.UNDO if wish.undo else Doing.RUN):
                await (runner.undo() if wish.undo else runner.run())
        elif wish.undo:
            await self._undo_plans(runner)
        else:
            await (runner.run() if wish.apply else runner.check_all())
        if wish.planning and not wish.apply and Stage.BLOCKED in runner.stages.values():
            raise BlockedError(wish.planning, "it cannot be done as things are", "mend what is said above")

    def _heard(self, progress: Progress) -> None:
        self._history.append(progress)
        self._printer.told(progress)

    def _keep(self, runner: Runner) -> None:
        """Write the transcript of a run that did something, and say where."""
        if not any(progress.stage is Stage.APPLYING for progress in self._history):
            return
        changes = [news.event.change for news in self._history if isinstance(news.event, Changing)]
        title = self._resolved.profile.name
        problem, where = save_transcript(title, runner.steps, self._history, changes)
        say(f"no transcript was written: {problem}" if problem else f"transcript: {where}")

    async def _chosen(self, site: Site) -> tuple[Step, ...]:
        """The steps that are asked for. Raises UsageError for a fix that there is none of."""
        if self._wish.undo:
            return undoable(site)
        if self._wish.recover is not None:
            return await recover_steps(site, self._wish.recover)
        if self._expiry is not None:
            return await self._expiry.steps(site)
        if self._wish.drill:
            return drill_steps(site)
        if self._wish.backup:
            return backup_steps(site)
        return steps(site) if self._wish.offer is None else fix_steps(site, self._wish.offer)

    async def _undo_plans(self, runner: Runner) -> None:
        for step, _, plan in await runner.undo_plans():
            self._printer.undo(step, plan)

    async def _take_leftovers(self, parts: Provisioned) -> None:
        """Temporary keys of consoles that died here: whoever applies has agreed to that too."""
        for leftover in await parts.leftovers() if await _has_token(parts) else ():
            if not leftover.noted:
                say(f"a temporary key of another machine: {leftover.name}; delete it if nobody uses it")
                continue
            if not leftover.access_keys:
                parts.look_for(leftover)
                continue
            await parts.delete(leftover)
            say(f"the temporary key {leftover.name} of an earlier run is deleted")
        for line in parts.doubts.lines:
            say(line)


async def _name_leftovers(parts: Provisioned) -> None:
    """Where nothing may be changed: what the ledger has is said, and nothing is asked of the API."""
    endpoint = parts.site.profile.api.endpoint
    for entry in await asyncio.to_thread(parts.ledger.orphans):
        if entry.endpoint in ("", endpoint):
            say(f"{kind_of(entry.name)} key of an earlier run may be alive: {entry.name}; --apply deletes it")


async def _has_token(parts: Provisioned) -> bool:
    """Without one the preflight says so; nothing could be taken away."""
    try:
        await parts.keys()
    except WalconsoleError:
        return False
    return True
