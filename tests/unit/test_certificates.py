"""A store's certificate that ends soon: by its own life, so that what is renewed by itself alarms nobody."""

import pytest

from tests.data.facts import NOW, bucket, healthy
from walconsole.domain.failures import diagnose
from walconsole.domain.profile import BucketRole
from walconsole.domain.standing.model import Level

DAY = 86400.0


@pytest.mark.parametrize(
    ("life_days", "left_days", "alarms"),
    [
        (90, 31, False),  # Let's Encrypt, on the day before it is renewed
        (90, 10, False),
        (90, 8, True),
        (398, 30, False),
        (398, 13, True),
        (3650, 200, False),
        (3650, 13, True),
        (6, 2, False),  # short-lived ones, renewed when half is over
        (0.5, 0.2, False),  # Caddy's own authority: twelve hours
        (0.5, 0.04, True),
        (2, 1.9, False),
    ],
)
def test_it_is_told_when_it_should_have_been_renewed(
    life_days: float, left_days: float, alarms: bool
) -> None:
    ends = NOW + left_days * DAY
    found = diagnose(healthy(primary=bucket(certificate=(ends - life_days * DAY, ends))), NOW)
    assert [each.rule for each in found.findings] == (["certificate-ends"] if alarms else [])
    assert found.verdict.level is (Level.WARNING if alarms else Level.OK)


def test_both_copies_in_one_store_have_one_certificate() -> None:
    valid = NOW - 80 * DAY, NOW + 5 * DAY
    one = bucket(certificate=valid)
    both = bucket(BucketRole.DR, certificate=valid, endpoint=one.endpoint)
    (finding,) = diagnose(healthy(primary=one, dr=both), NOW).findings
    assert "ends in 5 d" in finding.title
    assert (
        finding.fixes[0].commands[0].startswith("openssl s_client -connect nyc3.digitaloceanspaces.com:443 ")
    )


def test_plain_http_has_none() -> None:
    assert diagnose(healthy(primary=bucket(certificate=None)), NOW).findings == ()
