"""What pgBackRest notes in its spool: read by /bin/sh, bounded, told, and never of a moment long past."""

import os
import subprocess
from pathlib import Path

from tests.data.archiver_log import FAILING, SEGMENT
from tests.data.facts import NOW, archiver, healthy, read
from tests.data.tools import TOOLS, on_host_of
from tests.unit.host_of_files import Host
from walconsole.domain.archivers.discovery import Settings
from walconsole.domain.facts.snapshot import Snapshot, fold
from walconsole.domain.facts.spool import SpoolFacts, SpoolNote
from walconsole.domain.failures import Diagnosis, diagnose
from walconsole.domain.standing.model import Certainty
from walconsole.observe.command.spool import read_spool
from walconsole.observe.host.host_script import all_records, assignment, script_named

OUT = "/var/spool/pgbackrest/archive/main/out"
PGBACKREST = TOOLS[0]
NO_STANZA = (
    "unable to find a valid repository: repo1: [FileMissingError] unable to load info file "
    "'/repo/archive/main/archive.info' or '/repo/archive/main/archive.info.copy': FileMissingError: unable "
    "to open missing file '/repo/archive/main/archive.info' for read HINT: has a stanza-create been "
    "performed?"
)
OTHER = "PostgreSQL version 15, system-id 77 do not match repo1 stanza version 15, system-id 78"
DROPPED = f"dropped WAL file '{SEGMENT}' because archive queue exceeded 1GB"


def looked_at(folder: Path) -> SpoolFacts:
    """As the console gets it."""
    script = assignment("token", b"t0") + assignment("folder", str(folder).encode())
    answer = subprocess.run(
        ["/bin/sh", "-c", script + script_named("spool.sh")], capture_output=True, check=True, timeout=60
    )
    assert answer.stderr == b""
    return read_spool(str(folder), all_records(answer.stdout, "t0"))


def test_files_are_read_with_code_words_and_time(tmp_path: Path) -> None:
    for age, (name, text) in enumerate((
        ("global.error", f"103\n{NO_STANZA}\n"), (f"{SEGMENT}.ok", f"0\n{DROPPED}"),
        ("000000010000000000000001.ok", ""), ("x.error", "no code"), ("README", "12\nnothing of it"),
    )):  # fmt: skip
        (tmp_path / name).write_text(text)
        os.utime(tmp_path / name, (NOW - age, NOW - age))
    (tmp_path / "linked.error").symlink_to("/etc/passwd")
    facts = looked_at(tmp_path)
    assert [(note.segment, note.code, note.at) for note in facts.notes] == [
        (SEGMENT, 0, NOW - 1), ("global", 103, NOW),
    ]  # fmt: skip
    assert facts.errors[0].text == NO_STANZA
    assert facts.errors[0].path == f"{tmp_path}/global.error"
    assert (facts.files, facts.why) == (6, "")


def test_a_spool_that_is_not_there_and_one_of_thousands(tmp_path: Path) -> None:
    assert looked_at(tmp_path / "none") == SpoolFacts(str(tmp_path / "none"))
    for number in range(300):
        (tmp_path / f"{number:024X}.error").write_text("25\n" + "x" * 5000)
    facts = looked_at(tmp_path)
    assert (len(facts.notes), facts.files) == (64, 300)
    assert max(len(note.text) for note in facts.notes) <= 800


def test_hostile_words_are_made_safe(tmp_path: Path) -> None:
    (tmp_path / "global.error").write_bytes(b"25\n\x1b[31mred\x01end secret-key=HIDDENHIDDEN\x00\n")
    (note,) = looked_at(tmp_path).notes
    assert "\x1b" not in note.text
    assert "\x01" not in note.text
    assert "HIDDENHIDDEN" not in note.text


def diagnosed(*notes: SpoolNote, failing: bool = True) -> Diagnosis:
    """On a host of pgBackRest whose log says nothing, with these in its spool."""
    facts = {"archiver": archiver(**FAILING)} if failing else {}
    snapshot = fold(healthy(**facts), read(Snapshot.spool, SpoolFacts(OUT, notes)), NOW)
    return diagnose(on_host_of(PGBACKREST, snapshot), NOW)


def error(text: str, at: float = NOW - 2) -> SpoolNote:
    return SpoolNote("global", 103, text, at, f"{OUT}/global.error")


def test_an_error_of_the_spool_is_the_cause_and_its_file_is_shown() -> None:
    """What pgBackRest notes and what it prints is one witness: only the store's listing proves it."""
    for text, rule, certainty in (
        (NO_STANZA, "stanza-missing", Certainty.PROVED),
        (OTHER, "stanza-mismatch", Certainty.LIKELY),
        ("stop file exists for all stanzas", "archiver-stopped", Certainty.LIKELY),
        (
            "HTTP request failed with 403 (Forbidden): <Code>InvalidAccessKeyId</Code>",
            "key-403",
            Certainty.LIKELY,
        ),
    ):
        root = diagnosed(error(text)).stories[0].root
        assert (root.rule, root.certainty) == (rule, certainty), text
        assert any(proof.source == f"{OUT}/global.error" for proof in root.proof), text


def test_what_lies_there_from_before_the_last_success_says_nothing() -> None:
    old = error(NO_STANZA, NOW - 5000)
    assert "stanza-missing" not in {each.rule for each in diagnosed(old).findings}
    assert "stanza-missing" not in {each.rule for each in diagnosed(error(NO_STANZA), failing=False).findings}


def test_a_file_says_that_wal_was_dropped_when_the_log_does_not() -> None:
    name = "000000010000000000000099"
    note = SpoolNote(name, 0, DROPPED.replace(SEGMENT, name), NOW - 2, f"{OUT}/{name}.ok")
    found = {each.rule: each for each in diagnosed(note, failing=False).findings}
    assert f"{OUT}/{name}.ok" in str(found["wal-dropped"].evidence)
    assert found["wal-dropped"].certainty is Certainty.PROVED
    assert "pgbackrest --stanza=main backup" in str(found["wal-dropped"].fixes)


def test_the_spool_is_found_only_where_it_archives_asynchronously() -> None:
    command = "pgbackrest --config=/c --stanza=main archive-push %p"
    for line, folder in (("", ""), ("archive-async=n\n", ""), ("archive-async=y\n", OUT),
                         ("archive-async=y\nspool-path=/srv/s\n", "/srv/s/archive/main/out")):  # fmt: skip
        (target,) = Host({"/c": f"[global]\n{line}repo1-path=/repo\n"}).find_out(Settings(command)).targets
        assert target.spool == folder
