"""Which clusters are shown, and in which order: the worst first, filtered by words, together by tag."""

from collections.abc import Callable, Iterable, Sequence

from walconsole.domain.fleet.row import FleetRow
from walconsole.domain.standing.model import Level
from walconsole.domain.standing.worsening import RANK

Key = Callable[[FleetRow], float | str | None]

_LEVELS = {level.value: level for level in Level}
_UNTAGGED = "\uffff"


def _severity(row: FleetRow) -> float:
    """Well last; before it what was never looked at."""
    if not row.was_seen:
        return -0.5
    return -RANK[row.level]


def ordered(
    rows: Iterable[FleetRow], key: Key | None = None, *, backwards: bool = False, by_tag: bool = False
) -> list[FleetRow]:
    """The rows by `key` (None: the worst first); what is not known is last either way.

    Among equals the worst is first, then by name. `by_tag` brings together those of the same first tag.
    """
    found = sorted(rows, key=lambda row: (_severity(row), row.name))
    if key is None:
        found = found[::-1] if backwards else found
    else:
        known = [row for row in found if key(row) is not None]
        unknown = [row for row in found if key(row) is None]
        known.sort(key=lambda row: _comparable(key(row)), reverse=backwards)
        found = [*known, *unknown]
    if by_tag:
        found.sort(key=group_of)
    return found


def _comparable(value: float | str | None) -> tuple[float, str]:
    return (0.0, value.casefold()) if isinstance(value, str) else (value or 0.0, "")


def group_of(row: FleetRow) -> str:
    """The tag that it stands under: its first; those without one come last."""
    return row.identity.tags[0] if row.identity.tags else _UNTAGGED


def matching(rows: Iterable[FleetRow], pattern: str) -> list[FleetRow]:
    """The rows that every word of `pattern` is true of.

    A word is a state (`critical`, `warning`, `unknown`, `ok`), a tag (`#eu`), or a part of the name, the
    host, the version, the role or the verdict, whatever its case; `!` before it turns it round (`!ok`).
    """
    words = pattern.split()
    return [row for row in rows if all(_is_true(word, row) for word in words)]


def _is_true(word: str, row: FleetRow) -> bool:
    if word.startswith("!") and len(word) > 1:
        return not _is_true(word[1:], row)
    wanted = word.casefold()
    if wanted in _LEVELS:
        return row.level is _LEVELS[wanted]
    if word.startswith("#"):
        return wanted[1:] in (tag.casefold() for tag in row.identity.tags)
    texts = (row.name, row.identity.host, row.version, row.role, row.verdict)
    return any(wanted in text.casefold() for text in texts)


def next_in_trouble(rows: Sequence[FleetRow], at: int, step: int) -> int | None:
    """The number of the next row in trouble from `at`, around the end; None where no other is."""
    for offset in range(1, len(rows) + 1):
        number = (at + step * offset) % len(rows)
        if rows[number].in_trouble:
            return number if number != at else None
    return None
