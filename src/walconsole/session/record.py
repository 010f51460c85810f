"""`walconsole record`: what is kept of a cluster's past, in one file for somebody else."""

from pathlib import Path

from walconsole.domain.kept.recording import Recording, bounded, recording_text
from walconsole.domain.kept.runs import between
from walconsole.domain.profile import Profile
from walconsole.domain.units import plural, whole_duration_text
from walconsole.droplet.names import rclone_names
from walconsole.errors import UsageError
from walconsole.operator_files.history_file import HistoryFile
from walconsole.operator_files.private import write_new
from walconsole.process.clock import SystemClock
from walconsole.session.past import frames_between
from walconsole.session.wish import Session


def record(session: Session, path: Path, since_s: float, until_s: float) -> str:
    """Write what is kept from `since_s` seconds ago to `until_s` ago; what was written, in a line.

    Raises UsageError where nothing is kept, or the file is there or cannot be written.
    """
    profile = session.target
    assert isinstance(profile, Profile)  # noqa: S101  # the command names a server
    now = SystemClock().now()
    tried = f"recording {profile.name}"
    history, first, last = HistoryFile(session.environment), now - since_s, now - until_s
    frames = frames_between(history, profile.kept_under, first, last)
    if not frames:
        remedy = "open the console, or let a watcher run: what they see is kept for thirty days"
        raise UsageError(tried, "nothing is kept of that time", remedy)
    names = rclone_names(profile)
    remotes = {role.value: name for role, name in names.copies.items()}
    kept = bounded(frames)
    runs = between(history.runs_until(profile.kept_under, last), first, last)
    text = recording_text(Recording(session.title, tuple(kept), remotes, names.config, tuple(runs)))
    try:
        write_new(path, text)
    except FileExistsError:
        raise UsageError(tried, f"{path} is there already", "name another file") from None
    except OSError as error:
        raise UsageError(tried, f"{path}: {error.strerror or error}", "name another file") from None
    span = whole_duration_text(kept[-1].at - kept[0].at)
    return f"{path}: {plural(len(kept), 'moment')} of {span}, redacted; walconsole replay {path} plays it"
