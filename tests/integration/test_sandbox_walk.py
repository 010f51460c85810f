"""Scenarios of the demo, followed to their end in a real terminal, by nothing but what the screen offers.

Each ends green; or where the screen says what is to be done outside of the console, and why.
"""

from pathlib import Path

import pytest

from tests.integration.walking import GREEN, demo
from walconsole.sandbox.scenarios.scenario import EVERY_SCENARIO

pytestmark = [pytest.mark.server, pytest.mark.timeout(600)]

BY_KEYS = {
    "incident": "set archiving up from nothing",
    "failing": "give the archiver's keys their grants again",
    "command-hangs": "put walconsole's archive command in its place",
    "key-403": "give the archiver's keys their grants again",
    "auto-conf-override": "take the override of archive_command back",
    "command-empty": "install the archive command, and set it",
    "command-not-found": "put walconsole's archive command in its place",
    "command-not-executable": "make it executable",
    "rclone-config-unreadable": "readable for the server's user",
    "archiver-crash-loop": "put walconsole's archive command in its place",
    "permission": "put walconsole's archive command in its place",
    "disk-full": "put walconsole's archive command in its place",
    "silent-loss": "put walconsole's archive command in its place",
    "endpoint-wrong": "write the endpoint where the archive stands",
    "no-backup": "take a base backup",
    "backup-stale": "take a base backup",
    "backup-broken": "take a base backup",
    "wal-before-backup-gone": "take a base backup",
}
"""With the fix that is taken among others."""
BY_HAND = {
    "slow": "may take no longer than until the next is",
    "slot-retention": "SELECT pg_drop_replication_slot('old_standby');",
}
"""With what the screen says is to be done: no program knows which writes may go, or who reads a slot."""
ELSEWHERE = {
    "healthy": "nothing is wrong",
    "idle": "nothing is wrong",
    "holes": "a segment is copied from where it still is: the other copy's test",
}


@pytest.mark.parametrize("name", BY_KEYS)
def test_it_ends_green(name: str, tmp_path: Path) -> None:
    with demo(name, tmp_path) as operator:
        walked = operator.walk(300.0, alarms_in_s=120.0)
        assert walked.verdict == GREEN, f"{walked}\n{operator.terminal.text}"
    assert any(BY_KEYS[name] in title for title in walked.taken), walked
    assert walked.stopped == []


@pytest.mark.parametrize("name", BY_HAND)
def test_the_screen_says_what_is_to_be_done_elsewhere(name: str, tmp_path: Path) -> None:
    with demo(name, tmp_path) as operator:
        walked = operator.walk(300.0, alarms_in_s=180.0)
    assert BY_HAND[name] in walked.by_hand, walked
    told = "\n".join(walked.told)
    if name == "slow":
        for part in (
            "start",
            "compress",
            "upload",
            "read back",
            "it falls behind",
            "would help: rclone's start is",
        ):
            assert part in told, told
    else:
        assert "by hand, outside of the console" in walked.by_hand
        assert "must be made anew" in walked.by_hand


def test_every_scenario_is_followed_or_said_why_not() -> None:
    assert set(EVERY_SCENARIO) == {*BY_KEYS, *BY_HAND, *ELSEWHERE}
