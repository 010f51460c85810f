"""What a program that a command calls has to do with storing the segment, by its name and words."""

import re
from collections.abc import Sequence
from enum import Enum

from walconsole.domain.archivers.expansion import UNKNOWN
from walconsole.domain.archivers.local_tools import COPIERS
from walconsole.domain.archivers.places import COMPRESSORS, ENCRYPTERS
from walconsole.domain.archivers.wrappers import UNIT_IS_WAITED_FOR


class Role(Enum):
    """Of one call."""

    STORES = "stores"
    """It stores the segment, or fails."""
    SAYS_YES = "says yes"
    """It sends it, and ends well whatever becomes of it."""
    MAY_STORE = "may store"
    """It ends well whatever happens, and what it is to do comes by its standard input."""
    DETACHES = "detaches"
    """What it starts goes on without it."""
    PASSES = "passes"
    """It hands the segment on to the next of its pipeline."""
    ASKS = "asks"
    """How it ends is an answer."""
    WASTES = "wastes"
    """It writes the segment to /dev/null."""
    DOES = "does"
    """Something else, which is taken to succeed."""


_PASSES = frozenset({"cat", "pv", "mbuffer", "buffer", "dd", "split", "tee", *COMPRESSORS, *ENCRYPTERS})
"""In the midst of a pipeline, where they write to the next part."""
_FILTERS = frozenset({
    "tee", "logger", "grep", "egrep", "sed", "awk", "gawk", "mawk", "ts", "head", "tail", "wc", "tr",
    "cut", "sort", "systemd-cat", "cronolog", "rotatelogs", "multilog", "svlogd", "mail", "mailx",
    "sendmail", "read",
})  # fmt: skip
"""At a pipeline's end they take what the others say."""
_READS_ON = frozenset({
    "cat", "pv", "mbuffer", "buffer", "dd", "tee", "wc", "ts", "systemd-cat", "cronolog", "rotatelogs",
    "multilog", "svlogd",
})  # fmt: skip
"""Behind a pipe they end well when it ends."""
_SUMS = frozenset({
    "md5sum", "sha1sum", "sha224sum", "sha256sum", "sha384sum", "sha512sum", "b2sum", "b3sum", "xxhsum",
    "cksum", "sum",
})  # fmt: skip
_DOES = frozenset({
    "echo", "printf", "logger", "date", "true", ":", "mkdir", "rm", "touch", "chmod", "chown", "sync",
    "sleep", "find", "mail", "mailx", "sendmail", "umask", "ulimit", "basename", "dirname", "hostname",
    "mktemp", "renice", "readlink", "realpath", "sed", "awk", "cut", "tr", "head", "tail", "sort",
    "env", "printenv", "tee", "rmdir", "truncate", "fsync", "kill", "psql", "shopt", "alias", "hash",
    "type", "pwd", "pushd", "popd", "local", "declare", "typeset", "export", "readonly", "unset",
})  # fmt: skip
_ASKS = frozenset({
    "test", "[", "[[", "cmp", "diff", "grep", "egrep", "fgrep", "stat", "ls", "pgrep", "pidof", "which",
    "mountpoint", "sha256sum", "sha1sum", "md5sum", "b2sum", "cksum", "sum", "du", "df", "wc", "id",
    "getent", "ping", "file", "expr", "mv", "ln", "rename", "pg_waldump", "pg_controldata", "kill",
    "systemctl", "pg_isready", "lsof", "fuser", "jq", "getopts",
})  # fmt: skip
"""What they are given of a segment is looked at or renamed: that may end as storing did, or not."""
_STARTS = frozenset({"start", "restart", "reload-or-restart"})
_SPOOLERS = frozenset({
    "at", "batch", "tsp", "ts-spool", "nq", "daemonize", "systemd-run", "setsid", "start-stop-daemon",
})  # fmt: skip
_CURL_SENDS = re.compile(r"-[a-zA-Z]*T.*|--upload-file(=.*)?|--data-binary|--data|-d|-F|--form")
_CURL_FETCHES = re.compile(r"-[a-zA-Z]*o|--output(=.*)?")
_CURL_FAILS = re.compile(
    r"-[a-zA-Z]*f[a-zA-Z]*|--fail.*|-[a-zA-Z]*w|--write-out(=.*)?|-[a-zA-Z]*i|-D|--dump-header"
)
_TOLD_BY_INPUT = frozenset({"at", "batch", "sftp", "ftp", "lftp"})
_WITHOUT_ANSWER = frozenset({
    "nc", "ncat", "netcat", "nc.openbsd", "nc.traditional", "ftp", "tftp", "at", "batch",
})  # fmt: skip

_CLIENTS = frozenset({"rclone", "aws", "s3cmd", "s5cmd", "s4cmd", "mc", "gsutil", "gcloud", "azcopy"})
PG_WAL = re.compile(r"(?:.*/)?pg_(?:wal|xlog)(?:/(?:\.|[0*?\[][^/]*)?)?")
"""The folder as a word of a command, or what lies in it."""


def role_of(
    name: str, words: Sequence[str], *, fed: bool, piped_on: bool, output: str, from_file: bool
) -> Role:
    """Of the program called `name` with these words (`%p`, `%f` and UNKNOWN stand in them).

    `fed`: the segment is its standard input; `from_file`: by a redirection. `output` is the file that its
    standard output goes to. Of a restore command, what fetches the segment to `%p` is what stores it.
    """
    given = fed or "%p" in output or any("%p" in word for word in words)
    if not given and name in _TOLD_BY_INPUT and _says_yes(name, words, output):
        return Role.MAY_STORE
    if _detaches(name, words):
        return Role.DETACHES if given or any("%f" in word for word in words) else Role.DOES
    if not given and not _copies_by_name(name, words):
        return Role.ASKS if name in _ASKS else Role.DOES
    if _into_nothing(name, words, output):
        return Role.WASTES
    if piped_on and name in _PASSES and not _writes(name, words, output):
        return Role.PASSES
    if fed and not from_file and name in _FILTERS and not _writes(name, words, output):
        return Role.DOES
    if name in ("ln", "mv") and any(word.endswith("%p") for word in words[:-1]):
        return Role.STORES  # the segment itself: badly, and yet it is there
    if name in _ASKS or (name in ENCRYPTERS and _only_tells(words)):
        return Role.ASKS
    if name in _DOES and not (name == "tee" and _writes(name, words, output)):
        return Role.DOES
    return Role.SAYS_YES if _says_yes(name, words, output) else Role.STORES


def names_itself(name: str, words: Sequence[str]) -> bool:
    """Whether how it ends is an answer, whatever it is about. `systemctl start` is none: it waits."""
    return name in _ASKS and not (name == "systemctl" and not _STARTS.isdisjoint(words))


def says_nothing_of_it(name: str, words: Sequence[str], output: str) -> bool:
    """Whether behind a pipe it ends well whatever came before it did: it neither stores nor checks."""
    if name in _SUMS:
        return not any(word.startswith("--c") or re.match(r"-[a-z]*c", word) for word in words)
    return name in _READS_ON and not _writes(name, words, output)


def does(name: str) -> bool:
    """Whether it is known to do something that has nothing to do with storing."""
    return name in _DOES


def _copies_by_name(name: str, words: Sequence[str]) -> bool:
    """`cp "$PGDATA/pg_wal/$2" /w/`: what copies a file of the segment's name, or all of pg_wal."""
    if (name in COPIERS or name in _CLIENTS) and any(map(PG_WAL.fullmatch, words[:-1])):
        return True
    if name not in COPIERS or name in ("mv", "ln", "tee", "cat", "pv"):
        return False
    plain = [word for word in words if not word.startswith("-")]
    return any(word.endswith("/%f") or word == "%f" for word in plain[:-1])


def _writes(name: str, words: Sequence[str], output: str) -> bool:
    if output and not output.startswith(("/dev/", "&")) and not output.isdigit():
        return True
    if name == "tee":
        return any("%f" in word or word.startswith(UNKNOWN) for word in words)
    return name == "dd" and any(word.startswith("of=") for word in words)


def _into_nothing(name: str, words: Sequence[str], output: str) -> bool:
    if name in COPIERS and ("/dev/null" in words[-1:] or "of=/dev/null" in words):
        return True
    return output == "/dev/null" and (name == "cat" or name in COMPRESSORS)


def _only_tells(words: Sequence[str]) -> bool:
    return any(word in ("--verify", "--list-keys", "dgst", "rand", "-d", "--decrypt") for word in words)


def _detaches(name: str, words: Sequence[str]) -> bool:
    if name not in _SPOOLERS:
        return False
    if name == "systemd-run":
        return UNIT_IS_WAITED_FOR.isdisjoint(words)
    if name == "setsid":
        return any(word in ("-f", "--fork") for word in words)
    if name == "start-stop-daemon":
        return any(word in ("-b", "--background") for word in words)
    return True


def _says_yes(name: str, words: Sequence[str], output: str) -> bool:
    """curl(1), -f: a server's refusal is no failure without it; nc and ftp hear of none."""
    if name == "curl":
        web = any(word.startswith(("http://", "https://")) for word in words)
        sends = any(_CURL_SENDS.fullmatch(word) or _CURL_FETCHES.fullmatch(word) for word in words)
        return web and (sends or "%p" in output) and not any(_CURL_FAILS.fullmatch(word) for word in words)
    if name == "lftp":
        return not any("fail-exit" in word for word in words)
    if name == "sftp":
        return not any(word.startswith(("-b", "-oBatchMode")) for word in words)
    return name in _WITHOUT_ANSWER
