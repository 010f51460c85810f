"""The profile of the embedded droplet, as an operator would write one for a real droplet, and the files that
provisioning would have installed there: the very same, so that it finds them done."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from walconsole.domain.profile import (
    ApiTarget,
    BucketRole,
    BucketTarget,
    ClusterName,
    DropletPaths,
    PostgresTarget,
    Profile,
    SshTarget,
    default_app_key_name,
    default_bucket,
    default_paths,
)
from walconsole.domain.recovery.keep import Keep
from walconsole.droplet.choices import BackupChoices, DrillChoices, DropletChoices
from walconsole.droplet.files import (
    DropletFile,
    Schedule,
    backup_files,
    command_files,
    drill_files,
    dropin_file,
    verifier_files,
)
from walconsole.droplet.names import names_of
from walconsole.sandbox.host.process import Account
from walconsole.sandbox.scenarios.scenario import DR_REGION, NAME, PORT, REGION
from walconsole.sandbox.workspace import CLUSTER, Workspace

TOKEN_ENV = "WALCONSOLE_DEMO_TOKEN"  # noqa: S105  # the variable's name
CLIENT_KEY, KNOWN_HOSTS = "id_ed25519", "known_hosts"


def droplet_paths(root: Path) -> DropletPaths:
    """The runbook's names, below the sandbox's folder."""
    names = default_paths(NAME)
    return DropletPaths(
        dropin=names.dropin,
        heartbeat=f"{root}{names.heartbeat.removeprefix('/var')}",
        log=f"{root}{names.log}",
        journal_tag=names.journal_tag,
        rclone_config=f"{root}{names.rclone_config}",
        root=str(root),
    )


def sandbox_profile(
    workspace: Workspace, account: Account, ssh_port: int, endpoints: Mapping[str, str], api: str
) -> Profile:
    """`endpoints`: each region's address; `api`: the keys API's."""
    root = workspace.root
    return Profile(
        name=NAME,
        ssh=SshTarget(
            host="127.0.0.1",
            port=ssh_port,
            user=account.name,
            identity_files=(str(workspace.client / CLIENT_KEY),),
            known_hosts_file=str(workspace.client / KNOWN_HOSTS),
            use_agent=False,
        ),
        sudo=False,
        postgres=PostgresTarget(
            cluster=ClusterName(workspace.version, CLUSTER),
            os_user=account.name,
            socket_dir=str(workspace.socket_dir),
        ),
        primary=_bucket(BucketRole.PRIMARY, REGION, endpoints),
        dr=_bucket(BucketRole.DR, DR_REGION, endpoints),
        paths=droplet_paths(root),
        api=ApiTarget(endpoint=api, token_envs=(TOKEN_ENV,), app_key_name=default_app_key_name(NAME)),
        keep=Keep(full=7, days=14),
    )


def folder_profile(profile: Profile, workspace: Workspace) -> Profile:
    """The same, where the archive is a folder on the droplet."""
    primary = replace(profile.primary, bucket=str(workspace.archive), region="", endpoint="")
    return replace(profile, primary=primary, second_copy=False, keep=None)


def installing_profile(workspace: Workspace, account: Account) -> Profile:
    """As much of the profile as what is installed on the droplet depends on."""
    profile = sandbox_profile(workspace, account, 0, {REGION: "", DR_REGION: ""}, "")
    return replace(profile, postgres=replace(profile.postgres, port=PORT))


def _bucket(role: BucketRole, region: str, endpoints: Mapping[str, str]) -> BucketTarget:
    return replace(default_bucket(role, NAME, region), endpoint=endpoints[region], path_style=True)


def installed_files(workspace: Workspace, account: Account) -> tuple[DropletFile, ...]:
    """The archive and the restore command, the verifier and the base backup, each of these with its timer;
    the restore drill, which nothing calls by itself.
    """
    profile = installing_profile(workspace, account)
    choices, backup = DropletChoices.for_profile(profile), BackupChoices.for_profile(profile)
    return (
        *command_files(profile, choices),
        *verifier_files(profile, choices, Schedule.SYSTEMD),
        *backup_files(profile, choices, backup, Schedule.SYSTEMD),
        drill_files(profile, choices, DrillChoices.for_profile(profile), Schedule.CRON)[0],
    )


def installed_dropin(workspace: Workspace, account: Account) -> DropletFile:
    """What turns archiving on."""
    profile = installing_profile(workspace, account)
    return dropin_file(profile, DropletChoices.for_profile(profile), str(workspace.config_dir / "conf.d"))


def archive_command(workspace: Workspace, account: Account) -> str:
    """The path of the archive command."""
    return names_of(installing_profile(workspace, account)).archive


def verifier(workspace: Workspace, account: Account) -> str:
    """The path of the verifier, whether it is there or not."""
    return names_of(installing_profile(workspace, account)).verifier


def timer(workspace: Workspace, account: Account) -> str:
    """The name of its timer."""
    return names_of(installing_profile(workspace, account)).timer.rpartition("/")[2]


def backup_command(workspace: Workspace, account: Account) -> str:
    """The path of the base backup's script."""
    return names_of(installing_profile(workspace, account)).backup


def drill_command(workspace: Workspace, account: Account) -> str:
    """The path of the restore drill's script."""
    return names_of(installing_profile(workspace, account)).drill


def state_folders(workspace: Workspace, account: Account) -> tuple[str, str]:
    """The folders in which the base backup's and the drill's script note what they do."""
    names = names_of(installing_profile(workspace, account))
    return names.backup_state, names.drill_state


def backup_timer(workspace: Workspace, account: Account) -> str:
    """The name of the base backup's timer."""
    return names_of(installing_profile(workspace, account)).backup_timer.rpartition("/")[2]
