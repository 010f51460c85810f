"""Why a server that was recovered does not start, by the last words of its log.

PostgreSQL's messages (utils/init/miscinit.c, libpq/pqcomm.c and be-secure*.c, port/sysv_shmem.c,
utils/misc/guc-file.l). Where the server speaks another language its own words stand for the cause.
"""

import re
from collections.abc import Iterable, Sequence

from walconsole.domain.records import record
from walconsole.domain.redaction import safe

_SEVERE = re.compile(r"\b(?:FATAL|PANIC):\s+(?P<said>.+)")
_MORE = re.compile(r"\b(?:DETAIL|HINT|LOG|WARNING|ERROR):\s+(?P<said>.+)")
_LONGEST = 300
_BEFORE, _AFTER = 8, 4
"""Lines around the last word, in which its cause may stand: its HINT after it, `could not bind` before it."""
_SUMS_UP = re.compile(r"could not create any|contains errors|could not (?:load|open control file)")
"""A last word that says less than what stands before it."""


@record
class _Cause:
    pattern: re.Pattern[str]
    why: str
    remedy: str


def _cause(pattern: str, why: str, remedy: str) -> _Cause:
    return _Cause(re.compile(pattern), why, remedy)


_CAUSES = (
    _cause(
        r'data directory "[^"]*" has (?:wrong ownership|invalid permissions)',
        "its data directory has another owner or other modes than a server takes",
        "chown -R its files to the server's user, chmod 700 (or 750) the folder itself",
    ),
    _cause(
        r"private key file .* (?:must be owned by|has group or world access)",
        "its TLS key has another owner or other modes than a server takes",
        "chmod 600 it, and chown it to the server's user",
    ),
    _cause(
        r"could not (?:open|access|read|stat|create|write|load|link|rename) .*[Pp]ermission denied",
        "a file of its has an owner or modes with which the server's user cannot work",
        "chown and chmod what it names as the old server's file is",
    ),
    _cause(
        r"[Aa]ddress already in use|[Ll]ock file \"[^\"]*\.s\.PGSQL\.\d+\.lock\" already exists",
        "its port or its socket is taken by another process",
        "see whose it is (ss -ltnpx), end that, or give it another port in its postgresql.conf",
    ),
    _cause(
        r"could not (?:bind|translate host name|create .*socket)|could not create any",
        "it cannot listen where listen_addresses or unix_socket_directories say",
        "correct both in its postgresql.conf",
    ),
    _cause(
        r"could not map anonymous shared memory|could not (?:create|resize) shared memory segment",
        "the host lacks the memory, or the huge pages (huge_pages = on), that its configuration wants",
        "set huge_pages = try or a smaller shared_buffers in its postgresql.conf, or free some",
    ),
    _cause(
        r'could not access file "[^"]*"|could not load library',
        "a library that it preloads is not here",
        "install it, or take it out of shared_preload_libraries",
    ),
    _cause(
        r"locale (?:name|.*is incompatible)|not recognized by setlocale|invalid value for parameter \"lc_",
        "a locale that its databases or its settings name is not on this host",
        "make it (locale-gen; localedef), as the old host has it",
    ),
    _cause(
        r"could not open (?:configuration|secondary authentication) (?:file|directory)|contains errors"
        r"|could not load .*pg_hba\.conf|unrecognized configuration parameter|invalid value for parameter",
        "its configuration cannot be read to its end",
        "mend what it names, or bring the file or folder that it includes",
    ),
    _cause(r"No space left on device", "its disk is full", "make room there"),
    _cause(
        r"database files are incompatible with server",
        "its files are of another version, or of a build with other sizes",
        "start it by the programs of its own version",
    ),
    _cause(
        r"lock file \"[^\"]*postmaster\.pid\" already exists",
        "a server works in its data directory already",
        "see what started it",
    ),
)


def why_not_started(lines: Iterable[str]) -> tuple[str, str]:
    """Why, with the server's own words, and what to do; both empty where no line says why it ended.

    `lines` are of its log, the oldest first. What counts is the last FATAL or PANIC, and the lines around it.
    """
    told = [line.strip() for line in lines if line.strip()]
    at = next((at for at in range(len(told) - 1, -1, -1) if _SEVERE.search(told[at])), None)
    if at is None:
        return "", ""
    own = _said(told[at])
    itself, before = told[at : at + _AFTER], told[max(0, at - _BEFORE) : at]
    groups = ([*before, *itself],) if _SUMS_UP.search(own) else (itself, before)
    found = next((found for lines in groups if (found := _found(lines, told[at]))), None)
    if found is None:
        return own, ""
    cause, line = found
    words = own if line is told[at] else f"{_said(line)}; {own}"
    return f"{cause.why}: {words}", cause.remedy


def _found(lines: Sequence[str], last: str) -> tuple[_Cause, str] | None:
    """The cause that comes first in the table, with the newest line that tells it."""
    told = [line for line in reversed(lines) if line is last or _MORE.search(line)]
    return next(((cause, line) for cause in _CAUSES for line in told if cause.pattern.search(line)), None)


def _said(line: str) -> str:
    found = _SEVERE.search(line) or _MORE.search(line)
    return safe((found["said"] if found is not None else line)[:_LONGEST])
