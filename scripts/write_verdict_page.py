"""Fill the tables of docs/verdicts.md from the program; the words between them are written by hand."""

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from walconsole.domain.facts import backlog
from walconsole.domain.facts.disk_forecast import CALM_S, URGENT_S, WINDOW_S
from walconsole.domain.facts.snapshot import SLOTS, Need
from walconsole.domain.failures import FAMILIES
from walconsole.domain.incidents.model import HOLD_S
from walconsole.domain.recovery.words import Limits
from walconsole.domain.standing import archiver, copies
from walconsole.domain.standing.exposure import LISTING_GRACE_S
from walconsole.domain.standing.mode import FailureMode
from walconsole.domain.standing.model import Level
from walconsole.domain.units import duration_text
from walconsole.errors import PLUGIN_EXIT_CODES
from walconsole.report.metrics import LEVELS

PAGE = Path(__file__).parents[1] / "docs" / "verdicts.md"
_BLOCK = re.compile(r"<!-- made: (\w+) -->\n.*?<!-- end -->", re.DOTALL)
_MEANS = {
    Level.OK: "seen to be possible to restore, and nothing that could deny it is unread",
    Level.WARNING: "something soon might cost data, or a restore would be worse than it should",
    Level.CRITICAL: "data written now would not survive a lost disk, or a stretch cannot be restored",
    Level.UNKNOWN: "could not tell: something that the answer rests on was not read",
}


def levels() -> Iterator[str]:
    """The levels with their exit codes."""
    yield "| level | exit code of `check` and `report` | means |"
    yield "|---|---|---|"
    for level, means in _MEANS.items():
        code = f"{LEVELS[level]} ({_cell(PLUGIN_EXIT_CODES[LEVELS[level]])})"
        yield f"| {level.value.upper()} | {code} | {means} |"


def sources() -> Iterator[str]:
    """Every source: what is read, what a verdict does without it, and over which way it comes."""
    needs = {
        Need.VERDICT: "no OK: the line says UNKNOWN, and that it was not read",
        Need.ANSWER: "`check` waits for its answer, whatever it is; an OK may stand without it",
        Need.OCCASION: "nothing: it is looked at where there is something to look at",
    }
    yield "| source | what is read | without it |"
    yield "|---|---|---|"
    for slot in SLOTS:
        way = "over SSH" if slot.through_ssh else "from here"
        yield f"| `{slot.name}` | {slot.words}, {way} | {needs[slot.need]} |"


def limits() -> Iterator[str]:
    """Every limit that turns a number into a verdict."""
    yield "| limit | value |"
    yield "|---|---|"
    backups = Limits()
    for words, value in (
        ("an archiver that neither succeeds nor fails stands still after", _s(archiver.STALLED_AFTER_S)),
        ("segments that wait make a backlog, if they will not be gone soon", f"{backlog.BEHIND_SEGMENTS}"),
        ("as many do where the oldest has waited longer than the next", f"{backlog.BEHIND_WAIT_SEGMENTS}"),
        ("the oldest has waited", _s(backlog.BEHIND_WAIT_S)),
        ("a backlog is on the move where it will be gone within", _s(backlog.DRAINED_S)),
        ("or where many a second go, and the oldest has not waited for longer than", _s(backlog.LONG_WAIT_S)),
        ("what was behind is so until it will be gone within", _s(backlog.CALM_S)),
        (
            "an idle server may write so much without anything being behind",
            f"{archiver.IDLE_NOISE_BYTES:,} bytes",
        ),
        (
            "after a start (and an archive_timeout) something should have been archived",
            _s(archiver.FIRST_DUE_S),
        ),
        ("a listing may be older than an upload's answer by", _s(LISTING_GRACE_S)),
        ("below a segment stored so long ago nothing is still to come", _s(copies.SETTLING_S)),
        ("a DR copy may lack so many segments", f"{copies.DR_PATIENCE_SEGMENTS}"),
        ("or more of them, if not for longer than", _s(copies.DR_PATIENCE_S)),
        ("the newest usable base backup may be as old as", _s(backups.oldest_backup_s)),
        ("a base backup without its end may still be running for", _s(backups.running_s)),
        ("a disk that is full within this is CRITICAL", _s(URGENT_S)),
        ("and stays so until it is not within", _s(CALM_S)),
        ("of the disk's past as much is looked at", _s(WINDOW_S)),
        ("an incident is closed when OK has held for", _s(HOLD_S)),
    ):
        yield f"| {words} | {value} |"


def modes() -> Iterator[str]:
    """Every failure mode, by family: how it is known, what it puts at risk, what it explains."""
    for family, members in FAMILIES:
        yield ""
        yield f"### {family}"
        yield ""
        yield "| id | how it is known | puts at risk | explains |"
        yield "|---|---|---|---|"
        for mode in members:
            risk = mode.risk.value if mode.risk is not None else "what it explains" if mode.explains else ""
            if not mode.alarms:
                risk = "a recovery" if mode.refused else "nothing: it is no alarm"
            leads = ", ".join(f"`{each}`" for each in mode.explains)
            yield f"| {_link(mode)} | {_cell(mode.page.signal)}{_untried(mode)} | {risk} | {leads} |"


def _link(mode: FailureMode) -> str:
    return f"[`{mode.id}`](failures/{mode.id}.md)"


def _untried(mode: FailureMode) -> str:
    """What no test could bring about on real servers is said to be so."""
    return f" *Not brought about in a test: {_cell(mode.untried)}.*" if mode.untried else ""


def _s(seconds: float) -> str:
    return duration_text(seconds) if seconds >= 10 else f"{seconds:g} s"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


MADE: dict[str, Callable[[], Iterator[str]]] = {
    "levels": levels,
    "sources": sources,
    "limits": limits,
    "modes": modes,
}


def page(text: str) -> str:
    """The page with its tables made anew."""

    def made(block: re.Match[str]) -> str:
        lines = "\n".join(MADE[block[1]]()).strip("\n")
        return f"<!-- made: {block[1]} -->\n\n{lines}\n\n<!-- end -->"

    return _BLOCK.sub(made, text)


def stale() -> list[str]:
    """The page's name where its tables are not what the program says."""
    text = PAGE.read_text("utf-8")
    return [str(PAGE)] if page(text) != text or len(_BLOCK.findall(text)) != len(MADE) else []


def main() -> int:
    """Write it, or with --check say whether it is stale."""
    if "--check" in sys.argv[1:]:
        for path in stale():
            sys.stderr.write(f"{path} is not what the program says: run `make docs`\n")
        return 1 if stale() else 0
    PAGE.write_text(page(PAGE.read_text("utf-8")), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
