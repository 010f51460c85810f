"""Where an S3 key pair comes from: environment variables, a keyring, or the droplet's rclone.conf.

A pair lives in memory only. Its secret is in no repr, message or log.
"""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from walconsole.domain.archivers.target import Credentials
from walconsole.domain.profile import KeyReference, KeySource
from walconsole.domain.redaction import safe
from walconsole.domain.store.access_keys import KeyPair
from walconsole.domain.store.answers import NO_KEY
from walconsole.errors import ObjectStoreError
from walconsole.ports import Shell

REREAD_SPACING_S = 60.0
_CONFIG_LIMIT = 256 * 1024
_LONGEST_SHOWN = 40
_LONGEST_ENDPOINT = 300


class KeyPairSource(Protocol):
    """Gives the key pair of one bucket. Raises ObjectStoreError with code NoKey."""

    async def key_pair(self) -> KeyPair: ...

    def forget(self) -> bool:
        """The store refused the pair: read it anew next time. False when that was done just now."""
        ...


def no_key(where: str, why: str, remedy: str) -> ObjectStoreError:
    """There is no key pair: where it was looked for, why it is not there, what to do."""
    return ObjectStoreError(f"reading the S3 key from {where}", why, remedy, code=NO_KEY)


def checked_pair(access_key: str, secret: str, where: str, endpoint: str = "") -> KeyPair:
    """The pair, when both could be one. Raises ObjectStoreError NoKey, never quoting the secret."""
    for what, value in (("access key", access_key), ("secret key", secret)):
        if not value:
            raise no_key(where, f"the {what} is empty", "set both the access key and the secret key")
        if not (value.isascii() and value.isprintable() and " " not in value):
            raise no_key(where, f"the {what} holds characters that no key has", "copy the key again")
    return KeyPair(access_key, secret, endpoint)


class EnvironmentKeys:
    """Two variables of the console's own environment, named by the profile."""

    def __init__(self, reference: KeyReference, environ: Mapping[str, str]) -> None:
        self._names = (reference.access_key_env, reference.secret_key_env)
        self._environ = environ

    async def key_pair(self) -> KeyPair:
        """Raises ObjectStoreError NoKey naming the variable that is not set."""
        where = "the environment"
        missing = [name for name in self._names if not self._environ.get(name)]
        if missing:
            names = " and ".join(missing)
            raise no_key(
                where, f"{names} not set", f"export {names}, or name another source of keys in the profile"
            )
        access, secret = (self._environ[name].strip() for name in self._names)
        return checked_pair(access, secret, where)

    def forget(self) -> bool:
        """An environment does not change while the console runs."""
        return False


class KeyringKeys:
    """The desktop's keyring, entries `access_key_id` and `secret_access_key` of one service."""

    def __init__(self, reference: KeyReference) -> None:
        self._service = reference.keyring_service
        self._refused_at = -REREAD_SPACING_S

    async def key_pair(self) -> KeyPair:
        """Asked in a thread: a keyring may wait for the operator to unlock it."""
        return await asyncio.to_thread(self._read)

    def forget(self) -> bool:
        """The keyring is read at every connection of the store anyway; once a minute is enough."""
        now = time.monotonic()
        due = now - self._refused_at >= REREAD_SPACING_S
        if due:
            self._refused_at = now
        return due

    def _read(self) -> KeyPair:
        where = f"the keyring's service {self._service!r}"
        try:
            import keyring  # optional, and slow to import
            from keyring.errors import KeyringError
        except ImportError:
            raise no_key(
                where, "the package keyring is not installed", "pip install 'walconsole[keyring]'"
            ) from None
        try:
            access = keyring.get_password(self._service, "access_key_id")
            secret = keyring.get_password(self._service, "secret_access_key")
        except KeyringError as error:
            raise no_key(
                where, type(error).__name__, "unlock the keyring, or name another source of keys"
            ) from error
        if access is None or secret is None:
            missing = "access_key_id" if access is None else "secret_access_key"
            raise no_key(where, f"no entry {missing}", f"keyring set {self._service} {missing}")
        return checked_pair(access.strip(), secret.strip(), where)


class RcloneConfig:
    """The droplet's rclone.conf, read over SSH into memory: once for both buckets."""

    def __init__(self, shell: Shell, path: str, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.path = path
        self._shell = shell
        self._monotonic = monotonic
        self._sections: dict[str, dict[str, str]] | None = None
        self._read_at = -REREAD_SPACING_S
        self._reading = asyncio.Lock()

    async def section(self, name: str) -> Mapping[str, str]:
        """The options of remote `name`. Raises ObjectStoreError NoKey, SshError, ShellError."""
        async with self._reading:
            if self._sections is None:
                self._sections = parse_rclone(await self._text(), self.path)
                self._read_at = self._monotonic()
            section = self._sections.get(name)
        if section is None:
            # What was looked for may be added while the console runs: look again, but not all the time.
            self.forget()
            raise no_key(
                self._where,
                f"it has no section [{name}]",
                f"add the remote {name} to it, or name another one in the profile",
            )
        return section

    def forget(self) -> bool:
        """Read the file anew next time, at most once a minute; False when that is too early."""
        due = self._monotonic() - self._read_at >= REREAD_SPACING_S
        if due:
            self._sections = None
        return due

    @property
    def _where(self) -> str:
        return f"{self.path} on the droplet"

    async def _text(self) -> str:
        answer = await self._shell.run(_read_script(self.path), timeout_s=10.0)
        if answer.status == 0:
            return answer.stdout.decode("utf-8", "replace")
        why, remedy = _READ_FAILURES.get(
            answer.status, (f"the reading ended with status {answer.status}", "")
        )
        user = answer.stdout[:64].decode("utf-8", "replace").strip() or "this user"
        raise no_key(self._where, why.format(user=user), remedy)


_READ_FAILURES = {
    61: (
        "no such file that {user} can see",
        "write the remotes there (rclone config), or name the right file in the profile",
    ),
    62: (
        "{user} may not read it",
        "connect as a user who may (root, or postgres' group), or set sudo = true in the profile",
    ),
    63: ("it is no regular file", "name the right file in the profile"),
}


def _read_script(path: str) -> str:
    """One script, one round trip; its failures are told by the exit status, and print the user."""
    quoted = "'" + path.replace("'", "'\\''") + "'"
    return (
        f"f={quoted}\n"
        '[ -e "$f" ] || { id -un; exit 61; }\n'
        '[ -f "$f" ] || { id -un; exit 63; }\n'
        '[ -r "$f" ] || { id -un; exit 62; }\n'
        f'head -c {_CONFIG_LIMIT} <"$f"\n'
    )


_NAME_ONE = "name an s3 remote in the profile"
_WITHOUT_KEYS = {
    "crypt": (
        "the remote is a crypt: the bucket holds encrypted objects, by encrypted names unless it says "
        "filename_encryption = off, which the droplet alone reads",
        "the installed scripts read through it: call the drill's and the recovery's on the droplet by hand "
        "(docs/recovery.md); for the console to see it, name the s3 remote below, and archive in plain",
    ),
}
"""Why a remote of that type has no keys to list a bucket by, and what to do."""


class DropletKeys:
    """One remote of the droplet's rclone.conf."""

    def __init__(self, config: RcloneConfig, remote: str) -> None:
        self._config, self._remote = config, remote

    async def key_pair(self) -> KeyPair:
        """Raises ObjectStoreError NoKey, SshError, ShellError."""
        options = await self._config.section(self._remote)
        where = f"[{self._remote}] in {self._config.path} on the droplet"
        if options.get("type", "s3") != "s3":
            kind = safe(options["type"][:_LONGEST_SHOWN])
            raise no_key(
                where, *_WITHOUT_KEYS.get(kind, (f"the remote is of type {kind}, not s3", _NAME_ONE))
            )
        if options.get("env_auth", "").lower() == "true" and not options.get("access_key_id"):
            raise no_key(
                where, "env_auth = true: its keys are elsewhere", "set keys = environment in the profile"
            )
        return checked_pair(
            options.get("access_key_id", ""),
            options.get("secret_access_key", ""),
            where,
            safe(options.get("endpoint", "")[:_LONGEST_ENDPOINT]),
        )

    def forget(self) -> bool:
        """Read the file anew next time, at most once a minute."""
        return self._config.forget()


class FoundKeys:
    """The pair that the server's own archiver uses, as it was found on the droplet.

    `first` is what was found at the start; `again` looks there anew.
    """

    def __init__(
        self,
        first: Credentials,
        again: Callable[[], Awaitable[Credentials]],
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._found: Credentials | None = first
        self._again, self._monotonic = again, monotonic
        self._read_at = monotonic()

    async def key_pair(self) -> KeyPair:
        """Raises ObjectStoreError NoKey, SshError, ShellError."""
        if self._found is None:
            self._found = await self._again()
            self._read_at = self._monotonic()
        found = self._found
        where = f"the droplet ({safe(found.source)})" if found.source else "the droplet"
        elsewhere = 'set keys = "environment" or "keyring" in the profile'
        if found.token:
            why = "the pair belongs to a session token, which is not used here"
            raise no_key(where, why, elsewhere)
        if found.pair is None:
            self.forget()  # it may be added while the console runs
            raise no_key(where, safe(found.why_not) or "no pair was found", elsewhere)
        return checked_pair(found.pair.access_key, found.pair.secret, where)

    def forget(self) -> bool:
        """Look for it anew next time, at most once a minute."""
        due = self._monotonic() - self._read_at >= REREAD_SPACING_S
        if due:
            self._found = None
        return due


_SECTION = re.compile(r"\[(?P<name>[^\]]*)\]")


def parse_rclone(text: str, path: str) -> dict[str, dict[str, str]]:
    """Sections of an rclone.conf: `[name]`, `option = value`, `#` and `;` comments.

    Read here and not with configparser, whose errors quote the lines that hold the secrets.
    """
    if text.startswith("# Encrypted rclone configuration File"):
        raise no_key(
            f"{path} on the droplet", "the file is encrypted", "name another source of keys in the profile"
        )
    sections: dict[str, dict[str, str]] = {}
    section: dict[str, str] | None = None
    for line in map(str.strip, text.lstrip("\ufeff").splitlines()):
        match = _SECTION.fullmatch(line)
        if match:
            section = sections.setdefault(match["name"].strip(), {})
        elif section is not None and line and line[0] not in "#;":
            name, equals, value = line.partition("=")
            if equals:
                section[name.strip().lower()] = value.strip()
    return sections


class _UnfoundKeys:
    """Where the profile leaves the pair to what is found on the droplet, and nothing was looked for."""

    async def key_pair(self) -> KeyPair:
        raise no_key(
            "the droplet",
            "this does not use the pair of the server's own archiver",
            'set keys = "environment" or "keyring", or rclone_remote, in the profile',
        )

    def forget(self) -> bool:
        return False


def key_source(
    reference: KeyReference, environ: Mapping[str, str], rclone: RcloneConfig | None
) -> KeyPairSource:
    """The source that a profile names. `rclone` is shared by the buckets of one droplet."""
    if reference.source is KeySource.ENVIRONMENT:
        return EnvironmentKeys(reference, environ)
    if reference.source is KeySource.KEYRING:
        return KeyringKeys(reference)
    if not reference.rclone_remote:
        return _UnfoundKeys()
    if rclone is None:
        raise ValueError("keys from the droplet need its rclone configuration")
    return DropletKeys(rclone, reference.rclone_remote)
