"""systemd's credentials: what LoadCredential= of a unit names, as files that its service alone reads."""

import os
from collections.abc import Mapping
from pathlib import Path

DIRECTORY = "CREDENTIALS_DIRECTORY"
"""The variable that says where they lie (systemd.exec(5))."""
_LARGEST_BYTES = 64 * 1024


def credential(name: str, environment: Mapping[str, str]) -> str:
    """Its text, without blanks around it; empty where there is none. Blocks. Raises OSError, ValueError."""
    folder = environment.get(DIRECTORY, "")
    if not folder:
        return ""
    try:
        handle = os.open(Path(folder) / name, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return ""
    with os.fdopen(handle, "rb") as file:
        raw = file.read(_LARGEST_BYTES)
    try:
        return raw.decode("utf-8").strip()
    except UnicodeDecodeError:
        raise ValueError("it is no text") from None
