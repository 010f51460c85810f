"""What an archiver that works in the background wrote down for its next call: pgBackRest's spool.

As in `observed`: texts are safe to show. pgBackRest, src/command/archive/common.c: below
`SPOOL/archive/STANZA/out` a file NAME.ok, or NAME.error with the error's code on its first line and its words
after it; `global.error` where all fail alike; an `.ok` that holds words is a warning.
"""

from walconsole.domain.records import record


@record
class SpoolNote:
    """One file: of which segment (`global` for all), the error's code (0: a warning), its words, and when."""

    segment: str
    code: int
    text: str
    at: float | None = None
    path: str = ""


@record
class SpoolFacts:
    """`folder` is where it lies; `why` why it could not be read, empty where it was. `notes`: newest last.

    `files` counts all that lie there; the notes are at most 64 of them, each cut at 2 KiB.
    """

    folder: str
    notes: tuple[SpoolNote, ...] = ()
    files: int = 0
    why: str = ""

    @property
    def errors(self) -> tuple[SpoolNote, ...]:
        """Those that keep a segment from being archived."""
        return tuple(note for note in self.notes if note.code)
