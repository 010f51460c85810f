"""Where the console's own files lie: the XDG base directory specification."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

TEMPORARY_KEYS = "temporary-keys"
"""The folder of the ledger, below `state`."""


class Places(NamedTuple):
    """`config` holds what the operator writes, `state` what the console writes (log, memory of choices)."""

    config: Path
    state: Path

    @property
    def config_file(self) -> Path:
        return self.config / "config.toml"

    @property
    def log_file(self) -> Path:
        return self.state / "walconsole.log"


def places(environment: Mapping[str, str]) -> Places:
    """Per XDG: a relative or empty variable is ignored, the defaults lie under HOME."""
    home = Path(environment.get("HOME") or "~").expanduser()
    return Places(
        config=_base(environment, "XDG_CONFIG_HOME", home / ".config") / "walconsole",
        state=_base(environment, "XDG_STATE_HOME", home / ".local" / "state") / "walconsole",
    )


def _base(environment: Mapping[str, str], variable: str, default: Path) -> Path:
    path = Path(environment.get(variable, ""))
    return path if path.is_absolute() else default
