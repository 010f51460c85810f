"""Where the operator's files lie: the XDG base directory specification, and nobody else makes such a path.

Not by platformdirs, which knows os.environ alone: the console hands its environment on, and what it was given
has to count, be that the real one or not. On macOS platformdirs means ~/Library, where nobody would find the
records that are in ~/.local. Elsewhere both mean the same, which a test holds.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from walconsole.errors import UsageError

TEMPORARY_KEYS = "temporary-keys"
"""The folder of the ledger, below `state`."""
WATCH = "watch"
"""The folder of what watchers keep, a file for each profile, below `state`."""
EXPIRY = "expiry"
"""The folder of how retention's last run ended, a file for each profile, below `state`."""
RECOVERIES = "recoveries"
"""The folder of where recoveries go on that are on another host, a file for each profile, below `state`."""
INCIDENTS = "incidents"
"""The folder of what is remembered, a file for each profile, below `state`."""


class Places(NamedTuple):
    """`config` holds what the operator writes, `state` what the console remembers, `data` what it wrote for
    the operator to keep, `cache` what may be deleted."""

    config: Path
    state: Path
    data: Path
    cache: Path

    @property
    def config_file(self) -> Path:
        return self.config / "config.toml"

    @property
    def themes(self) -> Path:
        return self.config / "themes"

    @property
    def accepted_gaps(self) -> Path:
        return self.config / "accepted-gaps.toml"

    @property
    def log_file(self) -> Path:
        return self.state / "walconsole.log"

    @property
    def history(self) -> Path:
        return self.state / "history.db"

    @property
    def chosen_theme(self) -> Path:
        return self.state / "state.toml"

    @property
    def list_view(self) -> Path:
        return self.state / "list.json"

    @property
    def transcripts(self) -> Path:
        return self.data / "transcripts"


def places(environment: Mapping[str, str]) -> Places:
    """The console's own folders."""
    home = home_of(environment)
    return Places(
        config=config_base(environment, home) / "walconsole",
        state=_base(environment, "XDG_STATE_HOME", home / ".local" / "state") / "walconsole",
        data=_base(environment, "XDG_DATA_HOME", home / ".local" / "share") / "walconsole",
        cache=_base(environment, "XDG_CACHE_HOME", home / ".cache") / "walconsole",
    )


def home_of(environment: Mapping[str, str]) -> Path:
    """HOME, else what the user database has. Raises UsageError where nobody says."""
    home = Path(environment.get("HOME", ""))
    try:
        return home if home.is_absolute() else Path.home()
    except RuntimeError:
        why = f"HOME is not set, and uid {os.getuid()} is no user that this machine knows"
        remedy = "set HOME to a folder of its own (a container: --env HOME=/var/lib/walconsole)"
        raise UsageError("finding where its files lie", why, remedy) from None


def config_base(environment: Mapping[str, str], home: Path) -> Path:
    """Where all programs' configuration lies."""
    return _base(environment, "XDG_CONFIG_HOME", home / ".config")


def file_name_of(profile: str) -> str:
    """The profile's or host's name where it can be a file's, else a digest of it."""
    if re.fullmatch(r"[a-z0-9:\[][a-z0-9._:\[\]-]{0,99}", profile):
        return profile
    import hashlib

    return hashlib.sha256(profile.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _base(environment: Mapping[str, str], variable: str, default: Path) -> Path:
    """Per XDG: a relative or empty variable is ignored."""
    path = Path(environment.get(variable, ""))
    return path if path.is_absolute() else default
