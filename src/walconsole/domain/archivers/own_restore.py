"""The commands by which a tool brings back what it archived, from the words of its archive_command.

pgBackRest's and barman-cloud's alone, where the server calls them itself: what a script of somebody's calls,
with which keys, only that script knows. No secret is in them: keys come from the tool's files, or from the
server's own environment.
"""

import shlex
from dataclasses import dataclass
from enum import StrEnum

from walconsole.domain.redaction import redact

PGBACKREST, BARMAN = "pgBackRest", "barman-cloud"
_SHELL = frozenset("|&;<>()`$\n")
_BEFORE = frozenset({"env", "nice", "ionice", "envdir"})
_WHERE = ("config", "config-path", "config-include-path", "stanza")
"""Options of pgBackRest's that say whence; archive-push's own, paths of its spool and its log stay away."""
_BARMAN_WHENCE = frozenset({
    "--endpoint-url", "-P", "--profile", "--aws-profile", "--cloud-provider", "--read-timeout",
    "--aws-region", "--credential", "--azure-credential", "--gcp-project", "--addressing-style",
})  # fmt: skip
_BARMAN_PUSH = frozenset({
    "-e", "--encryption", "--encrypt", "--max-block-size", "--max-concurrency", "--max-single-put-size",
    "--tags", "--history-tags", "--kms-key-name", "--sse-kms-key-id", "--encryption-scope",
    "--compression-level",
})  # fmt: skip


class OwnTool(StrEnum):
    """A tool whose archive is restored by its own commands."""

    PGBACKREST = PGBACKREST
    BARMAN = BARMAN


@dataclass(frozen=True, slots=True)
class OwnRestore:
    """How `tool` is called: shell words, each quoted where it must be. `before` are those before the program
    (`env X=y`), `program` its path up to the last slash with it (empty: by PATH), `whence` what says from
    where: options, and of Barman URL and server at their end.
    """

    tool: OwnTool
    before: str
    program: str
    whence: str

    @property
    def restore_command(self) -> str:
        """For a server that has none in force: its `%` is doubled where it is a word's own."""
        if self.tool is OwnTool.PGBACKREST:
            words = f"{self.program}pgbackrest {self.whence} archive-get"
        else:
            words = f"{self.program}barman-cloud-wal-restore {self.whence}"
        return f"{self.before} {words}".strip().replace("%", "%%") + ' %f "%p"'


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
            return OwnRestore(tool, shlex.join(before), f"{folder}{slash}", shlex.join(said))
        if name not in _BEFORE and "=" not in word and not _is_option_of(words[:at], word):
            return None
    return None


def _is_option_of(before: list[str], word: str) -> bool:
    """Whether a word before the program belongs to one of _BEFORE: an option, a number, envdir's folder."""
    return bool(before) and (word.startswith("-") or word.isdigit() or before[-1].endswith("envdir"))


def _whence(name: str, words: list[str]) -> tuple[OwnTool, list[str]] | None:
    if name == "pgbackrest" and "archive-push" in words:
        return OwnTool.PGBACKREST, list(_of_pgbackrest(words))
    if name == "barman-cloud-wal-archive":
        kept, plain = _of_barman(words)
        return (OwnTool.BARMAN, [*kept, *plain[:2]]) if len(plain) >= 2 else None
    return None


def _of_pgbackrest(words: list[str]) -> list[str]:
    kept: list[str] = []
    for at, word in enumerate(words):
        name, given, value = word.removeprefix("--").partition("=")
        if word.startswith("--") and (name in _WHERE or name.startswith("repo")):
            after = words[at + 1] if at + 1 < len(words) else ""
            kept.append(f"--{name}={value if given else after}")
    return kept


def _of_barman(words: list[str]) -> tuple[list[str], list[str]]:
    """Its options that a restore takes, too; and the plain words: URL, server, %p."""
    kept: list[str] = []
    plain: list[str] = []
    rest = iter(words)
    for word in rest:
        name, given, _ = word.partition("=")
        if name in _BARMAN_PUSH | _BARMAN_WHENCE:
            value = [] if given else [next(rest, "")]
            if name in _BARMAN_WHENCE:
                kept += [word, *value]
        elif not word.startswith("-"):
            plain.append(word)
    return kept, plain
