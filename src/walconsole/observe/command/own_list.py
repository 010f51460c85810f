"""The archiver's own list of base backups, asked on the droplet as the server's user; it changes nothing."""

from collections.abc import Callable, Sequence

from walconsole.domain.facts.own_list import OwnList
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.recovery.own_list import read_own_list
from walconsole.domain.redaction import decode
from walconsole.observe.host.invocation import LONGEST_OUTPUT, as_user, run_apart
from walconsole.observe.poller.probe import Fact
from walconsole.ports import Clock, Shell

SOURCE = "the archiver's own program on the droplet"
AGAIN_AFTER_S = 300.0
TRY_S = 25
"""A store that does not answer keeps pgBackRest for minutes."""
_TIMED_OUT = 124


class OwnListProbe:
    """Fills OWN_LIST, where the tool that was discovered has such a list."""

    name = SOURCE
    slots = (Snapshot.own_list,)
    cadence_s = 2.0
    timeout_s = 40.0

    def __init__(self, shell: Shell, clock: Clock, os_user: str, snapshot: Callable[[], Snapshot]) -> None:
        self._shell, self._clock, self._os_user, self._snapshot = shell, clock, os_user, snapshot
        self._asked_at: float | None = None

    def refresh(self) -> None:
        """Ask again at the next look."""
        self._asked_at = None

    async def take(self) -> Sequence[Fact]:
        """Nothing where there is no such tool. Raises errors.SshError, errors.ShellError."""
        discovery = self._snapshot().discovery.value
        copies = discovery.copies if discovery is not None else ()
        found = next((copy for copy in copies if copy.command("listed")), None)
        now = self._clock.monotonic()
        if found is None or (self._asked_at is not None and now - self._asked_at < AGAIN_AFTER_S):
            return ()
        self._asked_at = now
        script = f"timeout -k 2 {TRY_S} {found.command('listed')} 2>/dev/null"
        ended = await run_apart(
            self._shell,
            self._clock,
            as_user(self._os_user, script),
            timeout_s=TRY_S + 8.0,
            tried=f"asking {found.tool} for its base backups",
        )
        if ended.status == _TIMED_OUT:
            facts = OwnList(found.tool, why=f"no answer within {TRY_S} s")
        elif len(ended.output) >= LONGEST_OUTPUT - 200:
            facts = OwnList(found.tool, why="its list is too long to be read whole")
        else:
            facts = read_own_list(found.tool, decode(ended.output))
        return [Fact(Snapshot.own_list, facts, self._clock.now(), SOURCE)]
