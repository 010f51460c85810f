"""A host that another tool archives from, and a configuration that says nothing of the archive."""

import asyncio
import json
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.servers.archived import destination, fill_segment, start_archiving, wait_archived
from tests.servers.barman_cloud import barman_cloud
from tests.servers.fixtures import or_skip
from tests.servers.pgbackrest import pgbackrest
from tests.servers.postgres import PostgresServer, system_bin_dir
from tests.servers.rclone_copy import rclone_flat
from tests.servers.rgw import RadosGateway
from tests.servers.sshd import SshServer
from tests.servers.workspace import Workspace
from tests.servers.writer import Destination, Writer, write_script

pytestmark = [pytest.mark.server, pytest.mark.timeout(180)]


_SOURCES = {name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ}
"""Where the program under test is, if not where it is installed."""


Record = Callable[[str, object], None]
"""pytest's record_property: a row of the table of failures."""


def brought_about(record: Record, failure: str, found: str, began: float) -> None:
    """Told in the summary of the run; with the next test it archives elsewhere."""
    record("failure", f"{failure}|{found}|{time.monotonic() - began:.1f}|")


@dataclass(frozen=True)
class Host:
    """One server behind sshd, and a home whose configuration names both and nothing of any archive."""

    server: PostgresServer
    home: Path
    rgw: RadosGateway

    @property
    def config(self) -> Path:
        return self.home / "config.toml"

    def archive_to(self, writer: Callable[[PostgresServer, Destination], Writer]) -> Destination:
        """Archive by a writer, a segment at least."""
        to = destination(self.rgw)
        start_archiving(self.server, writer(self.server, to).archive_command)
        wait_archived(self.server, [fill_segment(self.server)])
        return to

    async def walconsole(self, *arguments: str) -> tuple[int, str, str]:
        """Exit code, standard output, standard error."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "walconsole", *arguments, "--config", str(self.config),
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            cwd=self.home, env={"HOME": str(self.home), "PATH": os.environ["PATH"]} | _SOURCES,
        )  # fmt: skip
        out, err = await asyncio.wait_for(process.communicate(), 90)
        return process.returncode or 0, out.decode(), err.decode()

    async def shown(self) -> tuple[dict[str, tuple[str, str]], str]:
        """`config show`: the value and the origin of each key; and what is said besides."""
        code, out, err = await self.walconsole("config", "show", "droplet", "--ask")
        assert code == 0, err
        rows = [line.split("  ", 1) for line in out.splitlines() if not line.startswith("#")]
        pairs = {key: rest.strip().split("  ", 1) for key, rest in rows}
        return {key: (pair[0], pair[-1].strip()) for key, pair in pairs.items()}, err

    async def checked(self) -> tuple[int, dict[str, Any]]:
        """`check --json`."""
        code, out, err = await self.walconsole("check", "droplet", "--json", "--timeout", "60")
        assert out, err
        return code, json.loads(out)


@pytest.fixture(scope="module")
def host(
    workspace: Workspace, sshd: SshServer, rgw: RadosGateway, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Host]:
    server = or_skip(lambda: PostgresServer.make(workspace, system_bin_dir()))
    home = tmp_path_factory.mktemp("operator")
    (home / ".ssh").mkdir()
    (home / "config.toml").write_text(
        f'[profiles.droplet]\nhost = "{sshd.host}"\nport = {sshd.port}\nuser = "{sshd.user}"\n'
        f'identity_files = ["{sshd.identity_file}"]\nknown_hosts_file = "{sshd.known_hosts_file}"\n'
        f"use_agent = false\nsudo = false\n[profiles.droplet.postgres]\n"
        f'os_user = "{server.os_user}"\nsocket_dir = "{server.socket_dir}"\nport = {server.port}\n'
    )
    start_archiving(server, "/bin/true")
    yield Host(server, home, rgw)
    server.stop("immediate")


@pytest.mark.failure_mode("archive-elsewhere")
async def test_a_profile_that_names_another_bucket_is_believed_and_said_to_differ(
    host: Host, record_property: Record
) -> None:
    to, other = host.archive_to(rclone_flat), host.rgw.bucket()
    text = host.config.read_text()
    host.config.write_text(f'{text}[profiles.droplet.primary]\nbucket = "{other}"\n')
    try:
        values, told = await host.shown()
        assert values["primary.bucket"] == (other, f"{host.config}:14")
        assert f"primary.bucket: {other} is believed" in told
        assert f"the server archives to {to.bucket}" in told
        began = time.monotonic()
        _, document = await host.checked()
        found = [each for story in document["stories"] for each in (story["root"], *story["consequences"])]
        assert "archive-elsewhere" in {each["id"] for each in found}, document["stories"]
        brought_about(record_property, "a profile with another bucket", "archive-elsewhere", began)
    finally:
        host.config.write_text(text)


@pytest.mark.failure_mode("archive-not-read")
async def test_a_place_that_nobody_reads_is_named_and_is_no_fault(
    host: Host, record_property: Record
) -> None:
    stand_in = write_script(host.server, "barman-wal-archive", "exit 0\n")
    start_archiving(host.server, f"{stand_in} backup.example.net main %p")
    wait_archived(host.server, [fill_segment(host.server)])
    began = time.monotonic()
    code, document = await host.checked()
    assert (code, document["level"]) == (3, "unknown"), document
    assert "Barman's server main on barman@backup.example.net" in document["verdict"]
    assert document["stories"][0]["root"]["id"] == "archive-not-read", document["stories"]
    assert {story["severity"] for story in document["stories"]} == {"note"}
    brought_about(record_property, "archived by barman-wal-archive", "archive-not-read", began)


def backed_up(server: PostgresServer) -> None:
    """A full backup by pgBackRest."""
    conf = server.folder / "pgbackrest-main.conf"
    server.run(
        ["sh", "-c", f"pgbackrest --config={conf} --stanza=main --no-archive-check --type=full backup"]
    )


WRITERS: list[tuple[str, Callable[[PostgresServer, Destination], Writer], str, str]] = [
    ("pgBackRest", pgbackrest, "repo/", "true"),
    ("barman-cloud", barman_cloud, "barman/", "true"),
    ("rclone", rclone_flat, "", "true"),
]


@pytest.mark.parametrize(("tool", "writer", "prefix", "style"), WRITERS, ids=[row[0] for row in WRITERS])
@pytest.mark.long
async def test_all_that_the_host_says_is_used(
    host: Host, tool: str, writer: Callable[[PostgresServer, Destination], Writer], prefix: str, style: str
) -> None:
    to = host.archive_to(writer)
    if tool == "pgBackRest":
        backed_up(host.server)
    endpoint = f"https://localhost:{to.tls_port}" if tool == "pgBackRest" else to.endpoint

    values, told = await host.shown()
    assert f"{tool} archives to s3://{to.bucket}/{prefix}".rstrip("/") in told
    found = {key: values[f"primary.{key}"][0] for key in ("bucket", "endpoint", "prefix", "path_style")}
    assert found["bucket"] == to.bucket
    assert found["endpoint"] == endpoint
    assert found["prefix"] == (prefix or "none")
    assert found["path_style"] == style
    assert values["primary.region"][0] == "us-east-1"
    assert values["dr"][0] == "none"
    assert all(values[f"primary.{key}"][1].startswith("found") for key in ("bucket", "endpoint"))

    code, document = await host.checked()
    sources = {source["source"]: source for source in document["sources"]}
    assert sources["primary"]["problem"] is None, sources["primary"]
    assert sources["discovery"]["problem"] is None
    roots = {story["root"]["id"] for story in document["stories"]}
    if tool == "pgBackRest":
        assert (code, document["level"]) == (0, "ok"), document
    else:
        assert "no-base-backup" in roots, document
    text = json.dumps(document) + told + str(values)
    assert to.keys.secret_key not in text


# -- A folder: found by the command's own words, and read.


@pytest.fixture
def elsewhere(host: Host) -> Iterator[Path]:
    """A folder of the server's user; what lies in /tmp or /dev/shm would be taken for a place of passage."""
    folder = Path(tempfile.mkdtemp(dir="/srv", prefix="walconsole-"))
    folder.chmod(0o755)
    host.server.give(folder)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


COPYING = {
    "a script with gzip": {"archive_command": "{0}.sh %p %f"},
    "basic_archive": {
        "archive_command": "", "archive_library": "basic_archive", "basic_archive.archive_directory": "{0}",
    },
}  # fmt: skip


@pytest.mark.root("only root makes folders in /srv")
@pytest.mark.parametrize("how", COPYING)
async def test_a_folder_is_found_and_read(host: Host, elsewhere: Path, how: str) -> None:
    script = elsewhere.with_name(f"{elsewhere.name}.sh")
    into = f'"{elsewhere}/.$2.part"'
    script.write_text(f'#!/bin/sh\nset -e\ngzip <"$1" >{into}\nmv {into} "{elsewhere}/$2.gz"\n')
    script.chmod(0o755)
    settings = {name: value.format(elsewhere) for name, value in COPYING[how].items()}
    try:
        host.server.configure(archive_mode="on", archive_timeout="60", wal_keep_size="2GB", **settings)
        host.server.restart()
        wait_archived(host.server, [fill_segment(host.server)])
        code, document = await host.checked()
        text = host.config.read_text()
        host.config.write_text(f'{text}[profiles.droplet.primary]\nbucket = "/srv/other"\n')
        try:
            _, differing = await host.checked()
        finally:
            host.config.write_text(text)
    finally:
        script.unlink()
        start_archiving(host.server, "/bin/true")
        host.server.restart()
    sources = {source["source"]: source for source in document["sources"]}
    assert sources["primary"]["problem"] is None, sources["primary"]
    assert sources["primary"]["source"] == "primary"
    assert sources["folders"]["problem"] is None
    assert str(elsewhere) in json.dumps(document)
    assert "dr" not in sources
    roots = {story["root"]["id"] for story in document["stories"]} - {"no-archive-timeout"}
    assert roots == {"no-base-backup", "folder-beside-data"}, document
    assert code == 2
    assert '"archive-elsewhere"' in json.dumps(differing["stories"])


@pytest.mark.root("only root makes folders in /srv")
async def test_a_folder_on_another_host_is_named_and_never_green(host: Host, elsewhere: Path) -> None:
    start_archiving(host.server, f"rsync -aq %p nobody@127.0.0.2:{elsewhere}/%f || true")
    wait_archived(host.server, [fill_segment(host.server)])
    code, document = await host.checked()
    assert code != 0
    assert document["level"] != "ok"
    assert "archive-not-read" in json.dumps(document)
    assert f"nobody@127.0.0.2:{elsewhere}" in json.dumps(document)


@pytest.mark.failure_mode("wal-dropped")
async def test_what_pgbackrest_drops_is_told_in_its_own_words(host: Host, record_property: Record) -> None:
    host.archive_to(pgbackrest)
    conf = host.server.folder / "pgbackrest-main.conf"
    text = conf.read_text()
    wrong = text.replace("[main]", "archive-push-queue-max=1MB\n[main]").replace(
        "repo1-s3-key-secret=", "repo1-s3-key-secret=wrong"
    )
    conf.write_text(wrong)
    try:
        wait_archived(host.server, [fill_segment(host.server)])
    finally:
        conf.write_text(text)
    wait_archived(host.server, [fill_segment(host.server)])
    began = time.monotonic()
    code, document = await host.checked()
    assert (code, document["level"]) == (2, "critical"), document["verdict"]
    found = {
        each["id"]: each for story in document["stories"] for each in (story["root"], *story["consequences"])
    }
    assert "because archive queue exceeded 1MB" in str(found["wal-dropped"]["evidence"]), document["stories"]
    assert found["wal-dropped"]["certainty"] == "proved"
    broken = "a wrong key and archive-push-queue-max = 1MB"
    brought_about(record_property, broken, "wal-dropped", began)


# -- Steps by command alone ask the host, too, and leave to another tool what is that tool's.


STEPS = {
    "provision": (("--plan",), "info"),
    "backup": (("--plan",), "backup"),
    "drill": (("--plan",), "verify"),
    "expire": (("--plan",), "--dry-run expire"),
    "recover": (("--to-latest", "--into", "15/restored", "--plan"), "restore"),
    "moment": (("--around", "2026-01-01T00:00:00Z"), "info"),
}
"""By command: its words, and what pgBackRest is asked with instead."""


async def test_what_is_pgbackrests_is_left_to_it_with_its_own_command(host: Host) -> None:
    program, conf = shutil.which("pgbackrest"), host.server.folder / "pgbackrest-main.conf"
    host.archive_to(pgbackrest)
    for command, (words, own) in STEPS.items():
        code, out, err = await host.walconsole(command, "droplet", *words)
        assert code == 10, (command, out, err)
        assert "pgBackRest archives this server to s3://" in err, command
        assert f"`{program} --config={conf} --stanza=main {own}`" in err, (command, err)


async def test_a_step_goes_by_what_the_host_says(host: Host) -> None:
    to = host.archive_to(rclone_flat)
    code, out, err = await host.walconsole("provision", "droplet", "--plan")
    assert f"rclone archives to s3://{to.bucket}" in err
    assert to.bucket in out, (code, out, err)
    assert re.search(r"droplet-wal(?!-archive)", out) is None, "the buckets' names where nothing is known"
    assert to.keys.secret_key not in out + err
