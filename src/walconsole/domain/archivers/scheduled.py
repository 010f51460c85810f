"""What cron and systemd's timers copy from an archive's folder to elsewhere: crontab(5), systemd.service(5).

Their commands are followed as an archive command is, and nothing of them is run. What they copy is told, and
not judged: when it last ran and what came of it, only the other place says.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from enum import StrEnum
from shlex import quote

from walconsole.domain.archivers import programs
from walconsole.domain.archivers.called import Call
from walconsole.domain.archivers.calls import calls_of, followed
from walconsole.domain.archivers.look import Look, Seen, Wanted
from walconsole.domain.archivers.whole_folders import whole_folder
from walconsole.domain.records import record
from walconsole.domain.redaction import safe

MOST_TOLD = 4
_DEEPEST = 2
_FIELDS = re.compile(r"\s*(@\w+|(?:[^\s#]\S*\s+){4}\S+)\s+(.*)")
_VARIABLE = re.compile(r"\s*([A-Za-z_]\w*)\s*=\s*(.*?)\s*")
_SETTING = re.compile(r"^[ \t]*(ExecStart|User|Environment|WorkingDirectory)[ \t]*=[ \t]*(.*)$", re.MULTILINE)
_KEEPS_SNAPSHOTS = frozenset(
    {"restic", "borg", "kopia", "duplicity", "duplicacy", "rdiff-backup", "bupstash", "tar"}
)
_NO_SCRIPT = frozenset({"find", "xargs", "sh", "bash", "systemctl"})


class Kind(StrEnum):
    """What a file of scheduled commands is."""

    TABLE = "table"
    """/etc/crontab, /etc/cron.d: a line names its user."""
    CRONTAB = "crontab"
    """A user's own."""
    HOURLY = "hourly"
    DAILY = "daily"
    WEEKLY = "weekly"
    """A script of /etc/cron.hourly and so on."""
    TIMER = "timer"
    """A service that a timer starts."""


@record
class ScheduledFile:
    """A file that names an archive's folder, or runs what does. `off`: a timer that nothing starts."""

    path: str
    kind: Kind
    user: str = ""
    text: str = ""
    off: bool = False


@record
class ScheduledCopy:
    """What copies an archive's folder elsewhere, in words that are safe to show.

    `into` is empty where it is not known, `when` the schedule as it stands there, `source` the file and line,
    `words` the command.
    """

    tool: str
    folder: str
    into: str
    when: str
    source: str
    words: str
    off: bool = False

    def __str__(self) -> str:
        into = f" to {self.into}" if self.into else ""
        how = "would copy (its timer is not enabled)" if self.off else "copies"
        return f"{self.source} ({self.when}) {how} {self.folder}{into}: {self.words}"


@record
class _Command:
    """One that is scheduled."""

    text: str
    source: str
    when: str
    user: str


def copies(
    files: Sequence[ScheduledFile], folders: Sequence[str], seen: Seen
) -> tuple[tuple[ScheduledCopy, ...], Wanted]:
    """What of `files` copies one of the absolute `folders`; and what to read before it is asked again."""
    look = Look(replace(seen, environ={}, data="/"))
    found: dict[str, ScheduledCopy] = {}
    for file in files:
        for command in _commands(file):
            for call in _reached(command, look):
                copy = _copy(call, command, folders, look)
                if copy is not None:
                    copy = replace(copy, off=file.off)
                    found.setdefault(f"{copy.source} {copy.words}", copy)
    return tuple(found.values())[:MOST_TOLD], look.wanted


def _commands(file: ScheduledFile) -> Iterator[_Command]:
    if file.kind in (Kind.TABLE, Kind.CRONTAB):
        yield from _of_table(file)
    elif file.kind is Kind.TIMER:
        yield from _of_unit(file)
    else:
        yield _Command(file.text, file.path, file.kind.value, file.user)


def _of_table(file: ScheduledFile) -> Iterator[_Command]:
    variables = ""
    for number, line in enumerate(file.text.split("\n"), start=1):
        match = _FIELDS.fullmatch(line)
        variable = _VARIABLE.fullmatch(line)
        if line.lstrip().startswith("#") or not line.strip():
            continue
        if variable is not None:
            variables += f"export {variable[1]}={quote(variable[2].strip(chr(34) + chr(39)))}\n"
        elif match is not None:
            user, text = file.user, match[2]
            if file.kind is Kind.TABLE:
                user, _, text = text.lstrip().partition(" ")
            text = re.split(r"(?<!\\)%", text)[0].replace("\\%", "%")  # behind it is what it is given
            yield _Command(variables + text, f"{file.path} line {number}", " ".join(match[1].split()), user)


def _of_unit(file: ScheduledFile) -> Iterator[_Command]:
    text = re.sub(r"\\\n", " ", file.text)
    settings = [(match[1], match[2].strip()) for match in _SETTING.finditer(text)]
    user = next((value for name, value in settings if name == "User"), "root")
    before = "".join(f"export {value}\n" for name, value in settings if name == "Environment" and value)
    before += "".join(
        f"cd {value.lstrip('-')}\n" for name, value in settings if name == "WorkingDirectory" and value
    )
    for name, value in settings:
        if name == "ExecStart" and value:
            yield _Command(before + value.lstrip("-@+!:|").replace("%%", "%"), file.path, "a timer", user)


def _reached(command: _Command, look: Look) -> Iterator[Call]:
    """What it calls, and what its scripts do."""
    waiting = [(call, 0) for call in calls_of(command.text, look, command.source)]
    while waiting:
        call, depth = waiting.pop(0)
        yield call
        if depth >= _DEEPEST or whole_folder(call, look) is not None or call.name in _NO_SCRIPT:
            continue
        if not call.program.startswith("/") and "." not in call.name and call.name in programs.STORE_NOTHING:
            continue
        found = look.program(call.program) if "\x00" not in call.program else None
        if found is not None and found.script is not None and not found.script.problem:
            script = found.script
            inner = followed(call, script.text, look, script.path, depth + 1, "bash")
            waiting += [(each, depth + 1) for each in inner]


def _copy(call: Call, command: _Command, folders: Sequence[str], look: Look) -> ScheduledCopy | None:
    whole = whole_folder(call, look)
    words = safe(re.sub("\x00+", "…", " ".join((call.name, *call.words)))).strip()[:120]
    if whole is not None:
        folder = next((each for each in folders if _covers(whole.folder, each)), "")
        into = whole.into
    elif call.name in _KEEPS_SNAPSHOTS:
        named = [call.within(word).rstrip("/") for word in call.words]
        folder = next((each for each in folders if any(_covers(word, each) for word in named)), "")
        into = safe(programs.place_named(call)) if call.name != "tar" else ""
    else:
        return None
    if not folder or any(_covers(each, into) and into for each in folders):
        return None
    by = f"{command.when}, as {command.user}" if command.user else command.when
    return ScheduledCopy(call.name, safe(folder), into, safe(by), safe(command.source), words)


def _covers(above: str, folder: str) -> bool:
    """Whether the folder is in it, or is it."""
    return above.startswith("/") and above != "/" and f"{folder}/".startswith(f"{above.rstrip('/')}/")
