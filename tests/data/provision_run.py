"""Steps that play their part without any server, and an app whose provisioning screen runs them."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from tests.data.facts import NOW
from tests.data.provisioning import MemoryRecord, a_profile, a_site
from tests.data.stage import FrozenClock
from walconsole.errors import ProvisionError
from walconsole.provision.droplet.survey import Survey
from walconsole.provision.engine.model import (
    Change,
    ChangeKind,
    Changing,
    Check,
    CheckState,
    Command,
    Event,
    Fact,
    FactState,
    FileChange,
    Gate,
    Moving,
    Plan,
    Printed,
    Proved,
    Ran,
    Risk,
    Tell,
    Waiting,
    Where,
)
from walconsole.provision.engine.runner import Runner
from walconsole.provision.engine.site import Site, TemporaryKeys
from walconsole.ui.app import WalconsoleApp


@dataclass
class Played:
    """A step that does what it was given. `gate` holds it back while it is applied."""

    id: str
    title: str
    risk: Risk = Risk.ADDS
    state: CheckState = CheckState.NEEDED
    summary: str = "it is not there"
    facts: tuple[Fact, ...] = ()
    plan_shown: Plan = field(default_factory=lambda: Plan("make it"))
    events: tuple[Event, ...] = ()
    fails: str = ""
    held: asyncio.Event | None = None
    gated: bool = True
    always: bool = False
    explanation: str = "What it is for, what it does, and what can go wrong."
    applied: int = 0

    async def check(self) -> Check:
        done = self.state is CheckState.DONE or (self.applied and not self.fails)
        return Check(
            CheckState.DONE if done else self.state, self.summary, self.facts, "do this" * bool(self.fails)
        )

    async def plan(self) -> Plan:
        return self.plan_shown

    async def apply(self) -> AsyncIterator[Event]:
        for event in self.events:
            yield event
        if self.held is not None:
            await self.held.wait()
        if self.fails:
            raise ProvisionError(f"applying {self.title}", self.fails, "mend it, and run it again")
        self.applied += 1

    async def verify(self) -> AsyncIterator[Event]:
        yield Proved(f"{self.title} is as it shall be")

    async def undo_plan(self, changes: tuple[Change, ...]) -> Plan | None:
        return Plan(f"take {self.title} back")

    async def undo(self, changes: tuple[Change, ...]) -> AsyncIterator[Event]:
        yield Printed("taken back")


BUCKET = Command(
    "aws s3api create-bucket --bucket shithub-wal --endpoint-url https://nyc3.example", Where.HERE, ""
)
DROPIN = FileChange(
    "/etc/postgresql/16/main/conf.d/99_shithub_archive.conf",
    "archive_mode = off\n",
    "archive_mode = on\narchive_command = '/usr/local/bin/shithub-pg-archive'\narchive_timeout = 60\n",
)


MADE = Change("buckets", ChangeKind.BUCKET, "shithub-wal@nyc3", "not there", "made", at=NOW)
WRITTEN = Change("drop-in", ChangeKind.FILE, DROPIN.path, kept="/var/lib/walconsole/x", at=NOW)


def played_steps() -> list[Played]:
    """As many kinds as there are: found done, adding, changing another tool's, interrupting, proving."""
    return [
        Played(
            "preflight", "Preflight", Risk.READS, CheckState.DONE, "nothing stands in the way; 1 warning",
            (
                Fact("role", "primary, timeline 1"),
                Fact("clock", "3.2 s ahead of this machine's", FactState.WARNING, "set the clock (NTP)"),
                Fact("droplet's region", "the metadata service did not tell", FactState.UNKNOWN),
            ),
        ),
        Played(
            "buckets", "Buckets", summary="there is no bucket shithub-wal",
            plan_shown=Plan("make shithub-wal in nyc3", (BUCKET,), cost="5 USD", undo="never deleted"),
            events=(
                Changing(MADE),
                Ran(BUCKET),
                Waiting("the bucket appears", 1.0, 30.0),
                Waiting("the bucket appears", 2.0, 30.0),
                Printed("\x1b[2Jshithub-wal is made in nyc3"),
            ),
        ),
        Played(
            "drop-in", "Drop-in", Risk.CHANGES, summary="archive_mode is off",
            plan_shown=Plan(
                "write 99_shithub_archive.conf", files=(DROPIN,),
                notes=("it replaces the archive_command of pgBackRest",), confirm="pgBackRest",
            ),
            events=(Changing(WRITTEN),),
        ),
        Played(
            "restart", "Restart", Risk.INTERRUPTS, summary="archive_mode is not in force",
            plan_shown=Plan(
                "restart PostgreSQL", (Command("systemctl restart postgresql@16-main"),),
                notes=("2 connections will be cut:", "  2 of gunicorn (user shithub, database shithub)"),
                downtime="a few seconds: connections are cut",
            ),
        ),
        Played("proof", "Proof", events=(Proved("segment 000000010000000000000042 archived in 3.8 s"),)),
    ]  # fmt: skip


def first_backup() -> Played:
    """One that is under way."""
    return Played(
        "first-backup", "First backup", summary="no complete base backup in shithub-wal in nyc3",
        plan_shown=Plan(
            "take a base backup of 4.00 GiB now, into shithub-wal (nyc3) and shithub-wal-dr (sfo3)",
            (Command("/usr/local/bin/shithub-base-backup --fast", user="postgres"),),
            cost="$0.02 a GiB and month of what is stored, in each copy",
        ),
        events=(
            Ran(Command("/usr/local/bin/shithub-base-backup --fast", user="postgres")),
            Printed("20261125T030000Z: the server sends its files"),
            Moving("waiting for checkpoint to finish", 3.0),
            Moving("streaming", 1.0, 1, 4 << 30),
            Moving("streaming", 61.0, 3 << 30, 4 << 30, 52.4e6, 20.5),
        ),
        held=asyncio.Event(),
    )  # fmt: skip


async def _no_look(_: Site) -> Survey:
    raise AssertionError("nothing is looked at")


def with_steps(
    app: WalconsoleApp, steps: list[Played], temporary: TemporaryKeys | None = None
) -> WalconsoleApp:
    """The app with these steps behind its provisioning screen; its runner is the real one."""
    record = MemoryRecord()
    site = a_site(a_profile(), None, _no_look, record=record, temporary=temporary)  # type: ignore[arg-type]  # no shell is used
    site.clock = FrozenClock()

    async def make(gate: Gate, tell: Tell) -> Runner:
        return Runner(site, steps, gate, tell)

    app.current.provisioner = make
    return app
