"""What a bucket holds: a full sweep first, then only what is new, and a sweep a day.

The first sweep is shown while it runs; where an earlier session saved an index that is still true, it
is taken instead. A poll lists from a little below the newest key, so that segments which a parallel
writer stored out of order are seen; it is one request when nothing is new. Known gaps, the oldest
segment and the newest base backup's own WAL are looked at once a minute. What else changes far below
the newest key, a sweep finds: the daily one, the operator's, or one that a contradiction asks for.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace

from walconsole.domain.archive.gaps import AcceptedGap
from walconsole.domain.archive.layouts import Place
from walconsole.domain.archive.losses import Losses
from walconsole.domain.archive.resized import losses_since
from walconsole.domain.facts.observed import BucketFacts
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.profile import BucketRole, BucketTarget
from walconsole.domain.redaction import safe
from walconsole.domain.store.answers import Meaning
from walconsole.domain.wal import DEFAULT_SEGMENT_BYTES, WalNameKind, wal_name
from walconsole.errors import ObjectStoreError, RegisterError
from walconsole.observe.bucket.backups import read_backups
from walconsole.observe.bucket.checks import (
    backups_wal_is_gone,
    check_gaps,
    find_label,
    find_left_behind,
    is_contradicted,
    lost_is_back,
    oldest_is_gone,
)
from walconsole.observe.bucket.drills import read_drills
from walconsole.observe.bucket.heads import read_heads
from walconsole.observe.bucket.marked import look_under_marks
from walconsole.observe.bucket.memory import document_of, recalled
from walconsole.observe.bucket.own_archive import own_place
from walconsole.observe.bucket.picture import BucketPicture
from walconsole.observe.bucket.side_by_side import together
from walconsole.observe.bucket.sweep import Sweep, SweepSchedule
from walconsole.observe.poller.probe import Fact
from walconsole.ports import Clock, GapRegister, IndexShelf, ObjectStore, Plain

CHECK_EVERY_S = 60.0
REFUSED_AGAIN_S = 10.0
"""Where what a base backup says could not be read."""
SAVE_EVERY_S = 600.0
SLICE_S = 1.0
"""A sweep yields to the screen this often."""
_FIRST_POLL_KEYS = 200


class BucketProbe:
    """Fills PRIMARY or DR.

    `segment_bytes` gives the server's wal_segment_size once it is known; until then the names tell.
    `last_archived` gives the file that PostgreSQL says it archived last, `system_identifier` the cluster's
    (of several archives in one bucket its own is the one that counts). `wake(name)` asks the poller
    for another attempt at once, for a sweep takes several. `picture` is what an earlier probe knew by now.
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
        plain: Plain,
        shelf: IndexShelf,
        register: GapRegister,
        last_archived: Callable[[], str | None] = lambda: None,
        system_identifier: Callable[[], str | None] = lambda: None,
        picture: BucketPicture | None = None,
    ) -> None:
        self.name = f"{'find' if target.folder else 'S3 LIST'} {target.bucket}"
        self.slots = (Snapshot.primary if target.role is BucketRole.PRIMARY else Snapshot.dr,)
        self.target, self.store, self.plain, self.register = target, store, plain, register
        self.clock = clock
        self._shelf = shelf
        self._segment_bytes, self._wake, self._last_archived = segment_bytes, wake, last_archived
        self._system_identifier = system_identifier
        self._checked_for: str | None = None
        self._taken_up = False
        self._own: Place | None = None
        self._assumed_bytes = DEFAULT_SEGMENT_BYTES
        self._told_bytes: int | None = None
        self._picture: BucketPicture | None = None
        self._coming: BucketPicture | None = None
        self._handed_on = picture
        self._sweep: Sweep | None = None
        self._before: BucketPicture | None = None
        self._recalled = False
        self._schedule = SweepSchedule()
        self._check_due = self._save_due = 0.0
        self._said: str | None = None
        self._listed_at = 0.0
        self._saved: tuple[int, Losses] = (-1, {})
        self._accepted: tuple[AcceptedGap, ...] = ()
        self._register_problem = ""
        self._label_sought = ""

    @property
    def picture(self) -> BucketPicture | None:
        """The last complete one."""
        return self._picture

    def refresh(self) -> None:
        """List everything anew."""
        self._schedule.anew()
        self._check_due = 0.0

    def look_again(self) -> None:
        """Read the accepted gaps anew, during a sweep too, and show what follows."""
        self._read_register()
        self._check_due = 0.0
        self._wake(self.name)

    async def take(self) -> Sequence[Fact]:
        """Sweep on, or poll. Raises ObjectStoreError (SshError where the key is on the droplet).

        The fact was true when the newest keys were listed: looks at objects and a sweep may take long
        after that, and what PostgreSQL archives meanwhile is not missing.
        """
        try:
            picture = await self._look()
        except ObjectStoreError as error:
            if error.meaning is Meaning.ABSENT_BUCKET:
                self._before = self._picture or self._before
                self._picture = self._coming = self._sweep = self._told_bytes = None
            raise
        whole = picture is self._picture
        listed_at = self._listed_at if whole else self.clock.now()
        return [Fact(self.slots[0], self._facts(picture), listed_at, self.name)]

    async def save(self) -> None:
        """Keep the index for the next session. Never raises: a shelf does not."""
        picture = self._picture
        if picture is None or self._before is not None:
            return
        if picture.main is None and not picture.losses:
            return
        state = picture.objects, picture.losses
        if state == self._saved:
            return
        self._saved = state
        document = document_of(picture, self.target)
        await asyncio.to_thread(self._shelf.save, document)

    # What to look at now.

    async def _look(self) -> BucketPicture:
        """The picture to show: the old one while another is being made, if there is one."""
        taken_up = not self._recalled and await self._recall()
        if self._sweep is None and self._is_due():
            await self._begin()
        if self._sweep is not None and self._coming is not None:
            return await self._sweep_on(self._sweep, self._coming)
        if self._picture is None:
            raise AssertionError("a finished sweep leaves a picture")
        just_listed = self._just_taken_up
        if taken_up:
            await self._poll_and_read_backups(self._picture)
        elif not just_listed:
            await self._poll(self._picture)
        await self._compare(self._picture)
        await self._look_for_label(self._picture)
        self._taken_up = taken_up
        if taken_up:
            self._wake(self.name)  # what objects say comes after what their keys say
        else:
            await self._check(self._picture, just_listed=just_listed)
        return self._picture

    @property
    def _just_taken_up(self) -> bool:
        """Whether the attempt before listed the newest keys, base backups and the oldest segment."""
        return self._taken_up and self.clock.now() < self._listed_at + self.cadence_s

    async def _recall(self) -> bool:
        """Take up what an earlier session saved, where the bucket still is what it says."""
        known = self._handed_on, self._shelf, self.target
        picture, found = await recalled(*known, self.store, self.clock.now())
        self._recalled = True
        if picture is None:
            return False
        self._assumed_bytes = picture.index.segment_bytes
        if not found:
            self._before = picture
            return False
        self._picture = picture
        age_s = max(0.0, self.clock.now() - picture.swept_at)  # a clock may have been wrong when it was saved
        self._schedule.recalled(self.clock.monotonic(), age_s)
        self._saved = picture.objects, picture.losses
        self._read_register()
        return True

    def _is_due(self) -> bool:
        picture = self._picture
        if picture is None or picture.index.segment_bytes != self._wanted_bytes():
            return True
        now = self.clock.monotonic()
        if picture.main is None:
            return self._schedule.is_due_of_nothing(now, picture.objects)
        return self._schedule.is_due(now)

    def _wanted_bytes(self) -> int:
        """The server's, else what the newest segment's own header says, else what the names suggest."""
        return self._segment_bytes() or self._told_bytes or self._assumed_bytes

    # The sweep.

    async def _begin(self) -> None:
        """The first page comes before it is decided by which segment size names are read.

        Who reads the key on the droplet knows of the server's files by then: a size that was only supposed
        would have all listed twice.
        """
        first = await self.store.page()
        self._coming = picture = BucketPicture(self.target.prefix, self._wanted_bytes())
        picture.own = self._own
        self._sweep = Sweep(self.store, picture.index, picture.page_seen, self.target.connections, first)
        self._schedule.begun(self.clock.monotonic())

    async def _sweep_on(self, sweep: Sweep, coming: BucketPicture) -> BucketPicture:
        before = self._picture
        stale = self.clock.now() >= self._listed_at + self.cadence_s
        if stale and before is not None and before.main is not None:
            await self._poll(before)  # what is shown meanwhile must not fall behind the server
        if await sweep.advance(SLICE_S):
            self._finish(coming)
            await self._poll_and_read_backups(coming, just_listed=True)
            await self._compare(coming)
            return coming
        self._wake(self.name)
        shown = self._picture or coming
        shown.progress = sweep.progress(sum(archive.segments for archive in coming.index.archives.values()))
        return shown

    def _finish(self, picture: BucketPicture) -> None:
        picture.complete, picture.swept_at = True, self.clock.now()
        picture.progress = None
        if self._picture is not None:
            picture.take_over(self._picture)
        size = picture.index.segment_bytes
        earlier = [each for each in (self._before, self._picture) if each is not None]
        alike = (each for each in earlier if each.index.segment_bytes == size)
        self._before = next(alike, earlier[-1] if earlier else None)
        self._schedule.ended(self._sweep.pages if self._sweep is not None else 0)
        self._picture, self._coming, self._sweep = picture, None, None
        self._listed_at = self.clock.now()
        self._check_due = self._save_due = 0.0
        self._read_register()
        if self._segment_bytes() is None:
            self._assumed_bytes = picture.suggested_segment_bytes()
        if picture.main is None:
            self._told_bytes = None
        if picture.main is not None:
            self._wake(self.name)  # what objects say comes after what their keys say

    async def _compare(self, picture: BucketPicture) -> None:
        """What the listing before this one held and this one does not: what is lost is remembered."""
        before = self._before
        if before is None:
            return
        main = before.main.place if before.main is not None else None
        picture.losses = losses_since(before.index, main, before.losses, picture.index, self.clock.now())
        self._before = None
        if picture.losses != before.losses:
            await self.save()

    def _sweep_soon(self) -> None:
        """Something contradicts the index: list anew."""
        if self._schedule.contradicted(self.clock.monotonic()):
            self._wake(self.name)

    def _sweep_for_change(self) -> None:
        """A poll saw that something is gone, or another: list anew."""
        if self._schedule.changed(self.clock.monotonic()):
            self._wake(self.name)

    def _doubt(self, picture: BucketPicture) -> None:
        """Something of it was seen to be gone: nothing is promised before it was listed anew."""
        picture.doubted = True
        self._sweep_for_change()

    # The poll, and the looks beyond it.

    async def _poll(self, picture: BucketPicture) -> None:
        """Fold what is new; one request when nothing is."""
        self._said = self._last_archived()
        after, max_keys = picture.poll_after(), _FIRST_POLL_KEYS
        first = True
        while True:
            page = await self.store.page(start_after=after, max_keys=max_keys)
            if first and picture.vanished(page, after):
                self._doubt(picture)
            elif first and picture.whole_again(page):
                self._sweep_for_change()
            picture.add_new(page)
            keys = page.objects.keys
            watched = picture.heads.watched(picture.newest_key)
            if picture.heads.listed(page.objects[at] for at, key in enumerate(keys) if key in watched):
                self._check_due = 0.0
            if not page.truncated or not keys or keys[-1] <= after or not picture.in_main(keys[-1]):
                self._listed_at = self.clock.now() if page.as_of is None else page.as_of
                return
            after, max_keys, first = keys[-1], 1000, False

    async def _look_for_label(self, picture: BucketPicture) -> None:
        """Once for each base backup whose label PostgreSQL says it archived last; it may be stored now."""
        said = wal_name(self._last_archived(), picture.index.segment_bytes)
        if said is None or said.kind is not WalNameKind.BACKUP or said.segment is None:
            return
        if said.text != self._label_sought:
            await find_label(picture, said.segment, self.store, self.clock.now())
            self._label_sought = said.text
            self._check_due = 0.0

    async def _check(self, picture: BucketPicture, *, just_listed: bool = False) -> None:
        """Once a minute: what objects say, and what lies farther back; save now and then.

        Whose server this is, where it is known later, asks for another look among several archives alone.
        `just_listed`: the base backups and the oldest segment were looked at a moment ago.
        """
        now = self.clock.monotonic()
        holding = picture.holding
        server = self._system_identifier()
        if now < self._check_due and (server == self._checked_for or not picture.other_holdings):
            return
        self._check_due, self._checked_for = now + CHECK_EVERY_S, server
        if holding is None:
            await self._read_new_backups(picture)
            await look_under_marks(picture, self._accepted, self.store, self.clock.now())
            return
        self._read_register()
        others = picture.other_holdings
        await read_heads(picture.heads, holding, others, self.store, self.plain, self.clock.now())
        if others and server is not None and await self._choose_own(picture, server):
            return
        if not just_listed:
            await self._read_new_backups(picture)
        if picture.backups.worth_another_look:
            self._check_due = now + REFUSED_AGAIN_S
        newest = picture.heads.newest
        if self._told_bytes is None and newest is not None and newest.header is not None:
            # Once: where sizes are mixed it would go on for ever.
            self._told_bytes = newest.header.segment_bytes
            if self._is_due():
                self._wake(self.name)
        await self._look_back(picture, just_listed=just_listed)
        if picture.heads.replaced:
            self._check_due = 0.0
        picture.checked_at = self.clock.now()
        if now >= self._save_due:
            self._save_due = now + SAVE_EVERY_S
            await self.save()

    async def _look_back(self, picture: BucketPicture, *, just_listed: bool) -> None:
        """The known gaps, the timeline that was left, the oldest segment, the newest base backup's WAL, what
        was lost.
        """
        now_s = self.clock.now()
        await check_gaps(picture, picture.continuity(self._accepted), self.store, now_s)
        await find_left_behind(picture, picture.continuity(self._accepted), self.store, now_s)
        await look_under_marks(picture, self._accepted, self.store, now_s)
        oldest_gone = not just_listed and await oldest_is_gone(picture, self.store, now_s)
        if oldest_gone or self._contradicted(picture):
            self._sweep_soon()
        if await backups_wal_is_gone(picture, self.store, now_s):
            self._doubt(picture)
        if await lost_is_back(picture, self.store, now_s):
            self._sweep_soon()

    async def _poll_and_read_backups(self, picture: BucketPicture, *, just_listed: bool = False) -> None:
        """Side by side, for the first picture waits for both; the poll begins after all was listed.

        The newest keys may have been listed long ago.
        """
        if picture.main is None:
            await self._read_backups(picture, just_listed=just_listed)
            return
        _, read = await together(self._poll(picture), self._read_backups(picture, just_listed=just_listed))
        if read and not just_listed:
            await self._poll(picture)

    async def _read_new_backups(self, picture: BucketPicture) -> None:
        """What base backups say. One that is new needs WAL that was stored after the last poll."""
        if await self._read_backups(picture) and picture.main is not None:
            await self._poll(picture)

    async def _read_backups(self, picture: BucketPicture, *, just_listed: bool = False) -> bool:
        """What base backups say; whether anything of it is new."""
        root = picture.main.place.root if picture.main is not None else ""
        prefix = picture.index.prefix
        where = picture.index.whereabouts
        backups = read_backups(
            picture.backups, where, root, prefix, self.store, self.plain, just_listed=just_listed
        )
        drills = read_drills(picture.drills, prefix, self.store, empty=not picture.index.archives)
        new, _ = await together(backups, drills)
        return new

    async def _choose_own(self, picture: BucketPicture, server: str) -> bool:
        """Turn to the server's own archive where another cluster's was written to last; True if so."""
        own = await own_place(picture, server, self.store, self.plain)
        if own is None:
            return False
        self._own = own
        picture.choose(own)
        self._check_due = 0.0
        self._wake(self.name)
        return True

    def _contradicted(self, picture: BucketPicture) -> bool:
        said = self._said if self.target.role is BucketRole.PRIMARY else None
        return is_contradicted(picture, self._accepted, wal_name(said, picture.index.segment_bytes))

    # What is shown.

    def _read_register(self) -> None:
        try:
            every = self.register.accepted()
        except RegisterError as error:
            self._register_problem = safe(error.line())
            return
        self._register_problem = ""
        place = self.target.endpoint, self.target.bucket
        self._accepted = tuple(gap for gap in every if (gap.endpoint, gap.bucket) == place)

    def _facts(self, picture: BucketPicture) -> BucketFacts:
        said = wal_name(self._last_archived(), picture.index.segment_bytes)
        archived = said.segment if said is not None else None
        hint, endpoint = self.store.key_hint, self.store.key_endpoint
        facts = picture.facts(self.target, hint, endpoint, self._accepted, archived)
        undecided = picture.checked_at is None and picture.own is None and bool(facts.other_holdings)
        if undecided or picture.index.segment_bytes != self._wanted_bytes():
            facts = replace(facts, complete=False)  # its gaps may be none, or another cluster's
        if self._register_problem:
            facts = replace(facts, unread=(*facts.unread, self._register_problem))
        return facts
