"""A backup of pgBackRest's for another host: the command that is told instead of steps is typed there."""

import re
import secrets
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from shlex import quote

import pytest

from tests.integration.elsewhere_stage import Elsewhere
from tests.integration.failure_stage import deployed
from tests.integration.recover_parts import text_of
from tests.integration.test_recover_pgbackrest import archived_to
from tests.servers.archived import destination, fill_segment, start_archiving, wait_archived
from tests.servers.fixtures import or_skip
from tests.servers.pgbackrest import pgbackrest
from tests.servers.ports import free_port, wait_until
from tests.servers.postgres import PostgresServer, system_bin_dir
from tests.servers.rgw import RadosGateway
from tests.servers.second_host import second_host
from tests.servers.workspace import Workspace
from walconsole.domain.profile import DrillSettings
from walconsole.errors import BlockedError

pytestmark = [
    pytest.mark.server,
    pytest.mark.timeout(600),
    pytest.mark.root("only root makes a second host on this machine"),
    pytest.mark.long,
]


@pytest.fixture
async def both(
    workspace: Workspace, rgw: RadosGateway, rgw_dr: RadosGateway, tmp_path: Path
) -> AsyncIterator[Elsewhere]:
    """pgBackRest archives production, whose folder is not on the other host but for its configuration."""
    server = or_skip(lambda: PostgresServer.make(workspace, system_bin_dir(), wal_segment_mib=1))
    async with deployed(workspace, server, rgw, rgw_dr, f"q{secrets.token_hex(2)}") as stage:
        to = destination(rgw)
        pgbackrest(server, to)
        server.stop()
        start_archiving(server, f"pgbackrest {options(server)} archive-push %p")
        store = archived_to(stage, to)
        with second_host(workspace, stage.root, server.folder) as spare:
            there = spare.folder / "empty"
            server.give(there)
            config = there / "pgbackrest-main.conf"
            config.write_text((server.folder / config.name).read_text())
            config.chmod(0o600)
            server.give(config)
            made = Elsewhere(stage, spare, tmp_path)
            made.configure(replace(made.profile, drills=DrillSettings(reserve_mib=64)))
            yield made
        await store.close()


def options(server: PostgresServer) -> str:
    return f"--config={server.folder}/pgbackrest-main.conf --stanza=main"


def as_postgres(both: Elsewhere, script: str) -> str:
    return both.spare.run(f"cd /tmp && runuser -u {both.stage.cluster.os_user} -- sh -euc {quote(script)}")


async def test_the_command_that_is_told_restores_there_to_the_target(both: Elsewhere) -> None:
    server = both.stage.cluster
    server.sql("CREATE TABLE orders AS SELECT generate_series(1, 40) AS n")
    server.run(["sh", "-c", f"pgbackrest {options(server)} --type=full backup"])
    server.sql("INSERT INTO orders VALUES (41)")
    lsn = text_of(server, "SELECT pg_current_wal_insert_lsn()")
    server.sql("DROP TABLE orders")
    wait_archived(server, [fill_segment(server)])
    code, said = await both.run("recover", "--to-lsn", lsn, "--into", "15/restored", "--plan")
    assert code == BlockedError.exit_code, said
    told = re.search(r"once it is configured there as on production's host: (mkdir .*)", said)
    assert told is not None, said
    as_postgres(both, told[1])

    data, port = "/var/lib/postgresql/15/restored", free_port()
    start = f"{server.bin_dir}/pg_ctl -D {data} -s -w -t 60 -l /var/lib/postgresql/log"
    as_postgres(
        both, f"{start} -o '-p {port} -k /tmp -c listen_addresses= -c hba_file={data}/pg_hba.conf' start"
    )
    ask = f"psql -XAtq -h /tmp -p {port} -U postgres -d postgres -c "
    try:
        paused = f"{ask}'SELECT pg_is_wal_replay_paused()'"
        wait_until(lambda: as_postgres(both, paused).strip() == "t", "it is paused", timeout_s=60)
        assert as_postgres(both, f"{ask}'TABLE orders'").split()[-1] == "41"
    finally:
        as_postgres(both, f"{server.bin_dir}/pg_ctl -D {data} -s -m immediate stop")
