"""Segments under delete markers: read from a bucket's versions, and told as what brings them back."""

from dataclasses import replace

import pytest

from tests.data.facts import NOW, bucket, healthy, holding
from walconsole.adapters.s3.versions import read_versions, versions_query
from walconsole.domain.archive.continuity import continuity
from walconsole.domain.facts.evidence import LifecycleRule, PolicyFacts, RuleAction
from walconsole.domain.facts.observed import BucketFacts, MarkedDeleted
from walconsole.domain.failures import diagnose
from walconsole.domain.round_trips import StoredVersion
from walconsole.domain.standing.model import Level
from walconsole.domain.wal import DEFAULT_SEGMENT_BYTES
from walconsole.errors import ObjectStoreError
from walconsole.observe.bucket.marked import _under_marks

PAGE = """<?xml version="1.0" encoding="UTF-8"?>
<ListVersionsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name><Prefix></Prefix>
<KeyMarker></KeyMarker><VersionIdMarker></VersionIdMarker><MaxKeys>1000</MaxKeys>
<EncodingType>url</EncodingType><IsTruncated>false</IsTruncated>
<DeleteMarker><Key>a%2F000000010000000000000003</Key><VersionId>m3</VersionId><IsLatest>true</IsLatest>
<LastModified>2026-11-30T20:00:00.000Z</LastModified><Owner><ID>o</ID></Owner></DeleteMarker>
<Version><Key>a%2F000000010000000000000003</Key><VersionId>v3</VersionId><IsLatest>false</IsLatest>
<LastModified>2026-11-30T10:00:00.000Z</LastModified><ETag>&quot;e&quot;</ETag><Size>16777216</Size></Version>
<Version><Key>a%2F000000010000000000000004</Key><VersionId>v4</VersionId><IsLatest>true</IsLatest>
<LastModified>2026-11-30T10:01:00.000Z</LastModified><Size>16777216</Size></Version>
<DeleteMarker><Key>a%2Fx&amp;y</Key><VersionId>mx</VersionId><IsLatest>true</IsLatest>
<LastModified>2026-11-30T20:00:01.000Z</LastModified></DeleteMarker>
</ListVersionsResult>
"""


def complaint(why: str) -> ObjectStoreError:
    return ObjectStoreError("read versions", why, code="")


def test_versions_are_read_in_their_order() -> None:
    found = read_versions(PAGE.encode(), complaint)
    assert [(each.key, each.id, each.newest, each.marks_deleted) for each in found] == [
        ("a/000000010000000000000003", "m3", True, True),
        ("a/000000010000000000000003", "v3", False, False),
        ("a/000000010000000000000004", "v4", True, False),
        ("a/x&y", "mx", True, True),
    ]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(text, id=name)
        for name, text in {
            "nothing": b"",
            "no text": b"\xff<ListVersionsResult></ListVersionsResult>",
            "cut": PAGE.encode()[:-30],
            "a page": b"<html>login</html>",
            "no id": PAGE.replace("<VersionId>v3</VersionId>", "").encode(),
            "no time": PAGE.replace("2026-11-30T10:00:00.000Z", "yesterday").encode(),
        }.items()
    ],
)
def test_what_is_no_list_of_versions_is_refused(body: bytes) -> None:
    with pytest.raises(ObjectStoreError):
        read_versions(body, complaint)


def test_the_query_has_its_names_in_order() -> None:
    asked = versions_query("a b/", "a b/0001", 7)
    assert asked == "encoding-type=url&key-marker=a%20b%2F0001&max-keys=7&prefix=a%20b%2F&versions="
    assert versions_query("", "", 7) == "encoding-type=url&max-keys=7&versions="


def _version(key: str, *, newest: bool, marks: bool) -> StoredVersion:
    return StoredVersion(key, f"{key}{newest}{marks}", NOW, newest, marks)


def test_only_a_marker_with_an_object_under_it_counts() -> None:
    versions = [
        _version("gone", newest=True, marks=True),
        _version("gone", newest=False, marks=False),
        _version("nothing", newest=True, marks=True),
        _version("put again", newest=True, marks=False),
        _version("put again", newest=False, marks=True),
        _version("put again", newest=False, marks=False),
    ]
    assert [key for key, _ in _under_marks(versions)] == ["gone"]


def holed(**changes: object) -> BucketFacts:
    held = holding(without=range(0x10, 0x14))
    found = continuity(held.timelines, {}, DEFAULT_SEGMENT_BYTES)
    marked = MarkedDeleted(4, 4, "000000010000000000000010", "000000010000000000000013", NOW - 300)
    return replace(
        bucket(gaps=found.gaps, holding=held, continuity=found, marked=marked),
        **changes,  # type: ignore[arg-type]
    )


def test_it_is_the_cause_of_the_hole_and_says_how_to_take_it_back() -> None:
    found = diagnose(healthy(primary=holed()), NOW)
    assert found.verdict.level is Level.CRITICAL
    story = found.stories[0]
    assert story.root.rule == "deleted-by-marker"
    assert "gap" in [each.rule for each in story.consequences]
    assert story.root.title.startswith(
        "4 segments of the primary bucket lie under delete markers: deleted 5 min"
    )
    commands = story.root.fixes[0].commands
    assert '"000000010000000000000010"' in commands[0]
    assert "--version-id" in commands[1]


def test_a_rule_that_deletes_older_versions_is_told_with_it() -> None:
    rule = LifecycleRule("tidy", RuleAction.OLD_VERSIONS, days=3)
    story = diagnose(healthy(primary=holed(), policy=PolicyFacts((rule,))), NOW).stories[0]
    assert any("rule tidy deletes older versions after 3 days" in line for line in story.root.evidence)


def test_a_key_that_may_be_anything_is_in_no_command() -> None:
    marked = MarkedDeleted(1, 0, "a'; rm -rf /; '", "b\x1b[2J", NOW - 5)
    story = diagnose(healthy(primary=holed(marked=marked)), NOW).stories[0]
    assert story.root.fixes == ()
    assert all("\x1b" not in line for line in story.root.evidence)
