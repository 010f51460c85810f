"""What the command line asked for, checked and complete: enough to open the console."""

import os
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path

from walconsole.config.resolve import Resolved
from walconsole.domain.profile import Profile
from walconsole.domain.records import record


@record
class DemoWish:
    """The embedded droplet instead of a profile; `load` is segments a minute, None the scenario's own.

    `about`: what happened there, in a line, which stands there until it is seen.
    """

    scenario: str
    load: float | None = None
    about: str = ""


Target = Profile | DemoWish


@record
class Session:
    """One console. `interval_s` is the time between two readings of SQL; every cadence follows it.
    `notify`: how a verdict that got worse is told (config.checks.ALERTS). `called` tells it from others that
    are opened beside it, empty where there are none. `typed` is what named the target on the command line,
    empty where nothing did.

    `resolved` is how the target came about, and what it leaves to be found on the host; None for the demo.
    `provisioning`: open at the screen that sets archiving up. `environment` is where keys, tokens and folders
    are looked for; what the console starts gets os.environ, which has no secrets (process.environment).
    """

    target: Target
    log_file: Path
    called: str = ""
    log_chosen: bool = False
    theme: str | None = None
    interval_s: float = 1.0
    notify: tuple[str, ...] = ()
    read_only: bool = False
    notes: tuple[str, ...] = ()
    provisioning: bool = False
    typed: str = ""
    resolved: Resolved | None = None
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ), repr=False)

    def agreed(self, word: str) -> bool:
        """Whether `word`, typed behind --confirm, names the profile: as it was typed, or by its `name`."""
        return isinstance(self.target, Profile) and word in {self.target.name, self.typed} - {""}

    @property
    def title(self) -> str:
        """What the console's title line names before anything is connected."""
        if isinstance(self.target, DemoWish):
            return f"demo: {self.target.scenario}"
        if self.called and self.called != self.target.name:
            return f"{self.called} ({self.target.ssh})"
        return f"{self.target.name} ({self.target.ssh})"
