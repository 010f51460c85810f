"""What is wrong with the archive command itself: its program, its configuration, how it ends."""

from collections.abc import Iterator
from shlex import quote

from walconsole.domain.facts.evidence import CommandFacts, LogEntry, ProgramFacts
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.standing.archiver import archive_timeout_s, last_success_age
from walconsole.domain.standing.assessment import Assessment
from walconsole.domain.standing.known_words import BY_BASH
from walconsole.domain.standing.mode import REFUSED, FailureMode, Page
from walconsole.domain.standing.model import Certainty, Finding, Fix, Proof
from walconsole.domain.standing.not_found import missed
from walconsole.domain.standing.proofs import command_and_archiver, log_lines
from walconsole.domain.standing.remedies import data_directory, ours_in_force

NOT_FOUND, NOT_EXECUTABLE = 127, 126
"""What a POSIX shell exits with (POSIX.1-2024, Shell Command Language, 2.8.2)."""


def _programs_proof(snapshot: Snapshot, program: ProgramFacts) -> Proof:
    mode = "" if program.mode is None else f" mode {program.mode:04o} owner {program.owner}"
    where = program.path or "not found"
    why = f": {program.why_not}" if program.why_not else ""
    return Proof(
        f"{program.name}: {where}{mode}{why}", "the droplet, as the server's user", snapshot.command.read_at
    )


def exit_lines(assessment: Assessment, code: int) -> tuple[LogEntry, ...]:
    """The newest failure, where it ended with this exit code and nothing was changed since."""
    failure = assessment.last_failure
    if failure is None or failure.exit_code != code or failure not in assessment.since_change:
        return ()
    return (failure,)


def command_not_found(assessment: Assessment) -> Iterator[Finding]:
    """Exit 127: nothing counts it as a failure. Or a program is not found, and untried yet."""
    snapshot = assessment.snapshot
    facts, lines = snapshot.command.value, exit_lines(assessment, NOT_FOUND)
    missing = [program for program in facts.programs if program.path is None] if facts else []
    if not lines and (not missing or _tried(assessment)):
        return  # only the shell knows what it did not find
    telling = _telling(assessment.newest_words) if lines else ()
    named = missed(telling[-1].text) if telling else ""
    if any(_is_told_of(program, named) for program in _barred(facts)):
        return  # it is there: what cannot be run is told by what keeps it from running
    name = named or (missing[0].name if missing else "")
    looked = any(program.name == name for program in missing)
    if lines and facts is not None and not missing and not assessment.newest_words:
        yield _not_started(assessment, facts, lines)
        return
    yield Finding(
        "command-not-found",
        assessment.urgency,
        _title_of_missed(name)
        if lines
        else f"the archive command names {name}, which the server's user does not find",
        (
            *(f"{program.name} is not found by the server's user" for program in missing),
            *([f"the shell ends with {NOT_FOUND} (the server's log)"] if lines else []),
        ),
        BY_BASH
        if name in _BASHS_OWN
        else "install it, or name it by its absolute path in archive_command, then reload",
        Snapshot.command,
        "archive_command",
        since=assessment.failing_since,
        proof=(
            *(_programs_proof(snapshot, program) for program in missing),
            *log_lines(snapshot, (*telling, *lines)),
            *command_and_archiver(snapshot),
        ),
        fixes=_fixes_of_not_found(snapshot, name),
        certainty=_sure_of_not_found(named, tried=bool(lines), looked=looked),
        surer=_surer_of_not_found(name if named else "", tried=bool(lines), looked=looked),
    )


def _not_started(assessment: Assessment, facts: CommandFacts, lines: tuple[LogEntry, ...]) -> Finding:
    """A shell says what it does not find. Where nothing is said, none was there to say it: system(3) has the
    same 127 where no process could be made.
    """
    snapshot = assessment.snapshot
    pid = quote(f"{data_directory(snapshot)}/postmaster.pid")
    limits = (
        f"grep -E 'processes|open files' /proc/$(head -n 1 {pid})/limits",
        "ps -eLf | awk '{ print $1 }' | sort | uniq -c | sort -n | tail -n 5",
        "systemctl show 'postgresql*' -p TasksCurrent -p TasksMax -p LimitNPROC",
        "dmesg -T | grep -iE 'fork rejected|out of memory' | tail",
    )
    return Finding(
        "command-not-found",
        assessment.urgency,
        f"the archive command ends with {NOT_FOUND} and says nothing: no process could be started for it, or "
        "it hides what it does not find",
        (
            f"exit code {NOT_FOUND} without a word of a shell's (the server's log): system(3) returns it "
            "where no process can be made",
            *(
                f"{program.name} is there, and the server's user may run it"
                for program in facts.programs
                if program.executable
            ),
        ),
        "look at what the server's user may have at a time: processes (nproc, TasksMax=), memory; or at "
        "what the command sends to /dev/null",
        Snapshot.command,
        "archive_command",
        since=assessment.failing_since,
        proof=(*log_lines(snapshot, lines), *command_and_archiver(snapshot)),
        fixes=(Fix("see the limits, and what takes them", limits),),
        certainty=Certainty.LIKELY,
        surer="compare the limits of the archiver's process with what its user runs",
    )


def _surer_of_not_found(named: str, *, tried: bool, looked: bool) -> str:
    """What the log alone leaves open: the shell's words are one witness, a look at the droplet the other."""
    if tried and (looked or named in _BASHS_OWN):
        return ""
    if named:
        return f"look for {named} as the server's user, with the server's environment"
    return "the shell has not said so: look as the server's user, with the server's environment"


def _sure_of_not_found(named: str, *, tried: bool, looked: bool) -> Certainty:
    if not tried:
        return Certainty.POSSIBLE
    return Certainty.PROVED if looked or named in _BASHS_OWN else Certainty.LIKELY


def _fixes_of_not_found(snapshot: Snapshot, name: str) -> tuple[Fix, ...]:
    if name in _BASHS_OWN:
        return (
            Fix("see which shell /bin/sh is, and where bash is", ("readlink -f /bin/sh", "command -v bash")),
        )
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


_BASHS_OWN = frozenset({
    "[[", "source", "shopt", "declare", "typeset", "let", "pushd", "popd", "mapfile", "readarray", "function",
})  # fmt: skip
"""What bash does itself, and a shell of POSIX alone looks for as programs (bash(1))."""


def _title_of_missed(name: str) -> str:
    if name in _BASHS_OWN:
        return f"the archive command is written for bash, and /bin/sh does not know {name}"
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
    facts, lines = snapshot.command.value, exit_lines(assessment, NOT_EXECUTABLE)
    barred = _barred(facts)
    if not barred and not lines:
        return
    lines = lines or (exit_lines(assessment, NOT_FOUND) if barred else ())
    path = barred[0].path or barred[0].name if barred else "the archive command"
    why = f": {barred[0].why_not}" if barred and barred[0].why_not else ""
    programs = facts.programs if facts is not None else ()
    allowed = bool(programs) and all(program.executable for program in programs)
    yield Finding(
        "command-not-executable",
        assessment.urgency,
        f"the server's user may not run {path}{why}",
        tuple(
            [f"{program.path}: {program.why_not or 'not executable'}" for program in barred]
            + ([f"the shell ends with {lines[-1].exit_code} (the server's log)"] if lines else [])
            + ([f"the server's user may run each of its programs by its mode: {MODULE}"] if allowed else [])
        ),
        "see what SELinux or AppArmor denied, and allow it there (a label, a rule): no mode is the cause"
        if allowed
        else _remedy_of_barred(barred[0] if barred else None),
        Snapshot.command,
        "archive_command",
        since=assessment.failing_since,
        proof=(
            *(_programs_proof(snapshot, program) for program in barred),
            *log_lines(snapshot, lines),
            *command_and_archiver(snapshot),
        ),
        fixes=_fixes_of_barred(barred[0], path)
        if barred
        else (Fix("see what a security module denied", SEE_MODULE),)
        if allowed
        else (),
        certainty=Certainty.PROVED if barred else Certainty.LIKELY,
        surer="" if barred else "look at the mode of each program and of the folders above it: namei -l",
    )


def _barred(facts: CommandFacts | None) -> list[ProgramFacts]:
    """The command's programs that are there, and that the server's user may not run."""
    return [program for program in facts.programs if program.executable is False] if facts else []


def _is_told_of(program: ProgramFacts, named: str) -> bool:
    """Whether what a shell did not find is that program or its interpreter: execve(2) says ENOENT of both."""
    return bool(named) and (named in (program.name, program.path) or f" {named} " in f"{program.why_not} ")


LINE_ENDS, INTERPRETER, NOEXEC = "carriage return", "its interpreter ", "mounted noexec"
"""In the words of observe/scripts/command.sh: what no mode mends."""


def _remedy_of_barred(program: ProgramFacts | None) -> str:
    why = program.why_not if program is not None else ""
    if LINE_ENDS in why:
        return "take the carriage returns out of the script: the kernel takes them for a part of a name"
    if why.startswith(INTERPRETER):
        return "install that interpreter, or name in the script's first line one that is there"
    if NOEXEC in why:
        return (
            "put it where programs may be run from, or mount that file system without noexec (NoExecPaths= "
            "in the server's unit does it for the server alone): no mode is the cause"
        )
    return "make it executable for the server's user, and every folder above it passable"


def _fixes_of_barred(program: ProgramFacts, path: str) -> tuple[Fix, ...]:
    """Its mode is changed only where its mode is what keeps it from running."""
    if LINE_ENDS in program.why_not:
        return (Fix("take the carriage returns out of it", (f"sed -i 's/\\r$//' {quote(path)}",)),)
    if program.why_not.startswith(INTERPRETER):
        words = program.why_not.removeprefix(INTERPRETER).split(" ")
        name = quote(words[0].rpartition("/")[2])
        look = (f"head -n 1 {quote(path)}", f"command -v {name}")
        return (Fix("see which interpreter it names, and where one is", look),)
    if NOEXEC in program.why_not:
        look = (f"findmnt -T {quote(path)}", "systemctl show 'postgresql*' -p NoExecPaths -p ExecPaths")
        return (Fix("see which file system it is, and what mounted it so", look),)
    return (Fix(f"make it executable: {path}", (f"chmod 0755 {path}",), "executable-command", subject=path),)


MODULE = "a security module (SELinux, AppArmor) or its service's own limits may forbid it"
SEE_MODULE = (
    "dmesg -T | grep -iE 'apparmor|avc: +denied' | tail",
    "ausearch -m avc -ts recent | tail",
    "systemctl show 'postgresql*' -p ReadOnlyPaths -p ProtectSystem -p ProtectHome",
)


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
                "missing. Where all are there, and no shell said a word, none could be started: system(3) "
                "returns 127 then, too (the limit of processes, memory)."
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
)
