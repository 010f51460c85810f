"""A deployment that archives for real, watched by the console's own observation, to be broken and mended."""

import asyncio
import os
import re
import secrets
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tests.integration.observed import RecordingScreen
from tests.integration.provision_stage import Stage, staged
from tests.servers.fixtures import or_skip
from tests.servers.postgres import PostgresServer
from tests.servers.postgres_debian import DebianCluster
from tests.servers.rgw import RadosGateway
from tests.servers.s3 import S3Keys
from tests.servers.sshd import SshServer
from tests.servers.workspace import Workspace
from walconsole.domain.archive.gaps import Gap
from walconsole.domain.facts.snapshot import SLOTS, AnySlot, Reading
from walconsole.domain.failures import Diagnosis, Severity, Story, diagnose
from walconsole.domain.profile import BucketRole, KeyReference, KeySource
from walconsole.operator_files.kept import KeptFiles, for_this_session
from walconsole.ports import Observer
from walconsole.process.cleanup import Cleanups
from walconsole.process.clock import SystemClock
from walconsole.session.dialling import ssh_shell
from walconsole.session.wiring import observe

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

LATE = "zz_broken.conf"
"""Read after the drop-in of provisioning: what stands in it wins."""


@dataclass
class Row:
    """One line of the table: what was broken, what was found, in how many seconds, and what mended it."""

    failure: str
    found: str
    seconds: float
    mended: str = ""
    green_s: float | None = None


_LOOK_APART_S, _LOOK_EVERY_S = 0.1, 0.4
"""At least and at most between two looks: to diagnose is most of what a test computes while it waits."""

TABLE: list[Row] = []
"""Of this process, in the order of the tests."""


@dataclass
class Watched:
    """A stage under observation. `bucket` is the primary copy's."""

    stage: Stage
    screen: RecordingScreen
    observer: Observer
    clock: SystemClock
    marks: list[str] = field(default_factory=list)
    own_disk: bool = False
    """False: what other tests write to the same disk meanwhile is no alarm of this one's."""

    @property
    def cluster(self) -> PostgresServer:
        return self.stage.cluster

    @property
    def bucket(self) -> str:
        return self.stage.profile.primary.bucket

    @property
    def rgw(self) -> RadosGateway:
        return next(iter(self.stage.gateways.values()))

    @property
    def owner(self) -> "S3Client":
        """S3 by the archiver's own key, whose objects the archive's are."""
        key = self.stage.app_key
        return self.rgw.client(S3Keys(f"spaces-{key.access_key}", key.access_key, key.secret))

    @property
    def pg_wal(self) -> Path:
        return self.cluster.data_dir / "pg_wal"

    def diagnosis(self) -> Diagnosis:
        """What the console says now."""
        return diagnose(self.screen.last, self.clock.now())

    def stories(self) -> list[Story]:
        """Those that alarm, the worst first."""
        told = [story for story in self.diagnosis().stories if story.severity >= Severity.WARNING]
        return [story for story in told if self.own_disk or story.root.rule != "disk-filling"]

    def told(self) -> str:
        """For a failed assertion."""
        diagnosis = self.diagnosis()
        lines = [f"{diagnosis.verdict.level}: {diagnosis.verdict.text}"]
        for story in diagnosis.stories:
            chain = " > ".join(each.rule for each in (story.root, *story.consequences))
            lines.append(f"{story.severity.name} {chain}: {story.root.title}")
            lines += [f"    {proof.source}: {proof.text}" for proof in story.root.proof]
        lines.append(f"production: {self.screen.last.production.value}")
        for role, copy in zip(BucketRole, (self.screen.last.primary, self.screen.last.dr), strict=True):
            lines.append(f"{role} objects: {sorted(self.stage.objects(role))[-8:]}")
            facts = copy.value
            lines.append(
                f"{role} as of {copy.read_at}: {facts and (facts.newest_at, facts.lost, facts.identities)}"
            )
        lines.append(f"archiver: {self.screen.last.archiver.value}")
        problems = [f"{slot}: {reading.problem}" for slot, reading in self._readings() if reading.problem]
        return "\n".join([*lines, *problems])

    def _readings(self) -> Iterator[tuple[AnySlot, Reading[object]]]:
        for slot in SLOTS:
            yield slot, slot.of(self.screen.last)

    def rules(self) -> set[str]:
        """Everything that is found now, notes too."""
        return {finding.rule for finding in self.diagnosis().findings}

    def roots(self) -> set[str]:
        """The causes that alarm."""
        return {story.root.rule for story in self.stories()}

    def chain(self) -> list[str]:
        """What follows from the worst cause."""
        stories = self.stories()
        return [each.rule for each in stories[0].consequences] if stories else []

    def waits(self) -> int:
        """The .ready files, as the server lists them now."""
        rows = self.sql("SELECT count(*) FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready'")
        return int(str(rows[0][0]))

    def is_empty(self) -> bool:
        """Whether the primary bucket is seen to hold no segment, and the statistics to be reset."""
        primary, archiver = self.screen.last.primary.value, self.screen.last.archiver.value
        if primary is None or archiver is None:
            return False
        return not primary.segments and archiver.last_archived_at is None

    def sql(self, statement: str) -> list[tuple[object, ...]]:
        return self.cluster.sql(statement)

    def switch(self, times: int = 1) -> str:
        """Fill a segment with something, so that it is due; its name (of the last one)."""
        name = ""
        with self.cluster.connect() as connection:
            for _ in range(times):
                connection.execute("SELECT pg_create_restore_point('due')")
                row = connection.execute("SELECT pg_walfile_name(pg_switch_wal())").fetchone()
                name = str(row[0]) if row else ""
        return name

    def config(self, **settings: str) -> None:
        """Let these settings win, and reload."""
        self.cluster.write_config(LATE, settings)
        self.cluster.reload()

    @property
    def command(self) -> str:
        """The archive command that provisioning installed."""
        return f'{self.stage.root}/usr/local/bin/{self.stage.profile.name}-pg-archive "%p" "%f"'

    @property
    def program(self) -> Path:
        """Its file."""
        return Path(self.command.partition(" ")[0])

    def push(self, segment: str) -> None:
        """Archive what is still in pg_wal by hand, as the operator would."""
        command = self.command.replace("%p", f"pg_wal/{segment}").replace("%f", segment)
        self.cluster.run(["sh", "-c", f"cd {self.cluster.data_dir} && {command}"])

    def back_up(self) -> str:
        """A base backup by the installed script, into both copies: its id."""
        program = f"{self.stage.root}/usr/local/bin/{self.stage.profile.name}-base-backup"
        self.cluster.run([program, "--fast"])
        return self.backups()[-1]

    def backups(self) -> list[str]:
        """The ids of those in the primary bucket that are whole."""
        keys = sorted(self.stage.objects(BucketRole.PRIMARY))
        return [key.split("/")[1] for key in keys if key.endswith("/backup.json")]

    def delete(self, *keys: str) -> None:
        """These objects, from both buckets."""
        for role in BucketRole:
            client, bucket = self.stage.gateways[role].client(), self.stage.target(role).bucket
            for key in keys:
                client.delete_object(Bucket=bucket, Key=key)

    def rewrite(self, key: str, change: Callable[[str], str]) -> None:
        """The object's text otherwise, in both buckets, as the archiver's own keys may write it."""
        for role in BucketRole:
            key_of = self.stage.app_key if role is BucketRole.PRIMARY else self.stage.dr_key
            keys = S3Keys(f"spaces-{key_of.access_key}", key_of.access_key, key_of.secret)
            client, bucket = self.stage.gateways[role].client(keys), self.stage.target(role).bucket
            text = client.get_object(Bucket=bucket, Key=key)["Body"].read().decode()
            client.put_object(Bucket=bucket, Key=key, Body=change(text).encode())

    def config_back(self) -> None:
        """As provisioning left it."""
        (self.cluster.config_dir / "conf.d" / LATE).unlink(missing_ok=True)
        self.sql("ALTER SYSTEM RESET ALL")
        self.cluster.reload()

    def empty(self) -> None:
        """Delete everything in both buckets."""
        for role in BucketRole:
            client, bucket = self.stage.gateways[role].client(), self.stage.target(role).bucket
            for key in self.stage.objects(role):
                client.delete_object(Bucket=bucket, Key=key)

    def lost(self) -> list[tuple[BucketRole, Gap]]:
        """What both buckets have lost and nobody accepted."""
        facts = [reading.value for reading in (self.screen.last.primary, self.screen.last.dr)]
        return [(each.role, gap) for each in facts if each for gap in each.lost if gap.accepted is None]

    def accept(self, reason: str) -> None:
        """As the archive screen does."""
        for role, gap in self.lost():
            reader = self.observer.bucket(role)
            assert reader is not None
            reader.accept(gap, reason)

    async def lost_both(self) -> None:
        """Wait until both copies' losses are seen: each bucket is looked at in its own time."""
        await self.until(lambda: len({role for role, _ in self.lost()}) == 2, "the loss of both copies", 20)

    async def accept_both(self, reason: str) -> None:
        """Once both copies' losses are seen."""
        await self.lost_both()
        self.accept(reason)

    async def until(self, holds: Callable[[], object], what: str, timeout_s: float) -> float:
        """Seconds until it holds. With each snapshot, and between them, it is looked at: what is old ages."""
        began = time.monotonic()
        while True:
            self.screen.changed.clear()
            lasted_s = time.monotonic() - began
            if holds():
                return lasted_s
            if lasted_s >= timeout_s:
                break
            await asyncio.sleep(_LOOK_APART_S)
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_EVERY_S):
                    await self.screen.changed.wait()
        raise AssertionError(f"{what} did not come about within {timeout_s} s:\n{self.told()}")

    async def root(self, rule: str, *, within_s: float = 5.0, evidence: str = "") -> Story:
        """Wait until the worst story's root is `rule`, with evidence that matches."""

        def found() -> bool:
            stories = self.stories()
            return bool(stories) and stories[0].root.rule == rule and _shows(stories[0], evidence)

        seconds = await self.until(found, f"{rule} as the root ({evidence})", within_s)
        self.found(rule, seconds)
        return self.stories()[0]

    def found(self, rule: str, seconds: float) -> None:
        """A row of the table: `rule` was found so long after what was broken last."""
        TABLE.append(Row(self.marks[-1] if self.marks else rule, rule, seconds))

    async def noted(self, rule: str, *, within_s: float = 5.0) -> None:
        """Wait until `rule` is found, as a note or as what follows from something else."""
        self.found(rule, await self.until(lambda: rule in self.rules(), rule, within_s))

    async def green(self, mended: str, *, within_s: float = 30.0) -> None:
        """Wait until nothing alarms any more and everything that waited is archived."""

        nudged = time.monotonic()

        def holds() -> bool:
            nonlocal nudged
            if time.monotonic() - nudged > 2.0:
                self.cluster.reload()  # it starts an archiver that died: else within a minute
                nudged = time.monotonic()
            archiver = self.screen.last.archiver.value
            return not self.stories() and archiver is not None and archiver.ready_count == 0

        seconds = await self.until(holds, "green", within_s)
        if TABLE:
            TABLE[-1].mended, TABLE[-1].green_s = mended, seconds

    async def stays_green(self, seconds: float = 3.0) -> None:
        """Nothing alarms, look after look."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            assert not self.stories(), self.told()
            await asyncio.sleep(0.2)

    @contextmanager
    def broken(self, what: str, *, restarted: bool = False) -> Iterator[None]:
        """Name what is broken in the table; whatever happens, the configuration is put back in force."""
        self.marks.append(what)
        try:
            yield
        finally:
            self.config_back()
            if restarted:
                self.cluster.restart()


@contextmanager
def placed(path: Path, text: str, *, keep: bool = False) -> Iterator[None]:
    """The file is there; gone again afterwards unless the server takes it away itself."""
    path.write_text(text)
    try:
        yield
    finally:
        if not keep:
            path.unlink(missing_ok=True)


@contextmanager
def away(path: Path) -> Iterator[None]:
    """The file is not there; then it is again."""
    kept = path.rename(path.with_name(f".{path.name}.kept"))
    try:
        yield
    finally:
        kept.rename(path)


async def fill(path: Path, times: int = 40) -> None:
    """60 MB every half second."""
    for _ in range(times):
        await asyncio.to_thread(_append, path, 60_000_000)
        await asyncio.sleep(0.4)


def _append(path: Path, count: int) -> None:
    with path.open("ab") as file:
        os.posix_fallocate(file.fileno(), path.stat().st_size, count)


@contextmanager
def grantless(console: Watched) -> Iterator[None]:
    """The archiver's key without its grants; then with them again."""
    key = console.stage.app_key
    grants = key.grants
    console.stage.keys.replace(key, key.name, ())
    try:
        yield
    finally:
        console.stage.keys.replace(key, key.name, grants)


@contextmanager
def stopped_archiver(console: Watched) -> Iterator[None]:
    """The archiver's process stands still: what it would put right at once stays as it is."""
    rows = console.sql("SELECT pid FROM pg_stat_activity WHERE backend_type = 'archiver'")
    pid = int(str(rows[0][0]))
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@contextmanager
def mode(path: str | Path, bits: int, *, roots: bool = False) -> Iterator[None]:
    """The path has this mode, and `roots` owner where a test may do that; then its own again."""
    path = Path(path)
    before = path.stat()
    path.chmod(bits)
    if roots and os.geteuid() == 0:
        os.chown(path, 0, 0)
    try:
        yield
    finally:
        os.chown(path, before.st_uid, before.st_gid)
        path.chmod(before.st_mode & 0o7777)


@contextmanager
def edited(path: str | Path, old: str, new: str) -> Iterator[None]:
    """The file with another text in it; then its own again."""
    path = Path(path)
    before = path.read_text()
    assert old in before
    path.write_text(before.replace(old, new))
    try:
        yield
    finally:
        path.write_text(before)


def _shows(story: Story, evidence: str) -> bool:
    texts = [*story.root.evidence, story.root.title, *(f"{p.source}: {p.text}" for p in story.root.proof)]
    return not evidence or any(re.search(evidence, text) for text in texts)


def tell_table(record_property: Callable[[str, object], None]) -> set[str]:
    """Hand the rows of the test that has ended to the summary of the run; the failure modes in them."""
    found = {row.found for row in TABLE}
    for row in TABLE:
        green = "" if row.green_s is None else f"{row.green_s:.1f} s after {row.mended}"
        record_property("failure", f"{row.failure}|{row.found}|{row.seconds:.1f}|{green}")
    TABLE.clear()
    return found


@contextmanager
def rewritten(path: Path, before: str, after: str) -> Iterator[None]:
    """An installed file with `after` in `before`'s place, for as long as it lasts."""
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))
    try:
        yield
    finally:
        path.write_text(text)


@asynccontextmanager
async def broken_deployment(
    workspace: Workspace, rgw: RadosGateway, rgw_dr: RadosGateway
) -> AsyncIterator[Watched]:
    """Set up by the console itself, green, and watched."""
    async with deployment(workspace, rgw, rgw_dr, f"broken-{secrets.token_hex(3)}") as stage:
        await provisioned(stage)
        async with watching(stage) as watched:
            await watched.green("provisioning")
            yield watched


@asynccontextmanager
async def watching(
    stage: Stage, keys: Mapping[str, str] | None = None, keeping: KeptFiles | None = None
) -> AsyncIterator[Watched]:
    """The console's own observation of a stage, without a screen; `keys` are its own, as variables.

    `keeping` is what outlives it, None: nothing does.
    """
    profile = stage.profile
    if keys is not None:
        own = KeyReference(KeySource.ENVIRONMENT)
        profile = replace(profile, primary=replace(profile.primary, keys=own))
    screen, clock, cleanups = RecordingScreen(), SystemClock(), Cleanups()
    async with cleanups:
        environment = {**os.environ, **(keys or {})}
        shell = ssh_shell(profile, screen, clock, cleanups)
        observer = observe(profile, shell, clock, environment, cleanups, keeping or for_this_session())
        running = asyncio.create_task(observer.run(screen), name="observer")
        try:
            await screen.until(lambda: screen.snapshots and screen.last.whole, "a first picture")
            yield Watched(stage, screen, observer, clock)
        finally:
            running.cancel()
            await asyncio.wait([running])


@asynccontextmanager
async def deployment(
    workspace: Workspace, rgw: RadosGateway, rgw_dr: RadosGateway, name: str
) -> AsyncIterator[Stage]:
    """The incident's state on servers of its own."""
    cluster = or_skip(lambda: DebianCluster.create(workspace, wal_segment_mib=1))
    async with deployed(workspace, cluster, rgw, rgw_dr, name) as stage:
        yield stage


@asynccontextmanager
async def deployed(
    workspace: Workspace, cluster: PostgresServer, rgw: RadosGateway, rgw_dr: RadosGateway, name: str
) -> AsyncIterator[Stage]:
    """The incident's state on this server, which is started, and stopped at the end."""
    cluster.start()
    sshds: list[SshServer] = []

    def make_sshd(overrides: object = None) -> SshServer:
        server = or_skip(lambda: SshServer(workspace, overrides))  # type: ignore[arg-type]
        server.start()
        sshds.append(server)
        return server

    try:
        async with staged(cluster, make_sshd, rgw, rgw_dr, name) as stage:
            yield stage
    finally:
        for server in sshds:
            server.stop()
        cluster.stop("immediate")


async def provisioned(stage: Stage) -> None:
    """Archiving set up by the console itself, with the first base backup."""
    runner = stage.runner()
    await runner.run()
    assert runner.done
