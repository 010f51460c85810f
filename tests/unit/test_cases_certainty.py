"""What is called proved, urgent or a fault at all, and what is not."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from tests.data.archiver_log import failing_with, root_of, stamp
from tests.data.facts import NOW, archiver, backup, bucket, healthy, read, server, settings, wal_disk
from walconsole.domain.archive.page_header import PageHeader, SegmentIdentity
from walconsole.domain.facts.evidence import ChildProcess, CommandFacts, ProgramFacts
from walconsole.domain.facts.observed import ConfigFile, ConfigFiles, FileRole
from walconsole.domain.facts.snapshot import Snapshot, fold
from walconsole.domain.failures import Diagnosis, Finding, diagnose
from walconsole.domain.profile import BucketRole
from walconsole.domain.standing.archiver import ArchiverState, state
from walconsole.domain.standing.model import Certainty, Severity

pytestmark = pytest.mark.cases("How sure, how bad, and what comes first")

OLDEST = "000000010000000000000042"


def waiting(count: int, oldest_s: float, success_s: float, **facts: Any) -> Snapshot:
    disk = wal_disk(ready_count=count, oldest_ready=OLDEST, oldest_ready_at=NOW - oldest_s)
    made: Snapshot = healthy(
        archiver=archiver(ready_count=count, last_archived_at=NOW - success_s), wal_disk=disk, **facts
    )
    return made


def only(diagnosis: Diagnosis, rule: str) -> Finding:
    (found,) = [finding for finding in diagnosis.findings if finding.rule == rule]
    return found


# -- Slow, hanging, on the move.


def test_a_hang_of_seventeen_seconds_is_not_proved_to_be_slow() -> None:
    child = CommandFacts("x", children=(ChildProcess(7, NOW - 17, "sleep"),))
    hung = fold(waiting(4, 17, 18), read(Snapshot.command, child), NOW)
    diagnosis = diagnose(hung, NOW)
    found = only(diagnosis, "too-slow")
    assert found.certainty is Certainty.POSSIBLE
    assert "slower than the WAL" not in found.title
    assert "too SLOW" not in diagnosis.verdict.text


@pytest.mark.parametrize(
    ("count", "oldest_s", "success_s"), [(40, 4, 0.5), (200, 12, 0.2), (6, 2, 9), (64, 40, 1), (3, 50, 2)]
)
def test_a_bulk_load_on_the_move_is_not_too_slow(count: int, oldest_s: float, success_s: float) -> None:
    diagnosis = diagnose(waiting(count, oldest_s, success_s), NOW)
    assert "too-slow" not in [finding.rule for finding in diagnosis.findings]


@pytest.mark.parametrize(("count", "oldest_s", "success_s"), [(40, 90, 2), (3, 30, 20), (500, 700, 1)])
def test_what_has_waited_for_long_is_behind(count: int, oldest_s: float, success_s: float) -> None:
    assert state(waiting(count, oldest_s, success_s), NOW) is ArchiverState.BEHIND


@pytest.mark.parametrize(("per_s", "expected"), [(0.3, ArchiverState.BEHIND), (10.0, ArchiverState.WORKING)])
def test_a_watched_archiver_is_told_by_how_fast_it_goes(per_s: float, expected: ArchiverState) -> None:
    snapshot = waiting(40, 10, 0.5)
    for second in range(-30, 1, 2):
        count = 100 + int(max(0, second + 10) * per_s)
        facts = archiver(archived_count=count, ready_count=40, last_archived_at=NOW - 0.5)
        snapshot = fold(snapshot, read(Snapshot.archiver, facts, NOW + second), NOW + second)
    assert state(snapshot, NOW) is expected


# -- One death, and the library beside the command.


@pytest.mark.parametrize(
    "end",
    [
        "FATAL:  archive command was terminated by signal 15: Terminated",
        "FATAL:  archive command failed with exit code 143",
        "FATAL:  archive command failed with exit code 137",
        "FATAL:  Archivbefehl wurde von Signal 9 beendet: Killed",
        "FATAL:  archive command was terminated by signal 2: Interrupt",
    ],
)
def test_one_death_by_a_signal_that_somebody_sends_is_no_crash_loop(end: str) -> None:
    line = f"{stamp(3)} [77] {end}"
    hung = wal_disk(ready_count=1, oldest_ready=OLDEST, oldest_ready_at=NOW - 50)
    once = failing_with(line, archiver=archiver(ready_count=1, last_archived_at=NOW - 60), wal_disk=hung)
    assert "archiver-crash-loop" not in [finding.rule for finding in once.findings]
    again = failing_with(line, line, line, archiver=archiver(ready_count=1, last_archived_at=NOW - 60))
    assert root_of(again).rule == "archiver-crash-loop"


def test_a_kill_at_once_is_the_kernels_or_the_commands_own() -> None:
    fresh = wal_disk(ready_count=1, oldest_ready=OLDEST, oldest_ready_at=NOW - 4)
    line = f"{stamp(3)} [77] FATAL:  archive command was terminated by signal 9: Killed"
    found = failing_with(line, archiver=archiver(ready_count=1, last_archived_at=NOW - 60), wal_disk=fresh)
    assert root_of(found).rule == "archiver-crash-loop"


@pytest.mark.parametrize(
    ("version", "lines"),
    [
        (160004, ['ERROR:  both "archive_command" and "archive_library" set']),
        (150018, [f'WARNING:  archiving write-ahead log file "{OLDEST}" failed too many times, will try '
         f'again']),
        (150018, ['FATAL:  could not access file "basic_archiv": No such file or directory']),
        (170002, ['ERROR:  could not create file "/srv/x/archtemp.1": Permission denied']),
        (150018, ["FATAL:  konnte nicht auf Datei »walg_archive« zugreifen: Datei oder Verzeichnis nicht "
         "gefunden"]),
    ],
)  # fmt: skip
def test_a_library_beside_the_command_is_the_root_of_what_follows(version: int, lines: list[str]) -> None:
    missing = CommandFacts("gone %p", programs=(ProgramFacts("gone", None),))
    diagnosis = failing_with(
        *(f"{stamp(3)} [801] archiver {line}" for line in lines),
        evidence=((Snapshot.command, missing),),
        server=server(version_num=version),
        settings=settings(archive_library="basic_archive"),
    )
    alarming = [story.root.rule for story in diagnosis.stories if story.severity > Severity.NOTE]
    assert alarming[0] == "library-and-command"
    assert not {"permission", "archiver-crash-loop", "command-not-found", "failing"} & set(alarming)
    assert root_of(diagnosis).severity is Severity.CRITICAL


# -- Severity.


def dead(*lines: tuple[str, str, int]) -> ConfigFiles:
    return ConfigFiles((ConfigFile("/data/old/postgresql.conf", FileRole.NEVER_READ, "not read", lines),))


@pytest.mark.parametrize(
    ("lines", "severity"),
    [
        ((("archive_mode", "on", 1),), Severity.NOTE),
        ((("archive_mode", "yes", 1), ("archive_timeout", "60", 2)), Severity.NOTE),
        ((("archive_command", "/usr/local/bin/archive_command.sh %p %f", 1), ("work_mem", "1GB", 2)),
         Severity.NOTE),
        ((("wal_level", "replica", 1),), Severity.NOTE),
        ((("archive_mode", "on", 1), ("archive_command", "/other %p", 2)), Severity.WARNING),
        ((("archive_library", "basic_archive", 1),), Severity.WARNING),
        ((("archive_mode", "off", 1),), Severity.WARNING),
    ],
)  # fmt: skip
def test_a_dead_file_whose_archiving_is_in_force_is_a_note(
    lines: tuple[tuple[str, str, int], ...], severity: Severity
) -> None:
    found = only(diagnose(healthy(files=dead(*lines)), NOW), "dead-config")
    assert found.severity is severity


def test_a_dead_file_is_only_perhaps_dead_where_not_all_of_the_configuration_was_seen() -> None:
    """What was cut, or left unread, may include it: no alarm, and nothing is to be taken away."""
    seen = dead(("archive_command", "/other %p", 2))
    found = only(
        diagnose(
            healthy(files=replace(seen, uncertain=("/etc/x.conf: longer than what was read of it",))), NOW
        ),
        "dead-config",
    )
    assert (found.severity, found.certainty, found.fixes) == (Severity.NOTE, Certainty.POSSIBLE, ())
    assert "not seen: /etc/x.conf: longer than what was read of it" in found.evidence
    assert found.title.startswith("perhaps never read")
    sure = only(diagnose(healthy(files=seen), NOW), "dead-config")
    assert (sure.severity, sure.certainty) == (Severity.WARNING, Certainty.PROVED)


OURS, OLD = server().system_identifier or "", "6999999999999999999"


def identity(name: str, system: str) -> SegmentIdentity:
    return SegmentIdentity(name, name, NOW, PageHeader(0xD110, 15, 1, 0, system, 1 << 24, 8192))


@pytest.mark.parametrize(
    ("newest", "oldest", "backed_up", "severity"),
    [
        (OURS, OLD, True, Severity.NOTE),
        (OURS, OLD, False, Severity.CRITICAL),
        (OLD, OURS, True, Severity.CRITICAL),
        (OLD, OLD, True, Severity.CRITICAL),
    ],
)
def test_older_wal_of_before_an_upgrade_is_a_note_once_there_is_a_base_backup(
    newest: str, oldest: str, backed_up: bool, severity: Severity
) -> None:
    held = bucket()
    last, first = held.newest_segment or "", held.oldest_segment or ""
    taken = (backup(system_identifier=int(OURS)),) if backed_up else ()
    held = replace(held, identities=(identity(last, newest), identity(first, oldest)), backups=taken)
    found = diagnose(healthy(primary=held, dr=bucket(BucketRole.DR)), NOW)
    told = only(found, "foreign-writer")
    assert told.severity is severity
    assert ("take a base backup now" in told.remedy) is (newest == OURS and not backed_up)


def test_a_disk_that_is_full_within_the_hour_or_two_comes_before_a_file_that_is_never_read() -> None:
    snapshot = healthy(files=dead(("archive_mode", "off", 1)))
    for second in range(-290, 1, 5):
        free = int((-second + 4300) * (1 << 21))
        disk = wal_disk(free_bytes=free, wal_bytes=(1 << 30) - free // 8, ready_count=2)
        snapshot = fold(snapshot, read(Snapshot.wal_disk, disk, NOW + second), NOW + second)
    found = [
        finding.rule for finding in diagnose(snapshot, NOW).findings if finding.severity is Severity.WARNING
    ]
    assert found[:2] == ["disk-filling", "dead-config"]
    verdict = diagnose(snapshot, NOW).verdict
    assert "full in" in verdict.text or "FULL" in verdict.text


# -- A backlog is told once, as long as it is there.


@dataclass
class Archiving:
    """A server that fills a segment every `fill_s` while it writes; an archiver that takes `push_s` for each.

    It is looked at as the console does: the counters every second, archive_status every two.
    """

    push_s: float
    fill_s: float
    writes_s: float
    burst: int = 0

    def looks(self, lasts_s: int) -> Iterator[Diagnosis]:
        due = [0.0] * self.burst
        due += [(number + 1) * self.fill_s for number in range(int(self.writes_s / self.fill_s))]
        done, free_at = [], 0.0
        for at in due:
            free_at = max(free_at, at) + self.push_s
            done.append(free_at)
        snapshot = healthy(archiver=archiver(archived_count=0, last_archived_at=NOW - 30))
        for second in range(lasts_s + 1):
            now, count = NOW + second, sum(at <= second for at in done)
            waits = sum(at <= second for at in due) - count
            last = NOW + done[count - 1] if count else NOW - 30
            if second % 2 == 0:
                oldest = NOW + due[count] if waits else None
                disk = wal_disk(
                    ready_count=waits, oldest_ready=OLDEST if waits else None, oldest_ready_at=oldest
                )
                snapshot = fold(snapshot, read(Snapshot.wal_disk, disk, now), now)
            counters = archiver(archived_count=count, ready_count=waits, last_archived_at=last)
            snapshot = fold(snapshot, read(Snapshot.archiver, counters, now), now)
            yield diagnose(snapshot, now)


def told(archiving: Archiving, lasts_s: int) -> list[tuple[Severity | None, str]]:
    """What is said of too-slow, look by look; the same look after look once."""
    said: list[tuple[Severity | None, str]] = []
    for diagnosis in archiving.looks(lasts_s):
        found = [each for each in diagnosis.findings if each.rule == "too-slow"]
        now: tuple[Severity | None, str] = (found[0].severity, found[0].title) if found else (None, "")
        if not said or said[-1] != now:
            said.append(now)
    return said


@pytest.mark.parametrize(
    ("push_s", "fill_s", "burst"),
    [(3, 3.2, 12), (3, 2.5, 0), (7, 7, 9), (20, 18, 4), (1.5, 1.5, 25), (40, 35, 2)],
)
def test_a_backlog_that_stays_is_told_once_and_in_the_same_words(
    push_s: float, fill_s: float, burst: int
) -> None:
    said = told(Archiving(push_s, fill_s, 600, burst), 600)
    warned = [title for severity, title in said if severity is Severity.WARNING]
    assert warned, said
    assert len(said) <= 4, said


@pytest.mark.parametrize(("push_s", "fill_s", "writes_s"), [(0.25, 0.15, 60), (0.4, 0.2, 40), (0.9, 0.5, 30)])
def test_a_bulk_load_is_told_by_nobody_while_it_is_on_the_move(
    push_s: float, fill_s: float, writes_s: float
) -> None:
    """However many wait: the oldest has not waited for a minute."""
    assert told(Archiving(push_s, fill_s, writes_s), 200) == [(None, "")]


def test_what_takes_a_minute_and_a_half_for_each_segment_does_not_stand_still_now_and_then() -> None:
    states = [diagnosis.verdict.text for diagnosis in Archiving(100, 60, 900).looks(900)]
    assert not any("STILL" in text for text in states[250:]), states
