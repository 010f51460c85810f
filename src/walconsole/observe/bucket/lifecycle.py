"""What a bucket does by itself: the rules of its lifecycle."""

from collections.abc import Sequence

from walconsole.domain.facts.evidence import PolicyFacts
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.profile import BucketRole, BucketTarget
from walconsole.domain.redaction import safe
from walconsole.domain.store.answers import Meaning
from walconsole.errors import ObjectStoreError
from walconsole.observe.poller.probe import Fact
from walconsole.ports import Clock, LifecycleStore

_NOT_ALLOWED = frozenset({Meaning.NO_PERMISSION, Meaning.REFUSED})


class PolicyProbe:
    """Fills `policy` or `dr_policy`, rarely: it changes when somebody changes it."""

    cadence_s = 300.0
    timeout_s = 20.0

    def __init__(self, target: BucketTarget, store: LifecycleStore, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self.slots = (Snapshot.policy if target.role is BucketRole.PRIMARY else Snapshot.dr_policy,)
        self.name = f"{'what deletes in' if target.folder else 'S3 lifecycle of'} {target.bucket}"

    async def take(self) -> Sequence[Fact]:
        """One request. A key that may not ask is said in `missing`. Raises errors.ObjectStoreError."""
        try:
            facts = PolicyFacts(await self._store.lifecycle())
        except ObjectStoreError as error:
            if error.meaning is Meaning.UNSUPPORTED:
                facts = PolicyFacts(supported=False)
            elif error.meaning in _NOT_ALLOWED:
                facts = PolicyFacts(missing=(safe(f"the bucket's lifecycle rules: {error.why}"),))
            else:
                raise
        return [Fact(self.slots[0], facts, self._clock.now(), self.name)]
