"""An archive command that by its own words stores nothing, whether or not the archive can be read."""

from dataclasses import replace
from typing import Any

import pytest

from tests.data.facts import NOW, archiver, broken, healthy, server, settings
from walconsole.domain.archivers.discovery import stores_nothing
from walconsole.domain.facts.evidence import DiscoveryFacts, FoundCopy
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.failures import Diagnosis, Level, diagnose
from walconsole.domain.standing.model import Severity

UNREAD = {
    "primary": broken(Snapshot.primary, "no such file", "NoKey"),
    "dr": broken(Snapshot.dr, "no such file"),
}


@pytest.mark.parametrize(
    "command",
    [
        "/bin/true",
        "true %p %f",
        ":",
        "exit 0",
        "cp %p /dev/null",
        "echo %p >/dev/null",
        "sh -c true",
        "cat %p > /dev/null",
    ],
)
def test_by_its_own_words_it_stores_nothing(command: str) -> None:
    assert stores_nothing(command)


@pytest.mark.parametrize(
    "command",
    ["", "(disabled)", "true && cp %p /a/%f", "/usr/local/bin/archive.sh %p", "$(cat /x)",
     "aws s3 cp %p s3://b/%f >/dev/null", "cat %p | ssh host 'cat > /a/%f'"],
)  # fmt: skip
def test_what_it_does_is_elsewhere_or_not_known(command: str) -> None:
    assert not stores_nothing(command)


@pytest.mark.parametrize("facts", [{}, {"archiver": archiver(last_archived_wal=None, last_archived_at=None)}])
def test_it_is_critical_though_postgresql_counts_and_the_archive_is_not_read(facts: dict[str, Any]) -> None:
    snapshot = healthy(settings=settings(archive_command="/bin/true"), **UNREAD | facts)
    diagnosis = diagnose(snapshot, NOW)
    (story,) = (each for each in diagnosis.stories if each.root.rule == "stores-nothing")
    assert "/bin/true" in story.root.title
    assert diagnosis.verdict.level is Level.CRITICAL
    assert "stores NOTHING (/bin/true)" in diagnosis.verdict.text


@pytest.mark.parametrize(
    "facts",
    [
        {"settings": settings(archive_command="/bin/true", archive_mode="off")},
        {"settings": settings(archive_command="/bin/true"), "server": server(in_recovery=True)},
        {"settings": settings(archive_command="/bin/true", archive_library="walg_archive")},
        {"settings": settings(archive_command="/bin/true"), "archiver": archiver()},
    ],
)
def test_where_nothing_is_thrown_away_it_is_not_told(facts: dict[str, Any]) -> None:
    diagnosis = diagnose(healthy(**facts), NOW)
    assert "stores NOTHING" not in diagnosis.verdict.text
    assert not any(each.root.rule == "stores-nothing" for each in diagnosis.stories)


HIDING = "rclone copyto %p r2:acme/%f || true"


def let_go(code: str, command: str = HIDING, *, own_key: bool = True, **facts: Any) -> Diagnosis:
    """Where the store refuses what the archive command itself asks by."""
    copies = (FoundCopy("rclone", "s3://acme at https://s3.example.net"),)
    found = DiscoveryFacts(copies, judged=command)
    snapshot = healthy(
        settings=settings(archive_command=command),
        **{"discovery": found, "primary": broken(Snapshot.primary, "it is refused", code)} | facts,
    )
    return diagnose(replace(snapshot, told=replace(snapshot.told, archivers_key=own_key)), NOW)


@pytest.mark.parametrize(
    "code", ["NoSuchBucket", "SignatureDoesNotMatch", "InvalidAccessKeyId", "NoSuchFolder"]
)
def test_a_hidden_failure_is_one_where_the_store_refuses_the_commands_own_key(code: str) -> None:
    diagnosis = let_go(code)
    assert diagnosis.verdict.level is Level.CRITICAL
    assert diagnosis.verdict.text.startswith(
        "WAL is THROWN AWAY: the archive command says yes whatever happens"
    )
    assert "it is refused" in diagnosis.verdict.text
    (story,) = (each for each in diagnosis.stories if each.root.rule == "failure-hidden")
    assert story.severity is Severity.CRITICAL


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        ("AccessDenied", {}),  # a key that may write, and not list
        ("Unreachable", {}),
        ("SlowDown", {}),
        ("SignatureDoesNotMatch", {"own_key": False}),  # the operator's key, not the command's
        ("NoSuchBucket", {"command": "rclone copyto %p r2:acme/%f"}),
        ("NoSuchBucket", {"discovery": DiscoveryFacts(
            (FoundCopy("rclone", "s3://acme"), FoundCopy("rclone", "s3://other")), judged=HIDING)}),
        ("NoSuchBucket", {"discovery": DiscoveryFacts(
            (FoundCopy("rclone", "s3://acme"),), ("primary.bucket: mine is believed",), judged=HIDING)}),
        ("NoSuchFolder", {"archiver": archiver(last_archived_wal=None, last_archived_at=None)}),
    ],
)  # fmt: skip
def test_what_may_still_be_stored_is_not_called_thrown_away(code: str, changes: dict[str, Any]) -> None:
    assert "THROWN AWAY" not in let_go(code, **changes).verdict.text
