"""Archive scripts that say yes whatever happens, on a real server, as `walconsole check` tells them."""

import time
from pathlib import Path

import pytest

from tests.integration.test_failures_found import Host, Record, brought_about, host
from tests.servers.archived import destination, fill_segment, start_archiving, wait_archived
from tests.servers.rclone_copy import rclone_flat
from tests.servers.writer import write_private

__all__ = ["host"]
pytestmark = [pytest.mark.server, pytest.mark.timeout(180)]


def archive_by(host: Host, name: str, body: str) -> Path:
    """Archive two segments by a script; `STORE` in it is a command that stores in a bucket of its own."""
    writer = rclone_flat(host.server, destination(host.rgw))
    store = writer.archive_command.replace("%p", '"$1"').replace("%f", '"$2"')
    script = write_private(host.server, name, f"#!/bin/bash\n{body.replace('STORE', store)}", mode=0o700)
    start_archiving(host.server, f"{script} %p %f")
    wait_archived(host.server, [fill_segment(host.server) for _ in range(2)])
    return script


@pytest.mark.failure_mode("failure-hidden")
@pytest.mark.parametrize(
    ("name", "body", "line"),
    [
        ("message", "STORE\necho stored\n", 3),
        pytest.param("pipe", "STORE 2>&1 | tee -a /dev/null\n", 2, marks=pytest.mark.long),
        pytest.param("only-told", "if ! STORE; then\n  echo failed\nfi\n", 3, marks=pytest.mark.long),
    ],
    ids=["message", "pipe", "only told"],
)
async def test_one_that_hides_a_failure_is_named_with_its_line(
    host: Host, name: str, body: str, line: int, record_property: Record
) -> None:
    script = archive_by(host, name, body)
    began = time.monotonic()
    _, document = await host.checked()
    (story,) = (each for each in document["stories"] if each["root"]["id"] == "failure-hidden")
    assert story["root"]["title"].startswith(f"{script} says yes whatever happens")
    assert story["root"]["title"].endswith(f"line {line})")
    brought_about(record_property, f"an archive script that says yes ({name})", "failure-hidden", began)


@pytest.mark.failure_mode("failure-hidden")
async def test_what_it_let_go_is_told_as_following_from_it(host: Host, record_property: Record) -> None:
    archive_by(host, "lets-go", "STORE\nlogger -t wal stored || true\n")
    script = archive_by(host, "lets-go", 'cp "$1" "/no/such/folder/$2"\necho "stored $2" || true\n')
    began = time.monotonic()
    code, document = await host.checked()
    titles = [story["root"]["title"] for story in document["stories"]]
    assert any(title.startswith(f"{script} says yes") for title in titles), document["stories"]
    assert code != 0
    brought_about(record_property, "an archive script that lets segments go", "failure-hidden", began)


@pytest.mark.parametrize(
    "body",
    [
        "set -eo pipefail\nSTORE 2>&1 | cat\necho stored\n",
        pytest.param("STORE\nrc=$?\n[ $rc -ne 0 ] && echo failed\nexit $rc\n", marks=pytest.mark.long),
        pytest.param(
            "for try in 1 2 3; do\n  STORE && exit 0\n  sleep 1\ndone\nexit 1\n", marks=pytest.mark.long
        ),
    ],
    ids=["strict", "kept", "tried again"],
)
async def test_one_that_fails_where_storing_fails_is_no_alarm(host: Host, body: str) -> None:
    archive_by(host, "right", body)
    _, document = await host.checked()
    assert "failure-hidden" not in str(document["stories"])
    assert "stores-nothing" not in str(document["stories"])


async def test_one_that_leaves_before_it_stores_is_told_though_nothing_fails(host: Host) -> None:
    script = archive_by(host, "leaves", "exit 0\nSTORE\n")
    code, document = await host.checked()
    assert (code, document["level"]) == (2, "critical"), document["verdict"]
    assert str(script) in str(document["stories"])
