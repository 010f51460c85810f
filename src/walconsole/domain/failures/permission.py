"""A file that the archive command may not read or write: its mode, its mount, a security module."""

import re
from collections.abc import Iterator
from shlex import quote

from walconsole.domain.facts import log_languages as languages
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.failures.command import MODULE, NOT_EXECUTABLE, SEE_MODULE, exit_lines
from walconsole.domain.failures.rclone_config import CONFIG_WORDS, DENIED, unusable
from walconsole.domain.standing.assessment import Assessment
from walconsole.domain.standing.mode import REFUSED, FailureMode, Page
from walconsole.domain.standing.model import Certainty, Finding, Fix, Severity
from walconsole.domain.standing.proofs import command_and_archiver, log_lines
from walconsole.domain.standing.remedies import is_ours, ours_in_force, server_user
from walconsole.domain.store.answers import Meaning, meaning_of
from walconsole.domain.store.printed import code_in

_READ_ONLY = re.compile(languages.SEALED, re.IGNORECASE)


def permission(assessment: Assessment) -> Iterator[Finding]:
    """A file that the command needs may not be read or written by the server's user."""
    snapshot = assessment.snapshot
    sealed = assessment.programs_words(_READ_ONLY)
    denied = tuple(
        each
        for each in assessment.programs_words(DENIED)
        if not _OF_NO_FILE.search(each.text) and not _SSH_GOES_ON.search(each.text)
    )
    lines = [entry for entry in sealed or denied if not _is_told_elsewhere(entry.text)]
    if not lines or (assessment.last_failure is None and not assessment.troubled):
        return
    if exit_lines(assessment, NOT_EXECUTABLE):
        return  # the shell's own words of what it may not run
    facts = snapshot.command.value
    if facts is not None and (
        any(program.executable is False for program in facts.programs) or unusable(facts)
    ):
        return
    named = _PATH.search(lines[-1].text)
    allowed = _allowed_by_mode(snapshot, named[0]) if named is not None and not sealed else ""
    yield Finding(
        "permission",
        Severity.CRITICAL,
        "the archive command writes to a file system that is read-only"
        if sealed
        else "the archive command is denied a file that it needs",
        (
            lines[-1].text,
            *([f"the server's user may write to {allowed} by its mode: {MODULE}"] if allowed else []),
        ),
        "find out why it is read-only (dmesg: an error of the disk? findmnt: a mount option?), then mount it "
        "for writing"
        if sealed
        else "see what SELinux or AppArmor denied, and allow it there (a label, a rule): no mode is the cause"
        if allowed
        else "look at the file's owner, mode and SELinux label (ls -lZ), as the server's user sees them",
        Snapshot.log,
        "archive_command",
        since=assessment.failing_since,
        proof=(*log_lines(snapshot, lines), *command_and_archiver(snapshot)),
        fixes=(
            *([Fix("see what a security module denied", SEE_MODULE)] if allowed else []),
            *_fixes_of_permission(snapshot, lines[-1].text, sealed=bool(sealed)),
        ),
        certainty=Certainty.LIKELY,
        surer="run the archive command by hand as the server's user",
    )


_SSH_GOES_ON = re.compile(
    r"hostkeys_\w+: |known[ _]hosts|could not create directory .*/\.ssh|ssh_config", re.IGNORECASE
)
"""What ssh says of its own files, and goes on: what it fails for, it says after that."""
_OF_NO_FILE = re.compile(
    r"^\W*permission denied\W*$|permission denied for \w+|\b(?:http|status|code)\W{1,3}403\b", re.IGNORECASE
)
"""What a service says of a request (Vault's `* permission denied`, PostgreSQL's of a table): strerror(3)'s
words stand behind what was tried."""


def _allowed_by_mode(snapshot: Snapshot, path: str) -> str:
    """The folder that holds `path`, where mode and mount let the server's user write to it; else empty."""
    facts = snapshot.folders.value
    for folder in facts.folders if facts is not None else ():
        if folder.writable and not folder.read_only and path.startswith(f"{folder.path.rstrip('/')}/"):
            return folder.path
    return ""


def _is_told_elsewhere(text: str) -> bool:
    """Whether another finding tells what is denied here: rclone's configuration, or what a store allows."""
    of_store = meaning_of(code_in(text)) in (Meaning.ACCOUNT, Meaning.NO_PERMISSION)
    return of_store or CONFIG_WORDS.search(text) is not None


_PATH = re.compile(r"(?<![\w.:/-])/[^\s'\"‘’«»:;,`]+")


def _fixes_of_permission(snapshot: Snapshot, said: str, *, sealed: bool) -> tuple[Fix, ...]:
    """With the path that its words name, where they name one."""
    found = _PATH.search(said)
    path = quote(found[0]) if found is not None else ""
    if sealed:
        mounted = f'"$(findmnt -no TARGET --target {path})"'
        commands: tuple[str, ...] = (
            (f"findmnt --target {path}", f"mount -o remount,rw {mounted}") if path else ("findmnt",)
        )
        risk = "a file system that went read-only by itself has an error: check it first"
        look = Fix("see what it is, and what the kernel says of it", ("dmesg | tail", *commands), risk=risk)
    else:
        user = server_user(snapshot)
        commands = (f"namei -l {path}", f"runuser -u {user} -- ls -ldZ {path}") if path else ()
        look = Fix(
            "see whose it is, and each folder above it: then give the server's user its right", commands
        )
    if is_ours(snapshot):
        return (look,)
    return (*ours_in_force(snapshot, "which writes to no file of its own"), look)


MODES: tuple[FailureMode, ...] = (
    FailureMode(
        "permission",
        Page(
            title="the archive command is denied a file",
            symptom="`permission denied` in the command's own words.",
            cause=(
                "The target, a temporary folder or a log file belongs to somebody else (often root, after "
                "a test by hand), or SELinux does not allow it."
            ),
            signal="The words in the log, while the program can be run and its configuration be read.",
            fix=(
                "See the file as the server's user sees it, and give it back.\n\n"
                "```\n"
                "runuser -u postgres -- ls -lZ FILE\n"
                "chown postgres: FILE\n"
                "restorecon -v FILE\n"
                "```"
            ),
            source="edb-ansible#151",
        ),
        look=permission,
        explains=(*REFUSED, "archiver-crash-loop"),
    ),
)
