"""What the screen shows of one snapshot: every chain, the files, and whether a server confirms it."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING

from walconsole.domain.facts.observed import CatalogueFacts, ConfigFile, ConfigFiles, FileRole
from walconsole.domain.facts.snapshot import Freshness, Snapshot
from walconsole.domain.pgconf.catalogue import ARCHIVE_RELEVANT, ARCHIVE_SETTINGS
from walconsole.domain.pgconf.reader import fold, statements
from walconsole.domain.pgconf.resolution import Chain, Origin, Resolution, State
from walconsole.domain.pgconf.running import resolve_all
from walconsole.domain.pgconf.tree import ConfigTree, FileContent, Obstacle
from walconsole.domain.records import record

if TYPE_CHECKING:
    from collections.abc import Mapping


_FIRST = {name: rank for rank, name in enumerate(ARCHIVE_SETTINGS)}


@record
class DeadLine:
    """A line of a file that is never read: it sets `name`, to no effect."""

    file: ConfigFile
    value: str
    line: int


@record
class ConfigurationPicture:
    """`alone` says why no server confirms it, empty while one does.

    `names` are all settings, archive-relevant ones first, then those that something sets;
    `relevant` so many of them are archive-relevant. `dead_lines` are by setting.
    """

    files: ConfigFiles
    resolution: Resolution
    tree: ConfigTree
    catalogue: CatalogueFacts | None
    alone: str
    names: tuple[str, ...]
    relevant: int
    dead_lines: Mapping[str, tuple[DeadLine, ...]]
    roles: Mapping[str, ConfigFile] = field(default_factory=dict)

    @property
    def running(self) -> bool:
        """Whether a running server's values are in it."""
        return not self.resolution.from_files_alone

    def chain(self, name: str) -> Chain:
        """The setting's chain; an empty one where nothing is known of it."""
        return self.resolution.chain(name) or Chain(name, (), None)

    def content(self, path: str) -> FileContent:
        """What was read at `path`, systemd's files included."""
        found = self.tree.file(path)
        if found is None and self.files.launch is not None and path in self.files.launch.texts:
            return FileContent(path, self.files.launch.texts[path])
        return found or FileContent(path, obstacle=Obstacle.MISSING)

    def is_dead(self, path: str) -> bool:
        """Whether nothing ever reads it; another cluster's file lives there."""
        file = self.roles.get(path)
        return file is not None and file.role is FileRole.NEVER_READ


def same_picture(one: Snapshot, other: Snapshot) -> bool:
    """Whether both snapshots have the same picture: looking again may have found nothing new."""
    return (
        one.files.value is other.files.value
        and one.catalogue.value == other.catalogue.value
        and _why_alone(one) == _why_alone(other)
    )


def picture_of(snapshot: Snapshot) -> ConfigurationPicture | None:
    """The picture; None while the files were not read. Takes as long as resolving them does."""
    files, catalogue = snapshot.files.value, snapshot.catalogue.value
    if files is None:
        return None
    alone = _why_alone(snapshot)
    resolution = resolve_all(files, catalogue, running=not alone)
    if resolution is None:
        return None
    tree = files.tree or ConfigTree({})
    names, relevant = _ordered(resolution)
    return ConfigurationPicture(
        files,
        resolution,
        tree,
        catalogue,
        alone,
        names,
        relevant,
        _dead_lines(files, tree),
        {file.path: file for file in files.files},
    )


def _why_alone(snapshot: Snapshot) -> str:
    """Why the server's own word is missing, one clause; empty when it is there."""
    for reading in (snapshot.catalogue, snapshot.archiver):
        if reading.problem is not None:
            return reading.problem.why
    if snapshot.catalogue.freshness is Freshness.UNREAD:
        return "pg_settings was not read yet"
    return ""


def _ordered(resolution: Resolution) -> tuple[tuple[str, ...], int]:
    """Archive-relevant settings by meaning, then what anything sets, then the rest."""
    relevant = ARCHIVE_RELEVANT | _FIRST.keys()
    first = sorted(
        (name for name in resolution.chains if name in relevant),
        key=lambda name: (_FIRST.get(name, len(_FIRST)), name),
    )
    others = sorted(
        (name for name in resolution.chains if name not in relevant),
        key=lambda name: (not _is_set(resolution.chains[name]), name),
    )
    return (*first, *others), len(first)


def _is_set(chain: Chain) -> bool:
    return any(place.origin is not Origin.DEFAULT for place in chain.places)


def _dead_lines(files: ConfigFiles, tree: ConfigTree) -> dict[str, tuple[DeadLine, ...]]:
    found: dict[str, list[DeadLine]] = {}
    for file in files.never_read:
        content = tree.file(file.path)
        assigned = (
            [(s.name, s.value, s.line) for s in statements(content.raw) if s.name is not None]
            if content is not None and content.raw is not None
            else file.settings
        )
        for name, value, line in assigned:
            found.setdefault(fold(name), []).append(DeadLine(file, value, line))
    return {name: tuple(lines) for name, lines in found.items()}


def has_error(chain: Chain) -> bool:
    """Whether one of its places is in error, or thrown away for another's error."""
    return any(place.state in (State.ERROR, State.DISCARDED) for place in chain.places)
