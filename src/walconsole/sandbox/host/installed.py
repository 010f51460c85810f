"""What provisioning would have installed on this droplet: the very files, so that it finds them done."""

from walconsole.droplet.choices import DropletChoices
from walconsole.droplet.files import DropletFile, Schedule, command_files, dropin_file, verifier_files
from walconsole.droplet.names import names_of
from walconsole.sandbox.host.process import Account
from walconsole.sandbox.profile import installing_profile
from walconsole.sandbox.workspace import Workspace


def installed_files(workspace: Workspace, account: Account) -> tuple[DropletFile, ...]:
    """The archive command, the restore command, and the verifier with its timer."""
    profile = installing_profile(workspace, account)
    choices = DropletChoices.for_profile(profile)
    return (*command_files(profile, choices), *verifier_files(profile, choices, Schedule.SYSTEMD))


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
