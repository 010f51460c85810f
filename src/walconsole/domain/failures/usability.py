"""Whether what is archived can be used, and stays: names, content."""

import re
from collections.abc import Iterator

from walconsole.domain.facts.evidence import ComparedFacts
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.standing.archiver import is_failing
from walconsole.domain.standing.assessment import Assessment
from walconsole.domain.standing.copies import copies
from walconsole.domain.standing.mode import FailureMode, Page
from walconsole.domain.standing.model import Certainty, Finding, Fix, Proof, Severity
from walconsole.domain.standing.proofs import archiver_row
from walconsole.domain.units import plural


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
