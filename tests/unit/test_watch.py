"""A watcher's looks: what it believes, and what it says of itself."""

import asyncio
import json
import threading
from collections.abc import Callable
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path

import pytest

from tests.data.facts import NOW, archiver, healthy
from tests.data.snapshots import failing
from tests.unit.test_diagnosis_evidence import FAILED
from tests.unit.test_notices import numbered
from tests.unit.test_profile_json import a_profile
from tests.unit.test_watcher_seen import Clock
from walconsole.cli.arguments import parse
from walconsole.cli.opening import server_session
from walconsole.cli.watching import _sessions
from walconsole.domain.facts.observed import HostKeyQuestion
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.notices import outbox
from walconsole.domain.notices.deciding import Rules
from walconsole.domain.notices.outbox import Kept
from walconsole.domain.profile import NotifySettings, Profile
from walconsole.domain.standing.model import Diagnosis, Level, Verdict
from walconsole.errors import RegisterError, SshError
from walconsole.operator_files.history_file import HistoryFile
from walconsole.operator_files.incident_file import SessionIncidents
from walconsole.ports import Observer
from walconsole.process.cleanup import Cleanups
from walconsole.process.clock import SystemClock
from walconsole.session import watcher as watching
from walconsole.session.history_keeper import HistoryKeeper
from walconsole.session.incident_memory import IncidentMemory
from walconsole.session.telling import Telling
from walconsole.session.watch import WatchWish, _health_page, _observation, _status, exposition
from walconsole.session.watcher import HUNG_AFTER_S, SILENT_AFTER_S, Watcher, WatchScreen

SETTINGS = NotifySettings(command=("/bin/true",), worse_after_minutes=0, well_after_minutes=0)


class MemoryShelf:
    """telling.Shelf that counts what is written."""

    def __init__(self) -> None:
        self.kept, self.writes = Kept(), 0

    def hold(self) -> Kept:
        return self.kept

    def write(self, kept: Kept) -> None:
        self.kept, self.writes = kept, self.writes + 1


class Heard:
    """A way that keeps what it is told."""

    name = "heard"

    def __init__(self) -> None:
        self.kinds: list[str] = []

    def tell(self, notice: object, *, repeat: bool) -> None:
        assert not repeat
        self.kinds.append(f"{notice.kind} {notice.level}")  # type: ignore[attr-defined]


async def never(screen: WatchScreen, begun: Callable[[Observer], None]) -> None:
    await asyncio.Event().wait()


def a_watcher(
    clock: Clock,
    observe: watching.Observe = never,
    name: str = "db",
    shelf: MemoryShelf | None = None,
    called: str = "",
) -> Watcher:
    telling = Telling(shelf or MemoryShelf(), [Heard()], clock)
    profile = replace(a_profile(), name=name, notify=SETTINGS)
    memory = IncidentMemory(SessionIncidents(), clock)
    keeper = HistoryKeeper(HistoryFile({"XDG_STATE_HOME": "/nowhere"}), name, clock, watches=True)
    return Watcher(profile, observe, telling, memory, keeper, clock, called=called)


async def look(
    watcher: Watcher, clock: Clock, snapshot: Snapshot | None, after_s: float = 5.0
) -> Level | None:
    """What it says of that snapshot, taken now."""
    clock.wall, clock.on = clock.wall + after_s, clock.on + after_s
    if snapshot is not None:
        watcher._screen.publish(snapshot)
    await watcher.look()
    return watcher.looked.diagnosis.verdict.level if watcher.looked is not None else None


async def test_it_tells_of_what_it_sees_and_writes_no_more_than_it_must() -> None:
    clock, shelf = Clock(), MemoryShelf()
    watcher = a_watcher(clock, shelf=shelf)
    await watcher.telling.open()
    assert await look(watcher, clock, Snapshot("db", NOW, NOW)) is None, "nothing was asked yet"
    assert await look(watcher, clock, healthy()) is Level.OK
    before = shelf.writes
    for _ in range(8):
        assert await look(watcher, clock, healthy()) is Level.OK
    assert shelf.writes == before, "a look a second is not a write a second"
    assert await look(watcher, clock, healthy(archiver=archiver(**FAILED))) is Level.CRITICAL
    (posted,) = shelf.kept.outbox
    assert (posted.notice.kind, posted.notice.rule, posted.ways) == ("worse", "failing", ("heard",))
    telling = asyncio.create_task(watcher.telling.run())
    async with asyncio.timeout(5):
        while shelf.kept.outbox:  # noqa: ASYNC110  # nothing tells that it is empty
            await asyncio.sleep(0.005)
    telling.cancel()
    await asyncio.wait([telling])


async def test_what_is_never_read_whole_is_told_after_a_while() -> None:
    clock = Clock()
    watcher = a_watcher(clock)
    levels = [await look(watcher, clock, Snapshot("db", NOW, NOW), 20.0) for _ in range(10)]
    assert (levels[0], levels[-1]) == (None, Level.UNKNOWN)


HOUR_S, DAY_S = 3600.0, 86_400.0
_OK, _BAD = [Level.OK], [Level.CRITICAL]
TELLING = {
    "pending": (_OK * 5 + _BAD * 40 + _OK * 40, 15),
    "bad": (_OK * 5 + _BAD * 60 + _OK * 40, 50),
    "healing": (_OK * 5 + _BAD * 40 + _OK * 40, 60),
    "flapping": ((_BAD * 6 + _OK * 6) * 12, 40),
    "well": (_OK * 5 + _BAD * 30 + _OK * 40 + _BAD * 40, 70),
}


async def told_when(
    monkeypatch: pytest.MonkeyPatch, levels: list[Level], set_at: int, set_s: float
) -> list[tuple[str, float, float]]:
    """Kind of each notice, when it came by the clock that nobody sets, and how long it says it lasts."""
    clock, shelf, left = Clock(), MemoryShelf(), iter(levels)
    monkeypatch.setattr(watching, "diagnose", lambda *_: Diagnosis(Verdict(next(left), "so"), (), ()))
    watcher = a_watcher(clock, shelf=shelf)
    watcher._rules = Rules(worse_after_s=120, well_after_s=120)
    await watcher.telling.open()
    told: dict[str, tuple[str, float, float]] = {}
    seen = healthy()  # once: to make one takes longer than to look at it
    for number in range(len(levels)):
        clock.wall += set_s if number == set_at else 0.0
        await look(watcher, clock, seen)
        for posted in shelf.kept.outbox:
            notice = posted.notice
            told.setdefault(notice.id, (notice.kind, clock.on, round(notice.at - notice.since)))
    await watcher.stop()
    return list(told.values())


@pytest.mark.parametrize("when", TELLING)
async def test_a_clock_that_is_set_delays_repeats_and_misdates_nothing(
    monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    levels, set_at = TELLING[when]
    usual = await told_when(monkeypatch, levels, set_at, 0.0)
    assert [kind for kind, _, _ in usual][:1] == ["worse"]
    for set_s in (HOUR_S, -HOUR_S, DAY_S, -DAY_S, 3653 * DAY_S, -3653 * DAY_S):
        assert await told_when(monkeypatch, levels, set_at, set_s) == usual, set_s


class Refreshed:
    """As much of an observer as is asked to try again."""

    times = 0

    def refresh(self) -> None:
        self.times += 1


async def test_what_somebody_must_mend_is_tried_again_and_nothing_else() -> None:
    clock, observer = Clock(), Refreshed()
    watcher = a_watcher(clock)
    watcher._has_begun(observer)  # type: ignore[arg-type]
    for _ in range(20):
        await look(watcher, clock, None, 60.0)
    assert observer.times == 0, "an unknown verdict alone is no reason to list the buckets anew"
    await watcher._screen.passphrase("the key's passphrase")
    for _ in range(10):
        await look(watcher, clock, None, 30.0)
    assert observer.times == 5


async def test_what_is_old_is_not_believed() -> None:
    clock = Clock()
    watcher = a_watcher(clock)
    assert await look(watcher, clock, healthy()) is Level.OK
    assert await look(watcher, clock, None, SILENT_AFTER_S + 1) is Level.UNKNOWN
    assert watcher.looked is not None
    assert watcher.looked.diagnosis.verdict.text == "cannot tell: nothing was read for 3 min 01 s"


async def test_an_observation_that_ends_is_told_and_begun_again(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, began, rests, go = Clock(), 0, asyncio.Event(), asyncio.Event()

    async def fails(screen: WatchScreen, begun: Callable[[Observer], None]) -> None:
        nonlocal began
        assert screen.snapshot is None, "what another observation saw is not believed"
        began += 1
        screen.publish(healthy())
        if began == 1:
            raise SshError("opening db", "the profile is wrong", "mend it")
        if began == 2:
            raise ValueError("a bug")
        rests.set()
        await asyncio.Event().wait()

    async def rest(seconds: float) -> None:
        assert seconds == watching.AGAIN_AFTER_S
        rests.set()
        await go.wait()
        go.clear()

    monkeypatch.setattr(watching.asyncio, "sleep", rest)  # type: ignore[attr-defined]
    watcher = a_watcher(clock, fails)
    running = asyncio.create_task(watcher._observe())
    said = []
    for _ in range(3):
        await rests.wait()
        rests.clear()
        await watcher.look()
        said += [watcher.looked.diagnosis.verdict] if watcher.looked is not None else []
        go.set()
    running.cancel()
    await asyncio.wait([running])
    assert [verdict.text for verdict in said[:2]] == [
        "cannot tell: opening db: the profile is wrong; mend it",
        "cannot tell: ValueError inside walconsole: the log file has the details",
    ]
    assert said[2].level is Level.OK


async def test_a_heartbeat_that_cannot_be_noted_ends_no_watch(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A file system that an error makes one to read ended it: nobody was told any more."""
    clock, beats = Clock(), 0

    def beat() -> None:
        nonlocal beats
        beats += 1
        if beats in (1, 2, 4):
            raise RegisterError("noting that it lives", "Read-only file system")

    async def soon(_seconds: float) -> None:
        await asyncio.get_running_loop().run_in_executor(None, lambda: None)

    watcher = a_watcher(clock)
    watcher._beat = beat
    monkeypatch.setattr(watching.asyncio, "sleep", soon)  # type: ignore[attr-defined]
    looking = asyncio.create_task(watcher._look_again_and_again())
    async with asyncio.timeout(5):
        while beats < 5:
            await soon(0)
    assert not looking.done()
    looking.cancel()
    await asyncio.wait([looking])
    assert caplog.text.count("Read-only file system") == 2, "once, until it was noted again"


async def test_a_ping_that_has_a_bug_ends_no_watch(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A keyring's own error is none of ours: the task ended by it, and with it the watcher."""
    pinged: list[str] = []

    def ping(signal: str, _said: str) -> None:
        pinged.append(signal)
        raise KeyError("no collection")

    watcher = a_watcher(Clock())
    watcher.looked = watching.Looked(healthy(), Diagnosis(Verdict(Level.OK, "so"), (), ()), NOW)
    pinging = asyncio.create_task(watching.Pings(watcher, ping, 0.001).run())
    async with asyncio.timeout(5):
        while len(pinged) < 3:  # noqa: ASYNC110  # nothing tells of it
            await asyncio.sleep(0.002)
    assert not pinging.done()
    pinging.cancel()
    await asyncio.wait([pinging])
    assert pinged[:3] == ["start", "", ""]
    assert "no collection" in caplog.text


async def test_ten_receivers_that_hang_delay_no_look_and_no_note(monkeypatch: pytest.MonkeyPatch) -> None:
    """All profiles may have the same receiver: six of asyncio's threads were all that there were."""
    go = threading.Event()

    class Hangs(Heard):
        def tell(self, notice: object, *, repeat: bool) -> None:
            go.wait(20)

    watchers = [a_watcher(Clock(), name=f"db{number}") for number in range(10)]
    for watcher in watchers:
        watcher.telling._ways = {"heard": Hangs()}
        await watcher.telling.change(lambda kept: outbox.posted(kept, numbered(1), ["heard"]))
    tellings = [asyncio.create_task(watcher.telling.run()) for watcher in watchers]
    async with asyncio.timeout(10):
        while not all(one.telling.kept.outbox[0].begun for one in watchers):  # noqa: ASYNC110  # nor here
            await asyncio.sleep(0.01)
        for watcher in watchers:
            watcher._screen.publish(healthy())
            await watcher.look()
            assert watcher.looked is not None
            await watcher.telling.change(lambda kept: replace(kept, looked_at=NOW))
    go.set()
    for task in tellings:
        task.cancel()
    await asyncio.wait(tellings)


async def test_a_question_is_refused_and_kept_once_however_often_it_is_asked() -> None:
    watcher = a_watcher(Clock())
    for _ in range(1000):
        assert not await watcher._screen.trust_host_key(
            HostKeyQuestion("db", 22, "ssh-ed25519", "SHA256:x", "known_hosts")
        )
    assert len(watcher.refused) == 1


async def test_several_have_a_label_of_their_own_and_a_family_stands_together() -> None:
    clock = Clock()
    watchers = [a_watcher(clock, name=name) for name in ("db", "other")]
    for watcher in watchers:
        await look(watcher, clock, healthy())
    lines = list(exposition(watchers))
    status = [line for line in lines if line.startswith("walconsole_status{")]
    assert status == [
        'walconsole_status{cluster="db",profile="db"} 0',
        'walconsole_status{cluster="other",profile="other"} 0',
    ]
    names = [line.split("{")[0] if line[0] != "#" else line.split(" ")[2] for line in lines]
    families = [name for at, name in enumerate(names) if at == 0 or names[at - 1] != name]
    assert len(families) == len(set(families))
    assert sum(line.startswith("# TYPE walconsole_status ") for line in lines) == 1
    alone = list(exposition(watchers[:1]))
    assert 'walconsole_status{profile="db"} 0' in alone


async def test_what_is_told_and_served_has_the_name_by_which_the_command_line_knows_it() -> None:
    """[profiles.PROD] with a short name of its own: the fix's command named neither a profile nor a host."""
    clock, shelf = Clock(), MemoryShelf()
    watchers = [a_watcher(clock, shelf=shelf, called="PROD"), a_watcher(clock, called="LAB")]
    for watcher in watchers:
        await look(watcher, clock, failing())
    (posted,) = shelf.kept.outbox
    assert (posted.notice.cluster, posted.notice.incident[:6]) == ("PROD", "PROD-1")
    assert posted.notice.commands[0] == "walconsole fix PROD --step restore-grant --plan"
    status = [line for line in exposition(watchers) if line.startswith("walconsole_status{")]
    assert [line.rpartition(" ")[0] for line in status] == [
        'walconsole_status{cluster="PROD",profile="db"}',
        'walconsole_status{cluster="LAB",profile="db"}',
    ]
    shelf = MemoryShelf()
    await look(a_watcher(clock, shelf=shelf), clock, failing())
    of_a_host = shelf.kept.outbox[0].notice
    assert of_a_host.cluster == "db"
    assert of_a_host.commands[0] == f"walconsole fix {a_profile().ssh} --step restore-grant --plan"


FILE = """\
[profiles.PROD]
host = "db1.example.org"
name = "app"
[profiles.lab]
host = "db2.example.org"
name = "app"
"""


def test_each_is_watched_as_check_looks_at_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the profile leaves open is found on its host: a watcher judged buckets that were nobody's."""
    monkeypatch.setenv("HOME", str(tmp_path))
    config = tmp_path / "config.toml"
    config.write_text(FILE)
    config.chmod(0o600)
    sessions = _sessions(parse(["watch", "--config", str(config)]))
    assert [(each.called, each.target.name) for each in sessions] == [("PROD", "app"), ("lab", "app")]  # type: ignore[union-attr]
    alone = server_session(parse(["check", "PROD", "--config", str(config)]))
    assert sessions[0].resolved is not None
    assert sessions[0].resolved == alone.resolved
    assert sessions[0].target == alone.target
    (host,) = _sessions(parse(["watch", "root@db3.example.org", "--config", str(config)]))
    assert (host.called, host.resolved is not None) == ("", True)


async def test_a_watcher_observes_what_was_found_on_the_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (session,) = _sessions(parse(["watch", "root@db3.example.org"]))
    given: list[object] = []

    def observed(resolved: object, *_: object, **__: object) -> Observer:
        given.append(resolved)
        raise SshError("connecting", "nobody is there", "")

    monkeypatch.setattr("walconsole.session.wiring.observation", observed)
    profile = session.target
    assert isinstance(profile, Profile)
    async with Cleanups() as cleanups:
        observe = _observation(session, profile, WatchWish(None), SystemClock(), cleanups)
        with pytest.raises(SshError):
            await observe(WatchScreen(SystemClock()), lambda _: None)
    assert given == [session.resolved]
    assert session.resolved is not None


async def test_the_watch_is_well_while_it_looks() -> None:
    clock = Clock()
    watcher = a_watcher(clock)
    assert _health_page([watcher])[0] is HTTPStatus.OK
    clock.on += HUNG_AFTER_S + 1
    status, kind, text = _health_page([watcher])
    assert (status, kind) == (HTTPStatus.SERVICE_UNAVAILABLE, "application/json")
    assert json.loads(text)["watch"] == "hangs"


async def test_what_nobody_has_looked_at_yet_is_not_said_to_be_well() -> None:
    """A host that refuses says nothing for three minutes: `systemctl status` had `ok` from the beginning."""
    clock = Clock()
    watcher = a_watcher(clock)
    assert _status([watcher]) == "db not looked at yet; 0 notices to be told"
    assert json.loads(_health_page([watcher])[2])["clusters"]["db"]["level"] is None
    await look(watcher, clock, healthy())
    assert _status([watcher]) == "db ok; 0 notices to be told"
    assert json.loads(_health_page([watcher])[2])["clusters"]["db"]["level"] == "ok"


# -- The command line.


def test_only_this_machine_is_listened_on(capsys: pytest.CaptureFixture[str]) -> None:
    assert parse(["watch", "--listen", "none"]).listen is None
    assert parse(["watch", "--listen", "[::1]:9000"]).listen == ("::1", 9000)
    assert parse(["watch", "a", "b", "--listen", "9000"]).listen == ("127.0.0.1", 9000)
    for wrong in ("0.0.0.0:9000", "127.0.0.1:x", "127.0.0.1:70000"):
        with pytest.raises(SystemExit):
            parse(["watch", "--listen", wrong])
    assert "must be on this machine" in capsys.readouterr().err
