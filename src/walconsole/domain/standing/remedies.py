"""Ways to mend that several failure modes share, in the words of this host: exact commands alone."""

from walconsole.domain.archivers.tools import ArchiveTool, recognise
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.standing.model import Fix

_WHOLE = frozenset(("pgBackRest", "WAL-G", "WAL-E", "Barman", "pgHoard", "pg_probackup", "OmniPITR"))
"""Archivers whose base backups are restored with the WAL that they themselves archived."""


def command_in_force(snapshot: Snapshot) -> str:
    """archive_command as the server has it, empty where that is not known."""
    facts, settings = snapshot.command.value, snapshot.settings.value
    if facts is not None and facts.command:
        return facts.command
    setting = settings.get("archive_command") if settings is not None else None
    return setting.value if setting is not None else ""


def tool_in_force(snapshot: Snapshot) -> ArchiveTool | None:
    """Whose command that is."""
    return recognise(command_in_force(snapshot), snapshot.told.archive_program)


def is_ours(snapshot: Snapshot) -> bool:
    """Whether it is the command that provisioning installs."""
    tool = tool_in_force(snapshot)
    return tool is not None and tool.ours


def is_anothers(snapshot: Snapshot) -> bool:
    """Whether it is an archiver's that takes the base backups, too: to replace it would part the two."""
    tool = tool_in_force(snapshot)
    return tool is not None and not tool.ours and tool.name in _WHOLE


def ours_in_force(
    snapshot: Snapshot, why: str, step: str = "archive-command", subject: str = ""
) -> tuple[Fix, ...]:
    """The installed archive command in force, in place of what is; none where another archiver has both.

    `why` goes on after its name: what it does that the other does not.
    """
    if is_anothers(snapshot):
        return ()
    if is_ours(snapshot):
        return (
            Fix(
                "install the archive command again, as it shall be",
                ("walconsole provision",),
                step,
                subject=subject,
            ),
        )
    title = f"put walconsole's archive command in its place{', ' + why if why else ''}"
    return (
        Fix(title, ("walconsole provision",), step, "what the command in force did is done no more", subject),
    )


def server_user(snapshot: Snapshot) -> str:
    """The user that the server runs as."""
    host = snapshot.host.value
    cluster = host.cluster if host is not None else None
    return cluster.owner if cluster is not None and cluster.owner else "postgres"
