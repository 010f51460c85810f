"""Which phase of a recovery `walconsole recover` asks for, and its steps."""

from enum import StrEnum

from walconsole.domain.records import record
from walconsole.domain.recovery.recover_plan import RecoveryWish
from walconsole.domain.recovery.recover_target import RecoveryTarget
from walconsole.provision.engine.model import Step
from walconsole.provision.engine.site import Site
from walconsole.provision.recovering.catalogue import back, dumping, further, looking, onwards, to_the_pause
from walconsole.provision.recovering.choosing import ChooseBackup
from walconsole.provision.recovering.recovery import Recovery


class Part(StrEnum):
    """TO_THE_PAUSE: with what comes before; each other one goes on from there."""

    TO_THE_PAUSE = "to the pause"
    FURTHER = "further"
    LOOK = "look"
    DUMP = "dump"
    ONWARDS = "onwards"
    BACK = "back"


@record
class RecoverAsked:
    """`wish` None: the recovery that was begun. `later` is the target of FURTHER; `database` and `table` are
    what DUMP writes, without a table the database.
    """

    part: Part
    wish: RecoveryWish | None = None
    later: RecoveryTarget | None = None
    looks: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    database: str = ""
    table: str = ""


async def recover_steps(site: Site, asked: RecoverAsked) -> tuple[Step, ...]:
    """Raises what the shell raises: which they are depends on what was begun."""
    recovery = Recovery(site, asked.wish, looks=asked.looks, tables=asked.tables, database=asked.database)
    match asked.part:
        case Part.FURTHER if asked.later is not None:
            return further(recovery, asked.later)
        case Part.LOOK:
            return looking(recovery)
        case Part.DUMP:
            return dumping(recovery, asked.database, asked.table)
        case Part.ONWARDS:
            return onwards(recovery, await recovery.state())
        case Part.BACK:
            return back(recovery)
        case _:
            state = await recovery.state() if asked.wish is None else None
            if state is not None and not state.is_open:
                return (ChooseBackup(recovery),)  # what there was is told of, and not begun again
            return to_the_pause(recovery)
