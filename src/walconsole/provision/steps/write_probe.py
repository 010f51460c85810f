"""Whether the archiver itself can write: on the droplet, as PostgreSQL's user, by its own configuration."""

import re
import secrets
from collections.abc import AsyncIterator, Mapping
from shlex import quote

from walconsole.domain.profile import BucketTarget
from walconsole.domain.store.answers import Meaning, meaning_of
from walconsole.domain.store.printed import code_in
from walconsole.droplet.names import names_of, rclone_path
from walconsole.droplet.one_time import probe_script
from walconsole.errors import BlockedError, ProvisionError
from walconsole.provision.droplet.commands import os_user, psql, run
from walconsole.provision.droplet.survey import blocked_without, how_to_install
from walconsole.provision.engine.model import (
    Change,
    Check,
    CheckState,
    Command,
    Event,
    Plan,
    Printed,
    Proved,
    Risk,
    Waiting,
)
from walconsole.provision.engine.site import Site
from walconsole.provision.steps.key_and_bucket_look import other_clusters

LONGEST_PROPAGATION_S = 90.0
"""How long keys and grants may take to work (an operator's note says 30 s; nothing official)."""
_PAUSE_S = 2.0
_LONGEST_PROBE_S = 300.0
"""Its five calls of rclone have bounds of their own, which tell more: this is for what hangs beside them."""

_ENDPOINT = "the droplet cannot reach the endpoint: check it, DNS and the firewall"
_NO_BUCKET = (
    "bucket",
    "there is no such bucket where the droplet asks: run the step Buckets, or correct the endpoint in the"
    " rclone configuration",
)
_LACKS_GRANT = ("grant", "the key lacks readwrite on the bucket: run the step Grants")
_BAD_MOMENT = ("store", "the store has a bad moment: run this step again, or look at its status page")
_CAUSES: Mapping[Meaning, tuple[str, str]] = {
    Meaning.CLOCK_SKEW: ("clock", "the droplet's clock is wrong: timedatectl set-ntp true"),
    Meaning.KEY_UNKNOWN: (
        "key",
        "the store knows no such key: put a living one into the rclone configuration",
    ),
    Meaning.SIGNATURE_WRONG: (
        "key",
        "the secret does not belong to the key: correct the rclone configuration",
    ),
    Meaning.CREDENTIALS_BAD: (
        "key",
        "the key has expired, or is not written as a key is: correct the rclone configuration",
    ),
    Meaning.WRONG_REGION: (
        "endpoint",
        "the bucket is in another region: correct endpoint and region in the rclone configuration",
    ),
    Meaning.ABSENT_BUCKET: _NO_BUCKET,
    Meaning.NO_PERMISSION: _LACKS_GRANT,
    Meaning.REFUSED: _LACKS_GRANT,
    Meaning.ACCOUNT: ("account", "look at the account's limits and bills at the store"),
    Meaning.THROTTLED: _BAD_MOMENT,
    Meaning.UNAVAILABLE: _BAD_MOMENT,
    Meaning.FAULT: _BAD_MOMENT,
}
"""Which part is at fault by what the store's code, in rclone's words, means; and what to do."""
_WORDS: Mapping[str, tuple[str, str]] = {
    r"status ?code: 404": _NO_BUCKET,  # to a PUT; newer releases at times lose the code of its refusal
    r"user \S+ finds no ": (
        "file",
        "put the production rclone configuration there, or correct rclone_config in the profile",
    ),
    r"cannot be read as user": (
        "file",
        "let PostgreSQL's user read the configuration: root:postgres, mode 0640",
    ),
    r"didn't find section|not found in config|didn't find backend": (
        "remote",
        "complete the droplet's rclone configuration",
    ),
    r"rclone \(or timeout\) cannot be run": ("program", how_to_install("rclone")),
    r"no room for a small file": ("disk", "make room on the droplet"),
    r"HTTP response to HTTPS client|malformed HTTP response": (
        "endpoint",
        "http and https are mixed up: correct the endpoint in the rclone configuration",
    ),
    r"x509|certificate": (
        "endpoint",
        "the droplet does not trust who answers there: check the endpoint, the droplet's clock, and that"
        " ca-certificates is installed; name an authority of your own in the profile (ca_file)",
    ),
    r"no such host|server misbehaving|connection (?:refused|reset)|no route|unreachable|EOF\b": (
        "endpoint",
        _ENDPOINT,
    ),
    r"timed? ?out|deadline exceeded|was ended, by the time limit": ("endpoint", _ENDPOINT),
}
"""The probe's and rclone's words where no store answered, the surest first."""
_OTHER_CLUSTER = "give this cluster a bucket or a prefix of its own in the profile"
_PASSING = frozenset(("key", "grant", "bucket", "store"))
"""Causes that may pass by themselves: a new key, grant or bucket takes a while, a busy store too."""


def cause_of(text: str) -> tuple[str, str]:
    """Which part is at fault by what the probe said, and what to do; empty where nothing points at any."""
    found = _CAUSES.get(meaning_of(code_in(text), said=text))
    if found is not None:
        return found
    return next((part for words, part in _WORDS.items() if re.search(words, text, re.IGNORECASE)), ("", ""))


class WriteProbe:
    """model.Step: writes, reads back, compares and deletes an object of its own in each copy."""

    id = "write-probe"
    title = "Write probe"
    risk = Risk.ADDS
    gated = True
    always = False
    explanation = (
        "Does on the droplet what the archive command will do: as PostgreSQL's own user, with the "
        "production rclone configuration and the same options, it writes an object with a name of its own "
        "into each copy, reads it back, compares it and deletes it. New keys and grants take a while to "
        "work, so it is tried for up to 90 seconds. What fails is named: the key, the grant, the bucket, "
        "the endpoint, the clock or the file's permission."
    )

    def __init__(self, site: Site) -> None:
        self._site = site

    async def check(self) -> Check:
        """Done where it passed in this session, or the archive command itself does it and nothing fails.

        There is no other sign: the probe deletes what it wrote.
        """
        survey = await self._site.survey()
        blocked = blocked_without(survey, "rclone", "timeout")
        if blocked is not None:
            return blocked
        others = await other_clusters(self._site)
        if others:
            return Check(CheckState.BLOCKED, others, remedy=_OTHER_CLUSTER)
        if all(rclone_path(target) in self._site.probed for target in self._site.targets()):
            return Check(CheckState.DONE, "the archiver's user was seen to write to each copy")
        working = await self._archived_at()
        if working:
            return Check(CheckState.DONE, f"the archive command itself does: it last succeeded {working}")
        return Check(CheckState.NEEDED, "nothing shows yet that the archiver's user can write to the buckets")

    async def plan(self) -> Plan:
        """The same by hand."""
        user = os_user(self._site)
        return Plan(
            "write, read back and delete one object in "
            + " and ".join(one.bucket for one in self._site.targets()),
            commands=tuple(
                Command(text, user=user) for target in self._site.targets() for text in self._by_hand(target)
            ),
            notes=("the object's name begins with walconsole-probe-, and it is always deleted again",),
            undo="nothing is left to undo",
        )

    async def apply(self) -> AsyncIterator[Event]:
        """Raises ProvisionError that names what is at fault."""
        for target in self._site.targets():
            async for event in self._until_it_passes(target):
                yield event

    async def verify(self) -> AsyncIterator[Event]:
        """Raises ProvisionError where it did not pass for each copy."""
        others = await other_clusters(self._site)
        if others:
            raise BlockedError("looking into the buckets", others, _OTHER_CLUSTER)
        for target in self._site.targets():
            if rclone_path(target) not in self._site.probed:
                raise ProvisionError(
                    f"probing {rclone_path(target)}", "it did not pass", "run this step again"
                )
            yield Proved(f"user {os_user(self._site)} can write to {target.bucket} in {target.region}")

    async def undo_plan(self, changes: tuple[Change, ...]) -> Plan | None:
        """It leaves nothing."""
        return None

    async def undo(self, changes: tuple[Change, ...]) -> AsyncIterator[Event]:
        """It leaves nothing."""
        for _ in changes:
            yield Printed("nothing is left to undo")

    async def _until_it_passes(self, target: BucketTarget) -> AsyncIterator[Event]:
        clock = self._site.clock
        began = clock.monotonic()
        while True:
            said: list[str] = []
            try:
                async for event in self._once(target):
                    if isinstance(event, Printed):
                        said.append(event.text)
                    yield event
            except ProvisionError as error:
                part, remedy = cause_of("\n".join((*said, error.why)))
                waited = clock.monotonic() - began
                if part not in _PASSING or waited > LONGEST_PROPAGATION_S:
                    raise self._named(target, error, part, remedy) from None
                yield Waiting(
                    f"the {part} does not work (yet) for {target.bucket}", waited, LONGEST_PROPAGATION_S
                )
            else:
                self._site.probed.add(rclone_path(target))
                return
            await self._site.sleep(_PAUSE_S)

    async def _once(self, target: BucketTarget) -> AsyncIterator[Event]:
        name = f"walconsole-probe-{secrets.token_hex(8)}"
        script = probe_script(self._site.profile, self._site.choices, target, name)
        shown = Command(f"sh walconsole-probe {rclone_path(target)}{name}", user=os_user(self._site))
        async for event in run(self._site, shown, script=script, timeout_s=_LONGEST_PROBE_S):
            yield event

    def _named(self, target: BucketTarget, error: ProvisionError, part: str, remedy: str) -> ProvisionError:
        what = f"at fault is the {part}: " if part else ""
        return ProvisionError(
            f"probing {rclone_path(target)} as the archiver", f"{what}{error.why}", remedy or error.remedy
        )

    def _by_hand(self, target: BucketTarget) -> tuple[str, ...]:
        config = quote(self._site.profile.paths.rclone_config)
        place = quote(f"{rclone_path(target)}walconsole-probe-by-hand")
        options = f"--config {config} --s3-no-check-bucket --retries 1 --low-level-retries 1"
        if self._site.choices.authorities.text:
            options += f" --ca-cert {quote(names_of(self._site.profile).authorities)}"
        return (
            f"echo probe | rclone rcat {place} {options}",
            f"rclone cat {place} {options}",
            f"rclone deletefile {place} {options}",
        )

    async def _archived_at(self) -> str:
        """When our own archive command last succeeded, where nothing has failed since; else empty."""
        server = (await self._site.survey()).server
        installed = names_of(self._site.profile).archive
        if server is None or server.settings.get("archive_mode") not in ("on", "always"):
            return ""
        if not server.settings.get("archive_command", "").startswith(f"{installed} "):
            return ""
        sql = (
            "select last_archived_time from pg_stat_archiver where last_archived_time is not null"
            " and (last_failed_time is null or last_failed_time < last_archived_time)"
        )
        return await psql(self._site, sql)
