"""Folders into which an archive_command copies, told by its words alone: on the host, and on others."""

import re
from collections.abc import Sequence

_FOLDER = re.compile(r"""(?<![\w.:@/-])(/[^\s'"$`;&|<>%]*)/["']?%f""")
"""A path of its own: not a part of `host:/path`, nor one with a variable in it."""
_COPIES = re.compile(
    r"(?<![\w./-])(?:/\S*/)?(?:cp|install|mv|rsync|dd|gzip|pigz|zstd|lz4|xz|bzip2|cat|lzop)\s"
)
_INTO = re.compile(r"""%p["']?\s+["']?(/[^\s'"$`;&|<>%]+?)/?["']?\s*(?:$|[;&|\n)])""", re.MULTILINE)
"""`cp %p /mnt/wal/` keeps the name: %p ends in it."""
_ELSEWHERE = re.compile(
    r"""(?<![\w.@/:-])((?:[\w.-]+@)?(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9][\w.-]*)):{1,2}(/[^\s'"$`;&|<>%]*?)/?["']?(?:/["']?%f|\s*(?:$|[;&|\n)]))""",
    re.MULTILINE,
)
_SENDS = re.compile(r"(?<![\w./-])(?:/\S*/)?(?:rsync|scp|sftp)\s")


def archive_folders(command: str) -> tuple[str, ...]:
    """Absolute folders in which it stores a file as `%f`, each once; whatever suffix follows.

    A copying program may be told the folder alone, for %p ends in the file's name.
    """
    named = [match[1] for match in _FOLDER.finditer(command)]
    if _COPIES.search(command):
        named += [match[1] for match in _INTO.finditer(command)]
    return tuple(dict.fromkeys(path for path in named if path))


_TAKEN_FROM = re.compile(r"""(?<![\w.:@/$-])(/[^\s'"$`;&|<>%]*)/["']?%f""")
"""A folder of this host: not a part of `host:/path`, nor one with a variable in it."""


def restore_folders(command: str) -> tuple[str, ...]:
    """Absolute folders from which a restore_command takes a file by its name, each once."""
    return tuple(dict.fromkeys(match[1] for match in _TAKEN_FROM.finditer(command) if match[1]))


def folders_elsewhere(command: str) -> tuple[str, ...]:
    """`[user@]host:/path` of what it sends to other hosts by rsync or scp, each once."""
    if not _SENDS.search(command):
        return ()
    return tuple(
        dict.fromkeys(f"{match[1]}:{match[2]}" for match in _ELSEWHERE.finditer(command) if match[2])
    )


def receiver_folder(words: Sequence[str]) -> str:
    """The folder of a pg_receivewal by its arguments (-D, --directory), empty where it is not absolute."""
    for at, word in enumerate(words):
        name, given, value = word.partition("=")
        if name == "--directory" and given:
            found = value
        elif name in ("-D", "--directory"):
            found = words[at + 1] if at + 1 < len(words) else ""
        elif name.startswith("-D"):
            found = name[2:]
        else:
            continue
        return found if found.startswith("/") else ""
    return ""


def refuses_existing(command: str) -> bool:
    """Whether it stores nothing where a file of that name is there: a copy cut short stays for ever."""
    return _REFUSES.search(command) is not None


_REFUSES = re.compile(
    r"(?:test|\[)\s+!\s+-[efs]\s|(?<!\w)(?:cp|mv)\s+(?:-\w*n|--no-clobber|--update=none)|-o\s+noclobber|set\s+-C"
)
