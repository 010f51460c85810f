"""The signs, for terminals that can show Unicode and for those that cannot."""

from typing import NamedTuple


class Glyphs(NamedTuple):
    """The signs. `sparks` are the sparkline's steps, lowest first.

    `both` to `outside` are the coverage strip's cells (what is missing is `critical`), `backup` stands
    above a cell in which a base backup began, `caret` below the one that is looked at.
    """

    ok: str
    warning: str
    critical: str
    unknown: str
    stale: str
    rule: str
    cursor: str
    more: str
    arrow: str
    thumb: str
    track: str
    sparks: str
    dot: str
    branch: str
    end: str
    both: str
    primary_only: str
    dr_only: str
    accepted: str
    outside: str
    backup: str
    caret: str

    def sign(self, level: str) -> str:
        """The sign of a verdict's level, by its name."""
        return {"ok": self.ok, "warning": self.warning, "critical": self.critical}.get(level, self.unknown)


UNICODE = Glyphs(
    ok="●",
    warning="▲",
    critical="✗",
    unknown="?",
    stale="◌",
    rule="─",
    cursor="▸",
    more="…",
    arrow="→",
    thumb="┃",
    track="│",
    sparks="▁▂▃▄▅▆▇█",
    dot="·",
    branch="├",
    end="└",
    both="█",
    primary_only="▀",
    dr_only="▄",
    accepted="x",
    outside="·",
    backup="▾",
    caret="▴",
)
ASCII = Glyphs(
    ok="+",
    warning="!",
    critical="X",
    unknown="?",
    stale="~",
    rule="-",
    cursor=">",
    more="~",
    arrow="->",
    thumb="#",
    track="|",
    sparks="_.:-=+*#",
    dot="-",
    branch="|",
    end="`",
    both="#",
    primary_only='"',
    dr_only="_",
    accepted="x",
    outside=".",
    backup="v",
    caret="^",
)
