"""Runs the steps that make, use and delete a temporary key, and kills itself at one of their calls.

It is warm: everything is imported once, then each line on standard input is a case for a fork of its own,
which has neither thread nor event loop before. It answers with the fork's end: a signal's number, or 0.
"""

import asyncio
import json
import os
import signal
import sys
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tests.integration.test_key_safety import TOKEN, Account, Session, Trap
from walconsole.adapters.keys_api.service import DigitalOceanKeys
from walconsole.adapters.keys_api.token import ApiToken
from walconsole.domain.profile_json import profile_from_json
from walconsole.operator_files.key_ledger import LedgerFolder

WITHIN_S = 0.02
"""So far into a call: the request is out, and the API has done its work; the answer may not be read yet."""


@dataclass
class KillTrap(Trap):
    """Kills the process at call `at`: `before` it, `within` it or `after` it."""

    def spring(self, number: int, when: str, name: str) -> None:
        if number == self.at and when == self.when:
            os.kill(os.getpid(), signal.SIGKILL)

    def function(self, call: Any, name: str) -> Any:
        if asyncio.iscoroutinefunction(call) and self.when == "within":
            return self._within(call, name)
        return super().function(call, name)

    def _within(self, call: Any, name: str) -> Any:
        async def awaited(*arguments: Any, **named: Any) -> Any:
            number, self.count = self.count, self.count + 1
            calling = asyncio.ensure_future(call(*arguments, **named))
            if number == self.at:
                await asyncio.sleep(WITHIN_S)
                self.spring(number, "within", name)
            return await calling

        return awaited


async def run(case: dict[str, Any]) -> int:
    """One case to its end, where nothing kills it: how many calls there were."""
    profile = profile_from_json(json.dumps(case["profile"]))
    service = DigitalOceanKeys(profile.api, ApiToken(TOKEN, "the test"))
    account = Account(
        region=None,  # type: ignore[arg-type]  # the parent's
        api=SimpleNamespace(url=profile.api.endpoint),  # type: ignore[arg-type]
        service=service,
        profile=profile,
        reader=SimpleNamespace(access_key=case["reader"][0], secret=case["reader"][1]),  # type: ignore[arg-type]
        folder=Path(case["ledger"]),
        numbers=count(case["number"]),
    )
    trap = KillTrap(case["at"], "kill", case["when"])
    session = Session(account, trap, LedgerFolder(account.folder))
    await session.run()
    await service.close()
    return trap.count


def main() -> None:
    """A fork for each line."""
    for line in sys.stdin:
        case = json.loads(line)
        pid = os.fork()
        if pid == 0:
            calls = asyncio.run(run(case))
            Path(case["calls"]).write_text(str(calls), "utf-8")
            os._exit(0)
        _, status = os.waitpid(pid, 0)
        sys.stdout.write(f"{os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
