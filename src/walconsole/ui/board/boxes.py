"""Panes in the boxes that an arithmetic gives them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from textual.containers import Container
from textual.geometry import NULL_OFFSET, NULL_SPACING, Region
from textual.layout import Layout, WidgetPlacement

from walconsole.ui.board.layout import Box, arrange
from walconsole.ui.board.pane import Pane

if TYPE_CHECKING:
    from collections.abc import Mapping

    from textual.geometry import Size
    from textual.layout import ArrangeResult
    from textual.widget import Widget

    from walconsole.ui.board.layout import Box
    from walconsole.ui.board.rows_pane import RowsPane


class Arrange(Protocol):
    """A box for each visible pane in `width` × `height` cells; `needs` are the rows of each one's content."""

    def __call__(
        self, width: int, height: int, focused: str, needs: Mapping[str, int], *, maximised: bool = False
    ) -> dict[str, Box]: ...


class BoxLayout(Layout):
    """Places the panes in their boxes."""

    name = "boxes"

    def arrange(
        self, parent: Widget, children: list[Widget], size: Size, greedy: bool = True
    ) -> ArrangeResult:
        """Placements of the visible panes."""
        assert isinstance(parent, Boxes)  # noqa: S101  # only these have this layout
        boxes = parent.arrangement(
            size.width, size.height, parent.focused_name, parent.needs(), maximised=parent.maximised
        )
        return [
            WidgetPlacement(Region(box.x, box.y, box.width, box.height), NULL_OFFSET, NULL_SPACING, child)
            for child in children
            if child.id is not None and (box := boxes.get(child.id)) is not None
        ]


class Boxes(Container):
    """Holds a screen's panes and knows which one is in focus; `arrangement` says where they stand."""

    DEFAULT_CSS = "Boxes { height: 1fr; width: 100%; overflow: hidden; }"
    maximised = False

    def __init__(self, arrangement: Arrange, *panes: RowsPane) -> None:
        super().__init__(*panes)
        self.arrangement, self.focused_name = arrangement, panes[0].spec.name
        self.panes = {pane.spec.name: pane for pane in panes}
        self._box_layout = BoxLayout()

    @property
    def layout(self) -> Layout:
        """Its own."""
        return self._box_layout

    def rearrange(self) -> None:
        """Place the panes again. Asked of a child: a widget's refresh drops its ancestors' arrangement."""
        next(iter(self.panes.values())).refresh(layout=True)

    def needs(self) -> dict[str, int]:
        """The rows that each pane wants."""
        return {name: pane.rows for name, pane in self.panes.items()}


# -- The board on which the panes stand: Textual asks `layout.arrange` where.

_LOG_NEED = 6
_UNKNOWN_NEED = 6


class BoardLayout(Layout):
    """Places the panes in the boxes that the arithmetic gives."""

    name = "board"

    def arrange(
        self, parent: Widget, children: list[Widget], size: Size, greedy: bool = True
    ) -> ArrangeResult:
        """Placements of the visible panes."""
        assert isinstance(parent, Board)  # noqa: S101  # only a board has this layout
        boxes = parent.place(size)
        return [
            WidgetPlacement(Region(box.x, box.y, box.width, box.height), NULL_OFFSET, NULL_SPACING, child)
            for child in children
            if child.id is not None and (box := boxes.get(child.id)) is not None
        ]


class Board(Container):
    """Holds the panes and knows which one is in focus."""

    DEFAULT_CSS = "Board { height: 1fr; width: 100%; overflow: hidden; }"
    maximised = False
    focused_name = "findings"

    def __init__(self, *panes: Pane) -> None:
        super().__init__(*panes)
        self._board_layout = BoardLayout()
        self._placed: dict[str, Box] = {}

    @property
    def layout(self) -> Layout:
        """The board's own."""
        return self._board_layout

    @property
    def panes(self) -> dict[str, Pane]:
        """By name."""
        return {child.spec.name: child for child in self.children if isinstance(child, Pane)}

    def rearrange(self) -> None:
        """Place the panes again, if any would stand elsewhere.

        Asked of a child: a widget's refresh drops its ancestors' arrangement.
        """
        if self.boxes(self.size) != self._placed:
            next(iter(self.panes.values())).refresh(layout=True)

    def boxes(self, size: Size) -> dict[str, Box]:
        """Where the panes are to stand."""
        firsts = {name: first for name, pane in self.panes.items() if (first := getattr(pane, "first", 0))}
        return arrange(
            *(size.width, size.height, self.focused_name, self.needs()),
            firsts=firsts,
            maximised=self.maximised,
        )

    def place(self, size: Size) -> dict[str, Box]:
        """As `boxes`, remembered."""
        self._placed = self.boxes(size)
        return self._placed

    def needs(self) -> dict[str, int]:
        """The rows that each pane wants."""
        return {
            name: _LOG_NEED if name == "log" else getattr(pane, "need", pane.rows) or _UNKNOWN_NEED
            for name, pane in self.panes.items()
        }
