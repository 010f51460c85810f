"""A recording on the console's screens: nothing is connected, and nothing can be done."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from walconsole.domain.kept.recording import MOST_FILE_BYTES, recording_of
from walconsole.errors import UsageError
from walconsole.process.clock import SystemClock
from walconsole.ui.board.droplet_session import DropletSession

if TYPE_CHECKING:
    from walconsole.domain.facts.snapshot import AnySlot
    from walconsole.domain.kept.recording import Recording
    from walconsole.domain.kept.screens import PastScreen
    from walconsole.domain.profile import BucketRole
    from walconsole.ports import BucketReader, Observer, Screen


def read_recording(path: Path) -> Recording:
    """What is in the file. Raises UsageError."""
    tried = f"reading the recording {path}"
    try:
        with path.open("rb") as file:
            content = file.read(MOST_FILE_BYTES + 1)
    except OSError as error:
        raise UsageError(tried, error.strerror or str(error), "name a file that can be read") from None
    remedy = "name a file that `walconsole record`, or e on the triage screen, wrote"
    if len(content) > MOST_FILE_BYTES:
        raise UsageError(tried, f"it is longer than {MOST_FILE_BYTES >> 20} MiB", remedy)
    try:
        return recording_of(content.decode("utf-8"))
    except ValueError as error:
        why = "it is no text" if isinstance(error, UnicodeDecodeError) else str(error)
        raise UsageError(tried, why, remedy) from None


def replay_session(recording: Recording) -> DropletSession:
    """A session that shows the recording from its first moment, and nothing else ever.

    It has neither a connection nor what makes steps: nothing could be done if a key asked for it.
    """
    from walconsole.domain.profile import BucketRole
    from walconsole.droplet.names import RcloneNames
    from walconsole.session.past import HeldHistory, KeptPast

    past = KeptPast(HeldHistory(recording.frames, recording.runs), recording.title, _can_be_diagnosed)

    async def connect(session: DropletSession) -> Observer:
        from walconsole.ui.board.travel import Travel

        travel = Travel(past, recording=True)
        if not await travel.begin(recording.frames[-1].at):
            raise UsageError("playing the recording", "none of its moments can be shown", "record it anew")
        session.show_past(travel)
        return _NothingToObserve()

    session = DropletSession(recording.title, connect, clock=SystemClock())
    session.past, session.hands_off = past, "this is a recording"
    if recording.remotes:
        copies = {BucketRole(role): name for role, name in recording.remotes.items()}
        session.rclone = RcloneNames(copies, recording.remote_config)
    return session


def _can_be_diagnosed(screen: PastScreen) -> None:
    """Raises ValueError where it cannot: numbers that no server has ever told may be in it."""
    from walconsole.domain.failures import diagnose

    try:
        diagnose(screen.snapshot, screen.at)
    except Exception as error:
        raise ValueError(f"it cannot be diagnosed: {type(error).__name__}") from error


class _NothingToObserve:
    """ports.Observer that waits for the end."""

    async def run(self, screen: Screen) -> None:
        await asyncio.Event().wait()

    def refresh(self) -> None:
        """Nothing can be read."""

    def bucket(self, role: BucketRole) -> BucketReader | None:
        return None

    def pause(self, paused: bool) -> None:
        """Nothing is read."""

    def pace(self, factor: float) -> None:
        """Nothing is read."""

    def hurry(self, slot: AnySlot) -> None:
        """Nothing can be read."""
