"""Scenarios of the demo, followed to their end in a real terminal, by nothing but what the screen offers.

Each ends green; or where the screen says what is to be done outside of the console, and why.
"""

from pathlib import Path

import pytest

from tests.integration.walking import GREEN, demo
from walconsole.sandbox.scenarios.scenario import EVERY_SCENARIO

pytestmark = [pytest.mark.server, pytest.mark.timeout(600), pytest.mark.long]

BY_KEYS = {
    "incident": "set what is meant in the configuration that is read",
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
    "drill-fails": "take a base backup",
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
    "folder": "nobody's but its own command archives there: its test looks at it",
    "pgbackrest": "as of the folder",
    "dropped-table": "nothing of the archive is wrong: its test brings the table back",
    "holes": "a segment is copied from where it still is: the other copy's test",
}


ONE_A_KIND = ("failing", "command-hangs", "endpoint-wrong", "backup-stale", "slow")
"""A grant, another command in force, a file of the droplet, a base backup, and what no key mends. The others
are walked by `make walks` (`--every-walk`): each takes most of a minute."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each walk is a test of its own."""
    for fixture, names in (("by_keys", BY_KEYS), ("by_hand", BY_HAND)):
        if fixture in metafunc.fixturenames:
            every = metafunc.config.getoption("--every-walk")
            metafunc.parametrize(fixture, [name for name in names if every or name in ONE_A_KIND])


def test_it_ends_green(by_keys: str, tmp_path: Path) -> None:
    with demo(by_keys, tmp_path) as operator:
        walked = operator.walk(300.0, alarms_in_s=120.0)
        assert walked.verdict == GREEN, f"{walked}\n{operator.terminal.text}"
    assert any(BY_KEYS[by_keys] in title for title in walked.taken), walked
    assert walked.stopped == []


def test_the_screen_says_what_is_to_be_done_elsewhere(by_hand: str, tmp_path: Path) -> None:
    with demo(by_hand, tmp_path) as operator:
        walked = operator.walk(300.0, alarms_in_s=180.0)
    assert BY_HAND[by_hand] in walked.by_hand, walked
    told = "\n".join(walked.told)
    if by_hand == "slow":
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
