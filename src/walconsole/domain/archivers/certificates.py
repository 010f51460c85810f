"""The certificates that a tool trusts for its endpoint, where that is a file of its own."""

import re
from dataclasses import replace

from walconsole.domain.archivers.expansion import UNKNOWN
from walconsole.domain.archivers.look import Look
from walconsole.domain.archivers.target import ArchiveTarget, S3Store

_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
"""Nothing else of that file is kept: some hold a private key, too."""


def with_certificates(target: ArchiveTarget, look: Look) -> ArchiveTarget:
    """With what the tool trusts, where that is a file of its own; the system's bundle is not one."""
    store = target.store
    if not isinstance(store, S3Store) or store.ca is None:
        return target
    file = look.file(look.path(store.ca.value)) if UNKNOWN not in store.ca.value else None
    if file is None or file.cut:
        return target
    text = "\n".join(_CERTIFICATE.findall(file.text))
    return replace(target, store=replace(store, ca_text=text))
