"""The drop-in: what turns archiving on, in the folder that the live configuration really includes."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from shlex import quote

from walconsole.domain.archivers.tools import recognise
from walconsole.domain.profile import Engine
from walconsole.domain.records import record
from walconsole.droplet.choices import DropletChoices, WalLevel
from walconsole.droplet.files import dropin_file
from walconsole.droplet.names import names_of
from walconsole.droplet.rendering import archive_command
from walconsole.errors import ProvisionError, WalconsoleError
from walconsole.provision.droplet.commands import ask, os_user, psql, psql_script
from walconsole.provision.droplet.file_settings import (
    CORRECT,
    faults,
    file_settings,
    must_be_readable,
    value_at_start,
)
from walconsole.provision.droplet.files import (
    differences,
    foreign,
    install,
    install_command,
    look_at,
    put_back,
    put_back_command,
    undoing,
)
from walconsole.provision.droplet.survey import ServerSurvey, Survey
from walconsole.provision.engine.model import (
    Change,
    ChangeKind,
    Changing,
    Check,
    CheckState,
    Command,
    Event,
    Fact,
    FactState,
    FileChange,
    Plan,
    Printed,
    Proved,
    Ran,
    Risk,
)
from walconsole.provision.engine.site import Site
from walconsole.provision.steps.engine import pgbackrest_obstacle

AUTO_CONF = "postgresql.auto.conf"
MINIMAL = "minimal"
"""The wal_level with which a server that shall archive does not start."""
OURS = ("archive_mode", "archive_command", "archive_timeout")
"""What the drop-in sets, besides wal_level where that is too low."""
_INCLUDE = "include_dir = 'conf.d'\t\t# added by walconsole: its drop-in lies there\n"


@record
class Wanted:
    """What the step aims at: the files that differ, and what ALTER SYSTEM set before and must go."""

    changes: tuple[FileChange, ...]
    resets: tuple[tuple[str, str], ...]
    path: str


class DropIn:
    """model.Step. Nothing is reloaded or restarted here: that is the step Restart's."""

    id = "drop-in"
    title = "Drop-in"
    risk = Risk.CHANGES
    gated = True
    always = False
    explanation = (
        "Turns archiving on in the configuration that the server really reads: a file of its own in the "
        "included conf.d, written in one step, the old one kept. Then PostgreSQL itself says what it "
        "makes of it: a line that it cannot take, or one that overrides ours (postgresql.auto.conf, a "
        "later file, an argument of the server), is found before anything is restarted, and the old file "
        "is put back. wal_level is never lowered."
    )

    def __init__(self, site: Site) -> None:
        self._site = site

    async def check(self) -> Check:
        """Done where the file is as it shall be and its values are those that a start would take."""
        survey = await self._site.survey(again=True)
        blocked = _blocked(survey, self._site)
        if blocked is not None:
            return blocked
        wanted = await self._wanted(survey)
        facts = self._facts(survey)
        if wanted.changes or wanted.resets:
            texts = [self._said(change, wanted.path) for change in wanted.changes]
            texts += [f"ALTER SYSTEM sets {name}" for name, _ in wanted.resets]
            return Check(CheckState.NEEDED, "; ".join(texts), facts)
        overriding = self._overriding(survey)
        if overriding:
            return Check(
                CheckState.BLOCKED,
                overriding,
                facts,
                "take that setting away there: it comes after the drop-in (triage's fix does it, too)",
            )
        wrong = faults(await file_settings(self._site))
        if wrong:
            return Check(CheckState.BLOCKED, "; ".join(wrong[:3]), facts, CORRECT)
        return Check(CheckState.DONE, f"{wanted.path} is as it shall be, and nothing overrides it", facts)

    async def plan(self) -> Plan:
        """The files as a diff, what goes from auto.conf, and whose command is replaced."""
        survey = await self._site.survey()
        wanted = await self._wanted(survey)
        before = _current_command(survey)
        tool = recognise(before, names_of(self._site.profile).archive)
        another = tool is not None and not tool.ours and before != archive_command(self._site.profile)
        notes = ["nothing is reloaded or restarted by this step"]
        if another and tool is not None:
            notes.insert(0, f"it replaces the archive_command of {tool.name}: {before}")
        others = foreign(change for change in wanted.changes if change.path == wanted.path)
        notes += [f"{path} is there, and was not written by this console" for path in others]
        notes += await self._read_from_then_on(survey, wanted)
        notes += self._notes(wanted)
        resets = [
            Command(await psql_script(self._site, f"ALTER SYSTEM RESET {name}"), user=os_user(self._site))
            for name, _ in wanted.resets
        ]
        paths = dict.fromkeys((wanted.path, *(change.path for change in wanted.changes)))
        return Plan(
            f"write {' and '.join(paths)}",
            commands=(*map(install_command, wanted.changes), *resets),
            files=wanted.changes,
            notes=tuple(notes),
            undo="the old file is put back, or ours taken away; a restart turns archiving off again",
            confirm=tool.name if another and tool is not None else "",
        )

    async def apply(self) -> AsyncIterator[Event]:
        """Raises ProvisionError and what the shell raises; what was changed is put back then."""
        wanted = await self._wanted(await self._site.survey())
        made: list[Change] = []
        try:
            for change in wanted.changes:
                async for event in install(self._site, self.id, change):
                    if isinstance(event, Changing):
                        made.append(event.change)
                    yield event
            for name, value in wanted.resets:
                async for event in self._reset(name, value):
                    if isinstance(event, Changing):
                        made.append(event.change)
                    yield event
            await self._judge()
        except WalconsoleError as error:
            async for event in self._put_all_back(made, error):
                yield event
            raise

    async def _put_all_back(self, made: list[Change], error: WalconsoleError) -> AsyncIterator[Event]:
        """The newest first. What cannot be put back stays in the record, and `error` says so."""
        for done in reversed(made):
            try:
                async for event in self._back(done):
                    yield event
                await asyncio.to_thread(self._site.record.undone, done)
            except WalconsoleError as another:
                error.remedy = f"{another.line()}; `walconsole undo` puts back what was changed"

    async def _back(self, change: Change) -> AsyncIterator[Event]:
        if change.kind is ChangeKind.FILE:
            async for event in put_back(self._site, change):
                yield event
            return
        sql = _set_again(change)
        yield Ran(Command(await psql_script(self._site, sql), user=os_user(self._site)))
        await psql(self._site, sql)

    async def verify(self) -> AsyncIterator[Event]:
        """What a start would take. Raises ProvisionError."""
        await self._judge()
        yield Proved("PostgreSQL's own program reads every line, and would take these values")
        check = await self.check()
        if check.state is not CheckState.DONE:
            raise ProvisionError("reading the configuration back", check.summary, check.remedy)
        yield Proved(check.summary)

    async def undo_plan(self, changes: tuple[Change, ...]) -> Plan | None:
        """The files as they were, and what ALTER SYSTEM had set."""
        files = tuple(change for change in changes if change.kind is ChangeKind.FILE)
        settings = [change for change in changes if change.kind is ChangeKind.SETTING]
        again = [
            Command(await psql_script(self._site, _set_again(change)), user=os_user(self._site))
            for change in settings
        ]
        return Plan(
            "put back what was there before the drop-in",
            commands=(*[await put_back_command(self._site, change) for change in files], *again),
            files=await undoing(self._site, files),
            notes=("archiving stays on until the server is restarted: no more segments are archived then",),
        )

    async def undo(self, changes: tuple[Change, ...]) -> AsyncIterator[Event]:
        """The newest first; then a reload, so that the old archive_command is used at once."""
        for change in changes:
            async for event in self._back(change):
                yield event
        await psql(self._site, "SELECT pg_reload_conf()")
        yield Printed("the server has read its files again; archive_mode changes with its next restart")

    async def _wanted(self, survey: Survey) -> Wanted:
        folder, including = await self._folder(survey)
        wanted = dropin_file(self._site.profile, _choices(survey, self._site), folder)
        changes = await differences(self._site, (wanted,))
        resets = tuple(
            (name, setting.value)
            for name in (*OURS, "wal_level")
            if (setting := survey.configured.get(name)) is not None
            and AUTO_CONF in setting.where
            and (name in OURS or setting.value.lower() == MINIMAL)
        )
        # the folder is included when it is there: with a line that names none the server would not start
        return Wanted((*changes, *including), resets, wanted.path)

    def _said(self, change: FileChange, path: str) -> str:
        """Why this file is to be changed; `path` is the drop-in's."""
        return f"{change.path} is to be written"

    def _notes(self, wanted: Wanted) -> tuple[str, ...]:
        """What else is to be known of the files."""
        return ()

    async def _read_from_then_on(self, survey: Survey, wanted: Wanted) -> tuple[str, ...]:
        """What else lies in a folder that the server reads only with the line that includes it."""
        if survey.conf_d is not None:
            return ()
        folder, _, own = wanted.path.rpartition("/")
        script = f'cd -- {quote(folder)} 2>/dev/null || exit 0; for f in *.conf; do echo "$f"; done'
        said = await ask(self._site, script, user=os_user(self._site))
        found = [name for name in said.splitlines() if name not in ("*.conf", own)]
        return (f"{folder} is read from then on, with what else is in it: {', '.join(found)}",) * bool(found)

    async def _folder(self, survey: Survey) -> tuple[str, tuple[FileChange, ...]]:
        """Where the drop-in goes; where no folder is included yet, the line that includes one."""
        if survey.conf_d is not None:
            return survey.conf_d, ()
        if survey.server is None:
            raise ProvisionError("finding the live configuration", survey.server_problem)
        config = survey.server.config_file
        place = await look_at(self._site, config)
        now = place.now
        if now is None:
            raise ProvisionError(f"reading {config}", "it is not there")
        text = now.text if now.text.endswith("\n") or not now.text else f"{now.text}\n"
        change = FileChange(
            config, now.text, text + _INCLUDE, now.mode, now.owner, now.group, user=place.user
        )
        return f"{config.rpartition('/')[0]}/conf.d", (change,)

    async def _reset(self, name: str, value: str) -> AsyncIterator[Event]:
        yield Changing(
            Change(self.id, ChangeKind.SETTING, name, before=value, after="reset", at=self._site.clock.now())
        )
        sql = f"ALTER SYSTEM RESET {name}"
        yield Ran(Command(await psql_script(self._site, sql), user=os_user(self._site)))
        await psql(self._site, sql)

    async def _judge(self) -> None:
        """Raises ProvisionError where the server finds fault with a line, or would take another value."""
        await must_be_readable(self._site)
        survey = await self._site.survey(again=True)
        mode = await value_at_start(self._site, "archive_mode")
        command = await value_at_start(self._site, "archive_command")
        overriding = self._overriding(survey)
        if overriding or mode not in ("on", "always") or command != archive_command(self._site.profile):
            why = overriding or f"a start would take archive_mode {mode} and archive_command {command}"
            raise ProvisionError("having the drop-in in force", why, "take away what comes after it")

    def _overriding(self, survey: Survey) -> str:
        """Which of our settings something else sets after us; empty where none does."""
        name = self._site.profile.paths.dropin
        for setting in OURS:
            configured = survey.configured.get(setting)
            if configured is not None and f"/{name}:" not in configured.where:
                by = configured.where
                by = f"the server's argument {by}" if by.startswith("-") else by
                return f"{setting} is set to {configured.value!r} by {by}, after the drop-in"
        level = survey.configured.get("wal_level")
        if level is not None and level.value.lower() == MINIMAL:
            return f"wal_level is set to {MINIMAL} by {level.where}: with it the server refuses to archive"
        return ""

    def _facts(self, survey: Survey) -> tuple[Fact, ...]:
        facts = [Fact("live configuration", survey.server.config_file if survey.server else "n/a")]
        if survey.conf_d is None:
            facts.append(
                Fact("conf.d", "not included yet", FactState.NOTE, "a line that includes it is added")
            )
        else:
            facts.append(Fact("conf.d", survey.conf_d))
        for name in (*OURS, "wal_level"):
            configured = survey.configured.get(name)
            value = f"{configured.value} ({configured.where})" if configured is not None else "not set"
            facts.append(Fact(name, value))
        return tuple(facts)


def _blocked(survey: Survey, site: Site) -> Check | None:
    server = survey.server
    if server is None:
        return Check(
            CheckState.BLOCKED, survey.server_problem, remedy="start the server, or correct the profile"
        )
    if site.profile.engine is Engine.PGBACKREST:
        blocked = pgbackrest_obstacle(survey, site.profile, site.choices, site.backup)
        if blocked is not None:
            return blocked
    if server.in_recovery:
        return Check(
            CheckState.BLOCKED,
            "the server is a standby: it replays WAL and archives none",
            remedy="provision the primary",
        )
    library = survey.configured.get("archive_library")
    if library is not None and library.value.strip():
        return Check(
            CheckState.BLOCKED,
            f"archive_library is {library.value} ({library.where}): it is used instead of an archive_command",
            remedy="take it away where it stands, if that tool shall not archive any more",
        )
    return None


def _choices(survey: Survey, site: Site) -> DropletChoices:
    """wal_level is left alone where it is logical, now or with the next start."""
    levels = [server_setting(survey.server, "wal_level")]
    configured = survey.configured.get("wal_level")
    if configured is not None:
        levels.append(configured.value)
    return replace(site.choices, wal_level=WalLevel.LOGICAL) if "logical" in levels else site.choices


def server_setting(server: ServerSurvey | None, name: str) -> str:
    """A setting in force, empty where it is not known."""
    return server.settings.get(name, "") if server is not None else ""


def _current_command(survey: Survey) -> str:
    """The archive_command that would be replaced: with archiving off the server does not show it."""
    configured = survey.configured.get("archive_command")
    return configured.value if configured is not None else server_setting(survey.server, "archive_command")


def _set_again(change: Change) -> str:
    value = change.before.replace("'", "''")
    return f"ALTER SYSTEM SET {change.what} = '{value}'"
