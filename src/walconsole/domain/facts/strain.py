"""What keeps a droplet from answering: load, memory, and the time that its hypervisor gives to others.

From the beginnings of /proc/stat, /proc/meminfo, /proc/pressure/memory and /sys/devices/system/cpu/online
(proc(5), the kernel's documentation of PSI), where the kernel has them.
"""

import re

from walconsole.domain.records import record
from walconsole.domain.units import bytes_text, plural

_MEMORY = re.compile(r"\b(MemTotal|MemAvailable): +(\d{1,15}) kB")
_ONLINE = re.compile(r"^\d{1,4}(?:-\d{1,4})?(?:,\d{1,4}(?:-\d{1,4})?)*$", re.MULTILINE)
_PRESSURE = re.compile(r"some avg10=(\d{1,3}(?:\.\d{1,2})?)")
_STEAL = 7
"""The eighth counter of /proc/stat's first line: user nice system idle iowait irq softirq steal."""


@record
class Strain:
    """None: not known. `load` is the mean of a minute, how many processes ran or waited for the disk.

    `memory_pressure` is in which share of the last 10 s something waited for memory, `steal` which share of
    the processors' time since the look before (since the boot at the first one) the hypervisor kept for
    others.
    """

    load: float | None = None
    processors: int | None = None
    memory_bytes: int | None = None
    available_bytes: int | None = None
    memory_pressure: float | None = None
    steal: float | None = None

    @property
    def text(self) -> str:
        """What is known of it, in words; empty where nothing is."""
        parts = []
        if self.load is not None:
            on = f" on {plural(self.processors, 'processor')}" if self.processors else ""
            parts.append(f"load {self.load:.2f}{on}")
        if self.available_bytes is not None and self.memory_bytes is not None:
            parts.append(
                f"{bytes_text(self.available_bytes)} of {bytes_text(self.memory_bytes)} memory available"
            )
        if self.memory_pressure is not None:
            parts.append(f"waited for memory in {self.memory_pressure:.0%} of the last 10 s")
        if self.steal is not None:
            parts.append(f"steal time {self.steal:.0%}")
        return ", ".join(parts)


NOT_KNOWN = Strain()


@record
class ProcessorTime:
    """/proc/stat's counters since the boot, in ticks of all processors together."""

    all: int
    stolen: int


def processor_time(text: str) -> ProcessorTime | None:
    """Of the line that begins with `cpu`; None where there is none."""
    line = next((line for line in text.splitlines() if line.startswith("cpu ")), "")
    counters = [int(word) for word in line.split()[1:] if word.isascii() and word.isdigit()]
    if len(counters) <= _STEAL:
        return None
    return ProcessorTime(sum(counters[: _STEAL + 1]), counters[_STEAL])


def strain(text: str, load: float | None, before: ProcessorTime | None) -> Strain:
    """From what those files begin with; `before` is the processors' time at the look before it."""
    memory = {name: int(kib) * 1024 for name, kib in _MEMORY.findall(text)}
    waited, time = _PRESSURE.search(text), processor_time(text)
    return Strain(
        load,
        processors(text),
        memory.get("MemTotal"),
        memory.get("MemAvailable"),
        float(waited[1]) / 100 if waited else None,
        _steal(time, before),
    )


def processors(text: str) -> int | None:
    """Of a line like `0-3,5`, as the kernel lists those that are on; None where there is none."""
    online = _ONLINE.search(text)
    if online is None:
        return None
    ranges = (part.partition("-") for part in online[0].split(","))
    return sum(int(last or first) - int(first) + 1 for first, _, last in ranges) or None


def _steal(time: ProcessorTime | None, before: ProcessorTime | None) -> float | None:
    if time is None:
        return None
    since = before if before is not None and before.all < time.all else ProcessorTime(0, 0)
    spent = time.all - since.all
    return max(0.0, min(1.0, (time.stolen - since.stolen) / spent)) if spent > 0 else None
