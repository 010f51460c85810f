"""What the survey of a droplet means for provisioning: a fact for each thing that was looked at. Pure."""

from collections.abc import Iterator

from walconsole.domain.archivers.tools import recognise
from walconsole.domain.postgres_versions import KNOWN, OLDEST_VERSION_NUM, is_newer
from walconsole.domain.profile import Engine, Profile
from walconsole.domain.redaction import safe
from walconsole.domain.units import bytes_text, duration_text
from walconsole.droplet.choices import Compression, DropletChoices
from walconsole.droplet.files import Schedule
from walconsole.droplet.names import names_of
from walconsole.droplet.rendering import archive_command
from walconsole.provision.droplet.schedules import schedule_of
from walconsole.provision.droplet.survey import (
    FIRST_RCLONE,
    ServerSurvey,
    Survey,
    how_to_install,
    version_text,
)
from walconsole.provision.engine.model import Fact, FactState
from walconsole.provision.steps.restarting import control_of

_SKEW_REFUSED_S = 900.0
"""S3 refuses a request whose time is 15 minutes off (RequestTimeTooSkewed, in the S3 API's error list)."""
_SKEW_WARNED_S = 30.0
_COMMAND_SHOWN = 200
FIRST_INCREMENTAL = 170000
_LITTLE_SPACE = 1024**3
_LITTLE_TEMPORARY_SPACE = 64 * 1024**2


def droplet_facts(survey: Survey, profile: Profile, choices: DropletChoices) -> Iterator[Fact]:
    """In the order in which they are read: how it is reached, the server, its tools, the host."""
    yield _login(survey, profile)
    yield from _server(survey)
    if survey.server is not None:
        yield from _archiving(survey, survey.server, profile)
    ours = profile.engine is Engine.RCLONE
    yield from _tools(survey)
    if ours:
        yield _compression(survey, choices)
        if profile.expect_base_backups:
            yield from _backup_tools(survey, profile)
    yield _schedule(survey)
    if survey.server is not None:
        yield _restarted_by(survey)
    yield from _host(survey, choices)
    unseen = (text for text in survey.missing if text != survey.server_problem)
    yield from (Fact("not seen", text, FactState.UNKNOWN) for text in unseen)


def _login(survey: Survey, profile: Profile) -> Fact:
    who = f"{survey.login} on {survey.hostname}"
    if survey.root:
        return Fact("SSH", who if survey.login == "root" else f"{who}, root through sudo")
    if profile.paths.root:
        return Fact("SSH", f"{who}, below {profile.paths.root}")
    remedy = "set sudo = true in the profile, or connect as root"
    return Fact("SSH", f"{who}, who may not write what is root's", FactState.STOP, remedy)


def _server(survey: Survey) -> Iterator[Fact]:
    cluster, server = survey.cluster, survey.server
    if cluster is None:
        yield Fact("PostgreSQL", survey.server_problem, FactState.STOP, "name the cluster in the profile")
        return
    where = f"{cluster.name or cluster.data_directory} on port {cluster.port}"
    if server is None:
        remedy = "start it, or see why it does not start" if not cluster.running else "see os_user and user"
        state = "is stopped" if not cluster.running else "cannot be asked"
        yield Fact("PostgreSQL", f"{where} {state}: {survey.server_problem}", FactState.STOP, remedy)
        return
    version, segment = server.version_num, bytes_text(server.segment_bytes)
    known = version >= OLDEST_VERSION_NUM and not is_newer(version)
    yield Fact(
        "PostgreSQL",
        f"{where}, version {version // 10000}.{version % 10000}, segments of {segment}",
        FactState.OK if known else FactState.WARNING,
        "" if known else f"this console was tested with {KNOWN}",
    )
    if server.in_recovery:
        why = "a standby: with archive_mode = on it archives nothing, its primary does"
        yield Fact("role", why, FactState.STOP, "name the primary's host in the profile, and provision that")
    else:
        yield Fact("role", f"primary, timeline {server.timeline}, system {server.system_identifier}")
    if survey.conf_d is None:
        remedy = "add include_dir = 'conf.d' at the end of it, and make that folder"
        yield Fact("drop-ins", f"{server.config_file} includes no folder", FactState.WARNING, remedy)
    else:
        yield Fact("drop-ins", f"{survey.conf_d} is what {server.config_file} includes")


def _archiving(survey: Survey, server: ServerSurvey, profile: Profile) -> Iterator[Fact]:
    mode = server.settings.get("archive_mode", "")
    yield Fact("archive_mode", mode or "not told", FactState.OK if mode == "on" else FactState.NOTE)
    command = server.settings.get("archive_command", "")
    configured, where = survey.configured.get("archive_command"), ""
    if command in ("", "(disabled)") and configured is not None:
        command, where = configured.value, f" ({configured.where})"
    tool = recognise(command, names_of(profile).archive)
    if tool is None:
        yield Fact("archive_command", "none")
    elif tool.ours or command == archive_command(profile):
        yield Fact("archive_command", f"this console's, {tool.name}{where}")
    else:
        remedy = f"it would be replaced: the drop-in asks for {tool.name} to be typed"
        said = safe(command)[:_COMMAND_SHOWN]
        yield Fact("archive_command", f"{tool.name}: {said}{where}", FactState.WARNING, remedy)
    library = server.settings.get("archive_library", "")
    if library:
        remedy = "take archive_library away: with both set nothing is archived"
        yield Fact("archive_library", library, FactState.WARNING, remedy)
    if survey.environment:
        names = ", ".join(sorted(survey.environment))
        yield Fact(
            "environment", f"the server has {names}", FactState.NOTE, "the commands take no notice of it"
        )


def _tools(survey: Survey) -> Iterator[Fact]:
    version = survey.rclone.version
    if version is not None and "rclone" in survey.tools and version < FIRST_RCLONE:
        why = f"{version_text(version)} is too old: it takes {version_text(FIRST_RCLONE)}"
        yield Fact("rclone", why, FactState.STOP, "install a newer one (rclone.org/install)")
    elif version is not None:
        yield Fact("rclone", version_text(version))
    elif "rclone" in survey.tools:
        why = f"{survey.tools['rclone']} does not tell its version"
        yield Fact("rclone", why, FactState.WARNING, "run `rclone version` on the droplet")
    else:
        yield _absent("rclone")
    for program in ("timeout", "psql"):
        place = survey.tools.get(program)
        yield Fact(program, place) if place is not None else _absent(program)


def _backup_tools(survey: Survey, profile: Profile) -> Iterator[Fact]:
    """What only base backups need: archiving can be set up without it."""
    tablespaces = survey.server.tablespaces if survey.server is not None else 0
    if tablespaces:
        why = f"{tablespaces} of its own: this console's base backups cannot hold them, so none will be taken"
        remedy = 'have pgBackRest archive and take them: engine = "pgbackrest" in the profile'
        yield Fact("tablespaces", why, FactState.WARNING, remedy)
    yield from _incremental(survey, profile)
    for program in ("zstd", "perl", "flock", *(["age"] if profile.backups.encrypt_for else [])):
        if program not in survey.tools:
            why = "not there: no base backup can be taken, and so nothing restored"
            yield Fact(program, why, FactState.WARNING, how_to_install(program))


def _incremental(survey: Survey, profile: Profile) -> Iterator[Fact]:
    """Where incremental backups are asked for, and each will be a full one."""
    server = survey.server
    if server is None or not profile.backups.incremental:
        return
    label, full = "incremental backups", "each base backup will be a full one"
    if server.version_num < FIRST_INCREMENTAL:
        why = f"PostgreSQL {server.version_num // 10000} takes none: {full}"
        yield Fact(label, why, FactState.WARNING, "take backups.incremental out of the profile")
    elif server.settings.get("summarize_wal") != "on":
        remedy = "ALTER SYSTEM SET summarize_wal = on; SELECT pg_reload_conf();"
        yield Fact(label, f"summarize_wal is off: {full}", FactState.WARNING, remedy)


def _absent(program: str) -> Fact:
    return Fact(program, "not there", FactState.STOP, how_to_install(program))


def _compression(survey: Survey, choices: DropletChoices) -> Fact:
    if choices.compression is Compression.NONE:
        return Fact("compression", "none, as chosen", FactState.NOTE)
    auto = choices.compression is Compression.AUTO
    wanted = ("zstd", "gzip") if auto else (choices.compression.value,)
    there = next((program for program in wanted if program in survey.tools), None)
    if there is None:
        why = f"no {' or '.join(wanted)}: segments are stored as they are, 16 MiB a minute on an idle server"
        return Fact("compression", why, FactState.WARNING, how_to_install(wanted[0]))
    if there != wanted[0]:
        return Fact(
            "compression", f"{there}, there is no {wanted[0]}", FactState.NOTE, how_to_install(wanted[0])
        )
    return Fact("compression", there)


def _schedule(survey: Survey) -> Fact:
    schedule = schedule_of(survey)
    if schedule is None:
        why = "neither systemd nor cron: nothing would run the verifier"
        return Fact("schedule", why, FactState.WARNING, how_to_install("cron"))
    return Fact("schedule", "a systemd timer" if schedule is Schedule.SYSTEMD else "cron")


def _restarted_by(survey: Survey) -> Fact:
    """What the step Restart will run, and what the next boot would meet."""
    control = control_of(survey)
    if survey.outside:
        where = f"the server runs in {survey.outside}, not in {survey.unit}"
        how = f"it is restarted there, by {control.restart}" if control is not None else "nothing restarts it"
        remedy = (
            f"a boot or an upgrade starts {survey.unit}: stop the server, then systemctl start {survey.unit}"
        )
        return Fact("restart", f"{where}: {how}", FactState.WARNING, remedy)
    if control is None:
        why = "nothing is known that restarts this server: that will be yours to do"
        return Fact("restart", why, FactState.NOTE)
    return Fact("restart", f"where one is needed, by {control.restart}")


def _host(survey: Survey, choices: DropletChoices) -> Iterator[Fact]:
    offset = survey.clock_offset_s
    if offset is None:
        yield Fact("clock", "could not be compared", FactState.UNKNOWN)
    else:
        yield _clock(offset)
    for folder, free in sorted(survey.free_bytes.items()):
        little = _LITTLE_TEMPORARY_SPACE if folder == choices.temp_root else _LITTLE_SPACE
        scarce = free < little and not folder.startswith("/var/log")
        remedy = f"make room: {bytes_text(little)} at least" if scarce else ""
        state = FactState.WARNING if scarce else FactState.OK
        yield Fact("free space", f"{bytes_text(free)} at {folder}", state, remedy)


def _clock(offset: float) -> Fact:
    """`offset`: how far the droplet's is ahead of this machine's, in seconds."""
    if abs(offset) < 1:
        return Fact("clock", "as this machine's")
    value = f"{duration_text(abs(offset))} {'ahead of' if offset > 0 else 'behind'} this machine's"
    remedy = "set both clocks (timedatectl set-ntp true)"
    if abs(offset) >= _SKEW_REFUSED_S:
        return Fact("clock", f"{value}: S3 refuses what is 15 minutes off", FactState.STOP, remedy)
    warned = abs(offset) >= _SKEW_WARNED_S
    return Fact("clock", value, FactState.WARNING if warned else FactState.OK, remedy if warned else "")
