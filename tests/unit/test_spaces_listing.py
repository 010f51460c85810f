"""Reading ListObjectsV2 answers: RGW's and AWS's ways to write a key, and what is no listing."""

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from walconsole.adapters.s3.answers import read_listing, timestamp
from walconsole.domain.archive.listing import StoredObject
from walconsole.domain.store.http_date import http_date
from walconsole.errors import ObjectStoreError

HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
)
NAME = "000000010000000000000001"


def complaint(why: str) -> ObjectStoreError:
    return ObjectStoreError("listing", why, code="NotS3")


def entry(key: str, size: int = 5) -> str:
    return (
        f"<Contents><Key>{key}</Key><LastModified>2026-08-01T12:00:00.500Z</LastModified>"
        f"<ETag>&quot;d41d&quot;</ETag><Size>{size}</Size><StorageClass>STANDARD</StorageClass>"
        "<Owner><ID>1</ID><DisplayName>Key</DisplayName></Owner></Contents>"
    )


def body(*entries: str, encoded: bool = True, truncated: bool = False, tail: str = "") -> bytes:
    encoding = "<EncodingType>url</EncodingType>" if encoded else ""
    flag = f"<IsTruncated>{str(truncated).lower()}</IsTruncated>"
    return f"{HEAD}<Name>b</Name>{encoding}{flag}{''.join(entries)}{tail}</ListBucketResult>\n".encode()


@pytest.mark.parametrize(
    ("written", "key", "encoded"),
    [
        (NAME, NAME, True),
        (f"2026%2F08%2F01%2F{NAME}", f"2026/08/01/{NAME}", True),
        (f"2026/08/01/{NAME}", f"2026/08/01/{NAME}", False),
        ("it&apos;s%20here", "it's here", True),
        ("a+b%2Bc", "a b+c", True),
        ("a+b%2Bc", "a+b%2Bc", False),
        ("a%26lt%3Bb", "a&lt;b", True),
        ("a&amp;lt;b&#39;&#x41;", "a&lt;b'A", False),
        ("%E2%82%AC%0A", "€\n", True),
        ("a&#1;b", "a\x01b", False),
        ("&nosuch;&#99999999;", "&nosuch;&#99999999;", False),
        ("", "", True),
    ],
)
def test_keys_as_they_are_written(written: str, key: str, encoded: bool) -> None:
    objects, _ = read_listing(body(entry(written), entry(NAME), encoded=encoded), complaint)
    assert list(objects.keys) == [key, NAME]
    assert objects[0] == StoredObject(key, 5, 1785585600.5, "d41d")
    assert objects.modified_at(0) == 1785585600.5


@pytest.mark.parametrize("sizes", [(7, 7, 7), (7, 8, 9), (0, 0, 1)])
def test_sizes_are_summed_up_to_a_position(sizes: tuple[int, ...]) -> None:
    objects, _ = read_listing(body(*(entry(f"k{n}", size) for n, size in enumerate(sizes))), complaint)
    assert [objects.stored_bytes(0, count) for count in range(4)] == [
        sum(sizes[:count]) for count in range(4)
    ]


@pytest.mark.parametrize("sizes", [(), (0,), (7, 7, 7), (0, 0, 0, 0), (7, 0, 9), (0, 0, 1), (100, 0, 10, 0)])
def test_objects_of_other_sizes_are_found(sizes: tuple[int, ...]) -> None:
    objects, _ = read_listing(body(*(entry(f"k{at}", size) for at, size in enumerate(sizes))), complaint)
    for start in range(len(sizes) + 1):
        for stop in range(start, len(sizes) + 1):
            for least, most in ((1, sys.maxsize), (1, 10**9), (7, 7), (0, 8)):
                assert list(objects.outside(start, stop, least, most)) == [
                    (at, sizes[at]) for at in range(start, stop) if not least <= sizes[at] <= most
                ]


@given(st.lists(st.tuples(st.text("ab/%é", max_size=40), st.integers(0, 10**12)), max_size=12))
def test_objects_of_any_width_are_all_read(listed: list[tuple[str, int]]) -> None:
    """What lies between two keys is skipped unread: by no more than what lies there."""
    objects, _ = read_listing(body(*(entry(key, size) for key, size in listed), encoded=False), complaint)
    assert list(objects.keys) == [key for key, _ in listed]
    assert objects.stored_bytes(0, len(listed)) == sum(size for _, size in listed)


@pytest.mark.parametrize("truncated", [True, False])
def test_whether_more_follows(truncated: bool) -> None:
    assert read_listing(body(entry("a"), truncated=truncated), complaint)[1] is truncated
    assert read_listing(body(truncated=truncated), complaint)[1] is truncated
    flag = f"<IsTruncated>{str(truncated).lower()}</IsTruncated>"
    tailed = f"{HEAD}{entry('a')}{flag}</ListBucketResult>".encode()
    assert read_listing(tailed, complaint)[1] is truncated


def test_a_key_cannot_pretend_to_be_the_flag() -> None:
    text = body(entry("a"), entry("&lt;IsTruncated&gt;true&lt;"), truncated=False, encoded=False)
    objects, truncated = read_listing(text, complaint)
    assert (list(objects.keys), truncated) == (["a", "<IsTruncated>true<"], False)


def test_an_empty_page() -> None:
    objects, truncated = read_listing(body(), complaint)
    assert (len(objects), truncated, objects.stored_bytes(0, 0)) == (0, False, 0)


whole = body(entry("a"), entry("b"))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"<html>hello</html>",
        whole[:-30],
        whole[: len(whole) // 2],
        b"\xff\xfe" + whole,
        b"{}",
        HEAD.encode(),
        body(entry("a").replace("<Key>a</Key>", "<Key><![CDATA[a]]></Key>")),
        body(entry("a").replace("<Key>a</Key>", "")),
        body("<KeyCount>2</KeyCount>", entry("a")),
        whole.replace(b"<IsTruncated>false</IsTruncated>", b""),
        whole.replace(b"<IsTruncated>false</IsTruncated>", b"<IsTruncated>f</IsTruncated>"),
    ],
)
def test_what_is_no_complete_listing_is_refused(raw: bytes) -> None:
    with pytest.raises(ObjectStoreError):
        read_listing(raw, complaint)


@pytest.mark.parametrize(
    "broken", ["<Size></Size>", "<Size>x</Size>", "", "<Size>-5</Size>", "<Size>1</Size><Size>2</Size>"]
)
def test_sizes_that_cannot_be_read_are_refused(broken: str) -> None:
    objects, _ = read_listing(body(entry("a").replace("<Size>5</Size>", broken), entry("b", 6)), complaint)
    with pytest.raises(ObjectStoreError, match="sizes"):
        objects.stored_bytes(0, 2)


def test_a_time_that_cannot_be_read_is_refused() -> None:
    objects, _ = read_listing(body(entry("a").replace("2026-08-01", "2026-88-01")), complaint)
    with pytest.raises(ObjectStoreError, match="time"):
        _ = objects[0]


def test_times() -> None:
    assert timestamp("2026-08-01T12:00:00Z") == timestamp("2026-08-01T14:00:00+02:00") == 1785585600.0
    assert timestamp("yesterday") is None
    assert http_date("Sat, 01 Aug 2026 12:00:00 GMT") == 1785585600.0
    assert http_date("now") is None
    assert http_date(None) is None
