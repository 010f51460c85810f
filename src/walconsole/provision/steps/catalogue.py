"""The steps, in the order in which they are run."""

from collections.abc import Callable, Mapping

from walconsole.domain.profile import Engine
from walconsole.provision.elsewhere.drilling import drill_steps_elsewhere
from walconsole.provision.engine.model import Step
from walconsole.provision.engine.site import Site
from walconsole.provision.steps.archive_command import ArchiveCommand
from walconsole.provision.steps.backup_command import BackupCommand
from walconsole.provision.steps.backup_schedule import BackupSchedule
from walconsole.provision.steps.buckets import Buckets
from walconsole.provision.steps.drill import DrillNow
from walconsole.provision.steps.drill_command import DrillCommand
from walconsole.provision.steps.drill_schedule import DrillSchedule
from walconsole.provision.steps.dropin import DropIn
from walconsole.provision.steps.first_backup import BackupNow, FirstBackup
from walconsole.provision.steps.grants import Grants
from walconsole.provision.steps.limited_key import LimitedKey
from walconsole.provision.steps.pgbackrest_backup import (
    PgBackRestBackupNow,
    PgBackRestCommand,
    PgBackRestFirstBackup,
)
from walconsole.provision.steps.pgbackrest_package import PgBackRestPackage
from walconsole.provision.steps.preflight import Preflight
from walconsole.provision.steps.proof import Proof
from walconsole.provision.steps.repositories import Repositories
from walconsole.provision.steps.repository_proof import RepositoryProof
from walconsole.provision.steps.restart import Restart
from walconsole.provision.steps.stanza import Stanza
from walconsole.provision.steps.temporary_key import DeleteTemporaryKey, TemporaryKeyStep
from walconsole.provision.steps.verifier import Verifier
from walconsole.provision.steps.write_probe import WriteProbe

ARCHIVING = (
    Preflight, TemporaryKeyStep, Buckets, DeleteTemporaryKey, Grants, LimitedKey, WriteProbe, ArchiveCommand,
    DropIn, Verifier, Restart, Proof,
)  # fmt: skip
BASE_BACKUPS = (BackupCommand, BackupSchedule, FirstBackup)
"""After the proof: while archiving fails no base backup is begun."""
KINDS = (*ARCHIVING, *BASE_BACKUPS)
PGBACKREST_ARCHIVING = (
    Preflight, TemporaryKeyStep, Buckets, DeleteTemporaryKey, Grants, LimitedKey, WriteProbe,
    PgBackRestPackage, Repositories, Stanza, DropIn, Restart, RepositoryProof,
)  # fmt: skip
PGBACKREST_BASE_BACKUPS = (PgBackRestCommand, BackupSchedule, PgBackRestFirstBackup)

Kind = Callable[[Site], Step]

_BY_ENGINE: Mapping[Engine, tuple[tuple[Kind, ...], tuple[Kind, ...]]] = {
    Engine.RCLONE: (ARCHIVING, BASE_BACKUPS),
    Engine.PGBACKREST: (PGBACKREST_ARCHIVING, PGBACKREST_BASE_BACKUPS),
}
"""What sets archiving up, and what takes base backups."""


def steps(site: Site) -> tuple[Step, ...]:
    """Those of `site`: without base backups where its profile expects none. Nothing is looked at yet."""
    archiving, base_backups = _BY_ENGINE[site.profile.engine]
    kinds = (*archiving, *base_backups) if site.profile.expect_base_backups else archiving
    return tuple(kind(site) for kind in kinds)


def backup_steps(site: Site) -> tuple[Step, ...]:
    """What takes one base backup now: the script where it is missing, and the backup."""
    if site.profile.engine is Engine.PGBACKREST:
        return PgBackRestCommand(site), PgBackRestBackupNow(site)
    return BackupCommand(site), BackupNow(site)


def drill_steps(site: Site) -> tuple[Step, ...]:
    """What makes one restore drill now: the script and its schedule where they are missing, and the drill.

    On another host there is no schedule: production's own host cannot start it there.
    """
    if site.production is not None:
        return drill_steps_elsewhere(site)
    if site.profile.drills.every_days is None:
        return DrillCommand(site), DrillNow(site)
    return DrillCommand(site), DrillSchedule(site), DrillNow(site)


def every_step(site: Site) -> tuple[Step, ...]:
    """All that provisioning may ever have run on `site`, by either engine, to take back what it changed."""
    kinds: tuple[Kind, ...] = (PgBackRestPackage, Repositories, Stanza, *KINDS, DrillCommand, DrillSchedule)
    return tuple(kind(site) for kind in kinds)
