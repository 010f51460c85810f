"""How the answers of the probes that look for causes are read, hostile ones too."""

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from walconsole.adapters.s3.lifecycle import read_lifecycle
from walconsole.domain.facts.evidence import LifecycleRule, RuleAction
from walconsole.errors import DatabaseError
from walconsole.observe.server.sql import read_retention


def rule(inside: str) -> bytes:
    return f"<LifecycleConfiguration><Rule>{inside}</Rule></LifecycleConfiguration>".encode()


DAYS = "<Expiration><Days>7</Days></Expiration>"
ON = "<Status>Enabled</Status>"
DELETES = partial(LifecycleRule, action=RuleAction.EXPIRE)


@pytest.mark.parametrize(
    ("inside", "rules"),
    [
        (f"<ID>a</ID><Prefix>wal/</Prefix>{ON}{DAYS}", (DELETES("a", prefix="wal/", days=7),)),
        (
            f"<ID>b</ID><Filter><Prefix>x/</Prefix></Filter><Status>Disabled</Status>{DAYS}",
            (DELETES("b", prefix="x/", days=7, enabled=False),),
        ),
        (
            f"<ID>c</ID><Filter><And><Prefix>a&amp;b/</Prefix></And></Filter>{ON}{DAYS}",
            (DELETES("c", prefix="a&b/", days=7),),
        ),
        (
            f"<ID>literal</ID><Prefix>&amp;lt;/</Prefix>{ON}{DAYS}",
            (DELETES("literal", prefix="&lt;/", days=7),),
        ),
        (f"<ID>d</ID><Prefix/>{ON}{DAYS}", (DELETES("d", days=7),)),
        (
            f"{ON}<Expiration><Date>2027-01-01T00:00:00Z</Date></Expiration>",
            (DELETES("", date=1_798_761_600.0),),
        ),
        (
            f"<ID>e</ID>{ON}<NoncurrentVersionExpiration><NewerNoncurrentVersions>2</NewerNoncurrentVersions>"
            "<NoncurrentDays>3</NoncurrentDays></NoncurrentVersionExpiration>",
            (LifecycleRule("e", RuleAction.OLD_VERSIONS, days=3),),
        ),
        (
            f"<ID>f</ID>{ON}<Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>",
            (),
        ),
        (
            f"<ID>g</ID>{ON}<AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation>"
            "</AbortIncompleteMultipartUpload>",
            (LifecycleRule("g", RuleAction.ABORT, days=1),),
        ),
        (
            f"<ID>t</ID><Filter><Tag><Key>tmp</Key><Value>1</Value></Tag></Filter>{ON}{DAYS}",
            (DELETES("t", days=7, tags=(("tmp", "1"),)),),
        ),
        (
            "<ID>u</ID><Filter><And><Prefix>p/</Prefix><Tag><Key>a</Key><Value>1</Value></Tag>"
            "<Tag><Key>b</Key><Value></Value></Tag><ObjectSizeGreaterThan>500</ObjectSizeGreaterThan>"
            f"<ObjectSizeLessThan>64000</ObjectSizeLessThan></And></Filter>{ON}{DAYS}",
            (
                DELETES(
                    "u",
                    prefix="p/",
                    days=7,
                    tags=(("a", "1"), ("b", "")),
                    larger_than=500,
                    smaller_than=64000,
                ),
            ),
        ),
        (
            f"<ID>w</ID>{ON}<Filter/><Transition><Days>0</Days><StorageClass>STANDARD_IA</StorageClass>"
            "</Transition><Transition><Days>30</Days><StorageClass>DEEP_ARCHIVE</StorageClass></Transition>"
            f"{DAYS}",
            (
                DELETES("w", days=7),
                LifecycleRule("w", RuleAction.FREEZE, days=30, storage_class="DEEP_ARCHIVE"),
            ),
        ),
        (
            f"<ID>instant</ID>{ON}<Transition><Days>1</Days><StorageClass>GLACIER_IR</StorageClass></Transition>",
            (),
        ),
        # Google's own form.
        ("<Action><Delete/></Action><Condition><Age>30</Age></Condition>", (DELETES("", days=30),)),
        (
            "<Action><Delete/></Action><Condition><Age>7</Age><MatchesPrefix>wal/</MatchesPrefix>"
            "<MatchesPrefix>a&amp;b/</MatchesPrefix></Condition>",
            (DELETES("", prefix="wal/", days=7), DELETES("", prefix="a&b/", days=7)),
        ),
        ("<Action><Delete/></Action><Condition><IsLive>true</IsLive></Condition>", (DELETES("", days=0),)),
        (
            "<Action><Delete/></Action><Condition><NumNewerVersions>2</NumNewerVersions></Condition>",
            (LifecycleRule("", RuleAction.OLD_VERSIONS, days=0),),
        ),
        (
            "<Action><AbortIncompleteMultipartUpload/></Action><Condition><Age>1</Age></Condition>",
            (LifecycleRule("", RuleAction.ABORT, days=1),),
        ),
        ("<Action><Delete/></Action><Condition><CreatedBefore>2020-01-01</CreatedBefore></Condition>", ()),
        (
            "<Action><SetStorageClass>ARCHIVE</SetStorageClass></Action><Condition><Age>9</Age></Condition>",
            (),
        ),
    ],
)
def test_what_rules_do(inside: str, rules: tuple[LifecycleRule, ...]) -> None:
    assert read_lifecycle(rule(inside)) == rules


def test_every_rule_is_read() -> None:
    one = f"<Rule><ID>a</ID><Status>Enabled</Status>{DAYS}</Rule>"
    assert len(read_lifecycle(f"<LifecycleConfiguration>{one * 3}</LifecycleConfiguration>".encode())) == 3


def test_a_hostile_rule_is_made_safe_and_short() -> None:
    (found,) = read_lifecycle(rule(f"<ID>\x1b[31mred\x07</ID><Prefix>{'x' * 9999}</Prefix>{ON}{DAYS}"))
    assert found.rule == "red"
    assert len(found.prefix) <= 1024


@given(st.binary(max_size=300))
def test_no_answer_makes_it_raise(body: bytes) -> None:
    assert all(isinstance(found, LifecycleRule) for found in read_lifecycle(body))


ROW: dict[str, object] = {
    "slots": '[{"name": "s\\u001b[31m", "kind": "physical", "active": false, "wal_status": "extended",'
    ' "retained_bytes": 5, "safe_wal_bytes": null, "inactive_since": 1.5}]',
    "max_wal_bytes": 1,
    "keep_bytes": 0,
    "summarizer_behind_bytes": None,
    "prepared": 2,
    "prepared_since": 1.5,
}


def test_slots() -> None:
    facts = read_retention(ROW)
    (slot,) = facts.slots
    assert (slot.name, slot.kind, slot.active, slot.wal_status) == ("s", "physical", False, "extended")
    assert (slot.retained_bytes, slot.safe_wal_bytes, slot.inactive_since) == (5, None, 1.5)
    assert (facts.max_wal_bytes, facts.keep_bytes) == (1, 0)
    assert facts.summarizer_behind_bytes is None
    assert (facts.prepared, facts.prepared_since) == (2, 1.5)


@pytest.mark.parametrize("slots", ['[{"no": 1}]', "[1]", "{", '{"a": 1}'])
def test_another_servers_answer(slots: str) -> None:
    with pytest.raises(DatabaseError, match="pg_replication_slots"):
        read_retention({**ROW, "slots": slots})
