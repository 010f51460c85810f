"""Two buckets in memory, with all that retention asks of them: a store, a key that may delete."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from tests.data.bucket_reader import KeysListing
from tests.data.provisioning import a_profile, a_site
from tests.data.recovery import CLUSTER, NOW, SIZE, backup_id, base, copy_of, label
from walconsole.domain.archive.holding import Holding
from walconsole.domain.archive.layouts import Layout, Place
from walconsole.domain.archive.listing import StoredObject
from walconsole.domain.archive.times import StoredTimes
from walconsole.domain.profile import BucketRole, BucketTarget
from walconsole.domain.recovery.backups import BaseBackup, Completeness, Writer
from walconsole.domain.recovery.expiry import Now, expiry_plan
from walconsole.domain.recovery.keep import Keep
from walconsole.domain.recovery.wal_supply import ArchiveCopy
from walconsole.domain.recovery.whereabouts import Folder, read_folder
from walconsole.domain.round_trips import ObjectContent, Page
from walconsole.domain.standing.backup_runs import BackupRuns
from walconsole.domain.standing.retention import Retention
from walconsole.domain.wal import Segment
from walconsole.errors import ObjectStoreError
from walconsole.provision.engine.site import Site
from walconsole.provision.retention.archive_lock import ArchiveLock
from walconsole.provision.retention.look import Look, keys_of, target_of

NEWEST = 30
PREFIX = "wal/"


class KilledError(BaseException):
    """The process is gone: nothing of it runs any more."""


@dataclass
class Bucket:
    """ports.ObjectStore and ports.BucketAdmin over a dictionary. `calls` counts what writes.

    `before` and `after` are called with each call's number; `refuses` are codes by key for its next deletion.
    """

    objects: dict[str, bytes] = field(default_factory=dict)
    before: Callable[[], None] = lambda: None
    after: Callable[[], None] = lambda: None
    refuses: dict[str, list[str]] = field(default_factory=dict)
    may_write: bool = True
    key_hint = "DO00AB…"
    key_endpoint = ""

    async def page(self, *, start_after: str = "", max_keys: int = 1000) -> Page:
        keys = [key for key in sorted(self.objects) if key > start_after]
        listing = KeysListing(keys[:3], lambda key: StoredObject(key, len(self.objects[key]), NOW))
        return Page(listing, len(keys) > 3, NOW, NOW)

    async def read(self, key: str, count: int) -> ObjectContent:
        if key not in self.objects:
            raise ObjectStoreError(f"reading {key}", "there is none", code="NoSuchKey", status=404)
        return ObjectContent(key, self.objects[key][:count], len(self.objects[key]), {}, NOW)

    async def put(self, bucket: str, key: str, body: bytes) -> None:
        self.before()
        if not self.may_write:
            raise ObjectStoreError(f"writing {key}", "no", code="AccessDenied", status=403)
        self.objects[key] = body
        self.after()

    async def erase(self, bucket: str, keys: Sequence[str]) -> Mapping[str, str]:
        self.before()
        assert len(keys) <= 1000
        refused = {key: self.refuses[key].pop(0) for key in keys if self.refuses.get(key)}
        for key in keys:
            if key not in refused:
                self.objects.pop(key, None)
        self.after()
        return refused

    async def close(self) -> None:
        pass


@dataclass
class World:
    """Both buckets, and the backups that were made (days before NOW): what is read of them follows."""

    keep: Keep
    made: list[BaseBackup]
    buckets: dict[BucketRole, Bucket]
    runs: BackupRuns = field(default_factory=BackupRuns)

    def site(self) -> Site:
        """A console of its own."""
        profile = replace(a_profile(), keep=self.keep)
        profile = replace(
            profile,
            primary=replace(profile.primary, prefix=PREFIX),
            dr=replace(profile.dr, prefix=PREFIX),
        )
        site = a_site(profile, None, None, store=lambda target: self.buckets[target.role])  # type: ignore[arg-type]

        async def own(target: BucketTarget) -> Bucket:
            return self.buckets[target.role]

        async def at_once(seconds: float) -> None:
            pass

        site.own, site.sleep, site.clock = own, at_once, AtNow()  # type: ignore[assignment]
        return site

    async def look(self, site: Site, lock: ArchiveLock) -> Look:
        """What `retention.look` makes of two buckets that were listed."""
        copies = tuple(self.copy(role) for role in BucketRole)
        locks = await lock.lying([target_of(site, role) for role in BucketRole])
        plan = expiry_plan(copies, CLUSTER, self.keep, Now(NOW, locks, Segment(1, NEWEST)))
        holdings = tuple(holding_of(copy) for copy in copies)
        found = Retention(self.keep, plan, (), copies, holdings)
        parts = zip(plan.copies, holdings, strict=True)
        return Look(
            NOW,
            found,
            tuple([await keys_of(site, target_of(site, part.role), held, part) for part, held in parts]),
            locks,
            self.runs,
        )

    def copy(self, role: BucketRole) -> ArchiveCopy:
        keys = [key.removeprefix(PREFIX) for key in sorted(self.buckets[role].objects)]
        stored = [Segment.parse(key[:24]).number for key in keys if _is_wal(key)]
        labels = [
            replace(label(Segment.parse(key[:24]).number), segment_bytes=SIZE, keys=(key,))
            for key in keys
            if key.endswith(".backup")
        ]
        return copy_of({1: stored}, *self._backups(keys), *labels, role=role)

    def _backups(self, keys: Sequence[str]) -> Iterator[BaseBackup]:
        for made in self.made:
            names = [key.rpartition("/")[2] for key in keys if key.startswith(f"base/{made.id}/")]
            folder = Folder(Writer.OURS, "base/", made.id, dict.fromkeys(names, 1))
            mine = tuple(folder.key(name) for name in names)
            if "backup.json" in names:
                whole = set(made.keys) <= set(mine)
                completeness = Completeness.COMPLETE if whole else Completeness.INCOMPLETE
                yield replace(made, keys=mine, completeness=completeness)
            elif names:
                (read,) = read_folder(folder, {})
                assert isinstance(read, BaseBackup)
                yield read


def _is_wal(key: str) -> bool:
    return "/" not in key and key.endswith(".zst")


class AtNow:
    """ports.Clock that stands still."""

    def now(self) -> float:
        return NOW

    def monotonic(self) -> float:
        return 0.0


def holding_of(copy: ArchiveCopy) -> Holding:
    """The index of it, as far as retention looks there."""
    return Holding(
        Place(Layout.FLAT), PREFIX, SIZE, copy.timelines, StoredTimes(), 0, {}, {}, (), 0, (), 0, None, "", ""
    )


def world(days: Sequence[float] = (0.2, 0.4, 0.6, 0.8), lost: Sequence[float] = (0.8,)) -> World:
    """Backups of these days, each from segment 30 - 10 * day on; DR has lost some."""
    made = [base(NEWEST - round(10 * day), day=day) for day in sorted(days)]
    buckets = {}
    for role in BucketRole:
        keys = [f"{Segment(1, number).name()}.zst" for number in range(5, NEWEST + 1)]
        keys += [f"{Segment(1, 4).name()}.partial", "00000001.history", "other/x"]
        gone = {backup_id(day) for day in lost} if role is BucketRole.DR else set()
        for each in made:
            keys.append(f"{Segment.at(1, each.start_lsn or 0).name()}.00000028.backup")
            keys += [] if each.id in gone else each.keys
        buckets[role] = Bucket({f"{PREFIX}{key}": b"x" for key in keys})
    return World(Keep(full=2), made, buckets)
