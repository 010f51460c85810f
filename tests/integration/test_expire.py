"""Retention on real servers: what goes and what stays, refusals, and an end at any request."""

import asyncio
import json
import os
import re
import secrets
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import pytest_asyncio

from tests.integration.failure_stage import deployment, provisioned, rewritten
from tests.integration.provision_stage import Stage
from tests.integration.test_backup_running import begin, streaming
from tests.servers.ports import wait_until
from tests.servers.rgw import RadosGateway
from tests.servers.s3 import S3Keys
from tests.servers.workspace import Workspace
from walconsole.config.writer import profile_as_toml
from walconsole.domain.profile import BucketRole, Profile
from walconsole.domain.recovery.keep import Keep
from walconsole.domain.recovery.lock import LOCK_KEY, LockMarker
from walconsole.errors import BlockedError, ProvisionError, UsageError
from walconsole.operator_files.expiry_file import ExpiryFile

pytestmark = [pytest.mark.server, pytest.mark.timeout(600), pytest.mark.asyncio(loop_scope="module")]

Objects = dict[str, bytes]
KEEP_2 = Keep(full=2)
CALLED = "it"
"""The profile's section, by which the operator calls it; its `name` is what stands on the droplet."""
_SEGMENT_KEY = re.compile(r"[0-9A-F]{24}(\.(?!backup)\w+)?")


@dataclass
class Ended:
    """How the program ended, and what it said on both streams."""

    code: int
    text: str


async def ended(child: asyncio.subprocess.Process) -> Ended:
    """How it did."""
    said, _ = await child.communicate()
    assert child.returncode is not None
    return Ended(child.returncode, said.decode())


class Retained:
    """A deployment with four base backups in the primary copy and three in DR, and what both then held."""

    def __init__(self, stage: Stage, home: Path) -> None:
        self.stage, self.home = stage, home
        self.ids: list[str] = []
        self.saved: dict[BucketRole, Objects] = {}

    @property
    def name(self) -> str:
        return self.stage.profile.name

    def back_up(self) -> str:
        """One more, by the installed script; WAL goes on after it."""
        program = f"{self.stage.root}/usr/local/bin/{self.name}-base-backup"
        time.sleep(1.1)  # an id has seconds
        self.stage.cluster.run([program, "--fast"])
        self.write()
        return self.backups(BucketRole.PRIMARY)[-1]

    def write(self) -> None:
        """Two segments, both archived."""
        last = [self._segment() for _ in range(2)][-1:]
        deadline = time.monotonic() + 60
        while self.stage.cluster.sql("SELECT last_archived_wal FROM pg_stat_archiver") != last:
            assert time.monotonic() < deadline, "it is not archived"
            time.sleep(0.1)

    def _segment(self) -> tuple[object, ...]:
        self.stage.cluster.sql("SELECT pg_create_restore_point('x')")
        return self.stage.cluster.sql("SELECT pg_walfile_name(pg_switch_wal())")[0]

    def backups(self, role: BucketRole) -> list[str]:
        keys = sorted(self.stage.objects(role))
        return [key.split("/")[1] for key in keys if key.endswith("/backup.json")]

    def wal(self, role: BucketRole) -> set[str]:
        return {key for key in self.stage.objects(role) if "/" not in key}

    def put(self, role: BucketRole, key: str, body: bytes) -> None:
        """As the archiver's own key."""
        self._client(role).put_object(Bucket=self.stage.target(role).bucket, Key=key, Body=body)

    def get(self, role: BucketRole, key: str) -> bytes:
        answer = self._client(role).get_object(Bucket=self.stage.target(role).bucket, Key=key)
        return bytes(answer["Body"].read())

    def delete(self, role: BucketRole, *keys: str) -> None:
        client, bucket = self.stage.gateways[role].client(), self.stage.target(role).bucket
        for key in keys:
            client.delete_object(Bucket=bucket, Key=key)

    def _client(self, role: BucketRole):  # type: ignore[no-untyped-def]
        key = self.stage.app_key if role is BucketRole.PRIMARY else self.stage.dr_key
        keys = S3Keys(f"spaces-{key.access_key}", key.access_key, key.secret)
        return self.stage.gateways[role].client(keys)

    def save(self) -> None:
        self.saved = {
            role: {key: self.get(role, key) for key in self.stage.objects(role)} for role in BucketRole
        }

    def restore(self) -> None:
        """Both buckets as they were saved, with the WAL that came since: no backup reaches now without."""
        for role, objects in self.saved.items():
            there = self.stage.objects(role)
            newest = max(filter(_SEGMENT_KEY.fullmatch, objects))
            for key in filter(_SEGMENT_KEY.fullmatch, there - objects.keys()):
                if key > newest:
                    objects[key] = self.get(role, key)
            self.delete(role, *(there - objects.keys()))
            for key in objects.keys() - there:
                self.put(role, key, objects[key])

    def unchanged(self) -> bool:
        return all(self.stage.objects(role) == set(objects) for role, objects in self.saved.items())

    def forget(self) -> None:
        """As where retention never ran on this machine."""
        ExpiryFile(CALLED, {"HOME": str(self.home)}).path.unlink(missing_ok=True)

    def configure(self, keep: Keep | None = KEEP_2, profile: Profile | None = None) -> None:
        """What the program will read."""
        made = replace(profile or self.stage.profile, keep=keep)
        file = self.home / ".config/walconsole/config.toml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(profile_as_toml(made, CALLED))
        file.chmod(0o600)

    async def expire(self, *options: str, kill: tuple[int, str] | None = None) -> Ended:
        """The program itself, in a process of its own."""
        return await self.run("expire", *options, kill=kill)

    async def run(self, command: str, *options: str, kill: tuple[int, str] | None = None) -> Ended:
        """Likewise, another of its commands."""
        return await ended(await self.begin(command, *options, kill=kill))

    async def begin(
        self, command: str, *options: str, kill: tuple[int, str] | None = None, by: str = "SIGKILL"
    ) -> asyncio.subprocess.Process:
        """One that goes on by itself; `kill` says at which call it gets that signal."""
        module = "walconsole" if kill is None else "tests.integration.expire_child"
        environment: Mapping[str, str] = {
            **os.environ,
            "HOME": str(self.home),
            "XDG_CONFIG_HOME": "",
            "XDG_STATE_HOME": "",
            **({} if kill is None else {"KILL_AT": str(kill[0]), "KILL_WHEN": kill[1], "KILL_WITH": by}),
        }
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", module, command, CALLED, *options,
            env=environment, stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip

    async def apply(self, kill: tuple[int, str] | None = None) -> Ended:
        return await self.expire("--apply", "--confirm", self.name, kill=kill)

    async def by_schedule(self) -> Ended:
        """As its unit calls it."""
        return await self.expire("--apply", "--confirm", self.name, "--after-backup")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def retained(
    workspace: Workspace, rgw: RadosGateway, rgw_dr: RadosGateway, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Retained]:
    """Provisioned by the console itself; DR has lost its oldest backup."""
    name = (
        f"e{secrets.token_hex(2)}"  # short: a recovery's folder, below a long one of the tests, has a socket
    )
    async with deployment(workspace, rgw, rgw_dr, name) as stage:
        await provisioned(stage)
        stage.cluster.write_config("zz_quiet.conf", {"archive_timeout": "0", "autovacuum": "off"})
        stage.cluster.reload()  # no segment comes but those of the test
        held = Retained(stage, tmp_path_factory.mktemp("operator"))
        await asyncio.to_thread(held.write)
        for _ in range(3):
            await asyncio.to_thread(held.back_up)
        held.ids = held.backups(BucketRole.PRIMARY)
        oldest = [key for key in stage.objects(BucketRole.DR) if key.startswith(f"base/{held.ids[0]}/")]
        held.delete(BucketRole.DR, *oldest)
        held.save()
        held.configure()
        yield held


@pytest.fixture
def made(retained: Retained) -> Retained:
    """Both buckets as they were before another test."""
    retained.restore()
    return retained


def start_of(made: Retained, id: str) -> str:
    return str(json.loads(made.saved[BucketRole.PRIMARY][f"base/{id}/backup.json"])["start_wal"])


def assert_expired(made: Retained) -> None:
    """The two newest backups, all WAL from the older one's start, and nothing else of what went."""
    below = start_of(made, made.ids[2])
    for role in BucketRole:
        assert made.backups(role) == made.ids[2:]
        saved = made.saved[role]
        stays = {
            key
            for key in saved
            if (key.startswith("base/") and key.split("/")[1] in made.ids[2:])
            or (not key.startswith("base/") and key[:24] >= below)
            or ".history" in key
        }
        assert made.stage.objects(role) == stays


async def test_it_deletes_what_was_shown_and_nothing_where_anything_is_in_doubt(made: Retained) -> None:
    await nothing_goes_without_a_rule(made)
    await nothing_goes_while_a_lock_lies_there(made)
    await nothing_goes_by_a_key_that_may_only_read(made)
    await nothing_goes_beside_another_cluster_s(made)
    planned = await made.expire("--plan")
    assert planned.code == 0
    for id in made.ids[:2]:
        assert f"goes: {id}, " in planned.text
        assert f"{made.stage.profile.primary.bucket}: {id}" not in planned.text.partition("stays: ")[2]
    for id in made.ids[2:]:
        assert f"stays: {id}: of the newest 2 full backups" in planned.text
    assert "before: restorable to any moment since " in planned.text
    assert "after: restorable to any moment since " in planned.text
    assert made.unchanged()

    ended = await made.apply()
    assert ended.code == 0, ended.text
    assert ended.text.count("and all else is there") == 2
    assert_expired(made)
    again = await made.expire("--apply", "--confirm", made.name, "--json")
    assert again.code == 0
    checks = [json.loads(line).get("check") for line in again.text.splitlines() if line.startswith("{")]
    assert "nothing goes (keep: 2 full)" in [check["summary"] for check in checks if check]
    assert_expired(made)
    await it_is_not_confirmed_without_its_name(made)


async def nothing_goes_without_a_rule(made: Retained) -> None:
    made.configure(None)
    ended = await made.apply()
    assert ended.code == BlockedError.exit_code
    assert "no rule (keep) in the profile: nothing is ever deleted" in ended.text
    assert made.unchanged()
    made.configure()


async def nothing_goes_while_a_lock_lies_there(made: Retained) -> None:
    lock = LockMarker("root@elsewhere", "drill", time.time() + 600, "0" * 32)
    made.put(BucketRole.DR, LOCK_KEY, lock.document())
    for options in (("--plan",), ("--apply", "--confirm", made.name)):
        ended = await made.expire(*options)
        assert ended.code == BlockedError.exit_code, ended.text
        assert f"a lock lies there: drill by root@elsewhere, in {made.stage.profile.dr.bucket}" in ended.text
    made.delete(BucketRole.DR, LOCK_KEY)
    assert made.unchanged()


@contextmanager
def reading_alone(made: Retained) -> Iterator[None]:
    """The archiver's key may not write meanwhile."""
    key = made.stage.app_key
    grants = key.grants
    made.stage.keys.replace(key, key.name, tuple(replace(each, permission="read") for each in grants))
    try:
        yield
    finally:
        made.stage.keys.replace(key, key.name, grants)


async def nothing_goes_by_a_key_that_may_only_read(made: Retained) -> None:
    with reading_alone(made):
        ended = await made.apply()
    assert ended.code == BlockedError.exit_code, ended.text
    bucket = made.stage.profile.primary.bucket
    assert f"writing {LOCK_KEY} to {bucket}" in ended.text
    assert f"give the key that the profile names for {bucket} the grant readwrite on it" in ended.text
    assert made.unchanged()


async def nothing_goes_beside_another_cluster_s(made: Retained) -> None:
    key = f"base/{made.ids[0]}/backup.json"
    own = made.saved[BucketRole.PRIMARY][key]
    made.put(BucketRole.PRIMARY, key, json.dumps({**json.loads(own), "system_identifier": "7"}).encode())
    ended = await made.apply()
    assert ended.code == BlockedError.exit_code, ended.text
    assert "a base backup of another cluster's lies in it" in ended.text
    assert made.unchanged()
    made.put(BucketRole.PRIMARY, key, own)


async def it_is_not_confirmed_without_its_name(made: Retained) -> None:
    ended = await made.expire("--apply", "--confirm", "another")
    assert ended.code == UsageError.exit_code
    assert f"add --confirm {made.name}" in ended.text


@pytest.mark.long
async def test_from_the_oldest_that_stays_all_rows_are_restored(made: Retained) -> None:
    """All WAL since then is replayed: nothing that it needs went."""
    made.stage.cluster.sql("CREATE TABLE kept AS SELECT generate_series(1, 100) AS n")
    await asyncio.to_thread(made.write)
    ended = await made.apply()
    assert ended.code == 0, ended.text
    oldest = made.backups(BucketRole.PRIMARY)[0]
    assert oldest == made.ids[2]
    wish = ("--backup", oldest, "--to-latest", "--into", "15/restored", "--count", "kept")
    ended = await made.run("recover", *wish, "--apply", "--confirm", made.name)
    assert ended.code == 0, ended.text
    assert "    100" in ended.text
    ended = await made.by_schedule()
    assert ended.code == 0, ended.text
    assert "not now: a recovery goes on (all that is archived is replayed" in ended.text
    ended = await made.run("recover", "--give-up", "--confirm", made.name)
    assert ended.code == 0, ended.text


KILLED = [(3, "after"), (8, "after"), (14, "before")]
"""Of about twenty writing calls: after a marker, after WAL, in DR. tests/unit/test_expire_run.py has all."""


@pytest.mark.long
async def test_killed_at_any_call_the_same_command_comes_to_the_same_end(made: Retained) -> None:
    for kill in KILLED:
        killed = await made.apply(kill)
        assert killed.code == -signal.SIGKILL, (kill, killed.text)
        ended = await made.apply()
        assert ended.code == 0, (kill, ended.text)
        assert_expired(made)
        await asyncio.to_thread(made.restore)
        assert made.unchanged()


# -- Beside others.

SEEN = (LOCK_KEY, "a lock lies there: retention ", "another walconsole is at it: ")
"""What the second says, as far as the first has come when it looks."""


def stands_still(pid: int) -> bool:
    """Whether that process is stopped: proc(5), stat."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


@pytest.mark.long
async def test_of_two_at_once_one_deletes_and_the_other_says_what_it_saw(made: Retained) -> None:
    arguments = ("expire", "--apply", "--confirm", made.name)
    for at in ((0, "after"), (1, "after"), (6, "after")):  # one lock, both, in the midst of the deletions
        first = await made.begin(*arguments, kill=at, by="SIGSTOP")
        try:
            await asyncio.to_thread(wait_until, lambda: stands_still(first.pid), "it is stopped", 60.0)  # noqa: B023
            stood = [made.stage.objects(role) for role in BucketRole]
            second = await made.apply()
            assert second.code == BlockedError.exit_code, (at, second.text)
            assert "a lock lies there: retention (walconsole expire) by " in second.text, (at, second.text)
            assert [made.stage.objects(role) for role in BucketRole] == stood
        finally:
            first.send_signal(signal.SIGCONT)
        told = await ended(first)
        assert told.code == 0, (at, told.text)
        assert_expired(made)
        await asyncio.to_thread(made.restore)

    for _ in range(3):  # as they come
        both = await asyncio.gather(made.apply(), made.apply())
        for each in both:
            assert each.code in (0, BlockedError.exit_code, ProvisionError.exit_code), each.text
            assert each.code == 0 or any(word in each.text for word in SEEN), each.text
        last = await made.apply()
        assert last.code == 0, last.text
        assert_expired(made)
        await asyncio.to_thread(made.restore)


@pytest.mark.long
async def test_beside_a_running_base_backup_and_a_drill_nothing_goes_that_they_need(made: Retained) -> None:
    program = Path(f"{made.stage.root}/usr/local/bin/{made.name}-base-backup")
    noise = made.stage.cluster.data_dir / "noise"
    noise.write_bytes(os.urandom(20 * 1024 * 1024))  # so that it lasts
    made.stage.cluster.give(noise)
    with rewritten(program, "read_mib_s=0 ", "read_mib_s=1 "):
        process = begin(made.stage.cluster, [str(program), "--fast"])
        try:
            await asyncio.to_thread(wait_until, lambda: streams(made), "it is streamed", 60.0)
            told = await made.apply()
            assert told.code == 0, told.text
            assert streams(made), "it goes on beside it"
        finally:
            await asyncio.to_thread(process.wait, 180)
            noise.unlink()
    assert process.returncode == 0
    for role in BucketRole:
        assert made.backups(role)[:2] == made.ids[2:]
        assert len(made.backups(role)) == 3, "with the one that ran meanwhile"

    drill = await made.begin("drill", "--apply", "--confirm", made.name)
    try:
        locked = lambda: all(LOCK_KEY in made.stage.objects(role) for role in BucketRole)  # noqa: E731
        await asyncio.to_thread(wait_until, locked, "the drill's lock", 120.0)
        stood = [made.backups(role) for role in BucketRole]
        told = await made.apply()
        assert told.code == BlockedError.exit_code, told.text
        assert "a lock lies there: a restore drill by " in told.text
        assert [made.backups(role) for role in BucketRole] == stood
    finally:
        result = await ended(drill)
    assert result.code == 0, result.text


def streams(made: Retained) -> bool:
    """Whether the server sends a base backup."""
    sending = "SELECT count(*) FROM pg_stat_progress_basebackup WHERE backup_streamed > 0"
    return made.stage.cluster.sql(sending) == [(1,)]


# -- By its schedule.


@pytest.mark.long
async def test_by_its_schedule_it_goes_after_each_base_backup_and_a_check_tells_where_it_fails(
    made: Retained,
) -> None:
    assert await it_is_installed(made) == f"walconsole-expire-{CALLED}"
    made.forget()
    ended = await made.by_schedule()
    assert ended.code == 0, ended.text
    assert ended.text.count("and all else is there") == 2
    assert_expired(made)
    ended = await made.by_schedule()
    assert ended.code == 0, ended.text
    assert f"not now: no base backup was completed in the primary copy since {made.ids[-1]}" in ended.text

    newest = await asyncio.to_thread(made.back_up)
    await nothing_goes_while_a_base_backup_runs(made)
    await a_run_that_fails_is_told(made)
    ended = await made.by_schedule()
    assert ended.code == 0, ended.text
    for role in BucketRole:
        assert made.backups(role) == [made.ids[-1], newest]
    assert await failed_by(made) == []


async def it_is_installed(made: Retained) -> str:
    """By the program, and enabled as systemctl does it: the units' name."""
    ended = await made.expire("--schedule", "--apply", "--confirm", made.name)
    assert ended.code == 0, ended.text
    folder = made.home / ".config/systemd/user"
    (service,), (timer,) = folder.glob("*.service"), folder.glob("*.timer")
    assert f" expire --apply --confirm {made.name} --after-backup -- {CALLED}\n" in service.read_text()
    (folder / "timers.target.wants").mkdir()
    (folder / "timers.target.wants" / timer.name).symlink_to(timer)
    return timer.stem


async def nothing_goes_while_a_base_backup_runs(made: Retained) -> None:
    stood = [made.stage.objects(role) for role in BucketRole]
    process = streaming(made.stage.cluster)
    try:
        ended = await made.by_schedule()
    finally:
        process.terminate()
        process.communicate(timeout=20)
    assert ended.code == 0, ended.text
    assert "not now: a base backup runs (pg_basebackup: " in ended.text
    for role, before in zip(BucketRole, stood, strict=True):
        assert made.stage.objects(role) >= before, "its own WAL came, and nothing went"


async def failed_by(made: Retained) -> list[str]:
    """What a check finds of it."""
    ended = await made.run("check", "--json")
    roots = [each["root"] for each in json.loads(ended.text[ended.text.index("{") :])["stories"]]
    return [root["title"] for root in roots if root["id"] == "expire-failed"]


async def a_run_that_fails_is_told(made: Retained) -> None:
    with reading_alone(made):
        ended = await made.by_schedule()
    assert ended.code == BlockedError.exit_code, ended.text
    (title,) = await failed_by(made)
    assert title.startswith("retention by the schedule FAILED ")
    assert f"writing {LOCK_KEY} to {made.stage.profile.primary.bucket}" in title
