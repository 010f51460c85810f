"""What is remembered of retention for one profile: how its last run ended, and whether a timer runs it."""

import os
from collections.abc import Mapping

from walconsole.domain.facts.expiry_schedule import ExpirySchedule
from walconsole.domain.recovery.expiry_run import LONGEST_BYTES, ExpiryRun, read_run, run_document
from walconsole.errors import RegisterError
from walconsole.operator_files.places import EXPIRY, file_name_of, places
from walconsole.operator_files.private import make_private, replace_text
from walconsole.operator_files.unit_files import expiry_unit, is_enabled, unit_path


class ExpiryFile:
    """Every call blocks, and raises RegisterError where the file cannot be used."""

    def __init__(self, profile: str, environment: Mapping[str, str]) -> None:
        self.path = places(environment).state / EXPIRY / f"{file_name_of(profile)}.json"

    def last(self) -> ExpiryRun | None:
        """The run before; None where none is known.

        A file that says nothing is none: it only ever makes a run wait, and the next one writes it anew.
        """
        try:
            handle = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
            with os.fdopen(handle, "rb") as file:
                return read_run(file.read(LONGEST_BYTES).decode("utf-8", "replace"))
        except FileNotFoundError:
            return None
        except ValueError:
            return None
        except OSError as error:
            raise RegisterError(f"reading {self.path}", error.strerror or str(error), _SEE) from None

    def note(self, run: ExpiryRun) -> None:
        """In the place of what it said."""
        try:
            make_private(self.path.parent)
            replace_text(self.path, run_document(run.since(self.last())))
        except OSError as error:
            raise RegisterError(f"writing {self.path}", error.strerror or str(error), _SEE) from None


_SEE = "see to the file and its folder: the schedule goes by it"


def schedule_of(profile: str, environment: Mapping[str, str]) -> ExpirySchedule:
    """What runs retention for that profile on this machine. Blocks. Raises RegisterError."""
    last = ExpiryFile(profile, environment).last()
    timer = f"{expiry_unit(profile)}.timer"
    for system in (False, True):
        path = unit_path(timer, environment, system=system)
        if path.is_file():
            return ExpirySchedule(timer, is_enabled(path), system, last)
    return ExpirySchedule(last=last)
