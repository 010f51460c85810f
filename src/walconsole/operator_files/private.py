"""The console's own folders: the operator's alone, and nobody else's in disguise.

Where an XDG variable names a folder that others may write to, another user can have made `walconsole` in it
before: then what the console reads there is what that user wrote (a record that undo would follow, keys to
delete), and what it writes is theirs.
"""

import errno
import os
import stat
from pathlib import Path

OWN = "walconsole"
"""The name of the console's folder in each of XDG's."""


def check_private(folder: Path) -> None:
    """Raise PermissionError where it, or the console's folder that it lies in, is another user's.

    One that is missing is nobody's. A link counts as its owner's, and so does what it leads to. What others
    may write to is closed to them.
    """
    for each in _own_folders(folder):
        try:
            kinds = {each.lstat().st_uid, each.stat().st_uid}
            found = each.stat()
        except FileNotFoundError:
            if each.is_symlink():
                raise _refused(each, "is a link to nothing") from None
            continue
        if foreign := kinds - {os.geteuid()}:
            raise _refused(each, f"belongs to another user (uid {min(foreign)})")
        if not stat.S_ISDIR(found.st_mode):
            raise NotADirectoryError(errno.ENOTDIR, f"{each} is no folder", str(each))
        if found.st_mode & 0o022:
            each.chmod(0o700)


def make_private(folder: Path) -> None:
    """Make it, for the operator alone, and check_private(). Raises OSError."""
    check_private(folder)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for each in _own_folders(folder):
        if not each.is_symlink() and each.stat().st_mode & 0o077:
            each.chmod(0o700)
    check_private(folder)


def replace_text(path: Path, text: str, mode: int = 0o600) -> None:
    """Put `text` in the place of `path` as a whole, never through a link beside it. Raises OSError."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.unlink(missing_ok=True)
    try:
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            os.fchmod(file.fileno(), mode)
        beside.replace(path)
    except OSError:
        beside.unlink(missing_ok=True)
        raise


def _own_folders(folder: Path) -> list[Path]:
    """From the console's own folder down to this one; this one alone where it lies elsewhere."""
    return [folder.parent, folder] if folder.parent.name == OWN else [folder]


def _refused(folder: Path, why: str) -> PermissionError:
    text = f"{folder} {why}: move it away, or name a folder of your own (XDG_CONFIG_HOME, XDG_STATE_HOME, …)"
    return PermissionError(errno.EPERM, text, str(folder))
