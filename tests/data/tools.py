"""A host of each tool that archives: its command, the files that it reads, and the snapshot of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache

from tests.data.facts import NOW, read
from tests.unit.host_of_files import Host
from walconsole.domain.archivers.discovery import Settings
from walconsole.domain.facts.evidence import CommandFacts, DiscoveryFacts
from walconsole.domain.facts.observed import SettingsFacts
from walconsole.domain.facts.snapshot import Snapshot, fold
from walconsole.observe.command.discovering import facts_of

PGBACKREST = (
    "[global]\nrepo1-type=s3\nrepo1-s3-bucket=shithub-wal\nrepo1-s3-endpoint=s3.example.net\n"
    "repo1-s3-region=x\nrepo1-path=/repo\nrepo1-s3-key=AK\nrepo1-s3-key-secret=HIDDEN\n"
    "[main]\npg1-path=/var/lib/postgresql/15/main\n"
)
PGHOARD = """{"backup_sites": {"main": {"object_storage": {"storage_type": "s3", "bucket_name": "shithub-wal",
"host": "s3.example.net", "port": 443, "aws_access_key_id": "AK", "aws_secret_access_key": "HIDDEN"}}}}"""
KEYS = "[default]\naws_access_key_id=AK\naws_secret_access_key=HIDDEN\n"
S3CFG = "[default]\naccess_key=AK\nsecret_key=HIDDEN\nhost_base=s3.example.net\nhost_bucket=s3.example.net\n"


@dataclass(frozen=True)
class Tool:
    """`name` as it is discovered. `whole`: it takes the base backups, too."""

    name: str
    command: str
    files: Mapping[str, str] = field(default_factory=dict)
    whole: bool = True


TOOLS = (
    Tool("pgBackRest", "pgbackrest --stanza=main archive-push %p",
         {"/etc/pgbackrest/pgbackrest.conf": PGBACKREST}),
    Tool("WAL-G", "envdir /etc/wal-g.d/env wal-g wal-push %p", {
        "/etc/wal-g.d/env/WALG_S3_PREFIX": "s3://shithub-wal/cl",
        "/etc/wal-g.d/env/AWS_ENDPOINT": "https://s3.example.net",
    }),
    Tool("barman-cloud", "barman-cloud-wal-archive --endpoint-url https://s3.example.net s3://shithub-wal/b "
         "main %p", {"/var/lib/postgresql/.aws/credentials": KEYS}),
    Tool("Barman", "barman-wal-archive backup.example main %p"),
    Tool("pghoard", "pghoard_postgres_command --mode archive --site main --xlog %f",
         {"/var/lib/pghoard/pghoard.json": PGHOARD}),
    Tool("pg_probackup", "pg_probackup archive-push -B /backup --instance=main --wal-file-name=%f"),
    Tool("aws", "aws s3 cp %p s3://shithub-wal/main/%f --endpoint-url https://s3.example.net",
         {"/var/lib/postgresql/.aws/credentials": KEYS}, whole=False),
    Tool("s3cmd", "s3cmd -c /etc/s3cfg put %p s3://shithub-wal/%f", {"/etc/s3cfg": S3CFG}, whole=False),
    Tool("s5cmd", "s5cmd --endpoint-url https://s3.example.net cp %p s3://shithub-wal/%f",
         {"/var/lib/postgresql/.aws/credentials": KEYS}, whole=False),
    Tool("cp", "test ! -f /mnt/wal/%f && cp %p /mnt/wal/%f", whole=False),
    Tool("rsync", "rsync -a %p backup@store:/srv/wal/%f", whole=False),
)  # fmt: skip


@cache
def _found(name: str) -> DiscoveryFacts:
    tool = next(each for each in TOOLS if each.name == name)
    found = Host(tool.files).find_out(Settings(tool.command))
    assert found.targets[0].tool.value == tool.name, found
    return facts_of(found)


def on_host_of(tool: Tool, snapshot: Snapshot) -> Snapshot:
    """The same on a host that `tool` archives from: its command in force, and what is found there."""
    snapshot = fold(snapshot, read(Snapshot.discovery, _found(tool.name)), NOW)
    settings, command = snapshot.settings, snapshot.command.value
    if settings.value is not None and settings.problem is None:
        in_force = settings.value.get("archive_command")
        if in_force is not None:
            rows = tuple(
                replace(in_force, value=tool.command) if row is in_force else row
                for row in settings.value.settings
            )
            snapshot = fold(snapshot, read(Snapshot.settings, SettingsFacts(rows)), NOW)
    if command is not None:
        command = replace(command, command=tool.command, script="", configs=())
        snapshot = fold(snapshot, read(Snapshot.command, command), NOW)
    return snapshot


def nothing_of_rclone(value: object) -> bool:
    """Whether evidence is none that only a host with rclone has."""
    return "rclone" not in repr(value) or isinstance(value, CommandFacts)
