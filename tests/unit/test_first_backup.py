"""When a base backup is to be taken by the set-up: none, an old one, or one that a copy lacks."""

import pytest

from tests.data.facts import NOW
from tests.data.facts import backup as a_backup
from tests.data.provisioning import a_profile
from walconsole.domain.profile import BucketRole
from walconsole.domain.recovery.backups import BaseBackup
from walconsole.provision.steps.first_backup import what_is_to_do
from walconsole.provision.steps.look_result import BackupLook

DAY_S = 86_400.0
PROFILE = a_profile()


def of(days: float) -> BaseBackup:
    return a_backup(id=f"{int(1000 - days)}", stopped=NOW - days * DAY_S)


@pytest.mark.parametrize(
    ("primary", "dr", "said"),
    [
        (0.5, 0.5, ""),
        (7.9, 7.9, ""),
        (8.1, 8.1, "the newest complete base backup is 8 d old"),
        (400, 400, "the newest complete base backup is 400 d old"),
        (0.5, 2, "the newest complete base backup, 999, is not in {dr}"),
        (9, 1, "the newest complete base backup, 999, is not in {primary}"),
        (None, 1, "no complete base backup of this cluster in {primary}"),
        (None, None, "no complete base backup of this cluster in {primary} and {dr}"),
        (-3, -3, "which is yet to come"),
    ],
)
def test_what_is_to_do(primary: float | None, dr: float | None, said: str) -> None:
    targets = {BucketRole.PRIMARY: PROFILE.primary, BucketRole.DR: PROFILE.dr}
    looks = [
        BackupLook(targets[role], None if days is None else of(days))
        for role, days in zip(BucketRole, (primary, dr), strict=True)
    ]
    names = {role.value: BackupLook(target).where for role, target in targets.items()}
    found = what_is_to_do(looks, NOW)
    assert said.format(**names) in found
    assert bool(said) is bool(found)
