"""What the configuration that the server really reads says: where a drop-in goes, what is set, which unit."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from walconsole.domain.facts.observed import ConfigFiles
from walconsole.domain.pgconf.archive_settings import ARCHIVE_SETTINGS
from walconsole.domain.pgconf.lexer import fold
from walconsole.domain.pgconf.reader import AUTO_CONF
from walconsole.domain.pgconf.resolution import Origin, Resolution
from walconsole.domain.pgconf.tree import located
from walconsole.provision.survey import ConfiguredSetting


@dataclass(frozen=True, slots=True)
class LiveFiles:
    """`conf_d` is the folder whose files the server reads last, None where it includes none."""

    conf_d: str | None = None
    configured: Mapping[str, ConfiguredSetting] = field(default_factory=dict)
    unit: str = ""
    missing: tuple[str, ...] = ()


def live_files(found: ConfigFiles) -> LiveFiles:
    """From the console's own picture of the host's files."""
    resolution, launch = found.resolution, found.launch
    if resolution is None:
        return LiveFiles(missing=("the live configuration could not be read",))
    known = launch is not None and launch.active_state not in ("", "inactive")
    unit = launch.unit if launch is not None and (known or launch.unit_files) else ""
    return LiveFiles(conf_d(resolution), _configured(resolution), unit, found.uncertain)


def conf_d(resolution: Resolution) -> str | None:
    """The folder that postgresql.conf itself includes last, else the last of all that are included.

    The last one, since of two lines for one setting the later wins. auto.conf's own do not count.
    """
    own = tuple(_included(resolution, resolution.config_file))
    others = (
        folder
        for visit in resolution.reading.visits
        if not visit.path.endswith(f"/{AUTO_CONF}")
        for folder in _included(resolution, visit.path)
    )
    return (own or tuple(others) or (None,))[-1]


def _included(resolution: Resolution, path: str) -> Iterator[str]:
    for statement in resolution.reading.statements.get(path, ()):
        if statement.name is not None and fold(statement.name) == "include_dir" and statement.value.strip():
            yield located(statement.value, path, resolution.data_directory)


def _configured(resolution: Resolution) -> dict[str, ConfiguredSetting]:
    found: dict[str, ConfiguredSetting] = {}
    for name in ARCHIVE_SETTINGS:
        chain = resolution.chain(name)
        if chain is not None and chain.winner is not None and chain.winner.origin is not Origin.DEFAULT:
            found[name] = ConfiguredSetting(chain.winner.value, chain.winner.where)
    return found
