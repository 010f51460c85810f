"""A recovery that is asked for travels as one line of options and is the same again."""

import shlex

import pytest

from walconsole.domain.profile import ClusterName
from walconsole.domain.recovery.recover_asked import command_line, read_wish, wish_words
from walconsole.domain.recovery.recover_plan import RecoveryWish
from walconsole.domain.recovery.recover_target import (
    IN_PLACE,
    RecoverTo,
    RecoveryPlace,
    RecoveryTarget,
    read_target,
)

BESIDE = RecoveryPlace(ClusterName("15", "restored"))
BARE = RecoveryPlace(folder="/srv/pg/restored")
TARGETS = [
    RecoveryTarget(RecoverTo.LATEST),
    RecoveryTarget(RecoverTo.IMMEDIATE, timeline=2),
    read_target(RecoverTo.TIME, "2026-11-28 14:02:00Z", timeline=3),
    read_target(RecoverTo.LSN, "0/203A4D0", inclusive=False),
    read_target(RecoverTo.XID, "731", inclusive=True),
    read_target(RecoverTo.NAME, "before 'the' big one; $(reboot)"),
]


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.to.value)
@pytest.mark.parametrize("place", [IN_PLACE, BESIDE, BARE], ids=["in place", "beside", "a folder"])
def test_it_comes_back_as_it_was(target: RecoveryTarget, place: RecoveryPlace) -> None:
    looks, key = ("select count(*) from t",), "/dev/shm/age.key"
    wish = RecoveryWish(target, place, "20261128T020000Z", looks, ("public.t",), "shop", key)
    assert read_wish(wish_words(wish)) == wish
    line = command_line("shithub", wish, "--plan")
    assert read_wish(shlex.split(line)[3:-1]) == wish
    assert shlex.split(line)[:3] == ["walconsole", "recover", "shithub"]


@pytest.mark.parametrize(
    "words",
    [
        ("--to",),
        ("--to", "yesterday"),
        ("--to", "2026-11-28 14:02:00"),
        ("--into", "restored"),
        ("--into", "15/../x"),
        ("--into", "/srv/../etc"),
        ("--identity", "key"),
        ("--identity", "/dev/shm/$(reboot)"),
        ("--timeline", "0"),
        ("--timeline", "one"),
        ("--drop-everything",),
        ("--to-latest", "--before"),
    ],
    ids=" ".join,
)
def test_what_asks_for_nothing_is_refused(words: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        read_wish(words)
