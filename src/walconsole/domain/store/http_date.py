"""A Date header of HTTP."""

from email.utils import parsedate_to_datetime
from functools import lru_cache


@lru_cache(maxsize=16)
def http_date(text: str | None) -> float | None:
    """Seconds since the epoch of a Date header, None when there is none that can be read."""
    if text is None:
        return None
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError):
        return None
