"""Whether archiving is in trouble now, and what the log has said since the last success."""

import re
from collections.abc import Sequence

from walconsole.domain.facts import log_languages as languages
from walconsole.domain.facts.evidence import LogEntry, LogKind
from walconsole.domain.facts.log_line import servers_level
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.standing.archiver import host_age, is_failing, ready_count

UNTIMED_WAIT_S = 10.0
"""A failure in a log without times may be an old one; it counts where something has waited this long."""
_FAILURES = frozenset({LogKind.FAILED, LogKind.KILLED, LogKind.ARCHIVER_FATAL, LogKind.ARCHIVER_ERROR})
_OWN_WORDS = frozenset({LogKind.ARCHIVER_FATAL, LogKind.ARCHIVER_ERROR, LogKind.DETAIL})
_GOES_ON = frozenset({LogKind.DETAIL, LogKind.COMMAND})
_CHANGES = frozenset({LogKind.RELOADED, LogKind.STARTED})
_SAME = re.compile(r"[0-9a-f]{6,}|\d+", re.IGNORECASE)
"""What differs where a program says the same again: times, counts, ids of requests."""
_CYCLES = 3
"""A line that comes twice may be one attempt's; what comes three times over is three attempts."""

COUNTED_UP_TO = 125
"""pgarch.c, shell_archive.c: an exit above it ends the archiver, and is not counted."""


def since_success(snapshot: Snapshot) -> tuple[LogEntry, ...]:
    """What the log has said since the last success, oldest first; without times, since the last start.

    Where the statistics were reset, what was before is as little known as the success that ended it.
    """
    log, archiver = snapshot.log.value, snapshot.archiver.value
    if log is None:
        return ()
    success = (archiver.last_archived_at or archiver.stats_reset_at) if archiver is not None else None
    if success is None:
        return log.entries
    timed = any(entry.at is not None for entry in log.entries)
    if not timed:
        return _after_last_start(log.entries)
    return tuple(entry for entry in log.entries if entry.at is not None and entry.at > success)


def _after_last_start(entries: tuple[LogEntry, ...]) -> tuple[LogEntry, ...]:
    starts = [index for index, entry in enumerate(entries) if entry.kind is LogKind.STARTED]
    return entries[starts[-1] :] if starts else entries


def last_failure(snapshot: Snapshot, entries: Sequence[LogEntry]) -> LogEntry | None:
    """The newest failure in `since_success`, while something waits."""
    if ready_count(snapshot) == 0:
        return None
    archiver = snapshot.archiver.value
    success = archiver.last_archived_at if archiver is not None else None
    for entry in reversed(entries):
        if entry.kind in _FAILURES:
            return entry if entry.at is not None or success is None or _waits(snapshot) else None
    return None


def _waits(snapshot: Snapshot) -> bool:
    """Whether more than the log says that something is wrong."""
    archiver, disk, reading = snapshot.archiver.value, snapshot.wal_disk.value, snapshot.wal_disk
    if archiver is not None and is_failing(archiver):
        return True
    if disk is None or disk.oldest_ready_at is None or reading.read_at is None:
        return False
    return host_age(snapshot, disk.oldest_ready_at, reading.read_at) >= UNTIMED_WAIT_S


def since_change(snapshot: Snapshot, entries: Sequence[LogEntry]) -> tuple[LogEntry, ...]:
    """Of those entries what came after the last reload, start, or change of a file of the command's.

    What failed before that says nothing of what will. Where the log does not tell of reloads, the console's
    own session knows when it loaded the configuration, which it does at its next statement.
    """
    places = [place for place, entry in enumerate(entries) if entry.kind in _CHANGES]
    after = entries[places[-1] :] if places else entries
    command, server = snapshot.command.value, snapshot.server.value
    files = [program.modified_at for program in command.programs] if command is not None else []
    files += [config.modified_at for config in command.configs] if command is not None else []
    times = [at for at in files if at is not None]
    if not places and server is not None and server.loaded_at is not None:
        times.append(server.loaded_at - LOADED_LATE_S)
    changed = float(int(max(times, default=0.0)))  # many a log has no parts of a second
    return tuple(entry for entry in after if entry.at is None or entry.at >= changed)


LOADED_LATE_S = 5.0
"""How much later than the archiver a session that asks now and then may load the configuration."""


def of_spool(snapshot: Snapshot) -> tuple[LogEntry, ...]:
    """The errors that lie in the archiver's spool; it takes each away before it tries that segment again."""
    facts = snapshot.spool.value
    if facts is None or snapshot.spool.problem is not None:
        return ()
    archiver = snapshot.archiver.value
    success = (archiver.last_archived_at if archiver is not None else None) or 0.0
    return tuple(
        LogEntry(note.text, LogKind.PROGRAM, at=note.at)
        for note in facts.errors
        if note.text and (note.at is None or note.at + 1.0 > success)  # stat tells whole seconds
    )


def is_commands(entry: LogEntry) -> bool:
    """Whether the archive command printed this line, or the archiver itself failed with it.

    What a backend says of a table `archive` is none.
    """
    return entry.kind is LogKind.PROGRAM or entry.kind in _OWN_WORDS


def newest_words(entries: Sequence[LogEntry], failure: LogEntry | None) -> tuple[LogEntry, ...]:
    """Of what the log says since the last success and change, the words of the newest attempt alone.

    Where the log has no ends of attempts (log_min_messages may leave them out) an attempt is what repeats.
    """
    begin, end = _attempt(entries, failure)
    said = tuple(entry for entry in entries[begin:end] if is_commands(entry))
    return _last_cycle(without_afterthoughts(said))


_AFTERTHOUGHT = "Exception ignored in"
_LONGEST_AFTERTHOUGHT = 40
"""Lines: where its end is missing from the log, what comes after is told again."""
_ITS_END = re.compile(r"[A-Za-z_.]*(?:Error|Exception|Exit|Interrupt)\b(?::|$)")


def without_afterthoughts(entries: Sequence[LogEntry]) -> tuple[LogEntry, ...]:
    """Without what Python prints of its tidying up after a failure: that is no cause (sys.unraisablehook).

    barman-wal-archive's is longer than its words, and comes last.
    """
    left: list[LogEntry] = []
    more = 0
    for entry in entries:
        text = entry.text.strip()
        if text.startswith(_AFTERTHOUGHT):
            more = _LONGEST_AFTERTHOUGHT
        elif more:
            more = 0 if _ITS_END.match(text) else more - 1
        else:
            left.append(entry)
    return tuple(left)


def newest_lines(entries: Sequence[LogEntry], failure: LogEntry | None) -> tuple[LogEntry, ...]:
    """All of that attempt, whatever its kind, and what the server said of itself meanwhile or before."""
    begin, _ = _attempt(entries, failure)
    return (*(entry for entry in entries[:begin] if servers_level(entry.text)[0]), *entries[begin:])


def _attempt(entries: Sequence[LogEntry], failure: LogEntry | None) -> tuple[int, int]:
    """Where the attempt that ended with `failure` begins and ends; nothing of before the change."""
    end = next((place for place, entry in enumerate(entries) if entry is failure), len(entries))
    if failure is None:
        return _end_before(entries, end), end
    if end == len(entries):
        return end, end  # its words are no cause any more
    begin = _end_before(entries, end)
    end += 1
    while end < len(entries) and entries[end].kind in _GOES_ON:
        end += 1
    return begin, end


def _end_before(entries: Sequence[LogEntry], end: int) -> int:
    """Where the attempt that ends at `end` began: after the end of the one before."""
    for place in range(end - 1, -1, -1):
        if entries[place].kind in _FAILURES:
            place += 1
            while place < end and entries[place].kind in _GOES_ON:
                place += 1
            return place
    return 0


def _last_cycle(words: tuple[LogEntry, ...]) -> tuple[LogEntry, ...]:
    """The last of several attempts that said the same; all of it where nothing repeats."""
    same = [_SAME.sub("#", entry.text) for entry in words]
    best = covered = 0
    for period in range(1, len(same) // _CYCLES + 1):
        at = len(same) - 1
        while at >= period and same[at] == same[at - period]:
            at -= 1
        length = len(same) - 1 - at + period
        if length >= _CYCLES * period and length > covered:
            best, covered = period, length
    return words[-best:] if best else words


_FOLLOWS = re.compile(
    r"^rsync(?: error: unexplained error|: connection unexpectedly closed)"
    r"|^(?:lost connection|Connection closed)\s*$|^scp: Connection closed"
)
"""What a program says after another one that it runs has told why."""
_TELLING = re.compile(
    rf"error|fail|cannot|could not|unable|refused|not "
    rf"found|{languages.DENIED}|{languages.ABSENT}|{languages.SEALED}",
    re.IGNORECASE,
)


def last_words(words: Sequence[LogEntry]) -> str:
    """The last line that says what is wrong, else the last one; an error with its details."""
    lines = [entry for entry in words[-20:] if entry.kind is not LogKind.DETAIL]
    lines = [entry for entry in lines if not _FOLLOWS.search(entry.text)] or lines
    told = [entry for entry in lines if entry.kind in _OWN_WORDS or _TELLING.search(entry.text)]
    last = (told or lines)[-1:]
    if not last:
        return ""
    after = (
        words[[entry is last[0] for entry in words].index(True) + 1 :] if last[0].kind in _OWN_WORDS else ()
    )
    details = (
        entry.text[max(0, servers_level(entry.text)[1]) :] for entry in after if entry.kind is LogKind.DETAIL
    )
    return " ".join((*_led_to(lines, last[0]), last[0].text.strip(), *details))


_ITEM = re.compile(r"\s*\* ")
_MOST_LEADING = 4


def _led_to(lines: Sequence[LogEntry], item: LogEntry) -> tuple[str, ...]:
    """The sentence that a list's item ends: Vault names what was asked for above `* permission denied`."""
    if not _ITEM.match(item.text):
        return ()
    above = lines[: next(at for at, entry in enumerate(lines) if entry is item)]
    begun = next((back for back, entry in enumerate(reversed(above), 1) if _BEGINS.search(entry.text)), 0)
    if not 0 < begun <= _MOST_LEADING:
        return ()
    return tuple(entry.text.strip() for entry in above[-begun:] if entry.text.strip())


_BEGINS = re.compile(r"^Error [^:]+:")


_LINE_TOLD = 160


_WHY_ENDED = (
    re.compile(r"PANI[CK]|FATAL|lock file is invalid"),
    re.compile(r"received \w+ shutdown request"),
)
"""The more telling first."""


def why_ended(snapshot: Snapshot) -> LogEntry | None:
    """What the server's log says of why it runs no more, since its last start: the newest line that tells."""
    log = snapshot.log.value
    own: list[LogEntry] = []
    for entry in reversed(log.entries if log is not None else ()):
        if entry.kind is LogKind.STARTED:
            break
        if (
            entry.kind in (LogKind.DISK_FULL, LogKind.CRASHED, LogKind.STOPPED)
            and servers_level(entry.text)[0]
        ):
            own.append(entry)
    return next((each for words in _WHY_ENDED for each in own if words.search(each.text)), None)


def short(words: str) -> str:
    """The words as a title has room for them."""
    return words if len(words) <= _LINE_TOLD else f"{words[: _LINE_TOLD - 1]}…"


def without_prefix(words: str) -> str:
    """A message of the server's own without its prefix and level; of one with a DETAIL that alone."""
    _, detail, told = words.rpartition("DETAIL:  ")
    level, at = servers_level(words)
    return told if detail else words[at:].partition(":  ")[2] if level else words


def matching(words: Sequence[LogEntry], wanted: re.Pattern[str]) -> tuple[LogEntry, ...]:
    """Those of the words that match."""
    return tuple(entry for entry in words if wanted.search(entry.text))
