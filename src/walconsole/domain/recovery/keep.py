"""What retention keeps, as the profile says it."""

from walconsole.domain.records import record

DEFAULT_MOST_SHARE = 0.5


@record
class Keep:
    """The newest `full` full backups and what builds upon them; every backup of the last `days` and the
    newest before those; `pins` (ids) for ever.

    At most `most_share` of a copy's complete backups go at once. Raises ValueError for rules that keep
    nothing.
    """

    full: int | None = None
    days: float | None = None
    pins: tuple[str, ...] = ()
    most_share: float = DEFAULT_MOST_SHARE

    def __post_init__(self) -> None:
        if self.full is None and self.days is None:
            raise ValueError("retention needs a rule: how many full backups, or how many days")
        if (self.full is not None and self.full < 1) or (self.days is not None and not self.days > 0):
            raise ValueError("retention keeps at least one full backup, and more than no days")
        if not 0 < self.most_share <= 1:
            raise ValueError("the share that may go at once is above 0 and at most 1")

    def __str__(self) -> str:
        """`7 full, 14 d`."""
        rules = [f"{self.full} full"] if self.full is not None else []
        rules += [f"{self.days:g} d"] if self.days is not None else []
        return ", ".join(rules)
