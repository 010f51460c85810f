"""pgBackRest's own causes, by its words in the log and by what its background process noted in its spool."""

import re
from collections.abc import Iterator

from walconsole.domain.facts.evidence import LogEntry
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.redaction import safe
from walconsole.domain.standing.assessment import Assessment
from walconsole.domain.standing.elsewhere import elsewhere
from walconsole.domain.standing.mode import REFUSED, FailureMode, Page, Risk
from walconsole.domain.standing.model import Certainty, Finding, Fix, Proof
from walconsole.domain.standing.proofs import command_and_archiver, log_lines, spool_proof
from walconsole.domain.standing.remedies import look_from_droplet, own_command

_NO_STANZA = re.compile(
    r"\[FileMissingError\] unable to load info file|unable to open missing file '[^']*archive\.info"
)
"""Error 55, or 103 where it is that of every repository: src/info/infoArchive.c. The hint below it ("has a
stanza-create been performed?") stands below a refused key and a lost store, too."""
_STANZA = re.compile(r"archive/([^/']+)/archive\.info$")
_INFO_FILE = re.compile(r"'([^']*archive\.info)'")
_MISMATCH = re.compile(r"\bsystem-id \d+ do not match [\w ]*stanza version|\[ArchiveMismatchError\]")
"""Error 44: src/command/archive/push/push.c."""
_STOPPED = re.compile(r"stop file exists for (all stanzas|stanza [\w-]+)")
"""Error 62: src/command/lock.c, lockStopTest."""


def _said(assessment: Assessment, pattern: re.Pattern[str]) -> tuple[LogEntry, ...]:
    return assessment.programs_words(pattern) if assessment.has_failed else ()


def _finding(
    assessment: Assessment,
    rule: str,
    title: str,
    pattern: re.Pattern[str],
    remedy: str,
    fixes: tuple[Fix, ...],
    surer: str,
    seen: tuple[Proof, ...] = (),
) -> Finding:
    """By `pattern`, in the newest words and in the spool. Proved only where `seen` leaves nothing to make it
    surer: the words and the spool are one witness.
    """
    snapshot, words = assessment.snapshot, _said(assessment, pattern)
    newest = words[-1]
    whose = "pgBackRest's spool" if newest in assessment.spool_words else "the archive command's own words"
    lines = log_lines(snapshot, (each for each in assessment.newest_words if pattern.search(each.text)))
    return Finding(
        rule,
        assessment.urgency,
        title,
        (f"{newest.text} ({whose})",),
        remedy,
        Snapshot.log,
        "archive_command",
        since=assessment.failing_since,
        proof=(*seen, *spool_proof(snapshot, pattern), *lines, *command_and_archiver(snapshot)),
        fixes=tuple(fix for fix in fixes if fix.commands),
        certainty=Certainty.PROVED if seen and not surer else Certainty.LIKELY,
        surer=surer,
    )


def stanza_missing(assessment: Assessment) -> Iterator[Finding]:
    """No archive.info where it archives to. Of a missing bucket it says the same, which the listing tells."""
    words = _said(assessment, _NO_STANZA)
    if not words or _said(assessment, _MISMATCH):
        return
    snapshot = assessment.snapshot
    files = [match[1] for entry in words if (match := _INFO_FILE.search(entry.text)) is not None]
    where = f" at {safe(files[0].removesuffix('/archive.info'))}" if files else ""
    name = match[1] if files and (match := _STANZA.search(files[-1])) is not None else ""
    risk = "where the name or the path is wrong a second archive begins beside the old one"
    yield _finding(
        assessment,
        "stanza-missing",
        f"pgBackRest finds no stanza{where}: it was never made, or its name, path or bucket is another",
        _NO_STANZA,
        "compare stanza, repo-path and bucket with where the backups are; make the stanza only where there "
        "is none yet",
        (
            Fix("see which stanzas the repository holds", look_from_droplet(snapshot)),
            Fix(
                "make the stanza, where the archive is to begin there",
                own_command(snapshot, "create"),
                risk=risk,
            ),
        ),
        _surer_of_missing(snapshot, name),
        _listed(snapshot),
    )


def _listed(snapshot: Snapshot) -> tuple[Proof, ...]:
    """What the store's own listing has: the other witness."""
    reading, bucket = snapshot.primary, snapshot.primary.value
    if bucket is None or not bucket.complete or reading.problem is not None:
        return ()
    names = ", ".join(safe(each) for each in bucket.stanzas) or "none"
    return (Proof(f"stanzas with an archive.info: {names}", reading.source, reading.read_at),)


def _surer_of_missing(snapshot: Snapshot, stanza: str) -> str:
    """What would prove that there is no such stanza; empty where the listing of the same place has none."""
    bucket = snapshot.primary.value
    if bucket is None or snapshot.primary.problem is not None:
        return "see whether the bucket is there: pgBackRest says the same of a missing one"
    if not bucket.complete or not stanza or elsewhere(snapshot):
        return "list the repository that pgBackRest is configured for"
    if stanza in bucket.stanzas:
        return (
            f"the listing has {safe(stanza)}'s archive.info: is it that repository, and may its key read it?"
        )
    return ""


def stanza_mismatch(assessment: Assessment) -> Iterator[Finding]:
    """The stanza belongs to another cluster, or to this one before pg_upgrade."""
    if not _said(assessment, _MISMATCH):
        return
    snapshot = assessment.snapshot
    others = _of_another_cluster(snapshot)
    risk = "never where another cluster still archives by that stanza: their WAL would mix"
    yield _finding(
        assessment,
        "stanza-mismatch",
        "pgBackRest's stanza belongs to another cluster (or to this one before an upgrade)",
        _MISMATCH,
        "archive by a stanza of this cluster's own; after pg_upgrade, and then alone, upgrade the stanza",
        (
            Fix("see whose cluster the stanza holds", look_from_droplet(snapshot)),
            Fix(
                "after pg_upgrade: let the stanza take this cluster",
                own_command(snapshot, "upgrade"),
                risk=risk,
            ),
        ),
        "" if others else "compare the system-id of pgbackrest info with that of pg_control_system()",
        others,
    )


def _of_another_cluster(snapshot: Snapshot) -> tuple[Proof, ...]:
    """The newest segment and backups in the bucket, where they are another cluster's."""
    server, reading = snapshot.server.value, snapshot.primary
    bucket = reading.value
    if server is None or not server.system_identifier or bucket is None or reading.problem is not None:
        return ()
    told = [
        f"{each.key}: system identifier {each.header.system_identifier}"
        for each in bucket.identities
        if each.name == bucket.newest_segment
        and each.header is not None
        and each.header.system_identifier != server.system_identifier
    ]
    return tuple(
        Proof(f"{text}, this server's is {server.system_identifier}", reading.source, reading.read_at)
        for text in told
    )


def archiver_stopped(assessment: Assessment) -> Iterator[Finding]:
    """Somebody ran `pgbackrest stop`, and nobody `start`."""
    words = _said(assessment, _STOPPED)
    match = _STOPPED.search(words[-1].text) if words else None
    if match is None:
        return
    snapshot = assessment.snapshot
    start = own_command(snapshot, "start")
    command = snapshot.command.value
    files = command.stop_files if command is not None else ()
    lying = tuple(
        Proof(f"{path} is there", "the droplet, as the server's user", snapshot.command.read_at)
        for path in files
        if path.endswith(("/all.stop", f"/{match[1].rpartition(' ')[2]}.stop"))
    )
    yield _finding(
        assessment,
        "archiver-stopped",
        f"pgBackRest was told to stop, for {match[1]}: it archives nothing before it is told to start",
        _STOPPED,
        "ask who stopped it and why, then start it",
        (Fix("let it archive again", start, risk="whoever stopped it may be at work in it"),),
        ""
        if lying
        else "look for its stop file, below lock-path (/tmp/pgbackrest): it says whether it is stopped yet",
        lying,
    )


MODES: tuple[FailureMode, ...] = (
    FailureMode(
        "stanza-missing",
        Page(
            title="pgBackRest finds no stanza where it archives to",
            symptom=(
                "`unable to open missing file '…/archive.info'`, `has a stanza-create been performed?` in "
                "the log; segments wait."
            ),
            cause=(
                "`stanza-create` was never run, the stanza's name or the repository's path was changed, the "
                "repository is another, or the bucket is not there: pgBackRest says the same of all of these."
            ),
            signal=(
                "Its own words in the server's log, or in its spool where it archives asynchronously; the "
                "bucket's own listing tells a missing bucket from a missing stanza, and proves it where it "
                "has no archive.info of that name."
            ),
            fix=(
                "See which stanzas the repository holds, and correct the name or the path. Make a stanza "
                "only where the archive shall begin there.\n\n"
                "```\n"
                "pgbackrest info\n"
                "pgbackrest --stanza=STANZA stanza-create\n"
                "```"
            ),
            never="Do not make a stanza to be rid of the message: a second archive begins beside the old.",
            source="pgbackrest, infoArchive.c; tried with 2.45",
        ),
        look=stanza_missing,
        explains=(*REFUSED, "archiver-crash-loop"),
        risk=Risk.STOPPED,
    ),
    FailureMode(
        "stanza-mismatch",
        Page(
            title="pgBackRest's stanza belongs to another cluster",
            symptom="`PostgreSQL version …, system-id … do not match … stanza version …`; segments wait.",
            cause=(
                "The configuration was copied from another server, the cluster was made anew (initdb, a "
                "restore elsewhere), or upgraded by pg_upgrade without `stanza-upgrade`."
            ),
            signal=(
                "Its own words (error 44), in the server's log or in its spool; proved where the newest "
                "segment in the bucket has another system identifier."
            ),
            fix=(
                "Give this cluster a stanza of its own. After pg_upgrade, and then alone:\n\n"
                "```\n"
                "pgbackrest --stanza=STANZA stanza-upgrade\n"
                "```"
            ),
            never="Do not upgrade a stanza that another cluster archives by.",
            source="pgbackrest, push.c; tried with 2.45",
        ),
        look=stanza_mismatch,
        explains=(*REFUSED, "archiver-crash-loop"),
        risk=Risk.STOPPED,
    ),
    FailureMode(
        "archiver-stopped",
        Page(
            title="pgBackRest was told to stop",
            symptom="`stop file exists for stanza …` in the log; segments wait.",
            cause="Somebody ran `pgbackrest stop` (before a maintenance, a deletion of a stanza), and nobody "
            "`pgbackrest start`.",
            signal=(
                "Its own words (error 62), in the server's log or in its spool; proved by its stop file "
                "below lock-path."
            ),
            fix="Ask who stopped it, then start it.\n\n```\npgbackrest --stanza=STANZA start\n```",
            source="pgbackrest, lock.c; tried with 2.45",
        ),
        look=archiver_stopped,
        explains=(*REFUSED, "archiver-crash-loop"),
        risk=Risk.STOPPED,
    ),
)
