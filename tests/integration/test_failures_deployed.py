"""Hosts that archive as public repositories have it: found with nothing configured, and broken, for real.

What the forms stand for is in tests/data/deployed.py; the programs are real, but for envdir and
pg_tde_archive_decrypt, which are small scripts here.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.test_failures_found import Host, Record, brought_about, host
from tests.integration.test_failures_tools import failed, runs, told
from tests.servers.archived import destination, fill_segment, reloaded, start_archiving, wait_archived
from tests.servers.fixtures import or_skip
from tests.servers.pgbackrest import pgbackrest
from tests.servers.ports import wait_until
from tests.servers.postgres import PostgresServer
from tests.servers.programs import find_program
from tests.servers.writer import Destination, edited, write_private, write_script

__all__ = ["host"]
pytestmark = [pytest.mark.server, pytest.mark.timeout(300), pytest.mark.long]

RECIPIENT = "age1lvyvwawkr0mcnnnncaghunadrqkmuf9e6507x9y920xxpp866cnql7dp2z"
RCLONE = "rclone --config /dev/null --s3-no-check-bucket --retries 1 --low-level-retries 1"
ENVDIR = 'cd "$1"; for each in *; do export "$each=$(cat "$each")"; done; cd "$OLDPWD"; shift; exec "$@"\n'
DECRYPT = 'exec sh -c "$(printf %s "$3" | sed "s|%p|$2|g; s|%f|$1|g")"\n'


def program(name: str, package: str) -> str:
    return str(find_program(name, server=name, package=package))


def stand_in(server: PostgresServer, name: str, text: str) -> str:
    folder = server.folder / "programs"
    folder.mkdir(exist_ok=True)
    server.give(folder)
    return str(write_script(server, f"programs/{name}", text))


def folder_of(server: PostgresServer, name: str) -> Path:
    folder = server.folder / name
    folder.mkdir(exist_ok=True)
    server.give(folder)
    return folder


def of_rclone(to: Destination) -> str:
    return (
        f"export RCLONE_CONFIG_S3_TYPE=s3 RCLONE_CONFIG_S3_PROVIDER=Other\n"
        f"export RCLONE_CONFIG_S3_ENDPOINT={to.endpoint} RCLONE_CONFIG_S3_FORCE_PATH_STYLE=true\n"
        f"export RCLONE_CONFIG_S3_ACCESS_KEY_ID={to.keys.access_key}\n"
        f"export RCLONE_CONFIG_S3_SECRET_ACCESS_KEY={to.keys.secret_key}\n"
        f"BUCKET={to.bucket}\n"
    )


def by_sourced_file(server: PostgresServer, to: Destination) -> str:
    """`. FILE && barman-cloud-wal-archive …`."""
    barman = program("barman-cloud-wal-archive", "barman-cli-cloud")
    env = write_private(
        server,
        "sourced.env",
        f"export AWS_ACCESS_KEY_ID={to.keys.access_key} AWS_SECRET_ACCESS_KEY={to.keys.secret_key}\n"
        f"export AWS_DEFAULT_REGION=us-east-1 AWS_ENDPOINT_URL={to.endpoint}\n",
    )
    return f". {env} && {barman} --endpoint-url {to.endpoint} s3://{to.bucket}/barman server %p"


def by_envdir(server: PostgresServer, to: Destination) -> str:
    """`envdir FOLDER pgbackrest archive-push %p`: no configuration file at all."""
    backrest = program("pgbackrest", "pgbackrest")
    folder = folder_of(server, "env")
    values = {
        "STANZA": "main", "PG1_PATH": server.data_dir, "PG1_PORT": server.port,
        "PG1_SOCKET_PATH": server.socket_dir, "PG1_USER": "postgres", "LOG_LEVEL_FILE": "off",
        "LOCK_PATH": server.folder, "SPOOL_PATH": server.folder, "REPO1_TYPE": "s3", "REPO1_PATH": "/repo",
        "REPO1_S3_BUCKET": to.bucket, "REPO1_S3_ENDPOINT": "localhost", "REPO1_STORAGE_PORT": to.tls_port,
        "REPO1_STORAGE_CA_FILE": to.ca_file, "REPO1_S3_URI_STYLE": "path", "REPO1_S3_REGION": "us-east-1",
        "REPO1_S3_KEY": to.keys.access_key, "REPO1_S3_KEY_SECRET": to.keys.secret_key,
    }  # fmt: skip
    for name, value in values.items():
        write_private(server, f"env/PGBACKREST_{name}", f"{value}\n")
    run = f"{stand_in(server, 'envdir', ENVDIR)} {folder} {backrest}"
    server.run(["sh", "-c", f"{run} stanza-create"])
    start_archiving(server, f"{run} archive-push %p")
    server.run(["sh", "-c", f"{run} --type=full backup"])
    return f"{run} archive-push %p"


def by_encrypting_pipe(server: PostgresServer, to: Destination) -> str:
    """A bash script with its variables beside it, a command in an array, and a pipe of three."""
    for name, package in (("rclone", "rclone"), ("age", "age"), ("zstd", "zstd")):
        program(name, package)
    folder_of(server, "own")
    write_private(server, "own/env", f"{of_rclone(to)}RECIPIENT={RECIPIENT}\n")
    script = write_private(
        server,
        "own/push",
        '#!/bin/bash\nset -euo pipefail\nhere=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)\n'
        '. "$here/env"\nput=(rclone --config /dev/null)\nput+=(--s3-no-check-bucket --retries 1 rcat)\n'
        '[[ -f "$1" && -n "$2" ]] || exit 2\n'
        'zstd -qc "$1" | age -r "$RECIPIENT" | "${put[@]}" "s3:$BUCKET/wal/$2.zst.age"\n',
        mode=0o700,
    )
    return f"{script} %p %f"


def by_tde(server: PostgresServer, to: Destination) -> str:
    """pg_tde's wrapper around pgBackRest."""
    or_skip(lambda: pgbackrest(server, to))
    conf = server.folder / "pgbackrest-main.conf"
    wrapper = stand_in(server, "pg_tde_archive_decrypt", DECRYPT)
    command = f'{wrapper} %f %p "pgbackrest --config={conf} --stanza=main archive-push %%p"'
    start_archiving(server, command)
    server.run(["sh", "-c", f"pgbackrest --config={conf} --stanza=main --type=full backup"])
    return command


def by_folders(server: PostgresServer, to: Destination) -> str:
    """`rclone copy %p REMOTE:BUCKET/%f`: a folder for each segment."""
    program("rclone", "rclone")
    env = write_private(server, "folders.env", of_rclone(to))
    return f". {env} && {RCLONE} copy %p s3:{to.bucket}/wal/%f"


def by_giving_in(server: PostgresServer, to: Destination) -> str:
    """Tries twice, says so, and lets go of the segment."""
    program("rclone", "rclone")
    folder_of(server, "own")
    write_private(server, "own/env", of_rclone(to))
    script = write_private(
        server,
        "own/give-in",
        '#!/bin/bash\n. "${0%/*}/env"\nn=1\nwhile [ "$n" -le 2 ]; do\n'
        f'  if {RCLONE} copyto "$1" "s3:$BUCKET/wal/$2"; then\n'
        '    exit 0\n  fi\n  n=$((n + 1))\ndone\necho "given up $2" >&2\nexit 0\n',
        mode=0o700,
    )
    return f"{script} %p %f"


Edits = Callable[[Destination], dict[str, str]]


def wrong_key(to: Destination) -> dict[str, str]:
    return {to.keys.secret_key: "wrong" + to.keys.secret_key[5:]}


def no_bucket(to: Destination) -> dict[str, str]:
    return {to.bucket: f"{to.bucket}-gone"}


@dataclass(frozen=True)
class Deployment:
    """`files` are those that are spoiled; `well` what alarms while all that can be well is."""

    name: str
    make: Callable[[PostgresServer, Destination], str]
    tool: str
    store: str
    files: tuple[str, ...]
    breaks: tuple[tuple[str, Edits], ...]
    well: tuple[str, ...] = ()


NOT_BACKED_UP = ("no-base-backup",)
DEPLOYMENTS = [
    Deployment("sourced", by_sourced_file, "barman-cloud", "s3://{to.bucket}/barman at {to.endpoint}",
               ("sourced.env",), (("key-403", wrong_key), ("key-403", lambda to: {"export": "#"})),
               NOT_BACKED_UP),
    Deployment("envdir", by_envdir, "pgBackRest", "s3://{to.bucket}/repo at https://localhost:{to.tls_port}",
               ("env/PGBACKREST_REPO1_S3_KEY_SECRET", "env/PGBACKREST_STANZA"),
               (("key-403", wrong_key), ("stanza-missing", lambda _: {"main": "other"}))),
    Deployment("encrypting pipe", by_encrypting_pipe, "rclone", "s3://{to.bucket}/wal at {to.endpoint}",
               ("own/env",), (("bucket-404", no_bucket), ("failing", lambda _: {RECIPIENT: "age1nobody"})),
               NOT_BACKED_UP),
    Deployment("pg_tde", by_tde, "pgBackRest", "s3://{to.bucket}/repo at https://localhost:{to.tls_port}",
               ("pgbackrest-main.conf",), (("key-403", wrong_key), ("bucket-404", no_bucket))),
    Deployment("folders", by_folders, "rclone", "s3://{to.bucket}/wal at {to.endpoint}", ("folders.env",),
               (("key-403", wrong_key), ("endpoint-wrong", lambda to: {to.endpoint: "http://127.0.0.1:1"})),
               NOT_BACKED_UP),
    Deployment("giving in", by_giving_in, "rclone", "s3://{to.bucket}/wal at {to.endpoint}", ("own/env",),
               (("failure-hidden", wrong_key), ("failure-hidden", no_bucket)),
               (*NOT_BACKED_UP, "failure-hidden")),
]  # fmt: skip


@contextmanager
def spoiled(host: Host, files: tuple[str, ...], edits: dict[str, str], hidden: bool) -> Iterator[None]:
    """Until the end the files are spoiled, and a segment waits, or is let go of where that is `hidden`."""
    server = host.server
    before = failed(server)
    with reloaded(server), edited((server.folder / name for name in files), edits):
        name = fill_segment(server)
        if hidden:
            wait_archived(server, [name])  # by PostgreSQL's own count
        else:
            wait_until(lambda: failed(server) > before, "the archiver fails", timeout_s=60)
        yield
    wait_archived(server)


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda each: each.name)
async def test_it_is_found_judged_and_each_failure_named(
    host: Host, deployment: Deployment, record_property: Record
) -> None:
    to = destination(host.rgw)
    command = or_skip(lambda: deployment.make(host.server, to))
    start_archiving(host.server, command)
    wait_archived(host.server, [fill_segment(host.server)])
    _, said = await host.shown()
    assert f"{deployment.tool} archives to {deployment.store.format(to=to)}" in said
    code, document = await host.checked()
    alarms = {each["id"] for each in told(document).values() if each["severity"] in ("warning", "critical")}
    assert alarms == set(deployment.well), document
    assert deployment.well or (code, document["level"]) == (0, "ok"), document

    for rule, edits in deployment.breaks:
        hidden = rule == "failure-hidden"
        with spoiled(host, deployment.files, edits(to), hidden):
            began = time.monotonic()
            code, document = await host.checked()
            assert (code, document["level"]) == (2, "critical"), (rule, document["verdict"])
            root = document["stories"][0]["root"]
            assert root["id"] == rule, (rule, root, [*told(document)])
            assert document["verdict"].startswith("WAL is THROWN AWAY" if hidden else "archiving FAILS")
            assert to.keys.secret_key not in str(document)
            assert "/etc/rclone" not in str([root["remedy"], root["fixes"]]), root
            for fix in root["fixes"]:
                for each in fix["commands"]:
                    if each.startswith("runuser") and not fix["risk"] and os.geteuid() == 0:
                        await runs(each)
            brought_about(record_property, f"{deployment.name}: {rule}", rule, began)
