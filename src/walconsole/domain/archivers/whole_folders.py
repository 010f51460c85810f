"""Commands that copy pg_wal as it lies there instead of the one segment that they are called for.

pg_wal holds more than what is finished: the segment that is written now, and renamed old ones that wait under
the names of WAL to come (PostgreSQL's documentation, 28.5). What a mirror deletes at its destination is what
the source has no more: the manuals of rsync(1), `rclone sync`, `aws s3 sync`, s3cmd, s5cmd, `mc mirror`,
`gsutil rsync`, `gcloud storage rsync`, azcopy.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from posixpath import normpath

from walconsole.domain.archivers.called import Call
from walconsole.domain.archivers.expansion import UNKNOWN, shown
from walconsole.domain.archivers.local_tools import RSYNC_VALUED
from walconsole.domain.archivers.look import Look
from walconsole.domain.archivers.roles import PG_WAL
from walconsole.domain.archivers.s3_clients import VALUED, words_of
from walconsole.domain.archivers.target import ArchiveTarget
from walconsole.domain.facts.whole_folder import Whole, WholeFolder
from walconsole.domain.redaction import safe

_VERBS = {
    "rclone": ("sync", "copy"),
    "aws": ("sync", "cp"),
    "s3cmd": ("sync", "put"),
    "s5cmd": ("sync", "cp"),
    "mc": ("mirror", "cp"),
    "gsutil": ("rsync", "cp"),
    "gcloud": ("rsync", "cp"),
    "azcopy": ("sync", "copy"),
}
"""By which words of theirs clients copy; rsync, cp and scp have none."""
_VALUED = {
    **VALUED,
    "rsync": RSYNC_VALUED,
    "cp": frozenset({"-t", "--target-directory", "-S", "--suffix"}),
    "rclone": frozenset({
        "--config", "--log-file", "--log-level", "--transfers", "--checkers", "--exclude", "--include",
        "--filter", "--bwlimit", "--min-age", "--max-age", "--backup-dir", "--retries", "--timeout",
        "--contimeout", "--exclude-from", "--include-from", "--filter-from", "--files-from", "--stats",
        "--max-delete",
    }),
}  # fmt: skip
"""Options that take a word."""
_DELETES: dict[str, re.Pattern[str]] = {
    "rsync": re.compile(r"--del|--delete(?!-missing-args|-excluded-never).*"),
    "aws": re.compile(r"--delete"),
    "s3cmd": re.compile(r"--delete-(?:removed|after|after-fetch)"),
    "s5cmd": re.compile(r"--delete"),
    "mc": re.compile(r"--remove"),
    "gsutil": re.compile(r"-[A-Za-z]*d[A-Za-z]*"),
    "gcloud": re.compile(r"--delete-unmatched-destination-objects"),
    "azcopy": re.compile(r"--delete-destination(?:=true|=prompt)?"),
}
"""By which they delete at the destination what the source has no more; `rclone sync` needs none."""
_SETS_ASIDE = re.compile(r"--backup-dir(?:=.*)?|--dry-run|--dryrun")
"""What goes is moved elsewhere, or nothing is."""
_KEEPS = {
    "cp": re.compile(r"-[A-Za-z]*n[A-Za-z]*|--no-clobber|--update=none(?:-fail)?"),
    **dict.fromkeys(
        ("rsync", "rclone", "aws", "s3cmd", "s5cmd"),
        re.compile(r"--ignore-existing|--size-only|--immutable|--skip-existing|--no-clobber|-n"),
    ),
}
"""Options by which what is there already stays as it is, though another file has that name by now."""
_LAST_WORD = re.compile(r"/(?:\.|[0*?\[][^/%]*)?$")
"""What stands behind a folder where its content is meant."""


def whole_folder(call: Call, look: Look) -> WholeFolder | None:
    """What `call` does of a whole folder; None for one file, and for a program that copies none."""
    verbs = _VERBS.get(call.name)
    if verbs is None and call.name not in ("rsync", "cp", "scp"):
        return None
    options, plain = words_of(call.words, _VALUED.get(call.name, frozenset()))
    verb = next((word for word in plain if word in verbs), "") if verbs is not None else ""
    if verbs is not None:
        plain = plain[plain.index(verb) + 1 :] if verb else []
    into = options.get("-t") or options.get("--target-directory") or (plain.pop() if len(plain) > 1 else "")
    folders = [folder for word in plain if into and (folder := _folder(word, call, look))]
    if not folders:
        return None
    folder = next((each for each in folders if PG_WAL.fullmatch(each)), folders[0])
    words = safe(shown(" ".join((call.name, *call.words)))).strip()
    named = safe(shown(into))
    return WholeFolder(
        _how(call, verb), folder, named, words[:120], call.source, _instead(call.name, verb, into)
    )


def _folder(word: str, call: Call, look: Look) -> str:
    """The folder that a source means, absolute; empty where it is one file or is not known."""
    if "%" in word:
        return ""
    path = _LAST_WORD.sub("", word) or "/"
    if ":" in path.partition("/")[0]:
        return ""
    if path.startswith(UNKNOWN):
        return path if PG_WAL.fullmatch(path) else ""
    return normpath(look.path(call.within(path)))


def _how(call: Call, verb: str) -> Whole:
    deletes = _DELETES.get(call.name)
    mirrors = verb == "sync" and call.name == "rclone"
    mirrors = mirrors or (deletes is not None and any(map(deletes.fullmatch, call.words)))
    if mirrors and verb not in ("cp", "copy", "put") and not any(map(_SETS_ASIDE.match, call.words)):
        return Whole.MIRRORS
    keeps = _KEEPS.get(call.name)
    return Whole.KEEPS if keeps is not None and any(map(keeps.fullmatch, call.words)) else Whole.COPIES


_INSTEAD: dict[str, Callable[[str, str], str]] = {
    "rclone": lambda _verb, into: f"rclone copyto %p {into}/%f",
    "aws": lambda _verb, into: f"aws s3 cp %p {into}/%f",
    "s3cmd": lambda _verb, into: f"s3cmd put %p {into}/%f",
    "s5cmd": lambda _verb, into: f"s5cmd cp %p {into}/%f",
    "mc": lambda _verb, into: f"mc cp %p {into}/%f",
    "gsutil": lambda _verb, into: f"gsutil cp %p {into}/%f",
    "gcloud": lambda _verb, into: f"gcloud storage cp %p {into}/%f",
    "rsync": lambda _verb, into: f"rsync -a %p {into}/%f",
    "scp": lambda _verb, into: f"scp %p {into}/%f",
    "cp": lambda _verb, into: f"cp %p {into}/%f",
}


def _instead(name: str, verb: str, into: str) -> str:
    """What stores the one segment with the same tool; empty where that is not known, or holds a secret."""
    made = _INSTEAD.get(name)
    text = made(verb, into.rstrip("/")) if made is not None and UNKNOWN not in into else ""
    return text if safe(text) == text else ""


def of_pg_wal(target: ArchiveTarget, emptied: Sequence[str]) -> ArchiveTarget:
    """The same without a folder that is no concern: neither pg_wal, nor one that the command itself empties.

    `emptied` are the paths that it removes, as far as they are known. Another folder holds what its own
    retention leaves there.
    """
    whole = target.whole
    if whole is None or PG_WAL.fullmatch(whole.folder):
        return target
    taken = any(path.startswith(f"{whole.folder}/") for path in emptied)
    if taken and whole.how is Whole.MIRRORS:
        return target
    return replace(target, whole=None)
