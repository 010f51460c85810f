"""A restore drill on another host: production gives the witnesses, the other host does all else."""

from collections.abc import AsyncIterator

from walconsole.domain.redaction import safe
from walconsole.droplet.files import DropletFile, command_files
from walconsole.droplet.names import names_of
from walconsole.errors import ProvisionError
from walconsole.provision.droplet.commands import psql
from walconsole.provision.droplet.drill_run import DrillRun
from walconsole.provision.droplet.last_segment import until_archived
from walconsole.provision.droplet.schedules import archived_by_other
from walconsole.provision.droplet.survey import Survey
from walconsole.provision.elsewhere.host import OtherHostLook
from walconsole.provision.elsewhere.keys import ForgetKeys, StoreKeys, put_secret
from walconsole.provision.engine.model import Check, CheckState, Event, Printed, Step
from walconsole.provision.engine.site import Site
from walconsole.provision.recovering.recovery import Recovery
from walconsole.provision.steps.backup_command import stranger
from walconsole.provision.steps.drill import DrillNow
from walconsole.provision.steps.drill_command import DrillCommand, key_obstacle

_FACTS = """SELECT current_setting('server_version_num'), pg_is_in_recovery(),
    (SELECT system_identifier FROM pg_control_system()), pg_size_bytes(current_setting('wal_segment_size')),
    (SELECT count(*) FROM pg_tablespace WHERE spcname NOT IN ('pg_default', 'pg_global')),
    (SELECT sum(pg_database_size(oid))::bigint FROM pg_database),
    pg_size_bytes(current_setting('max_wal_size')), current_setting('shared_preload_libraries')"""
_NAMES = (
    "version",
    "standby",
    "identifier",
    "segment_bytes",
    "tablespaces",
    "expected",
    "max_wal",
    "preloaded",
)
"""As templates/drill_told.sh reads them."""
_EMIT = (
    "SELECT pg_current_xact_id() FROM pg_logical_emit_message(true, 'walconsole', 'restore drill on {}: {}')"
)
_NOW = "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') || '+00'"


STAYS_THERE = "it does nothing unless it is called; walconsole undo PROFILE --on HOST takes it away there"


class DrillCommandElsewhere(DrillCommand):
    """model.Step. With the restore command, and the certificates by which that knows the stores."""

    how_undone = STAYS_THERE

    async def _obstacle(self, survey: Survey) -> Check | None:
        return None  # OtherHostLook looked

    def _files(self, survey: Survey) -> tuple[DropletFile, ...]:
        return (*restoring_files(self._site), self._script(survey))


def restoring_files(site: Site) -> tuple[DropletFile, ...]:
    """What brings WAL on a host that archives none."""
    archive = names_of(site.profile).archive
    return tuple(file for file in command_files(site.profile, site.choices) if file.path != archive)


class DrillElsewhere(DrillNow):
    """model.Step. Production gets two empty transactions and a switch of its WAL, and nothing else."""

    title = "Restore drill"
    explanation = (
        "Restores the newest base backup on the other host, by the script that was put there, replays the "
        "WAL up to this moment, and shows how far it is. Both sides of the moment are proved: production "
        "commits two empty transactions, one before and one after it, and the restored server knows the "
        "first alone. What is proved besides: that another host can do it. The drill's server listens to no "
        "network, archives nothing and is never promoted; its files go at the end, and the keys with them. "
        "The result is stored beside the backups."
    )

    @property
    def _where(self) -> str:
        return f" on {self._site.where}"

    def _run(self) -> DrillRun:
        run = DrillRun(self._site)
        run.options = " --told"
        return run

    async def _obstacle(self) -> Check | None:
        production = self._site.production
        if production is not None and production.away:
            why = (
                f"production's host does not answer ({production.away}): a drill writes two empty "
                "transactions there"
            )
            return Check(
                CheckState.BLOCKED, why, remedy="recover from the archive instead: walconsole recover --on"
            )
        survey, source = await self._source.survey(), self._source
        other = archived_by_other(survey)
        if other is not None:
            why = f"{other.tool} archives this server, whose configuration and keys are on {source.where}"
            return Check(CheckState.BLOCKED, why, remedy="make the drill beside the server: --on here")
        if survey.server is not None and survey.server.in_recovery:
            why = f"{source.where} is a standby, which writes no transactions to be known by elsewhere"
            return Check(CheckState.BLOCKED, why, remedy="make the drill beside it, without --on")
        blocked = stranger(survey, source) or await key_obstacle(self._site)
        return blocked or await self._beside_a_recovery()

    async def _beside_a_recovery(self) -> Check | None:
        """BLOCKED where a recovery goes on there by brought keys: one restore command has one place."""
        state = await Recovery(self._site).state()
        if not state.is_open or self._site.profile.paths.rclone_config == self._lasting:
            return None
        why = f"the recovery {state.id} goes on on {self._site.where}: {state.words[0]}"
        return Check(CheckState.BLOCKED, why, remedy="wait for its end, or make the drill on another host")

    @property
    def _lasting(self) -> str:
        production = self._site.production
        return production.config if production is not None else ""

    async def _before(self) -> AsyncIterator[Event]:
        """Raises ProvisionError where production cannot give its witnesses, or does not archive them."""
        source = self._source
        row = (await psql(source, _FACTS)).split("\t")
        told = dict(zip(_NAMES, row, strict=False))
        told["before"] = await psql(source, _EMIT.format(_sql(self._site.where), "before"))
        told["target_moment"] = await psql(source, _NOW)
        await self._site.sleep(0.05)
        told["after"] = await psql(source, _EMIT.format(_sql(self._site.where), "after"))
        told["last"] = await psql(source, "SELECT pg_walfile_name(pg_switch_wal())")
        yield Printed(
            f"production committed {told['before']} before {told['target_moment']}, and {told['after']} after"
        )
        async for event in until_archived(source, told["last"], self._site.drill.patience_s):
            yield event
        if any(safe(value) != value for value in told.values()):
            raise ProvisionError("asking production", "it says what cannot be passed on")
        lines = "".join(f"{name}={value}\n" for name, value in told.items())
        await put_secret(self._site, f"{names_of(self._site.profile).drill_state}/told", lines)


def _sql(text: str) -> str:
    return text.replace("'", "''")


def drill_steps_elsewhere(site: Site) -> tuple[Step, ...]:
    """What makes one restore drill on another host now."""
    folder = names_of(site.profile).drill_state
    steps = (
        OtherHostLook(site),
        DrillCommandElsewhere(site),
        StoreKeys(site, folder),
        DrillElsewhere(site),
        ForgetKeys(site, folder),
    )
    return named(steps, site)


def named(steps: tuple[Step, ...], site: Site) -> tuple[Step, ...]:
    """The steps, with another host in their titles: every gate asks by its title."""
    if site.production is None:
        return steps
    for step in steps:
        step.title = f"{step.title} on {site.where}"
    return steps
