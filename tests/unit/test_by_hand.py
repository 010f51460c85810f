"""The commands that restore by hand are the page's, which a test with real servers runs."""

import re
import shlex
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from tests.data.recovery import SIZE, base
from walconsole.domain.profile import BucketRole
from walconsole.domain.recovery.backups import Writer
from walconsole.domain.recovery.by_hand import (
    CONFIGURE,
    FETCH,
    FILES,
    JOIN,
    START,
    UNPACK,
    Copies,
    by_hand,
    why_not,
)
from walconsole.domain.recovery.held import HeldBackup

PAGE = (Path(__file__).parents[2] / "docs" / "recovery.md").read_text("utf-8")
BLOCKS = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
COPIES = Copies("spaces-prod:NAME-wal/", (), "/etc/rclone-NAME.conf")
BOTH = (BucketRole.PRIMARY, BucketRole.DR)


def script(copies: Copies = COPIES, **changes: object) -> str:
    timeline = changes.pop("target", None)
    made = base(7, timeline=2, **changes)  # type: ignore[arg-type]
    paragraphs = by_hand(made, copies, segment_bytes=SIZE, timeline=timeline)  # type: ignore[arg-type]
    return "\n".join(line for each in paragraphs for line in each.lines) + "\n"


@pytest.mark.parametrize("block", [FILES, FETCH + UNPACK, CONFIGURE, START])
def test_they_are_the_pages(block: str) -> None:
    assert block in BLOCKS
    assert block in script()


def test_the_pages_variables_are_filled_in() -> None:
    names = [*re.findall(r"^(\w+)=", BLOCKS[0], re.MULTILINE), "id", "first"]
    values = dict(re.findall(r"^(\w+)=(\S+?);? ?(?:export.*)?$", script(id="20261128T031000Z"), re.MULTILINE))
    assert {name: values[name] for name in names} == {
        "copy": "spaces-prod:NAME-wal/",
        "bin": "/usr/lib/postgresql/15/bin",
        "data": "/var/lib/postgresql/15/restored",
        "work": "/var/lib/postgresql/15/restoring",
        "RCLONE_CONFIG": "/etc/rclone-NAME.conf",
        "id": "20261128T031000Z",
        "first": "000000020000000000000007",
    }


def test_the_stores_own_certificates_are_trusted() -> None:
    trusting = replace(COPIES, trust=("RCLONE_CA_CERT", "/etc/rclone-NAME-ca.pem"))
    line = "RCLONE_CA_CERT=/etc/rclone-NAME-ca.pem; export RCLONE_CA_CERT\n"
    assert line in script(trusting)
    assert script(trusting).replace(line, "") == script()


def test_an_encrypted_one_is_decrypted_first() -> None:
    text = script(encryption="age")
    assert 'base.tar.zst.age" | age -d -i SECRET-KEY-FILE | zstd -q -dc | tar' in text


def test_wal_that_the_copy_lacks_is_brought_from_the_other() -> None:
    text = script(Copies("one:b/", ("two:it's/",), "/etc/r.conf"))
    assert text.count("rclone lsf") == text.count("rclone copy") == 2
    assert text.count(shlex.quote("two:it's/")) == 2
    assert text.index("two:") < text.index("find ")


def test_the_timeline_is_named_where_latest_leads_elsewhere() -> None:
    assert "recovery_target_timeline" not in script()
    assert "recovery_target_timeline = '2'" in script(target=2)


def test_a_shell_takes_it_whatever_the_names_are() -> None:
    copies = Copies("a b:$(id)'\";`x`/", ("c\\:d/",), "/etc/r c.conf")
    checked = subprocess.run(
        ["/bin/sh", "-n"], input=script(copies), text=True, capture_output=True, check=False, timeout=20
    )
    assert (checked.returncode, checked.stderr) == (0, "")
    first = script(copies).splitlines()[0]
    said = subprocess.run(
        ["/bin/sh", "-c", f'{first}\nprintf %s "$copy"'],
        text=True,
        capture_output=True,
        check=True,
        timeout=20,
    )
    assert said.stdout == copies.backup_from


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, ""),
        ({"encryption": "age"}, ""),
        ({"place": "pg/15/base/"}, ""),
        ({"writer": Writer.PGBACKREST}, "pgBackRest"),
        ({"place": "$(id)/base/"}, "not those"),
        ({"place": "a\nb/base/"}, "not those"),
        ({"encryption": "rot13"}, "not those"),
    ],
)
def test_what_they_do_not_suit_is_refused(changes: dict[str, object], words: str) -> None:
    held = HeldBackup(base(7, **changes), BOTH, BOTH)  # type: ignore[arg-type]
    told = why_not(held, (held,), True)
    assert words in told
    assert bool(words) == bool(told)


def chained(**changes: object) -> tuple[HeldBackup, HeldBackup]:
    """A full one, and an incremental one upon it."""
    full = base(3, day=2, unpacked_bytes=5 << 30)
    upon = base(7, parent=full.id, unpacked_bytes=1 << 30, **changes)  # type: ignore[arg-type]
    return HeldBackup(full, BOTH, BOTH), HeldBackup(upon, BOTH, BOTH)


def test_an_incremental_one_is_joined_with_all_that_it_builds_upon() -> None:
    full, upon = chained()
    assert why_not(upon, (full, upon), True) == ""
    parts = by_hand(upon.backup, COPIES, segment_bytes=SIZE, chain=[full.backup, upon.backup])
    text = "\n".join(line for each in parts for line in each.lines) + "\n"
    assert JOIN in BLOCKS
    assert JOIN in text
    assert FILES not in text
    assert f"chain='{full.backup.id} {upon.backup.id}'\n" in text
    assert "first=000000010000000000000007\n" in text
    room = "of 2 backups, joined: 6.00 GiB for them, and as much as the whole cluster besides"
    assert room in parts[1].title
    full, upon = chained(encryption="age")
    assert "decrypt each" in why_not(upon, (full, upon), True)
    sealed = HeldBackup(replace(full.backup, encryption="age"), BOTH, BOTH)
    assert why_not(upon, (sealed, upon), True) == ""
    parts = by_hand(upon.backup, COPIES, segment_bytes=SIZE, chain=[sealed.backup, upon.backup])
    assert 'base/$each/base.tar.zst.age" | age -d -i SECRET-KEY-FILE | zstd' in "\n".join(parts[1].lines)


def test_neither_half_a_chain_nor_another_layout_is_restored_so() -> None:
    full, upon = chained()
    for half in ((upon,), (full,)):
        assert "not known" in why_not(upon, half, True)
    assert "layout" in why_not(full, (full,), False)
    with pytest.raises(ValueError, match="not known"):
        by_hand(base(7, start_lsn=None), COPIES, segment_bytes=SIZE)
