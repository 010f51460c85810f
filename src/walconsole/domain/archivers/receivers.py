"""Programs that receive WAL by streaming on the server's own host, by their arguments (pg_receivewal(1))."""

import re
from collections.abc import Sequence

from walconsole.domain.archivers.folders import receiver_folder
from walconsole.domain.archivers.target import ArchiveTarget, FolderStore, Found

_VALUED = {
    "-D": "directory", "-h": "host", "-p": "port", "-d": "dbname", "-S": "slot", "-Z": "compress",
    "-U": "username", "-E": "endpos", "-s": "status-interval",
}  # fmt: skip
_HERE = re.compile(r"|/.*|@.*|localhost|127\.\d+\.\d+\.\d+|::1")
_BARMANS = "/streaming"
"""Barman has its receiver write there, and takes what is finished into its own folders beside it."""
_PGHOARDS = "/xlog_incoming"
"""pghoard has its receiver write there, stores what is finished as its JSON says, and takes it away."""


def received_here(processes: Sequence[Sequence[str]], port: int) -> tuple[ArchiveTarget, ...]:
    """Where those that receive from the server on that port (0: not known) keep it, each folder once.

    One that names another host or port receives from another server; a folder that is not absolute is
    known to the process alone.
    """
    found: dict[str, ArchiveTarget] = {}
    for words in processes:
        folder = receiver_folder(words).rstrip("/")
        options = _options(words)
        if not folder or folder.endswith(_PGHOARDS) or not _HERE.fullmatch(_said(options, "host")):
            continue
        if port and _said(options, "port") not in ("", str(port)):
            continue
        found.setdefault(folder, _target(folder, options))
    return tuple(found.values())


def feeds_pghoard(processes: Sequence[Sequence[str]]) -> bool:
    """Whether one of them only hands on to pghoard what it receives."""
    return any(receiver_folder(words).rstrip("/").endswith(_PGHOARDS) for words in processes)


def _target(folder: str, options: dict[str, str]) -> ArchiveTarget:
    source = "the arguments of a running pg_receivewal"
    if folder.endswith(_BARMANS):
        home = folder.removesuffix(_BARMANS)
        return ArchiveTarget(
            Found("Barman", source), FolderStore(Found(home, source)), layout=Found("wals/LOG/%f", source)
        )
    algorithm = _algorithm(options.get("compress", ""))
    return ArchiveTarget(
        Found("pg_receivewal", source),
        FolderStore(Found(folder, source)),
        layout=Found("%f", source),
        compression=Found(algorithm, source),
        encryption=Found("none", source),
    )


def _algorithm(text: str) -> str:
    """`-Z 5` and `--compress=gzip:5` are gzip, `--compress=lz4` is lz4, `0` is none."""
    name = text.partition(":")[0]
    if name.isdigit():
        return "gzip" if int(name) else "none"
    return name or "none"


def _said(options: dict[str, str], name: str) -> str:
    """An option's value, else that of the connection string; the last words of those that stand there."""
    if options.get(name):
        return options[name]
    dsn = options.get("dbname", "")
    match = re.search(rf"(?:^|\s){name}\s*=\s*(?:'([^']*)'|(\S+))", dsn)
    if match is not None:
        return match[1] or match[2] or ""
    url = re.match(r"postgres(?:ql)?://(?:[^@/]*@)?(?P<host>\[[^\]]*\]|[^:/?]*)(?::(?P<port>\d+))?", dsn)
    return (url.groupdict().get(name) or "").strip("[]") if url is not None else ""


def _options(words: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for at, word in enumerate(words):
        name, given, value = word.partition("=")
        if word.startswith("--"):
            found[name[2:]] = value if given else "".join(words[at + 1 : at + 2])
        elif word[:2] in _VALUED:
            found[_VALUED[word[:2]]] = word[2:] or "".join(words[at + 1 : at + 2])
    return found
