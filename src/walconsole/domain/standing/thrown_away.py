"""Whether the archive command says yes and stores nothing, by its own words and its scripts'."""

from walconsole.domain.archivers.ending import by_its_words, hides_failure
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.redaction import safe
from walconsole.domain.standing.archiver import ArchiverState
from walconsole.domain.standing.exposure import Agreement
from walconsole.domain.standing.remedies import by_its_words_stores_nothing, command_in_force
from walconsole.domain.standing.streaming import streamed_to
from walconsole.domain.store.answers import NO_SUCH_FOLDER, Meaning, meaning_of

_SAYS_YES = (ArchiverState.WORKING, ArchiverState.IDLE, ArchiverState.BEHIND, ArchiverState.NEVER)


def thrown_away_by(snapshot: Snapshot, state: ArchiverState, agreement: Agreement) -> str:
    """That command; empty for any other, where WAL is streamed to somebody, and where the archive has it.

    A server that shall be able to archive later without a restart is given `/bin/true` for the time being.
    """
    settings = snapshot.settings.value
    if settings is None or settings.value("archive_library") or state not in _SAYS_YES:
        return ""
    command = settings.value("archive_command") or ""
    if not by_its_words_stores_nothing(snapshot, command) or streamed_to(snapshot) or agreement.ok:
        return ""
    return command.strip() or repr(command)


def hiding_of(snapshot: Snapshot) -> tuple[str, str]:
    """What of the archive command hides a failure, and the script's line; both empty where nothing does."""
    command, found = command_in_force(snapshot), snapshot.discovery.value
    if found is not None and found.hiding and found.judged == safe(command):
        return found.hiding[:60], found.hiding_at
    return safe(hides_failure(command))[:60], ""


def skipping_of(snapshot: Snapshot) -> tuple[str, str]:
    """When the archive command ends well and stores nothing, in words, and the script's line; else empty."""
    command, found = command_in_force(snapshot), snapshot.discovery.value
    if found is not None and found.skipping and found.judged == safe(command):
        return found.skipping, found.skipping_at
    skipping = by_its_words(command).skipping
    return (safe(skipping.what) if skipping is not None else ""), ""


def let_go_by(snapshot: Snapshot, state: ArchiverState) -> str:
    """Why the one store that the archive command stores into takes nothing, where the command hides that.

    Empty for any other. By two witnesses: the command's words, and the store's answer to what the command
    itself asks by: its bucket, and its own key.
    """
    found, problem = snapshot.discovery.value, snapshot.primary.problem
    if found is None or problem is None or state not in _SAYS_YES or not hiding_of(snapshot)[0]:
        return ""
    sole = len(found.copies) == 1 and not found.copies[0].unread and not found.differences
    meaning = meaning_of(problem.code, said=problem.reason)
    archiver = snapshot.archiver.value
    began = archiver is not None and archiver.last_archived_at is not None  # else the folder may be made yet
    absent = meaning is Meaning.ABSENT_BUCKET and (began or problem.code != NO_SUCH_FOLDER)
    wrong_key = meaning in (Meaning.KEY_UNKNOWN, Meaning.SIGNATURE_WRONG) and snapshot.told.archivers_key
    return problem.reason if sole and (absent or wrong_key) and not streamed_to(snapshot) else ""
