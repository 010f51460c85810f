"""What the probes' answers mean: by the verbs, and by the way to the endpoint."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from walconsole.domain.facts import endpoint_reach as reaching
from walconsole.domain.facts.endpoint_reach import Reach, skew
from walconsole.domain.facts.evidence import VerbResult
from walconsole.domain.standing.call_comparison import LARGE, VERBS, judge, table
from walconsole.provision.probes.network import read

WHERE = "spaces:wal/pg/"


def calls(**failed: str) -> tuple[VerbResult, ...]:
    """Every call ok but those that `failed` with a code."""
    names = {verb.replace(" ", "_"): verb for verb in VERBS}
    return tuple(
        VerbResult(verb, name not in failed, failed.get(name, ""), seconds=0.1)
        for name, verb in names.items()
    )


@pytest.mark.parametrize(
    ("droplet", "here", "fine", "says", "advice"),
    [
        (calls(), calls(), True, "every call works from the droplet", ""),
        (calls(), calls(PUT="AccessDenied"), True, "from here PUT fails (AccessDenied)", ""),
        (calls(), (), True, "every call works", ""),
        (
            calls(PUT="AccessDenied"),
            calls(),
            False,
            "only the droplet fails, at PUT (AccessDenied)",
            "readwrite",
        ),
        (calls(LIST="Timeout"), calls(), False, "only the droplet fails, at LIST (Timeout)", "endpoint"),
        (
            calls(LIST="NoSuchBucket"),
            calls(LIST="NoSuchBucket"),
            False,
            "LIST fails from both sides",
            "make the bucket again",
        ),
        (calls(GET="InvalidAccessKeyId"), (), False, "GET fails from the droplet", "limited key"),
        (calls(PUT_256K="Timeout"), calls(), False, "large packets get lost", "mtu"),
        (calls(DELETE=""), calls(), False, "at DELETE (an error)", ""),
        ((), calls(), False, "nothing could be asked", ""),
    ],
)
def test_the_side_the_call_and_the_advice(
    droplet: tuple[VerbResult, ...], here: tuple[VerbResult, ...], fine: bool, says: str, advice: str
) -> None:
    judged = judge(WHERE, droplet, here)
    assert judged.fine is fine
    assert says in judged.text
    assert advice in judged.remedy
    assert bool(judged.remedy) or fine or not advice


RESULT = st.builds(
    VerbResult,
    st.sampled_from(VERBS),
    st.booleans(),
    st.sampled_from(["", "AccessDenied", "Timeout", "not asked", "Odd"]),
    st.text(max_size=200),
    st.none() | st.floats(0, 100),
)


@given(st.lists(RESULT, max_size=8), st.lists(RESULT, max_size=8))
def test_the_table_has_a_row_for_each_call_that_was_made(
    droplet: list[VerbResult], here: list[VerbResult]
) -> None:
    rows = table(droplet, here)
    made = {result.verb for result in (*droplet, *here)}
    assert len(rows) == 1 + len(made)
    assert {row.split("  ")[0] for row in rows[1:]} == made
    assert judge(WHERE, droplet, here).text


def test_the_large_call_is_no_longer_than_its_name() -> None:
    assert [row.split("  ")[0] for row in table(calls(), ())][1:] == list(VERBS)
    assert LARGE in VERBS


REACHED = Reach("s3", ("192.0.2.1",), 0.01, 0.02, 0.03, 403, 0.0, 1500, True)


@pytest.mark.parametrize(
    ("droplet", "here", "says", "advice"),
    [
        (REACHED, REACHED, "", ""),
        (
            Reach("s3", problem="the name s3 is not resolved"),
            REACHED,
            "from here it is reached",
            "resolv.conf",
        ),
        (
            Reach("s3", ("192.0.2.1",), problem="Connection refused"),
            Reach("s3", problem="x"),
            "Connection refused",
            "firewall",
        ),
        (
            Reach("s3", ("192.0.2.1",), connect_s=0.1, problem="self-signed"),
            None,
            "self-signed",
            "CA certificates",
        ),
        (
            Reach("s3", ("192.0.2.1",), connect_s=0.1, tls_s=0.1, problem="what answers does not speak HTTP"),
            None,
            "does not speak",
            "S3",
        ),
        (
            Reach("s3", ("192.0.2.1",), 0, 0, 0, 403, 0.0, 1500, large=False),
            REACHED,
            "whole MTU (1500)",
            "MTU",
        ),
        (Reach("s3", ("192.0.2.1",), 0, 0, 0, 403, 300.0), REACHED, "300 s slow", "set-ntp"),
        (Reach("s3", ("192.0.2.1",), 0, 0, 0, 403, -300.0), REACHED, "300 s fast", "set-ntp"),
        (Reach("s3", ("192.0.2.1",), 5.0, 0, 0, 403, 0.0), REACHED, "the name takes 5.0 s", "resolver"),
        (Reach("s3", ("192.0.2.1",), 0, 0, None, 403, 0.0, 1500, None), None, "", ""),
    ],
)
def test_what_is_wrong_with_the_way(droplet: Reach, here: Reach | None, says: str, advice: str) -> None:
    wrong, remedy = reaching.judge(droplet, here)
    assert says in wrong
    assert bool(wrong) == bool(says)
    assert advice in remedy
    assert reaching.lines("droplet", droplet)


def test_a_clock_is_off_only_by_more_than_the_whole_seconds_of_a_date() -> None:
    assert skew(None, 10.2, 10.4) is None
    assert skew(10.0, 10.2, 10.4) == 0.0
    assert skew(9.5, 10.2, 10.4) == 0.0
    assert skew(70.0, 10.2, 10.4) == pytest.approx(59.6)
    assert skew(5.0, 10.2, 10.4) == pytest.approx(-4.2)


def test_the_droplets_records() -> None:
    found = read(
        "s3.example",
        [
            ("name_ms", "12"),
            ("address", "192.0.2.1"),
            ("address", "192.0.2.1"),
            ("address", "2001:db8::1"),
            ("asked_at", "1795643316.5"),
            ("answered_at", "1795643316.9"),
            ("date", "Wed, 25 Nov 2026 21:48:36 GMT"),
            ("curl", "0.010 0.025 0.055 403 192.0.2.1"),
            ("mtu", "1500"),
            ("large", "0"),
            ("missing", "whether it rains: no window"),
        ],
        "https",
    )
    assert found.addresses == ("192.0.2.1", "2001:db8::1")
    assert found.connect_s == pytest.approx(0.015)
    assert found.tls_s == pytest.approx(0.03)
    assert (found.status, found.skew_s, found.mtu, found.large) == (403, 0.0, 1500, False)
    assert found.missing == ("whether it rains: no window",)


@given(
    st.lists(
        st.tuples(st.sampled_from(["name_ms", "curl", "date", "mtu", "large", "asked_at"]), st.text()),
        max_size=8,
    )
)
def test_no_record_makes_it_raise(records: list[tuple[str, str]]) -> None:
    assert read("s3.example", records, "https").host == "s3.example"
