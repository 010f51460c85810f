"""Includes, chains, dead files and advice on small trees; what real servers do is the oracle test's."""

import pytest

from walconsole.domain.facts.observed import ConfigFile, FileRole
from walconsole.domain.pgconf.advice import where_to_set
from walconsole.domain.pgconf.catalogue import Catalogue
from walconsole.domain.pgconf.dead import classify
from walconsole.domain.pgconf.loading import InForce, at_reload
from walconsole.domain.pgconf.reader import Reading, read
from walconsole.domain.pgconf.resolution import (
    Origin,
    Resolution,
    RoleSetting,
    ServerStart,
    State,
    resolve,
)
from walconsole.domain.pgconf.start import Launch, contradictions, read_unit_files
from walconsole.domain.pgconf.tree import (
    ConfigTree,
    EntryKind,
    FileContent,
    Listing,
    Obstacle,
    canonical,
    join,
    located,
    parent,
)

MAIN, DATA = "/etc/postgresql/15/main/postgresql.conf", "/var/lib/postgresql/15/main"
CONF_D = "/etc/postgresql/15/main/conf.d"
AUTO = f"{DATA}/postgresql.auto.conf"


def tree(**more: FileContent) -> ConfigTree:
    return ConfigTree({content.path: content for content in more.values()})


def files(contents: dict[str, str | Obstacle], listings: dict[str, list[str]] | None = None) -> ConfigTree:
    return ConfigTree(
        {
            path: FileContent(path, obstacle=said)
            if isinstance(said, Obstacle)
            else FileContent(path, said.encode())
            for path, said in {AUTO: Obstacle.MISSING, **contents}.items()
        },
        {
            folder: Listing(folder, dict.fromkeys(names, EntryKind.FILE))
            for folder, names in (listings or {}).items()
        },
    )


def resolved(here: ConfigTree, *arguments: str, in_force: dict[str, InForce] | None = None) -> Resolution:
    argv = ("postgres", "-D", DATA, *arguments) if arguments else ()
    start = ServerStart(argv, MAIN, DATA, major=15)
    resolution = resolve(here, start, in_force=in_force)
    assert resolution is not None
    return resolution


def errors(reading: Reading) -> list[tuple[str, int, str | None]]:
    return [(entry.file, entry.line, entry.error) for entry in reading.entries if entry.error]


@pytest.mark.parametrize(
    ("path", "shorter"),
    [("/a//b/./c/", "/a/b/c"), ("/a/../b", "/b"), ("/..", "/"), ("/", "/"), ("a/..", "."), ("../a", "../a")],
)
def test_canonical(path: str, shorter: str) -> None:
    assert canonical(path) == shorter


@pytest.mark.parametrize(
    ("path", "left"),
    [
        ("/a//b/c/", "/a/b/c"), ("/a/./b", "/a/./b"), ("/a/../b", "/a/../b"), ("/a/b/..", "/a"),
        ("/a/b/../..", "/"), ("/a/./..", "/"), ("/a/.", "/a"), ("/..", "/"), ("/", "/"), ("a/..", "."),
        ("../a", "../a"), ("a/../..", ".."), ("../..", "../.."), ("./..", ".."), (".", "."),
        ("/a/b/../c/..", "/a"), ("/a/../b/c/..", "/a/../b"),
    ],
)  # fmt: skip
def test_before_15_only_the_end_of_a_path_is_made_canonical(path: str, left: str) -> None:
    assert canonical(path, 14) == left
    assert canonical(path, 15) == canonical(path)


def test_before_15_an_include_keeps_its_dots() -> None:
    """The path that such a server opens: without the folder `sub` the file is not there for it."""
    assert join("/a", "././../b", 13) == "/a/../b"
    assert located("sub/../x.conf", "/e/l.conf", None, 14) == "/e/sub/../x.conf"
    here = files(
        {MAIN: "include 'sub/../more.conf'", "/etc/postgresql/15/main/more.conf": "wal_level = minimal"}
    )
    for major, level in ((14, None), (15, "minimal"), (None, "minimal")):
        resolution = resolve(here, ServerStart((), MAIN, DATA, major=major))
        assert resolution is not None
        assert (resolution.major, bool(resolution.errors)) == (major, level is None)
        assert level in (None, resolution.value("wal_level"))


def test_before_15_a_file_read_by_a_path_with_dots_is_not_dead_by_its_plain_one() -> None:
    plain, dotted = "/etc/postgresql/15/main/more.conf", "/etc/postgresql/15/main/sub/../more.conf"
    contents = {path: FileContent(path, b"wal_level = minimal") for path in (plain, dotted)}
    contents[dotted] = FileContent(dotted, b"wal_level = minimal", link_target=plain)
    here = ConfigTree({MAIN: FileContent(MAIN, b"include 'sub/../more.conf'"), **contents})
    for major, read_as in ((14, dotted), (15, plain)):
        resolution = resolve(here, ServerStart((), MAIN, DATA, major=major))
        assert resolution is not None
        roles = {file.path: file.role for file in classify(here, resolution, Launch())}
        assert roles == {MAIN: FileRole.READ, read_as: FileRole.READ}


def test_paths() -> None:
    assert (parent("/a/b"), parent("/a"), join("/a", "../b")) == ("/a", "/", "/b")
    assert located("x.conf", "/link/folder/l.conf", DATA) == "/link/folder/x.conf"
    assert located("x.conf", None, DATA) == f"{DATA}/x.conf"
    assert located("/a//x.conf", "/b/c", None) == "/a//x.conf"


@pytest.mark.parametrize(
    ("main", "error"),
    [
        ("include 'no.conf'", 'could not open file "/etc/postgresql/15/main/no.conf"'),
        ("include '/denied.conf'", 'could not open file "/denied.conf"'),
        ("include ' '", "empty configuration file name"),
        ("include_dir ''", "empty configuration directory name"),
        ("include_dir 'no.d'", 'could not open directory "/etc/postgresql/15/main/no.d"'),
        ("include 'postgresql.conf'", "configuration file recursion"),
    ],
)
def test_include_errors(main: str, error: str) -> None:
    here = files({MAIN: f"x.y = 1\n{main}\nx.y = 2", "/denied.conf": Obstacle.DENIED})
    reading = read(here, MAIN, DATA)
    assert errors(reading) == [(MAIN, 2, error)]
    assert [entry.value for entry in reading.entries if entry.name] == ["1", "2"]
    assert not reading.complete


def test_nesting_ends_at_ten() -> None:
    here = files({MAIN: "include 'a.conf'", "/etc/postgresql/15/main/a.conf": "include 'postgresql.conf'"})
    assert [error for _, _, error in errors(read(here, MAIN, DATA))] == ["nesting depth exceeded"]


def test_includes_that_explode_are_given_up() -> None:
    base = "/etc/postgresql/15/main"
    both = "include 'a.conf'\ninclude 'b.conf'\nx.y = 1\n" * 4
    here = files({MAIN: both, f"{base}/a.conf": both.replace("a.conf", "c.conf"), f"{base}/b.conf": both,
                  f"{base}/c.conf": both})  # fmt: skip
    assert any("not followed on" in why for why in read(here, MAIN, DATA).uncertain)


def test_include_if_exists_and_auto_conf_are_passed_over_when_denied() -> None:
    here = files(
        {MAIN: "include_if_exists '/denied.conf'", "/denied.conf": Obstacle.DENIED, AUTO: Obstacle.DENIED}
    )
    reading = read(here, MAIN, DATA)
    assert reading.complete
    assert [skipped.path for skipped in reading.skipped] == ["/denied.conf", AUTO]


def test_include_dir_sorts_by_bytes_and_takes_only_conf() -> None:
    names = ["9-a.conf", "10-a.conf", "Z.conf", "a.CONF", ".h.conf", "b.conf~", "é.conf", ".conf"]
    here = files({MAIN: "include_dir 'conf.d'"} | {f"{CONF_D}/{name}": "" for name in names}, {CONF_D: names})
    read_files = [visit.path for visit in read(here, MAIN, DATA).visits]
    assert read_files == [
        MAIN,
        *(f"{CONF_D}/{name}" for name in ("10-a.conf", "9-a.conf", "Z.conf", "é.conf")),
    ]


def test_the_server_user_decides_what_can_be_read() -> None:
    secret = FileContent("/s.conf", b"fsync = off", server_reads=False)
    here = tree(main=FileContent(MAIN, b"include '/s.conf'"), secret=secret)
    assert errors(read(here, MAIN, None)) == [(MAIN, 1, 'could not open file "/s.conf"')]


def test_what_was_not_looked_at_is_wanted_and_said() -> None:
    reading = read(files({MAIN: "include '/x.conf'"}), MAIN, DATA)
    assert reading.wanted == ("/x.conf",)
    assert reading.uncertain


def test_the_chain_ends_in_the_winner() -> None:
    here = files({MAIN: "archive_timeout = 10\narchive_timeout = 1min", AUTO: "archive_timeout = 2min"})
    chain = resolved(here, "-c", "archive_timeout=3min").chain("archive_timeout")
    assert chain is not None
    assert [(place.origin, place.value, place.state) for place in chain.places] == [
        (Origin.DEFAULT, "0", State.OVERRIDDEN),
        (Origin.FILE, "10", State.OVERRIDDEN),
        (Origin.FILE, "1min", State.OVERRIDDEN),
        (Origin.AUTO_CONF, "2min", State.OVERRIDDEN),
        (Origin.COMMAND_LINE, "3min", State.APPLIED),
    ]
    assert chain.places[0].overridden_by == "-c archive_timeout=3min"


def test_a_bad_value_is_in_error_and_the_one_before_wins() -> None:
    resolution = resolved(files({MAIN: "archive_timeout = 10\nArchive_Timeout = 10x"}))
    chain = resolution.chain("archive_timeout")
    assert chain is not None
    assert chain.winner is not None
    assert chain.winner.where == f"{MAIN}:1"
    assert (chain.places[2].state, chain.places[2].why) == (
        State.ERROR,
        'unit \'x\' is not one of "us", "ms", "s", "min", "h", "d"',
    )
    assert [error.entry.line for error in resolution.errors] == [2]


def test_an_unknown_name_throws_everything_away() -> None:
    resolution = resolved(files({MAIN: "archive_mode = on\narchive_mod = on"}))
    chain = resolution.chain("archive_mode")
    assert chain is not None
    assert chain.places[-1].state is State.DISCARDED
    assert chain.places[-1].why == f"{MAIN}:2: no setting has this name"


@pytest.mark.parametrize(
    ("name", "line", "running", "waits"),
    [
        ("archive_mode", "archive_mode = on", "off", "restart"),
        ("archive_mode", "archive_mode = true", "on", ""),
        ("archive_timeout", "archive_timeout = 1min", "60", ""),
        ("archive_timeout", "archive_timeout = 1min", "0", "reload"),
        ("archive_command", "archive_command = x", "(disabled)", ""),
    ],
)
def test_what_waits(name: str, line: str, running: str, waits: str) -> None:
    chain = resolved(files({MAIN: line}), in_force={name: InForce(running, "default")}).chain(name)
    assert chain is not None
    assert chain.waits_for == waits
    assert chain.winner is not None
    assert chain.winner.state is (State.NOT_LOADED if waits else State.APPLIED)


def test_role_settings_do_not_win_for_the_server() -> None:
    rows = (
        RoleSetting("synchronous_commit", "off", database="app"),
        RoleSetting("synchronous_commit", "on", "", "me"),
    )
    resolution = resolve(files({MAIN: ""}), ServerStart((), MAIN, DATA), role_settings=rows)
    assert resolution is not None
    chain = resolution.chain("synchronous_commit")
    assert chain is not None
    assert [place.origin for place in chain.places] == [Origin.DEFAULT, Origin.DATABASE, Origin.ROLE]
    assert chain.winner is chain.places[0]


@pytest.mark.parametrize(
    ("argv", "environ", "config"),
    [
        (("postgres", "-D", "/d", "-c", "config_file=/e/p.conf"), {}, "/e/p.conf"),
        (("postgres", "-D", "/d"), {"PGDATA": "/x"}, "/d/postgresql.conf"),
        (("postgres",), {"PGDATA": "/x"}, "/x/postgresql.conf"),
        (("postgres",), {}, None),
    ],
)
def test_which_file_is_read(argv: tuple[str, ...], environ: dict[str, str], config: str | None) -> None:
    resolution = resolve(files({}), ServerStart(argv, pg_environment=environ))
    assert (resolution.config_file if resolution else None) == config


def test_data_directory_is_chosen_before_auto_conf() -> None:
    here = files({"/e/postgresql.conf": "data_directory = '/one'\ndata_directory = '/two/'",
                  "/two/postgresql.auto.conf": "archive_mode = on"})  # fmt: skip
    resolution = resolve(here, ServerStart(("postgres", "-D", "/e")))
    assert resolution is not None
    assert (resolution.data_directory, resolution.value("archive_mode")) == ("/two", "on")


def test_a_reload_with_a_removed_restart_setting_waits() -> None:
    running = {"archive_mode": InForce("on", "configuration file", MAIN, 1)}
    loaded = at_reload(read(files({MAIN: ""}), MAIN, DATA), Catalogue(major=15), running)
    assert loaded.removed == ("archive_mode",)
    assert loaded.in_force["archive_mode"].pending_restart


# --- dead files

DROPIN = "/etc/systemd/system/postgresql@15-main.service.d/x.conf"


def classified(
    contents: dict[str, str | Obstacle], listings: dict[str, list[str]] | None = None
) -> dict[str, ConfigFile]:
    here = files(contents, listings)
    variables, exec_start, _ = read_unit_files(
        {DROPIN: b'[Service]\nEnvironment="PGDATA=/data/pgdata" A=b\n'}
    )
    launch = Launch("postgresql@15-main.service", variables=variables, exec_start=exec_start)
    return {file.path: file for file in classify(here, resolved(here), launch)}


@pytest.mark.parametrize(
    ("path", "main", "why"),
    [
        ("/data/pgdata/postgresql.conf", "", "pg_ctlcluster empties the environment"),
        (f"{DATA}/postgresql.conf", "", "pg_ctlcluster starts this cluster with"),
        (f"{DATA}/recovery.conf", "", "PostgreSQL 12 and later"),
        (f"{CONF_D}/a.conf", "#include_dir = 'conf.d'", f"commented out: {MAIN}:1"),
        (f"{CONF_D}/a.conf", "", "no file that is read includes it"),
        (f"{CONF_D}/a.conf.bak", "include_dir 'conf.d'", "names that end in .conf"),
        (f"{CONF_D}/archive", "include_dir 'conf.d'", "names that end in .conf"),
        (f"{CONF_D}/.a.conf", "include_dir 'conf.d'", "begin with a dot"),
        (f"{MAIN}.dpkg-old", "", "a back-up copy"),
        (f"{MAIN}~", "", "a back-up copy"),
    ],
)
def test_why_a_file_is_dead(path: str, main: str, why: str) -> None:
    found = classified({MAIN: main, path: "archive_mode = on"}, {CONF_D: []})[path]
    assert found.role is FileRole.NEVER_READ
    assert why in found.why
    assert found.settings == (("archive_mode", "on", 1),)
    assert found.changes == ("archive_mode = on here has no effect; off wins, from built-in default",)


def test_other_clusters_are_told_apart() -> None:
    other, theirs = "/etc/postgresql/14/old/postgresql.conf", "/srv/14/postgresql.conf"
    listings: dict[str, list[str]] = {"/etc/postgresql/14/old": ["postgresql.conf"]}
    found = classified({MAIN: "", other: "data_directory = '/srv/14'", theirs: "archive_mode = on"}, listings)
    assert found[other].role is FileRole.OTHER_CLUSTER
    assert found[theirs].role is FileRole.OTHER_CLUSTER
    ours = classified({MAIN: "", other: f"data_directory = '{DATA}'"}, listings)
    assert ours[other].role is FileRole.NEVER_READ


def test_what_is_no_configuration_is_not_counted() -> None:
    found = classified(
        {MAIN: "", f"{CONF_D}/README": "Put files here.", f"{CONF_D}/../pg_ctl.conf": "x = 'y'"}
    )
    assert list(found) == [MAIN]


def test_the_file_behind_a_link_is_no_dead_file() -> None:
    linked = FileContent(MAIN, b"fsync = on", link_target="/srv/postgresql.conf")
    here = tree(main=linked, real=FileContent("/srv/postgresql.conf", b"fsync = on"))
    assert [file.path for file in classify(here, resolved(here), Launch())] == [MAIN]


def test_contradictions() -> None:
    here = files({MAIN: ""})
    variables, _, _ = read_unit_files({DROPIN: b"Environment=PGDATA=/data/pgdata\n"})
    [found] = contradictions(Launch("postgresql@15-main.service", variables=variables), resolved(here))
    assert (found.said, found.said_by) == ("PGDATA=/data/pgdata", f"{DROPIN}:1")
    same_folder, _, _ = read_unit_files({DROPIN: f"Environment=PGDATA={DATA}\n".encode()})
    assert not contradictions(Launch(variables=same_folder), resolved(here))


# --- advice


@pytest.mark.parametrize(
    ("contents", "arguments", "path", "instead"),
    [
        ({MAIN: "fsync = on\ninclude_dir 'conf.d'"}, (), f"{CONF_D}/99_walconsole.conf", ""),
        ({MAIN: "include_dir 'conf.d'\narchive_timeout = 5"}, (), MAIN, ""),
        ({MAIN: "fsync = on"}, (), MAIN, ""),
        ({MAIN: "archive_timeout = 1min"}, (), MAIN, ""),
        ({MAIN: ""}, ("-c", "archive_timeout=5"), None, "the postmaster was started with"),
        ({MAIN: "", AUTO: "archive_timeout = 5"}, (), None, "ALTER SYSTEM SET"),
        ({MAIN: "nonsense"}, (), None, "correct"),
    ],
)
def test_where_to_set(
    contents: dict[str, str | Obstacle], arguments: tuple[str, ...], path: str | None, instead: str
) -> None:
    here = files(contents, {CONF_D: []})
    advice = where_to_set(resolved(here, *arguments), here, "archive_timeout", "60")
    assert advice.path == path
    assert instead in advice.instead
    assert bool(advice.instead) == (path is None)


def test_the_advice_wins_over_what_is_in_the_folder() -> None:
    here = files(
        {MAIN: "include_dir 'conf.d'", f"{CONF_D}/zz.conf": "archive_timeout = 5"}, {CONF_D: ["zz.conf"]}
    )
    advice = where_to_set(resolved(here), here, "archive_timeout", "it's")
    assert "refuse" in advice.instead
    advice = where_to_set(resolved(here), here, "archive_mode", "on")
    assert advice.path is not None
    assert advice.path.rpartition("/")[2] > "zz.conf"
    assert advice.takes == "restart"
