"""pgBackRest in the background (`archive-async`): found, green, and its spool is the evidence of what fails.

PostgreSQL's own log has little of it: the words stand in files of the spool, which the next call reads.
"""

import time
from pathlib import Path
from typing import Any

import pytest

from tests.integration.test_failures_found import Host, Record, backed_up, brought_about, host
from tests.integration.test_failures_tools import failed, told
from tests.servers.archived import fill_segment, wait_archived
from tests.servers.pgbackrest import pgbackrest
from tests.servers.ports import wait_until

__all__ = ["host"]
pytestmark = [pytest.mark.server, pytest.mark.timeout(240), pytest.mark.long]


def proofs(finding: dict[str, Any], folder: Path) -> str:
    """What the finding shows of that folder's files."""
    return str([proof for proof in finding["proof"] if str(folder) in str(proof)])


@pytest.mark.failure_mode("key-403")
@pytest.mark.failure_mode("wal-dropped")
async def test_the_spool_tells_why_and_what_was_dropped(host: Host, record_property: Record) -> None:
    to, server = host.archive_to(pgbackrest), host.server
    conf, spool = server.folder / "pgbackrest-main.conf", server.folder / "archive" / "main" / "out"
    right = conf.read_text().replace("[main]", "archive-async=y\narchive-timeout=20\n[main]")
    conf.write_text(right)
    wait_archived(server, [fill_segment(server)])
    assert spool.is_dir(), "it went through the spool"
    backed_up(server)
    code, document = await host.checked()
    assert (code, document["level"]) == (0, "ok"), document
    sources = {source["source"]: source for source in document["sources"]}
    assert (sources["spool"]["freshness"], sources["spool"]["problem"]) == ("ok", None)

    before = failed(server)
    wrong = right.replace("repo1-s3-key-secret=", "repo1-s3-key-secret=wrong")
    conf.write_text(wrong)
    try:
        fill_segment(server)
        wait_until(lambda: failed(server) > before, "the archiver fails", timeout_s=60)
        assert list(spool.glob("*.error"))
        began = time.monotonic()
        code, document = await host.checked()
        root = document["stories"][0]["root"]
        assert (code, root["id"], root["certainty"]) == (2, "key-403", "proved"), document["stories"]
        assert "SignatureDoesNotMatch" in proofs(root, spool), root["proof"]
        assert to.keys.secret_key not in str(document)
        brought_about(record_property, "archive-async: a wrong key, noted in the spool", "key-403", began)

        conf.write_text(wrong.replace("[main]", "archive-push-queue-max=1MB\n[main]"))
        wait_archived(server, [fill_segment(server)])
    finally:
        conf.write_text(right)
    began = time.monotonic()
    code, document = await host.checked()
    dropped = told(document)["wal-dropped"]
    assert (code, dropped["certainty"]) == (2, "proved"), document["verdict"]
    assert "because archive queue exceeded 1MB" in str(dropped), dropped
    brought_about(record_property, "archive-async: a full queue", "wal-dropped", began)
    wait_archived(server, [fill_segment(server)])
