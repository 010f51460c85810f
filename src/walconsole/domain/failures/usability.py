"""Whether what is archived can be used, and stays: base backups, expiry, names, content."""

import re
from collections.abc import Iterator

from walconsole.domain.facts.evidence import ComparedFacts, ExpiryRule
from walconsole.domain.facts.observed import BucketFacts
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.standing.archiver import is_failing
from walconsole.domain.standing.assessment import Assessment
from walconsole.domain.standing.copies import copies, stored_age
from walconsole.domain.standing.mode import FailureMode, Page, Risk
from walconsole.domain.standing.model import Certainty, Finding, Fix, Proof, Severity
from walconsole.domain.standing.proofs import archiver_row
from walconsole.domain.units import duration_text, plural
from walconsole.domain.wal import Segment

DAY_S = 86_400.0


def _compared(snapshot: Snapshot) -> ComparedFacts | None:
    """The comparison of the very file that fails now."""
    archiver, compared = snapshot.archiver.value, snapshot.compared.value
    if archiver is None or compared is None or not is_failing(archiver):
        return None
    return compared if compared.segment == archiver.last_failed_wal else None


def stuck_on_existing(assessment: Assessment) -> Iterator[Finding]:
    """The command refuses a segment that is in the bucket already, with the same bytes."""
    snapshot = assessment.snapshot
    compared = _compared(snapshot)
    if compared is None or compared.identical is False:
        return
    proved = compared.identical is True
    yield Finding(
        "stuck-on-existing",
        Severity.CRITICAL,
        f"archiving is stuck on {compared.segment}, which is in the bucket already",
        (
            f"{compared.key} holds the same bytes as pg_wal's (SHA-256)"
            if proved
            else f"{compared.key} is there, and could not be compared: {compared.why}",
        ),
        "let the command succeed where the object is identical; never delete the .ready file by hand",
        Snapshot.compared,
        "archive_command",
        since=assessment.failing_since,
        proof=(*_both(snapshot, compared), *archiver_row(snapshot)),
        fixes=(
            Fix(
                "install a command that takes an identical object for a success",
                ("walconsole provision",),
                "archive-command",
            ),
        ),
        certainty=Certainty.PROVED if proved else Certainty.LIKELY,
        surer="" if proved else "compare the object with the segment in pg_wal, byte by byte",
    )


def _both(snapshot: Snapshot, compared: ComparedFacts) -> Iterator[Proof]:
    at = snapshot.compared.read_at
    yield Proof(f"{compared.local_sha256 or 'n/a'}  {compared.segment}", "sha256sum on the droplet", at)
    yield Proof(f"{compared.object_sha256 or 'n/a'}  {compared.key}", "S3 GET, made plain", at)


def different_from_local(assessment: Assessment) -> Iterator[Finding]:
    """The object under the name of the segment that waits has other bytes: two servers wrote it."""
    snapshot = assessment.snapshot
    compared = _compared(snapshot)
    if compared is None or compared.identical is not False or "chunk-signature" in compared.head:
        return
    yield Finding(
        "same-name-different-content",
        Severity.CRITICAL,
        f"the bucket holds another {compared.segment} than this server's",
        (
            f"{compared.key}: {_size(compared.object_bytes)}, pg_wal: {_size(compared.local_bytes)}, "
            "and their SHA-256 differ",
        ),
        "stop and investigate: a split brain, a rolled-back snapshot or a clone wrote it; overwrite nothing",
        Snapshot.compared,
        since=assessment.failing_since,
        proof=(*_both(snapshot, compared), *archiver_row(snapshot)),
        fixes=(
            Fix(
                "archive under a new prefix, once it is known which server is right",
                ("a new prefix in the archive command", "take a new base backup"),
                risk="overwriting the object destroys the other server's history",
            ),
        ),
    )


def already_there(assessment: Assessment) -> Iterator[Finding]:
    """What fails is in the bucket: with the same bytes, or with others."""
    yield from stuck_on_existing(assessment)
    yield from different_from_local(assessment)


def _size(count: int | None) -> str:
    return "n/a" if count is None else f"{count:,} bytes"


def _age_of_oldest(bucket: BucketFacts, now: float) -> float | None:
    holding = bucket.holding
    if holding is None or not holding.timelines:
        return None
    timeline = min(holding.timelines)
    return _stored_age(bucket, Segment(timeline, holding.timelines[timeline].first), now)


def _stored_age(bucket: BucketFacts, segment: Segment, now: float) -> float | None:
    stored_at = bucket.holding.times.about(segment.timeline, segment.number) if bucket.holding else None
    return None if stored_at is None else stored_age(bucket, stored_at, now)


def lifecycle(assessment: Assessment) -> Iterator[Finding]:
    """A rule of the bucket deletes WAL that a restore from the base backup still needs."""
    snapshot, now = assessment.snapshot, assessment.now
    policy, bucket = snapshot.policy.value, snapshot.primary.value
    if policy is None or bucket is None:
        return
    for rule in policy.expiry:
        if rule.enabled and not rule.noncurrent and rule.days is not None and _covers(rule, bucket):
            finding = _expiring(snapshot, now, rule, rule.days, bucket)
            if finding is not None:
                yield finding
                return


def _covers(rule: ExpiryRule, bucket: BucketFacts) -> bool:
    """Whether it deletes objects of the archive, or of a part of it."""
    folder = bucket.folder
    return folder.startswith(rule.prefix) or rule.prefix.startswith(folder)


def _expiring(
    snapshot: Snapshot, now: float, rule: ExpiryRule, days: int, bucket: BucketFacts
) -> Finding | None:
    labels = bucket.holding.labels if bucket.holding is not None else ()
    age = _stored_age(bucket, labels[-1], now) if labels else _age_of_oldest(bucket, now)
    left = None if age is None else days * DAY_S - age
    if left is not None and left > DAY_S and not bucket.histories:
        return None
    broken = left is not None and left <= 0
    what = "the newest base backup's WAL" if labels else "the oldest WAL"
    when = "already" if broken else f"in {duration_text(left)}" if left is not None else "soon"
    histories = " and the .history files, which a restore needs for ever" if bucket.histories else ""
    return Finding(
        "lifecycle-eats-wal",
        Severity.CRITICAL if broken else Severity.WARNING,
        f"the bucket deletes WAL after {plural(days, 'day')}: {what} {when}{histories}",
        (f"rule {rule.rule or '(no id)'}: {rule.prefix or 'all'} goes after {days} d (S3 lifecycle)",),
        "let the rule keep WAL for longer than the oldest base backup, and leave .history files alone",
        Snapshot.policy,
        proof=(
            Proof(
                f"rule {rule.rule or '(no id)'} prefix '{rule.prefix}' expiration {days} days enabled",
                snapshot.policy.source,
                snapshot.policy.read_at,
            ),
        ),
        fixes=(
            Fix(
                "see and change the rule",
                (
                    f"aws s3api get-bucket-lifecycle-configuration --bucket {bucket.bucket} --endpoint-url …",
                    f"aws s3api put-bucket-lifecycle-configuration --bucket {bucket.bucket} …",
                ),
                risk="the whole configuration is replaced by what you put",
            ),
        ),
    )


_DAMAGED = re.compile(r"it begins with the bytes|nothing but zeroes|XML or HTML|: empty$|its block size")


def damaged(assessment: Assessment) -> Iterator[Finding]:
    """The head of the newest or oldest segment is no WAL, and nothing that a known writer makes of it."""
    snapshot = assessment.snapshot
    for copy, reading in copies(snapshot):
        bucket = reading.value
        heads = bucket.identities if bucket is not None else ()
        bad = [each for each in heads if _DAMAGED.search(each.problem)]
        if bucket is None or not bad:
            continue
        config = "/etc/rclone-NAME.conf"
        look = f"rclone --config {config} cat REMOTE:{bucket.bucket}/{bad[0].key} | head -c 64 | xxd"
        yield Finding(
            "damaged-object",
            Severity.WARNING if copy == "DR" else Severity.CRITICAL,
            f"what is stored as {bad[0].name} in the {copy} bucket is no WAL",
            tuple(f"{each.key}: {each.problem}" for each in bad),
            "find out what wrote it; archive the segment again while it is in pg_wal, else take a new "
            "base backup",
            reading.slot,
            proof=tuple(
                Proof(f"{each.key}: {each.problem}", "S3 GET, its first bytes", each.read_at) for each in bad
            ),
            fixes=(Fix("look at the object, and at others beside it", (look,)),),
        )


def odd_names(assessment: Assessment) -> Iterator[Finding]:
    """Names that cannot exist with this server's wal_segment_size: WAL of a cluster with another one."""
    snapshot = assessment.snapshot
    server = snapshot.server.value
    for copy, reading in copies(snapshot):
        bucket = reading.value
        if server is None or bucket is None or not bucket.impossible_names:
            continue
        size = server.segment_bytes // (1024 * 1024)
        yield Finding(
            "odd-segment-size",
            Severity.WARNING,
            f"the {copy} bucket holds names that cannot exist with wal_segment_size = {size} MiB",
            (f"{plural(bucket.impossible_names, 'name')} beyond the last of a log (S3 LIST)",),
            "another cluster, or this one before initdb with another --wal-segsize, wrote them: "
            "give each a prefix of its own",
            reading.slot,
            proof=(Proof(f"wal_segment_size = {size} MiB", "pg_settings", snapshot.server.read_at),),
        )
        return


MODES: tuple[FailureMode, ...] = (
    FailureMode(
        "stuck-on-existing",
        Page(
            title="one segment fails for ever, and it is in the bucket already",
            symptom="last_failed_wal does not change; everything behind it waits.",
            cause=(
                "The segment was archived, and the server did not hear of it (a crash, a cut connection). "
                "The command refuses what exists, even where it is identical."
            ),
            signal="The object of that name is compared with the file in pg_wal, byte by byte (SHA-256).",
            fix="Let the command succeed where the object is identical, and fail where it differs.",
            never="Never delete the .ready file by hand: 55,435 segments waited behind one for 39 hours.",
            source="openlibrary#13549",
        ),
        look=already_there,
        explains=("failing", "stalled"),
    ),
    FailureMode(
        "lifecycle-eats-wal",
        Page(
            title="the bucket deletes WAL that a restore needs",
            symptom="Old segments or .history files vanish.",
            cause=(
                "An expiry rule is shorter than the age of the base backup that needs the WAL. A .history "
                "file is needed for ever."
            ),
            signal="The bucket's lifecycle rules against the newest base backup's age.",
            fix=(
                "Keep WAL for longer than the oldest base backup that shall be usable, and leave .history "
                "alone."
            ),
            source="plugin-barman-cloud#779; pgbackrest#2258",
        ),
        look=lifecycle,
        explains=(
            "archive-shrunk",
            "gap",
            "history-missing",
            "no-base-backup",
            "backup-broken",
            "wal-before-backup-gone",
        ),
        risk=Risk.REPLAY,
    ),
    FailureMode(
        "odd-segment-size",
        Page(
            title="names that cannot exist with this wal_segment_size",
            symptom=(
                "A tool that takes 16 MiB for granted reports gaps where there are none; or the bucket "
                "holds names that this cluster can never have written."
            ),
            cause=(
                "wal_segment_size is set by initdb. With 64 MiB the last field of a name ends at 3F, with "
                "1 GiB at 03; a name beyond that is another cluster's, or this one's from before it was "
                "made anew."
            ),
            signal=(
                "The server's setting, and names beyond the last of a log (S3 LIST). A size that is merely "
                "not 16 MiB is no fault, and is not reported."
            ),
            fix="Give each cluster a prefix of its own.",
            source="barman#287; check_pgbackrest#49",
        ),
        look=odd_names,
    ),
    FailureMode(
        "damaged-object",
        Page(
            title="an object that is named like a segment is no WAL",
            symptom="A restore stops at it, or the server refuses it (`invalid magic number`).",
            cause=(
                "An upload that was cut short and filled up, an error page that was stored as if it were "
                "the segment, a file system that came back with zeroes, another program's file."
            ),
            signal=(
                "The first bytes of the newest and the oldest segment: no WAL page, and no known compression."
            ),
            fix=(
                "Find out what wrote it. Archive the segment again while it is in pg_wal; else take it "
                "from the other copy, or take a new base backup."
            ),
            never="Do not delete it before another copy was found to be whole.",
        ),
        look=damaged,
    ),
)
