"""What provisioning finds of base backups in a copy, on a bucket in memory."""

import json
from typing import Any

import pytest

from tests.data.provisioning import a_profile, a_site
from tests.data.surveys import SERVER, SYSTEM, NoShell
from tests.unit.memory_bucket import MemoryBucket
from tests.unit.test_recovery_descriptions import ID, OURS
from walconsole.domain.wal import Segment
from walconsole.provision.droplet.survey import Survey
from walconsole.provision.engine.site import Site
from walconsole.provision.steps.backup_look import look_at_backups, missing_after
from walconsole.provision.steps.look_result import BackupLook

FOLDER = f"base/{ID}/"


async def look(*segments: int, **told: Any) -> BackupLook:
    """At a copy with these segments and one backup, which says `told`."""
    marker = f"{FOLDER}backup.json"
    names = [f"{Segment(1, number).name()}.zst" for number in segments]
    bucket = MemoryBucket([*names, marker, f"{FOLDER}backup_manifest", f"{FOLDER}base.tar.zst"])
    objects = [{**each, "bytes": 16} for each in OURS["objects"]]  # each has 16 bytes in memory
    said = {**OURS, "objects": objects, "system_identifier": SYSTEM, **told}
    bucket.contents[marker] = json.dumps(said).encode()

    async def no_look(_: Site) -> Survey:
        raise AssertionError

    site = a_site(a_profile(), NoShell(), no_look, store=lambda _: bucket)
    return await look_at_backups(site, site.profile.primary, SERVER)


async def test_a_whole_one_with_its_wal_is_found() -> None:
    found = await look(2, 3)
    assert found.backup is not None
    assert found.backup.id == ID


@pytest.mark.parametrize(("there", "lacking"), [((2, 3, 5), 4), ((3, 4, 5), 2), ((2, 3, 4), 5), ((), 2)])
async def test_one_without_its_wal_is_none(there: tuple[int, ...], lacking: int) -> None:
    found = await look(*there, stop_lsn="0/5000138", stop_wal=Segment(1, 5).name())
    assert (found.backup, found.why) == (
        None, f"{ID}: {Segment(1, lacking).name()} is not there, which it needs",
    )  # fmt: skip


async def test_another_clusters_is_none() -> None:
    found = await look(2, system_identifier="7")
    assert (found.backup, found.why) == (None, f"{ID}: of another cluster, 7")


@pytest.mark.timeout(20)
async def test_one_that_says_it_needs_all_wal_there_can_be_takes_no_time() -> None:
    """A bucket's content is anybody's: what it names is not counted up."""
    found = await look(2, 3, stop_lsn="FFFFFFF0/138", stop_wal=f"00000001FFFFFFF0{0:08X}")
    assert found.why == f"{ID}: {Segment(1, 4).name()} is not there, which it needs"


@pytest.mark.parametrize(
    ("primary", "dr", "missing"),
    [
        ((2, 3), (2, 3), None),
        ((2, 3, 4, 5), (2, 3), None),
        ((2, 3, 5), (2, 3, 5), 4),
        ((2, 3, 5), (2, 3, 4), None),
        ((2, 3, 4, 6, 8), (2, 3, 7), 5),
    ],
    ids=["nothing later", "one copy alone", "a hole in both", "the other has it", "the first of holes"],
)
async def test_what_no_copy_holds_after_it_is_told(
    primary: tuple[int, ...], dr: tuple[int, ...], missing: int | None
) -> None:
    looks = [await look(*primary), await look(*dr)]
    assert all(each.backup is not None for each in looks)
    found = missing_after(looks, SERVER.segment_bytes)
    assert found == ("" if missing is None else Segment(1, missing).name())
