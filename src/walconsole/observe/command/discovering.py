"""Where the server archives to, found out on its host: the settings, then what its command names, by and by.

Everything is read as the server's own user finds it, at most 64 KiB a file, in MOST_ROUNDS rounds.
"""

import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace

from walconsole.domain.archivers.discovery import COMMAND, Settings, discover
from walconsole.domain.archivers.look import ABSENT, MOST_ROUNDS, FileText, ProgramFile, Seen, Wanted
from walconsole.domain.archivers.target import ArchiveTarget, Discovery, Hiding, UnreadStore
from walconsole.domain.facts.evidence import DiscoveryFacts, FoundCopy
from walconsole.domain.facts.host import ClusterFacts
from walconsole.domain.facts.observed import ConfigFiles
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.redaction import decode, safe
from walconsole.errors import ShellError
from walconsole.observe.command.scheduled import folders_of, notes_of, scheduled
from walconsole.observe.host.host import HostProbe
from walconsole.observe.host.host_script import all_records, assignment, script_that_follows
from walconsole.observe.host.invocation import as_user
from walconsole.observe.poller.probe import Fact
from walconsole.observe.server.configuration import ConfigurationProbe
from walconsole.ports import Clock, Shell

SCRIPT_S = 10.0
SERVER_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
TRIED = "finding out where the server archives to"


class HostDiscovery:
    """Finds out where the server archives to. `bare`: nothing that looks like a secret leaves the host."""

    def __init__(self, shell: Shell, host: HostProbe, *, bare: bool = False) -> None:
        self._shell, self._host, self._bare = shell, host, bare
        self._configuration = ConfigurationProbe(shell, host)

    async def find_out(self) -> Discovery:
        """Raises errors.SshError, ShellError, ClusterChoiceError."""
        cluster = await self._host.locate()
        settings = await self._settings()
        user = cluster.owner or "postgres"
        seen = Seen(user=user, data=cluster.data_directory or "", port=cluster.port)
        found, wanted = discover(settings, seen)
        rounds = 0
        while (wanted or not rounds) and rounds < MOST_ROUNDS:  # the environment is always read
            seen = await self._read(seen, wanted, cluster)
            rounds += 1
            found, wanted = discover(settings, seen)
        if wanted:
            names = ", ".join((*wanted.files, *wanted.folders, *wanted.programs))
            found = replace(found, notes=(*found.notes, safe(f"not followed that far: {names}")[:300]))
        return replace(await self._with_scheduled(found, seen, cluster), owner=user)

    async def _with_scheduled(self, found: Discovery, seen: Seen, cluster: ClusterFacts) -> Discovery:
        """With what cron and timers copy of the archive's folders, where there are such."""
        folders = folders_of(found)
        if not folders:
            return found

        async def read(seen: Seen, wanted: Wanted) -> Seen:
            return await self._read(seen, wanted, cluster)

        try:
            copied, barred = await scheduled(self._shell, folders, seen, read, bare=self._bare)
        except ShellError as error:
            why = f"whether cron copies the folder elsewhere is not known: {safe(str(error))[:200]}"
            return replace(found, notes=(*found.notes, why))
        told = tuple(str(each) for each in copied)
        return replace(found, copied=told, notes=(*found.notes, *notes_of(copied, barred)))

    async def _settings(self) -> Settings:
        """As the configuration files have them: also while archive_mode is off, or the server is down."""
        (fact, *_) = await self._configuration.take()
        files = fact.value
        if not isinstance(files, ConfigFiles) or files.resolution is None:
            raise ShellError(TRIED, "which configuration file the server reads is not known")
        resolution = files.resolution
        chain = resolution.chain("archive_library") if resolution.value("archive_library") else None
        chain = chain or resolution.chain(COMMAND)
        winner = chain.winner if chain is not None else None
        return Settings(
            resolution.value(COMMAND) or "",
            resolution.value("archive_library") or "",
            resolution.value("basic_archive.archive_directory") or "",
            winner.where if winner is not None else COMMAND,
            resolution.major or 0,
            resolution.value("archive_mode") or "",
        )

    async def _read(self, seen: Seen, wanted: Wanted, cluster: ClusterFacts) -> Seen:
        token = secrets.token_hex(8)
        observed = self._host.observed
        pid = observed.pid if observed is not None else None
        assigned = (
            ("token", token),
            ("pid", str(pid) if pid else ""),
            ("data", cluster.data_directory or ""),
            ("path", SERVER_PATH),
            ("files", "\n".join(wanted.files)),
            ("folders", "\n".join(wanted.folders)),
            ("programs", "\n".join(wanted.programs)),
            ("bare", "1" if self._bare else "0"),
        )
        script = "".join(
            assignment(name, text.encode("utf-8", "surrogateescape")) for name, text in assigned
        ) + script_that_follows("discover.sh")
        answer = await self._shell.run(as_user(seen.user, script), timeout_s=SCRIPT_S)
        try:
            records = all_records(answer.stdout, token)
        except ShellError:
            why = safe(decode(answer.stdout[-200:])).strip() or f"exit status {answer.status}"
            raise ShellError(f"{TRIED}, as user {seen.user}", why) from None
        return joined(seen, wanted, records, f"the server's environment (/proc/{pid}/environ)")


def joined(seen: Seen, wanted: Wanted, records: Sequence[tuple[str, bytes]], environ_from: str) -> Seen:
    """What was seen, with what the records tell; what was asked for and not told is not there."""
    texts = _Texts()
    home, environ, receivers, shell = seen.home, dict(seen.environ), [], seen.sh
    for key, value in records:
        if key == "home" and value:
            home = decode(value)
        elif key == "shell":
            shell = decode(value).rpartition("/")[2]
        elif key == "environ":
            lines = (line.partition("=") for line in decode(value).split("\n"))
            environ = {name: text for name, given, text in lines if given}
        elif key == "receiver":
            receivers.append(tuple(decode(value).split("\n")))
        else:
            texts.take(key, value)
    texts.end()
    missing = {path: FileText(path, problem=ABSENT) for path in wanted.files}
    return replace(
        seen,
        home=home,
        environ=environ,
        environ_from=environ_from,
        receivers=tuple(receivers),
        sh=shell,
        files={**seen.files, **missing, **texts.files},
        folders={
            **seen.folders, **{path: tuple(texts.folders.get(path, ())) for path in wanted.folders}
        },
        programs={
            **seen.programs,
            **{name: texts.programs.get(name, ProgramFile("")) for name in wanted.programs},
        },
    )  # fmt: skip


class _Texts:
    """Reads the records one by one: a file belongs to the folder or the program before it."""

    def __init__(self) -> None:
        self.files: dict[str, FileText] = {}
        self.folders: dict[str, list[FileText]] = {}
        self.programs: dict[str, ProgramFile] = {}
        self._file: FileText | None = None
        self._folder = self._program = ""
        self._script = False

    def take(self, key: str, value: bytes) -> None:
        """One record."""
        text = decode(value)
        if key in ("file", "folder", "program"):
            self.end()
        if key == "file":
            self._file = FileText(text)
        elif key == "folder":
            self._folder, self._program = text, ""
            self.folders[text] = []
        elif key == "program":
            self._program, self._folder, self._script = text, "", False
        elif key == "program.path":
            self.programs[self._program] = ProgramFile(text)
        elif key == "program.script":
            self._script = True
        elif self._file is not None:
            changes = {
                "file.text": {"text": text},
                "file.why": {"problem": text},
                "file.absent": {"problem": ABSENT},
                "file.cut": {"cut": True},
            }.get(key, {})
            self._file = replace(self._file, **changes)  # type: ignore[arg-type]  # of the field that is named

    def end(self) -> None:
        """The file that was told is whole."""
        file, self._file = self._file, None
        if file is None:
            return
        if self._script and self._program:
            self.programs[self._program] = ProgramFile(file.path, file)
            self._script = False
        elif self._folder:
            self.folders[self._folder].append(file)
        else:
            self.files[file.path] = file


class DiscoveryProbe:
    """Fills DISCOVERY. `found` is what was found before the first look, None where nothing was.

    `told` makes facts of it: it knows the profile that they are compared with.
    """

    name = "what the archive command and its tool's files say"
    slots = (Snapshot.discovery,)
    cadence_s = 120.0
    timeout_s = 40.0

    def __init__(
        self,
        discovery: HostDiscovery,
        clock: Clock,
        told: Callable[[Discovery], DiscoveryFacts],
        found: Discovery | None = None,
    ) -> None:
        self._discovery, self._clock, self._told, self._found = discovery, clock, told, found

    def refresh(self) -> None:
        """Look anew at the next look."""
        self._found = None

    async def take(self) -> Sequence[Fact]:
        """Raises errors.SshError, ShellError, ClusterChoiceError."""
        found, self._found = self._found, None
        facts = self._told(found if found is not None else await self._discovery.find_out())
        return [Fact(Snapshot.discovery, facts, self._clock.now(), self.name)]


def facts_of(found: Discovery, differences: Sequence[str] = ()) -> DiscoveryFacts:
    """What the snapshot keeps of it: words alone."""
    hiding, skipping = found.ending.hiding, found.ending.skipping
    return DiscoveryFacts(
        tuple(_copy(target) for target in found.targets),
        tuple(safe(line) for line in differences),
        tuple(safe(note) for note in found.notes),
        safe(found.judged),
        safe(hiding.what) if hiding is not None else "",
        _at(hiding),
        found.ending.stores_nothing,
        tuple(safe(line) for line in found.copied),
        tuple(map(safe, found.unset)),
        safe(skipping.what) if skipping is not None else "",
        _at(skipping),
    )


def _at(hiding: Hiding | None) -> str:
    return safe(f"{hiding.script} line {hiding.line}") if hiding is not None and hiding.script else ""


def _copy(target: ArchiveTarget) -> FoundCopy:
    return FoundCopy(
        safe(target.tool.value),
        safe(str(target.store)),
        safe(target.store.why) if isinstance(target.store, UnreadStore) else "",
        tuple(
            (name, safe(found.value), safe(found.source), found.certainty.value)
            for name, found in target.rows()
        ),
        tuple(safe(note) for note in target.notes),
        tuple((name, text) for name, text in target.commands.named() if safe(text) == text),
        safe(_file_of(target.credentials.source) or target.config),
        target.spool if target.spool.startswith("/") and safe(target.spool) == target.spool else "",
        target.whole,
    )


def _file_of(source: str) -> str:
    """`/etc/pgbackrest.conf line 4` without its line, a folder of envdir's; empty for a variable."""
    if not source.startswith("/"):
        return ""
    folder, _, name = source.rpartition("/")
    return folder if re.fullmatch(r"[A-Z][A-Z0-9_]*", name) else source.partition(" line ")[0]
