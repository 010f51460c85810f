"""Retention by a schedule: when it waits, what is remembered of it, its units, what is said of it."""

import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from tests.data.facts import healthy
from tests.data.recoveries import NOW as THEN
from tests.data.recoveries import RECOVERIES
from tests.data.recovery import NOW, base, copy_of
from walconsole.cli import main
from walconsole.domain.facts.expiry_schedule import ExpirySchedule
from walconsole.domain.facts.snapshot import fold, succeeded
from walconsole.domain.failures import diagnose
from walconsole.domain.profile import BucketRole
from walconsole.domain.recovery.backups import Completeness
from walconsole.domain.recovery.expiry_run import ExpiryRun, read_run, run_document
from walconsole.domain.recovery.hostile import RefusedError
from walconsole.domain.recovery.keep import Keep
from walconsole.domain.recovery.wal_supply import ArchiveCopy
from walconsole.domain.standing.backup_runs import BackupRuns, RunningBackup
from walconsole.domain.standing.expiry_schedule import LATE_S, not_due, running_now, schedule_line
from walconsole.errors import BlockedError, RegisterError, UsageError
from walconsole.operator_files.expiry_file import ExpiryFile, schedule_of
from walconsole.session.expiry_unit import EVERY
from walconsole.session.service_unit import SYSTEM_CONFIG
from walconsole.ui.recovery.picture import picture_of

PRIMARY, DR = BucketRole.PRIMARY, BucketRole.DR
OLD, NEW = base(10, day=2.0), base(20, day=1.0)
RUN = ExpiryRun(NOW, 0, "nothing goes (keep: 2 full)", after={"primary": OLD.id, "dr": OLD.id})


# -- Whether one is due.


def copies(primary: bool, dr: bool) -> tuple[ArchiveCopy, ...]:
    """Each with the old base backup, and where said with the new one."""
    return tuple(
        copy_of({1: range(5, 31)}, OLD, *([NEW] if has else []), role=role)
        for role, has in ((PRIMARY, primary), (DR, dr))
    )


def test_it_is_due_where_each_copy_has_a_base_backup_that_it_had_not() -> None:
    before = {"primary": OLD.id, "dr": OLD.id}
    assert not_due(copies(True, True), before) == ""
    assert not_due(copies(True, True), {}) == ""
    assert not_due(copies(False, False), {}) == "", "the first run of all: the plan's own doubts suffice"
    lacking = "no base backup was completed in the {} copy since " + OLD.id
    assert not_due(copies(True, False), before) == lacking.format("DR")
    assert not_due(copies(False, True), before) == lacking.format("primary")
    assert not_due(copies(True, True)[:1], before) == "", "where there is one copy it alone counts"
    half = replace(NEW, completeness=Completeness.INCOMPLETE)
    (one,) = (copy_of({1: range(5, 31)}, OLD, half, role=PRIMARY),)
    assert not_due([one], before) == lacking.format("primary")


def test_a_clock_set_back_makes_it_wait_and_not_delete() -> None:
    assert NEW.id in not_due(copies(False, False), {"primary": NEW.id, "dr": NEW.id})


def test_it_waits_for_a_base_backup_that_runs_and_where_that_is_not_known() -> None:
    running = RunningBackup("pg_basebackup", "streaming")
    assert running_now(BackupRuns((running,))) == "a base backup runs (pg_basebackup: streaming)"
    blind = BackupRuns((), None, ("why",), True)
    assert running_now(blind) == "it is not known whether a base backup runs (why)"
    assert "it is not known whether" in running_now(None)
    assert running_now(BackupRuns(unseen=("its size is hidden",))) == ""


# -- What is remembered.


def test_a_run_is_read_as_it_was_written() -> None:
    for run in (RUN, ExpiryRun(NOW, 10, "x" * 100, since_at=NOW - 5), replace(RUN, waited=True)):
        assert read_run(run_document(run)) == replace(run, after=run.after or {})


@pytest.mark.parametrize(
    "spoil",
    [
        {"at": None},
        {"at": 1e999},
        {"exit": 256},
        {"exit": True},
        {"after": []},
        {"after": {"dr": 1}},
        {"waited": 1},
    ],
)
def test_what_is_none_is_refused(spoil: dict[str, object]) -> None:
    with pytest.raises(RefusedError):
        read_run(json.dumps({**json.loads(run_document(RUN)), **spoil}))


def test_a_run_that_failed_or_waited_leaves_what_was_known_of_the_last_good_one() -> None:
    good = RUN.since(None)
    assert good.since_at == NOW
    later = ExpiryRun(NOW + 9, 10, "no", after=None).since(good)
    assert (later.since_at, later.after, later.failed) == (NOW, RUN.after, True)
    waiting = ExpiryRun(NOW + 9, 0, "not now", True, after={"primary": NEW.id}).since(good)
    assert (waiting.since_at, waiting.after) == (NOW, RUN.after), "what it saw was not judged"
    assert ExpiryRun(NOW, 9, "no").since(None).since_at == NOW


def test_it_is_kept_in_a_file_of_the_operators(tmp_path: Path) -> None:
    environment = {"HOME": str(tmp_path)}
    file = ExpiryFile("db", environment)
    assert file.last() is None
    file.note(RUN)
    assert file.last() == RUN.since(None)
    assert file.path.stat().st_mode & 0o777 == 0o600
    file.note(ExpiryRun(NOW + 1, 6, "\x1b[31mno"))
    last = file.last()
    assert last is not None
    assert (last.exit_code, last.since_at, last.after) == (6, NOW, RUN.after)
    assert "\x1b" not in last.line
    file.path.write_text("{")
    assert file.last() is None
    file.note(RUN)
    file.path.unlink()
    file.path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RegisterError):
        file.last()


# -- Its units.


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With a profile that has a rule, and takes its keys from the environment."""
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "DEPLOY_HOST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    config = tmp_path / ".config" / "walconsole" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text(
        '[profiles.db]\nhost = "db.example.org"\nkeep = { full = 7 }\n'
        'primary = { keys = "environment", access_key_env = "DB_ID", secret_key_env = "DB_SECRET" }\n'
        '[profiles.keepless]\nhost = "other.example.org"\n'
    )
    config.chmod(0o600)
    return tmp_path


def test_the_schedule_is_shown_agreed_to_written_and_taken_away(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = home / ".config" / "systemd" / "user"
    service, timer = (folder / f"walconsole-expire-db.{kind}" for kind in ("service", "timer"))
    assert main(["expire", "db", "--schedule", "--plan"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"# {service}\n[Unit]\n")
    assert f"# {timer}\n[Unit]\n" in shown
    assert " expire --apply --confirm db --after-backup -- db\n" in shown
    assert (
        "systemctl --user daemon-reload && systemctl --user enable --now walconsole-expire-db.timer" in shown
    )
    assert "by a drop-in with LoadCredential=: DB_ID, DB_SECRET" in shown
    assert not folder.exists()
    assert main(["expire", "db", "--schedule", "--apply", "--confirm", "other"]) == UsageError.exit_code
    assert "add --confirm db" in capsys.readouterr().err
    assert not folder.exists()
    assert main(["expire", "db", "--schedule", "--apply", "--confirm", "db"]) == 0
    assert service.read_text() in shown
    assert timer.read_text() in shown
    assert schedule_of("db", {"HOME": str(home)}) == ExpirySchedule(timer.name)

    wants = folder / "timers.target.wants"
    wants.mkdir()
    (wants / timer.name).symlink_to(timer)
    assert schedule_of("db", {"HOME": str(home)}) == ExpirySchedule(timer.name, enabled=True)
    away = ["expire", "db", "--unschedule", "--apply", "--confirm", "db"]
    assert main(away) == BlockedError.exit_code
    assert f"systemctl --user disable --now {timer.name}" in capsys.readouterr().err
    (wants / timer.name).unlink()
    assert main(["expire", "db", "--unschedule", "--plan"]) == 0
    assert timer.exists()
    assert main(away) == 0
    assert not service.exists()
    assert not timer.exists()
    assert main(away) == 0
    assert "no schedule of retention is installed" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        (["keepless", "--schedule", "--plan"], BlockedError.exit_code, "no rule (keep) in the profile"),
        (["third.example.org", "--schedule", "--plan"], UsageError.exit_code, "none describes this one"),
        (
            ["db", "--cluster", "15/main", "--schedule", "--plan"],
            UsageError.exit_code,
            "say it in the profile",
        ),
        (["db", "--system", "--plan"], UsageError.exit_code, "--system is for --schedule"),
    ],
)
def test_what_cannot_be_scheduled_is_refused(
    home: Path, words: list[str], code: int, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["expire", *words]) == code
    assert why in capsys.readouterr().err


@pytest.mark.parametrize("system", [False, True], ids=["user", "system"])
def test_the_units_are_ones_that_systemd_takes(
    system: bool, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["expire", "db", "--schedule", "--plan", *(["--system"] if system else [])]) == 0
    shown = capsys.readouterr().out
    assert (f"expire --config {SYSTEM_CONFIG} --apply" in shown) == system
    assert ("LoadCredential=DB_SECRET:/etc/walconsole/credentials/DB_SECRET" in shown) == system
    assert f"OnCalendar={EVERY}\n" in shown
    verify = shutil.which("systemd-analyze")
    if verify is None:
        return
    files = []
    for part in shown.partition("# then")[0].split("# /")[1:]:
        path, _, text = part.partition("\n")
        files.append(home / Path(path).name)
        files[-1].write_text("".join(f"{each}\n" for each in text.split("\n") if "man:" not in each))
    done = subprocess.run([verify, "verify", *map(str, files)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    done = subprocess.run([verify, "calendar", EVERY], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


# -- What is said of it.


def test_the_screens_line_says_who_does_it() -> None:
    assert schedule_line(None, NOW) == ""
    assert schedule_line(ExpirySchedule(), NOW) == "by hand (D)"
    timer = ExpirySchedule("x.timer", enabled=True, last=replace(RUN, at=NOW - 7200))
    done = "a schedule on this machine does it after each base backup"
    assert schedule_line(timer, NOW) == f"{done}; last 2 h 00 min ago: nothing goes (keep: 2 full)"
    failed = replace(timer, last=ExpiryRun(NOW - 30, 10, "a clock is wrong"))
    assert schedule_line(failed, NOW).endswith("; last FAILED, 30 s ago: a clock is wrong")
    assert "x.timer is installed, and not enabled" in schedule_line(replace(timer, enabled=False), NOW)
    system = ExpirySchedule("x.timer", enabled=True, of_system=True)
    assert schedule_line(system, NOW).endswith("; how it ended tells journalctl -u x")


def test_the_recovery_screen_says_it_behind_what_goes_next() -> None:
    snapshot = RECOVERIES["nightly"]()
    timer = ExpirySchedule("x.timer", enabled=True)
    snapshot = fold(snapshot, succeeded(snapshot.expiry, timer, THEN, "its files", 30.0), THEN)
    ruleless = replace(snapshot, told=replace(snapshot.told, keep=None))
    assert picture_of(ruleless, THEN).retention == "no rule (keep): nothing is deleted"
    line = picture_of(snapshot, THEN).retention
    assert line.startswith("keep 5 full, 3 d; next: 3 base backups, ")
    assert line.endswith("; a schedule on this machine does it after each base backup")


def found_of(schedule: ExpirySchedule, keep: Keep | None = Keep(full=2)) -> list[str]:  # noqa: B008  # frozen
    snapshot = healthy(expiry=schedule)
    snapshot = replace(snapshot, told=replace(snapshot.told, keep=keep))
    return [each.title for each in diagnose(snapshot, NOW).findings if each.rule == "expire-failed"]


def test_a_run_that_failed_is_found_and_one_that_waits_for_days() -> None:
    timer = ExpirySchedule("x.timer", enabled=True)
    failed = ExpiryRun(NOW - 30, 10, "a clock is wrong", since_at=NOW - 90)
    assert found_of(replace(timer, last=failed)) == [
        "retention by the schedule FAILED 30 s ago: a clock is wrong"
    ]
    assert found_of(replace(timer, last=failed), keep=None) == []
    assert found_of(replace(timer, enabled=False, last=failed)) == []
    waits = ExpiryRun(NOW - 60, 0, "not now: a recovery goes on", waited=True, since_at=NOW - LATE_S + 60)
    assert found_of(replace(timer, last=waits)) == []
    waits = replace(waits, since_at=NOW - LATE_S - 60)
    assert found_of(replace(timer, last=waits)) == [
        "retention by the schedule waits: not now: a recovery goes on"
    ]
    assert found_of(replace(timer, last=replace(RUN, since_at=NOW))) == []
    old = replace(RUN, at=NOW - LATE_S - 60, since_at=NOW - LATE_S - 60)
    assert found_of(replace(timer, last=old)) == [
        "retention by the schedule has not run: its last run was 3 d 00 h ago"
    ]
    assert found_of(timer) == []
