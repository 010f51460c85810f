"""The incident on a real Debian cluster, through a real SSH server: PGDATA points where nobody looks."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.data.stage import screen_text, settle, stage, until
from tests.integration.observed import Connected, connected, profile_of
from tests.servers.fixtures import MakeCluster, MakeSshd
from tests.servers.postgres_debian import DebianCluster
from walconsole.domain.facts.observed import CatalogueFacts, ConfigFile, ConfigFiles, FileRole
from walconsole.domain.facts.snapshot import Problem, Reading, Snapshot, fold, succeeded
from walconsole.domain.pgconf.advice import where_to_set
from walconsole.domain.pgconf.resolution import Origin, Resolution
from walconsole.domain.pgconf.running import resolve_all
from walconsole.observe.server.catalogue import CatalogueProbe
from walconsole.observe.server.configuration import ConfigurationProbe
from walconsole.observe.server.configuration_answer import Errand, read_answer

pytestmark = pytest.mark.server

DEAD = """\
archive_mode = on
archive_command = 'rclone rcat spaces-prod:shithub-wal/%f < %p'
archive_timeout = 60
"""


@pytest.fixture
async def incident(
    make_sshd: MakeSshd, make_cluster: MakeCluster
) -> AsyncIterator[tuple[DebianCluster, Connected]]:
    cluster = make_cluster()
    sshd = make_sshd({"SetEnv": f"PG_CLUSTER_CONF_ROOT={cluster.conf_root}"})
    pgdata = cluster.folder / "pgdata"
    dropin = (
        cluster.folder / f"etc/systemd/system/postgresql@{cluster.debian_version}-main.service.d/pgdata.conf"
    )
    for path, text in (
        (pgdata / "postgresql.conf", DEAD),
        (cluster.data_dir / "postgresql.conf", DEAD),
        (dropin, f"[Service]\nEnvironment=PGDATA={pgdata}\n"),
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    async with connected(profile_of(sshd, cluster)) as parts:
        yield cluster, parts


async def look(parts: Connected) -> ConfigFiles:
    facts = await ConfigurationProbe(parts.shell, parts.host).take()
    assert isinstance(facts[0].value, ConfigFiles)
    return facts[0].value


def found(files: ConfigFiles, path: Path) -> ConfigFile:
    return next(file for file in files.files if file.path == str(path))


def resolution_of(files: ConfigFiles) -> Resolution:
    assert files.resolution is not None
    return files.resolution


async def test_the_dead_files_are_found_and_why(incident: tuple[DebianCluster, Connected]) -> None:
    cluster, parts = incident
    files = await look(parts)
    live = cluster.config_dir / "postgresql.conf"
    assert found(files, live).role is FileRole.READ
    dead = found(files, cluster.folder / "pgdata/postgresql.conf")
    assert dead.role is FileRole.NEVER_READ
    assert "PGDATA=" in dead.why
    assert f"-c config_file={live}" in dead.why
    assert "archive_mode = on here has no effect; off wins, from built-in default" in dead.changes
    assert dead.settings[0] == ("archive_mode", "on", 1)
    assert found(files, cluster.data_dir / "postgresql.conf").role is FileRole.NEVER_READ
    assert len(files.contradictions) == 1
    assert "pgdata.conf:2" in files.contradictions[0]
    assert not files.errors
    assert not files.uncertain


async def test_the_chain_agrees_with_the_server(incident: tuple[DebianCluster, Connected]) -> None:
    cluster, parts = incident
    resolution = resolution_of(await look(parts))
    with cluster.connect() as session:
        rows = session.execute(
            "SELECT name, source, sourcefile, sourceline FROM pg_settings WHERE source IN"
            " ('configuration file', 'command line')"
        ).fetchall()
    assert len(rows) > 10
    for name, source, file, line in rows:
        chain = resolution.chain(name)
        assert chain is not None
        assert chain.winner is not None
        if source == "configuration file":
            assert (chain.winner.file, chain.winner.line) == (file, line)
        else:
            assert chain.winner.origin is Origin.COMMAND_LINE


async def test_stopped_by_a_bad_line_the_files_tell_it(incident: tuple[DebianCluster, Connected]) -> None:
    cluster, parts = incident
    cluster.stop()
    bad = cluster.config_dir / "conf.d" / "50_bad.conf"
    bad.write_text("archive_mode = on\narchive_timeout = 60 seconds\n")
    files = await look(parts)
    assert files.errors == (f"{bad}:2: syntax error",)
    assert "reading stops" not in found(files, cluster.folder / "pgdata/postgresql.conf").why
    with pytest.raises(RuntimeError, match=r"invalid line 2|syntax error"):
        cluster.start()
    bad.write_text("archive_mode = maybe\n")
    files = await look(parts)
    assert files.errors == (f"{bad}:1: archive_mode = maybe: not one of always, on, off",)
    with pytest.raises(RuntimeError, match="archive_mode"):
        cluster.start()
    bad.unlink()
    cluster.start()


def append(path: Path, line: str) -> None:
    with path.open("a") as file:
        file.write(f"{line}\n")


async def test_the_advice_wins_on_the_real_server(incident: tuple[DebianCluster, Connected]) -> None:
    cluster, parts = incident
    errand = Errand(str(cluster.config_dir / "postgresql.conf"), str(cluster.data_dir))
    answer = await parts.shell.run(errand.script())
    tree = read_answer(answer.stdout, errand.token).tree
    advice = where_to_set(resolution_of(await look(parts)), tree, "archive_timeout", "90s")
    assert advice.path is not None
    append(Path(advice.path), advice.line)
    cluster.reload()
    [(value, file)] = cluster.sql(
        "SELECT setting, sourcefile FROM pg_settings WHERE name = 'archive_timeout'"
    )
    assert (value, file) == ("90", advice.path)


async def test_hostile_files_are_named_and_harmless(incident: tuple[DebianCluster, Connected]) -> None:
    cluster, parts = incident
    folder = cluster.config_dir / "conf.d"
    (folder / "10_rubbish.conf.bak").write_bytes(bytes(range(256)) * 16)
    (folder / "20_huge.conf.old").write_bytes(b"archive_mode = on\n" + b"#" * 10_000_000)
    (folder / "new\nline.conf.old").write_text("archive_mode = on\n")
    (folder / "30_loop.conf.orig").symlink_to("30_loop.conf.orig")
    (folder / "40_crlf.conf").write_bytes(b"archive_timeout = 61\r\n")
    (folder / "50_self.conf").write_text("include_if_exists '50_self.conf'\n")
    files = await look(parts)
    assert files.cut is not None
    assert "20_huge.conf.old" in files.cut
    assert files.errors == (f"{folder}/50_self.conf:1: configuration file recursion",)
    assert found(files, folder / "40_crlf.conf").settings == (("archive_timeout", "61", 1),)


async def test_the_screen_shows_the_chain_and_the_dead_file(
    incident: tuple[DebianCluster, Connected],
) -> None:
    """From the real cluster to the screen: archive_mode's chain, and the file that is never read."""
    cluster, parts = incident
    snapshot = Snapshot("incident", began_at=parts.clock.now(), taken_at=parts.clock.now())
    for probe in (ConfigurationProbe(parts.shell, parts.host), CatalogueProbe(parts.database)):
        for fact in await probe.take():
            assert not isinstance(fact.value, Problem)
            read = succeeded(Reading(fact.slot), fact.value, fact.read_at, fact.source, probe.cadence_s)
            snapshot = fold(snapshot, read, fact.read_at)
    app = stage(snapshot)
    async with app.run_test(size=(200, 60)) as pilot:
        await settle(pilot)
        await pilot.press("c")
        await until(pilot, lambda: "Chain of archive_mode" in screen_text(app))
        text = screen_text(app)
        assert "in force    off  from default (pg_settings)" in text
        assert f"{cluster.folder}/pgdata/postgresql.conf:1" in text
        assert f"NEVER READ {cluster.folder}" in text
        assert "files alone" not in text
        await pilot.press("slash", *"max_connections", "enter")
        await until(pilot, lambda: "Chain of max_connections" in screen_text(app))
        line = f"inforce100from{cluster.config_dir}/postgresql.conf:"  # on two lines where its folder is long
        await until(pilot, lambda: line in "".join(screen_text(app).split()))


async def test_no_setting_of_a_fresh_cluster_waits(incident: tuple[DebianCluster, Connected]) -> None:
    """Every file was loaded at the start: whatever seems to wait would be a false alarm."""
    _, parts = incident
    files = await look(parts)
    [fact] = await CatalogueProbe(parts.database).take()
    assert isinstance(fact.value, CatalogueFacts)
    resolution = resolve_all(files, fact.value, running=True)
    assert resolution is not None
    assert len(resolution.chains) > 300
    assert [(name, chain.waits_for) for name, chain in resolution.chains.items() if chain.waits_for] == []


async def waiting(parts: Connected) -> dict[str, str]:
    files = await look(parts)
    [fact] = await CatalogueProbe(parts.database).take()
    assert isinstance(fact.value, CatalogueFacts)
    resolution = resolve_all(files, fact.value, running=True)
    assert resolution is not None
    return {name: chain.waits_for for name, chain in resolution.chains.items() if chain.waits_for}


async def test_what_the_server_shows_in_its_own_words_waits_for_nothing(
    incident: tuple[DebianCluster, Connected],
) -> None:
    cluster, parts = incident
    main = cluster.config_dir / "postgresql.conf"
    append(main, "cluster_name = 'Köln'\nwal_buffers = -1\narchive_command = 'cp %p /tmp/%f'\n")
    cluster.restart()
    assert await waiting(parts) == {}
    append(main, "archive_command = 'false'\nwal_buffers = 1MB\n")
    assert await waiting(parts) == {"archive_command": "reload", "wal_buffers": "restart"}
    cluster.reload()
    assert await waiting(parts) == {"wal_buffers": "restart"}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ("wal_level = minimal", "max_wal_senders = 10"),
        ("wal_level = minimal\nmax_wal_senders = 0\narchive_mode = on", "archive_mode = on"),
        ("max_connections = 3\nsuperuser_reserved_connections = 3", "max_connections = 3"),
        ("wal_level = minimal\nmax_wal_senders = 0", ""),
    ],
)
async def test_settings_that_do_not_go_together(
    settings: str, said: str, incident: tuple[DebianCluster, Connected]
) -> None:
    cluster, parts = incident
    append(cluster.config_dir / "conf.d" / "50_more.conf", settings)
    cluster.stop()
    errors = (await look(parts)).errors
    assert said in "; ".join(errors)
    assert bool(errors) is bool(said)
    if said:
        with pytest.raises(RuntimeError, match=r"wal_level|superuser_reserved_connections"):
            cluster.start()
        (cluster.config_dir / "conf.d" / "50_more.conf").unlink()
    cluster.start()


async def test_a_folder_with_a_slash_at_its_end_is_read(incident: tuple[DebianCluster, Connected]) -> None:
    cluster, parts = incident
    more = cluster.config_dir / "more"
    more.mkdir()
    (more / "10_timeout.conf").write_text("archive_timeout = 77\n")
    append(cluster.config_dir / "postgresql.conf", f"include_dir '{cluster.config_dir}//more/'")
    cluster.reload()
    files = await look(parts)
    assert [file.role for file in files.files if "10_timeout" in file.path] == [FileRole.READ]
    assert resolution_of(files).value("archive_timeout") == "77"
    assert cluster.sql("SELECT setting FROM pg_settings WHERE name = 'archive_timeout'") == [("77",)]


@pytest.mark.root("only root enters a folder that the server may not")
async def test_a_folder_that_only_root_may_enter(incident: tuple[DebianCluster, Connected]) -> None:
    cluster, parts = incident
    closed = cluster.config_dir / "closed"
    closed.mkdir(mode=0o700)
    (closed / "a.conf").write_text("archive_timeout = 78\n")
    append(cluster.config_dir / "postgresql.conf", f"include_dir '{closed}'")
    cluster.stop()
    files = await look(parts)
    assert any("could not open" in error for error in files.errors)
    with pytest.raises(RuntimeError, match="closed"):
        cluster.start()
    closed.chmod(0o755)
    assert not (await look(parts)).errors
    cluster.start()


async def test_the_options_of_pg_ctl_conf_win(incident: tuple[DebianCluster, Connected]) -> None:
    cluster, parts = incident
    append(cluster.config_dir / "postgresql.conf", "archive_mode = on")
    cluster.stop()  # pg_ctlcluster gives them to a stop, too, which refuses what it does not know
    options = cluster.config_dir / "pg_ctl.conf"
    options.write_text("pg_ctl_options = '-o \"-c archive_mode=always\"'\n")
    assert any("split at blanks" in error for error in (await look(parts)).errors)
    with pytest.raises(RuntimeError, match="too many command-line arguments"):
        cluster.start()
    options.write_text("pg_ctl_options = '-o -carchive_mode=always'\n")
    assert resolution_of(await look(parts)).value("archive_mode") == "always"
    cluster.start()
    assert cluster.sql("SHOW archive_mode") == [("always",)]
    assert resolution_of(await look(parts)).value("archive_mode") == "always"
