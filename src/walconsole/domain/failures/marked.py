"""What was deleted from a bucket that keeps versions: it is there still, under a marker."""

import re
import shlex
from collections.abc import Iterator

from walconsole.domain.facts.evidence import RuleAction
from walconsole.domain.facts.observed import BucketFacts, MarkedDeleted
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.redaction import safe
from walconsole.domain.standing.assessment import Assessment
from walconsole.domain.standing.copies import copies, stored_age
from walconsole.domain.standing.mode import FailureMode, Page, Risk
from walconsole.domain.standing.model import Finding, Fix, Proof, Severity
from walconsole.domain.units import age_text, plural

_PLAIN_KEY = re.compile(r"[A-Za-z0-9/._+-]+")


def deleted_by_marker(assessment: Assessment) -> Iterator[Finding]:
    """Something is missing where older versions lie under delete markers."""
    snapshot, now = assessment.snapshot, assessment.now
    for copy, reading in copies(snapshot):
        bucket = reading.value
        marked = bucket.marked if bucket is not None and bucket.complete else None
        if bucket is None or marked is None:
            continue
        age = stored_age(bucket, marked.deleted_at, now)
        yield Finding(
            "deleted-by-marker",
            Severity.WARNING if copy == "DR" else Severity.CRITICAL,
            f"{_what(marked, copy)} under delete markers: deleted {age_text(age)}, and still there",
            (
                f"from {safe(marked.first_key)} to {safe(marked.last_key)} (S3 list of versions)",
                *_threatened(snapshot, copy),
            ),
            "find out who deleted it; then take the markers away: what lies under them is listed again",
            reading.slot,
            since=now - age,
            proof=(
                Proof(
                    f"{plural(marked.objects, 'delete marker')} over an older version",
                    f"S3 GET {bucket.bucket}?versions",
                    reading.read_at,
                ),
            ),
            fixes=tuple(_take_away(bucket, marked)),
        )


def _what(marked: MarkedDeleted, copy: str) -> str:
    what, lie = "segment", "lies" if marked.objects == 1 else "lie"
    if marked.segments != marked.objects:
        what, lie = "object", f"({plural(marked.segments, 'segment')}) {lie}"
    return f"{plural(marked.objects, what)} of the {copy} bucket {lie}"


def _threatened(snapshot: Snapshot, copy: str) -> Iterator[str]:
    """Which rules delete for good what lies under the markers."""
    policy = (snapshot.dr_policy if copy == "DR" else snapshot.policy).value
    for rule in policy.rules if policy is not None else ():
        if rule.enabled and rule.action is RuleAction.OLD_VERSIONS:
            after = f" after {plural(rule.days, 'day')}" if rule.days else ""
            yield f"rule {safe(rule.rule)} deletes older versions{after}: then they are gone for good"


def _take_away(bucket: BucketFacts, marked: MarkedDeleted) -> Iterator[Fix]:
    if not all(map(_PLAIN_KEY.fullmatch, (marked.first_key, marked.last_key))):
        return  # no command is typed with what may be anything
    where = f"--bucket {shlex.quote(bucket.bucket)} --endpoint-url {shlex.quote(bucket.endpoint)}"
    prefix = bucket.holding.prefix if bucket.holding is not None else ""
    below = f" --prefix {shlex.quote(prefix)}" if prefix else ""
    between = f'$1 >= "{marked.first_key}" && $1 <= "{marked.last_key}"'
    listed = (
        f"aws s3api list-object-versions {where}{below} "
        "--query 'DeleteMarkers[?IsLatest].[Key,VersionId]' --output text "
        f"| awk '{between}' > markers"
    )
    each = f'aws s3api delete-object {where} --key "$key" --version-id "$version" </dev/null'
    yield Fix(
        "take the delete markers between the first and the last away, with a key that has full access",
        (listed, f"while read -r key version; do {each}; done < markers"),
        risk="what lies between and was deleted on purpose comes back, too: look at the file first",
    )


MODES: tuple[FailureMode, ...] = (
    FailureMode(
        "deleted-by-marker",
        Page(
            title="what is missing lies under delete markers",
            symptom="Segments or base backups are gone from the bucket, as if they were lost.",
            cause=(
                "Somebody or something deleted them (`rclone delete`, a clean-up, a sync), in a bucket that "
                "keeps versions: a marker was laid over each, and what was there is an older version now."
            ),
            signal=(
                "Where something is missing, the bucket's versions are asked for (S3 GET ?versions): a "
                "marker is the newest, and an object lies under it. Many limited keys may not ask; then only "
                "the loss is told."
            ),
            fix=(
                "Delete the markers by their version id; that brings back what is under them, with its old "
                "time and bytes. Then have whatever deleted it stop.\n\n"
                "```\n"
                "aws s3api list-object-versions --bucket BUCKET --query 'DeleteMarkers[?IsLatest]'\n"
                "aws s3api delete-object --bucket BUCKET --key KEY --version-id MARKER\n"
                "```"
            ),
            never=(
                "Do not accept the loss, and switch off the lifecycle rule that deletes older versions until "
                "they are back."
            ),
            source="Amazon S3's user guide, Working with delete markers",
        ),
        look=deleted_by_marker,
        explains=(
            "gap",
            "failover-hole",
            "archive-shrunk",
            "history-missing",
            "wal-before-backup-gone",
            "no-base-backup",
            "backup-broken",
            "archive-frozen",
            "silent-loss",
            "dr-behind",
        ),
        risk=Risk.REPLAY,
    ),
)
