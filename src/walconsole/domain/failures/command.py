"""What is wrong with the archive command itself: its program, its configuration, how it ends."""

import re
from collections.abc import Iterator
from shlex import quote

from walconsole.domain.archivers.command_words import DEFAULT_CONFIG
from walconsole.domain.facts import log_languages as languages
from walconsole.domain.facts.evidence import CommandFacts, ConfigAccess, LogEntry, ProgramFacts
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.standing.archiver import archive_timeout_s, last_success_age
from walconsole.domain.standing.assessment import Assessment
from walconsole.domain.standing.mode import REFUSED, FailureMode, Page
from walconsole.domain.standing.model import Certainty, Finding, Fix, Proof, Severity
from walconsole.domain.standing.not_found import missed
from walconsole.domain.standing.proofs import command_and_archiver, log_lines
from walconsole.domain.standing.remedies import is_ours, ours_in_force, runs_rclone, server_user
from walconsole.domain.store.answers import Meaning, meaning_of
from walconsole.domain.store.printed import code_in

NOT_FOUND, NOT_EXECUTABLE = 127, 126
"""What a POSIX shell exits with (POSIX.1-2024, Shell Command Language, 2.8.2)."""

_CONFIG_WORDS = re.compile(
    r"didn't find section in config file|config file .* not found(?! - using defaults)"
    r"|failed to load config file|failed to open config|couldn't decrypt configuration"
    r"|cannot be read as user",
    re.IGNORECASE,
)
_DENIED = re.compile(rf"(?:{languages.DENIED})(?! \([\w,-]+\))", re.IGNORECASE)
"""Of files: `Permission denied (publickey)` is what ssh says of a login."""
_READ_ONLY = re.compile(languages.SEALED, re.IGNORECASE)


def _programs_proof(snapshot: Snapshot, program: ProgramFacts) -> Proof:
    mode = "" if program.mode is None else f" mode {program.mode:04o} owner {program.owner}"
    where = program.path or "not found"
    why = f": {program.why_not}" if program.why_not else ""
    return Proof(
        f"{program.name}: {where}{mode}{why}", "the droplet, as the server's user", snapshot.command.read_at
    )


def _exit_lines(assessment: Assessment, code: int) -> tuple[LogEntry, ...]:
    """The newest failure, where it ended with this exit code and nothing was changed since."""
    failure = assessment.last_failure
    if failure is None or failure.exit_code != code or failure not in assessment.since_change:
        return ()
    return (failure,)


def command_not_found(assessment: Assessment) -> Iterator[Finding]:
    """Exit 127: nothing counts it as a failure. Or a program is not found, and untried yet."""
    snapshot = assessment.snapshot
    facts, lines = snapshot.command.value, _exit_lines(assessment, NOT_FOUND)
    missing = [program for program in facts.programs if program.path is None] if facts else []
    if not lines and (not missing or _tried(assessment)):
        return  # only the shell knows what it did not find
    telling = _telling(assessment.newest_words) if lines else ()
    named = missed(telling[-1].text) if telling else ""
    name = named or (missing[0].name if missing else "")
    looked = any(program.name == name for program in missing)
    yield Finding(
        "command-not-found",
        assessment.urgency,
        _title_ofmissed(name)
        if lines
        else f"the archive command names {name}, which the server's user does not find",
        (
            *(f"{program.name} is not found by the server's user" for program in missing),
            *([f"the shell ends with {NOT_FOUND} (the server's log)"] if lines else []),
        ),
        "install it, or name it by its absolute path in archive_command, then reload",
        Snapshot.command,
        "archive_command",
        since=assessment.failing_since,
        proof=(
            *(_programs_proof(snapshot, program) for program in missing),
            *log_lines(snapshot, (*telling, *lines)),
            *command_and_archiver(snapshot),
        ),
        fixes=_fixes_of_not_found(snapshot, name),
        certainty=Certainty.PROVED if lines and looked else Certainty.LIKELY if lines else Certainty.POSSIBLE,
        surer=_surer_of_not_found(name if named else "", tried=bool(lines), looked=looked),
    )


def _surer_of_not_found(named: str, *, tried: bool, looked: bool) -> str:
    """What the log alone leaves open: the shell's words are one witness, a look at the droplet the other."""
    if tried and looked:
        return ""
    if named:
        return f"look for {named} as the server's user, with the server's environment"
    return "the shell has not said so: look as the server's user, with the server's environment"


def _fixes_of_not_found(snapshot: Snapshot, name: str) -> tuple[Fix, ...]:
    by_path = Fix(
        "name the program by its absolute path, in the file that sets archive_command, and reload",
        (*((f"command -v {quote(name)}",) if name else ()), "SELECT pg_reload_conf();"),
    )
    return (*ours_in_force(snapshot, "which is named by its path"), by_path)


def _tried(assessment: Assessment) -> bool:
    """Whether the archiver has run this command since it was loaded, and something else than 127 came of it.

    Where the log cannot be read, how it ended is not known.
    """
    snapshot = assessment.snapshot
    if snapshot.log.value is not None and assessment.last_failure is not None:
        return True
    if _works_all_the_same(assessment):
        return True
    archiver, server = snapshot.archiver.value, snapshot.server.value
    if archiver is None or archiver.last_archived_at is None or server is None or assessment.troubled:
        return False
    return server.loaded_at is not None and archiver.last_archived_at > server.loaded_at


def _works_all_the_same(assessment: Assessment) -> bool:
    """Whether something was archived since the command's programs were looked for, or shortly before."""
    snapshot, now = assessment.snapshot, assessment.now
    age = last_success_age(snapshot, now)
    timeout = archive_timeout_s(snapshot.settings.value) or 0.0
    return not assessment.troubled and age is not None and age < 2 * timeout + 60


def _title_ofmissed(name: str) -> str:
    if not name:
        return "a program that the archive command runs is not found"
    if ".so" in name.rpartition("/")[2]:
        return f"a library that the archive command's program needs is not found: {name}"
    return f"the archive command's program is not found: {name}"


def _telling(words: tuple[LogEntry, ...]) -> tuple[LogEntry, ...]:
    """Those that name what was not found."""
    return tuple(entry for entry in words if missed(entry.text))


def command_not_executable(assessment: Assessment) -> Iterator[Finding]:
    """Exit 126, or a program that the server's user may not run."""
    snapshot = assessment.snapshot
    facts, lines = snapshot.command.value, _exit_lines(assessment, NOT_EXECUTABLE)
    barred = [program for program in facts.programs if program.executable is False] if facts else []
    if not barred and not lines:
        return
    path = barred[0].path or barred[0].name if barred else "the archive command"
    why = f": {barred[0].why_not}" if barred and barred[0].why_not else ""
    yield Finding(
        "command-not-executable",
        assessment.urgency,
        f"the server's user may not run {path}{why}",
        tuple(
            [f"{program.path}: {program.why_not or 'not executable'}" for program in barred]
            + ([f"the shell ends with {NOT_EXECUTABLE} (the server's log)"] if lines else [])
        ),
        "make it executable for the server's user, and every folder above it passable",
        Snapshot.command,
        "archive_command",
        since=assessment.failing_since,
        proof=(
            *(_programs_proof(snapshot, program) for program in barred),
            *log_lines(snapshot, lines),
            *command_and_archiver(snapshot),
        ),
        fixes=(
            Fix(f"make it executable: {path}", (f"chmod 0755 {path}",), "executable-command", subject=path),
        )
        if barred
        else (),
        certainty=Certainty.PROVED if barred else Certainty.LIKELY,
        surer="" if barred else "look at the mode of each program and of the folders above it: namei -l",
    )


def permission(assessment: Assessment) -> Iterator[Finding]:
    """A file that the command needs may not be read or written by the server's user."""
    snapshot = assessment.snapshot
    sealed = assessment.programs_words(_READ_ONLY)
    denied = assessment.programs_words(_DENIED)
    lines = [entry for entry in sealed or denied if not _is_told_elsewhere(entry.text)]
    if not lines or (assessment.last_failure is None and not assessment.troubled):
        return
    facts = snapshot.command.value
    if facts is not None and (
        any(program.executable is False for program in facts.programs) or _unusable(facts)
    ):
        return
    yield Finding(
        "permission",
        Severity.CRITICAL,
        "the archive command writes to a file system that is read-only"
        if sealed
        else "the archive command is denied a file that it needs",
        (lines[-1].text,),
        "find out why it is read-only (dmesg: an error of the disk? findmnt: a mount option?), then mount it "
        "for writing"
        if sealed
        else "look at the file's owner, mode and SELinux label (ls -lZ), as the server's user sees them",
        Snapshot.log,
        "archive_command",
        since=assessment.failing_since,
        proof=(*log_lines(snapshot, lines), *command_and_archiver(snapshot)),
        fixes=_fixes_of_permission(snapshot, lines[-1].text, sealed=bool(sealed)),
        certainty=Certainty.LIKELY,
        surer="run the archive command by hand as the server's user",
    )


def _is_told_elsewhere(text: str) -> bool:
    """Whether another finding tells what is denied here: rclone's configuration, or what a store allows."""
    of_store = meaning_of(code_in(text)) in (Meaning.ACCOUNT, Meaning.NO_PERMISSION)
    return of_store or _CONFIG_WORDS.search(text) is not None


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


def _unusable(facts: CommandFacts) -> list[ConfigAccess]:
    """Configurations that the command cannot work with: not there, not readable, without its remote."""
    return [
        config for config in facts.configs if not config.exists or not config.readable or _lacking(config)
    ]


def _is_assumed(config: ConfigAccess, facts: CommandFacts | None) -> bool:
    """Whether nothing names this configuration: it is where rclone looks by itself."""
    usual = DEFAULT_CONFIG.removeprefix("~")
    return facts is not None and config.path.endswith(usual) and usual not in f"{facts.command}{facts.script}"


def _lacking(config: ConfigAccess) -> list[str]:
    if not config.exists or not config.readable or not config.sections:
        return []
    return [remote for remote in config.remotes if remote not in config.sections]


def _config_fault(config: ConfigAccess) -> str:
    if not config.exists:
        return f"{config.path} is not there{': ' + config.why_not if config.why_not else ''}"
    if not config.readable:
        return (
            f"the server's user may not read {config.path}{': ' + config.why_not if config.why_not else ''}"
        )
    return f"{config.path} has no section [{_lacking(config)[0]}]"


def config_unreadable(assessment: Assessment) -> Iterator[Finding]:
    """rclone's configuration is not there for the server's user, or lacks the remote."""
    snapshot = assessment.snapshot
    if not runs_rclone(snapshot):
        return  # another tool's words of its own file
    facts = snapshot.command.value
    words = assessment.programs_words(_CONFIG_WORDS) if assessment.troubled else ()
    bad = _unusable(facts) if facts is not None else []
    if not words:  # where no file is named, the environment may hold the remote
        bad = [config for config in bad if config.exists or not _is_assumed(config, facts)]
    if not bad and not words:
        return
    title = _config_fault(bad[0]) if bad else _worded(words[-1].text)
    path = bad[0].path if bad else ""
    fixable = bool(bad) and bad[0].exists and not bad[0].readable
    yield Finding(
        "rclone-config-unreadable",
        assessment.urgency,
        f"rclone's configuration: {title}" if bad else title,
        tuple([_config_fault(config) for config in bad] + [entry.text for entry in words[-1:]]),
        "put it where the server's user may read it, root:postgres with mode 0640, and name it with --config"
        if bad or title != _ENCRYPTED
        else "let the command hand rclone its password (--password-command), or keep the file unencrypted, "
        "root:postgres with mode 0640",
        Snapshot.command,
        "archive_command",
        since=assessment.failing_since,
        proof=(
            *(
                Proof(_config_fault(config), "the droplet, as the server's user", snapshot.command.read_at)
                for config in bad
            ),
            *log_lines(snapshot, words),
            *command_and_archiver(snapshot),
        ),
        fixes=(
            Fix(
                f"make {path} readable for the server's user",
                (f"chown root:postgres {path}", f"chmod 0640 {path}"),
                "readable-config",
                subject=path,
            ),
        )
        if fixable
        else (),
        certainty=Certainty.PROVED if bad else Certainty.LIKELY,
        surer=""
        if bad
        else "run rclone listremotes as the server's user, with the configuration that it names",
    )


_ENCRYPTED = "rclone cannot decrypt its configuration"


def _worded(text: str) -> str:
    """What rclone's own words say of its configuration."""
    lowered = text.lower()
    if "decrypt" in lowered:
        return _ENCRYPTED
    if "section" in lowered:
        return "rclone's configuration has no such remote"
    if _DENIED.search(text) or "cannot be read as user" in lowered:
        return "rclone may not read its configuration"
    return "rclone does not find its configuration"


MODES: tuple[FailureMode, ...] = (
    FailureMode(
        "command-not-found",
        Page(
            title="the archive command's program is not found",
            symptom=(
                "The log has `archive command failed with exit code 127` as FATAL, and `not found` above "
                "it. failed_count stays where it is."
            ),
            cause=(
                "A typo, a program that was never installed, or a PATH that the server does not have: "
                "PostgreSQL runs the command by /bin/sh with the postmaster's own environment."
            ),
            signal=(
                "The log's exit code, and the shell's own words. Each program that the command names is "
                "looked for "
                "as the server's user, with the postmaster's PATH: that alone says only that it may be "
                "missing."
            ),
            fix=(
                "Name it by its absolute path, or install it; reload.\n\n"
                "```\n"
                "runuser -u postgres -- sh -c 'command -v PROGRAM'\n"
                "tr '\\0' '\\n' </proc/POSTMASTER/environ | grep ^PATH\n"
                "```"
            ),
            source="pgbackrest#346",
        ),
        look=command_not_found,
        explains=(*REFUSED, "archiver-crash-loop"),
    ),
    FailureMode(
        "command-not-executable",
        Page(
            title="the server's user may not run the archive command",
            symptom="The log has `exit code 126` as FATAL. failed_count stays where it is.",
            cause=(
                "The mode lacks x, a folder above it may not be entered, the file system is mounted "
                "noexec, or the interpreter of its first line is not there (or the line ends in a carriage "
                "return)."
            ),
            signal="The file is looked at as the server's user; the log's exit code.",
            fix=(
                "```\nchmod 0755 /usr/local/bin/NAME-pg-archive\nnamei -l /usr/local/bin/NAME-pg-archive\n```"
            ),
            source="POSIX, Shell Command Language, 2.8.2",
        ),
        look=command_not_executable,
        explains=(*REFUSED, "archiver-crash-loop"),
    ),
    FailureMode(
        "rclone-config-unreadable",
        Page(
            title="rclone does not find its configuration",
            symptom="`didn't find section in config file`, `Config file not found` or `permission denied`.",
            cause=(
                "--config points to where the server's user may not read (/root is 0700), nothing names it "
                "and HOME is another one, or the section is called otherwise."
            ),
            signal=(
                "The configuration that the command or its script names is opened as the server's user; "
                "its sections are compared with the remotes that the command uses."
            ),
            fix=(
                "Keep it outside /root, root:postgres with mode 0640, and name it.\n\n"
                "```\n"
                "chown root:postgres /etc/rclone-NAME.conf\n"
                "chmod 0640 /etc/rclone-NAME.conf\n"
                "runuser -u postgres -- env -i rclone --config /etc/rclone-NAME.conf listremotes\n"
                "```"
            ),
            never="Do not make it readable for everybody: it holds the key's secret.",
            source="rclone#747, #5226",
        ),
        look=config_unreadable,
        explains=(*REFUSED, "archiver-crash-loop", "no-key"),
    ),
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
