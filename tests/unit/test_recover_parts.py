"""What the recovery's screen asks for leads to the steps of that part, and to no other."""

import pytest

from tests.data.provisioning import a_profile, a_site
from walconsole.domain.standing.model import Fix
from walconsole.errors import UsageError
from walconsole.provision.fixes.catalogue import fix_steps
from walconsole.ui.recovery.recover_screen import BACK, DUMP, FURTHER, LOOK, ONWARDS, RECOVER

SITE = a_site(a_profile(), None, None)  # type: ignore[arg-type]  # nothing is asked of either
WISH = "--to-lsn 0/203A4D0 --before --into 15/restored"
PARTS = {
    RECOVER: (WISH, ["recover-choose", "recover-command", "recover-keep", "recover-restore", "recover-replay",
                     "recover-look"]),
    FURTHER: (WISH, ["recover-replay", "recover-look"]),
    LOOK: (f"{WISH} --look 'select 1'", ["recover-look"]),
    DUMP: (f"{WISH} --count public.orders", ["recover-dump", "recover-load"]),
    ONWARDS: (WISH, ["recover-promote", "recover-take-over", "recover-archived", "backup-command", "backup",
                     "recover-verdict"]),
    BACK: (WISH, ["recover-give-up"]),
}  # fmt: skip


@pytest.mark.parametrize("part", PARTS)
def test_each_part_has_its_steps(part: str) -> None:
    subject, ids = PARTS[part]
    assert [step.id for step in fix_steps(SITE, Fix("a recovery", step=part, subject=subject))] == ids


def test_one_of_pgbackrests_is_opened_by_pgbackrests_steps() -> None:
    offer = Fix("a recovery", step=ONWARDS, subject=f"{WISH} --backup 20261128-020000F")
    titles = [step.title for step in fix_steps(SITE, offer)]
    assert "The new place, told to pgBackRest" in titles


@pytest.mark.parametrize(
    ("part", "subject"),
    [(RECOVER, "--to yesterday"), (RECOVER, "--rm -rf"), (DUMP, WISH), ("recover-everything", WISH)],
)
def test_what_is_no_part_of_it_is_refused(part: str, subject: str) -> None:
    with pytest.raises(UsageError):
        fix_steps(SITE, Fix("a recovery", step=part, subject=subject))
