"""The failure modes, explained: one page each, by family. docs/failures is made from these."""

from collections.abc import Mapping

from walconsole.domain.failures.pages import (
    archive,
    archiver,
    calm,
    command,
    configuration,
    disk,
    sources,
    store,
)
from walconsole.domain.standing.page import Page

FAMILIES: tuple[tuple[str, tuple[Page, ...]], ...] = (
    ("Configuration", configuration.PAGES),
    ("The archive command", command.PAGES),
    ("The store", store.PAGES),
    ("The archiver", archiver.PAGES),
    ("The archive", archive.PAGES),
    ("The disk", disk.PAGES),
    ("What cannot be seen", sources.PAGES),
    ("What looks wrong and is not", calm.PAGES),
)
PAGES: Mapping[str, Page] = {page.rule: page for _, pages in FAMILIES for page in pages}

__all__ = ["FAMILIES", "PAGES", "Page"]
