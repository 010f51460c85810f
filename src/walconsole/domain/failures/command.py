"""What is wrong with the archive command itself: its program, its configuration, how it ends."""

import re
from collections.abc import Iterator

from walconsole.domain.command_words import DEFAULT_CONFIG
from walconsole.domain.evidence import (
    ChildProcess,
    CommandFacts,
    ConfigAccess,
    LogEntry,
    LogKind,
    ProgramFacts,
)
from walconsole.domain.failures.sources import LINK_CODES, NO_CLUSTER, SHELL_CODES
from walconsole.domain.snapshot import Slot, Snapshot
from walconsole.domain.standing.archiver import archive_timeout_s, last_success_age, ready_count
from walconsole.domain.standing.failure_log import (
    COUNTED_UP_TO,
    failing_since,
    last_failure,
    last_words,
    programs_words,
    since_success,
    troubled,
    urgency,
    words_before,
)
from walconsole.domain.standing.model import Certainty, Finding, Fix, Proof, Rule, Severity
from walconsole.domain.standing.proofs import archiver_row, log_lines, setting_row
from walconsole.domain.units import duration_text, plural

NOT_FOUND, NOT_EXECUTABLE = 127, 126
"""What a POSIX shell exits with (POSIX.1-2024, Shell Command Language, 2.8.2)."""
HANGS_AFTER_S = 30.0
"""A segment takes a second or two; one that takes longer than this is worth a look."""
_CERTAIN_HANG_S = 90.0
_LAST_SIGNAL = 64
"""signal(7): SIGRTMAX. ssh and rsync end with 255, and no signal is meant."""

_CONFIG_WORDS = re.compile(
    r"didn't find section in config file|config file .* not found(?! - using defaults)"
    r"|failed to load config file|failed to open config|couldn't decrypt configuration"
    r"|cannot be read as user",
    re.IGNORECASE,
)
_DENIED = re.compile(r"permission denied(?! \([\w,-]+\))|operation not permitted", re.IGNORECASE)
"""Of files: `Permission denied (publickey)` is what ssh says of a login."""
_READ_ONLY = re.compile(r"read-only file system", re.IGNORECASE)
_SHELL_NOT_FOUND = re.compile(r"not found$|no such file or directory$", re.IGNORECASE)


def _programs_proof(snapshot: Snapshot, program: ProgramFacts) -> Proof:
    mode = "" if program.mode is None else f" mode {program.mode:04o} owner {program.owner}"
    where = program.path or "not found"
    why = f": {program.why_not}" if program.why_not else ""
    return Proof(
        f"{program.name}: {where}{mode}{why}", "the droplet, as the server's user", snapshot.command.read_at
    )


def _exit_lines(snapshot: Snapshot, code: int) -> tuple[LogEntry, ...]:
    """Failures with this exit code since the last success, while something waits."""
    if last_failure(snapshot) is None:
        return ()
    return tuple(entry for entry in since_success(snapshot) if entry.exit_code == code)


def _common(snapshot: Snapshot) -> tuple[Proof, ...]:
    return (*setting_row(snapshot, "archive_command"), *archiver_row(snapshot))


def command_not_found(snapshot: Snapshot, now: float) -> Iterator[Finding]:
    """Exit 127, or a program that the server's user does not find: nothing counts it as a failure."""
    facts, lines = snapshot.command.value, _exit_lines(snapshot, NOT_FOUND)
    missing = [program for program in facts.programs if program.path is None] if facts else []
    if not missing and not lines:
        return
    if not lines and _works_all_the_same(snapshot, now):
        return  # what looks like a program in the command is none
    name = missing[0].name if missing else _named(lines) or "a program"
    proof = (
        *(_programs_proof(snapshot, program) for program in missing),
        *log_lines(snapshot, (*programs_words(snapshot, _SHELL_NOT_FOUND), *lines)),
        *_common(snapshot),
    )
    unseen = "" if missing else "look as the server's user: command -v PROGRAM"
    yield Finding(
        "command-not-found",
        urgency(snapshot, now),
        f"the archive command's program is not found: {name}",
        tuple(
            [f"{program.name} is not found by the server's user" for program in missing]
            + ([f"the shell ends with {NOT_FOUND} (the server's log)"] if lines else [])
        ),
        "install it, or name it by its absolute path in archive_command, then reload",
        Slot.COMMAND,
        "archive_command",
        since=failing_since(snapshot, now),
        proof=proof,
        fixes=(
            Fix("install the archive command", ("walconsole provision",), step="archive-command"),
            Fix(
                "name the program by its absolute path",
                (
                    "command -v PROGRAM",
                    "edit archive_command in the file that wins",
                    "SELECT pg_reload_conf();",
                ),
            ),
        ),
        certainty=Certainty.PROVED if missing or lines else Certainty.LIKELY,
        surer=unseen,
    )


def _works_all_the_same(snapshot: Snapshot, now: float) -> bool:
    """Whether something was archived since the command's programs were looked for, or shortly before."""
    age = last_success_age(snapshot, now)
    timeout = archive_timeout_s(snapshot.settings.value) or 0.0
    return not troubled(snapshot, now) and age is not None and age < 2 * timeout + 60


def _named(lines: tuple[LogEntry, ...]) -> str:
    for entry in lines:
        found = re.search(r"'?\"?(/\S+?)['\"]?(?:\s|$)", entry.text)
        if found:
            return found[1]
    return ""


def command_not_executable(snapshot: Snapshot, now: float) -> Iterator[Finding]:
    """Exit 126, or a program that the server's user may not run."""
    facts, lines = snapshot.command.value, _exit_lines(snapshot, NOT_EXECUTABLE)
    barred = [program for program in facts.programs if program.executable is False] if facts else []
    if not barred and not lines:
        return
    path = barred[0].path or barred[0].name if barred else "the archive command"
    why = f": {barred[0].why_not}" if barred and barred[0].why_not else ""
    yield Finding(
        "command-not-executable",
        urgency(snapshot, now),
        f"the server's user may not run {path}{why}",
        tuple(
            [f"{program.path}: {program.why_not or 'not executable'}" for program in barred]
            + ([f"the shell ends with {NOT_EXECUTABLE} (the server's log)"] if lines else [])
        ),
        "make it executable for the server's user, and every folder above it passable",
        Slot.COMMAND,
        "archive_command",
        since=failing_since(snapshot, now),
        proof=(
            *(_programs_proof(snapshot, program) for program in barred),
            *log_lines(snapshot, lines),
            *_common(snapshot),
        ),
        fixes=(
            Fix(f"make it executable: {path}", (f"chmod 0755 {path}",), "executable-command", subject=path),
        )
        if barred
        else (),
    )


def crash_loop(snapshot: Snapshot, now: float) -> Iterator[Finding]:
    """The command dies by a signal or exits above 125: the archiver restarts, and nothing counts it."""
    failure = last_failure(snapshot)
    if failure is None or not _is_uncounted(failure):
        return
    alike = tuple(entry for entry in since_success(snapshot) if _is_uncounted(entry))
    words = last_words(snapshot, failure)
    yield Finding(
        "archiver-crash-loop",
        Severity.CRITICAL,
        f"the archiver dies and starts again, for the archive command {_how(failure)}",
        (
            f"{plural(len(alike), 'time')} since the last success (the server's log)",
            *([f"{words} (the archive command's own words)"] if words else []),
            "failed_count does not move: exits above 125 and signals are not counted",
        ),
        "let the command end with 1 to 125 on a failure: then PostgreSQL counts it and tries again in peace",
        Slot.LOG,
        "archive_command",
        since=failing_since(snapshot, now),
        proof=(
            *log_lines(snapshot, [*words_before(snapshot, failure)[-2:], *alike[-4:]]),
            *_common(snapshot),
        ),
        fixes=(Fix("install the archive command", ("walconsole provision",), step="archive-command"),),
    )


def _is_uncounted(entry: LogEntry) -> bool:
    if entry.kind in (LogKind.KILLED, LogKind.ARCHIVER_FATAL):
        return True
    return entry.kind is LogKind.FAILED and entry.exit_code is not None and entry.exit_code > COUNTED_UP_TO


def _how(entry: LogEntry) -> str:
    if entry.signal is not None:
        return f"is killed by signal {entry.signal}"
    if entry.exit_code is not None:
        by = entry.exit_code - 128
        signal = f" (signal {by} in its shell)" if 0 < by <= _LAST_SIGNAL else ""
        return f"exits with {entry.exit_code}{signal}"
    return "cannot be run"


def permission(snapshot: Snapshot, now: float) -> Iterator[Finding]:
    """A file that the command needs may not be read or written by the server's user."""
    sealed = programs_words(snapshot, _READ_ONLY)
    denied = programs_words(snapshot, _DENIED)
    lines = [entry for entry in sealed or denied if not _CONFIG_WORDS.search(entry.text)]
    if not lines or (last_failure(snapshot) is None and not troubled(snapshot, now)):
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
        Slot.LOG,
        "archive_command",
        since=failing_since(snapshot, now),
        proof=(*log_lines(snapshot, lines), *_common(snapshot)),
        fixes=(
            Fix(
                "see what it is, and what the kernel says of it",
                ("findmnt --target FOLDER", "dmesg | tail", "mount -o remount,rw MOUNTPOINT"),
                risk="a file system that went read-only by itself has an error: check it first",
            ),
        )
        if sealed
        else (
            Fix(
                "see it as the server's user",
                ("runuser -u postgres -- ls -lZ FILE", "chown postgres: FILE", "restorecon -v FILE"),
                risk="restorecon gives back the label that the policy has for that path",
            ),
        ),
        certainty=Certainty.LIKELY,
        surer="run the archive command by hand as the server's user",
    )


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


def config_unreadable(snapshot: Snapshot, now: float) -> Iterator[Finding]:
    """rclone's configuration is not there for the server's user, or lacks the remote."""
    facts = snapshot.command.value
    words = programs_words(snapshot, _CONFIG_WORDS) if troubled(snapshot, now) else ()
    bad = _unusable(facts) if facts is not None else []
    if not words:  # where no file is named, the environment may hold the remote
        bad = [config for config in bad if config.exists or not _is_assumed(config, facts)]
    if not bad and not words:
        return
    title = _config_fault(bad[0]) if bad else "rclone does not find its configuration"
    path = bad[0].path if bad else ""
    fixable = bool(bad) and bad[0].exists and not bad[0].readable
    yield Finding(
        "rclone-config-unreadable",
        urgency(snapshot, now),
        f"rclone's configuration: {title}" if bad else title,
        tuple([_config_fault(config) for config in bad] + [entry.text for entry in words[-1:]]),
        "put it where the server's user may read it, root:postgres with mode 0640, and name it with --config",
        Slot.COMMAND,
        "archive_command",
        since=failing_since(snapshot, now),
        proof=(
            *(
                Proof(_config_fault(config), "the droplet, as the server's user", snapshot.command.read_at)
                for config in bad
            ),
            *log_lines(snapshot, words),
            *_common(snapshot),
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
    )


def hangs(snapshot: Snapshot, now: float) -> Iterator[Finding]:
    """The archive command has been running for longer than a segment can take."""
    facts, host = snapshot.command.value, snapshot.host.value
    if facts is None or not facts.children or ready_count(snapshot) == 0:
        return
    offset = host.clock_offset_s if host is not None else 0.0
    oldest = facts.children[0]
    age = now + offset - oldest.started_at
    if age < HANGS_AFTER_S:
        return
    deepest = facts.children[-1]
    waits = ", ".join(filter(None, (deepest.state, deepest.wait_channel)))
    sockets = f", connected to {', '.join(deepest.sockets)}" if deepest.sockets else ", no connection open"
    yield Finding(
        "command-hangs",
        Severity.CRITICAL if age >= _CERTAIN_HANG_S else Severity.WARNING,
        f"the archive command has been running for {duration_text(age)} and does not end",
        (
            f"process {oldest.pid} below the archiver: {oldest.command}",
            f"it waits in process {deepest.pid}: {deepest.command} ({waits or 'state not known'}{sockets})",
        ),
        "end that process, and put the command under `timeout`: PostgreSQL never ends it by itself",
        Slot.COMMAND,
        "archive_command",
        since=oldest.started_at - offset,
        proof=(
            *(
                Proof(
                    f"pid {child.pid} {child.state} {child.wait_channel} {child.command}".strip(),
                    "/proc, below the archiver",
                    snapshot.command.read_at,
                )
                for child in facts.children
            ),
            *_common(snapshot),
        ),
        fixes=(
            Fix(
                "end the hanging command; PostgreSQL tries the segment again",
                (f"kill {deepest.pid}", *([f"kill -CONT {deepest.pid}"] if _is_stopped(deepest) else [])),
                "kill-hung-command",
                risk="what it has sent so far is sent again",
                subject=str(oldest.pid),
            ),
            Fix(
                "install a command that runs under a time limit", ("walconsole provision",), "archive-command"
            ),
        ),
        certainty=Certainty.PROVED if age >= _CERTAIN_HANG_S or not deepest.sockets else Certainty.LIKELY,
        surer="" if not deepest.sockets else "does its connection move bytes? ss -tip on the droplet tells",
    )


def _is_stopped(child: ChildProcess) -> bool:
    """Whether it stands still by a signal: another one reaches it only when it goes on."""
    return child.state.startswith("stopped")


def orphan_ready(snapshot: Snapshot, now: float) -> Iterator[Finding]:
    """A .ready whose WAL file is gone: older servers try it for ever (15 and later remove it themselves)."""
    facts, disk = snapshot.command.value, snapshot.wal_disk.value
    if facts is None or not facts.orphans:
        return
    first = facts.orphans[0]
    blocking = disk is not None and disk.oldest_ready in facts.orphans
    yield Finding(
        "orphan-ready",
        Severity.CRITICAL if blocking and troubled(snapshot, now) else Severity.WARNING,
        f"the archiver is asked for {first}, which is not in pg_wal",
        (
            f"{plural(facts.orphan_count, '.ready file')} without a WAL file in archive_status",
            f"{first} is the one that is tried first" if blocking else "others are tried before it",
        ),
        "move that one .ready file away, after making sure that the segment is in the archive or lost",
        Slot.COMMAND,
        since=failing_since(snapshot, now),
        proof=(
            *(
                Proof(
                    f"archive_status/{name}.ready, and no {name}",
                    "pg_wal on the droplet",
                    snapshot.command.read_at,
                )
                for name in facts.orphans[:3]
            ),
            *log_lines(
                snapshot, [entry for entry in since_success(snapshot) if entry.kind is LogKind.ORPHAN]
            ),
            *archiver_row(snapshot),
        ),
        fixes=(
            Fix(
                f"move {first}.ready out of archive_status",
                (f"mv pg_wal/archive_status/{first}.ready /var/tmp/",),
                "orphan-ready",
                "the segment stays a gap in the archive if it never got there",
                first,
            ),
        ),
    )


def disk_full(snapshot: Snapshot, now: float) -> Iterator[Finding]:
    """The log says that a file system is full, and nothing has been archived since."""
    lines = [entry for entry in since_success(snapshot) if entry.kind is LogKind.DISK_FULL]
    if not lines or not troubled(snapshot, now):
        return
    disk = snapshot.wal_disk.value
    yield Finding(
        "disk-full",
        Severity.CRITICAL,
        "no space left on a file system that archiving needs",
        (lines[-1].text,),
        "find which one (df -h; the command's temporary folder, its log, pg_wal) and make room; "
        "never delete from pg_wal",
        Slot.WAL_DISK,
        since=lines[0].at,
        proof=(
            *log_lines(snapshot, lines),
            *(
                [Proof(f"{disk.directory}: {disk.free_bytes:,} bytes free", "df", snapshot.wal_disk.read_at)]
                if disk is not None
                else []
            ),
        ),
        fixes=(
            Fix(
                "find what is full, and what fills it",
                ("df -h", "df -i", "du -xh --max-depth=2 / | sort -h | tail"),
                risk="never delete anything in pg_wal: the server cannot start without it",
            ),
        ),
    )


def archive_always(snapshot: Snapshot, now: float) -> Iterator[Finding]:
    """archive_mode = always on a standby: it archives what its primary archives, too."""
    server, settings = snapshot.server.value, snapshot.settings.value
    if server is None or settings is None or not server.in_recovery:
        return
    if settings.value("archive_mode") != "always":
        return
    failing = troubled(snapshot, now)
    yield Finding(
        "archive-always",
        Severity.WARNING,
        "this standby archives too (archive_mode = always): every segment is pushed twice",
        ("pg_is_in_recovery() and archive_mode = always (pg_settings)",),
        "archive_mode = on, where primary and standby share an archive; else a command that takes an "
        "identical file for a success",
        Slot.SETTINGS,
        "archive_mode",
        proof=tuple(setting_row(snapshot, "archive_mode", "archive_command")),
        fixes=(
            Fix(
                "let only the primary archive",
                ("ALTER SYSTEM SET archive_mode = 'on';", "restart the standby"),
                risk="a standby's restart ends its queries",
            ),
        ),
        certainty=Certainty.PROVED if failing else Certainty.LIKELY,
        surer="does the primary write to the same bucket and prefix?",
    )


def log_unreadable(snapshot: Snapshot, now: float) -> Iterator[Finding]:
    """The log that would say why cannot be read, while archiving is in trouble."""
    problem, facts = snapshot.log.problem, snapshot.log.value
    if not troubled(snapshot, now):
        return
    if problem is not None and problem.code in LINK_CODES | SHELL_CODES | {NO_CLUSTER}:
        return
    missing = facts.missing if facts is not None else ()
    if problem is None and not (missing and not since_success(snapshot)):
        return
    why = problem.why if problem is not None else "; ".join(missing)
    yield Finding(
        "log-unreadable",
        Severity.NOTE,
        "the server's log, which would say why, cannot be read",
        (why,),
        (problem.remedy if problem is not None else "")
        or "sudo = true in the profile, or a user who may read it",
        Slot.LOG,
    )


RULES: tuple[Rule, ...] = (
    command_not_found,
    command_not_executable,
    config_unreadable,
    permission,
    disk_full,
    crash_loop,
    hangs,
    orphan_ready,
    archive_always,
    log_unreadable,
)
