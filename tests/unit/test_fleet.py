"""Many clusters: their rows, the order, the filter, and which is looked at next."""

from dataclasses import replace
from itertools import pairwise

import pytest

from tests.data.facts import NOW
from tests.data.fleet import row_of, rows, snapshot_of
from walconsole.domain.facts.observed import WalDiskFacts
from walconsole.domain.facts.snapshot import Problem, Reading, Snapshot, failed, fold, succeeded
from walconsole.domain.fleet import schedule
from walconsole.domain.fleet.order import Grouping, grouped, matching, next_in_trouble, ordered, with_twins
from walconsole.domain.fleet.row import (
    STALE_AFTER_S,
    FleetRow,
    Identity,
    after_look,
    aged,
    asks_for_more,
    glanced,
    is_unreachable,
    kept_of,
    unreached,
)
from walconsole.domain.fleet.schedule import Kind, Turn, next_look
from walconsole.domain.standing.model import Level
from walconsole.ui.board.glyphs import ASCII
from walconsole.ui.fleet.columns import ALL, SETS, layout, widest
from walconsole.ui.fleet.rows import Rows, entries, export, summary, table

# -- A row.


@pytest.mark.parametrize(
    ("state", "level", "lost", "backlog"),
    [
        ("healthy", Level.OK, 41.0, 0),
        ("idle", Level.OK, 0.0, 0),
        ("slow", Level.WARNING, 244.0, 121),
        ("failing", Level.CRITICAL, 1260.0, 38),
        ("incident", Level.CRITICAL, float("inf"), 0),
        ("nothing_readable", Level.UNKNOWN, None, None),
    ],
)
def test_a_row_says_what_its_snapshot_says(
    state: str, level: Level, lost: float | None, backlog: int | None
) -> None:
    row = row_of("x", state)
    assert (row.level, row.backlog) == (level, backlog)
    assert row.lost_s == (lost if lost is None else pytest.approx(lost, abs=2))
    assert row.was_seen


def test_a_row_tells_to_where_a_restore_can_go() -> None:
    row = row_of("x", "nightly")
    assert row.since is not None
    assert row.until is not None
    assert row.backup_at is not None
    assert row.since <= row.backup_at <= row.until <= NOW
    assert row_of("x", "none_taken").backup_at is None


def test_what_is_old_is_well_no_more_and_what_is_bad_stays_bad() -> None:
    well, bad = row_of("x", "healthy"), row_of("x", "failing")
    late = NOW + STALE_AFTER_S + 60
    assert aged(well, NOW + 60) is well
    assert aged(well, late).level is Level.UNKNOWN
    assert "not looked at for 31 min" in aged(well, late).verdict
    assert aged(bad, late) is bad


def test_the_age_is_that_of_the_oldest_reading() -> None:
    snapshot = snapshot_of("healthy")
    oldest = min(slot.of(snapshot).read_at or NOW for slot in snapshot.slots if slot is not Snapshot.link)
    row = row_of("x", "healthy")
    assert row.age_s(NOW) == pytest.approx(NOW - oldest)


def waiting(snapshot: Snapshot, ready: int, at: float) -> Snapshot:
    before: Reading[WalDiskFacts] = snapshot.wal_disk
    assert before.value is not None
    disk = replace(before.value, ready_count=ready)
    return fold(snapshot, succeeded(before, disk, at, "ls", 2.0), at)


@pytest.mark.parametrize(
    ("before", "after", "more"), [(0, 0, False), (0, 1, False), (0, 2, True), (5, 5, False), (5, 6, True)]
)
def test_more_that_waits_asks_for_a_whole_look(before: int, after: int, more: bool) -> None:
    was = waiting(snapshot_of("healthy"), before, NOW)
    now = waiting(was, after, NOW + 60)
    assert asks_for_more(was, now) is more
    row = row_of("x", "healthy")
    later = glanced(row, now, NOW + 60)
    assert (later.level, later.verdict, later.read_at) == (row.level, row.verdict, row.read_at)


def test_trends_go_on_over_the_looks_and_what_was_not_read_is_not_taken_from_before() -> None:
    first = snapshot_of("healthy")
    fresh = Snapshot(first.profile_name, NOW + 60, NOW + 60)
    assert first.wal_disk.value is not None
    fresh = fold(fresh, succeeded(fresh.wal_disk, first.wal_disk.value, NOW + 60, "ls", 2.0), NOW + 60)
    merged = after_look(first, fresh)
    assert len(merged.history.disk) == len(first.history.disk) + 1
    assert merged.archiver.value is None
    assert after_look(None, fresh) is fresh
    assert is_unreachable(Snapshot("x", NOW, NOW))
    assert not is_unreachable(first)
    lost = failed(first.host, Problem("gone", code="SshLost"), NOW, "ssh", 2.0)
    assert is_unreachable(fold(first, lost, NOW))


def test_what_is_kept_between_looks_is_what_a_glance_goes_on_from() -> None:
    whole = snapshot_of("failing")
    kept = kept_of(whole)
    assert (kept.host, kept.wal_disk, kept.history) == (whole.host, whole.wal_disk, whole.history)
    assert kept.catalogue.value is None
    assert not asks_for_more(kept, kept)


def test_a_host_that_is_not_reached_is_unknown_and_what_is_critical_stays_so() -> None:
    snapshot = kept_of(snapshot_of("healthy"))
    lost = failed(
        snapshot.host, Problem("ssh x: it is off", brief="it is off", code="SshLost"), NOW, "s", 2.0
    )
    gone = fold(snapshot, lost, NOW)
    row = unreached(row_of("x", "healthy"), gone)
    assert (row.level, row.verdict) == (
        Level.UNKNOWN,
        "cannot tell: the droplet cannot be reached: it is off",
    )
    bad = row_of("x", "failing")
    assert unreached(bad, gone) is bad


# -- Order and filter.


def names(found: list[FleetRow]) -> list[str]:
    return [row.name for row in found]


def test_the_worst_is_first_and_what_was_never_seen_stands_before_what_is_well() -> None:
    levels = [row.level for row in ordered(rows()) if row.was_seen]
    assert levels[:3] == [Level.CRITICAL, Level.CRITICAL, Level.WARNING]
    assert set(levels[3:-2]) == {Level.UNKNOWN}
    assert names(ordered(rows()))[-3:] == ["new", "search", "shop-2"]


@pytest.mark.parametrize("number", [n for n, column in enumerate(ALL) if column.key is not None])
@pytest.mark.parametrize("backwards", [False, True])
def test_by_any_column_what_is_not_known_is_last(number: int, backwards: bool) -> None:
    key = ALL[number].key
    assert key is not None
    found = ordered(rows(), key, backwards=backwards)
    values = [key(row) for row in found]
    known = [value for value in values if value is not None]
    assert values[: len(known)] == known
    assert known == sorted(known, reverse=backwards, key=lambda v: v.casefold() if isinstance(v, str) else v)
    assert sorted(names(found)) == sorted(names(list(rows())))


def test_together_by_tag() -> None:
    shown = entries(ordered(rows()), Grouping.TAG)
    heads = [entry for entry in shown if isinstance(entry, str)]
    assert heads == ["#production", "#staging", "without a tag"]
    assert shown.index("#production") == 0
    assert isinstance(shown[-1], FleetRow)
    assert not shown[-1].identity.tags
    assert entries(rows(), Grouping.NONE) == list(rows())


def test_a_primary_stands_with_its_standbys() -> None:
    def row(name: str, system: str | None, role: str) -> FleetRow:
        return replace(row_of(name, "healthy"), system=system, role=role)

    found = [
        row("a", "7", "standby"),
        row("b", "8", "primary"),
        row("c", "7", "primary"),
        row("d", None, ""),
        row("e", "9", "standby"),
        row("f", "9", "standby"),
    ]
    told = [(name, [row.name for row in group]) for name, group in grouped(found, Grouping.SYSTEM)]
    assert told == [
        ("c and its standbys", ["a", "c"]),
        ("standbys of 9", ["e", "f"]),
        ("alone", ["b", "d"]),
    ]


@pytest.mark.parametrize(
    ("pattern", "kept"),
    [
        ("", 8),
        ("shop", 2),
        ("ok", 2),
        ("!ok", 6),
        ("critical", 2),
        ("#production", 4),
        ("!ok #production", 3),
        ("#PRODUCTION critical shop-1.example", 1),
        ("!#production", 4),
        ("OFF", 1),
        ("nowhere", 0),
    ],
)
def test_a_filter_is_words_that_are_all_true(pattern: str, kept: int) -> None:
    assert len(matching(rows(), pattern)) == kept


def test_the_next_in_trouble_is_found_around_the_end() -> None:
    found = ordered(rows(), lambda row: row.name)
    at, seen = 0, []
    for _ in range(5):
        at = next_in_trouble(found, at, 1) or 0
        seen.append(found[at].level)
    assert Level.OK not in seen
    well = [row for row in found if not row.in_trouble]
    assert next_in_trouble(well, 0, 1) is None
    back = next_in_trouble(found, 0, -1)
    assert back is not None
    assert found[back].in_trouble


# -- Which is looked at next.


def test_each_is_looked_at_once_before_any_is_again_and_a_few_begin_at_a_time() -> None:
    turns = [Turn(f"c{n}") for n in range(20)]
    now, last = 0.0, None
    order: list[str] = []
    while len(order) < 20:
        turn, kind, wait_s = next_look(turns, now, last)
        if turn is None:
            assert wait_s > 0
            now += wait_s
            continue
        assert kind is Kind.WHOLE
        turn.begin(kind, now)
        last = now
        order.append(turn.name)
        beginning = sum(now - each.begun_at < schedule.BEGINNING_S for each in turns if each.looking)
        assert beginning <= schedule.MOST_WHOLE
    assert order == [f"c{n}" for n in range(20)]
    assert now >= 19 * schedule.FIRST_APART_S  # and no end was waited for: all of them may be dead


def test_where_looks_take_long_no_more_are_heaped_up_unless_their_hosts_do_not_answer() -> None:
    turns = [Turn(f"c{n}") for n in range(40)]
    for reached, most in ((True, schedule.MOST_WORKING), (False, 40)):
        for turn in turns:
            turn.looking, turn.reached = None, reached
        now, last = 0.0, None
        for _ in range(400):
            chosen, kind, _ = next_look(turns, now, last)
            if chosen is not None:
                chosen.begin(kind, now)
                last = now
            now += 0.1
        assert sum(turn.looking is not None for turn in turns) == most


def played(turns: list[Turn], seconds: float, dead: frozenset[str] = frozenset()) -> dict[str, list[Kind]]:
    """What is looked at in so long, where a look takes 0.3 s, and 10 s at a dead host."""
    looks: dict[str, list[Kind]] = {turn.name: [] for turn in turns}
    now, last, ends = 0.0, None, dict[str, float]()
    while now < seconds:
        for turn in turns:
            if turn.looking is not None and ends[turn.name] <= now:
                turn.end(now)
                turn.can_glance, turn.unreachable = True, turn.name in dead
        chosen, kind, _ = next_look(turns, now, last)
        if chosen is None:
            now += 0.05
            continue
        chosen.begin(kind, now)
        last = now if kind is Kind.WHOLE else last
        ends[chosen.name] = now + (10.0 if chosen.name in dead else 0.3)
        looks[chosen.name].append(kind)
    return looks


def test_few_clusters_are_looked_at_wholly_within_a_minute_and_in_trouble_more_often() -> None:
    turns = [Turn("calm"), Turn("bad", in_trouble=True), Turn("held", held=True)]
    looks = played(turns, 300)
    assert looks["held"] == []
    assert looks["calm"].count(Kind.WHOLE) == 7
    assert 13 <= looks["bad"].count(Kind.WHOLE) <= 16


def test_of_many_each_is_seen_once_a_minute_and_a_dead_host_costs_the_others_nothing() -> None:
    dead = frozenset(f"c{n}" for n in range(0, 100, 3))
    looks = played([Turn(f"c{n}") for n in range(100)], 300, dead)
    alive = {name: kinds for name, kinds in looks.items() if name not in dead}
    assert min(len(kinds) for kinds in alive.values()) >= 5
    assert min(kinds.count(Kind.WHOLE) for kinds in alive.values()) >= 3
    assert max(looks[name].count(Kind.WHOLE) for name in dead) == 1
    whole = sum(kinds.count(Kind.WHOLE) for kinds in looks.values())
    assert whole <= 100 + 300 / schedule.WHOLE_APART_S


def test_of_fifty_each_is_looked_at_wholly_within_a_minute_though_ten_are_in_trouble() -> None:
    """A look that begins after so long has fifteen seconds at most: what breaks is said within a minute."""
    turns = [Turn(f"c{n}", in_trouble=n % 5 == 0) for n in range(50)]
    begun: dict[str, list[float]] = {turn.name: [] for turn in turns}
    now, last = 0.0, None
    while now < 600:
        for turn in turns:
            if turn.looking is not None and now - turn.begun_at >= 0.5:
                turn.end(now)
                turn.can_glance = True
        chosen, kind, _ = next_look(turns, now, last, 0.5)  # where one costs 45 ms of a processor
        if chosen is None:
            now += 0.05
            continue
        chosen.begin(kind, now)
        if kind is Kind.WHOLE:
            last = now
            begun[chosen.name].append(now)
    apart = [after - before for times in begun.values() for before, after in pairwise(times[1:])]
    assert max(apart) < 50, "after the first round, which comes in a burst"
    assert all(600 - times[-1] < 60 for times in begun.values())


def test_whole_looks_are_as_far_apart_as_their_cost_asks_for() -> None:
    def settled(cost_s: float, rest: float = 0.03) -> tuple[float, float]:
        """Where looks cost so much, and all else so much of the processor: the pause, the share."""
        pace, now, used, share = schedule.Pace(), 0.0, 0.0, 0.0
        for _ in range(100):
            pace.follow(now, used)
            share = rest + cost_s / pace.apart_s
            now, used = now + 10.0, used + 10.0 * share
        return pace.apart_s, share

    for cost_s in (0.03, 0.07, 0.2):
        apart_s, share = settled(cost_s)
        assert share == pytest.approx(schedule.SHARE, rel=0.02)
        assert apart_s == pytest.approx(cost_s / (schedule.SHARE - 0.03), rel=0.03)
    assert settled(0.001)[0] == schedule.SOONEST_APART_S
    assert settled(5.0)[0] == schedule.LATEST_APART_S
    pace = schedule.Pace()
    for now in (0.0, 1.0, 9.9):
        pace.follow(now, now)
    assert pace.apart_s == schedule.WHOLE_APART_S, "a second says little"


def test_of_a_few_clusters_each_has_its_look_in_time_however_busy_the_machine_is() -> None:
    busy = schedule.Pace(apart_s=schedule.LATEST_APART_S)
    last_s = schedule.WHOLE_EVERY_S + busy.apart_of(50) * 50
    assert last_s == pytest.approx(60.0), "where all are due at once, as after the first looks"
    assert busy.apart_of(500) == schedule.LATEST_APART_S
    assert schedule.Pace(apart_s=0.25).apart_of(50) == 0.25


def test_what_is_wanted_and_what_a_glance_asked_for_comes_first() -> None:
    turns = [Turn(f"c{n}", whole_at=100.0 - n, glance_at=150.0, can_glance=True) for n in range(50)]
    assert next_look(turns, 165.0, 100.0).turn is turns[49]
    turns[7].changed = True
    assert next_look(turns, 165.0, 100.0).turn is turns[7]
    turns[3].wanted = True
    assert next_look(turns, 165.0, 100.0).turn is turns[3]


# -- What is drawn.


@pytest.mark.parametrize("chosen", SETS)
@pytest.mark.parametrize("width", [40, 79, 119, 199, 300])
def test_the_first_four_columns_stay_and_no_row_is_too_wide(chosen: str, width: int) -> None:
    found = layout(SETS[chosen], 30, width)
    assert found.columns[:4] == SETS[chosen][:4]
    made = Rows(ordered(rows()), found, NOW, ASCII)
    if width >= 79:
        assert max(len(line.text) for line in made) <= width
    assert all(line.text.isprintable() for line in made)


@pytest.mark.parametrize(("width", "least"), [(119, 29), (199, 49)])
def test_a_wide_terminal_keeps_room_for_the_sentence_before_what_nobody_chose(width: int, least: int) -> None:
    found = layout(SETS["all"], 30, width, widest(rows(), NOW))
    assert found.why >= least
    assert found.columns[-1] == len(ALL) - 1, "the age of it all stays"
    made = Rows(ordered(rows()), found, NOW, ASCII)
    assert "archiving is OFF" in made[0].text
    chosen = layout(SETS["storage"], 30, width)
    assert chosen.columns == SETS["storage"], "what was chosen is shown"


def test_a_row_is_made_when_it_is_seen() -> None:
    many = [FleetRow(Identity(f"c{n}")) for n in range(500)]
    made = Rows(many, layout(SETS["all"], 10, 120), NOW, ASCII)
    assert "c400" in made[400].text
    assert len(made._made) == 1


def test_the_first_line_counts_and_is_not_well_while_one_waits() -> None:
    level, text = summary(rows())
    assert level is Level.CRITICAL
    assert text == "8 clusters: 2 critical, 1 warning, 2 unknown, 2 ok, 1 not yet"
    waits = [row_of("a", "healthy"), FleetRow(Identity("b"))]
    assert summary(waits) == (Level.UNKNOWN, "2 clusters: 1 ok, 1 not yet")
    assert summary(waits[:1]) == (Level.OK, "1 cluster: 1 ok")


def test_the_export_has_every_cluster_and_nothing_hostile() -> None:
    found = export(rows(), NOW)
    texts = dict(found.texts)
    assert set(texts) == {"json", "csv"}
    assert "\x1b" not in texts["json"] + texts["csv"]
    assert len(table(rows(), NOW)) == 9
    assert "Infinity" not in texts["json"]


def test_a_server_with_two_names_counts_once_as_its_worst_and_says_whose_it_is() -> None:
    well = row_of("by-address", "healthy")
    again = replace(well, identity=Identity("other"), level=Level.WARNING)
    standby = replace(row_of("standby", "healthy"), role="standby")
    assert summary([well, again]) == (Level.WARNING, "1 cluster: 1 warning, 1 row of the same")
    assert [row.verdict for row in with_twins([again, well])] == [
        f"same server as by-address: {well.verdict}",
        well.verdict,
    ]
    assert with_twins([well, standby]) == (well, standby)
    assert [name for name, _ in grouped([well, again], Grouping.SYSTEM)] == ["alone"]
    assert len(grouped([well, again, standby], Grouping.SYSTEM)[0][1]) == 3


def test_of_servers_that_nobody_could_ask_none_is_anothers() -> None:
    unseen = [FleetRow(Identity(name)) for name in ("a", "b")]
    assert with_twins(unseen) == tuple(unseen)
    assert summary(unseen)[1].startswith("2 clusters")
