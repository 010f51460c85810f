"""What the store answers to the archive command's own configuration: from the droplet, as the server's user.

One signed LIST of a folder that does not exist, for each copy: it changes nothing, and its answer has S3's
code, which the answer to an upload's first HEAD has not.
"""

import asyncio
import re
import secrets
from collections.abc import Callable, Sequence
from shlex import quote

from walconsole.domain.archivers.command_words import Target, configs_of, targets_of
from walconsole.domain.facts.evidence import CommandFacts, ProductionCheck, ProductionFacts, VerbResult
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.profile import BucketTarget, Profile
from walconsole.domain.redaction import decode, may_hold_secret, safe
from walconsole.domain.store.answers import TIMED_OUT
from walconsole.domain.store.printed import code_of_listing
from walconsole.observe.host.invocation import as_user, run_apart
from walconsole.observe.poller.probe import Fact
from walconsole.ports import Clock, Shell

SOURCE = "rclone on the droplet"
AGAIN_AFTER_S = 15.0
"""While something is wrong."""
TRY_S = 12
MOST_CHECKS = 4
_TIMED_OUT = 124
"""timeout(1)'s own status."""
_WITHOUT_FILE = re.compile(r"--config[= ][\"']?/dev/null\b")
_NO_CONFIG = re.compile(
    r"didn't find section|config file .*not found|failed to load config|permission denied",
    re.IGNORECASE,
)


class ProductionProbe:
    """Fills PRODUCTION, only while `troubled()`, or while the last answer was a refusal.

    `command` is what is known of the archive command. An answer is as old as its question: what was archived
    while a slow droplet asked is news of later.
    """

    name = SOURCE
    slots = (Snapshot.production,)
    cadence_s = 1.0
    timeout_s = 60.0

    def __init__(
        self,
        shell: Shell,
        clock: Clock,
        profile: Profile,
        troubled: Callable[[], bool],
        command: Callable[[], CommandFacts | None],
        last_archived: Callable[[], str | None] = lambda: None,
    ) -> None:
        self._shell, self._clock, self._profile = shell, clock, profile
        self._troubled, self._command, self._last_archived = troubled, command, last_archived
        self._asked_at: float | None = None
        self._asked_after: str | None = None
        self._refused = False

    def refresh(self) -> None:
        """Ask again at the next look, where something is wrong."""
        self._asked_at = None

    async def take(self) -> Sequence[Fact]:
        """Nothing while all is well. Raises errors.SshError, errors.ShellError."""
        now = self._clock.monotonic()
        facts = self._command()
        if facts is None or not (self._troubled() or self._refused):
            self._asked_at = None
            return ()
        same = self._last_archived() == self._asked_after  # else it worked meanwhile: this is another trouble
        if same and self._asked_at is not None and now - self._asked_at < AGAIN_AFTER_S:
            return ()
        self._asked_at, self._asked_after = now, self._last_archived()
        targets = _targets(facts, self._profile)
        if not targets:  # whoever waits for an answer is told that there is nothing to ask
            asks = "rclone" in f"{facts.command} {facts.script}"
            return [Fact(Snapshot.production, ProductionFacts(()), self._clock.now(), SOURCE)] if asks else ()
        config = _config(facts, self._profile)
        asked = self._clock.now()
        checks = await asyncio.gather(*(self._check(target, config) for target in targets[:MOST_CHECKS]))
        self._refused = any(not result.ok for check in checks for result in check.results)
        return [Fact(Snapshot.production, ProductionFacts(tuple(checks)), asked, SOURCE)]

    async def _check(self, target: Target, config: str) -> ProductionCheck:
        missing = f"{target.prefix}walconsole-looks-{secrets.token_hex(4)}/"
        where = quote(f"{target.remote}{target.parameters}:{target.bucket}/{missing}")
        script = _script(where, config, self._profile.paths.root)
        ended = await run_apart(
            self._shell,
            self._clock,
            as_user(self._profile.postgres.os_user, script),
            timeout_s=TRY_S + 8.0,
            tried=f"listing {target} as the server's user",
        )
        said, status, seconds = _said(decode(ended.output)), ended.status, ended.seconds
        if status == _TIMED_OUT:
            said = f"no answer within {TRY_S} s; rclone was ended. {said}".strip()
        if status == 0:
            return ProductionCheck(str(target), config, (VerbResult("LIST", True, seconds=seconds),))
        if _NO_CONFIG.search(said) or status in (125, 126, 127):
            return ProductionCheck(str(target), config, (), said or f"exit status {status}")
        code = TIMED_OUT if status == _TIMED_OUT else code_of_listing(said)
        return ProductionCheck(str(target), config, (VerbResult("LIST", False, code, said, seconds),))


def _script(where: str, config: str, root: str) -> str:
    """rclone's listing with nothing of the environment, one try."""
    path = f"{root}/usr/local/bin:{root}/usr/bin:" if root else ""
    options = (
        "--retries 1 --low-level-retries 1 --contimeout 5s --timeout 10s --log-level ERROR --max-depth 1"
    )
    home = '"$(getent passwd "$(id -u)" | cut -d : -f 6)"'
    named = f"--config {quote(config)}" if config else ""
    return (
        f"exec env -i HOME={home} LC_ALL=C PATH={quote(path)}/usr/local/bin:/usr/bin:/bin "
        f"timeout -k 2 {TRY_S} rclone lsf {where} {named} {options} 2>&1"
    )


def _said(output: str) -> str:
    """rclone's words on one line, without its stamps and without the query of a signed address."""
    lines = (re.sub(r"^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d ", "", line).strip() for line in output.splitlines())
    text = " ".join(line for line in lines if line)
    return safe(re.sub(r"\?[^\" ]*", "", text))[:400]


def _targets(facts: CommandFacts, profile: Profile) -> tuple[Target, ...]:
    """Where the command writes to: as it or its script says, else as the profile does."""
    text = f"{facts.command}\n{facts.script}"
    if not facts.configs and _WITHOUT_FILE.search(text):
        return ()  # its remotes are in an environment that this call has not
    sections = {name for config in facts.configs for name in config.sections}
    named = tuple(
        target
        for target in targets_of(text)
        if (not sections or target.remote in sections) and not may_hold_secret(target.parameters)
    )  # a secret in a connection string is not written into another argument
    if named or "rclone" not in text:
        return named
    return tuple(_of_profile(target) for target in profile.buckets if target.keys.rclone_remote)


def _of_profile(target: BucketTarget) -> Target:
    return Target(target.keys.rclone_remote, target.bucket, target.prefix)


def _config(facts: CommandFacts, profile: Profile) -> str:
    if facts.configs:
        return facts.configs[0].path
    named = configs_of(f"{facts.command}\n{facts.script}")
    return named[0] if named and not named[0].startswith("~") else profile.paths.rclone_config
