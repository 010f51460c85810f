"""Settings by which a crash damages the cluster: told, but where they are meant and do no harm."""

from dataclasses import replace

import pytest

from tests.data.facts import NOW, healthy, server, setting, settings, wal_disk
from walconsole.domain.facts.observed import SettingsFacts
from walconsole.domain.failures import diagnose
from walconsole.domain.standing.model import Level, Severity


def with_command_line(name: str, value: str) -> SettingsFacts:
    row = setting(name, value, source="command line", sourcefile=None, sourceline=None)
    return replace(settings(), settings=(*settings().settings, row))


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("fsync", "off", "fsync-off"),
        ("full_page_writes", "off", "full-page-writes-off"),
        ("zero_damaged_pages", "on", "damage-passed-over"),
        ("ignore_checksum_failure", "on", "damage-passed-over"),
    ],
)
def test_it_is_a_warning_with_what_to_set(name: str, value: str, rule: str) -> None:
    found = diagnose(healthy(settings=settings(**{name: value})), NOW)
    (finding,) = found.findings
    assert (finding.rule, finding.severity) == (rule, Severity.WARNING)
    assert found.verdict.level is Level.WARNING
    assert found.verdict.text.startswith(f"{name} is {value}: ")
    assert "restorable to any moment" in found.verdict.text
    right = "on" if value == "off" else "off"
    assert finding.fixes[0].commands[0] == f"ALTER SYSTEM SET {name} = '{right}';"


@pytest.mark.parametrize(
    "values",
    [
        {"fsync": "on", "full_page_writes": "on"},
        {"zero_damaged_pages": "off", "ignore_checksum_failure": "off"},
        {"synchronous_commit": "off"},
        {"data_checksums": "off"},
    ],
)
def test_what_is_well_says_nothing(values: dict[str, str]) -> None:
    found = diagnose(healthy(settings=settings(**values)), NOW)
    assert (found.verdict.level, found.findings) == (Level.OK, ())


@pytest.mark.parametrize("kind", ["zfs", "btrfs", "bcachefs"])
def test_whole_pages_need_not_be_written_where_the_file_system_writes_them_so(kind: str) -> None:
    snapshot = healthy(settings=settings(full_page_writes="off"), wal_disk=wal_disk(filesystem=kind))
    found = diagnose(snapshot, NOW)
    (finding,) = found.findings
    assert finding.severity is Severity.NOTE
    assert kind in finding.evidence[0]
    assert found.verdict.level is Level.OK


@pytest.mark.parametrize("name", ["fsync", "full_page_writes"])
def test_a_standby_can_be_made_anew(name: str) -> None:
    snapshot = healthy(settings=settings(**{name: "off"}), server=server(in_recovery=True))
    (finding,) = [each for each in diagnose(snapshot, NOW).findings if each.setting == name]
    assert finding.severity is Severity.NOTE


def test_the_command_line_has_the_last_word() -> None:
    (finding,) = diagnose(healthy(settings=with_command_line("fsync", "off")), NOW).findings
    (fix,) = finding.fixes
    assert "postgres -F" in fix.title
    assert fix.commands == ("pg_ctlcluster 15 main restart",)
