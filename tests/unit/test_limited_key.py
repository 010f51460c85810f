"""Exchanging a key in an rclone configuration, by the droplet's own sh and awk."""

import subprocess
from pathlib import Path

import pytest

from walconsole.domain.store.access_keys import KeyPair
from walconsole.provision.steps.limited_key import exchange_script

PAIR = KeyPair("DO00NEW", "s3'cr\"e\\t&$(id)/+")
CONFIG = """\
# kept
[other]
type = s3
access_key_id = DO00OTHER
secret_access_key = other

[spaces-prod]
type = s3
access_key_id=DO00OLD
secret_access_key = old
endpoint = nyc3.example

  [spaces-dr]
secret_access_key = old
access_key_id = DO00OLD
"""


def exchange(config: Path, *remotes: str) -> subprocess.CompletedProcess[str]:
    script = exchange_script(str(config), remotes, PAIR)
    return subprocess.run(
        ["/bin/sh", "-s"], input=script, text=True, capture_output=True, check=False, timeout=20
    )


def test_the_sections_get_the_pair_and_nothing_else_changes(tmp_path: Path) -> None:
    config, link = tmp_path / "rclone.conf", tmp_path / "link.conf"
    config.write_text(CONFIG)
    config.chmod(0o640)
    link.symlink_to(config)
    before = config.stat()
    assert exchange(link, "spaces-prod", "spaces-dr").returncode == 0
    wanted = CONFIG.replace("access_key_id=DO00OLD", f"access_key_id = {PAIR.access_key}")
    wanted = wanted.replace("DO00OLD", PAIR.access_key).replace("= old", f"= {PAIR.secret}")
    assert config.read_text() == wanted
    after = config.stat()
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)
    assert link.is_symlink()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link.conf", "rclone.conf"]


@pytest.mark.parametrize("remotes", [("missing",), ("spaces-prod", "missing")])
def test_a_section_without_the_pair_leaves_the_file_as_it_is(
    tmp_path: Path, remotes: tuple[str, ...]
) -> None:
    config = tmp_path / "rclone.conf"
    config.write_text(CONFIG)
    done = exchange(config, *remotes)
    assert done.returncode == 1
    assert "nothing was changed" in done.stdout
    assert PAIR.secret not in done.stdout + done.stderr
    assert config.read_text() == CONFIG
    assert [path.name for path in tmp_path.iterdir()] == ["rclone.conf"]
