"""Archive commands that cannot be followed to their end, on a real host: a clear line each, and no secret."""

import secrets
from dataclasses import dataclass, field

import pytest

from tests.integration.test_failures_found import Host, host
from tests.servers.archived import fill_segment, start_archiving, wait_archived
from tests.servers.writer import write_private

__all__ = ["host"]
pytestmark = [pytest.mark.server, pytest.mark.timeout(240), pytest.mark.long]

SECRET = f"SEKRET{secrets.token_hex(12)}"
PUT = "AWS_SECRET_ACCESS_KEY={secret} AWS_ACCESS_KEY_ID=AKODD aws s3 cp %p s3://odd-wal/p/%f"


@dataclass(frozen=True)
class Odd:
    """`files` below the server's folder with their modes, the command, and what must be said of it."""

    what: str
    command: str
    said: str
    files: dict[str, tuple[str, int]] = field(default_factory=dict)


CALL = 'exec rclone --config {folder}/odd.conf copyto "$1" sp:odd-wal/p/"$2"'
LONG = f"#!/bin/sh\n{CALL}\n" + "# and so on\n" * 260_000
CONF = (
    "[sp]\ntype = s3\nprovider = Ceph\nendpoint = http://127.0.0.1:1\naccess_key_id = AK\n"
    "secret_access_key = {secret}\n"
)
ODD = (
    Odd("a script of 3 MB", "{folder}/long.sh %p %f", "long.sh is long: only its beginning was read",
        {"long.sh": (LONG, 0o755), "odd.conf": (CONF, 0o600)}),
    Odd("a configuration that nobody may read",
        "pgbackrest --config={folder}/barred.conf --stanza=m archive-push %p",
        "barred.conf cannot be read as", {"barred.conf": ("[global]\n", 0o000)}),
    Odd("an encrypted file", "rclone --config {folder}/locked.conf copyto %p sp:odd-wal/%f",
        "locked.conf is encrypted", {"locked.conf": ("RCLONE_ENCRYPT_V0:\n{secret}\n", 0o600)}),
    Odd("another user", f"sudo -n -u nobody env {PUT}",
        "what nobody is given of the environment is not known"),
    Odd("a file of variables that is not ours", f". {{folder}}/barred.env; {PUT}", "what is read in by",
        {"barred.env": ("AWS_ENDPOINT_URL=http://127.0.0.1:1\n", 0o000)}),
    Odd("what another program prints", 'eval "$(cat {folder}/odd.cmd)" # {secret}',
        "the run of the command alone"),
    Odd("two tools", "cp %p /srv/odd-wal/%f && rclone --config {folder}/odd.conf copyto %p sp:odd-wal/%f",
        "several archive: cp, rclone", {"odd.conf": (CONF, 0o600)}),
    Odd("a host that does not resolve", f"{PUT} --endpoint-url https://{{secret}}@nowhere.invalid",
        "s3://odd-wal/p at https://nowhere.invalid"),
)  # fmt: skip


async def test_what_cannot_be_followed_is_said_in_one_line(host: Host) -> None:
    server = host.server
    for odd in ODD:
        for name, (text, mode) in odd.files.items():
            filled = text.replace("{folder}", str(server.folder)).replace("{secret}", SECRET)
            write_private(server, name, filled).chmod(mode)
        start_archiving(server, odd.command.format(folder=server.folder, secret=SECRET))
        values, told = await host.shown()
        assert odd.said in told, (odd.what, told)
        assert SECRET not in told + str(values), odd.what
        assert not any("Traceback" in line for line in told.splitlines()), odd.what
    start_archiving(server, "/bin/true")
    wait_archived(server, [fill_segment(server)])
