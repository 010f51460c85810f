"""What is asked for again, when, and what is not."""

import asyncio
import time
from email.utils import formatdate

import pytest

from tests.integration.scripted_store import GOOD, LISTING, Cut, answer, error, failure, scripted
from walconsole.adapters.s3 import store as spaces
from walconsole.adapters.s3 import throttle as spaces_throttle
from walconsole.errors import ObjectStoreError

SLOW_DOWN = error("503 Slow Down", "SlowDown")
NOT_WHOLE = answer("200 OK", LISTING[:-30])
"""As long as its Content-Length says, and no whole document."""


@pytest.fixture
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spaces, "_BACKOFF_S", 0.001)


@pytest.mark.usefixtures("_at_once")
@pytest.mark.parametrize(
    "broken",
    [
        Cut(GOOD[:-20]),
        Cut(GOOD[:15]),
        None,
        error("500 Internal Server Error", "InternalError"),
        answer("502 Bad Gateway", b"<html/>"),
        SLOW_DOWN,
        error("503 Service Unavailable", "XVendorSurprise"),
        error("403 Forbidden", "RequestRateLimitExceeded"),  # Wasabi's
        answer("429 Too Many Requests"),
    ],
)
async def test_a_page_that_did_not_come_is_asked_for_again(broken: object) -> None:
    for before in ([], [GOOD]):
        async with scripted(*before, *[broken] * (spaces.ATTEMPTS - 1), GOOD) as (store, script):
            for _ in (*before, None):
                assert list((await store.page()).objects.keys) == ["a"]
            assert len(script.requests) >= len(before) + spaces.ATTEMPTS - 1
            assert len(set(script.requests[-3:])) <= 2  # the same request, signed anew


@pytest.mark.usefixtures("_at_once")
@pytest.mark.parametrize(
    "garbled",
    [
        NOT_WHOLE,
        answer("200 OK", b"<html>log in to this network</html>"),
        answer("200 OK", LISTING.replace(b"<Key>a</Key>", b"")),
        answer("200 OK"),
    ],
)
async def test_a_garbled_page_is_asked_for_again_where_a_store_has_answered_before(garbled: bytes) -> None:
    async with scripted(GOOD, garbled, garbled, GOOD) as (store, script):
        await store.page()
        assert list((await store.page()).objects.keys) == ["a"]
        assert len(script.requests) == 4
    async with scripted(garbled, GOOD) as (store, script):
        with pytest.raises(ObjectStoreError, match="cannot be read"):
            await store.page()  # a wrong endpoint is told at once
        assert len(script.requests) == 1


@pytest.mark.usefixtures("_at_once")
@pytest.mark.parametrize(
    ("broken", "code"),
    [(Cut(GOOD[:-20]), "Unreachable"), (NOT_WHOLE, "NotS3"), (SLOW_DOWN, "SlowDown")],
)
async def test_what_stays_broken_is_said_after_a_few_attempts(broken: bytes, code: str) -> None:
    async with scripted(GOOD, *[broken] * spaces.ATTEMPTS, GOOD) as (store, script):
        await store.page()
        with pytest.raises(ObjectStoreError) as caught:
            await store.page()
        assert caught.value.code == code
        assert len(script.requests) in (1 + spaces.ATTEMPTS, 2 + spaces.ATTEMPTS)  # a kept connection first
        assert (await store.page()).objects


@pytest.mark.parametrize(
    "refused",
    [
        error("403 Forbidden", "AccessDenied"),
        error("404 Not Found", "NoSuchBucket"),
        error("403 Forbidden", "InvalidAccessKeyId"),
        error("400 Bad Request", "InvalidArgument"),
    ],
)
async def test_a_refusal_that_stays_is_not_asked_again(refused: bytes) -> None:
    async with scripted(refused) as (store, script):
        with pytest.raises(ObjectStoreError):
            await store.page()
        assert len(script.requests) == 1


@pytest.mark.usefixtures("_at_once")
@pytest.mark.parametrize("status", ["503 Slow Down", "429 Too Many Requests", "403 Forbidden"])
async def test_retry_after_is_waited_for(status: str) -> None:
    async with scripted(error(status, "SlowDown", "", "Retry-After: 1"), GOOD) as (store, script):
        await store.page()
        first, second = script.times
        assert 0.95 <= second - first < 5


@pytest.mark.usefixtures("_at_once")
@pytest.mark.parametrize(
    "after", ["99999", "999999999999", "-1", "soon", "Sat, 01 Aug 2026 12:00:00 GMT", "\xb2"]
)
async def test_a_retry_after_that_is_too_long_or_none_holds_nobody_up(
    after: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spaces_throttle, "LONGEST_PAUSE_S", 0.05)
    refused = error("503 Slow Down", "SlowDown", "", f"Retry-After: {after}")
    async with scripted(refused, GOOD) as (store, script):
        await store.page()
        first, second = script.times
        assert second - first < 2


async def test_a_store_that_asks_for_less_gets_less_from_everybody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spaces, "_BACKOFF_S", 0.1)
    async with scripted(*[SLOW_DOWN] * 8, GOOD, answer_s=0.02, connections=8) as (store, script):
        await asyncio.gather(*(store.page() for _ in range(30)))
    refused, later = script.at_once[:8], script.at_once[8:]
    assert max(refused) == 8
    assert script.times[8] - script.times[7] >= 0.1
    assert max(later[:4]) == 4  # half of what it was
    assert max(later) <= 8
    assert len(script.requests) == 38


async def test_whoever_waits_for_another_attempt_can_be_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spaces, "_BACKOFF_S", 10.0)
    async with scripted(SLOW_DOWN, GOOD) as (store, script):
        page = asyncio.create_task(store.page())
        await asyncio.sleep(0.1)
        page.cancel()
        began = time.monotonic()
        with pytest.raises(asyncio.CancelledError):
            await page
        assert time.monotonic() - began < 1
        assert len(script.requests) == 1


@pytest.mark.parametrize(
    ("ahead_s", "words"),
    [
        (960, "16 min 00 s ahead of"),
        (-960, "16 min 00 s behind"),
        (42, "42 s ahead of"),
        (86_400 * 3, "3 d 00 h ahead of"),
    ],
)
async def test_a_wrong_clock_is_told_with_its_offset(
    ahead_s: float, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "time", lambda: 1_785_585_600.0 + ahead_s)
    refused = error(
        "403 Forbidden", "RequestTimeTooSkewed", "", f"Date: {formatdate(1_785_585_600, usegmt=True)}"
    )
    problem = await failure(refused)
    assert f"this machine's clock is {words} http://127.0.0.1:" in problem.why
    assert "NTP" in problem.remedy


async def test_a_wrong_clock_without_a_date_to_measure_by() -> None:
    problem = await failure(error("403 Forbidden", "RequestTimeTooSkewed"))
    assert "this machine's clock is too far from http://127.0.0.1:" in problem.why
