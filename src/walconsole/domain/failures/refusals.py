"""What the store answers to the archive command: from the droplet, and in the command's own words."""

import re
from collections.abc import Iterator
from shlex import quote
from typing import Any

from walconsole.domain.facts.evidence import LogEntry, ProductionCheck, VerbResult
from walconsole.domain.facts.snapshot import Reading, Snapshot
from walconsole.domain.standing.assessment import Assessment
from walconsole.domain.standing.elsewhere import elsewhere
from walconsole.domain.standing.mode import REFUSED, FailureMode, Page
from walconsole.domain.standing.model import Certainty, Finding, Fix, Proof, Severity
from walconsole.domain.standing.proofs import answers, archiver_row, log_lines, refusal, setting_row
from walconsole.domain.standing.refusals import (
    READ_ALONE,
    REFUSALS,
    THROTTLED,
    fixes_for,
    most_telling,
    of_problem,
    of_result,
    of_words,
    phrase_of,
    reading_of,
    refused_here,
)
from walconsole.domain.standing.remedies import ours_in_force, rclone_places, runs_rclone
from walconsole.domain.store.answers import Meaning
from walconsole.domain.store.printed import code_in


def production_refused(assessment: Assessment) -> Iterator[Finding]:
    """The archiver's own configuration is refused: by a check from the droplet, else by its own words."""
    told: set[str] = set()
    for check, result in assessment.refused_checks:
        known = REFUSALS[of_result(result)]
        if known.rule not in told:
            told.add(known.rule)
            yield _by_check(assessment, check, result)
    if told or not assessment.has_failed:
        return
    words = assessment.words_of_refusal
    if not words:
        return
    code, meaning = most_telling(words)
    if meaning in _DENIALS and is_preflight(assessment):
        return
    yield _by_words(assessment, code, meaning, tuple(entry for of_code, entry in words if of_code == code))


_DENIALS = frozenset({Meaning.NO_PERMISSION, Meaning.REFUSED})


def _by_check(assessment: Assessment, check: ProductionCheck, result: VerbResult) -> Finding:
    snapshot, meaning, code = assessment.snapshot, of_result(result), result.code
    words = tuple(entry for _, entry in assessment.words_of_refusal)
    named = most_telling(assessment.words_of_refusal) if words and assessment.has_failed else ("", meaning)
    by_words = meaning in (Meaning.REFUSED, Meaning.UNKNOWN) and named[1] not in (
        Meaning.REFUSED,
        Meaning.UNKNOWN,
    )
    if by_words:  # the command was told a code where the check was told a status
        code, meaning = named
    known = REFUSALS[meaning]
    copy = reading_of(snapshot, check.where)
    here = tuple(refusal(copy)) if copy is not None else ()
    here = here or _answered_here(copy)
    return Finding(
        known.rule,
        assessment.urgency,
        f"the store {phrase_of(meaning, code)}",
        (
            f"{result.verb} of {check.where} as the archiver does it: {_answer(result)} (rclone on the "
            f"droplet)",
            *([f"{words[-1].text} (the archive command's own words)"] if by_words else []),
            *(f"from here: {proof.text}" for proof in here[:1]),
            *elsewhere(snapshot),
        ),
        known.remedy,
        Snapshot.production,
        since=assessment.failing_since,
        proof=(
            *answers(snapshot, check),
            *here,
            *log_lines(snapshot, words),
            *setting_row(snapshot, "archive_command"),
            *archiver_row(snapshot),
        ),
        fixes=fixes_for(snapshot, meaning, check.where, check.config),
        certainty=Certainty.LIKELY if by_words else known.certainty,
        surer="ask the store from the droplet for the same call" if by_words else known.surer,
    )


def _answer(result: VerbResult) -> str:
    """The store's code and its own message."""
    if result.code and result.code in result.said:
        return result.said
    return (
        f"{result.code}: {result.said}"
        if result.code and result.said
        else result.code or result.said or "refused"
    )


def _answered_here(copy: Reading[Any] | None) -> tuple[Proof, ...]:
    if copy is None or copy.value is None:
        return ()
    return (Proof("the console's own key reads the bucket", copy.source, copy.read_at),)


def _by_words(assessment: Assessment, code: str, meaning: Meaning, alike: tuple[LogEntry, ...]) -> Finding:
    """`alike` are the lines that say so. Only what the store is seen to answer elsewhere proves it."""
    snapshot = assessment.snapshot
    here = refused_here(snapshot, REFUSALS[meaning].rule)
    if meaning is Meaning.REFUSED and here and here[0].problem is not None:
        meaning = of_problem(here[0].problem)  # a bare 403 hides what a signed LIST from here is told
    may_list = meaning in _DENIALS and _listed(snapshot)
    if may_list:
        meaning = Meaning.NO_PERMISSION
    known, noted = REFUSALS[meaning], _noted(snapshot, code)
    proved = bool(here or noted) and not known.surer
    return Finding(
        known.rule,
        Severity.CRITICAL,
        f"the store {READ_ALONE if may_list else phrase_of(meaning, code)}",
        (
            f"{alike[-1].text} (the archive command's own words)",
            *(["the same key may list the bucket (rclone on the droplet)"] if may_list else []),
            *(f"from here: {proof.text}" for copy in here[:1] for proof in refusal(copy)),
            *elsewhere(snapshot),
        ),
        known.remedy,
        here[0].slot if here else Snapshot.log,
        since=assessment.failing_since,
        proof=(
            *noted,
            *log_lines(snapshot, alike),
            *(proof for copy in here for proof in refusal(copy)),
            *setting_row(snapshot, "archive_command"),
            *archiver_row(snapshot),
        ),
        fixes=fixes_for(snapshot, meaning),
        certainty=Certainty.PROVED if proved else Certainty.LIKELY,
        surer="" if proved else "ask the store from the droplet, with the archiver's own configuration",
    )


def _noted(snapshot: Snapshot, code: str) -> tuple[Proof, ...]:
    """The files of the archiver's spool that hold the same answer."""
    facts = snapshot.spool.value
    errors = facts.errors if facts is not None else ()
    return tuple(Proof(note.text, note.path, note.at) for note in errors if code_in(note.text) == code)


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
        if of_words(code, entry) in _DENIALS
    )
    # A bare 403 for the bucket is what a wrong key gets, too: then the key must be seen to work.
    named = tuple(
        entry
        for meaning, entry in refused
        if _PREFLIGHT.search(entry.text) and (meaning is Meaning.NO_PERMISSION or _listed(snapshot))
    )
    if named:
        return named
    if "rclone" not in script or _NO_PREFLIGHT.search(script):
        return ()
    return tuple(entry for _, entry in refused) if _listed(snapshot) and _never_worked(snapshot) else ()


def _listed(snapshot: Snapshot) -> bool:
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
    listed, named = _listed(snapshot), any(_PREFLIGHT.search(entry.text) for entry in words)
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


def throttled(assessment: Assessment) -> Iterator[Finding]:
    """The store asked to slow down, to the archiver or to the console."""
    snapshot = assessment.snapshot
    if assessment.has_failed:
        return  # told as a refusal
    words = tuple(entry for code, entry in assessment.words_of_refusal if of_words(code, entry) in THROTTLED)
    problems = [
        reading
        for reading in (snapshot.primary, snapshot.dr)
        if reading.problem is not None and of_problem(reading.problem) in THROTTLED
    ]
    if not words and not problems:
        return
    yield Finding(
        "throttled",
        Severity.CRITICAL if assessment.troubled and words else Severity.WARNING,
        "the store asks to slow down",
        tuple(
            [entry.text for entry in words[-1:]]
            + [reading.problem.why for reading in problems if reading.problem]
        ),
        REFUSALS[Meaning.THROTTLED].remedy,
        Snapshot.log if words else problems[0].slot,
        since=assessment.failing_since,
        proof=(*log_lines(snapshot, words), *(proof for reading in problems for proof in refusal(reading))),
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
        "key-403",
        Page(
            title="the store refuses the key",
            symptom="403 in the command's words; segments fail and wait.",
            cause=(
                "Causes that look alike. `AccessDenied`: the key is known and its grant is missing, or it "
                "may "
                "only read (LIST is answered, PUT is refused). `InvalidAccessKeyId`: it was deleted, or is "
                "another account's. `SignatureDoesNotMatch`: the secret is wrong. `ExpiredToken` and the "
                "like: "
                "it was good once. And where the client finds no credentials at all (env_auth with "
                "nothing in "
                "the postmaster's environment, no profile, no metadata service) it asks without a key."
            ),
            signal=(
                "A signed LIST from the droplet with the command's own configuration, beside one from "
                "here: rclone's first request is a HEAD, whose answer has no code, so that its own words "
                "are a bare 403. The command's words alone prove nothing."
            ),
            fix=(
                "AccessDenied: give the key readwrite on the bucket again. The others: make a limited key "
                "and write it into rclone's configuration.\n\n"
                "```\n"
                "runuser -u postgres -- rclone --config /etc/rclone-NAME.conf lsf --max-depth 1 "
                "REMOTE:BUCKET\n"
                "```"
            ),
            never="Do not put a full-access key on the droplet.",
            source="owncloud/files_primary_s3#690",
        ),
        look=production_refused,
        explains=(*REFUSED, "preflight-403", "archiver-crash-loop"),
    ),
    FailureMode(
        "bucket-404",
        Page(
            title="the bucket does not exist",
            symptom="`NoSuchBucket`.",
            cause=(
                "It was never created, was deleted, or is another region's (the endpoint names the region)."
            ),
            signal="A LIST from here and from the droplet.",
            fix=(
                "Create it (`walconsole provision` does it with a key that it deletes at once), then take "
                "a base backup: what was in a deleted bucket is gone."
            ),
            source="barman#477; the incident that walconsole began with",
        ),
        look=production_refused,
        explains=(
            *REFUSED,
            "archiver-crash-loop",
            "archive-frozen",
            "archive-shrunk",
            "stanza-missing",
            "preflight-403",
        ),
    ),
    FailureMode(
        "endpoint-wrong",
        Page(
            title="the endpoint does not answer as S3 does",
            symptom="Connection refused, no such host, TLS errors, 301 or 400, or XML that is none.",
            cause=(
                "Region, endpoint or address style is wrong, or the network between is cut. An endpoint "
                "that contains the bucket's name stores WAL in BUCKET/BUCKET with exit 0."
            ),
            signal=(
                "The answer to a signed request from here and from the droplet, side by side: which side "
                "fails tells whether it is the network."
            ),
            fix=(
                "```\n"
                "getent hosts nyc3.digitaloceanspaces.com\n"
                "openssl s_client -connect nyc3.digitaloceanspaces.com:443 </dev/null\n"
                "```\n\n"
                "The endpoint is https://REGION.digitaloceanspaces.com, without the bucket."
            ),
            source="pgbackrest#1380",
        ),
        look=production_refused,
        explains=(*REFUSED, "archiver-crash-loop", "command-hangs"),
    ),
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
        "throttled",
        Page(
            title="the store asks to slow down",
            symptom="503 SlowDown or 429.",
            cause=(
                "Too many requests at once: parallel pushes, a listing by another tool, a limit of the "
                "account."
            ),
            signal="The words of the command, or the answers to the console's own requests.",
            fix="Send less at a time; compress; ask for a higher limit if it stays so.",
            source="pgbackrest#2207",
        ),
        look=throttled,
        explains=("failing", "stalled", "too-slow", "disk-filling", "dr-behind"),
    ),
    FailureMode(
        "store-error",
        Page(
            title="the store answers with an error of its own, or with one that is not known here",
            symptom="500, a quota or an account that is blocked, a code that no page here names.",
            cause=(
                "The store fails; the account's storage or transaction cap is reached, or a bill is due; the "
                "client asks for what this store does not offer (a checksum trailer, object lock); or a "
                "maker's own code. That the archive's endpoint, name or key is wrong is *not* said by it."
            ),
            signal=(
                "The code and the store's own message, in the command's words, or in the answer to a request "
                "from the droplet or from here. A code that is not known proves nothing."
            ),
            fix=(
                "Look the code up in the store's documentation and at its status page. A quota: raise it, or "
                "delete what is not needed (never WAL that a base backup needs)."
            ),
            source="Backblaze B2's caps; MinIO's XMinioStorageFull; Ceph's QuotaExceeded and UserSuspended",
        ),
        look=production_refused,
        explains=(*REFUSED, "too-slow", "disk-filling", "archiver-crash-loop"),
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
