"""Variables of which the archive command makes the place where it stores, and that nothing sets.

A unit's `Environment=` that was lost, a profile that only a login reads: the shell puts nothing for them.
"""

import re
from collections.abc import Collection, Iterable, Sequence

from walconsole.domain.archivers.look import Seen
from walconsole.domain.archivers.target import ArchiveTarget, UnreadStore

_QUOTED = re.compile(r"'[^']*'")
_COMMENT = re.compile(r"(?m)^\s*#.*$")
_PART_OF_A_WORD = re.compile(
    r"(?<=[\w:/@.=-])\$(?:\{([A-Z_][A-Z0-9_]*)\}|([A-Z_][A-Z0-9_]*))"
    r"|\$(?:\{([A-Z_][A-Z0-9_]*)\}|([A-Z_][A-Z0-9_]*))(?=[/:@.-])"
)
"""Beside other signs: one that stands alone may be options, of which there may be none."""
_SETS_OTHERS = re.compile(
    r"(?:^|[\s;&|({])(?:\.|source|eval|envdir|direnv|mapfile|readarray)\s|printf\s+-v|env-file|\bset\s+-a\b",
    re.MULTILINE,
)
_SETS = r"(?:^|[\s;&|({{])(?:{0}\+?=|(?:for|read|getopts\s+\S+)\s[^\n;]*?\b{0}\b)"
_THE_SHELLS = frozenset({
    "PWD", "OLDPWD", "HOME", "PATH", "IFS", "PPID", "RANDOM", "SECONDS", "LINENO", "HOSTNAME", "UID", "EUID",
    "SHELL", "OPTARG", "OPTIND", "REPLY", "PIPESTATUS", "FUNCNAME", "SHLVL", "OSTYPE", "MACHTYPE", "HOSTTYPE",
    "EPOCHSECONDS", "BASH", "BASHPID", "BASH_SOURCE", "GROUPS",
})  # fmt: skip


def unset_for(command: str, seen: Seen, targets: Sequence[ArchiveTarget]) -> tuple[str, ...]:
    """Those of an archive command whose place is known only when it runs; none without the environment."""
    if not seen.environ or not any(isinstance(each.store, UnreadStore) for each in targets):
        return ()
    scripts = (each.script.text for each in seen.programs.values() if each.script is not None)
    return unset_of((command, *scripts), seen.environ)


def unset_of(texts: Iterable[str], environment: Collection[str]) -> tuple[str, ...]:
    """Their names, in the order of their use, in the command and its scripts (`texts`).

    None where something of them may set variables that is not seen here (a file that is sourced).
    """
    read = "\n".join(_COMMENT.sub("", text) for text in texts)
    if _SETS_OTHERS.search(read):
        return ()
    bare = _QUOTED.sub("''", read)
    used = dict.fromkeys(next(filter(None, each.groups())) for each in _PART_OF_A_WORD.finditer(bare))
    return tuple(
        name
        for name in used
        if name not in environment
        and name not in _THE_SHELLS
        and not re.search(_SETS.format(name), read, re.MULTILINE)
    )
