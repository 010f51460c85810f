"""Folders of the host into which an archive_command copies, told by its words alone."""

import re

_FOLDER = re.compile(r"""(?<![\w.:@/-])(/[^\s'"$`;&|<>%]*)/["']?%f""")
"""A path of its own: not a part of `host:/path`, nor one with a variable in it."""


def archive_folders(command: str) -> tuple[str, ...]:
    """Absolute folders in which it stores a file as `%f`, each once; whatever suffix follows."""
    return tuple(dict.fromkeys(match[1] for match in _FOLDER.finditer(command) if match[1]))
