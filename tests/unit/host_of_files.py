"""A host made of texts, read as the adapter reads a real one: only what was asked for, in rounds."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from walconsole.domain.archivers.discovery import Settings, discover
from walconsole.domain.archivers.look import ABSENT, MOST_ROUNDS, FileText, ProgramFile, Seen
from walconsole.domain.archivers.target import ArchiveTarget, Discovery, S3Store


@dataclass(frozen=True)
class Host:
    """Files by path; an executable one is found by its name, too. `unreadable` ones are barred."""

    files: Mapping[str, str] = field(default_factory=dict)
    environ: Mapping[str, str] = field(default_factory=dict)
    binaries: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()
    home: str = "/var/lib/postgresql"
    sh: str = ""

    def find_out(self, settings: Settings) -> Discovery:
        """What is found within as many rounds as the console takes."""
        seen = Seen(home=self.home, data="/data", environ=self.environ, sh=self.sh)
        for _ in range(MOST_ROUNDS):
            found, wanted = discover(settings, seen)
            if not wanted:
                return found
            seen = replace(
                seen,
                files={**seen.files, **{path: self._file(path) for path in wanted.files}},
                folders={**seen.folders, **{path: self._folder(path) for path in wanted.folders}},
                programs={**seen.programs, **{name: self._program(name) for name in wanted.programs}},
            )
        return discover(settings, seen)[0]

    def _file(self, path: str) -> FileText:
        if path in self.unreadable:
            return FileText(path, problem="permission denied")
        if path not in self.files:
            return FileText(path, problem=ABSENT)
        return FileText(path, self.files[path])

    def _folder(self, path: str) -> tuple[FileText, ...]:
        return tuple(self._file(each) for each in sorted(self.files) if each.rpartition("/")[0] == path)

    def _program(self, name: str) -> ProgramFile:
        for path, text in self.files.items():
            if path == name or path.rpartition("/")[2] == name:
                return ProgramFile(
                    path, FileText(path, text) if text.startswith(("#!", "\ufeff#!")) else None
                )
        return ProgramFile(f"/usr/bin/{name}" if name in self.binaries else "")


def one(command: str, files: Mapping[str, str] | None = None, **environ: str) -> ArchiveTarget:
    """The only target of a command."""
    found = Host(files or {}, environ).find_out(Settings(command))
    assert len(found.targets) == 1, found
    return found.targets[0]


def told(target: ArchiveTarget) -> tuple[str, str, str, str, bool, str]:
    """Endpoint, region, bucket, prefix, path style and the access key of an S3 target."""
    store = target.store
    assert isinstance(store, S3Store), store
    pair = target.credentials.pair
    return (
        store.endpoint.value,
        store.region.value,
        store.bucket.value,
        store.prefix.value,
        store.path_style.value,
        pair.access_key if pair is not None else "",
    )
