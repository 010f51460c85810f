"""Secrets that a profile names: systemd's credentials, then the environment, then a keyring."""

import os
from collections.abc import Mapping
from pathlib import Path

from walconsole.errors import NoticeError

CREDENTIALS = "CREDENTIALS_DIRECTORY"
"""Where systemd puts what LoadCredential= names (systemd.exec(5))."""
_LARGEST_BYTES = 64 * 1024


def secret(name: str, environment: Mapping[str, str], keyring_service: str) -> str:
    """Its text, without blanks around it. Blocks. Raises NoticeError, which never has it."""
    for found in (_credential(name, environment), environment.get(name, "").strip()):
        if found:
            return _checked(name, found)
    found = _from_keyring(name, keyring_service)
    if not found:
        raise NoticeError(
            f"reading the secret {name}",
            "it is neither a credential of the service, nor in the environment, nor in the keyring",
            f"LoadCredential={name}:FILE in the unit, or export {name}, or"
            f" keyring set {keyring_service} {name}",
        )
    return _checked(name, found)


def _credential(name: str, environment: Mapping[str, str]) -> str:
    folder = environment.get(CREDENTIALS, "")
    if not folder:
        return ""
    try:
        handle = os.open(Path(folder) / name, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(handle, "rb") as file:
            return file.read(_LARGEST_BYTES).decode("utf-8").strip()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise NoticeError(f"reading the credential {name}", why or "it cannot be read") from None


def _from_keyring(name: str, service: str) -> str:
    try:
        import keyring  # optional, and slow to import
        from keyring.errors import KeyringError
    except ImportError:
        return ""
    try:
        return (keyring.get_password(service, name) or "").strip()
    except KeyringError:
        return ""  # as good as not there: where it was looked for is said


def _checked(name: str, text: str) -> str:
    if not text.isprintable() or " " in text:
        raise NoticeError(
            f"reading the secret {name}", "it has blanks or control characters", "copy it again"
        )
    return text
