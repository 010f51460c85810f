"""pgBackRest's configuration told of a new place: the stanza's own lines change, and no other."""

import subprocess
from pathlib import Path

import pytest

from walconsole.domain.recovery.by_tool import ClusterPlace, read_place
from walconsole.provision.recovering.their_place import _LOOK, _REWRITE, ConfiguredPlace, by_hand

BEFORE = r"""# somebody's
[global]
repo1-s3-key-secret=a\nb&|c
pg1-path=/not/here
[main]
pg1-user = app
  pg1-path = /srv/old
pg1-port=5432
[other]
pg1-path=/srv/other
"""
AFTER = r"""# somebody's
[global]
repo1-s3-key-secret=a\nb&|c
pg1-path=/not/here
[main]
pg1-user = app
pg1-path=/srv/new
pg1-port=5433
pg1-socket-path=/run/pg
[other]
pg1-path=/srv/other
"""
WANTED = ClusterPlace("/srv/new", 5433, "/run/pg")


def rewritten(text: str) -> tuple[int, str]:
    """What becomes of a configuration, as `rework` has awk make it; and the status."""
    told = "\n".join(("main", "lines", *WANTED.lines, "", text))
    ended = subprocess.run(["awk", _REWRITE], input=told, capture_output=True, text=True, check=False)
    return ended.returncode, ended.stdout


def found_in(text: str) -> ClusterPlace:
    said = subprocess.run(
        ["awk", "-v", "stanza=main", _LOOK], input=text, capture_output=True, text=True, check=True
    )
    return read_place(said.stdout)


def test_the_stanzas_own_lines_change_and_the_keys_stay() -> None:
    assert found_in(BEFORE) == ClusterPlace("/srv/old", 5432)
    assert rewritten(BEFORE) == (0, AFTER)
    assert rewritten(AFTER) == (0, AFTER)
    assert found_in(AFTER) == WANTED


def test_what_an_operator_would_type_comes_to_the_same(tmp_path: Path) -> None:
    path = tmp_path / "pgbackrest.conf"
    path.write_text(BEFORE)
    command = by_hand(ConfiguredPlace(str(path), "main", found_in(BEFORE), WANTED))
    subprocess.run(["sh", "-c", command], check=True)
    assert path.read_text() == AFTER


@pytest.mark.parametrize("text", ["", "[main]\npg1-port=5432\n", "pg1-path=/x\n", "[mainly]\npg1-path=/x\n"])
def test_where_no_place_stands_in_its_section_nothing_is_made(text: str) -> None:
    assert rewritten(text)[0] == 1
    assert found_in(text).path == ""
