"""Grants: merging raises and adds, and touches nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from walconsole.domain.store.grants import (
    FULL_ACCESS,
    READ,
    READWRITE,
    KeyGrant,
    differences,
    may_write,
    permission_on,
    with_permission,
    with_readwrite,
)

BUCKETS = st.sampled_from(("a", "b", "c", "wal", "wal-dr"))
GRANTS = st.lists(st.builds(KeyGrant, BUCKETS, st.sampled_from((READ, READWRITE, ""))), max_size=6)


def _grants(pairs: list[tuple[str, str]]) -> tuple[KeyGrant, ...]:
    return tuple(KeyGrant(bucket, permission) for bucket, permission in pairs)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([], [("wal", READWRITE)]),
        ([("a", READ)], [("a", READ), ("wal", READWRITE)]),
        ([("wal", READ), ("a", READ)], [("wal", READWRITE), ("a", READ)]),
        ([("a", READ), ("wal", READWRITE)], [("a", READ), ("wal", READWRITE)]),
        ([("wal", READ), ("a", READWRITE), ("wal", READ)], [("wal", READWRITE), ("a", READWRITE)]),
        ([("", FULL_ACCESS)], [("", FULL_ACCESS)]),
        ([("wal", "admin")], [("wal", "admin")]),
    ],
)
def test_merging(before: list[tuple[str, str]], after: list[tuple[str, str]]) -> None:
    assert with_readwrite(_grants(before), ["wal"]) == _grants(after)


@given(GRANTS, st.lists(BUCKETS, max_size=3))
def test_merging_gives_what_is_wanted_and_leaves_the_rest(grants: list[KeyGrant], buckets: list[str]) -> None:
    merged = with_readwrite(grants, buckets)
    assert all(may_write(merged, bucket) for bucket in buckets)
    assert [one for one in merged if one.bucket not in buckets] == [
        one for one in grants if one.bucket not in buckets
    ]
    assert with_readwrite(merged, buckets) == merged
    assert all(line.partition(":")[0] in buckets for line in differences(grants, merged))


@given(
    st.lists(
        st.builds(KeyGrant, BUCKETS, st.sampled_from((READ, READWRITE))),
        max_size=5,
        unique_by=lambda one: one.bucket,
    ),
    BUCKETS,
)
def test_the_way_back_is_the_way_back(grants: list[KeyGrant], bucket: str) -> None:
    before = permission_on(grants, bucket)
    back = with_permission(with_readwrite(grants, [bucket]), bucket, before)
    assert differences(grants, back) == ()


def test_order_is_no_difference_and_a_bucket_is_a_line() -> None:
    one, other = _grants([("a", READ), ("b", READ)]), _grants([("b", READ), ("a", READ)])
    assert differences(one, other) == ()
    assert differences(one, _grants([("b", READWRITE), ("c", READ)])) == (
        "a: read -> none",
        "b: read -> readwrite",
        "c: none -> read",
    )
