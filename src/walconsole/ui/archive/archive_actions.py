"""What the operator has done to the archive or takes away from it. Whatever changes or costs asks first."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from walconsole.domain.profile import BucketRole
from walconsole.domain.redaction import safe
from walconsole.domain.units import plural
from walconsole.errors import WalconsoleError
from walconsole.ui.archive.replay import gap_names
from walconsole.ui.archive.table import NAMES
from walconsole.ui.board.latest_worker import run_latest

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.message import Message
    from textual.notifications import SeverityLevel
    from textual.screen import Screen

    from walconsole.ports import BucketReader
    from walconsole.ui.archive.listing_export import ListingFormat
    from walconsole.ui.archive.picture import FoundGap
    from walconsole.ui.archive.screen import ArchiveScreen

EXPORT = "export of a listing"
"""The group of the workers that write a listing: when the screen is left they go on, as its session does."""


class ArchiveActions:
    """Asks, does, and tells how it went, for one archive screen."""

    def __init__(self, screen: ArchiveScreen) -> None:
        self.screen = screen

    def _say(self, text: str, title: str = "", severity: SeverityLevel = "information") -> None:
        self.screen.app.notify(safe(text), title=title, severity=severity, markup=False)

    # Gaps.

    def accept(self, gap: FoundGap | None) -> None:
        """Ask why a gap is lost for good; or whether an accepted one is to alarm again."""
        from walconsole.ui.dialogs.dialog import Confirm, Prompt

        if gap is None:
            self._say("no gap is under the cursor: n goes to the next one", severity="warning")
            return
        where = " and ".join(NAMES[role] for role in gap.by_role)
        if gap.is_accepted:
            mark = gap.gap.accepted
            reason = mark.reason if mark is not None else ""
            texts = (gap_names(gap), f"accepted as lost in {where}: {reason}", "", "It will alarm again.")
            self.screen.app.push_screen(
                Confirm("No longer accept this gap as lost?", texts, "Take it back"),
                lambda yes: self._withdraw(gap) if yes else None,
            )
            return
        picture = self.screen.desk.picture if self.screen.desk is not None else None
        for role, count in picture.held_elsewhere(gap).items() if picture is not None else ():
            text = (
                f"{gap_names(gap)}: the {NAMES[role]} bucket holds {count:,} of {gap.segments:,}. "
                "f brings back what any place still holds; what is missing then may be accepted."
            )
            self._say(text, "it is not lost", "warning")
            return
        label = f"accept {plural(gap.segments, 'segment')} as lost in {where}; why (empty: cancel):"
        self.screen.app.push_screen(Prompt(label), lambda reason: self._accept(gap, reason))

    def _accept(self, gap: FoundGap, reason: str | None) -> None:
        if reason is None or not reason.strip():
            self._say("nothing was accepted", severity="warning")
            return
        text = reason.strip()

        def accept() -> None:
            for role, one in gap.by_role.items():
                reader = self.screen.session.bucket_reader(role)
                if reader is not None and one.accepted is None:
                    reader.accept(one, text)

        if self._tried(accept, "not accepted"):
            self._say(f"{gap_names(gap)}: {text}", "accepted; it no longer alarms")

    def _withdraw(self, gap: FoundGap) -> None:
        def withdraw() -> None:
            for role, one in gap.by_role.items():
                reader = self.screen.session.bucket_reader(role)
                if reader is not None and one.accepted is not None:
                    reader.withdraw(one.accepted)

        if self._tried(withdraw, "not taken back"):
            self._say(gap_names(gap), "it alarms again")

    def _tried(self, job: Callable[[], None], title: str) -> bool:
        try:
            job()
        except WalconsoleError as error:
            self._say(error.line(), title, "error")
            return False
        except ValueError as error:
            self._say(str(error), title, "error")
            return False
        return True

    # zstd.

    def measure(self) -> None:
        """Ask before it downloads."""
        from walconsole.ui.dialogs.dialog import Confirm

        reader = self._main_reader()
        if reader is None:
            self._say("no bucket was read yet", severity="warning")
            return
        texts = (
            f"The newest segments of {reader.target.bucket} are downloaded, at most two of them whole, and "
            "compressed here with zstd.",
            "Where they are compressed already, as many as are in 64 MiB are read to their ends, to see "
            "whether each is whole.",
            "Nothing is stored, neither there nor here.",
        )
        self.screen.app.push_screen(
            Confirm("Measure what zstd would make of it?", texts, "Download and measure"),
            lambda yes: self._begin_measuring(reader) if yes else None,
        )

    def _main_reader(self) -> BucketReader | None:
        main = self.screen.desk.picture.main if self.screen.desk is not None else None
        return self.screen.session.bucket_reader(main.role) if main is not None else None

    def _begin_measuring(self, reader: BucketReader) -> None:
        self.screen.show_measured("being measured: segments are downloaded")
        run_latest(self.screen, "measure", partial(self._measure, reader))

    async def _measure(self, reader: BucketReader) -> None:
        try:
            self.screen.show_measured(await reader.compressibility())
        except WalconsoleError as error:
            self.screen.show_measured(safe(error.line()))
        except ValueError as error:
            await self._read_through(reader, safe(str(error)))

    async def _read_through(self, reader: BucketReader, why: str) -> None:
        """Where zstd has nothing to measure: whether what is stored is whole."""
        self.screen.show_measured(f"{why}; being read to their ends")
        try:
            read = await reader.read_through()
        except WalconsoleError as error:
            self.screen.show_measured(safe(error.line()))
            return
        self.screen.show_measured(f"{why}; {read.text}" if read.segments else why)

    # Exports.

    @property
    def _home(self) -> Screen[object]:
        """What lasts as long as the session: its dashboard, below this screen."""
        return self.screen.app.screen_stack[0]

    def export(self) -> None:
        """Ask what to write."""
        from walconsole.ui.archive.listing_export import ListingFormat
        from walconsole.ui.dialogs.dialog import Choice

        if self.screen.taken is None:
            self._say("nothing was read yet", severity="warning")
            return
        options: list[tuple[str, Callable[[], object]]] = []
        if any((worker.group, worker.node) == (EXPORT, self._home) for worker in self.screen.app.workers):
            options.append(("stop the export that is running", self._stop))
        options += [("gaps of both buckets, JSON and CSV", self._gaps), ("index, JSON and CSV", self._index)]
        for role in BucketRole:
            if self.screen.session.bucket_reader(role) is not None:
                for form in ListingFormat:
                    text = f"all keys of the {NAMES[role]} bucket, {form.value.upper()}, page by page"
                    options.append((text, self._listing_job(role, form)))

        def chosen(number: int | None) -> None:
            if number is not None:
                options[number][1]()

        self.screen.app.push_screen(Choice("Export", [text for text, _ in options]), chosen)

    def _gaps(self) -> None:
        from walconsole.ui.archive.export import export_gaps
        from walconsole.ui.board.export import write_export

        if self.screen.taken is not None:
            write_export(self.screen.app, export_gaps(self.screen.taken))

    def _index(self) -> None:
        from walconsole.ui.archive.export import export_index
        from walconsole.ui.board.export import write_export

        if self.screen.taken is not None:
            write_export(self.screen.app, export_index(self.screen.taken))

    def _listing_job(self, role: BucketRole, form: ListingFormat) -> Callable[[], None]:
        def begin() -> None:
            from walconsole.ui.archive.listing_export import export_listing
            from walconsole.ui.board.export import stem_of

            reader, taken = self.screen.session.bucket_reader(role), self.screen.taken
            if reader is not None and taken is not None:
                stem = stem_of(f"archive-listing-{role.value}", taken)
                job = partial(export_listing, reader, stem, form, self._told)
                run_latest(self._home, EXPORT, job)

        return begin

    def _stop(self) -> None:
        self.screen.app.workers.cancel_group(self._home, EXPORT)
        self.screen.show_job("")
        self._say("the export was stopped; it left no file")

    def _told(self, message: Message) -> None:
        from walconsole.ui.archive.listing_export import ListingFailed, ListingProgressed, ListingWritten

        if isinstance(message, ListingProgressed):
            total = f" of {message.total:,}" if message.total is not None else ""
            self.screen.show_job(f"exporting {message.objects:,}{total} keys of {NAMES[message.role]}")
        elif isinstance(message, ListingWritten):
            self.screen.show_job("")
            self._say(f"{message.path}: {plural(message.objects, 'key')}", "exported")
        elif isinstance(message, ListingFailed):
            self.screen.show_job("")
            self._say(message.why, "not exported", "error")
