"""Files on the droplet: looked at, put in place in one step with the old one kept, and put back.

There is one way in which they are read, written and taken away: scripts/files.sh. A folder that somebody else
may write to is that somebody's: what is in it is touched as that user, never as root.
"""

import asyncio
import base64
import secrets
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from shlex import join, quote

from walconsole.domain.records import record
from walconsole.domain.redaction import safe
from walconsole.droplet.files import DropletFile
from walconsole.droplet.filling import template
from walconsole.errors import ProvisionError
from walconsole.observe.host.host_script import compact
from walconsole.provision.droplet.commands import ROOT, ask, failed, status_of
from walconsole.provision.engine.model import (
    Change,
    ChangeKind,
    Changing,
    Command,
    Event,
    FileChange,
    Printed,
    Ran,
)
from walconsole.provision.engine.site import Site

LARGEST = 1024 * 1024
"""Of a file that is read or kept, in bytes."""
NOT_THERE = 3
"""The exit status where there is no such file, or no such folder."""
NOT_MADE = 5
"""That of `rework` where awk's program failed: the file is as it was."""
_KEEPERS = ("read", "write", "take", "change")


@cache
def file_functions() -> str:
    """The functions of scripts/files.sh with what they need, to be put before what calls them."""
    parts = "".join(f"{name.upper()}={quote(own_script(f'keeper_{name}.sh'))}\n" for name in _KEEPERS)
    return f"{parts}most={LARGEST}\n{compact(template('stand.sh'))}{own_script('files.sh')}"


def file_script(function: str, *arguments: str) -> str:
    """A script that calls one of them."""
    return f"{file_functions()}{join((function, *arguments))}\n"


def own_script(name: str) -> str:
    """The text of scripts/NAME, without its comments."""
    return compact(files("walconsole.provision.scripts").joinpath(name).read_text("ascii"))


_HEAD_LINES = 5


@record
class FileNow:
    """A file as it is: its text and who may do what with it."""

    text: str
    mode: int
    owner: str
    group: str


@record
class Place:
    """A path: the file that is `now` there, None for none, and the `user` who writes there.

    That is root (which stands for the shell's own user) where nobody else can change what is in its folder,
    else the folder's owner.
    """

    user: str
    now: FileNow | None


async def look_at(site: Site, path: str) -> Place:
    """What is at a path, and who writes there. Raises ProvisionError as read_file does."""
    user = await whose(site, path)
    return Place(user, await read_file(site, path))


async def whose(site: Site, path: str, *, at: bool = False) -> str:
    """Who writes at `path`; with `at` who changes the file that is there, through links of root's.

    Raises ProvisionError where nobody can do so safely.
    """
    script = file_script("whose_at" if at else "whose", path)
    return (await ask(site, script, tried=f"looking whose the folder of {path} is")).strip() or ROOT


async def read_file(site: Site, path: str) -> FileNow | None:
    """The file, None where there is none. Raises ProvisionError for what is no readable file, or over 1 MiB.

    A text that is no UTF-8 keeps its bytes as surrogates. In a folder that is not root's alone its owner
    reads it, and a link there is not followed.
    """
    status, said = await status_of(site, file_script("read_out", path))
    if status == NOT_THERE:
        return None
    tried = f"reading {path} on the droplet"
    head, _, body = said.partition("\n")
    fields = head.split(" ")
    if status != 0 or len(fields) != 6:
        raise ProvisionError(tried, safe(said.strip()[:300]) or f"exit status {status}")
    try:
        raw, mode, size = base64.b64decode(body), int(fields[0], 8), int(fields[5])
    except ValueError:
        raise ProvisionError(tried, f"it could not be read: {safe(head[:100])}") from None
    if len(raw) != size:
        raise ProvisionError(tried, "it was changed while it was read", "run this step again")
    return FileNow(raw.decode("utf-8", "surrogateescape"), mode, fields[1], fields[2])


def change_of(
    now: FileNow | None, path: str, text: str, mode: int, *, as_root: bool = False, user: str = ROOT
) -> FileChange | None:
    """What must be done so that `text` is at `path`; None where it is so already.

    With `as_root` it must be root's as well. Whoever is not root can give nothing to root, and in a folder
    of `user`'s it is that user's: then whose it is is left out of the question.
    """
    as_root = as_root and user == ROOT
    same = now is not None and now.text == text and now.mode == mode
    if same and (not as_root or now is None or (now.owner, now.group) == (ROOT, ROOT)):
        return None
    owner = ROOT if as_root else ""
    return FileChange(path, now.text if now is not None else None, text, mode, owner, owner, user=user)


async def differences(site: Site, wanted: Iterable[DropletFile]) -> tuple[FileChange, ...]:
    """What must be done so that these files are as they shall be. Raises ProvisionError."""
    files, survey = tuple(wanted), await site.survey()
    found = await asyncio.gather(*(look_at(site, file.path) for file in files))
    changes = (
        change_of(place.now, file.path, file.text, file.mode, as_root=survey.root, user=place.user)
        for file, place in zip(files, found, strict=True)
    )
    return tuple(change for change in changes if change is not None)


def foreign(changes: Iterable[FileChange]) -> tuple[str, ...]:
    """Paths at which a file is that walconsole did not write: it says so in the head of each of its own."""
    return tuple(
        change.path for change in changes if change.before is not None and not is_ours(change.before)
    )


def is_ours(text: str) -> bool:
    """Whether walconsole wrote it, by its head."""
    return "walconsole" in "\n".join(text.split("\n", _HEAD_LINES)[:_HEAD_LINES]).lower()


def install_command(change: FileChange) -> Command:
    """The change as an operator could make it in that user's shell, the text in full."""
    end = "WALCONSOLE_END"
    place = quote(change.path)
    if change.after is None:
        return Command(f"rm -f -- {place}", user=change.user)
    text = change.after if change.after.endswith("\n") else f"{change.after}\n"
    return Command(f"{_install(change)} /dev/stdin {place} <<'{end}'\n{text}{end}", user=change.user)


def _install(change: FileChange) -> str:
    ownership = f" -o {quote(change.owner)} -g {quote(change.group)}" if change.owner else ""
    return f"install -T -m {change.mode:04o}{ownership if change.user == ROOT else ''}"


async def install(site: Site, step: str, change: FileChange) -> AsyncIterator[Event]:
    """Keep what is there, tell the change, and put the new file in place in one step, on the disk.

    Raises ProvisionError; the old file stays then.
    """
    if change.secret:
        raise ValueError(f"the texts of {change.path} were left out: they are secret")
    kept = await keep(site, change.path) if change.before is not None else ""
    yield Changing(
        Change(
            step,
            ChangeKind.FILE,
            change.path,
            before=f"kept as {kept}" if kept else "not there",
            after=f"mode {change.mode:04o}" if change.after is not None else "taken away",
            kept=kept,
            at=site.clock.now(),
        )
    )
    if change.after is None:
        yield Ran(install_command(change))
        await ask(site, file_script("take_out", change.path), tried=f"removing {change.path} on the droplet")
        return
    yield Ran(install_command(change))
    await ask(site, _write_script(change), tried=f"writing {change.path} on the droplet")
    yield Printed(f"{change.path}: {len(change.after.splitlines())} lines, mode {change.mode:04o}")


async def put_back(site: Site, change: Change) -> AsyncIterator[Event]:
    """Put the kept file back, or take away the one that was not there before. Raises ProvisionError."""
    yield Ran(await put_back_command(site, change))
    what = change.what
    script = file_script("put_back", what, change.kept) if change.kept else file_script("take_out", what)
    tried = f"putting {what} back on the droplet"
    status, said = await status_of(site, script)
    if status != 0 and (change.kept or status != NOT_THERE):
        raise failed(tried, status, said)


async def put_back_command(site: Site, change: Change) -> Command:
    """The same by hand. Raises ProvisionError where that cannot be done safely.

    Where the folder is somebody else's, root opens the kept file, and that user writes.
    """
    user = await whose(site, change.what)
    place, kept = quote(change.what), quote(change.kept)
    if not change.kept:
        return Command(f"rm -f -- {place}", user=user)
    if user == ROOT:
        return Command(f"cp -pT --remove-destination -- {kept} {place}")
    was, new = await read_file(site, change.kept), quote(f"{change.what}.walconsole-old")
    mode = f"chmod {was.mode:04o} {new} && " if was is not None else ""
    script = f"umask 077; rm -f -- {new} && cat >{new} && {mode}mv -fT -- {new} {place}"
    return Command(f"runuser -u {quote(user)} -- sh -c {quote(script)} <{kept}")


async def undoing(site: Site, changes: Iterable[Change]) -> tuple[FileChange, ...]:
    """What putting back recorded changes, newest first, would do to each file in the end.

    A file whose kept copy is gone stays as it is: putting it back will fail, and say so.
    """
    oldest = {change.what: change for change in changes if change.kind is ChangeKind.FILE}
    found = []
    for change in oldest.values():
        place = await look_at(site, change.what)
        now = place.now
        kept = (await read_file(site, change.kept) or now) if change.kept else None
        found.append(
            FileChange(
                change.what,
                now.text if now is not None else None,
                kept.text if kept is not None else None,
                kept.mode if kept is not None else 0,
                kept.owner if kept is not None else "",
                kept.group if kept is not None else "",
                user=place.user,
            )
        )
    return tuple(found)


def kept_folder(site: Site) -> str:
    """Where earlier files are kept on the droplet, root's alone."""
    return f"{site.profile.paths.root}/var/lib/walconsole/{site.profile.name}"


async def keep(site: Site, path: str) -> str:
    """Copy a file into the kept folder; where the copy is. Raises ProvisionError."""
    stamp = datetime.fromtimestamp(site.clock.now(), UTC).strftime("%Y%m%dT%H%M%SZ")
    folder = kept_folder(site)
    kept = f"{folder}/{stamp}-{secrets.token_hex(2)}-{path.rpartition('/')[2]}"
    await ask(site, file_script("keep", path, kept), tried=f"keeping a copy of {path} on the droplet")
    return kept


def _write_script(change: FileChange) -> str:
    """The text goes through the shell's own printf: into no argument list, and no file but its own."""
    text = (change.after or "").encode("utf-8", "surrogateescape")
    put_in = join(("put_in", change.path, f"{change.mode:04o}", change.owner, change.group, str(len(text))))
    return f"{file_functions()}printf '%s' {base64.b64encode(text).decode()} | base64 -d | {put_in}\n"
