"""Real retention is no loss: pgBackRest expires what no base backup needs, and the console is calm."""

import pytest

from tests.integration.archive_parts import Observed, observed
from tests.servers.archived import MIB, destination, fill_segment, start_archiving, wait_archived
from tests.servers.fixtures import or_skip
from tests.servers.pgbackrest import pgbackrest
from tests.servers.postgres import PostgresServer, system_bin_dir
from tests.servers.programs import find_program
from tests.servers.rgw import RadosGateway
from tests.servers.s3 import s3_client
from tests.servers.workspace import Workspace
from walconsole.domain.facts.observed import BucketFacts

pytestmark = pytest.mark.server

SEGMENT = 16 * MIB


async def anew(seen: Observed) -> BucketFacts:
    """The bucket listed from end to end again."""
    seen.probe.refresh()
    return await seen.look()


@pytest.mark.long
async def test_what_pgbackrest_expires_is_no_loss_and_what_somebody_deletes_is(
    workspace: Workspace, rgw: RadosGateway
) -> None:
    server = or_skip(lambda: PostgresServer.make(workspace, system_bin_dir()))
    to = destination(rgw)
    server.start()
    try:
        writer = or_skip(lambda: pgbackrest(server, to))
        program = str(find_program("pgbackrest", server="pgBackRest", package="pgbackrest"))
        server.stop("fast")  # archive_mode is set at a start
        start_archiving(server, writer.archive_command)
        backup = [program, f"--config={server.folder}/pgbackrest-main.conf", "--stanza=main", "--start-fast"]

        def back_up() -> None:
            server.run([*backup, "--repo1-retention-full=1", "--type=full", "backup"])
            wait_archived(server, [fill_segment(server)])

        back_up()
        async with observed(to, SEGMENT) as seen:
            first = await seen.look()
            assert first.backup_labels == 1
            back_up()
            after = await anew(seen)
            assert first.oldest_segment is not None
            assert after.oldest_segment is not None
            assert after.oldest_segment > first.oldest_segment  # it did expire
            assert after.lost == ()
            client = s3_client(to.endpoint, to.keys)
            for page in client.get_paginator("list_objects_v2").paginate(Bucket=to.bucket):
                for key in [stored["Key"] for stored in page.get("Contents", ())]:
                    if "archive.info" not in key:  # without it pgBackRest archives nothing
                        client.delete_object(Bucket=to.bucket, Key=key)
            writer.push(str(after.newest_segment))
            (gone,) = (await anew(seen)).lost
            assert gone.first == after.oldest_segment
            assert gone.with_backups
    finally:
        server.stop("immediate")
