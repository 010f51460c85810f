"""What a step did and said, as rows that grow with it: only what is new is set."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from walconsole.provision.engine.model import Waiting
from walconsole.ui.provision.rows import one_event

if TYPE_CHECKING:
    from walconsole.provision.engine.model import Event
    from walconsole.ui.glyphs import Glyphs
    from walconsole.ui.panes.model import Line
    from walconsole.ui.provision.run import StepNews

ROWS_KEPT = 5_000


class EventLines:
    """The rows of one step at a time, the newest last; of waiting only how long it takes by now.

    Setting all 5,000 anew, ten times a second, would hold the keys up by 24 ms each time.
    """

    def __init__(self, glyphs: Glyphs) -> None:
        self._glyphs = glyphs
        self._news: StepNews | None = None
        self._heard = 0
        self._waiting = False
        self.rows: list[Line] = []

    def of(self, news: StepNews) -> list[Line]:
        """The rows of `news`, at most ROWS_KEPT; the list is the same one as long as the step is."""
        if news is not self._news or news.heard < self._heard:
            self._news, self._heard, self._waiting, self.rows = news, 0, False, []
        fresh = min(news.heard - self._heard, len(news.events))
        self._heard = news.heard
        for _, event in islice(news.events, len(news.events) - fresh, None):
            self._add(event)
        del self.rows[: max(0, len(self.rows) - ROWS_KEPT)]
        return self.rows

    def _add(self, event: Event) -> None:
        waits = isinstance(event, Waiting)
        if waits and self._waiting:
            self.rows.pop()
        self._waiting = waits
        self.rows += one_event(event, self._glyphs)
