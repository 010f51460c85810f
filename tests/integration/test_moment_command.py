"""`walconsole moment` as a program: a table is dropped at some moment, found, and got back by what is
printed.
"""

import asyncio
import json
import os
import secrets
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.integration.failure_stage import deployment, provisioned
from tests.integration.provision_stage import Stage
from tests.servers.archived import fill_segment, wait_archived
from tests.servers.ports import free_port
from tests.servers.rgw import RadosGateway
from tests.servers.workspace import Workspace
from walconsole.config.writer import profile_as_toml

pytestmark = [
    pytest.mark.server,
    pytest.mark.timeout(300),
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.long,
]

ROWS = 40


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(workspace: Workspace, rgw: RadosGateway, rgw_dr: RadosGateway) -> AsyncIterator[Stage]:
    """A deployment on which a table was dropped after its base backup, between other transactions."""
    async with deployment(workspace, rgw, rgw_dr, f"lost-{secrets.token_hex(3)}") as made:
        await provisioned(made)
        await asyncio.to_thread(_lose, made)
        yield made


def _lose(made: Stage) -> None:
    cluster = made.cluster
    cluster.sql("ALTER SYSTEM SET full_page_writes = on")  # as it is by default
    cluster.reload()
    cluster.sql("CREATE TABLE orders (n int PRIMARY KEY, note text)")
    program = f"{made.root}/usr/local/bin/{made.profile.name}-base-backup"
    cluster.run([program, "--fast"])
    cluster.sql("CREATE TABLE others (n int)")
    for n in range(ROWS):
        cluster.sql("INSERT INTO orders VALUES (%s, 'x')", n)
    cluster.sql("DROP TABLE orders")
    cluster.sql("INSERT INTO others SELECT generate_series(1, 3)")
    cluster.sql("DELETE FROM others")
    wait_archived(cluster, [fill_segment(cluster)])


@pytest.fixture
def config(stage: Stage, tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(profile_as_toml(stage.profile, stage.profile.name))
    return path


async def moment(stage: Stage, config: Path, *arguments: str) -> tuple[int, str, str]:
    """Exit code, standard output, standard error."""
    now = stage.cluster.sql("SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS')")[0][0]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "walconsole", "moment",
        "--config", str(config), "--around", str(now), *arguments,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        cwd=config.parent, env={"HOME": str(config.parent), **_path()},
    )  # fmt: skip
    out, err = await asyncio.wait_for(process.communicate(), 200)
    return process.returncode or 0, out.decode(), err.decode()


def _path() -> dict[str, str]:
    return {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}


def leftovers(stage: Stage) -> list[Path]:
    return list((stage.root / "var/tmp").glob("walconsole-moment.*"))


async def test_without_a_yes_it_says_what_it_takes_and_brings_nothing(stage: Stage, config: Path) -> None:
    code, out, err = await moment(stage, config)
    assert (code, out) == (11, "")
    assert "archived segment" in err
    assert f"in a private folder in {stage.root}/var/tmp" in err
    assert f"add --confirm {stage.profile.name}, its name" in err
    assert leftovers(stage) == []


async def test_the_drop_is_found_and_its_commands_bring_the_table_back(stage: Stage, config: Path) -> None:
    code, out, err = await moment(stage, config, "--confirm", stage.profile.name, "--json")
    assert code == 0, err
    told: dict[str, Any] = json.loads(out)
    dropped = [event for event in told["events"] if event["kind"] == "dropped"]
    assert [(each["relations"], len(each["gone_oids"])) for each in dropped] == [(["public.orders"], 4)]
    assert told["answer"]["event"] == dropped[0]
    assert told["answer"]["lost_is_all"]
    # the drop, an insert, a delete, and what filled the segment
    assert told["answer"]["lost_transactions"] == 4
    assert told["answer"]["last_kept"]["xid"] == dropped[0]["xid"] - 1
    names = [set(target["settings"]) for target in told["answer"]["targets"]]
    assert ["recovery_target_lsn" in names[0], "recovery_target_xid" in names[1]] == [True, True]
    deleted = [event for event in told["events"] if event["kind"] == "rows deleted"]
    assert [(each["relations"], each["deleted"]) for each in deleted] == [(["public.others"], 3)]
    assert leftovers(stage) == []
    settings = told["answer"]["targets"][0]["settings"]
    target = f"--to-lsn {settings['recovery_target_lsn']} --before --timeline 1"
    assert told["recover"].startswith("walconsole recover ")
    assert told["recover"].endswith(f" {target} --into 15/restored --plan")
    rows = await asyncio.to_thread(_restored_rows, stage, told["commands"])
    assert rows == f"{ROWS}|t"


def _restored_rows(stage: Stage, commands: str) -> str:
    """What the restored server answers: how many orders there are, and that nothing that came later is."""
    cluster, folder = stage.cluster, stage.cluster.workspace.folder("restored", stage.cluster.os_user)
    port, work = str(free_port()), f"{folder}/work"
    major = cluster.version
    script = (
        commands.replace(f"/var/lib/postgresql/{major}/restored", f"{folder}/data")
        .replace(f"/var/lib/postgresql/{major}/restoring", work)
        .replace("5499", port)
    )
    query = "SELECT count(*), (SELECT count(*) = 0 FROM others) FROM orders"
    asked = f'psql -XAtq -h "$work" -p {port} -U postgres -d postgres -c "{query}"'
    try:
        said = cluster.run(["sh", "-euc", f"PATH={cluster.bin_dir}:$PATH\n{script}\n{asked}"])
        return said.splitlines()[-1]
    finally:
        with suppress(RuntimeError):
            cluster.run([str(cluster.bin_dir / "pg_ctl"), "-D", f"{folder}/data", "-m", "immediate", "stop"])
        shutil.rmtree(folder)


async def test_it_is_read_by_people_too(stage: Stage, config: Path) -> None:
    code, out, err = await moment(stage, config, "--confirm", stage.profile.name, "--table", "others")
    assert code == 0, err
    assert "postgres: public.others" in out
    assert "dropped" not in out.split("time (UTC)")[1].split("\n\n")[0]
    assert "recovery_target_inclusive = 'off'" not in out.split("time (UTC)")[0]
    assert "exclusive" in out
    assert "up to the archive's end" in out


async def test_an_event_is_chosen_by_its_place(stage: Stage, config: Path) -> None:
    code, out, err = await moment(stage, config, "--confirm", stage.profile.name, "--event", "0/28")
    assert (code, out) == (2, "")
    assert "there is none at 0/28" in err


async def test_a_read_only_profile_brings_nothing(stage: Stage, config: Path) -> None:
    await asyncio.to_thread(_make_read_only, config)
    code, out, err = await moment(stage, config, "--confirm", stage.profile.name)
    assert (code, out) == (2, "")
    assert "read-only" in err


def _make_read_only(config: Path) -> None:
    text = config.read_text()
    assert "read_only = false" in text
    config.write_text(text.replace("read_only = false", "read_only = true"))
