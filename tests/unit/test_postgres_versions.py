"""The range of PostgreSQL's versions is said once, and the tests have a server of each."""

from tests.servers.postgres_packages import MAJORS
from walconsole.domain.archive.page_header import MAJORS as PAGES_OF
from walconsole.domain.postgres_versions import (
    KNOWN,
    NEWEST_MAJOR,
    OLDEST_MAJOR,
    OLDEST_VERSION_NUM,
    is_newer,
)

DEBIANS, WHEELS = 15, 18
"""What the system's packages and the wheel are on the machines that the tests run on."""


def test_each_known_version_is_tested_and_its_wal_is_known() -> None:
    known = set(range(OLDEST_MAJOR, NEWEST_MAJOR + 1))
    assert known == {*MAJORS, DEBIANS, WHEELS}
    assert known == set(PAGES_OF.values())


def test_a_minor_version_is_not_newer() -> None:
    assert KNOWN == "PostgreSQL 13 to 18"
    assert OLDEST_VERSION_NUM == 130000
    assert [is_newer(num) for num in (130000, 180999, 190000, 200001)] == [False, False, True, True]
