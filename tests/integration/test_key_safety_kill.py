"""SIGKILL within and after every call of the steps that make, use and delete a temporary key.

Nothing cleans up then. What must hold: a key that is alive stands in the ledger on the disk, by its name; and
the next start finds it there and deletes it. (Between two calls there is nothing but arithmetic.)
"""

import asyncio
import json
import shutil
import signal
import sys
from pathlib import Path

import pytest

from tests.integration.test_key_safety import Account, VirtualClock, an_account, next_start
from walconsole.domain.profile_json import profile_to_json

pytestmark = [pytest.mark.server, pytest.mark.timeout(600), pytest.mark.long]


class Killer:
    """The warm child."""

    def __init__(self, process: asyncio.subprocess.Process, account: Account, folder: Path) -> None:
        self._process, self._account, self._folder = process, account, folder
        self._number = 0
        self.ledger = folder / "ledger"

    async def kill(self, when: str, at: int) -> int:
        """Run a case; the signal that ended it, 0 where it came to its end."""
        self._number += 1
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        case = {
            "profile": json.loads(profile_to_json(self._account.profile)),
            "reader": [self._account.reader.access_key, self._account.reader.secret],
            "ledger": str(self.ledger),
            "calls": str(self._folder / "calls"),
            "number": 10_000 + self._number,
            "at": at,
            "when": when,
        }
        self._process.stdin.write(json.dumps(case).encode() + b"\n")
        return int(await self._process.stdout.readline())

    def calls(self) -> int:
        return int((self._folder / "calls").read_text("utf-8"))

    def noted(self) -> set[str]:
        """Names in the ledger, as the disk has them."""
        return {path.stem for path in self.ledger.glob("*.json")}


async def test_a_killed_console_leaves_no_key_that_the_next_start_does_not_take_away(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cases = alive_then = 0
    async with an_account(tmp_path) as account:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.integration.key_safety_child",
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        killer = Killer(process, account, tmp_path)
        assert await killer.kill("never", -1) == 0
        calls = killer.calls()
        assert calls > 30
        assert (account.alive, killer.noted()) == ([], set())
        for when in ("before", "within", "after"):
            for at in range(calls) if when != "before" else (0,):
                ended = await killer.kill(when, at)
                if ended == 0:  # one that does not wait is never under way, one that raises never done
                    continue
                assert ended == signal.SIGKILL
                cases += 1
                alive = set(account.alive)
                alive_then += len(alive)
                assert alive <= killer.noted(), f"{when} call {at}: alive and not in the ledger"
                await next_start(account, killer.ledger, VirtualClock())
                assert (account.alive, killer.noted()) == ([], set()), f"{when} call {at}"
                account.reset()
                shutil.rmtree(killer.ledger, ignore_errors=True)
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()
    with capsys.disabled():
        print(  # noqa: T201
            f"\nkill: {calls} calls, {cases} cases, {alive_then} keys alive then, 0 after the next start"
        )
    assert cases > calls + 10
    assert alive_then > 10
