"""Each scenario shows its state as soon as it is ready, to whoever looks through SSH, SQL and S3."""

import asyncio
import configparser
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from tests.integration.sandbox_child import Child, sandbox
from tests.integration.sandbox_parts import client, outcome
from walconsole.adapters.decompress import PLAIN
from walconsole.adapters.s3.key_sources import EnvironmentKeys
from walconsole.adapters.s3.store import SpacesStore
from walconsole.domain.archive.comparison import lacking
from walconsole.domain.archive.layouts import Layout
from walconsole.domain.facts.observed import BucketFacts
from walconsole.domain.failures import Severity, diagnose
from walconsole.domain.profile import BucketTarget, KeyReference, KeySource
from walconsole.domain.recovery.backups import BaseBackup, Writer
from walconsole.domain.standing.assessment import Assessment
from walconsole.domain.standing.model import Level
from walconsole.observe.bucket.probe import BucketProbe
from walconsole.operator_files.kept import NoShelf, SessionRegister, for_this_session
from walconsole.process.clock import SystemClock
from walconsole.sandbox.scenarios.scenario import SCENARIOS
from walconsole.session.one_look import look_once

pytestmark = pytest.mark.server


class Droplet:
    """A sandbox seen from outside, as the console sees it."""

    def __init__(self, child: Child, ssh: asyncssh.SSHClientConnection) -> None:
        self.child, self.profile, self.root, self.ssh = child, child.profile, child.root, ssh

    async def sh(self, command: str, status: int = 0) -> str:
        done = await self.ssh.run(command)
        assert done.exit_status == status, done.stderr
        return str(done.stdout).strip()

    async def sql(self, query: str) -> str:
        return await self.sh(f'psql -XAtqd postgres -c "{query}"')

    async def s3(self, remote: str, url: str) -> Any:
        """boto3 with the key of the droplet's own rclone configuration."""
        config = configparser.ConfigParser()
        config.read_string(await self.sh(f"cat {self.profile.paths.rclone_config}"))
        return client(url, config[remote]["access_key_id"], config[remote]["secret_access_key"])

    async def archive(self, target: BucketTarget) -> BucketFacts:
        """What the console's probe makes of a bucket once it has looked at everything."""
        config = configparser.ConfigParser()
        config.read_string(await self.sh(f"cat {self.profile.paths.rclone_config}"))
        remote = config[target.keys.rclone_remote]
        environ = {"A": remote["access_key_id"], "S": remote["secret_access_key"]}
        keys = EnvironmentKeys(KeyReference(KeySource.ENVIRONMENT, "A", "S"), environ)
        store = SpacesStore(target, keys, environ={})
        segment_bytes = int(await self.sql("select setting from pg_settings where name = 'wal_segment_size'"))
        woken: list[str] = []
        probe = BucketProbe(
            target, store, SystemClock(), segment_bytes=lambda: segment_bytes, wake=woken.append,
            plain=PLAIN, shelf=NoShelf(), register=SessionRegister(),
        )  # fmt: skip
        try:
            (fact,) = await probe.take()
            while woken:
                woken.clear()
                (fact,) = await probe.take()
        finally:
            await store.close()
        assert isinstance(fact.value, BucketFacts)
        return fact.value

    async def buckets(self) -> dict[str, tuple[int, str]]:
        """What a listing of each bucket answers."""
        found = {}
        for target in (self.profile.primary, self.profile.dr):
            s3 = await self.s3(target.keys.rclone_remote, target.endpoint)
            found[target.bucket] = await outcome(s3, "list_objects_v2", Bucket=target.bucket)
        return found


@asynccontextmanager
async def droplet(*arguments: str) -> AsyncIterator[Droplet]:
    async with sandbox(*arguments) as child:
        target = child.profile.ssh
        assert target.port is not None
        connecting = asyncssh.connect(
            target.host,
            target.port,
            username=target.user,
            client_keys=list(target.identity_files),
            known_hosts=target.known_hosts_file,
            config=None,
            agent_path=None,
        )
        async with connecting as ssh:
            yield Droplet(child, ssh)


STATE = """
    select archived_count > 0, last_failed_time > coalesce(last_archived_time, '-infinity'),
           (select count(*) from pg_ls_archive_statusdir() where name like '%.ready')
    from pg_stat_archiver"""


async def test_incident() -> None:
    async with droplet("--scenario", "incident") as host:
        assert await host.sql("show archive_mode") == "off"
        assert await host.sql(STATE) == "f||0"
        assert await host.buckets() == {
            "demo-wal": (404, "NoSuchBucket"),
            "demo-wal-dr": (404, "NoSuchBucket"),
        }
        live = await host.sql("show config_file")
        dead = await host.sh("systemctl show postgresql@* -p Environment --value")
        dead = f"{dead.removeprefix('PGDATA=')}/postgresql.conf"
        assert live != dead
        assert "\narchive_mode = on\n" in await host.sh(f"cat {dead}")
        assert "archive_mode = on" not in await host.sh(f"cat {live}")
        argv = await host.sh("tr '\\0' ' ' </proc/$(systemctl show --value -p MainPID postgresql@*)/cmdline")
        assert argv.endswith(f"-c config_file={live}")
        first = await host.sql("select pg_current_wal_lsn()")
        await wait_for(host, f"select pg_current_wal_lsn() > '{first}'")


async def test_healthy() -> None:
    async with droplet("--scenario", "healthy", "--load", "60") as host:
        assert await host.sql(STATE) in ("t||0", "t||1")
        assert await host.buckets() == {"demo-wal": (200, ""), "demo-wal-dr": (200, "")}
        await host.sh(f"test -e {host.profile.paths.heartbeat}")  # the verifier is silent when all is well
        await host.sh(f"test ! -s {host.profile.paths.log}")
        count = await host.sql("select archived_count from pg_stat_archiver")
        await wait_for(host, f"select archived_count > {count} + 2 from pg_stat_archiver")  # noqa: S608  # a number
        for target in (host.profile.primary, host.profile.dr):
            await the_archive_equals_the_wal(host, target.region, target.bucket)


async def the_archive_equals_the_wal(host: Droplet, region: str, bucket: str) -> None:
    """Every archived segment that is still on disk is there byte for byte."""
    wal = f"{host.root}/var/lib/postgresql/*/main/pg_wal"
    done = await host.sh(f"cd {wal}/archive_status && ls *.done | sed s/.done//")
    archived = [name for name in done.split() if len(name) == 24]
    assert archived
    for name in archived:
        stored = f"{host.root}/spaces/{region}/{bucket}/{name}"
        await host.sh(
            f"if [ -f {stored}.zst ]; then zstd -qdc {stored}.zst; else cat {stored}; fi | cmp - {wal}/{name}"
        )


@pytest.mark.long
async def test_failing() -> None:
    async with droplet("--scenario", "failing") as host:
        archived, failing, ready = (await host.sql(STATE)).split("|")
        assert (archived, failing) == ("t", "t")
        assert int(ready) >= 1
        assert (await host.buckets())["demo-wal"] == (403, "AccessDenied")
        log = await host.sh(f"cat {host.root}/var/log/postgresql/*.log")
        assert "403" in log
        assert "archive command failed with exit code 1" in log


@pytest.mark.long
async def test_slow() -> None:
    async with droplet("--scenario", "slow") as host:
        archived, failing, ready = (await host.sql(STATE)).split("|")
        assert (archived, failing) == ("t", "")
        assert int(ready) >= 8
        backlog = "(select count(*) from pg_ls_archive_statusdir() where name like '%.ready')"
        await wait_for(host, f"select {backlog} > {ready}")


@pytest.mark.long
async def test_idle() -> None:
    async with droplet("--scenario", "idle") as host:
        assert await host.sql(STATE) == "t||0"
        assert await host.buckets() == {"demo-wal": (200, ""), "demo-wal-dr": (200, "")}
        before = await host.sql("select pg_current_wal_lsn()")
        await asyncio.sleep(2)
        assert await host.sql("select pg_current_wal_lsn()") == before


async def test_holes() -> None:
    async with droplet("--scenario", "holes") as host:
        system = await host.sql("select system_identifier from pg_control_system()")
        primary, dr = [await host.archive(target) for target in (host.profile.primary, host.profile.dr)]
        assert (primary.gap_count, primary.missing_segments) == (2, 4)
        assert (dr.gap_count, dr.missing_segments) == (3, 6)
        assert primary.holding is not None
        assert dr.holding is not None
        assert len(primary.holding.labels) == 1
        lacks = lacking(primary.holding, dr.holding)
        assert lacks.segments == 3
        for facts in (primary, dr):
            assert [identity.problem for identity in facts.identities] == ["", ""]
            assert {i.header.system_identifier for i in facts.identities if i.header} == {system}


async def test_dropped_table() -> None:
    async with droplet("--scenario", "dropped-table") as host:
        assert (await host.sql(STATE)).startswith("t||")
        assert await host.sql("select to_regclass('orders') is null") == "t"


@pytest.mark.long
async def test_folder() -> None:
    async with droplet("--scenario", "folder") as host:
        clock = SystemClock()
        snapshot, _ = await look_once(host.profile, clock, {}, for_this_session(), 60.0)
        diagnosis = diagnose(snapshot, clock.now())
        alarms = [story.root.rule for story in diagnosis.stories if story.severity >= Severity.WARNING]
        assert alarms == ["folder-beside-data"], diagnosis
        facts = snapshot.primary.value
        assert facts is not None
        assert facts.holding is not None
        assert facts.gap_count == 0
        assert len(facts.holding.labels) == 1
        assert await host.sql("select last_archived_wal from pg_stat_archiver") >= str(facts.newest_segment)


async def test_pgbackrest() -> None:
    if shutil.which("pgbackrest") is None:
        pytest.skip("pgBackRest is not installed (package pgbackrest)")
    async with droplet("--scenario", "pgbackrest") as host:
        clock = SystemClock()
        snapshot, _ = await look_once(host.profile, clock, {}, for_this_session(), 60.0)
        diagnosis = diagnose(snapshot, clock.now())
        alarms = [story.root.rule for story in diagnosis.stories if story.severity >= Severity.WARNING]
        assert alarms == ["folder-beside-data"], diagnosis
        facts = snapshot.primary.value
        assert facts is not None
        assert facts.backups is not None
        assert (facts.layout, facts.gap_count) == (Layout.PGBACKREST.value, 0)
        writers = {backup.writer for backup in facts.backups if isinstance(backup, BaseBackup)}
        assert Writer.PGBACKREST in writers
        assert Assessment(snapshot, clock.now()).recovery_line.level is Level.OK


async def wait_for(host: Droplet, query: str) -> None:
    async with asyncio.timeout(30):
        while await host.sql(query) != "t":  # noqa: ASYNC110  # it is the server that is asked
            await asyncio.sleep(0.1)


def test_every_scenario_is_tested_here() -> None:
    tested = {name.removeprefix("test_").replace("_", "-") for name in globals()}
    assert set(SCENARIOS) <= tested


async def test_the_tools_of_a_droplet_act_on_this_server() -> None:
    async with droplet() as host:
        (cluster,) = json.loads(await host.sh("pg_lsclusters --json"))
        major, owner = str(cluster["version"]), host.profile.postgres.os_user
        assert (cluster["running"], cluster["cluster"], cluster["port"]) == (1, "main", "5432")
        columns = (await host.sh("pg_lsclusters --no-header")).split()
        assert columns == [major, "main", "5432", "online", owner, cluster["pgdata"], cluster["logfile"]]
        unit = f"postgresql@{major}-main"
        started = await host.sql("select pg_postmaster_start_time()")
        await host.sh(f"systemctl restart {unit}")
        assert await host.sql("select pg_postmaster_start_time()") != started
        await host.sh(f"systemctl stop {unit}")
        assert await host.sh(f"systemctl is-active {unit}", status=3) == "inactive"
        assert (await host.sh("pg_lsclusters -h")).split()[3] == "down"
        await host.sh(f"pg_ctlcluster {major} main start")
        assert await host.sh(f"systemctl is-active {unit}.service") == "active"
        assert f"Stopped {unit}" in await host.sh(f"journalctl -u {unit} -o short-iso --no-pager")
        assert "could not be found" in str((await host.ssh.run("systemctl status nginx")).stderr)
        assert f"Environment=PGDATA={host.root}/data/pgdata" in await host.sh(f"systemctl cat {unit}")
        await wait_for(host, "select count(*) = 1 from pg_stat_activity where application_name = 'demo-app'")


async def test_the_journal_follows() -> None:
    async with droplet("--load", "0") as host:
        await host.sh('for n in 1 2 3; do logger -t other $n; logger -t mine "line $n [x]"; done')
        assert await host.sh("journalctl -t mine -n 2 -o cat") == "line 2 [x]\nline 3 [x]"
        async with host.ssh.create_process("journalctl -t mine -f -n 1 -o short-iso") as following:
            assert (await following.stdout.readline()).rstrip().endswith(": line 3 [x]")
            await host.sh("logger -t other no; printf 'a\\nb\\n' | logger -t mine")
            assert (await following.stdout.readline()).rstrip().endswith(": a")
            assert (await following.stdout.readline()).rstrip().endswith(": b")
        assert await host.sh("journalctl -t nobody-wrote-this") == "-- No entries --"
        assert await host.sh("journalctl -t mine -S @4000000000") == "-- No entries --"


async def test_the_consoles_key_lies_where_no_other_user_reads() -> None:
    async with droplet("--load", "0") as host:
        (identity,) = map(Path, host.profile.ssh.identity_files)
        assert identity.stat().st_mode & 0o077 == 0
        assert identity.parent.stat().st_mode & 0o077 == 0
        assert host.root.stat().st_mode & 0o007 == 0
        token = host.child.environment["WALCONSOLE_DEMO_TOKEN"]
        assert token not in await host.sh("cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null; true")
