"""The panes as pure functions: every state at every width, and what must never show."""

from dataclasses import replace
from importlib import import_module

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from tests.data.archives import accepted
from tests.data.facts import NOW, bucket
from tests.data.facts import healthy as whole
from tests.data.snapshots import HOSTILE, STATES, all_dead, healthy, idle, incident, nothing_readable
from walconsole.domain.facts.log_line import read_line
from walconsole.domain.facts.snapshot import Freshness, Reading, Snapshot, Told
from walconsole.domain.failures import diagnose
from walconsole.domain.profile import BucketRole
from walconsole.ui.board.catalogue import PANES
from walconsole.ui.board.content import ASCII, UNICODE, Content, Glyphs, View
from walconsole.ui.board.typeset import fit, fit_left, fit_middle, sparkline, stamp_spans, wrapped
from walconsole.ui.dashboard.log import log_line
from walconsole.ui.dialogs.help import explanations

FACT_PANES = [spec.name for spec in PANES if spec.name != "log"]
WIDTHS = (18, 38, 58, 66, 78, 118, 198)


def draw(name: str, snapshot: Snapshot, width: int = 58, glyphs: Glyphs = UNICODE) -> Content:
    """The pane's content."""
    view = View(snapshot, diagnose(snapshot, NOW), NOW, width, glyphs)
    content: Content = import_module(f"walconsole.ui.dashboard.{name}").render(view)
    return content


def text_of(content: Content) -> str:
    """All rows."""
    return "\n".join(line.text for line in content.lines)


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("name", FACT_PANES)
def test_every_state_is_drawn_at_every_width_on_one_line_a_row(name: str, state: str) -> None:
    snapshot = STATES[state]()
    for width in WIDTHS:
        content = draw(name, snapshot, width)
        assert content.lines
        for line in content.lines:
            assert line.text.strip()
            assert line.text.isprintable()


@pytest.mark.parametrize("rows", [0, 4, 9, 14, 40])
@pytest.mark.parametrize("state", ["incident", "failing", "all_dead"])
def test_findings_stand_once_with_what_to_do_first(state: str, rows: int) -> None:
    snapshot = STATES[state]()
    view = View(snapshot, diagnose(snapshot, NOW), NOW, 78, rows=rows)
    content: Content = import_module("walconsole.ui.dashboard.findings").render(view)
    titles = [line.value for line in content.lines if line.entry == "finding"]
    assert sorted(titles) == sorted(finding.title for finding in view.diagnosis.findings)
    assert content.lines[content.first - 1].entry == "remedy"
    assert len(content.lines) <= content.wished
    whole_view = len(content.lines) == content.wished
    assert whole_view == (not rows or content.wished <= rows)
    assert whole_view or "more evidence" in content.lines[-1].text
    remedies = {finding.remedy for finding in view.diagnosis.findings}
    assert remedies <= {line.value for line in content.lines}


def test_one_error_is_told_once_on_the_board() -> None:
    snapshot = STATES["failing"]()
    view = View(snapshot, diagnose(snapshot, NOW), NOW, 58, rows=30)
    everything = " ".join(
        line.text.strip()
        for name in FACT_PANES
        for line in import_module(f"walconsole.ui.dashboard.{name}").render(view).lines
    )
    assert everything.count("AccessDenied") == 1
    assert everything.count("grant the key read and write") == 1


@pytest.mark.parametrize("name", FACT_PANES)
def test_hostile_text_arrives_without_controls_and_as_it_reads(name: str) -> None:
    content = draw(name, STATES["hostile"](), 198)
    everything = text_of(content).replace("\n", "") + "".join(span.text for span in content.summary)
    everything += "".join(span.text for span in stamp_spans(content.stamps, 100, UNICODE))
    assert not any(ord(char) < 32 or 0x7F <= ord(char) < 0xA0 or char == "\u202e" for char in everything)
    assert HOSTILE not in everything


@pytest.mark.parametrize("name", FACT_PANES)
def test_what_was_never_read_is_neither_zero_nor_blank(name: str) -> None:
    if name == "findings":
        return
    content = draw(name, nothing_readable())
    assert "n/a" in text_of(content)
    reason = "connection refused" if name == "droplet" else "no SSH"
    assert reason in text_of(content).replace("\n   ", "")
    assert {stamp.freshness for stamp in content.stamps} == {Freshness.FAILED}
    assert not any(line.label and line.value.startswith("0") for line in content.lines)


@pytest.mark.parametrize("name", [name for name in FACT_PANES if name != "findings"])
def test_a_dead_source_keeps_its_values_marked_by_word_and_sign(name: str) -> None:
    content = draw(name, all_dead(), 118)
    text = text_of(content)
    assert "stale since" in text or "stale," in text
    assert ("203.0.113.7:22 was lost" if name == "droplet" else "no SSH") in text
    stale = [line for line in content.lines if line.stale]
    assert stale or name == "bucket"
    assert all(line.text.startswith(UNICODE.stale) for line in stale)
    title = "".join(span.text for span in stamp_spans(content.stamps, 60, UNICODE))
    assert "stale 42 s" in title


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("name", FACT_PANES)
def test_every_row_is_explained(name: str, state: str) -> None:
    known = {item.entry for item in explanations(name)}
    for line in draw(name, STATES[state]()).lines:
        assert line.entry in known, line.text


@pytest.mark.parametrize("spec", PANES)
def test_every_explanation_says_what_it_means_and_where_it_comes_from(spec: object) -> None:
    for item in explanations(getattr(spec, "name", "")):
        assert item.label
        assert item.means.endswith(".")
        assert item.source


def test_without_unicode_every_sign_is_ascii() -> None:
    for name in FACT_PANES:
        for state in ("incident", "healthy", "failing", "idle"):
            content = draw(name, STATES[state](), 78, ASCII)
            odd = {char for char in text_of(content) if ord(char) > 126}
            assert odd <= {"…", "±"}, (name, odd)


def test_enter_on_a_dead_file_leads_to_what_it_sets() -> None:
    rows = [line for line in draw("configuration", incident(), 118).lines if line.entry == "dead_file"]
    assert {line.link.setting for line in rows if line.link} == {"archive_mode"}
    assert all(line.link for line in rows)


def test_the_incident_says_what_would_be_lost_and_which_file_is_dead() -> None:
    assert "everything: nothing was ever archived" in text_of(draw("archiver", incident()))
    text = text_of(draw("configuration", incident(), 118))
    assert "/data/pgdata/postgresql.conf" in text
    assert "never read: config_file is" in text
    assert "NoSuchBucket" not in text_of(draw("bucket", incident()))
    assert "HTTP 404" in text_of(draw("bucket", incident(), 118))


def test_an_idle_server_is_at_rest() -> None:
    text = text_of(draw("archiver", idle()))
    assert "idle" in text
    assert "at rest" in text


def test_numbers_of_a_column_end_in_one_place() -> None:
    lines = {line.label: line.text for line in draw("archiver", healthy()).lines}
    assert lines["archived"].index(" session") == lines["failed"].index(" session")
    assert lines["archived"].index(" since reset") == lines["failed"].index(" since reset")
    assert lines["lag"].index(" segment") == lines["lost if now"].index(" segment")


def test_a_segment_name_is_copied_whole_though_its_middle_is_cut() -> None:
    newest = next(line for line in draw("bucket", healthy()).lines if line.label == "newest")
    assert newest.value == "000000010000000000000041\t000000010000000000000041"


@given(st.text(max_size=60), st.integers(0, 40))
def test_fitted_text_is_never_wider_than_its_room(text: str, width: int) -> None:
    for cut in (fit, fit_left, fit_middle):
        assert cell_len(cut(text, width)) <= max(width, 0)
    for line in wrapped(text, width):
        assert cell_len(line) <= max(8, width)


@given(st.lists(st.floats(0, 1e6), max_size=40))
def test_a_sparkline_has_a_sign_for_each_value(values: list[float]) -> None:
    drawn = sparkline(values, UNICODE.sparks)
    assert len(drawn) == len(values)
    assert set(drawn) <= set(UNICODE.sparks)


def test_what_accepted_gaps_lack_is_in_the_value_that_is_copied() -> None:
    held = bucket()
    assert held.continuity is not None
    known = replace(
        held,
        continuity=replace(held.continuity, accepted_segments=3),
        accepted_gaps=(accepted(BucketRole.PRIMARY),),
    )
    values = [line.value for line in draw("bucket", whole(primary=known)).lines if line.value]
    assert "65, 3 segments missing in accepted gaps\t65, no gap" in values


def test_a_second_copy_that_is_not_wanted_is_named_as_that_and_nowhere_as_unread() -> None:
    alone = replace(healthy(), dr=Reading(Snapshot.dr), told=Told(second_copy=False))
    for width in (58, 120):
        drawn = draw("bucket", alone, width)
        assert "none, by choice" in text_of(drawn)
        assert "not read" not in text_of(drawn)
        assert len(drawn.stamps) == 1


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("2026-09-21 13:33:12.123 UTC [801] LOG:  x", "13:33:12"),
        ("2026-09-21 15:33:12.123 CEST [801] LOG:  x", "15:33:12 CEST"),
        ("2026-09-21 15:33:12 +02 [801] LOG:  x", "15:33:12 +02"),
        ("1789997592.123 [801] LOG:  x", "13:33:12"),  # log_line_prefix %n
        ("2026/09/21 13:33:12 ERROR : rclone names no zone", "13:33:12"),
        ("nothing tells when it was", "--:--:--"),
    ],
)
def test_a_logs_line_has_its_zone_where_that_is_another(written: str, shown: str) -> None:
    spans = log_line(read_line("postgresql", written), UNICODE).spans
    assert spans[0].text.strip() == shown
