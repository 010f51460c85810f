"""Which of several archives in one bucket is the server's own."""

from walconsole.domain.archive.layouts import Place
from walconsole.domain.store.answers import PASSING
from walconsole.errors import ObjectStoreError
from walconsole.observe.bucket.heads import read_header
from walconsole.observe.bucket.picture import BucketPicture
from walconsole.ports import ObjectStore, Plain


async def own_place(
    picture: BucketPicture, system_identifier: str, store: ObjectStore, plain: Plain
) -> Place | None:
    """Where the server's own archive is, if it is another than the one that was written to last.

    Asked is the head of each other archive's newest segment; None where the main one is not known to be
    another cluster's, or no other is the server's. Raises what the store does where it fails itself.
    """
    newest = picture.heads.newest
    if newest is None or newest.header is None or newest.header.system_identifier == system_identifier:
        return None
    for other in picture.other_holdings:
        if other.newest is not None and await _is_of(other.newest_key, system_identifier, store, plain):
            return other.place
    return None


async def _is_of(key: str, system_identifier: str, store: ObjectStore, plain: Plain) -> bool:
    try:
        header, _ = await read_header(store, plain, key)
    except ObjectStoreError as error:
        if error.meaning in PASSING:
            raise
        return False
    except ValueError:
        return False
    return header.system_identifier == system_identifier
