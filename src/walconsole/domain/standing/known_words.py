"""What programs and the operating system say that is nobody's own: what to look at, in exact commands.

No failure mode is made of them: the finding has the command's own line, as it is, and here is what helps.
"""

import re
from collections.abc import Callable
from shlex import quote

from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.patterns import pattern
from walconsole.domain.records import record
from walconsole.domain.standing.model import Fix
from walconsole.domain.standing.remedies import server_user

_PATH = re.compile(r"(?<![\w.:/-])/[^\s'\"‘’«»:;,`]+")


@record
class Known:
    """Words as they are printed, what is to be done, and what shows more: `{user}` is the server's.

    `{path}` in a command is the first path that the words name; one with it is left out where they name none.
    """

    words: re.Pattern[str]
    remedy: str
    look: str
    commands: tuple[str, ...]


def _row(words: str, remedy: str, look: str, *commands: str) -> Known:
    return Known(pattern(words, re.IGNORECASE), remedy, look, commands)


_MEMORY = (
    "give the command less to do at once (zstd -T1, fewer streams), or the host or the unit more memory "
    "(MemoryMax, ulimit -v)"
)
BY_BASH = (
    "the command is written for bash, and PostgreSQL runs it by /bin/sh, which is another shell here "
    "(dash?): call bash (bash -c '…', or a script whose first line is #!/bin/bash)"
)
_SSH = "reach that host as the server's user, whose keys and known_hosts count"
ROWS: tuple[Known, ...] = (
    _row(
        r"^sudo: |is not in the sudoers file",
        "sudo refuses the server's user: run the tool as that user, or allow it that one command without a "
        "password (NOPASSWD); under NoNewPrivileges= sudo cannot work at all",
        "see what sudo allows to the server's user",
        "sudo -n -l -U {user}",
    ),
    _row(
        r"stale (?:NFS )?file handle",
        "mount the share anew (umount -l, then mount): what its server exports is another file system than "
        "was mounted",
        "see which mount it is",
        "grep -E ' (nfs|cifs|fuse)' /proc/mounts",
    ),
    _row(
        r"input/output error",
        "look at the kernel's log: a disk or a connection to it fails; copy from it before anything is tried",
        "see what fails",
        "dmesg -T | tail -n 50",
        "findmnt -T {path}",
    ),
    _row(
        r"(?-i:(?:^|: |\d )Killed\b)|out of memory|\bmemoryerror\b|memory exhausted|cannot allocate memory",
        f"the command was ended for want of memory, or by a limit: {_MEMORY}",
        "see whether the kernel ended it",
        "dmesg -T | grep -iE 'out of memory|oom' | tail",
        "free -m",
    ),
    _row(
        r"cannot fork|fork: .*(?:retry|unavailable)|can't start new thread|failed to create new OS thread",
        "raise the limit of processes of the server's user or unit (ulimit -u, TasksMax)",
        "see how many there are",
        "ps -u {user} --no-headers | wc -l",
        "runuser -u {user} -- sh -c 'ulimit -u'",
    ),
    _row(
        r"too many open files",
        "raise the limit of open files of the server's user or unit (ulimit -n, LimitNOFILE)",
        "see the limit",
        "runuser -u {user} -- sh -c 'ulimit -n'",
    ),
    _row(
        r"file (?:size limit|too large)",
        "take the limit on the size of files away (ulimit -f, LimitFSIZE): a segment does not fit into it",
        "see the limit",
        "runuser -u {user} -- sh -c 'ulimit -f'",
    ),
    _row(
        r"illegal option -o pipefail|bad substitution|redirection unexpected|\"\(\" unexpected",
        BY_BASH,
        "see which shell runs it",
        "readlink -f /bin/sh",
    ),
    _row(
        r"exec format error",
        "the program is for another processor, or a script without its first line (#!/bin/sh)",
        "see what it is",
        "head -c 64 {path} | xxd",
        "uname -m",
    ),
    _row(
        r"\\r['’]?: |bad interpreter|\^M",
        "the script's lines end as Windows' do (dos2unix, or sed -i 's/\\r$//' upon the script), or the "
        "interpreter of its first line is not there",
        "",
    ),
    _row(
        r"version [`'‘]?GLIBC|error while loading shared libraries|symbol lookup error",
        "the program was built for another system, or a library of it is not there: install the "
        "distribution's own",
        "see which library is not found",
        "ldd {path}",
    ),
    _row(
        r"ModuleNotFoundError|No module named|ImportError",
        "a Python package that the tool needs is not there for the server's user: install the "
        "distribution's package of the tool",
        "see which Python runs it",
        "runuser -u {user} -- sh -c 'command -v python3; python3 --version'",
    ),
    _row(
        r"host key verification failed|remote host identification has changed",
        f"{_SSH}; take a changed host key for an attack until its owner says otherwise",
        "see which host keys the server's user knows",
        "runuser -u {user} -- sh -c 'cat ~/.ssh/known_hosts'",
    ),
    _row(
        r"permission denied \((?:publickey|password|keyboard|gssapi|hostbased)",
        f"{_SSH}: its public key is not in that host's authorized_keys",
        "see which keys it has",
        "runuser -u {user} -- sh -c 'ls -l ~/.ssh'",
    ),
    _row(
        r"no public key|unusable public key|no (?:valid )?recipients?|no such recipient",
        "import the public key that segments are encrypted to, for the server's user; without it none is "
        "stored",
        "see which keys the server's user has",
        "runuser -u {user} -- gpg --list-keys",
    ),
    _row(
        r"avc:\s+denied|apparmor=\"denied\"",
        "SELinux or AppArmor denied it: allow it there (a label, a rule)",
        "see what it denied",
        "ausearch -m avc -ts recent | tail",
        "dmesg | grep -iE 'apparmor|avc' | tail",
    ),
)


def known_words(said: str) -> Known | None:
    """The row that these words stand for, the first that does."""
    return next((row for row in ROWS if row.words.search(said)), None)


def look_of(row: Known, said: str, snapshot: Snapshot) -> tuple[Fix, ...]:
    """Its commands, typed as root, with what the words name; nothing where it has none."""
    named = _PATH.search(said)
    filled = _filler(quote(server_user(snapshot)), quote(named[0]) if named is not None else "")
    commands = tuple(filter(None, map(filled, row.commands)))
    return (Fix(row.look, commands),) if commands else ()


def _filler(user: str, path: str) -> Callable[[str], str]:
    def filled(command: str) -> str:
        if "{path}" in command and not path:
            return ""
        return command.replace("{user}", user).replace("{path}", path)

    return filled
