"""From a finding's fix to the steps that do it."""

import shlex
from collections.abc import Iterator, Mapping

from walconsole.domain.recovery.recover_asked import read_wish
from walconsole.domain.recovery.recover_state import RecoveryState
from walconsole.domain.standing.model import Fix as Offer
from walconsole.errors import UsageError
from walconsole.provision.engine.model import Step
from walconsole.provision.engine.site import Site
from walconsole.provision.fixes.backups import EndBackup
from walconsole.provision.fixes.base import FixStep
from walconsole.provision.fixes.endpoint import EndpointInForce
from walconsole.provision.fixes.files import ExecutableCommand, ReadableConfig
from walconsole.provision.fixes.holes import MendHoles
from walconsole.provision.fixes.server import KillHungCommand, Reload, ResetSetting, ResetStatistics
from walconsole.provision.fixes.taking_over import DropInOverAll
from walconsole.provision.fixes.wal import OrphanReady, PushWal
from walconsole.provision.probes.by_hand import CommandByHand
from walconsole.provision.probes.network import NetworkProbe
from walconsole.provision.probes.seconds import SecondsProbe
from walconsole.provision.probes.verbs import VerbProbe
from walconsole.provision.recovering import catalogue as recovering
from walconsole.provision.retention.steps import Expire, expire_steps
from walconsole.provision.steps import catalogue
from walconsole.provision.steps.drill import DrillNow
from walconsole.provision.steps.preflight import Preflight

KINDS: tuple[type[FixStep], ...] = (
    ResetSetting,
    Reload,
    ResetStatistics,
    ReadableConfig,
    ExecutableCommand,
    OrphanReady,
    PushWal,
    MendHoles,
    KillHungCommand,
    EndBackup,
    EndpointInForce,
)
_COMMAND = ("archive-command", "pgbackrest", "repositories", "stanza")
"""What the archive command is made of, with either engine."""
_OF_PROVISIONING: Mapping[str, tuple[str, ...]] = {
    "restore-grant": ("grants", "write-probe"),
    "limited-key": ("grants", "limited-key", "write-probe"),
    "buckets": ("temporary-key", "buckets", "delete-temporary-key", "grants", "write-probe"),
    "archive-command": (*_COMMAND, "write-probe", "drop-in", "restart", "proof"),
    "bounded-command": (*_COMMAND, "write-probe", "drop-in", "restart", "proof"),
    "drop-in": tuple(
        kind.id for kind in (*catalogue.ARCHIVING, *catalogue.PGBACKREST_ARCHIVING) if kind is not Preflight
    ),
    "restart": ("restart",),
    "write-probe": ("write-probe",),
    "first-backup": ("backup-command", "backup-schedule", "first-backup"),
}
"""Fixes that are provisioning's own steps, with those that they need around them, as far as the profile's
engine has them."""


PROBES: tuple[type[FixStep], ...] = (NetworkProbe, VerbProbe, CommandByHand, SecondsProbe)
"""They find out; none needs another."""
ALL_PROBES = "probes"


def independent(offer: Offer | None) -> bool:
    """Whether the steps of `offer` go on where one of them fails; provisioning's, None, do not."""
    return offer is not None and offer.step == ALL_PROBES


def fix_steps(site: Site, offer: Offer) -> tuple[Step, ...]:
    """The steps that do what `offer` says. Raises UsageError where there are none of that id."""
    named = _OF_PROVISIONING.get(offer.step)
    if named is not None:
        return tuple(_of_provisioning(site, offer, named))
    if offer.step == "backup-now":
        return catalogue.backup_steps(site)
    if offer.step == Expire.id:
        return expire_steps(site)
    if offer.step == DrillNow.id:
        return catalogue.drill_steps(site)
    if offer.step.startswith("recover"):
        return _of_a_recovery(site, offer)
    if offer.step == ALL_PROBES:
        return tuple(kind(site) for kind in PROBES)  # type: ignore[misc]  # as below
    for kind in (*KINDS, *PROBES):
        if kind.id == offer.step:
            return (kind(site, offer.subject),)  # type: ignore[return-value]  # its parts are the subclasses'
    why = "no step of that name mends anything"
    raise UsageError(
        f"mending by {offer.step or 'a program'!r}", why, "do it by hand: the finding has the commands"
    )


def _of_a_recovery(site: Site, offer: Offer) -> tuple[Step, ...]:
    """The part of a recovery that `offer` names; its subject is what is asked for, as options."""
    try:
        wish = read_wish(shlex.split(offer.subject))
    except ValueError as error:
        raise UsageError("recovering", str(error), "choose it anew") from None
    recovery = recovering.recovery_of(site, wish)
    match offer.step:
        case "recover":
            return recovering.to_the_pause(recovery)
        case "recover-onwards":
            return recovering.onwards(recovery, RecoveryState(place=wish.place, backup=wish.backup))
        case "recover-further":
            return recovering.further(recovery, wish.target)
        case "recover-look":
            return recovering.looking(recovery)
        case "recover-give-up":
            return recovering.back(recovery)
        case "recover-dump" if wish.database or wish.tables:
            part = wish.database, "".join(wish.tables[:1])
            return recovering.loading(recovery, *part)
    raise UsageError("recovering", f"{offer.step} is no part of it", "choose it on the screen")


def _of_provisioning(site: Site, offer: Offer, named: tuple[str, ...]) -> Iterator[Step]:
    """In provisioning's order. What hangs is ended once another command is in force, before the proof."""
    for step in catalogue.steps(site):
        if step.id not in named:
            continue
        if step.id == "proof" and offer.step == "bounded-command":
            yield KillHungCommand(site, offer.subject)
        yield DropInOverAll(site) if step.id == "drop-in" else step


def undoable(site: Site) -> tuple[Step, ...]:
    """Provisioning's steps, a recovery's and the fixes, for taking back what any of them changed."""
    fixes = tuple(kind(site) for kind in KINDS)
    return (*catalogue.every_step(site), *recovering.every_step(site), *fixes)  # type: ignore[arg-type]  # as above
