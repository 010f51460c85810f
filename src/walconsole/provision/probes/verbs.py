"""Each call to the store by itself, from the droplet as the archiver, and from here, side by side."""

import re
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from shlex import quote

from walconsole.domain.archivers.command_words import Target
from walconsole.domain.facts.evidence import VerbResult
from walconsole.domain.profile import BucketTarget
from walconsole.domain.redaction import safe
from walconsole.domain.standing.call_comparison import LARGE, VERBS, judge, table
from walconsole.domain.store.answers import TIMED_OUT
from walconsole.domain.store.printed import code_in, code_of_listing
from walconsole.droplet.one_time import verbs_script
from walconsole.errors import ObjectStoreError, ProvisionError
from walconsole.ports import BucketAdmin
from walconsole.provision.droplet.commands import os_user, status_of
from walconsole.provision.engine.model import (
    Check,
    CheckState,
    Command,
    Event,
    Plan,
    Printed,
    Proved,
    Risk,
    Where,
)
from walconsole.provision.engine.site import Site
from walconsole.provision.fixes.base import FixStep
from walconsole.provision.probes.in_force import InForce, in_force

_RECORD = re.compile(r"\x01([A-Z0-9_]+) (\d+) (\d+) ?(.*)")
_LONGEST_S = 150.0
"""Five calls, each bounded by itself."""
_TOO_OLD = re.compile(r"unknown flag: --stat", re.IGNORECASE)
_TIMED_OUT = (124, 137)


class VerbProbe(FixStep):
    """LIST, PUT, HEAD, GET, DELETE of an object of its own: who may do what, and from where."""

    id = "probe-calls"
    title = "Store, call by call"
    risk = Risk.ADDS
    explanation = (
        "Each call by itself: list, write a little, write 256 KiB, look, read back, delete. From the droplet "
        "as the server's own user, with the rclone configuration that the archive command in force names, "
        "and from here with the console's own key. Which side fails, at which call and with which code tells "
        "a grant from a key, and a network that lets only small packets through from one that is down. Its "
        "objects have names of their own and are taken away again."
    )

    def __init__(self, site: Site, subject: str = "") -> None:
        super().__init__(site, subject)
        self._fine: list[str] = []

    async def check(self) -> Check:
        """Always worth a try."""
        return Check(CheckState.NEEDED, "which side of which call fails is not known yet")

    async def plan(self) -> Plan:
        """The same by hand."""
        now = await in_force(self._site)
        user, options = os_user(self._site), f"--config {quote(now.config)} --s3-no-check-bucket --retries 1"
        commands = [
            Command(text, user=user)
            for target in now.targets
            for text in _by_hand(f"{_place(target)}walconsole-probe-by-hand", options)
        ]
        commands += [
            Command(text, Where.HERE)
            for target in now.targets
            if (known := self._known(target)) is not None
            for text in _from_here_by_hand(known)
        ]
        return Plan(
            "write, look at, read and delete objects of its own at "
            + " and ".join(f"{target}" for target in now.targets),
            commands=tuple(commands),
            notes=(
                "the object's name begins with walconsole-probe-; where DELETE is refused it stays there",
            ),
            undo="nothing is left to undo",
        )

    async def apply(self) -> AsyncIterator[Event]:
        """Raises ProvisionError: what the first copy that fails says."""
        self._fine = []
        now = await in_force(self._site)
        failed: ProvisionError | None = None
        for target in now.targets:
            yield Printed(f"asking {target}")
            here = await self._from_here(target)
            droplet = await self._from_droplet(target, now)
            for line in table(droplet, here):
                yield Printed(line)
            for side, results in (("droplet", droplet), ("here", here)):
                for result in results:
                    if not result.ok and result.said:
                        yield Printed(f"{side}, {result.verb}: {result.said}")
            judged = judge(str(target), droplet, here)
            if judged.fine:
                self._fine.append(judged.text)
            else:
                yield Printed(judged.text)
                failed = failed or ProvisionError("asking the store call by call", judged.text, judged.remedy)
        if failed is not None:
            raise failed

    async def verify(self) -> AsyncIterator[Event]:
        """Each copy's words."""
        for text in self._fine:
            yield Proved(text)

    def _known(self, target: Target) -> BucketTarget | None:
        """The profile's copy in that bucket, which the console has a key for."""
        return next((one for one in self._site.targets() if one.bucket == target.bucket), None)

    async def _from_droplet(self, target: Target, now: InForce) -> tuple[VerbResult, ...]:
        """Raises ProvisionError where nothing could be asked: rclone, its configuration, room."""
        name = f"walconsole-probe-{secrets.token_hex(8)}"
        script = verbs_script(self._site.profile, self._site.choices, _place(target), now.config, name)
        status, said = await status_of(self._site, script, user=os_user(self._site), timeout_s=_LONGEST_S)
        found = tuple(_result(*record.groups()) for record in _RECORD.finditer(said))
        if status != 0 and not found:
            words = safe(" ".join(said.split()))[:300] or f"exit status {status}"
            raise ProvisionError(f"asking {target} from the droplet", words)
        return tuple(result for result in found if result.code != "TooOld")

    async def _from_here(self, target: Target) -> tuple[VerbResult, ...]:
        known = self._known(target)
        if known is None or self._site.own is None:
            return ()
        try:
            admin = await self._site.own(known)
        except ObjectStoreError as error:
            return tuple(VerbResult(verb, False, "not asked", error.why) for verb in VERBS[:1])
        try:
            return await self._ours(admin, known)
        finally:
            await admin.close()

    async def _ours(self, admin: BucketAdmin, known: BucketTarget) -> tuple[VerbResult, ...]:
        """The same calls by the console's own key."""
        key = f"{known.prefix}walconsole-probe-{secrets.token_hex(8)}"
        body, large = secrets.token_bytes(64), secrets.token_bytes(262_144)

        async def list_() -> None:
            await self._site.store(known).page(start_after=key, max_keys=1)

        async def put() -> None:
            await admin.put(known.bucket, key, body)

        async def put_large() -> None:
            await admin.put(known.bucket, f"{key}-large", large)
            await admin.remove(known.bucket, f"{key}-large")

        async def look() -> None:
            await admin.stat(known.bucket, key)

        async def get() -> None:
            if await admin.get(known.bucket, key) != body:
                why = "what came back is not what was sent"
                raise ObjectStoreError("reading back", why, code="Different")

        async def delete() -> None:
            await admin.remove(known.bucket, key)

        found = [await self._timed("LIST", list_), written := await self._timed("PUT", put)]
        if written.ok:
            for verb, call in ((LARGE, put_large), ("HEAD", look), ("GET", get), ("DELETE", delete)):
                found.append(await self._timed(verb, call))
        return tuple(found)

    async def _timed(self, verb: str, call: Callable[[], Awaitable[None]]) -> VerbResult:
        began = self._site.clock.monotonic()
        try:
            await call()
        except ObjectStoreError as error:
            return VerbResult(verb, False, error.code, error.why, self._site.clock.monotonic() - began)
        return VerbResult(verb, True, seconds=self._site.clock.monotonic() - began)


def _result(verb: str, status: str, milliseconds: str, words: str) -> VerbResult:
    """A record of the droplet's script."""
    verb, seconds, said = (
        verb.replace("_", " "),
        int(milliseconds) / 1000,
        safe(words).removeprefix("rclone says: "),
    )
    if status == "0":
        return VerbResult(verb, True, seconds=seconds)
    if int(status) in _TIMED_OUT:
        return VerbResult(verb, False, TIMED_OUT, "no answer; rclone was ended", seconds)
    if _TOO_OLD.search(said):
        return VerbResult(verb, False, "TooOld", said, seconds)
    code = code_of_listing(said) if verb == "LIST" else code_in(said)
    return VerbResult(verb, False, code, said, seconds)


def _from_here_by_hand(known: BucketTarget) -> tuple[str, ...]:
    """With one's own key, by aws."""
    place = quote(f"s3://{known.bucket}/{known.prefix}walconsole-probe-from-here")
    options = f"--endpoint-url {quote(known.endpoint)}"
    return (
        f"echo x | aws s3 cp - {place} {options}",
        f"aws s3 cp {place} - {options}",
        f"aws s3 rm {place} {options}",
    )


def _place(target: Target) -> str:
    """Where a name can be put behind."""
    return f"{target.remote}:{target.bucket}/{target.prefix}"


def _by_hand(place: str, options: str) -> tuple[str, ...]:
    folder = place.rpartition("/")[0]
    return (
        f"rclone lsf --max-depth 1 {quote(folder)} {options}",
        f"head -c 262144 /dev/urandom | rclone rcat --streaming-upload-cutoff 1M {quote(place)} {options}",
        f"rclone lsjson --stat {quote(place)} {options}",
        f"rclone cat {quote(place)} {options} | wc -c",
        f"rclone deletefile {quote(place)} {options}",
    )
