"""A run of retention as it is remembered: for the next one by the schedule, and for the console."""

import asyncio
from collections.abc import Mapping

from walconsole.domain.recovery.expiry_run import ExpiryRun
from walconsole.domain.redaction import safe
from walconsole.errors import RegisterError, WalconsoleError
from walconsole.operator_files.expiry_file import ExpiryFile
from walconsole.ports import Clock
from walconsole.process.stderr import say
from walconsole.provision.engine.model import Step
from walconsole.provision.engine.site import Site
from walconsole.provision.retention.steps import Expire, expire_steps
from walconsole.provision.retention.unattended import Unattended


class ExpiryMemory:
    """Of one run. `after_backup`: it does something only where a base backup came since."""

    def __init__(
        self, profile: str, environment: Mapping[str, str], clock: Clock, *, after_backup: bool
    ) -> None:
        self._file, self._clock, self._after_backup = ExpiryFile(profile, environment), clock, after_backup
        self._step: Expire | None = None

    async def steps(self, site: Site) -> tuple[Step, ...]:
        """Raises RegisterError where it cannot be read what the last run was."""
        unattended = None
        if self._after_backup:
            last = await asyncio.to_thread(self._file.last)
            unattended = Unattended(site, (last.after or {}) if last is not None else {})
        self._step, release = expire_steps(site, unattended)
        return self._step, release

    async def note(self, failure: WalconsoleError | None, stopped: int | None) -> None:
        """How it ended: by a signal with the exit code `stopped`, by `failure`, else as it should.

        What cannot be written is said: the run is over.
        """
        step, waited, after = self._step, False, None
        if stopped is not None:
            code, line = stopped, "ended by a signal; the same command goes on from there"
        elif failure is not None:
            code, line = failure.exit_code, failure.line()
        else:
            code, line = 0, step.said if step is not None else ""
            waited, after = (step.waited, step.newest) if step is not None else (False, None)
        run = ExpiryRun(self._clock.now(), code, safe(line), waited, after=after)
        try:
            await asyncio.to_thread(self._file.note, run)
        except RegisterError as error:
            say(f"how it ended is not remembered: {error.line()}")
