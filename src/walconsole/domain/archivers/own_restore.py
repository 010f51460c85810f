"""How a tool that archives is called, by the words of archive_command, and what it brings back by.

One value for drills, recoveries and what is typed by hand. pgBackRest's and barman-cloud's alone, where the
server calls them itself: what a script of somebody's calls, with which keys, only that script knows. No
secret is in them: keys come from the tool's files, or from the server's own environment.
"""

import shlex
from collections.abc import Sequence
from enum import StrEnum

from walconsole.domain.archivers.whence import OPTIONS_THAT_SAY_WHERE, options_that_say_where
from walconsole.domain.records import record
from walconsole.domain.redaction import redact

PGBACKREST, BARMAN = "pgBackRest", "barman-cloud"
APART = (
    "--no-link-all", "--reset-link-map", "--reset-tablespace-map", "--no-delta", "--reset-db-include",
    "--reset-db-exclude",
)  # fmt: skip
"""What pgBackRest's restore is told beside the old cluster, whatever its configuration says for one in its
place: `link-all` and the maps lead to the old one's pg_wal and tablespaces, where `delta` deletes what the
backup has not; of a database that is left out the files are empty (command reference, restore).
"""
_SHELL = frozenset("|&;<>()`$\n")
_BEFORE = frozenset({"env", "nice", "ionice", "envdir"})
_BARMANS = "barman-cloud-wal-archive"
_BARMAN_PUSH = frozenset({
    "-e", "--encryption", "--encrypt", "--max-block-size", "--max-concurrency", "--max-single-put-size",
    "--tags", "--history-tags", "--kms-key-name", "--sse-kms-key-id", "--encryption-scope",
    "--compression-level",
})  # fmt: skip


class OwnTool(StrEnum):
    """A tool whose archive is restored by its own commands."""

    PGBACKREST = PGBACKREST
    BARMAN = BARMAN


@record
class OwnRestore:
    """How `tool` is called. `before` are the words before the program (`env X=y`), `folder` the program's,
    with a slash at its end (empty: by PATH). `whence` are the words that say from where: options, and of
    Barman URL and server at their end; archive-push's own, paths of its spool and its log stay away.
    """

    tool: OwnTool
    before: tuple[str, ...] = ()
    folder: str = ""
    whence: tuple[str, ...] = ()

    def call(self, program: str, *words: str, whence: Sequence[str] | None = None) -> tuple[str, ...]:
        """That program of the same package, called likewise; `whence` in place of its own."""
        where = self.whence if whence is None else whence
        return (*self.before, f"{self.folder}{program}", *where, *words)

    @property
    def restore_command(self) -> str:
        """For a server that has none in force: its `%` is doubled where it is a word's own."""
        if self.tool is OwnTool.PGBACKREST:
            words = self.call("pgbackrest", "archive-get")
        else:
            words = self.call("barman-cloud-wal-restore")
        return shlex.join(words).replace("%", "%%") + ' %f "%p"'


def own_restore(command: str) -> OwnRestore | None:
    """None for another tool's, for one whose words do not tell all (a script, several commands), and where a
    key is among them: what is made of them is written into a file.
    """
    text = command.strip()
    if not text or _SHELL & set(text) or redact(text) != text:
        return None
    try:
        words = shlex.split(text)
    except ValueError:
        return None
    for at, word in enumerate(words):
        folder, slash, name = word.rpartition("/")
        whence = _whence(name, words[at + 1 :])
        if whence is not None:
            tool, said = whence
            if any("%" in each.replace("%%", "") for each in (*words[: at + 1], *said)):
                return None  # by the segment's name, which only the server fills in
            before, said = ([each.replace("%%", "%") for each in part] for part in (words[:at], said))
            return OwnRestore(tool, tuple(before), f"{folder}{slash}", tuple(said))
        if name not in _BEFORE and "=" not in word and not _is_option_of(words[:at], word):
            return None
    return None


def _is_option_of(before: list[str], word: str) -> bool:
    """Whether a word before the program belongs to one of _BEFORE: an option, a number, envdir's folder."""
    return bool(before) and (word.startswith("-") or word.isdigit() or before[-1].endswith("envdir"))


def _whence(name: str, words: list[str]) -> tuple[OwnTool, list[str]] | None:
    if name == "pgbackrest" and "archive-push" in words:
        told = options_that_say_where(name, words)
        return OwnTool.PGBACKREST, [option.joined for option in told]
    if name == _BARMANS:
        kept, plain = _of_barman(words)
        return (OwnTool.BARMAN, [*kept, *plain[:2]]) if len(plain) >= 2 else None
    return None


def _of_barman(words: list[str]) -> tuple[list[str], list[str]]:
    """Its options that a restore takes, too; and the plain words: URL, server, %p."""
    kept: list[str] = []
    plain: list[str] = []
    rest, whence = iter(words), OPTIONS_THAT_SAY_WHERE[_BARMANS]
    for word in rest:
        name, given, _ = word.partition("=")
        if name in _BARMAN_PUSH or name in whence:
            value = [] if given else [next(rest, "")]
            if name in whence:
                kept += [word, *value]
        elif not word.startswith("-"):
            plain.append(word)
    return kept, plain
