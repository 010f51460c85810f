"""The buckets: made in their regions by the temporary key, and never deleted again."""

import asyncio
from collections.abc import AsyncIterator

from walconsole.domain.profile import BucketTarget
from walconsole.domain.store.access_keys import KeyPair
from walconsole.errors import ObjectStoreError, ProvisionError
from walconsole.provision.engine.model import (
    Change,
    ChangeKind,
    Changing,
    Check,
    CheckState,
    Command,
    Event,
    Fact,
    FactState,
    Plan,
    Printed,
    Proved,
    Ran,
    Risk,
    Where,
)
from walconsole.provision.engine.site import Site
from walconsole.provision.steps.bucket_state import MADE, BucketState, Standing, bucket_name, bucket_states

_STATES = {
    Standing.OURS: FactState.OK,
    Standing.MISSING: FactState.NOTE,
    Standing.REFUSED: FactState.UNKNOWN,
    Standing.UNREACHABLE: FactState.STOP,
}
_PRICE = "a subscription of Spaces covers 250 GiB in all buckets (5 USD a month), each GiB more is 0.02 USD"


class Buckets:
    """model.Step: each copy's bucket is there, in its region, and belongs to this account."""

    id = "buckets"
    title = "Buckets"
    risk = Risk.ADDS
    gated = True
    always = False
    explanation = (
        "Makes the bucket of each copy in its own region, with the temporary key. One that is there and "
        "this account's is left alone, with everything in it. A name that someone else has, or that a "
        "bucket had which is still being destroyed (Spaces keeps a name for about a week), is an error "
        "that says so. No step, and no undo, ever deletes a bucket or an object of the archive."
    )

    def __init__(self, site: Site) -> None:
        self._site = site

    async def check(self) -> Check:
        """Done where each is ours; blocked where one cannot be looked at."""
        states = await bucket_states(self._site)
        facts = tuple(_fact(state) for state in states)
        away = next((state for state in states if state.standing is Standing.UNREACHABLE), None)
        if away is not None:
            return Check(CheckState.BLOCKED, away.why, facts, away.remedy)
        wanting = [state for state in states if state.standing is not Standing.OURS]
        if not wanting:
            return Check(CheckState.DONE, "; ".join(state.why for state in states), facts)
        return Check(CheckState.NEEDED, "; ".join(state.why for state in wanting), facts)

    async def plan(self) -> Plan:
        """What would be made, where, and what it costs."""
        wanting = await self._wanting()
        names = ", ".join(f"{one.bucket} in {one.region}" for one in wanting)
        return Plan(
            f"make {names}",
            commands=tuple(_command(target) for target in wanting),
            notes=("a bucket that turns out to be this account's already is left as it is",),
            cost=_PRICE,
            undo="a bucket is never deleted from here: an empty one can be at cloud.digitalocean.com/spaces",
        )

    async def apply(self) -> AsyncIterator[Event]:
        """Raises ObjectStoreError where the store refuses, ProvisionError where there is no temporary key."""
        pair = self._site.temporary.pair
        if pair is None:
            raise ProvisionError("making the buckets", "there is no temporary key", "run all steps again")
        for target in await self._wanting():
            async for event in self._make(target, pair):
                yield event

    async def verify(self) -> AsyncIterator[Event]:
        """By the temporary key where there is one: the droplet's has no grant yet. Raises ProvisionError."""
        pair = self._site.temporary.pair
        for target in self._site.targets():
            if pair is not None:
                await self._found(target, pair)
                yield Proved(f"{target.bucket} is there, at {target.endpoint}")
        if pair is None:
            for state in await bucket_states(self._site):
                if state.standing is not Standing.OURS:
                    raise ProvisionError(f"looking at bucket {state.target.bucket}", state.why, state.remedy)
                yield Proved(state.why)

    async def undo_plan(self, changes: tuple[Change, ...]) -> Plan | None:
        """A bucket is never deleted."""
        return None

    async def undo(self, changes: tuple[Change, ...]) -> AsyncIterator[Event]:
        """A bucket is never deleted."""
        for change in changes:
            yield Printed(f"{change.what} stays: a bucket is never deleted")

    async def _wanting(self) -> list[BucketTarget]:
        states = await bucket_states(self._site)
        return [state.target for state in states if state.standing is not Standing.OURS]

    async def _make(self, target: BucketTarget, pair: KeyPair) -> AsyncIterator[Event]:
        admin = self._site.admin(target, pair)
        try:
            if target.bucket in await admin.buckets():
                yield Printed(f"{target.bucket} is this account's already")
                yield Changing(self._change(target, before="there", after=MADE))
                return
            asked = self._change(target, before="not there", after="asked for")
            yield Changing(asked)
            yield Ran(_command(target))
            try:
                await admin.create(target.bucket)
            except ObjectStoreError:
                await asyncio.to_thread(self._site.record.undone, asked)
                raise
            yield Changing(self._change(target, before="not there", after=MADE))
            await asyncio.to_thread(self._site.record.undone, asked)  # it is one change, told once
            yield Printed(f"{target.bucket} is made in {target.region}")
        finally:
            await admin.close()

    async def _found(self, target: BucketTarget, pair: KeyPair) -> None:
        admin = self._site.admin(target, pair)
        try:
            await admin.head(target.bucket)
        finally:
            await admin.close()

    def _change(self, target: BucketTarget, *, before: str, after: str) -> Change:
        return Change(
            self.id,
            ChangeKind.BUCKET,
            bucket_name(target),
            before=before,
            after=after,
            at=self._site.clock.now(),
        )


def _fact(state: BucketState) -> Fact:
    return Fact(state.target.role.value, state.why, _STATES[state.standing], state.remedy)


def _command(target: BucketTarget) -> Command:
    text = f"aws s3api create-bucket --bucket {target.bucket} --endpoint-url {target.endpoint}"
    return Command(text, Where.HERE, "")
