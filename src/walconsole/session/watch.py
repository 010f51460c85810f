"""`walconsole watch`: observers without a screen, for days; what they serve, and what they tell."""

import asyncio
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus

from walconsole.adapters.notify.ways import pinger_of, ways_of
from walconsole.domain.notices.deciding import Notice, NoticeKind
from walconsole.domain.profile import Profile
from walconsole.domain.records import record
from walconsole.domain.standing.model import Level
from walconsole.errors import NoticeError, UsageError
from walconsole.operator_files.history_file import HistoryFile
from walconsole.operator_files.kept import on_disk
from walconsole.operator_files.watch_file import WatchFile
from walconsole.ports import Clock, Observer
from walconsole.process import loop as event_loop
from walconsole.process.cleanup import Cleanups
from walconsole.process.clock import SystemClock
from walconsole.process.logs import start_logging
from walconsole.process.loopback_http import LoopbackPages, Page
from walconsole.process.service import notify, watchdog_s
from walconsole.process.stderr import say
from walconsole.process.stop import Stop
from walconsole.report import lines
from walconsole.report.lines import Scrape
from walconsole.report.metric import Kind, Metric
from walconsole.report.metrics import metrics
from walconsole.session.history_keeper import HistoryKeeper, past_of
from walconsole.session.incident_memory import IncidentMemory
from walconsole.session.telling import Telling
from walconsole.session.watcher import HUNG_AFTER_S, Pings, Watcher, WatchScreen
from walconsole.session.wish import Session

_STATUS_EVERY_S = 20.0


@record
class WatchWish:
    """What the command line asks for. `listen` is host and port, None: nothing is served.

    `interval_s` is the time between two readings of SQL; every cadence follows it.
    """

    listen: tuple[str, int] | None
    interval_s: float = 5.0


def watch(sessions: Sequence[Session], wish: WatchWish, stop: Stop) -> int:
    """Watch until asked to end; the exit code. Raises WalconsoleError."""
    _begin(sessions)
    return event_loop.run(lambda: _run(sessions, wish, stop))


def _begin(sessions: Sequence[Session]) -> None:
    os.umask(0o077)
    warning = start_logging(sessions[0].log_file, chosen=sessions[0].log_chosen)
    notes = [note for session in sessions for note in session.notes]
    for note in dict.fromkeys([*notes, *([warning] if warning else [])]):
        say(note)
    names = [_name(session) for session in sessions]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        why = f"several have the name {min(twice)}"
        raise UsageError("watching several", why, "give each its own `name` in its profile")


def _name(session: Session) -> str:
    return session.called or _profile(session).name


def _profile(session: Session) -> Profile:
    if not isinstance(session.target, Profile):
        raise UsageError("watching", "the embedded droplet has no command line", "name a profile or a host")
    return session.target


async def _run(sessions: Sequence[Session], wish: WatchWish, stop: Stop) -> int:
    stop.attach(asyncio.get_running_loop(), lambda: None)
    environment = sessions[0].environment
    async with Cleanups() as cleanups, AsyncExitStack() as serving:
        watchers = [_watcher(session, wish, cleanups) for session in sessions]
        for watcher in watchers:
            await watcher.telling.open()
        if wish.listen is not None:
            pages = await serving.enter_async_context(LoopbackPages(*wish.listen, _pages(watchers)))
            say(f"serving /metrics and /healthz on {wish.listen[0]} port {pages.port}")
        for watcher in watchers:
            await watcher.begin()
            ways = ", ".join(watcher.telling.ways) or "nobody: its profile has no [notify]"
            say(f"watching {watcher.name}; who is told: {ways}")
            if watcher.telling.problem:
                say(watcher.telling.problem)
        notify(environment, "READY=1", f"STATUS={_status(watchers)}")
        tasks = [asyncio.create_task(watcher.run(), name=watcher.name) for watcher in watchers]
        tasks += [asyncio.create_task(pings.run()) for pings in _pings(sessions, watchers)]
        tasks.append(asyncio.create_task(_live(sessions[0], watchers), name="service"))
        asked = asyncio.create_task(stop.requested.wait(), name="asked to end")
        try:
            await asyncio.wait([asked, *tasks], return_when=asyncio.FIRST_COMPLETED)
        finally:
            notify(environment, "STOPPING=1")
            for task in (asked, *tasks):
                task.cancel()
            await asyncio.wait([asked, *tasks])
            for watcher in watchers:
                await watcher.stop()
        for task in tasks:
            if not task.cancelled():
                task.result()
    return stop.exit_code if stop.noted else 1


def _watcher(session: Session, wish: WatchWish, cleanups: Cleanups) -> Watcher:
    profile, environment, clock = _profile(session), session.environment, SystemClock()
    file = WatchFile(profile.kept_under, environment)
    cleanups.add(f"letting go of {file.path}", partial(asyncio.to_thread, file.close))
    memory = IncidentMemory(on_disk(environment).incidents(profile.kept_under), clock)
    keeper = HistoryKeeper(HistoryFile(environment), profile.kept_under, clock, watches=True)
    telling = Telling(file, ways_of(profile.notify, environment), clock)
    observation = _observation(session, profile, wish, clock, cleanups)
    known = telling, memory, keeper, clock
    every_s, called = wish.interval_s, session.called
    return Watcher(profile, observation, *known, file.beat, say, every_s=every_s, called=called)


def _observation(
    session: Session, profile: Profile, wish: WatchWish, clock: Clock, cleanups: Cleanups
) -> Callable[[WatchScreen, Callable[[Observer], None]], "asyncio.Future[None]"]:
    async def run(screen: WatchScreen, begun: Callable[[Observer], None]) -> None:
        from walconsole.session.dialling import ssh_shell
        from walconsole.session.wiring import observation

        part = cleanups.part()
        try:
            shell = ssh_shell(profile, screen, clock, part)
            keeping = on_disk(session.environment)
            past = await asyncio.to_thread(past_of, session.environment, profile.kept_under, clock.now())
            known = profile, shell, clock, session.environment, part, keeping
            observer = observation(session.resolved, *known, past=past)
            observer.pace(wish.interval_s)
            begun(observer)
            await observer.run(screen)
        finally:
            await part.run()

    return lambda screen, begun: asyncio.ensure_future(run(screen, begun))


def _pings(sessions: Sequence[Session], watchers: Sequence[Watcher]) -> Iterator[Pings]:
    for session, watcher in zip(sessions, watchers, strict=True):
        settings = _profile(session).notify
        pinger = pinger_of(settings, session.environment)
        if pinger is not None:
            yield Pings(watcher, pinger.ping, settings.ping_minutes * 60)


async def _live(session: Session, watchers: Sequence[Watcher]) -> None:
    """Tell systemd that this lives, for as long as every watcher looks."""
    every_s = min(_STATUS_EVERY_S, watchdog_s(session.environment) or _STATUS_EVERY_S)
    asked: set[str] = set()
    while True:
        await asyncio.sleep(every_s)
        lives = () if _hung(watchers) else ("WATCHDOG=1",)
        notify(session.environment, f"STATUS={_status(watchers)}", *lives)
        for watcher in watchers:
            for line in set(watcher.refused) - asked:
                asked.add(line)
                say(f"{watcher.name}: {line}")


def _hung(watchers: Sequence[Watcher]) -> list[str]:
    return [watcher.name for watcher in watchers if watcher.late_s > HUNG_AFTER_S]


def _status(watchers: Sequence[Watcher]) -> str:
    """One line for `systemctl status`."""
    words = [f"{watcher.name} {_level(watcher) or 'not looked at yet'}" for watcher in watchers]
    untold = sum(len(watcher.telling.kept.outbox) for watcher in watchers)
    return f"{', '.join(words)}; {untold} notices to be told"


def _level(watcher: Watcher) -> str | None:
    """By its last look; None before the first: nothing is well because nobody has seen it."""
    return watcher.telling.kept.standing.level.value if watcher.looked is not None else None


# -- What is served.


def _pages(watchers: Sequence[Watcher]) -> dict[str, Page]:
    return {"/metrics": lambda: _metrics_page(watchers), "/healthz": lambda: _health_page(watchers)}


def _health_page(watchers: Sequence[Watcher]) -> tuple[HTTPStatus, str, str]:
    """Whether the watch itself is well: what it watches may be as bad as it likes."""
    hung = _hung(watchers)
    document = {
        "watch": "hangs" if hung else "runs",
        "clusters": {
            watcher.name: {
                "level": _level(watcher),
                "told": watcher.telling.kept.standing.told.value,
                "last_look_age_seconds": round(watcher.late_s, 1),
                "notices_waiting": len(watcher.telling.kept.outbox),
                "ways_failing": list(watcher.telling.failing),
                "problem": watcher.telling.problem or None,
            }
            for watcher in watchers
        },
    }
    status = HTTPStatus.SERVICE_UNAVAILABLE if hung else HTTPStatus.OK
    return status, "application/json", json.dumps(document, indent=2) + "\n"


def _metrics_page(watchers: Sequence[Watcher]) -> tuple[HTTPStatus, str, str]:
    text = "".join(f"{line}\n" for line in exposition(watchers))
    return HTTPStatus.OK, "text/plain; version=0.0.4", text


def exposition(watchers: Sequence[Watcher]) -> Iterator[str]:
    """What `check --prometheus` prints of each that was looked at; with `cluster` where there are several."""
    scrapes = []
    for watcher in watchers:
        looked = watcher.looked
        if looked is not None:
            cluster = (("cluster", watcher.name),) if len(watchers) > 1 else ()
            labels = (*cluster, ("profile", watcher.profile_name))
            numbers = (*metrics(looked.snapshot, looked.diagnosis, looked.at), *_own(watcher))
            scrapes.append(Scrape(labels, looked.diagnosis, numbers, looked.at))
    if scrapes:
        yield from lines.exposition(scrapes)


def _own(watcher: Watcher) -> Iterator[Metric]:
    kept = watcher.telling.kept
    failing, waiting = watcher.telling.failing, kept.outbox
    yield Metric("watch_began_timestamp_seconds", kept.began_at, "Since when the watcher watches.")
    yield Metric("watch_last_look_age_seconds", watcher.late_s, "Since its last look.")
    yield Metric("watch_told_bad", int(kept.standing.told is not Level.OK), "1: what was told last is bad.")
    yield Metric("watch_notices_waiting", len(waiting), "Notices that are still to be told.")
    yield Metric("watch_ways_failing", len(failing), "Ways that failed when they were tried last.")
    yield Metric("watch_unwritten", int(bool(watcher.telling.problem)), "1: nothing can be kept on the disk.")
    yield Metric("watch_notices_left_out_total", kept.left_out, "Notices that were never told.", Kind.COUNTER)


# -- `watch --test`.


def try_ways(sessions: Sequence[Session]) -> int:
    """Tell a test by each way of each profile; the exit code. Raises UsageError where there is none."""
    _begin(sessions)
    failed = 0
    tried = 0
    for session in sessions:
        profile = _profile(session)
        for what, attempt in _attempts(profile, session):
            tried += 1
            try:
                attempt()
            except NoticeError as error:
                failed += 1
                say(f"{_name(session)}: {what}: {error.line()}")
            else:
                say(f"{_name(session)}: {what}: told")
    if not tried:
        why = "no profile says who is told"
        raise UsageError("testing who is told", why, "add [profiles.NAME.notify] (docs/watch.md)")
    return NoticeError.exit_code if failed else 0


def _attempts(profile: Profile, session: Session) -> Iterator[tuple[str, Callable[[], None]]]:
    now = SystemClock().now()
    test = _a_test(_name(session), NoticeKind.TEST, now)
    for way in ways_of(profile.notify, session.environment):
        yield way.name, partial(way.tell, test, repeat=False)
        if way.name == "pagerduty":
            well = _a_test(_name(session), NoticeKind.WELL, now)
            yield "pagerduty, resolved", partial(way.tell, well, repeat=False)
    pinger = pinger_of(profile.notify, session.environment)
    if pinger is not None:
        yield "dead man's check", partial(pinger.ping, "", "a test of walconsole watch")


def _a_test(cluster: str, kind: NoticeKind, now: float) -> Notice:
    stamp = f"{datetime.fromtimestamp(now, UTC):%Y%m%dT%H%M%SZ}"
    incident = f"{cluster}-test-{stamp}"
    number = 1 if kind is NoticeKind.TEST else 2
    text = "nothing is wrong: this is a test of `walconsole watch`, and you are told"
    return Notice(f"{incident}-{number}", incident, kind, cluster, now, now, Level.OK, Level.OK, text)
