"""What cron and timers copy of an archive's folder: found by their own words and scripts."""

from dataclasses import replace

import pytest

from tests.unit.host_of_files import Host
from walconsole.domain.archivers.look import Seen
from walconsole.domain.archivers.scheduled import Kind, ScheduledCopy, ScheduledFile, copies

pytestmark = pytest.mark.cases(
    "What cron and timers copy of an archive's folder, by forms of public repositories"
)

WAL = "/var/lib/postgresql/archive"


def found(file: ScheduledFile, scripts: dict[str, str] | None = None) -> tuple[ScheduledCopy, ...]:
    host, seen = Host(scripts or {}), Seen()
    listed: tuple[ScheduledCopy, ...] = ()
    for _ in range(3):
        listed, wanted = copies([file], [WAL], seen)
        seen = replace(
            seen,
            files={**seen.files, **{path: host._file(path) for path in wanted.files}},
            programs={**seen.programs, **{name: host._program(name) for name in wanted.programs}},
        )
    return listed


def crontab(line: str) -> ScheduledFile:
    return ScheduledFile(
        "/var/spool/cron/crontabs/postgres", Kind.CRONTAB, "postgres", f"# m h\nMAILTO=x\n{line}\n"
    )


@pytest.mark.parametrize(
    ("line", "tool", "into"),
    [
        (f"*/5 * * * * rclone sync {WAL} r2:acme/wal --transfers 4", "rclone", "r2:acme/wal"),
        (f"*/15 * * * * /usr/bin/rclone copy --config /etc/r.conf {WAL}/ b2:acme", "rclone", "b2:acme"),
        (f"@hourly aws s3 sync {WAL} s3://acme/wal --delete >> /var/log/w.log 2>&1", "aws", "s3://acme/wal"),
        (f"0 * * * * rsync -az --delete -e 'ssh -p 23' {WAL}/ u1@box:wal/", "rsync", "u1@box:wal/"),
        (f"0 * * * * flock -n /tmp/l timeout 600 s3cmd sync {WAL}/ s3://acme/", "s3cmd", "s3://acme/"),
        (f"0 3 * * * cd {WAL} && mc mirror --overwrite . m/acme/wal", "mc", "m/acme/wal"),
        (f"0 3 * * * gsutil -m rsync -r {WAL} gs://acme/wal", "gsutil", "gs://acme/wal"),
        ("0 3 * * * rsync -a /var/lib/postgresql/ bk@h:/srv/pg/", "rsync", "bk@h:/srv/pg/"),
        (f"0 3 * * * for f in {WAL}/*; do aws s3 cp $f s3://acme/wal/; done", "aws", "s3://acme/wal/"),
        (f"0 3 * * * restic -r s3:s3.example.net/acme backup {WAL}", "restic", "s3:s3.example.net/acme"),
        (f"D={WAL}\n0 3 * * * rclone sync $D r2:acme", "rclone", "r2:acme"),
        (f"0 3 * * * sudo -u bk rclone sync {WAL} r2:acme/$(date +\\%Y)", "rclone", "r2:acme/…"),
        (f"0 3 * * * cp -ru {WAL} /mnt/nas/", "cp", "/mnt/nas/"),
    ],
)  # fmt: skip
def test_a_line_of_a_crontab_that_copies_the_folder(line: str, tool: str, into: str) -> None:
    (copy,) = found(crontab(line))
    assert (copy.tool, copy.folder, copy.into) == (tool, WAL, into)
    assert copy.source.startswith("/var/spool/cron/crontabs/postgres line ")
    assert copy.when.endswith(", as postgres")


@pytest.mark.parametrize(
    "line",
    [
        f"0 3 * * * find {WAL} -mtime +7 -delete",
        f"0 3 * * * pg_archivecleanup {WAL} 000000010000000000000005",
        f"0 3 * * * ls -l {WAL} | mail -s wal root",
        f"# */5 * * * * rclone sync {WAL} r2:acme",
        "0 3 * * * rclone sync /srv/files r2:acme",
        f"0 3 * * * rclone sync r2:acme {WAL}",
        f"0 3 * * * rsync -a bk@h:/wal/ {WAL}/",
        f"0 3 * * * rclone sync {WAL}-old r2:acme",
        f"0 3 * * * rsync -a {WAL}/ {WAL}/old/",
        f"0 3 * * * wal-g wal-verify integrity; du -sh {WAL}",
        "",
        "* * * * *",
        "\x01\x02 * * * % %% $( `",
    ],
)
def test_what_copies_it_nowhere_is_not_told(line: str) -> None:
    assert found(crontab(line)) == ()


SYNC = (
    f'#!/bin/bash\nset -e\nSRC={WAL}\nDEST="s3://acme/wal"\n'
    'log() { echo "$1"; }\nlog go\naws s3 sync "$SRC" "$DEST"\n'
)


def test_a_script_that_it_runs_is_followed() -> None:
    scripts = {"/usr/local/bin/wal-sync.sh": SYNC}
    table = ScheduledFile(
        "/etc/cron.d/wal", Kind.TABLE, "", "PATH=/bin\n*/5 * * * * root /usr/local/bin/wal-sync.sh\n"
    )
    (copy,) = found(table, scripts)
    assert (copy.tool, copy.into) == ("aws", "s3://acme/wal")
    assert (copy.source, copy.when) == ("/etc/cron.d/wal line 2", "*/5 * * * *, as root")


def test_a_script_of_cron_hourly_and_a_timers_service() -> None:
    (hourly,) = found(ScheduledFile("/etc/cron.hourly/wal", Kind.HOURLY, "root", SYNC))
    assert (hourly.when, hourly.source) == ("hourly, as root", "/etc/cron.hourly/wal")
    unit = (
        "[Service]\nType=oneshot\nUser=postgres\nEnvironment=TO=r2:acme\n"
        f"ExecStart=-/usr/bin/rclone sync \\\n  {WAL} ${{TO}}\n"
    )
    (timer,) = found(ScheduledFile("/etc/systemd/system/wal.service", Kind.TIMER, "", unit))
    assert (timer.tool, timer.into, timer.when) == ("rclone", "r2:acme", "a timer, as postgres")
    (off,) = found(ScheduledFile("/etc/systemd/system/wal.service", Kind.TIMER, "", unit, off=True))
    assert "would copy (its timer is not enabled)" in str(off)


def test_no_secret_of_a_line_is_told() -> None:
    line = f"0 3 * * * AWS_SECRET_ACCESS_KEY=HIDDEN rclone sync {WAL} :s3,secret_access_key=HIDDEN:acme"
    listed = found(crontab(line))
    assert listed
    assert "HIDDEN" not in repr(listed) + "".join(map(str, listed))
