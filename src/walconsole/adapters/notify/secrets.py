"""Secrets that a profile names: systemd's credentials, then the environment, then a keyring."""

from collections.abc import Mapping

from walconsole.errors import NoticeError
from walconsole.operator_files.credentials import credential


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
    try:
        return credential(name, environment)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
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
