"""Creates of keys whose answers are lost, in real time: pydo's real client, the embedded keys API.

Each outcome is met with each way out, all at once; then the next start looks until the key showed, or would
have. Prints a table, and ends with 1 where a key lived that no ledger had, or one was left at the end.
"""

import asyncio
import os
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from walconsole.adapters.keys_api.service import DigitalOceanKeys
from walconsole.adapters.keys_api.token import ApiToken
from walconsole.domain.profile import ApiTarget
from walconsole.domain.store.grants import KeyGrant
from walconsole.domain.store.temporary_keys import limited_name
from walconsole.errors import WalconsoleError
from walconsole.operator_files.key_ledger import LedgerFolder
from walconsole.ports import KeyService
from walconsole.process.clock import SystemClock
from walconsole.provision.keys.leftovers import Doubts, age_of, leftovers
from walconsole.provision.keys.temporary_key import TemporaryKey
from walconsole.sandbox.keys_api.api import ALL_SCOPES, Fault, KeysApi
from walconsole.sandbox.keys_api.keys import KeyStore

TOKEN = "dop_v1_" + "0123456789abcdef" * 4
LATEST_S = 120.0
WAYS = ("leaves", "goes on", "cancelled", "killed")
KINDS = ("temporary", "limited")
OUTCOMES: dict[str, tuple[Fault | None, int]] = {
    **{f"answered after {s} s": (Fault("POST", delay_s=s, late=True), 0) for s in (5, 9, 11, 20, 60, 120)},
    "dropped after": (Fault("POST", drop=True, effect=True), 0),
    "500 after": (Fault("POST", status=500, effect=True), 0),
    **{f"dropped after, lags {n}": (Fault("POST", drop=True, effect=True), n) for n in (1, 3, 6, 10)},
    **{f"answered, lags {n}": (None, n) for n in (1, 3, 10)},
}


@dataclass
class Case:
    """One account, one ledger, one console, and the next start."""

    outcome: str
    way: str
    kind: str
    folder: Path
    said: str = ""
    held: bool = True

    async def run(self) -> None:
        """To its end."""
        fault, lag = OUTCOMES[self.outcome]
        async with KeysApi(KeyStore(), {TOKEN: ALL_SCOPES}, lag=lag) as api:
            if fault is not None:
                api.faults.append(fault)
            keys = DigitalOceanKeys(ApiTarget(endpoint=api.url), ApiToken(TOKEN, "the matrix"))

            async def service() -> KeyService:
                return keys

            began = time.monotonic()
            ledger = LedgerFolder(self.folder)
            console = TemporaryKey("shop", api.url, service, ledger, SystemClock())
            await self._live(console, api)
            self._look(api)
            for descriptor in ledger._held.values():
                os.close(descriptor)
            doubts = Doubts(service, LedgerFolder(self.folder), SystemClock())
            for one in await leftovers(LedgerFolder(self.folder), keys, api.url, SystemClock().now()):
                if one.entry is not None:
                    doubts.add(one.entry, age_of(one.entry, SystemClock()))
            while doubts.names and time.monotonic() < began + 2 * LATEST_S:
                await doubts.look()
                await asyncio.sleep(2.0)
            await asyncio.sleep(max(0.0, began + (fault.delay_s if fault else 0.0) + 3.0 - time.monotonic()))
            self._look(api)
            left = [key.name for key in api.keys]
            self.said += f"; left {left or 'none'}, noted {self._noted() or 'none'}"
            self.held = self.held and not left and not self._noted()
            await keys.close()

    async def _live(self, console: TemporaryKey, api: KeysApi) -> None:
        running = asyncio.ensure_future(self._asked(console))
        if self.way in ("cancelled", "killed"):
            while not any(method == "POST" for method, _ in api.requests):  # noqa: ASYNC110  # the API tells nobody
                await asyncio.sleep(0.05)
            running.cancel()
        await asyncio.wait([running])
        if self.way == "killed":
            self.said = "killed"
            return
        if self.way == "goes on":
            await asyncio.sleep(20.0)
            await console.doubts.look()
        try:
            await console.end()
            self.said = "exit 0 or the error's"
        except WalconsoleError as error:
            self.said = f"exit {error.exit_code}"

    async def _asked(self, console: TemporaryKey) -> None:
        if self.kind == "temporary":
            await console.obtain()
        else:
            name = limited_name("shop", time.time(), "01234567")
            await console.make(name, (KeyGrant("wal", "readwrite"),))

    def _noted(self) -> set[str]:
        return {path.stem for path in self.folder.glob("*.json")}

    def _look(self, api: KeysApi) -> None:
        self.held = self.held and {key.name for key in api.keys} <= self._noted()


async def main() -> int:
    """All cases at once."""
    began = time.monotonic()
    threads = ThreadPoolExecutor(len(OUTCOMES) * len(WAYS) * len(KINDS))  # each call has one at once
    asyncio.get_running_loop().set_default_executor(threads)
    with tempfile.TemporaryDirectory() as root:
        cases = [
            Case(outcome, way, kind, Path(root) / f"{number}-{way}-{kind}")
            for number, outcome in enumerate(OUTCOMES)
            for way in WAYS
            for kind in KINDS
        ]
        await asyncio.gather(*(case.run() for case in cases))
    for case in cases:
        row = (
            f"{'ok  ' if case.held else 'LEFT'} {case.outcome:26} {case.kind:10} {case.way:10} {case.said}\n"
        )
        sys.stdout.write(row)
    lost = sum(not case.held for case in cases)
    sys.stdout.write(f"{len(cases)} cases in {time.monotonic() - began:.0f} s, {lost} keys lost\n")
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
