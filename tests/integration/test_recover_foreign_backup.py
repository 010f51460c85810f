"""What others laid beside the WAL is no base backup of ours, whatever it holds: it makes nothing green."""

import secrets
import shlex
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.failure_stage import deployment, provisioned
from tests.integration.provision_stage import Stage
from tests.integration.recover_parts import Program, own_client
from tests.servers.archived import fill_segment, wait_archived
from tests.servers.rgw import RadosGateway
from tests.servers.workspace import Workspace
from walconsole.domain.profile import BucketRole
from walconsole.errors import BlockedError

pytestmark = [pytest.mark.server, pytest.mark.timeout(600), pytest.mark.long]


@pytest.fixture
async def stage(workspace: Workspace, rgw: RadosGateway, rgw_dr: RadosGateway) -> AsyncIterator[Stage]:
    async with deployment(workspace, rgw, rgw_dr, f"s{secrets.token_hex(2)}") as made:
        await provisioned(made)
        yield made


def by_hand(stage: Stage, form: str) -> list[tuple[str, bytes]]:
    """What `pg_basebackup` writes, by the path below its folder; it leaves its label in the archive, too."""
    cluster = stage.cluster
    into = cluster.folder / f"taken-{form}"
    options = ["-F", form, "-X", "none" if form == "p" else "fetch", "-c", "fast"]
    source = f"host={cluster.host} port={cluster.port} user={cluster.user} password={cluster.password}"
    cluster.run([str(cluster.bin_dir / "pg_basebackup"), "-d", source, "-D", str(into), *options])
    return [
        (str(path.relative_to(into)), path.read_bytes())
        for path in into.rglob("*")
        if path.is_file() and (form == "t" or path.name in ("backup_label", "backup_manifest", "PG_VERSION"))
    ]


async def test_a_base_backup_taken_by_hand_is_none(stage: Stage, tmp_path: Path) -> None:
    program = Program(stage, tmp_path)
    stage.cluster.sql("CREATE TABLE orders AS SELECT 1 AS n")
    laid = {form: by_hand(stage, form) for form in "tp"}
    wait_archived(stage.cluster, [fill_segment(stage.cluster)])
    for role in BucketRole:
        target, client = stage.target(role), own_client(stage, role)
        root = stage.gateways[role].client()
        listed = root.list_objects_v2(Bucket=target.bucket).get("Contents", [])
        for one in listed:
            if f"{target.prefix}base/" in one["Key"]:
                root.delete_object(Bucket=target.bucket, Key=one["Key"])
        for form, folder in (("t", "base/20261128T140000Z"), ("t", "by-hand"), ("p", "base/monday")):
            for name, body in laid[form]:
                client.put_object(Bucket=target.bucket, Key=f"{target.prefix}{folder}/{name}", Body=body)
    code, said = await program.run(command="check")
    assert (code, "it is not known to be complete" in said) == (3, True), said
    plan = ("--to-latest", "--into", "15/restored", "--plan")
    what_to_do = shlex.join(("walconsole", "backup", stage.profile.name, "--apply", *program.confirm))
    code, said = await program.run(*plan)
    assert code == BlockedError.exit_code, said
    assert "a .backup label says that it was made, not where it is" in said
    assert what_to_do in said
    code, said = await program.run("--apply", *program.confirm, command="drill")
    assert (code, f"take a base backup first: {what_to_do}" in said) == (BlockedError.exit_code, True), said
    assert "20261128T140000Z: its backup.json is missing" in said
    code, said = await program.run("--apply", *program.confirm, command="backup")
    assert code == 0, said
    code, said = await program.run(*plan)
    assert (code, "can be reached from" in said) == (0, True), said
