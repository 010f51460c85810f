"""What each bucket stores in parts, and will: arithmetic, and what it is made from."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.data.archives import NEWEST, held, whole
from tests.data.facts import NOW, SEGMENT
from tests.data.facts import backup as a_backup
from tests.data.facts import bucket as a_bucket
from walconsole.domain.archive.cost import GIB, Price
from walconsole.domain.archive.index import ArchiveIndex
from walconsole.domain.archive.listing import StoredObject
from walconsole.domain.archive.stored_parts import (
    Staying,
    StoredBackup,
    StoredParts,
    Trend,
    forecast,
)
from walconsole.domain.facts.snapshot import Told
from walconsole.domain.profile import BucketRole
from walconsole.domain.recovery.backups import BaseBackup, Completeness, Writer
from walconsole.domain.recovery.expiry import DAY_S, Keep
from walconsole.domain.standing.storage import assumed_text, storage
from walconsole.report.storage import storage_documents, storage_metrics

NIGHTLY = tuple(StoredBackup(age, 100.0) for age in range(10))
TODAY = StoredParts(1000.0, 5000.0, 7.0)
TREND = Trend(50.0, 1.0, 120.0)


@pytest.mark.parametrize(
    ("staying", "backups", "wal"),
    [
        (Staying(), 1000 + 30 * 120, 5000 + 30 * 50),
        (Staying(wal_days=7), 1000 + 30 * 120, 7 * 50),
        (Staying(wal_days=40), 1000 + 30 * 120, 30 * 50 + 10 * 50),
        (Staying(wal_days=1000), 1000 + 30 * 120, 30 * 50 + 5000),
        (Staying(backup_days=7), 8 * 120, 5000 + 30 * 50),
        (Staying(full=7), 7 * 120, 6 * 50),
        (Staying(days=14), 16 * 120, 15 * 50),  # those of 0 to 14 days, and the one before them
        (Staying(full=3, days=14), 16 * 120, 15 * 50),
        (Staying(full=35), 30 * 120 + 5 * 100, 30 * 50 + 4 * 50),
        (Staying(full=7, wal_days=2), 7 * 120, 2 * 50),
    ],
)
def test_in_thirty_days(staying: Staying, backups: float, wal: float) -> None:
    assert forecast(TODAY, NIGHTLY, TREND, staying) == StoredParts(backups, wal, 7.0)


def test_base_backups_of_which_no_age_is_known_stay() -> None:
    found = forecast(TODAY, NIGHTLY[:4], Trend(0.0), Staying(full=1))
    assert found.backups == 600 + 100
    assert forecast(StoredParts(0, 10), (), Trend(1.0), Staying(full=3, days=1)).wal == 10 + 30


@given(
    st.lists(st.tuples(st.floats(0, 400), st.floats(0, 1e12)), max_size=20),
    st.floats(0, 1e12),
    st.tuples(st.floats(0, 1e10), st.floats(0, 5), st.floats(0, 1e11)),
    st.tuples(
        st.none() | st.integers(1, 40),
        st.none() | st.floats(0.1, 400),
        st.none() | st.floats(1, 400),
        st.none() | st.floats(1, 400),
    ),
)
def test_whatever_is_taken_away_makes_it_no_larger(
    made: list[tuple[float, float]],
    wal: float,
    trend: tuple[float, float, float],
    rules: tuple[int | None, float | None, float | None, float | None],
) -> None:
    backups = [StoredBackup(*each) for each in made]
    now = StoredParts(sum(each.stored_bytes for each in backups), wal)
    everything = forecast(now, backups, Trend(*trend), Staying())
    some = forecast(now, backups, Trend(*trend), Staying(*rules))
    slack = 1e-6 * (1 + everything.total)
    assert 0 <= some.backups <= everything.backups + slack
    assert 0 <= some.wal <= everything.wal + slack


def of(*made: BaseBackup, **changes: Any) -> Any:
    bucket = a_bucket(
        BucketRole.PRIMARY,
        holding=held({1: ((NEWEST.number - 3000, NEWEST.number),)}),
        wal_bytes=3001 * SEGMENT,
        backup_bytes=sum(each.stored_bytes or 0 for each in made),
        stored_bytes=3001 * SEGMENT + sum(each.stored_bytes or 0 for each in made) + 5,
        backups=made,
    )
    return replace(bucket, **changes)


def a_backup_of(days: float, **changes: Any) -> BaseBackup:
    return replace(a_backup(id=f"{days}", stopped=NOW - days * DAY_S, stored_bytes=1000), **changes)


@pytest.mark.parametrize(
    ("made", "per_day", "each"),
    [
        ((), 0.0, 0.0),
        ((a_backup_of(1),), 1.0, 1000),
        ((a_backup_of(3),), 0.0, 1000),  # our script has not run since
        ((a_backup_of(9),), 0.0, 0.0),
        ((a_backup_of(6.5, writer=Writer.BARMAN), a_backup_of(0.5, writer=Writer.BARMAN)), 1 / 6, 1000),
        (
            (
                a_backup_of(2, writer=Writer.PGBACKREST),
                a_backup_of(1, writer=Writer.PGBACKREST, parent="2", stored_bytes=200),
            ),
            1.0,
            600,
        ),
        ((a_backup_of(1, writer=Writer.LABEL),), 0.0, 0.0),
        ((a_backup_of(1, completeness=Completeness.INCOMPLETE),), 0.0, 0.0),
    ],
)
def test_base_backups_go_on_as_they_were_made(
    made: tuple[BaseBackup, ...], per_day: float, each: float
) -> None:
    found = storage(of(*made), NOW)
    assert found is not None
    assert found.trend is not None
    assert found.trend.backups_per_day == pytest.approx(per_day)
    assert found.trend.backup_bytes == each
    assert found.now.other == 5


def test_what_the_forecast_takes_for_granted_is_said() -> None:
    found = storage(of(a_backup_of(1)), NOW, Keep(full=7, days=14))
    assert found is not None
    assert assumed_text(found) == "a base backup a night; retention takes what the profile lets it"
    assert found.later is not None
    assert found.later.backups == 16 * 1000
    alone = storage(of(), NOW, staying=Staying(wal_days=3))
    assert alone is not None
    assert assumed_text(alone) == "no further base backup; the bucket's lifecycle rules delete"


def test_what_cannot_be_told_is_not() -> None:
    assert storage(of(complete=False), NOW) is None
    found = storage(of(holding=None), NOW)
    assert found is not None
    assert (found.later, found.why_not) == (None, "it holds no WAL")


def test_the_document_has_bytes_and_money_of_both_copies() -> None:
    snapshot = replace(whole(), told=Told(price=Price("€", 2.0)))
    documents = storage_documents(snapshot, NOW)
    assert [each["copy"] for each in documents] == ["primary", "dr"]
    told = documents[0]["now"]
    assert isinstance(told, dict)
    assert told["cost_month"] == pytest.approx(
        2 * (told["base_backup_bytes"] + told["wal_bytes"] + told["other_bytes"]) / GIB, abs=1e-4
    )
    names = {(each.name, dict(each.labels).get("part")) for each in storage_metrics(snapshot, NOW)}
    assert {("storage_bytes", "wal"), ("forecast_storage_bytes", None)} <= names


class Listed:
    """Objects as large as their key is long."""

    def __init__(self, keys: list[str]) -> None:
        self.keys = keys

    def __len__(self) -> int:
        return len(self.keys)

    def __getitem__(self, position: int) -> StoredObject:
        return StoredObject(self.keys[position], len(self.keys[position]), 1.0)

    def stored_bytes(self, start: int, stop: int) -> int:
        return sum(len(key) for key in self.keys[start:stop])

    def outside(self, start: int, stop: int, least: int, most: int) -> list[tuple[int, int]]:
        sizes = ((at, len(self.keys[at])) for at in range(start, stop))
        return [(at, size) for at, size in sizes if not least <= size <= most]

    def modified_at(self, position: int) -> float:
        return 1.0


KEYS = st.sampled_from(
    [
        "base/20261129T005014Z/backup.json",
        "base/20261129T005014Z/base.tar.zst",
        "base/20261130T005014Z/base.tar.zst",
        "basebackups_005/base_000000010000000000000003/metadata.json",
        "backup/main/20261129-005014F/pg_data/base/1/2.gz",
        "dump/pg_wal/000000010000000000000003",
        "dumps/of/another",
        "000000010000000000000009.00000028.backup",
        *[f"{number:024X}" for number in range((1 << 64) + 1, (1 << 64) + 40)],
    ]
)


@given(st.lists(KEYS, unique=True, min_size=1, max_size=60), st.integers(1, 60))
def test_the_index_counts_what_lies_in_base_backups(keys: list[str], page: int) -> None:
    index = ArchiveIndex("x/")
    ordered = sorted(f"x/{key}" for key in keys)
    for at in range(0, len(ordered), page):
        index.fold(ordered[at : at + page], Listed(ordered[at : at + page]))
    parts = ("base/", "basebackups_", "backup/", "dump/pg_wal")
    assert index.backup_bytes == sum(len(key) for key in ordered if key.startswith(parts, 2))
    wal = sum(archive.stored_bytes for archive in index.archives.values())
    assert wal == sum(26 for key in keys if len(key) == 24)
