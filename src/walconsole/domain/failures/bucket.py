"""What the buckets refuse, and whether they hold what PostgreSQL says it archived."""

import re
from collections.abc import Iterator

from walconsole.domain.facts.observed import ArchiverFacts, BucketFacts, ServerFacts
from walconsole.domain.facts.snapshot import Problem, Snapshot
from walconsole.domain.patience import OVERDUE
from walconsole.domain.redaction import safe
from walconsole.domain.standing.archiver import ArchiverState
from walconsole.domain.standing.assessment import Assessment
from walconsole.domain.standing.clocks import measured_skew
from walconsole.domain.standing.copies import copies, stored_age
from walconsole.domain.standing.elsewhere import elsewhere
from walconsole.domain.standing.exposure import alike_holds
from walconsole.domain.standing.failure_log import is_commands
from walconsole.domain.standing.mode import REFUSED, FailureMode, Page, Risk
from walconsole.domain.standing.model import Certainty, Finding, Fix, Proof, Severity
from walconsole.domain.standing.proofs import archiver_row, log_lines, refusal, setting_row, spool_proof
from walconsole.domain.standing.refusals import (
    REFUSALS,
    THROTTLED,
    fixes_for,
    of_problem,
    of_result,
    of_words,
    phrase_here,
)
from walconsole.domain.standing.remedies import archive_by_hand, base_backup, is_ours, ours_in_force
from walconsole.domain.standing.slowness import slowness
from walconsole.domain.standing.unreachable import LINK_CODES, SHELL_CODES
from walconsole.domain.store.answers import FOLDER_CODES, UNREAD_PLACE, Meaning
from walconsole.domain.units import plural
from walconsole.domain.wal import wal_name

_CERTAIN = frozenset({"bucket-404", "key-403", "clock-skew", "no-key"})
"""What does not pass by itself; a store that cannot be reached, or fails, may."""
_NEITHER = "neither bucket was asked: there is no key to ask with"


def refused(assessment: Assessment) -> Iterator[Finding]:
    """The exact reason why a bucket cannot be read; a key that both lack is told once."""
    snapshot = assessment.snapshot
    archivers = assessment.told_of_the_archiver
    lacking = snapshot.primary.problem
    no_key = lacking is not None and of_problem(lacking) is Meaning.NO_KEY
    both = no_key and lacking == snapshot.dr.problem
    for copy, reading in copies(snapshot)[: 1 if both else 2]:
        problem = reading.problem
        if problem is None or not _was_asked(problem, snapshot):
            continue
        if problem.code in FOLDER_CODES and _told_as_folder(snapshot):
            continue
        meaning = Meaning.UNREACHABLE if problem.code == OVERDUE else of_problem(problem)
        known = REFUSALS[meaning]
        own = copy == "primary" and snapshot.told.archivers_key and meaning in _OF_THE_KEY
        if (known.rule, reading.slot) in archivers:
            continue  # the archiver is refused the same: that is the one that matters, and it is told there
        if meaning in THROTTLED and not assessment.has_failed:
            continue  # told as such
        yield Finding(
            known.rule,
            Severity.CRITICAL if own else _severity(copy, _may_pass(meaning), assessment),
            _NEITHER if both else f"the {copy} bucket {phrase_here(meaning, problem.code)}",
            (problem.why, *([_OWN_KEY] if own else [])),
            problem.remedy or "check the endpoint, the region and the network",
            reading.slot,
            since=reading.failing_since,
            proof=tuple(refusal(reading)),
            fixes=fixes_for(snapshot, meaning) if not both else (),
            certainty=known.certainty,
            surer=known.surer,
        )


_OF_THE_KEY = frozenset({Meaning.KEY_UNKNOWN, Meaning.SIGNATURE_WRONG, Meaning.CREDENTIALS_BAD})
"""Whoever asks by that key is answered so, whatever it may do: who may not list may write all the same."""
_OWN_KEY = "it is the archiver's own key: what PostgreSQL counts as archived since then is in no such bucket"


def _may_pass(meaning: Meaning) -> bool:
    return REFUSALS[meaning].rule not in _CERTAIN and meaning is not Meaning.ACCOUNT


def _told_as_folder(snapshot: Snapshot) -> bool:
    """Whether what is wrong with a folder is told by what its file system says."""
    facts = snapshot.folders.value
    return facts is not None and any(
        each.why or each.expected_mount or each.writable is False for each in facts.folders
    )


def _was_asked(problem: Problem, snapshot: Snapshot) -> bool:
    """Whether the store was: its key may lie on the droplet, which cannot be reached, or is slow; or nobody
    reads that place here, which is told as such.
    """
    if problem.code == OVERDUE:
        return slowness(snapshot) is None
    return problem.code not in LINK_CODES | SHELL_CODES | {UNREAD_PLACE}


_WELL = (ArchiverState.WORKING, ArchiverState.IDLE, ArchiverState.STREAMED)


def _severity(copy: str, unreachable: bool, assessment: Assessment) -> Severity:
    """A primary bucket that refuses while the archiver succeeds elsewhere is not yet a loss."""
    if unreachable or copy == "DR" or assessment.state in _WELL:
        return Severity.WARNING
    return Severity.CRITICAL


_ASYNCHRONOUS = re.compile(r"async|spool|queue|daemon|(?<![&>0-9])&(?![&>0-9])|wal-g|pgbackrest|nohup|batch")
"""Commands that say yes before the store has."""
FROZEN_SEGMENTS = 2


def silent_loss(assessment: Assessment) -> Iterator[Finding]:
    """PostgreSQL says archived, and the bucket does not hold it: swallowed, or acknowledged too early."""
    snapshot, now = assessment.snapshot, assessment.now
    archiver, server, bucket = snapshot.archiver.value, snapshot.server.value, snapshot.primary.value
    if archiver is None or server is None or bucket is None or not bucket.complete:
        return
    answer = assessment.agreement
    if answer.ok is None:
        yield from _unknown_form(archiver, server, bucket, snapshot)
    if answer.ok is not False:
        return
    command = _command_text(snapshot)
    ours = is_ours(snapshot) and _was_loaded_since(server, archiver)
    late = (answer.behind or 0) >= FROZEN_SEGMENTS and _ASYNCHRONOUS.search(command) is not None
    mode, says, remedy = _BY_AN_EARLIER_ONE if ours else _QUEUED if late else _SWALLOWED
    newest_at = bucket.newest_at
    yield Finding(
        mode,
        Severity.CRITICAL,
        f"{answer.text}: the archive command {says}",
        (
            f"last_archived_wal = {archiver.last_archived_wal} (pg_stat_archiver)",
            f"newest in {bucket.bucket} = {bucket.newest_segment or 'none'} (S3 LIST)",
            *elsewhere(snapshot),
        ),
        remedy,
        Snapshot.primary,
        "archive_command",
        since=None if newest_at is None else now - stored_age(bucket, newest_at, now),
        proof=(
            *archiver_row(snapshot),
            Proof(
                f"{plural(bucket.segments, 'segment')}, newest {bucket.newest_key or 'none'}",
                snapshot.primary.source,
                snapshot.primary.read_at,
            ),
            *setting_row(snapshot, "archive_command"),
            *log_lines(snapshot, (entry for _, entry in assessment.words_of_refusal)),
        ),
        fixes=(
            *(() if ours else ours_in_force(snapshot, "which never says 0 in vain")),
            Fix(
                "push what is still in pg_wal by hand, oldest first",
                archive_by_hand(snapshot, *filter(None, (archiver.last_archived_wal,))),
                "push-wal",
                subject=archiver.last_archived_wal or "",
            ),
        ),
        certainty=Certainty.PROVED,
    )


_QUEUED = (
    "archive-frozen",
    "says yes before the store has, and nothing arrives",
    "look at the queue or spool of the command and at the process that empties it",
)
_SWALLOWED = (
    "silent-loss",
    "says yes and stores nothing there",
    "check which bucket and prefix the archive command writes to, and whether it hides errors",
)
_BY_AN_EARLIER_ONE = (
    "silent-loss",
    "that was in force then said yes and stored nothing there",
    "push what is still in pg_wal before it is recycled, then take a base backup for what is lost",
)
"""Each the failure mode, what the command does, and the remedy; the last where walconsole's came after it."""


def _was_loaded_since(server: ServerFacts, archiver: ArchiverFacts) -> bool:
    """Whether the files were read after the last one was archived: another command may have been in force."""
    if server.loaded_at is None or archiver.last_archived_at is None:
        return False
    return archiver.last_archived_at < server.loaded_at


_DROPPED = re.compile(r"dropped WAL file ['\"]?([0-9A-F]{24})['\"]? because archive queue exceeded ([\w.]+)")
"""pgBackRest, src/command/archive/push/push.c: it ends with 0, so PostgreSQL counts the file as archived."""


def wal_dropped(assessment: Assessment) -> Iterator[Finding]:
    """pgBackRest gave segments up because its queue was full, and told PostgreSQL that they are archived."""
    snapshot = assessment.snapshot
    log, bucket = snapshot.log.value, snapshot.primary.value
    entries = [
        (entry, match)
        for entry in (log.entries if log is not None else ())
        if is_commands(entry) and (match := _DROPPED.search(entry.text)) is not None
    ]
    noted = spool_proof(snapshot, _DROPPED)
    of_files = [match for proof in noted if (match := _DROPPED.search(proof.text)) is not None]
    matches = [*(match for _, match in entries), *of_files]
    if not matches:
        return
    names = list(dict.fromkeys(match[1] for match in matches))
    if bucket is not None and bucket.complete:
        names = [name for name in names if _is_missing(name, bucket)]
        if not names:
            return  # somebody pushed them since
    seen = bucket is not None and bucket.complete and snapshot.primary.problem is None
    yield Finding(
        "wal-dropped",
        Severity.CRITICAL,
        f"pgBackRest dropped {names[0]}{f' and {len(names) - 1} more' if len(names) > 1 else ''}: "
        f"its queue was over {matches[-1][2]}, and PostgreSQL counts them as archived",
        (
            *(f"{entry.text} (the server's log)" for entry, _ in entries[-1:]),
            *(f"{proof.text} ({proof.source})" for proof in noted[-1:] if not entries),
            *elsewhere(snapshot),
        ),
        "take a base backup once archiving works again: what lies before it cannot be replayed past the "
        "hole; then find out what kept the queue from being emptied",
        Snapshot.log,
        "archive_command",
        proof=(
            *log_lines(snapshot, (entry for entry, _ in entries[-3:])),
            *noted[-3:],
            *archiver_row(snapshot),
        ),
        fixes=(base_backup(snapshot),),
        certainty=Certainty.PROVED if seen else Certainty.LIKELY,
        surer="" if seen else "see whether the repository holds them, once it can be read",
    )


def _is_missing(name: str, bucket: BucketFacts) -> bool:
    """Whether the listing lacks it: it lies in a hole, or beyond the newest of its timeline."""
    if any(gap.first[:8] == name[:8] and gap.first <= name <= gap.last for gap in bucket.gaps):
        return True
    newest = bucket.newest_segment
    return newest is None or (newest[:8] == name[:8] and name > newest)


def _unknown_form(
    archiver: ArchiverFacts, server: ServerFacts, bucket: BucketFacts, snapshot: Snapshot
) -> Iterator[Finding]:
    """Something is stored by the last archived segment's name, and what it is, is not known."""
    claimed = wal_name(archiver.last_archived_wal, server.segment_bytes)
    if bucket.alike is None or claimed is None or claimed.segment is None:
        return
    if not alike_holds(bucket, claimed.segment, server.segment_bytes):
        return
    begun = _UNFINISHED.search(bucket.alike.key) is not None
    told = f"{bucket.bucket} holds {bucket.alike.text}"
    yield Finding(
        "silent-loss",
        Severity.WARNING,
        f"{told}: copies that were begun, and are not renamed when they are whole: no restore finds them"
        if begun
        else f"{told}: whether they are its WAL cannot be told",
        (
            f"last_archived_wal = {archiver.last_archived_wal} (pg_stat_archiver)",
            f"newest in a known form = {bucket.newest_segment or 'none'} (S3 LIST)",
        ),
        "have the command rename each to its own name (mv) once it is whole, and rename those that have a "
        "segment's size"
        if begun
        else "fetch one of them with the restore command, and store segments under PostgreSQL's name with at "
        "most a compressor's or an encrypter's ending",
        Snapshot.primary,
        "archive_command",
        proof=(
            *archiver_row(snapshot),
            Proof(safe(bucket.alike.key), snapshot.primary.source, snapshot.primary.read_at),
            *setting_row(snapshot, "archive_command"),
        ),
        certainty=Certainty.LIKELY if begun else Certainty.POSSIBLE,
    )


_UNFINISHED = re.compile(r"(?:\.(?:te?mp|part|new|incomplete|inprogress|uploading|filepart|unfinished)|~)\Z")
"""What is put behind a name until the file is whole."""


def _command_text(snapshot: Snapshot) -> str:
    facts, settings = snapshot.command.value, snapshot.settings.value
    if facts is not None:
        return f"{facts.command} {facts.script}"
    return (settings.value("archive_command") or "") if settings is not None else ""


def clock_skew(assessment: Assessment) -> Iterator[Finding]:
    """The host's clock against the store's: S3 refuses requests that are 15 minutes off."""
    snapshot, host = assessment.snapshot, assessment.snapshot.host.value
    skew = measured_skew(snapshot)
    if host is None or not skew or _told_of_the_clock(assessment):
        return  # the archiver's own view says it
    yield Finding(
        "clock-skew",
        Severity.WARNING,
        skew[0].text,
        (f"host {host.clock_offset_s:+.0f} s from the console's clock",),
        "let the droplet keep its time with NTP: S3 refuses requests 15 minutes off",
        Snapshot.host,
        proof=skew[1:],
        fixes=fixes_for(snapshot, Meaning.CLOCK_SKEW),
    )


def _told_of_the_clock(assessment: Assessment) -> bool:
    words = assessment.words_of_refusal if assessment.has_failed else ()
    return any(of_result(result) is Meaning.CLOCK_SKEW for _, result in assessment.refused_checks) or any(
        of_words(code, entry) is Meaning.CLOCK_SKEW for code, entry in words
    )


MODES: tuple[FailureMode, ...] = (
    FailureMode(
        "no-key",
        Page(
            title="there is no key to ask with",
            symptom="The bucket panes say n/a.",
            cause=(
                "The environment variable, the keyring's entry or the section of the droplet's rclone "
                "configuration that the profile names is not there."
            ),
            signal="The profile's key source.",
            fix="As the finding says: it names what is missing.",
        ),
        look=refused,
    ),
    FailureMode(
        "silent-loss",
        Page(
            title="the command says yes and stores nothing",
            symptom=(
                "archived_count rises and failed_count does not; the bucket lacks the last archived segment."
            ),
            cause=(
                "A script that swallows errors (`|| true`, a pipe without pipefail, `exit 0`), or the "
                "wrong bucket or prefix."
            ),
            signal="The exact last_archived_wal is looked for in the bucket.",
            fix=(
                "Mend the command first. Then push what is still in pg_wal, oldest first; what is recycled "
                "already is a gap: take a base backup."
            ),
            source="pgbackrest#1290",
        ),
        look=silent_loss,
        explains=("gap", "dr-behind", "history-missing"),
        risk=Risk.STOPPED,
    ),
    FailureMode(
        "archive-frozen",
        Page(
            title="archived_count rises, and the bucket stands still",
            symptom=(
                "The bucket was filled up to some time, and no longer, while PostgreSQL counts successes."
            ),
            cause=(
                "The command says yes before the store has it: a spool, a queue that drops, a background "
                "process that died."
            ),
            signal="The newest object against last_archived_wal, and a command that does not wait.",
            fix="Look at the queue and the process that empties it; then push what is still there.",
            source="railway postgres-ssl#85; pgbackrest#632",
        ),
        look=silent_loss,
        explains=("silent-loss", "gap", "dr-behind"),
        risk=Risk.STOPPED,
    ),
    FailureMode(
        "wal-dropped",
        Page(
            title="pgBackRest dropped WAL because its queue was full",
            symptom=(
                "`dropped WAL file … because archive queue exceeded …` as a warning in the server's log, and "
                "archived_count grows. pg_wal does not fill."
            ),
            cause=(
                "archive-push-queue-max is set, and more waited than it allows: the store was away, or too "
                "slow. pgBackRest then ends with 0 so that the disk does not fill, and PostgreSQL recycles "
                "what nobody has stored."
            ),
            signal=(
                "pgBackRest's own words in the server's log, or in its spool; the bucket's listing, which "
                "lacks the files that they name."
            ),
            fix=(
                "See why nothing got through, then take a base backup: recovery cannot pass the hole.\n\n"
                "```\n"
                "pgbackrest --stanza=STANZA info\n"
                "pgbackrest --stanza=STANZA --type=full backup\n"
                "```"
            ),
            never="Do not rely on backups from before the hole for any moment after it.",
            source="pgbackrest#1848, #2629",
        ),
        look=wal_dropped,
        explains=("silent-loss", "archive-frozen", "gap"),
        risk=Risk.REPLAY,
    ),
    FailureMode(
        "clock-skew",
        Page(
            title="a clock is wrong",
            symptom="`RequestTimeTooSkewed`; every request is refused, of every key.",
            cause=(
                "S3 refuses requests whose time is 15 minutes off. NTP is not running, or a suspended "
                "machine came back."
            ),
            signal="The droplet's clock against the Date header of S3's answers; S3's code.",
            fix="```\ntimedatectl\ntimedatectl set-ntp true\nchronyc makestep\n```",
            source="pgbackrest#788, #2556",
        ),
        look=clock_skew,
        explains=(*REFUSED, "key-403"),
    ),
)
