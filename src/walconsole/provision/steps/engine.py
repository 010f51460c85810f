"""Which engine a droplet shall have: what archives it already, and what speaks for pgBackRest. Pure."""

from collections.abc import Iterator

from walconsole.domain.archivers.tools import recognise
from walconsole.domain.profile import Engine, Profile
from walconsole.domain.units import bytes_text
from walconsole.droplet.choices import BackupChoices, DropletChoices
from walconsole.droplet.names import names_of
from walconsole.droplet.pgbackrest import unfit
from walconsole.droplet.rendering import archive_command
from walconsole.provision.droplet.survey import Survey, blocked_without
from walconsole.provision.engine.model import Check, CheckState, Fact, FactState

LARGE_BYTES = 500 * 10**9
"""From here on pgBackRest is proposed: a stream that is cut begins anew, and so much takes over an hour where
100 MB are read a second; 650 GiB are all that fit one stream (templates/backup.sh)."""
_NOTHING = "true"
"""A command that archives nowhere (`/bin/true`): nobody is in the way."""
LEAVE_OR_END = (
    "leave it to that, which `walconsole check` reads as it is; or end its archiving first (what this"
    " console set up: `walconsole undo`), then run this again"
)


def archives_already(survey: Survey, profile: Profile) -> str:
    """What archives this server now that the profile's engine did not set up, in words; empty for nothing."""
    server = survey.server
    if server is None or server.settings.get("archive_mode", "off") == "off":
        return ""
    library = server.settings.get("archive_library", "")
    if library:
        return f"the library {library}"
    command = server.settings.get("archive_command", "")
    tool = recognise(command, names_of(profile).archive)
    if tool is None or tool.name == _NOTHING or command == archive_command(profile):
        return ""
    if tool.ours:
        return f"this console's own archive command, {tool.name},"
    by_other = " by a configuration that is not this console's" if tool.name == "pgBackRest" else ""
    return f"{tool.name}{by_other}"


def pgbackrest_obstacle(
    survey: Survey, profile: Profile, choices: DropletChoices, backup: BackupChoices
) -> Check | None:
    """BLOCKED where pgBackRest cannot be set up here, or another tool archives already; None where it can."""
    if survey.server is None:
        return Check(CheckState.BLOCKED, survey.server_problem, remedy="start it, or correct the profile")
    other = archives_already(survey, profile)
    if other:
        why = f"{other} archives this server already: there are never two at once"
        return Check(CheckState.BLOCKED, why, remedy=LEAVE_OR_END)
    why = unfit(profile, choices, backup)
    if why:
        return Check(CheckState.BLOCKED, why, remedy='correct the profile, or take engine = "rclone"')
    return None


def program_obstacle(survey: Survey, *others: str) -> Check | None:
    """BLOCKED where pgBackRest is missing and no step can install it, or one of `others` is."""
    installable = "apt-get" in survey.tools
    return blocked_without(survey, *([] if installable else ["pgbackrest"]), *others)


def engine_facts(
    survey: Survey,
    profile: Profile,
    choices: DropletChoices,
    backup: BackupChoices,
    database_bytes: int | None,
) -> Iterator[Fact]:
    """The engine that is chosen, and where the other one would be the better choice why."""
    size = "" if database_bytes is None else f", for {bytes_text(database_bytes)}"
    if profile.engine is Engine.PGBACKREST:
        blocked = pgbackrest_obstacle(survey, profile, choices, backup)
        if blocked is not None and survey.server is not None:
            yield Fact("engine", blocked.summary, FactState.STOP, blocked.remedy)
        else:
            yield Fact("engine", f"pgBackRest{size}")
        return
    why = _for_pgbackrest(survey, profile, database_bytes)
    if why:
        remedy = 'set engine = "pgbackrest" in the profile, or give --engine pgbackrest'
        yield Fact("engine", f"this console's own, by rclone{size}; {why}", FactState.WARNING, remedy)
    else:
        yield Fact("engine", f"this console's own, by rclone{size}")


def _for_pgbackrest(survey: Survey, profile: Profile, database_bytes: int | None) -> str:
    """What speaks for pgBackRest where rclone is chosen; empty where nothing does."""
    server = survey.server
    if server is None or archives_already(survey, profile):
        return ""
    if server.tablespaces:
        return f"pgBackRest is proposed: it stores the tablespaces ({server.tablespaces}), one stream cannot"
    if database_bytes is not None and database_bytes >= LARGE_BYTES:
        return (
            "pgBackRest is proposed: it sends many files side by side, and goes on where it was cut, while"
            " one stream of that size begins anew"
        )
    return ""
