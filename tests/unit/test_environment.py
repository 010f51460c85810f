"""What of the console's environment is kept from the programs that it starts."""

from pathlib import Path

import pytest

from walconsole.errors import UsageError
from walconsole.process.environment import keep_secrets


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("DIGITALOCEAN_TOKEN", "x"),
        ("DIGITALOCEAN_ACCESS_TOKEN", "x"),
        ("AWS_ACCESS_KEY_ID", "x"),
        ("AWS_SECRET_ACCESS_KEY", "x"),
        ("AWS_SESSION_TOKEN", "x"),
        ("SPACES_SECRET", "x"),
        ("SPACES_KEY", "x"),
        ("PGPASSWORD", "x"),
        ("RCLONE_CONFIG_PASS", "x"),
        ("github_token", "x"),
        ("ANYTHING", "dop_v1_0123456789abcdef"),
        ("NAMED_BY_A_PROFILE", "x"),
    ],
)
def test_a_secret_is_the_console_s_alone(name: str, text: str) -> None:
    environ = {"PATH": "/bin", name: text}
    whole = keep_secrets(environ, ["NAMED_BY_A_PROFILE", "NOT_SET"])
    assert environ == {"PATH": "/bin"}
    assert whole == {"PATH": "/bin", name: text}


@pytest.mark.parametrize(
    "name",
    ["HOME", "PWD", "OLDPWD", "SSH_AUTH_SOCK", "SSH_ASKPASS", "AWS_PROFILE", "AWS_SHARED_CREDENTIALS_FILE",
     "AWS_WEB_IDENTITY_TOKEN_FILE", "LC_ALL", "TERM", "HTTPS_PROXY", "XDG_STATE_HOME"],
)  # fmt: skip
def test_what_a_program_needs_stays(name: str) -> None:
    environ = {name: "x"}
    keep_secrets(environ)
    assert environ == {name: "x"}


def test_what_systemd_hands_a_service_counts_before_a_variable(tmp_path: Path) -> None:
    (tmp_path / "OF_THE_SERVICE").write_text("s\n")
    (tmp_path / "UNASKED").write_text("u")
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path), "OF_THE_SERVICE": "of-the-environment"}
    whole = keep_secrets(environ, ["OF_THE_SERVICE", "NOWHERE"])
    assert whole == {"CREDENTIALS_DIRECTORY": str(tmp_path), "OF_THE_SERVICE": "s"}
    assert environ == {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    (tmp_path / "OF_THE_SERVICE").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="reading the credential OF_THE_SERVICE: it is no text"):
        keep_secrets(environ, ["OF_THE_SERVICE"])
