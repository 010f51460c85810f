"""The configuration as far as all sources together know it: the files, and the server if it runs."""

from collections.abc import Iterator
from typing import NamedTuple

from walconsole.domain.facts.observed import CatalogueFacts, ConfigFiles
from walconsole.domain.pgconf.catalogue import Catalogue
from walconsole.domain.pgconf.reader import fold, statements
from walconsole.domain.pgconf.resolution import Chain, Origin, Resolution, resolve
from walconsole.domain.pgconf.tree import FileContent
from walconsole.domain.pgconf.values import same

_DISABLED = "(disabled)"
"""What archive_command reads while archive_mode is off, whatever is set."""


def resolve_all(files: ConfigFiles, catalogue: CatalogueFacts | None, *, running: bool) -> Resolution | None:
    """Every chain. `catalogue` gives names and types even when its server does not answer any more.

    With `running` False the values in force and the role settings are left out: the files alone.
    """
    if files.tree is None or files.start is None:
        return files.resolution
    if catalogue is None or catalogue.version_num // 10_000 != (files.start.major or _major(catalogue)):
        return files.resolution or resolve(files.tree, files.start)
    return resolve(
        files.tree,
        files.start,
        Catalogue(catalogue.metas, _major(catalogue)),
        catalogue.in_force if running else None,
        catalogue.role_settings if running else (),
    )


def _major(catalogue: CatalogueFacts) -> int:
    return catalogue.version_num // 10_000


def value_now(chain: Chain) -> str | None:
    """The value that counts: in force where a server said so, else what a start would take.

    An archive_command that is only hidden by archive_mode = off counts as what it is set to.
    """
    if chain.in_force is not None and chain.in_force.value != _DISABLED:
        return chain.in_force.value
    return chain.winner.value if chain.winner is not None else None


class Differing(NamedTuple):
    """A setting in a file and in force. `here` is None where the file does not set it.

    `line` is the last one that sets it, `now` the value in force (None: not known), `where` its place.
    `alike` tells whether both mean the same to the server.
    """

    name: str
    here: str | None
    line: int | None
    now: str | None
    where: str
    alike: bool


def difference(content: FileContent, resolution: Resolution) -> tuple[Differing, ...]:
    """What would change if the server read this file instead of its own: what differs comes first."""
    here = {fold(name): (value, line) for name, value, line in _assignments(content)}
    rows = [_differing(name, value, line, resolution) for name, (value, line) in here.items()]
    lost = [
        Differing(name, None, None, value_now(chain), chain.winner.where, alike=False)
        for name, chain in resolution.chains.items()
        if name not in here and chain.winner is not None and chain.winner.origin is Origin.FILE
    ]
    return (*(row for row in rows if not row.alike), *(row for row in rows if row.alike), *lost)


def _assignments(content: FileContent) -> Iterator[tuple[str, str, int]]:
    for statement in statements(content.raw or b""):
        if statement.name is not None and not fold(statement.name).startswith("include"):
            yield statement.name, statement.value, statement.line


def _differing(name: str, value: str, line: int, resolution: Resolution) -> Differing:
    chain = resolution.chain(name)
    now = value_now(chain) if chain is not None else None
    if chain is None or now is None:
        return Differing(name, value, line, None, "nothing sets it", alike=False)
    where = chain.winner.where if chain.winner is not None else "the server"
    return Differing(name, value, line, now, where, alike=same(value, now, chain.meta))
