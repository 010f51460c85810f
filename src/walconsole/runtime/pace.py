"""An observation whose every interval is multiplied by what the operator asked for at the start."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from walconsole.domain.facts.snapshot import Slot
    from walconsole.domain.profile import BucketRole
    from walconsole.ports import BucketReader, Observer, Screen


class Paced:
    """ports.Observer; `interval_s` is the time between two readings of SQL, whose own cadence is 1 s."""

    def __init__(self, observer: Observer, interval_s: float) -> None:
        self._observer, self._interval_s = observer, interval_s
        observer.pace(interval_s)

    async def run(self, screen: Screen) -> None:
        await self._observer.run(screen)

    def refresh(self) -> None:
        self._observer.refresh()

    def bucket(self, role: BucketRole) -> BucketReader:
        return self._observer.bucket(role)

    def pause(self, paused: bool) -> None:
        self._observer.pause(paused)

    def pace(self, factor: float) -> None:
        self._observer.pace(factor * self._interval_s)

    def hurry(self, slot: Slot) -> None:
        self._observer.hurry(slot)
