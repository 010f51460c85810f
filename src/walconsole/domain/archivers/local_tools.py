"""What copies into a folder here or on another host: cp, install, dd, compressors, rsync, scp, ssh;
basic_archive, pg_probackup, pghoard.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from walconsole.domain.archivers import pghoard_state
from walconsole.domain.archivers.called import Call
from walconsole.domain.archivers.calls import calls_of
from walconsole.domain.archivers.expansion import UNKNOWN, shown
from walconsole.domain.archivers.look import Look
from walconsole.domain.archivers.places import (
    COMPRESSORS,
    ENCRYPTERS,
    amazons,
    compression_of,
    credentials,
    encryption_of,
    endpoint_url,
    home_of,
    json_of,
    key_template,
    region_of,
)
from walconsole.domain.archivers.s3_clients import words_of
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

COPIERS = frozenset({"cp", "mv", "install", "ln", "dd", "rsync", "scp", "ssh", "sftp", "tee", "cat", "pv"})
RSYNC_VALUED = frozenset({
    "-e", "--rsh", "--rsync-path", "--bwlimit", "--timeout", "--chmod", "--chown", "--password-file",
    "--exclude", "--include", "--exclude-from", "--include-from", "--files-from", "--filter", "-f",
    "--log-file", "--partial-dir", "--temp-dir", "-T", "--port", "--backup-dir", "--compare-dest",
    "--copy-dest", "--link-dest", "--max-size", "--min-size", "--contimeout", "--suffix", "--out-format",
    "--log-file-format", "--max-delete", "--block-size", "-B", "--iconv", "--address", "--sockopts",
    "--compress-level", "--modify-window", "-M", "--remote-option", "--groupmap", "--usermap", "--info",
    "--debug",
})  # fmt: skip
"""Its options that take a word (rsync(1)); most of them also joined by `=`."""
_VALUED = {
    "cp": frozenset({"-t", "--target-directory", "-S", "--suffix"}),
    "mv": frozenset({"-t", "--target-directory", "-S", "--suffix"}),
    "install": frozenset(
        {"-t", "--target-directory", "-m", "--mode", "-o", "--owner", "-g", "--group", "-S"}
    ),
    "rsync": RSYNC_VALUED,
    "scp": frozenset({"-P", "-i", "-o", "-F", "-c", "-J", "-l", "-S"}),
    "ssh": frozenset({
        "-p", "-i", "-o", "-l", "-F", "-J", "-b", "-c", "-E", "-e", "-I", "-L", "-m", "-O", "-Q", "-R", "-S",
        "-W", "-w", "-D", "-B",
    }),
}  # fmt: skip
_REMOTE = re.compile(r"((?:[^@/:\s]+@)?(?:\[[^\]]+\]|[^/:\s]+)):(?!:)(.*)", re.DOTALL)
_RECURSIVE = re.compile(r"-[A-Za-z]*[raR][A-Za-z]*|--recursive|--archive")
_OPEN = re.compile(rf"%|{re.escape(UNKNOWN)}|\*")
"""What is one file, or known only when the command runs."""
_OUTPUT = {
    "zstd": ("-o",), "age": ("-o", "--output"), "rage": ("-o", "--output"), "gpg": ("-o", "--output"),
    "gpg2": ("-o", "--output"), "openssl": ("-out",), "brotli": ("-o", "--output"),
    "lzop": ("-o", "--output"),
}  # fmt: skip
"""Their options for the file that they write."""
_TELLS = {
    "openssl": re.compile(r"dgst|rand|x509|md\d|sha\d+.*|blake2.*"),
    "gpg": re.compile(r"-b|--detach-sig|--detach-sign|--verify|--print-mds?|--import|--list-.*|-d|--decrypt"),
}
"""Words by which an encrypting program makes a digest or a signature, and no copy."""
_DEVICES = re.compile(r"/(?:dev(?!/shm/)|proc)(?:/|$)")


def target(call: Call, look: Look) -> ArchiveTarget | None:
    """Where it puts the file; None where that is a place of passage or nothing is stored."""
    name = call.name
    if name == "ssh":
        return _by_ssh(call, look)
    if _only_tells(call):
        return None
    options, plain = words_of(call.words, _VALUED.get(name, frozenset()))
    if name == "rsync" and plain and ("::" in plain[-1] or plain[-1].startswith("rsync://")):
        module = re.sub(r"(?<=//)[^/]*@", "", plain[-1])  # no password that somebody put there
        what = Found(shown(module).replace("%f", "").rstrip("/"), call.source)
        return ArchiveTarget(
            Found(name, call.source), UnreadStore(what, "an rsync daemon's module is not read")
        )
    plain = _into_folder(call, plain)
    if name in ("rsync", "scp") and plain and (match := _REMOTE.fullmatch(plain[-1])) is not None:
        return _remote(call, match[1], match[2], _port(options))
    path = _output(call, options, plain)
    return None if not path else _folder(call, look, path)


def _into_folder(call: Call, plain: list[str]) -> list[str]:
    """With the place of a whole folder's files: `cp -r pg_wal /mnt` puts them into /mnt/pg_wal.

    rsync takes a source that ends in `/` for what is in it; cp and scp do not.
    """
    if call.name not in ("cp", "rsync", "scp") or len(plain) != 2:
        return plain
    source, into = plain
    recursive = any(_RECURSIVE.fullmatch(word) for word in call.words)
    contents = source.endswith("/") and call.name == "rsync"
    folder = source.rstrip("/").rpartition("/")[2]
    if not recursive or contents or folder in ("", ".", "..") or any(map(_OPEN.search, (folder, into))):
        return plain
    return [source, f"{into.rstrip('/')}/{folder}"]


def _output(call: Call, options: Mapping[str, str], plain: list[str]) -> str:
    """The file or folder that it writes; empty for none."""
    name = call.name
    if name == "dd":
        of = next((word for word in call.words if word.startswith("of=")), "")
        return of.removeprefix("of=") or call.output
    if name in ("cp", "mv", "install", "ln", "rsync", "scp"):
        folder = options.get("-t") or options.get("--target-directory")
        return f"{folder.rstrip('/')}/%f" if folder else (plain[-1] if len(plain) >= 2 else "")
    if name == "tee":
        return plain[-1] if plain else call.output
    for flag in _OUTPUT.get(name, ()):
        if flag in call.words[:-1]:
            return call.words[call.words.index(flag) + 1]
        joined = next((word for word in call.words if word.startswith(f"{flag}=")), "")
        if joined and flag.startswith("--"):
            return joined.partition("=")[2]
    if name == "lz4" and len(plain) >= 2:
        return plain[-1]
    return call.output


def _folder(call: Call, look: Look, path: str) -> ArchiveTarget | None:
    if path.startswith("%p"):
        return None  # beside the segment, in pg_wal
    absolute = look.path(call.within(path), home_of(call.environment, look))
    if absolute.startswith((UNKNOWN, "&")) or _DEVICES.match(absolute):
        return None
    whole = "%" not in absolute and UNKNOWN not in absolute
    if whole and call.name not in ("cp", "mv", "rsync", "install", "scp"):
        return None  # a file of one name, a log: no archive
    template = key_template(absolute, folder=whole)
    folder = f"/{template.prefix}".rstrip("/")
    if not folder or folder.startswith(look.seen.data + "/pg_wal"):
        return None
    return _made(call, FolderStore(Found(folder, call.source)), template.layout, template.suffix)


def _made(call: Call, store: Store, layout: str, suffix: str) -> ArchiveTarget:
    piped = (*call.piped, call.name)
    return ArchiveTarget(
        Found(call.name, call.source),
        store,
        layout=Found(layout, call.source),
        compression=compression_of(suffix, piped, call.source),
        encryption=encryption_of(piped, call.source, suffix),
    )


def _remote(call: Call, host: str, path: str, port: int | None) -> ArchiveTarget:
    source = call.source
    if UNKNOWN in host:
        what = Found("a host that is computed when the command runs", source)
        return ArchiveTarget(Found(call.name, source), UnreadStore(what, "its name is not known"))
    template = key_template(path, folder="%" not in path and UNKNOWN not in path)
    folder = f"/{template.prefix}".rstrip("/")
    if path.startswith("/") and folder:
        if folder.endswith("/incoming"):
            what = Found(f"Barman's folder {folder} on {host}", source)
            why = "Barman takes the files away from there: where it keeps them is known on that host alone"
            return ArchiveTarget(Found("Barman", source), UnreadStore(what, why))
        return _made(
            call,
            FolderStore(Found(folder, source), Found(host, source), port),
            template.layout,
            template.suffix,
        )
    what = Found(f"{host}:{template.prefix}", source)
    return ArchiveTarget(
        Found(call.name, source), UnreadStore(what, "the folder is relative to that user's home")
    )


def _port(options: Mapping[str, str]) -> int | None:
    for name in ("-P", "-p"):
        if options.get(name, "").isdigit():
            return int(options[name])
    match = re.search(r"-p\s*(\d+)", options.get("-e") or options.get("--rsh") or "")
    return int(match[1]) if match is not None else None


def _by_ssh(call: Call, look: Look) -> ArchiveTarget | None:
    """`ssh HOST 'cat > /folder/%f'`."""
    options: dict[str, str] = {}
    words, at = list(call.words), 0
    while at < len(words) and words[at].startswith("-"):
        if words[at] in _VALUED["ssh"] and at + 1 < len(words):
            options[words[at]] = words[at + 1]
            at += 1
        at += 1
    if at >= len(words) - 1:
        return None
    host = words[at]
    if "-l" in options and "@" not in host:
        host = f"{options['-l']}@{host}"
    inner = calls_of(" ".join(words[at + 1 :]), look, call.source)
    for at, each in enumerate(inner):
        path = each.output or _output(each, {}, [word for word in each.words if not word.startswith("-")])
        if path and ("%" in path or UNKNOWN in path):
            path = _moved_on(path, inner[at + 1 :])
            made = _remote(call, host, path, _port(options))
            piped = (*call.piped, *each.piped, each.name)
            suffix = path.rpartition("%f")[2] if "%f" in path else ""
            return ArchiveTarget(
                made.tool,
                made.store,
                layout=made.layout,
                compression=compression_of(suffix, piped, call.source),
                encryption=encryption_of(piped, call.source, suffix),
            )
    return None


def _moved_on(path: str, later: Sequence[Call]) -> str:
    """Where it lies once those that come later have renamed it."""
    for each in later:
        plain = [word for word in each.words if not word.startswith("-")]
        if each.name == "mv" and len(plain) == 2 and plain[0] == path:
            path = f"{plain[1]}%f" if plain[1].endswith("/") else plain[1]
    return path


def stores_by_itself(call: Call) -> bool:
    """Whether it is one of these programs, and writes a file, sends one, or changes one in its place."""
    if call.name in COPIERS or call.name in COMPRESSORS:
        return True
    return call.name in ENCRYPTERS and (_only_tells(call) or bool(_writes(call)))


def _only_tells(call: Call) -> bool:
    """Whether it makes a digest or a signature of the segment, and no copy."""
    telling = _TELLS.get("gpg" if call.name == "gpg2" else call.name)
    words = call.words[:1] if call.name == "openssl" else call.words
    return telling is not None and any(telling.fullmatch(word) for word in words)


def _writes(call: Call) -> str:
    plain = [word for word in call.words if not word.startswith("-")]
    return _output(call, {}, plain)


def basic_archive(directory: str, source: str) -> ArchiveTarget:
    """archive_library = basic_archive, and its basic_archive.archive_directory."""
    tool = Found("basic_archive", "archive_library")
    if not directory:
        why = "basic_archive.archive_directory is empty: archiving is on, and nothing is archived"
        return ArchiveTarget(tool, UnreadStore(Found("no folder", source), why))
    store = FolderStore(Found(directory.rstrip("/") or "/", source))
    return ArchiveTarget(
        tool,
        store,
        layout=Found("%f", source),
        compression=Found("none", source),
        encryption=Found("none", source),
    )


def probackup(call: Call, look: Look) -> ArchiveTarget | None:
    """`pg_probackup archive-push -B DIR --instance=I`."""
    if "archive-push" not in call.words:
        return None
    options, _ = words_of(
        call.words,
        frozenset({"-B", "--backup-path", "--instance", "--remote-host", "--remote-user", "--remote-port"}),
    )
    named = options.get("-B") or options.get("--backup-path")
    variable = call.environment.get("BACKUP_PATH")
    folder = Found(named, call.source) if named else variable
    instance = shown(options.get("--instance") or "")
    tool = Found("pg_probackup", call.source)
    if folder is None or UNKNOWN in folder.value:
        return ArchiveTarget(tool, UnreadStore(Found("a backup catalogue", call.source), "no -B is named"))
    host, user, port = (options.get(f"--remote-{each}", "") for each in ("host", "user", "port"))
    login = Found(f"{user}@{host}" if user else host, call.source) if host else None
    path = look.path(folder.value).rstrip("/")
    return ArchiveTarget(
        tool,
        FolderStore(folder.but(path), login, int(port) if port.isdigit() else None),
        layout=Found(f"wal/{instance}/", call.source),
        backups=Found(f"backups/{instance}/", call.source),
        compression=Found("gzip" if "--compress" in call.words else "none", call.source),
        encryption=Found("none", call.source),
    )


_PGHOARD = "/var/lib/pghoard/pghoard.json"


def pghoard(call: Call, look: Look) -> ArchiveTarget | None:
    """`pghoard_postgres_command --mode archive --site S`: a local daemon stores, as its JSON says."""
    options, _ = words_of(
        call.words, frozenset({"--mode", "--site", "--xlog", "--host", "--port", "--username"})
    )
    if options.get("--mode", "archive").lower() != "archive":
        return None
    tool, site = Found("pghoard", call.source), options.get("--site", "")
    file = look.file(_PGHOARD)
    try:
        document = json_of(file.text) if file is not None else {}
        sites = document["backup_sites"]
        site = site or next(iter(sites))
        found = sites[site]
        storage = found["object_storage"]
        kind = str(storage["storage_type"])
    except (ValueError, KeyError, TypeError, StopIteration):
        why = f"its daemon's configuration is not at {_PGHOARD}, or names no such site"
        return ArchiveTarget(tool, UnreadStore(Found(f"pghoard's site {site or '…'}", call.source), why))
    source = f"{_PGHOARD} backup_sites.{site}"
    prefix = str(found.get("prefix") or site).strip("/")
    store, keys = _of_pghoard(storage, kind, prefix, source)
    compression = document.get("compression")
    algorithm = compression.get("algorithm") if isinstance(compression, dict) else None
    count = found.get("basebackup_count")
    return ArchiveTarget(
        tool,
        store,
        keys,
        layout=Found("xlog/", source),
        compression=Found(str(algorithm), _PGHOARD) if algorithm else default("snappy", "pghoard"),
        encryption=Found("RSA" if found.get("encryption_key_id") else "none", source),
        backups=Found("basebackup/", source),
        retention=Found(f"{count} base backups", source) if count else default("2 base backups", "pghoard"),
        notes=pghoard_state.told(document, site, look),
    )


def _of_pghoard(storage: Mapping[str, Any], kind: str, prefix: str, source: str) -> tuple[Store, Credentials]:
    if kind == "local":
        return FolderStore(
            Found(f"{str(storage.get('directory', '')).rstrip('/')}/{prefix}", source)
        ), Credentials("")
    name = str(storage.get("bucket_name", ""))
    if kind != "s3" or not name:
        return UnreadStore(
            Found(f"{kind} {name}".strip(), source), f"pghoard's {kind} is not read"
        ), Credentials("")
    region = str(storage.get("region") or "")
    host, port = str(storage.get("host") or ""), str(storage.get("port") or "")
    scheme = "http" if storage.get("is_secure") is False else "https"
    url = endpoint_url(f"{host}:{port}" if port else host, scheme) if host else ""
    at = Found(url, source) if url else default(amazons(region), "pghoard")
    access, secret = (
        Found(str(storage[key]), source) if storage.get(key) else None
        for key in ("aws_access_key_id", "aws_secret_access_key")
    )
    store = S3Store(
        Found(name, source),
        Found(f"{prefix}/", source),
        at,
        Found(region, source) if region else region_of(at.value),
        default(bool(url), "pghoard"),
    )
    return store, credentials(access, secret) or Credentials(source, None, "the instance's role gives them")
