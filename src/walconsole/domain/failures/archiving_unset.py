"""Settings by which nothing is archived: archive_mode is off, there is no command, there is one too many."""

from collections.abc import Iterator

from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.failures.configuration import by_alter_system, where
from walconsole.domain.redaction import safe
from walconsole.domain.standing.archiver import has_archive_target, is_enabled
from walconsole.domain.standing.assessment import Assessment
from walconsole.domain.standing.mode import PILING, REFUSED, FailureMode, Page, Risk
from walconsole.domain.standing.model import Finding, Fix, Severity
from walconsole.domain.standing.proofs import archiver_row, setting_row
from walconsole.domain.standing.remedies import RELOAD, restart_by_hand, set_by_hand
from walconsole.domain.standing.streaming import streamed_to


def archive_off(assessment: Assessment) -> Iterator[Finding]:
    """archive_mode = off: nothing is archived, and nothing fails either."""
    snapshot = assessment.snapshot
    mode = snapshot.settings.value.get("archive_mode") if snapshot.settings.value else None
    if mode is None or is_enabled(mode.value) or streamed_to(snapshot):
        return
    dead = [
        f"{file.path}:{line} says {name} = {value}, and is never read: {file.why}"
        for file in (snapshot.files.value.never_read if snapshot.files.value else ())
        for name, value, line in file.settings
        if name == "archive_mode"
    ]
    yield Finding(
        "archive-off",
        Severity.CRITICAL,
        "archive_mode is off: no WAL is archived",
        (f"archive_mode = {mode.value} in force, from {where(mode)} (pg_settings)", *dead),
        "set archive_mode = on in a file that is read, then restart PostgreSQL",
        Snapshot.settings,
        "archive_mode",
        proof=tuple(setting_row(snapshot, "archive_mode", "wal_level", "archive_command")),
        fixes=(
            Fix("set archiving up from nothing", ("walconsole provision",), "drop-in"),
            Fix(
                "turn it on by hand, once archive_command is set",
                ("ALTER SYSTEM SET archive_mode = on;", *restart_by_hand(snapshot)),
                risk="a restart ends every connection",
            ),
        ),
    )


def command_empty(assessment: Assessment) -> Iterator[Finding]:
    """archive_mode on without a command or a library: WAL piles up for ever."""
    snapshot = assessment.snapshot
    settings = snapshot.settings.value
    if settings is None or not is_enabled(settings.value("archive_mode")):
        return
    if has_archive_target(settings) is False:
        yield Finding(
            "command-empty",
            Severity.CRITICAL,
            "archive_mode is on, and there is no archive_command",
            ("archive_command and archive_library are both empty (pg_settings)",),
            "set archive_command and reload; until then every segment stays in pg_wal",
            Snapshot.settings,
            "archive_command",
            proof=tuple(setting_row(snapshot, "archive_mode", "archive_command", "archive_library")),
            fixes=(
                Fix("install the archive command, and set it", ("walconsole provision",), "drop-in"),
                *_set_ours(snapshot),
            ),
        )


def stores_nothing(assessment: Assessment) -> Iterator[Finding]:
    """By the command's own words, whether or not the bucket can be read; what that shows is told instead."""
    snapshot, command = assessment.snapshot, safe(assessment.thrown_away_by)
    if not command or assessment.agreement.ok is False:
        return
    yield Finding(
        "stores-nothing",
        Severity.CRITICAL,
        f"the archive command stores nothing: {command}",
        (f"archive_command = {command} (pg_settings) says yes to every segment: it is recycled then",),
        "set a command that stores, and take a base backup: what was thrown away is a hole",
        Snapshot.settings,
        "archive_command",
        proof=(*archiver_row(snapshot), *setting_row(snapshot, "archive_command")),
        fixes=(
            Fix("install the archive command, and set it", ("walconsole provision",), "drop-in"),
            *_set_ours(snapshot),
        ),
    )


def _set_ours(snapshot: Snapshot) -> tuple[Fix, ...]:
    """By hand, where it is known what provisioning installs: with the command that lies there already."""
    program = snapshot.told.archive_program
    if not program:
        return ()
    by_hand = set_by_hand("archive_command", f'{program} "%p" "%f"')
    return (Fix("set it by hand, where that command is installed already", by_hand),)


def library_and_command(assessment: Assessment) -> Iterator[Finding]:
    """Both set: from 16 on the archiver refuses to work (PostgreSQL commit d627ce3)."""
    snapshot = assessment.snapshot
    settings, server = snapshot.settings.value, snapshot.server.value
    if settings is None or server is None or not is_enabled(settings.value("archive_mode")):
        return
    library, command = settings.value("archive_library"), settings.value("archive_command")
    if not library or not command or command == "(disabled)":
        return
    fatal = server.version_num >= 160000
    effect = "refuses to run" if fatal else "ignores archive_command"
    yield Finding(
        "library-and-command",
        Severity.CRITICAL if fatal or assessment.troubled else Severity.WARNING,
        f"archive_library and archive_command are both set: the archiver {effect}",
        (f"archive_library = {library}", f"archive_command = {command}"),
        "unset the one that is not meant, and reload",
        Snapshot.settings,
        "archive_library",
        proof=tuple(setting_row(snapshot, "archive_library", "archive_command")),
        fixes=(
            Fix(
                "unset the library, where the command is meant",
                ("ALTER SYSTEM RESET archive_library;", RELOAD)
                if by_alter_system(settings.get("archive_library"))
                else set_by_hand("archive_library", ""),
                "reset-setting" if by_alter_system(settings.get("archive_library")) else "",
                subject="archive_library",
            ),
        ),
    )


MODES: tuple[FailureMode, ...] = (
    FailureMode(
        "archive-off",
        Page(
            title="archiving is switched off",
            symptom="pg_stat_archiver is empty, there are no .ready files, and nothing fails.",
            cause="`archive_mode = off`, which is the default. Nothing is archived, and nothing complains.",
            signal=(
                "The setting in force (pg_settings), with the file and line it comes from; files that say "
                "otherwise and are never read."
            ),
            fix=(
                "Set it in a file that the server reads, and restart: archive_mode takes a restart, and "
                "wal_level must be replica or logical.\n\n"
                "```\n"
                "archive_mode = on\n"
                'archive_command = \'/usr/local/bin/NAME-pg-archive "%p" "%f"\'\n'
                "archive_timeout = 60\n"
                "```\n\n"
                "Then take a base backup: WAL from before it cannot be replayed onto anything. `walconsole "
                "provision` does all but the base backup."
            ),
            source="the incident that walconsole began with; patroni#3225",
        ),
        look=archive_off,
        explains=("never-archived", "dr-behind"),
        risk=Risk.OFF,
    ),
    FailureMode(
        "command-empty",
        Page(
            title="archiving is on, and there is no command",
            symptom=(
                "The log says `archive_mode enabled, yet archiving is not configured`; .ready files pile "
                "up, and pg_wal grows."
            ),
            cause=(
                "archive_mode is on, archive_command is '' and archive_library is not set: the server "
                "keeps every segment."
            ),
            signal="Both settings, and the growing backlog.",
            fix="Set archive_command in the file that wins, and reload. The backlog is archived by itself.",
            never=(
                "Never set it to /bin/true to make the backlog go away: the WAL is lost, and the archive "
                "has a gap."
            ),
            source="wal-g#50",
        ),
        look=command_empty,
        explains=(*REFUSED, *PILING),
        risk=Risk.STOPPED,
    ),
    FailureMode(
        "stores-nothing",
        Page(
            title="the archive command stores nothing",
            symptom="archived_count rises, nothing fails, pg_wal stays small: all looks well.",
            cause=(
                "archive_command is `/bin/true`, `:` or a copy to /dev/null, as it is set where archiving "
                "shall be switched on later without a restart, or to make a backlog go away; or a script "
                "that ends before it comes to what stores (`exit 0` in its first line)."
            ),
            signal=(
                "The command's own words (pg_settings) and its shell scripts'; no look at the archive is "
                "needed."
            ),
            fix=(
                "Set a command that stores, and reload; then take a base backup: what was thrown away is a "
                "hole that no older base backup gets over."
            ),
            never="Never take archived_count for a proof: PostgreSQL counts what the command says.",
            source="PostgreSQL's documentation, 26.3.1: Setting Up WAL Archiving",
        ),
        look=stores_nothing,
        explains=("silent-loss", "gap", "dr-behind", "history-missing", "never-archived"),
        risk=Risk.OFF,
        untried="`silent-loss` is brought about by such a command; here the setting's words are all there is",
    ),
    FailureMode(
        "library-and-command",
        Page(
            title="archive_library and archive_command are both set",
            symptom=(
                "From PostgreSQL 16 on the archiver ends with an error again and again; PostgreSQL 15 "
                "ignores archive_command."
            ),
            cause="Only one may be set. The server starts all the same: it is the archiver that refuses.",
            signal="Both settings are not empty; on 16 and later the archiver's error in the log.",
            fix=("Unset the one that is not meant, and reload.\n\n```\narchive_library = ''\n```"),
            source="PostgreSQL commit d627ce3",
        ),
        look=library_and_command,
        explains=(
            *REFUSED,
            *PILING,
            "archiver-crash-loop",
            "archive-frozen",
            "command-not-found",
            "command-not-executable",
            "rclone-config-unreadable",
            "permission",
            "disk-full",
        ),
    ),
)
