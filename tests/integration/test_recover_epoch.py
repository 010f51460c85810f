"""A server that has counted past 32 bits: its WAL and its log have the lower half of a number."""

import secrets
from pathlib import Path

import pytest

from tests.integration.failure_stage import deployment, provisioned
from tests.integration.recover_parts import Program, text_of
from tests.servers.archived import fill_segment, wait_archived
from tests.servers.postgres import PostgresServer
from tests.servers.rgw import RadosGateway
from tests.servers.workspace import Workspace
from walconsole.errors import BlockedError

pytestmark = [pytest.mark.server, pytest.mark.timeout(600), pytest.mark.long]

INTO = ("--into", "15/restored")
EPOCH = 3


ONE_MORE = "WITH one AS (INSERT INTO orders SELECT count(*) FROM orders) SELECT pg_current_xact_id()"


def inserted(cluster: PostgresServer) -> int:
    """A row by a transaction of its own; its whole number."""
    return int(text_of(cluster, ONE_MORE))


async def test_a_transaction_by_its_lower_half(
    workspace: Workspace, rgw: RadosGateway, rgw_dr: RadosGateway, tmp_path: Path
) -> None:
    async with deployment(workspace, rgw, rgw_dr, f"e{secrets.token_hex(2)}") as stage:
        cluster = stage.cluster
        cluster.stop()
        resetwal = str(cluster.bin_dir / "pg_resetwal")
        cluster.run([resetwal, "-e", str(EPOCH), "-D", str(cluster.data_dir)])
        cluster.start()
        await provisioned(stage)
        program = Program(stage, tmp_path)
        cluster.sql("CREATE TABLE orders (n int)")
        whole = [inserted(cluster) for _ in range(4)]
        lower = [str(each % 2**32) for each in whole]
        assert whole[0] > EPOCH * 2**32
        wait_archived(cluster, [fill_segment(cluster)])

        never = str(whole[-1] % 2**32 + 100_000)
        code, said = await program.run("--to-xid", never, *INTO, "--plan")
        assert (code, f"the transaction {never} has not ended" in said) == (BlockedError.exit_code, True), (
            said
        )
        counted = ("--count", "orders", *program.confirm)
        code, said = await program.run("--to-xid", lower[1], *INTO, "--apply", *counted)
        assert (code, "    2" in said) == (0, True), said
        for passed in (lower[0], str(whole[0])):
            code, said = await program.run("--step-to", f"xid {passed}", *program.confirm)
            assert (code, "is past xid" in said) == (BlockedError.exit_code, True), said
        for further, rows in ((lower[2], 3), (str(whole[3]), 4)):
            code, said = await program.run("--step-to", f"xid {further}", *counted)
            assert (code, f"    {rows}" in said) == (0, True), said
        assert (await program.run("--give-up", *program.confirm))[0] == 0
