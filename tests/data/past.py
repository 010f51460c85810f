"""A past to go back to: snapshots at their times, kept as a session keeps them."""

from collections.abc import Sequence

from walconsole.domain.facts.log_line import LogLine
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.failures import diagnose
from walconsole.domain.incidents.model import IncidentLog
from walconsole.domain.kept.screens import Frame, PastScreen, ScreenWriter, linked
from walconsole.operator_files.history_file import HistoryFile
from walconsole.session.past import HeldHistory, KeptPast


def past_screens(
    moments: Sequence[tuple[float, Snapshot]],
    lines: tuple[LogLine, ...] = (),
    remembered: IncidentLog | None = None,
) -> list[PastScreen]:
    """A screen a moment."""
    return [PastScreen(at, snapshot, lines, remembered) for at, snapshot in moments]


def frames_of(screens: Sequence[PastScreen]) -> list[Frame]:
    """As they are kept."""
    writer = ScreenWriter()
    return [
        Frame(screen.at, diagnose(screen.snapshot, screen.at).verdict.level.value, writer.document(screen))
        for screen in screens
    ]


def kept_past(screens: Sequence[PastScreen]) -> KeptPast:
    """board.front.Past of these."""
    held = HeldHistory()
    held.keep_screens("db", 1, linked(frames_of(screens)))
    return KeptPast(held, "db")


def tidied_for_long(file: HistoryFile, cluster: str, now: float) -> None:
    """As after weeks of it: one tidying alone believes no clock that all is much older than at the last."""
    for _ in range(35):
        file.tidy(cluster, now)
