"""pgBackRest: its repositories, by the words, PGBACKREST_* variables and its configuration files.

src/config/parse.c: an option of the words beats a variable, that beats [stanza:command], [stanza],
[global:command], [global]. --config alone turns conf.d off. Amazon's files and variables are never read.
"""

import re
from collections.abc import Iterator

from walconsole.domain.archivers.called import Call
from walconsole.domain.archivers.expansion import UNKNOWN
from walconsole.domain.archivers.look import FileText, Look
from walconsole.domain.archivers.places import Section, credentials, endpoint_url, is_bucket, sections
from walconsole.domain.archivers.target import (
    ArchiveTarget,
    Credentials,
    FolderStore,
    Found,
    S3Store,
    Store,
    UnreadStore,
    default,
)

TOOL = "pgBackRest"
_FOLDER = "/etc/pgbackrest"
_OLD_FILE = "/etc/pgbackrest.conf"
_COMMAND = "archive-push"
_REPOSITORY = re.compile(r"repo(\d*)-")
_OLD_NAMES = {
    "storage-verify-tls": ("s3-verify-tls", "s3-verify-ssl"),
    "storage-host": ("s3-host",),
    "storage-port": ("s3-port",),
    "storage-ca-file": ("s3-ca-file",),
}
"""Names of earlier releases, which it still takes."""
_MOST_REPOSITORIES = 8
_FLAGS = frozenset({"--archive-async", "--no-archive-async", "--delta", "--archive-check"})


class Options:
    """What holds for one stanza and archive-push."""

    def __init__(self, call: Call, look: Look) -> None:
        self._source = call.source
        self._words = _options(call)
        self._variables = {
            name.removeprefix("PGBACKREST_").lower().replace("_", "-"): found
            for name, found in call.environment.items()
            if name.startswith("PGBACKREST_") and found.value
        }
        self.stanza = self._said("stanza") or Found("", "")
        self.config = self.unread = ""
        name = self.stanza.value
        merged: dict[str, Section] = {}
        for file in self._files(call, look):
            for heading, section in sections(file).items():
                merged.setdefault(heading, {}).update(section)
        headings = (f"{name}:{_COMMAND}", name, f"global:{_COMMAND}", "global")
        self._sections = [merged.get(heading, {}) for heading in headings if heading != ""]

    def _said(self, name: str) -> Found[str] | None:
        if name in self._words:
            return Found(self._words[name], self._source)
        return self._variables.get(name)

    def _files(self, call: Call, look: Look) -> Iterator[FileText]:
        config, folder, include = (
            self._said(each) for each in ("config", "config-path", "config-include-path")
        )
        if config is not None:
            file = look.file(self._needs(look, look.path(call.within(config.value))))
        elif folder is not None:
            file = look.file(self._needs(look, f"{folder.value.rstrip('/')}/pgbackrest.conf"))
        else:
            file = look.first(f"{_FOLDER}/pgbackrest.conf", _OLD_FILE)
            for each in (f"{_FOLDER}/pgbackrest.conf", _OLD_FILE):
                if look.barred(each):
                    self._needs(look, each)
        if file is not None:
            self.config = file.path
            yield file
        if include is None and config is not None:
            return
        parent = folder.value.rstrip("/") if folder is not None else _FOLDER
        joined = look.folder(include.value.rstrip("/") if include is not None else f"{parent}/conf.d")
        yield from (each for each in joined if each.path.endswith(".conf"))

    def _needs(self, look: Look, path: str) -> str:
        """The path; where it is known not to be read, the tool ends without a file that it is given."""
        why = "it is not there" if look.is_absent(path) else look.barred(path)
        if why and not self.unread:
            self.unread = f"{path} is not read: {why}"
        return path

    def get(self, name: str) -> Found[str] | None:
        """The strongest that says it."""
        said = self._said(name)
        if said is not None:
            return said
        return next((section[name] for section in self._sections if name in section), None)

    def of(self, repository: int, name: str) -> Found[str] | None:
        """`repoN-NAME`, under its names of earlier releases, too."""
        numbers = (f"repo{repository}-", "repo-") if repository == 1 else (f"repo{repository}-",)
        for each in (name, *_OLD_NAMES.get(name, ())):
            for prefix in numbers:
                found = self.get(f"{prefix}{each}")
                if found is not None:
                    return found
        return None

    def repositories(self) -> list[int]:
        """The numbers that anything is said of; the first where nothing is."""
        names = [*self._words, *self._variables, *(key for section in self._sections for key in section)]
        found = {int(match[1] or 1) for name in names if (match := _REPOSITORY.match(name)) is not None}
        return sorted(found)[:_MOST_REPOSITORIES] or [1]


def _options(call: Call) -> dict[str, str]:
    found: dict[str, str] = {}
    words = list(call.words)
    for at, word in enumerate(words):
        name, given, value = word.partition("=")
        if not word.startswith("--"):
            continue
        if not given and word not in _FLAGS and at + 1 < len(words) and words[at + 1] != _COMMAND:
            value = words[at + 1] if not words[at + 1].startswith("-") else ""
        found[name.removeprefix("--")] = value
    return found


def targets(call: Call, look: Look) -> tuple[ArchiveTarget, ...]:
    """A target for each repository; none for another command than archive-push."""
    if _COMMAND not in call.words:
        return ()
    options = Options(call, look)
    return tuple(_target(call, options, number) for number in options.repositories())


def _target(call: Call, options: Options, number: int) -> ArchiveTarget:
    path = options.of(number, "path") or default("/var/lib/pgbackrest", TOOL)
    prefix = f"{path.value.strip('/')}/" if path.value.strip("/") else ""
    stanza = options.stanza.value or "…"
    store, keys = _store(options, number, path, prefix)
    cipher = options.of(number, "cipher-type") or default("none", TOOL)
    compress = options.get("compress-type") or default("gz", TOOL)
    switch = options.get("compress")
    if switch is not None and switch.value in ("n", "false") and options.get("compress-type") is None:
        compress = switch.but("none")
    kept = [
        (name, found)
        for name in ("retention-full", "retention-full-type", "retention-archive", "retention-diff")
        if (found := options.of(number, name)) is not None
    ]
    retention = (
        Found(", ".join(f"{name} {found.value}" for name, found in kept), kept[0][1].source)
        if kept
        else default("none: nothing expires", TOOL)
    )
    return ArchiveTarget(
        Found(TOOL, call.source),
        store,
        keys,
        layout=Found(f"archive/{stanza}/VERSION-N/LOG/", options.stanza.source or call.source),
        compression=compress,
        encryption=cipher,
        backups=Found(f"backup/{stanza}/", options.stanza.source or call.source),
        retention=retention,
        config=options.config,
        notes=tuple(_notes(options, number, path.value)),
        spool=_spool(options),
    )


def _notes(options: Options, number: int, path: str) -> Iterator[str]:
    if not options.stanza.value:
        yield "no stanza is named"
    spool = _spool(options)
    if spool:
        yield f"it archives asynchronously: errors are under {spool}"
    if number > 1:
        yield f"this is repository {number}"
    if path != "/" and "//" in path:
        yield f"the path {path} holds a double slash"


def _spool(options: Options) -> str:
    """Where the background process notes what it was answered; empty where there is none."""
    asynchronous, stanza = options.get("archive-async"), options.stanza.value
    if asynchronous is None or asynchronous.value not in ("y", "true", "") or not stanza:
        return ""
    folder = options.get("spool-path") or default("/var/spool/pgbackrest", TOOL)
    return f"{folder.value.rstrip('/')}/archive/{stanza}/out"


def _store(options: Options, number: int, path: Found[str], prefix: str) -> tuple[Store, Credentials]:
    if options.unread:
        what = Found(f"pgBackRest's repository {number}", options.unread.partition(" ")[0])
        return UnreadStore(what, f"{options.unread}; pgBackRest archives nothing then"), Credentials("")
    host = options.of(number, "host")
    if host is not None and host.value:
        what = host.but(f"pgBackRest's repository {number} on {host.value}")
        return UnreadStore(what, "where it is and its keys are known on that host alone"), Credentials("")
    kind = options.of(number, "type") or default("posix", TOOL)
    if kind.value in ("posix", "cifs"):
        return FolderStore(path.but(path.value.rstrip("/") or "/")), Credentials("")
    if kind.value == "sftp":
        return _sftp(options, number, path), Credentials("")
    if kind.value != "s3":
        name = options.of(number, {"azure": "azure-container", "gcs": "gcs-bucket"}.get(kind.value, "bucket"))
        what = kind.but(f"{kind.value}://{name.value if name else '…'}/{prefix}".rstrip("/"))
        return UnreadStore(what, f"repositories of type {kind.value} are not read"), Credentials("")
    return _s3(options, number, path.but(prefix))


def _sftp(options: Options, number: int, path: Found[str]) -> Store:
    host, user = options.of(number, "sftp-host"), options.of(number, "sftp-host-user")
    if host is None:
        return UnreadStore(path, "no repo-sftp-host is named")
    port = options.of(number, "sftp-host-port")
    login = f"{user.value}@{host.value}" if user is not None else host.value
    number_of = int(port.value) if port is not None and port.value.isdigit() else None
    return FolderStore(path.but(path.value.rstrip("/") or "/"), host.but(login), number_of)


def _s3(options: Options, number: int, prefix: Found[str]) -> tuple[Store, Credentials]:
    bucket, region, endpoint = (options.of(number, f"s3-{each}") for each in ("bucket", "region", "endpoint"))
    if bucket is None or not is_bucket(bucket.value) or UNKNOWN in bucket.value:
        return UnreadStore(Found("an S3 bucket"), f"no repo{number}-s3-bucket is named"), Credentials("")
    at = options.of(number, "storage-host") or endpoint
    port = options.of(number, "storage-port")
    url = endpoint_url(at.value, "https") if at is not None else ""
    if at is None or not url:
        return UnreadStore(bucket, f"no repo{number}-s3-endpoint is named"), Credentials("")
    if port is not None and port.value.isdigit() and port.value != "443" and url.count(":") == 1:
        url = f"{url}:{port.value}"
    style = options.of(number, "s3-uri-style") or default("host", TOOL)
    verify = options.of(number, "storage-verify-tls")
    store = S3Store(
        bucket,
        prefix,
        at.but(url),
        region or default("us-east-1", TOOL),
        style.but(style.value == "path"),
        options.of(number, "storage-ca-file"),
        verify is None or verify.value not in ("n", "false"),
    )
    kind = options.of(number, "s3-key-type")
    if kind is not None and kind.value != "shared":
        why = {"auto": "the instance's role gives them", "web-id": "a web identity gives them"}
        return store, Credentials(kind.source, None, why.get(kind.value, f"repo-s3-key-type is {kind.value}"))
    token = options.of(number, "s3-token")
    keys = credentials(
        options.of(number, "s3-key"),
        options.of(number, "s3-key-secret"),
        token.value if token is not None else "",
    )
    return store, keys or Credentials("", None, f"no repo{number}-s3-key is there")
