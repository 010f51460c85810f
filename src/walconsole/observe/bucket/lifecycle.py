"""What the primary bucket does by itself: the rules of its lifecycle that delete."""

from collections.abc import Sequence

from walconsole.domain.facts.evidence import PolicyFacts
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.redaction import safe
from walconsole.domain.store.answers import Meaning
from walconsole.errors import ObjectStoreError
from walconsole.observe.poller.probe import Fact
from walconsole.ports import Clock, LifecycleStore

_NOT_ALLOWED = frozenset({Meaning.NO_PERMISSION, Meaning.REFUSED, Meaning.UNSUPPORTED})


class PolicyProbe:
    """Fills POLICY, rarely: it changes when somebody changes it."""

    slots = (Snapshot.policy,)
    cadence_s = 300.0
    timeout_s = 20.0

    def __init__(self, bucket: str, store: LifecycleStore, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self.name = f"S3 lifecycle of {bucket}"

    async def take(self) -> Sequence[Fact]:
        """One request. A key that may not ask is said in `missing`. Raises errors.ObjectStoreError."""
        try:
            facts = PolicyFacts(await self._store.lifecycle())
        except ObjectStoreError as error:
            if error.meaning not in _NOT_ALLOWED:
                raise
            facts = PolicyFacts(missing=(safe(f"the bucket's lifecycle rules: {error.why}"),))
        return [Fact(Snapshot.policy, facts, self._clock.now(), self.name)]
