"""`python -m walconsole.sandbox`: the embedded droplet as a child process.

It prints JSON lines: `{"status": …}` as it starts, then `{"ready": PROFILE, "environment": {…}}` or
`{"error": {"tried": …, "why": …, "remedy": …}}`. It takes everything away and ends when its standard input
does, or on TERM, INT or HUP.
"""

import argparse
import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
import threading
import traceback
from collections.abc import Sequence
from pathlib import Path

from walconsole.domain.profile_json import profile_to_json
from walconsole.errors import SandboxError
from walconsole.sandbox.droplet import Options, Ready, droplet
from walconsole.sandbox.scenarios.scenario import EVERY_SCENARIO
from walconsole.sandbox.workspace import explain

_REPEATED_EVERY_S, _MOST_REPEATED = 15.0, 16
_END_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def main(argv: Sequence[str] | None = None) -> int:
    """Run until told to end; the exit status is SandboxError's where it could not start."""
    logging.getLogger("psycopg").setLevel(logging.ERROR)  # the load's queries are cut off at the end
    return asyncio.run(_run(_options(argv)))


def _options(argv: Sequence[str] | None) -> Options:
    parser = argparse.ArgumentParser(prog="python -m walconsole.sandbox", description=__doc__)
    parser.add_argument("--scenario", choices=EVERY_SCENARIO, default="incident")
    parser.add_argument(
        "--load", type=_rate, metavar="SEGMENTS_PER_MINUTE", help="0 to 600; 0 writes nothing"
    )
    parser.add_argument(
        "--postgres-bin", type=Path, metavar="FOLDER", help="a PostgreSQL server's bin folder"
    )
    parser.add_argument(
        "--activation", type=float, default=0.0, metavar="SECONDS", help="until new keys and grants work"
    )
    chosen = parser.parse_args(argv)
    return Options(EVERY_SCENARIO[chosen.scenario], chosen.load, chosen.postgres_bin, chosen.activation)


def _rate(text: str) -> float:
    rate = float(text)
    if not 0 <= rate <= 600:
        raise ValueError(text)
    return rate


async def _run(options: Options) -> int:
    loop, told = asyncio.get_running_loop(), asyncio.Event()
    for number in _END_SIGNALS:
        loop.add_signal_handler(number, told.set)
    threading.Thread(target=_await_eof, args=(loop, told), daemon=True).start()
    serving = asyncio.create_task(_serve(options, told))
    telling = asyncio.create_task(told.wait())
    await asyncio.wait((serving, telling), return_when=asyncio.FIRST_COMPLETED)
    if not serving.done():
        serving.cancel()
    telling.cancel()
    try:
        await serving
    except asyncio.CancelledError:
        return 0
    except SandboxError as error:
        return _report(error)
    except Exception as error:  # noqa: BLE001  # the process's boundary: whoever started it must be told
        traceback.print_exc()
        why = " / ".join(traceback.format_exception_only(error)).strip()
        return _report(SandboxError("run the embedded droplet", why, "its traceback is on standard error"))
    return 0


def _report(error: SandboxError) -> int:
    _say({"error": {"tried": error.tried, "why": error.why, "remedy": error.remedy}})
    return error.exit_code


async def _serve(options: Options, told: asyncio.Event) -> None:
    news = News()
    lives = asyncio.create_task(news.live())
    try:
        async with droplet(options, news.tell) as ready:
            lives.cancel()
            _say_ready(ready)
            await told.wait()
    except OSError as error:
        raise SandboxError("run the embedded droplet", explain(error)) from error
    finally:
        lives.cancel()


class News:
    """What it does now, said again while that may last: on a busy machine a part of it takes minutes.

    Whoever started it takes silence for a process that hangs.
    """

    def __init__(self) -> None:
        self._status, self._left = "", 0

    def tell(self, status: str) -> None:
        """Something new."""
        self._status, self._left = status, _MOST_REPEATED
        _say({"status": status})

    async def live(self) -> None:
        """Say the last one again, so often at most."""
        while True:
            await asyncio.sleep(_REPEATED_EVERY_S)
            if self._status and self._left > 0:
                self._left -= 1
                _say({"status": self._status})


def _say_ready(ready: Ready) -> None:
    _say({"ready": json.loads(profile_to_json(ready.profile)), "environment": ready.environment})


def _say(message: dict[str, object]) -> None:
    """One line. Whoever no longer reads has gone: its end of standard input tells so too."""
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.write(json.dumps(message) + "\n")
        sys.stdout.flush()


def _await_eof(loop: asyncio.AbstractEventLoop, told: asyncio.Event) -> None:
    with contextlib.suppress(OSError):
        while os.read(0, 4096):
            pass
    with contextlib.suppress(RuntimeError):  # the loop has closed already
        loop.call_soon_threadsafe(told.set)


if __name__ == "__main__":
    sys.exit(main())
