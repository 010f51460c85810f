"""Restore commands that say yes for a file that is not there, and those that only look as if they did."""

import pytest

from tests.data.facts import NOW, healthy
from walconsole.domain.archivers.ending import by_its_words
from walconsole.domain.archivers.target import Ending
from walconsole.domain.facts.observed import CatalogueFacts
from walconsole.domain.failures import Diagnosis, diagnose
from walconsole.domain.pgconf.loading import InForce
from walconsole.domain.standing.model import Level, Severity

RIGHT = [
    "cp /w/%f %p", 'cp /w/%f "%p"', "test -f /w/%f && cp /w/%f %p", "gunzip < /w/%f.gz > %p",
    "zstd -d -c /w/%f.zst > %p", 'pgbackrest --stanza=main archive-get %f "%p"',
    "envdir /etc/wal-g/env wal-g wal-fetch %f %p", "cp /a/%f %p || cp /b/%f %p", "scp h:/w/%f %p",
    "aws s3 cp s3://b/%f %p", "rclone copyto r:b/%f %p", "curl -fsS -o %p https://b/%f",
    "curl --fail https://b/%f > %p", "gpg -d -o %p /w/%f.gpg", "openssl enc -d -in /w/%f -out %p",
    "barman-wal-restore -U barman h main %f %p", "/usr/local/bin/restore %f %p", "sh /opt/restore.sh %f %p",
    "if [ -f /w/%f ]; then cp /w/%f %p; else exit 1; fi", "cp /w/%f %p; exit $?", "pg_standby /w %f %p %r",
    "ssh h cat /w/%f | zstd -d > %p", "wget -q -O %p https://b/%f", "cp /w/%f %p 2>/dev/null",
]  # fmt: skip
WRONG = {
    "cp /w/%f %p || true": Severity.NOTE,
    "cp /w/%f %p; exit 0": Severity.NOTE,
    "rclone copyto r:b/%f %p | logger": Severity.NOTE,
    "gunzip -c /w/%f.gz > %p || :": Severity.WARNING,
    "curl -s -o %p https://b/%f": Severity.WARNING,
    "curl -s https://b/%f > %p": Severity.WARNING,
    "/bin/true": Severity.WARNING,
    "exit 0": Severity.WARNING,
}


def found_of(command: str) -> Diagnosis:
    """Of a server with that restore_command in force."""
    in_force = {"restore_command": InForce(command, "configuration file")}
    return diagnose(healthy(catalogue=CatalogueFacts({}, in_force, (), NOW, 150018)), NOW)


@pytest.mark.parametrize("command", RIGHT)
def test_a_command_that_fails_where_there_is_no_file_is_right(command: str) -> None:
    assert by_its_words(command) == Ending()
    found = found_of(command)
    assert "restore-says-yes" not in {each.rule for each in found.findings}


@pytest.mark.parametrize(("command", "severity"), WRONG.items())
def test_one_that_says_yes_is_told_and_worse_where_it_makes_a_file(command: str, severity: Severity) -> None:
    found = found_of(command)
    (finding,) = (each for each in found.findings if each.rule == "restore-says-yes")
    assert finding.severity is severity
    assert found.verdict.level is (Level.WARNING if severity is Severity.WARNING else Level.OK)


def test_without_one_of_its_own_nothing_is_said() -> None:
    found = found_of("")
    assert "restore-says-yes" not in {each.rule for each in found.findings}
