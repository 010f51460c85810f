"""From a profile to a site that can be provisioned: adapters, the record, the temporary key's clean-up."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from walconsole.command_register import Telling, telling_of_requests, untold
from walconsole.domain.facts.endpoint_reach import Reach
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.profile import BucketTarget, Profile
from walconsole.domain.records import record
from walconsole.domain.store.access_keys import KeyPair
from walconsole.droplet.choices import Authorities, BackupChoices, DrillChoices, DropletChoices
from walconsole.droplet.rendering import certificates_in
from walconsole.errors import BlockedError, ConfigError
from walconsole.operator_files.key_ledger import LedgerFolder
from walconsole.operator_files.places import TEMPORARY_KEYS, home_of, places
from walconsole.ports import BucketAdmin, Clock, KeyLedger, KeyService, ObjectStore, Plain, Shell
from walconsole.process.cleanup import Cleanups
from walconsole.provision.droplet.claim import DropletClaim
from walconsole.provision.engine.model import Record
from walconsole.provision.engine.record import SessionRecord, record_file
from walconsole.provision.engine.site import Site
from walconsole.provision.keys.asked import LONGEST_DISPOSAL_S
from walconsole.provision.keys.leftovers import Doubts, Leftover, age_of, delete_leftover, leftovers
from walconsole.provision.keys.temporary_key import TemporaryKey
from walconsole.session.heard_ledger import HeardLedger
from walconsole.session.incident_memory import IncidentMemory

if TYPE_CHECKING:
    from walconsole.adapters.keys_api.service import DigitalOceanKeys
    from walconsole.adapters.s3.key_sources import KeyPairSource
    from walconsole.adapters.ssh.shell import SshShell
    from walconsole.session.finding import HostFinding

_AFTER_DISPOSAL_S = 5.0
_MOST_CERTIFICATES = 16
"""Of a file that is brought: more are a collection of public authorities, and the droplet has its own."""


class KeysLater:
    """The keys API, whose client is imported and made when it is first asked for: it takes a while."""

    def __init__(self, profile: Profile, environment: Mapping[str, str], telling: Telling = untold) -> None:
        self._profile, self._environment, self._telling = profile, environment, telling
        self._made: DigitalOceanKeys | None = None
        self._lock = asyncio.Lock()

    async def __call__(self) -> KeyService:
        """Raises KeyServiceError where there is no token."""
        async with self._lock:
            if self._made is None:
                self._made = await asyncio.to_thread(self._make)
            return self._made

    async def close(self) -> None:
        """Close its connections, where there are any."""
        if self._made is not None:
            await self._made.close()

    def _make(self) -> "DigitalOceanKeys":
        from walconsole.adapters.keys_api.service import DigitalOceanKeys
        from walconsole.adapters.keys_api.token import api_token

        home = home_of(self._environment)
        token = api_token(self._profile.api, self._environment, home)
        return DigitalOceanKeys(self._profile.api, token, self._telling)


@record
class Provisioned:
    """A site, and what keeps its temporary keys; `temporary.left` says what may be alive at the end."""

    site: Site
    temporary: TemporaryKey
    ledger: KeyLedger
    keys: KeysLater

    async def leftovers(self) -> tuple[Leftover, ...]:
        """Temporary keys of dead consoles. Raises KeyServiceError, RegisterError."""
        service = await self.keys()
        return await leftovers(self.ledger, service, self.site.profile.api.endpoint, self.site.clock.now())

    @property
    def doubts(self) -> Doubts:
        """Keys of this run, and of earlier ones, of which nobody knows whether they were made."""
        return self.temporary.doubts

    def look_for(self, leftover: Leftover) -> None:
        """From now on, beside whatever else is done, for one that is in doubt."""
        if leftover.entry is not None:
            self.doubts.add(leftover.entry, age_of(leftover.entry, self.site.clock))

    async def delete(self, leftover: Leftover) -> None:
        """Raises KeyServiceError, TemporaryKeyError."""
        await delete_leftover(leftover, self.ledger, await self.keys())


def provisioned(
    profile: Profile,
    shell: "SshShell",
    clock: Clock,
    environment: Mapping[str, str],
    cleanups: Cleanups,
    *,
    choices: DropletChoices | None = None,
    lasting: bool = True,
    memory: IncidentMemory | None = None,
    finding: "HostFinding | None" = None,
) -> Provisioned:
    """The site of `profile`. Nothing connects yet; `cleanups` delete the temporary key and close everything,
    `shell` too.

    `lasting` False: what is recorded goes with the session, as its embedded droplet does. `memory` is told of
    the full-access keys. `finding` is what the host said of where its server archives to, None where it was
    not asked. Raises BlockedError where the archive is a folder, or a place that is not read: nothing is set
    up there.
    """
    _refuse_places(profile)
    from walconsole.provision.droplet.surveying import take_survey

    telling = telling_of_requests(shell.register, clock.now)
    keys = KeysLater(profile, environment, telling)
    cleanups.add("closing the connection to the keys API", keys.close)
    ledger, record = _kept(profile, environment) if lasting else _passing(profile)
    if memory is not None:
        ledger = HeardLedger(ledger, memory, clock)
    temporary = TemporaryKey(profile.name, profile.api.endpoint, keys, ledger, clock)
    cleanups.add_task(asyncio.create_task(temporary.doubts.watch(), name="looking for keys in doubt"))
    cleanups.add(f"closing the shell on {profile.ssh}", shell.aclose)
    stores = _Stores(profile, environment, shell, cleanups, finding, telling)
    anew = _Anew(profile, shell, clock, environment, finding)
    # Added last, so that it is done first: the connections that it needs are still open.
    cleanups.add("deleting the temporary key", temporary.end, LONGEST_DISPOSAL_S + _AFTER_DISPOSAL_S)
    site = Site(
        profile=profile,
        choices=replace(choices or DropletChoices.for_profile(profile), authorities=authorities_of(profile)),
        shell=shell,
        clock=clock,
        record=record,
        temporary=temporary,
        key_service=keys,
        admin=stores.admin,
        store=stores.of,
        look=take_survey,
        sleep=asyncio.sleep,
        backup=BackupChoices.for_profile(profile),
        drill=DrillChoices.for_profile(profile),
        plain=_plain(),
        own=stores.own,
        snapshot=anew.judgeable,
        whole=anew.whole,
        reach=_reach,
        claim=_claim(profile, shell, clock),
    )
    return Provisioned(site, temporary, ledger, keys)


def _claim(profile: Profile, shell: "SshShell", clock: Clock) -> DropletClaim:
    beside_keys = PurePosixPath(profile.paths.rclone_config).parent
    return DropletClaim(shell, str(beside_keys), clock, patience=shell.patience)


def _refuse_places(profile: Profile) -> None:
    """Raises BlockedError for what is no bucket that is read."""
    tried = f"setting archiving up for {profile.name}"
    named = "name a bucket under [profiles.NAME.primary], or use the commands that findings show"
    if profile.in_folders:
        why = f"its archive is the folder {profile.primary.bucket}, which others set up"
        raise BlockedError(tried, why, named)
    unread = next((target.unread for target in profile.buckets if target.unread), "")
    if unread:
        raise BlockedError(tried, unread, named)


class _Anew:
    """Everything read anew through `shell`, from nothing that an earlier session saved.

    `finding` is what the host said of `profile`'s server, and of no other's.
    """

    def __init__(
        self,
        profile: Profile,
        shell: "SshShell",
        clock: Clock,
        environment: Mapping[str, str],
        finding: "HostFinding | None",
    ) -> None:
        self._profile, self._shell, self._clock, self._environment = profile, shell, clock, environment
        self._found = finding.through(shell) if finding is not None else None

    async def judgeable(self) -> Snapshot:
        """What retention is judged by."""
        from walconsole.session.one_look import look_anew

        return await look_anew(self._profile, self._shell, self._clock, self._environment, self._found)

    async def whole(self, of: Profile) -> Snapshot:
        """Every source, as with the profile `of`."""
        from walconsole.session.one_look import look_anew

        found = self._found if of == self._profile else None
        return await look_anew(of, self._shell, self._clock, self._environment, found, whole=True)


class _Stores:
    """The profile's own view of each bucket, made when it is first asked for."""

    def __init__(
        self,
        profile: Profile,
        environment: Mapping[str, str],
        shell: Shell,
        cleanups: Cleanups,
        finding: "HostFinding | None",
        telling: Telling,
    ) -> None:
        self._profile, self._environment, self._shell = profile, environment, shell
        self._cleanups, self._finding, self._telling = cleanups, finding, telling
        self._made: dict[BucketTarget, ObjectStore] = {}

    def of(self, target: BucketTarget) -> ObjectStore:
        """The store of a copy."""
        if target not in self._made:
            self._made[target] = self._make(target)
        return self._made[target]

    async def own(self, target: BucketTarget) -> BucketAdmin:
        """S3 as the profile's own key may use it. Raises ObjectStoreError where there is no key."""
        return self.admin(target, await self._keys(target).key_pair())

    def admin(self, target: BucketTarget, pair: KeyPair) -> BucketAdmin:
        """S3 by that key."""
        from walconsole.adapters.s3.admin import SpacesAdmin  # boto3: a quarter of a second

        return SpacesAdmin(target, pair, self._telling)

    def _keys(self, target: BucketTarget) -> "KeyPairSource":
        from walconsole.adapters.s3.key_sources import RcloneConfig
        from walconsole.session.finding import keys_of

        rclone = RcloneConfig(self._shell, self._profile.paths.rclone_config)
        return keys_of(target, self._environment, rclone, self._finding)

    def _make(self, target: BucketTarget) -> ObjectStore:
        from walconsole.session.stores import s3_store

        return s3_store(target, self._keys(target), self._environment, self._cleanups, self._telling)


async def _reach(endpoint: str, ca_file: str | None) -> Reach:
    from walconsole.adapters.endpoint_reach import (
        reach,  # ssl and asyncio's streams: not before they are needed
    )

    return await reach(endpoint, ca_file)


def authorities_of(profile: Profile) -> Authorities:
    """What the copies' `ca_file`s hold for the droplet.

    Raises ConfigError where one cannot be read, or holds none.
    """
    found: list[str] = []
    for target in profile.buckets:
        if target.ca_file:
            text = _certificates(target.ca_file)
            if text.count("BEGIN") <= _MOST_CERTIFICATES:
                found.append(text)
    return Authorities(certificates_in("".join(found)), alone=len(found) == len(profile.buckets))


def _certificates(path: str) -> str:
    tried = f"reading the certificates in {path}"
    try:
        text = certificates_in(Path(path).read_text("ascii", "replace"))
    except OSError as error:
        raise ConfigError(tried, error.strerror or type(error).__name__, "correct ca_file") from None
    if not text:
        raise ConfigError(tried, "it holds none in PEM", "name the file of the authority's certificate")
    return text


def _plain() -> Plain:
    from walconsole.adapters.decompress import PLAIN

    return PLAIN


def ledger_folder(environment: Mapping[str, str]) -> Path:
    """Where temporary keys are noted."""
    return places(environment).state / TEMPORARY_KEYS


def _kept(profile: Profile, environment: Mapping[str, str]) -> tuple[KeyLedger, Record]:
    record = record_file(places(environment).state, profile.name, str(profile.ssh))
    return LedgerFolder(ledger_folder(environment)), record


def _passing(profile: Profile) -> tuple[KeyLedger, Record]:
    """Beside the embedded droplet's SSH key, which goes with it."""
    beside = Path(profile.ssh.identity_files[0]).parent
    return LedgerFolder(beside / TEMPORARY_KEYS), SessionRecord()
