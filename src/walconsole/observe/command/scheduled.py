"""What cron and systemd's timers copy from an archive's folder to elsewhere, as the host's files say.

Asked as whoever is connected: root's crontab is root's to read. What that user may not read is told.
"""

import re
import secrets
from collections.abc import Awaitable, Callable, Sequence

from walconsole.domain.archivers.look import Seen, Wanted
from walconsole.domain.archivers.scheduled import Kind, ScheduledCopy, ScheduledFile, copies
from walconsole.domain.archivers.target import Discovery, FolderStore
from walconsole.domain.redaction import decode, safe
from walconsole.observe.host.host_script import all_records, assignment, script_named
from walconsole.ports import Shell

SCRIPT_S = 6.0
_ROUNDS = 2

Read = Callable[[Seen, Wanted], Awaitable[Seen]]


def folders_of(found: Discovery) -> tuple[str, ...]:
    """The archive's folders on the droplet itself, of which a line of text can be asked."""
    stores = [target.store for target in found.targets]
    here = [store.path.value for store in stores if isinstance(store, FolderStore) and store.host is None]
    return tuple(path for path in here if re.fullmatch(r"/[^\n\x00]*[^\n\x00/]", path))


async def scheduled(
    shell: Shell, folders: Sequence[str], seen: Seen, read: Read, *, bare: bool, root: str = ""
) -> tuple[tuple[ScheduledCopy, ...], tuple[str, ...]]:
    """What copies them, and which files could not be read. `read` reads what is wanted, as the server's user.

    `root` stands before every path. Raises what the shell raises.
    """
    files, barred = await _files(shell, folders, seen.user, bare=bare, root=root)
    found: tuple[ScheduledCopy, ...] = ()
    for at in range(_ROUNDS + 1):
        found, wanted = copies(files, folders, seen)
        if not wanted or at == _ROUNDS:
            break
        seen = await read(seen, wanted)
    return found, barred


async def _files(
    shell: Shell, folders: Sequence[str], owner: str, *, bare: bool, root: str
) -> tuple[list[ScheduledFile], tuple[str, ...]]:
    token = secrets.token_hex(8)
    assigned = (
        ("token", token),
        ("folders", "\n".join(folders)),
        ("owner", owner),
        ("root", root),
        ("bare", "1" if bare else "0"),
    )
    script = "".join(
        assignment(name, text.encode("utf-8", "surrogateescape")) for name, text in assigned
    ) + script_named("scheduled.sh")
    answer = await shell.run(f"(\n{script}\n)", timeout_s=SCRIPT_S)
    return _told(all_records(answer.stdout, token))


def _told(records: Sequence[tuple[str, bytes]]) -> tuple[list[ScheduledFile], tuple[str, ...]]:
    files: list[dict[str, str]] = []
    barred: list[str] = []
    for key, value in records:
        if key == "scheduled":
            files.append({"path": decode(value)})
        elif key == "barred":
            barred.append(safe(decode(value)))
        elif key.startswith("scheduled.") and files:
            files[-1][key.partition(".")[2]] = decode(value)
    kinds = {kind.value: kind for kind in Kind}
    made = [
        ScheduledFile(
            each["path"], kinds[each["kind"]], each.get("user", ""), each.get("text", ""), "off" in each
        )
        for each in files
        if each.get("kind") in kinds
    ]
    return made, tuple(dict.fromkeys(barred))


def notes_of(found: Sequence[ScheduledCopy], barred: Sequence[str]) -> tuple[str, ...]:
    """What is told of it."""
    told = [
        "a second copy is made apart from the archive command, and is read only where "
        f"[profiles.NAME.dr] names it: {copy}"
        for copy in found
    ]
    if not found and barred:
        told = [
            f"whether cron copies the folder elsewhere is not known: not readable here: {', '.join(barred)}"
        ]
    return tuple(told)
