"""Files on the droplet: looked at, put in place in one step with the old one kept, and put back."""

import asyncio
import base64
import secrets
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from shlex import quote

from walconsole.domain.redaction import safe
from walconsole.droplet.files import DropletFile
from walconsole.errors import ProvisionError
from walconsole.provision.droplet import ROOT, ask, status_of
from walconsole.provision.model import Change, ChangeKind, Changing, Command, Event, FileChange, Printed, Ran
from walconsole.provision.site import Site

_NONE = 3
_LARGEST = 1024 * 1024
_HEAD_LINES = 5


@dataclass(frozen=True, slots=True)
class FileNow:
    """A file as it is: its text and who may do what with it."""

    text: str
    mode: int
    owner: str
    group: str


async def read_file(site: Site, path: str) -> FileNow | None:
    """The file, None where there is none. Raises ProvisionError for what is no readable file, or over 1 MiB.

    A text that is no UTF-8 keeps its bytes as surrogates.
    """
    script = f"""p={quote(path)}
[ -e "$p" ] || [ -L "$p" ] || exit {_NONE}
[ -f "$p" ] || {{ echo "it is no regular file"; exit 1; }}
[ "$(wc -c <"$p")" -le {_LARGEST} ] || {{ echo "it is larger than {_LARGEST} bytes"; exit 1; }}
stat -L -c '%a %U %G' -- "$p" && base64 <"$p" """
    status, said = await status_of(site, script)
    if status == _NONE:
        return None
    head, _, body = said.partition("\n")
    fields = head.split(" ")
    if status != 0 or len(fields) != 3:
        raise ProvisionError(
            f"reading {path} on the droplet", safe(said.strip()[:300]) or f"exit status {status}"
        )
    text = base64.b64decode(body).decode("utf-8", "surrogateescape")
    return FileNow(text, int(fields[0], 8), fields[1], fields[2])


def change_of(
    now: FileNow | None, path: str, text: str, mode: int, *, as_root: bool = False
) -> FileChange | None:
    """What must be done so that `text` is at `path`; None where it is so already.

    With `as_root` it must be root's as well. Whoever is not root can give nothing to root: then whose it is
    is left out of the question.
    """
    same = now is not None and now.text == text and now.mode == mode
    if same and (not as_root or now is None or (now.owner, now.group) == (ROOT, ROOT)):
        return None
    owner = ROOT if as_root else ""
    return FileChange(path, now.text if now is not None else None, text, mode, owner, owner)


async def differences(site: Site, wanted: Iterable[DropletFile]) -> tuple[FileChange, ...]:
    """What must be done so that these files are as they shall be. Raises ProvisionError."""
    files, survey = tuple(wanted), await site.survey()
    found = await asyncio.gather(*(read_file(site, file.path) for file in files))
    changes = (
        change_of(now, file.path, file.text, file.mode, as_root=survey.root)
        for file, now in zip(files, found, strict=True)
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
    """The change as an operator could make it, the text in full."""
    end = "WALCONSOLE_END"
    place = quote(change.path)
    if change.after is None:
        return Command(f"rm -f -- {place}")
    text = change.after if change.after.endswith("\n") else f"{change.after}\n"
    return Command(f"{_install(change)} /dev/stdin {place} <<'{end}'\n{text}{end}")


def _install(change: FileChange) -> str:
    ownership = f" -o {quote(change.owner)} -g {quote(change.group)}" if change.owner else ""
    return f"install -m {change.mode:04o}{ownership}"


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
        yield Ran(Command(f"rm -f -- {quote(change.path)}"))
        await ask(site, f"rm -f -- {quote(change.path)}", tried=f"removing {change.path} on the droplet")
        return
    yield Ran(Command(f"{_install(change)} … {quote(change.path)}"))
    await ask(site, _write_script(change), tried=f"writing {change.path} on the droplet")
    yield Printed(f"{change.path}: {len(change.after.splitlines())} lines, mode {change.mode:04o}")


async def put_back(site: Site, change: Change) -> AsyncIterator[Event]:
    """Put the kept file back, or take away the one that was not there before. Raises ProvisionError."""
    place = quote(change.what)
    script = (
        f"cp -p -- {quote(change.kept)} {place}.walconsole-old && mv -f -- {place}.walconsole-old {place}"
    )
    command = Command(script if change.kept else f"rm -f -- {place}")
    yield Ran(command)
    await ask(site, command.text, tried=f"putting {change.what} back on the droplet")


def put_back_command(change: Change) -> Command:
    """The same, for the plan."""
    place = quote(change.what)
    return Command(f"cp -p -- {quote(change.kept)} {place}" if change.kept else f"rm -f -- {place}")


async def undoing(site: Site, changes: Iterable[Change]) -> tuple[FileChange, ...]:
    """What putting back recorded changes, newest first, would do to each file in the end.

    A file whose kept copy is gone stays as it is: putting it back will fail, and say so.
    """
    oldest = {change.what: change for change in changes if change.kind is ChangeKind.FILE}
    found = []
    for change in oldest.values():
        now = await read_file(site, change.what)
        kept = (await read_file(site, change.kept) or now) if change.kept else None
        found.append(
            FileChange(
                change.what,
                now.text if now is not None else None,
                kept.text if kept is not None else None,
                kept.mode if kept is not None else 0,
                kept.owner if kept is not None else "",
                kept.group if kept is not None else "",
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
    script = f"""set -eu
umask 077
mkdir -p -- {quote(folder)}
cp -p -- {quote(path)} {quote(kept)}
sync {quote(kept)} 2>/dev/null || sync"""
    await ask(site, script, tried=f"keeping a copy of {path} on the droplet")
    return kept


def _write_script(change: FileChange) -> str:
    """The text goes through the shell's own printf: into no argument list, and no file but its own.

    A temporary file that an earlier try left, since it was killed, is taken away.
    """
    text = (change.after or "").encode("utf-8", "surrogateescape")
    folder, _, name = change.path.rpartition("/")
    owner = quote(f"{change.owner}:{change.group}")
    give = f'[ "$(id -u)" != 0 ] || chown {owner} "$t"' if change.owner else ":"
    return f"""set -eu
umask 077
p={quote(change.path)}
d={quote(folder or "/")}
[ -d "$d" ] || (umask 022; mkdir -p -- "$d")
rm -f -- "$d"/{quote(f".walconsole-{name}.")}??????
t=$(mktemp "$d"/{quote(f".walconsole-{name}.")}XXXXXX)
trap 'rm -f -- "$t"' EXIT
trap 'exit 1' HUP INT TERM
printf '%s' {base64.b64encode(text).decode()} | base64 -d >"$t"
chmod {change.mode:04o} "$t"
{give}
sync "$t" 2>/dev/null || sync
mv -fT -- "$t" "$p"
trap - EXIT
sync "$d" 2>/dev/null || :
"""
