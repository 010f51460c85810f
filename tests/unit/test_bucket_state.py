"""Whether a bucket is there and whose it is: from what the store, the record and the account's keys say."""

from dataclasses import replace
from typing import Any

import pytest

from tests.data.provisioning import GivenKey, MemoryRecord, a_profile, a_site
from tests.unit.memory_bucket import MemoryBucket
from walconsole.domain.profile import BucketTarget
from walconsole.domain.round_trips import Page
from walconsole.domain.store.access_keys import KeyPair, SpacesKey
from walconsole.domain.store.grants import KeyGrant
from walconsole.errors import KeyServiceError, ObjectStoreError, ProvisionError
from walconsole.ports import KeyService
from walconsole.provision.droplet.survey import Survey
from walconsole.provision.engine.model import Change, ChangeKind, CheckState
from walconsole.provision.engine.site import Site
from walconsole.provision.steps.bucket_state import (
    MADE,
    BucketState,
    Standing,
    bucket_name,
    bucket_states,
)
from walconsole.provision.steps.buckets import Buckets
from walconsole.provision.steps.temporary_key import TemporaryKeyStep

PROFILE = a_profile()
PRIMARY, DR = PROFILE.primary, PROFILE.dr
OTHER_REGION = replace(PRIMARY, endpoint="https://fra1.digitaloceanspaces.com")


class Store(MemoryBucket):
    """A bucket whose listing is refused with `code`; empty: it is listed."""

    def __init__(self, code: str) -> None:
        super().__init__()
        self.code = code

    async def page(self, *arguments: Any, **named: Any) -> Page:
        if self.code:
            raise ObjectStoreError("listing", f"why {self.code}", f"remedy {self.code}", code=self.code)
        return await super().page(*arguments, **named)


class Keys:
    """The listing of a KeyService."""

    def __init__(self, *keys: SpacesKey) -> None:
        self.listed, self.asked = keys, 0

    async def keys(self) -> tuple[SpacesKey, ...]:
        self.asked += 1
        return self.listed


def a_key(*grants: tuple[str, str]) -> SpacesKey:
    return SpacesKey("app", "DO00APP", tuple(KeyGrant(*grant) for grant in grants), "")


def change(target: BucketTarget, after: str = MADE, kind: ChangeKind = ChangeKind.BUCKET) -> Change:
    return Change("buckets", kind, bucket_name(target), after=after)


async def _no_look(_: Site) -> Survey:
    raise AssertionError("the droplet is not looked at")


def site(primary: str, dr: str = "", *changes: Change, keys: Keys | None = None) -> Site:
    codes = {PRIMARY.bucket: primary, DR.bucket: dr}

    async def service() -> KeyService:
        if keys is None:
            raise KeyServiceError("looking for the token", "there is none", "export DIGITALOCEAN_TOKEN")
        return keys  # type: ignore[return-value]  # its listing alone is used

    return a_site(
        PROFILE,
        None,  # type: ignore[arg-type]  # no shell is used
        _no_look,
        record=MemoryRecord(list(changes)),
        key_service=service,
        store=lambda target: Store(codes[target.bucket]),
    )


async def primary_of(made: Site) -> BucketState:
    state, dr = await bucket_states(made)
    assert dr.standing is Standing.OURS
    return state


async def test_what_can_be_listed_is_ours() -> None:
    state = await primary_of(site(""))
    assert (state.standing, state.readable) == (Standing.OURS, True)


@pytest.mark.parametrize("changes", [(), (change(PRIMARY),)])
async def test_what_is_nowhere_is_missing_whatever_the_record_says(changes: tuple[Change, ...]) -> None:
    keys = Keys(a_key((PRIMARY.bucket, "readwrite")))
    state = await primary_of(site("NoSuchBucket", "", *changes, keys=keys))
    assert (state.standing, state.readable) == (Standing.MISSING, False)
    assert keys.asked == 0


@pytest.mark.parametrize(
    "code",
    [
        "InvalidAccessKeyId", "SignatureDoesNotMatch", "RequestTimeTooSkewed", "PermanentRedirect",
        "InvalidBucketName", "SlowDown", "Unreachable", "NotS3", "Endpoint", "NoKeys",
    ],
)  # fmt: skip
async def test_what_cannot_be_told_is_never_made(code: str) -> None:
    """Not even where the account's own keys speak for it: the profile must be put right first."""
    made = site(code, "", change(PRIMARY), keys=Keys(a_key((PRIMARY.bucket, "readwrite"))))
    state = await primary_of(made)
    assert (state.standing, state.why) == (Standing.UNREACHABLE, f"why {code}")
    check = await Buckets(made).check()
    assert (check.state, check.summary, check.remedy) == (
        CheckState.BLOCKED, f"why {code}", f"remedy {code}",
    )  # fmt: skip


@pytest.mark.parametrize("code", ["AccessDenied", "AllAccessDisabled"])
@pytest.mark.parametrize(
    ("changes", "keys", "standing", "told"),
    [
        ((change(PRIMARY),), None, Standing.OURS, "was made from here"),
        ((change(PRIMARY, "asked for"),), Keys(), Standing.REFUSED, "no key of this account"),
        ((change(OTHER_REGION),), Keys(), Standing.REFUSED, "no key of this account"),
        ((change(DR),), Keys(), Standing.REFUSED, "no key of this account"),
        ((change(PRIMARY, kind=ChangeKind.FILE),), Keys(), Standing.REFUSED, "no key of this account"),
        ((), Keys(a_key((PRIMARY.bucket, "read"))), Standing.OURS, "its key app has a grant on it"),
        ((), Keys(a_key(), a_key((PRIMARY.bucket, "read"))), Standing.OURS, "its key app has a grant on it"),
        ((), Keys(a_key((DR.bucket, "readwrite"))), Standing.REFUSED, "no key of this account"),
        ((), Keys(a_key((PRIMARY.bucket + "-old", "read"))), Standing.REFUSED, "no key of this account"),
        ((), Keys(a_key(("", "fullaccess"))), Standing.REFUSED, "no key of this account"),
        ((), None, Standing.REFUSED, "there is none"),
    ],
)
async def test_whose_it_is_where_the_key_may_not_look(
    code: str, changes: tuple[Change, ...], keys: Keys | None, standing: Standing, told: str
) -> None:
    made = site(code, "", *changes, keys=keys)
    state = await primary_of(made)
    assert (state.standing, state.readable) == (standing, False)
    assert told in state.why
    assert (await Buckets(made).check()).state is (
        CheckState.DONE if standing is Standing.OURS else CheckState.NEEDED
    )


async def test_one_copy_that_cannot_be_looked_at_blocks_both() -> None:
    check = await Buckets(site("NoSuchBucket", "Unreachable")).check()
    assert (check.state, check.summary) == (CheckState.BLOCKED, "why Unreachable")
    assert [fact.label for fact in check.facts] == ["primary", "dr"]


async def test_no_key_is_asked_for_where_no_bucket_can_be_made() -> None:
    """Without a token the step says so before anything; with a bucket that is away it need not be asked."""
    step = TemporaryKeyStep(site("NoSuchBucket"))
    check = await step.check()
    assert (check.state, check.remedy) == (CheckState.BLOCKED, "export DIGITALOCEAN_TOKEN")
    assert (await TemporaryKeyStep(site("", "")).check()).state is CheckState.DONE
    alive = site("NoSuchBucket")
    alive.temporary = GivenKey(KeyPair("DO00T", "s"), "walconsole-temp-x")
    assert (await TemporaryKeyStep(alive).check()).state is CheckState.DONE


async def test_the_step_without_its_key_says_to_run_all() -> None:
    with pytest.raises(ProvisionError, match="no temporary key") as caught:
        async for _ in Buckets(site("NoSuchBucket")).apply():
            pass
    assert caught.value.remedy == "run all steps again"


async def test_a_temporary_key_is_not_asked_for_where_buckets_are_blocked() -> None:
    """One is missing, the other's region does not answer: no full-access key comes into being for nothing."""
    made = site("NoSuchBucket", "Unreachable", keys=Keys())
    check = await TemporaryKeyStep(made).check()
    assert check.state is CheckState.BLOCKED
    assert check.summary == "why Unreachable"
