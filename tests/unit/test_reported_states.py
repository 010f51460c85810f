"""States that people report: what is told of each, and what is not told of its healthy sisters."""

from dataclasses import replace

import pytest

from tests.data import facts
from walconsole.domain.archive.runs import Runs
from walconsole.domain.archive.timelines import Switch, TimelineHistory
from walconsole.domain.archivers.roles import Role, role_of
from walconsole.domain.archivers.unset import unset_of
from walconsole.domain.failures.taken_away import _called
from walconsole.domain.standing.silent_ends import silent_ends
from walconsole.domain.standing.whose import left_behind
from walconsole.domain.wal import Segment

SET = {"PATH": "/bin", "WAL_DIR": "/mnt/wal"}
UNSET = [
    ('cp %p "$WAL_BUCKET/%f"', ("WAL_BUCKET",)),
    ("rclone copyto %p wal:${WAL_BUCKET}/%f", ("WAL_BUCKET",)),
    ('cp %p "$WAL_DIR/%f"', ()),
    ("WHERE=/mnt; cp %p $WHERE/%f", ()),
    ("for WHERE in /a /b; do cp %p $WHERE/%f; done", ()),
    (". /etc/wal.env; cp %p $WHERE/%f", ()),
    ("rclone $OPTIONS copyto %p wal:b/%f", ()),
    ("awk '{print $NF/2}' x; cp %p /mnt/%f", ()),
    ("# $WHERE/x\ncp %p /mnt/%f", ()),
    ("cp %p $HOME/%f; cp %p $PWD/%f", ()),
    ("read -r WHERE </etc/where; cp %p $WHERE/%f", ()),
]


@pytest.mark.parametrize(("text", "names"), UNSET)
def test_a_variable_that_nothing_sets_is_named(text: str, names: tuple[str, ...]) -> None:
    assert unset_of((text,), SET) == names


SCRIPTS = [
    ('#!/bin/sh\nln "$1" /mnt/"$2"', "script %p %f", 'ln "%p" /mnt/"%f"'),
    ('src="$2"\nmv $src /mnt/$1', "script %f %p", "mv %p /mnt/%f"),
    ("# mv $1 x\ncp $1 y", "script %p", "cp %p y"),
    ("cp $10 y", "script %p", "cp $10 y"),
]


@pytest.mark.parametrize(("script", "command", "line"), SCRIPTS)
def test_a_script_is_read_with_what_it_is_given(script: str, command: str, line: str) -> None:
    assert _called(script, command).splitlines()[-1] == line


def test_what_links_or_moves_the_segment_itself_stores_it() -> None:
    """Badly: and `stores nothing` would be another cause than the one that is to be mended."""

    def role(name: str, *words: str) -> Role:
        return role_of(name, words, fed=False, piped_on=False, output="", from_file=False)

    assert role("ln", "%p", "/mnt/%f") is Role.STORES
    assert role("mv", "pg_wal/%p", "/mnt/%f") is Role.STORES
    assert role("mv", "/mnt/%f.tmp", "/mnt/%f") is not Role.STORES


def _promoted(parents_last: int, parents_at: float, childs_at: float = 1000.0) -> object:
    """Timeline 2 left timeline 1 in segment 10."""
    held = facts.holding(1, 0)
    one, two = Runs(), Runs()
    one.add(1, parents_last)
    two.add(10, 12)
    times = held.times.copy()
    times.note(1, parents_last, parents_at)
    times.note(2, 10, childs_at)
    held = replace(held, timelines={1: one, 2: two}, times=times, newest=Segment(2, 12))
    history = TimelineHistory(2, (Switch(1, 10 * held.segment_bytes + 100),))
    return left_behind(facts.bucket(holding=held, histories_read={2: history}), 2)


@pytest.mark.parametrize(
    ("last", "at", "told"),
    [
        (13, 2000.0, True),
        (13, 900.0, False),  # it was ahead of its standby when that was promoted
        (13, 1001.0, False),  # a store tells whole seconds
        (10, 2000.0, False),  # the segment in which the timeline was left: of a clean shutdown
        (9, 2000.0, False),
    ],
)
def test_an_old_primary_is_told_by_what_it_stores_beyond_the_fork(last: int, at: float, told: bool) -> None:
    assert (_promoted(last, at) is not None) is told


SILENT = [
    ("flock -n /run/wal.lock cp %p /mnt/%f", "lslocks"),
    ("flock --nonblock 9 && cp %p /mnt/%f", "lslocks"),
    ("mountpoint -q /mnt && cp %p /mnt/%f", "findmnt"),
    ('if [ -e x ]; then cmp -s "$1" x; fi', "differ"),
    ("flock /run/wal.lock cp %p /mnt/%f", ""),
    ("cp %p /mnt/%f", ""),
]


@pytest.mark.parametrize(("text", "told"), SILENT)
def test_what_ends_without_a_word_is_told(text: str, told: str) -> None:
    found = " ".join(silent_ends(text))
    assert told in found
    assert bool(found) is bool(told)
