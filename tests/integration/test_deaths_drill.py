"""A restore drill that dies at a random moment: production and archive stay, the next start is clean."""

import signal
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.integration.deaths import Dies, die, each_death, how_of, share_of
from tests.integration.drill_parts import CHOICES, Drills, beside_production
from tests.servers.rgw import RadosGateway
from tests.servers.workspace import Workspace
from walconsole.domain.wal import wal_name

pytestmark = [pytest.mark.server, pytest.mark.timeout(400), pytest.mark.long]

LOCK = "walconsole/lock.json"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Twenty of the forty; the others are those of recoveries."""
    each_death(metafunc, "death", 4, 20)


class Timed(Drills):
    """Drills, with how long a good one took."""

    took_s = 0.0

    def proved(self) -> None:
        began = time.monotonic()
        ended = self.run()
        assert ended.status == 0, ended.stderr
        self.took_s = time.monotonic() - began


@pytest.fixture(scope="module")
def drills(workspace: Workspace, rgw: RadosGateway, rgw_dr: RadosGateway) -> Iterator[Timed]:
    with beside_production(workspace, rgw, rgw_dr) as backups:
        made = Timed(backups)
        made.proved()
        yield made


def is_productions(key: str) -> bool:
    """A segment: what the server archives by itself while a drill runs."""
    return wal_name(key.split(".")[0]) is not None


def assert_untouched(was: list[dict[str, str]], now: list[dict[str, str]], *, but: set[str]) -> None:
    """In each copy what lay there is as it was, and nothing new but segments and `but`."""
    for before, after in zip(was, now, strict=True):
        assert before.items() <= after.items(), "what lay there is as it was"
        assert {key for key in after.keys() - before.keys() if not is_productions(key)} <= but


def test_a_drill_that_dies_leaves_what_the_next_one_takes_away(drills: Timed, death: int) -> None:
    server, how = drills.server, how_of(death)
    started = server.sql("SELECT pg_postmaster_start_time()")
    before = drills.listing()
    running = drills.begin()
    time.sleep(share_of(death) * drills.took_s)
    die(running.pid, how, death)
    _, said = running.communicate(timeout=120)
    if how is Dies.ENDED:
        assert running.returncode in (0, 9, -signal.SIGTERM), said
    elif how is Dies.PART:
        assert running.returncode in (0, 1), said
        drills.assert_nothing_left()
    assert_untouched(before, drills.listing(), but={LOCK})

    # The next start, even one that gets nowhere, takes all of it away.
    ended = drills.run(drills.render(replace(CHOICES, reserve_mib=1 << 24), "drill-no-room"))
    assert ended.status == 6, ended.stderr
    drills.assert_nothing_left()
    assert_untouched(before, drills.listing(), but=set())

    assert server.sql("SELECT count(*), max(n) FROM kept") == [(1000, 1000)]
    assert server.sql("SELECT pg_postmaster_start_time()") == started, "it was never stopped"
    assert server.sql("SELECT failed_count FROM pg_stat_archiver") == [(0,)]
    if death % 4 == 0:
        drills.proved()
        drills.assert_nothing_left()
