"""Timers that come once, whatever the machine is busy with."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from textual.timer import Timer


def sure(timer: Timer) -> Timer:
    """The same, just made by `set_timer`; it comes, too, when it is late as it begins.

    Textual leaves out what is late (Timer._run in 8.2.8). Where the processor was taken away for as long as
    the delay between two lines there, a timer that comes once never came, and who had armed it waited for
    ever: a console on a busy machine said that it was connecting until it was left.
    """
    timer._skip = False
    return timer
