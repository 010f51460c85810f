"""How the answers of the probes that look for causes are read, hostile ones too."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from walconsole.adapters.s3.answers import read_lifecycle
from walconsole.domain.facts.evidence import ExpiryRule
from walconsole.errors import DatabaseError
from walconsole.observe.server.sql import read_retention


def rule(inside: str) -> bytes:
    return f"<LifecycleConfiguration><Rule>{inside}</Rule></LifecycleConfiguration>".encode()


DAYS = "<Expiration><Days>7</Days></Expiration>"


@pytest.mark.parametrize(
    ("inside", "rules"),
    [
        (
            f"<ID>a</ID><Prefix>wal/</Prefix><Status>Enabled</Status>{DAYS}",
            (ExpiryRule("a", "wal/", 7),),
        ),
        (
            f"<ID>b</ID><Filter><Prefix>x/</Prefix></Filter><Status>Disabled</Status>{DAYS}",
            (ExpiryRule("b", "x/", 7, enabled=False),),
        ),
        (
            f"<ID>c</ID><Filter><And><Prefix>a&amp;b/</Prefix></And></Filter><Status>Enabled</Status>{DAYS}",
            (ExpiryRule("c", "a&b/", 7),),
        ),
        (
            f"<ID>literal</ID><Prefix>&amp;lt;/</Prefix><Status>Enabled</Status>{DAYS}",
            (ExpiryRule("literal", "&lt;/", 7),),
        ),
        (
            f"<ID>d</ID><Prefix/><Status>Enabled</Status>{DAYS}",
            (ExpiryRule("d", "", 7),),
        ),
        (
            "<Status>Enabled</Status><Expiration><Date>2027-01-01T00:00:00Z</Date></Expiration>",
            (ExpiryRule("", "", None),),
        ),
        (
            "<ID>e</ID><Status>Enabled</Status><NoncurrentVersionExpiration>"
            "<NoncurrentDays>3</NoncurrentDays></NoncurrentVersionExpiration>",
            (ExpiryRule("e", "", 3, noncurrent=True),),
        ),
        (
            "<ID>f</ID><Status>Enabled</Status><Expiration><ExpiredObjectDeleteMarker>true"
            "</ExpiredObjectDeleteMarker></Expiration>",
            (),
        ),
        (
            "<ID>g</ID><Status>Enabled</Status><AbortIncompleteMultipartUpload><DaysAfterInitiation>1"
            "</DaysAfterInitiation></AbortIncompleteMultipartUpload>",
            (),
        ),
    ],
)
def test_rules_that_delete(inside: str, rules: tuple[ExpiryRule, ...]) -> None:
    assert read_lifecycle(rule(inside)) == rules


def test_every_rule_is_read() -> None:
    one = f"<Rule><ID>a</ID><Status>Enabled</Status>{DAYS}</Rule>"
    assert len(read_lifecycle(f"<LifecycleConfiguration>{one * 3}</LifecycleConfiguration>".encode())) == 3


def test_a_hostile_rule_is_made_safe() -> None:
    (found,) = read_lifecycle(rule(f"<ID>\x1b[31mred\x07</ID><Status>Enabled</Status>{DAYS}"))
    assert found.rule == "red"


@given(st.binary(max_size=300))
def test_no_answer_makes_it_raise(body: bytes) -> None:
    assert all(isinstance(found, ExpiryRule) for found in read_lifecycle(body))


ROW: dict[str, object] = {
    "slots": '[{"name": "s\\u001b[31m", "kind": "physical", "active": false, "wal_status": "extended",'
    ' "retained_bytes": 5, "safe_wal_bytes": null, "inactive_since": 1.5}]',
    "max_wal_bytes": 1,
    "keep_bytes": 0,
    "summarizer_behind_bytes": None,
}


def test_slots() -> None:
    facts = read_retention(ROW)
    (slot,) = facts.slots
    assert (slot.name, slot.kind, slot.active, slot.wal_status) == ("s", "physical", False, "extended")
    assert (slot.retained_bytes, slot.safe_wal_bytes, slot.inactive_since) == (5, None, 1.5)
    assert (facts.max_wal_bytes, facts.keep_bytes) == (1, 0)
    assert facts.summarizer_behind_bytes is None


@pytest.mark.parametrize("slots", ['[{"no": 1}]', "[1]", "{", '{"a": 1}'])
def test_another_servers_answer(slots: str) -> None:
    with pytest.raises(DatabaseError, match="pg_replication_slots"):
        read_retention({**ROW, "slots": slots})
