"""Failures that PostgreSQL does not hear of: of the restore command, and of the disk.

Each is really brought about on a deployment that archives: found as the root, mended, green again.
"""

import psycopg
import pytest

from tests.integration.failure_stage import Watched

pytestmark = [
    pytest.mark.server,
    pytest.mark.timeout(180),
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.usefixtures("_table"),
]


@pytest.mark.failure_mode("restore-says-yes")
async def test_a_restore_command_that_makes_an_empty_file_of_one_that_is_not_there(console: Watched) -> None:
    with console.broken("a restore command that leaves an empty file and says yes"):
        console.config(restore_command="gunzip -c /mnt/wal/%f.gz > %p || true")
        console.observer.refresh()
        await console.root("restore-says-yes", within_s=20, evidence="restore_command")
    await console.green("the setting taken back")


@pytest.mark.failure_mode("checksum-failures")
async def test_a_page_that_the_disk_gave_back_otherwise(console: Watched) -> None:
    with console.broken("a byte of a table's page changed on the disk", restarted=True):
        checked(console)
        console.sql("CREATE TABLE damaged AS SELECT generate_series(1, 500) AS n")
        (row,) = console.sql("SELECT pg_relation_filepath('damaged')")
        console.sql("CHECKPOINT")
        console.cluster.stop()
        with (console.cluster.data_dir / str(row[0])).open("r+b") as file:
            file.seek(8000)
            file.write(b"\xff\x00\xff")
        console.cluster.start()
        with pytest.raises(psycopg.errors.DataCorrupted):
            console.sql("SELECT sum(n) FROM damaged")
        story = await console.root("checksum-failures", within_s=20)
        assert "1 damaged page was read" in story.root.title
        assert story.root.since is not None
        console.sql("DROP TABLE damaged")
        console.sql("SELECT pg_stat_reset()")
    await console.green("the table made anew, and counted anew")


def checked(console: Watched) -> None:
    """With data checksums, whether or not it was made with them."""
    if console.sql("SHOW data_checksums") == [("off",)]:
        console.cluster.stop()
        console.cluster.run(["pg_checksums", "--enable", "-D", str(console.cluster.data_dir)])
        console.cluster.start()
