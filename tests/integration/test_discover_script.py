"""What leaves the host when its files are asked for: the script as /bin/sh runs it, on files of each tool."""

import subprocess
from pathlib import Path

import pytest

from walconsole.domain.archivers.look import ABSENT, Seen, Wanted
from walconsole.observe.command.discovering import joined
from walconsole.observe.host.host_script import all_records, assignment, script_that_follows

FILES = {
    "rclone.conf": "[sp]\ntype = s3\nregion = fra1\naccess_key_id = AKHIDDEN\nsecret_access_key = HIDDEN\n",
    "pgbackrest.conf": "[global]\nrepo1-s3-bucket=acme\nrepo1-s3-key=HIDDEN\nrepo1-s3-key-secret=HIDDEN\n"
    "repo1-cipher-pass=HIDDEN\n",
    "credentials": "[default]\naws_access_key_id = AKHIDDEN\naws_secret_access_key=HIDDEN\nregion = x\n",
    "walg.json": '{\n "WALG_S3_PREFIX": "s3://acme/cl",\n "AWS_SECRET_ACCESS_KEY": "HIDDEN",\n'
    ' "AWS_REGION": "x"\n}\n',
    "mc.json": '{"aliases":{"sp":{"url":"https://h","accessKey":"AKHIDDEN","secretKey":"HIDDEN"}}}',
    "wal.sh": "#!/bin/sh\nexport AWS_ACCESS_KEY_ID=AKHIDDEN AWS_SECRET_ACCESS_KEY='HIDDEN'\n"
    "MC_HOST_sp=https://AKHIDDEN:HIDDEN@s3.example.net\nBUCKET=acme\n",
    "env/AWS_SECRET_ACCESS_KEY": "HIDDEN\n",
    "env/WALG_S3_PREFIX": "s3://acme/cl\n",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "env").mkdir()
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def read(folder: Path, *, bare: bool) -> tuple[Seen, bytes]:
    """All of the files as the console gets them, and what came over the wire."""
    wanted = Wanted(
        {str(folder / name): None for name in FILES if "/" not in name} | {str(folder / "none"): None},
        {str(folder / "env"): None},
        {str(folder / "wal.sh"): None, "sh": None, "nowhere": None},
    )
    assigned = {
        "token": "t0", "pid": "", "data": str(folder), "path": "/usr/bin:/bin", "bare": "1" if bare else "0",
        "files": "\n".join(wanted.files), "folders": "\n".join(wanted.folders),
        "programs": "\n".join(wanted.programs),
    }  # fmt: skip
    script = "".join(assignment(name, text.encode()) for name, text in assigned.items())
    answer = subprocess.run(
        ["/bin/sh", "-c", script + script_that_follows("discover.sh")],
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert answer.stderr == b""
    return joined(Seen(), wanted, all_records(answer.stdout, "t0"), "here"), answer.stdout


def test_files_come_as_they_are(folder: Path) -> None:
    (folder / "rclone.conf").chmod(0o644)
    seen, _ = read(folder, bare=False)
    assert seen.sh == Path("/bin/sh").resolve().name
    assert {path.rpartition("/")[2]: file.text for path, file in seen.files.items() if not file.problem} == {
        name: text.removesuffix("\n") for name, text in FILES.items() if "/" not in name
    }
    assert seen.files[str(folder / "none")].problem == ABSENT
    listed = seen.folders[str(folder / "env")]
    assert [(file.path.rpartition("/")[2], file.text) for file in listed] == [
        ("AWS_SECRET_ACCESS_KEY", "HIDDEN"), ("WALG_S3_PREFIX", "s3://acme/cl"),
    ]  # fmt: skip
    script = seen.programs[str(folder / "wal.sh")].script
    assert script is not None  # though nobody may execute it: a shell may be given it
    assert seen.programs["sh"].path.endswith("/sh")
    assert seen.programs["sh"].script is None
    assert seen.programs["nowhere"].path == ""


def test_nothing_secret_leaves_the_host_where_the_profile_has_its_own_keys(folder: Path) -> None:
    seen, sent = read(folder, bare=True)
    assert b"HIDDEN" not in sent
    texts = "".join(file.text for file in seen.files.values())
    for kept in ("region = fra1", "repo1-s3-bucket=acme", "region = x", "s3://acme/cl", "BUCKET=acme"):
        assert kept in texts, kept
    assert "(not-read)" in texts


def test_a_long_file_is_cut_and_says_so(folder: Path) -> None:
    (folder / "wal.sh").write_text("#!/bin/sh\n" + "# a comment\n" * 300_000)
    (folder / "wal.sh").chmod(0o755)
    seen, sent = read(folder, bare=False)
    assert len(sent) < 300_000
    script = seen.programs[str(folder / "wal.sh")].script
    assert script is not None
    assert script.cut
    assert len(script.text) <= 65536
