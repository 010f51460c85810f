"""aws, s3cmd and s5cmd as archive commands: what their words and files say is found, what fails is named.

The configuration says nothing of the archive. One host and one bucket a client: each look costs a run of it.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from tests.integration.test_failures_found import Host, Record, brought_about, host
from tests.integration.test_failures_tools import failed, rule_of, runs, told
from tests.servers.archived import destination, fill_segment, reloaded, start_archiving, wait_archived
from tests.servers.fixtures import or_skip
from tests.servers.plain_clients import CLIENTS, files_of, program
from tests.servers.ports import free_port, wait_until
from tests.servers.postgres import PostgresServer
from tests.servers.writer import Destination, edited, write_private

__all__ = ["host"]
pytestmark = [pytest.mark.server, pytest.mark.timeout(480), pytest.mark.long]


@dataclass(frozen=True)
class Spoiled:
    """What is replaced in the client's files, what it must be found as, and the client's words for it."""

    kind: str
    edits: Callable[[Destination], dict[str, str]]
    words: dict[str, str]
    rules: dict[str, str] = field(default_factory=dict)

    def rule_for(self, client: str) -> str:
        """By the table that the documents show, unless it is none of its failures."""
        return self.rules.get(client) or rule_of(client, self.kind)


def no_store(to: Destination) -> dict[str, str]:
    host = to.endpoint.removeprefix("http://")
    return {host: f"127.0.0.1:{free_port()}"}


FAILURES = (
    Spoiled("wrong key", lambda to: {to.keys.secret_key: "wrong" + to.keys.secret_key[5:]},
            {"aws": "", "s3cmd": "SignatureDoesNotMatch", "s5cmd": "SignatureDoesNotMatch"}),
    Spoiled("missing bucket", lambda to: {to.bucket: f"{to.bucket}-gone"},
            {"aws": "", "s3cmd": "NoSuchBucket", "s5cmd": "NoSuchBucket"}),
    Spoiled("stopped store", no_store,
            {"aws": "Could not connect to the endpoint", "s3cmd": "Connection refused",
             "s5cmd": "connection refused"}),
    Spoiled("missing program or file", lambda _: {"aws-credentials ": "gone ", "s3cfg ": "gone ",
                                                  "programs/s5cmd": "programs/gone"},
            {"aws": "archive", "s3cmd": "Configuration file not available", "s5cmd": "not found"},
            {"aws": "key-403", "s3cmd": "key-403", "s5cmd": "command-not-found"}),
)  # fmt: skip


def told_failed(server: PostgresServer) -> int:
    """How often the server's log says so: an exit above 125 is in no counter (pgarch.c)."""
    return server.log_file.read_text(errors="replace").count("archive command failed")


@contextmanager
def spoiled(host: Host, client: str, edits: dict[str, str]) -> Iterator[None]:
    """Until the end the client's files are spoiled, and a segment waits that it could not store."""
    server = host.server
    files = (server.folder / name for name in files_of(server, client))
    before = told_failed(server)
    with reloaded(server), edited(files, edits):
        fill_segment(server)
        wait_until(lambda: told_failed(server) > before, "the archiver fails", timeout_s=60)
        yield
    wait_archived(server)


@pytest.mark.failure_mode("command-not-found")
@pytest.mark.failure_mode("store-error")
@pytest.mark.failure_mode("archive-elsewhere")
@pytest.mark.parametrize("client", CLIENTS)
async def test_each_failure_of_a_client_is_named_in_its_words(
    host: Host, client: str, record_property: Record
) -> None:
    to = or_skip(lambda: host.archive_to(CLIENTS[client]))
    for failure in FAILURES:
        with spoiled(host, client, failure.edits(to)):
            began = time.monotonic()
            code, document = await host.checked()
            assert (code, document["level"]) == (2, "critical"), (failure.kind, document["verdict"])
            root = document["stories"][0]["root"]
            assert root["id"] == failure.rule_for(client), (failure.kind, root, [*told(document)])
            assert failure.words[client] in str(told(document)), (failure.kind, told(document))
            assert to.keys.secret_key not in str(document)
            assert "rclone" not in str([root["remedy"], root["fixes"]]), root
            for fix in root["fixes"]:
                for command in fix["commands"]:
                    if command.startswith("runuser") and not fix["risk"] and os.geteuid() == 0:
                        await runs(command)
            brought_about(record_property, f"{client}: {failure.kind}", root["id"], began)

    before = failed(host.server)
    host.rgw.quota(to.bucket, 1)
    fill_segment(host.server)
    wait_until(lambda: failed(host.server) > before, "the archiver fails", timeout_s=60)
    text = host.config.read_text()
    host.config.write_text(f'{text}[profiles.droplet.primary]\nprefix = "elsewhere/"\n')
    began = time.monotonic()
    try:
        _, document = await host.checked()
    finally:
        host.config.write_text(text)
        host.rgw.quota(to.bucket, -1)
        host.server.reload()
    assert {rule_of(client, kind) for kind in ("full", "wrong place")} <= told(document).keys(), document
    for kind in ("full", "wrong place"):
        brought_about(record_property, f"{client}: {kind}", rule_of(client, kind), began)
    wait_archived(host.server)


AWS_FILE = """\
[default]
region = us-east-1
endpoint_url = http://127.0.0.1:1
aws_access_key_id = {to.keys.access_key}
aws_secret_access_key = {to.keys.secret_key}
[profile by-file]
region = us-east-1
endpoint_url = {to.endpoint}
s3 =
    addressing_style = path
aws_access_key_id = {to.keys.access_key}
aws_secret_access_key = {to.keys.secret_key}
[profile by-service]
region = us-east-1
services = ceph
endpoint_url = http://127.0.0.1:1
aws_access_key_id = {to.keys.access_key}
aws_secret_access_key = {to.keys.secret_key}
[services ceph]
s3 =
    endpoint_url = {to.endpoint}
"""
S3CFG = """\
access_key = {to.keys.access_key}
secret_key = {to.keys.secret_key}
host_base = {host}
host_bucket = {host}
use_https = False
"""
FORMS = {
    "aws, a variable": "AWS_ENDPOINT_URL={to.endpoint} {aws} s3 cp --quiet %p s3://{to.bucket}/f1/%f",
    "aws, that of the service": (
        "AWS_ENDPOINT_URL_S3={to.endpoint} AWS_ENDPOINT_URL=http://127.0.0.1:1 {aws} s3 cp --quiet %p "
        "s3://{to.bucket}/f2/%f"
    ),
    "aws, a profile": "{aws} --profile by-file s3 cp --quiet %p s3://{to.bucket}/f3/%f",
    "aws, a section of services": "AWS_PROFILE=by-service {aws} s3 cp --quiet %p s3://{to.bucket}/f4/%f",
    "aws, its words": "{aws} --endpoint-url={to.endpoint} s3 cp --quiet %p s3://{to.bucket}/f5/%f",
    "s3cmd, ~/.s3cfg": "{s3cmd} -q put %p s3://{to.bucket}/f6/%f",
    "s3cmd, -c": "HOME=/ {s3cmd} -q -c {home}/.s3cfg put %p s3://{to.bucket}/f7/%f",
}  # fmt: skip
"""By the client itself each stores its segment in the bucket: whoever reads it otherwise reads it wrongly."""


async def test_where_a_client_archives_is_read_as_it_reads_it(host: Host) -> None:
    server, to = host.server, destination(host.rgw)
    home = server.folder / "home"
    (home / ".aws").mkdir(parents=True)
    server.give(home)
    server.give(home / ".aws")
    write_private(server, "home/.aws/config", AWS_FILE.format(to=to))
    write_private(server, "home/.s3cfg", S3CFG.format(to=to, host=to.endpoint.removeprefix("http://")))
    clients = or_skip(lambda: {name: program(server, name) for name in ("aws", "s3cmd")})
    for form, template in FORMS.items():
        command = template.format(to=to, home=home, **clients)
        start_archiving(server, f"export HOME={home}; {command}")
        name = fill_segment(server)
        wait_archived(server, [name])
        folder = command.split(f"s3://{to.bucket}/")[1].partition("/")[0]
        assert host.rgw.client(to.keys).head_object(Bucket=to.bucket, Key=f"{folder}/{name}"), form

        values, said = await host.shown()
        found = {key: values[f"primary.{key}"][0] for key in ("bucket", "endpoint", "prefix", "path_style")}
        assert found == {
            "bucket": to.bucket, "endpoint": to.endpoint, "prefix": f"{folder}/", "path_style": "true",
        }, (form, values)  # fmt: skip
        assert values["primary.region"][0] == "us-east-1", form
        assert f"{form.partition(',')[0]} archives to s3://{to.bucket}/{folder}" in said, form
        assert to.keys.secret_key not in str(values) + said
