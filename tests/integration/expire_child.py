"""`walconsole expire`, sent a signal (SIGKILL) before or after one of its writing calls to the store."""

import os
import signal
import sys
from collections.abc import Awaitable, Callable
from itertools import count
from typing import Any

from walconsole.adapters.s3.admin import SpacesAdmin
from walconsole.cli import main

AT, WHEN = int(os.environ.pop("KILL_AT")), os.environ.pop("KILL_WHEN")
WITH = signal.Signals[os.environ.pop("KILL_WITH", "SIGKILL")]
_NUMBERS = count()


def killed(call: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """The call, with the signal at its turn."""

    async def awaited(*arguments: Any) -> Any:
        number = next(_NUMBERS)
        if (number, WHEN) == (AT, "before"):
            os.kill(os.getpid(), WITH)
        answer = await call(*arguments)
        if number == AT:
            os.kill(os.getpid(), WITH)
        return answer

    return awaited


if __name__ == "__main__":
    for name in ("put", "erase"):
        setattr(SpacesAdmin, name, killed(getattr(SpacesAdmin, name)))
    sys.exit(main())
