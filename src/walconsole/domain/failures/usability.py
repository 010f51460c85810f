"""Whether what is archived can be used, and stays: names, content."""

import re
from collections.abc import Iterator, Mapping, Sequence

from walconsole.domain.archive.holding import Holding
from walconsole.domain.archive.page_header import BEGINNING_BYTES, SegmentIdentity
from walconsole.domain.archive.runs import Runs
from walconsole.domain.facts.evidence import ComparedFacts
from walconsole.domain.facts.observed import BucketFacts
from walconsole.domain.facts.snapshot import Reading, Snapshot
from walconsole.domain.profile import BucketRole, is_folder
from walconsole.domain.standing.archiver import is_failing
from walconsole.domain.standing.assessment import Assessment
from walconsole.domain.standing.copies import copies
from walconsole.domain.standing.folders import object_path
from walconsole.domain.standing.mode import FailureMode, Page
from walconsole.domain.standing.model import Certainty, Finding, Fix, Proof, Severity
from walconsole.domain.standing.newest import to_compare
from walconsole.domain.standing.proofs import archiver_row
from walconsole.domain.standing.remedies import ours_in_force, read_head
from walconsole.domain.units import plural
from walconsole.domain.wal import Segment, wal_name


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
    if compared.identical is None and _is_no_segment(snapshot, compared.segment):
        return  # what failed left it there: it is told as what it is
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
        fixes=ours_in_force(snapshot, "which takes an identical object for a success"),
        certainty=Certainty.PROVED if proved else Certainty.LIKELY,
        surer="" if proved else "compare the object with the segment in pg_wal, byte by byte",
    )


def _is_no_segment(snapshot: Snapshot, name: str) -> bool:
    """Whether the primary copy's object of that name cannot be one, by its size."""
    bucket, server = snapshot.primary.value, snapshot.server.value
    if bucket is None or bucket.holding is None or server is None:
        return False
    segment = Segment.parse(name, server.segment_bytes)
    return segment.number in bucket.holding.damaged().get(segment.timeline, Runs())


def _compared_beginning(snapshot: Snapshot) -> ComparedFacts | None:
    """The comparison of the newest segment that was archived, or of one before it, as they are there now."""
    compared = snapshot.compared.value
    if compared is None or not compared.begins_alone:
        return None
    now = {(each.key, each.begins) for each in to_compare(snapshot)}
    return compared if (compared.key, compared.object_sha256) in now else None


def _both(snapshot: Snapshot, compared: ComparedFacts) -> Iterator[Proof]:
    at = snapshot.compared.read_at
    yield Proof(f"{compared.local_sha256 or 'n/a'}  {compared.segment}", "sha256sum on the droplet", at)
    yield Proof(f"{compared.object_sha256 or 'n/a'}  {compared.key}", "S3 GET, made plain", at)


def different_from_local(assessment: Assessment) -> Iterator[Finding]:
    """The object under the name of the segment that waits has other bytes: two servers wrote it."""
    snapshot = assessment.snapshot
    compared = _compared(snapshot) or _compared_beginning(snapshot)
    if compared is None or compared.identical is not False or "chunk-signature" in compared.head:
        return
    primary = snapshot.primary.value
    if compared.beginning and primary is not None and is_folder(primary.bucket):
        return  # a copy that was cut short: that is told as such
    yield Finding(
        "same-name-different-content",
        Severity.CRITICAL,
        f"the bucket holds another {compared.segment} than this server's",
        (
            f"{compared.key} and pg_wal's: their first {BEGINNING_BYTES:,} bytes differ (SHA-256)"
            if compared.begins_alone
            else f"{compared.key}: {_size(compared.object_bytes)}, pg_wal: {_size(compared.local_bytes)}, "
            "and their SHA-256 differ",
        ),
        "stop and investigate: a split brain, a rolled-back snapshot or a clone wrote it; overwrite nothing",
        Snapshot.compared,
        since=None if compared.begins_alone else assessment.failing_since,
        proof=(*_both(snapshot, compared), *archiver_row(snapshot)),
        fixes=(
            Fix(
                "once it is known which server is right: a new prefix in the archive command of the other, "
                "and a new base backup there",
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


_RUNS_TOLD = 8
_DAMAGED = re.compile(
    r"it begins with the bytes|nothing but zeroes|XML or HTML|: empty$|its block size|unpacks to "
    r"|beginning is whole, and then: |it is cut off: all its "
)


def damaged(assessment: Assessment) -> Iterator[Finding]:
    """The newest, the oldest or one of a few between them is no WAL, nor what a known writer makes of it."""
    snapshot = assessment.snapshot
    for copy, reading in copies(snapshot):
        bucket = reading.value
        heads = (*bucket.identities, *bucket.sampled) if bucket is not None else ()
        bad = [each for each in heads if _DAMAGED.search(each.problem)]
        if bucket is None or not bad:
            continue
        look = read_head(snapshot, bucket, bad[0].key)
        yield Finding(
            "damaged-object",
            Severity.WARNING if copy == "DR" else _damaged_severity(assessment, bad),
            f"what is stored as {bad[0].name} in the {copy} bucket is no "
            + ("WAL" if bad[0].header is None else "segment: no server takes it"),
            tuple(f"{each.key}: {each.problem}" for each in bad),
            "find out what wrote it; archive the segment again while it is in pg_wal, else take a new "
            "base backup",
            reading.slot,
            proof=tuple(
                Proof(f"{each.key}: {each.problem}", "S3 GET, its first bytes", each.read_at) for each in bad
            ),
            fixes=(Fix("look at the object, and at others beside it", (look,)),),
        )


def _damaged_severity(assessment: Assessment, bad: Sequence[SegmentIdentity]) -> Severity:
    """A note where all of it is older than what any base backup that can be used needs."""
    restorable, server = assessment.recovery, assessment.snapshot.server.value
    found = restorable.found if restorable is not None else None
    if found is None or server is None or not found.reaches_newest:
        return Severity.CRITICAL
    firsts = [each.first for window in found.windows for each in window.backups if each.first is not None]
    names = [wal_name(each.name, server.segment_bytes) for each in bad]
    older = (
        name is not None and name.segment is not None and name.segment.number < min(firsts, default=0)
        for name in names
    )
    return Severity.NOTE if all(older) else Severity.CRITICAL


def torn(assessment: Assessment) -> Iterator[Finding]:
    """Objects under segments' plain names that have not a segment's size: the listing alone proves it."""
    for copy, reading in copies(assessment.snapshot):
        bucket = reading.value
        holding = bucket.holding if bucket is not None else None
        if bucket is None or holding is None or not bucket.complete:
            continue
        size, damaged = holding.segment_bytes, holding.damaged()
        count = sum(runs.count for runs in damaged.values())
        if not count:
            continue
        newest = max(timeline for timeline, runs in damaged.items() if runs.count)
        name = Segment(newest, damaged[newest].last).name(size)
        are = "is" if count == 1 else "are"
        look = (
            f"ls -l {object_path(bucket.bucket, f'{holding.root}{name}')}"
            if is_folder(bucket.bucket)
            else f"aws s3 ls s3://{bucket.bucket}/{holding.root}{name} --endpoint-url {bucket.endpoint}"
        )
        yield Finding(
            "damaged-object",
            _torn_severity(assessment, bucket, damaged),
            f"{plural(count, 'object')} in the {copy} bucket {are} no whole segment: {name}",
            (f"uncompressed it has exactly {size:,} bytes, compressed more than a few (S3 LIST)",),
            "find out what cut it short; archive the segment again while it is in pg_wal, copy it from the "
            "other copy where that has it whole, else take a new base backup",
            reading.slot,
            proof=tuple(_torn_proof(holding, damaged, reading)),
            fixes=(Fix("see its size and when it was stored", (look,)),),
        )


def _torn_severity(assessment: Assessment, bucket: BucketFacts, damaged: Mapping[int, Runs]) -> Severity:
    """A note where no base backup that can be used needs any of it, or the other copy has all of it whole."""
    restorable = assessment.recovery
    if restorable is None:
        return Severity.WARNING
    found = restorable.found
    firsts = [each.first for window in found.windows for each in window.backups if each.first is not None]
    highest = max(runs.last for runs in damaged.values() if runs.count)
    needless = highest < min(firsts, default=0) or _is_whole_elsewhere(assessment, bucket, damaged)
    if found.reaches_newest and needless:
        return Severity.NOTE
    beside = bucket.role is BucketRole.DR or found.reaches_newest
    return Severity.WARNING if beside else Severity.CRITICAL


def _is_whole_elsewhere(assessment: Assessment, bucket: BucketFacts, damaged: Mapping[int, Runs]) -> bool:
    """Whether the other copy has all of it."""
    both = (reading.value for _, reading in copies(assessment.snapshot) if reading.problem is None)
    other = next((each.holding for each in both if each is not None and each.role is not bucket.role), None)
    if other is None:
        return False
    bad = other.damaged()
    return not any(
        runs.minus(other.timelines.get(timeline, Runs())).count
        or runs.common(bad.get(timeline, Runs())).count
        for timeline, runs in damaged.items()
    )


def _torn_proof(
    holding: Holding, damaged: Mapping[int, Runs], reading: Reading[BucketFacts]
) -> Iterator[Proof]:
    """The newest runs of them."""
    newest = [
        (timeline, run)
        for timeline in sorted(damaged, reverse=True)
        for run in reversed(list(damaged[timeline]))
    ]
    for timeline, (first, last) in newest[:_RUNS_TOLD]:
        names = dict.fromkeys(Segment(timeline, each).name(holding.segment_bytes) for each in (first, last))
        text = f"{' to '.join(names)}: not {holding.segment_bytes:,} bytes"
        yield Proof(text, reading.source, reading.read_at)


def unusable_objects(assessment: Assessment) -> Iterator[Finding]:
    """By its head, and by its size."""
    yield from damaged(assessment)
    yield from torn(assessment)


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
                "The first bytes of the newest and the oldest segment, and of three between them that chance "
                "chooses: no WAL page, no known compression; and their ends, where they are small enough to "
                "be read whole (up to 1 MiB, the newest up to 256 KiB). "
                "Of all others the size in the listing: a segment that is not compressed has exactly "
                "wal_segment_size bytes, and none has 0. Such a segment counts as missing for what can be "
                "restored."
            ),
            fix=(
                "Find out what wrote it. Archive the segment again while it is in pg_wal; else take it "
                "from the other copy, or take a new base backup."
            ),
            never="Do not delete it before another copy was found to be whole.",
        ),
        look=unusable_objects,
    ),
)
