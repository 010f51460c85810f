"""Who does not look is told when it gets worse, once a day while it is bad, when it is well: and not more."""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from walconsole.domain.notices import outbox, words
from walconsole.domain.notices.deciding import (
    LONGEST_STEP_S,
    Notice,
    NoticeKind,
    Rules,
    Seen,
    Standing,
    decide,
    seen_of,
)
from walconsole.domain.notices.outbox import Kept
from walconsole.domain.profile import WebhookShape
from walconsole.domain.standing.model import Diagnosis, Finding, Fix, Level, Severity, Story, Verdict
from walconsole.domain.standing.worsening import RANK

OK, UNKNOWN, WARNING, CRITICAL = Level.OK, Level.UNKNOWN, Level.WARNING, Level.CRITICAL
WORSE, STILL, WELL = NoticeKind.WORSE, NoticeKind.STILL, NoticeKind.WELL
AT = 1_790_000_000.0
RULES = Rules(worse_after_s=120, blind_after_s=600, well_after_s=600, again_s=86_400)
Steps = Iterable[tuple[Level, float]]


def told(
    steps: Steps, rules: Rules = RULES, standing: Standing | None = None, at: float = AT
) -> tuple[list[Notice], Standing]:
    """What is told while it is so for so many seconds, looked at every ten."""
    now, notices, standing = at, [], standing or Standing()
    for level, lasts in steps:
        for _ in range(max(1, round(lasts / 10))):
            now += 10
            standing, notice = decide(standing, Seen(now, 10, level, f"it is {level}"), rules, "db")
            notices += [] if notice is None else [notice]
    return notices, standing


def kinds(notices: Sequence[Notice]) -> list[tuple[NoticeKind, Level]]:
    return [(notice.kind, notice.level) for notice in notices]


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([(OK, 3600)], []),
        ([(CRITICAL, 110)], []),
        ([(CRITICAL, 130)], [(WORSE, CRITICAL)]),
        ([(UNKNOWN, 500), (OK, 3600)], []),
        ([(UNKNOWN, 700)], [(WORSE, UNKNOWN)]),
        ([(UNKNOWN, 700), (OK, 700)], [(WORSE, UNKNOWN), (WELL, OK)]),
        ([(UNKNOWN, 700), (CRITICAL, 130)], [(WORSE, UNKNOWN), (WORSE, CRITICAL)]),
        ([(WARNING, 130), (CRITICAL, 130)], [(WORSE, WARNING), (WORSE, CRITICAL)]),
        ([(CRITICAL, 130), (WARNING, 3600), (CRITICAL, 130)], [(WORSE, CRITICAL), (WORSE, CRITICAL)]),
        ([(CRITICAL, 130), (OK, 500), (CRITICAL, 100), (OK, 500)], [(WORSE, CRITICAL)]),
        ([(CRITICAL, 130), (OK, 610), (CRITICAL, 130)], [(WORSE, CRITICAL), (WELL, OK), (WORSE, CRITICAL)]),
        ([(CRITICAL, 130), (UNKNOWN, 3600)], [(WORSE, CRITICAL)]),
        ([(CRITICAL, 130), (OK, 590), (UNKNOWN, 10), (OK, 590)], [(WORSE, CRITICAL)]),
        ([(WARNING, 3 * 86_400)], [(WORSE, WARNING), (STILL, WARNING), (STILL, WARNING)]),
        ([(CRITICAL, 30), (OK, 30)] * 60, [(WORSE, CRITICAL)]),
        ([(CRITICAL, 10), (OK, 60)] * 600, []),
        ([(CRITICAL, 130), (OK, 86_500)], [(WORSE, CRITICAL), (WELL, OK)]),
    ],
)
def test_what_is_told(steps: Steps, expected: list[tuple[NoticeKind, Level]]) -> None:
    assert kinds(told(steps)[0]) == expected


def test_the_notices_of_one_trouble_say_so_and_each_has_an_id_of_its_own() -> None:
    notices, _ = told([(WARNING, 130), (CRITICAL, 130), (OK, 700), (CRITICAL, 130)])
    first, second = notices[0].incident, notices[3].incident
    assert [notice.incident for notice in notices] == [first, first, first, second]
    assert [notice.id for notice in notices] == [f"{first}-1", f"{first}-2", f"{first}-3", f"{second}-1"]
    assert first != second
    assert [notice.before for notice in notices] == [OK, WARNING, CRITICAL, OK]
    assert {notice.since for notice in notices[:3]} == {AT + 10}


def test_what_nobody_saw_counts_for_no_hold() -> None:
    seen = Seen(AT, 86_400, CRITICAL, "it fails")
    standing, notice = decide(Standing(), seen, RULES, "db")
    assert (standing.wrong_s, notice) == (LONGEST_STEP_S, None)


def test_a_clock_that_went_back_makes_no_id_a_second_time() -> None:
    """The same minute comes twice: the count of incidents tells them apart."""
    first, standing = told([(CRITICAL, 130), (OK, 700)])
    again, _ = told([(CRITICAL, 130)], standing=standing)
    assert first[0].at == again[0].at
    assert first[0].id != again[0].id


LEVELS = st.sampled_from(list(Level))
LOOKS = st.lists(st.tuples(LEVELS, st.integers(1, 200)), min_size=1, max_size=60)


@given(LOOKS)
def test_whatever_comes_it_is_told_in_order(looks: list[tuple[Level, int]]) -> None:
    notices, standing = told([(level, 10.0 * times) for level, times in looks])
    open_, last = False, OK
    for notice in notices:
        if notice.kind is WORSE:
            assert RANK[notice.level] > RANK[notice.before]
            open_ = True
        else:
            assert open_, "nothing is well again, or still so, that was not told"
            open_ = notice.kind is STILL
        last = notice.level
    assert len({notice.id for notice in notices}) == len(notices)
    assert (standing.told is OK) == (not open_)
    assert RANK[standing.told] <= RANK[last]


@given(LOOKS, st.sampled_from([UNKNOWN, WARNING, CRITICAL]))
def test_what_stays_bad_is_told_and_what_stays_well_too(looks: list[tuple[Level, int]], level: Level) -> None:
    before = [(each, 10.0 * times) for each, times in looks]
    notices, standing = told([*before, (level, 1300)])
    assert RANK[standing.told] >= RANK[level]
    assert any(RANK[notice.level] >= RANK[level] for notice in notices)
    assert told([(OK, 700)], standing=standing)[1].told is OK


@given(LOOKS)
def test_between_bad_and_well_are_the_minutes_that_the_profile_says(looks: list[tuple[Level, int]]) -> None:
    notices, _ = told([(level, 10.0 * times) for level, times in looks])
    for before, after in pairwise(notices):
        if after.kind is WELL:
            assert after.at - before.at >= RULES.well_after_s
        if before.kind is WELL:
            assert after.at - before.at >= RULES.worse_after_s


@given(LOOKS, st.lists(st.integers(-(10**8), 10**8), min_size=1, max_size=8))
def test_a_clock_that_jumps_changes_nothing_of_it(looks: list[tuple[Level, int]], jumps: list[int]) -> None:
    steps = [(level, 10.0 * times) for level, times in looks]
    standing, now, notices, number = Standing(), AT, [], 0
    for level, lasts in steps:
        for _ in range(round(lasts / 10)):
            now, number = now + 10 + (jumps[number % len(jumps)] if number % 50 == 7 else 0), number + 1
            now = min(max(now, 0.0), 4e9)
            standing, notice = decide(standing, Seen(now, 10, level, "so"), RULES, "db")
            notices += [] if notice is None else [notice]
    assert kinds(notices) == kinds(told(steps)[0])
    assert len({notice.id for notice in notices}) == len(notices)


@given(LOOKS)
def test_whoever_begins_again_with_what_was_kept_goes_on(looks: list[tuple[Level, int]]) -> None:
    steps = [(level, 10.0 * times) for level, times in looks]
    _, standing = told(steps)
    kept = Kept(standing, began_at=AT, looked_at=AT)
    document = json.loads(json.dumps(outbox.document_of(kept)))
    assert outbox.kept_of(document) == kept


# -- What is said.


def story(severity: Severity = Severity.CRITICAL) -> Diagnosis:
    from walconsole.domain.facts.snapshot import Snapshot

    root = Finding(
        "failing",
        severity,
        "the archive command FAILS: password=hunter2",
        ("evidence",),
        "put the key right",
        Snapshot.archiver,
        fixes=(Fix("renew it", ("rclone config",), step="limited-key", subject="it's"),),
    )
    told_story = Story(root, (), ("3 segments would be lost\x1b[31m",))
    return Diagnosis(Verdict(CRITICAL, "archiving FAILS"), (root,), (told_story,))


def test_the_first_message_has_what_is_lost_the_cause_and_the_command() -> None:
    seen = seen_of(story(), "db", AT, 10)
    assert seen.lost == ("3 segments would be lost",)
    assert seen.cause == "the archive command FAILS: password=[redacted]"
    own = "walconsole fix db --step limited-key --subject 'it'\\''s' --plan"
    assert seen.commands == (own, "rclone config")
    _, notice = decide(Standing(), seen, replace(RULES, worse_after_s=0), "db")
    assert notice is not None
    assert list(words.lines(notice)) == [
        "✖ db: CRITICAL: archiving FAILS",
        "at risk: 3 segments would be lost",
        "cause: the archive command FAILS: password=[redacted] (failing)",
        "do: put the key right",
        f"    {own}",
        "    rclone config",
        "since 2026-09-21 14:13 UTC; db-1-20260921T141320Z-1",
    ]
    assert list(words.lines(notice, repeat=True))[-1] == words.REPEAT


def test_what_is_only_worth_knowing_is_no_cause() -> None:
    assert seen_of(story(Severity.NOTE), "db", AT, 10).cause == ""


def a_notice(kind: NoticeKind = WORSE, level: Level = CRITICAL) -> Notice:
    return Notice("db-1-x-1", "db-1-x", kind, "db", AT, AT, level, OK, "<it> & fails", lost=("é" * 3000,))


def test_each_receiver_gets_its_shape() -> None:
    notice = a_notice()
    made = {shape: words.webhook(shape, notice) for shape in WebhookShape}
    assert all(headers["Idempotency-Key"] == notice.id for _, headers in made.values())
    slack = json.loads(made[WebhookShape.SLACK][0])
    assert "&lt;it&gt; &amp; fails" in slack["text"]
    assert "<it> & fails" in json.loads(made[WebhookShape.MATTERMOST][0])["text"]
    discord = json.loads(made[WebhookShape.DISCORD][0])
    assert len(discord["content"]) == 2000
    assert discord["allowed_mentions"] == {"parse": []}
    body, headers = made[WebhookShape.NTFY]
    assert body.decode().startswith("✖ db: CRITICAL: ")
    assert (headers["Title"], headers["Priority"]) == ("db: CRITICAL", "5")
    assert re.fullmatch(r"[0-9a-f]{32}", headers["X-Sequence-ID"]), "ntfy shows what has the same only once"
    _, again = words.webhook(WebhookShape.NTFY, notice, repeat=True)
    assert again["X-Sequence-ID"] == headers["X-Sequence-ID"]
    _, other = words.webhook(WebhookShape.NTFY, replace(notice, id="db-1-x-2"))
    assert other["X-Sequence-ID"] != headers["X-Sequence-ID"]
    plain = json.loads(made[WebhookShape.JSON][0])
    assert (plain["id"], plain["kind"], plain["level"], plain["repeat"]) == (
        notice.id,
        "worse",
        "critical",
        False,
    )


def test_pagerduty_has_one_alert_an_incident_and_resolves_it() -> None:
    trigger = json.loads(words.pagerduty(a_notice(), "R"))
    assert (trigger["event_action"], trigger["dedup_key"]) == ("trigger", "walconsole-db-1-x")
    assert trigger["payload"]["severity"] == "critical"
    assert len(trigger["payload"]["summary"]) <= 1024
    assert json.loads(words.pagerduty(a_notice(STILL, UNKNOWN), "R"))["payload"]["severity"] == "warning"
    resolve = json.loads(words.pagerduty(a_notice(WELL, OK), "R"))
    assert resolve == {
        "routing_key": "R",
        "event_action": "resolve",
        "dedup_key": "walconsole-db-1-x",
    }


# -- What is still to be told.


def numbered(number: int, kind: NoticeKind = WORSE) -> Notice:
    return replace(a_notice(kind), id=f"n{number}", lost=())


def test_each_way_takes_them_in_their_order_and_none_waits_for_another() -> None:
    kept = outbox.posted(Kept(), numbered(1), ["mail", "webhook"])
    kept = outbox.posted(kept, numbered(2), ["mail", "webhook"])
    kept = outbox.told(outbox.begun(kept, "n1", "mail"), "n1", "mail")
    assert [outbox.next_for(kept, way).notice.id for way in ("mail", "webhook")] == ["n2", "n1"]  # type: ignore[union-attr]
    kept = outbox.begun(kept, "n1", "webhook")
    assert outbox.next_for(kept, "webhook").begun == ("mail", "webhook")  # type: ignore[union-attr]
    assert outbox.next_for(outbox.not_told(kept, "n1", "webhook"), "webhook").begun == ("mail",)  # type: ignore[union-attr]
    for name, way in (("n1", "webhook"), ("n2", "webhook"), ("n2", "mail")):
        kept = outbox.told(kept, name, way)
    assert kept.outbox == ()


def test_what_an_earlier_watcher_left_is_taken_up_though_it_is_found_later() -> None:
    """Its incident would never have been ended: who was told of it was never told that it is well."""
    old = Standing(
        told=Level.CRITICAL, level=Level.CRITICAL, quiet_s=50, since=5, incident="db-7-x", said=1, incidents=7
    )
    before = Kept(old, outbox.posted(Kept(), numbered(1), ["mail"]).outbox, left_out=2)
    own = Kept(
        Standing(level=Level.OK, quiet_s=30),
        outbox.posted(Kept(), numbered(2), ["mail"]).outbox,
        9.0,
        left_out=1,
    )
    found = outbox.taken_up(before, own)
    assert [one.notice.id for one in found.outbox] == ["n1", "n2"]
    assert (found.left_out, found.began_at) == (3, 9.0)
    assert found.standing == replace(old, level=Level.OK, quiet_s=80)
    after, notice = decide(found.standing, Seen(100, 60, Level.OK, "well"), Rules(well_after_s=60), "db")
    assert (notice.kind, notice.incident) == (NoticeKind.WELL, "db-7-x")  # type: ignore[union-attr]
    assert after.told is Level.OK
    told = Kept(Standing(told=Level.WARNING, incident="db-1-y", said=1, incidents=1))
    assert outbox.taken_up(before, told).standing == replace(told.standing, incidents=8), "both told: its own"
    assert outbox.taken_up(Kept(), told).standing == told.standing


def test_a_way_that_is_no_more_keeps_nothing() -> None:
    kept = outbox.posted(Kept(), numbered(1), ["mail", "webhook"])
    assert outbox.by_ways(kept, ["webhook"]).outbox[0].ways == ("webhook",)
    assert outbox.by_ways(kept, []).outbox == ()
    assert outbox.posted(Kept(), numbered(1), []) == Kept()


def test_of_too_many_reminders_go_first_and_what_goes_is_counted() -> None:
    kept = outbox.posted(Kept(), numbered(0), ["mail"])
    for number in range(1, outbox.MOST_NOTICES + 5):
        kept = outbox.posted(kept, numbered(number, STILL if number % 2 else WORSE), ["mail"])
    assert len(kept.outbox) == outbox.MOST_NOTICES
    assert kept.left_out == 5
    assert kept.outbox[0].notice.id == "n0"
    assert {f"n{number}" for number in range(0, outbox.MOST_NOTICES + 5, 2)} <= {
        one.notice.id for one in kept.outbox
    }


def test_it_is_tried_again_soon_and_then_less_often() -> None:
    pauses = [outbox.pause_s(failures) for failures in range(1, 12)]
    assert pauses[:3] == [5.0, 10.0, 20.0]
    assert pauses == sorted(pauses)
    assert pauses[-1] == outbox.LONGEST_PAUSE_S


@pytest.mark.parametrize("document", [None, {}, {"document": outbox.DOCUMENT, "version": 2}, []])
def test_what_is_no_document_of_ours_is_not_believed(document: object) -> None:
    with pytest.raises(ValueError, match="it "):
        outbox.kept_of(document)
