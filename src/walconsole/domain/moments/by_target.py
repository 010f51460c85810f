"""The commands that restore a base backup by hand, with a target in them."""

from collections.abc import Sequence
from shlex import quote

from walconsole.domain.moments.targets import Target
from walconsole.domain.moments.words import inclusive_text
from walconsole.domain.recovery.by_hand import TO_A_MOMENT, Commands


def with_target(commands: Sequence[Commands], target: Target) -> tuple[Commands, ...]:
    """The paragraph that leaves the target open has this one."""
    lines = (*target.lines(), "recovery_target_action = promote")
    shell = tuple(f"printf '%s\\n' {quote(line)} >>\"$work/postgresql.conf\"" for line in lines)
    aimed = Commands(f"the target: {inclusive_text(target)}", shell)
    return tuple(aimed if each.title == TO_A_MOMENT else each for each in commands)
