"""The restore command in a replay: what follows is brought along, whole, bounded, and gone at its end."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import zstandard

from tests.integration.droplet_parts import Droplet, Ended, droplet, put, random_bytes
from tests.servers.archived import MIB
from tests.servers.postgres import PostgresServer
from tests.servers.rgw import RadosGateway
from walconsole.domain.wal import Segment
from walconsole.droplet.choices import DEFAULT_PATH, DropletChoices

pytestmark = pytest.mark.server

FIRST = 0x0FFA
"""Of 1 MiB: six segments before a log's end."""
NAMES = [Segment(1, FIRST + number).name(MIB) for number in range(40)]


@dataclass
class Replay:
    """A data directory in which the command runs, and how often it has asked by rclone."""

    at: Droplet
    gateway: RadosGateway
    calls: Path

    def store(self, *names: str, where: str = "primary") -> None:
        to = self.at.primary if where == "primary" else self.at.dr
        for name in names:
            put(self.gateway, to, f"{name}.zst", zstandard.ZstdCompressor().compress(random_bytes(name, MIB)))

    def fetch(self, name: str, *copy: str) -> Ended:
        return self.at.run(self.at.restore, name, "pg_wal/RECOVERYXLOG", *copy)

    def fetched(self, name: str) -> None:
        assert self.fetch(name).silently_well
        assert (self.at.folder / "pg_wal/RECOVERYXLOG").read_bytes() == random_bytes(name, MIB)

    @property
    def asked(self) -> int:
        return len(self.calls.read_text().splitlines()) if self.calls.exists() else 0

    @property
    def kept(self) -> list[str] | None:
        """The objects that were brought along; None where there is no folder for them."""
        folder = self.at.folder / "pg_wal/.tried-pg-restore.ahead"
        return (
            sorted(path.name for path in folder.iterdir() if path.name != "state")
            if folder.exists()
            else None
        )


MakeReplay = Callable[..., Replay]


@pytest.fixture
def make(postgres: PostgresServer, rgw: RadosGateway) -> MakeReplay:
    def replay(ahead: int = 16) -> Replay:
        tools = postgres.workspace.folder("counting", postgres.os_user)
        calls = tools / "calls"
        (tools / "rclone").write_text(f'#!/bin/sh\necho "$1" >>{calls}\nexec /usr/bin/rclone "$@"\n')
        (tools / "rclone").chmod(0o755)
        choices = DropletChoices(
            restore_pauses_s=(), idle_timeout_s=5, path=f"{tools}:{DEFAULT_PATH}", restore_ahead=ahead
        )
        at = droplet(postgres, rgw, choices)
        (at.folder / "pg_wal").mkdir()
        at.server.give(at.folder / "pg_wal")
        return Replay(at, rgw, calls)

    return replay


def test_a_row_of_segments_takes_few_calls_and_each_is_what_was_stored(make: MakeReplay) -> None:
    replay = make()
    replay.store(*NAMES[:20])
    most = 0
    for name in NAMES[:20]:
        replay.fetched(name)
        most = max(most, len(replay.kept or ()))
    assert replay.asked == 5, "1, 2, 4, 8 and 16 at a time, across a log's end"
    assert most < 16
    assert replay.kept == []
    ended = replay.fetch(NAMES[20])
    assert ended.status == 1
    assert replay.kept is None
    assert replay.at.leftovers == []


def test_where_one_is_missing_the_replay_ends_there(make: MakeReplay) -> None:
    replay = make()
    replay.store(*NAMES[:4], *NAMES[5:12])
    for name in NAMES[:4]:
        replay.fetched(name)
    assert replay.fetch(NAMES[4]).status == 1
    assert replay.kept is None


def test_what_was_brought_along_and_is_damaged_is_asked_for_again(make: MakeReplay) -> None:
    replay = make()
    replay.store(*NAMES[:3])
    put(replay.gateway, replay.at.primary, f"{NAMES[2]}.zst", b"nonsense")
    for name in NAMES[:2]:
        replay.fetched(name)
    assert replay.kept == [f"{NAMES[2]}.zst"]
    ended = replay.fetch(NAMES[2])
    assert (ended.status, "is damaged" in ended.stderr) == (201, True)
    replay.store(NAMES[2], where="dr")
    replay.fetched(NAMES[2])


@pytest.mark.parametrize(
    "next_one", [NAMES[0], NAMES[9], "00000002.history", Segment(2, FIRST + 2).name(MIB)]
)
def test_another_than_the_next_one_forgets_them(make: MakeReplay, next_one: str) -> None:
    replay = make()
    replay.store(*NAMES[:12])
    for name in NAMES[:2]:
        replay.fetched(name)
    assert replay.kept
    replay.fetch(next_one)
    assert not replay.kept


def test_one_copy_alone_is_asked_for_one_segment(make: MakeReplay) -> None:
    replay = make()
    replay.store(*NAMES[:3])
    for name in NAMES[:3]:
        assert replay.fetch(name, "primary").silently_well
    assert replay.kept is None
    assert replay.asked == 3


def test_a_rubbish_note_is_no_more_than_forgotten(make: MakeReplay) -> None:
    replay = make()
    replay.store(*NAMES[:3])
    replay.fetched(NAMES[0])
    note = replay.at.folder / "pg_wal/.tried-pg-restore.ahead/state"
    for rubbish in ("", "x", f"{NAMES[0]} 0x1 .zst 99999999999999999999", f"{NAMES[0]} 1048576 $(touch x) 8"):
        note.write_text(rubbish)
        replay.fetched(NAMES[1])
        replay.fetched(NAMES[0])
    assert not (replay.at.folder / "x").exists()


def test_it_is_faster_than_each_by_itself(make: MakeReplay) -> None:
    """As a replay calls it: in one shell, one after the other."""
    took = []
    for ahead in (1, 16):
        replay = make(ahead)
        replay.store(*NAMES)
        loop = f'for name in {" ".join(NAMES)}; do "$0" "$name" pg_wal/RECOVERYXLOG || exit 1; done'
        began = time.monotonic()
        assert replay.at.run(Path("/bin/sh"), "-c", loop, replay.at.restore).silently_well
        took.append((time.monotonic() - began) / len(NAMES))
    assert took[1] < took[0] / 1.5, f"seconds a segment: {took}"
