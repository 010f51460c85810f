"""What is sent to the host that has the folder, and what it means where it refuses."""

from shlex import quote

from walconsole.domain.archive.folder_listing import CLOCK, FIND, STATUS, encode_path
from walconsole.domain.linked_paths import LEAD
from walconsole.domain.redaction import decode, safe
from walconsole.domain.store.answers import FOLDER_DENIED, FOLDER_FAULT, NO_SUCH_FILE, NO_SUCH_FOLDER
from walconsole.errors import ObjectStoreError

NOT_THERE, NO_FILE, NO_FIND = 44, 45, 46
LISTING_S = 120
"""A million files take a few seconds; what takes longer waits for a network file system."""
_LOOKING_S = 8


def word(path: str) -> str:
    """A path as a word of the shell, in ASCII whatever its bytes are."""
    raw = encode_path(path)
    if raw.isascii() and raw.decode("ascii").isprintable():
        return quote(path)
    octal = "".join(f"\\0{byte:03o}" for byte in raw if byte)
    return f"\"$(printf %b '{octal}')\""


def seen_by(pid: int | None) -> str:
    """Sets `$seen`: how to come to the file systems that process has where those are its own, else empty; and
    makes `lead`.

    A unit's PrivateTmp, ProtectHome or a container (mount_namespaces(7)): by /proc/PID/root (proc(5)).
    """
    if pid is None:
        return f"seen=\n{LEAD}"
    own, theirs = "$(readlink /proc/self/ns/mnt)", f"$(readlink /proc/{pid}/ns/mnt 2>/dev/null)"
    apart = f'[ -n "$seen" ] && [ "$seen" != "{own}" ]'
    return f"seen={theirs}\nif {apart}; then seen=/proc/{pid}/root; else seen=; fi\n{LEAD}"


def _entering(folder: str) -> str:
    """The folder must be there and may be entered: else the operating system's words, and NOT_THERE.

    `seen_by` stands before it.
    """
    return f"""LC_ALL=C
export LC_ALL
lead {word(folder)}
why=$(timeout -s KILL {_LOOKING_S} stat -L -- "$real"/. 2>&1 >/dev/null) || {{
printf '%s' "${{why:-stat: it did not answer within {_LOOKING_S} s}}"; exit {NOT_THERE}; }}
cd -- "$real" 2>/dev/null || {{ printf 'cd: Permission denied'; exit {NOT_THERE}; }}
"""


def listing(folder: str, below: str, *, deep: bool) -> str:
    """Prints CLOCK, what find says of `below` (relative, with its slash), and STATUS."""
    depth = "" if deep else "-maxdepth 1 "
    find = f"nice find {word(f'./{below}')} -ignore_readdir_race {depth}{FIND}"
    return f"{_entering(folder)}{CLOCK}timeout -s KILL {LISTING_S} {find} 2>/dev/null\n{STATUS}"


def changes(folder: str, directories: list[str]) -> str:
    """Prints CLOCK, then which directories are there and when each changed last, as `d` and its path."""
    paths = " ".join(word(f"./{each}") for each in directories)
    asked = f"find {paths} -maxdepth 0 -type d -printf 'd%p\\0%s\\0%T@\\0'"
    return f"{_entering(folder)}{CLOCK}timeout -s KILL {_LOOKING_S} {asked} 2>/dev/null\n:\n"


def first_bytes(folder: str, key: str, count: int) -> str:
    """Prints a file's size and time of change on a line of their own, then its first bytes."""
    return f"""{_entering(folder)}f={word(f"./{key}")}
[ -f "$f" ] || exit {NO_FILE}
stat -c '%s %Y' -- "$f" 2>&1 || exit {NOT_THERE}
timeout -s KILL {_LOOKING_S} head -c {count} -- "$f" 2>/dev/null && exit 0
head -c 1 -- "$f" 2>&1 >/dev/null
exit {NOT_THERE}
"""


_OTHER_FIND = "install findutils there: its find (BusyBox?) cannot tell sizes and times"
_SAYS = (
    ("No such file or directory", NO_SUCH_FOLDER, "make the folder again, owned by the server's user"),
    ("Not a directory", NO_SUCH_FOLDER, "what has its name is no folder: look at it with ls -ld"),
    ("Permission denied", FOLDER_DENIED, "sudo = true in the profile, or an SSH user who may read it"),
    ("-printf", FOLDER_FAULT, _OTHER_FIND),
    ("-ignore_readdir_race", FOLDER_FAULT, _OTHER_FIND),
    ("Stale file handle", FOLDER_FAULT, "mount it again: umount -l, then mount"),
)


def refused(tried: str, place: str, said: bytes) -> ObjectStoreError:
    """The error that the operating system's words stand for."""
    text = safe(decode(said[-300:])).strip()
    cause = text.rpartition(": ")[2] or "it could not be looked at"
    cause = f"{cause} is unknown to find" if cause.startswith("-") else cause
    known = next((row for row in _SAYS if row[0] in text), None)
    code, remedy = (
        (known[1], known[2]) if known else (FOLDER_FAULT, "look at its file system: findmnt, dmesg")
    )
    return ObjectStoreError(tried, f"{place}: {cause[:1].lower()}{cause[1:]}", remedy, code=code)


def no_file(tried: str) -> ObjectStoreError:
    """The file is not there any more."""
    return ObjectStoreError(
        tried, "it is not there any more", "it was deleted since it was listed", code=NO_SUCH_FILE
    )
