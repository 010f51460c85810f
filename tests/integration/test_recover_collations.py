"""A host that sorts text otherwise than the one that built the indexes: nothing stops at it, and it is told.

Since PostgreSQL 15 each connection to such a database begins with a WARNING, which psql prints among its
errors.
"""

import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.drill_parts import Drills
from tests.integration.failure_stage import deployment, provisioned
from tests.integration.provision_stage import Stage
from tests.integration.recover_parts import Program
from tests.integration.test_recover_script import Recoveries, recoveries
from tests.servers.archived import fill_segment, wait_archived
from tests.servers.postgres import PostgresServer
from tests.servers.rgw import RadosGateway
from tests.servers.workspace import Workspace

pytestmark = [pytest.mark.server, pytest.mark.timeout(600), pytest.mark.long]
__all__ = ["recoveries"]


def sorts_otherwise(server: PostgresServer) -> None:
    """As after the system's upgrade: the version of its ICU is another than the database's indexes have."""
    ((version,),) = server.sql("SHOW server_version_num")
    if int(version) < 150_000:
        pytest.skip("before 15 nothing is kept of it")
    with server.connect("template1") as connection:
        connection.autocommit = True
        for statement in (
            "CREATE DATABASE sorted TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en' LOCALE 'C'",
            "UPDATE pg_database SET datcollversion = '1.1' WHERE datname = 'sorted'",
            "ALTER DATABASE postgres RENAME TO others",
            "ALTER DATABASE sorted RENAME TO postgres",
        ):
            connection.execute(statement)
    server.sql("""CREATE TABLE kept AS SELECT 'a' COLLATE "en-x-icu" AS a""")
    server.sql("CREATE INDEX ON kept (a)")
    server.sql("""UPDATE pg_collation SET collversion = '1.1' WHERE collname IN ('en-x-icu', 'de-x-icu')""")


def test_the_scripts_do_as_ever_and_a_drill_notes_it(recoveries: Recoveries) -> None:
    backups, server = recoveries.backups, recoveries.server
    sorts_otherwise(server)
    taken = backups.taken()
    wait_archived(server, [fill_segment(server)])
    drills = Drills(backups)
    ended = drills.run()
    assert ended.status == 0, ended.stderr
    assert (drills.result["outcome"], drills.result["level"]) == ("proved", 3)
    assert "text is sorted otherwise on this host" in drills.result["notes"]
    assert "postgres (1.1, here " in drills.result["notes"]
    recoveries.begin("20261128T140200Z", "latest", backup=taken)
    recoveries.goes_well("restore")
    recoveries.goes_well("replay", "latest")
    recoveries.goes_well("promote")


@pytest.fixture
async def stage(workspace: Workspace, rgw: RadosGateway, rgw_dr: RadosGateway) -> AsyncIterator[Stage]:
    async with deployment(workspace, rgw, rgw_dr, f"s{secrets.token_hex(2)}") as made:
        await provisioned(made)
        yield made


async def test_who_looks_at_a_recovery_is_told(stage: Stage, tmp_path: Path) -> None:
    sorts_otherwise(stage.cluster)
    wait_archived(stage.cluster, [fill_segment(stage.cluster)])
    program = Program(stage, tmp_path)
    code, said = await program.run(
        "--to-latest", "--into", "15/restored", "--count", "kept", "--apply", *program.confirm
    )
    assert code == 0, said
    assert "replayed up to 0/" in said
    assert "REINDEX, then REFRESH COLLATION VERSION" in said
    assert "the database postgres: its indexes are of version 1.1, and here is " in said
    assert "the collation en-x-icu: " in said
    assert "de-x-icu" not in said, "no index is sorted by it"
    assert (await program.run("--give-up", *program.confirm))[0] == 0
