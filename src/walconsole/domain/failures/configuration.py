"""What the settings in force, and the files that are never read, get wrong."""

from collections.abc import Iterator

from walconsole.domain.facts.observed import ConfigFile, Setting
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.pgconf.resolution import Origin, Place, State
from walconsole.domain.pgconf.values import SettingMeta, same
from walconsole.domain.redaction import safe
from walconsole.domain.standing.archiver import ArchiverState, has_archive_target, is_enabled
from walconsole.domain.standing.assessment import Assessment
from walconsole.domain.standing.mode import PILING, REFUSED, FailureMode, Page, Risk
from walconsole.domain.standing.model import Certainty, Finding, Fix, Proof, Severity
from walconsole.domain.standing.proofs import setting_row
from walconsole.domain.standing.remedies import RELOAD, restart_by_hand, set_by_hand
from walconsole.domain.standing.wal_keepers import streamed_to


def where(setting: Setting) -> str:
    """Where a setting in force comes from: `FILE:LINE`, or PostgreSQL's word for the source."""
    if setting.sourcefile:
        return f"{setting.sourcefile}:{setting.sourceline}"
    return setting.source


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


def dead_config(assessment: Assessment) -> Iterator[Finding]:
    """A file that sets up archiving, and that the server never reads.

    Where not all of the configuration was seen, what was not may include it.
    """
    snapshot = assessment.snapshot
    if snapshot.files.value is None:
        return
    unseen = snapshot.files.value.uncertain
    for file in snapshot.files.value.never_read:
        if not file.settings:
            continue
        lines = tuple(f"{file.path}:{line}: {name} = {value}" for name, value, line in file.settings)
        archives = matters(snapshot, file) and not unseen
        yield Finding(
            "dead-config",
            Severity.WARNING if archives else Severity.NOTE,
            f"perhaps never read: {file.path}" if unseen else f"never read: {file.path}",
            (file.why, *lines, *(f"not seen: {each}" for each in unseen[:3])),
            f"move what is meant to a file that is read ({_live_place(snapshot)}), and delete this one",
            Snapshot.files,
            next((name for name, _, _ in file.settings if name.startswith("archive_")), file.settings[0][0]),
            proof=tuple(Proof(line, file.path, snapshot.files.read_at) for line in lines),
            fixes=(
                Fix(
                    "set what is meant in the configuration that is read",
                    ("walconsole provision",),
                    "drop-in",
                ),
                Fix("then take the dead file away", (f"mv {file.path} {file.path}.unused",)),
            )
            if archives
            else (),
            certainty=Certainty.POSSIBLE if unseen else Certainty.PROVED,
            surer="look at what could not be read, and whether it includes this file" if unseen else "",
        )


def matters(snapshot: Snapshot, file: ConfigFile) -> bool:
    """Whether this dead file would change archiving: one of its settings is not in force."""
    settings, files = snapshot.settings.value, snapshot.files.value
    resolution = files.resolution if files is not None else None
    for name, value, _ in file.settings:
        if not name.lower().startswith("archive_"):
            continue
        chain = resolution.chain(name) if resolution is not None else None
        row = settings.get(name.lower()) if settings is not None else None
        winner = chain.winner.value if chain is not None and chain.winner is not None else None
        in_force = (
            (row.reset_value if row.value == "(disabled)" else row.value) if row is not None else winner
        )
        if in_force is None or not _alike(value, in_force, chain.meta if chain is not None else None):
            return True
    return False


_ON = frozenset({"on", "true", "yes", "1"})


def _alike(one: str, other: str, meta: SettingMeta | None) -> bool:
    return same(one, other, meta) or (one.lower() in _ON and other.lower() in _ON)


def _live_place(snapshot: Snapshot) -> str:
    server, host = snapshot.server.value, snapshot.host.value
    live = server.config_file if server else None
    if live is None and host is not None and host.cluster is not None:
        live = host.cluster.config_file
    return f"beside {live}" if live else "beside the live postgresql.conf"


def pending_restart(assessment: Assessment) -> Iterator[Finding]:
    """A value that waits for a restart."""
    snapshot = assessment.snapshot
    for setting in snapshot.settings.value.settings if snapshot.settings.value else ():
        if setting.pending_restart:
            yield Finding(
                "pending-restart",
                Severity.WARNING,
                f"{setting.name} was changed and waits for a restart",
                (f"{setting.name} = {setting.value} is still in force (pg_settings.pending_restart)",),
                "restart PostgreSQL when it suits; a reload is not enough for this setting",
                Snapshot.settings,
                setting.name,
                proof=tuple(setting_row(snapshot, setting.name)),
                fixes=(
                    Fix(
                        "restart PostgreSQL",
                        restart_by_hand(snapshot),
                        "restart",
                        "ends every connection",
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
                if _by_alter_system(settings.get("archive_library"))
                else set_by_hand("archive_library", ""),
                "reset-setting" if _by_alter_system(settings.get("archive_library")) else "",
                subject="archive_library",
            ),
        ),
    )


def _by_alter_system(setting: Setting | None) -> bool:
    return setting is not None and (setting.sourcefile or "").endswith("postgresql.auto.conf")


_ARCHIVING = ("archive_mode", "archive_command", "archive_library", "archive_timeout", "wal_level")


def auto_conf_override(assessment: Assessment) -> Iterator[Finding]:
    """A value that a file sets loses against ALTER SYSTEM's: postgresql.auto.conf is read last."""
    snapshot = assessment.snapshot
    files = snapshot.files.value
    resolution = files.resolution if files is not None else None
    if resolution is None:
        return
    for name in _ARCHIVING:
        chain = resolution.chains.get(name)
        winner = chain.winner if chain is not None else None
        if chain is None or winner is None or winner.origin is not Origin.AUTO_CONF:
            continue
        losers = [
            place
            for place in chain.places
            if place.origin is Origin.FILE and place.state is State.OVERRIDDEN and place.value != winner.value
        ]
        if losers:
            yield _overridden(assessment, name, winner, losers[-1])


def _overridden(assessment: Assessment, name: str, winner: Place, loser: Place) -> Finding:
    snapshot = assessment.snapshot
    broken = assessment.state not in (ArchiverState.WORKING, ArchiverState.IDLE, ArchiverState.STANDBY)
    at = snapshot.files.read_at
    return Finding(
        "auto-conf-override",
        (Severity.CRITICAL if broken or assessment.troubled else Severity.NOTE),
        f"{name} of {loser.where} is ignored: ALTER SYSTEM set another value",
        (
            f"{winner.where}: {name} = {winner.value or chr(39) * 2} wins, for it is read last",
            f"{loser.where}: {name} = {loser.value} loses",
        ),
        f"ALTER SYSTEM RESET {name}; then reload (archive_mode and wal_level: restart)",
        Snapshot.files,
        name,
        proof=(
            Proof(safe(f"{winner.where}: {name} = {winner.value}"), "postgresql.auto.conf", at),
            Proof(safe(f"{loser.where}: {name} = {loser.value}"), loser.file or "the configuration", at),
            *setting_row(snapshot, name),
        ),
        fixes=(
            Fix(
                f"take the override of {name} back",
                (f"ALTER SYSTEM RESET {name};", "SELECT pg_reload_conf();"),
                "reset-setting",
                subject=name,
            ),
        ),
    )


def archive_always(assessment: Assessment) -> Iterator[Finding]:
    """archive_mode = always on a standby: it archives what its primary archives, too."""
    snapshot = assessment.snapshot
    server, settings = snapshot.server.value, snapshot.settings.value
    if server is None or settings is None or not server.in_recovery:
        return
    if settings.value("archive_mode") != "always":
        return
    failing = assessment.troubled
    yield Finding(
        "archive-always",
        Severity.WARNING,
        "this standby archives too (archive_mode = always): every segment is pushed twice",
        ("pg_is_in_recovery() and archive_mode = always (pg_settings)",),
        "archive_mode = on, where primary and standby share an archive; else a command that takes an "
        "identical file for a success",
        Snapshot.settings,
        "archive_mode",
        proof=tuple(setting_row(snapshot, "archive_mode", "archive_command")),
        fixes=(
            Fix(
                "let only the primary archive",
                ("ALTER SYSTEM SET archive_mode = 'on';", *restart_by_hand(snapshot)),
                risk="a standby's restart ends its queries",
            ),
        ),
        certainty=Certainty.PROVED if failing else Certainty.LIKELY,
        surer="does the primary write to the same bucket and prefix?",
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
    FailureMode(
        "auto-conf-override",
        Page(
            title="ALTER SYSTEM overrides the file",
            symptom="A value in conf.d is ignored.",
            cause="postgresql.auto.conf is read last: what ALTER SYSTEM wrote there wins over every file.",
            signal=(
                "The setting's source file ends in postgresql.auto.conf, and another file sets another value."
            ),
            fix=(
                "Take the override back, and reload (archive_mode and wal_level take a restart).\n\n"
                "```\n"
                "ALTER SYSTEM RESET archive_command;\n"
                "SELECT pg_reload_conf();\n"
                "```"
            ),
            never="Do not edit postgresql.auto.conf by hand while the server runs.",
            source="kubeblocks#10106",
        ),
        look=auto_conf_override,
        explains=(
            *REFUSED,
            "archive-off",
            "command-empty",
            "command-not-found",
            "library-and-command",
            "no-archive-timeout",
            "archive-frozen",
        ),
    ),
    FailureMode(
        "dead-config",
        Page(
            title="a configuration file that the server never reads",
            symptom="An edit and a reload change nothing.",
            cause=(
                "The edited file is not the one that is read. Debian's pg_ctlcluster starts the server "
                "with /etc/postgresql/VERSION/NAME/postgresql.conf, whatever PGDATA= or a role's template "
                "says."
            ),
            signal=(
                "`config_file`, the postmaster's arguments, `pg_settings.sourcefile`, and the files that "
                "lie around and look like this cluster's configuration. A note where all that it sets of "
                "archiving is in force anyway."
            ),
            fix=(
                "Put what is meant into conf.d beside the live file, reload (or restart), and take the "
                "dead file away, so that nobody edits it again.\n\n"
                "```\n"
                "SHOW config_file;\n"
                "SELECT name, setting, sourcefile, sourceline FROM pg_settings WHERE name LIKE "
                "'archive%';\n"
                "```"
            ),
            source="the incident that walconsole began with; pg_conftool(1)",
        ),
        look=dead_config,
        explains=("archive-off", "command-empty", "no-archive-timeout"),
    ),
    FailureMode(
        "pending-restart",
        Page(
            title="a changed setting waits for a restart",
            symptom="The file has the new value, and SHOW the old one.",
            cause="Some settings (archive_mode, wal_level, max_wal_senders) are taken only at start.",
            signal="`pg_settings.pending_restart`.",
            fix=("Restart when it suits.\n\n```\npg_ctlcluster VERSION NAME restart\n```"),
            source="patroni#773",
        ),
        look=pending_restart,
        explains=("archive-off",),
    ),
    FailureMode(
        "archive-always",
        Page(
            title="a standby archives what its primary archives",
            symptom=(
                "Each segment is pushed twice; where the command refuses what exists, one of the two fails "
                "for ever."
            ),
            cause="archive_mode = always on a standby whose primary writes to the same place.",
            signal="The setting, and pg_is_in_recovery().",
            fix=(
                "archive_mode = on on the standby; or a command that takes an identical object for a success."
            ),
            source="pgbackrest#125, #1204",
        ),
        look=archive_always,
        explains=("stuck-on-existing", "same-name-different-content", "failing", "stalled"),
    ),
)
