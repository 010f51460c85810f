"""How a script is run on the droplet: as another user, or in a channel beside the quick looks' shell."""

import asyncio
import secrets
from collections.abc import AsyncGenerator
from contextlib import aclosing
from shlex import quote
from typing import cast

from walconsole.domain.records import record
from walconsole.errors import ShellError
from walconsole.ports import Clock, Shell


def as_user(user: str, script: str) -> str:
    """POSIX sh that runs `script` as `user`; directly where that is who runs it.

    The exit status is the script's; 125 where nobody of that name exists or nothing lets one become it. What
    sudo itself says (a host's name that is not resolved, a lecture) is no part of the script's output.
    """
    name, inner = quote(user), quote(script)
    quiet = quote(f"exec 2>&1\n{script}")
    return f"""(
u=$(id -u -- {name} 2>/dev/null) || {{ echo "there is no user "{name} >&2; exit 125; }}
cd / || exit 125
me=$(id -u)
if [ "$me" = "$u" ]; then exec /bin/sh -c {inner}; fi
if [ "$me" = 0 ]; then
    g=$(id -g -- {name})
    if setpriv --reuid="$u" --regid="$g" --init-groups true 2>/dev/null; then
        exec setpriv --reuid="$u" --regid="$g" --init-groups /bin/sh -c {inner}
    fi
    if command -v runuser >/dev/null; then exec runuser -u {name} -- /bin/sh -c {inner}; fi
    exec su -s /bin/sh {name} -c {inner}
fi
said=$(sudo -n -u {name} true 2>&1) || {{ printf '%s\n' "$said" >&2; exit 125; }}
exec sudo -n -u {name} /bin/sh -c {quiet} 2>/dev/null
)"""


LONGEST_OUTPUT = 64 << 10


@record
class Ended:
    """Its exit status, the end of what it printed (LONGEST_OUTPUT bytes at most), how long it took."""

    status: int
    output: bytes
    seconds: float


async def run_apart(shell: Shell, clock: Clock, script: str, *, timeout_s: float, tried: str) -> Ended:
    """Run `script` (POSIX sh, in a subshell), standard error joined to standard output.

    Raises errors.ShellError where it does not end in time, and what the connection raises.
    """
    mark = f"walconsole-{secrets.token_hex(8)}".encode()
    began = clock.monotonic()
    stream = shell.stream(f"({script}\n) 2>&1\nprintf '\\n%s %s\\n' {mark.decode()} \"$?\"")
    output = b""
    try:
        async with (
            asyncio.timeout(timeout_s),
            aclosing(cast("AsyncGenerator[bytes, None]", stream)) as chunks,
        ):
            async for chunk in chunks:
                output = (output + chunk)[-LONGEST_OUTPUT:]
    except TimeoutError:
        raise ShellError(
            tried, f"it did not end within {timeout_s:g} s", "is the droplet very busy?"
        ) from None
    said, found, status = output.rpartition(b"\n" + mark + b" ")
    if not found or not status.strip().isdigit():
        raise ShellError(tried, "it was cut short", "it is tried again")
    return Ended(int(status), said, clock.monotonic() - began)
