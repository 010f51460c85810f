"""An installed script of long runs on a droplet: started so that it needs nobody to listen, found, ended."""

from collections.abc import AsyncIterator
from shlex import quote

from walconsole.observe.host.host_script import assignment, script_named
from walconsole.provision.droplet.commands import ask, os_user, script_for, status_of
from walconsole.provision.engine.model import Command, Event, Ran
from walconsole.provision.engine.site import Site

_FILES = "by-hand"
"""In the script's state folder: what a run that was started here said, and with what it ended."""


class InstalledRun:
    """Started and ended, by one who looks. `options` are the script's when it is started by hand."""

    options = ""
    modest = False
    """It takes what of the processor and of the disk nobody else wants, where systemd sees to that."""
    ends_within_s: float
    """After TERM it is waited for so long; it takes away what it made, without us, too."""

    def __init__(self, site: Site, script: str, state: str) -> None:
        self._site, self._script, self._state = site, script, state

    @property
    def command(self) -> Command:
        """What an operator types."""
        return Command(f"{quote(self._script)}{self.options}", user=os_user(self._site))

    async def start(self) -> AsyncIterator[Event]:
        """Let it go. Raises ProvisionError."""
        yield Ran(self.command)
        tried = f"starting {self._script} on the droplet"
        script = script_for(self._site, self._launch(), os_user(self._site))
        await ask(self._site, self._modestly(script) if self.modest else script, tried=tried)

    async def end(self) -> None:
        """TERM to it: it takes away what it made. Raises what the shell raises."""
        tries = int(self.ends_within_s * 5)
        script = f"""{self._finding()}
[ -n "$run_lives" ] || exit 0
kill "$run_pid"
for n in $(seq {tries}); do
    kill -0 "$run_pid" 2>/dev/null || exit 0
    sleep 0.2
done"""
        await status_of(self._site, script, user=os_user(self._site), timeout_s=self.ends_within_s + 10)

    def _finding(self) -> str:
        """Sets what observe/scripts/base_backup.sh says, of this script."""
        state = assignment("run_state", self._state.encode())
        name = assignment("run_name", self._script.rpartition("/")[2].encode())
        return f"{state}{name}{script_named('base_backup.sh')}look_at_run"

    def _seen(self) -> str:
        """Prints whether it lives, how a run by hand ended, its status, its last lines; \\001 parts them."""
        # What is read before may only be older than what is read after: a run tells its end, then it ends.
        said = f"{quote(self._state)}/{_FILES}"
        return f"""ended=$(cat {said}.ended 2>/dev/null)
{self._finding()}
printf '%s\\001%s\\001%s\\001' "$run_lives" "$ended" "$run_status"
tail -n 5 {said}.said 2>/dev/null"""

    def _modestly(self, script: str) -> str:
        """In a scope of its own, which only root can have made: the script's own user cannot ask for one.

        It is tried first: in a container there may be a systemd that makes none.
        """
        scope = (
            "systemd-run --quiet --scope -p CPUWeight=20 -p IOWeight=20"
            f" --description={quote(f'walconsole: {self._script}')}"
        )
        return f"""made() {{ {scope} "$@"; }}
if [ "$(id -u)" = 0 ] && [ -d /run/systemd/system ] && made true </dev/null >/dev/null 2>&1
then made /bin/sh -c {quote(script)}
else
{script}
fi"""

    def _launch(self) -> str:
        """As its owner, in its own folder, with nothing of this shell's open."""
        inner = f'"$1"{self.options} >./{_FILES}.said 2>&1; echo "$?" >./{_FILES}.ended'
        return f"""cd -- {quote(self._state)} || exit 1
rm -f ./{_FILES}.ended ./{_FILES}.said
if command -v setsid >/dev/null; then detached=setsid; else detached=nohup; fi
$detached /bin/sh -c {quote(inner)} sh {quote(self._script)} </dev/null >/dev/null 2>&1 &
"""
