"""One console at a time changes a droplet: a lease on it, which runs out by itself when its holder is gone.

The lease is a file in a folder of root's that a restart empties. Its time is the droplet's uptime, which no
clock that is set changes. Whoever cannot renew it in time has lost it: another may be at work by then.
"""

import asyncio
import contextlib
import getpass
import logging
import os
import re
import secrets
import socket
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from shlex import quote
from types import TracebackType
from typing import Self

from walconsole.domain.patience import Patience, seconds_text
from walconsole.domain.records import record
from walconsole.domain.redaction import decode, safe
from walconsole.errors import BlockedError, ProvisionError, WalconsoleError
from walconsole.ports import Clock, Shell
from walconsole.provision.engine.site import Claim, Sleep

_log = logging.getLogger(__name__)

LEASE_S = 90
RENEWAL_S = 20.0
_WITHIN_S = 20.0
_RELEASED_WITHIN_S = 5.0
_LONGEST_NAME = 100
_LONGEST_ANSWER = 4096

_ACQUIRE = """set -eu
umask 077
d=/run/walconsole
mkdir -p -- "$d" 2>/dev/null || :
if ! [ -d "$d" ] || ! [ -w "$d" ]; then
    d=${{TMPDIR:-/tmp}}/walconsole-$(id -u)
    mkdir -p -- "$d"
fi
if [ -L "$d" ] || ! [ -O "$d" ]; then echo "refused $d is another user's"; exit 0; fi
if ! command -v flock >/dev/null || ! [ -r /proc/uptime ]; then echo none; exit 0; fi
exec 9>>"$d/{key}.lock"
flock -w 5 9 || {{ echo "refused $d/{key}.lock is held by a program that hangs"; exit 0; }}
read -r up _ </proc/uptime
up=${{up%%.*}}
boot=$(cat /proc/sys/kernel/random/boot_id)
token='' before='' until=0 who=''
if [ -s "$d/{key}" ]; then read -r token before until who <"$d/{key}" || :; fi
case $until in *[!0-9]* | '') until=0 ;; esac
if [ "$token" != {token} ] && [ "$before" = "$boot" ] && [ "$until" -gt "$up" ] && [ "$who" != {dead} ]; then
    echo "held $((until - up)) $who"
    exit 0
fi
printf '%s %s %s %s\\n' {token} "$boot" "$((up + {lease}))" {who} >"$d/{key}.new"
mv -fT -- "$d/{key}.new" "$d/{key}"
echo ours
"""
_RELEASE = """umask 077
for d in /run/walconsole "${{TMPDIR:-/tmp}}/walconsole-$(id -u)"; do
    if [ -L "$d" ] || ! [ -O "$d" ] || ! [ -s "$d/{key}" ]; then continue; fi
    exec 9>>"$d/{key}.lock"
    flock -w 5 9 || continue
    read -r token _ <"$d/{key}" || :
    if [ "$token" = {token} ]; then rm -f -- "$d/{key}" "$d/{key}.lock"; rmdir -- "$d" 2>/dev/null; fi
done
:
"""


class DropletClaim:
    """site.Claim. `place` tells deployments on one machine apart: the folder of its rclone configuration.

    `patience` is the shell's.
    """

    def __init__(
        self,
        shell: Shell,
        place: str,
        clock: Clock,
        sleep: Sleep = asyncio.sleep,
        holder: Callable[[], str] | None = None,
        patience: Patience | None = None,
    ) -> None:
        self._patience = patience if patience is not None else Patience()
        self._shell, self._clock, self._sleep = shell, clock, sleep
        self._key = f"provisioning-{sha256(place.encode()).hexdigest()[:16]}"
        self._token, self._holder = secrets.token_hex(8), holder or this_console
        self._since = ""

    async def take(self) -> None:
        """See site.Claim. Where the droplet has no flock or no /proc, nobody is kept out."""
        self._since = datetime.fromtimestamp(self._clock.now(), UTC).strftime("%H:%M UTC")
        held = await self._acquire()
        if held is not None and is_dead(held.whose):
            held = await self._acquire(dead=held.whose)
        if held is not None:
            remedy = "wait until it has ended, or end it; what it leaves alone is free again after that time"
            raise BlockedError("changing the droplet", held.text, remedy)

    async def keep(self) -> str:
        """See site.Claim. A renewal that cannot be sent is tried again."""
        while True:
            await self._sleep(RENEWAL_S)
            try:
                held = await self._acquire()
            except WalconsoleError as error:
                _log.warning("the claim on the droplet is not renewed: %s", error.line())
                continue
            if held is not None:
                return held.text

    async def release(self) -> None:
        """See site.Claim."""
        script = _RELEASE.format(key=self._key, token=self._token)
        try:
            await self._said_by(script, _RELEASED_WITHIN_S)
        except (WalconsoleError, TimeoutError) as error:  # it runs out by itself
            _log.warning("the claim on the droplet is not given back: %s", error)

    async def _acquire(self, dead: str = "") -> "_Held | None":
        """Take or renew it; who has it instead, None where it is ours. Raises what Shell raises.

        `dead` is a holder who is known to be gone: it is taken from that one.
        """
        who = quote(safe(f"{self._holder()} since {self._since}")[:_LONGEST_NAME].replace("\n", " "))
        script = _ACQUIRE.format(key=self._key, token=self._token, lease=LEASE_S, who=who, dead=quote(dead))
        tried = "claiming the droplet, so that no other console changes it meanwhile"
        try:
            word, _, rest = (await self._said_by(script, _WITHIN_S)).strip().partition(" ")
        except TimeoutError:
            why = f"it did not answer within {seconds_text(self._patience.limit(_WITHIN_S))}"
            raise ProvisionError(tried, why, "see what hangs there (uptime, dmesg)") from None
        if word in ("ours", "none"):
            return None
        if word == "held":
            left, _, whose = rest.partition(" ")
            return _Held(left, whose)
        why = safe(rest or word) or "it said nothing"
        raise ProvisionError(tried, why, "look at /run/walconsole on the droplet")

    async def _said_by(self, script: str, within_s: float) -> str:
        """What it printed, on a channel of its own: the shell may be busy with a step for half an hour."""
        said = b""
        within_s = self._patience.limit(within_s)
        async with asyncio.timeout(within_s), aclosing(self._pieces(script)) as pieces:
            async for piece in pieces:
                said = (said + piece)[-_LONGEST_ANSWER:]
        return decode(said)

    async def _pieces(self, script: str) -> AsyncGenerator[bytes, None]:
        async for piece in self._shell.stream(f"(\n{script})"):
            yield piece


@record
class _Held:
    """Another has it: for how many seconds still, and who that is, both as the droplet said them."""

    left: str
    whose: str

    @property
    def text(self) -> str:
        """The same as a line."""
        return safe(
            f"another walconsole is at it: {self.whose} (its claim runs out in {self.left} s unless renewed)"
        )


def this_console() -> str:
    """Who this is: user, machine, and a process that can be told to be gone (`is_dead`)."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()} (process {os.getpid()}{_of_this_machine()})"


def _of_this_machine() -> str:
    """What tells this machine's processes from those of another of its name, and of a container on it.

    Empty where that cannot be told: then nobody's process is known to be gone.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii")
        namespace = Path("/proc/self/ns/pid").readlink()
        return f" of {sha256(f'{boot}{namespace}'.encode()).hexdigest()[:8]}"
    except OSError:
        return ""


def is_dead(whose: str) -> bool:
    """Whether a holder was a console on this machine that was killed: its process is gone."""
    machine = _of_this_machine()
    found = re.search(rf"\(process (\d{{1,10}}){re.escape(machine)}\) since ", whose) if machine else None
    if found is None:
        return False
    try:
        # Not by /proc alone: where it hides others' processes (hidepid, ProtectProc=) all of them look gone.
        os.kill(int(found[1]), 0)
        stat = Path(f"/proc/{found[1]}/stat").read_text("utf-8", "replace")
    except (ProcessLookupError, OverflowError):
        return True
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[:1] == ["Z"]  # it is dead, and nobody has asked how it ended


class Claimed:
    """`async with` around a run. None of `claim`: nobody else can be at it, and nothing is taken."""

    def __init__(self, claim: Claim | None) -> None:
        self._claim = claim
        self._keeping: asyncio.Task[None] | None = None
        self._lost = ""

    async def take(self) -> bool:
        """Whether it was taken just now; False where it was held already. Raises what Claim.take does."""
        if self._claim is None or self._keeping is not None:
            return False
        await self._claim.take()
        running = asyncio.current_task()
        self._keeping = asyncio.create_task(self._keep(self._claim, running), name="keeping the claim")
        return True

    async def __aenter__(self) -> Self:
        self._lost = ""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give it back. Raises ProvisionError where another has taken it meanwhile."""
        keeping, self._keeping = self._keeping, None
        if keeping is not None and self._claim is not None:
            keeping.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([keeping])
            await self._claim.release()
        if self._lost:
            remedy = "this run was ended: look again (r) when the other one is through, and go on from there"
            raise ProvisionError("changing the droplet", self._lost, remedy) from None

    async def _keep(self, claim: Claim, running: "asyncio.Task[object] | None") -> None:
        self._lost = await claim.keep()
        if running is not None:
            running.cancel()
