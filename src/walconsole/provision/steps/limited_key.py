"""A new limited key for the droplet, where the API would not change the grants of the one it has."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from shlex import quote

from walconsole.domain.profile import BucketTarget
from walconsole.domain.records import record
from walconsole.domain.store.access_keys import KeyPair, MadeKey, SpacesKey
from walconsole.domain.store.answers import NOT_ACTIVE
from walconsole.domain.store.grants import KeyGrant, may_write, with_readwrite
from walconsole.domain.store.temporary_keys import limited_name
from walconsole.droplet.names import remote_of
from walconsole.errors import KeyServiceError, ObjectStoreError, ProvisionError, TemporaryKeyError
from walconsole.ports import KeyService
from walconsole.provision.droplet.commands import ask
from walconsole.provision.droplet.files import NOT_MADE, file_functions, keep, put_back, put_back_command
from walconsole.provision.engine.model import (
    Change,
    ChangeKind,
    Changing,
    Check,
    CheckState,
    Command,
    Event,
    FileChange,
    Plan,
    Printed,
    Proved,
    Risk,
    Waiting,
    Where,
)
from walconsole.provision.engine.site import Site
from walconsole.provision.steps.grants import Grants, Use

LONGEST_ACTIVATION_S = 90.0
_PAUSE_S = 2.0

_EXCHANGE = r"""
NR == 1 { id = $0; next }
NR == 2 { secret = $0; next }
NR == 3 { count = split($0, names, "\t"); for (n = 1; n <= count; n++) ours["[" names[n] "]"] = 1; next }
/^[ \t]*\[/ { line = $0; gsub(/^[ \t]+|[ \t\r]+$/, "", line); inside = line in ours }
inside && /^[ \t]*access_key_id[ \t]*[=:]/ { print "access_key_id = " id; ids++; next }
inside && /^[ \t]*secret_access_key[ \t]*[=:]/ { print "secret_access_key = " secret; keys++; next }
{ print }
END { exit ids < count || keys < count || !count }
"""
"""awk: the pair and the sections come as the first three lines of its input, then the configuration."""


@record
class Exchange:
    """`old` is replaced, in the sections of `use`, by a key with `grants`."""

    use: Use
    old: SpacesKey
    grants: tuple[KeyGrant, ...]


class LimitedKey:
    """model.Step: only where the API left the grants as they were. The old key is not deleted."""

    id = "limited-key"
    title = "Limited key"
    risk = Risk.CHANGES
    gated = True
    always = False
    explanation = (
        "Only where the API did not change the grants of the droplet's key: makes a new limited key with "
        "the same grants and the WAL buckets, waits until it works, and writes it into the sections of the "
        "production rclone configuration that used the old one. The secret goes in through the shell's "
        "standard input alone; the earlier file is kept, root's only. The old key stays, for others may "
        "use it."
    )

    def __init__(self, site: Site) -> None:
        self._site = site

    async def check(self) -> Check:
        """Done where no key is known whose grants cannot be changed."""
        if not self._site.unchangeable_keys:
            return Check(CheckState.DONE, "the droplet's own keys are enough")
        try:
            exchanges = await self._exchanges()
        except KeyServiceError as error:
            return Check(CheckState.BLOCKED, error.why, remedy=error.remedy)
        if not exchanges:
            return Check(CheckState.DONE, "the droplet uses keys that may write")
        names = ", ".join(one.old.name for one in exchanges)
        return Check(CheckState.NEEDED, f"the API did not change the grants of {names}: it takes a new key")

    async def plan(self) -> Plan:
        """The new keys' grants, and the file that changes, without its text."""
        rclone = (await self._site.survey()).rclone
        exchanges = await self._exchanges()
        change = FileChange(rclone.config, None, None, rclone.mode, rclone.owner, rclone.group, secret=True)
        notes = [f"{one.old.name}: {_grants_in_words(one.grants)}" for one in exchanges]
        return Plan(
            f"make a limited key for {' and '.join(r for one in exchanges for r in one.use.remotes)}"
            f" and write it into {rclone.config}",
            commands=tuple(command for one in exchanges for command in _by_hand(one, rclone.config)),
            files=(change,),
            notes=(*notes, "the old key is not deleted: others may use it"),
            undo="the earlier configuration is put back, and the new key deleted",
        )

    async def apply(self) -> AsyncIterator[Event]:
        """Raises KeyServiceError, ProvisionError; a new key that was not put in place is deleted again."""
        for one in await self._exchanges():
            async for event in self._exchange(one):
                yield event
        await self._site.survey(again=True)

    async def verify(self) -> AsyncIterator[Event]:
        """Raises ProvisionError where the droplet still uses a key that may not write."""
        check = await self.check()
        if check.state is not CheckState.DONE:
            raise ProvisionError("looking at the droplet's keys again", check.summary, check.remedy)
        yield Proved(check.summary)

    async def undo_plan(self, changes: tuple[Change, ...]) -> Plan | None:
        """The kept configuration back, then the key deleted."""
        files = [change for change in changes if change.kind is ChangeKind.FILE]
        keys = [change for change in changes if change.kind is ChangeKind.KEY]
        if not changes:
            return None
        return Plan(
            "put the earlier rclone configuration back and delete the new key",
            commands=tuple([await put_back_command(self._site, change) for change in files]),
            files=tuple(FileChange(change.what, None, None, secret=True) for change in files[-1:]),
            notes=tuple(f"deletes the key {change.what}" for change in keys),
        )

    async def undo(self, changes: tuple[Change, ...]) -> AsyncIterator[Event]:
        """Raises ProvisionError, KeyServiceError."""
        for change in changes:
            if change.kind is ChangeKind.FILE:
                async for event in put_back(self._site, change):
                    yield event
        service = await self._site.key_service()
        for change in changes:
            if change.kind is ChangeKind.KEY:
                await _delete_named(service, change.what)
                yield Printed(f"the key {change.what} is deleted")
        await self._site.survey(again=True)

    async def _exchanges(self) -> tuple[Exchange, ...]:
        uses = await Grants(self._site).uses()
        if isinstance(uses, Check):
            raise ProvisionError("finding out which keys the droplet uses", uses.summary, uses.remedy)
        keys = {key.access_key: key for key in await (await self._site.key_service()).keys()}
        found = []
        for use in uses:
            key = keys.get(use.access_key)
            if key is None or use.access_key not in self._site.unchangeable_keys:
                continue
            if not all(may_write(key.grants, bucket) for bucket in use.buckets):
                found.append(Exchange(use, key, with_readwrite(key.grants, use.buckets)))
        return tuple(found)

    async def _exchange(self, one: Exchange) -> AsyncIterator[Event]:
        site, config = self._site, (await self._site.survey()).rclone.config
        name = limited_name(site.profile.name, site.clock.now(), secrets.token_hex(4))
        noted = Change(self.id, ChangeKind.KEY, name, after=_grants_in_words(one.grants), at=site.clock.now())
        yield Changing(noted)
        placed = False
        try:
            made = await site.temporary.make(name, one.grants)
            yield Printed(f"made the key {name} ({made.key.access_key})")
            async for event in self._until_it_works(one, made):
                yield event
            kept = await keep(site, config)
            yield Changing(
                Change(
                    self.id,
                    ChangeKind.FILE,
                    config,
                    before=f"kept as {kept}",
                    after=f"[{'] and ['.join(one.use.remotes)}] with {name}",
                    kept=kept,
                    at=site.clock.now(),
                )
            )
            await site.temporary.keep(name)
            placed = True  # from here on it may be in the file: only undo takes it away
            yield Printed(f"writing the new key into [{'], ['.join(one.use.remotes)}] of {config}")
            await ask(
                site,
                exchange_script(config, one.use.remotes, made.pair),
                tried=f"writing the new key into {config} on the droplet",
            )
            yield Printed(f"{config}: {', '.join(one.use.remotes)} use {name}")
        finally:
            if not placed:
                await self._take_away(name)
                await asyncio.to_thread(site.record.undone, noted)

    async def _take_away(self, name: str) -> None:
        """Delete the key, if one was made. Raises TemporaryKeyError: then the record still has it."""
        try:
            await self._site.temporary.take_away(name)
        except TemporaryKeyError as error:
            remedy = f"`walconsole undo` deletes it too; {error.remedy}"
            raise TemporaryKeyError(error.tried, error.why, remedy) from None

    async def _until_it_works(self, one: Exchange, made: MadeKey) -> AsyncIterator[Event]:
        """Ask each bucket by the new key, so that the droplet is not given one that does not work yet."""
        began = self._site.clock.monotonic()
        for target in self._site.targets():
            if remote_of(target) not in one.use.remotes:
                continue
            while True:
                refusal = await self._refusal(target, made.pair)
                if refusal is None:
                    break
                waited = self._site.clock.monotonic() - began
                if refusal.meaning not in NOT_ACTIVE or waited > LONGEST_ACTIVATION_S:
                    raise refusal
                yield Waiting(
                    f"the new key does not work yet in {target.bucket}", waited, LONGEST_ACTIVATION_S
                )
                await self._site.sleep(_PAUSE_S)

    async def _refusal(self, target: BucketTarget, pair: KeyPair) -> ObjectStoreError | None:
        admin = self._site.admin(target, pair)
        try:
            await admin.head(target.bucket)
        except ObjectStoreError as error:
            return error
        finally:
            await admin.close()
        return None


def exchange_script(config: str, remotes: tuple[str, ...], pair: KeyPair) -> str:
    """Replace the pair in those sections in one step; a link of root's is followed, owner and mode stay.

    The secret is in the shell's own printf: in no argument list and no environment. Where a section lacks
    one of the two lines the file stays as it is.
    """
    names = "\t".join(remotes)
    return f"""{file_functions()}
printf '%s\\n' {quote(pair.access_key)} {quote(pair.secret)} {quote(names)} |
    rework {quote(config)} {quote(_EXCHANGE)} || {{
        status=$?
        [ "$status" != {NOT_MADE} ] ||
            echo "a section lacks access_key_id or secret_access_key: nothing was changed"
        exit 1
    }}
"""


async def _delete_named(service: KeyService, name: str) -> None:
    for key in await service.keys():
        if key.name == name:
            await service.delete(key.access_key)
            if await service.key(key.access_key) is not None:
                raise KeyServiceError(f"deleting the key {name}", "it is still there", "try again")


def _grants_in_words(grants: tuple[KeyGrant, ...]) -> str:
    return ", ".join(f"{grant.permission} on {grant.bucket}" for grant in grants)


def _by_hand(one: Exchange, config: str) -> tuple[Command, ...]:
    wanted = ",".join(f"bucket={grant.bucket};permission={grant.permission}" for grant in one.grants)
    return (
        Command(
            f"doctl spaces keys create {quote(one.old.name + '-wal')} --grants {quote(wanted)}",
            Where.HERE,
            "",
        ),
        Command(
            f"editor {quote(config)}  # access_key_id and secret_access_key of {', '.join(one.use.remotes)}"
        ),
    )
