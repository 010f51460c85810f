"""pgBackRest from Debian's package, archiving to S3. push()'s `how` is its compress-type."""

import shlex

from tests.servers.postgres import PostgresServer
from tests.servers.programs import find_program
from tests.servers.writer import Destination, Writer, write_private, write_script

COMPRESS_TYPES = ("gz", "lz4", "zst", "bz2", "none")

CONF = """\
[global]
repo1-type=s3
repo1-path=/repo
repo1-s3-bucket={to.bucket}
repo1-s3-endpoint=localhost
repo1-storage-port={to.tls_port}
repo1-storage-ca-file={to.ca_file}
repo1-s3-uri-style=path
repo1-s3-region=us-east-1
repo1-s3-key={to.keys.access_key}
repo1-s3-key-secret={to.keys.secret_key}
log-level-file=off
lock-path={server.folder}
spool-path={server.folder}
[{stanza}]
pg1-path={server.data_dir}
pg1-port={server.port}
pg1-socket-path={server.socket_dir}
pg1-user=postgres
"""


def pgbackrest(
    server: PostgresServer, to: Destination, *, stanza: str = "main", create: bool = True
) -> Writer:
    """Archive into `stanza`, which is made (where `create`) from the running server.

    Raises ServerMissing.
    """
    program = find_program("pgbackrest", server="pgBackRest", package="pgbackrest")
    conf = write_private(
        server, f"pgbackrest-{stanza}.conf", CONF.format(to=to, server=server, stanza=stanza)
    )
    command = shlex.join([str(program), f"--config={conf}", f"--stanza={stanza}"])
    if create:
        server.run(["sh", "-c", f"{command} stanza-create"])
    script = f'exec {command} ${{2:+"--compress-type=$2"}} archive-push "$1"\n'
    return Writer(server, write_script(server, f"pgbackrest-{stanza}", script))
