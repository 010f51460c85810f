"""What the base backup's script says of itself, and how far it is, in words and rows."""

import json
from collections.abc import Mapping
from dataclasses import replace

import pytest

from tests.data.provisioning import a_profile, a_site
from walconsole.domain.recovery.running import BackupRunStatus, read_status
from walconsole.provision.engine.model import Event, Moving, Printed, Progress, Stage
from walconsole.provision.engine.printing import PlainLines, moving_text
from walconsole.provision.fixes.catalogue import undoable
from walconsole.provision.steps.catalogue import BASE_BACKUPS, steps
from walconsole.ui.board.glyphs import ASCII
from walconsole.ui.board.provision_run import StepNews
from walconsole.ui.provisioning.rows import EventLines

TOLD: Mapping[str, object] = {
    "format": 1, "id": "20261129T031000Z", "state": "streaming", "pid": 4711, "began": 100, "at": 160,
    "expected_bytes": 1000, "read_bytes": 400, "exit": None, "message": "",
}  # fmt: skip
MIB = 1024**2


def status(**changes: object) -> BackupRunStatus | None:
    return read_status(json.dumps({**TOLD, **changes}).encode())


def test_a_status_is_read_as_the_script_writes_it() -> None:
    running = status()
    assert running == BackupRunStatus(
        "20261129T031000Z", "streaming", 4711, 100, 160, expected_bytes=1000, read_bytes=400
    )
    assert running.run == (4711, 100)
    ended = status(state="failed", exit=9, message="interrupted", expected_bytes=None, newer="field")
    assert ended is not None
    assert (ended.exit_status, ended.message, ended.expected_bytes) == (9, "interrupted", None)


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"[]", b"\xff", b'{"format":2}', b'{"format":1}', b"[" * 100_000, b"1" * (2 * MIB),
        json.dumps({**TOLD, "pid": -1}).encode(),
        json.dumps({**TOLD, "exit": 256}).encode(),
        json.dumps({**TOLD, "at": 10**12}).encode(),
        json.dumps({**TOLD, "read_bytes": "all"}).encode(),
    ],
)  # fmt: skip
def test_what_is_none_is_none(content: bytes) -> None:
    assert read_status(content) is None


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (Moving("it waits", 12.4), "it waits: 12 s"),
        (Moving("it sends", 1, 5 * MIB), "it sends: 5.00 MiB"),
        (Moving("it sends", 1, 5 * MIB, 20 * MIB), "it sends: 25% of 20.0 MiB"),
        (
            Moving("it sends", 9, 5 * MIB, 20 * MIB, MIB, 15.0),
            "it sends: 25% of 20.0 MiB, 1.00 MiB/s, 15 s left",
        ),
        (Moving("it sends", 9, 21 * MIB, 20 * MIB), "it sends: 100% of 20.0 MiB"),
        (Moving("it sends", 9, 0, 0), "it sends: 0 B"),
    ],
)
def test_how_far_it_is_in_words(event: Moving, said: str) -> None:
    assert moving_text(event) == said


def test_a_line_is_written_for_each_tenth_and_each_half_minute() -> None:
    lines: list[str] = []
    printer = PlainLines(lines.append)

    def tell(event: Event) -> None:
        printer.told(Progress("first-backup", Stage.APPLYING, 1.0, event=event))

    for done in range(101):
        tell(Moving("it sends", float(done), done, 100))
    assert [line.split()[2] for line in lines[1:]] == [f"{tenth * 10}%" for tenth in range(11)]
    lines.clear()
    for second in range(95):
        tell(Moving("it is read back", float(second)))
    assert [line.strip() for line in lines] == [
        f"it is read back: {said}" for said in ("30 s", "1 min 00 s", "1 min 30 s")
    ]


def test_on_the_screen_it_is_one_row_with_a_bar() -> None:
    news = StepNews()
    rows = EventLines(ASCII)
    news.hear(1.0, Printed("it begins"))
    for done in (0, 25, 50):
        news.hear(1.0, Moving("it sends", 1.0, done, 100))
    text = ["".join(span.text for span in line.spans) for line in rows.of(news)]
    assert text == ["  it begins", "  ######...... it sends: 50% of 100 B"]
    news.hear(1.0, Moving("it is read back", 3.0))
    assert len(rows.of(news)) == 2


def test_where_none_are_expected_the_steps_are_left_out_and_can_still_be_undone() -> None:
    async def look(_: object) -> None:
        raise AssertionError

    ids = {kind.id for kind in BASE_BACKUPS}
    profile = a_profile()
    with_them = a_site(profile, None, look)  # type: ignore[arg-type]  # nothing is asked of either
    without = a_site(replace(profile, expect_base_backups=False), None, look)  # type: ignore[arg-type]
    assert [step.id for step in steps(with_them)][-3:] == [kind.id for kind in BASE_BACKUPS]
    assert ids & {step.id for step in steps(without)} == set()
    assert ids <= {step.id for step in undoable(without)}
