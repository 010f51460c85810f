"""`walconsole expire`, killed by SIGKILL before or after one of its writing calls to the store."""

import os
import signal
import sys
from collections.abc import Awaitable, Callable
from itertools import count
from typing import Any

from walconsole.adapters.s3.admin import SpacesAdmin
from walconsole.cli import main

AT, WHEN = int(os.environ.pop("KILL_AT")), os.environ.pop("KILL_WHEN")
_NUMBERS = count()


def killed(call: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """The call, with the end of everything at its turn."""

    async def awaited(*arguments: Any) -> Any:
        number = next(_NUMBERS)
        if (number, WHEN) == (AT, "before"):
            os.kill(os.getpid(), signal.SIGKILL)
        answer = await call(*arguments)
        if number == AT:
            os.kill(os.getpid(), signal.SIGKILL)
        return answer

    return awaited


if __name__ == "__main__":
    for name in ("put", "erase"):
        setattr(SpacesAdmin, name, killed(getattr(SpacesAdmin, name)))
    sys.exit(main())
