"""Archive scripts, by what they are, from archive_scripts.txt: each begins behind a first line of its own.

They are called with `%p %f`. Their forms are those that people publish.
"""

import re
from pathlib import Path

_HEADING = re.compile(r"=== (\w+)(?:, line (\d+), by (.*?))?: (.*)")

HEALTHY: dict[str, str] = {}
"""They fail where storing fails."""
HIDING: dict[str, tuple[str, str, int]] = {}
"""They say yes all the same: by what, and on which line."""
NOTHING: dict[str, str] = {}
"""They come to nothing that could store."""
OPEN: dict[str, str] = {}
"""Only a run tells."""


def _read() -> None:
    kinds = {"healthy": HEALTHY, "nothing": NOTHING, "open": OPEN}
    text = Path(__file__).with_suffix(".txt").read_text()
    for part in re.split(r"^(?==== )", text, flags=re.MULTILINE)[1:]:
        heading, _, script = part.partition("\n")
        told = _HEADING.fullmatch(heading)
        assert told is not None, heading
        if told[1] == "hiding":
            HIDING[told[4]] = script, told[3], int(told[2])
        else:
            kinds[told[1]][told[4]] = script


_read()
