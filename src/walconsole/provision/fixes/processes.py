"""Processes: end an archive command that hangs."""

import re
from collections.abc import AsyncIterator

from walconsole.domain.redaction import safe
from walconsole.errors import ProvisionError
from walconsole.provision.droplet.commands import ask, run, status_of
from walconsole.provision.engine.model import Check, CheckState, Command, Event, Fact, Plan, Proved
from walconsole.provision.fixes.base import POLL_S, FixStep, commands

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
