"""From a droplet's site to that of another host: a second connection, with the same care of its host key."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

from walconsole.adapters.s3.key_sources import DropletKeys, KeyPairSource, RcloneConfig
from walconsole.adapters.ssh.shell import SshShell
from walconsole.command_register import telling_of_requests
from walconsole.config.checks import destination
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.profile import BucketRole, BucketTarget, KeySource, PostgresTarget, Profile, SshTarget
from walconsole.domain.store.access_keys import KeyPair
from walconsole.domain.store.answers import NO_KEY
from walconsole.droplet.names import names_of, remote_of
from walconsole.errors import HostKeyError, ObjectStoreError, ShellError, SshError, WalconsoleError
from walconsole.operator_files.begun_elsewhere import BegunElsewhere
from walconsole.ports import ObjectStore
from walconsole.process.cleanup import Cleanups
from walconsole.provision.droplet.claim import DropletClaim
from walconsole.provision.droplet.survey import Survey
from walconsole.provision.droplet.surveying import take_survey
from walconsole.provision.elsewhere.keys import brought, has_its_own, with_config
from walconsole.provision.engine.site import Production, Site
from walconsole.provision.recovering.recovery import Recovery
from walconsole.session.finding import HostFinding, keys_of
from walconsole.session.stores import s3_store

_ANSWERS_WITHIN_S = 20.0


class OtherSite:
    """Makes the site of the host `there`, beside `home`, which `shell` reaches.

    `finding` is what it said of itself, None where it was not asked. `cleanups` close what is opened.
    """

    def __init__(
        self,
        home: Site,
        shell: SshShell,
        finding: HostFinding | None,
        there: SshTarget,
        environment: Mapping[str, str],
        cleanups: Cleanups,
    ) -> None:
        self._home, self._finding = home, finding
        self._environment, self._cleanups = environment, cleanups
        self._home_shell = shell
        self._shell = shell.to(there, sudo=home.profile.sudo)
        cleanups.add(f"closing the SSH connection to {there}", self._shell.aclose)
        self._there = there
        self._stores: dict[BucketRole, ObjectStore] = {}

    async def for_drill(self) -> Site:
        """Raises as `made`."""
        return await self.made(names_of(self._home.profile).drill_state)

    async def for_recovery(self, *, told: bool) -> Site:
        """`told`: somebody named that host. Where only the profile does, a recovery that is open on the
        droplet goes on there. Raises as `made`.
        """
        if not told and await self._is_open_here():
            return self._home
        return await self.made(names_of(self._home.profile).recover_state)

    async def for_undo(self) -> Site:
        """What was changed there is taken back, and nothing of production touched. Raises as `made`."""
        return replace(await self.made(names_of(self._home.profile).recover_state), production=None)

    async def _is_open_here(self) -> bool:
        try:
            return (await Recovery(self._home).state()).is_open
        except (SshError, ShellError):  # it is gone: that is what the other host is for
            return False

    async def made(self, folder: str) -> Site:
        """`folder` is that of the script which is to run there, where keys are brought to.

        Raises SshError, ShellError where the other host cannot be asked: of production's own that is borne.
        """
        away = await self._away()
        profile = replace(
            self._home.profile, ssh=self._there, postgres=_anywhere(self._home.profile.postgres), spare=None
        )
        site = replace(
            self._home,
            profile=profile,
            shell=self._shell,
            record=self._home.record.on(str(self._there)),
            look=_survey_without_cluster,
            claim=DropletClaim(
                self._shell, f"elsewhere {profile.name}", self._home.clock, patience=self._shell.patience
            ),
            production=Production(
                self._home, away, self._pair_without if away else self._pair, profile.paths.rclone_config
            ),
            own=None,
            _survey=None,
        )
        site.whole = self._whole
        if not has_its_own(site, await site.survey()):
            with_config(site, brought(folder))
        if away:
            self._read_without(site)
        return site

    def _keys(self, target: BucketTarget) -> KeyPairSource:
        """The profile's own."""
        rclone = RcloneConfig(self._home_shell, self._home.profile.paths.rclone_config)
        return keys_of(target, self._environment, rclone, self._finding)

    async def _away(self) -> str:
        """Why production's host does not answer; empty where it does."""
        try:
            await self._home_shell.run(":", timeout_s=_ANSWERS_WITHIN_S)
        except HostKeyError as error:
            return f"{error.why}: it is not asked"
        except (SshError, ShellError) as error:
            return error.why
        return ""

    async def _pair(self, target: BucketTarget) -> KeyPair:
        """See Production.keys. The droplet's limited key is known to write what is archived."""
        home = RcloneConfig(self._home_shell, self._home.profile.paths.rclone_config)
        try:
            return await DropletKeys(home, remote_of(target)).key_pair()
        except (ObjectStoreError, SshError, ShellError):
            return await self._keys(target).key_pair()

    async def _pair_without(self, target: BucketTarget) -> KeyPair:
        """The same while production's host is away."""
        if target.keys.source is KeySource.DROPLET:
            where = f"{self._home.profile.ssh}, whose archiver has it"
            why, remedy = "that host does not answer", "name other keys in the profile (keys = environment)"
            raise ObjectStoreError(f"reading the S3 key from {where}", why, remedy, code=NO_KEY)
        return await self._keys(target).key_pair()

    def _read_without(self, site: Site) -> None:
        """While production's host is away the archive is read by the profile's keys, else by those that the
        other host has. What production would have been asked says why it was not.
        """
        rclone = RcloneConfig(self._shell, site.profile.paths.rclone_config)
        telling = telling_of_requests(self._shell.register, site.clock.now)

        def store(target: BucketTarget) -> ObjectStore:
            if target.role not in self._stores:
                keys = self._keys(target)
                if target.keys.source is KeySource.DROPLET:
                    keys = DropletKeys(rclone, remote_of(target))
                self._stores[target.role] = s3_store(target, keys, self._environment, self._cleanups, telling)
            return self._stores[target.role]

        async def snapshot() -> Snapshot:
            from walconsole.session.one_look import look_anew

            profile, shell = self._home.profile, self._home_shell
            return await look_anew(profile, shell, site.clock, self._environment, rclone=rclone)

        site.store, site.snapshot = store, snapshot

    async def _whole(self, of: Profile) -> Snapshot:
        """Every source, of the cluster that was recovered there."""
        from walconsole.session.one_look import look_anew

        return await look_anew(of, self._shell, self._home.clock, self._environment, whole=True)


def begun_there(profile: Profile, begun: BegunElsewhere) -> SshTarget | None:
    """Where this console began a recovery that has not ended, as far as it knows."""
    host = begun.host()
    return profile.ssh.instead(destination(host)) if host else None


@asynccontextmanager
async def noted(site: Site, begun: BegunElsewhere) -> AsyncIterator[None]:
    """While a recovery goes on on `site`, another host, its name is noted. Raises RegisterError."""
    await asyncio.to_thread(begun.note, site.where)
    try:
        yield
    finally:
        with suppress(WalconsoleError):  # it cannot be asked: then the note stays
            if not (await Recovery(site).state()).is_open:
                await asyncio.to_thread(begun.forget)


def _anywhere(postgres: PostgresTarget) -> PostgresTarget:
    """Of production's server nothing is on another host but whose it is."""
    return replace(postgres, cluster=None, socket_dir=None, port=None, password_env=None)


async def _survey_without_cluster(site: Site) -> Survey:
    """Whatever cluster is on the other host is not this deployment's: no step shall take it for its own."""
    survey = await take_survey(site)
    why = f"nothing of {site.profile.name} runs on {site.where}"
    return replace(
        survey, cluster=None, server=None, server_problem=why, conf_d=None, unit="", outside="", configured={}
    )
