"""A run as the screen sees it: what it keeps, what it says of failures, and the rows of its news."""

from collections.abc import Mapping, Sequence

import pytest

from tests.data.provision_run import MADE, WRITTEN, played_steps
from walconsole.provision.engine.model import (
    Change,
    ChangeKind,
    Changing,
    Event,
    Gate,
    Plan,
    Printed,
    Progress,
    Stage,
    Step,
    Tell,
    Waiting,
)
from walconsole.ui.board.glyphs import UNICODE
from walconsole.ui.board.provision_run import HISTORY_KEPT, ProvisionRun, StepNews
from walconsole.ui.provisioning.rows import ROWS_KEPT, EventLines, summary_rows
from walconsole.ui.provisioning.transcript import undo_words


class Telling:
    """A runner that tells what it was given, and may raise what no step should."""

    def __init__(self, tell: Tell, news: Sequence[Progress], undoing: Sequence[Progress] = ()) -> None:
        self.steps: Sequence[Step] = played_steps()
        self.stages: Mapping[str, Stage] = {}
        self.done = False
        self.raises: Exception | None = None
        self._tell, self._news, self._undoing = tell, news, undoing

    async def run(self) -> None:
        for news in self._news:
            self._tell(news)
        if self.raises is not None:
            raise self.raises

    async def check_all(self) -> None:
        """Nothing is to be seen."""

    async def undo(self) -> None:
        for news in self._undoing:
            self._tell(news)


def a_run(
    news: Sequence[Progress], undoing: Sequence[Progress] = (), raises: Exception | None = None
) -> ProvisionRun:
    async def make(gate: Gate, tell: Tell) -> Telling:
        runner = Telling(tell, news, undoing)
        runner.raises = raises
        return runner

    return ProvisionRun(make)


def applying(event: Event, step: str = "buckets") -> Progress:
    return Progress(step, Stage.APPLYING, 1.0, event=event)


async def ended(run: ProvisionRun) -> None:
    assert run._task is not None
    await run._task


async def test_a_flood_of_lines_does_not_wash_away_what_was_changed() -> None:
    run = a_run([applying(Changing(MADE)), *(applying(Printed(f"line {n}")) for n in range(HISTORY_KEPT))])
    run.start()
    await ended(run)
    assert run.changes == [MADE]
    assert len(run.history) == HISTORY_KEPT


async def test_what_is_taken_back_is_no_longer_listed_and_the_rest_is() -> None:
    undone = [
        applying(Printed("taken back"), "drop-in"),
        Progress("drop-in", Stage.UNDONE, 2.0),
        Progress("buckets", Stage.KEPT, 2.0),
    ]
    run = a_run([applying(Changing(MADE)), applying(Changing(WRITTEN), "drop-in")], undone)
    run.start()
    await ended(run)
    run.undo()
    await ended(run)
    assert run.changes == [MADE]
    assert run.undone


async def test_what_nobody_foresaw_is_said_without_its_text_and_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    run = a_run([applying(Changing(MADE))], raises=OSError("a text that may hold anything"))
    run.start()
    with pytest.raises(OSError, match="a text"):
        await ended(run)
    assert run.failure is not None
    assert "internal error: OSError; the log has the details" in run.failure.line()
    assert "a text" not in run.failure.line()
    assert run.news["buckets"].stage is Stage.FAILED
    assert run.news["buckets"].error is run.failure
    assert run.suggested == "buckets"
    assert run.changes == [MADE]
    assert [record.exc_info is not None for record in caplog.records] == [True]


def texts(lines: EventLines, news: StepNews) -> list[str]:
    return [line.text.strip() for line in lines.of(news)]


def test_rows_grow_with_the_news_and_a_wait_is_one_row_however_often_it_is_looked_at() -> None:
    news, lines = StepNews(), EventLines(UNICODE)
    for second in range(3):
        news.hear(0.0, Waiting("the bucket appears", second, 30.0))
        assert texts(lines, news) == [f"the bucket appears: {second} s of at most 30 s"]
    news.hear(0.0, Printed("there it is"))
    news.hear(0.0, Waiting("the key works", 0.0, 90.0))
    assert texts(lines, news)[1:] == ["there it is", "the key works: 0 s of at most 90 s"]


def test_rows_begin_anew_with_another_step_and_another_run() -> None:
    lines, one, other = EventLines(UNICODE), StepNews(), StepNews()
    one.hear(0.0, Printed("one"))
    other.hear(0.0, Printed("other"))
    assert texts(lines, one) == ["one"]
    assert texts(lines, other) == ["other"]
    assert texts(lines, one) == ["one"]
    one.forget()
    assert texts(lines, one) == []
    for name in ("again", "and again"):
        one.hear(0.0, Printed(name))
    assert texts(lines, one) == ["again", "and again"]


@pytest.mark.parametrize("at_once", [1, 700, 3 * ROWS_KEPT])
def test_only_the_last_rows_are_kept_however_many_come_between_two_looks(at_once: int) -> None:
    news, lines, count = StepNews(), EventLines(UNICODE), 2 * ROWS_KEPT + 3
    for number in range(count):
        news.hear(0.0, Printed(str(number)))
        if number % at_once == 0:
            lines.of(news)
    assert texts(lines, news) == [str(number) for number in range(count - ROWS_KEPT, count)]


def summary(run: ProvisionRun) -> str:
    return "\n".join(line.text for line in summary_rows(run, 100, UNICODE))


async def test_a_probe_that_wrote_is_not_said_to_have_changed_nothing() -> None:
    probe = played_steps()[1]
    run = a_run(
        [
            Progress(probe.id, Stage.APPLYING, 1.0, plan=Plan("write", undo="nothing is left to undo")),
            Progress(probe.id, Stage.CHANGED, 2.0),
        ]
    )
    run.start()
    await ended(run)
    said = summary(run)
    assert f"{probe.title}: adds something new, done" in said
    assert "nothing is left to undo" in said
    assert "nothing was changed" not in said


async def test_where_nothing_ran_nothing_was_changed() -> None:
    run = a_run([])
    run.start()
    await ended(run)
    assert summary(run) == "nothing was changed in this session"


@pytest.mark.parametrize(
    ("before", "words"),
    [
        ("", "take the grant away again"),
        ("none", "take the grant away again"),
        ("read", "give it read again"),
    ],
)
def test_a_grant_is_taken_back_in_words_that_can_be_read(before: str, words: str) -> None:
    assert undo_words(Change("grants", ChangeKind.GRANT, "key", before=before)) == words
