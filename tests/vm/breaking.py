"""How the tests break a virtual droplet, and put it right whatever comes."""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.vm.lab import Lab
from walconsole.sandbox.keys_api.keys import Grant

UNIT = "postgresql@17-main.service"


@contextmanager
def mended_by(lab: Lab, command: str) -> Iterator[None]:
    """Whatever comes, the droplet is mended by this shell at the end."""
    try:
        yield
    finally:
        lab.machine.try_(command)


@contextmanager
def without_grant(lab: Lab) -> Iterator[None]:
    """The primary's key may do nothing meanwhile."""
    lab.grant()
    try:
        yield
    finally:
        lab.grant(Grant(lab.profile.primary.bucket, "readwrite"))


def until_healed(lab: Lab) -> None:
    """Until nothing alarms, after an archive command that failed.

    The archiver tries a segment three times, and then rests for a minute, unless it is woken: a reload does.
    """
    lab.machine.sql("SELECT pg_reload_conf()")
    lab.until_well()


def postmaster(lab: Lab, cluster: str = "main") -> str:
    """Its process."""
    return lab.machine.run(f"head -n 1 /var/lib/postgresql/17/{cluster}/postmaster.pid")


def page_of(rule: str) -> str:
    """A finding, as the page of tested hosts names it."""
    return f"[`{rule}`](failures/{rule}.md)"
