"""On which host a recovery was begun that is not production's: a note for each profile, until it has ended.

Where it stands that host tells; without the note nobody would ask it, but who remembers its name.
"""

from collections.abc import Mapping
from pathlib import Path

from walconsole.errors import RegisterError
from walconsole.operator_files.places import RECOVERIES, file_name_of, places
from walconsole.operator_files.private import make_private, replace_text

LONGEST = 300


class BegunElsewhere:
    """The note of one profile. Every call blocks."""

    def __init__(self, profile: str, environment: Mapping[str, str]) -> None:
        self._path = _path_of(profile, environment)

    def host(self) -> str:
        """`root@spare`, empty where there is none, or it cannot be read."""
        try:
            with self._path.open(encoding="utf-8") as note:
                return note.read(LONGEST).strip()
        except (OSError, ValueError):
            return ""

    def note(self, host: str) -> None:
        """Before anything is begun there. Raises RegisterError."""
        try:
            make_private(self._path.parent)
            replace_text(self._path, f"{host}\n")
        except OSError as error:
            why = error.strerror or type(error).__name__
            raise RegisterError(f"noting in {self._path} where it is recovered", why) from None

    def forget(self) -> None:
        """It has ended, or was not begun. Raises RegisterError."""
        try:
            self._path.unlink(missing_ok=True)
        except OSError as error:
            raise RegisterError(f"removing {self._path}", error.strerror or type(error).__name__) from None


def _path_of(profile: str, environment: Mapping[str, str]) -> Path:
    return places(environment).state / RECOVERIES / file_name_of(profile)
