"""Names of a hostile store in everything that leaves the console without a screen."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.data.facts import NOW, bucket, healthy
from walconsole.domain.archive.gaps import AcceptedGap, Gap
from walconsole.domain.archive.page_header import SegmentIdentity
from walconsole.domain.facts.base_backups import BackupScript, BackupSession, BackupSessions
from walconsole.domain.facts.observed import RepeatedSegment
from walconsole.domain.facts.snapshot import Problem, Snapshot, failed
from walconsole.domain.failures import diagnose
from walconsole.domain.profile import BucketRole
from walconsole.domain.recovery.running import BackupRunStatus
from walconsole.domain.standing.unseen import of_one_look
from walconsole.report.documents import check_document
from walconsole.report.incident import report_document, report_markdown
from walconsole.report.lines import for_nagios, for_people, for_prometheus
from walconsole.report.metrics import metrics

NAMES = {
    "escapes": "\x1b[2J\x1b[31mred\x9b2J",
    "the clipboard": "\x1b]52;c;cm0gLXJm\x07",
    "lines": 'a\nwalconsole_status{profile="x"} 0\r\nb\u2028c\x85d',
    "right to left": "\u202egnp.exe\u202c\u2066x\u2069\u200b",
    "markup": "[red]x[/red][@click=app.quit]y[/]",
    "a page": "</code></pre><script>alert(1)</script> ![x](http://evil.example/x) | `a` **b**",
    "a fence": "```\n# all is well\n```",
    "a long key": "0" * 1000 + "/" + "k" * 1000,
    "NUL": "a\x00b",
    "no UTF-8": "\udcff\udcfe\ufffd",
    "plugin": "x | 'status'=0;;;0 | OK",
    "labels": 'x",id="none"} 1 \\',
    "a formula": '=HYPERLINK("http://evil.example")',
}
"""What may stand in a key, a label, a code of the store's, or a bucket's answer."""


def hostile(bad: str) -> Snapshot:
    """Whatever the store can name has that name."""
    mark = AcceptedGap("e", "b", bad, bad, bad, bad, NOW, bad)
    primary = bucket(
        bucket=bad,
        endpoint=bad,
        folder=bad,
        layout=bad,
        newest_key=bad,
        newest_segment=bad,
        oldest_segment=bad,
        other_archives=(bad,),
        histories=(bad,),
        unread=(bad,),
        impossible_names=1,
        continuity=None,
        gaps=(Gap(1, bad, bad, 3),),
        lost=(Gap(1, bad, bad, 3, lost_from=bad), Gap(1, bad, bad, 1, accepted=mark, lost_from=bad)),
        identities=(SegmentIdentity(bad, bad, NOW, None, f"it begins with the bytes {bad}"),),
        repeats=(RepeatedSegment(bad, (bad, bad), False),),
    )
    dr: Any = failed(healthy().dr, Problem(bad, bad, bad), NOW, bad, 1.0)
    session = BackupSession(1, bad, True, bad, bad, NOW, bad, 1, 2)
    status = BackupRunStatus(bad, bad, 1, int(NOW), int(NOW), exit_status=1, message=bad)
    runs = {
        "backup_sessions": BackupSessions((session,), (bad,)),
        "backup_script": BackupScript(status, missing=(bad,)),
    }
    return replace(healthy(primary=primary, **runs), dr=dr)


def outputs(bad: str) -> Iterator[tuple[str, str]]:
    """Every format by its name, with `bad` for the profile's name as well."""
    snapshot = hostile(bad)
    diagnosis = of_one_look(diagnose(snapshot, NOW), snapshot, 10.0)
    assert {"archive-shrunk", "gap", "damaged-object"} <= {each.rule for each in diagnosis.findings}
    numbers = metrics(snapshot, diagnosis, NOW)
    yield "people", "\n".join(for_people(bad, diagnosis))
    yield "verbose", "\n".join(for_people(bad, diagnosis, verbose=True))
    yield "nagios", for_nagios(bad, diagnosis, numbers)
    yield "prometheus", "\n".join(for_prometheus(bad, diagnosis, numbers, NOW))
    yield "json", json.dumps(check_document(bad, snapshot, diagnosis, numbers, NOW), indent=2)
    yield "report", "\n".join(report_markdown(bad, snapshot, diagnosis, NOW))
    yield "report json", json.dumps(report_document(bad, snapshot, diagnosis, NOW), indent=2)


SAMPLE = re.compile(r'walconsole_[a-z_]+\{([a-z]+="(?:[^"\\\n]|\\[\\n"])*",?)+\} -?\d+(\.\d+)?')


@pytest.mark.parametrize("name", sorted(NAMES))
def test_no_name_leaves_its_place(name: str) -> None:
    made = dict(outputs(NAMES[name]))
    for form, text in made.items():
        assert all(line.isprintable() for line in text.split("\n")), form
        text.encode("utf-8")
    assert "\n" not in made["people"]
    assert made["nagios"].count("|") == 1
    assert "\n" not in made["nagios"]
    for line in made["prometheus"].split("\n"):
        assert line.startswith("# ") or SAMPLE.fullmatch(line), line
    assert json.loads(made["json"])["level"] == "critical"
    json.loads(made["report json"])


@pytest.mark.parametrize("name", ["a page", "a fence", "markup"])
def test_a_report_shows_markup_and_obeys_none(name: str) -> None:
    report = dict(outputs(NAMES[name]))["report"]
    fenced = re.sub(r"(?ms)^\s*```$.*?^\s*```$", "", report)
    assert "```" not in fenced
    for line in fenced.split("\n"):
        assert not re.search(r"(?<!\\)<|(?<!\\)\]\(", line), line
        assert not line.startswith("# all is well")


def test_lines_for_monitoring_stay_short_whatever_a_key_is_named() -> None:
    """Plugins' readers cut at 4 KiB (Monitoring Plugins Development Guidelines); the verdict comes first."""
    made = dict(outputs(NAMES["a long key"]))
    assert re.match(r"WALCONSOLE CRITICAL - ", made["nagios"])
    assert len(made["nagios"]) < 4096
    assert len(made["people"]) < 4096
    assert BucketRole.PRIMARY.value in made["prometheus"]
    assert Snapshot.dr.name in json.loads(made["json"])["not_seen"]
