"""What the screen that leads through a recovery shows, row by row."""

from dataclasses import replace

import pytest
from rich.cells import cell_len

from tests.data.moments import found_moments
from tests.data.recoveries import NOW, RECOVERIES
from tests.data.recovering import PAUSED
from walconsole.domain.moments.events import Kind
from walconsole.domain.recovery.recover_draft import RecoverDraft, before_its_locks, draft_of
from walconsole.domain.recovery.recover_plan import RecoveryWish
from walconsole.domain.recovery.recover_state import RecoveryState
from walconsole.domain.recovery.recover_target import RecoverTo, RecoveryTarget, read_target
from walconsole.domain.standing.assessment import Assessment
from walconsole.domain.standing.model import Level
from walconsole.domain.standing.recovering import foreseen, place_beside
from walconsole.ui.board.content import Line
from walconsole.ui.board.glyphs import UNICODE
from walconsole.ui.dialogs.help import explanations
from walconsole.ui.recovery import recover_rows
from walconsole.ui.recovery.layout import RECOVER_PANES
from walconsole.ui.recovery.recover_rows import RecoverPicture

SNAPSHOT = RECOVERIES["nightly"]()
FOUND = found_moments()


def found_draft() -> RecoverDraft:
    """Just before the dropped table."""
    moment = FOUND.worst(FOUND.moments())
    assert moment is not None
    return draft_of(FOUND.answer(moment), FOUND, place_beside(SNAPSHOT))


def test_a_dump_is_offered_of_the_one_table_that_the_event_is_about() -> None:
    parts = {
        moment.kind: draft_of(FOUND.answer(moment), FOUND, place_beside(SNAPSHOT)).part
        for moment in FOUND.moments()
    }
    assert parts[Kind.DELETED] == "shop/public.orders"
    assert parts[Kind.DROPPED] == "", "of three, and none has a name"
    assert parts[Kind.RESTORE_POINT] == ""


def to(target: RecoveryTarget) -> RecoverDraft:
    return RecoverDraft(RecoveryWish(target, place_beside(SNAPSHOT)))


def picture(draft: RecoverDraft, state: RecoveryState | None = None, unread: str = "") -> RecoverPicture:
    seen = foreseen(Assessment(SNAPSHOT, NOW), draft.wish, lsn=draft.lsn, last_commit=draft.last_commit)
    return RecoverPicture("shithub", draft, seen, state or RecoveryState(), unread)


PICTURES = {
    "found": picture(found_draft()),
    "blocked": picture(to(read_target(RecoverTo.LSN, "0/1000", timeline=2))),
    "not placed": picture(to(read_target(RecoverTo.XID, "731", timeline=2))),
    "paused": picture(found_draft(), replace(PAUSED, message="it \x1b[31msays\x1b[0m so " * 20)),
    "unread": picture(to(RecoveryTarget(RecoverTo.LATEST)), unread="not known: the connection is lost"),
}


def every(shown: RecoverPicture, width: int) -> dict[str, tuple[Line, ...]]:
    return {
        "aim": recover_rows.aim_rows(shown, width, UNICODE),
        "forecast": recover_rows.forecast_rows(shown, width, UNICODE),
        "way": recover_rows.way_rows(shown, width),
    }


@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.parametrize("width", [39, 79, 199])
def test_every_row_fits_and_is_printable(name: str, width: int) -> None:
    for rows in every(PICTURES[name], width).values():
        for row in rows:
            assert row.text.isprintable(), row.text
            assert cell_len(row.text) <= width


def test_every_row_is_explained_and_every_explanation_has_a_row() -> None:
    for pane in RECOVER_PANES:
        seen = {row.entry for shown in PICTURES.values() for row in every(shown, 119)[pane] if row.entry}
        assert seen == {item.entry for item in explanations(pane)} - {"stale", "unread", "missing"}, pane


def test_the_first_line_names_the_profile_whatever_it_says() -> None:
    verdicts = {name: shown.verdict for name, shown in PICTURES.items()}
    assert {name: (level, word) for name, (level, word, _) in verdicts.items()} == {
        "found": (Level.WARNING, "to do"),
        "blocked": (Level.CRITICAL, "blocked"),
        "not placed": (Level.WARNING, "to do"),
        "paused": (Level.WARNING, "open"),
        "unread": (Level.WARNING, "to do"),
    }
    assert all("shithub" in text for _, _, text in verdicts.values())


def test_another_host_is_named_wherever_something_is_said_to_stand() -> None:
    there = replace(SNAPSHOT, told=replace(SNAPSHOT.told, spare="root@spare"))
    draft = found_draft()
    shown = RecoverPicture("shithub", draft, foreseen(Assessment(there, NOW), draft.wish), RecoveryState())
    assert "on root@spare" in shown.verdict[2]
    assert any("on root@spare" in row.text for row in every(shown, 119)["aim"])
    paused = picture(draft, replace(PAUSED, host="root@spare"))
    assert "on root@spare" in paused.verdict[2]
    assert any("on root@spare" in row.text for row in every(paused, 119)["aim"])


def test_what_the_wal_says_of_the_loss_goes_before_what_bytes_say() -> None:
    found = found_draft()
    lost = " ".join(row.text for row in every(picture(found), 199)["forecast"])
    assert found.loss.split(",")[0] in lost
    turned = replace(found, wish=replace(found.wish, target=replace(found.wish.target, inclusive=True)))
    lost = " ".join(row.text for row in every(picture(turned), 199)["forecast"])
    assert found.loss.split(",")[0] not in lost


def test_a_refusal_is_said_once_with_its_page() -> None:
    (refused,) = PICTURES["blocked"].refusals
    assert refused[0] == "target-before-consistency"
    rows = [row for row in every(PICTURES["blocked"], 199)["forecast"] if row.entry == recover_rows.REFUSED]
    assert "walconsole explain target-before-consistency" in " ".join(row.text for row in rows)


def test_where_nothing_was_committed_meanwhile_it_goes_to_before_the_locks() -> None:
    draft = found_draft()
    moment = FOUND.worst(FOUND.moments())
    assert moment is not None
    assert moment.first_lsn is not None
    (first, why), (second, _) = draft.offered[:2]
    assert (first.lsn, second.lsn) == (moment.first_lsn, moment.lsn)
    assert "its tables can be read and dumped" in why
    ends = FOUND.collected.ends
    assert before_its_locks(replace(moment, has_beginning=False), ends) is None
    assert before_its_locks(replace(moment, locked=()), ends) is None


def test_where_others_were_committed_meanwhile_it_says_what_it_lacks() -> None:
    moment = FOUND.worst(FOUND.moments())
    first = FOUND.collected.ends.lsns[0]
    assert moment is not None
    found = before_its_locks(replace(moment, first_lsn=first), FOUND.collected.ends)
    assert found is not None
    assert found[2] > 0
    assert found[1].endswith(f"lacks {found[2]} transactions more")
