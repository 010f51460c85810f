"""What the store answers to the archive command: from the droplet, and in the command's own words."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from walconsole.domain.evidence import LogEntry, ProductionCheck, VerbResult
from walconsole.domain.snapshot import Reading, Slot, Snapshot
from walconsole.domain.standing.failure_log import (
    failing_since,
    is_commands,
    last_failure,
    since_success,
    troubled,
    urgency,
)
from walconsole.domain.standing.model import Certainty, Finding, Fix, Proof, Rule, Severity
from walconsole.domain.standing.proofs import answers, archiver_row, log_lines, refusal, setting_row


@dataclass(frozen=True, slots=True)
class Refusal:
    """What one of S3's codes, or a program's words, means: the rule, a phrase, the remedy."""

    rule: str
    phrase: str
    remedy: str


_GRANT = Refusal(
    "key-403", "refuses the archiver's key: it lacks the grant", "give the key readwrite on the bucket again"
)
_UNKNOWN_KEY = Refusal(
    "key-403",
    "does not know the archiver's key: it was revoked, or never was one",
    "make a limited key, and write it into rclone's configuration",
)
_SECRET = Refusal(
    "key-403",
    "refuses the archiver's signature: the secret in rclone's configuration is wrong",
    "write the right secret into rclone's configuration, or make a new limited key",
)
_BARE_403 = Refusal(
    "key-403",
    "refuses the archiver (403)",
    "look which of key, secret and grant it is: a signed LIST with the same configuration tells",
)
_NO_BUCKET = Refusal(
    "bucket-404", "does not exist (as the archiver asks for it)", "make the bucket again, or correct its name"
)
_CLOCK = Refusal("clock-skew", "refuses the archiver's clock", "let the droplet keep its time with NTP")
_THROTTLED = Refusal(
    "throttled",
    "asks the archiver to slow down",
    "send less at a time; ask for a higher limit if it stays so",
)
_ENDPOINT = Refusal(
    "endpoint-wrong",
    "cannot be reached as the archiver is configured",
    "check endpoint, region and address style in the client's configuration, then DNS, TLS and the network",
)
CODES: dict[str, Refusal] = {
    "AccessDenied": _GRANT,
    "InvalidAccessKeyId": _UNKNOWN_KEY,
    "SignatureDoesNotMatch": _SECRET,
    "Forbidden": _BARE_403,
    "NoSuchBucket": _NO_BUCKET,
    "RequestTimeTooSkewed": _CLOCK,
    "SlowDown": _THROTTLED,
    "TooManyRequests": _THROTTLED,
    "ServiceUnavailable": _THROTTLED,
    "RequestLimitExceeded": _THROTTLED,
    "PermanentRedirect": _ENDPOINT,
    "TemporaryRedirect": _ENDPOINT,
    "AuthorizationHeaderMalformed": _ENDPOINT,
    "InvalidBucketName": _ENDPOINT,
    "MethodNotAllowed": _ENDPOINT,
    "Unreachable": _ENDPOINT,
    "Timeout": _ENDPOINT,
    "Tls": _ENDPOINT,
    "NoSuchHost": _ENDPOINT,
    "NotS3": _ENDPOINT,
}
"""By S3's code, and by our word where the store gave none."""

_WORDS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (code, re.compile(pattern, re.IGNORECASE))
    for code, pattern in (
        ("InvalidAccessKeyId", r"InvalidAccessKeyId"),
        ("SignatureDoesNotMatch", r"SignatureDoesNotMatch"),
        ("RequestTimeTooSkewed", r"RequestTimeTooSkewed|difference between the request time"),
        ("NoSuchBucket", r"NoSuchBucket|bucket does not exist|specified bucket does not exist"),
        (
            "SlowDown",
            r"SlowDown|TooManyRequests|Too Many Requests|RequestLimitExceeded|reduce your request"
            r"|(?:status ?code:?|HTTP|error) ?429\b",  # not the milliseconds of a line's time
        ),
        ("AccessDenied", r"AccessDenied|Access Denied"),
        (
            "PermanentRedirect",
            r"PermanentRedirect|TemporaryRedirect|MovedPermanently|AuthorizationHeaderMalformed",
        ),
        ("NoSuchHost", r"no such host|could not resolve|name or service not known|temporary failure in name"),
        ("Tls", r"x509:|certificate|tls: |TLS handshake"),
        (
            "Unreachable",
            r"connection refused|could not connect to the endpoint|no route to host|network is unreachable"
            r"|connection reset",
        ),
        ("Timeout", r"i/o timeout|deadline exceeded|timed out|timeout awaiting"),
        ("ServiceUnavailable", r"ServiceUnavailable|status ?code:? 503|503 Service"),
        ("NotS3", r"XML syntax error|deserialization failed|invalid character '<'"),
        ("Forbidden", r"403 Forbidden|Forbidden|status ?code:? 403"),
    )
)
"""What programs print, the more telling first."""


def code_in(text: str) -> str:
    """The code that a program's line stands for, empty for none."""
    return next((code for code, pattern in _WORDS if pattern.search(text)), "")


def words_of_refusal(snapshot: Snapshot) -> tuple[tuple[str, LogEntry], ...]:
    """What the archive command has printed about the store since the last success, with its code."""
    told = ((code_in(entry.text), entry) for entry in since_success(snapshot) if is_commands(entry))
    return tuple((code, entry) for code, entry in told if code)


def refused_checks(snapshot: Snapshot) -> tuple[tuple[ProductionCheck, VerbResult], ...]:
    """What the store refused to the archiver's configuration, unless archiving has succeeded since."""
    facts, archiver = snapshot.production.value, snapshot.archiver.value
    read_at = snapshot.production.read_at
    if facts is None or read_at is None or snapshot.production.problem is not None:
        return ()
    if archiver is not None and archiver.last_archived_at is not None and archiver.last_archived_at > read_at:
        return ()
    return tuple((check, result) for check in facts.checks for result in check.results if not result.ok)


def production_refused(snapshot: Snapshot, now: float) -> Iterator[Finding]:
    """The archiver's own configuration is refused: by a check from the droplet, else by its own words."""
    told: set[str] = set()
    for check, result in refused_checks(snapshot):
        known = CODES.get(result.code, _ENDPOINT)
        if known.rule not in told:
            told.add(known.rule)
            yield _by_check(snapshot, now, check, result, known)
    if told or last_failure(snapshot) is None:
        return
    words = words_of_refusal(snapshot)
    if not words:
        return
    code = _best(words)
    if code == "AccessDenied" and is_preflight(snapshot):
        return
    yield _by_words(snapshot, now, code, tuple(entry for _, entry in words))


def _best(words: Sequence[tuple[str, LogEntry]]) -> str:
    """The newest code that says more than a bare 403; that one where there is no other."""
    told = [code for code, _ in words if code != "Forbidden"]
    return told[-1] if told else "Forbidden"


def told_of_the_archiver(snapshot: Snapshot) -> set[tuple[str, Slot]]:
    """Failure modes, by copy, that the archiver itself shows: there the console's view is proof of them."""
    found: set[tuple[str, Slot]] = set()
    for check, result in refused_checks(snapshot):
        copy = reading_of(snapshot, check.where)
        if copy is not None:
            found.add((CODES.get(result.code, _ENDPOINT).rule, copy.slot))
    words = words_of_refusal(snapshot)
    if not found and words and last_failure(snapshot) is not None:
        rule = CODES[_best(words)].rule
        found |= {(rule, copy.slot) for copy in _refused_here(snapshot, rule)}
    return found


def _refused_here(snapshot: Snapshot, rule: str) -> list[Reading[Any]]:
    """The copies that refuse the console for the same reason."""
    return [
        copy
        for copy in (snapshot.primary, snapshot.dr)
        if copy.problem is not None and copy.problem.code in CODES and CODES[copy.problem.code].rule == rule
    ]


def _by_check(
    snapshot: Snapshot, now: float, check: ProductionCheck, result: VerbResult, known: Refusal
) -> Finding:
    words = tuple(entry for _, entry in words_of_refusal(snapshot))
    copy = reading_of(snapshot, check.where)
    here = tuple(refusal(copy)) if copy is not None else ()
    here = here or _answered_here(copy)
    return Finding(
        known.rule,
        urgency(snapshot, now),
        f"the store {known.phrase}",
        (
            f"{result.verb} of {check.where} as the archiver does it: {result.code or 'refused'} "
            "(rclone on the droplet)",
            *(f"from here: {proof.text}" for proof in here[:1]),
        ),
        known.remedy,
        Slot.PRODUCTION,
        since=failing_since(snapshot, now),
        proof=(
            *answers(snapshot, check),
            *here,
            *log_lines(snapshot, words),
            *setting_row(snapshot, "archive_command"),
            *archiver_row(snapshot),
        ),
        fixes=fixes_for(result.code, known.rule, check.where, check.config),
        certainty=Certainty.LIKELY if known is _BARE_403 else Certainty.PROVED,
        surer="a signed LIST with the same configuration has the code" if known is _BARE_403 else "",
    )


def _answered_here(copy: Reading[Any] | None) -> tuple[Proof, ...]:
    if copy is None or copy.value is None:
        return ()
    return (Proof("the console's own key reads the bucket", copy.source, copy.read_at),)


def reading_of(snapshot: Snapshot, where: str) -> Reading[Any] | None:
    """The console's own reading of the bucket that `REMOTE:BUCKET/…` names, None for another one."""
    bucket = where.partition(":")[2].partition("/")[0]
    readings: tuple[Reading[Any], ...] = (snapshot.primary, snapshot.dr)
    for reading in readings:
        name = getattr(reading.value, "bucket", None) or ""
        if bucket and (name == bucket or reading.source.endswith(f" {bucket}")):
            return reading
    return None


def _by_words(snapshot: Snapshot, now: float, code: str, words: tuple[LogEntry, ...]) -> Finding:
    alike = tuple(entry for entry in words if code_in(entry.text) == code)
    here = _refused_here(snapshot, CODES[code].rule)
    if code == "Forbidden" and here and here[0].problem is not None:
        code = here[0].problem.code  # a bare 403 hides what a signed LIST from here is told
    known = CODES[code]
    unproved = code == "Forbidden" or (code == "AccessDenied" and not here)
    return Finding(
        known.rule,
        Severity.CRITICAL,
        f"the store {known.phrase}",
        (
            f"{alike[-1].text} (the archive command's own words)",
            *(f"from here: {proof.text}" for copy in here[:1] for proof in refusal(copy)),
        ),
        known.remedy,
        here[0].slot if here else Slot.LOG,
        since=failing_since(snapshot, now),
        proof=(
            *log_lines(snapshot, alike),
            *(proof for copy in here for proof in refusal(copy)),
            *setting_row(snapshot, "archive_command"),
            *archiver_row(snapshot),
        ),
        fixes=_LOOK_BY_HAND
        if known is _ENDPOINT and not _runs_rclone(snapshot)
        else fixes_for(code, known.rule, ""),
        certainty=Certainty.LIKELY if unproved else Certainty.PROVED,
        surer="ask the store from the droplet, with the archiver's own configuration" if unproved else "",
    )


def _runs_rclone(snapshot: Snapshot) -> bool:
    """Whether the archive command uses rclone, as far as it is known."""
    facts = snapshot.command.value
    return facts is None or not facts.command or "rclone" in f"{facts.command}{facts.script}"


_LOOK_BY_HAND = (
    Fix(
        "see what the endpoint answers",
        ("getent hosts ENDPOINT", "openssl s_client -connect ENDPOINT:443 </dev/null"),
    ),
)
"""Where another client archives: its endpoint is in a place of its own."""


def fixes_for(code: str, rule: str, where: str, config: str = "") -> tuple[Fix, ...]:
    """What mends a refusal of `where` (REMOTE:BUCKET/PREFIX), by the rclone configuration `config`."""
    target, config = where or "REMOTE:BUCKET", config or "/etc/rclone-NAME.conf"
    look = f"runuser -u postgres -- rclone --config {config} lsf --max-depth 1 {target}"
    if code == "AccessDenied":
        return (
            Fix("give the archiver's keys their grants again", (look,), "restore-grant"),
            _probe(target, config),
        )
    if code in ("InvalidAccessKeyId", "SignatureDoesNotMatch", "Forbidden"):
        return (
            Fix("make a new limited key, and write it into rclone's configuration", (look,), "limited-key"),
            Fix("give the archiver's keys their grants again", (look,), "restore-grant"),
            _probe(target, config),
        )
    if rule == "bucket-404":
        return (
            Fix(
                "make the bucket again (with a temporary key that is deleted at once)",
                (look,),
                "buckets",
                "what was in a deleted bucket is lost: take a new base backup",
            ),
        )
    if rule == "clock-skew":
        return (
            Fix("let the droplet keep its time", ("timedatectl set-ntp true", "chronyc makestep || true")),
        )
    if rule == "endpoint-wrong":
        return (
            Fix(
                "see what the endpoint answers",
                (look, "getent hosts ENDPOINT", "openssl s_client -connect ENDPOINT:443 </dev/null"),
            ),
        )
    return ()


def _probe(target: str, config: str) -> Fix:
    """Each call by itself: which of them is refused tells a grant from a key."""
    name = f"{target}/walconsole-probe --config {config}"
    return Fix(
        "write, read and delete a small object as the archiver: which call is refused?",
        (f"echo x | rclone rcat {name}", f"rclone cat {name}", f"rclone deletefile {name}"),
        "write-probe",
        "an object of a few bytes is stored, and taken away again",
    )


_PREFLIGHT = re.compile(
    r"CreateBucket|MakeBucket|GetBucketLocation|HeadBucket|prepare upload|failed to make bucket",
    re.IGNORECASE,
)
_NO_PREFLIGHT = re.compile(r"--s3-no-check-bucket|no_check_bucket")


def is_preflight(snapshot: Snapshot) -> bool:
    """Whether a refused check of the bucket, before the upload, is what fails."""
    return bool(_preflight_words(snapshot))


def _preflight_words(snapshot: Snapshot) -> tuple[LogEntry, ...]:
    """What the command says of a check of the bucket, or of a refusal that only such a check explains."""
    facts = snapshot.command.value
    script = f"{facts.command}\n{facts.script}" if facts is not None else ""
    if "rclone" not in script or _NO_PREFLIGHT.search(script):
        return ()
    refused = tuple(
        entry for code, entry in words_of_refusal(snapshot) if code in ("AccessDenied", "Forbidden")
    )
    named = tuple(entry for entry in refused if _PREFLIGHT.search(entry.text))
    if named:
        return named
    return refused if _listed(snapshot) and _never_worked(snapshot) else ()


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


def preflight(snapshot: Snapshot, now: float) -> Iterator[Finding]:
    """The upload would work; the client asks about the bucket first, and a limited key may not."""
    words = _preflight_words(snapshot)
    if not words or not troubled(snapshot, now):
        return
    listed, named = _listed(snapshot), any(_PREFLIGHT.search(entry.text) for entry in words)
    yield Finding(
        "preflight-403",
        Severity.CRITICAL,
        "the client checks the bucket before it uploads, which a limited key may not",
        (
            f"{words[-1].text} (the archive command's own words)",
            *(("the same key may list the bucket (rclone on the droplet)",) if listed else ()),
        ),
        "add --s3-no-check-bucket to rclone (or no_check_bucket = true to its section)",
        Slot.LOG,
        "archive_command",
        since=failing_since(snapshot, now),
        proof=(
            *log_lines(snapshot, words),
            *setting_row(snapshot, "archive_command"),
            *archiver_row(snapshot),
        ),
        fixes=(
            Fix(
                "install the archive command, which does not ask",
                ("walconsole provision",),
                "archive-command",
            ),
            Fix("add the flag by hand", ("rclone --s3-no-check-bucket copyto …",)),
        ),
        certainty=Certainty.PROVED if listed and named else Certainty.LIKELY,
        surer=""
        if listed and named
        else "can the same key upload with --s3-no-check-bucket? else it lacks the grant",
    )


def throttled(snapshot: Snapshot, now: float) -> Iterator[Finding]:
    """The store asked to slow down, to the archiver or to the console."""
    if last_failure(snapshot) is not None:
        return  # told as a refusal
    words = tuple(entry for code, entry in words_of_refusal(snapshot) if CODES[code] is _THROTTLED)
    problems = [
        reading
        for reading in (snapshot.primary, snapshot.dr)
        if reading.problem is not None and CODES.get(reading.problem.code) is _THROTTLED
    ]
    if not words and not problems:
        return
    yield Finding(
        "throttled",
        Severity.CRITICAL if troubled(snapshot, now) and words else Severity.WARNING,
        "the store asks to slow down",
        tuple(
            [entry.text for entry in words[-1:]]
            + [reading.problem.why for reading in problems if reading.problem]
        ),
        _THROTTLED.remedy,
        Slot.LOG if words else problems[0].slot,
        since=failing_since(snapshot, now),
        proof=(*log_lines(snapshot, words), *(proof for reading in problems for proof in refusal(reading))),
    )


def checksum_embedded(snapshot: Snapshot, now: float) -> Iterator[Finding]:
    """Objects hold the client's chunk signatures besides the WAL: no restore can read them."""
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
        Slot.PRIMARY,
        "archive_command",
        since=failing_since(snapshot, now) if troubled(snapshot, now) else None,
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
            Fix("install the archive command", ("walconsole provision",), "archive-command"),
        ),
    )


RULES: tuple[Rule, ...] = (production_refused, preflight, throttled, checksum_embedded)
