"""The console's own folders and files: the operator's alone, and nobody else's in disguise. Nobody else opens
a file of the operator's to write.

Where an XDG variable names a folder that others may write to, another user can have made `walconsole` in it
before: then what the console reads there is what that user wrote (a record that undo would follow, keys to
delete), and what it writes is theirs.
"""

import contextlib
import errno
import fcntl
import os
import stat
import tempfile
import time
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
    """replace_bytes(), in UTF-8."""
    replace_bytes(path, text.encode("utf-8"), mode)


def replace_bytes(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Put it in the place of `path` as a whole, be that a link; on the disk when this returns.

    Raises OSError; `path` is as it was then. Its folder is the caller's affair.
    """
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # new, and for its owner alone
    beside = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    with contextlib.suppress(OSError):  # a folder that may be written and not read: it is in its place
        sync_folder(path.parent)


def keep_aside(path: Path, most: int) -> Path:
    """Give a file that cannot be read another name beside its own, the last of `most` again and again.

    Raises OSError.
    """
    names = [path.with_name(f"{path.name}.unreadable-{number}") for number in range(1, most + 1)]
    kept = next((name for name in names if not name.exists() and not name.is_symlink()), names[-1])
    path.replace(kept)
    return kept


def replace_held(path: Path, content: bytes, beside: Path) -> int:
    """Put it in the place of `path`, locked (flock) from before it has that name.

    It is written as `beside`, which a process that was killed leaves. Returns the descriptor that holds the
    lock. Raises OSError, BlockingIOError where another process holds `beside`; `path` is as it was then.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(beside, flags, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.write(descriptor, content)
        os.fsync(descriptor)
        beside.replace(path)
    except BaseException:
        os.close(descriptor)
        beside.unlink(missing_ok=True)
        raise
    return descriptor


def locked_within(handle: int, seconds: float) -> bool:
    """Lock an open file (flock), waiting no longer: whoever holds it may be a stopped process.

    False where another process holds it still. Raises OSError where it cannot be locked.
    """
    give_up_at = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > give_up_at:
                return False
            time.sleep(_LOCK_AGAIN_S)
        else:
            return True


_LOCK_AGAIN_S = 0.02


def open_new(path: Path) -> int:
    """A file that did not exist, for its owner alone, to write. Raises OSError; FileExistsError at a link."""
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def write_new(path: Path, text: str) -> None:
    """A file that did not exist, for its owner alone; none where it cannot be written. See open_new()."""
    handle = open_new(path)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def open_appending(path: Path, *, readable: bool = False, through_links: bool = False) -> int:
    """A file to add to, made for its owner alone where there is none. Raises OSError."""
    access = os.O_RDWR if readable else os.O_WRONLY
    following = 0 if through_links else os.O_NOFOLLOW
    return os.open(path, access | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | following, 0o600)


def open_in_place(path: Path) -> int:
    """A file to read and to overwrite in place, made for its owner alone where there is none.

    Raises OSError, also where it is another user's, or no file.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, 0o600)
    found = os.fstat(handle)
    if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
        os.close(handle)
        raise PermissionError(errno.EPERM, f"{path} is no file of this user's", str(path))
    return handle


def sync_folder(folder: Path) -> None:
    """Have the names in it on the disk. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _own_folders(folder: Path) -> list[Path]:
    """From the console's own folder down to this one; this one alone where it lies elsewhere."""
    return [folder.parent, folder] if folder.parent.name == OWN else [folder]


def _refused(folder: Path, why: str) -> PermissionError:
    text = f"{folder} {why}: move it away, or name a folder of your own (XDG_CONFIG_HOME, XDG_STATE_HOME, …)"
    return PermissionError(errno.EPERM, text, str(folder))
