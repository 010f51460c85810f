"""What the buckets refuse, and whether they hold what PostgreSQL says it archived."""

from collections.abc import Iterator

from walconsole.domain.archiver import ArchiverState, state
from walconsole.domain.diagnosis.copies import copies
from walconsole.domain.diagnosis.model import Finding, Rule, Severity
from walconsole.domain.diagnosis.sources import LINK_CODES, SHELL_CODES
from walconsole.domain.exposure import agreement
from walconsole.domain.snapshot import Slot, Snapshot

SKEW_LIMIT_S = 60.0
"""S3 refuses a request whose clock is off by 15 minutes; a minute is worth a word."""

_REFUSALS = {
    "NoSuchBucket": ("bucket-404", "does not exist"),
    "AccessDenied": ("key-403", "refuses the key: it lacks the grant"),
    "InvalidAccessKeyId": ("key-403", "does not know the key: revoked, or not active yet"),
    "SignatureDoesNotMatch": ("key-403", "refuses the signature: the secret is wrong"),
    "RequestTimeTooSkewed": ("clock-skew", "refuses the time: a clock is wrong"),
    "NoKey": ("no-key", "was not asked: there is no key to ask with"),
}
_NEITHER = "neither bucket was asked: there is no key to ask with"


def refused(snapshot: Snapshot, now: float) -> Iterator[Finding]:
    """The exact reason why a bucket cannot be read; a key that both lack is told once."""
    lacking = snapshot.primary.problem
    both = lacking is not None and lacking.code == "NoKey" and lacking == snapshot.dr.problem
    for copy, reading in copies(snapshot)[: 1 if both else 2]:
        problem = reading.problem
        if problem is None or problem.code in LINK_CODES | SHELL_CODES:  # its key lies on the droplet
            continue
        rule, phrase = _REFUSALS.get(problem.code, ("endpoint-wrong", "could not be read"))
        unreachable = problem.code not in _REFUSALS
        yield Finding(
            rule,
            _severity(copy, unreachable, snapshot, now),
            _NEITHER if both else f"the {copy} bucket {phrase}",
            (problem.why,),
            problem.remedy or "check the endpoint, the region and the network",
            reading.slot,
        )


def _severity(copy: str, unreachable: bool, snapshot: Snapshot, now: float) -> Severity:
    """A primary bucket that refuses while the archiver succeeds elsewhere is not yet a loss."""
    if unreachable or copy == "DR" or state(snapshot, now) in (ArchiverState.WORKING, ArchiverState.IDLE):
        return Severity.WARNING
    return Severity.CRITICAL


def silent_loss(snapshot: Snapshot, _now: float) -> Iterator[Finding]:
    """PostgreSQL says archived, and the bucket does not hold it."""
    archiver, server, bucket = snapshot.archiver.value, snapshot.server.value, snapshot.primary.value
    if archiver is None or server is None or bucket is None or not bucket.complete:
        return
    answer = agreement(archiver, server, snapshot)
    if answer.ok is False:
        yield Finding(
            "silent-loss",
            Severity.CRITICAL,
            f"{answer.text}: the archive command says yes and stores nothing there",
            (
                f"last_archived_wal = {archiver.last_archived_wal} (pg_stat_archiver)",
                f"newest in {bucket.bucket} = {bucket.newest_segment or 'none'} (S3 LIST)",
            ),
            "check which bucket and prefix the archive command writes to, and whether it hides errors",
            Slot.PRIMARY,
            "archive_command",
        )


def clock_skew(snapshot: Snapshot, _now: float) -> Iterator[Finding]:
    """The host's clock against the store's: S3 refuses requests that are 15 minutes off."""
    host = snapshot.host.value
    for copy, reading in copies(snapshot):
        bucket = reading.value
        if host is None or bucket is None or bucket.store_clock_offset_s is None:
            continue
        skew = host.clock_offset_s - bucket.store_clock_offset_s
        if abs(skew) > SKEW_LIMIT_S:
            direction = "ahead of" if skew > 0 else "behind"
            yield Finding(
                "clock-skew",
                Severity.WARNING,
                f"the droplet's clock is {abs(skew):.0f} s {direction} the store's",
                (f"host {host.clock_offset_s:+.0f} s, {copy} store {bucket.store_clock_offset_s:+.0f} s",),
                "let the droplet keep its time with NTP: S3 refuses requests 15 minutes off",
                Slot.HOST,
            )
            return


RULES: tuple[Rule, ...] = (refused, silent_loss, clock_skew)
