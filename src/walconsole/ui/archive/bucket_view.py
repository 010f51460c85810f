"""One bucket's keys on the screen: which rows there are, which must be fetched, what is under the cursor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from walconsole.domain.profile import BucketRole
from walconsole.errors import WalconsoleError
from walconsole.ui.archive import pane_contents
from walconsole.ui.archive.browser import KeyRows
from walconsole.ui.archive.navigation import find
from walconsole.ui.archive.stored_key import Copies

if TYPE_CHECKING:
    from walconsole.domain.archive.holding import Holding
    from walconsole.domain.archive.listing import ObjectDetails, StoredObject
    from walconsole.domain.facts.observed import BucketFacts
    from walconsole.domain.wal import Segment
    from walconsole.ports import BucketReader
    from walconsole.ui.archive.panes import KeysPane
    from walconsole.ui.archive.picture import ArchivePicture
    from walconsole.ui.board.glyphs import Glyphs
    from walconsole.ui.board.messages import SnapshotTaken

_OTHER = {BucketRole.PRIMARY: BucketRole.DR, BucketRole.DR: BucketRole.PRIMARY}


class BucketView:
    """Fills a pane with the keys of one bucket. What it fetches its screen runs in workers."""

    def __init__(self, role: BucketRole, pane: KeysPane, glyphs: Glyphs) -> None:
        self.role, self.pane, self.glyphs = role, pane, glyphs
        self.reader: BucketReader | None = None
        self.past = False
        self.rows: KeyRows | None = None
        self.copies = Copies(role, "")
        self._heads: tuple[str, ObjectDetails | str] = ("", "")
        self._wanted_key = ""
        self._fetching: range | None = None

    # What is known.

    def take(
        self,
        reader: BucketReader | None,
        picture: ArchivePicture,
        taken: SnapshotTaken,
        *,
        past: bool = False,
    ) -> None:
        """A newer snapshot; the cursor stays on its key. `past`: it is one of then, and nothing is read."""
        key = self.key
        self.reader, self.past = reader, past
        self._take_copies(picture.facts(self.role), picture.facts(_OTHER[self.role]))
        marks = reader.marks if reader is not None else None
        if reader is None or marks is None or not marks.total:
            self.rows = None
            self.show(taken)
        elif self.rows is None or self.rows.reader is not reader:
            self.rows = KeyRows(reader, self.copies, self.glyphs, now=taken.now, width=self._width)
            self.show(taken, len(self.rows) - 1)
        else:
            before = self.pane.cursor
            row = self.rows.refresh(marks, self.copies, now=taken.now, row=before)
            if key and self.rows.row_if_known(key) is None:
                self._wanted_key = key
            self.show(taken, row if row != before else -1)

    def _take_copies(self, own: BucketFacts | None, other: BucketFacts | None) -> None:
        prefix = own.holding.prefix if own is not None and own.holding is not None else ""
        if self.reader is not None:
            prefix = self.reader.target.prefix
        same = own is self.copies.own and other is self.copies.other
        if not same or prefix != self.copies.prefix:
            self.copies = Copies(self.role, prefix, own, other)

    @property
    def _width(self) -> int:
        return self.pane.size.width or 80

    @property
    def total(self) -> int:
        """How many keys there are to look at."""
        return len(self.rows) if self.rows is not None else 0

    @property
    def stored(self) -> StoredObject | None:
        """The object under the cursor, None where it is not fetched or there is none."""
        return self.rows.key_at(self.pane.cursor) if self.rows is not None else None

    @property
    def key(self) -> str:
        """Its key, empty where it is not known."""
        stored = self.stored
        return stored.key if stored is not None else ""

    @property
    def looked(self) -> ObjectDetails | str:
        """What reading the head of the object under the cursor brought, or why it failed; empty: not read."""
        return self._heads[1] if self._heads[0] and self._heads[0] == self.key else ""

    # What the pane shows.

    def show(self, taken: SnapshotTaken, row: int = -1) -> None:
        """Set the pane's rows, and put the cursor on `row` where one is given."""
        facts = pane_contents.reading_of(taken, self.role).value
        title, summary = (
            pane_contents.keys_title(self.role, facts),
            pane_contents.keys_summary(facts, self.total),
        )
        if self.rows is None:
            self.pane.head = ""
            observed = self.reader is not None
            why = pane_contents.no_keys(taken, self.role, self._width, observed=observed, past=self.past)
            self.pane.show(why, title, summary=summary)
        else:
            self.rows.resize(self._width)
            self.pane.head = self.rows.header
            self.pane.show(self.rows, title, summary=summary, cursor=row)
        self.annotate(taken)

    def moved(self, taken: SnapshotTaken) -> None:
        """The operator moved the cursor: it goes back to no other key."""
        self._wanted_key = ""
        self.annotate(taken)

    def annotate(self, taken: SnapshotTaken) -> None:
        """Set the right end of the title: which row of how many."""
        self.pane.note(pane_contents.keys_note(taken, self.role, self.pane.cursor, self.total, self.glyphs))

    # What must be fetched.

    @property
    def _seen(self) -> range:
        return range(self.pane.top, self.pane.top + max(1, self.pane.page))

    @property
    def needs(self) -> bool:
        """Whether rows in view are to be fetched, and nothing that is in view is being fetched already."""
        busy, seen = self._fetching, self._seen
        if busy is not None and busy.start < seen.stop and seen.start < busy.stop:
            return False
        return self._next() is not None

    def _next(self) -> int | None:
        if self.rows is None:
            return None
        return next(iter(self.rows.wanted(self._seen.start, len(self._seen))), None)

    async def fetch_next(self) -> bool:
        """Fetch one tile of the rows in view; False where there is nothing more to fetch."""
        rows, tile = self.rows, self._next()
        if rows is None or tile is None:
            return False
        mine = self._fetching = self._seen
        try:
            await rows.fetch(tile)
        finally:
            if self._fetching is mine:
                self._fetching = None
        self._settle()
        return True

    def _settle(self) -> None:
        """The tile with the key that the cursor was on is here again: go to its row."""
        row = self.rows.row_if_known(self._wanted_key) if self.rows is not None and self._wanted_key else None
        if row is not None:
            self._wanted_key = ""
            if row != self.pane.cursor:
                self.pane.centre(row)

    async def read_head(self, stored: StoredObject) -> None:
        """Read an object's head, or note why it cannot be read."""
        if self.reader is None:
            return
        try:
            self._heads = stored.key, await self.reader.details(stored)
        except WalconsoleError as error:
            self._heads = stored.key, error.line()

    async def find(self, target: Segment | float) -> bool:
        """Put the cursor on the key that is meant; False where there is none.

        Raises errors.ObjectStoreError and SshError.
        """
        holding = self.holding
        if self.reader is None or self.rows is None or holding is None:
            return False
        key = await find(self.reader, holding, target)
        rows = self.rows
        if key is None or rows is None:
            return False
        self.pane.centre(await rows.row_of(key))
        self._wanted_key = ""
        return True

    @property
    def holding(self) -> Holding | None:
        """The index of the archive in this bucket."""
        return self.copies.own.holding if self.copies.own is not None else None
