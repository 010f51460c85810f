"""A server whose WAL is streamed away: archive_mode = off is no fault there, and no proof of anything."""

import pytest

from tests.data.facts import NOW, healthy, settings
from walconsole.domain.facts.evidence import ReplicationSlot, RetentionFacts
from walconsole.domain.failures import diagnose
from walconsole.domain.standing.model import Level

BARMAN = ReplicationSlot("barman", "physical", True, "reserved", 1 << 20, reader="barman_receive_wal")


@pytest.mark.parametrize(
    ("slots", "level", "said", "off"),
    [
        ((BARMAN,), Level.UNKNOWN, "WAL is streamed to barman_receive_wal, by the slot barman", False),
        ((), Level.CRITICAL, "archiving is OFF", True),
        (
            (ReplicationSlot("s", "physical", True, "reserved", 1, reader="walreceiver"),),
            Level.CRITICAL, "archiving is OFF", True,
        ),
        (
            (ReplicationSlot("barman", "physical", False, "reserved", 1),),
            Level.CRITICAL, "archiving is OFF", True,
        ),
    ],
    ids=["barman", "nobody", "a standby", "a slot that nobody reads"],
)  # fmt: skip
def test_archive_mode_off(slots: tuple[ReplicationSlot, ...], level: Level, said: str, off: bool) -> None:
    diagnosis = diagnose(healthy(settings=settings(archive_mode="off"), retention=RetentionFacts(slots)), NOW)
    assert diagnosis.verdict.level is level
    assert said in diagnosis.verdict.text
    assert ("archive-off" in {story.root.rule for story in diagnosis.stories}) is off
