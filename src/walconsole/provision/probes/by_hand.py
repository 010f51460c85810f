"""Run the archive command by hand, as the archiver would: exit status, words, seconds."""

import re
from collections.abc import AsyncIterator
from contextlib import aclosing
from shlex import quote

from walconsole.domain.redaction import safe
from walconsole.domain.standing.refusals import REFUSALS
from walconsole.domain.store.answers import meaning_of
from walconsole.domain.store.printed import code_in
from walconsole.errors import ProvisionError
from walconsole.provision.droplet.commands import (
    archive_command_in_force,
    data_directory,
    os_user,
    run,
    status_of,
)
from walconsole.provision.engine.model import Check, CheckState, Command, Event, Plan, Printed, Proved, Risk
from walconsole.provision.engine.site import Site
from walconsole.provision.fixes.base import WAL_NAME, FixStep, filled_in

LIMIT_S = 120
_ENDED = re.compile(r"\x01ended (\d+) (\d+)")
_SIGNALLED = 128
_TIMED_OUT = (124, 137)
_WAITING = r"""{
    ls -1q | grep -E '^[0-9A-F]{8}[.]history[.]ready$'
    ls -1q | grep -E '^[0-9A-F]{24}([.]partial|[.][0-9A-F]{8}[.]backup)?[.]ready$'
} | head -n 1"""


class CommandByHand(FixStep):
    """The archive command in force, on the file that waits."""

    id = "probe-command"
    title = "Command by hand"
    risk = Risk.ADDS
    explanation = (
        "What the archiver does, done once by hand with the same command on the file that waits longest: as "
        "the server's own user, in the data directory, with the environment of the running server (read on "
        "the droplet, and never shown). Its exit status, what it prints and how long it takes are the "
        "evidence that PostgreSQL's log may not hold. Where it succeeds, the object is in the archive, and "
        "the archiver will find it there."
    )

    def __init__(self, site: Site, subject: str = "") -> None:
        super().__init__(site, subject)
        self._outcome = ""

    async def check(self) -> Check:
        """DONE where nothing waits: there is nothing to try it on."""
        if not await archive_command_in_force(self._site):
            return Check(CheckState.BLOCKED, "there is no archive_command in force", remedy="set one first")
        name = await self._waiting()
        if not name:
            return Check(CheckState.DONE, "nothing waits that it could be tried on")
        return Check(CheckState.NEEDED, f"{name} waits; what the command says of it is not known")

    async def plan(self) -> Plan:
        """The command as it will run."""
        name, data = await self._waiting(), await data_directory(self._site)
        return Plan(
            summary=f"archive {name} by hand",
            commands=(
                Command(
                    f"cd {quote(data)} && time {safe(await self._filled(name))}; echo $?",
                    user=os_user(self._site),
                ),
            ),
            notes=(
                "the archiver may try the same file at the same time, as it does every minute anyway",
                f"it is ended after {LIMIT_S} s",
            ),
            undo="nothing to undo: at most the object is added that PostgreSQL wants there",
        )

    async def apply(self) -> AsyncIterator[Event]:
        """Raises ProvisionError that says how it ended, and what its words stand for."""
        name = await self._waiting()
        if not name:
            self._outcome = "nothing waits any more"
            return
        filled, data = await self._filled(name), await data_directory(self._site)
        command = Command(filled, user=os_user(self._site))
        said: list[str] = []
        ended: tuple[int, float] | None = None
        async with aclosing(run(self._site, command, script=_script(data, filled))) as events:  # type: ignore[type-var]
            async for event in events:
                found = _ENDED.search(event.text) if isinstance(event, Printed) else None
                if found is not None:
                    ended = int(found[1]), int(found[2]) / 1000
                    continue
                if isinstance(event, Printed):
                    said.append(event.text)
                yield event
        self._outcome = self._judged(name, ended, "\n".join(said))

    async def verify(self) -> AsyncIterator[Event]:
        """How it ended."""
        yield Proved(self._outcome)

    def _judged(self, name: str, ended: tuple[int, float] | None, said: str) -> str:
        """What a success means. Raises ProvisionError for what is none."""
        tried = f"running the archive command by hand on {name}"
        if ended is None:
            raise ProvisionError(tried, "how it ended is not known", "run it yourself: Y copies it")
        status, seconds = ended
        if status == 0:
            return f"exit status 0 after {seconds:.1f} s: by hand it works, on {name}"
        code = code_in(said)
        remedy = "its own words above say what it misses"
        if code:
            remedy = REFUSALS[meaning_of(code, said=said)].remedy
        if status in _TIMED_OUT and seconds >= LIMIT_S:
            how = f"it does not end: after {seconds:.0f} s the time limit ended it"
            raise ProvisionError(tried, f"{how}{_words(said)}", "look where it hangs: processes and sockets")
        raise ProvisionError(tried, f"{_how(status)} after {seconds:.1f} s{_words(said)}", remedy)

    async def _waiting(self) -> str:
        """The subject, else the .ready file that is next: the archiver takes history files first.

        Another program's files in there are passed over.
        """
        if self._subject:
            return self._fits(WAL_NAME, "WAL file's name")
        script = (
            f"cd {quote(await data_directory(self._site))}/pg_wal/archive_status 2>/dev/null || exit 0\n"
            f"{_WAITING}"
        )
        _, said = await status_of(self._site, script, user=os_user(self._site))
        name = said.strip().removesuffix(".ready")
        return name if WAL_NAME.fullmatch(name) else ""

    async def _filled(self, name: str) -> str:
        return filled_in(await archive_command_in_force(self._site), name)


def _script(data: str, filled: str) -> str:
    """By `sh -c` as PostgreSQL does it, with the postmaster's environment; how it ended is the last line.

    bash reads NUL-separated values without putting them into an argument list. Without bash or without the
    right to read them it runs with next to no environment, and says so.
    """
    reader = (
        'while IFS= read -r -d "" each; do export "${each?}"; done 2>/dev/null <"/proc/$1/environ"; '
        'exec timeout --foreground -k 5 "$2" /bin/sh -c "$3"'
    )
    return f"""\
cd {quote(data)} || exit 1
IFS= read -r server <postmaster.pid
began=$(date +%s%3N)
if command -v bash >/dev/null && [ -r "/proc/$server/environ" ]; then
    env -i bash -c {quote(reader)} - "$server" {LIMIT_S} {quote(filled)} </dev/null 2>&1
else
    echo "the server's environment cannot be read here: it runs with PATH alone"
    env -i PATH="$PATH" timeout --foreground -k 5 {LIMIT_S} /bin/sh -c {quote(filled)} </dev/null 2>&1
fi
status=$?
printf '\\n\\001ended %s %s\\n' "$status" "$(($(date +%s%3N) - began))"
"""


def _how(status: int) -> str:
    """An exit status as a shell tells it."""
    if status == 127:
        return "a program was not found (exit status 127)"
    if status == 126:
        return "a program could not be run (exit status 126)"
    if status > _SIGNALLED:
        return f"signal {status - _SIGNALLED} ended it (exit status {status}), which restarts the archiver"
    return f"exit status {status}"


def _words(said: str) -> str:
    last = next((line.strip() for line in reversed(said.splitlines()) if line.strip()), "")
    return f": {last}" if last else ", without a word"
