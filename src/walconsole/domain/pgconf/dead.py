"""Which configuration files on the host the server reads, which it never does, and why not."""

import re
from collections.abc import Iterable, Iterator, Mapping

from walconsole.domain.facts.observed import ConfigFile, FileRole
from walconsole.domain.pgconf.catalogue import ARCHIVE_RELEVANT, is_known
from walconsole.domain.pgconf.reader import AUTO_CONF, Statement, Visit, fold, is_included, statements
from walconsole.domain.pgconf.resolution import Resolution
from walconsole.domain.pgconf.start import Launch, debian_cluster, why_pgdata_is_void
from walconsole.domain.pgconf.tree import ConfigTree, FileContent, Obstacle, canonical, join, parent
from walconsole.domain.pgconf.values import same
from walconsole.domain.records import record

_NOT_SETTINGS = frozenset({"pg_ctl.conf", "start.conf", "environment", "pg_hba.conf", "pg_ident.conf"})
_BACKUP = re.compile(r".*(?:~|\.(?:bak|orig|old|save|sw[a-z]|rej|dpkg-\w+|ucf-\w+|rpm\w+))|#.*#")
_COMMENTED = re.compile(rb"[ \t]*#[# \t]*include(?:_dir|_if_exists)?[ \t=]+'?([^'#\n]+?)'?[ \t\r]*(?:#.*)?")


def classify(tree: ConfigTree, resolution: Resolution, launch: Launch) -> tuple[ConfigFile, ...]:
    """Every file that looks like configuration: those that are read first, then the dead ones by path."""
    visits: dict[str, Visit] = {}
    for visit in resolution.reading.visits:
        visits.setdefault(visit.path, visit)
    survey = _Survey(tree, resolution, launch, visits, _included_folders(resolution, visits))
    read = [survey.read(visit) for visit in visits.values()]
    others = (content for path, content in sorted(tree.files.items()) if path not in visits)
    return (*read, *(file for content in others for file in survey.unread(content)))


@record
class _Survey:
    tree: ConfigTree
    resolution: Resolution
    launch: Launch
    visits: Mapping[str, Visit]
    included_folders: frozenset[str]

    def read(self, visit: Visit) -> ConfigFile:
        content = self.tree.file(visit.path) or FileContent(visit.path, obstacle=Obstacle.MISSING)
        return self.file(content, FileRole.READ, self.why_read(visit))

    def why_read(self, visit: Visit) -> str:
        if visit.by_file is not None:
            return f"included by {visit.by_file}:{visit.by_line}"
        if visit.path.endswith(f"/{AUTO_CONF}"):
            return "what ALTER SYSTEM writes; read last, it wins over every other file"
        if self.resolution.command_line.value("config_file"):
            return "the postmaster was started with -c config_file"
        return "the cluster's main configuration file"

    def file(self, content: FileContent, role: FileRole, why: str) -> ConfigFile:
        settings = tuple(_relevant(self.statements(content)))
        unreadable = content.obstacle.value if content.obstacle is not None else None
        changes = tuple(self.changes(settings)) if role is FileRole.NEVER_READ else ()
        return ConfigFile(content.path, role, why, settings, changes, unreadable)

    def statements(self, content: FileContent) -> Iterable[Statement]:
        """The file's statements; those of a file that is read were parsed already."""
        parsed = self.resolution.reading.statements.get(content.path)
        return parsed if parsed is not None else statements(content.raw or b"")

    def changes(self, settings: tuple[tuple[str, str, int], ...]) -> Iterator[str]:
        """What would be different if these settings were in force."""
        for name, value, _ in settings:
            chain = self.resolution.chain(name)
            winner = chain.winner if chain is not None else None
            if chain is None or winner is None:
                yield f"{name} = {value} here has no effect"
            elif not same(value, winner.value, chain.meta):
                wins = f"{winner.value or 'empty'} wins, from {winner.where}"
                yield f"{name} = {value} here has no effect; {wins}"

    def unread(self, content: FileContent) -> Iterator[ConfigFile]:
        """The file as a dead one or another cluster's; nothing where it is no configuration."""
        if not self.looks_like_settings(content) or self.is_alias(content) or self.came_since(content.path):
            return
        other = self.other_cluster(content.path)
        if other is not None:
            yield self.file(content, FileRole.OTHER_CLUSTER, other)
        else:
            yield self.file(content, FileRole.NEVER_READ, self.why_dead(content.path))

    def looks_like_settings(self, content: FileContent) -> bool:
        name = _name(content.path)
        if name in _NOT_SETTINGS or content.obstacle in (Obstacle.MISSING, Obstacle.DIRECTORY):
            return False
        if is_included(name):
            return True
        return any(
            statement.name is not None and is_known(statement.name)
            for statement in statements(content.raw or b"", 20)
        )

    def came_since(self, path: str) -> bool:
        """Whether an included folder takes this file, which was not there when the folder was listed."""
        reading = self.resolution.reading
        taken = parent(path) in self.included_folders and is_included(_name(path))
        return taken and reading.complete and not self.resolution.errors

    def is_alias(self, content: FileContent) -> bool:
        """The same file as one that is read, by another name."""
        targets = {(self.tree.file(path) or content).link_target for path in self.visits} - {None}
        mine = (content.link_target, content.path)
        if canonical(content.path) in self.visits:
            return True  # an include wrote it with `//`, or its folder with a slash at its end
        return content.link_target in self.visits or any(path in targets for path in mine)

    def other_cluster(self, path: str) -> str | None:
        """Whose it is, when it lies in another cluster's folder and that cluster's data is not ours."""
        folder = parent(path)
        if folder.endswith("/conf.d"):
            folder = parent(folder)
        if folder in (parent(self.resolution.config_file), self.resolution.data_directory):
            return None
        main = join(folder, "postgresql.conf")
        cluster = debian_cluster(main, self.data_directory_in(main))
        listing = self.tree.listing(folder)
        if cluster is None or listing is None:
            return self.other_data_directory(folder)
        data = self.data_directory_in(main)
        if data == self.resolution.data_directory and data is not None:
            return None
        return f"belongs to cluster {cluster}" if _name(folder) != "conf.d" else None

    def other_data_directory(self, folder: str) -> str | None:
        """Another cluster's data directory: a configuration elsewhere names it."""
        for path in self.tree.files:
            if path.endswith("/postgresql.conf") and path != self.resolution.config_file:
                cluster = debian_cluster(path, self.data_directory_in(path))
                if cluster is not None and self.data_directory_in(path) == folder:
                    return f"belongs to cluster {cluster}, whose data directory it lies in"
        return None

    def data_directory_in(self, path: str) -> str | None:
        content = self.tree.file(path)
        found = None
        for statement in statements(content.raw or b"") if content is not None else ():
            if statement.name is not None and fold(statement.name) == "data_directory":
                found = canonical(statement.value)
        return found

    def why_dead(self, path: str) -> str:
        """The fact that decides it."""
        reasons = (
            self.why_name(path),
            self.why_stopped(path),
            self.why_commented(path),
            self.why_recovery(path),
            self.why_pgdata(path),
            self.why_other_main(path),
        )
        return next(filter(None, reasons), "no file that is read includes it")

    def why_name(self, path: str) -> str | None:
        """In a folder that is included: its name keeps it out. Elsewhere: a back-up copy."""
        name, folder = _name(path), parent(path)
        backup = _BACKUP.fullmatch(name) is not None
        if folder not in self.included_folders:
            return "a back-up copy: nothing includes it" if backup else None
        if name.startswith("."):
            return "include_dir passes over names that begin with a dot"
        if not is_included(name):
            what = "a back-up copy; " if backup else ""
            return f"{what}include_dir takes only names that end in .conf"
        return None

    def why_stopped(self, path: str) -> str | None:
        """include_dir gives up at the first file with an error, and auto.conf is not read after one."""
        errors = self.resolution.errors
        if self.resolution.reading.complete or not errors:
            return None
        first = errors[0].entry
        if parent(path) in self.included_folders or _name(path) == AUTO_CONF:
            return f"reading stops before it, at the error in {first.file}:{first.line}"
        return None

    def why_commented(self, path: str) -> str | None:
        """An include line that would name it is commented out."""
        for visit in self.visits.values():
            content = self.tree.file(visit.path)
            for number, line in enumerate((content.raw or b"").split(b"\n") if content else (), 1):
                found = _COMMENTED.fullmatch(line) if b"include" in line else None
                if found is None:
                    continue
                place = found[1].decode("utf-8", "replace")
                if self.resolution.located(place, visit.path) in (path, parent(path)):
                    return f"the line that would include it is commented out: {visit.path}:{number}"
        return None

    def why_recovery(self, path: str) -> str | None:
        if _name(path) != "recovery.conf":
            return None
        return "PostgreSQL 12 and later never read it, and do not start with one in the data directory"

    def why_pgdata(self, path: str) -> str | None:
        """It lies where an environment variable points that has no effect."""
        folder = parent(path)
        for variable in self.launch.variables:
            if variable.name == "PGDATA" and canonical(variable.value) in (folder, parent(folder)):
                void = why_pgdata_is_void(self.launch, self.resolution)
                return f"PGDATA={variable.value} ({variable.where}) points here, but {void}"
        return None

    def why_other_main(self, path: str) -> str | None:
        """A postgresql.conf where another one is the main file."""
        if _name(path) != "postgresql.conf":
            return None
        live = self.resolution.config_file
        if self.resolution.command_line.value("config_file"):
            return f"the postmaster was started with -c config_file={live}"
        if debian_cluster(live, self.resolution.data_directory) is not None:
            return f"pg_ctlcluster starts this cluster with {live}"
        return f"the server reads {live}"


def _included_folders(resolution: Resolution, visits: Mapping[str, Visit]) -> frozenset[str]:
    """The folders of include_dir lines in files that are read."""
    return frozenset(
        canonical(resolution.located(location, path), resolution.major)
        for path in visits
        for name, location in _settings(resolution.reading.statements.get(path, ()))
        if fold(name) == "include_dir"
    )


def _settings(found: Iterable[Statement]) -> Iterator[tuple[str, str]]:
    return ((statement.name, statement.value) for statement in found if statement.name is not None)


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def _relevant(found_in: Iterable[Statement]) -> Iterator[tuple[str, str, int]]:
    """The archive-relevant settings of a file: name, value, line; a later line replaces an earlier one."""
    found: dict[str, tuple[str, str, int]] = {}
    for statement in found_in:
        name = fold(statement.name) if statement.name is not None else ""
        if name in ARCHIVE_RELEVANT:
            found[name] = (name, statement.value, statement.line)
    return iter(found.values())
