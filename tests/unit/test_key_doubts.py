"""The matrix of creates whose outcome nobody knows, by every way out: no key lives that no ledger has.

The API and the time are scripted: hours pass in milliseconds. What is tried with a real client and real
processes is in the key safety matrix and in the end-to-end tests.
"""

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from walconsole.domain.store.access_keys import KeyPair, MadeKey, SpacesKey
from walconsole.domain.store.grants import FULL_ACCESS, KeyGrant
from walconsole.domain.store.temporary_keys import limited_name
from walconsole.errors import KeyServiceError, TemporaryKeyError, WalconsoleError
from walconsole.operator_files import key_ledger
from walconsole.operator_files.key_ledger import LedgerFolder
from walconsole.ports import KeyService
from walconsole.provision.keys.asked import LONGEST_DISPOSAL_S
from walconsole.provision.keys.leftovers import YOUNG_S, Doubts, age_of, leftovers
from walconsole.provision.keys.temporary_key import TemporaryKey

ENDPOINT = "https://api.example"
GIVES_UP_S = 10.0
HOUR_S = 3600.0


@dataclass
class Time:
    """ports.Clock, and the sleep that makes it pass. `jump` sets the wall clock alone."""

    passed: float = 0.0
    jump: float = 0.0

    def now(self) -> float:
        return 1_790_000_000.0 + self.passed + self.jump

    def monotonic(self) -> float:
        return self.passed

    async def sleep(self, seconds: float) -> None:
        self.passed += seconds
        await asyncio.sleep(0)


@dataclass(frozen=True)
class Outcome:
    """What becomes of a create: a key after `made_after_s` (None: none), which `lags` listings do not show.

    `status`: what it is answered with, 0: the connection is dropped, None: nothing within GIVES_UP_S.
    `reached` False: no connection comes about, then or later.
    """

    made_after_s: float | None = 0.0
    status: int | None = None
    lags: int = 0
    reached: bool = True


@dataclass
class Api:
    """ports.KeyService of an account whose next create has `outcome`."""

    time: Time
    outcome: Outcome
    made: list[tuple[float, SpacesKey]] = field(default_factory=list)
    looks: int = 0

    def living(self) -> list[str]:
        """Names of the keys that are there, or that the API is still to make."""
        return [key.name for _, key in self.made]

    async def create(self, name: str, grants: Sequence[KeyGrant]) -> MadeKey:
        outcome, key = self.outcome, SpacesKey(name, f"DO{len(self.made)}", tuple(grants), "")
        if outcome.made_after_s is not None:
            self.made.append((self.time.passed + outcome.made_after_s, key))
        if outcome.status == 201:
            return MadeKey(key, KeyPair(key.access_key, "secret"))
        await self.time.sleep(GIVES_UP_S if outcome.status is None else 0.1)
        sent = outcome.reached
        raise KeyServiceError(f"creating {name}", "no answer", status=outcome.status or None, sent=sent)

    def _there(self) -> list[SpacesKey]:
        return [key for due, key in self.made if due <= self.time.passed]

    async def keys(self) -> tuple[SpacesKey, ...]:
        await self.time.sleep(0.1)
        if not self.outcome.reached:
            raise KeyServiceError("listing the keys", "no answer", sent=False)
        self.looks += bool(self._there())
        return tuple(self._there()) if self.looks > self.outcome.lags else ()

    async def key(self, access_key: str) -> SpacesKey | None:
        return next((key for key in await self.keys() if key.access_key == access_key), None)

    async def replace_grants(self, key: SpacesKey, grants: Sequence[KeyGrant]) -> SpacesKey:
        raise AssertionError("nothing here changes grants")

    async def delete(self, access_key: str) -> None:
        self.made = [
            (due, key) for due, key in self.made if key.access_key != access_key or due > self.time.passed
        ]


@dataclass
class Machine:
    """One account, one machine's ledger, and consoles that follow each other."""

    folder: Path
    api: Api
    time: Time

    async def service(self) -> KeyService:
        return self.api

    def console(self) -> tuple[TemporaryKey, LedgerFolder]:
        ledger = LedgerFolder(self.folder)
        made = TemporaryKey("shop", ENDPOINT, self.service, ledger, self.time, self.time.sleep)
        return made, ledger

    def noted(self) -> set[str]:
        return {path.stem for path in self.folder.glob("*.json")}

    def holds(self) -> bool:
        """Whether every key that lives, or that is still to be made, stands in the ledger."""
        return set(self.api.living()) <= self.noted()

    async def next_start(self) -> Doubts:
        """What a console takes up when it begins."""
        ledger = LedgerFolder(self.folder)
        doubts = Doubts(self.service, ledger, self.time, self.time.sleep)
        for one in await leftovers(ledger, self.api, ENDPOINT, self.time.now()):
            assert one.entry is not None
            doubts.add(one.entry, age_of(one.entry, self.time))
        return doubts


def dies(ledger: LedgerFolder) -> None:
    for descriptor in ledger._held.values():
        os.close(descriptor)
    ledger._held.clear()


LATE = {f"answered after {late} s": Outcome(late) for late in (5, 9, 11, 20, 40, 60, 90, 120)}
LOST = {
    "dropped after": Outcome(status=0),
    "500 after": Outcome(status=500),
    "504, made 30 s on": Outcome(30.0, 504),
    "dropped, never made": Outcome(None, 0),
    "500, never made": Outcome(None, 500),
    "silent, never made": Outcome(None),
}
LAGGING = {f"dropped after, listed after {lags} looks": Outcome(status=0, lags=lags) for lags in range(1, 11)}
LAGGING |= {f"answered, listed after {lags} looks": Outcome(status=201, lags=lags) for lags in range(1, 11)}
OUTCOMES = LATE | LOST | LAGGING | {"answered": Outcome(status=201), "refused": Outcome(None, 422)}
WAYS = ("goes on", "leaves", "cancelled", "cancelled twice", "killed while it asks", "killed then")
KINDS = ("temporary", "limited")


@pytest.fixture(autouse=True)
def _uptime(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_ledger, "_boot", lambda: "")  # else the machine's own uptime would count


def a_machine(folder: Path, outcome: Outcome) -> Machine:
    time = Time()
    return Machine(folder / "ledger", Api(time, outcome), time)


async def asks(console: TemporaryKey, kind: str, time: Time) -> None:
    """As the steps do: what fails is told to the operator."""
    if kind == "temporary":
        await console.obtain()
    else:
        await console.make(limited_name("shop", time.now(), "01234567"), (KeyGrant("wal", "readwrite"),))


async def until_asked(machine: Machine) -> None:
    while not machine.noted():  # noqa: ASYNC110  # its thread tells nobody
        await asyncio.sleep(0)
    for _ in range(3):
        await asyncio.sleep(0)


async def live(
    machine: Machine, console: TemporaryKey, ledger: LedgerFolder, way: str, kind: str
) -> BaseException | None:
    """One console's life; what its clean-up raised."""
    running = asyncio.ensure_future(asks(console, kind, machine.time))
    if way in ("cancelled", "cancelled twice", "killed while it asks"):
        await until_asked(machine)
        running.cancel()
    (error,) = await asyncio.gather(running, return_exceptions=True)
    assert error is None or isinstance(error, WalconsoleError | asyncio.CancelledError), error
    assert machine.holds()
    if way.startswith("killed"):
        while machine.noted() and not ledger._held:  # noqa: ASYNC110  # its thread ends no earlier than this
            await asyncio.sleep(0)
        return None
    if way == "goes on":
        await console.doubts.watch_these()
        assert console.doubts.names == ()
    ending = asyncio.ensure_future(console.end())
    if way == "cancelled twice":
        await asyncio.sleep(0)
        ending.cancel()
        ending = asyncio.ensure_future(console.end())
    (cleaned,) = await asyncio.gather(ending, return_exceptions=True)
    return cleaned


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", OUTCOMES)
async def test_no_key_lives_that_no_ledger_has(name: str, way: str, kind: str, tmp_path: Path) -> None:
    machine = a_machine(tmp_path, OUTCOMES[name])
    console, ledger = machine.console()
    cleaned = await live(machine, console, ledger, way, kind)
    assert machine.holds()
    if machine.noted() and not way.startswith("killed"):
        assert isinstance(cleaned, TemporaryKeyError), cleaned
        assert cleaned.exit_code == 12
        assert all(noted in cleaned.line() for noted in machine.noted())
    else:
        assert cleaned is None
        assert way.startswith("killed") or machine.api.living() == []
    dies(ledger)
    doubts = await machine.next_start()
    assert set(doubts.names) == machine.noted()
    assert all("key may be alive" in line for line in doubts.lines)
    await doubts.watch_these()
    assert (machine.api.living(), machine.noted()) == ([], set())


@pytest.mark.parametrize("kind", KINDS)
async def test_what_was_never_sent_is_no_doubt(kind: str, tmp_path: Path) -> None:
    """The network is away: nothing was made, nothing is noted, and the next start has nothing to look for."""
    machine = a_machine(tmp_path, Outcome(None, 0, reached=False))
    console, _ = machine.console()
    with pytest.raises(KeyServiceError, match="no answer") as caught:
        await asks(console, kind, machine.time)
    assert caught.value.exit_code == 7
    await console.end()
    assert (console.left, machine.noted()) == ("", set())


@pytest.mark.parametrize("name", ["dropped, never made", "500, never made", "silent, never made"])
async def test_what_was_never_made_is_looked_for_an_hour_and_not_longer(name: str, tmp_path: Path) -> None:
    machine = a_machine(tmp_path, OUTCOMES[name])
    console, ledger = machine.console()
    with pytest.raises(TemporaryKeyError, match="nobody knows whether it was made"):
        await console.obtain()
    assert console.left
    assert console.name == ""  # another may be made meanwhile
    dies(ledger)
    machine.time.passed += 600
    doubts = await machine.next_start()
    told: list[str] = []
    doubts.told = told.append
    await doubts.watch_these()
    assert HOUR_S < machine.time.passed < HOUR_S + 120
    assert "never showed" in told[0]
    assert machine.noted() == set()


async def test_another_key_may_be_made_while_one_is_in_doubt(tmp_path: Path) -> None:
    machine = a_machine(tmp_path, Outcome(60.0, 0))
    console, _ = machine.console()
    with pytest.raises(TemporaryKeyError):
        await console.obtain()
    machine.api.outcome = Outcome(status=201)
    await console.obtain()
    assert len(machine.noted()) == 2
    await console.dispose()
    assert machine.noted() == set(console.doubts.names)
    await console.doubts.watch_these()
    await console.end()
    assert (machine.api.living(), machine.noted()) == ([], set())


@pytest.mark.parametrize("jump", [-7 * 24 * HOUR_S, -HOUR_S, HOUR_S, 7 * 24 * HOUR_S])
async def test_a_clock_that_is_set_while_a_key_is_looked_for_changes_nothing(
    jump: float, tmp_path: Path
) -> None:
    machine = a_machine(tmp_path, Outcome(1800.0, 0))
    console, _ = machine.console()
    with pytest.raises(TemporaryKeyError):
        await console.obtain()
    machine.time.jump = jump
    await console.doubts.look()
    assert len(console.doubts.names) == 1
    await console.doubts.watch_these()
    assert 1800 < machine.time.passed < 1900
    assert (machine.api.living(), machine.noted()) == ([], set())


@pytest.mark.parametrize("jump", [-7 * 24 * HOUR_S, -HOUR_S, HOUR_S, 7 * 24 * HOUR_S])
async def test_a_clock_that_is_set_between_two_starts_changes_nothing(
    jump: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ledger goes by the machine's uptime, for as long as it is not started anew."""
    machine = a_machine(tmp_path, Outcome(1800.0, 0))
    monkeypatch.setattr(key_ledger, "_boot", lambda: "this one")
    monkeypatch.setattr(key_ledger, "_uptime", machine.time.monotonic)
    console, ledger = machine.console()
    with pytest.raises(TemporaryKeyError):
        await console.obtain()
    dies(ledger)
    machine.time.jump = jump
    machine.time.passed += 900
    doubts = await machine.next_start()
    await doubts.watch_these()
    assert 1800 < machine.time.passed < 1900
    assert (machine.api.living(), machine.noted()) == ([], set())


@pytest.mark.parametrize("jump", [-7 * 24 * HOUR_S, 7 * 24 * HOUR_S])
async def test_a_clock_that_is_set_during_a_key_s_life_does_not_cut_its_disposal_short(
    jump: float, tmp_path: Path
) -> None:
    machine = a_machine(tmp_path, Outcome(status=201))
    console, _ = machine.console()
    await console.obtain()
    deletes, delete = [], machine.api.delete

    async def failing(access_key: str) -> None:
        deletes.append(access_key)
        machine.time.jump = jump * len(deletes)
        if len(deletes) < 3:
            raise KeyServiceError("deleting", "HTTP 500", status=500)
        await delete(access_key)

    machine.api.delete = failing  # type: ignore[method-assign]  # it fails twice, and the clock is set
    began = machine.time.passed
    await console.dispose()
    assert len(deletes) == 3
    assert machine.time.passed - began < LONGEST_DISPOSAL_S
    assert (machine.api.living(), machine.noted()) == ([], set())


@pytest.mark.parametrize(
    ("named_s", "created_s", "offered"), [(-7200, 60, False), (7200, 1800, True), (60, 1800, True)]
)
async def test_another_machine_s_wrong_clock_does_not_make_its_key_old(
    named_s: float, created_s: float, offered: bool, tmp_path: Path
) -> None:
    """Its name has its own machine's time, and what counts is when the API made it."""
    from datetime import UTC, datetime

    from walconsole.domain.store.temporary_keys import temporary_name

    machine = a_machine(tmp_path, Outcome())
    name = temporary_name("shop", machine.time.now() - named_s, "0123456789abcdef")
    created = datetime.fromtimestamp(machine.time.now() - created_s, UTC).isoformat().replace("+00:00", "Z")
    machine.api.made.append((0.0, SpacesKey(name, "DO1", (KeyGrant("", FULL_ACCESS),), created)))
    assert created_s < YOUNG_S or offered
    found = await leftovers(LedgerFolder(machine.folder), machine.api, ENDPOINT, machine.time.now())
    assert [one.name for one in found] == ([name] if offered else [])
