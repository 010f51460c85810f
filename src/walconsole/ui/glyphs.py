"""The signs, for terminals that can show Unicode and for those that cannot."""

from typing import NamedTuple


class Glyphs(NamedTuple):
    """The signs. `sparks` are the sparkline's steps, lowest first."""

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
)
