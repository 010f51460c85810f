"""What pghoard's state file says of its uploads, in both forms that its sources write."""

import json
from typing import Any

import pytest

from tests.unit.host_of_files import Host
from walconsole.domain.archivers.discovery import Settings

CONFIG = {
    "backup_sites": {
        "main": {"object_storage": {"storage_type": "s3", "bucket_name": "acme", "host": "s3.example.net"}}
    }
}
XLOG = {"failures": 3, "count": 40, "latest_filename": "00000001000000000000002A", "last_success": 12.5}


def notes(state: Any, *, path: str = "/var/lib/pghoard/pghoard_state.json", **config: Any) -> tuple[str, ...]:
    text = state if isinstance(state, str) else json.dumps(state)
    files = {"/var/lib/pghoard/pghoard.json": json.dumps(CONFIG | config), path: text}
    command = "pghoard_postgres_command --mode archive --site main --xlog %f"
    (target,) = Host(files).find_out(Settings(command)).targets
    return target.notes


def state(waiting: int = 0, **changes: Any) -> dict[str, Any]:
    return {
        "queues": {"compression_queue": 0, "transfer_queue": waiting},
        "transfer_agent_state": {"main": {"upload": {"xlog": XLOG | changes}}},
    }


def test_failures_and_what_waits_are_told_with_the_newest_that_was_stored() -> None:
    (note,) = notes(state(7))
    assert note == (
        "7 files in pghoard's queues, 3 uploads of WAL failed, and were tried again, the newest segment "
        "that it stored is 00000001000000000000002A (/var/lib/pghoard/pghoard_state.json)"
    )


def test_older_ones_count_by_thread_and_the_path_is_what_its_configuration_says() -> None:
    agents = [
        {"main": {"upload": {"xlog": XLOG}}},
        {},
        {"main": {"upload": {"xlog": XLOG | {"failures": 2}}}},
    ]
    queues = {"compression_queue": 1, "transfer_queue": 0}
    (note,) = notes(
        {"queues": queues, "transfer_agents": agents}, path="/run/s.json", json_state_file_path="/run/s.json"
    )
    assert "1 file in pghoard's queues" in note
    assert "5 uploads of WAL failed" in note
    assert note.endswith("(/run/s.json)")


@pytest.mark.parametrize(
    "told", [state(failures=0), {"queues": {"compression_queue": 0, "transfer_queue": 0}}]
)
def test_where_all_is_well_nothing_is_told(told: Any) -> None:
    assert notes(told) == ()


@pytest.mark.parametrize(
    "told", ["", "[1]", "{", "[" * 100_000, {"queues": 7}, {"queues": {}}, state(failures="x")]
)
def test_what_is_not_understood_is_said(told: Any) -> None:
    (note,) = notes(told)
    assert "is not understood" in note


def test_without_a_state_file_nothing_is_told() -> None:
    (target,) = (
        Host({"/var/lib/pghoard/pghoard.json": json.dumps(CONFIG)})
        .find_out(Settings("pghoard_postgres_command --mode archive --site main --xlog %f"))
        .targets
    )
    assert target.notes == ()
