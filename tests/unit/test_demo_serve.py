"""What `walconsole demo --serve` says of how to connect: commands that run as they are printed."""

from dataclasses import replace
from pathlib import Path

from tests.data.provisioning import a_profile
from walconsole.session.demo_serve import _how_to_connect


def test_a_folder_is_listed_and_not_asked_of_rclone(tmp_path: Path) -> None:
    """rclone knows no remote of that name where cp archives into a folder."""
    profile = a_profile()
    folder = replace(profile, primary=replace(profile.primary, bucket=str(tmp_path)), second_copy=False)
    lines = _how_to_connect(folder)
    assert f"folder   ls -l {tmp_path}" in lines
    assert not any(line.startswith("rclone") for line in lines)
    assert any(line.startswith("rclone   rclone --config ") for line in _how_to_connect(profile))
