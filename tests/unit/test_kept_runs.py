"""Runs of steps as they are kept: what is told comes out again, redacted, by any moment, whoever ran them."""

import base64
import json
import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.data.facts import NOW
from tests.data.kept_steps import BEGAN, ENDED, GOING, kept_run
from tests.data.past import tidied_for_long
from tests.data.provision_run import Played, played_steps
from tests.data.provisioning import MemoryRecord, a_profile, a_site
from tests.data.stage import FrozenClock
from tests.unit.test_kept_snapshots import SECRET
from tests.unit.test_recording import RECORDING, _changed
from walconsole.domain.kept.recording import Recording, recording_of, recording_text
from walconsole.domain.kept.runs import MOST_BYTES, KeptRun, News, between, by_then, packed_runs, runs_of
from walconsole.domain.kept.screens import packed
from walconsole.errors import ProvisionError, RegisterError
from walconsole.operator_files.history_file import HistoryFile
from walconsole.provision.engine.kept_news import Begun, Ended, Heard, Kept, kept, read_news
from walconsole.provision.engine.model import (
    CheckState,
    Doing,
    FileChange,
    Moving,
    Plan,
    Printed,
    Progress,
    Stage,
)
from walconsole.provision.engine.runner import Runner
from walconsole.session.past import HeldHistory
from walconsole.session.steps_kept import _MOST_LINES, StepsKept
from walconsole.ui.provisioning.past_run import SILENT_S, PastRun, PastSteps, acts

DAY_S = 86_400


def test_what_is_told_comes_out_again() -> None:
    assert tuple(read_news(kept_run().news)) == ENDED
    assert tuple(read_news(json.loads(json.dumps(kept_run().news)))) == ENDED


def test_no_secret_is_kept_and_no_escape() -> None:
    change = FileChange("/etc/x.conf", None, f"token = '{SECRET}'\nport = 5432\n")
    told = (
        Heard(NOW, "a", Stage.ASKING, plan=Plan(f"use {SECRET}", files=(change,))),
        Heard(NOW, "a", Stage.APPLYING, event=Printed(f"\x1b[2Jkey {SECRET}\x07")),
    )
    text = json.dumps([kept(each) for each in told])
    assert SECRET not in text
    assert "\\u001b" not in text
    assert "port = 5432" in text


def test_a_newer_ones_news_are_passed_over_and_the_rest_is_read() -> None:
    odd: list[News] = [
        {"at": NOW, "is": "Rested", "it": {}},
        {"at": NOW, "is": "Heard", "it": {"at": NOW, "step": "a", "stage": "dreaming"}},
        {"at": NOW},
        {"at": NOW, "is": "Heard", "it": {"at": NOW, "step": "a", "stage": "failed", "mood": 3}},
        kept(GOING[1]),
    ]
    assert list(read_news(odd)) == [GOING[1]]


# -- In the history's file.


@pytest.fixture
def file(tmp_path: Path) -> HistoryFile:
    return HistoryFile({"XDG_STATE_HOME": str(tmp_path)})


def put(file: HistoryFile, run: KeptRun, cluster: str = "db") -> None:
    file.keep_run(cluster, run.run, run.began_at, run.heard_until, run.news)


def test_a_run_is_kept_in_parts_and_read_as_one(file: HistoryFile) -> None:
    whole = kept_run()
    for at in range(0, len(whole.news), 3):
        part = whole.news[at : at + 3]
        file.keep_run("db", whole.run, whole.began_at, part[-1]["at"], part)
    file.keep_run("db", whole.run, whole.began_at, whole.heard_until + 20, ())
    put(file, kept_run(run="other"), "another cluster")
    (found,) = file.runs_until("db", NOW)
    assert found == whole._replace(heard_until=whole.heard_until + 20)
    assert file.runs_until("db", BEGAN - 1) == []
    assert file.runs_until("nobody", NOW) == []


def test_nothing_is_read_where_nothing_was_kept(file: HistoryFile) -> None:
    assert file.runs_until("db", NOW) == []
    assert not file.path.exists()


def test_a_part_that_is_damaged_takes_no_other_with_it(file: HistoryFile) -> None:
    whole = kept_run()
    for part in (whole.news[:4], whole.news[4:6], whole.news[6:]):
        file.keep_run("db", whole.run, whole.began_at, part[-1]["at"], part)
    with file._open() as database:
        database.execute("UPDATE step_runs SET news = x'00' WHERE part = 1")
    (found,) = file.runs_until("db", NOW)
    assert found.news == (*whole.news[:4], *whole.news[6:])


def test_they_go_after_thirty_days_and_the_newest_stays(file: HistoryFile) -> None:
    put(file, kept_run(run="old"))
    at = NOW + 29 * DAY_S
    put(file, kept_run([Begun(at, Doing.RUN, "x", "y"), Ended(at)], run="new"))
    tidied_for_long(file, "db", NOW + 29 * DAY_S)
    assert [each.run for each in file.runs_until("db", at)] == ["old", "new"]
    tidied_for_long(file, "db", NOW + 31 * DAY_S)
    assert [each.run for each in file.runs_until("db", at)] == ["new"]


def test_an_earlier_file_is_taken_over(file: HistoryFile) -> None:
    put(file, kept_run())
    with file._open() as database:
        database.execute("DROP TABLE step_runs")
        database.execute("PRAGMA user_version = 4")
    put(file, kept_run(run="after"))
    assert [each.run for each in file.runs_until("db", NOW)] == ["after"]


# -- At a moment.


def test_it_is_shown_as_it_was_at_each_moment() -> None:
    def at(moment: float) -> PastRun:
        (run,) = by_then([kept_run()], moment)
        return PastRun(run, moment)

    asked = at(BEGAN + 60)
    assert asked.question is not None
    assert asked.question.plan.summary == "make shithub-wal in nyc3"
    assert asked.busy
    going = at(BEGAN + 133)
    assert (going.current, going.news["buckets"].stage, going.question) == ("buckets", Stage.APPLYING, None)
    assert len(going.news["buckets"].events) == 3
    ended = at(NOW)
    assert (ended.busy, ended.current, len(ended.changes)) == (False, "", 1)
    assert ended.failure is not None
    assert ended.failure.line() == "Drop-in: it was not agreed to; nothing was changed by it or after it"
    assert [ended.news[step.id].stage for step in ended.steps] == [
        Stage.DONE, Stage.CHANGED, Stage.REFUSED, Stage.SKIPPED, Stage.SKIPPED,
    ]  # fmt: skip


def test_one_of_which_nothing_more_was_heard_is_not_under_way_for_ever() -> None:
    run = kept_run(GOING, heard_until=BEGAN + 250)
    under_way, silent = (PastSteps([run], run.heard_until + after) for after in (SILENT_S - 1, SILENT_S + 1))
    assert under_way.run.busy
    assert under_way.silence() == ""
    assert not silent.run.busy
    assert "nothing more was heard of it after 2026-09-21 14:09:30Z" in silent.silence()
    assert [act.outcome for act in silent.acts] == ["nothing more was heard of it"]


def test_what_was_run_by_then_is_listed_and_looks_are_not() -> None:
    look: list[Kept] = [Begun(NOW - 9, Doing.LOOK, "x", "y"), Ended(NOW - 8)]
    undone: list[Kept] = [Begun(NOW - 7, Doing.UNDO, "setting archiving up", "on the screen"), Ended(NOW - 6)]
    words = [act.words() for act in acts([kept_run(), kept_run([*look, *undone], "b")], NOW)]
    assert words == [
        "2026-09-21 14:13:13Z setting archiving up, taken back, on the screen: gone through",
        "2026-09-21 14:05:20Z setting archiving up, on the screen: ended: it was not agreed to",
    ]


def test_of_a_time_are_those_that_were_under_way_and_only_what_was_told_by_then() -> None:
    run = kept_run()
    assert between([run], BEGAN - 100, BEGAN - 1) == []
    assert between([run], run.heard_until + 1, NOW) == []
    (cut,) = between([run], BEGAN + 100, BEGAN + 132)
    assert cut.news == run.news[:9]
    assert cut.heard_until == BEGAN + 132


# -- In a recording.


def test_a_recording_has_them_and_an_earlier_one_has_none() -> None:
    run = kept_run()
    (back,) = recording_of(recording_text(_with(run))).runs
    assert back == run
    assert recording_of(recording_text(RECORDING)).runs == ()


def test_of_too_many_a_recording_has_the_newest() -> None:
    flood: list[News] = [{"at": NOW, "x": "y" * (MOST_BYTES // 3)}]
    runs = [kept_run()._replace(run=str(number), news=tuple(flood)) for number in range(4)]
    assert [each.run for each in runs_of(packed_runs(runs))] == ["2", "3"]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (3, "no text"),
        ("%%%", "damaged"),
        ("\u00e9", "damaged"),
        ("AAAA", "packed"),
        ({}, "no list"),
        ([3], "none"),
        ([["a" * 41, 0, 0, []]], "no name"),
        ([["a", -1, 0, []]], "no time"),
        ([["a", 0, 1e300, []]], "no time"),
        ([["a", 0, 0, {}]], "no list"),
        ([["a", 0, 0, [3]]], "none"),
        ([["a", 0, 0, [{"at": "x"}]]], "no time"),
        ([["a", 0, 0, []]] * 201, "too long"),
        ([["a", 0, 0, [{"at": 0}] * 20_001]], "too long"),
        ([["a", 0, 0, [{"at": 0, "x": "y" * MOST_BYTES}]]], "too long"),
    ],
)
def test_hostile_runs_are_refused(content: Any, why: str) -> None:
    runs = content if isinstance(content, int | str) else base64.b64encode(packed(content)).decode()
    with pytest.raises(ValueError, match=why):
        recording_of(_changed(runs=runs))


def test_hostile_news_are_shown_as_nothing() -> None:
    news: list[News] = [
        {"at": 0, "is": "Begun", "it": {"at": 0, "doing": "run", "what": "\x1b[2J", "by": "x" * (5 << 20)}},
        {"at": 0, "is": ["Ended"]},
        {"at": 0, "is": "Heard", "it": {"at": 1, "step": "no such", "stage": "asking"}},
        {"at": 0, "is": "Ended", "it": {"at": 1}},
    ]
    shown = PastSteps([KeptRun("a", 0, 0, tuple(news))], 0)
    assert not shown.run.busy
    assert shown.run.question is None
    assert shown.acts == []


def _with(run: KeptRun) -> Recording:
    return replace(RECORDING, runs=(run,))


# -- What keeps them.


class Failing(HeldHistory):
    """It cannot be written, for so many times."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.left = times

    def keep_run(self, cluster: str, run: str, began: float, until: float, news: Sequence[News]) -> None:
        self.left -= 1
        if self.left >= 0:
            raise RegisterError("keeping the past", "no space left on device", "see to it")
        super().keep_run(cluster, run, began, until, news)


class Yes:
    async def ask(self, _question: object) -> bool:
        return True


async def _no_look(_: object) -> Any:
    raise AssertionError("nothing is looked at")


async def run_them(held: HeldHistory, steps: list[Played]) -> list[Progress]:
    """By the real runner; what was told."""
    site = a_site(a_profile(), None, _no_look, record=MemoryRecord())  # type: ignore[arg-type]  # no shell is used
    site.clock, told = FrozenClock(), list[Progress]()
    keeper = StepsKept(held, "db", FrozenClock(), steps, "walconsole drill", "without a screen")
    async with keeper.doing(Doing.RUN):
        await Runner(site, steps, Yes(), keeper.before(told.append)).run()
    return told


async def test_a_run_is_kept_as_it_is_told() -> None:
    held = HeldHistory()
    told = await run_them(held, played_steps())
    (run,) = held.runs_until("db", NOW)
    news = list(read_news(run.news))
    assert isinstance(news[0], Begun)
    assert news[-1] == Ended(NOW)
    heard = [one for one in news if isinstance(one, Heard)]
    assert [(one.step, one.stage) for one in heard] == [
        (one.step, one.stage) for one in told if not (one.event is not None and "2.0" in str(one.event))
    ]
    assert PastRun(run, NOW).done


async def test_what_ended_it_is_kept_and_raised() -> None:
    steps, held = played_steps(), HeldHistory()
    steps[1].fails = f"token={SECRET} was refused"
    with pytest.raises(ProvisionError):
        await run_them(held, steps)
    (run,) = held.runs_until("db", NOW)
    shown = PastRun(run, NOW)
    assert shown.failure is not None
    assert "was refused" in shown.failure.why
    assert SECRET not in json.dumps(run.news)


async def test_a_disk_that_is_full_changes_nothing_of_the_run(caplog: pytest.LogCaptureFixture) -> None:
    steps, held = played_steps(), Failing(1000)
    with caplog.at_level(logging.WARNING):
        await run_them(held, steps)
    assert all(step.applied or step.state is CheckState.DONE for step in steps)
    assert caplog.text.count("are not kept") == 1


async def test_what_could_not_be_written_is_written_with_what_comes() -> None:
    held, clock = Failing(1), FrozenClock()
    keeper = StepsKept(held, "db", clock, (), "x", "y")
    for doing in (Doing.LOOK, Doing.RUN):
        async with keeper.doing(doing):
            keeper.hear(Progress("a", Stage.CHECKING, NOW))
    (run,) = held.runs_until("db", NOW)
    assert [type(one).__name__ for one in read_news(run.news)] == ["Begun", "Heard", "Ended"] * 2


async def test_a_flood_of_lines_is_not_kept_whole_and_what_takes_its_time_rarely() -> None:
    held, clock = HeldHistory(), FrozenClock()
    keeper = StepsKept(held, "db", clock, (), "x", "y")
    async with keeper.doing(Doing.RUN):
        for number in range(_MOST_LINES + 1000):
            keeper.hear(Progress("a", Stage.APPLYING, NOW, event=Printed(f"line {number}")))
        for second in range(60):
            keeper.hear(Progress("a", Stage.APPLYING, NOW + second, event=Moving("streaming", float(second))))
        keeper.hear(Progress("a", Stage.CHANGED, NOW))
    (run,) = held.runs_until("db", NOW + 60)
    events = [one.event for one in read_news(run.news) if isinstance(one, Heard) and one.event is not None]
    printed = [one for one in events if isinstance(one, Printed)]
    assert len(printed) == _MOST_LINES
    assert "the transcript has it" in printed[-1].text
    assert len([one for one in events if isinstance(one, Moving)]) == 12
    assert PastRun(run, NOW + 60).news["a"].stage is Stage.CHANGED
