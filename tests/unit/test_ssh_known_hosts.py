"""known_hosts as OpenSSH reads it."""

from pathlib import Path

import asyncssh
import pytest

from walconsole.adapters.ssh.host_keys import append, host_name, look_up_in

KEY = asyncssh.generate_private_key("ssh-ed25519").convert_to_public()
OTHER = asyncssh.generate_private_key("ssh-ed25519").convert_to_public()
TEXT = KEY.export_public_key().decode().strip()


@pytest.mark.parametrize(
    ("line", "host", "port", "found"),
    [
        ("host.example KEY", "host.example", 22, True),
        ("Host.Example KEY", "hOst.example", 22, True),
        ("host.example KEY", "host.example.org", 22, False),
        ("a,host.example,b KEY comment with words", "host.example", 22, True),
        ("*.example KEY", "host.example", 22, True),
        ("h?st.example KEY", "host.example", 22, True),
        ("*.example,!host.example KEY", "host.example", 22, False),
        ("!host.example,* KEY", "other.example", 22, True),
        ("[host.example]:2222 KEY", "host.example", 2222, True),
        ("[host.example]:2222 KEY", "host.example", 22, False),
        ("[*.example]:* KEY", "host.example", 2222, True),
        ("host.example KEY", "host.example", 2222, True),  # as ssh: without the port when not with it
        ("::1 KEY", "::1", 22, True),
        ("[::1]:2222 KEY", "::1", 2222, True),
        ("# host.example KEY", "host.example", 22, False),
        ("host.example ssh-ed25519 nonsense", "host.example", 22, False),
        ("host.example", "host.example", 22, False),
        ("@revoked", "host.example", 22, False),
        ("@unknown host.example KEY", "host.example", 22, False),
        ("|1|bad KEY", "host.example", 22, False),
        ("|2|AAAA|AAAA KEY", "host.example", 22, False),
        ("|1|!!|?? KEY", "host.example", 22, False),
        ("[a-z]ost.example KEY", "host.example", 22, False),
    ],
)
def test_which_line_means_the_host(tmp_path: Path, line: str, host: str, port: int, found: bool) -> None:
    file = tmp_path / "known_hosts"
    file.write_bytes(b"\xff\xfe broken line\n\n" + line.replace("KEY", TEXT).encode() + b"\r\n")
    known = look_up_in([str(tmp_path / "missing"), str(file)], host, port)
    assert known.trusted == ([KEY] if found else [])
    assert [key.where for key in known.keys] == ([f"{file}:3"] if found else [])


def test_markers(tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    file.write_text(f"@revoked * {TEXT}\n@cert-authority *.example {TEXT}\nhost.example {TEXT}\n")
    known = look_up_in([str(file)], "host.example", 22)
    assert (known.revoked, known.authorities, known.trusted) == ([KEY], [KEY], [KEY])
    assert known.revoked_where(KEY) == f"{file}:1"
    assert known.revoked_where(OTHER) == ""


@pytest.mark.parametrize("hashed", [False, True])
@pytest.mark.parametrize("before", [None, "", "a line\n", "no newline"])
@pytest.mark.parametrize("port", [22, 2222])
def test_what_is_appended_is_found(tmp_path: Path, hashed: bool, before: str | None, port: int) -> None:
    file = tmp_path / "known_hosts"
    if before is not None:
        file.write_text(before)
    append(str(file), "Host.example", port, KEY, hashed=hashed)
    append(str(file), "other.example", port, OTHER, hashed=hashed)
    assert look_up_in([str(file)], "host.example", port).trusted == [KEY]
    assert look_up_in([str(file)], "other.example", port).trusted == [OTHER]
    assert file.read_text().startswith(before or "")
    assert ("example" in file.read_text()) is not hashed


def test_a_comment_in_the_server_s_key_is_not_written(tmp_path: Path) -> None:
    key = asyncssh.import_public_key(f"{TEXT} evil")
    append(str(tmp_path / "known_hosts"), "host", 22, key)
    assert "evil" not in (tmp_path / "known_hosts").read_text()


@pytest.mark.parametrize(
    ("host", "port", "name"),
    [("a", 22, "a"), ("A", 22, "a"), ("a", 23, "[a]:23"), ("::1", 22, "::1"), ("::1", 23, "[::1]:23")],
)
def test_names(host: str, port: int, name: str) -> None:
    assert host_name(host, port) == name
