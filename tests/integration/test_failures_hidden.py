"""Failures that PostgreSQL does not hear of: of the archive command's script, and of the disk.

Each is really brought about on a deployment that archives: found as the root, mended, green again.
"""

from pathlib import Path

import psycopg
import pytest

from tests.integration.failure_stage import Watched
from tests.servers.writer import write_private

pytestmark = [
    pytest.mark.server,
    pytest.mark.timeout(180),
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.usefixtures("_table"),
]


def scripted(console: Watched, name: str, body: str) -> Path:
    """A script that is the archive command now; `STORE` in it is what provisioning installed."""
    text = body.replace("STORE", str(console.program))
    script = write_private(console.cluster, name, f"#!/bin/bash\n{text}", mode=0o700)
    console.config(archive_command=f"{script} %p %f")
    console.observer.refresh()
    return script


@pytest.mark.failure_mode("failure-hidden")
async def test_a_script_that_ends_with_a_message(console: Watched) -> None:
    with console.broken("a script whose last line is a message"):
        script = scripted(console, "tells", 'STORE "$1" "$2"\necho "archived $2"\n')
        story = await console.root("failure-hidden", within_s=20)
        assert str(script) in story.root.title
        assert "line 3" in story.root.title
    await console.green("the setting taken back")


@pytest.mark.failure_mode("failure-hidden")
async def test_what_a_pipe_lets_go_is_found_in_the_archive_and_explained_by_it(console: Watched) -> None:
    with console.broken("a sender that fails before a pipe into cat"):
        scripted(console, "piped", 'cp "$1" "/no/such/folder/$2" 2>&1 | cat > /dev/null\n')
        name = console.switch()
        await console.root("failure-hidden", within_s=20)
        await console.until(lambda: "silent-loss" in console.chain(), "what was lost", 20)
        console.push(name)
    await console.green("the setting taken back, the segment archived by hand")


async def test_a_script_that_fails_where_storing_fails_is_no_alarm(console: Watched) -> None:
    body = 'set -eo pipefail\nSTORE "$1" "$2" 2>&1 | cat\nif [ "$2" != "" ]; then echo "archived $2"; fi\n'
    with console.broken("a script that is right"):
        scripted(console, "right", body)
        console.switch()
        await console.until(lambda: not console.waits(), "archived", 20)
        await console.stays_green()


@pytest.mark.failure_mode("restore-says-yes")
async def test_a_restore_command_that_makes_an_empty_file_of_one_that_is_not_there(console: Watched) -> None:
    with console.broken("restore_command = 'gunzip -c … > %p || true'"):
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
