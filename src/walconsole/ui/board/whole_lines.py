"""Lines that go when they are painted over, without the collector."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.strip import Strip

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from textual.geometry import Region
    from textual.widget import Widget

    _Drawn = Widget
else:
    _Drawn = object  # not a widget's second base: Textual takes default styles from the first alone


class _Whole(Strip):
    """A line that is painted from side to side: as Textual divides it, it is its own only part."""

    def divide(self, cuts: Iterable[int]) -> Sequence[Strip]:
        """See Strip.divide."""
        cuts = list(cuts)
        return [self] if cuts == [self.cell_length] else super().divide(cuts)


class WholeLines(_Drawn):
    """What a widget inherits from first, so that its lines do not hold themselves.

    A Strip that was divided remembers its parts (`_divide_cache`), and where it is the only one, itself: each
    line that was ever painted, a dozen objects, waits for the collector. To find what twenty keys left takes
    that 0.1 s, in which none is painted.
    """

    _painted: dict[int, tuple[Strip, Strip]] | None = None

    def render_lines(self, crop: Region) -> list[Strip]:
        """See Widget.render_lines. A line that is painted again as it was is the same one."""
        lines = super().render_lines(crop)
        known = self._painted = self._painted if self._painted is not None else {}
        for y, strip in zip(crop.line_range, lines, strict=True):
            if y not in known or known[y][0] is not strip:
                known[y] = strip, _Whole(strip, strip.cell_length)
        return [known[y][1] for y in crop.line_range]
