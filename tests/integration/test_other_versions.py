"""PostgreSQL 13, 14, 16 and 17: what the console asks them, sets up on them, and finds and mends there.

They lie as a plain initdb leaves them, which Debian's commands know nothing of. The rest of the tests runs on
the system's version and on 18; test_pgconf_oracle.py asks all of them about their configuration files.
"""

import asyncio
import re
import secrets
import shutil
import subprocess
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from importlib.resources import files
from typing import TypeVar

import pytest

from tests.integration.failure_stage import Watched, deployed, watching
from tests.integration.observed import connected, profile_of
from tests.integration.provision_stage import Stage
from tests.servers.fixtures import MakePostgres, PostgresOf
from tests.servers.ports import wait_until
from tests.servers.postgres import PostgresServer
from tests.servers.postgres_packages import MAJORS
from tests.servers.rgw import RadosGateway
from tests.servers.sshd import SshServer
from tests.servers.workspace import Workspace
from walconsole.adapters.postgres import database
from walconsole.domain.facts.evidence import RetentionFacts
from walconsole.domain.facts.observed import (
    ArchiverFacts,
    CatalogueFacts,
    ConfigFiles,
    FileRole,
    ServerFacts,
    SettingsFacts,
)
from walconsole.domain.facts.snapshot import Problem, Snapshot
from walconsole.domain.pgconf.catalogue import current_name, is_known
from walconsole.domain.pgconf.running import resolve_all
from walconsole.domain.pgconf.values import Context, VarType
from walconsole.domain.postgres_versions import NEWEST_MAJOR
from walconsole.domain.profile import Profile
from walconsole.domain.standing.model import Level
from walconsole.errors import BlockedError, DatabaseError
from walconsole.observe.poller.probe import Fact
from walconsole.observe.server.catalogue import CatalogueProbe
from walconsole.observe.server.configuration import ConfigurationProbe
from walconsole.observe.server.sql import PostgresProbe, RetentionProbe
from walconsole.observe.server.statements import query
from walconsole.provision.engine.model import Proved

pytestmark = [pytest.mark.server, pytest.mark.timeout(300)]
T = TypeVar("T")

each = pytest.mark.parametrize("major", MAJORS)
ends = pytest.mark.parametrize("major", [MAJORS[0], MAJORS[-1]])
"""Of the versions, for what takes ten seconds of a processor: what lies between differs less from them."""


def value(facts: Sequence[Fact], kind: type[T]) -> T:
    return next(fact.value for fact in facts if isinstance(fact.value, kind))


@each
async def test_every_question_is_answered(major: int, postgres_of: PostgresOf, sshd: SshServer) -> None:
    server = postgres_of(major)
    async with connected(profile_of(sshd, server)) as to:
        facts = [
            *await PostgresProbe(to.database).take(),
            *await RetentionProbe(to.database).take(),
            *await CatalogueProbe(to.database).take(),
            *await ConfigurationProbe(to.shell, to.host).take(),
        ]
    told = value(facts, ServerFacts)
    assert (told.version_num // 10000, told.in_recovery, told.timeline) == (major, False, 1)
    archiver, retention = value(facts, ArchiverFacts), value(facts, RetentionFacts)
    assert archiver.ready_count == 0
    assert archiver.current_wal == server.sql("SELECT pg_walfile_name(pg_current_wal_lsn())")[0][0]
    assert retention.slots == ()
    assert retention.max_wal_bytes is not None
    assert (value(facts, SettingsFacts).get("archive_library") is None) == (major < 15)
    catalogue = value(facts, CatalogueFacts)
    assert len(catalogue.metas) == server.sql("SELECT count(*) FROM pg_settings")[0][0]
    the_console_reads_what_the_server_has(value(facts, ConfigFiles), catalogue)


def the_console_reads_what_the_server_has(found: ConfigFiles, catalogue: CatalogueFacts) -> None:
    """All that stands in a file is in force: nothing waits for a reload or a restart."""
    assert found.start is not None
    assert found.start.major == catalogue.version_num // 10000
    resolution = resolve_all(found, catalogue, running=True)
    assert resolution is not None
    assert (resolution.errors, resolution.uncertain) == ((), ())
    assert {chain.name: chain.waits_for for chain in resolution.chains.values() if chain.waits_for} == {}


BY_PROBES = {"archiver", "catalogue", "retention", "retention_17", "server", "settings", "wal_directory"}
BY_PSQL = {"relation_names"}
"""It takes its numbers from a variable of psql's: see test_moments_finding."""


@each
def test_the_questions_of_provisioning_are_answered(major: int, postgres_of: PostgresOf) -> None:
    names = {path.name.removesuffix(".sql") for path in files("walconsole.queries").iterdir()}
    asked = {name for name in names if not name.startswith("__")} - BY_PROBES - BY_PSQL
    answers = {name: postgres_of(major).sql(query(name)) for name in asked}
    assert answers["archived"] == [(0, "", 0, "", False, False)]
    assert dict(answers["in_force"])["archive_mode"] == "off"
    assert answers["survey"][0][0]["version_num"] // 10000 == major
    assert {row[3] for row in answers["file_settings"]} == {""}
    assert answers.keys() == {"archived", "base_backup", "connected", "file_settings", "in_force", "survey"}


def test_which_settings_a_version_has_is_known_without_asking(
    postgres_of: PostgresOf, postgres: PostgresServer, postgres18: PostgresServer
) -> None:
    servers = {server.version: server for server in (postgres, postgres18)}
    servers |= {major: postgres_of(major) for major in MAJORS}
    told = {major: names_of_settings(server) for major, server in servers.items()}
    names = set().union(*told.values())
    supposed = {major: {name for name in names if is_known(name, major)} for major in told}
    renamed = {name for name in names if current_name(name, NEWEST_MAJOR) != name}
    assert {name for name in names if not is_known(name)} == set()
    for major, found in told.items():
        assert supposed[major] - renamed == found - renamed, major


def names_of_settings(server: PostgresServer) -> set[str]:
    rows = server.sql("SELECT lower(name) FROM pg_settings WHERE name !~ '[.]'")
    return {str(name) for (name,) in rows} - NOT_OF_A_VERSION


NOT_OF_A_VERSION = {"extension_destdir", "output_plugin_libraries"}
"""Debian's own, and what a minor version brought."""


@each
async def test_a_role_without_privileges_and_an_include_by_a_path_with_dots_on_a_standby(
    major: int, make_postgres: MakePostgres, sshd: SshServer
) -> None:
    server = make_postgres(release=major)
    server.sql("CREATE ROLE watcher LOGIN")
    with (server.config_dir / "pg_ident.conf").open("a") as ident:
        ident.write(f"owner {server.os_user} watcher\n")
    include_by_a_path_with_dots(server)
    profile = profile_of(sshd, server)
    watcher = replace(profile, postgres=replace(profile.postgres, user="watcher"))
    await a_role_without_privileges_is_told_the_grants(server, watcher)
    (server.data_dir / "standby.signal").touch()
    server.give(server.data_dir / "standby.signal")
    server.restart()
    (server.config_dir / "conf.d" / "gone").rmdir()
    async with connected(profile) as to:
        facts = [
            *await PostgresProbe(to.database).take(),
            *await RetentionProbe(to.database).take(),
            *await ConfigurationProbe(to.shell, to.host).take(),
        ]
    told = value(facts, ServerFacts)
    assert (told.in_recovery, told.timeline) == (True, 1)
    assert value(facts, ArchiverFacts).lsn > 0
    the_path_is_read_as_the_server_reads_it(server, value(facts, ConfigFiles))


async def a_role_without_privileges_is_told_the_grants(server: PostgresServer, watcher: Profile) -> None:
    """Grants alone, and only those that help: 13 lists its archiver for nobody."""
    listed = server.version >= 14
    async with connected(watcher) as to:
        facts = [*await PostgresProbe(to.database).take(), *await RetentionProbe(to.database).take()]
        told, archiver = value(facts, ServerFacts), value(facts, ArchiverFacts)
        assert (archiver.ready_count, archiver.archiver_pid, archiver.archiver_visible) == (None, None, False)
        assert len(told.missing) == (3 if listed else 2)
        assert all("GRANT" in text for text in told.missing)
        assert len(told.untold) == (not listed)
        server.sql("GRANT pg_monitor TO watcher")
        facts = [*await PostgresProbe(to.database).take(), *await CatalogueProbe(to.database).take()]
        told, archiver = value(facts, ServerFacts), value(facts, ArchiverFacts)
        assert (archiver.ready_count, archiver.archiver_visible) == (0, listed)
        assert told.missing == ()
        assert any(setting.file for setting in value(facts, CatalogueFacts).in_force.values())


def include_by_a_path_with_dots(server: PostgresServer) -> None:
    """Through a folder that is there when the server starts."""
    more = server.config_dir / "more.conf"
    more.write_text("archive_timeout = 77\n")
    server.give(more)
    server.run(["mkdir", str(server.config_dir / "conf.d" / "gone")])
    server.write_config("60_more.conf", {"include": "gone/../../more.conf"})
    server.reload()


def the_path_is_read_as_the_server_reads_it(server: PostgresServer, found: ConfigFiles) -> None:
    """Before 15 the path stays as it is written, and needs the folder that it only passes through."""
    assert found.resolution is not None
    wrong = [row[0] for row in server.sql("SELECT error FROM pg_file_settings WHERE error IS NOT NULL")]
    assert [judged.error for judged in found.resolution.errors] == wrong
    assert len(wrong) == (server.version < 15)
    (more,) = (file for file in found.files if file.path.endswith("/more.conf"))
    assert more.role is (FileRole.NEVER_READ if wrong else FileRole.READ)


NEWER = """
CREATE SCHEMA newer;
CREATE FUNCTION newer.current_setting(text) RETURNS text LANGUAGE sql AS $$
    SELECT CASE $1 WHEN 'server_version_num' THEN '190001' WHEN 'server_version' THEN '19.1'
           ELSE pg_catalog.current_setting($1) END $$;
CREATE VIEW newer.pg_stat_archiver AS SELECT *, 'calm' AS mood FROM pg_catalog.pg_stat_archiver;
CREATE FUNCTION newer.pg_ls_waldir(OUT file text, OUT bytes bigint) RETURNS SETOF record LANGUAGE sql
    AS $$ SELECT name, size FROM pg_catalog.pg_ls_waldir() $$;
CREATE VIEW newer.pg_settings AS
    SELECT name, setting, unit, category, short_desc, extra_desc,
           CASE name WHEN 'archive_timeout' THEN 'tide' ELSE context END AS context,
           CASE name WHEN 'wal_level' THEN 'interval' ELSE vartype END AS vartype,
           source, min_val, max_val, enumvals, boot_val, reset_val, sourcefile, sourceline,
           pending_restart, 1 AS more
    FROM pg_catalog.pg_settings;
"""
"""A server of today answers as one of tomorrow might: another version, columns more and fewer, new words."""


async def test_a_newer_server_is_read_as_far_as_it_goes(
    make_postgres: MakePostgres, sshd: SshServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(database.AS_OURS, "search_path", "newer,pg_catalog")
    server = make_postgres(release="wheel")
    server.sql(NEWER)
    async with connected(profile_of(sshd, server)) as to:
        probe = PostgresProbe(to.database)
        facts = [*await probe.take(), *await CatalogueProbe(to.database).take()]
        told, archiver = value(facts, ServerFacts), value(facts, ArchiverFacts)
        assert (told.version_num, told.version) == (190001, "19.1")
        assert (archiver.archived_count, archiver.ready_count) == (0, None)
        (untold,) = told.untold
        assert "does not exist" in untold
        metas = value(facts, CatalogueFacts).metas
        assert (metas["archive_timeout"].context, metas["wal_level"].vartype) == (
            Context.OTHER,
            VarType.OTHER,
        )
        server.sql("ALTER VIEW newer.pg_settings RENAME COLUMN boot_val TO built_in")
        server.sql("ALTER VIEW newer.pg_settings RENAME COLUMN reset_val TO set_at_start")
        (settings,) = (
            fact.value for fact in await PostgresProbe(to.database).take() if fact.slot is Snapshot.settings
        )
        assert isinstance(settings, Problem)
        with pytest.raises(DatabaseError, match="boot_val") as failure:
            await CatalogueProbe(to.database).take()
        assert "a newer server takes a newer console" in failure.value.remedy
        server.sql("ALTER VIEW newer.pg_stat_archiver RENAME COLUMN failed_count TO sighs")
        with pytest.raises(DatabaseError, match="failed_count"):
            await probe.take()


@pytest.fixture
async def stage(
    major: int, make_postgres: MakePostgres, workspace: Workspace, rgw: RadosGateway, rgw_dr: RadosGateway
) -> AsyncIterator[Stage]:
    server = make_postgres(release=major, wal_segment_mib=1, start=False)
    async with deployed(workspace, server, rgw, rgw_dr, f"v{major}-{secrets.token_hex(3)}") as made:
        if not await asyncio.to_thread(can_back_up, server):
            made.profile = made.site.profile = replace(made.profile, expect_base_backups=False)
        yield made


def can_back_up(server: PostgresServer) -> bool:
    """Whether a pg_basebackup is here that is not older than the server: the packages of npm have none."""
    own = server.bin_dir / "pg_basebackup"
    program = str(own) if own.exists() else shutil.which("pg_basebackup")
    if program is None:
        return False
    said = subprocess.run([program, "--version"], check=True, capture_output=True, text=True).stdout
    return int(re.split(r"[. ]", said.partition(") ")[2])[0]) >= server.version


async def provisioned_by_hand(stage: Stage) -> None:
    """All steps; the restart of a server that nobody but its owner knows how to start is the operator's."""
    runner = stage.runner()
    with pytest.raises(BlockedError, match="how this server is restarted is not known") as blocked:
        await runner.run()
    assert "restart it by hand" in blocked.value.remedy
    stage.cluster.restart()
    runner = stage.runner()
    await runner.run()
    assert runner.done
    proofs = [news.event.text for news in stage.told if isinstance(news.event, Proved)]
    assert any(text.startswith("segment ") and " archived in " in text for text in proofs)


@ends
@pytest.mark.usefixtures("_table")
@pytest.mark.long
async def test_from_nothing_to_the_first_segment_and_a_failure_found_and_mended(
    major: int, stage: Stage
) -> None:
    await provisioned_by_hand(stage)
    async with watching(stage) as console:
        await console.green("provisioning")
        await console.until(lambda: console.diagnosis().verdict.level is Level.OK, "all is read, and ok", 20)
        await a_typo_is_found_and_mended(console)
        assert console.screen.last.server.value is not None
        assert console.screen.last.server.value.version_num // 10000 == major


async def a_typo_is_found_and_mended(console: Watched) -> None:
    with console.broken(f"a typo in the program's name, on PostgreSQL {console.cluster.version}"):
        console.config(archive_command="/usr/local/bin/pg-arhive %p")
        segment = console.switch()
        await console.root("command-not-found", evidence="exit code 127")
    await console.green("the setting taken back")
    status = console.cluster.data_dir / "pg_wal" / "archive_status"
    wait_until(lambda: (status / f"{segment}.done").exists(), f"{segment} is archived")
