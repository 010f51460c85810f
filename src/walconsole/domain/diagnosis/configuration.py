"""What the settings in force, and the files that are never read, get wrong."""

from collections.abc import Iterator

from walconsole.domain.archiver import has_archive_target, is_enabled
from walconsole.domain.diagnosis.model import Finding, Rule, Severity
from walconsole.domain.facts import Setting
from walconsole.domain.snapshot import Slot, Snapshot


def where(setting: Setting) -> str:
    """Where a setting in force comes from: `FILE:LINE`, or PostgreSQL's word for the source."""
    if setting.sourcefile:
        return f"{setting.sourcefile}:{setting.sourceline}"
    return setting.source


def archive_off(snapshot: Snapshot, _now: float) -> Iterator[Finding]:
    """archive_mode = off: nothing is archived, and nothing fails either."""
    mode = snapshot.settings.value.get("archive_mode") if snapshot.settings.value else None
    if mode is None or is_enabled(mode.value):
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
        Slot.SETTINGS,
        "archive_mode",
    )


def dead_config(snapshot: Snapshot, _now: float) -> Iterator[Finding]:
    """A file that sets up archiving, and that the server never reads."""
    if snapshot.files.value is None:
        return
    for file in snapshot.files.value.never_read:
        if not file.settings:
            continue
        lines = tuple(f"{file.path}:{line}: {name} = {value}" for name, value, line in file.settings)
        archives = any(name.startswith("archive_") for name, _, _ in file.settings)
        yield Finding(
            "dead-config",
            Severity.WARNING if archives else Severity.NOTE,
            f"never read: {file.path}",
            (file.why, *lines),
            f"move what is meant to a file that is read ({_live_place(snapshot)}), and delete this one",
            Slot.FILES,
            next((name for name, _, _ in file.settings if name.startswith("archive_")), file.settings[0][0]),
        )


def _live_place(snapshot: Snapshot) -> str:
    server, host = snapshot.server.value, snapshot.host.value
    live = server.config_file if server else None
    if live is None and host is not None and host.cluster is not None:
        live = host.cluster.config_file
    return f"beside {live}" if live else "beside the live postgresql.conf"


def pending_restart(snapshot: Snapshot, _now: float) -> Iterator[Finding]:
    """A value that waits for a restart."""
    for setting in snapshot.settings.value.settings if snapshot.settings.value else ():
        if setting.pending_restart:
            yield Finding(
                "pending-restart",
                Severity.WARNING,
                f"{setting.name} was changed and waits for a restart",
                (f"{setting.name} = {setting.value} is still in force (pg_settings.pending_restart)",),
                "restart PostgreSQL when it suits; a reload is not enough for this setting",
                Slot.SETTINGS,
                setting.name,
            )


def command_empty(snapshot: Snapshot, _now: float) -> Iterator[Finding]:
    """archive_mode on without a command or a library: WAL piles up for ever."""
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
            Slot.SETTINGS,
            "archive_command",
        )


def library_and_command(snapshot: Snapshot, _now: float) -> Iterator[Finding]:
    """Both set: from 16 on the archiver refuses to work (PostgreSQL commit d627ce3)."""
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
        Severity.CRITICAL if fatal else Severity.WARNING,
        f"archive_library and archive_command are both set: the archiver {effect}",
        (f"archive_library = {library}", f"archive_command = {command}"),
        "unset the one that is not meant, and reload",
        Slot.SETTINGS,
        "archive_library",
    )


RULES: tuple[Rule, ...] = (archive_off, command_empty, library_and_command, dead_config, pending_restart)
