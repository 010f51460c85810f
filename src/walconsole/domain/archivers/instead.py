"""What a step that is for walconsole's own archive is on a host that another tool archives from."""

from enum import StrEnum

from walconsole.domain.archivers.target import ArchiveTarget
from walconsole.domain.archivers.tools import takes_backups
from walconsole.domain.records import record


class OwnStep(StrEnum):
    """The steps that a tool which takes base backups itself has a command of its own for."""

    PROVISION = "provision"
    BACKUP = "backup"
    DRILL = "drill"
    EXPIRE = "expire"
    RECOVER = "recover"
    MOMENT = "moment"


@record
class Instead:
    """`why` this console does not do it there, and what to do instead: the tool's own `command`, in words."""

    why: str
    remedy: str


_WHY = {
    OwnStep.PROVISION: "which is set up: two archivers would write one archive",
    OwnStep.BACKUP: "whose base backups are its own to take, beside its WAL",
    OwnStep.DRILL: "whose backups it alone restores: a drill here restores walconsole's own",
    OwnStep.EXPIRE: "which expires its backups and WAL itself, by its own list",
    OwnStep.RECOVER: "whose backups it alone restores",
    OwnStep.MOMENT: "whose WAL lies as it stores it: what is read here is plain segments",
}
_COMMAND = {
    OwnStep.PROVISION: "look",
    OwnStep.BACKUP: "backup",
    OwnStep.DRILL: "verify",
    OwnStep.EXPIRE: "expire",
    OwnStep.RECOVER: "restore",
    OwnStep.MOMENT: "look",
}
_AFTER = {
    OwnStep.PROVISION: "; to have walconsole archive instead, name a bucket of its own under "
    "[profiles.NAME.primary]",
    OwnStep.DRILL: ", and restore into an empty folder now and then",
    OwnStep.EXPIRE: " says what would go; its own configuration says what to keep",
    OwnStep.RECOVER: ", into an empty folder and with a target: see its documentation",
    OwnStep.MOMENT: " shows what is there; bring segments with its own command, and read them by pg_waldump",
}


def instead(step: OwnStep, target: ArchiveTarget) -> Instead | None:
    """None where the step is made as ever: the tool has no base backups of its own."""
    tool = target.tool.value
    if not takes_backups(tool):
        return None
    known = dict(target.commands.named())
    command = known.get(_COMMAND[step]) or known.get("look", "")
    does = f"`{command}`" if command else f"{tool}'s own command"
    return Instead(
        f"{tool} archives this server to {target.store}, {_WHY[step]}",
        f"as the server's user: {does}{_AFTER.get(step, '')}",
    )
