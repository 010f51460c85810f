"""The temporary full-access key: got for what only such a key may do, and taken away at once."""

import logging
import secrets
from collections.abc import AsyncIterator

from walconsole.domain.store.access_keys import KeyPair
from walconsole.domain.store.answers import NOT_ACTIVE
from walconsole.domain.store.temporary_keys import PREFIX
from walconsole.errors import BlockedError, KeyServiceError, ObjectStoreError, ProvisionError
from walconsole.provision.engine.model import (
    Change,
    Check,
    CheckState,
    Command,
    Event,
    Fact,
    FactState,
    Plan,
    Printed,
    Proved,
    Risk,
    Waiting,
    Where,
)
from walconsole.provision.engine.not_undone import NotUndone
from walconsole.provision.engine.site import Site
from walconsole.provision.steps.bucket_state import BucketState, Standing, bucket_states

_log = logging.getLogger(__name__)

LONGEST_ACTIVATION_S = 90.0
_PAUSE_S = 1.0
_FORBIDDEN = 403
_BY_HAND = "cloud.digitalocean.com/spaces/access_keys"
_LISTING = "doctl spaces keys list --format Name,AccessKey --no-header"


def by_hand_name(profile: str) -> str:
    """What such a key is called where somebody makes it by hand: the next start finds it by its prefix."""
    return f"{PREFIX}{profile}-by-hand"


class TemporaryKeyStep:
    """model.Step: a full-access key of the session's, which is deleted whatever becomes of the session."""

    id = "temporary-key"
    title = "Temporary key"
    risk = Risk.ADDS
    gated = True
    always = False
    explanation = (
        "Only a full-access key can make buckets, and none should lie about. This asks DigitalOcean for "
        f"one under a name that begins with {PREFIX}, writes that name to a ledger on this machine before "
        "it asks, and waits until the key works. Its secret stays in this program's memory: in no "
        "argument, file or log. It is deleted as soon as the buckets stand, and by every way out of this "
        "program; should that fail, the next start finds it in the ledger and offers to delete it. Where the "
        "API does not tell whether it made one, it is looked for by that name for an hour."
    )

    def __init__(self, site: Site) -> None:
        self._site = site

    async def check(self) -> Check:
        """Needed where a bucket is to be made, or where it is to be found out whose one is.

        Blocked where one cannot be looked at, as the buckets themselves are.
        """
        if self._site.temporary.pair is not None:
            return Check(CheckState.DONE, f"{self._site.temporary.name} is there")
        states = await bucket_states(self._site)
        facts = tuple(_fact(state) for state in states)
        wanting = [state for state in states if state.standing in (Standing.MISSING, Standing.REFUSED)]
        if not wanting:
            return Check(CheckState.DONE, "not needed: no bucket is to be made", facts)
        away = next((state for state in states if state.standing is Standing.UNREACHABLE), None)
        if away is not None:  # then the buckets are not made either: no such key for nothing
            return Check(CheckState.BLOCKED, away.why, facts, away.remedy)
        try:
            await self._site.key_service()
        except KeyServiceError as error:
            return Check(CheckState.BLOCKED, error.why, facts, error.remedy)
        return Check(CheckState.NEEDED, "; ".join(state.why for state in wanting), facts)

    async def plan(self) -> Plan:
        """What is asked for, and how long it lives."""
        name = by_hand_name(self._site.profile.name)
        return Plan(
            f"make a full-access key {PREFIX}{self._site.profile.name}-TIME-RANDOM, for as long as it takes "
            "to make the buckets",
            commands=(
                Command(
                    f"doctl spaces keys create {name} --grants 'bucket=;permission=fullaccess'",
                    Where.HERE,
                    "",
                ),
            ),
            notes=(
                "its name is written to a ledger on this machine before it is asked for",
                "its secret stays in memory, and it is deleted by every way out of this program",
            ),
            undo="it is deleted two steps on",
        )

    async def apply(self) -> AsyncIterator[Event]:
        """Raises KeyServiceError, RegisterError, TemporaryKeyError; ProvisionError where it does not work."""
        await self._may_delete()
        yield Printed("asking for the key; its name is in the ledger first")
        pair = await self._site.temporary.obtain()
        yield Printed(f"{self._site.temporary.name} is made; it may take a while to work")
        async for event in self._until_it_works(pair):
            yield event

    async def verify(self) -> AsyncIterator[Event]:
        """Raises ObjectStoreError where the key does not work."""
        pair = self._site.temporary.pair
        if pair is None:
            raise ProvisionError("using the temporary key", "there is none", "run this step again")
        buckets = await self._buckets(pair)
        yield Proved(f"{self._site.temporary.name} works: it sees {len(buckets)} buckets")

    async def undo_plan(self, changes: tuple[Change, ...]) -> Plan | None:
        """It is never left for that."""
        return None

    async def undo(self, changes: tuple[Change, ...]) -> AsyncIterator[Event]:
        """Take it away, where there is one."""
        await self._site.temporary.dispose()
        yield Printed("there is no temporary key")

    async def _may_delete(self) -> None:
        """Try it on a key that does not exist. Raises BlockedError where the token lacks the scope.

        Only a write can tell, and so no check may try it.
        """
        service = await self._site.key_service()
        try:
            await service.delete(f"DO00{secrets.token_hex(8).upper()}")
        except KeyServiceError as error:
            if error.status == _FORBIDDEN:
                why = "the token may make one and not delete it: it would stay alive"
                remedy = "make a token that has the scope spaces_key:delete"
                raise BlockedError(self.title, why, remedy) from None
            _log.info("whether the token may delete keys is not known: %s", error.line())

    async def _until_it_works(self, pair: KeyPair) -> AsyncIterator[Event]:
        clock = self._site.clock
        began = clock.monotonic()
        while True:
            try:
                await self._buckets(pair)
            except ObjectStoreError as error:
                waited = clock.monotonic() - began
                if error.meaning not in NOT_ACTIVE or waited > LONGEST_ACTIVATION_S:
                    raise
                yield Waiting("the store does not know the key yet", waited, LONGEST_ACTIVATION_S)
            else:
                yield Proved(f"the key works after {clock.monotonic() - began:.1f} s")
                return
            await self._site.sleep(_PAUSE_S)

    async def _buckets(self, pair: KeyPair) -> set[str]:
        """What the key sees in each region: it may begin to work in one sooner than in the other."""
        seen: set[str] = set()
        for target in self._site.targets():
            admin = self._site.admin(target, pair)
            try:
                seen.update(await admin.buckets())
            finally:
                await admin.close()
        return seen


class DeleteTemporaryKey(NotUndone):
    """model.Step that is run whatever happened: nobody is asked whether a full-access key shall stay."""

    id = "delete-temporary-key"
    title = "Delete the temporary key"
    risk = Risk.READS
    gated = False
    always = True
    explanation = (
        "Deletes the temporary full-access key and reads back that it is gone: the API does not list it "
        "and does not know its id, and the store refuses it. Nobody is asked: it is this program's own "
        "key. Where the API does not answer it is tried again for 25 seconds, and then the key's name "
        "stays in the ledger."
    )

    def __init__(self, site: Site) -> None:
        self._site = site
        self._pair: KeyPair | None = None
        self._name = ""

    async def check(self) -> Check:
        """Needed where this session has a key, or will have one."""
        if self._site.temporary.name:
            return Check(CheckState.NEEDED, f"{self._site.temporary.name} is alive")
        if self._site.temporary.left:  # in doubt: it is looked for beside the steps, and said at the end
            fact = Fact("in doubt", self._site.temporary.left, FactState.WARNING)
            return Check(CheckState.DONE, "none is known to be alive, one may yet appear", (fact,))
        return Check(CheckState.DONE, "there is no temporary key")

    async def plan(self) -> Plan:
        """By hand it is two commands."""
        name = f'"{self._site.temporary.name or by_hand_name(self._site.profile.name)}"'
        return Plan(
            f"delete {self._site.temporary.name or 'the temporary key'}, and read back that it is gone",
            commands=(
                Command(f"key=$({_LISTING} | awk '$1 == {name} {{ print $2 }}')", Where.HERE, ""),
                Command('doctl spaces keys delete "$key"', Where.HERE, ""),
            ),
            notes=(f"or in the browser: {_BY_HAND}",),
        )

    async def apply(self) -> AsyncIterator[Event]:
        """Raises TemporaryKeyError where it may still be alive."""
        self._pair, self._name = self._site.temporary.pair, self._site.temporary.name
        yield Printed(f"deleting {self._name}")
        await self._site.temporary.dispose()
        yield Proved(f"the API neither lists {self._name} nor knows its id")

    async def verify(self) -> AsyncIterator[Event]:
        """The store refuses it too. Raises ProvisionError where it does not after 90 s."""
        pair, self._pair = self._pair, None
        if pair is None:
            yield Proved("there is no temporary key")
            return
        began = self._site.clock.monotonic()
        while not await self._is_refused(pair):
            waited = self._site.clock.monotonic() - began
            if waited > LONGEST_ACTIVATION_S:
                raise ProvisionError(
                    f"using the deleted key {self._name}",
                    "the store still takes it",
                    f"look at {_BY_HAND}, and tell DigitalOcean where it is not listed there",
                )
            yield Waiting("the store still takes the deleted key", waited, LONGEST_ACTIVATION_S)
            await self._site.sleep(_PAUSE_S)
        yield Proved("the store refuses it")

    async def _is_refused(self, pair: KeyPair) -> bool:
        admin = self._site.admin(self._site.profile.primary, pair)
        try:
            await admin.buckets()
        except ObjectStoreError as error:
            if error.meaning not in NOT_ACTIVE:
                raise
            return True
        finally:
            await admin.close()
        return False


def _fact(state: BucketState) -> Fact:
    return Fact(state.target.role.value, state.why, remedy=state.remedy)
