"""The list of clusters: the worst first, a line each, what is told of the one under the cursor below it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar

from rich.cells import cell_len

from walconsole.domain.fleet.order import Grouping, matching, next_in_trouble, ordered, with_twins
from walconsole.domain.fleet.row import FleetRow, aged
from walconsole.domain.redaction import safe
from walconsole.domain.units import plural
from walconsole.ui.board import keys
from walconsole.ui.board.boxes import Boxes
from walconsole.ui.board.catalogue import PaneSpec
from walconsole.ui.board.content import TONE_OF_LEVEL, Span, Tone
from walconsole.ui.board.key_bar import Footnote, KeyBar
from walconsole.ui.board.layout import Box
from walconsole.ui.board.panes_screen import BoardScreen
from walconsole.ui.board.rows_pane import RowsPane, TablePane
from walconsole.ui.board.typeset import shown
from walconsole.ui.board.verdict import VerdictLine
from walconsole.ui.fleet import rows as fleet_rows
from walconsole.ui.fleet.columns import (
    ALL,
    SETS,
    VERDICT,
    choices,
    chosen_by,
    columns_of,
    group_of,
    layout,
    order_of,
    view_of,
    widest,
)
from walconsole.ui.fleet.list_past import ListTraveller

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from textual.app import ComposeResult

    from walconsole.operator_files.list_view import ListView, ListViews
    from walconsole.ports import Clock
    from walconsole.ui.board.glyphs import Glyphs
    from walconsole.ui.fleet.source import FleetFront, Source

TICK_S = 1.0
_DETAIL_ROWS = 6
_LOW = 16
"""Fewer rows than this are the list's alone."""


def arrange(
    width: int, height: int, focused: str, needs: Mapping[str, int], *, maximised: bool = False
) -> dict[str, Box]:
    """The list above what is told of one; where it is low only the one in focus."""
    if maximised or height < _LOW:
        return {focused: Box(0, 0, width, height)}
    most = height // 2 if focused == "cluster" else max(_DETAIL_ROWS, height // 4)
    low = min(needs.get("cluster", 1) + 1, most)
    return {
        "clusters": Box(0, 0, width, height - low),
        "cluster": Box(0, height - low, width, low),
    }


class FleetScreen(BoardScreen):
    """Looks at its source once a second. The cursor stays on its cluster, wherever that goes."""

    BINDINGS: ClassVar = keys.bindings("fleet")
    actions = keys.actions("fleet")

    def __init__(
        self, source: Source, front: FleetFront, clock: Clock, glyphs: Glyphs, views: ListViews | None = None
    ) -> None:
        super().__init__(glyphs)
        self.source, self.front, self.views = source, front, views
        self.traveller = ListTraveller(source, clock, self, self._moved)
        self.verdict = VerdictLine("not looked at yet", most_when_low=1)
        self.table = TablePane(PaneSpec(1, "clusters", "Clusters"), glyphs)
        self.board = Boxes(arrange, self.table, RowsPane(PaneSpec(2, "cluster", "Cluster"), glyphs))
        self.board.focused_name = "clusters"
        self.panes = self.board.panes
        self.key_bar = KeyBar(self.hints(), Footnote("fleet"))
        self.pattern = ""
        self.order, self.backwards, self.only_trouble = VERDICT, False, False
        self.grouping = Grouping.NONE
        self.columns: tuple[int, ...] = SETS["all"]
        self.chosen: str | None = None
        """The name of the cluster under the cursor; None: the first, whichever that is."""
        self._all: tuple[FleetRow, ...] = ()
        self._shown: list[fleet_rows.Entry] = []
        self._put = 0

    def compose(self) -> ComposeResult:
        """How many there are, panes, keys."""
        yield self.verdict
        yield self.board
        yield self.key_bar

    def on_mount(self) -> None:
        """Show what is known, once a second, as the operator left it."""
        if self.views is not None:
            self._take_view(self.views.recall())
        self.table.focus()
        self.look_again()
        self.set_interval(TICK_S, self._tick)

    def _tick(self) -> None:
        if self.is_current:
            self.look_again()

    def _moved(self) -> None:
        """To another moment, or back to now: other keys hold there."""
        travel = self.traveller.travel
        line = travel.line() if travel is not None else None
        self.key_bar.show(self.hints(), Footnote("fleet", line=line))
        self.look_again()

    # What is shown.

    def look_again(self) -> None:
        """As the source is now."""
        now = self.traveller.now
        self._all = with_twins([aged(row, now) for row in self.traveller.rows])
        level, text = fleet_rows.summary(self._all)
        tone = TONE_OF_LEVEL[level].value
        self.verdict.show(self.glyphs.sign(level), level.value, text, tone, self.traveller.note)
        self.fill()

    def fill(self, *names: str) -> None:
        """Both: the one under the cursor is told below the list."""
        if self.row is not None and self.table.row != self._put:  # it was moved, which is told a little later
            self.chosen = self.row.name
        now, width = self.traveller.now, self.table.size.width or self.size.width or 80
        kept = matching(self._all, self.pattern)
        kept = [row for row in kept if not self.only_trouble or row.in_trouble]
        key = ALL[self.order].key
        rows = ordered(kept, key, backwards=self.backwards)
        self._shown = fleet_rows.entries(rows, self.grouping)
        longest = max((cell_len(shown(row.name)) for row in self._all), default=0)
        set_ = layout(self.columns, longest, width - 1, widest(self._all, now))
        self.table.head = fleet_rows.head(set_, self.order, self.glyphs, backwards=self.backwards)
        lines = fleet_rows.Rows(self._shown, set_, now, self.glyphs)
        self.table.show(lines, "Clusters", self._note(len(kept)), cursor=self._place())
        self._put = self.table.row
        self._fill_detail()

    def _place(self) -> int:
        """The row of the chosen cluster; -1 leaves the cursor where it is."""
        if self.chosen is None:
            return 1 if self._shown and isinstance(self._shown[0], str) else 0
        places = (n for n, entry in enumerate(self._shown) if _called(entry) == self.chosen)
        return next(places, -1)

    def _note(self, kept: int) -> tuple[Span, ...]:
        told = [f"{kept:,} of {len(self._all):,}"] if kept != len(self._all) else []
        told += [f"with {safe(self.pattern)}"] if self.pattern else []
        told += ["in trouble"] if self.only_trouble else []
        if told:
            return (Span(" ".join(told), Tone.WARNING),)
        told = [self.grouping.value] if self.grouping is not Grouping.NONE else []
        title = "the worst first" if self.order == VERDICT else f"by {ALL[self.order].title}"
        told += [title] + (["backwards"] if self.backwards else [])
        return (Span(", ".join(told), Tone.LABEL),)

    @property
    def row(self) -> FleetRow | None:
        """The cluster under the cursor."""
        entry = self._shown[self.table.row] if self.table.row < len(self._shown) else None
        return entry if isinstance(entry, FleetRow) else None

    def _fill_detail(self) -> None:
        pane, row = self.panes["cluster"], self.row
        width = (pane.size.width or self.size.width or 80) - 1
        lines = fleet_rows.detail(row, self.traveller.now, width, self.glyphs) if row is not None else ()
        before = pane.rows
        pane.show(lines, safe(row.name) if row is not None else "Cluster")
        if len(lines) != before:
            self.board.rearrange()

    def on_rows_pane_cursor_moved(self, message: RowsPane.CursorMoved) -> None:
        """What is told follows the cursor."""
        message.stop()
        if message.pane is self.table:
            row, self._put = self.row, self.table.row
            self.chosen = row.name if row is not None else self.chosen
            self._fill_detail()

    def repaint_lines(self) -> None:
        """How many there are."""
        self.verdict.repaint()

    def hints(self) -> tuple[tuple[str, str], ...]:
        """The footer's keys."""
        return keys.hints("fleet", past=self.traveller.travel is not None)

    # What the operator does.

    def action_enter(self) -> None:
        """To the console of the cluster under the cursor; from the past to what it was then."""
        if self.row is not None:
            self.chosen, moment = self.row.name, self.traveller.moment
            self.front.open_cluster(self.row.name, None if moment is None else moment.at)

    def action_leave(self) -> None:
        """Back, one step at a time: a maximised pane, marks, the filter, those in trouble alone, the list,
        the past.
        """
        if self.board.maximised:
            self.action_maximise()
        elif self.pane.mark is not None:
            self.pane.toggle_mark()
        elif self.pattern:
            self.filter("")
        elif self.only_trouble:
            self.action_everything()
        elif self.board.focused_name != "clusters":
            self.action_jump("clusters")
        elif self.traveller.travel is not None:
            self.traveller.show_past(None)

    def action_next_story(self, step: int) -> None:
        """The next cluster in trouble, around the end."""
        rows: Sequence[FleetRow] = [entry for entry in self._shown if isinstance(entry, FleetRow)]
        here = next((n for n, row in enumerate(rows) if row is self.row), 0)
        found = next_in_trouble(rows, here, step) if rows else None
        if found is None:
            self.app.notify("no other cluster is in trouble", markup=False, timeout=3)
            return
        self.chosen = rows[found].name
        self.fill()

    def action_find(self) -> None:
        """Filter the list while it is typed; Esc brings back the filter before."""
        self.front.ask_filter(self)

    def filter(self, pattern: str) -> None:
        """Show only clusters that every word is true of."""
        self.pattern = pattern
        self.fill()

    def action_everything(self) -> None:
        """All, or those in trouble."""
        self.only_trouble = not self.only_trouble
        self.fill()

    def action_sideways(self, step: int) -> None:
        """Order by the next column, or by the one before."""
        shown = self.columns
        at = shown.index(self.order) if self.order in shown else 0
        self.order = shown[(at + step) % len(shown)]
        self._arranged()

    def action_turn_order(self) -> None:
        """The other way round."""
        self.backwards = not self.backwards
        self._arranged()

    def action_group(self) -> None:
        """Together by tag, then primaries with their standbys, then as they come."""
        ways = list(Grouping)
        self.grouping = ways[(ways.index(self.grouping) + 1) % len(ways)]
        self._arranged()

    def action_columns(self) -> None:
        """Choose them, by sets or one by one."""
        from walconsole.ui.dialogs.choices import ChoicesScreen

        def words() -> list[str]:
            return choices(self.columns)

        def choose(place: int) -> None:
            self._show_columns(chosen_by(place, self.columns))

        self.app.push_screen(ChoicesScreen("Columns", words, choose))

    def _show_columns(self, chosen: tuple[int, ...]) -> None:
        """The order stays where its column does."""
        self.columns = chosen
        if self.order not in chosen:
            self.order = VERDICT
        self._arranged()

    def _arranged(self) -> None:
        """Show it, and remember it for the next start."""
        self.fill()
        if self.views is not None:
            self.run_worker(self._remember(self.views), name="view", group="view", exclusive=True)

    async def _remember(self, views: ListViews) -> None:
        view = view_of(self.columns, self.order, self.grouping, backwards=self.backwards)
        problem = await asyncio.to_thread(views.remember, view)
        if problem:
            self.app.notify(problem, title="the list's columns are not remembered", severity="warning")

    def _take_view(self, view: ListView) -> None:
        self.columns, self.order, self.grouping = columns_of(view), order_of(view), group_of(view)
        self.backwards = view.backwards

    def action_triage(self) -> None:
        """The incidents of all clusters; Enter writes the report of one."""
        self.run_worker(self._list_incidents(), name="incidents", group="incidents", exclusive=True)

    async def _list_incidents(self) -> None:
        from walconsole.ui.dialogs.choices import ChoicesScreen

        found = await self.source.incidents()
        if not found:
            self.app.notify("no incident is remembered", markup=False, timeout=3)
            return
        lines = [line for _, line in found]

        def choose(place: int) -> None:
            self.run_worker(self._report(found[place][0]), name="report", group="incidents")

        self.app.push_screen(ChoicesScreen("Incidents, the newest first", lambda: lines, choose))

    async def _report(self, key: str) -> None:
        from walconsole.errors import WalconsoleError
        from walconsole.ui.board.export import Export, write_export

        try:
            text = await self.source.incident_report(key)
        except WalconsoleError as error:
            self.app.notify(error.line(), title="no report", severity="error", markup=False)
            return
        stem = "".join(sign if sign.isalnum() or sign == "-" else "-" for sign in key)
        write_export(self.app, Export(f"walconsole-incident-{stem}", (("md", text),)))

    def action_look(self) -> None:
        """Look at the cluster under the cursor now."""
        if self.row is not None:
            self.source.want(self.row.name)
            self.app.notify(f"looking at {safe(self.row.name)}", markup=False, timeout=2)

    def action_copy_value(self) -> None:
        """What is marked, else the line under the cursor."""
        self.copy_rows()

    def action_export(self) -> None:
        """The list as it is shown, every column."""
        from walconsole.ui.board.export import write_export

        rows = [entry for entry in self._shown if isinstance(entry, FleetRow)]
        write_export(self.app, fleet_rows.export(rows, self.traveller.now))

    def action_explain(self) -> None:
        """What each column means, and the keys."""
        from walconsole.ui.dialogs.help import HelpScreen

        title = plural(len(self._all), "cluster")
        self.app.push_screen(HelpScreen(PaneSpec(1, "clusters", title), self.actions))


def _called(entry: fleet_rows.Entry) -> str | None:
    return entry.name if isinstance(entry, FleetRow) else None
