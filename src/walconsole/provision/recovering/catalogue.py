"""The steps of a recovery, in the order in which they are run.

Three runs make one recovery. `to_the_pause` ends with the look before it counts; from there `onwards`
promotes it and puts it in force, `further` goes to a later target without a new restore, `back` gives it up.
A screen may run `to_the_pause` and `onwards` as one list: the gate of `recover-promote` asks in between.

| id | class | what it does |
|---|---|---|
| recover-choose | ChooseBackup | the base backup, room, time, loss; refuses with words |
| recover-command | RecoverCommand | the script, and the folder in which it tells where it stands |
| recover-keep | KeepOld | the old server's last WAL archived or kept; in place: it is stopped |
| recover-restore | RestoreBackup | fetched, unpacked, compared with the manifest, beside the old files |
| recover-replay | ReplayToTarget | replayed by a private server, paused at the target |
| recover-look | LookBefore | read-only questions with lock and statement timeouts |
| recover-promote | PromoteCopy | it is opened for writing, still private, still without archiving |
| recover-take-over | TakeOver | the old one stopped and moved aside, the real configuration in force |
| recover-archived | NewTimeline | the new timeline's history and first segment in each copy |
| backup-command, backup | BackupCommand, BackupNow | a base backup on the new timeline |
| recover-their-place | TheirPlace | where pgBackRest archives: its configuration names the new place |
| recover-archived, backup | TheirTimeline, TheirBackup | the same by pgBackRest, in its layout |
| recover-verdict | LastWord | the first line, read anew |
| recover-give-up | GiveUp | the private server ended, the old one started again |
| recover-dump | DumpPart | one table or database of the paused copy, into a file |

On another host than production's they are those of `provision/elsewhere/catalogue.py`.
"""

from walconsole.domain.recovery.recover_plan import RecoveryWish
from walconsole.domain.recovery.recover_state import RecoveryState
from walconsole.domain.recovery.recover_target import RecoveryTarget
from walconsole.provision.elsewhere import catalogue as elsewhere
from walconsole.provision.elsewhere.drilling import named
from walconsole.provision.elsewhere.in_force import KeepKeys
from walconsole.provision.engine.model import Step
from walconsole.provision.engine.site import Site
from walconsole.provision.recovering.archived import LastWord, NewTimeline
from walconsole.provision.recovering.choosing import ChooseBackup, KeepOld, RecoverCommand
from walconsole.provision.recovering.ending import GiveUp, PromoteCopy, TakeOver
from walconsole.provision.recovering.loading import LoadPart
from walconsole.provision.recovering.looking import DumpPart, LookBefore
from walconsole.provision.recovering.once_in_force import base_backup
from walconsole.provision.recovering.recovery import Recovery
from walconsole.provision.recovering.restoring import ReplayToTarget, RestoreBackup
from walconsole.provision.recovering.their_place import TheirPlace
from walconsole.provision.recovering.theirs import TheirBackup, TheirTimeline
from walconsole.provision.steps.backup_command import BackupCommand
from walconsole.provision.steps.first_backup import BackupNow


def to_the_pause(recovery: Recovery) -> tuple[Step, ...]:
    """From the wish to the look before it counts."""
    if recovery.site.production is not None:
        return elsewhere.to_the_pause(recovery)
    return (
        ChooseBackup(recovery),
        RecoverCommand(recovery),
        KeepOld(recovery),
        RestoreBackup(recovery),
        ReplayToTarget(recovery),
        LookBefore(recovery),
    )


def onwards(recovery: Recovery, state: RecoveryState) -> tuple[Step, ...]:
    """From the pause to the verdict. `state` says which cluster the base backup is of."""
    if recovery.site.production is not None:
        return elsewhere.onwards(recovery, state)
    if state.by_pgbackrest:
        return (
            PromoteCopy(recovery),
            TakeOver(recovery),
            TheirPlace(recovery),
            TheirTimeline(recovery),
            TheirBackup(recovery),
            LastWord(recovery),
        )
    own = recovery.own(state)
    return (
        PromoteCopy(recovery),
        TakeOver(recovery),
        NewTimeline(recovery),
        *base_backup(recovery, BackupCommand(own), BackupNow(own)),
        LastWord(recovery),
    )


def further(recovery: Recovery, target: RecoveryTarget) -> tuple[Step, ...]:
    """A later target, without a new restore."""
    if recovery.site.production is not None:
        return elsewhere.further(recovery, target)
    return ReplayToTarget(recovery, target), LookBefore(recovery)


def back(recovery: Recovery) -> tuple[Step, ...]:
    """Given up: the old server again."""
    if recovery.site.production is not None:
        return elsewhere.back(recovery)
    return (GiveUp(recovery),)


def looking(recovery: Recovery) -> tuple[Step, ...]:
    """The paused copy, once more."""
    if recovery.site.production is not None:
        return elsewhere.looking(recovery)
    return (LookBefore(recovery),)


def dumping(recovery: Recovery, database: str = "", table: str = "") -> tuple[Step, ...]:
    """A part of the paused copy, into a file."""
    return named((DumpPart(recovery, database, table),), recovery.site)


def loading(recovery: Recovery, database: str = "", table: str = "") -> tuple[Step, ...]:
    """The same, and loaded into the running server, where that is on the same host."""
    dumped = dumping(recovery, database, table)
    return dumped if recovery.site.production is not None else (*dumped, LoadPart(recovery, database, table))


def every_step(site: Site) -> tuple[Step, ...]:
    """All that changes anything, in their order: to take back what can be, and to say what stays."""
    recovery = Recovery(site)
    return (
        RecoverCommand(recovery),
        KeepOld(recovery),
        GiveUp(recovery),
        KeepKeys(recovery),
        TakeOver(recovery),
        TheirPlace(recovery),
        LoadPart(recovery),
    )


def recovery_of(site: Site, wish: RecoveryWish | None = None) -> Recovery:
    """What the steps of one recovery share; without a wish of the one that was begun."""
    return Recovery(site, wish)
