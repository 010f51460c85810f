"""Archive scripts followed as a shell does; the same scripts run by a real one, in which no store works."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.data.archive_scripts import HEALTHY, HIDING, NOTHING, OPEN
from tests.data.facts import NOW, archiver, healthy, settings
from walconsole.domain.archivers.discovery import Settings, discover
from walconsole.domain.archivers.ending import ending_of
from walconsole.domain.archivers.look import FileText, Look, ProgramFile, Seen
from walconsole.domain.archivers.target import Ending
from walconsole.domain.facts.evidence import CommandFacts, DiscoveryFacts
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.failures import diagnose
from walconsole.domain.standing.model import Level
from walconsole.observe.command.discovering import facts_of

PATH, COMMAND = "/opt/wal.sh", "/opt/wal.sh %p %f"
FIRST = "#!/bin/bash\n"
FAIL = (
    "cp", "rsync", "scp", "aws", "rclone", "pgbackrest", "wal-g", "ssh", "gzip", "zstd", "age", "docker",
    "push",
)  # fmt: skip
SAY_YES = (
    "curl", "nc", "sftp", "at", "logger", "mail", "sleep", "find", "sync", "mv", "systemd-run", "setsid",
)  # fmt: skip
LEFT_OUT = frozenset({
    "tried again, for good",  # it tries for ever
    "curl that fails", "curl whose answer is read", "sftp by a list", "unit waited for",  # faked here
})  # fmt: skip


def followed(script: str, command: str = COMMAND) -> Ending:
    """How it ends, with that script behind it."""
    return ending_of(command, Look(seen(script)))


def seen(script: str) -> Seen:
    """A host where it was read."""
    return Seen(programs={PATH: ProgramFile(PATH, FileText(PATH, FIRST + script))})


@pytest.mark.cases("archive scripts that fail where storing fails")
@pytest.mark.parametrize("script", HEALTHY.values(), ids=HEALTHY.keys())
def test_a_script_that_fails_where_storing_fails_hides_nothing(script: str) -> None:
    assert followed(script) == Ending()


@pytest.mark.cases("archive scripts that say yes whatever happens")
@pytest.mark.parametrize(("script", "what", "line"), HIDING.values(), ids=HIDING.keys())
def test_a_script_that_says_yes_is_told_with_its_line(script: str, what: str, line: int) -> None:
    hiding = followed(script).hiding
    assert hiding is not None
    assert what in hiding.what
    assert (hiding.script, hiding.line) == (PATH, line)


@pytest.mark.parametrize("script", NOTHING.values(), ids=NOTHING.keys())
def test_a_script_that_comes_to_no_store_stores_nothing(script: str) -> None:
    assert followed(script) == Ending(stores_nothing=True)


@pytest.mark.parametrize("script", OPEN.values(), ids=OPEN.keys())
def test_of_what_only_a_run_tells_nothing_is_said(script: str) -> None:
    assert followed(script) == Ending()


def test_what_a_script_hides_is_seen_through_wrappers_and_a_shell() -> None:
    script = 'cp "$1" "/w/$2"\nexit 0\n'
    for command in ("sh /opt/wal.sh %p %f", "sudo -u wal /opt/wal.sh %p %f", "sh -c '/opt/wal.sh %p %f'"):
        hiding = followed(script, command).hiding
        assert hiding is not None, command
        assert hiding.line == 3
    assert followed("cp $1 /w/$2\n", "/opt/wal.sh %p %f || true").hiding is not None
    assert followed("cp $1 /w/$2\nexit 0\n", "bash -e /opt/wal.sh %p %f").hiding is None


def test_a_script_without_an_end_to_its_blocks_and_one_of_many_ways_are_let_be() -> None:
    assert followed('if cp "$1" /w; then\n') == Ending()
    assert followed("if [ $a ]; then a=1; fi\n" * 3000 + 'cp "$1" /w\nexit 0\n') == Ending()
    assert followed("(" * 500) == Ending()
    assert followed("f() { f; }\nf\n") == Ending()


PIECES = (
    "cp $1 /w", ";", "&&", "||", "|", "&", "\n", "(", ")", "{", "}", "if", "then", "fi", "else",
    "for x in a", "while", "do", "done", "case $1 in", "esac", ";;", "f()", "exit", "return", "$?", "`",
    "$(", "[[", "]]", "((", "))", "!", "trap", "EXIT", "set -e", "'", '"', "<<M", "break 2", "shift",
    ". /x", "eval", "env -S", "sh -c",
)  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=14))
def test_no_text_is_too_strange(pieces: list[str]) -> None:
    assert isinstance(followed(" ".join(pieces)), Ending)
    assert isinstance(ending_of(" ".join(pieces), Look(Seen())), Ending)


def test_a_program_in_another_language_is_not_guessed_at() -> None:
    script = FileText(PATH, "#!/usr/bin/env python3\nimport sys\nsys.exit(0)\n")
    look = Look(Seen(programs={PATH: ProgramFile(PATH, script)}))
    assert ending_of(COMMAND, look) == Ending()
    found, _ = discover(Settings(COMMAND), look.seen)
    assert found.ending == Ending()
    assert found.targets[0].store.why == "/opt/wal.sh is a program for python3: it is not followed"  # type: ignore[union-attr]


def test_discovery_judges_once_all_of_it_was_read() -> None:
    script = 'cp "$1" "/w/$2"\nexit 0\n'
    found, wanted = discover(Settings(COMMAND), Seen())
    assert wanted
    assert found.ending == Ending()
    found, _ = discover(Settings(COMMAND), seen(script))
    facts = facts_of(found)
    assert (facts.hiding, facts.hiding_at, facts.judged) == ("; exit 0", "/opt/wal.sh line 3", COMMAND)


def judged(**told: object) -> DiscoveryFacts:
    """What the host says of the command."""
    return DiscoveryFacts(judged=COMMAND, **told)  # type: ignore[arg-type]


def snapshot_of(found: DiscoveryFacts, command: str = COMMAND) -> Snapshot:
    """A server that archives by it, and whose archive is whole."""
    return healthy(settings=settings(archive_command=command), command=CommandFacts(command), discovery=found)


def test_the_finding_names_the_script_and_its_line() -> None:
    found = diagnose(snapshot_of(judged(hiding="; exit 0", hiding_at="/opt/wal.sh line 3")), NOW)
    (finding,) = (each for each in found.findings if each.rule == "failure-hidden")
    assert finding.title == (
        "/opt/wal.sh says yes whatever happens: it ends well whatever failed before (; exit 0, line 3)"
    )
    assert found.verdict.level is Level.WARNING


def test_it_is_not_told_of_another_command_than_the_one_in_force() -> None:
    found = diagnose(snapshot_of(judged(hiding="; exit 0", hiding_at="/x line 3"), "cp %p /w/%f"), NOW)
    assert "failure-hidden" not in {each.rule for each in found.findings}


def test_a_script_that_stores_nothing_is_critical_while_the_archive_is_not_read() -> None:
    snapshot = healthy(
        settings=settings(archive_command=COMMAND),
        command=CommandFacts(COMMAND),
        discovery=judged(stores_nothing=True),
        archiver=archiver(last_archived_wal=None, last_archived_at=None),
        primary=None,
        dr=None,
    )
    found = diagnose(snapshot, NOW)
    assert "stores-nothing" in {each.rule for each in found.findings}
    assert found.verdict.level is Level.CRITICAL


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where every program that stores fails, and every other succeeds."""
    folder = tmp_path_factory.mktemp("programs")
    for names, status in ((FAIL, 1), (SAY_YES, 0)):
        for name in names:
            program = folder / name
            program.write_text(f"#!/bin/sh\nexit {status}\n")
            program.chmod(0o755)
    short = folder / "sleep"  # a job that ended before it is disowned is none: bash says 1 for it
    short.write_text("#!/bin/sh\nexec /bin/sleep 0.2\n")
    short.chmod(0o755)
    return folder


PLACES = re.compile(r"(?<![\w.}])/(?:w|a|b|spool|var/log|opt)(?![^/\"'\s])")
"""Folders that the scripts name, which no test may make outside its own."""


def status_of(script: str, programs: Path, folder: Path) -> int:
    """How a real bash ends by it."""
    script = PLACES.sub(str(folder), script)
    segment = folder / "000000010000000000000001"
    segment.write_bytes(b"wal")
    path = folder / "wal.sh"
    path.write_text(FIRST + script)
    path.chmod(0o755)
    ran = subprocess.run(
        ["/bin/bash", "-c", f"exec {path} {segment} new"],
        cwd=folder,
        env={"PATH": f"{programs}:{os.environ['PATH']}"},
        check=False,
        capture_output=True,
        timeout=20,
    )
    return ran.returncode


RUN_HEALTHY = {name: script for name, script in HEALTHY.items() if name not in LEFT_OUT}


@pytest.mark.parametrize("script", RUN_HEALTHY.values(), ids=RUN_HEALTHY.keys())
def test_a_real_shell_agrees_that_it_fails(script: str, programs: Path, tmp_path: Path) -> None:
    assert status_of(script, programs, tmp_path) != 0


RUN_HIDING = {name: script for name, (script, _, _) in HIDING.items() if name != "all but the last"}


@pytest.mark.parametrize("script", RUN_HIDING.values(), ids=RUN_HIDING.keys())
def test_a_real_shell_agrees_that_it_says_yes(script: str, programs: Path, tmp_path: Path) -> None:
    assert status_of(script, programs, tmp_path) == 0


BOTH = 'cp "$1" "/w/$2" &> /tmp/log\n'


@pytest.mark.parametrize(
    ("shell", "first", "hidden"),
    [
        ("dash", "#!/bin/sh", True),
        ("bash", "#!/bin/sh", False),
        ("", "#!/bin/sh", False),
        ("dash", "#!/bin/bash", False),
        ("bash", "#!/bin/dash", True),
    ],
)
def test_both_streams_redirected_as_bash_does_it_is_another_thing_to_dash(
    shell: str, first: str, hidden: bool
) -> None:
    """`cp … &` and `> /tmp/log`: it ends well at once."""
    script = FileText(PATH, f"{first}\n{BOTH}")
    found = ending_of(COMMAND, Look(Seen(programs={PATH: ProgramFile(PATH, script)}, sh=shell)))
    assert (found.hiding is not None) is hidden
    if found.hiding is not None:
        assert found.hiding.what.startswith("&>, which dash takes for & and >")
    told = ending_of("cp %p /w/%f &> /tmp/log", Look(Seen(sh=shell)))
    assert (told.hiding is not None) is (shell == "dash")
    assert ending_of("bash -c 'cp %p /w/%f &> /tmp/log'", Look(Seen(sh="dash"))).hiding is None


@pytest.mark.skipif(shutil.which("dash") is None or shutil.which("bash") is None, reason="needs both shells")
def test_both_shells_agree(tmp_path: Path) -> None:
    for shell, status in (("dash", 0), ("bash", 1)):
        ended = subprocess.run([shell, "-c", f"cp {tmp_path}/none {tmp_path}/x &> /dev/null"], check=False)
        assert ended.returncode == status, shell
