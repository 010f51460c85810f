"""That an archive command copies a whole folder, and not the one segment that it is called for."""

from enum import StrEnum

from walconsole.domain.records import record


class Whole(StrEnum):
    """What a command makes of a whole folder that it copies."""

    MIRRORS = "deletes in the archive what the folder has no more"
    KEEPS = "leaves what is there already, though the folder has another file of that name by now"
    COPIES = "copies all of it each time"


@record
class WholeFolder:
    """That a whole folder is copied, and not the one segment.

    `into` is the place as the command names it, `words` are the command's, both safe to show, `at` is where
    they stand; `instead` what stores the one segment with the same tool, empty where that is not known.
    """

    how: Whole
    folder: str
    into: str
    words: str
    at: str
    instead: str = ""
