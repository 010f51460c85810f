"""Numbers as the operator reads them: fixed units, one width, never a bare number."""

_BINARY = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def bytes_text(count: float | None) -> str:
    """`512 B`, `16.0 MiB`, `1.50 GiB`: three significant digits, binary units; None is `n/a`."""
    if count is None:
        return "n/a"
    size = abs(float(count))
    unit = 0
    while size >= 999.5 and unit < len(_BINARY) - 1:
        size /= 1024
        unit += 1
    sign = "-" if count < 0 else ""
    if unit == 0:
        return f"{sign}{size:.0f} B"
    digits = 2 if size < 9.995 else 1 if size < 99.95 else 0
    return f"{sign}{size:.{digits}f} {_BINARY[unit]}"


def duration_text(seconds: float | None) -> str:
    """`0.4 s`, `41 s`, `3 min 05 s`, `2 h 07 min`, `5 d 03 h`: two units at most; None is `n/a`."""
    if seconds is None:
        return "n/a"
    if seconds < 0:
        return "-" + duration_text(-seconds)
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE:02d} s"
    if whole < _DAY:
        return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE:02d} min"
    return f"{whole // _DAY} d {whole % _DAY // _HOUR:02d} h"


def whole_duration_text(seconds: float) -> str:
    """`duration_text` in whole units, for what ticks once a second: `4 s`, `3 min 05 s`."""
    return f"{int(seconds)} s" if 0 <= seconds < 10 else duration_text(float(int(seconds)))


def lasting_text(seconds: float) -> str:
    """` for 41 s`; nothing for less than a second, which has not lasted."""
    return f" for {whole_duration_text(seconds)}" if seconds >= 1 else ""


def age_text(seconds: float | None) -> str:
    """An age in whole units: `now`, `41 s ago`, `3 min 05 s ago`; None is `never`."""
    if seconds is None:
        return "never"
    return "now" if seconds < 1 else f"{whole_duration_text(seconds)} ago"


def count_text(count: int | None) -> str:
    """`1,234,567`; None is `n/a`."""
    return "n/a" if count is None else f"{count:,}"


def plural(count: int, one: str, many: str | None = None) -> str:
    """`1 segment`, `3 segments`."""
    return f"{count_text(count)} {one if count == 1 else many or one + 's'}"
