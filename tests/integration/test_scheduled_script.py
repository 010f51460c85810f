"""What cron and timers copy of an archive's folder, as /bin/sh finds it in files like a host's own."""

import asyncio
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.host_of_files import Host
from walconsole.domain.archivers.look import Seen, Wanted
from walconsole.domain.round_trips import ShellAnswer
from walconsole.observe.command.scheduled import notes_of, scheduled

WAL = "/srv/wal archive"
FILES = {
    "etc/crontab": "SHELL=/bin/sh\n17 * * * * root cd / && run-parts --report /etc/cron.hourly\n",
    "etc/cron.d/wal": f"*/5 * * * * postgres rclone sync '{WAL}' r2:acme/wal --s3-secret-access-key=HIDDEN\n",
    "etc/cron.d/other": "0 3 * * * root SECRET_KEY=HIDDEN apt-get update\n",
    "etc/cron.d/ignored.dpkg-old": f"* * * * * root rclone sync '{WAL}' old:acme\n",
    "etc/cron.hourly/mirror": f"#!/bin/sh\nrsync -a '{WAL}/' b@h:/far/\n",
    "etc/cron.daily/off": f"#!/bin/sh\nrsync -a '{WAL}/' not-executable:/far/\n",
    "var/spool/cron/crontabs/root": "0 * * * * {root}/opt/ship.sh >/dev/null\n",
    "opt/ship.sh": f"#!/bin/sh\nFROM='{WAL}'\nexec aws s3 sync \"$FROM\" s3://acme/pg\n",
    "etc/systemd/system/ship.timer": "[Timer]\nOnCalendar=hourly\n",
    "etc/systemd/system/ship.service": f'[Service]\nExecStart=/usr/bin/s3cmd sync "{WAL}/" s3://acme/u/\n',
    "etc/systemd/system/timers.target.wants/ship.timer": "",
    "etc/systemd/system/late.timer": "[Timer]\nUnit=later.service\n",
    "etc/systemd/system/later.service": f'[Service]\nExecStart=/usr/bin/mc mirror "{WAL}" m/acme\n',
}


class Local:
    """ports.Shell, of this very machine."""

    def __init__(self) -> None:
        self.sent = b""

    async def run(self, script: str, *, timeout_s: float) -> ShellAnswer:
        done = await asyncio.to_thread(
            subprocess.run, ["/bin/sh", "-c", script], capture_output=True, timeout=timeout_s, check=False
        )
        assert done.stderr == b""
        self.sent += done.stdout
        return ShellAnswer(done.stdout, done.returncode, 0.0, 0.0)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("{root}", str(tmp_path)))
    for name in ("etc/cron.hourly/mirror", "opt/ship.sh"):
        (tmp_path / name).chmod(0o755)
    return tmp_path


async def found(root: Path, *, bare: bool = False) -> tuple[list[str], tuple[str, ...], bytes]:
    shell = Local()
    host = Host({str(root / "opt/ship.sh"): FILES["opt/ship.sh"]})

    async def read(seen: Seen, wanted: Wanted) -> Seen:
        return replace(
            seen, programs={**seen.programs, **{name: host._program(name) for name in wanted.programs}}
        )

    copies, barred = await scheduled(shell, [WAL], Seen(), read, bare=bare, root=str(root))  # type: ignore[arg-type]
    return [f"{copy.tool} {copy.into} {copy.off}" for copy in copies], notes_of(copies, barred), shell.sent


async def test_every_place_where_a_schedule_stands_is_looked_at(root: Path) -> None:
    listed, notes, sent = await found(root)
    assert listed == [
        "rclone r2:acme/wal False", "rsync b@h:/far/ False", "aws s3://acme/pg False", "mc m/acme True",
    ]  # fmt: skip  # of five, the first four
    assert all(note.startswith("a second copy is made apart from the archive command") for note in notes)
    assert "HIDDEN" not in "".join(notes)
    assert b"apt-get" not in sent  # what has nothing to do with it stays where it is


async def test_nothing_secret_leaves_the_host_where_the_profile_has_its_own_keys(root: Path) -> None:
    _, _, sent = await found(root, bare=True)
    assert b"r2:acme/wal" in sent
    assert b"HIDDEN" not in sent


async def test_a_host_with_no_schedule_has_nothing_to_tell(tmp_path: Path) -> None:
    listed, notes, sent = await found(tmp_path)
    assert (listed, notes) == ([], ())
    assert sent.startswith(b"\x01end ")


async def test_a_table_of_many_megabytes_and_a_thousand_files_take_no_time(root: Path) -> None:
    (root / "etc/crontab").write_text("# nothing\n" * 1_000_000 + f"* * * * * root cp -r '{WAL}' /late\n")
    for number in range(1000):
        (root / f"etc/cron.d/a{number}").write_text("* * * * * root /bin/true\n")
    began = asyncio.get_running_loop().time()
    listed, _, sent = await found(root)
    assert asyncio.get_running_loop().time() - began < 5
    assert "rsync b@h:/far/ False" in listed
    assert len(sent) < 10_000
