"""Retention by a schedule on the operator's own machine, as its files there tell."""

from walconsole.domain.records import record
from walconsole.domain.recovery.expiry_run import ExpiryRun


@record
class ExpirySchedule:
    """`timer` is the unit that runs `walconsole expire` there, empty where none is installed; `enabled`: it
    is started with the machine, or with its user's first session. `of_system`: it is a unit of the system,
    whose runs are kept where this user does not see them. `last` is the run that this user's files tell of,
    by a schedule or by hand on the command line; None: none yet.
    """

    timer: str = ""
    enabled: bool = False
    of_system: bool = False
    last: ExpiryRun | None = None
