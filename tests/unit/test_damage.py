"""Pages whose checksum was wrong: told with when and where, and worse while it is fresh."""

import pytest

from tests.data.facts import NOW, healthy, server
from walconsole.domain.failures import diagnose
from walconsole.domain.standing.model import Level, Severity


@pytest.mark.parametrize(("count", "checked"), [(None, "there are no checksums"), (0, "none was wrong")])
def test_where_none_was_damaged_nothing_is_said(count: int | None, checked: str) -> None:
    found = diagnose(healthy(server=server(damaged_pages=count)), NOW)
    assert (found.verdict.level, found.findings) == (Level.OK, ()), checked


@pytest.mark.parametrize(
    ("age_s", "severity", "words"),
    [
        (60.0, Severity.CRITICAL, "1 min"),
        (3 * 86400.0, Severity.WARNING, "3 d"),
        (-30.0, Severity.CRITICAL, ""),
    ],
)
def test_it_says_when_and_where(age_s: float, severity: Severity, words: str) -> None:
    facts = server(damaged_pages=2, damaged_at=NOW - age_s, damaged_databases=("shop", ""))
    found = diagnose(healthy(server=facts), NOW)
    (finding,) = found.findings
    assert finding.severity is severity
    assert "2 damaged pages were read" in finding.title
    assert words in finding.title
    assert "shop, what all databases share" in finding.title
    assert found.verdict.level is Level[severity.name]
    commands = [command for fix in finding.fixes for command in fix.commands]
    assert "runuser -u postgres -- psql -d shop -c 'SELECT pg_stat_reset()'" in commands


def test_the_time_is_the_consoles_where_the_servers_clock_is_off() -> None:
    facts = server(
        clock=NOW + 3600, clock_read_at=NOW, damaged_pages=1, damaged_at=NOW + 3540, damaged_databases=("a",)
    )
    (finding,) = diagnose(healthy(server=facts), NOW).findings
    assert finding.since == NOW - 60


def test_a_databases_name_is_no_command() -> None:
    facts = server(damaged_pages=1, damaged_at=None, damaged_databases=("a'; rm -rf /", "b\x1b[2J"))
    (finding,) = diagnose(healthy(server=facts), NOW).findings
    assert "\x1b" not in finding.title
    commands = [command for fix in finding.fixes for command in fix.commands if "psql" in command]
    assert commands == ["runuser -u postgres -- psql -d 'a'\"'\"'; rm -rf /' -c 'SELECT pg_stat_reset()'"]
