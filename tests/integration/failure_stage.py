"""A deployment that archives for real, watched by the console's own observation, to be broken and mended."""

import asyncio
import os
import re
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.integration.observed import RecordingScreen
from tests.integration.provision_stage import Stage, staged
from tests.servers.fixtures import or_skip
from tests.servers.postgres_debian import DebianCluster
from tests.servers.rgw import RadosGateway
from tests.servers.sshd import SshServer
from tests.servers.workspace import Workspace
from walconsole.domain.diagnosis import Diagnosis, Severity, Story, diagnose
from walconsole.domain.snapshot import Reading, Slot
from walconsole.ports import Observer
from walconsole.runtime.cleanup import Cleanups
from walconsole.runtime.clock import SystemClock
from walconsole.runtime.keeping import for_this_session
from walconsole.runtime.wiring import observe

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

    @property
    def cluster(self) -> DebianCluster:
        return self.stage.cluster

    @property
    def bucket(self) -> str:
        return self.stage.profile.primary.bucket

    @property
    def rgw(self) -> RadosGateway:
        return next(iter(self.stage.gateways.values()))

    @property
    def pg_wal(self) -> Path:
        return self.cluster.data_dir / "pg_wal"

    def diagnosis(self) -> Diagnosis:
        """What the console says now."""
        return diagnose(self.screen.last, self.clock.now())

    def stories(self) -> list[Story]:
        """Those that alarm, the worst first."""
        return [story for story in self.diagnosis().stories if story.severity >= Severity.WARNING]

    def told(self) -> str:
        """For a failed assertion."""
        diagnosis = self.diagnosis()
        lines = [f"{diagnosis.verdict.level}: {diagnosis.verdict.text}"]
        for story in diagnosis.stories:
            chain = " > ".join(each.rule for each in (story.root, *story.consequences))
            lines.append(f"{story.severity.name} {chain}: {story.root.title}")
            lines += [f"    {proof.source}: {proof.text}" for proof in story.root.proof]
        lines.append(f"production: {self.screen.last.production.value}")
        problems = [f"{slot}: {reading.problem}" for slot, reading in self._readings() if reading.problem]
        return "\n".join([*lines, *problems])

    def _readings(self) -> Iterator[tuple[Slot, Reading[object]]]:
        for slot in Slot:
            yield slot, getattr(self.screen.last, slot.value)

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

    def config_back(self) -> None:
        """As provisioning left it."""
        (self.cluster.config_dir / "conf.d" / LATE).unlink(missing_ok=True)
        self.sql("ALTER SYSTEM RESET ALL")
        self.cluster.reload()

    async def until(self, holds: Callable[[], object], what: str, timeout_s: float) -> float:
        """Seconds until it holds. What was there before, when nothing new is published, ages meanwhile."""
        began = time.monotonic()
        while time.monotonic() - began < timeout_s:
            if holds():
                return time.monotonic() - began
            await asyncio.sleep(0.1)
        raise AssertionError(f"{what} did not come about within {timeout_s} s:\n{self.told()}")

    async def root(self, rule: str, *, within_s: float = 5.0, evidence: str = "") -> Story:
        """Wait until the worst story's root is `rule`, with evidence that matches."""

        def found() -> bool:
            stories = self.stories()
            return bool(stories) and stories[0].root.rule == rule and _shows(stories[0], evidence)

        seconds = await self.until(found, f"{rule} as the root ({evidence})", within_s)
        TABLE.append(Row(self.marks[-1] if self.marks else rule, rule, seconds))
        return self.stories()[0]

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
    def broken(self, what: str) -> Iterator[None]:
        """Name what is broken in the table; whatever happens, the configuration is put back."""
        self.marks.append(what)
        try:
            yield
        finally:
            self.config_back()


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


@asynccontextmanager
async def watching(stage: Stage) -> AsyncIterator[Watched]:
    """The console's own observation of a stage, without a screen."""
    screen, clock, cleanups = RecordingScreen(), SystemClock(), Cleanups()
    async with cleanups:
        observer = observe(stage.profile, screen, clock, os.environ, cleanups, for_this_session())
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
    """Archiving set up by the console itself, and a base backup's label in the archive."""
    runner = stage.runner()
    await runner.run()
    assert runner.done
    with stage.cluster.connect() as connection:
        connection.execute("SELECT pg_backup_start('base', true)")
        connection.execute("SELECT pg_backup_stop(true)")
