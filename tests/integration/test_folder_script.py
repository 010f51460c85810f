"""What the script says of an archive's folder on this very machine, run by its own shell."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from walconsole.domain.facts.folders import ArchiveFolder
from walconsole.observe.host.folders import read_folders
from walconsole.observe.host.host_script import all_records, assignment, script_that_follows

pytestmark = pytest.mark.server


@pytest.fixture
def root() -> Iterator[Path]:
    """A folder of its own, with an /etc in it."""
    folder = Path(tempfile.mkdtemp(prefix="walconsole-"))
    (folder / "etc/systemd/system").mkdir(parents=True)
    yield folder
    subprocess.run(["sh", "-c", f"umount --lazy {folder}/mnt/* 2>/dev/null; true"], check=True)
    shutil.rmtree(folder, ignore_errors=True)


def looked(root: Path, folder: Path | str) -> ArchiveFolder:
    """What is read of it where /etc lies below `root`."""
    assigned = {"token": "end-of-it", "folders": str(folder), "data": "/", "root": str(root)}
    script = "".join(assignment(name, text.encode()) for name, text in assigned.items())
    done = subprocess.run(
        ["sh", "-c", script + script_that_follows("folder.sh")], capture_output=True, check=True, timeout=60
    )
    (found,) = read_folders([each for each in all_records(done.stdout, "end-of-it") if each[0] != "receiver"])
    return found


@pytest.mark.failure_mode("folder-not-mounted")
@pytest.mark.parametrize("below", ["wal", "wal/deeper/still", "."])
@pytest.mark.parametrize("name", ["nas", "nas two"])
def test_a_mount_point_without_its_mount_is_seen_by_its_name_and_through_a_link(
    root: Path, name: str, below: str
) -> None:
    point = root / "mnt" / name
    escaped = str(point).replace(" ", "\\040")
    (root / "etc/fstab").write_text(
        f"# comment\nnas:/wal {escaped} nfs4 hard 0 0\n/dev/sda1 / ext4 errors=x 0 1\n"
    )
    point.mkdir(parents=True)
    (root / "archive").symlink_to(point)
    for way in (point / below, root / "archive" / below):
        for _ in range(2):  # where it is not there yet, and where it was made below the mount point
            found = looked(root, way)
            assert (found.expected_mount, found.expected_source) == (str(point), "nas:/wal")
            way.mkdir(parents=True, exist_ok=True)
    assert looked(root, root / "mnt").expected_mount == ""
    assert looked(root, f"{point}-two/wal").expected_mount == ""


@pytest.mark.root("only root mounts")
@pytest.mark.failure_mode("folder-not-mounted")
@pytest.mark.parametrize("name", ["nas", "nas two"])
def test_a_mount_that_is_there_is_none_that_is_missing(root: Path, name: str) -> None:
    point = root / "mnt" / name
    unit = f"[Mount]\nWhat=nas:/wal\nWhere={point}\nType=nfs4\n"
    (root / "etc/systemd/system/mnt-nas.mount").write_text(unit)
    point.mkdir(parents=True)
    assert looked(root, point / "wal").expected_mount == str(point)
    tried = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,ro", "nas", point], check=False)
    if tried.returncode:
        pytest.skip("this container may not mount")
    found = looked(root, point)
    assert (found.expected_mount, found.mount_point, found.read_only) == ("", str(point), True)
    gone = looked(root, point / "wal")
    assert (gone.why, gone.mount_point, gone.filesystem) == ("No such file or directory", str(point), "tmpfs")
