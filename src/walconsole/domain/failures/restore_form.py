"""A restore command that asks for another form of a segment than the archive holds."""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from walconsole.domain.archive.layouts import segment_suffix, split_key
from walconsole.domain.archivers.called import Call
from walconsole.domain.archivers.calls import calls_of
from walconsole.domain.archivers.folders import restore_folders
from walconsole.domain.archivers.look import Look, Seen
from walconsole.domain.archivers.places import COMPRESSORS, ENCRYPTERS, SUFFIX_OF
from walconsole.domain.facts.observed import BucketFacts
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.profile import folder_place, is_folder
from walconsole.domain.redaction import safe
from walconsole.domain.standing.assessment import Assessment
from walconsole.domain.standing.mode import FailureMode, Page
from walconsole.domain.standing.model import Certainty, Finding, Fix, Proof, Severity
from walconsole.domain.standing.proofs import setting_row
from walconsole.domain.standing.recovery import restoring
from walconsole.domain.standing.remedies import RELOAD

_COPIES = frozenset({
    "cp", "cat", "dd", "install", "ln", "mv", "scp", "rsync", "pv", "rclone", "aws", "s3cmd", "s5cmd",
    "s4cmd", "mc", "mcli", "gsutil", "curl", "wget",
})  # fmt: skip
"""They bring a file by the name that they are given, and as it is."""
_UNPACKS = {
    "gunzip": "gzip", "zcat": "gzip", "unpigz": "gzip", "unzstd": "zstd", "zstdcat": "zstd", "unlz4": "lz4",
    "lz4cat": "lz4", "unxz": "xz", "xzcat": "xz", "bunzip2": "bzip2", "bzcat": "bzip2", **COMPRESSORS,
}  # fmt: skip
_ASIDE = frozenset({"test", "[", "true", ":", "echo", "printf", "logger", "sleep", "rm", "touch", "date"})
_ASKED = re.compile(r"%f((?:\.\w+)*)")


def asks_for_another_form(assessment: Assessment) -> Iterator[Finding]:
    """By the restore command's words and the newest name in the archive; nothing of scripts."""
    snapshot, primary = assessment.snapshot, assessment.snapshot.primary.value
    command, own = restoring(snapshot)
    stored = _stored(primary)
    if not own or not command or primary is None or stored is None:
        return
    facts = snapshot.folders.value
    held = facts is not None and any(each.holds for each in facts.taken_from)  # a link leads there
    why = why_not(command, stored) or ("" if held else not_there(command, primary))
    if not why:
        return
    yield Finding(
        "restore-form",
        Severity.WARNING,
        f"restore_command {safe(why)}: a recovery would find nothing that it can replay",
        (
            f"restore_command = {safe(command)} (pg_settings)",
            f"the archive stores NAME{stored}, the newest {safe(primary.newest_key or '')}",
        ),
        "let restore_command bring back what archive_command stores, under its name and unpacked",
        Snapshot.settings,
        "restore_command",
        proof=(
            Proof(safe(primary.newest_key or ""), snapshot.primary.source, snapshot.primary.read_at),
            *setting_row(snapshot, "archive_command", "restore_command"),
        ),
        fixes=(Fix("correct restore_command in the file that sets it, and reload", (RELOAD,)),),
        certainty=Certainty.LIKELY,
        surer="walconsole drill recovers with it",
    )


def _stored(primary: BucketFacts | None) -> str | None:
    """What the archive puts behind a segment's name, where its oldest and its newest one have the same."""
    if primary is None or not primary.complete or primary.newest_key is None:
        return None
    suffix = segment_suffix(split_key(primary.newest_key)[1])
    if suffix is None or suffix.startswith("-"):
        return None
    names = (each.key for each in primary.identities)
    return suffix if all(segment_suffix(split_key(name)[1]) == suffix for name in names) else None


@lru_cache(maxsize=1024)
def _calls(command: str) -> tuple[Call, ...]:
    """What it calls, as far as its own words tell. Two ask of it, at each look, of the same."""
    return tuple(calls_of(command, Look(Seen()), "restore_command"))


def why_not(command: str, stored: str) -> str:
    """Why it does not bring back what is stored with that suffix, in words; empty where it may."""
    calls = [call for call in _calls(command) if call.name not in _ASIDE]
    names = {call.name for call in calls}
    if not calls or not names <= _COPIES | _UNPACKS.keys() | ENCRYPTERS or "$" in command:
        return ""
    asked = {match[1] for match in _ASKED.finditer(command)}
    if not asked:
        return ""
    if stored not in asked:
        what = " or ".join(sorted(f"NAME{each}" for each in asked))
        return f"asks for {what}, and the archive holds NAME{stored}"
    kind = next((tool for tool, ending in SUFFIX_OF.items() if stored.endswith(ending)), "")
    unpacked = {_UNPACKS[name] for name in names if name in _UNPACKS}
    if kind and not unpacked and names <= _COPIES:
        return f"brings NAME{stored} back as it is, and nothing unpacks it"
    if not stored and asked == {""} and unpacked and len(calls) == 1 and not _passes_on(calls[0].words):
        return f"unpacks what is not packed ({calls[0].name}), for the archive holds NAME"
    return ""


_OF_S3 = re.compile(r"s3://([^/\s'\"]+)/([^\s'\"%]*)%f")


def not_there(command: str, primary: BucketFacts) -> str:
    """Why it finds nothing below the archive's place, in words: what is stored lies in folders there.

    Empty where it may, where it names other places, too, and where only a run tells.
    """
    names = {call.name for call in _calls(command)}
    if not names <= _COPIES | _UNPACKS.keys() | _ASIDE | ENCRYPTERS or set("$`*") & set(command):
        return ""
    if is_folder(primary.bucket):
        host, archive = folder_place(primary.bucket)
        asked = [f"{each.rstrip('/')}/" for each in restore_folders(command)] if not host else []
        archive = f"{archive.rstrip('/')}/"
    else:
        asked = [f"{match[1]}/{match[2]}" for match in _OF_S3.finditer(command)]
        archive = f"{primary.bucket}/"
    stored = split_key(primary.newest_key or "")[0]
    if not asked or any(not each.startswith(archive) for each in asked) or f"{archive}{stored}" in asked:
        return ""
    return f"asks for {asked[0]}NAME, and the archive holds {archive}{stored}NAME"


def _passes_on(words: Sequence[str]) -> bool:
    """gzip(1), zstd(1), -f with -dc: what is not packed goes through as it is."""
    return any(word in ("--force", "--pass-through") or re.fullmatch(r"-\w*f\w*", word) for word in words)


MODES: tuple[FailureMode, ...] = (
    FailureMode(
        "restore-form",
        Page(
            title="the restore command asks for another form of a segment than the archive holds",
            symptom="Nothing, until a recovery: it ends at its beginning, or with `invalid magic number`.",
            cause=(
                "archive_command began to compress, and restore_command was left as it was; or the other way "
                "round. It asks for a name that is not there, or puts packed bytes where a segment must be. "
                "Or segments lie in folders by day, or each in one of its own (`rclone copy %p R:B/%f`)."
            ),
            signal=(
                "The words of restore_command in force, where it calls plain clients and unpackers alone, "
                "against the newest and the oldest name in the archive, and the folder that the newest lies "
                "in. A script's are not looked at."
            ),
            fix=(
                "Unpack what was packed:\n\n```\nrestore_command = 'gunzip -c /mnt/wal/%f.gz > %p'\n```\n\n"
                "Then `walconsole drill`. Where the archive holds both forms, name both, joined by `||`."
            ),
            source="PostgreSQL's documentation, 25.3.6, compressed archive storage",
        ),
        look=asks_for_another_form,
    ),
)
