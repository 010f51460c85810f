"""Where other tools than rclone store WAL, by the words of a command or its script, and what is told."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.data.facts import NOW, archiver, broken, bucket, healthy, read
from walconsole.domain.archivers.destinations import Destination, destinations_of
from walconsole.domain.facts.evidence import CommandFacts
from walconsole.domain.facts.snapshot import AnySlot, Reading, Snapshot, fold
from walconsole.domain.profile import BucketRole
from walconsole.domain.standing.elsewhere import elsewhere

HERE = bucket()
HOST = HERE.endpoint.removeprefix("https://")
COMMANDS = [
    ("aws s3 cp %p s3://b-one/wal/%f", ("aws", "b-one", "wal", "", "")),
    (
        "AWS_REGION=fra1 aws --endpoint-url https://s3.example.net s3 cp --quiet '%p' \"s3://b-one/%f\"",
        ("aws", "b-one", "", "https://s3.example.net", "fra1"),
    ),
    (
        "/usr/local/bin/aws --region=eu-west-1 s3 cp %p s3://b-one/a/b/%f",
        ("aws", "b-one", "a/b", "", "eu-west-1"),
    ),
    (
        "s5cmd --endpoint-url=https://s3.example.net cp %p s3://b-one/%f",
        ("s5cmd", "b-one", "", "https://s3.example.net", ""),
    ),
    (
        "s3cmd --host=ams3.example.net --host-bucket='%(bucket)s.ams3.example.net' put %p s3://b-one/wal/%f",
        ("s3cmd", "b-one", "wal", "ams3.example.net", ""),
    ),
    (
        "barman-cloud-wal-archive --gzip --endpoint-url https://s3.example.net s3://b-one/barman main %p",
        ("barman-cloud", "b-one", "barman", "https://s3.example.net", ""),
    ),
    (
        "env WALG_S3_PREFIX=s3://b-one/cluster AWS_ENDPOINT=https://s3.example.net AWS_REGION=x"
        " wal-g wal-push %p",
        ("WAL-G", "b-one", "cluster", "https://s3.example.net", "x"),
    ),
    (
        "export WALG_S3_PREFIX='s3://b-one/cluster'\nexec wal-g wal-push \"$1\"",
        ("WAL-G", "b-one", "cluster", "", ""),
    ),
    (
        "pgbackrest --stanza=main --repo1-s3-bucket=b-one --repo1-s3-endpoint=s3.example.net"
        " --repo1-s3-region=x --repo1-path=/repo archive-push %p",
        ("pgBackRest", "b-one", "repo", "s3.example.net", "x"),
    ),
]


@pytest.mark.parametrize(("text", "told"), COMMANDS)
def test_what_a_command_says_of_where(text: str, told: tuple[str, str, str, str, str]) -> None:
    assert destinations_of(text) == (Destination(*told),)


def test_two_repositories_are_two() -> None:
    text = (
        "pgbackrest --repo1-s3-bucket=b-one \\\n  --repo2-s3-bucket b-two --repo2-s3-endpoint s3.example.net"
        " archive-push %p"
    )
    assert [each.bucket for each in destinations_of(text)] == ["b-one", "b-two"]


@pytest.mark.parametrize(
    "text",
    [
        "aws s3 cp %p s3://$BUCKET/%f",
        "# aws s3 cp %p s3://b-one/%f",
        "rclone copyto %p remote:b-one/%f",
        "pgbackrest --stanza=main archive-push %p",
        "wal-g wal-push %p",
        "/opt/aws/archive.sh %p",
        "echo s3://b-one/x",
        "",
    ],
)
def test_what_is_computed_commented_or_in_a_file_is_not_known(text: str) -> None:
    assert destinations_of(text) == ()


def test_an_endpoint_that_is_computed_is_no_endpoint() -> None:
    (told,) = destinations_of('aws --endpoint-url "$ENDPOINT" s3 cp %p s3://b-one/%f')
    assert told.endpoint == ""


@given(
    st.text()
    | st.lists(st.sampled_from([*(text for text, _ in COMMANDS), "'", '"', "=", "\n"])).map(" ".join)
)
def test_no_text_makes_it_raise(text: str) -> None:
    for each in destinations_of(text):
        assert each.bucket
        assert str(each).startswith("s3://")


def told_of(command: str, script: str = "") -> tuple[str, ...]:
    snapshot = healthy(archiver=archiver())
    return elsewhere(fold(snapshot, read(Snapshot.command, CommandFacts(command, script=script)), NOW))


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("aws s3 cp %p s3://another-bucket/%f", "s3://another-bucket (aws)"),
        (
            f"aws --endpoint-url https://fra1.example.net --region fra1 s3 cp %p s3://{HERE.bucket}/%f",
            f"s3://{HERE.bucket} (aws, endpoint https://fra1.example.net, region fra1)",
        ),
        (
            f"barman-cloud-wal-archive --endpoint-url https://fra1.example.net s3://{HERE.bucket}/x main %p",
            f"s3://{HERE.bucket}/x (barman-cloud, endpoint https://fra1.example.net)",
        ),
        (
            f"pgbackrest --repo1-s3-bucket={HERE.bucket} --repo1-s3-endpoint=fra1.example.net archive-push",
            "endpoint fra1.example.net",
        ),
    ],
)
def test_which_stands_where_is_told(command: str, words: str) -> None:
    (line,) = told_of(command)
    assert words in line
    assert f"the archive stands in {HERE.bucket} at {HERE.endpoint}" in line
    assert told_of("archive.sh %p", command) == (line,)  # the same in the script


@pytest.mark.parametrize("host", [HOST, f"https://{HOST}", f"{HERE.bucket}.{HOST}"])
def test_where_it_is_the_archive_itself_nothing_is_told(host: str) -> None:
    assert told_of(f"s3cmd --host {host} put %p s3://{HERE.bucket}/wal/%f") == ()
    assert told_of(f"aws s3 cp %p s3://{HERE.bucket}/%f") == ()


@pytest.mark.parametrize(
    "command", ["rclone copyto %p prod:shithub-wal/%f", f"aws s3 cp %p s3://{HERE.bucket}/%f"]
)
@pytest.mark.parametrize("slot", [Snapshot.primary, Snapshot.dr])
def test_while_a_copy_cannot_be_asked_nothing_is_said_to_stand_elsewhere(command: str, slot: AnySlot) -> None:
    """A refused primary is where the command writes to; that the second copy was read makes it no other."""
    seen = healthy(archiver=archiver(), command=CommandFacts(command))
    for unread in (broken(slot, "LIST: AccessDenied", "AccessDenied"), Reading(slot)):
        assert elsewhere(fold(seen, unread, NOW)) == ()


def test_an_archive_stands_only_where_some_of_it_was_seen() -> None:
    command = CommandFacts("aws s3 cp %p s3://another-bucket/%f")
    empty: dict[str, Any] = {"segments": 0, "newest_segment": None, "oldest_segment": None, "holding": None}
    (line,) = elsewhere(healthy(command=command, primary=bucket(**empty)))
    assert "the archive stands in shithub-wal-dr at" in line
    (line,) = elsewhere(healthy(command=command, primary=bucket(**empty), dr=bucket(BucketRole.DR, **empty)))
    assert f"the archive is looked for in {HERE.bucket} at {HERE.endpoint} and shithub-wal-dr" in line
