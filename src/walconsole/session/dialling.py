"""The SSH connection to a droplet, apart from all that goes through it: it is dialled while that is imported.

To import what reads and judges takes half a second, to connect five round trips and what sshd needs.
"""

from walconsole.adapters.ssh.connection import SshConnection
from walconsole.adapters.ssh.shell import SshShell
from walconsole.command_register import CommandRegister, UnheardRegister
from walconsole.domain.patience import Patience
from walconsole.domain.profile import Profile
from walconsole.ports import Clock, Operator
from walconsole.process.cleanup import Cleanups


def ssh_shell(
    profile: Profile,
    operator: Operator,
    clock: Clock,
    cleanups: Cleanups,
    register: CommandRegister | None = None,
    patience: Patience | None = None,
    lent: SshConnection | None = None,
) -> SshShell:
    """A shell on `profile`'s droplet, with its connection; `cleanups` close both. Nothing connects yet.

    `register` is told of every command, None: nobody is. `patience` says how long answers are waited for.
    A connection that is `lent` is used, and left open.
    """
    shell = SshShell(
        profile.ssh,
        sudo=profile.sudo,
        operator=operator,
        clock=clock,
        lent=lent,
        register=register if register is not None else UnheardRegister(),
        patience=patience,
    )
    cleanups.add(f"closing the SSH connection to {profile.ssh}", shell.aclose)
    return shell
