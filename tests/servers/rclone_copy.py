"""`rclone copyto` as an archive_command: one folder for all segments, one a day, or one a log.

The flags are those that a limited key needs (`--s3-no-check-bucket`). Debian's rclone (1.60) speaks by
another SDK than the newest: they word the same refusal differently.
"""

import shlex
from pathlib import Path

from tests.servers.postgres import PostgresServer
from tests.servers.programs import find_program
from tests.servers.rclone import serving_rclone
from tests.servers.writer import Destination, Writer, write_script

FLAGS = ("--config", "/dev/null", "--s3-no-check-bucket", "--checksum", "--retries", "1", "--quiet")


def rclone_flat(server: PostgresServer, to: Destination, *, folder: str = "") -> Writer:
    """Archive to `folder` (empty or ending in a slash) of the bucket. Raises ServerMissing."""
    return _writer(server, to, "rclone-flat", shlex.quote(folder))


def rclone_newest(server: PostgresServer, to: Destination) -> Writer:
    """The same by the wheel's rclone, 1.68 or newer. Raises ServerMissing."""
    return _writer(server, to, "rclone-flat", "", serving_rclone())


def rclone_dated(server: PostgresServer, to: Destination) -> Writer:
    """Archive to a folder `YYYY/MM/DD/`, today's by UTC or what push()'s `how` says. Raises ServerMissing."""
    return _writer(server, to, "rclone-dated", '"${2:-$(date -u +%Y/%m/%d)}/"')


def rclone_by_log(server: PostgresServer, to: Destination) -> Writer:
    """Archive to a folder of the name's first 16 signs: timeline and log. Raises ServerMissing."""
    return _writer(server, to, "rclone-by-log", '"$(basename "$1" | cut -c -16)/"')


def _writer(
    server: PostgresServer, to: Destination, name: str, folder: str, program: Path | None = None
) -> Writer:
    program = program or find_program("rclone", server="rclone", package="rclone")
    remote = {
        "TYPE": "s3",
        "PROVIDER": "Other",
        "ENDPOINT": to.endpoint,
        "FORCE_PATH_STYLE": "true",
        "ACCESS_KEY_ID": to.keys.access_key,
        "SECRET_ACCESS_KEY": to.keys.secret_key,
    }
    environment = "".join(f"export RCLONE_CONFIG_S3_{key}={shlex.quote(remote[key])}\n" for key in remote)
    command = shlex.join([str(program), *FLAGS, "copyto"])
    target = f's3:{shlex.quote(to.bucket)}/{folder}"${{1##*/}}"'
    return Writer(server, write_script(server, name, f'{environment}exec {command} "$1" {target}\n'))
