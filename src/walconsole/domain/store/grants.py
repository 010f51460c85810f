"""What a limited Spaces key may do: grants merged and compared.

PUT replaces a key's whole list (DigitalOcean's API reference), so that a change has to carry all that stays.
Permissions are in the API's own words.
"""

from collections.abc import Iterable, Sequence

from walconsole.domain.records import record

READ, READWRITE, FULL_ACCESS = "read", "readwrite", "fullaccess"
_RANK = {"": 0, READ: 1, READWRITE: 2, FULL_ACCESS: 3}


@record
class KeyGrant:
    """One grant of a Spaces key; full access is bucket "" with permission "fullaccess"."""

    bucket: str
    permission: str


def permission_on(grants: Iterable[KeyGrant], bucket: str) -> str:
    """The highest permission on `bucket`, `fullaccess` where the key has that on all; empty: none."""
    found = [one.permission for one in grants if one.bucket == bucket or one.permission == FULL_ACCESS]
    return max(found, key=_rank, default="")


def may_write(grants: Iterable[KeyGrant], bucket: str) -> bool:
    """Whether a key with these grants may read and write there."""
    return _rank(permission_on(grants, bucket)) >= _RANK[READWRITE]


def with_readwrite(grants: Sequence[KeyGrant], buckets: Iterable[str]) -> tuple[KeyGrant, ...]:
    """The grants with `readwrite` on each of `buckets`: raised where it is less, added where there is none.

    Every other grant stays, in its place. A key with full access is left as it is: the two cannot be mixed.
    """
    if any(one.permission == FULL_ACCESS for one in grants):
        return tuple(grants)
    merged = list(grants)
    for bucket in dict.fromkeys(buckets):
        if may_write(merged, bucket):
            continue
        first = _first(merged, bucket)
        merged = [one for at, one in enumerate(merged) if one.bucket != bucket or at == first]
        merged[first : first + 1] = [KeyGrant(bucket, READWRITE)]
    return tuple(merged)


def with_permission(grants: Sequence[KeyGrant], bucket: str, permission: str) -> tuple[KeyGrant, ...]:
    """The grants with just that permission on `bucket`, none where it is empty; the way back."""
    at = _first(grants, bucket)
    others = [one for one in grants if one.bucket != bucket]
    if permission:
        others.insert(sum(one.bucket != bucket for one in grants[:at]), KeyGrant(bucket, permission))
    return tuple(others)


def differences(before: Iterable[KeyGrant], after: Iterable[KeyGrant]) -> tuple[str, ...]:
    """What changed, a line a bucket (`shithub-wal: read -> readwrite`); order alone is no change."""
    old, new = list(before), list(after)
    buckets = dict.fromkeys(one.bucket for one in (*old, *new))
    lines = []
    for bucket in buckets:
        was, now = _words(old, bucket), _words(new, bucket)
        if was != now:
            lines.append(f"{bucket or 'all buckets'}: {was} -> {now}")
    return tuple(lines)


def _words(grants: Iterable[KeyGrant], bucket: str) -> str:
    found = sorted({one.permission or "nothing" for one in grants if one.bucket == bucket})
    return "+".join(found) or "none"


def _first(grants: Sequence[KeyGrant], bucket: str) -> int:
    """Where the bucket's first grant is; the end where it has none."""
    return next((at for at, one in enumerate(grants) if one.bucket == bucket), len(grants))


def _rank(permission: str) -> int:
    """A permission that is not known yet is no reason to lower it."""
    return _RANK.get(permission, _RANK[READWRITE])
