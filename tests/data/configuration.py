"""A host's configuration files as a probe finds them, and the server's catalogue that goes with them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from tests.data.facts import NOW
from tests.data.snapshots import reading
from walconsole.domain.facts.observed import CatalogueFacts, ConfigFiles
from walconsole.domain.facts.snapshot import Snapshot, fold
from walconsole.domain.pgconf.catalogue import shipped
from walconsole.domain.pgconf.loading import InForce, Source
from walconsole.domain.pgconf.resolution import Origin, RoleSetting, ServerStart, resolve
from walconsole.domain.pgconf.tree import ConfigTree, EntryKind, FileContent, Listing
from walconsole.observe.server.configuration import config_files
from walconsole.observe.server.configuration_answer import Gathered

LIVE = "/etc/postgresql/15/main/postgresql.conf"
CONF_D = "/etc/postgresql/15/main/conf.d"
DATA = "/var/lib/postgresql/15/main"
PGDATA = "/data/pgdata"
DEAD = f"{PGDATA}/postgresql.conf"
DROPIN = "/etc/systemd/system/postgresql@15-main.service.d/pgdata.conf"
ARGV = ("/usr/lib/postgresql/15/bin/postgres", "-D", DATA, "-c", f"config_file={LIVE}")

LIVE_TEXT = f"""\
# Debian's own
data_directory = '{DATA}'
port = 5432
max_connections = 100                   # (change requires restart)
wal_level = replica
include_dir = 'conf.d'                  # include files ending in '.conf'
"""
DEAD_TEXT = """\
# written by the deployment
wal_level = replica
archive_mode = on
archive_command = '/usr/local/bin/archive_command.sh %p %f'
archive_timeout = 60
"""
SECRET_TEXT = "primary_conninfo = 'host=10.0.0.2 user=repl password=hunter2'\n"

Text = str | bytes | FileContent


def tree(texts: Mapping[str, Text], *, dirs: Mapping[str, Sequence[str]] | None = None) -> ConfigTree:
    """These files, read; every folder of one is listed."""
    found: dict[str, FileContent] = {}
    names: dict[str, dict[str, EntryKind]] = {}
    for path, text in texts.items():
        raw = text.encode() if isinstance(text, str) else text
        found[path] = raw if isinstance(raw, FileContent) else FileContent(path, raw, modified_at=NOW - 3600)
        folder, _, name = path.rpartition("/")
        names.setdefault(folder, {})[name] = EntryKind.FILE
    for folder in dirs or {}:
        names.setdefault(folder, {})
    return ConfigTree(found, {folder: Listing(folder, entries) for folder, entries in names.items()})


def gathered(files: ConfigTree, *, argv: Sequence[str] = ARGV, pgdata: str = PGDATA) -> Gathered:
    """What the host's script would say."""
    dropin = f"[Service]\nEnvironment=PGDATA={pgdata}\n".encode()
    unit = b"[Service]\nType=forking\nExecStart=-/usr/bin/pg_ctlcluster --skip-systemctl-redirect %i start\n"
    return Gathered(
        files,
        tuple(argv),
        {} if argv else None,
        {"postgresql@15-main.service": {"ActiveState": "active" if argv else "failed"}},
        {"/lib/systemd/system/postgresql@.service": unit, **({DROPIN: dropin} if pgdata else {})},
    )


def files_of(
    texts: Mapping[str, Text] | None = None, *, argv: Sequence[str] = ARGV, pgdata: str = PGDATA
) -> ConfigFiles:
    """The incident's files, or others."""
    texts = incident_texts() if texts is None else texts
    answer = gathered(tree(texts, dirs={CONF_D: ()}), argv=argv, pgdata=pgdata)
    start = ServerStart(tuple(argv), LIVE, DATA, {}, 15)
    resolution = resolve(answer.tree, start)
    assert resolution is not None
    return config_files(answer, resolution, start)


def incident_texts() -> dict[str, Text]:
    """The live files say nothing of archiving; the dead ones do."""
    return {
        LIVE: LIVE_TEXT,
        f"{CONF_D}/20_wal.conf": "max_wal_size = 2GB\nmax_wal_size = 4GB\n",
        f"{CONF_D}/30_archive.conf.bak": "archive_mode = always\n",
        f"{DATA}/postgresql.auto.conf": "# Do not edit\nmax_wal_size = '8GB'\n",
        DEAD: DEAD_TEXT,
    }


def catalogue_of(
    files: ConfigFiles,
    *,
    running: Mapping[str, str | InForce] | None = None,
    roles: Sequence[RoleSetting] = (),
    **changes: Any,
) -> CatalogueFacts:
    """A server that loaded `files`, except where `running` says what it has."""
    assert files.resolution is not None
    in_force: dict[str, InForce] = {}
    for name, meta in shipped().items():
        chain = files.resolution.chain(name)
        winner = chain.winner if chain is not None else None
        value = winner.value if winner is not None and winner.file is not None else meta.boot or ""
        if winner is not None and winner.origin is Origin.COMMAND_LINE:
            in_force[name] = InForce(winner.value, Source.COMMAND_LINE)
        elif winner is not None and winner.file is not None:
            in_force[name] = InForce(_stored(value, meta), Source.FILE, winner.file, winner.line)
        else:
            in_force[name] = InForce(value, Source.DEFAULT)
    for name, said in (running or {}).items():
        in_force[name] = said if isinstance(said, InForce) else InForce(said, Source.DEFAULT)
    facts = CatalogueFacts(shipped(), in_force, tuple(roles), NOW - 1800, 150_008)
    return replace(facts, **changes)


def _stored(value: str, meta: Any) -> str:
    from walconsole.domain.pgconf.values import BadValueError, stored

    try:
        return stored(value, meta)
    except BadValueError:
        return value


def configured(
    snapshot: Snapshot, files: ConfigFiles | None = None, catalogue: CatalogueFacts | None = None
) -> Snapshot:
    """`snapshot` with these files and this catalogue."""
    files = files or files_of()
    for one in (
        reading(Snapshot.files, files),
        reading(Snapshot.catalogue, catalogue or catalogue_of(files)),
    ):
        snapshot = fold(snapshot, one, NOW)
    return snapshot
