"""What a server says last when its host is at fault, and not what was restored: told by what proves it."""

import os
import subprocess

import pytest

from tests.servers.fixtures import MakePostgres
from tests.servers.postgres import PostgresServer
from walconsole.droplet.filling import template

pytestmark = [pytest.mark.server, pytest.mark.timeout(120)]

PORT = 5499
LIVES_S = 2
"""Where it starts for all that, it is ended."""

WORDS: dict[str, tuple[str, str, str]] = {
    "shared memory of root's alone": (
        "mount -t tmpfs -o mode=0755 none /dev/shm",
        "cannot host",
        "Permission denied",
    ),
    "shared memory without room": (
        "mount -t tmpfs -o mode=1777,size=4k none /dev/shm",
        "cannot host",
        "No space left on device",
    ),
    "more memory than there is": ("set -- -c shared_buffers=900GB", "cannot host", "Cannot allocate memory"),
    "no folder for its socket": (
        "rmdir $place/run",
        "cannot socket",
        "could not create lock file",
    ),
    "a folder for it that is not its own": (
        "chown 0 $place/run; chmod 755 $place/run",
        "cannot socket",
        "Permission denied",
    ),
    "a folder with a path that is too long for a socket": (
        "long=$place/$(printf '%0120d' 0); mkdir -m 777 $long; set -- -c unix_socket_directories=$long",
        "cannot socket",
        "is too long (maximum 107 bytes)",
    ),
    "a port that is taken": (
        f"lock=$place/run/.s.PGSQL.{PORT}.lock; $as sleep 9 >/dev/null 2>&1 & echo $! >$lock\n"
        "chown $owner $lock",
        "cannot socket",
        "already exists",
    ),
    "a library that may not be read": (
        "echo x >$place/some.so; chmod 000 $place/some.so; set -- -c shared_preload_libraries=$place/some",
        "failed missing-library",
        "Permission denied",
    ),
    "a setting that it does not take": (
        "set -- -c max_connections=many",
        "cannot not-started",
        'invalid value for parameter "max_connections"',
    ),
    "a data directory that is not there": (
        "mv $data $data.aside",
        "cannot ended",
        "could not access directory",
    ),
    "a data directory that others may read": (
        "chmod 755 $data",
        "cannot wrong-modes",
        "has invalid permissions",
    ),
    "a data directory that is another's": ("chown 0 $data", "cannot wrong-modes", "Permission denied"),
    "a control file that may not be read": (
        "chmod 000 $data/global/pg_control",
        "cannot wrong-modes",
        "pg_control",
    ),
    "a folder of it that may not be read": ("chmod 000 $data/pg_xact", "cannot wrong-modes", "pg_xact"),
    "another release's": (
        "echo 9.6 >$data/PG_VERSION",
        "cannot not-started",
        "initialized by PostgreSQL version",
    ),
}
"""What is done to it, in shell; the verdict's kind and reason; and which of the server's words are told."""


def judged(server: PostgresServer, done_to_it: str) -> str:
    """The verdict on a server that was started so, in a world of its own of mounts."""
    place = server.folder
    parts = "\n".join(template(f"{name}.sh") for name in ("phases", "drill_files", "drill_words"))
    script = f"""set -u
umask 022
owner={server.os_user} data={server.data_dir} place={place} sockets={place}/run
temp={place} folder={place} reserve_mib=0 backup=20261128T120000Z
its_server="the drill's server" timeline=1 segment_bytes=16777216 bin={server.bin_dir}
{parts}
look_for() {{ :; }}; next_segment() {{ :; }}
free_mib() {{ echo 99999; }}
verdict() {{ printf '%s %s %s\\n' "$@"; exit 0; }}
as="setpriv --reuid=$(id -u "$owner") --regid=$(id -g "$owner") --clear-groups"
set --
{done_to_it}
cd /
timeout {LIVES_S} $as $bin/postgres -D "$data" -c listen_addresses= -c port={PORT} \
    -c "unix_socket_directories=$sockets" "$@" >"$place/log" 2>&1 &
server=$!
while lives "$server"; do sleep 0.1; done
judge_log
"""
    ended = subprocess.run(
        ["unshare", "-m", "sh", "-c", script], capture_output=True, text=True, check=False, timeout=60
    )
    return f"{ended.stdout}{ended.stderr}"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has a world of mounts of its own")
@pytest.mark.parametrize("how", WORDS)
def test_what_the_host_lacks_is_no_fault_of_what_was_restored(how: str, make_postgres: MakePostgres) -> None:
    done_to_it, verdict, words = WORDS[how]
    told = judged(make_postgres(start=False), done_to_it)
    assert told.startswith(f"{verdict} "), told
    assert words.replace('"', "") in told, told
