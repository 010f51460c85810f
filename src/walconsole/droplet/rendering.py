"""The text of each file that is installed, filled in from a profile.

Pure: the same profile and choices, the same texts.
"""

import re
from shlex import join, quote

from walconsole.domain.archivers.own_restore import APART, OwnRestore
from walconsole.domain.profile import BucketTarget, Engine, Profile
from walconsole.droplet.choices import BackupChoices, DrillChoices, DropletChoices, WalLevel
from walconsole.droplet.filling import cluster_choice, copies, fill_in, filled, psql_options, script, template
from walconsole.droplet.names import names_of

_BACKUP_PARTS = ("telling", "alone", "hashing", "storing", "building", "streaming", "proving")
"""Templates of which the base backup's script consists besides, by the name of their place."""

_RESTORING_PARTS = ("phases", "drill_lock", "hashing", "drill_files", "drill_server", "drill_words")
_DRILL_PARTS = (
    *_RESTORING_PARTS,
    "drill_reading",
    "drill_prune",
    "drill_told",
    "drill_result",
    "drill_standby",
    "drill_own",
)
"""And the restore drill's; a recovery's has the first of them in common with it."""


_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----\s[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----")


def certificates_in(text: str) -> str:
    """Those of a PEM file, each once, and nothing else of it: a file may hold a private key, too."""
    return "".join(f"{one}\n" for one in dict.fromkeys(_CERTIFICATE.findall(text)))


def authorities(profile: Profile, choices: DropletChoices) -> str:
    """The file of certificates by which rclone on the droplet knows the profile's stores; empty for none."""
    text = choices.authorities.text
    return (
        f"# {profile.name}: whom rclone trusts to be the store, written by walconsole\n{text}" if text else ""
    )


def archive_command(profile: Profile) -> str:
    """The setting's value, `COMMAND "%p" "%f"`; with pgBackRest its own archive-push."""
    if profile.engine is Engine.PGBACKREST:
        return f'{pgbackrest_call(profile)} archive-push "%p"'
    return f'{names_of(profile).archive} "%p" "%f"'


def pgbackrest_call(profile: Profile) -> str:
    """pgBackRest with the configuration and the stanza of this profile: its command follows."""
    return f"pgbackrest --config={quote(names_of(profile).pgbackrest_config)} --stanza={profile.name}"


def restore_command(profile: Profile) -> str:
    """The setting's value, for a server that recovers from this archive."""
    return f'{names_of(profile).restore} "%f" "%p"'


def archive_script(profile: Profile, choices: DropletChoices) -> str:
    """The archive command."""
    installed = names_of(profile).archive
    values = copies(profile, choices) | {
        "COMPRESSION": choices.compression.value,
        "TEMP_ROOT": quote(choices.temp_root),
    }
    return script("archive.sh", profile, choices, installed, values)


def restore_script(profile: Profile, choices: DropletChoices) -> str:
    """The restore command."""
    installed = names_of(profile).restore
    values = copies(profile, choices) | {
        "TEMP_ROOT": quote(choices.temp_root),
        "PAUSES": " ".join(map(str, choices.restore_pauses_s)),
        "AHEAD": str(choices.restore_ahead),
    }
    return script("restore.sh", profile, choices, installed, values)


def verify_script(profile: Profile, choices: DropletChoices) -> str:
    """The verifier. It asks the cluster, port and socket that the profile names, else psql's own choice."""
    installed = names_of(profile).verifier
    values = copies(profile, choices) | {
        "OS_USER": quote(profile.postgres.os_user),
        "HEARTBEAT": quote(profile.paths.heartbeat),
        "HEARTBEAT_COMMENT": profile.paths.heartbeat,
        "LOG": quote(profile.paths.log),
        "TAG": quote(profile.paths.journal_tag),
        "ARCHIVE_TIMEOUT_S": str(choices.archive_timeout_s),
        "PSQL_OPTIONS": join(psql_options(profile.postgres)),
        "PGCLUSTER": cluster_choice(profile.postgres),
    }
    return script("verify.sh", profile, choices, installed, values)


def backup_script(profile: Profile, choices: DropletChoices, backup: BackupChoices) -> str:
    """What takes a base backup, as the cluster's owner, of the server that the verifier asks, too."""
    names = names_of(profile)
    values = copies(profile, choices) | {
        "OS_USER": quote(profile.postgres.os_user),
        "STATE": quote(names.backup_state),
        "TAG": quote(profile.paths.journal_tag),
        "PSQL_OPTIONS": join(psql_options(profile.postgres)),
        "PGCLUSTER": cluster_choice(profile.postgres),
        "SOCKET": quote(profile.postgres.socket_dir or ""),
        "RECIPIENTS": quote(backup.recipients),
        "RECIPIENTS_FAULT": recipients_fault().rstrip(),
        "INCREMENTAL": str(backup.incremental),
        "READ_MIB_S": str(backup.read_mib_s),
        "SEND_MIB_S": str(backup.send_mib_s),
        "PATIENCE_S": str(backup.patience_s),
        "POLL_S": str(backup.poll_s),
        "CHECKPOINT": "fast" if backup.fast_checkpoint else "spread",
        "MEMORY_ROOT": quote(backup.memory_root),
        "TEMP_ROOT": quote(choices.temp_root),
    }
    own = {
        "PROFILE": profile.name,
        "NICE": str(backup.nice),
        "DATABASE_USER": quote(profile.postgres.user),
        "EXAMINE": template("examine.pl").rstrip(),
        "IDLE_TIMEOUT_S": str(choices.idle_timeout_s),
    }
    parts = {part.upper(): fill_in(template(f"{part}.sh"), own).rstrip() for part in _BACKUP_PARTS}
    return script("backup.sh", profile, choices, names.backup, values | parts)


def pgbackrest_backup_script(profile: Profile, choices: DropletChoices, backup: BackupChoices) -> str:
    """What takes a backup by pgBackRest into each repository, as the cluster's owner."""
    names, targets = names_of(profile), written_buckets(profile, choices)
    values = {
        "OS_USER": quote(profile.postgres.os_user),
        "STATE": quote(names.backup_state),
        "TAG": quote(profile.paths.journal_tag),
        "REPOSITORIES": " ".join(str(number) for number, _ in enumerate(targets, start=1)),
        "PLACES": " ".join(target.bucket for target in targets),
        "CHECKPOINT": "fast" if backup.fast_checkpoint else "spread",
        "INCREMENTAL": str(backup.incremental),
        "CALL": pgbackrest_call(profile),
        "CONFIG": quote(names.pgbackrest_config),
        "TELLING": template("telling.sh").rstrip(),
        "ALONE": fill_in(template("alone.sh"), {"PROFILE": profile.name, "NICE": str(backup.nice)}).rstrip(),
    }
    return script("pgbackrest_backup.sh", profile, choices, names.backup, values)


def drill_script(
    profile: Profile, choices: DropletChoices, drill: DrillChoices, other: OwnRestore | None = None
) -> str:
    """What restores the newest base backup beside the server, as the cluster's owner, and proves it.

    `other` brings an archive that is another tool's, by that tool's commands.
    """
    names = names_of(profile)
    values = copies(profile, choices) | {
        "OS_USER": quote(profile.postgres.os_user),
        "STATE": quote(names.drill_state),
        "TAG": quote(profile.paths.journal_tag),
        "RESTORE": quote(names.restore),
        "FOLDER": quote(drill.folder or names.drill_state),
        "PSQL_OPTIONS": join(psql_options(profile.postgres)),
        "PGCLUSTER": cluster_choice(profile.postgres),
        "PATIENCE_S": str(drill.patience_s),
        "POLL_S": str(drill.poll_s),
        "LIMIT_S": str(drill.limit_s),
        "EVERY_S": str(drill.every_s or 0),
        "RESERVE_MIB": str(drill.reserve_mib),
        "STATEMENT_S": str(drill.statement_s),
        "KEPT_RESULTS": str(drill.kept_results),
        "IDENTITY": quote(drill.identity),
        "TEMP_ROOT": quote(choices.temp_root),
        "NICE": str(drill.nice),
    }
    own = {
        "DATABASE_USER": quote(profile.postgres.user),
        "DATABASE": quote(profile.postgres.database),
        "QUERIES": "\n".join(f"    query {quote(query)}" for query in drill.queries),
        "IDLE_TIMEOUT_S": str(choices.idle_timeout_s),
        "OWN": quote(other.tool if other is not None else ""),
        "OWN_BEFORE": join(other.before) if other is not None else "",
        "OWN_PROGRAM": quote(other.folder) if other is not None and other.folder else "",
        "OWN_WHENCE": join(other.whence) if other is not None else "",
        "OWN_GET": quote(other.restore_command if other is not None else ""),
        "APART": join(APART),
    }
    parts = {part.upper(): fill_in(template(f"{part}.sh"), own).rstrip() for part in _DRILL_PARTS}
    return script("drill.sh", profile, choices, names.drill, values | parts | own)


def recover_script(profile: Profile, choices: DropletChoices, drill: DrillChoices) -> str:
    """What recovers the cluster, phase by phase, as its owner, by what a drill's script does."""
    names = names_of(profile)
    values = copies(profile, choices) | {
        "OS_USER": quote(profile.postgres.os_user),
        "STATE": quote(names.recover_state),
        "TAG": quote(profile.paths.journal_tag),
        "RESTORE": quote(names.restore),
        "PSQL_OPTIONS": join(psql_options(profile.postgres)),
        "PGCLUSTER": cluster_choice(profile.postgres),
        "POLL_S": str(drill.poll_s),
        "RESERVE_MIB": str(drill.reserve_mib),
        "TEMP_ROOT": quote(choices.temp_root),
    }
    own = {
        "DATABASE_USER": quote(profile.postgres.user),
        "DATABASE": quote(profile.postgres.database),
        "IDLE_TIMEOUT_S": str(choices.idle_timeout_s),
        "APART": join(APART),
    }
    in_it = (*_RESTORING_PARTS, "recover_theirs", "recover_place")
    parts = {part.upper(): fill_in(template(f"{part}.sh"), own).rstrip() for part in in_it}
    return script("recover.sh", profile, choices, names.recover, values | parts | own)


def drill_service(profile: Profile, drill: DrillChoices) -> str:
    """Its systemd service."""
    names = names_of(profile)
    values = {
        "OS_USER": profile.postgres.os_user,
        "STATE_NAME": names.drill_state.rpartition("/")[2],
        "DRILL": names.drill,
        "TAG": systemd_value(profile.paths.journal_tag),
        "NICE": str(drill.nice),
    }
    return filled("drill.service", profile, values)


def drill_timer(profile: Profile, drill: DrillChoices) -> str:
    """The timer that has it look every night whether one is due."""
    at = {"HOUR": f"{drill.hour:02}", "MINUTE": f"{drill.minute:02}"}
    return filled("drill.timer", profile, at | {"JITTER_S": str(drill.jitter_s)})


def drill_cron(profile: Profile, drill: DrillChoices) -> str:
    """The same for a host without systemd, as a file of /etc/cron.d."""
    names = names_of(profile)
    values = {
        "OS_USER": profile.postgres.os_user,
        "DRILL": names.drill,
        "STATE_COMMENT": names.drill_state,
        "HOUR": str(drill.hour),
        "MINUTE": str(drill.minute),
    }
    return filled("drill.cron", profile, values)


def recipients_fault() -> str:
    """The shell function of that name, which says what is wrong with a file of public keys."""
    return template("recipients.sh")


def backup_service(profile: Profile, backup: BackupChoices) -> str:
    """Its systemd service."""
    names = names_of(profile)
    values = {
        "OS_USER": profile.postgres.os_user,
        "STATE_NAME": names.backup_state.rpartition("/")[2],
        "BACKUP": names.backup,
        "HOW": _how(backup),
        "TAG": systemd_value(profile.paths.journal_tag),
        "NICE": str(backup.nice),
    }
    return filled("backup.service", profile, values)


def backup_timer(profile: Profile, backup: BackupChoices) -> str:
    """The timer that starts it every night."""
    return filled("backup.timer", profile, _at(backup) | {"JITTER_S": str(backup.jitter_s)})


def backup_cron(profile: Profile, backup: BackupChoices) -> str:
    """The same for a host without systemd, as a file of /etc/cron.d."""
    names = names_of(profile)
    values = {
        "OS_USER": profile.postgres.os_user,
        "BACKUP": names.backup,
        "HOW": _how(backup),
        "STATE_COMMENT": names.backup_state,
        "HOUR": str(backup.hour),
        "MINUTE": str(backup.minute),
    }
    return filled("backup.cron", profile, values)


def dropin(profile: Profile, choices: DropletChoices) -> str:
    """The drop-in for conf.d of the live configuration; `profile.paths.dropin` is its name there."""
    level = "" if choices.wal_level is WalLevel.KEEP else f"wal_level = {choices.wal_level}\n"
    values = {
        "WAL_LEVEL": level,
        "ARCHIVE_COMMAND": postgresql_value(archive_command(profile)),
        "ARCHIVE_TIMEOUT_S": str(choices.archive_timeout_s),
    }
    return filled("dropin.conf", profile, values)


def service_unit(profile: Profile) -> str:
    """The verifier's systemd service."""
    values = {
        "VERIFIER": names_of(profile).verifier,
        "TAG": systemd_value(profile.paths.journal_tag),
    }
    return filled("verify.service", profile, values)


def timer_unit(profile: Profile) -> str:
    """The timer that starts it every hour."""
    return filled("verify.timer", profile, {})


def cron_table(profile: Profile, choices: DropletChoices) -> str:
    """The same for a host without systemd, as a file of /etc/cron.d."""
    verifier = names_of(profile).verifier
    return filled("verify.cron", profile, {"VERIFIER": verifier, "MINUTE": str(choices.cron_minute)})


def logrotate_rule(profile: Profile) -> str:
    """How the verifier's log is rotated."""
    return filled("logrotate.conf", profile, {"LOG": logrotate_path(profile.paths.log)})


def _how(backup: BackupChoices) -> str:
    """What the schedule asks of the script besides."""
    return " --in-turn" if backup.incremental else ""


def _at(backup: BackupChoices) -> dict[str, str]:
    return {"HOUR": f"{backup.hour:02}", "MINUTE": f"{backup.minute:02}"}


def written_buckets(profile: Profile, choices: DropletChoices) -> tuple[BucketTarget, ...]:
    """Those that the droplet writes to, the primary first."""
    return profile.buckets if choices.to_dr else (profile.primary,)


# -- How each format writes a text that is to be taken as it is. A profile's texts hold no control characters,
# so that no line can end early.


def postgresql_value(text: str) -> str:
    """A quoted value of postgresql.conf (guc-file.l): quotes and backslashes are doubled."""
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def systemd_value(text: str) -> str:
    """The whole value of a unit's line that is not split into words: `%` is doubled (systemd.unit(5))."""
    return text.replace("%", "%%")


def logrotate_path(text: str) -> str:
    """A path of logrotate.conf(5), in quotes; such names are patterns (glob(7))."""
    return '"' + "".join(f"\\{sign}" if sign in '\\"*?[]' else sign for sign in text) + '"'
