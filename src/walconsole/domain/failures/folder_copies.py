"""What of an archive in folders is not seen, or not whole: another host, a copy that was cut short."""

from collections.abc import Iterator
from shlex import quote

from walconsole.domain.archivers.folders import refuses_existing
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.profile import is_folder
from walconsole.domain.standing.archiver import is_failing
from walconsole.domain.standing.assessment import Assessment
from walconsole.domain.standing.folders import object_path
from walconsole.domain.standing.mode import PILING, FailureMode, Page, Risk
from walconsole.domain.standing.model import Certainty, Finding, Fix, Proof, Severity
from walconsole.domain.standing.proofs import archiver_row, setting_row
from walconsole.domain.standing.remedies import RELOAD, command_in_force
from walconsole.domain.store.answers import UNREAD_PLACE


def elsewhere_unread(assessment: Assessment) -> Iterator[Finding]:
    """What is sent to another host besides, and is in no copy that is read."""
    snapshot = assessment.snapshot
    problem = snapshot.primary.problem
    if problem is not None and problem.code == UNREAD_PLACE:
        return  # nothing else is archived, and that is told
    facts = snapshot.folders.value
    read = {reading.value.bucket for reading in snapshot.copies if reading.value is not None}
    for place in facts.elsewhere if facts is not None else ():
        if place in read:
            continue
        yield Finding(
            "folder-elsewhere",
            Severity.NOTE,
            f"the archive command sends WAL to {place}, too, which was not read: what it holds is not known",
            ("by rsync or scp, as its words say",),
            "name it in the profile where your own ssh reaches that host: "
            f'[profiles.{snapshot.profile_name}.primary] bucket = "{place}"',
            Snapshot.folders,
            "archive_command",
            proof=tuple(setting_row(snapshot, "archive_command")),
            fixes=(Fix("see whether it can be reached, from your own machine", (_looking(place),)),),
            certainty=Certainty.POSSIBLE,
            surer="a copy that is read",
        )


def _looking(place: str) -> str:
    host, _, path = place.partition(":")
    return f"ssh {quote(host)} ls -l {quote(quote(path))} | tail"


# -- A copy that was cut short, under its final name.


def torn_copy(assessment: Assessment) -> Iterator[Finding]:
    """The file that the segment that fails should become is only its beginning."""
    snapshot = assessment.snapshot
    archiver, compared, primary = snapshot.archiver.value, snapshot.compared.value, snapshot.primary.value
    if archiver is None or compared is None or primary is None or not is_folder(primary.bucket):
        return
    if not is_failing(archiver) or compared.segment != archiver.last_failed_wal or not compared.beginning:
        return
    path = object_path(primary.bucket, compared.key)
    traps = refuses_existing(command_in_force(snapshot))
    have = "n/a" if compared.object_bytes is None else f"{compared.object_bytes:,}"
    whole = "n/a" if compared.local_bytes is None else f"{compared.local_bytes:,}"
    yield Finding(
        "torn-copy",
        Severity.CRITICAL,
        f"{compared.key} in {primary.bucket} was cut short"
        + (", and the archive command refuses what exists: it fails for ever" if traps else ""),
        (f"it has {have} bytes, the segment in pg_wal {whole}, and it is the beginning of it",),
        "move the torn file away, PostgreSQL archives the segment again; and let the command copy under "
        "another name and rename",
        Snapshot.compared,
        "archive_command",
        since=assessment.failing_since,
        proof=(
            Proof(
                f"{have} bytes: {compared.key}", "stat and SHA-256 on the droplet", snapshot.compared.read_at
            ),
            *archiver_row(snapshot),
            *setting_row(snapshot, "archive_command"),
        ),
        fixes=(
            Fix("move the torn file out of the way", (f"mv -- {path} {path}.torn",)),
            Fix(
                "have it copied under another name, and renamed when it is whole",
                (safe_copy(primary.bucket),),
                risk="it replaces the archive command in force",
            ),
        ),
    )


def safe_copy(folder: str) -> str:
    """A statement that sets an archive command which never leaves half a file under a segment's name."""
    where = folder.rstrip("/")
    command = (
        f'test ! -f "{where}/%f" && cp %p "{where}/.%f.part" && sync "{where}/.%f.part" '
        f'&& mv "{where}/.%f.part" "{where}/%f"'
    )
    value = command.replace("'", "''")
    return f"ALTER SYSTEM SET archive_command = '{value}'; {RELOAD}"


MODES: tuple[FailureMode, ...] = (
    FailureMode(
        "torn-copy",
        Page(
            title="a segment's copy was cut short, and has its final name",
            symptom="One segment fails for ever; its file in the archive is too short.",
            cause=(
                "`cp` writes under the final name: a crash, a full disk or a killed command leaves half a "
                "file. `test ! -f` then refuses to copy it again."
            ),
            signal="The file is compared with the beginning of the segment in pg_wal (SHA-256).",
            fix=(
                "Move the torn file away; PostgreSQL tries again by itself. Then copy under another name and "
                "rename.\n\n```\nmv /mnt/wal/NAME /mnt/wal/NAME.torn\n```"
            ),
            never="Do not delete the .ready file: the segment would never be archived.",
            source="PostgreSQL's documentation, 26.3.1, of archive commands that are interrupted",
        ),
        look=torn_copy,
        explains=("failing", "stalled", "damaged-object", "gap", "same-name-different-content", *PILING),
        risk=Risk.STOPPED,
    ),
    FailureMode(
        "folder-elsewhere",
        Page(
            title="WAL is sent to another host, too, which was not read",
            symptom="One copy is seen; nothing says what arrives at the other host.",
            cause="The archive command sends to another host, and the profile does not name that place.",
            signal="The command's words.",
            fix=(
                "Name it in the profile, where your own ssh reaches that host.\n\n"
                '```\n[profiles.NAME.primary]\nbucket = "backup@nas:/srv/wal"\n```'
            ),
        ),
        look=elsewhere_unread,
    ),
)
