"""From the copies that a profile names to the stores they are read from."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Protocol

from walconsole.adapters.folder.store import FolderStore
from walconsole.adapters.s3.key_sources import KeyPairSource, RcloneConfig
from walconsole.adapters.s3.store import SpacesStore
from walconsole.adapters.ssh.shell import SshShell
from walconsole.command_register import Telling, untold
from walconsole.domain.facts.evidence import LifecycleRule
from walconsole.domain.profile import BucketRole, BucketTarget, Profile, SshTarget
from walconsole.domain.round_trips import ObjectContent, Page
from walconsole.domain.store.answers import UNREAD_PLACE
from walconsole.errors import ObjectStoreError
from walconsole.observe.host.invocation import as_user
from walconsole.ports import LifecycleStore, ObjectStore, WholeStore
from walconsole.process.cleanup import Cleanups
from walconsole.session.finding import HostFinding, keys_of


class Store(ObjectStore, WholeStore, LifecycleStore, Protocol):
    """One place of the archive, as far as it is read."""


class UnreadPlace:
    """A place that the server archives to and nobody reads here. Raises ObjectStoreError that says why."""

    key_hint = key_endpoint = ""

    def __init__(self, target: BucketTarget) -> None:
        look = "look with the archiver's own program; or name a store that can be read, in the profile"
        self._error = ObjectStoreError(f"reading {target.bucket}", target.unread, look, code=UNREAD_PLACE)

    async def page(self, *, start_after: str = "", max_keys: int = 1000) -> Page:
        raise self._error

    async def read(self, key: str, count: int) -> ObjectContent:
        raise self._error

    async def whole(self, key: str, limit: int) -> ObjectContent:
        raise self._error

    async def lifecycle(self) -> tuple[LifecycleRule, ...]:
        raise self._error


def s3_store(
    target: BucketTarget,
    keys: KeyPairSource,
    environment: Mapping[str, str],
    cleanups: Cleanups,
    telling: Telling,
) -> SpacesStore:
    """The store of a bucket; `cleanups` close its connections. Nothing connects yet."""
    store = SpacesStore(target, keys, environ=environment, connections=target.connections, telling=telling)
    cleanups.add(f"closing the connections to {target.endpoint}", store.close)
    return store


class Stores:
    """The store of each copy, made once; `cleanups` close their connections. Nothing connects yet.

    Folders on the droplet are read through `beside`, a shell of their own. `environment`, `finding` as for
    `wiring.observe`; `segment_bytes` is the server's, None before it is known; `telling` takes
    each request. `server_pid` is the server's first process, whose file systems a folder is looked for in.
    """

    def __init__(
        self,
        profile: Profile,
        shell: SshShell,
        environment: Mapping[str, str],
        cleanups: Cleanups,
        finding: HostFinding | None,
        segment_bytes: Callable[[], int | None],
        telling: Telling = untold,
        rclone: RcloneConfig | None = None,
        server_pid: Callable[[], int | None] = lambda: None,
    ) -> None:
        self._profile, self._environment, self._cleanups = profile, environment, cleanups
        self._finding, self._segment_bytes, self._telling = finding, segment_bytes, telling
        self._server_pid = server_pid
        self._rclone = rclone or RcloneConfig(shell, profile.paths.rclone_config)
        self.beside = shell.beside()
        cleanups.add("closing the shell that looks at folders", self.beside.aclose)
        self._made: dict[BucketRole, Store] = {}

    def of(self, target: BucketTarget) -> Store:
        """The one of this copy."""
        if target.role not in self._made:
            self._made[target.role] = self._make(target)
        return self._made[target.role]

    def _make(self, target: BucketTarget) -> Store:
        if target.unread:
            return UnreadPlace(target)
        if target.folder:
            return self._folder(target)
        keys = keys_of(target, self._environment, self._rclone, self._finding)
        return s3_store(target, keys, self._environment, self._cleanups, self._telling)

    def _folder(self, target: BucketTarget) -> FolderStore:
        """A folder on the droplet, or on another host, by the operator's own ssh."""
        if not target.folder_host:
            as_owner = partial(as_user, self._profile.postgres.os_user)
            return FolderStore(target, self.beside, as_owner, self._segment_bytes, self._server_pid)
        user, _, host = target.folder_host.rpartition("@")
        there = SshTarget(host, user=user or None, config_file=self._profile.ssh.config_file)
        shell = self.beside.to(there)
        self._cleanups.add(f"closing the SSH connection to {target.folder_host}", shell.aclose)
        return FolderStore(target, shell, segment_bytes=self._segment_bytes)
