"""What a bucket holds: a full sweep first, then only what is new, and a sweep again now and then.

The first sweep is shown while it runs. A poll lists from a little below the newest key, so that
segments which a parallel writer stored out of order are seen; it is one request when nothing is
new. What appears far below the newest key, or is deleted, the next sweep finds.
"""

from collections.abc import Callable, Sequence

from walconsole.domain.facts import BucketFacts
from walconsole.domain.profile import BucketRole, BucketTarget
from walconsole.domain.snapshot import Slot
from walconsole.domain.wal import DEFAULT_SEGMENT_BYTES
from walconsole.errors import ObjectStoreError
from walconsole.observe.bucket_picture import BucketPicture
from walconsole.observe.bucket_sweep import Sweep
from walconsole.observe.probe import Fact
from walconsole.ports import Clock, ObjectStore

SWEEP_EVERY_S = 600.0
SLICE_S = 1.0
"""A sweep yields to the screen this often."""
_FIRST_POLL_KEYS = 200


class BucketProbe:
    """Fills PRIMARY or DR.

    `segment_bytes` gives the server's wal_segment_size once it is known; until then the names
    tell. `wake(name)` asks the poller for another attempt at once, for a sweep takes several.
    """

    cadence_s = 5.0
    timeout_s = 40.0

    def __init__(
        self,
        target: BucketTarget,
        store: ObjectStore,
        clock: Clock,
        *,
        segment_bytes: Callable[[], int | None],
        wake: Callable[[str], None],
    ) -> None:
        self.name = f"S3 LIST {target.bucket}"
        self.slots = (Slot.PRIMARY if target.role is BucketRole.PRIMARY else Slot.DR,)
        self._target, self._store, self._clock = target, store, clock
        self._segment_bytes, self._wake = segment_bytes, wake
        self._assumed_bytes = DEFAULT_SEGMENT_BYTES
        self._picture: BucketPicture | None = None
        self._coming: BucketPicture | None = None
        self._sweep: Sweep | None = None
        self._sweep_due = 0.0

    def refresh(self) -> None:
        """List everything anew."""
        self._sweep_due = 0.0

    async def take(self) -> Sequence[Fact]:
        """Sweep on, or poll. Raises ObjectStoreError (SshError where the key is on the droplet)."""
        try:
            picture = await self._look()
        except ObjectStoreError as error:
            if error.code == "NoSuchBucket":
                self._picture = self._coming = self._sweep = None
            raise
        facts = self._facts(picture)
        return [Fact(self.slots[0], facts, self._clock.now(), self.name)]

    async def _look(self) -> BucketPicture:
        """The picture to show: the old one while another is being made, if there is one."""
        if self._sweep is None and self._is_due():
            self._begin()
        if self._sweep is not None and self._coming is not None:
            if not await self._sweep.advance(SLICE_S):
                self._wake(self.name)
                return self._picture or self._coming
            self._finish(self._coming, self._sweep)
        elif self._picture is not None:
            await self._poll(self._picture)
        if self._picture is None:
            raise AssertionError("a finished sweep leaves a picture")
        return self._picture

    def _is_due(self) -> bool:
        picture = self._picture
        if picture is None or picture.index.segment_bytes != self._wanted_bytes():
            return True
        few_and_foreign = picture.main is None and picture.objects < 1000  # one request is enough
        return few_and_foreign or self._clock.monotonic() >= self._sweep_due

    def _wanted_bytes(self) -> int:
        return self._segment_bytes() or self._assumed_bytes

    def _begin(self) -> None:
        self._coming = picture = BucketPicture(self._target.prefix, self._wanted_bytes())
        self._sweep = Sweep(self._store, picture.index, picture.page_seen)
        self._sweep_due = self._clock.monotonic() + SWEEP_EVERY_S

    def _finish(self, picture: BucketPicture, sweep: Sweep) -> None:
        if not sweep.complete:
            raise AssertionError("only a complete sweep becomes the picture")
        picture.complete, picture.swept_at = True, self._clock.now()
        self._picture, self._coming, self._sweep = picture, None, None
        if self._segment_bytes() is None:
            self._assumed_bytes = picture.suggested_segment_bytes()

    async def _poll(self, picture: BucketPicture) -> None:
        """Fold what is new; one request when nothing is."""
        after, max_keys = picture.poll_after(), _FIRST_POLL_KEYS
        while True:
            page = await self._store.page(start_after=after, max_keys=max_keys)
            picture.add_new(page)
            keys = page.objects.keys
            if not page.truncated or not keys or keys[-1] <= after or not picture.in_main(keys[-1]):
                return
            after, max_keys = keys[-1], 1000

    def _facts(self, picture: BucketPicture) -> BucketFacts:
        return picture.facts(self._target, self._store.key_hint, self._store.key_endpoint)
