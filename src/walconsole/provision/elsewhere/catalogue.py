"""The steps of a recovery on another host, in the order in which they are run.

| id | class | what is otherwise there |
|---|---|---|
| elsewhere-host | HostForRecovery | what that host must have, compared with production's |
| recover-command | RecoverCommandElsewhere | the restore command, too |
| elsewhere-keys | StoreKeys | the store's keys: there, or brought for as long as it takes |
| recover-keep | KeepElsewhere | production's last WAL archived, where its host answers |
| elsewhere-keep-keys | KeepKeys | the keys where a host that archives has them |
| archive-command | ArchiveCommand | before the first start |
| recover-take-over | TakeOverElsewhere | production stopped on its host; a configuration of this one's |
| elsewhere-forget | ForgetKeys | the keys that were brought taken away, once nothing needs them |
"""

from functools import partial

from walconsole.domain.recovery.recover_state import RecoveryState
from walconsole.domain.recovery.recover_target import RecoveryTarget
from walconsole.droplet.names import names_of
from walconsole.provision.elsewhere.drilling import named
from walconsole.provision.elsewhere.in_force import KeepKeys, TakeOverElsewhere
from walconsole.provision.elsewhere.keys import ForgetKeys, StoreKeys
from walconsole.provision.elsewhere.recovering import (
    HostForRecovery,
    KeepElsewhere,
    RecoverCommandElsewhere,
    goes_on,
)
from walconsole.provision.engine.model import Step
from walconsole.provision.recovering.archived import LastWord, NewTimeline
from walconsole.provision.recovering.choosing import ChooseBackup
from walconsole.provision.recovering.ending import GiveUp, PromoteCopy
from walconsole.provision.recovering.looking import LookBefore
from walconsole.provision.recovering.once_in_force import base_backup
from walconsole.provision.recovering.recovery import Recovery
from walconsole.provision.recovering.restoring import ReplayToTarget, RestoreBackup
from walconsole.provision.steps.archive_command import ArchiveCommand
from walconsole.provision.steps.backup_command import BackupCommand
from walconsole.provision.steps.first_backup import BackupNow


def to_the_pause(recovery: Recovery) -> tuple[Step, ...]:
    """From the wish to the look before it counts."""
    return _named(
        recovery,
        HostForRecovery(recovery),
        ChooseBackup(recovery),
        RecoverCommandElsewhere(recovery),
        StoreKeys(recovery.site, _folder(recovery)),
        KeepElsewhere(recovery),
        RestoreBackup(recovery),
        ReplayToTarget(recovery),
        LookBefore(recovery),
        _forget(recovery),
    )


def onwards(recovery: Recovery, state: RecoveryState) -> tuple[Step, ...]:
    """From the pause to the verdict."""
    own = recovery.own(state)
    return _named(
        recovery,
        StoreKeys(recovery.site, _folder(recovery)),
        PromoteCopy(recovery),
        KeepKeys(recovery),
        ArchiveCommand(own),
        TakeOverElsewhere(recovery),
        NewTimeline(recovery),
        *base_backup(recovery, BackupCommand(own), BackupNow(own)),
        LastWord(recovery),
        _forget(recovery),
    )


def further(recovery: Recovery, target: RecoveryTarget) -> tuple[Step, ...]:
    """A later target, without a new restore."""
    keys = StoreKeys(recovery.site, _folder(recovery))
    return _named(recovery, keys, ReplayToTarget(recovery, target), LookBefore(recovery))


def looking(recovery: Recovery) -> tuple[Step, ...]:
    """The paused copy, once more."""
    return _named(recovery, LookBefore(recovery))


def back(recovery: Recovery) -> tuple[Step, ...]:
    """Given up."""
    return _named(recovery, GiveUp(recovery), _forget(recovery))


def _named(recovery: Recovery, *steps: Step) -> tuple[Step, ...]:
    return named(steps, recovery.site)


def _folder(recovery: Recovery) -> str:
    return names_of(recovery.site.profile).recover_state


def _forget(recovery: Recovery) -> ForgetKeys:
    return ForgetKeys(recovery.site, _folder(recovery), partial(goes_on, recovery))
