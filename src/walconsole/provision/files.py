"""Files on the droplet: looked at, put in place in one step with the old one kept, and put back."""

import base64
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from shlex import quote

from walconsole.errors import ProvisionError
from walconsole.provision.droplet import ask, status_of
from walconsole.provision.model import Change, ChangeKind, Changing, Command, Event, FileChange, Printed, Ran
from walconsole.provision.site import Site

_NONE = 3
_LARGEST = 1024 * 1024


@dataclass(frozen=True, slots=True)
class FileNow:
    """A file as it is: its text and who may do what with it."""

    text: str
    mode: int
    owner: str
    group: str


async def read_file(site: Site, path: str) -> FileNow | None:
    """The file, None or None. Raises ProvisionError for what is no readable file, or over 1 MiB."""
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
        raise ProvisionError(f"reading {path} on the droplet", said.strip() or f"exit status {status}")
    text = base64.b64decode(body).decode("utf-8", "surrogateescape")
    return FileNow(text, int(fields[0], 8), fields[1], fields[2])


def change_of(now: FileNow | None, path: str, text: str, mode: int) -> FileChange | None:
    """What must be done so that root has `text` at `path`; None where it is so already.

    Whoever is not root can give nothing to root: then the owner is left out of the question.
    """
    if now is not None and now.text == text and now.mode == mode:
        return None
    return FileChange(path, now.text if now is not None else None, text, mode)


def install_command(change: FileChange) -> Command:
    """The change as an operator could make it, the text in full."""
    end = "WALCONSOLE_END"
    place = quote(change.path)
    ownership = f"-o {change.owner} -g {change.group}"
    if change.after is None:
        return Command(f"rm -f -- {place}")
    text = change.after if change.after.endswith("\n") else f"{change.after}\n"
    return Command(f"install -m {change.mode:04o} {ownership} /dev/stdin {place} <<'{end}'\n{text}{end}")


async def install(site: Site, step: str, change: FileChange) -> AsyncIterator[Event]:
    """Keep what is there, tell the change, and put the new file in place in one step, on the disk.

    Raises ProvisionError; the old file stays then.
    """
    kept = await _keep(site, change.path) if change.before is not None else ""
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
    yield Ran(Command(f"install -m {change.mode:04o} -o {change.owner} -g {change.group} … {change.path}"))
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


def kept_folder(site: Site) -> str:
    """Where earlier files are kept on the droplet, root's alone."""
    return f"{site.profile.paths.root}/var/lib/walconsole/{site.profile.name}"


async def _keep(site: Site, path: str) -> str:
    stamp = datetime.fromtimestamp(site.clock.now(), UTC).strftime("%Y%m%dT%H%M%SZ")
    folder = kept_folder(site)
    kept = f"{folder}/{stamp}-{path.rpartition('/')[2]}"
    script = f"umask 077; mkdir -p -- {quote(folder)} && cp -p -- {quote(path)} {quote(kept)}"
    await ask(site, script, tried=f"keeping a copy of {path} on the droplet")
    return kept


def _write_script(change: FileChange) -> str:
    """The text goes through the shell's own printf: into no argument list, and no file but its own."""
    text = (change.after or "").encode("utf-8", "surrogateescape")
    owner = quote(f"{change.owner}:{change.group}")
    return f"""set -eu
umask 077
p={quote(change.path)}
d=$(dirname -- "$p")
[ -d "$d" ] || (umask 022; mkdir -p -- "$d")
t=$(mktemp "$d/.walconsole.XXXXXX")
trap 'rm -f -- "$t"' EXIT
printf '%s' {base64.b64encode(text).decode()} | base64 -d >"$t"
chmod {change.mode:04o} "$t"
[ "$(id -u)" != 0 ] || chown {owner} "$t"
sync "$t" 2>/dev/null || sync
mv -f -- "$t" "$p"
trap - EXIT
"""
