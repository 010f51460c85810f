"""Where pgBackRest finds the cluster: once a new place is in force, its configuration must name that."""

from collections.abc import AsyncIterator
from shlex import join, quote

from walconsole.domain.records import record
from walconsole.domain.recovery.by_tool import ClusterPlace, own_places, read_place
from walconsole.domain.recovery.recover_state import RecoveryState
from walconsole.errors import BlockedError, ProvisionError
from walconsole.provision.droplet.commands import os_user, status_of
from walconsole.provision.droplet.files import whose
from walconsole.provision.droplet.reworked import PutBackUnseen, kept_before, rework
from walconsole.provision.engine.model import (
    Check,
    CheckState,
    Command,
    Event,
    Fact,
    Plan,
    Proved,
    Ran,
    Risk,
)
from walconsole.provision.recovering.recovery import IN_FORCE, Recovery

_SECTION = r'/^[[:space:]]*\[/ { inside = $0; gsub(/^[[:space:]]*\[|\][[:space:]]*$/, "", inside) }'
_LOOK = rf"""{_SECTION}
inside == stanza && /^[[:space:]]*pg1-(path|port|socket-path)[[:space:]]*=/ {{ print }}
"""
_REWRITE = rf"""NR == 1 {{ stanza = $0; next }}
NR == 2 {{ place = $0; next }}
place {{ if ($0 != "") {{ wanted = wanted $0 "\n"; next }} place = ""; next }}
{_SECTION}
inside == stanza && /^[[:space:]]*pg1-(port|socket-path)[[:space:]]*=/ {{ next }}
inside == stanza && /^[[:space:]]*pg1-path[[:space:]]*=/ {{ printf "%s", wanted; done = 1; next }}
{{ print }}
END {{ exit !done }}
"""
"""awk: the stanza, a word, the lines that it gets and an empty one come first, then the configuration."""


@record
class ConfiguredPlace:
    """The configuration at `path`: where the cluster lies by its section `stanza`, and where it does."""

    path: str
    stanza: str
    now: ClusterPlace
    wanted: ClusterPlace


class TheirPlace(PutBackUnseen):
    """model.Step. Until it is done pgBackRest archives nothing from the new place, and is tried again."""

    id = "recover-their-place"
    title = "The new place, told to pgBackRest"
    undone = "put the earlier configuration of pgBackRest back"
    risk = Risk.CHANGES
    gated = True
    always = False
    explanation = (
        "pgBackRest archives and backs up only the data directory that its configuration names (pg1-path), "
        "and that is the old one's. Writes the recovered cluster's directory, port and socket into its "
        "stanza's section. The keys in the file stay as they are, and are neither read nor shown; the old "
        "file is kept, and undo puts it back."
    )

    def __init__(self, recovery: Recovery) -> None:
        self._recovery, self._site = recovery, recovery.site

    async def check(self) -> Check:
        """DONE where it names the recovered cluster; BLOCKED, with what to write, where no file does."""
        state = await self._recovery.state()
        if state.place.in_place:
            return Check(CheckState.DONE, "the recovered files have the old ones' place")
        if state.phase not in IN_FORCE:
            return Check(CheckState.NEEDED, "pgBackRest is to be told of the new place")
        found = await self._found(state)
        if found is None or not found.now.path:
            where = "its configuration" if found is None else f"[{found.stanza}] of {found.path}"
            remedy = f"write pg1-path={state.tree} where pgBackRest reads it, for {state.pgbackrest}"
            return Check(CheckState.BLOCKED, f"no pg1-path stands in {where}", remedy=remedy)
        facts = (Fact("pgBackRest", f"{found.path} [{found.stanza}]: {found.now}"),)
        if found.now.serves(found.wanted):
            return Check(CheckState.DONE, f"{found.path} names {found.wanted}", facts)
        return Check(CheckState.NEEDED, f"{found.path} names {found.now}", facts)

    async def plan(self) -> Plan:
        """The lines that change; the rest of the file holds keys, and is not shown."""
        state = await self._recovery.state()
        found = await self._found(state) if state.phase in IN_FORCE else None
        if found is None:
            return Plan("write the new place into pgBackRest's configuration, once it is in force")
        user = await whose(self._site, found.path)
        return Plan(
            f"write {found.wanted} into {found.path}",
            commands=(Command(by_hand(found), user=user),),
            notes=tuple(f"[{found.stanza}] {line}" for line in found.wanted.lines),
            undo="the old file is put back",
        )

    async def apply(self) -> AsyncIterator[Event]:
        """The old file is kept first. Raises BlockedError, ProvisionError."""
        found = await self._found(await self._recovery.state())
        if found is None or not found.now.path:
            check = await self.check()
            raise BlockedError(self.title, check.summary, check.remedy)
        user = await whose(self._site, found.path)
        yield await kept_before(self._site, self.id, found.path, f"[{found.stanza}] {found.wanted}")
        yield Ran(Command(by_hand(found), user=user))
        lines, unfit = (found.stanza, "lines", *found.wanted.lines, ""), "its section has no pg1-path"
        tried = f"writing the new place into {found.path}"
        await rework(self._site, found.path, _REWRITE, lines, unfit, tried)

    async def verify(self) -> AsyncIterator[Event]:
        """Read back. Raises ProvisionError."""
        check = await self.check()
        if check.state is not CheckState.DONE:
            raise ProvisionError("reading pgBackRest's configuration back", check.summary, check.remedy)
        yield Proved(check.summary)

    async def _found(self, state: RecoveryState) -> ConfiguredPlace | None:
        """None where no configuration is there. Raises ProvisionError where the server cannot be asked."""
        paths, stanza = own_places(state.pgbackrest)
        script = f"""for path in {join(paths)}; do
    [ -f "$path" ] || continue
    printf '%s\\n' "$path"
    awk -v stanza={quote(stanza)} {quote(_LOOK)} "$path"
    break
done"""
        _, said = await status_of(self._site, script, user=os_user(self._site))
        path, _, text = said.partition("\n")
        if not path.startswith("/"):
            return None
        survey = await self._recovery.own(state).survey()
        cluster = survey.cluster
        port, socket = state.tree_port, state.tree_socket
        if cluster is not None:
            port, socket = port or cluster.port, socket or cluster.socket_dir
        return ConfiguredPlace(path, stanza, read_place(text), ClusterPlace(state.tree, port, socket or ""))


def by_hand(found: ConfiguredPlace) -> str:
    """One sed, for a shell of whoever may write the file."""
    lines = "\\n".join(found.wanted.lines)
    stanza = found.stanza.replace(".", r"\.")
    edit = rf"/^\[{stanza}\]/,/^\[/ {{ /^ *pg1-\(port\|socket-path\) *=/d; s|^ *pg1-path *=.*|{lines}| }}"
    return f"sed -i {quote(edit)} {quote(found.path)}"
