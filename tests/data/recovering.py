"""Recoveries on a droplet as their script tells of them."""

from walconsole.domain.profile import ClusterName
from walconsole.domain.recovery.recover_state import RecoveryPhase, RecoveryState
from walconsole.domain.recovery.recover_target import RecoverTo, RecoveryPlace, read_target

PAUSED = RecoveryState(
    id="20260921T130011Z",
    phase=RecoveryPhase.PAUSED,
    backup="20260921T043540Z",
    target=read_target(RecoverTo.LSN, "3A/3001CDF8", inclusive=False, timeline=2),
    place=RecoveryPlace(ClusterName("15", "restored")),
    data="/var/lib/postgresql/15/restored",
    work="/var/lib/postgresql/15/restored.recovery",
    old="/var/lib/postgresql/15/main",
    lsn="3A/3001CDF8",
    reached="2026-09-21 13:15:11.977034+00",
    lives=True,
)
