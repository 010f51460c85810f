"""`walconsole watch` of a virtual droplet, and what its /metrics say: looks that hardly cost anything.

A `check` makes a connection, becomes another user and asks everything once; on an emulated processor that is
ten seconds and more of it. A watcher keeps its connection, as an operator's does.
"""

import re
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tests.servers.ports import LOOPBACK, free_port
from tests.servers.workspace import Daemon, Workspace

EVERY_S = 3
"""Of the droplet's processor a look at it each second takes half, where that is emulated."""
_LEVELS = ("ok", "warning", "critical", "unknown")
_STATUS = re.compile(r"^walconsole_status\{.*\} (\d)", re.MULTILINE)
_AT = re.compile(r"^walconsole_check_timestamp_seconds\{.*\} ([\d.]+)", re.MULTILINE)
_FINDING = re.compile(r"^walconsole_finding\{.*?\bid=\"([^\"]+)\".*?\bseverity=\"(\w+)\"", re.MULTILINE)


@dataclass(frozen=True)
class Seen:
    """What the watcher's last look said: its level, the severity of each finding by id, when it was (UTC)."""

    level: str
    findings: Mapping[str, str]
    at: float

    @property
    def well(self) -> bool:
        """Whether nothing alarms or is unseen. That an emulated processor is slow is true, and no more."""
        alarms = {rule for rule, severity in self.findings.items() if severity in ("warning", "critical")}
        return self.level in ("ok", "warning") and alarms <= {"slow-droplet"}

    @classmethod
    def of(cls, metrics: str) -> "Seen | None":
        """From the text of /metrics; None before the first look."""
        status, at = _STATUS.search(metrics), _AT.search(metrics)
        if status is None or at is None:
            return None
        return cls(_LEVELS[int(status[1])], dict(_FINDING.findall(metrics)), float(at[1]))


class Watcher:
    """One that runs until `stop`. `command` makes a command line of the program of its arguments."""

    def __init__(
        self,
        workspace: Workspace,
        command: Callable[..., Sequence[str]],
        environment: Mapping[str, str],
        profile: str,
    ) -> None:
        self._port = free_port()
        log = workspace.folder("watch") / "output"
        argv = command("watch", profile, "--listen", f"{LOOPBACK}:{self._port}", "--every", str(EVERY_S))
        self._daemon = Daemon(workspace, "walconsole watch", argv, log, env=environment)
        self._daemon.start(lambda: True)

    def stop(self) -> None:
        """As an operator does."""
        self._daemon.stop()

    def output(self) -> str:
        """What it printed."""
        return self._daemon.output()

    def seen(self) -> Seen | None:
        """Its last look; None while there is none. Raises RuntimeError where it has ended."""
        if not self._daemon.running:
            raise RuntimeError(f"walconsole watch has ended:\n{self.output()[-2000:]}")
        try:
            with urllib.request.urlopen(f"http://{LOOPBACK}:{self._port}/metrics", timeout=10) as answer:
                return Seen.of(answer.read().decode())
        except (urllib.error.URLError, TimeoutError):
            return None
