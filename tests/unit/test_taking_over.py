"""Which lines of other files win over the drop-in, and how they are taken out."""

import pytest

from walconsole.errors import ProvisionError
from walconsole.provision.droplet.file_settings import FileSetting
from walconsole.provision.fixes.taking_over import later_lines, taken_out

FOLDER = "/etc/postgresql/16/main"
DROPIN = f"{FOLDER}/conf.d/99_x_archive.conf"
LATE = f"{FOLDER}/conf.d/zz_mine.conf"
NAMES = ("archive_mode", "archive_command", "archive_timeout")


def row(file: str, line: int, name: str) -> FileSetting:
    return FileSetting(file, line, name, "", "sighup", applied=True)


BEFORE = [
    row(f"{FOLDER}/postgresql.conf", 3, "archive_command"),
    row(f"{FOLDER}/conf.d/00.conf", 1, NAMES[1]),
]
OURS = [row(DROPIN, at, name) for at, name in enumerate(NAMES, 1)]
AFTER = [
    row(LATE, 1, "work_mem"),
    row(LATE, 2, "Archive_Command"),
    row(f"{FOLDER}/postgresql.conf", 800, "archive_mode"),
]
AUTO = [row("/var/lib/postgresql/16/main/postgresql.auto.conf", 3, "archive_command")]


def test_what_comes_after_the_drop_in_is_found_and_what_comes_before_is_not() -> None:
    found = later_lines([*BEFORE, *OURS, *AFTER, *AUTO], DROPIN, NAMES)
    assert [each.place for each in found] == [f"{LATE}:2", f"{FOLDER}/postgresql.conf:800"]


def test_where_it_is_not_there_yet_its_name_is_its_place() -> None:
    assert later_lines([*BEFORE, *AFTER], DROPIN, NAMES) == (AFTER[1], AFTER[2])
    assert later_lines([*BEFORE, *AUTO], DROPIN, NAMES) == ()
    assert later_lines([], DROPIN, NAMES) == ()


def test_a_line_becomes_a_comment_and_the_rest_stays() -> None:
    text = "work_mem = '4MB'\n  Archive_Command = '/bin/true' # why\nx = 1\n"
    out = taken_out(text, [AFTER[1]], "99_x_archive.conf")
    assert out.split("\n")[0] == "work_mem = '4MB'"
    assert out.split("\n")[1].startswith("# taken out by walconsole")
    assert out.split("\n")[1].endswith("  Archive_Command = '/bin/true' # why")
    assert out.endswith("\nx = 1\n")


@pytest.mark.parametrize("text", ["", "one\n", "a\nwork_mem = 4MB\n"])
def test_a_line_that_is_another_by_now_is_left(text: str) -> None:
    with pytest.raises(ProvisionError, match="another by now"):
        taken_out(text, [AFTER[1]], "99_x_archive.conf")
