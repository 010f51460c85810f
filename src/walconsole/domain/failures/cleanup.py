"""archive_cleanup_command, which deletes what a standby needs no more: base backups may need it yet."""

import shlex
from collections.abc import Iterator
from posixpath import basename, normpath

from walconsole.domain.archivers.folders import archive_folders
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.profile import folder_place
from walconsole.domain.redaction import safe
from walconsole.domain.standing.assessment import Assessment
from walconsole.domain.standing.mode import FailureMode, Page
from walconsole.domain.standing.model import Certainty, Finding, Fix, Severity
from walconsole.domain.standing.proofs import setting_row
from walconsole.domain.standing.remedies import RELOAD, command_in_force

_DRY = ("-n", "--dry-run")
_TAKES_A_WORD = ("-x", "--strip-extension", "-b")


def cleanup_eats(assessment: Assessment) -> Iterator[Finding]:
    """At each restartpoint of a standby or a recovery all WAL from before goes: from the archive itself."""
    snapshot = assessment.snapshot
    settings, server = snapshot.settings.value, snapshot.server.value
    setting = settings.get("archive_cleanup_command") if settings is not None else None
    folder = _cleaned(setting.value) if setting is not None else ""
    if setting is None or server is None or not folder:
        return
    shared = _is_the_archive(snapshot, folder)
    if not shared and not server.in_recovery:
        return  # it does nothing on a primary, and what it would clean is not the archive
    now = "deletes WAL" if server.in_recovery else "would delete WAL in any recovery of this configuration"
    yield Finding(
        "cleanup-eats-wal",
        Severity.WARNING if shared else Severity.NOTE,
        f"archive_cleanup_command {now} from {safe(folder)}, base backups or not",
        (
            f"archive_cleanup_command = {safe(setting.value)}: it keeps what this server needs to go on, "
            "and knows of no base backup",
            f"{safe(folder)} is the archive"
            if shared
            else f"whether {safe(folder)} is for it alone is not known",
        ),
        "take it out where base backups are restored with that WAL, on standbys too; let retention delete",
        Snapshot.settings,
        "archive_cleanup_command",
        proof=tuple(setting_row(snapshot, "archive_cleanup_command", "archive_command")),
        fixes=(
            Fix(
                "empty it in the file that sets it, and reload; on each standby",
                ("ALTER SYSTEM SET archive_cleanup_command = '';", RELOAD),
                risk="the folder grows then until something deletes that knows of the base backups",
            ),
        ),
        certainty=Certainty.LIKELY if shared else Certainty.POSSIBLE,
        surer="is any base backup restored with what lies there?",
    )


def _cleaned(command: str) -> str:
    """The folder that pg_archivecleanup is called with, empty where the command is another, or only tells."""
    try:
        words = shlex.split(command)
    except ValueError:
        return ""
    at = next((at for at, word in enumerate(words) if basename(word) == "pg_archivecleanup"), None)
    rest = iter(words[at + 1 :] if at is not None else ())
    for word in rest:
        if word in _DRY:
            return ""
        if word in _TAKES_A_WORD:
            next(rest, "")
        elif not word.startswith("-"):
            return word if word.startswith("/") else ""
    return ""


def _is_the_archive(snapshot: Snapshot, folder: str) -> bool:
    facts, primary = snapshot.folders.value, snapshot.primary.value
    places = [each.path for each in facts.folders] if facts is not None else []
    host, path = folder_place(primary.bucket) if primary is not None else ("", "")
    cleaned = normpath(folder)
    here = (*places, *archive_folders(command_in_force(snapshot)), "" if host else path)
    known = [normpath(place) for place in here if place.startswith("/")]
    return any(each == cleaned or each.startswith(cleaned.rstrip("/") + "/") for each in known)


MODES: tuple[FailureMode, ...] = (
    FailureMode(
        "cleanup-eats-wal",
        Page(
            title="archive_cleanup_command deletes WAL that base backups need",
            symptom=(
                "Base backups that were well cannot be restored any more: WAL from before a standby's last "
                "restartpoint is gone from the archive."
            ),
            cause=(
                "`archive_cleanup_command = 'pg_archivecleanup /archive %r'` on a standby, for the folder "
                "that base backups are restored with, too. It keeps what that standby needs, and knows of "
                "nothing else. On a primary it does nothing, but its standbys and a recovery take over its "
                "configuration."
            ),
            signal=(
                "The setting in force, and whether its folder is the archive's. A note on a standby where "
                "that is not known; nothing on a primary whose archive is elsewhere. What cron deletes is "
                "not looked at: what is gone shows in the archive."
            ),
            fix=(
                "Empty it, on each standby, and reload. Let what deletes know of the base backups.\n\n"
                "```\nALTER SYSTEM SET archive_cleanup_command = '';\nSELECT pg_reload_conf();\n```\n\n"
                "Take a base backup where WAL is gone."
            ),
            source="PostgreSQL's documentation, 19.5.5 Archive Recovery; pg_archivecleanup",
        ),
        look=cleanup_eats,
        explains=("wal-before-backup-gone", "archive-shrunk", "gap"),
    ),
)
