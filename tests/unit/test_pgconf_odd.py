"""What a resolver of configuration trips over: paths, slashes, folders, versions, units."""

import pytest

from walconsole.domain.facts.host import ClusterFacts
from walconsole.domain.facts.observed import FileRole
from walconsole.domain.pgconf.catalogue import Catalogue
from walconsole.domain.pgconf.dead import classify
from walconsole.domain.pgconf.loading import InForce
from walconsole.domain.pgconf.resolution import Resolution, ServerStart, resolve
from walconsole.domain.pgconf.start import (
    Launch,
    contradictions,
    debian_cluster,
    in_effect,
    read_unit_files,
    server_start,
    started_in,
)
from walconsole.domain.pgconf.together import fatal_together
from walconsole.domain.pgconf.tree import ConfigTree, EntryKind, FileContent, Listing, Obstacle
from walconsole.domain.pgconf.values import Context, SettingMeta, VarType
from walconsole.observe.host.clusters import read_cluster
from walconsole.observe.host.host_script import Group
from walconsole.observe.server.configuration import understand
from walconsole.observe.server.configuration_answer import Errand, Gathered, read_answer

pytestmark = pytest.mark.cases("Configurations, as the server reads them")

MAIN, DATA = "/etc/postgresql/15/main/postgresql.conf", "/var/lib/postgresql/15/main"
CONF_D = "/etc/postgresql/15/main/conf.d"
UNITS = "/etc/systemd/system/postgresql@.service.d"


def tree_of(texts: dict[str, str], folders: dict[str, tuple[str, ...]] | None = None) -> ConfigTree:
    return ConfigTree(
        {path: FileContent(path, text.encode()) for path, text in texts.items()},
        {
            path: Listing(path, dict.fromkeys(names, EntryKind.FILE))
            for path, names in (folders or {}).items()
        },
    )


def resolution_of(
    text: str,
    *,
    major: int = 15,
    in_force: dict[str, InForce] | None = None,
    metas: tuple[SettingMeta, ...] = (),
) -> Resolution:
    catalogue = Catalogue({meta.name: meta for meta in metas}, major) if metas else None
    start = ServerStart((), MAIN, DATA, major=major)
    found = resolve(tree_of({MAIN: text}), start, catalogue, in_force)
    assert found is not None
    return found


# -- Relative paths in a postmaster's arguments.


@pytest.mark.parametrize(
    ("argv", "pwd", "config"),
    [
        (("postgres", "-D", "main"), None, f"{DATA}/postgresql.conf"),
        (("postgres", "-D", "."), None, f"{DATA}/postgresql.conf"),
        (("postgres", "-D", "../15/main"), None, f"{DATA}/postgresql.conf"),
        (
            ("postgres", "-D", "15/main", "-c", "config_file=etc/p.conf"),
            None,
            "/var/lib/postgresql/etc/p.conf",
        ),
        (("postgres", "-D", "./main/", "--config-file=main/p.conf"), None, f"{DATA}/p.conf"),
        (("postgres", "-D", ".", "-c", "config_file=p.conf"), None, f"{DATA}/p.conf"),
        (("postgres", "-D", DATA, "-c", "config_file=p.conf"), "/srv", "/srv/p.conf"),
        (("postgres", "-D", "x/y", "-c", "config_file=../p.conf"), "/srv/a", "/srv/p.conf"),
        (("postgres", "-D", DATA, "-c", "config_file=p.conf"), None, f"{DATA}/fallback.conf"),
        (("postgres", "-D", "/elsewhere"), None, "/elsewhere/postgresql.conf"),
    ],
)
def test_a_relative_path_counts_from_where_the_postmaster_was_started(
    argv: tuple[str, ...], pwd: str | None, config: str
) -> None:
    environ = {} if pwd is None else {"PWD": pwd}
    start = server_start(argv, environ, config_file=f"{DATA}/fallback.conf", data_directory=DATA)
    assert start.config_file == config
    assert "PWD" not in start.pg_environment


def test_a_relative_directory_contradicts_nothing() -> None:
    start = server_start(("postgres", "-D", "main"), {}, config_file=None, data_directory=DATA)
    found = resolve(tree_of({f"{DATA}/postgresql.conf": ""}), start)
    assert found is not None
    assert contradictions(Launch(), found) == ()


def test_where_a_postmaster_was_started_may_not_be_known() -> None:
    assert started_in("a/../main", None, DATA) == "/var/lib/postgresql/15"
    assert started_in("other", None, DATA) is None
    assert started_in("../main", None, DATA) is None
    assert started_in(DATA, "relative", DATA) is None


@pytest.mark.parametrize(
    ("words", "config"),
    [
        (b"postgres\0-D\0main\0-c\0config_file=main/p.conf\0", f"{DATA}/p.conf"),
        (b"postgres\0-D\0/data\0-c\0config_file=p.conf\0", "/listed.conf"),
        (b"postgres\0-c\0config_file=/e/p.conf\0", "/e/p.conf"),
    ],
)
def test_the_host_names_no_relative_configuration(words: bytes, config: str) -> None:
    raw = {
        "cluster": DATA.encode(),
        "cluster.argv": words.hex(" ").encode(),
        "cluster.config": b"/listed.conf",
    }
    assert read_cluster(Group(raw), "postgres").facts.config_file == config


# -- Folders.


@pytest.mark.parametrize(
    "written", ["/abs/dir/", "/abs/dir", "/abs//dir", "/abs/dir//", "/abs/./dir/", "/x/../abs/dir"]
)
def test_a_folder_may_be_written_with_slashes(written: str) -> None:
    host_path = f"{written}/a.conf"  # as the host's script names what lies there
    here = tree_of(
        {
            MAIN: f"include_dir '{written}'",
            "/abs/dir/a.conf": "archive_mode = on",
            host_path: "archive_mode = on",
        },
        {written: ("a.conf",)},
    )
    found = resolve(here, ServerStart((), MAIN, DATA, major=15))
    assert found is not None
    assert found.value("archive_mode") == "on"
    roles = {file.path: file.role for file in classify(here, found, Launch())}
    assert roles == {MAIN: FileRole.READ, "/abs/dir/a.conf": FileRole.READ}


def test_a_file_that_came_after_its_folder_was_listed_is_not_called_dead() -> None:
    """It was, for a look: the folder is read before what else looks like configuration is."""
    came = {
        MAIN: "include_dir 'conf.d'\n",
        f"{CONF_D}/b.conf": "archive_mode = on\n",
        f"{CONF_D}/c.bak": "archive_mode = on",
    }
    tree = tree_of(came, {CONF_D: ()})
    start = ServerStart((), MAIN, DATA, major=15)
    found = resolve(tree, start, None, None)
    assert found is not None
    roles = {each.path: each.role for each in classify(tree, found, Launch())}
    assert roles == {MAIN: FileRole.READ, f"{CONF_D}/c.bak": FileRole.NEVER_READ}


def answer(*records: tuple[str, str, bytes]) -> Gathered:
    token = Errand().token
    text = b"".join(
        f"\n{token} {kind} {path}\0".encode() + body for kind, path, body in (*records, ("end", "", b""))
    )
    return read_answer(text, token)


@pytest.mark.parametrize("denied", [b"/secret", b"/secret/a.conf"])
def test_a_folder_that_the_server_may_not_enter_is_an_error_of_its_own(denied: bytes) -> None:
    seen = answer(
        ("file", MAIN, b"include_dir '/secret'\n"),
        ("dir", "/secret", b"file a.conf\0"),
        ("file", "/secret/a.conf", b"archive_mode = on\n"),
        ("asked", "postgres", b"asked\0" + denied + b"\0"),
    )
    cluster = ClusterFacts(None, 5432, "/run", DATA, MAIN, False, "postgres")
    files = understand(seen, cluster)
    assert files is not None
    assert any("could not open" in error for error in files.errors)
    allowed = answer(
        ("file", MAIN, b"include_dir '/secret'\n"),
        ("dir", "/secret", b"file a.conf\0"),
        ("file", "/secret/a.conf", b"archive_mode = on\n"),
        ("asked", "postgres", b"asked\0"),
    )
    files = understand(allowed, cluster)
    assert files is not None
    assert not files.errors


@pytest.mark.parametrize(
    ("config", "data", "cluster"),
    [
        (MAIN, DATA, "15/main"),
        ("/root/etc/postgresql/9.6/old/postgresql.conf", None, "9.6/old"),
        ("/private/15/main/postgresql.conf", "/srv/15/main", "15/main"),
        ("/var/lib/pgsql/16/data/postgresql.conf", None, None),
        ("/var/lib/pgsql/data/postgresql.conf", None, None),
        ("/var/lib/postgresql/18/docker/postgresql.conf", None, None),
        ("/srv/postgres/15/main/postgresql.conf", "/srv/postgres/15/main", None),
        ("/bitnami/postgresql/16/data/postgresql.conf", None, None),
        ("/opt/db/17/pgdata/postgresql.conf", None, None),
        ("/etc/postgresql/1.2.3.4/main/postgresql.conf", None, None),
    ],
)
def test_whose_cluster_it_is(config: str, data: str | None, cluster: str | None) -> None:
    assert debian_cluster(config, data) == cluster


# -- Versions.


@pytest.mark.parametrize(
    ("major", "name", "known"),
    [
        (14, "archive_library", False),
        (15, "archive_library", True),
        (16, "summarize_wal", False),
        (17, "wal_summary_keep_time", True),
        (17, "idle_replication_slot_timeout", False),
        (15, "promote_trigger_file", True),
        (16, "promote_trigger_file", False),
        (13, "archive_command", True),
        (99, "archive_library", True),
    ],
)
def test_a_setting_that_this_version_has_not_is_unknown_with_the_server_down(
    major: int, name: str, known: bool
) -> None:
    assert Catalogue(major=major).knows(name) is known
    found = resolution_of(f"{name} = ''", major=major)
    assert any("no setting has this name" in (error.why or "") for error in found.errors) is not known
    assert (name in Catalogue(major=major).names) == (known and Catalogue().meta(name) is not None)


def test_defaults_were_otherwise_in_older_versions() -> None:
    boots = {major: Catalogue(major=major).meta("log_checkpoints") for major in (14, 15)}
    assert [meta.boot for meta in boots.values() if meta is not None] == ["off", "on"]
    assert resolution_of("wal_compression = zstd", major=14).errors
    assert not resolution_of("wal_compression = zstd", major=15).errors


# -- Settings that do not go together.


@pytest.mark.parametrize(
    ("text", "major", "said"),
    [
        ("wal_level = minimal", 15, "max_wal_senders = 10"),
        ("wal_level = minimal\nmax_wal_senders = 0\narchive_mode = on", 15, "archive_mode = on"),
        ("wal_level = 'MINIMAL'\nmax_wal_senders = 0\narchive_mode = always", 13, "archive_mode = always"),
        ("wal_level = minimal\nmax_wal_senders = 0\nsummarize_wal = true", 17, "summarize_wal"),
        ("recovery_target_lsn = '0/1'\nrecovery_target_name = 'x'", 15, "at most one recovery target"),
        ("wal_level = minimal\nmax_wal_senders = 0", 15, ""),
        ("wal_level = minimal\nmax_wal_senders = 0\narchive_mode = off\narchive_command = 'x'", 18, ""),
        ("archive_mode = on", 15, ""),
        ("wal_level = nonsense", 15, ""),
        ("wal_level = minimal\nwal_level = replica", 15, ""),
    ],
)
def test_settings_that_together_keep_the_server_from_starting(text: str, major: int, said: str) -> None:
    problems = resolution_of(text, major=major).problems
    assert bool(problems) is bool(said)
    assert said in "; ".join(problems)


def test_nothing_is_said_of_what_is_not_known() -> None:
    assert list(fatal_together(lambda _: None)) == []
    assert list(fatal_together({"wal_level": "minimal"}.get)) == []


# -- What waits, and what only looks so.


def meta(
    name: str, vartype: VarType = VarType.STRING, context: Context = Context.POSTMASTER, **more: object
) -> SettingMeta:
    return SettingMeta(name, vartype, context, "", **more)  # type: ignore[arg-type]


WAL_BUFFERS = meta("wal_buffers", VarType.INTEGER, unit="8kB", minimum=-1, maximum=262143)
SHARED_BUFFERS = meta("shared_buffers", VarType.INTEGER, unit="8kB", minimum=16, maximum=1073741823)
NAME = meta("cluster_name")
COMMAND = meta("archive_command", context=Context.SIGHUP)


@pytest.mark.parametrize(
    ("setting", "text", "running", "waits"),
    [
        (WAL_BUFFERS, "wal_buffers = -1", InForce("512", "configuration file"), ""),
        (WAL_BUFFERS, "wal_buffers = -1", InForce("2048", "configuration file"), "restart"),
        (WAL_BUFFERS, "wal_buffers = 16MB", InForce("512", "default"), "restart"),
        (NAME, "cluster_name = 'Köln'", InForce("K??ln", "configuration file"), ""),
        (NAME, "cluster_name = 'Köln'", InForce("K\\xc3\\xb6ln", "configuration file"), ""),
        (NAME, "cluster_name = 'Köln'", InForce("Bonn", "configuration file"), "restart"),
        (NAME, "cluster_name = '日本'", InForce("??????", "configuration file"), ""),
        (
            COMMAND,
            "archive_command = 'new'",
            InForce("(disabled)", "configuration file", hidden="old"),
            "reload",
        ),
        (COMMAND, "archive_command = 'new'", InForce("(disabled)", "configuration file", hidden="new"), ""),
        (COMMAND, "archive_command = 'new'", InForce("(disabled)", "default", hidden=""), "reload"),
        (COMMAND, "archive_command = 'new'", InForce("(disabled)", "configuration file"), ""),
    ],
)
def test_what_waits_for_the_server(setting: SettingMeta, text: str, running: InForce, waits: str) -> None:
    in_force = {
        setting.name: running,
        "shared_buffers": InForce("16384", "configuration file"),
        "wal_segment_size": InForce("16777216", "default"),
    }
    found = resolution_of(text, in_force=in_force, metas=(setting, SHARED_BUFFERS)).chain(setting.name)
    assert found is not None
    assert found.waits_for == waits


# -- Debian's pg_ctl.conf, and systemd's units.


@pytest.mark.parametrize(
    ("options", "mode", "refused"),
    [
        ("-o -carchive_mode=off", "off", False),
        ("-w -t 60 -o --archive-mode=always -o-cport=1", "always", False),
        ("--options=--archive-mode=off", "off", False),
        ('-o"-carchive_mode=off"', "off", False),
        ('-o "-c archive_mode=off"', "off", True),
        ("-w -t 60", "on", False),
        ('-o "unclosed', "on", True),
        ("", "on", False),
    ],
)
def test_options_of_pg_ctl_conf_win_at_the_next_start(options: str, mode: str, refused: bool) -> None:
    start = server_start((), None, config_file=MAIN, data_directory=DATA, pg_ctl_options=options)
    found = resolve(tree_of({MAIN: "archive_mode = on"}), start)
    assert found is not None
    assert found.value("archive_mode") == mode
    assert bool(found.problems) is refused
    running = server_start(
        ("postgres", "-D", DATA, "-c", f"config_file={MAIN}"), {}, config_file=MAIN, data_directory=DATA,
        pg_ctl_options=options,
    )  # fmt: skip
    assert running.argv[1:3] == ("-D", DATA)


def test_the_options_are_those_beside_this_cluster_s_configuration() -> None:
    seen = answer(
        ("file", "/etc/postgresql/14/old/pg_ctl.conf", b"pg_ctl_options = '-o -carchive_mode=always'\n"),
        ("file", MAIN, b"archive_mode = on\n"),
        ("file", "/etc/postgresql/15/main/pg_ctl.conf", b"pg_ctl_options = '-o -carchive_mode=off'\n"),
    )
    files = understand(seen, ClusterFacts(None, 5432, "/run", DATA, MAIN, False, "postgres"))
    assert files is not None
    assert files.resolution is not None
    assert files.resolution.value("archive_mode") == "off"


@pytest.mark.parametrize(
    ("texts", "pgdata"),
    [
        ({"a.conf": "Environment=PGDATA=/old\nEnvironment=PGDATA=/new"}, "/new"),
        ({"a.conf": "Environment=PGDATA=/old\nEnvironment="}, None),
        ({"a.conf": "Environment=PGDATA=/old\nEnvironment=\nEnvironment=PGPORT=1 PGDATA=/new"}, "/new"),
        ({"b.conf": "Environment=PGDATA=/b", "a.conf": "Environment=PGDATA=/a"}, "/b"),
        ({"a.conf": "Environment=PGDATA=/old\nUnsetEnvironment=PGDATA"}, None),
        ({"a.conf": "Environment=PGDATA=/old\nUnsetEnvironment=PGDATA=/other"}, "/old"),
        ({"a.conf": "Environment=A=b \\\n  PGDATA=/next"}, "/next"),
        ({"a.conf": "#Environment=PGDATA=/no\n; Environment=PGDATA=/no"}, None),
        ({"a.conf": "Environment='PGDATA=/with blank'"}, "/with blank"),
    ],
)
def test_what_systemd_sets(texts: dict[str, str], pgdata: str | None) -> None:
    units = {f"{UNITS}/{name}": f"[Service]\n{text}\n".encode() for name, text in texts.items()}
    variables, _, _ = read_unit_files(units)
    assert [each.value for each in variables if each.name == "PGDATA"] == ([] if pgdata is None else [pgdata])


def test_which_of_systemd_s_files_count() -> None:
    etc, lib = "/etc/systemd/system", "/lib/systemd/system"
    files = {
        f"{lib}/postgresql@.service": b"lib",
        f"{lib}/postgresql@.service.d/20.conf": b"hidden",
        f"{etc}/postgresql@.service": b"etc",
        f"{etc}/postgresql@.service.d/20.conf": b"twenty",
        f"{lib}/postgresql@15-main.service.d/10.conf": b"ten",
    }
    assert list(in_effect(files).values()) == [b"etc", b"ten", b"twenty"]
    instance = {f"{lib}/postgresql@15-main.service": b"own", f"{etc}/postgresql@.service": b"template"}
    assert list(in_effect(instance).values()) == [b"own"]


def test_what_the_console_left_unread_is_no_error_of_the_servers() -> None:
    """Its limit of files is its own: the server goes on, and so does what comes behind."""
    folder = "/etc/postgresql/15/main/conf.d"
    names = tuple(f"{number:03}.conf" for number in range(3))
    tree = tree_of(
        {
            MAIN: "include_dir 'conf.d'\n",
            f"{folder}/000.conf": "",
            f"{folder}/002.conf": "archive_mode = on\n",
            f"{DATA}/postgresql.auto.conf": "",
        },
        {folder: names},
    )
    left = FileContent(f"{folder}/001.conf", obstacle=Obstacle.TOO_MANY)
    tree = ConfigTree({**tree.files, left.path: left}, tree.listings)
    found = resolve(tree, ServerStart((), MAIN, DATA, major=15))
    assert found is not None
    assert (found.errors, found.value("archive_mode")) == ((), "on")
    assert found.uncertain == (f"{left.path}: left unread: too many files",)
    roles = {file.path: file.role for file in classify(tree, found, Launch())}
    assert roles[f"{folder}/002.conf"] is FileRole.READ
