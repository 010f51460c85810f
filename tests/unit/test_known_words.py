"""Words that are no tool's own: the failure is told by them as they are, with what helps."""

import pytest

from tests.data.archiver_log import failing_with, root_of, stamp
from tests.data.exact import faults
from walconsole.domain.standing.known_words import ROWS, known_words

pytestmark = pytest.mark.cases("What the operating system says through a command")

WORDS = [
    # its words, a part of the remedy, the first command
    ("sudo: a password is required", "NOPASSWD", "sudo -n -l -U postgres"),
    ('sudo: The "no new privileges" flag is set, which prevents sudo from running as root.',
     "NoNewPrivileges=", "sudo -n -l -U postgres"),
    ("postgres is not in the sudoers file.", "NOPASSWD", "sudo -n -l -U postgres"),
    ("cp: cannot stat '/mnt/nfs/wal': Stale file handle", "mount the share anew", "grep -E"),
    ("cp: error writing '/mnt/wal/x': Input/output error", "the kernel's log", "dmesg -T"),
    ("/opt/archive.sh: line 3: 12345 Killed                  zstd -19 -T0 --ultra", "for want of memory",
     "dmesg -T"),
    ("fatal error: runtime: out of memory", "for want of memory", "dmesg -T"),
    ("MemoryError", "for want of memory", "dmesg -T"),
    ("sh: 1: Cannot fork", "TasksMax", "ps -u postgres"),
    ("bash: fork: retry: Resource temporarily unavailable", "TasksMax", "ps -u postgres"),
    ("OSError: [Errno 24] Too many open files", "LimitNOFILE", "runuser -u postgres"),
    ("cp: error writing '/w/x': File too large", "LimitFSIZE", "runuser -u postgres"),
    ("sh: 1: /opt/archive: Exec format error", "another processor", "head -c 64 /opt/archive"),
    ("/usr/bin/env: 'bash\\r': No such file or directory", "Windows' do", ""),
    ("rclone: /lib/x86_64-linux-gnu/libc.so.6: version `GLIBC_2.34' not found (required by rclone)",
     "another system", "ldd /lib/"),
    ("aws: error while loading shared libraries: libpython3.9.so.1.0: cannot open shared object file",
     "another system", ""),
    ("ModuleNotFoundError: No module named 'boto3'", "Python package", "runuser -u postgres"),
    ("Host key verification failed.", "keys and known_hosts", "runuser -u postgres"),
    ("wal@store: Permission denied (publickey).", "authorized_keys", "runuser -u postgres"),
    ("gpg: 0xDEADBEEF: skipped: No public key", "import the public key", "runuser -u postgres -- gpg"),
    ("sh: 1: set: Illegal option -o pipefail", "call bash", "readlink -f /bin/sh"),
    ("/opt/archive.sh: 3: Bad substitution", "call bash", "readlink -f /bin/sh"),
    ("audit: type=1400 apparmor=\"DENIED\" operation=\"open\" name=\"/srv/wal/\"", "AppArmor", "ausearch"),
]  # fmt: skip


@pytest.mark.parametrize(("words", "remedy", "command"), WORDS, ids=[each[0][:40] for each in WORDS])
def test_what_helps_is_told_beside_the_words(words: str, remedy: str, command: str) -> None:
    end = f"{stamp(3)} [77] LOG:  archive command failed with exit code 1"
    root = root_of(failing_with(words, end))
    assert root.rule == "failing"
    assert words[:30].split("'")[0] in root.title
    assert remedy in root.remedy
    assert root.remedy.endswith("never delete .ready files or segments by hand")
    commands = root.fixes[0].commands if command else ()
    assert [fault for each in commands for fault in faults(each)] == []
    assert (commands[0] if commands else "").startswith(command)


def test_every_row_has_its_words() -> None:
    assert {known_words(words) for words, _, _ in WORDS} == {*ROWS}


@pytest.mark.parametrize(
    "words",
    [
        "no more tapes",
        "archive: 3 files, 0 killed",
        "the connection was killed",
        "sudoku failed",
        "ERROR: line 24",
    ],
)
def test_other_words_are_nobodys(words: str) -> None:
    assert known_words(words) is None
