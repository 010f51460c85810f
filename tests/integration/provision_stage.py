"""A whole deployment for provisioning: real sshd, Debian cluster and rclone, two Ceph gateways, the keys API.

What is installed goes below a folder of the test's own.
"""

import asyncio
import os
import pwd
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.data.provisioning import MemoryRecord, RealClock, ScriptedGate
from tests.integration.observed import RecordingScreen, profile_of
from tests.servers.fixtures import MakeSshd
from tests.servers.postgres import PostgresServer
from tests.servers.rgw import RadosGateway
from tests.servers.spaces_account import SpacesAccount
from tests.servers.sshd import SshServer
from walconsole.adapters.decompress import PLAIN
from walconsole.adapters.endpoint_reach import reach
from walconsole.adapters.keys_api.service import DigitalOceanKeys
from walconsole.adapters.keys_api.token import ApiToken
from walconsole.adapters.s3.admin import SpacesAdmin
from walconsole.adapters.s3.key_sources import RcloneConfig, key_source
from walconsole.adapters.s3.store import SpacesStore
from walconsole.adapters.ssh.shell import SshShell
from walconsole.command_register import UnheardRegister
from walconsole.domain.profile import (
    ApiTarget,
    BucketRole,
    BucketTarget,
    Profile,
    default_bucket,
    default_paths,
)
from walconsole.droplet.choices import BackupChoices, DropletChoices
from walconsole.operator_files.key_ledger import LedgerFolder
from walconsole.ports import BucketAdmin, KeyService
from walconsole.provision.droplet.surveying import take_survey
from walconsole.provision.engine.model import Progress
from walconsole.provision.engine.runner import Runner
from walconsole.provision.engine.site import Site
from walconsole.provision.keys.temporary_key import TemporaryKey
from walconsole.provision.steps.catalogue import steps
from walconsole.sandbox.keys_api.api import ALL_SCOPES, KeysApi
from walconsole.sandbox.keys_api.keys import Grant, Key
from walconsole.session.deployment import authorities_of

NAME = "staged"
TOKEN = "dop_v1_" + "0123456789abcdef" * 4
_SECTION = """\
[{remote}]
type = s3
provider = Ceph
endpoint = {endpoint}
region = us-east-1
access_key_id = {key.access_key}
secret_access_key = {key.secret}
force_path_style = true

"""


@dataclass
class Stage:
    """Everything of one deployment. `gate` says yes; `told` has what the runner told."""

    profile: Profile
    cluster: PostgresServer
    sshd: SshServer
    gateways: dict[BucketRole, RadosGateway]
    keys: SpacesAccount
    api: KeysApi
    app_key: Key
    dr_key: Key
    ledger: LedgerFolder
    site: Site
    root: Path
    gate: ScriptedGate = field(default_factory=ScriptedGate)
    told: list[Progress] = field(default_factory=list)

    def runner(self) -> Runner:
        """Another run over the same site: as a console that was started again, but for its connection."""
        self.told.clear()
        return Runner(self.site, steps(self.site), self.gate, self.told.append)

    def target(self, role: BucketRole) -> BucketTarget:
        return self.profile.primary if role is BucketRole.PRIMARY else self.profile.dr

    def objects(self, role: BucketRole) -> set[str]:
        """What the copy's bucket holds."""
        answer = self.gateways[role].client().list_objects_v2(Bucket=self.target(role).bucket)
        return {str(one["Key"]) for one in answer.get("Contents", [])}


@asynccontextmanager
async def staged(
    cluster: PostgresServer, make_sshd: MakeSshd, rgw: RadosGateway, rgw_dr: RadosGateway, name: str = NAME,
    *, secure: bool = False,
) -> AsyncIterator[Stage]:  # fmt: skip
    """The incident's state: no bucket, no grant, nothing installed, archive_mode off.

    `secure`: the stores have a name, and speak TLS with certificates of an authority of their own.
    """
    root = _root(cluster)
    sshd = make_sshd({"SetEnv": f"PG_CLUSTER_CONF_ROOT={cluster.conf_root}"})
    with SpacesAccount((rgw, rgw_dr)) as keys:
        app = keys.create(f"{name}-app", (Grant(f"{name}-assets", "read"),))
        dr = keys.create(f"{name}-dr", ())
        async with (
            KeysApi(keys, {TOKEN: ALL_SCOPES}) as api,
            _parts(cluster, sshd, (rgw, rgw_dr), name, root, api, keys, app, dr, secure) as stage,
        ):
            yield stage


@asynccontextmanager
async def _parts(
    cluster: PostgresServer,
    sshd: SshServer,
    gateways: tuple[RadosGateway, RadosGateway],
    name: str,
    root: Path,
    api: KeysApi,
    keys: SpacesAccount,
    app: Key,
    dr: Key,
    secure: bool,
) -> AsyncIterator[Stage]:
    profile = _profile(profile_of(sshd, cluster), name, root, gateways, api.url)
    if secure:
        primary, second = (_over_tls(*one) for one in zip(profile.buckets, gateways, strict=True))
        profile = replace(profile, primary=primary, dr=second)
    _configure_rclone(profile, cluster, app, dr)
    screen, register = RecordingScreen(), UnheardRegister()
    shell = SshShell(profile.ssh, sudo=False, operator=screen, clock=RealClock(), register=register)
    service = DigitalOceanKeys(profile.api, ApiToken(TOKEN, "the test"))

    async def key_service() -> KeyService:
        return service

    ledger = LedgerFolder(root / "ledger")
    temporary = TemporaryKey(name, api.url, key_service, ledger, RealClock())
    rclone = RcloneConfig(shell, profile.paths.rclone_config)
    stores = {
        target.role: SpacesStore(target, key_source(target.keys, {}, rclone), environ={}, connections=4)
        for target in (profile.primary, profile.dr)
    }

    async def own(target: BucketTarget) -> BucketAdmin:
        return SpacesAdmin(target, await key_source(target.keys, {}, rclone).key_pair())

    site = Site(
        profile=profile,
        choices=replace(DropletChoices.for_profile(profile), authorities=authorities_of(profile)),
        shell=shell,
        clock=RealClock(),
        record=MemoryRecord(),
        temporary=temporary,
        key_service=key_service,
        admin=SpacesAdmin,
        store=lambda target: stores[target.role],
        look=take_survey,
        sleep=_soon,
        backup=BackupChoices.for_profile(profile),
        plain=PLAIN,
        own=own,
        reach=reach,
    )
    regions = dict(zip(BucketRole, gateways, strict=True))
    try:
        yield Stage(profile, cluster, sshd, regions, keys, api, app, dr, ledger, site, root)
    finally:
        await temporary.dispose()
        for store in stores.values():
            await store.close()
        await service.close()
        await shell.aclose()


async def _soon(seconds: float) -> None:
    await asyncio.sleep(min(seconds, 0.5))  # each look starts some ten programs


def _root(cluster: PostgresServer) -> Path:
    """A folder that the server's user can enter, root's as on a droplet, with what a droplet has."""
    root = cluster.workspace.folder("provisioned")
    for folder in ("usr/local/bin", "etc/cron.d", "var/tmp", "var/lib", "var/log", "run"):
        (root / folder).mkdir(parents=True)
    root.chmod(0o755)
    (root / "var/tmp").chmod(0o1777)
    cron = root / "usr/local/bin/cron"
    cron.write_text("#!/bin/sh\nexit 0\n")
    cron.chmod(0o755)
    return root


def _profile(
    profile: Profile, name: str, root: Path, gateways: tuple[RadosGateway, RadosGateway], api: str
) -> Profile:
    def bucket(role: BucketRole, gateway: RadosGateway) -> BucketTarget:
        return replace(default_bucket(role, name, gateway.region), endpoint=gateway.endpoint, path_style=True)

    names = default_paths(name)
    paths = replace(
        names,
        heartbeat=f"{root}/run/{name}.last-clean",
        log=f"{root}/var/log/{name}/wal-archive.log",
        rclone_config=f"{root}/etc/rclone-{name}.conf",
        root=str(root),
    )
    return replace(
        profile,
        name=name,
        primary=bucket(BucketRole.PRIMARY, gateways[0]),
        dr=bucket(BucketRole.DR, gateways[1]),
        paths=paths,
        api=ApiTarget(endpoint=api),
    )


def _over_tls(target: BucketTarget, gateway: RadosGateway) -> BucketTarget:
    endpoint = f"https://localhost:{gateway.tls_port}"
    return replace(target, endpoint=endpoint, ca_file=str(gateway.certificate.authority))


def _configure_rclone(profile: Profile, cluster: PostgresServer, app: Key, dr: Key) -> None:
    text = _SECTION.format(remote="spaces-prod", endpoint=profile.primary.endpoint, key=app)
    text += _SECTION.format(remote="spaces-dr", endpoint=profile.dr.endpoint, key=dr)
    config = Path(profile.paths.rclone_config)
    config.write_text(text)
    if os.geteuid() == 0:
        shutil.chown(config, "root", pwd.getpwnam(cluster.os_user).pw_gid)
    config.chmod(0o640)
