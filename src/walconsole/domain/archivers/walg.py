"""WAL-G and WAL-E: their prefixes by flag, variable (often envdir's) and ~/.walg.*.

wal-g internal/configure.go, internal/storage_adapter.go: the first storage that is set, in their order.
"""

import re
from collections.abc import Mapping

from walconsole.domain.archivers.aws_files import aws_settings
from walconsole.domain.archivers.called import Call
from walconsole.domain.archivers.expansion import UNKNOWN
from walconsole.domain.archivers.look import FileText, Look
from walconsole.domain.archivers.places import (
    amazons,
    credentials,
    endpoint_url,
    home_of,
    json_of,
    region_of,
    s3_url,
    value_of,
)
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

_STORAGES = ("OSS", "S3", "FILE", "GS", "AZ", "SWIFT", "SSH")
_LINE = re.compile(r"^\s*(?:export\s+)?[\"']?([A-Z][A-Z0-9_]+)[\"']?\s*[:=]\s*(.*?)\s*,?\s*$")
_ENDINGS = ("json", "yaml", "yml", "toml", "env", "properties", "props")
_ENCRYPTION = (
    ("LIBSODIUM_KEY", "libsodium"), ("LIBSODIUM_KEY_PATH", "libsodium"), ("PGP_KEY", "PGP"),
    ("PGP_KEY_PATH", "PGP"), ("GPG_KEY_ID", "PGP"), ("CSE_KMS_ID", "KMS"), ("YC_CSE_KMS_KEY_ID", "KMS"),
    ("ENVELOPE_PGP_KEY", "PGP"),
)  # fmt: skip

Values = Mapping[str, Found[str]]


def _file_values(file: FileText) -> dict[str, Found[str]]:
    """Flat keys of JSON, YAML, TOML or `KEY=value`, as viper reads them."""
    found: dict[str, Found[str]] = {}
    for number, line in enumerate(file.text.splitlines(), start=1):
        match = _LINE.match(line)
        if match is not None and not match[2].startswith(("{", "[")):
            found[match[1]] = Found(match[2].strip("\"'"), f"{file.path} line {number}")
    if not file.text.lstrip().startswith("{"):
        return found
    try:
        document = json_of(file.text)
    except ValueError:
        return found
    if not isinstance(document, dict):
        return {}
    return {
        key: Found(str(value), found[key].source if key in found else file.path)
        for key, value in document.items()
        if value is not None
    }


def _values(call: Call, look: Look) -> dict[str, Found[str]]:
    options = dict(_flags(call))
    named = options.get("--config")
    variable = value_of(call.environment, "WALG_CONFIG_PATH")
    path = named or (variable.value if variable is not None else "")
    if path:
        file = look.file(look.path(call.within(path)))
    else:  # its home is the passwd's: Go's os/user, not HOME
        home = UNKNOWN if UNKNOWN in home_of(call.environment, look) else look.seen.home
        file = look.first(*(f"{home}/.walg.{ending}" for ending in _ENDINGS))
    found = _file_values(file) if file is not None else {}
    found |= {name: each for name, each in call.environment.items() if each.value}
    for name, value in options.items():
        if name.startswith("--walg-") and value:
            found[name.removeprefix("--").upper().replace("-", "_")] = Found(value, call.source)
    return found


def _flags(call: Call) -> list[tuple[str, str]]:
    found = []
    for at, word in enumerate(call.words):
        name, given, value = word.partition("=")
        if word.startswith("--"):
            following = call.words[at + 1] if at + 1 < len(call.words) else ""
            found.append((name, value if given else following))
    return found


def target(call: Call, look: Look) -> ArchiveTarget | None:
    """Where `wal-push` stores; None for another command."""
    if call.name in ("wal-e", "wal-e.py"):
        return _wal_e(call, look) if "wal-push" in call.words else None
    daemon = call.name.startswith("walg-daemon") or call.name == "walg_archive"
    if not daemon and not {"wal-push", "wal-receive"} & set(call.words):
        return None
    values = _values(call, look)
    store, keys = _store(values, call, look)
    notes = []
    if daemon:
        notes.append("the settings of WAL-G's daemon hold, which may have others than the server")
    if value_of(values, "WALG_FAILOVER_STORAGES"):
        notes.append("WALG_FAILOVER_STORAGES is set: WAL may be spread over several stores")
    return _made(Found("WAL-G", call.source), values, store, keys, "lz4", tuple(notes))


def _made(
    tool: Found[str], values: Values, store: Store, keys: Credentials, usual: str, notes: tuple[str, ...] = ()
) -> ArchiveTarget:
    method = value_of(values, "WALG_COMPRESSION_METHOD", "WALE_COMPRESSION_METHOD")
    encrypted = next(
        (
            found.but(kind)
            for name, kind in _ENCRYPTION
            if (found := value_of(values, f"WALG_{name}", f"WALE_{name}")) is not None
        ),
        None,
    )
    return ArchiveTarget(
        tool,
        store,
        keys,
        layout=Found("wal_005/", tool.source),
        compression=method or default(usual, tool.value),
        encryption=encrypted or Found("none", tool.source),
        backups=Found("basebackups_005/", tool.source),
        notes=notes,
    )


def _store(values: Values, call: Call, look: Look) -> tuple[Store, Credentials]:
    for kind in _STORAGES:
        prefix = value_of(values, f"WALG_{kind}_PREFIX", f"WALE_{kind}_PREFIX")
        if prefix is None:
            continue
        more = value_of(values, "WALG_STORAGE_PREFIX")
        whole = prefix.value.rstrip("/") + (f"/{more.value.strip('/')}" if more is not None else "")
        if kind == "S3":
            return _s3(values, prefix.but(whole), look)
        if kind == "FILE":
            return FolderStore(prefix.but(whole.removeprefix("file://").removeprefix("file:"))), Credentials(
                ""
            )
        if kind == "SSH":
            return _ssh(values, prefix.but(whole)), Credentials("")
        return UnreadStore(prefix.but(whole), f"WAL-G's storage {kind} is not read"), Credentials("")
    what = Found("an unknown place", call.source)
    return UnreadStore(what, _why_no_prefix(call)), Credentials("")


def _why_no_prefix(call: Call) -> str:
    what = "no WALG_..._PREFIX is in any variable or file that was read"
    return f"{what}, and {call.environment[UNKNOWN].value}" if UNKNOWN in call.environment else what


def _ssh(values: Values, prefix: Found[str]) -> Store:
    match = re.fullmatch(r"ssh://(?:([^@/]+)@)?([^/:]+)(?::(\d+))?(/.*)?", prefix.value)
    if match is None:
        return UnreadStore(prefix, "it is no ssh:// address")
    user, port = value_of(values, "SSH_USERNAME"), value_of(values, "SSH_PORT")
    name = user.value if user is not None else match[1]
    number = match[3] or (port.value if port is not None else "")
    host = prefix.but(f"{name}@{match[2]}" if name else match[2])
    return FolderStore(prefix.but(match[4] or "/"), host, int(number) if number.isdigit() else None)


def _s3(values: Values, prefix: Found[str], look: Look) -> tuple[Store, Credentials]:
    place = s3_url(prefix.value)
    if place is None:
        return UnreadStore(prefix, "it is no s3:// address that is known now"), Credentials("")
    key = f"{place[1].strip('/')}/" if place[1].strip("/") else ""
    endpoint = value_of(values, "AWS_ENDPOINT")
    region = value_of(values, "AWS_REGION", "WALG_S3_REGION")
    url = endpoint_url(endpoint.value) if endpoint is not None else ""
    style = value_of(values, "AWS_S3_FORCE_PATH_STYLE")
    if endpoint is not None and url:
        at, there = endpoint.but(url), region or region_of(url)
    else:
        there = region or default("us-east-1", "WAL-G")
        at = default(amazons(there.value), "WAL-G")
    store = S3Store(
        prefix.but(place[0]),
        prefix.but(key),
        at,
        there,
        style.but(style.value.lower() in ("true", "1")) if style is not None else default(False, "WAL-G"),
        value_of(values, "WALG_S3_CA_CERT_FILE", "S3_CA_CERT_FILE"),
    )
    token = value_of(values, "AWS_SESSION_TOKEN")
    keys = credentials(
        value_of(values, "AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY"),
        value_of(values, "AWS_SECRET_ACCESS_KEY", "AWS_SECRET_KEY"),
        token.value if token is not None else "",
    )
    return store, keys or aws_settings(look, values).keys


def _wal_e(call: Call, look: Look) -> ArchiveTarget:
    tool = Found("WAL-E", call.source)
    options = dict(_flags(call))
    values = dict(call.environment)
    if options.get("--s3-prefix"):
        values["WALE_S3_PREFIX"] = Found(options["--s3-prefix"], call.source)
    endpoint = value_of(values, "WALE_S3_ENDPOINT")
    if endpoint is not None:  # `https+path://host:443`
        scheme, _, rest = endpoint.value.partition("://")
        values["AWS_ENDPOINT"] = endpoint.but(f"{scheme.partition('+')[0]}://{rest}")
        values["AWS_S3_FORCE_PATH_STYLE"] = endpoint.but("true" if scheme.endswith("+path") else "false")
    store, keys = _store(values, call, look)
    return _made(tool, values, store, keys, "lzo")
