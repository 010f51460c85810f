"""The operator's file of accepted gaps: nothing in it is ever lost."""

import fcntl
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from walconsole.domain.archive.gaps import AcceptedGap
from walconsole.domain.wal import Segment
from walconsole.errors import RegisterError
from walconsole.operator_files.gap_register import GapFile


def name(number: int, timeline: int = 1) -> str:
    return Segment(timeline, number).name()


LOST = AcceptedGap(
    endpoint="https://nyc3.digitaloceanspaces.com",
    bucket="shithub-wal",
    root="wal/",
    first=name(5),
    last=name(7),
    reason="the disk was replaced",
    accepted_at=1_778_421_600.0,
    by="ops",
)
OTHER = replace(LOST, bucket="shithub-wal-dr", first=name(9), last=name(9), reason="never copied")
THIRD = replace(LOST, first=name(20), last=name(20), root="", by="")


@pytest.fixture
def file(tmp_path: Path) -> GapFile:
    return GapFile({"XDG_CONFIG_HOME": str(tmp_path)})


def write(file: GapFile, text: str) -> None:
    file.path.parent.mkdir(parents=True, exist_ok=True)
    file.path.write_text(text, encoding="utf-8")


def test_where_it_lies(tmp_path: Path) -> None:
    assert GapFile({"XDG_CONFIG_HOME": str(tmp_path)}).path == tmp_path / "walconsole" / "accepted-gaps.toml"
    for environ in ({"HOME": str(tmp_path)}, {"HOME": str(tmp_path), "XDG_CONFIG_HOME": "relative"}):
        assert GapFile(environ).path == tmp_path / ".config" / "walconsole" / "accepted-gaps.toml"


def test_no_file_is_no_gap(file: GapFile) -> None:
    assert file.accepted() == ()
    assert not file.path.parent.exists()


def test_what_is_accepted_is_found_and_withdrawn(file: GapFile) -> None:
    for gap in (LOST, OTHER, THIRD):
        file.accept(gap)
    file.accept(OTHER)  # a second time changes nothing
    assert file.accepted() == (LOST, OTHER, THIRD)
    assert file.path.stat().st_mode & 0o777 == 0o600
    assert "accepted_at = 2026-05-10T14:00:00Z" in file.path.read_text()
    file.withdraw(OTHER)
    file.withdraw(OTHER)
    assert file.accepted() == (LOST, THIRD)
    file.withdraw(THIRD)
    file.withdraw(LOST)
    assert file.accepted() == ()
    assert file.path.read_text().startswith("# Gaps in the archive")
    assert sorted(each.name for each in file.path.parent.iterdir()) == [
        "accepted-gaps.lock",
        "accepted-gaps.toml",
    ]


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
gaps = st.builds(
    lambda endpoint, bucket, root, first, count, timeline, reason, at, by: AcceptedGap(
        endpoint, bucket, root, name(first, timeline), name(first + count, timeline), reason, at, by
    ),
    texts, texts, texts, st.integers(1, 1 << 30), st.integers(0, 1 << 30), st.integers(1, 1 << 31), texts,
    st.floats(0, 4e9), texts,
)  # fmt: skip


@settings(deadline=None)  # each write waits for the disk
@given(st.lists(gaps, max_size=6, unique=True), st.data())
def test_any_gaps_are_kept_and_any_of_them_is_taken_back(
    tmp_path_factory: pytest.TempPathFactory, accepted: list[AcceptedGap], data: st.DataObject
) -> None:
    file = GapFile({"XDG_CONFIG_HOME": str(tmp_path_factory.mktemp("config"))})
    for gap in accepted:
        file.accept(gap)
    found = list(file.accepted())
    assert [replace(gap, accepted_at=0) for gap in found] == [replace(gap, accepted_at=0) for gap in accepted]
    assert all(
        abs(one.accepted_at - other.accepted_at) < 1e-5 for one, other in zip(found, accepted, strict=True)
    )
    for gap in data.draw(st.permutations(accepted)):
        file.withdraw(gap)
        del found[accepted.index(gap)]
        accepted = [each for each in accepted if each != gap]
        assert list(file.accepted()) == found


BY_HAND = """\
# what we know of the outage in May

[[gap]]  # found by Ada
endpoint = "https://nyc3.digitaloceanspaces.com"
bucket = "shithub-wal"
root = "wal/"
first = "000000010000000000000005"  # the first of three
last = "000000010000000000000007"
reason = '''
the disk
[[gap]] was replaced'''
accepted_at = 2026-05-10 16:00:00+02:00
by = "ada"

# and this one: see the ticket
[[ gap ]]
endpoint = "https://sfo3.digitaloceanspaces.com"
bucket = "shithub-wal-dr"
first = "000000010000000000000009"
last = "000000010000000000000009"
reason = "never copied"
accepted_at = 2026-05-10T14:00:00

# the end"""


def test_what_was_written_by_hand_is_read_and_kept(file: GapFile) -> None:
    write(file, BY_HAND)
    first, second = file.accepted()
    assert first.accepted_at == second.accepted_at == LOST.accepted_at
    assert (first.by, first.reason) == ("ada", "the disk\n[[gap]] was replaced")
    assert (second.root, second.by) == ("", "")
    file.accept(THIRD)
    assert file.path.read_text().startswith(BY_HAND + "\n")
    assert file.accepted() == (first, second, THIRD)


def test_taking_one_back_takes_its_table_and_nothing_else(file: GapFile) -> None:
    text = BY_HAND.replace("[[gap]] was", "it was")
    write(file, text)
    first, second = file.accepted()
    file.withdraw(first)
    left = file.path.read_text()
    assert file.accepted() == (second,)
    assert left == "# what we know of the outage in May\n\n" + text[text.index("# and this") :]
    file.withdraw(second)
    assert file.path.read_text() == (
        "# what we know of the outage in May\n\n# and this one: see the ticket\n\n# the end"
    )


INLINE = (
    f'gap = [{{endpoint = "e", bucket = "b", first = "{name(1)}", last = "{name(1)}", reason = "r", '
    "accepted_at = 2026-05-10T14:00:00Z}]\n"
)


@pytest.mark.parametrize("text", [BY_HAND, INLINE])
def test_a_table_that_cannot_be_told_from_the_text_stays(file: GapFile, text: str) -> None:
    write(file, text)
    with pytest.raises(RegisterError, match="cannot be told from the text"):
        file.withdraw(file.accepted()[0])
    assert file.path.read_text() == text


ENTRY = BY_HAND[BY_HAND.index("[[ gap ]]") : BY_HAND.index("\n# the end")]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[[gap]\n", "line 1"),
        ("gap = 3\n", "tables and nothing else"),
        ("[gap]\nfirst = 1\n", "tables and nothing else"),
        ("gap = [3]\n", "gap 1 is no table"),
        (ENTRY + "[theme]\n", "tables and nothing else"),
        (ENTRY + ENTRY.replace("reason", "why"), "gap 2 has an unknown key 'why'"),
        (ENTRY.replace('reason = "never copied"\n', ""), "no text reason"),
        (ENTRY.replace('"shithub-wal-dr"', "3"), "no text bucket"),
        (ENTRY.replace("00000009", "0000000g"), "segments of one timeline"),
        (ENTRY.replace('last = "00000001', 'last = "00000002'), "segments of one timeline"),
        (ENTRY.replace('last = "000000010000000000000009', 'last = "000000010000000000000008'), "in order"),
        (ENTRY.replace("2026-05-10T14:00:00", '"yesterday"'), "no time accepted_at"),
        (ENTRY.replace("2026-05-10T14:00:00", "2026-05-10"), "no time accepted_at"),
        (ENTRY.replace("2026-05-10T14:00:00", "0001-01-01T00:00:00+14:00"), "no time between"),
        ("gap = " + "9" * 5000, "digits"),
        ("gap = " + "[" * 5000, "nested too deeply"),
    ],
)
def test_a_file_that_is_wrong_is_named_and_left_alone(file: GapFile, text: str, why: str) -> None:
    write(file, text)
    for use in (file.accepted, lambda: file.accept(LOST), lambda: file.withdraw(LOST)):
        with pytest.raises(RegisterError, match=why) as caught:
            use()
        assert str(file.path) in str(caught.value)
        assert "nothing in it was changed" in caught.value.remedy
    assert file.path.read_text() == text


def test_what_is_no_text_or_too_much_of_it(file: GapFile) -> None:
    for raw, why in ((b"\xff\xfe", "UTF-8"), (b"#" * (4 * 1024 * 1024 + 1), "larger than")):
        write(file, "")
        file.path.write_bytes(raw)
        with pytest.raises(RegisterError, match=why):
            file.accept(LOST)
        assert file.path.read_bytes() == raw


def test_a_gap_that_is_none_is_not_written(file: GapFile) -> None:
    file.accept(LOST)
    text = file.path.read_text()
    for wrong in (replace(LOST, first=name(8)), replace(LOST, last=name(9, 2)), replace(LOST, first="x")):
        with pytest.raises(RegisterError, match="segments of one timeline"):
            file.accept(wrong)
    assert file.path.read_text() == text


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    file = GapFile({"XDG_CONFIG_HOME": str(tmp_path / "taken")})
    for use in (file.accepted, lambda: file.accept(LOST), lambda: file.withdraw(LOST)):
        with pytest.raises(RegisterError, match=r"taken.*permissions"):
            use()


def test_a_file_behind_a_link_stays_behind_it(file: GapFile, tmp_path: Path) -> None:
    kept = tmp_path / "dotfiles" / "gaps.toml"
    kept.parent.mkdir()
    kept.write_text("# mine\n")
    file.path.parent.mkdir(parents=True)
    file.path.symlink_to(kept)
    file.accept(LOST)
    assert file.path.is_symlink()
    assert kept.read_text().startswith("# mine\n\n[[gap]]\n")
    assert file.accepted() == (LOST,)


ACCEPT_TEN = """
import os, sys
from walconsole.operator_files.gap_register import GapFile
from walconsole.domain.archive.gaps import AcceptedGap
for number in range(10):
    name = f"0000000100000000{int(sys.argv[1]) * 10 + number:08X}"
    GapFile(os.environ).accept(AcceptedGap("e", "b", "", name, name, "r", 1.0))
"""


def test_consoles_that_write_at_once_lose_nothing(file: GapFile, tmp_path: Path) -> None:
    environ = {**os.environ, "XDG_CONFIG_HOME": str(tmp_path)}
    writers = [
        subprocess.Popen([sys.executable, "-c", ACCEPT_TEN, str(number)], env=environ) for number in range(4)
    ]
    assert [writer.wait(timeout=60) for writer in writers] == [0] * 4
    assert {int(gap.first[-8:], 16) for gap in file.accepted()} == set(range(40))


def test_a_lock_that_a_stopped_console_holds_is_not_waited_for(
    file: GapFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("walconsole.operator_files.gap_register.LOCK_PATIENCE_S", 0.05)
    file.accept(LOST)
    with file.path.with_suffix(".lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(RegisterError, match="another console holds them"):
            file.accept(OTHER)
    assert file.accepted() == (LOST,)
    file.accept(OTHER)
    assert file.accepted() == (LOST, OTHER)
