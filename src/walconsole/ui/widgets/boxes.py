"""Panes in the boxes that an arithmetic gives them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.containers import Container
from textual.geometry import NULL_OFFSET, NULL_SPACING, Region
from textual.layout import Layout, WidgetPlacement

from walconsole.ui.configuration.layout import arrange

if TYPE_CHECKING:
    from textual.geometry import Size
    from textual.layout import ArrangeResult
    from textual.widget import Widget

    from walconsole.ui.widgets.rows_pane import RowsPane


class BoxLayout(Layout):
    """Places the panes in their boxes."""

    name = "boxes"

    def arrange(
        self, parent: Widget, children: list[Widget], size: Size, greedy: bool = True
    ) -> ArrangeResult:
        """Placements of the visible panes."""
        assert isinstance(parent, Boxes)  # noqa: S101  # only these have this layout
        boxes = arrange(
            size.width, size.height, parent.focused_name, parent.needs(), maximised=parent.maximised
        )
        return [
            WidgetPlacement(Region(box.x, box.y, box.width, box.height), NULL_OFFSET, NULL_SPACING, child)
            for child in children
            if child.id is not None and (box := boxes.get(child.id)) is not None
        ]


class Boxes(Container):
    """Holds the configuration's panes and knows which one is in focus."""

    DEFAULT_CSS = "Boxes { height: 1fr; width: 100%; overflow: hidden; }"
    maximised = False
    focused_name = "settings"

    def __init__(self, *panes: RowsPane) -> None:
        super().__init__(*panes)
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
