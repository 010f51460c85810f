"""The verifier beside a real server: what it must report, and what it must not."""

import json
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.integration.droplet_parts import PREFIX, Droplet, droplet
from tests.servers.archived import fill_segment, start_archiving, wait_archived
from tests.servers.fixtures import or_skip
from tests.servers.ports import wait_until
from tests.servers.postgres import PostgresServer, system_bin_dir
from tests.servers.rgw import RadosGateway
from tests.servers.workspace import Workspace
from walconsole.droplet.choices import DEFAULT_PATH, DropletChoices
from walconsole.droplet.rendering import verify_script

pytestmark = pytest.mark.server

LOGGER = '#!/bin/sh\nprintf "%s\\n" "$*" >>"${0%/*}/journal"\n'


def with_logger(server: PostgresServer) -> Path:
    """A folder with a `logger` that keeps what it is told in `journal` beside it."""
    folder = server.workspace.folder("logger", server.os_user)
    (folder / "logger").write_text(LOGGER)
    (folder / "logger").chmod(0o755)
    return folder


class Verified:
    """A deployment whose server archives by its archive command, and what the verifier left behind."""

    def __init__(self, server: PostgresServer, rgw: RadosGateway) -> None:
        self.server, self.rgw = server, rgw
        self.tools = with_logger(server)
        self.at: Droplet = droplet(server, rgw, DropletChoices(path=f"{self.tools}:{DEFAULT_PATH}"))
        self.heartbeat = Path(self.at.profile.paths.heartbeat)
        self.log = Path(self.at.profile.paths.log)
        self.journal = self.tools / "journal"

    def archive_by(self, command: str) -> None:
        start_archiving(self.server, command)
        shown = "SELECT current_setting('archive_command')"
        wait_until(lambda: self.server.sql(shown) == [(command,)], "the command is in force")

    @property
    def command(self) -> str:
        return f'{self.at.archive} "%p" "%f"'

    def findings(self) -> dict[str, Any]:
        """What --json prints; it leaves no trace."""
        before = self.traces()
        ended = self.at.run(self.at.verify, "--json")
        found: dict[str, Any] = json.loads(ended.stdout)
        assert ended.stderr == ""
        assert ended.status == (0 if found["clean"] else 1)
        assert self.traces() == before
        return found

    def faults(self) -> list[str]:
        return [fault["id"] for fault in self.findings()["faults"]]

    def traces(self) -> list[tuple[Path, float]]:
        return [
            (path, path.stat().st_mtime) for path in (self.heartbeat, self.log, self.journal) if path.exists()
        ]


@pytest.fixture(scope="module")
def verified(workspace: Workspace, rgw: RadosGateway) -> Iterator[Verified]:
    server = or_skip(lambda: PostgresServer.make(workspace, system_bin_dir(), wal_segment_mib=1))
    made = Verified(server, rgw)
    start_archiving(server, made.command)
    wait_archived(server, [fill_segment(server)])
    yield made
    server.stop("immediate")


def last_archived(server: PostgresServer) -> str:
    return str(server.sql("SELECT last_archived_wal FROM pg_stat_archiver")[0][0])


def test_a_healthy_archive_is_silent_and_leaves_a_heartbeat(verified: Verified) -> None:
    assert verified.at.run(verified.at.verify).silently_well
    assert abs(verified.heartbeat.stat().st_mtime - time.time()) < 30
    assert not verified.log.exists()
    found = verified.findings()
    assert found["clean"] is True
    assert (found["archive_mode"], found["in_recovery"]) == ("on", False)
    assert found["last_archived_wal"] == last_archived(verified.server)
    assert (found["primary"], found["dr"], found["waiting"]) == ("present", "present", 0)


def test_lost_counters_are_no_fault(verified: Verified) -> None:
    name = last_archived(verified.server)
    verified.server.sql("SELECT pg_stat_reset_shared('archiver')")
    found = verified.findings()
    assert (found["clean"], found["last_archived_wal"]) == (True, name)


def test_a_failure_is_a_fault_until_it_is_over(verified: Verified) -> None:
    server = verified.server
    verified.archive_by("/bin/false")
    name = fill_segment(server)
    failing = "SELECT last_failed_wal FROM pg_stat_archiver"
    wait_until(lambda: server.sql(failing) == [(name,)], "archiving fails")
    ready = server.data_dir / f"pg_wal/archive_status/{name}.ready"
    junk = str(ready.with_name("another-program.ready"))
    server.run(["touch", "-d", "@1700000000", junk])  # it waits for nobody
    found = verified.findings()
    server.run(["rm", junk])
    assert [fault["id"] for fault in found["faults"]] == ["failing"]
    assert (found["failing_wal"], found["oldest_waiting"], found["waiting"]) == (name, name, 1)
    hour_ago = time.time() - 3600
    os.utime(ready, (hour_ago, hour_ago))
    heartbeat = verified.heartbeat.stat().st_mtime if verified.heartbeat.exists() else None
    ended = verified.at.run(verified.at.verify)
    assert ended.status == 1
    assert f"1 files wait to be archived, {name} for 36" in ended.stderr
    lines = verified.log.read_text().splitlines()
    assert [line.split()[1:3] for line in lines] == [["ALARM:", "failing:"], ["ALARM:", "backlog:"]]
    journal = verified.journal.read_text().splitlines()
    assert journal[0].startswith(
        "-t tried-wal-archive -p daemon.warning -- failing: archiving fails, last on"
    )
    assert heartbeat is None or verified.heartbeat.stat().st_mtime == heartbeat
    verified.archive_by(verified.command)
    wait_archived(server, [name, fill_segment(server)])
    assert verified.faults() == []


def test_what_postgresql_calls_archived_must_be_in_both_buckets(verified: Verified) -> None:
    server, rgw, at = verified.server, verified.rgw, verified.at
    name = fill_segment(server)
    wait_archived(server, [name])
    key = f"{PREFIX}{name}.zst"
    body = rgw.client(at.dr.keys).get_object(Bucket=at.dr.bucket, Key=key)["Body"].read()
    rgw.client(at.dr.keys).delete_object(Bucket=at.dr.bucket, Key=key)
    assert verified.faults() == ["dr-missing"]
    rgw.client(at.dr.keys).put_object(Bucket=at.dr.bucket, Key=key.removesuffix(".zst"), Body=b"half")
    assert verified.faults() == ["dr-missing"]
    rgw.client(at.dr.keys).put_object(Bucket=at.dr.bucket, Key=key, Body=body)
    rgw.revoke(at.primary.bucket, at.primary.keys)
    found = verified.findings()
    assert (found["primary"], found["dr"]) == ("unknown", "present")
    assert [fault["id"] for fault in found["faults"]] == ["primary-unknown"]
    assert "403" in found["faults"][0]["text"]
    rgw.grant(at.primary.bucket, at.primary.keys, "readwrite")
    assert verified.faults() == []


def test_an_empty_command_is_a_fault(verified: Verified) -> None:
    verified.archive_by("")
    assert "command-empty" in verified.faults()
    verified.archive_by(verified.command)


def test_a_server_that_does_not_archive_or_answer_is_a_fault(
    verified: Verified, postgres: PostgresServer, rgw: RadosGateway
) -> None:
    off = Verified(postgres, rgw)
    assert off.faults() == ["archive-off"]
    profile = off.at.profile
    nobody = replace(profile, postgres=replace(profile.postgres, port=1))
    off.at.verify.write_text(verify_script(nobody, off.at.choices))
    found = off.findings()
    assert [fault["id"] for fault in found["faults"]] == ["server-silent"]
    assert (found["archive_mode"], found["last_archived_wal"], found["primary"]) == (None, None, None)


def test_a_heartbeat_that_cannot_be_written_is_a_fault(verified: Verified) -> None:
    verified.heartbeat.unlink(missing_ok=True)
    verified.heartbeat.mkdir()
    ended = verified.at.run(verified.at.verify)
    assert (ended.status, f"{verified.heartbeat} cannot be written" in ended.stderr) == (1, True)
    verified.heartbeat.rmdir()


def test_another_argument_is_refused(verified: Verified) -> None:
    ended = verified.at.run(verified.at.verify, "--help")
    assert (ended.status, ended.stderr) == (
        2,
        "tried-verify-wal-archive: usage: tried-verify-wal-archive [--json]\n",
    )


def test_a_server_that_hangs_is_told_with_what_is_known(verified: Verified) -> None:
    """Its postmaster is stopped: the kernel takes connections, and nobody answers. psql is given 2 s here."""
    script = verified.at.verify.with_name("impatient-verify")
    script.write_text(verified.at.verify.read_text().replace("--foreground -k 5 60 psql", "-k 5 2 psql"))
    script.chmod(0o755)
    os.kill(verified.server.pid, signal.SIGSTOP)
    try:
        ended = verified.at.run(script, "--json")
    finally:
        os.kill(verified.server.pid, signal.SIGCONT)
        script.unlink()
    [fault] = json.loads(ended.stdout)["faults"]
    assert fault["id"] == "server-silent"
    known = "PostgreSQL cannot be asked: no answer within 60 s: it hangs, or is slow (load "
    assert fault["text"].startswith(known)
