"""What a client does besides the upload, and a limited key or a store cannot do with."""

import re
from collections.abc import Iterator
from shlex import quote

from walconsole.domain.facts.evidence import LogEntry
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.standing.assessment import Assessment
from walconsole.domain.standing.mode import REFUSED, FailureMode, Page
from walconsole.domain.standing.model import Certainty, Finding, Fix, Proof, Severity
from walconsole.domain.standing.proofs import archiver_row, log_lines, setting_row
from walconsole.domain.standing.refusals import of_words
from walconsole.domain.standing.remedies import ours_in_force, rclone_places, runs_rclone
from walconsole.domain.store.answers import Meaning

DENIALS = frozenset({Meaning.NO_PERMISSION, Meaning.REFUSED})
"""A key that may not: what a call that it need not make is refused with, too."""
_PREFLIGHT = re.compile(
    r"(?:Create|Make|Head)_?Bucket|GetBucket(?:Location|Region|Versioning)|List(?:All)?(?:My)?Buckets"
    r"|prepare upload"
    r"|(?:failed|unable) to (?:make|create) bucket|Access to bucket '[^']*' was denied",
    re.IGNORECASE,
)
"""A call that asks for the bucket, or makes it: the clients' and S3's own names."""


_NO_PREFLIGHT = re.compile(r"--s3-no-check-bucket|no_check_bucket")


def is_preflight(assessment: Assessment) -> bool:
    """Whether a refused check of the bucket, before the upload, is what fails."""
    return bool(_preflight_words(assessment))


def _preflight_words(assessment: Assessment) -> tuple[LogEntry, ...]:
    """What the command says of a check of the bucket, or of a refusal that only such a check explains."""
    snapshot = assessment.snapshot
    if assessment.refused_checks:
        return ()  # what the store answers to the archiver's configuration is why
    facts = snapshot.command.value
    script = f"{facts.command}\n{facts.script}" if facts is not None else ""
    refused = tuple(
        (of_words(code, entry), entry)
        for code, entry in assessment.words_of_refusal
        if of_words(code, entry) in DENIALS
    )
    # A bare 403 for the bucket is what a wrong key gets, too: then the key must be seen to work.
    named = tuple(
        entry
        for meaning, entry in refused
        if _PREFLIGHT.search(entry.text) and (meaning is Meaning.NO_PERMISSION or may_list(snapshot))
    )
    if named:
        return named
    if "rclone" not in script or _NO_PREFLIGHT.search(script):
        return ()
    return tuple(entry for _, entry in refused) if may_list(snapshot) and _never_worked(snapshot) else ()


def may_list(snapshot: Snapshot) -> bool:
    """Whether the archiver's own key may list the bucket."""
    facts = snapshot.production.value
    return facts is not None and any(result.ok for check in facts.checks for result in check.results)


def _never_worked(snapshot: Snapshot) -> bool:
    """Whether nothing was archived since the configuration was loaded: perhaps never with this command."""
    server, archiver = snapshot.server.value, snapshot.archiver.value
    if server is None or archiver is None or server.loaded_at is None:
        return False
    return archiver.last_archived_at is None or archiver.last_archived_at < server.loaded_at


def _say_no_check(snapshot: Snapshot) -> tuple[Fix, ...]:
    """In the section of each remote that the command writes to, by rclone itself."""
    commands = tuple(
        f"rclone --config {quote(place.config)} config update {quote(place.where.partition(':')[0])} "
        "no_check_bucket true"
        for place in rclone_places(snapshot)
    )
    return (Fix("say in rclone's configuration that it need not check", commands),) if commands else ()


def preflight(assessment: Assessment) -> Iterator[Finding]:
    """The upload would work; the client asks about the bucket first, and a limited key may not."""
    snapshot = assessment.snapshot
    words = _preflight_words(assessment)
    if not words or not assessment.troubled:
        return
    listed, named = may_list(snapshot), any(_PREFLIGHT.search(entry.text) for entry in words)
    option = " (rclone: --s3-no-check-bucket)" if runs_rclone(snapshot) else ""
    yield Finding(
        "preflight-403",
        Severity.CRITICAL,
        "the client checks the bucket before it uploads, which a limited key may not",
        (
            f"{words[-1].text} (the archive command's own words)",
            *(("the same key may list the bucket (rclone on the droplet)",) if listed else ()),
        ),
        "add --s3-no-check-bucket to rclone (or no_check_bucket = true to its section)"
        if runs_rclone(snapshot)
        else "let the key make that one call, or tell the client the region and that the bucket is there",
        Snapshot.log,
        "archive_command",
        since=assessment.failing_since,
        proof=(
            *log_lines(snapshot, words),
            *setting_row(snapshot, "archive_command"),
            *archiver_row(snapshot),
        ),
        fixes=(
            *ours_in_force(snapshot, "which does not ask"),
            *_say_no_check(snapshot),
        ),
        certainty=Certainty.PROVED if listed and named else Certainty.LIKELY,
        surer=""
        if listed and named
        else f"can the same key upload without that call{option}? else it lacks the grant",
    )


def checksum_embedded(assessment: Assessment) -> Iterator[Finding]:
    """Objects hold the client's chunk signatures besides the WAL: no restore can read them."""
    snapshot = assessment.snapshot
    bucket, compared = snapshot.primary.value, snapshot.compared.value
    heads = [
        each for each in (bucket.identities if bucket is not None else ()) if "aws-chunked" in each.problem
    ]
    embedded = compared is not None and "chunk-signature" in compared.head
    if not heads and not embedded:
        return
    names = [each.name for each in heads] or [compared.segment if compared is not None else ""]
    yield Finding(
        "checksum-embedded",
        Severity.CRITICAL,
        f"what is stored as {names[0]} holds the client's chunk signatures: it cannot be restored",
        tuple(each.problem for each in heads) or ("the object begins with a chunk signature",),
        "set request_checksum_calculation = when_required (AWS_REQUEST_CHECKSUM_CALCULATION) for the client, "
        "archive again what is still in pg_wal, and take a new base backup",
        Snapshot.primary,
        "archive_command",
        since=assessment.failing_since if assessment.troubled else None,
        proof=tuple(
            Proof(f"{each.key}: {each.problem}", snapshot.primary.source, each.read_at) for each in heads
        )
        or (Proof(compared.head if compared is not None else "", "S3 GET", snapshot.compared.read_at),),
        fixes=(
            Fix(
                "let the client send no checksum trailers",
                (
                    "AWS_REQUEST_CHECKSUM_CALCULATION=when_required",
                    "AWS_RESPONSE_CHECKSUM_VALIDATION=when_required",
                ),
            ),
            *ours_in_force(snapshot, "which sends none"),
        ),
    )


MODES: tuple[FailureMode, ...] = (
    FailureMode(
        "preflight-403",
        Page(
            title="the client checks the bucket first, which a limited key may not",
            symptom=(
                "403 or AccessDenied although the key may write; often `CreateBucket` or "
                "`GetBucketLocation` in the words."
            ),
            cause=(
                "rclone (and barman-cloud, mc, s3cmd, WAL-G) look whether the bucket exists or where it "
                "is, or try to "
                "make it, before the upload."
            ),
            signal=(
                "The refused call in the command's words; or a refused upload by a command without "
                "--s3-no-check-bucket whose key may list the bucket, and which never worked."
            ),
            fix=(
                "```\n"
                "rclone --s3-no-check-bucket copyto …\n"
                "```\n\n"
                "or `no_check_bucket = true` in the remote's section."
            ),
            source="rclone#4703, #5119; barman#1094",
        ),
        look=preflight,
        explains=REFUSED,
    ),
    FailureMode(
        "checksum-embedded",
        Page(
            title="objects hold the client's chunk signatures",
            symptom=(
                "Uploads fail, or (worse) succeed, and a restore finds text at the beginning of each segment."
            ),
            cause=(
                "Newer SDKs send checksum trailers in aws-chunked encoding by default; some stores keep "
                "the chunks' headers as content."
            ),
            signal="The head of the newest object is no WAL page and begins with a chunk's header.",
            fix=(
                "Let the client send no trailers, archive again what is still in pg_wal, and take a base "
                "backup.\n\n"
                "```\n"
                "AWS_REQUEST_CHECKSUM_CALCULATION=when_required\n"
                "AWS_RESPONSE_CHECKSUM_VALIDATION=when_required\n"
                "```"
            ),
            source="barman#1086; boto3#4435",
        ),
        look=checksum_embedded,
        explains=(*REFUSED, "stuck-on-existing", "same-name-different-content"),
    ),
)
