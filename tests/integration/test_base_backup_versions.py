"""A base backup of PostgreSQL 13, 14, 16 and 17 by the script, restored by the page's commands.

Their packages have a server alone: the client programs are the wheel's 18, which reads all of them, but for
pg_controldata, whose file another version lays out otherwise.
"""

from pathlib import Path

import pytest

from tests.integration.backup_parts import Backups, region
from tests.integration.test_droplet_base_backup import keep, restored, rows
from tests.servers.archived import fill_segment, wait_archived
from tests.servers.fixtures import MakePostgres, or_skip
from tests.servers.postgres import PostgresServer, system_bin_dir, wheel_bin_dir
from tests.servers.postgres_npm import MAJORS
from tests.servers.rgw import RadosGateway

pytestmark = [pytest.mark.server, pytest.mark.timeout(300)]

CLIENTS = ("psql", "pg_basebackup", "pg_verifybackup")
_FIRST_LAYOUT = 16
"""pg_control_version 1300 (catalog/pg_control.h) is that of 13 to 16, so also the system's 15."""


def with_clients(server: PostgresServer) -> Path:
    """Its programs and those that its package lacks."""
    wheel = or_skip(lambda: wheel_bin_dir(server.workspace))
    control = or_skip(system_bin_dir) if server.version <= _FIRST_LAYOUT else wheel
    folder = server.workspace.folder("programs")
    folder.chmod(0o755)
    places = dict.fromkeys(("initdb", "pg_ctl", "postgres"), server.bin_dir)
    places |= {**dict.fromkeys(CLIENTS, wheel), "pg_controldata": control}
    for name, place in places.items():
        (folder / name).symlink_to(place / name)
    if server.version == _ALONE:
        (folder / "pg_verifybackup").unlink()
        (folder / "pg_verifybackup").write_text(VERIFY)
        (folder / "pg_verifybackup").chmod(0o755)
    return folder


_ALONE = 17
"""No program that is here reads its pg_control, which pg_verifybackup does from manifests of 17 on."""
VERIFY = """#!/usr/bin/python3
import hashlib, json, pathlib, sys
tree = pathlib.Path(sys.argv[2])
files = json.loads((tree / "backup_manifest").read_text())["Files"]
for file in files:
    assert hashlib.sha256((tree / file["Path"]).read_bytes()).hexdigest() == file["Checksum"], file
print(len(files), "files are the manifest's")
"""


@pytest.mark.parametrize("major", MAJORS)
def test_each_version_is_backed_up_and_restored(
    major: int, make_postgres: MakePostgres, rgw: RadosGateway
) -> None:
    server = make_postgres(release=major, wal_segment_mib=1, start=False)
    server.bin_dir = with_clients(server)
    backups = Backups(server, region(rgw), region(rgw), to_dr=False)
    backups.archive()
    keep(server, 1, 2)
    ended = backups.at.run(backups.script, "--incremental")
    assert ended.status == 0, ended.stderr
    why = "summarize_wal is off" if major >= 17 else f"PostgreSQL {major} takes no incremental ones, 17 does"
    assert f"; a full one: {why}" in ended.stderr
    keep(server, 3)
    wait_archived(server, [fill_segment(server)])
    with restored(backups, f"spaces-prod:{backups.primary.to.bucket}") as again:
        assert again.version == major
        assert rows(again) == [1, 2, 3]
    backups.assert_nothing_left()
