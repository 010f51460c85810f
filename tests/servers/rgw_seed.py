"""Fill a bucket's index of Ceph RGW with entries that have no object: a listing of a million in seconds.

Run by the system's Python, for which Debian packages Ceph's library (python3-rados):

    rgw_seed.py CEPH_CONF BUCKET_MARKER TEMPLATE_KEY FIRST_AT EVERY_S  < keys, one a line

An entry is a copy of TEMPLATE_KEY's, a real object's, under another key and with another time: FIRST_AT
(seconds since the epoch) for the first, EVERY_S more for each that follows. Its encoding is Ceph's
rgw_bucket_dir_entry (src/cls/rgw/cls_rgw_types.h): version and compatibility, length, the key with its
length, epoch u64, exists u8; then the meta data: version, compatibility and length, category u8, size
u64, time (seconds u32, nanoseconds u32).
"""

import struct
import sys
from itertools import islice

import rados  # type: ignore[import-not-found]  # Debian's, which is not in the tests' environment

POOL = "default.rgw.buckets.index"
HEAD = struct.Struct("<2sII")
TIME = struct.Struct("<II")
TIME_AT = 8 + 1 + 6 + 1 + 8
BATCH = 5000


class Seeder:
    """Writes to the index of one bucket that has a single shard."""

    def __init__(self, conf: str, marker: str) -> None:
        self._cluster = rados.Rados(conffile=conf, name="client.admin")
        self._cluster.connect()
        self._pool = self._cluster.open_ioctx(POOL)
        self._index = f".dir.{marker}.0"

    def entry(self, key: str) -> bytes:
        """The encoded entry of an object that is there."""
        with rados.ReadOpCtx() as operation:
            found, _ = self._pool.get_omap_vals_by_keys(operation, (key,))
            self._pool.operate_read_op(operation, self._index)
            return bytes(dict(found)[key])

    def write(self, entries: "dict[str, bytes]") -> None:
        """Add or replace entries."""
        with rados.WriteOpCtx() as operation:
            self._pool.set_omap(operation, tuple(entries), tuple(entries.values()))
            self._pool.operate_write_op(operation, self._index)


class Template:
    """Makes entries that are like one, but for the key and the time."""

    def __init__(self, entry: bytes) -> None:
        self._version, _, key_bytes = HEAD.unpack_from(entry)
        rest = entry[HEAD.size + key_bytes :]
        self._before, self._after = rest[:TIME_AT], rest[TIME_AT + TIME.size :]
        self._rest_bytes = len(rest)

    def entry(self, key: bytes, at: float) -> bytes:
        """The entry of `key`, modified at `at`."""
        head = HEAD.pack(self._version, 4 + len(key) + self._rest_bytes, len(key))
        return head + key + self._before + TIME.pack(int(at), 0) + self._after


def main() -> None:
    conf, marker, template_key, first_at, every_s = sys.argv[1:]
    seeder = Seeder(conf, marker)
    template = Template(seeder.entry(template_key))
    keys = (line.rstrip("\n") for line in sys.stdin)
    at = float(first_at)
    while batch := list(islice(keys, BATCH)):
        times = (at + number * float(every_s) for number in range(len(batch)))
        seeder.write({key: template.entry(key.encode(), when) for key, when in zip(batch, times)})  # noqa: B905  # Python 3.9
        at += len(batch) * float(every_s)


if __name__ == "__main__":
    main()
