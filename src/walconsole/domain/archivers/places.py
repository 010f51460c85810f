"""Parts that the tools' modules share: INI files with their lines, S3 addresses, key templates, suffixes."""

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from walconsole.domain.archivers.expansion import UNKNOWN, shown
from walconsole.domain.archivers.look import FileText, Look
from walconsole.domain.archivers.target import Credentials, Found, default, presumed
from walconsole.domain.records import record
from walconsole.domain.store.access_keys import KeyPair
from walconsole.domain.store.vendors import FIRST_REGION

Section = dict[str, Found[str]]
_HEADING = re.compile(r"\[\s*([^\]]*?)\s*\]")
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,62}")
_SUFFIXES = {
    ".gz": "gzip", ".zst": "zstd", ".lz4": "lz4", ".xz": "xz", ".bz2": "bzip2", ".br": "brotli",
    ".lzo": "lzo", ".lzma": "lzma", ".sz": "snappy", ".snappy": "snappy",
}  # fmt: skip
COMPRESSORS = {
    "gzip": "gzip", "pigz": "gzip", "zstd": "zstd", "zstdmt": "zstd", "pzstd": "zstd", "lz4": "lz4",
    "xz": "xz", "lzma": "lzma", "bzip2": "bzip2", "lbzip2": "bzip2", "pbzip2": "bzip2", "brotli": "brotli",
    "lzop": "lzo",
}  # fmt: skip
SUFFIX_OF = {name: ending for ending, name in reversed(_SUFFIXES.items())}
"""What each compressor puts behind a file's name."""
ENCRYPTERS = frozenset({"gpg", "gpg2", "age", "openssl", "rage"})


def sections(file: FileText) -> dict[str, Section]:
    """An INI file: `[name]`, `key = value`, `#` and `;` comments; each value with its line.

    What stands before the first heading is in the section ``. An indented line below an empty value is
    `key.sub` (the AWS configuration's nesting). A value given twice: the last one. Never raises.
    """
    found: dict[str, Section] = {}
    section = found.setdefault("", {})
    above = ""
    for number, line in enumerate(file.text.lstrip("\ufeff").splitlines(), start=1):
        text = line.strip()
        heading = _HEADING.fullmatch(text)
        if heading is not None:
            section, above = found.setdefault(heading[1], {}), ""
        elif text and text[0] not in "#;":
            key, equals, value = text.partition("=")
            key, value = key.strip(), value.strip()
            if not equals:
                continue
            if line[:1] in " \t" and above:
                key = f"{above}.{key}"
            else:
                above = "" if value else key
            section[key] = Found(value, f"{file.path} line {number}")
    return found


def json_of(text: str) -> Any:
    """A JSON document. Raises ValueError, also where it is nested too deeply to be one of a tool's."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


@record
class KeyTemplate:
    """Where a file of the name `%f` is stored: the prefix (empty or with a slash at its end) that is known.

    `layout` is what follows for a segment, with `…` for what the run computes; `suffix` what follows `%f`.
    """

    prefix: str
    layout: str
    suffix: str = ""


def key_template(path: str, *, folder: bool = False) -> KeyTemplate:
    """A key or a path in which `%f`, `%p` or what a run computes may stand. `folder`: it is one itself."""
    path = path.lstrip("/")
    place = min((at for at in (path.find(UNKNOWN), path.find("%")) if at >= 0), default=len(path))
    if place == len(path):
        prefix = path if folder else path.rpartition("/")[0]
        prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        return KeyTemplate(prefix, "%f")
    prefix = path[:place].rpartition("/")[0]
    prefix = f"{prefix}/" if prefix else ""
    rest = shown(path[len(prefix) :].replace("%p", "%f"))
    rest = f"{rest}%f" if rest.endswith("/") else rest  # a folder for each segment
    return KeyTemplate(prefix, rest, rest.rpartition("%f")[2])


def s3_url(text: str) -> tuple[str, str] | None:
    """Bucket and key of `s3://BUCKET/KEY`; None where it is none, or its bucket is computed."""
    match = re.fullmatch(r"s3[an]?://([^/]*)/?(.*)", text, re.DOTALL)
    if match is None or not _BUCKET.fullmatch(match[1]):
        return None
    return match[1], match[2]


def is_bucket(text: str) -> bool:
    """Whether it can be a bucket's name, and stands there whole."""
    return _BUCKET.fullmatch(text) is not None


def endpoint_url(text: str, scheme: str = "https") -> str:
    """`scheme://host[:port]` of an endpoint as tools write it; empty where it is none or is computed."""
    if not text or not text.isprintable():  # urlsplit takes line ends out; the tools do not
        return ""
    try:
        parts = urlsplit(text if "://" in text else f"{scheme}://{text}")
        host, port = parts.hostname, parts.port
    except ValueError:
        return ""
    if not host or re.search(r"[\s%]", host) or parts.scheme not in ("http", "https"):
        return ""
    host = f"[{host}]" if ":" in host else host
    usual = {"http": 80, "https": 443}[parts.scheme]
    return f"{parts.scheme}://{host}" + (f":{port}" if port and port != usual else "")


def amazons(region: str) -> str:
    """Amazon's endpoint of a region (docs.aws.amazon.com/general/latest/gr/s3.html)."""
    return f"https://s3.{region or FIRST_REGION}.amazonaws.com"


def region_of(endpoint: str) -> Found[str]:
    """The region where nothing names one: the endpoint's name tells it with some vendors, else S3's first."""
    host = urlsplit(endpoint).hostname or ""
    match = re.fullmatch(
        r"(?:s3[.-])?([a-z]{2,}[a-z0-9-]*[0-9])\."
        r"(?:amazonaws\.com|digitaloceanspaces\.com|wasabisys\.com|backblazeb2\.com)",
        host,
    )
    if match is not None:
        return presumed(match[1], "the endpoint's name")
    return default(FIRST_REGION, "S3")


def is_numeric(endpoint: str) -> bool:
    """Whether its host is an address or localhost, below which no bucket can have a name of its own."""
    host = urlsplit(endpoint).hostname or ""
    return host == "localhost" or ":" in host or re.fullmatch(r"[0-9.]+", host) is not None


def compression_of(suffix: str, piped: tuple[str, ...] = (), source: str = "") -> Found[str]:
    """By what is put behind the name, or by the programs before it in the pipeline."""
    for each in piped:
        if each in COMPRESSORS:
            return Found(COMPRESSORS[each], source)
    for ending, name in _SUFFIXES.items():
        if ending in suffix:
            return presumed(name, "the name's suffix")
    return Found("none", source)


_ENCRYPTED = {".age": "age", ".gpg": "gpg", ".pgp": "gpg", ".asc": "gpg", ".enc": "openssl"}


def encryption_of(piped: tuple[str, ...], source: str, suffix: str = "") -> Found[str]:
    """By the programs before it in the pipeline, else by what is put behind the name."""
    by = next((each for each in piped if each in ENCRYPTERS), "")
    named = next((what for ending, what in _ENCRYPTED.items() if suffix.endswith(ending)), "")
    if not by and named:
        return presumed(named, "the name's suffix")
    return Found(by or "none", source)


def credentials(access: Found[str] | None, secret: Found[str] | None, token: str = "") -> Credentials | None:
    """The pair, where both are there and could be one; None where both lack or are empty."""
    if not (access and access.value) and not (secret and secret.value):
        return None
    source = (access or secret or Found("")).source
    if access is None or secret is None or not access.value or not secret.value:
        which = "secret" if secret is None or not secret.value else "access key"
        return Credentials(source, None, f"the {which} is not there")
    for what, value in (("access key", access.value), ("secret", secret.value)):
        if UNKNOWN in value:
            return Credentials(source, None, f"the {what} is computed when the command runs")
        if value == UNREAD_SECRET:
            return Credentials(source, None, "it was not read: the profile has its own keys")
        if not (value.isascii() and value.isprintable() and " " not in value):
            return Credentials(source, None, f"the {what} holds characters that no key has")
    return Credentials(source, KeyPair(access.value, secret.value), token=token)


UNREAD_SECRET = "(not-read)"  # noqa: S105  # what the host's script puts in a secret's place
"""Stands for a secret that was to stay on the host."""


def home_of(environment: Mapping[str, Found[str]], look: Look) -> str:
    """HOME, or the home of the server's user by passwd; UNKNOWN where another user runs it."""
    found = value_of(environment, "HOME")
    return found.value if found is not None else look.seen.home


def value_of(environment: Mapping[str, Found[str]], *names: str) -> Found[str] | None:
    """The first variable that is set and not empty."""
    return next(
        (environment[name] for name in names if name in environment and environment[name].value), None
    )
