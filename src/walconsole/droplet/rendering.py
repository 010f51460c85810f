"""The text of each file, filled in from a profile. Pure: the same profile and choices, the same texts."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from shlex import join, quote

from walconsole.domain.archive.expected_page import ExpectedPage
from walconsole.domain.moments.page_images import IMAGE_BYTES
from walconsole.domain.profile import BucketTarget, Engine, PostgresTarget, Profile
from walconsole.droplet.choices import BackupChoices, DrillChoices, DropletChoices, WalLevel
from walconsole.droplet.mending import MendSource, MendTarget
from walconsole.droplet.names import names_of, rclone_path, trust_variable

# -- Templates: texts in which `@NAME@` stands for a value.

_PLACE = re.compile(r"@([A-Z][A-Z_]*)@")


@cache
def template(name: str) -> str:
    """The text of templates/NAME."""
    return files("walconsole.droplet").joinpath("templates", name).read_text("utf-8")


def fill_in(text: str, values: Mapping[str, str]) -> str:
    """`text` with every `@NAME@` replaced by its value, which is not looked through again.

    Raises KeyError for a place that has no value.
    """
    return _PLACE.sub(lambda place: values[place[1]], text)


_PARTS = ("common", "look", "unpack", "sweep", "stand", "jobs")
"""Templates that several scripts have in common, by the name of their place."""

_BACKUP_PARTS = ("telling", "storing", "building", "streaming", "proving")
"""What the base backup's script consists of besides, likewise."""

_RESTORING_PARTS = ("phases", "drill_lock", "drill_files", "drill_server")
_DRILL_PARTS = (*_RESTORING_PARTS, "drill_reading", "drill_result")
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


def _trust(place: str, *, alone: bool) -> str:
    """Shell that has rclone heed the certificates in `place`, as shell words it."""
    variable = trust_variable(alone=alone)
    return f"{variable}={place}\nexport {variable}"


def _trusting(profile: Profile, choices: DropletChoices, *, lasting: bool) -> str:
    """The same for a script: for one that lasts by what is installed with it, else by what is there."""
    place = quote(names_of(profile).authorities)
    if lasting:
        return _trust(place, alone=choices.authorities.alone) if choices.authorities.text else ""
    if not any(target.ca_file for target in profile.buckets):
        return ""
    alone = choices.authorities.alone and all(target.ca_file for target in profile.buckets)
    return f"if [ -r {place} ]; then\n{_trust(place, alone=alone)}\nfi"


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
    values = _copies(profile, choices) | {
        "COMPRESSION": choices.compression.value,
        "TEMP_ROOT": quote(choices.temp_root),
    }
    return _script("archive.sh", profile, choices, installed, values)


def restore_script(profile: Profile, choices: DropletChoices) -> str:
    """The restore command."""
    installed = names_of(profile).restore
    values = _copies(profile, choices) | {
        "TEMP_ROOT": quote(choices.temp_root),
        "PAUSES": " ".join(map(str, choices.restore_pauses_s)),
        "AHEAD": str(choices.restore_ahead),
    }
    return _script("restore.sh", profile, choices, installed, values)


def probe_script(profile: Profile, choices: DropletChoices, target: BucketTarget, name: str) -> str:
    """Tries one copy with an object of its own, `name`, below the copy's prefix. It is not installed."""
    values = {
        "TARGET": quote(rclone_path(target)),
        "OBJECT": quote(name),
        "TEMP_ROOT": quote(choices.temp_root),
        "CERTIFICATES": quote(authorities(profile, choices)),
        "TRUST_THEM": _trust('"$folder/ca.pem"', alone=choices.authorities.alone),
    }
    return _script("probe.sh", profile, choices, "walconsole-probe", values)


def verbs_script(profile: Profile, choices: DropletChoices, where: str, config: str, name: str) -> str:
    """Tries each call by itself at `where` (REMOTE:BUCKET/PREFIX) by the rclone configuration `config`.

    It writes an object of its own, `name`. It is not installed.
    """
    values = {"TARGET": quote(where), "OBJECT": quote(name), "TEMP_ROOT": quote(choices.temp_root)}
    asked = replace(profile, paths=replace(profile.paths, rclone_config=config))
    return _script("verbs.sh", asked, choices, "walconsole-verbs", values)


def mend_script(
    profile: Profile,
    choices: DropletChoices,
    page: ExpectedPage,
    sources: Sequence[MendSource],
    targets: Sequence[MendTarget],
) -> str:
    """Brings the segment of `page` from the first of `sources` that is whole to each of `targets`.

    It is not installed.
    """
    taken = [
        join(("from_copy" if source.in_copy else "from_folder", str(number), source.where, source.object))
        for number, source in enumerate(sources)
    ]
    brought = [join(("bring", target.copy, target.where, target.suffix)) for target in targets]
    values = {
        "NAME": quote(page.segment.name(page.segment_bytes)),
        "BYTES": str(page.segment_bytes),
        "PATTERNS": " | ".join(page.patterns()),
        "SOURCES": " ||\n    ".join(taken),
        "TARGETS": "\n".join(brought),
        "TEMP_ROOT": quote(choices.temp_root),
    }
    return _script("mend.sh", profile, choices, "walconsole-mend", values)


@dataclass(frozen=True, slots=True)
class MomentWish:
    """Which WAL is read on the droplet: the files' `names`; `runs` of pg_waldump, one a timeline, each with
    that, the LSN it begins at and the one before which it ends. `mark` is a word that no text can hold by
    chance. Bytes are those of a segment, of all that may stand on the disk at a time, and of what shall stay
    free.
    """

    names: tuple[str, ...]
    runs: tuple[tuple[int, str, str], ...]
    segment_bytes: int
    needed_bytes: int
    reserve_bytes: int
    major: int
    programs: tuple[str, ...]
    mark: str


LONGEST_MOMENT_TRANSFER_S = 1200
MOST_IMAGES = 400
"""Of pages of pg_class, the newest of a timeline."""


def moment_script(profile: Profile, choices: DropletChoices, wish: MomentWish) -> str:
    """Brings archived WAL into a private folder, prints what pg_waldump says of it. It is not installed."""
    targets = (profile.primary, profile.dr) if choices.to_dr else (profile.primary,)
    values = {
        "TARGETS": " ".join(quote(rclone_path(target)) for target in targets),
        "TEMP_ROOT": quote(choices.temp_root),
        "SEGMENT_BYTES": str(wish.segment_bytes),
        "NEEDED_KIB": str(wish.needed_bytes // 1024),
        "RESERVE_KIB": str(wish.reserve_bytes // 1024),
        "LONGEST_S": str(LONGEST_MOMENT_TRANSFER_S),
        "MAJOR": str(wish.major),
        "PROGRAMS": " ".join(map(quote, wish.programs)),
        "NAMES": " ".join(map(quote, wish.names)),
        "MARK": wish.mark,
        "MOST_IMAGES": str(MOST_IMAGES),
        "IMAGE_BYTES": str(IMAGE_BYTES),
        "RUNS": "\n".join(
            f"    each {timeline} {quote(first)} {quote(last)}" for timeline, first, last in wish.runs
        ),
    }
    return _script("moment.sh", profile, choices, "walconsole-moment", values)


def names_script(
    profile: Profile, choices: DropletChoices, query: str, wanted: Mapping[int, Sequence[int]]
) -> str:
    """Asks the catalogues of today: by database's OID, for these OIDs and files. It is not installed."""
    server = replace(profile.postgres, database="")
    values = {
        "PSQL_OPTIONS": join(_psql_options(profile.postgres)),
        "PSQL_SERVER": join(word for word in _psql_options(server) if word not in ("-d", "")),
        "PGCLUSTER": _cluster_choice(profile.postgres),
        "QUERY": query.rstrip(),
        "ASKED": "\n".join(
            f"ask {database} {','.join(map(str, numbers))}" for database, numbers in wanted.items()
        ),
    }
    return _script("names.sh", profile, choices, "walconsole-names", values)


def seconds_script(
    profile: Profile, choices: DropletChoices, places: tuple[str, ...], config: str, *,
    wal: str, name: str, packs: bool, limit_s: int,
) -> str:  # fmt: skip
    """Times each part of archiving the file `wal` at `places` (REMOTE:BUCKET/PREFIX), as an object `name`.

    `packs`: it is sent compressed. Each call is ended after `limit_s`. It is not installed.
    """
    values = {
        "TARGETS": join(places),
        "WAL": quote(wal),
        "OBJECT": quote(name),
        "PACKS": "yes" if packs else "no",
        "LIMIT_S": str(limit_s),
        "TEMP_ROOT": quote(choices.temp_root),
    }
    asked = replace(profile, paths=replace(profile.paths, rclone_config=config))
    return _script("seconds.sh", asked, choices, "walconsole-seconds", values)


def verify_script(profile: Profile, choices: DropletChoices) -> str:
    """The verifier. It asks the cluster, port and socket that the profile names, else psql's own choice."""
    installed = names_of(profile).verifier
    values = _copies(profile, choices) | {
        "OS_USER": quote(profile.postgres.os_user),
        "HEARTBEAT": quote(profile.paths.heartbeat),
        "HEARTBEAT_COMMENT": profile.paths.heartbeat,
        "LOG": quote(profile.paths.log),
        "TAG": quote(profile.paths.journal_tag),
        "ARCHIVE_TIMEOUT_S": str(choices.archive_timeout_s),
        "PSQL_OPTIONS": join(_psql_options(profile.postgres)),
        "PGCLUSTER": _cluster_choice(profile.postgres),
    }
    return _script("verify.sh", profile, choices, installed, values)


def backup_script(profile: Profile, choices: DropletChoices, backup: BackupChoices) -> str:
    """What takes a base backup, as the cluster's owner, of the server that the verifier asks, too."""
    names = names_of(profile)
    values = _copies(profile, choices) | {
        "OS_USER": quote(profile.postgres.os_user),
        "STATE": quote(names.backup_state),
        "TAG": quote(profile.paths.journal_tag),
        "PSQL_OPTIONS": join(_psql_options(profile.postgres)),
        "PGCLUSTER": _cluster_choice(profile.postgres),
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
        "NICE": str(backup.nice),
    }
    own = {
        "DATABASE_USER": quote(profile.postgres.user),
        "EXAMINE": template("examine.pl").rstrip(),
        "IDLE_TIMEOUT_S": str(choices.idle_timeout_s),
    }
    parts = {part.upper(): fill_in(template(f"{part}.sh"), own).rstrip() for part in _BACKUP_PARTS}
    return _script("backup.sh", profile, choices, names.backup, values | parts)


def pgbackrest_backup_script(profile: Profile, choices: DropletChoices, backup: BackupChoices) -> str:
    """What takes a backup by pgBackRest into each repository, as the cluster's owner."""
    names, targets = names_of(profile), copies(profile, choices)
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
        "NICE": str(backup.nice),
        "TELLING": template("telling.sh").rstrip(),
    }
    return _script("pgbackrest_backup.sh", profile, choices, names.backup, values)


def drill_script(profile: Profile, choices: DropletChoices, drill: DrillChoices) -> str:
    """What restores the newest base backup beside the server, as the cluster's owner, and proves it."""
    names = names_of(profile)
    values = _copies(profile, choices) | {
        "OS_USER": quote(profile.postgres.os_user),
        "STATE": quote(names.drill_state),
        "TAG": quote(profile.paths.journal_tag),
        "RESTORE": quote(names.restore),
        "FOLDER": quote(drill.folder or names.drill_state),
        "PSQL_OPTIONS": join(_psql_options(profile.postgres)),
        "PGCLUSTER": _cluster_choice(profile.postgres),
        "PATIENCE_S": str(drill.patience_s),
        "POLL_S": str(drill.poll_s),
        "LIMIT_S": str(drill.limit_s),
        "EVERY_S": str(drill.every_s or 0),
        "RESERVE_MIB": str(drill.reserve_mib),
        "STATEMENT_S": str(drill.statement_s),
        "TEMP_ROOT": quote(choices.temp_root),
        "NICE": str(drill.nice),
    }
    own = {
        "DATABASE_USER": quote(profile.postgres.user),
        "DATABASE": quote(profile.postgres.database),
        "QUERIES": "\n".join(f"    query {quote(query)}" for query in drill.queries),
        "IDLE_TIMEOUT_S": str(choices.idle_timeout_s),
    }
    parts = {part.upper(): fill_in(template(f"{part}.sh"), own).rstrip() for part in _DRILL_PARTS}
    return _script("drill.sh", profile, choices, names.drill, values | parts | own)


def recover_script(profile: Profile, choices: DropletChoices, drill: DrillChoices) -> str:
    """What recovers the cluster, phase by phase, as its owner, by what a drill's script does."""
    names = names_of(profile)
    values = _copies(profile, choices) | {
        "OS_USER": quote(profile.postgres.os_user),
        "STATE": quote(names.recover_state),
        "TAG": quote(profile.paths.journal_tag),
        "RESTORE": quote(names.restore),
        "PSQL_OPTIONS": join(_psql_options(profile.postgres)),
        "PGCLUSTER": _cluster_choice(profile.postgres),
        "POLL_S": str(drill.poll_s),
        "RESERVE_MIB": str(drill.reserve_mib),
        "TEMP_ROOT": quote(choices.temp_root),
    }
    own = {
        "DATABASE_USER": quote(profile.postgres.user),
        "DATABASE": quote(profile.postgres.database),
        "IDLE_TIMEOUT_S": str(choices.idle_timeout_s),
    }
    in_it = (*_RESTORING_PARTS, "recover_place")
    parts = {part.upper(): fill_in(template(f"{part}.sh"), own).rstrip() for part in in_it}
    return _script("recover.sh", profile, choices, names.recover, values | parts | own)


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
    return _text("drill.service", profile, values)


def drill_timer(profile: Profile, drill: DrillChoices) -> str:
    """The timer that has it look every night whether one is due."""
    at = {"HOUR": f"{drill.hour:02}", "MINUTE": f"{drill.minute:02}"}
    return _text("drill.timer", profile, at | {"JITTER_S": str(drill.jitter_s)})


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
    return _text("drill.cron", profile, values)


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
    return _text("backup.service", profile, values)


def backup_timer(profile: Profile, backup: BackupChoices) -> str:
    """The timer that starts it every night."""
    return _text("backup.timer", profile, _at(backup) | {"JITTER_S": str(backup.jitter_s)})


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
    return _text("backup.cron", profile, values)


def dropin(profile: Profile, choices: DropletChoices) -> str:
    """The drop-in for conf.d of the live configuration; `profile.paths.dropin` is its name there."""
    level = "" if choices.wal_level is WalLevel.KEEP else f"wal_level = {choices.wal_level}\n"
    values = {
        "WAL_LEVEL": level,
        "ARCHIVE_COMMAND": postgresql_value(archive_command(profile)),
        "ARCHIVE_TIMEOUT_S": str(choices.archive_timeout_s),
    }
    return _text("dropin.conf", profile, values)


def service_unit(profile: Profile) -> str:
    """The verifier's systemd service."""
    values = {
        "VERIFIER": names_of(profile).verifier,
        "TAG": systemd_value(profile.paths.journal_tag),
    }
    return _text("verify.service", profile, values)


def timer_unit(profile: Profile) -> str:
    """The timer that starts it every hour."""
    return _text("verify.timer", profile, {})


def cron_table(profile: Profile, choices: DropletChoices) -> str:
    """The same for a host without systemd, as a file of /etc/cron.d."""
    verifier = names_of(profile).verifier
    return _text("verify.cron", profile, {"VERIFIER": verifier, "MINUTE": str(choices.cron_minute)})


def logrotate_rule(profile: Profile) -> str:
    """How the verifier's log is rotated."""
    return _text("logrotate.conf", profile, {"LOG": logrotate_path(profile.paths.log)})


def _script(
    name: str, profile: Profile, choices: DropletChoices, installed: str, values: Mapping[str, str]
) -> str:
    trust = _trusting(profile, choices, lasting="/" in installed)
    shared = {
        "TRUST": f"\n{trust}" if trust else "",
        "ME": installed.rpartition("/")[2],
        "INSTALLED": installed,
        "PATH": quote(choices.path),
        "RCLONE_CONFIG": quote(profile.paths.rclone_config),
        "IDLE_TIMEOUT_S": str(choices.idle_timeout_s),
    }
    parts = {part.upper(): fill_in(template(f"{part}.sh"), shared).rstrip() for part in _PARTS}
    return _text(name, profile, {**values, **shared, **parts})


def _text(name: str, profile: Profile, values: Mapping[str, str]) -> str:
    return fill_in(template(name), {**values, "PROFILE": profile.name})


def _how(backup: BackupChoices) -> str:
    """What the schedule asks of the script besides."""
    return " --in-turn" if backup.incremental else ""


def _at(backup: BackupChoices) -> dict[str, str]:
    return {"HOUR": f"{backup.hour:02}", "MINUTE": f"{backup.minute:02}"}


def _copies(profile: Profile, choices: DropletChoices) -> dict[str, str]:
    dr = rclone_path(profile.dr) if choices.to_dr and profile.second_copy else ""
    return {"PRIMARY": quote(rclone_path(profile.primary)), "DR": quote(dr)}


def copies(profile: Profile, choices: DropletChoices) -> tuple[BucketTarget, ...]:
    """Those that the droplet writes to, the primary first."""
    return profile.buckets if choices.to_dr else (profile.primary,)


def _psql_options(server: PostgresTarget) -> list[str]:
    options = ["-U", server.user, "-d", server.database]
    if server.socket_dir is not None:
        options += ["-h", server.socket_dir]
    if server.port is not None:
        options += ["-p", str(server.port)]
    return options


def _cluster_choice(server: PostgresTarget) -> str:
    """pg_wrapper(1), which is psql on Debian, takes the cluster from PGCLUSTER."""
    if server.cluster is None or server.port is not None:
        return "unset PGCLUSTER"
    return f"PGCLUSTER={quote(str(server.cluster))}\nexport PGCLUSTER"


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
