"""sandbox.keys and sandbox.s3_operations: the rules of keys, and what a request asks for."""

import pytest

from walconsole.sandbox.keys_api.keys import FULL_ACCESS_GRANT, LIMIT, Grant, KeyRefusedError, KeyStore
from walconsole.sandbox.spaces.request import ALLOWED, Operation, classify, parse

READ, WRITE = Grant("b", "read"), Grant("b", "readwrite")


class Clock:
    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


def test_a_key_works_after_its_activation_and_looks_unknown_before() -> None:
    clock = Clock()
    store = KeyStore(activation_s=30, clock=clock)
    key = store.create("k", [WRITE])
    assert store.get(key.access_key) is key
    assert store.active(key.access_key) is None
    clock.now += 30
    assert store.active(key.access_key) is key
    assert key.grants_at(clock.now) == (WRITE,)


def test_changed_grants_work_after_a_while_and_the_old_ones_until_then() -> None:
    clock = Clock()
    store = KeyStore(clock=clock)
    key = store.create("k", [READ])
    store.activation_s = 30
    store.replace(key, "k", [WRITE, Grant("c", "read")])
    assert key.grants == (WRITE, Grant("c", "read"))
    assert key.grants_at(clock.now + 29) == (READ,)
    assert key.grants_at(clock.now + 30) == key.grants


def test_replacing_grants_keeps_none_of_the_old() -> None:
    store = KeyStore()
    key = store.create("k", [READ, Grant("c", "readwrite")])
    store.replace(key, "renamed", [WRITE])
    assert (key.name, key.grants) == ("renamed", (WRITE,))


@pytest.mark.parametrize(
    "grants",
    [
        [FULL_ACCESS_GRANT, READ],
        [Grant("b", "fullaccess")],
        [Grant("", "read")],
        [Grant("b", "write")],
    ],
)
def test_grants_that_break_a_rule_are_refused(grants: list[Grant]) -> None:
    with pytest.raises(KeyRefusedError):
        KeyStore().create("k", grants)


@pytest.mark.parametrize(("old", "new"), [([FULL_ACCESS_GRANT], [READ]), ([READ], [FULL_ACCESS_GRANT])])
def test_full_access_is_not_converted(old: list[Grant], new: list[Grant]) -> None:
    store = KeyStore()
    key = store.create("k", old)
    with pytest.raises(KeyRefusedError, match="cannot convert"):
        store.replace(key, "k", new)
    assert key.grants == tuple(old)


def test_two_keys_may_bear_one_name_and_there_is_a_limit() -> None:
    store = KeyStore()
    keys = [store.create("same", []) for _ in range(LIMIT)]
    assert len({key.access_key for key in keys}) == LIMIT
    with pytest.raises(KeyRefusedError, match=str(LIMIT)):
        store.create("one more", [])
    store.delete(keys[0])
    assert store.active(keys[0].access_key) is None
    store.create("now there is room", [])


def test_a_keys_text_does_not_show_its_secret() -> None:
    key = KeyStore().create("k", [READ])
    assert key.secret not in repr(key)


@pytest.mark.parametrize(
    ("method", "target", "operation"),
    [
        ("GET", "/", Operation.LIST_BUCKETS),
        ("PUT", "/", Operation.UNKNOWN),
        ("HEAD", "/b", Operation.HEAD_BUCKET),
        ("HEAD", "/b/", Operation.HEAD_BUCKET),
        ("GET", "/b?list-type=2", Operation.LIST_OBJECTS),
        ("GET", "/b?prefix=location", Operation.LIST_OBJECTS),
        ("GET", "/b?location", Operation.BUCKET_SETTING),
        ("GET", "/b?lifecycle=", Operation.BUCKET_SETTING),
        ("PUT", "/b?versioning", Operation.BUCKET_SETTING),
        ("GET", "/b?policy", Operation.BUCKET_SETTING),
        ("GET", "/b?uploads", Operation.LIST_UPLOADS),
        ("PUT", "/b", Operation.CREATE_BUCKET),
        ("DELETE", "/b", Operation.DELETE_BUCKET),
        ("POST", "/b?delete", Operation.DELETE_OBJECT),
        ("PUT", "/b/k", Operation.PUT_OBJECT),
        ("POST", "/b/k?uploads", Operation.PUT_OBJECT),
        ("GET", "/b/k", Operation.GET_OBJECT),
        ("HEAD", "/b/k", Operation.GET_OBJECT),
        ("DELETE", "/b/k", Operation.DELETE_OBJECT),
        ("OPTIONS", "/b/k", Operation.UNKNOWN),
    ],
)
def test_what_a_request_asks_for(method: str, target: str, operation: Operation) -> None:
    assert classify(method, parse(target)) is operation


def test_a_read_grant_writes_nothing() -> None:
    assert ALLOWED["read"] < ALLOWED["readwrite"]
    assert not ALLOWED["read"] & {Operation.PUT_OBJECT, Operation.DELETE_OBJECT}
