"""Where systemd's units of the operator's lie: the user's own manager, or the system's (systemd.unit(5))."""

from collections.abc import Mapping
from pathlib import Path

from walconsole.operator_files.places import config_base, file_name_of, home_of

_SYSTEM = Path("/etc/systemd/system")
_WANTED_BY = "timers.target.wants"
"""The folder in which `systemctl enable` links a timer."""


def unit_path(unit: str, environment: Mapping[str, str], *, system: bool) -> Path:
    """The file of a unit that the operator writes."""
    folder = _SYSTEM if system else config_base(environment, home_of(environment)) / "systemd" / "user"
    return folder / unit


def expiry_unit(profile: str) -> str:
    """The name of the units that run retention for it, without `.service` and `.timer`."""
    return f"walconsole-expire-{file_name_of(profile)}"


def is_enabled(timer: Path) -> bool:
    """Whether its manager starts it by itself."""
    return (timer.parent / _WANTED_BY / timer.name).is_symlink()
