"""A restore command that says yes for a file that it does not bring, or takes WAL from another folder."""

import re
from collections.abc import Iterator
from shlex import quote

from walconsole.domain.archivers.ending import by_its_words
from walconsole.domain.archivers.folders import restore_folders
from walconsole.domain.facts.folders import ArchiveFolder
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.pgconf.resolution import Origin
from walconsole.domain.profile import folder_place
from walconsole.domain.redaction import safe
from walconsole.domain.standing.assessment import Assessment
from walconsole.domain.standing.folders import folders_in_force
from walconsole.domain.standing.mode import FailureMode, Page
from walconsole.domain.standing.model import Certainty, Finding, Fix, Severity
from walconsole.domain.standing.proofs import setting_row
from walconsole.domain.standing.recovery import asked_by_restore, restoring
from walconsole.domain.standing.remedies import RELOAD

_MAKES_A_FILE = re.compile(r">\s*[\"']?%p|\bcurl\b")
"""What then lies at %p is empty, or a store's page of an error: of a .history file no size is checked."""


def restore_says_yes(assessment: Assessment) -> Iterator[Finding]:
    """By the words of the server's own restore_command."""
    snapshot = assessment.snapshot
    command, own = restoring(snapshot)
    if not own or not command:
        return
    ending = by_its_words(command)
    if ending.stores_nothing:
        title = "a recovery here would fetch nothing: by its own words restore_command brings no file"
        severity = Severity.WARNING
    elif ending.hiding is None:
        return
    else:
        severity = Severity.WARNING if _MAKES_A_FILE.search(command) else Severity.NOTE
        title = f"restore_command says yes for a file that is not there ({safe(ending.hiding.what)[:60]})"
    yield Finding(
        "restore-says-yes",
        severity,
        title,
        (
            f"restore_command = {safe(command)}",
            "a recovery asks for files that need not be there (the next .history, the next segment), and "
            "takes a failure for the archive's end",
        ),
        "have it end with a failure where it brings no file: without what makes it succeed, `curl -f`",
        Snapshot.settings,
        "restore_command",
        proof=tuple(setting_row(snapshot, "restore_command")),
        fixes=(Fix("correct restore_command in the file that sets it, and reload", (RELOAD,)),),
        certainty=Certainty.LIKELY,
        surer="walconsole drill recovers with it",
    )


def restores_from_elsewhere(assessment: Assessment) -> Iterator[Finding]:
    """The restore command takes WAL from folders of this host, and from none that is archived to."""
    snapshot = assessment.snapshot
    command, own = restoring(snapshot)
    server, files = snapshot.server.value, snapshot.files.value
    if not own or server is None or server.in_recovery or asked_by_restore(snapshot):
        return
    resolved = files.resolution if files is not None else None
    chain = resolved.chain("restore_command") if resolved is not None else None
    if chain is not None and chain.winner is not None and chain.winner.origin is Origin.AUTO_CONF:
        return  # told as left there
    copies = [folder_place(each.value.bucket) for each in snapshot.copies if each.value is not None]
    if not copies or any(host or not path.startswith("/") for host, path in copies):
        return  # a store beside: a folder may be asked first
    stored = {path for _, path in copies} | {each.path for each in folders_in_force(snapshot)}
    taken = set(restore_folders(command))
    if not taken or any(f"{one}/".startswith(f"{each.rstrip('/')}/") for one in taken for each in stored):
        return
    others = _others(snapshot, taken)
    if not others:
        return
    seen, archive = min(others, key=lambda each: each.path), safe(min(stored))
    named, lacks = seen.path, snapshot.folders.value.segment if snapshot.folders.value is not None else ""
    what = f": {seen.why}" if seen.why else f" holds no {lacks}" if lacks else " is another folder"
    yield Finding(
        "restore-elsewhere",
        Severity.WARNING,
        f"restore_command takes WAL from {named}, and the archive is {archive}: a recovery would find "
        "nothing new",
        (
            f"restore_command = {safe(command)} (pg_settings)",
            f"it is archived to {archive}",
            f"{named}{what} (stat on the droplet)",
        ),
        "let restore_command take WAL from where archive_command stores it, before it is needed",
        Snapshot.settings,
        "restore_command",
        proof=tuple(setting_row(snapshot, "archive_command", "restore_command")),
        fixes=(
            Fix(
                "see what is in both", tuple(f"ls -la {quote(each)} | tail -n 3" for each in (named, archive))
            ),
        ),
        certainty=Certainty.LIKELY,
        surer="where something else copies the archive there, with a delay, it holds what is older: ls -l",
    )


def _others(snapshot: Snapshot, taken: set[str]) -> list[ArchiveFolder]:
    """What was seen of those folders, where none of them is the archive by another name (a link, a mount) nor
    holds its newest segment; empty while that is not known of each.
    """
    facts = snapshot.folders.value
    seen = [each for each in facts.taken_from if each.path in taken] if facts is not None else []
    if facts is None or len(seen) < len(taken) or any(_UNKNOWN.search(each.why) for each in seen):
        return []
    own = {each.identity for each in folders_in_force(snapshot) if each.identity}
    known = own or facts.segment  # else there is nothing to compare with
    return [] if not known or any(each.identity in own or each.holds for each in seen) else seen


_UNKNOWN = re.compile("did not answer|Permission denied")
"""What is there is not known."""


MODES: tuple[FailureMode, ...] = (
    FailureMode(
        "restore-says-yes",
        Page(
            title="the restore command says yes for a file that it does not bring",
            symptom=(
                "Nothing, until the next recovery: it stops with `archive file … has wrong size` or `syntax "
                "error in history file`, looks for ever newer timelines, or restores nothing at all."
            ),
            cause=(
                "`|| true` behind it, `curl` without `-f` (which stores the error's page), a `/bin/true` "
                "that was set for the time being."
            ),
            signal=(
                "The words of the server's restore_command, followed as a shell does; what a script does is "
                "not looked at."
            ),
            fix="Let it fail where there is no such file: PostgreSQL asks for such files, and goes by that.",
            never="Do not take a recovery that ends early for the end of the archive.",
            source="access/transam/xlogarchive.c (RestoreArchivedFile), timeline.c (findNewestTimeLine)",
        ),
        look=restore_says_yes,
    ),
    FailureMode(
        "restore-elsewhere",
        Page(
            title="the restore command takes WAL from another folder than it is archived to",
            symptom="Nothing, until a recovery: it ends where the other folder ends, or finds nothing.",
            cause="The archive was moved, and archive_command with it; restore_command was forgotten.",
            signal=(
                "The words of restore_command in force: folders of this host, of which none is the "
                "archive's, nor one that archive_command names, by its device and inode, and none holds the "
                "newest archived segment. What a script or another tool does is not looked at, nor is a "
                "folder on another host."
            ),
            fix="Let restore_command name the archive's folder, and reload. Then `walconsole drill`.",
        ),
        look=restores_from_elsewhere,
    ),
)
