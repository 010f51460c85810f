"""Ways to mend that several failure modes share, in the words of this host: exact commands alone."""

from collections.abc import Iterator
from shlex import quote
from urllib.parse import SplitResult, urlsplit

from walconsole.domain.archivers.asking import of_text
from walconsole.domain.archivers.command_words import targets_of
from walconsole.domain.archivers.discovery import stores_nothing
from walconsole.domain.archivers.tools import OFF, ArchiveTool, recognise, takes_backups
from walconsole.domain.facts.evidence import FoundCopy
from walconsole.domain.facts.observed import BucketFacts
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.profile import folder_place, is_folder
from walconsole.domain.records import record
from walconsole.domain.recovery.backups import BaseBackup, Writer
from walconsole.domain.redaction import safe
from walconsole.domain.standing.model import Fix

_WHOLE_CLUSTER = "reads the whole cluster"
_BY_RCLONE = frozenset({"rclone", "walconsole"})


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


def found_copy(snapshot: Snapshot) -> FoundCopy | None:
    """Where the server archives first, as its host says it; None where that was not asked."""
    facts = snapshot.discovery.value
    return facts.copies[0] if facts is not None and facts.copies else None


def has_spool(snapshot: Snapshot) -> bool:
    """Whether a tool archives by a background process that notes what it is answered."""
    facts = snapshot.discovery.value
    return facts is not None and any(copy.spool for copy in facts.copies)


def has_own_list(snapshot: Snapshot) -> bool:
    """Whether the tool that archives can be asked for its base backups."""
    facts = snapshot.discovery.value
    return facts is not None and any(copy.command("listed") for copy in facts.copies)


def tool_name(snapshot: Snapshot) -> str:
    """Whose words are to be used: as the host says it, else by the command; empty where it is not known."""
    found = found_copy(snapshot)
    tool = tool_in_force(snapshot)
    return found.tool if found is not None else tool.name if tool is not None else ""


def own_command(snapshot: Snapshot, name: str) -> tuple[str, ...]:
    """The tool's own command to `look`, `verify`, `backup`, …, typed as root; none where none is known."""
    found = found_copy(snapshot)
    if found is not None:  # what it left out would not run as it stands
        asked = found.command(name)
    else:
        asked = dict(of_text(command_in_force(snapshot), data_directory(snapshot)).named()).get(name, "")
    return (as_server(snapshot, asked),) if asked else ()


def asking_the_tool(snapshot: Snapshot) -> tuple[Fix, ...]:
    """To have the tool itself list its base backups, and judge them, as far as its commands are known."""
    asked = (("list them by the tool", "look"), ("let the tool judge what it holds", "verify"))
    return tuple(Fix(title, commands) for title, name in asked if (commands := own_command(snapshot, name)))


def is_ours(snapshot: Snapshot) -> bool:
    """Whether it is the command that provisioning installs."""
    tool = tool_in_force(snapshot)
    return tool is not None and tool.ours


def is_anothers(snapshot: Snapshot) -> bool:
    """Whether it is an archiver's that takes the base backups, too: to replace it would part the two."""
    return not is_ours(snapshot) and takes_backups(tool_name(snapshot))


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


def runs_rclone(snapshot: Snapshot) -> bool:
    """Whether the archive command uses rclone, as far as it is known: what the host says of it goes first."""
    discovery, facts = snapshot.discovery.value, snapshot.command.value
    tools = {copy.tool for copy in discovery.copies} if discovery is not None else set()
    if tools & _BY_RCLONE or any(map(takes_backups, tools)):
        return bool(tools & _BY_RCLONE)
    if facts is None or not facts.command:
        return not tools
    return "rclone" in f"{facts.command}{facts.script}"


def as_server(snapshot: Snapshot, command: str) -> str:
    """The command for the server's own user, typed as root."""
    return f"runuser -u {quote(server_user(snapshot))} -- {command}"


@record
class RclonePlace:
    """Where the archive command writes: `REMOTE:BUCKET/PREFIX`, and by which configuration."""

    where: str
    config: str


def rclone_places(snapshot: Snapshot) -> tuple[RclonePlace, ...]:
    """As the checks from the droplet found them, else by the command's own words; known ones alone."""
    production, facts = snapshot.production.value, snapshot.command.value
    if production is not None and production.checks:
        return tuple(RclonePlace(check.where, check.config) for check in production.checks)
    if facts is None or not runs_rclone(snapshot):
        return ()
    configs = [config.path for config in facts.configs if config.exists]
    places = targets_of(f"{facts.command}\n{facts.script}")
    return tuple(RclonePlace(str(place), configs[0]) for place in places) if configs else ()


def look_from_droplet(snapshot: Snapshot, where: str = "", config: str = "") -> tuple[str, ...]:
    """The call that lists the archive as the archiver does, in its tool's words; none where none is known."""
    if where and config:
        places: tuple[RclonePlace, ...] = (RclonePlace(where, config),)
    else:
        places = rclone_places(snapshot)
    if places:
        place = places[0]
        listing = f"rclone --config {quote(place.config)} lsf --max-depth 1 {quote(place.where)}"
        return (as_server(snapshot, listing),)
    return own_command(snapshot, "look") or tuple(_look_from_here(snapshot))[:1]


def _look_from_here(snapshot: Snapshot) -> Iterator[str]:
    """With one's own key, where nothing is known of the archiver's."""
    for copy in (snapshot.primary, snapshot.dr):
        if copy.value is not None and is_folder(copy.value.bucket):
            yield folder_command(copy.value.bucket, "ls -l", "", "| tail")
        elif copy.value is not None:
            place = quote(f"s3://{copy.value.bucket}/")
            yield f"aws s3 ls {place} --endpoint-url {quote(copy.value.endpoint)}"


def folder_command(place: str, command: str, key: str, after: str = "") -> str:
    """A command upon a file in a folder: on the droplet, or by the operator's own ssh on another host."""
    host, path = folder_place(place)
    where = path.rstrip("/")
    typed = f"{command} {quote(f'{where}/{key}')}"
    return f"ssh {quote(host)} {quote(typed)} {after}".rstrip() if host else f"{typed} {after}".rstrip()


def endpoints(snapshot: Snapshot) -> tuple[str, ...]:
    """HOST:PORT of each store that the archiver's configuration names, else of the copies that are known."""
    facts = snapshot.command.value
    named = (
        [value for each in facts.configs for _, key, value in each.places if key == "endpoint"]
        if facts
        else []
    )
    known = [copy.value.endpoint for copy in (snapshot.primary, snapshot.dr) if copy.value is not None]
    known = [endpoint for endpoint in known if endpoint]
    urls = [urlsplit(text if "//" in text else f"https://{text}") for text in named or known]
    found = (f"{url.hostname}:{_port(url)}" for url in urls if url.hostname)
    return tuple(dict.fromkeys(found))


def _port(url: SplitResult) -> int:
    try:
        return url.port or (80 if url.scheme == "http" else 443)
    except ValueError:
        return 443


def restart_by_hand(snapshot: Snapshot) -> tuple[str, ...]:
    """How this server is restarted, none where it is not known what runs it."""
    return _by_hand(snapshot, "restart")


def start_by_hand(snapshot: Snapshot) -> tuple[str, ...]:
    """How this server is started, none where it is not known what runs it."""
    return _by_hand(snapshot, "start")


def _by_hand(snapshot: Snapshot, verb: str) -> tuple[str, ...]:
    host, files = snapshot.host.value, snapshot.files.value
    launch = files.launch if files is not None else None
    if launch is not None and launch.unit and not launch.outside:
        return (f"systemctl {verb} {quote(launch.unit)}",)
    cluster = host.cluster if host is not None else None
    if cluster is not None and cluster.name is not None:
        skip = "--skip-systemctl-redirect " if launch is not None and launch.outside else ""
        return (f"pg_ctlcluster {skip}{quote(cluster.name.version)} {quote(cluster.name.name)} {verb}",)
    if cluster is not None and cluster.data_directory:
        return (as_server(snapshot, f"pg_ctl -D {quote(cluster.data_directory)} {verb}"),)
    return ()


def read_head(snapshot: Snapshot, bucket: BucketFacts, key: str) -> str:
    """An object's first bytes: by the droplet's rclone where that has the bucket, else with one's own key."""
    for place in rclone_places(snapshot):
        remote, _, path = place.where.partition(":")
        if path.partition("/")[0] == bucket.bucket:
            object_ = quote(f"{remote}:{bucket.bucket}/{key}")
            return (
                as_server(snapshot, f"rclone --config {quote(place.config)} cat --head 64 {object_}")
                + " | xxd"
            )
    if is_folder(bucket.bucket):
        return folder_command(bucket.bucket, "head -c 64", key, "| xxd")
    where = quote(f"s3://{bucket.bucket}/{key}")
    return f"aws s3 cp {where} - --endpoint-url {quote(bucket.endpoint)} | head -c 64 | xxd"


RELOAD = "SELECT pg_reload_conf();"


def set_by_hand(name: str, value: str) -> tuple[str, ...]:
    """A setting to another value, over all files (postgresql.auto.conf), and a reload."""
    text = value.replace("'", "''")
    return (f"ALTER SYSTEM SET {name} = '{text}';", RELOAD)


def data_directory(snapshot: Snapshot) -> str:
    """The server's, empty where it is not known."""
    server, host = snapshot.server.value, snapshot.host.value
    if server is not None and server.data_directory:
        return server.data_directory
    cluster = host.cluster if host is not None else None
    return cluster.data_directory if cluster is not None else ""


def copied_by(snapshot: Snapshot) -> str:
    """The program that only copies WAL, and takes no base backups: aws, cp, ...; empty for any other."""
    found = found_copy(snapshot)
    if found is None or is_ours(snapshot) or found.tool == "walconsole" or takes_backups(found.tool):
        return ""
    return found.tool


def _script_ran(snapshot: Snapshot) -> bool:
    """Whether the installed script took a base backup of this server, or says that it tried."""
    script = snapshot.backup_script.value
    held = [each for reading in snapshot.copies if reading.value for each in reading.value.backups or ()]
    ours = any(isinstance(each, BaseBackup) and each.writer is Writer.OURS for each in held)
    return ours or (script is not None and script.status is not None)


def _by_pg_basebackup(snapshot: Snapshot, risk: str) -> Fix:
    """A base backup by PostgreSQL's own program: the installed script is for what provisioning set up."""
    folder = f"/var/backups/{snapshot.profile_name}-base"
    host, user = snapshot.host.value, quote(server_user(snapshot))
    cluster = host.cluster if host is not None else None
    where = f" -h {quote(cluster.socket_dir)} -p {cluster.port}" if cluster is not None else ""
    made = f"pg_basebackup{where} -D {quote(folder)}/$(date +%Y%m%dT%H%M%S) -F tar -z -c fast -X stream"
    return Fix(
        "take a base backup by PostgreSQL's own program",
        (f"install -d -o {user} -m 700 {quote(folder)}", as_server(snapshot, made)),
        risk=risk,
    )


def base_backup(snapshot: Snapshot, risk: str = _WHOLE_CLUSTER, step: str = "backup-now") -> Fix:
    """One more base backup: by the installed script, or by the archiver that its WAL is restored with."""
    title = "take a base backup"
    if is_anothers(snapshot):
        return Fix(title, own_command(snapshot, "backup"), risk=risk)
    if copied_by(snapshot) and not _script_ran(snapshot):
        return _by_pg_basebackup(snapshot, risk)
    ours = snapshot.told.archive_program
    program = f"{ours.removesuffix('-pg-archive')}-base-backup" if ours.endswith("-pg-archive") else ""
    program = program or f"/usr/local/bin/{snapshot.profile_name}-base-backup"
    return Fix(title, (as_server(snapshot, f"{quote(program)} --fast"),), step, risk)


def archive_by_hand(snapshot: Snapshot, *names: str) -> tuple[str, ...]:
    """The archive command in force on these files of pg_wal, as the archiver runs it.

    None of one that stores nothing.
    """
    command, folder = command_in_force(snapshot), data_directory(snapshot)
    if command in OFF or not folder or by_its_words_stores_nothing(snapshot, command):
        return ()
    filled = (
        command.replace("%%", "\0").replace("%p", f"pg_wal/{name}").replace("%f", name).replace("\0", "%")
        for name in names
    )
    return tuple(as_server(snapshot, f"sh -c {quote(f'cd {quote(folder)} && {text}')}") for text in filled)


def by_its_words_stores_nothing(snapshot: Snapshot, command: str) -> bool:
    """Whether an archive command comes to nothing that stores, by its own words or by its scripts'."""
    found = snapshot.discovery.value
    followed = found is not None and found.stores_nothing and found.judged == safe(command)
    return stores_nothing(command) or followed


def copy_missing(snapshot: Snapshot, to: BucketFacts) -> tuple[str, ...]:
    """What one copy lacks, from the other, by the droplet's rclone; none where that does not know both."""
    places = {place.where.partition(":")[2].partition("/")[0]: place for place in rclone_places(snapshot)}
    other = next(
        (copy.value for copy in (snapshot.primary, snapshot.dr) if copy.value not in (None, to)), None
    )
    if other is None or to.bucket not in places or other.bucket not in places or to.bucket == other.bucket:
        return ()
    source, target = places[other.bucket], places[to.bucket]
    copying = f"rclone --config {quote(source.config)} copy --ignore-existing --immutable"
    return (as_server(snapshot, f"{copying} {quote(source.where)} {quote(target.where)}"),)
