"""A table that is gone from the running server, loaded out of the dump of the paused copy."""

from collections.abc import AsyncIterator
from shlex import join, quote

from walconsole.domain.redaction import safe
from walconsole.errors import BlockedError, ProvisionError
from walconsole.provision.droplet.commands import answer_alone, ask, database_word, os_user, psql_command, run
from walconsole.provision.engine.model import (
    Change,
    ChangeKind,
    Changing,
    Check,
    CheckState,
    Command,
    Event,
    Fact,
    FactState,
    Plan,
    Printed,
    Proved,
    Risk,
)
from walconsole.provision.recovering.looking import DumpPart
from walconsole.provision.recovering.recovery import Recovery

_LONGEST_S = 4 * 3600.0
_COUNTED_S = 300.0
"""A statement goes through the shell, which waits for six minutes at most."""


class LoadPart(DumpPart):
    """model.Step. It loads what DumpPart wrote; over a table that is there, nothing."""

    id = "recover-load"
    title = "Load it into the running server"
    risk = Risk.CHANGES
    explanation = (
        "Where the running server has no table of that name, the dump is loaded into it in one "
        "transaction: table, rows, indexes, constraints. Nothing else of that server is touched, and what it "
        "has committed meanwhile stays. Where the table is there nothing is loaded, for the rows of both "
        "would mix: how to load it elsewhere is shown. Afterwards its rows are counted in both servers."
    )

    def __init__(self, recovery: Recovery, database: str = "", table: str = "") -> None:
        super().__init__(recovery, database, table)
        self._begun = self._loaded = False

    async def check(self) -> Check:
        """DONE where there is nothing to load, or nothing that may be; BLOCKED where no server takes it."""
        if not self._table:
            return Check(CheckState.DONE, "a whole database is loaded by hand: the dump's last line has how")
        survey = await self._site.survey(again=True)
        if survey.server is None or survey.server.in_recovery:
            why = "the running server cannot be asked, or is a standby"
            return Check(CheckState.BLOCKED, why, remedy="load the dump by hand, where it shall be")
        if self._loaded:
            return Check(CheckState.DONE, f"{self._table} was loaded")
        if not self._begun and await self._is_there():
            state = await self._recovery.state()
            by_hand = Fact("by hand", self._load(state)[-1], FactState.NOTE, "which adds its rows")
            why = f"the running server has {self._table}: nothing is loaded over it"
            return Check(CheckState.DONE, why, (by_hand,))
        begun = f"{self._table} was being loaded when the connection was lost"
        return Check(CheckState.NEEDED, begun if self._begun else f"the running server has no {self._table}")

    async def plan(self) -> Plan:
        """One command; the profile's name is to be typed."""
        return Plan(
            f"load {self._table} into {self._database} of the running server",
            commands=(await self._restoring(),),
            notes=("all of it or nothing: in one transaction",),
            undo=f"by hand: DROP TABLE {self._table}",
            confirm=self._site.profile.name,
        )

    async def apply(self) -> AsyncIterator[Event]:
        """Raises ProvisionError with what pg_restore said."""
        if await self._is_there():
            if self._begun:  # its answer was lost with the connection: the rows are counted as ever
                yield Printed(f"the running server has {self._table}: it was loaded before")
                return
            raise BlockedError(self.title, f"the running server has {self._table} by now", "nothing was done")
        self._begun = True
        now = self._site.clock.now()
        yield Changing(
            Change(self.id, ChangeKind.DATA, f"table {self._table}", "not there", "loaded", at=now)
        )
        async for event in run(self._site, await self._restoring(), timeout_s=_LONGEST_S):
            yield event

    async def verify(self) -> AsyncIterator[Event]:
        """The rows of both servers are counted. Raises ProvisionError where they differ, or cannot be."""
        counting = f"SELECT count(*) FROM {self._table}"  # noqa: S608  # the operator's own
        status, said = await self._recovery.ask_copy(counting, database=self._database, timeout_s=_COUNTED_S)
        copied, here = said.strip(), await self._asked(counting)
        if status != 0 or copied != here:
            why = f"the copy says {safe(copied[:200])}, the running server {here}"
            raise ProvisionError(f"counting the rows of {self._table}", why, "look at both, then decide")
        self._loaded = True
        yield Proved(f"{self._table} has {here} rows in the running server, as in the copy")

    async def _is_there(self) -> bool:
        name = self._table.replace("'", "''")
        return await self._asked(f"SELECT to_regclass('{name}') IS NOT NULL") == "t"

    async def _asked(self, sql: str) -> str:
        asked = f"{await psql_command(self._site)} -d {quote(database_word(self._database))} -c {quote(sql)}"
        return (
            await ask(self._site, answer_alone(asked), user=os_user(self._site), timeout_s=_COUNTED_S)
        ).strip()

    async def _restoring(self) -> Command:
        site = self._site
        survey, state = await site.survey(), await self._recovery.state()
        cluster, postgres = survey.cluster, site.profile.postgres
        socket = postgres.socket_dir or (cluster.socket_dir if cluster is not None else "")
        port = postgres.port or (cluster.port if cluster is not None else None)
        words = ["pg_restore", "--single-transaction", "--exit-on-error", "-w", "-U", postgres.user]
        words += [*(["-h", socket] if socket else []), *(["-p", str(port)] if port else [])]
        return Command(
            join([*words, "-d", database_word(self._database), self._file(state)]), user=os_user(site)
        )
