"""A resolved profile in words: every value and where it comes from."""

from collections.abc import Iterable

from walconsole.config.resolve import Resolved
from walconsole.config.schema import PROFILE_KEYS
from walconsole.domain.redaction import safe


def described(resolved: Resolved) -> list[str]:
    """Lines `key  value  origin`, aligned, in the order of the schema."""
    rows = []
    for key in PROFILE_KEYS:
        setting = resolved.settings[key.path]
        value = key.default if setting.value is None else _text(setting.value)
        rows.append((key.path, safe(value), safe(setting.origin)))
    return [f"# {safe(note)}" for note in resolved.notes] + aligned(rows)


def aligned(rows: Iterable[tuple[str, ...]]) -> list[str]:
    """Rows as lines, each column as wide as its widest cell."""
    table = list(rows)
    widths = [max(len(cell) for cell in column) for column in zip(*table, strict=True)]
    padded = [[cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in table]
    return ["  ".join(row).rstrip() for row in padded]


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return ", ".join(str(item) for item in value) or "none"
    return str(value) or "none"
