"""The server: take ALTER SYSTEM's override back, reload, set the archiver's statistics back, end an archive
command that hangs.
"""

import re
from collections.abc import AsyncIterator

from walconsole.domain.redaction import safe
from walconsole.errors import ProvisionError
from walconsole.provision.droplet.commands import ask, psql, run, status_of
from walconsole.provision.engine.model import (
    Change,
    ChangeKind,
    Changing,
    Check,
    CheckState,
    Command,
    Event,
    Fact,
    Plan,
    Printed,
    Proved,
)
from walconsole.provision.fixes.base import POLL_S, POLLS, SETTING_NAME, FixStep, commands, literal

_RELOAD = "SELECT pg_reload_conf()"
_ERRORS = (
    "SELECT sourcefile || ':' || sourceline || ': ' || error FROM pg_file_settings WHERE error IS NOT NULL "
    "AND error NOT LIKE '%without restarting%' AND error NOT LIKE '%cannot be changed%' LIMIT 5"
)


class ResetSetting(FixStep):
    """ALTER SYSTEM RESET of one setting, and a reload."""

    id = "reset-setting"
    title = "Take ALTER SYSTEM's override back"
    explanation = (
        "postgresql.auto.conf is read last, so that what ALTER SYSTEM wrote there wins over every "
        "file. This takes one setting out of it and reloads; then the file's value holds. "
        "archive_mode and wal_level take a restart besides. Undo sets the old value again."
    )

    async def check(self) -> Check:
        """Whether postgresql.auto.conf sets it."""
        name = self._fits(SETTING_NAME, "setting's name")
        value = await self._override()
        if value is None:
            return Check(CheckState.DONE, f"postgresql.auto.conf does not set {name}")
        fact = Fact("postgresql.auto.conf", safe(f"{name} = {value}"))
        return Check(CheckState.NEEDED, f"postgresql.auto.conf sets {name}", (fact,))

    async def plan(self) -> Plan:
        """Two statements."""
        name, value = self._fits(SETTING_NAME, "setting's name"), await self._override() or ""
        restart = await psql(self._site, _asked("SELECT context FROM pg_settings WHERE name = ", name))
        notes = [safe(f"now: {name} = {value}")]
        if restart == "postmaster":
            notes.append("the file's value holds after a restart")
        return Plan(
            summary=f"ALTER SYSTEM RESET {name}, and reload",
            commands=(self.sql_command(f"ALTER SYSTEM RESET {name}"), self.sql_command(_RELOAD)),
            notes=tuple(notes),
            undo="sets the old value again" if safe(value) == value else "by hand: the old value is not kept",
        )

    async def apply(self) -> AsyncIterator[Event]:
        """Reset, reload."""
        name, value = self._fits(SETTING_NAME, "setting's name"), await self._override() or ""
        kept = value if safe(value) == value else ""
        yield Changing(
            Change(self.id, ChangeKind.SETTING, name, before=kept, after="reset", at=self._site.clock.now())
        )
        async for event in self._sql(f"ALTER SYSTEM RESET {name}", _RELOAD):
            yield event

    async def verify(self) -> AsyncIterator[Event]:
        """No file of the server's own sets it any more, and the running server took note."""
        name = self._fits(SETTING_NAME, "setting's name")
        for _ in range(POLLS):
            where = await psql(
                self._site,
                _asked(
                    "SELECT setting || ' ' || coalesce(sourcefile, source) || ' ' || pending_restart "
                    "FROM pg_settings WHERE name = ",
                    name,
                ),
            )
            if "postgresql.auto.conf" not in where or where.endswith(" true"):
                yield Proved(safe(f"{name}: {where}"))
                return
            await self._site.sleep(POLL_S)
        raise ProvisionError(f"resetting {name}", "the server still has the override", "look at its log")

    async def undo_plan(self, changes: tuple[Change, ...]) -> Plan | None:
        """The old values again."""
        kept = [change for change in changes if change.before]
        if not kept:
            return None
        return Plan(
            summary="set again what ALTER SYSTEM had set",
            commands=tuple(self.sql_command(_set(change)) for change in kept),
        )

    async def undo(self, changes: tuple[Change, ...]) -> AsyncIterator[Event]:
        """The newest first."""
        async for event in self._sql(*(_set(change) for change in changes if change.before), _RELOAD):
            yield event

    async def _override(self) -> str | None:
        name = self._fits(SETTING_NAME, "setting's name")
        found = await psql(
            self._site,
            _asked(
                "SELECT '=' || setting FROM pg_file_settings WHERE sourcefile LIKE '%/postgresql.auto.conf' "
                "AND name = ",
                name,
            ),
        )
        return found.splitlines()[-1][1:] if found.startswith("=") else None


def _asked(query: str, name: str) -> str:
    """A query that ends in a setting's name, which was found to be one."""
    return f"{query}{literal(name)}"


def _set(change: Change) -> str:
    if SETTING_NAME.fullmatch(change.what) is None:
        raise ProvisionError("undoing ALTER SYSTEM RESET", f"{change.what!r} is no setting's name")
    return f"ALTER SYSTEM SET {change.what} = {literal(change.before)}"


class Reload(FixStep):
    """pg_reload_conf(), after the files were found to be without an error."""

    id = "reload"
    title = "Reload the configuration"
    explanation = (
        "Lets the server read its files again. One error in them and nothing of the reload is "
        "applied: they are judged first, by pg_file_settings."
    )

    async def check(self) -> Check:
        """BLOCKED by an error in the files."""
        errors = await psql(self._site, _ERRORS)
        if errors:
            first = safe(errors.splitlines()[0])
            return Check(
                CheckState.BLOCKED, f"the files have an error: {first}", remedy="mend that line first"
            )
        return Check(CheckState.NEEDED, "the files are without an error")

    async def plan(self) -> Plan:
        """One statement."""
        return Plan("let the server read its files again", (self.sql_command(_RELOAD),))

    async def apply(self) -> AsyncIterator[Event]:
        """Reload."""
        self._before = await psql(self._site, "SELECT pg_conf_load_time()")
        async for event in self._sql(_RELOAD):
            yield event

    async def verify(self) -> AsyncIterator[Event]:
        """A new session sees a later load."""
        for _ in range(POLLS):
            loaded = await psql(self._site, "SELECT pg_conf_load_time()")
            if loaded != self._before:
                yield Proved(f"loaded at {safe(loaded)}")
                return
            await self._site.sleep(POLL_S)
        raise ProvisionError("reloading", "the server did not load its files", "look at its log")


class ResetStatistics(FixStep):
    """pg_stat_reset_shared('archiver')."""

    id = "reset-statistics"
    title = "Set the archiver's statistics back"
    explanation = (
        "failed_count is cumulative and stays above zero for ever after one failure. Nothing is wrong "
        "with that; where another tool alarms on it, this sets all of pg_stat_archiver back. The old "
        "numbers are lost."
    )

    async def check(self) -> Check:
        """DONE where they are at zero."""
        failed = await psql(self._site, "SELECT failed_count FROM pg_stat_archiver")
        if failed == "0":
            return Check(CheckState.DONE, "failed_count is 0")
        return Check(CheckState.NEEDED, f"failed_count is {safe(failed)}")

    async def plan(self) -> Plan:
        """One statement."""
        return Plan(
            "set pg_stat_archiver back to zero",
            (self.sql_command("SELECT pg_stat_reset_shared('archiver')"),),
            notes=("archived_count and the names and times of the last files are lost too",),
            undo="cannot be undone",
        )

    async def apply(self) -> AsyncIterator[Event]:
        """Reset."""
        row = await psql(
            self._site, "SELECT archived_count, last_archived_wal, failed_count FROM pg_stat_archiver"
        )
        yield Printed(safe(f"before: archived_count, last_archived_wal, failed_count = {row}"))
        async for event in self._sql("SELECT pg_stat_reset_shared('archiver')"):
            yield event

    async def verify(self) -> AsyncIterator[Event]:
        """Zero."""
        for _ in range(POLLS):
            if await psql(self._site, "SELECT failed_count FROM pg_stat_archiver") == "0":
                yield Proved("failed_count is 0")
                return
            await self._site.sleep(POLL_S)
        raise ProvisionError(
            "resetting the statistics", "failed_count is not 0", "does archiving fail again?"
        )


_PID = re.compile(r"[1-9]\d{0,9}")
_POLLS = 30
_TREE = """\
tree() { for each in $(cat /proc/"$1"/task/"$1"/children 2>/dev/null); do tree "$each"; done; echo "$1"; }
below_archiver() {
    at=$1
    while [ "$at" -gt 1 ]; do
        at=$(sed 's/.*) . \\([0-9]*\\) .*/\\1/' /proc/"$at"/stat 2>/dev/null) || return 1
        case $(tr '\\000' ' ' </proc/"$at"/cmdline 2>/dev/null) in postgres:*archiver*) return 0 ;; esac
    done
    return 1
}
"""


class KillHungCommand(FixStep):
    """SIGTERM to an archive command below the archiver, SIGKILL to what does not listen."""

    id = "kill-hung-command"
    title = "End the archive command that hangs"
    explanation = (
        "PostgreSQL waits for its archive command for ever. This ends the one that hangs, its deepest "
        "process first, and nothing that is not below the archiver. PostgreSQL then tries the segment "
        "again, at the latest within a minute. Put the command under `timeout`, else it may hang "
        "again."
    )

    async def check(self) -> Check:
        """DONE where there is no such process below the archiver any more."""
        pid = self._fits(_PID, "process id")
        status, _ = await status_of(self._site, f"{_TREE}[ -d /proc/{pid} ] && below_archiver {pid}")
        if status != 0:
            return Check(CheckState.DONE, f"no process {pid} runs below the archiver")
        said = await ask(self._site, f"tr '\\000' ' ' </proc/{pid}/cmdline")
        return Check(
            CheckState.NEEDED, f"process {pid} runs below the archiver", (Fact(pid, safe(said.strip())),)
        )

    async def plan(self) -> Plan:
        """A kill."""
        pid = self._fits(_PID, "process id")
        return Plan(
            summary=f"end process {pid} and what runs below it",
            commands=commands((f"kill -TERM {pid}  # and its children, the deepest first; KILL after 3 s",)),
            notes=("what was sent of the segment so far is sent again",),
            undo="cannot be undone",
        )

    async def apply(self) -> AsyncIterator[Event]:
        """Once more: only below the archiver."""
        pid = self._fits(_PID, "process id")
        script = (
            f"{_TREE}below_archiver {pid} || {{ echo 'it is not below the archiver any more'; exit 0; }}\n"
            f"all=$(tree {pid})\nkill -TERM $all 2>/dev/null\n"
            "for try in 1 2 3 4 5 6; do\n    left=\n"
            "    for each in $all; do [ ! -d /proc/$each ] || left=1; done\n"
            '    [ -n "$left" ] || exit 0\n    sleep 0.5\ndone\nkill -KILL $all 2>/dev/null\nexit 0'
        )
        async for event in run(self._site, Command(f"kill -TERM {pid}"), script=script):
            yield event

    async def verify(self) -> AsyncIterator[Event]:
        """It is gone."""
        pid = self._fits(_PID, "process id")
        for _ in range(_POLLS):
            if (await self.check()).state is CheckState.DONE:
                yield Proved(f"process {pid} has ended")
                return
            await self._site.sleep(POLL_S)
        raise ProvisionError(
            f"ending process {pid}", "it still runs", "it waits in the kernel: look at its wchan"
        )
