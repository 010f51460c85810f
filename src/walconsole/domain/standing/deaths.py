"""What an exit above 125 or a signal of the archive command says of its cause, and what is to be done."""

from typing import NamedTuple

from walconsole.domain.facts.evidence import LogEntry, LogKind


class Death(NamedTuple):
    """`remedy` in words; `look` and `commands` show more; `title` instead of the usual one, with {words}."""

    remedy: str
    look: str = ""
    commands: tuple[str, ...] = ()
    title: str = ""


_USUAL = Death("let the command end with 1 to 125 on a failure: then PostgreSQL counts it and tries again")
_REFUSED = Death(
    "correct the setting as the server says, and reload; where a % is meant, write %% in archive_command",
    title="the archiver cannot run what is set: {words}",
)
_SSH = Death(
    "mend what it says; ssh ends with 255 on every failure of its own, which PostgreSQL does not count: "
    "let the command end with 1 then (|| exit 1)"
)
_KILLED = Death(
    "find out who killed it: the kernel, where memory is short (dmesg says so), or a limit of its service; "
    "compress with less memory, or raise the limit",
    "see whether the kernel ran out of memory",
    ("dmesg -T | grep -iE 'out of memory|oom-kill|killed process' | tail", "free -m"),
)
_CRASHED = Death(
    "the program itself crashed: update it, and see what it wrote last; until then archive by another",
    "see what crashed",
    ("dmesg -T | grep -iE 'segfault|traps:' | tail",),
)
_TIMED_OUT = Death(
    "it was ended for its time: find what it waits for; let the command end with 1 to 125 then, as "
    "timeout does "
    "without --signal=KILL"
)
GENERAL = (_USUAL, _SSH)
"""What says nothing of why: where the command's own words do, what helps against that comes first."""
_BY_SIGNAL = {4: _CRASHED, 6: _CRASHED, 7: _CRASHED, 8: _CRASHED, 9: _KILLED, 11: _CRASHED, 14: _TIMED_OUT,
              15: _TIMED_OUT, 24: _TIMED_OUT}  # fmt: skip
"""signal(7): ILL, ABRT, BUS, FPE, KILL, SEGV, ALRM, TERM, XCPU."""
_SSH_ENDS = 255


def death_of(failure: LogEntry) -> Death:
    """By its signal, or by the exit code that a shell makes of one (128 and more)."""
    if failure.kind is LogKind.ARCHIVER_FATAL:
        return _REFUSED
    if failure.exit_code == _SSH_ENDS:
        return _SSH
    signal = failure.signal or (failure.exit_code or 0) - 128
    return _BY_SIGNAL.get(signal, _USUAL)
