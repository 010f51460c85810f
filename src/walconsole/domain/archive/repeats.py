"""The same segment under two keys: is it the same content."""

from walconsole.domain.archive.layouts import segment_suffix, split_key
from walconsole.domain.archive.listing import StoredObject


def identical(one: StoredObject, other: StoredObject) -> bool | None:
    """Whether two stored segments have the same bytes, None where a listing cannot tell.

    An ETag is the content's MD5 only where it has no dash: a multipart upload's is a checksum of
    checksums (S3's documentation of ETag). Compressed objects of equal content may differ.
    """
    if one.etag and one.etag == other.etag and one.size == other.size:
        return True
    first, second = (segment_suffix(split_key(stored.key)[1]) for stored in (one, other))
    plain = not first and not second
    if plain and one.size != other.size:
        return False
    if plain and one.etag and other.etag and "-" not in one.etag + other.etag:
        return False
    return None
