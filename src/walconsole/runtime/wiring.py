"""From a profile to its observation: the adapters, and the probes that read through them."""

from collections.abc import Sequence

from walconsole.adapters.postgres import PostgresDatabase
from walconsole.adapters.ssh import SshShell
from walconsole.domain.profile import Profile
from walconsole.observe.host import HostProbe
from walconsole.observe.observer import ServerObserver
from walconsole.observe.probe import Probe
from walconsole.ports import Clock, Observer, Operator, Shell
from walconsole.runtime.cleanup import Cleanups


def observe(profile: Profile, operator: Operator, clock: Clock, cleanups: Cleanups) -> Observer:
    """The observation of `profile`'s server; `cleanups` close its connections. Nothing connects yet."""
    shell = SshShell(profile.ssh, sudo=profile.sudo, operator=operator, clock=clock)
    cleanups.add(f"closing the SSH connection to {profile.ssh}", shell.aclose)
    host = HostProbe(shell, profile, clock)
    database = PostgresDatabase(shell, profile.postgres, host, clock=clock)
    cleanups.add("closing the connection to PostgreSQL", database.aclose)
    return ServerObserver(
        profile.name,
        shell=shell,
        database=database,
        clock=clock,
        host=host,
        probes=_probes(profile, shell, clock, cleanups),
    )


def _probes(profile: Profile, shell: Shell, clock: Clock, cleanups: Cleanups) -> Sequence[Probe]:
    return []
