"""Barman's own server: WAL that goes to it by SSH, or is streamed, is named, and never said to be safe.

Where it keeps what it takes is known on its host alone: the console does not read it, and says how to ask.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from tests.integration.test_failures_clients import told_failed
from tests.integration.test_failures_found import Host, Record, brought_about, host
from tests.servers.archived import fill_segment, start_archiving, wait_archived
from tests.servers.barman_server import Barman
from tests.servers.fixtures import or_skip
from tests.servers.ports import free_port, wait_until
from tests.servers.sshd import SshServer
from tests.servers.writer import write_private

__all__ = ["host"]
pytestmark = [pytest.mark.server, pytest.mark.timeout(240), pytest.mark.long]


@dataclass(frozen=True)
class Spoiled:
    """What is replaced in the script that archives, and words that must be told of it."""

    kind: str
    edits: Callable[[Barman], dict[str, str]]
    words: str


FAILURES = (
    Spoiled("a wrong key", lambda barman: {"barman-key": "barman-stranger"}, "Error executing ssh"),
    Spoiled(
        "no sshd", lambda barman: {f"--port {barman.sshd.port}": f"--port {free_port()}"}, "executing ssh"
    ),
    Spoiled("another server", lambda _: {" main ": " other "}, "Unknown server 'other'"),
    Spoiled("no configuration there", lambda _: {"barman.conf": "gone.conf"}, "gone.conf"),
)


@contextmanager
def spoiled(host: Host, barman: Barman, failure: Spoiled) -> Iterator[None]:
    """Until the end what archives is spoiled, and a segment waits that it could not send."""
    files = [host.server.folder / name for name in ("archive-barman", "ssh-first/ssh")]
    texts = {file: file.read_text() for file in files}
    before = told_failed(host.server)
    for file, text in texts.items():
        for old, new in failure.edits(barman).items():
            text = text.replace(old, new)
        file.write_text(text)
    assert {file: file.read_text() for file in files} != texts
    try:
        fill_segment(host.server)
        wait_until(lambda: told_failed(host.server) > before, "the archiver fails", timeout_s=60)
        yield
    finally:
        for file, text in texts.items():
            file.write_text(text)
        host.server.reload()
    wait_archived(host.server)


@pytest.mark.failure_mode("archive-not-read")
@pytest.mark.failure_mode("failing")
async def test_wal_that_goes_to_barman_by_ssh_is_named_and_so_is_what_stops_it(
    host: Host, sshd: SshServer, record_property: Record
) -> None:
    barman = or_skip(lambda: Barman.make(host.server, sshd))
    start_archiving(host.server, barman.wal_archive().archive_command)
    name = fill_segment(host.server)
    wait_archived(host.server, [name])
    assert name in barman.kept()

    began = time.monotonic()
    code, document = await host.checked()
    assert (code, document["level"]) == (3, "unknown"), document["verdict"]
    root = document["stories"][0]["root"]
    assert root["id"] == "archive-not-read", document["stories"]
    assert f"Barman's server main on {sshd.user}@{sshd.host}" in root["title"]
    asked = f"ssh -p {sshd.port} {sshd.user}@{sshd.host} {barman.command} list-backups main"
    assert asked in str(root["fixes"])
    brought_about(record_property, "archived by Barman, over SSH", "archive-not-read", began)

    write_private(host.server, "barman-stranger", sshd.new_key("stranger").read_text())
    for failure in FAILURES:
        with spoiled(host, barman, failure):
            began = time.monotonic()
            code, document = await host.checked()
            root = document["stories"][0]["root"]
            assert (code, root["id"]) == (2, "failing"), (failure.kind, document["stories"])
            assert failure.words in str(root), (failure.kind, root)
            assert "refuses the same" not in str(root)
            assert " list-backups " in str(root["fixes"]), root["fixes"]
            brought_about(record_property, f"Barman: {failure.kind}", "failing", began)


@pytest.mark.failure_mode("archive-off")
async def test_wal_that_is_streamed_to_barman_is_no_archiving_that_is_off(
    host: Host, sshd: SshServer, record_property: Record
) -> None:
    """archive_mode is off on purpose as long as its receiver runs, and a fault when it ends."""
    server = host.server
    barman = or_skip(lambda: Barman.make(server, sshd, streaming=True))
    server.configure(archive_mode="off")
    server.restart()
    barman.run("receive-wal", "--create-slot", "main")
    try:
        with barman.receiving():
            code, document = await host.checked()
            assert "WAL is streamed to barman_receive_wal, by the slot barman" in document["verdict"]
            assert "no segment of this server is seen there" in document["verdict"]
            roots = [(story["root"]["id"], story["severity"]) for story in document["stories"]]
            assert (code, roots[0]) == (2, ("no-base-backup", "critical")), document[
                "stories"
            ]  # there is none
            assert not {"archive-off", "silent-loss"} & {each for each, _ in roots}
        began = time.monotonic()
        code, document = await host.checked()
        assert (code, document["stories"][0]["root"]["id"]) == (2, "archive-off"), document["stories"]
        brought_about(record_property, "Barman's receiver ended", "archive-off", began)
    finally:
        server.sql("SELECT pg_drop_replication_slot('barman')")
        start_archiving(server, "/bin/true")
        server.restart()
