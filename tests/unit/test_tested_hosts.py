"""What `make test-vm` makes of what its droplets, its tests and its watcher told."""

from dataclasses import replace

from tests.vm.page import Droplet, Part, Run, page
from tests.vm.watching import Seen

DROPLET = Droplet("test_faults", "root", "tcg", 24.4, 600.0)
RUN = Run(
    date="2026-11-30",
    python="3.11.7",
    processors=2,
    took_s=750.0,
    built_in_s=61.0,
    versions={"systemd": "257"},
    droplets=[DROPLET, replace(DROPLET, module="test_deployment", user="operator")],
    parts=[
        Part("test_stopped", seconds=31.4, rows=[("`stop`", "a | b"), ("`halt`", "two\nlines")]),
        Part("test_reboot", passed=False, seconds=70.0),
    ],
    not_run=["test_undo"],
)
METRICS = """\
# HELP walconsole_status The verdict: 0 ok, 1 warning, 2 critical, 3 unknown.
walconsole_status{profile="lab"} 2
walconsole_finding{profile="lab",id="key-403",severity="critical",root="true"} 1
walconsole_finding{profile="lab",id="failing",severity="critical",root="false"} 1
walconsole_check_timestamp_seconds{profile="lab"} 1796051828.431
"""


def test_a_droplet_says_of_itself_what_is_read_again() -> None:
    assert Droplet.of(DROPLET.told()) == DROPLET


def test_the_page_says_what_was_seen_what_failed_and_what_was_not_run() -> None:
    text = page(RUN)
    assert "2 droplets side by side" in text
    assert "12.5 min on 2 processors" in text
    assert "- failed: test_reboot; not run: test_undo" in text
    assert "| `stop` | a \\| b | 31 |\n| `halt` | two lines |  |" in text


def test_what_a_watcher_serves_is_read() -> None:
    assert Seen.of(METRICS) == Seen(
        "critical", {"key-403": "critical", "failing": "critical"}, 1796051828.431
    )
    assert Seen.of("# nothing was looked at yet\n") is None


def test_a_droplet_is_well_where_it_is_only_slow() -> None:
    assert Seen("ok", {"copies-agree": "note"}, 0.0).well
    assert Seen("warning", {"slow-droplet": "warning"}, 0.0).well
    assert not Seen("warning", {"slow-droplet": "warning", "endpoint-wrong": "warning"}, 0.0).well
    assert not Seen("unknown", {}, 0.0).well
