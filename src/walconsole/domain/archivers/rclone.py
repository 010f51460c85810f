"""rclone as an archive command: remotes in files, in variables, in the words; what wraps them is followed.

The order of values is its documentation's ("Precedence"): connection string, --s3-flag,
RCLONE_CONFIG_NAME_KEY, RCLONE_S3_KEY, file, default. Where the file is: fs/config/config.go. How buckets are
addressed: backend/s3.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import field, replace

from walconsole.domain.archivers.aws_files import aws_settings
from walconsole.domain.archivers.called import Call
from walconsole.domain.archivers.expansion import UNKNOWN, shown
from walconsole.domain.archivers.look import FileText, Look
from walconsole.domain.archivers.places import (
    amazons,
    compression_of,
    credentials,
    encryption_of,
    endpoint_url,
    home_of,
    is_bucket,
    is_numeric,
    key_template,
    region_of,
    sections,
    value_of,
)
from walconsole.domain.archivers.target import (
    NO_CREDENTIALS,
    ArchiveTarget,
    Credentials,
    FolderStore,
    Found,
    S3Store,
    Store,
    UnreadStore,
    default,
    presumed,
)
from walconsole.domain.records import record

_VERBS = frozenset({"copy", "copyto", "move", "moveto", "rcat", "sync"})
_FLAGS = frozenset(
    """-q --quiet -v -vv --verbose --checksum -c -I --immutable --no-traverse --progress -P --copy-links -L
    --s3-no-check-bucket --s3-env-auth --s3-force-path-style --no-check-certificate --no-check-dest --update
    -u --ignore-existing --ignore-times --size-only --ignore-checksum --ignore-size --s3-no-head --s3-v2-auth
    --s3-disable-checksum --fast-list --stats-one-line --use-json-log --no-update-modtime --inplace -n
    --metadata --dry-run -i --interactive --s3-use-accelerate-endpoint --s3-no-head-object --no-console
    """.split()  # noqa: SIM905  # as the manual lists them
)
"""Flags without a value; every other `--flag` takes the next word, where none is joined to it."""
_PATH_STYLE = frozenset(
    """other ceph minio ibmcos netease seaweedfs gcs rclone lyvecloud wasabi scaleway storj synology idrive
    petabox linode leviia outscale""".split()  # noqa: SIM905
) | {""}
_ENCRYPTED = "RCLONE_ENCRYPT_V0:"
_DEEPEST = 6


@record
class _Remote:
    """`NAME,KEY=VALUE:PATH`; `kind` for one without a section (`:s3:`). No name and no kind: a local path."""

    name: str = ""
    kind: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict, repr=False)
    path: str = ""


def _parsed(text: str) -> _Remote:
    """docs/content/docs.md, "Connection strings": values may be quoted, a quote in one is doubled."""
    match = re.match(r"(:?)([\w.+@ -]*)(?=[,:])", text)
    if match is None or text.startswith(("/", "./", "../", "~")) or not match[2]:
        return _Remote(path=text)
    at, parameters = match.end(), {}
    while text[at : at + 1] == ",":
        parameter = re.compile(
            r",(\w+)(?:=(?:\"((?:[^\"]|\"\")*)\"|'((?:[^']|'')*)'|([^,:]*)))?(?=[,:]|$)"
        ).match(text, at)
        if parameter is None:
            return _Remote(path=text)
        quoted = next((parameter[place] for place in (2, 3) if parameter[place] is not None), None)
        doubled = '"' if parameter[2] is not None else "'"
        value = quoted.replace(doubled * 2, doubled) if quoted is not None else parameter[4]
        parameters[parameter[1].lower()] = "true" if value is None else value
        at = parameter.end()
    if text[at : at + 1] != ":":
        return _Remote(path=text)
    name = "" if match[1] else match[2]
    return _Remote(name, match[2] if match[1] else "", parameters, text[at + 1 :])


def _split(words: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    options: dict[str, str] = {}
    plain: list[str] = []
    at = 0
    while at < len(words):
        word = words[at]
        name, given, value = word.partition("=")
        if word.startswith("-") and len(word) > 1:
            if given:
                options[name] = value
            elif word in _FLAGS or not word.startswith("--") or at + 1 == len(words):
                options[word] = "true"
            else:
                options[word] = words[at + 1]
                at += 1
        else:
            plain.append(word)
        at += 1
    return options, plain


def target(call: Call, look: Look) -> ArchiveTarget | None:
    """Where this call copies to; None where it copies nothing."""
    options, plain = _split(call.words)
    verb = next((word for word in plain if word in _VERBS), "")
    following = plain[plain.index(verb) + 1 :] if verb else []
    if not following or (verb != "rcat" and len(following) < 2):
        return None
    remote = _parsed(following[-1])
    reading = _Reading(call, look, options)
    found = reading.resolve(remote, _Wrap(Found(call.name, call.source)), 0)
    if verb in ("copyto", "moveto", "rcat"):
        template = key_template(found.path)
    else:
        template = key_template(f"{found.path.rstrip('/')}/%f")
    store = found.store(template.prefix)
    return ArchiveTarget(
        Found("rclone", call.source),
        store,
        found.keys,
        layout=Found(template.layout, call.source),
        compression=found.compression or compression_of(template.suffix, call.piped, call.source),
        encryption=found.encryption or encryption_of(call.piped, call.source, template.suffix),
        config=reading.config,
        remote=found.section,
        notes=found.notes,
    )


@record
class _Wrap:
    """What stood around the remote that is resolved: crypt, compress."""

    source: Found[str]
    encryption: Found[str] | None = None
    compression: Found[str] | None = None
    hidden: str = ""
    notes: tuple[str, ...] = ()


@record
class _Resolved:
    """The store below every wrapper; `path` is the key within the bucket, or the folder."""

    kind: str
    path: str
    s3: S3Store | None = None
    host: Found[str] | None = None
    port: int | None = None
    why: str = ""
    what: str = ""
    source: str = ""
    keys: Credentials = NO_CREDENTIALS
    section: str = ""
    encryption: Found[str] | None = None
    compression: Found[str] | None = None
    notes: tuple[str, ...] = ()

    def store(self, prefix: str) -> Store:
        if self.why:
            return UnreadStore(Found(shown(self.what), self.source), self.why)
        if self.s3 is not None:
            return replace(self.s3, prefix=Found(prefix, self.source))
        return FolderStore(Found(f"/{prefix}".rstrip("/") or "/", self.source), self.host, self.port)


class _Reading:
    """Looks values up for one call."""

    def __init__(self, call: Call, look: Look, options: Mapping[str, str]) -> None:
        self._call, self._look, self._options = call, look, options
        self._home = home_of(call.environment, look)
        self._file = self._config()
        self._encrypted = self._file is not None and _ENCRYPTED in self._file.text[:2000]
        self.config = self._file.path if self._file is not None else ""
        self._sections = sections(self._file) if self._file is not None and not self._encrypted else {}

    def _config(self) -> FileText | None:
        named = self._options.get("--config", "")
        variable = self._call.environment.get("RCLONE_CONFIG")
        path = named or (variable.value if variable is not None else "")
        if path:
            path = self._look.path(self._call.within(path), self._home)
            return None if path == "/dev/null" else self._look.file(path)
        xdg = value_of(self._call.environment, "XDG_CONFIG_HOME")
        usual = [f"{xdg.value}/rclone/rclone.conf"] if xdg is not None else []
        usual += [f"{self._home}/.config/rclone/rclone.conf", f"{self._home}/.rclone.conf"]
        beside = self._look.program(self._call.program)
        if beside is not None and beside.path.startswith("/"):
            usual.insert(0, beside.path.rpartition("/")[0] + "/rclone.conf")
        return self._look.first(*usual)

    def resolve(self, remote: _Remote, wrap: _Wrap, depth: int) -> _Resolved:
        """The store behind a remote; what cannot be followed says why."""
        kind = self._value(remote, "type") if remote.name else None
        name = remote.kind or (kind.value if kind is not None else "")
        if not remote.name and not remote.kind:
            return self._local(remote.path, wrap)
        if UNKNOWN in remote.name or depth > _DEEPEST:
            return self._lost(remote, "the remote is computed when the command runs", wrap)
        if not name:
            why = f"no file and no variable that was read has the remote {remote.name}"
            if self._encrypted and self._file is not None:
                why = f"{self._file.path} is encrypted (RCLONE_CONFIG_PASS)"
            return self._lost(remote, why, wrap)
        if name in ("alias", "crypt", "compress", "hasher", "chunker", "cache"):
            return self._wrapped(remote, name, wrap, depth)
        if name in ("union", "combine"):
            return self._union(remote, name, wrap, depth)
        if name == "s3":
            return self._s3(remote, wrap)
        if name == "local":
            return self._local(remote.path, wrap)
        if name == "sftp":
            return self._sftp(remote, wrap)
        return self._lost(remote, f"rclone's remotes of type {name} are not read", wrap)

    def _value(self, remote: _Remote, key: str, kind: str = "") -> Found[str] | None:
        """The strongest that says it; an empty variable counts, an empty value of a file does, too."""
        if key in remote.parameters:
            return Found(remote.parameters[key], self._call.source)
        flag = f"--{kind}-{key.replace('_', '-')}"
        if kind and flag in self._options:
            return Found(self._options[flag], self._call.source)
        environment = self._call.environment
        upper = key.upper()
        names = [f"RCLONE_CONFIG_{remote.name.upper()}_{upper}"] if remote.name else []
        names += [f"RCLONE_CONFIG_{remote.name.upper().replace('-', '_')}_{upper}"] if remote.name else []
        names += [f"RCLONE_{kind.upper()}_{upper}"] if kind else []
        for name in names:
            if name in environment:
                return environment[name]
        return self._sections.get(remote.name, {}).get(key)

    def _lost(self, remote: _Remote, why: str, wrap: _Wrap) -> _Resolved:
        what = f"{remote.name or ':' + remote.kind}:{remote.path}".replace("%f", "").rstrip("/")
        return _Resolved("", remote.path, why=why, what=what, source=self._call.source, notes=wrap.notes)

    def _wrapped(self, remote: _Remote, name: str, wrap: _Wrap, depth: int) -> _Resolved:
        below = self._value(remote, "remote", name)
        if below is None or not below.value:
            return self._lost(remote, f"the {name} {remote.name} names no remote", wrap)
        if name == "crypt":
            encryption = Found("rclone crypt", below.source)
            names = self._value(remote, "filename_encryption", "crypt")
            hidden = (
                "" if names is not None and names.value == "off" else "its names are encrypted (rclone crypt)"
            )
            wrap = replace(wrap, encryption=encryption, hidden=wrap.hidden or hidden)
        elif name == "compress":
            wrap = replace(
                wrap, compression=Found("gzip", below.source), hidden=wrap.hidden or "rclone compress renames"
            )
        elif name == "chunker":
            wrap = replace(wrap, notes=(*wrap.notes, "rclone chunker may cut files into parts"))
        inner = _parsed(below.value)
        joined = f"{inner.path.rstrip('/')}/{remote.path.lstrip('/')}" if inner.path else remote.path
        return self.resolve(replace(inner, path=joined), wrap, depth + 1)

    def _union(self, remote: _Remote, name: str, wrap: _Wrap, depth: int) -> _Resolved:
        """The first upstream that is written to; the others are told."""
        listed = self._value(remote, "upstreams", name)
        upstreams = (listed.value if listed is not None else "").split()
        if name == "combine":
            folder, _, rest = remote.path.partition("/")
            upstreams = [each.partition("=")[2] for each in upstreams if each.partition("=")[0] == folder]
            remote = replace(remote, path=rest)
        upstreams = [each for each in upstreams if not each.endswith((":ro", ":nc"))]
        if not upstreams:
            return self._lost(remote, f"the {name} {remote.name} names no remote", wrap)
        if len(upstreams) > 1:
            others = ", ".join(upstreams[1:])
            wrap = replace(wrap, notes=(*wrap.notes, f"rclone's union may also write to {others}"))
        inner = _parsed(upstreams[0].removesuffix(":writeback"))
        joined = f"{inner.path.rstrip('/')}/{remote.path.lstrip('/')}" if inner.path else remote.path
        return self.resolve(replace(inner, path=joined), wrap, depth + 1)

    def _local(self, path: str, wrap: _Wrap) -> _Resolved:
        absolute = self._look.path(self._call.within(path))
        if absolute.startswith(UNKNOWN):
            return self._lost(_Remote(path=path), "the folder is computed when the command runs", wrap)
        return _Resolved(
            "local",
            absolute,
            source=self._call.source,
            encryption=wrap.encryption,
            compression=wrap.compression,
            why=wrap.hidden,
            what=absolute,
        )

    def _sftp(self, remote: _Remote, wrap: _Wrap) -> _Resolved:
        host, user, port = (self._value(remote, key, "sftp") for key in ("host", "user", "port"))
        if host is None or not host.value:
            return self._lost(remote, f"the remote {remote.name} names no host", wrap)
        login = f"{user.value}@{host.value}" if user is not None and user.value else host.value
        number = int(port.value) if port is not None and port.value.isdigit() else None
        if wrap.hidden or not remote.path.startswith("/"):
            why = wrap.hidden or "its folder is relative to that user's home"
            return self._lost(replace(remote, name=login), why, wrap)
        return _Resolved(
            "sftp", remote.path, host=host.but(login), port=number, source=self._call.source,
            encryption=wrap.encryption, compression=wrap.compression, notes=wrap.notes,
        )  # fmt: skip

    def _s3(self, remote: _Remote, wrap: _Wrap) -> _Resolved:
        bucket, _, key = remote.path.lstrip("/").partition("/")
        if not is_bucket(bucket):
            return self._lost(remote, "its bucket is computed when the command runs", wrap)
        source = self._call.source
        keys, region = self._keys(remote)
        endpoint, region, provider = self._endpoint(remote, region)
        store = S3Store(
            Found(bucket, source),
            Found("", source),
            endpoint,
            region or region_of(endpoint.value),
            self._path_style(remote, provider, endpoint),
            self._ca(),
            self._options.get("--no-check-certificate") != "true",
        )
        if wrap.hidden:
            lost = self._lost(replace(remote, name="s3", path=f"//{bucket}/{key}"), wrap.hidden, wrap)
            return replace(lost, encryption=wrap.encryption, compression=wrap.compression, keys=keys)
        return _Resolved(
            "s3", key, s3=store, source=source, keys=keys, section=self._plain_section(remote, keys),
            encryption=wrap.encryption, compression=wrap.compression, notes=wrap.notes,
        )  # fmt: skip

    def _plain_section(self, remote: _Remote, keys: Credentials) -> str:
        """The section of the file that holds the pair, so that rclone itself finds it there by that name."""
        section = self._sections.get(remote.name, {})
        pair = keys.pair
        held = section.get("access_key_id")
        return remote.name if pair is not None and held is not None and held.value == pair.access_key else ""

    def _ca(self) -> Found[str] | None:
        named = self._options.get("--ca-cert", "")
        return Found(named, self._call.source) if named and UNKNOWN not in named else None

    def _endpoint(
        self, remote: _Remote, of_keys: Found[str] | None
    ) -> tuple[Found[str], Found[str] | None, str]:
        provider = self._value(remote, "provider", "s3")
        named = self._value(remote, "endpoint", "s3")
        region = self._value(remote, "region", "s3")
        region = region if region is not None and region.value else of_keys
        url = endpoint_url(named.value) if named is not None else ""
        who = provider.value.lower() if provider is not None else ""
        if named is not None and url:
            return named.but(url), region, who
        at = region.value if region is not None else ""
        return default(amazons(at), "rclone"), region or default("us-east-1", "rclone"), who or "aws"

    def _path_style(self, remote: _Remote, provider: str, endpoint: Found[str]) -> Found[bool]:
        if is_numeric(endpoint.value):
            return presumed(True, "the endpoint is an address")
        said = self._value(remote, "force_path_style", "s3")
        if said is not None and said.value.lower() == "false":
            return said.but(False)
        usual = provider in _PATH_STYLE
        if said is not None and usual:
            return said.but(True)
        return default(usual, f"rclone (provider {provider or 'none'})")

    def _keys(self, remote: _Remote) -> tuple[Credentials, Found[str] | None]:
        """The pair, and a region where the SDK's files name one."""
        access, secret, token, auth = (
            self._value(remote, key, "s3")
            for key in ("access_key_id", "secret_access_key", "session_token", "env_auth")
        )
        pair = credentials(
            access if access is not None and access.value else None,
            secret if secret is not None and secret.value else None,
            token.value if token is not None else "",
        )
        if pair is not None:
            return pair, None
        if auth is None or auth.value.lower() != "true":
            where = f"[{remote.name}]" if remote.name else "the command"
            return Credentials(where, None, "there are no keys: rclone asks without a signature"), None
        environment = dict(self._call.environment)
        file, profile = (self._value(remote, key, "s3") for key in ("shared_credentials_file", "profile"))
        if file is not None and file.value:
            environment["AWS_SHARED_CREDENTIALS_FILE"] = file
        if profile is not None and profile.value:
            environment.setdefault("AWS_PROFILE", profile)
        settings = aws_settings(self._look, environment)
        return settings.keys, settings.region
