"""A restore drill of what the droplet encrypts: base backups by age, or the archive by rclone's crypt."""

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from tests.integration.backup_parts import Backups, region
from tests.integration.drill_parts import CHOICES, Drills, with_queries
from tests.integration.test_droplet_base_backup import sealing
from tests.servers.archived import fill_segment, wait_archived
from tests.servers.fixtures import or_skip
from tests.servers.postgres import PostgresServer, system_bin_dir
from tests.servers.rgw import RadosGateway
from tests.servers.workspace import Workspace

pytestmark = [pytest.mark.server, pytest.mark.timeout(300), pytest.mark.long]

ROWS = "SELECT 1 FROM kept HAVING max(n) = 18"


@pytest.fixture(scope="module")
def server(workspace: Workspace) -> Iterator[PostgresServer]:
    made = or_skip(lambda: PostgresServer.make(workspace, system_bin_dir(), wal_segment_mib=1))
    with ExitStack() as stack:
        stack.callback(made.stop, "immediate")
        yield made


def test_a_base_backup_for_age_is_drilled_with_its_key_alone(
    server: PostgresServer, rgw: RadosGateway, rgw_dr: RadosGateway
) -> None:
    backups = Backups(server, region(rgw), region(rgw_dr))
    backups.archive()
    server.sql("CREATE TABLE kept AS SELECT 17 AS n")
    sealed, other = sealing(backups), sealing(backups)
    ended = backups.take(sealed.script())
    assert ended.status == 0, ended.stderr
    server.sql("INSERT INTO kept VALUES (18)")
    wait_archived(server, [fill_segment(server)])
    drills = Drills(backups, with_queries(ROWS))

    for path, status, why in (
        ("", 2, "its secret key is not on this host"),
        (f"{other.secret}.gone", 2, "cannot be read as user"),
        (str(other.secret), 1, f"cannot be decrypted with {other.secret}: age: error: no identity matched"),
        (str(sealed.secret), 0, "level 4 of 4"),
    ):
        ended = drills.run(drills.render(replace(with_queries(ROWS), identity=path), "drill-sealed"))
        assert (ended.status, why in ended.stderr) == (status, True), ended.stderr
        drills.assert_nothing_left()
    assert drills.result["level"] == 4

    for each in backups.regions:
        body = each.get(backups.status["id"], "base.tar.zst.age")
        at = len(body) // 2
        each.put(backups.status["id"], "base.tar.zst.age", body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :])
    ended = drills.run(drills.render(replace(CHOICES, identity=str(sealed.secret)), "drill-damaged"))
    assert ended.status == 4, ended.stderr
    assert drills.result["reason"] == "damaged-object"
    assert "base.tar.zst.age cannot be decrypted" in drills.result["message"]
    secret = sealed.secret.read_text().splitlines()[-1]
    told = [path for path in drills.state.iterdir() if path.is_file()]
    assert told
    assert all(secret not in path.read_text(errors="replace") for path in told)
    drills.assert_nothing_left()


def test_an_archive_behind_rclones_crypt_is_drilled_as_it_is(
    server: PostgresServer, rgw: RadosGateway, rgw_dr: RadosGateway
) -> None:
    """The store holds neither a name nor a byte of it in plain."""
    backups = Backups(server, region(rgw), region(rgw_dr))
    config = Path(backups.profile.paths.rclone_config)
    config.write_text(behind_crypt(config.read_text(), backups))
    backups.archive()
    server.sql("DROP TABLE IF EXISTS kept")
    server.sql("CREATE TABLE kept AS SELECT 17 AS n")
    backups.taken()
    server.sql("INSERT INTO kept VALUES (18)")
    wait_archived(server, [fill_segment(server)])
    drills = Drills(backups)
    ended = drills.run(drills.render(with_queries(ROWS), "drill-crypt"))
    assert ended.status == 0, ended.stderr
    assert "level 4 of 4" in ended.stderr
    told = (drills.state / "last.json").read_text()
    for each, remote in zip(backups.regions, ("spaces-prod", "spaces-dr"), strict=True):
        listed = each.gateway.client().list_objects_v2(Bucket=each.to.bucket)["Contents"]
        assert listed
        assert not [one["Key"] for one in listed if "base" in one["Key"] or "0000" in one["Key"]]
        lie = f"{remote}:{each.to.bucket}/pg/main/walconsole"
        rclone = ["rclone", "--config", str(config)]
        names = server.run([*rclone, "lsf", "-R", "--files-only", lie]).split()
        (name,) = names
        assert server.run([*rclone, "cat", f"{lie}/{name}"]) == told
    drills_own = {path.name for path in drills.state.iterdir()}
    assert drills_own <= {"last.json", "proved", "status.json"}
    assert drills.servers == []


def behind_crypt(text: str, backups: Backups) -> str:
    """rclone's configuration in which the scripts' remotes are crypts, one in each bucket."""
    obscured = subprocess.run(
        ["rclone", "obscure", "-"], input="for the tests", capture_output=True, text=True, check=True
    ).stdout.strip()
    for each, remote in zip(backups.regions, ("spaces-prod", "spaces-dr"), strict=True):
        text = text.replace(f"[{remote}]", f"[raw-{remote}]")
        text += f"[{remote}]\ntype = crypt\nremote = raw-{remote}:{each.to.bucket}\npassword = {obscured}\n"
    return text
