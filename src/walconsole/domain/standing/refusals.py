"""What the store refuses to the archiver, from the droplet and in the command's own words: what it means."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from walconsole.domain.facts.evidence import LogEntry, ProductionCheck, VerbResult
from walconsole.domain.facts.snapshot import AnySlot, Reading, Snapshot
from walconsole.domain.standing.failure_log import (
    is_commands,
)
from walconsole.domain.standing.model import Fix


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

BARE_403 = Refusal(
    "key-403",
    "refuses the archiver (403)",
    "look which of key, secret and grant it is: a signed LIST with the same configuration tells",
)

_NO_BUCKET = Refusal(
    "bucket-404", "does not exist (as the archiver asks for it)", "make the bucket again, or correct its name"
)

_CLOCK = Refusal("clock-skew", "refuses the archiver's clock", "let the droplet keep its time with NTP")

THROTTLED = Refusal(
    "throttled",
    "asks the archiver to slow down",
    "send less at a time; ask for a higher limit if it stays so",
)

ENDPOINT = Refusal(
    "endpoint-wrong",
    "cannot be reached as the archiver is configured",
    "check endpoint, region and address style in the client's configuration, then DNS, TLS and the network",
)

CODES: dict[str, Refusal] = {
    "AccessDenied": _GRANT,
    "InvalidAccessKeyId": _UNKNOWN_KEY,
    "SignatureDoesNotMatch": _SECRET,
    "Forbidden": BARE_403,
    "NoSuchBucket": _NO_BUCKET,
    "RequestTimeTooSkewed": _CLOCK,
    "SlowDown": THROTTLED,
    "TooManyRequests": THROTTLED,
    "ServiceUnavailable": THROTTLED,
    "RequestLimitExceeded": THROTTLED,
    "PermanentRedirect": ENDPOINT,
    "TemporaryRedirect": ENDPOINT,
    "AuthorizationHeaderMalformed": ENDPOINT,
    "InvalidBucketName": ENDPOINT,
    "MethodNotAllowed": ENDPOINT,
    "Unreachable": ENDPOINT,
    "Timeout": ENDPOINT,
    "Tls": ENDPOINT,
    "NoSuchHost": ENDPOINT,
    "NotS3": ENDPOINT,
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


def words_of_refusal(entries: Sequence[LogEntry]) -> tuple[tuple[str, LogEntry], ...]:
    """What the archive command has printed about the store since the last success, with its code."""
    told = ((code_in(entry.text), entry) for entry in entries if is_commands(entry))
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


def most_telling(words: Sequence[tuple[str, LogEntry]]) -> str:
    """The newest code that says more than a bare 403; that one where there is no other."""
    told = [code for code, _ in words if code != "Forbidden"]
    return told[-1] if told else "Forbidden"


def told_of_the_archiver(
    snapshot: Snapshot,
    checks: Iterable[tuple[ProductionCheck, VerbResult]],
    words: Sequence[tuple[str, LogEntry]],
) -> frozenset[tuple[str, AnySlot]]:
    """Failure modes, by copy, that the archiver itself shows: there the console's view is proof of them."""
    found: set[tuple[str, AnySlot]] = set()
    for check, result in checks:
        copy = reading_of(snapshot, check.where)
        if copy is not None:
            found.add((CODES.get(result.code, ENDPOINT).rule, copy.slot))
    if not found and words:
        rule = CODES[most_telling(words)].rule
        found |= {(rule, copy.slot) for copy in refused_here(snapshot, rule)}
    return frozenset(found)


def refused_here(snapshot: Snapshot, rule: str) -> list[Reading[Any]]:
    """The copies that refuse the console for the same reason."""
    return [
        copy
        for copy in (snapshot.primary, snapshot.dr)
        if copy.problem is not None and copy.problem.code in CODES and CODES[copy.problem.code].rule == rule
    ]


def reading_of(snapshot: Snapshot, where: str) -> Reading[Any] | None:
    """The console's own reading of the bucket that `REMOTE:BUCKET/…` names, None for another one."""
    bucket = where.partition(":")[2].partition("/")[0]
    readings: tuple[Reading[Any], ...] = (snapshot.primary, snapshot.dr)
    for reading in readings:
        name = getattr(reading.value, "bucket", None) or ""
        if bucket and (name == bucket or reading.source.endswith(f" {bucket}")):
            return reading
    return None


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
