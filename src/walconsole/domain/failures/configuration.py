"""What the settings in force, and the files that are never read, get wrong."""

import re
from collections.abc import Iterator

from walconsole.domain.facts.observed import ConfigFile, Setting
from walconsole.domain.facts.snapshot import Freshness, Snapshot
from walconsole.domain.pgconf.resolution import Origin, Place, State
from walconsole.domain.pgconf.values import SettingMeta, same
from walconsole.domain.profile import folder_place, is_folder
from walconsole.domain.redaction import safe
from walconsole.domain.standing.archiver import ArchiverState
from walconsole.domain.standing.assessment import Assessment
from walconsole.domain.standing.folders import folders_in_force, is_in_folders
from walconsole.domain.standing.mode import REFUSED, FailureMode, Page
from walconsole.domain.standing.model import Certainty, Finding, Fix, Proof, Severity
from walconsole.domain.standing.proofs import setting_row
from walconsole.domain.standing.remedies import restart_by_hand


def where(setting: Setting) -> str:
    """Where a setting in force comes from: `FILE:LINE`, or PostgreSQL's word for the source."""
    if setting.sourcefile:
        return f"{setting.sourcefile}:{setting.sourceline}"
    return setting.source


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


def by_alter_system(setting: Setting | None) -> bool:
    """Whether ALTER SYSTEM set it, so that RESET takes it back."""
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


_WELL = (ArchiverState.WORKING, ArchiverState.IDLE, ArchiverState.STANDBY, ArchiverState.STREAMED)


def _overridden(assessment: Assessment, name: str, winner: Place, loser: Place) -> Finding:
    snapshot = assessment.snapshot
    broken = assessment.state not in _WELL
    at = snapshot.files.read_at
    return Finding(
        "auto-conf-override",
        (Severity.CRITICAL if broken or assessment.troubled else Severity.NOTE),
        f"{name} of {loser.where} is ignored: ALTER SYSTEM set another value",
        (
            f"{winner.where}: {name} = {winner.value or chr(39) * 2} wins: it is read last",
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


_OF_ONE_HOST = re.compile(r"ext\d.*|xfs|btrfs|zfs|f2fs|jfs|bcachefs|overlay(fs)?|tmpfs|reiserfs")
"""As `stat -f` names file systems that no other host writes to."""


def _folder_of_its_own(snapshot: Snapshot) -> str:
    """The folder that the server archives to, where no other host can do so; empty where that is not seen."""
    facts, primary = snapshot.folders.value, snapshot.primary.value
    folders = folders_in_force(snapshot)
    if facts is None or facts.elsewhere or primary is None or not is_folder(primary.bucket):
        return ""
    if folder_place(primary.bucket)[0] or snapshot.dr.value is not None or not folders:
        return ""
    local = all(not each.why and _OF_ONE_HOST.fullmatch(each.filesystem) for each in folders)
    return folders[0].path if local else ""


def archive_always(assessment: Assessment) -> Iterator[Finding]:
    """archive_mode = always on a standby: it archives what its primary archives, too."""
    snapshot = assessment.snapshot
    server, settings = snapshot.server.value, snapshot.settings.value
    if server is None or settings is None or not server.in_recovery:
        return
    if settings.value("archive_mode") != "always":
        return
    failing = assessment.troubled
    if not failing and is_in_folders(snapshot) and snapshot.folders.freshness is Freshness.UNREAD:
        return  # whose disks they are on decides
    own = "" if failing else _folder_of_its_own(snapshot)
    if own:
        yield Finding(
            "archive-always",
            Severity.NOTE,
            f"this standby archives too (archive_mode = always), into {own}, which is on a disk of this host",
            ("pg_is_in_recovery() and archive_mode = always (pg_settings)",),
            "nothing, where that archive is its own: the primary's is another",
            Snapshot.settings,
            "archive_mode",
            proof=tuple(setting_row(snapshot, "archive_mode", "archive_command")),
        )
        return
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
            "stores-nothing",
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
        explains=("archive-off", "command-empty", "stores-nothing", "no-archive-timeout"),
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
            signal=(
                "The setting, and pg_is_in_recovery(). A note where it archives into folders of this host's "
                "own disks alone (`stat -f`), and nothing fails: its primary's archive is another."
            ),
            fix=(
                "archive_mode = on on the standby; or a command that takes an identical object for a success."
            ),
            source="pgbackrest#125, #1204",
        ),
        look=archive_always,
        explains=("stuck-on-existing", "same-name-different-content", "failing", "stalled"),
    ),
)
