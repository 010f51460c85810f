"""What an archive costs a month, by what it stores. Requests and transfer are left out.

DigitalOcean's price list of Spaces: 5 dollars a month with 250 GiB, 0.02 dollars for each GiB beyond.
"""

from walconsole.domain.records import record

GIB = 1024**3
YEAR_DAYS = 365


@record
class Price:
    """What storing costs. Every byte is reckoned at `per_gib_month`, the price beyond the subscription.

    `included_gib` and `base_month` are the subscription's, for the words only: it is shared by all
    buckets of an account, so how much of it is left for this one is not known.
    """

    currency: str = "$"
    per_gib_month: float = 0.02
    included_gib: float = 250.0
    base_month: float = 5.0


SPACES_PRICE = Price()


@record
class Cost:
    """Storage alone, in `currency` a month: at today's size, and in a year as it grows.

    The last is None where the growth is not known. Nothing is taken to be deleted meanwhile.
    """

    currency: str
    month: float
    month_in_a_year: float | None


def cost(stored_bytes: float, growth_bytes_per_day: float | None, price: Price = SPACES_PRICE) -> Cost:
    """What `stored_bytes` cost, now and later."""

    def a_month(size: float) -> float:
        return size / GIB * price.per_gib_month

    def after(days: int) -> float | None:
        return None if growth_bytes_per_day is None else a_month(stored_bytes + growth_bytes_per_day * days)

    return Cost(price.currency, a_month(stored_bytes), after(YEAR_DAYS))


def with_zstd(wal_bytes: float, ratio: float) -> float:
    """What `wal_bytes` (plain: segments times the segment size) would take; `ratio` is zstd's size by plain.

    Raises ValueError for a ratio that is none.
    """
    if not ratio > 0:  # so that no NaN passes
        raise ValueError(f"a ratio of compressed to plain bytes is above 0, not {ratio}")
    return wal_bytes * ratio
