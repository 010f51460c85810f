"""One deployment while it is provisioned: everything that a step may use."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from walconsole.domain.facts.endpoint_reach import Reach
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.profile import BucketTarget, Profile
from walconsole.domain.records import record
from walconsole.domain.store.access_keys import KeyPair, MadeKey
from walconsole.domain.store.grants import KeyGrant
from walconsole.droplet.choices import BackupChoices, DrillChoices, DropletChoices
from walconsole.droplet.rendering import written_buckets
from walconsole.ports import BucketAdmin, Clock, KeyService, ObjectStore, Plain, Shell
from walconsole.provision.droplet.survey import Survey
from walconsole.provision.engine.model import Record

LOOKING_SHARE = 4.0
"""Looking whether something has ended takes one part in so many of a droplet's time: a shell as another user
and a psql are a second's work of a slow processor, which has the work itself to do."""
LONGEST_PAUSE_S = 10.0


def pause_after(looked_s: float, shortest_s: float) -> float:
    """Seconds until the next look, where the last one took `looked_s`."""
    return max(shortest_s, min(LONGEST_PAUSE_S, looked_s * (LOOKING_SHARE - 1)))


class TemporaryKeys(Protocol):
    """The one temporary full-access key of this session; see `temporary_key`."""

    @property
    def pair(self) -> KeyPair | None:
        """The key, while it is alive and works."""
        ...

    @property
    def name(self) -> str:
        """Its name at the API; empty where none was asked for."""
        ...

    @property
    def since(self) -> float | None:
        """When it was asked for, by the monotonic clock; None where there is none."""
        ...

    @property
    def left(self) -> str:
        """What may be alive of this session's keys, in words; empty where nothing is."""
        ...

    async def obtain(self) -> KeyPair:
        """Note it, ask for it; returns the pair, which need not work at S3 yet."""
        ...

    async def dispose(self) -> None:
        """Delete it and read back that it is gone; nothing to do where there is none. Safe to call again."""
        ...

    async def make(self, name: str, grants: Sequence[KeyGrant]) -> MadeKey:
        """Another key, a limited one (`temporary_keys.limited_name`), noted as well before it is asked for.

        Either `keep` or `take_away` follows. Raises as `obtain` does.
        """
        ...

    async def keep(self, name: str) -> None:
        """It is about to be used: nobody shall take it away any more. Raises RegisterError."""
        ...

    async def take_away(self, name: str) -> None:
        """Delete it where it was made and not kept. Raises TemporaryKeyError where it may be alive."""
        ...


class Claim(Protocol):
    """This console's right to change the droplet, which one console has at a time; see `claim`."""

    async def take(self) -> None:
        """Raises BlockedError where another console has it, ProvisionError, and what Shell raises."""
        ...

    async def keep(self) -> str:
        """Renew it again and again; returns when another has it, with who that is."""
        ...

    async def release(self) -> None:
        """Give it back, where it is ours. Raises nothing: it runs out by itself."""
        ...


Sleep = Callable[[float], Awaitable[None]]


@record
class Production:
    """Where production runs, as a site sees it that is another host: `site` is the droplet's own.

    `away` is why its host does not answer, empty where it does. `keys` gives the pair by which the other host
    gets at a copy: the one that the droplet archives with, else the profile's own; it raises
    ObjectStoreError. `config` is where rclone's configuration lies for good on a host of this deployment.
    """

    site: "Site"
    away: str
    keys: Callable[[BucketTarget], Awaitable[KeyPair]]
    config: str


@dataclass(slots=True)
class Site:
    """`choices` are how this droplet shall archive, `backup` how it takes base backups,
    `drill` how it proves them.

    `sleep` waits, in seconds; a test's need not.
    `key_service` raises errors.KeyServiceError where there is no token. `admin` makes S3 calls by a given key
    (close it after use), `store` by the profile's own. `survey` looks once; `survey(again=True)` anew.
    `plain` makes compressed segments plain; without it only of uncompressed ones is told whose they are.
    `temporary` is disposed of by the session, whatever becomes of the steps.
    """

    profile: Profile
    choices: DropletChoices
    shell: Shell
    clock: Clock
    record: Record
    temporary: TemporaryKeys
    key_service: Callable[[], Awaitable[KeyService]]
    admin: Callable[[BucketTarget, KeyPair], BucketAdmin]
    store: Callable[[BucketTarget], ObjectStore]
    look: Callable[["Site"], Awaitable[Survey]]
    sleep: Sleep
    backup: BackupChoices = field(default_factory=BackupChoices)
    drill: DrillChoices = field(default_factory=DrillChoices)
    plain: Plain | None = None
    own: Callable[[BucketTarget], Awaitable[BucketAdmin]] | None = None
    """S3 by the profile's own key; raises errors.ObjectStoreError where there is none. Close it after use."""
    snapshot: Callable[[], Awaitable[Snapshot]] | None = None
    """Everything read anew, the buckets to their ends and from nothing that an earlier session saved."""
    whole: Callable[[Profile], Awaitable[Snapshot]] | None = None
    """The same with every source asked, for the first line, as with this profile of the same droplet."""
    reach: Callable[[str, str | None], Awaitable[Reach]] | None = None
    """The way from here to an endpoint's URL, where certificates in a file of ours may be what is trusted."""
    claim: Claim | None = None
    """Taken before the first change; None where nobody else can be at it."""
    unchangeable_keys: set[str] = field(default_factory=set)
    """Access key ids whose grants the API left as they were though it was asked to change them."""
    probed: set[str] = field(default_factory=set)
    """Copies, by `rclone_path`, into which the archiver was seen to write in this session."""
    production: Production | None = None
    """Where production runs, where this site is another host; None: here."""
    _survey: Survey | None = None

    @property
    def source(self) -> "Site":
        """The host on which production runs: this one, or the droplet that another host stands in for."""
        return self if self.production is None else self.production.site

    @property
    def where(self) -> str:
        """The host, as its steps name it: `root@spare`."""
        return str(self.profile.ssh)

    async def rest(self, shortest_s: float, began: float) -> None:
        """Wait before the next look, after one that began at `began`, in the clock's monotonic seconds."""
        await self.sleep(pause_after(self.clock.monotonic() - began, shortest_s))

    async def survey(self, *, again: bool = False) -> Survey:
        """What the droplet is like. Raises what Shell raises."""
        if self._survey is None or again:
            self._survey = await self.look(self)
        return self._survey

    def targets(self) -> tuple[BucketTarget, ...]:
        """The copies that this droplet archives to, the primary first."""
        return written_buckets(self.profile, self.choices)

    def secrets(self) -> tuple[str, ...]:
        """What no text may hold."""
        pair = self.temporary.pair
        return (pair.secret,) if pair is not None else ()
