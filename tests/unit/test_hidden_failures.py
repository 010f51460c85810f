"""Archive commands that say yes whatever happens, and those that only look as if they did."""

import pytest

from tests.data.facts import NOW, SEGMENT, bucket, healthy, settings
from walconsole.domain.archivers.ending import by_its_words, hides_failure
from walconsole.domain.facts.evidence import CommandFacts
from walconsole.domain.failures import diagnose
from walconsole.domain.standing.model import Level, Severity
from walconsole.domain.wal import Segment

HIDES = {
    "pgbackrest --stanza=main archive-push %p || true": "|| true",
    "rsync -a %p barman@b:/srv/barman/main/incoming/%f || exit 0": "|| exit 0",
    "test ! -f /w/%f && cp %p /w/%f || :": "|| :",
    "cp %p /w/%f || /bin/true": "|| /bin/true",
    "cp %p /w/%f || echo 'could not store %f'": "|| echo could not store %f",
    "aws s3 cp %p s3://b/%f || logger failed": "|| logger failed",
    "/opt/archive %p %f &": "&",
    "nohup /opt/archive %p %f >/dev/null 2>&1 &": "&",
    "(cp %p /w/%f) &": "&",
    "cp %p /w/%f; exit 0": "; exit 0",
    "cp %p /w/%f; true": "; true",
    "gzip < %p > /w/%f.gz; find /w -mtime +7 -delete": "; find /w -mtime +7 -delete",
    "test ! -f /a/%f;cp -i %p /a/%f;scp -i %p 192.0.2.13:/a": "; scp -i %p 192.0.2.13:/a",
    "cp %p /w/%f\necho done": "; echo done",
    "bash -c 'cp %p /w/%f || true'": "|| true",
    "sh -c 'cp %p /w/%f; exit 0'": "; exit 0",
    "gzip -c %p | tee /w/%f.gz | cat": "| cat",
    "gzip -c %p | tee /w/%f.gz | cat > /dev/null": "| cat",
    "cat %p | tee /w/%f | sha256sum > /w/%f.sha": "| sha256sum",
    "cp -v %p /w/%f 2>&1 | cat": "| cat",
    "aws s3 cp %p s3://b/%f | wc -l": "| wc -l",
    "cat %p | ssh h 'cat > /w/%f' | systemd-cat": "| systemd-cat",
}
TELLS = [
    "", "(disabled)", "/bin/true", "cp %p /w/%f", "test ! -f /w/%f && cp %p /w/%f",
    "test -f /w/%f || cp %p /w/%f", "cp %p /a/%f || cp %p /b/%f", "cp %p /w/%f && exit 0 || exit 1",
    "test ! -f /w/%f && cp %p /w/%f || cmp %p /w/%f", "D=/w; test -d $D || mkdir $D; cp %p $D/%f",
    "test -f /data/pause && exit 1; cp %p /w/%f", "set -e; cp %p /w/%f; logger stored",
    "cp %p /w/%f || { rm -f /w/%f; exit 1; }", "cp %p /w/%f || exit 1; sync", "cp %p /w/%f; exit $?",
    "cp %p /w/%f; rc=$?; logger stored; exit $rc", "cp %p /w/%f; [ $? -eq 0 ]", 'cp %p /w/%f; exit "$?"',
    "if [ -f /w/%f ]; then true; else cp %p /w/%f; fi", "while ! cp %p /w/%f; do sleep 1; done",
    "rm -f /w/%f; cp %p /w/%f", "mkdir -p /w; cp %p /w/%f", "(test -d /w || mkdir -p /w) && cp %p /w/%f",
    "cp %p /w/%f >/dev/null 2>&1", "cp %p /w/%f &>/dev/null", "sh -ec 'cp %p /w/%f; true'",
    "export P=/x; wal-g wal-push %p", "cp %p '/w/&/%f'", "cp %p /w/%f # || true",
    "gzip -c %p | tee /w/%f.gz > /dev/null", "set -o pipefail; gzip -c %p | tee /w/%f.gz | cat",
    "gzip -c %p | pv -q | cat > /w/%f.gz", "gzip -c %p | tee /w/%f.gz | gzip -t", "cat %p | dd of=/w/%f",
    'cp %p /w/%f; echo "$s  /w/%f" | sha256sum -c -', "cp %p /w/%f && sha256sum /w/%f | cut -c1-64 > /w/%f.s",
    "tar c %p | ssh h 'cat > /w/%f.tar'", "lz5 -c %p | cat > /w/%f.lz5",
]  # fmt: skip


@pytest.mark.parametrize(("command", "what"), HIDES.items())
def test_a_command_that_says_yes_whatever_happens_is_told_by_what_does_it(command: str, what: str) -> None:
    assert hides_failure(command) == what


@pytest.mark.parametrize("command", TELLS)
def test_a_command_that_fails_where_storing_fails_is_not(command: str) -> None:
    assert hides_failure(command) == ""


@pytest.mark.parametrize(
    ("command", "level"), [("cp %p /w/%f", Level.OK), ("cp %p /w/%f || true", Level.WARNING)]
)
def test_it_is_a_warning_while_all_is_stored(command: str, level: Level) -> None:
    snapshot = healthy(settings=settings(archive_command=command), command=CommandFacts(command))
    diagnosis = diagnose(snapshot, NOW)
    assert diagnosis.verdict.level is level
    assert ("failure-hidden" in {each.rule for each in diagnosis.findings}) is (level is Level.WARNING)


def test_it_is_none_where_nothing_is_archived_at_all() -> None:
    off = settings(archive_mode="off", archive_command="cp %p /w/%f || true")
    assert "failure-hidden" not in {each.rule for each in diagnose(healthy(settings=off), NOW).findings}


def test_what_the_archive_lacks_follows_from_it() -> None:
    command, lacking = "cp %p /w/%f || true", bucket(newest_segment=Segment(1, 0x20).name(SEGMENT))
    snapshot = healthy(
        settings=settings(archive_command=command), command=CommandFacts(command), primary=lacking
    )
    (story,) = (each for each in diagnose(snapshot, NOW).stories if each.root.rule == "failure-hidden")
    assert [each.rule for each in story.consequences] == ["silent-loss"]
    assert story.severity is Severity.CRITICAL


def test_a_secret_of_what_hides_it_is_not_shown() -> None:
    command = 'cp %p /w/%f; PGPASSWORD="S3cretK3y" psql -c "NOTIFY stored"'
    snapshot = healthy(settings=settings(archive_command=command), command=CommandFacts(command))
    (finding,) = (each for each in diagnose(snapshot, NOW).findings if each.rule == "failure-hidden")
    assert "S3cret" not in finding.title


SKIPS = {
    "test ! -f /sw || (test ! -f /w/%f && cp %p /w/%f)": "`test ! -f /sw` holds",
    "if mountpoint -q /w; then cp %p /w/%f; fi": "`mountpoint -q /w` does not hold",
    "if [ -d /w ]; then cp %p /w/%f; fi": "`[ -d /w ]` does not hold",
    "if [[ -d /w ]]; then cp %p /w/%f; else exit 0; fi": "`[[ -d /w ]]` does not hold",
    "[ -d /w ] || exit 0; cp %p /w/%f": "`[ -d /w ]` does not hold",
    "! [ -e /stop ] || exit 0; cp %p /w/%f": "`[ -e /stop ]` holds",
    "D=/w; [ -d $D ] && cp %p $D/%f || true": "`[ -d $D ]` does not hold",
    "[ -f /etc/pause ] && exit 0; cp %p /w/%f": "`[ -f /etc/pause ]` holds",
    "ping -c1 h || exit 0; scp %p h:/w/%f": "`ping -c1 h` does not hold",
    "which rclone || exit 0; rclone copyto %p r:b/%f": "`which rclone` does not hold",
    "systemctl is-active -q nfs || exit 0; cp %p /w/%f": "`systemctl is-active -q nfs` does not hold",
    "if [ -d /w ]; then cp %p /w/%f; fi; [ -w /log ] && echo x >>/log; true": "`[ -d /w ]` does not hold",
    "flock -n -E 0 /l cp %p /w/%f": "somebody else holds the lock (flock -E 0)",
    "flock -n --conflict-exit-code=0 /l cp %p /w/%f": "somebody else holds the lock (flock -E 0)",
}
STORES_ALWAYS = [
    *TELLS, "[ -d /w ] || exit 1; cp %p /w/%f", "flock -n /l cp %p /w/%f", "flock -n -E 9 /l cp %p /w/%f",
    "case %f in *.backup) exit 0;; esac; cp %p /w/%f", "test -f /w/%f && exit 0; cp %p /w/%f",
    '[ "$(hostname)" = a ] || exit 0; cp %p /w/%f', '[ "$ROLE" = standby ] && exit 0; cp %p /w/%f',
    "psql -Atc 'select pg_is_in_recovery()' | grep -q t && exit 0; cp %p /w/%f",
    "[ -d /w ] && D=/w || D=/v; cp %p $D/%f",
    "if [ -x /zstd ]; then zstd -o /w/%f.zst %p; else cp %p /w/%f; fi",
]  # fmt: skip


@pytest.mark.parametrize(("command", "when"), SKIPS.items())
def test_a_command_that_stores_only_where_something_holds_is_told_by_that(command: str, when: str) -> None:
    skipping = by_its_words(command).skipping
    assert skipping is not None
    assert skipping.what == when


@pytest.mark.parametrize("command", STORES_ALWAYS)
def test_what_is_asked_of_the_segment_or_by_a_run_alone_is_none(command: str) -> None:
    assert by_its_words(command).skipping is None


@pytest.mark.parametrize(
    ("lacks", "severity", "level"),
    [(False, Severity.NOTE, Level.OK), (True, Severity.CRITICAL, Level.CRITICAL)],
)
def test_it_is_a_note_until_the_archive_lacks_something(
    lacks: bool, severity: Severity, level: Level
) -> None:
    command = "if mountpoint -q /w; then cp %p /w/%f; fi"
    changes = {"primary": bucket(newest_segment=Segment(1, 0x20).name(SEGMENT))} if lacks else {}
    snapshot = healthy(settings=settings(archive_command=command), command=CommandFacts(command), **changes)
    diagnosis = diagnose(snapshot, NOW)
    (story,) = (each for each in diagnosis.stories if each.root.rule == "failure-hidden")
    assert (story.severity, diagnosis.verdict.level) == (severity, level)
    assert [each.rule for each in story.consequences] == (["silent-loss"] if lacks else [])
