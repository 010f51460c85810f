"""Which scopes a token has, found out without changing anything; whose the segments of a bucket are."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.data.provisioning import a_site
from tests.data.surveys import PROFILE, SURVEY, NoShell
from tests.unit.memory_bucket import MemoryBucket, refusal
from walconsole.domain.profile import BucketTarget
from walconsole.domain.store.access_keys import MadeKey, SpacesKey
from walconsole.domain.store.grants import KeyGrant
from walconsole.errors import KeyServiceError
from walconsole.ports import KeyService, ObjectStore
from walconsole.provision.droplet.survey import Survey
from walconsole.provision.engine.site import Site
from walconsole.provision.steps.key_and_bucket_look import look_at_bucket, look_at_keys
from walconsole.provision.steps.preflight_archive import Scope


@dataclass
class Account:
    """ports.KeyService of an account; `refuses` has the statuses that its calls fail with."""

    held: tuple[SpacesKey, ...] = ()
    refuses: dict[str, int | None] = field(default_factory=dict)
    calls: list[tuple[str, str]] = field(default_factory=list)

    def _asked(self, call: str, about: str = "") -> None:
        self.calls.append((call, about))
        if call in self.refuses:
            raise KeyServiceError(f"to {call}", "refused", status=self.refuses[call])

    async def keys(self) -> tuple[SpacesKey, ...]:
        self._asked("list")
        return self.held

    async def key(self, access_key: str) -> SpacesKey | None:
        self._asked("get", access_key)
        return None

    async def create(self, name: str, grants: Sequence[KeyGrant]) -> MadeKey:
        raise AssertionError("looking makes no key")

    async def replace_grants(self, key: SpacesKey, grants: Sequence[KeyGrant]) -> SpacesKey:
        self._asked("update", key.access_key)
        raise KeyServiceError("to update", "there is no such key", status=404)

    async def delete(self, access_key: str) -> None:
        self._asked("delete", access_key)


def site_with(account: Account | None = None, bucket: MemoryBucket | None = None) -> Site:
    async def service() -> KeyService:
        if account is None:
            raise KeyServiceError("looking for a token", "there is none", "export one")
        return account

    def store(target: BucketTarget) -> ObjectStore:
        assert bucket is not None
        return bucket

    async def look(site: Site) -> Survey:
        return SURVEY

    return a_site(PROFILE, NoShell(), look, key_service=service, store=store)


PROD = SpacesKey("prod", "DO00PROD", (), "")


async def test_looking_asks_for_the_list_and_for_nothing_else() -> None:
    account = Account(held=(PROD,))
    facts = await look_at_keys(site_with(account))
    assert facts.keys == (PROD,)
    assert facts.scopes == {Scope.READ: True}
    assert account.calls == [("list", "")]


async def test_the_scope_to_list_is_missing() -> None:
    facts = await look_at_keys(site_with(Account(held=(PROD,), refuses={"list": 403})))
    assert facts.scopes == {Scope.READ: False}
    assert (facts.problem, facts.keys) == ("", None)


async def test_no_token_and_no_answer() -> None:
    none = await look_at_keys(site_with())
    assert (none.problem, none.remedy, none.keys) == ("there is none", "export one", None)
    silent = await look_at_keys(site_with(Account(refuses={"list": None})))
    assert "refused" in silent.problem
    assert silent.scopes == {}


async def test_what_is_compressed_is_not_read_without_the_means() -> None:
    bucket = MemoryBucket(["000000010000000000000001.zst", "notes"])
    bucket.contents["000000010000000000000001.zst"] = b"\x28\xb5\x2f\xfd" + b"\0" * 60
    look = await look_at_bucket(site_with(bucket=bucket), PROFILE.primary)
    assert (look.objects, look.segments, look.systems) == (2, 1, frozenset())
    assert "000000010000000000000001.zst" in look.unread


async def test_a_bucket_that_refuses() -> None:
    bucket = MemoryBucket()
    bucket.failures.append(refusal("AccessDenied"))
    look = await look_at_bucket(site_with(bucket=bucket), PROFILE.primary)
    assert (look.code, look.objects) == ("AccessDenied", 0)
