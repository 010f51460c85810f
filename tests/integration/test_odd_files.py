"""Pipes, devices, loops and texts that are none, named as a command's program or a tool's file.

What the console sends to a host is run by /bin/sh, with a limit: whatever waits for a writer or never ends is
a look that never ends.
"""

import os
import subprocess
from pathlib import Path

import pytest

from walconsole.domain.archivers.discovery import Settings, discover
from walconsole.domain.archivers.look import ABSENT, MOST_ROUNDS, FileText, Seen, Wanted
from walconsole.domain.archivers.target import Discovery, FolderStore, UnreadStore
from walconsole.observe.command.discovering import joined
from walconsole.observe.host.host_script import all_records, assignment, script_that_follows

PUT = 'cp "$1" "/mnt/wal/$2"\n'


def answered(name: str, **assigned: str) -> list[tuple[str, bytes]]:
    """The records of a script, within seconds."""
    values = {"token": "t0", "data": "/", "path": "/usr/bin:/bin", **assigned}
    text = "".join(assignment(each, value.encode()) for each, value in values.items())
    answer = subprocess.run(
        ["/bin/sh", "-c", text + script_that_follows(name)], capture_output=True, check=True, timeout=20
    )
    assert answer.stderr == b""
    return all_records(answer.stdout, "t0")


def read(seen: Seen, wanted: Wanted) -> Seen:
    records = answered(
        "discover.sh",
        pid="",
        bare="0",
        files="\n".join(wanted.files),
        folders="\n".join(wanted.folders),
        programs="\n".join(wanted.programs),
    )
    return joined(seen, wanted, records, "here")


def find_out(command: str) -> Discovery:
    seen = Seen(data="/")
    found, wanted = discover(Settings(command), seen)
    for _ in range(MOST_ROUNDS):
        if not wanted:
            break
        seen = read(seen, wanted)
        found, wanted = discover(Settings(command), seen)
    return found


def file_of(path: Path) -> FileText:
    return read(Seen(), Wanted(files={str(path): None})).files[str(path)]


def unread(found: Discovery) -> str:
    (target,) = found.targets
    assert isinstance(target.store, UnreadStore), target.store
    return target.store.why


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    os.mkfifo(tmp_path / "pipe")
    return tmp_path / "pipe"


def test_a_configuration_of_nothing_is_read_as_one() -> None:
    """`--config=/dev/null`: all by words and variables (pgBackRest 2.45 does so, tried)."""
    (target,) = find_out(
        "pgbackrest --config=/dev/null --repo1-path=/srv/repo --stanza=m archive-push %p"
    ).targets
    assert str(target.store) == "/srv/repo"
    assert "is not known here" in unread(find_out("/dev/null %p"))


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/full", "/dev"])
def test_a_device_or_a_folder_is_no_file_of_a_tools(device: str) -> None:
    assert file_of(Path(device)).problem == "it is no regular file"
    assert "no regular file" in unread(find_out(f"pgbackrest --config={device} --stanza=m archive-push %p"))
    assert "is not known here" in unread(find_out(f"{device} %p"))


def test_a_pipe_keeps_nobody_waiting(pipe: Path) -> None:
    assert file_of(pipe).problem == "it is no regular file"
    assert "is not known here" in unread(find_out(f"{pipe} %p %f"))
    assert "no regular file" in unread(find_out(f"pgbackrest --config={pipe} --stanza=m archive-push %p"))
    sourced = find_out(f". {pipe}; aws s3 cp %p s3://acme/%f")
    assert "is not known" in unread(sourced)


@pytest.mark.parametrize("named", ["/dev/zero", "/dev/null", "pipe", "folder"])
def test_whether_it_can_be_run_is_answered_at_once(pipe: Path, tmp_path: Path, named: str) -> None:
    (tmp_path / "folder").mkdir()
    place = named if named.startswith("/") else str(tmp_path / named)
    records = answered("command.sh", programs=place, configs=place, waiting="1", pgbackrest=place)
    told = {key: value.decode() for key, value in records}
    assert told["program.why"] in ("it is no regular file", "it is a folder")
    assert told["config.why"] == "it is no regular file"


def test_links_in_a_circle_are_not_taken_for_a_file_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    assert file_of(tmp_path / "a").problem == "it is a symbolic link that leads nowhere"
    assert file_of(tmp_path / "gone").problem == ABSENT
    assert "leads nowhere" in unread(find_out(f"pgbackrest --config={tmp_path}/a --stanza=m archive-push %p"))


def test_a_text_of_two_bytes_a_sign_is_none_that_a_tool_reads(tmp_path: Path) -> None:
    conf = tmp_path / "pgbackrest.conf"
    conf.write_text("[global]\nrepo1-path=/srv/repo\n", encoding="utf-16")
    why = "it is written in UTF-16, which no shell and no tool here reads"
    assert file_of(conf).problem == why
    assert why in unread(find_out(f"pgbackrest --config={conf} --stanza=m archive-push %p"))
    conf.write_bytes(b"a\0b")
    assert file_of(conf).problem == "it is no text: it holds NULs"
    script = tmp_path / "archive.sh"
    script.write_text("#!/bin/sh\ncp $1 /w/$2\n", encoding="utf-16")
    assert f"{script} cannot be read: {why}" in unread(find_out(f"{script} %p %f"))


def test_a_mark_of_the_byte_order_and_line_ends_of_windows_are_read_over(tmp_path: Path) -> None:
    conf = tmp_path / "pgbackrest.conf"
    conf.write_bytes(b"\xef\xbb\xbf[global]\r\nrepo1-path=/srv/repo\r\n")
    (target,) = find_out(f"pgbackrest --config={conf} --stanza=m archive-push %p").targets
    assert isinstance(target.store, FolderStore)
    assert target.store.path.value == "/srv/repo"


def test_a_script_with_line_ends_of_windows_is_said_to_be_one(tmp_path: Path) -> None:
    script = tmp_path / "a.sh"
    script.write_bytes(b"#!/bin/sh\r\n" + PUT.replace("\n", "\r\n").encode())
    script.chmod(0o755)
    found = find_out(f"{script} %p %f")
    assert (
        f"{script} has the line ends of Windows (CRLF): a shell does not run it as it is meant" in found.notes
    )
    told = dict(answered("command.sh", programs=str(script), configs="", waiting="0", pgbackrest=""))
    assert told["program.why"] == b"its first line ends in a carriage return (CRLF line ends)"


def test_an_empty_script_stores_nothing_and_ends_well(tmp_path: Path) -> None:
    """An execve of it fails, and the shell that PostgreSQL runs takes it for a script of its own (tried)."""
    script = tmp_path / "a.sh"
    script.write_bytes(b"")
    script.chmod(0o755)
    assert subprocess.run(["/bin/sh", "-c", f"{script} x y"], check=False).returncode == 0
    found = find_out(f"{script} %p %f")
    assert "known here to store a file" in unread(found)
    assert found.ending.stores_nothing


def test_of_a_file_that_is_cut_no_default_is_believed(tmp_path: Path) -> None:
    conf = tmp_path / "pgbackrest.conf"
    conf.write_text("[global]\n" + "# and so on\n" * 260_000 + "repo1-path=/srv/repo\n")
    found = find_out(f"pgbackrest --config={conf} --stanza=m archive-push %p")
    assert unread(found) == f"of {conf} only the beginning was read"
    assert f"{conf} is long: only its beginning was read" in found.notes


def test_a_document_that_is_nested_without_end_is_no_setting(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"aliases":' + "[" * 60_000)
    assert "is in no file that was read" in unread(find_out(f"mc -C {tmp_path} cp %p m/acme/%f"))
    (tmp_path / "walg.json").write_text('{"WALG_S3_PREFIX":' + "[" * 60_000)
    assert "no WALG" in unread(find_out(f"wal-g --config {tmp_path}/walg.json wal-push %p"))


def test_a_binary_in_a_configurations_place_is_said_to_be_one(tmp_path: Path) -> None:
    (tmp_path / "conf").write_bytes(os.urandom(3_000_000).replace(b"\n", b"\0"))
    assert "holds NULs" in unread(find_out(f"pgbackrest --config={tmp_path}/conf --stanza=m archive-push %p"))
    told = dict(answered("command.sh", programs="", configs=f"{tmp_path}/conf", waiting="0", pgbackrest=""))
    assert "config.readable" in told
