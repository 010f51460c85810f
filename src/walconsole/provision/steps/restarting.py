"""A restart that needs nobody to listen: one script on the droplet, which also puts things right again.

An SSH connection that is cut in the middle stops nothing: the script goes on, and its result is read when the
connection is back, by the next session if need be.
"""

import base64
from collections.abc import AsyncIterator
from functools import cache
from importlib.resources import files
from shlex import quote

from walconsole.domain.records import record
from walconsole.errors import ProvisionError, ShellError, SshError
from walconsole.observe.host.host_script import compact
from walconsole.observe.host.invocation import as_user
from walconsole.provision.droplet.commands import ask, os_user, psql_script, status_of
from walconsole.provision.droplet.files import file_functions, kept_folder
from walconsole.provision.droplet.survey import Survey
from walconsole.provision.engine.model import Command, Event, Printed, Ran, Waiting
from walconsole.provision.engine.site import Site

PATIENCE_S = 60
"""How long the server may take to take statements, after the restart and after the way back."""
_LIMIT_S = 4.0 * PATIENCE_S
_PAUSE_S = 0.4
_WAITING_EVERY_S = 5.0
_SIZE = "wc -c <"
_FROM = 'tail -c +"$((size + 1))" -- '


@record
class Control:
    """How the server is started and restarted on this host, as an operator types it."""

    restart: str
    start: str


@record
class Outcome:
    """How a restart ended: `restarted`, `unchanged`, `rolled-back` or `down`.

    `away_s` is how long the server was away; of one that is unchanged it is empty.
    """

    word: str
    away_s: str


def control_of(survey: Survey) -> Control | None:
    """By systemd where the server is in its unit, else Debian's pg_ctlcluster; None where neither is there.

    A server beside its unit is restarted where it is: systemd would start a second one.
    """
    if survey.systemd and survey.unit and not survey.outside:
        unit = quote(survey.unit)
        return Control(f"systemctl restart {unit}", f"systemctl reset-failed {unit}; systemctl start {unit}")
    name = survey.cluster.name if survey.cluster is not None else None
    if name is None:
        return None
    program = "pg_ctlcluster --skip-systemctl-redirect" if survey.outside else "pg_ctlcluster"
    cluster = f"{quote(name.version)} {quote(name.name)}"
    return Control(f"{program} {cluster} restart", f"{program} {cluster} start")


class Restarting:
    """One restart. `outcome` is set when `run` has ended by itself."""

    def __init__(
        self, site: Site, control: Control, dropin: str, kept: str, log: str, data_directory: str
    ) -> None:
        self._site, self._control = site, control
        self._dropin, self._kept, self._log = dropin, kept, log
        self._data_directory = data_directory
        self._folder = f"{kept_folder(site)}/restart"
        self._told = 0
        self.outcome: Outcome | None = None

    async def run(self) -> AsyncIterator[Event]:
        """Start it, and tell what it tells until it has ended. Raises ProvisionError where it does not."""
        yield Ran(Command(self._control.restart))
        await ask(self._site, await self._launch(), tried="starting the restart on the droplet")
        clock = self._site.clock
        began = told_at = clock.monotonic()
        while True:
            looked = clock.monotonic()
            for line in await self._news():
                yield Printed(line)
                told_at = clock.monotonic()
            if self.outcome is not None:
                return
            now = clock.monotonic()
            if now - began > _LIMIT_S:
                why, remedy = f"no result after {_LIMIT_S:.0f} s", f"look at {self._folder}/log"
                raise ProvisionError("restarting the server", why, remedy)
            if now - told_at > _WAITING_EVERY_S:
                yield Waiting("the server restarts", now - began, _LIMIT_S)
                told_at = now
            await self._site.rest(_PAUSE_S, looked)

    async def _news(self) -> list[str]:
        """Lines that it told since the last look; none while the connection is away."""
        folder = quote(self._folder)
        log = f"tail -n +{self._told + 1} -- {folder}/log 2>/dev/null"
        script = f"{log}; printf '\\001'; cat {folder}/result 2>/dev/null"
        try:
            _, said = await status_of(self._site, script)
        except (SshError, ShellError):
            return []
        log, _, result = said.partition("\001")
        lines = log.splitlines()
        self._told += len(lines)
        word, _, away = result.strip().partition(" ")
        if word:
            self.outcome = Outcome(word, away)
        return lines

    async def _launch(self) -> str:
        """Writes the script into root's own folder and lets it go; nothing of an earlier restart is left."""
        folder = quote(self._folder)
        script = base64.b64encode((await self._script()).encode()).decode()
        return f"""{file_functions()}
set -eu
umask 077
roots {folder}/restart.sh make
rm -f ./log ./result ./result.new
printf '%s' {script} | base64 -d >./restart.sh
: >./log
cd /
if command -v setsid >/dev/null; then detached=setsid; else detached=nohup; fi
$detached /bin/sh {folder}/restart.sh </dev/null >/dev/null 2>&1 &
"""

    async def _script(self) -> str:
        site = self._site
        alive = as_user(os_user(site), await psql_script(site, "SELECT 1"))
        path = f"PATH={quote(site.choices.path)}; export PATH\n" if site.profile.paths.root else ""
        values = {
            "folder": self._folder,
            "shown": self._control.restart,
            "dropin": self._dropin,
            "kept": self._kept,
            "patience": str(PATIENCE_S),
        }
        assigned = "".join(f"{name}={quote(value)}\n" for name, value in values.items())
        functions = (
            f"restart_server() {{ {self._control.restart}; }}\n"
            f"start_server() {{ {self._control.start}; }}\n"
            f"alive() {{\n{alive}\n}}\n"
            f"postmaster() {{\n{as_user(os_user(site), self._postmaster())}\n}}\n"
            f"log_size() {{\n{self._of_the_log(_SIZE)}\n}}\n"
            f"log_from() {{\n{self._of_the_log(_FROM)}\n}}\n"
        )
        return f"{path}{assigned}{file_functions()}{functions}{_body()}"

    def _postmaster(self) -> str:
        """Its process and its start (postmaster.pid's first and third line), where it still runs."""
        file = quote(f"{self._data_directory}/postmaster.pid")
        read = "{ IFS= read -r pid && IFS= read -r data && IFS= read -r began; }"
        return f'{read} <{file} && kill -0 "$pid" && printf \'%s since %s\' "$pid" "$began"'

    def _of_the_log(self, command: str) -> str:
        """Reads the server's log as the server: in its folder a link may lead anywhere."""
        return as_user(os_user(self._site), f"{command}{quote(self._log)}") if self._log else ":"


@cache
def _body() -> str:
    return compact(files("walconsole.provision.scripts").joinpath("restart.sh").read_text("ascii"))
