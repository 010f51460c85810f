"""barman-cloud-wal-archive from Debian's package. push()'s `how` is its option: `--gzip`, `--bzip2`."""

import shlex

from tests.servers.postgres import PostgresServer
from tests.servers.programs import find_program
from tests.servers.writer import Destination, Writer, write_script

COMPRESSIONS = ("", "--gzip", "--bzip2")


def barman_cloud(server: PostgresServer, to: Destination, *, compression: str = "") -> Writer:
    """Archive to `barman/server/wals/` in the bucket, by `compression` unless asked for another.

    It compresses labels and history files, too. Raises ServerMissing.
    """
    program = find_program("barman-cloud-wal-archive", server="barman-cloud", package="barman-cli-cloud")
    where = ["--cloud-provider", "aws-s3", "--endpoint-url", to.endpoint]
    command = shlex.join([str(program), *where])
    target = shlex.join([f"s3://{to.bucket}/barman", "server"])
    keys = f"AWS_ACCESS_KEY_ID={to.keys.access_key} AWS_SECRET_ACCESS_KEY={to.keys.secret_key}"
    script = (
        f'export {keys} AWS_DEFAULT_REGION=us-east-1\nexec {command} ${{2:-{compression}}} {target} "$1"\n'
    )
    return Writer(server, write_script(server, "barman-cloud", script))
