"""Plain S3 clients as an archive command: aws, s3cmd, s5cmd, s4cmd, mc; gsutil, gcloud and azcopy by name.

What each reads, in which order, is in its documentation and was tried (awscli 1.46, s3cmd 2.4, s5cmd 2.3).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from urllib.parse import unquote, urlsplit

from walconsole.domain.archivers.aws_files import AwsSettings, aws_settings, if_new_enough
from walconsole.domain.archivers.called import Call
from walconsole.domain.archivers.expansion import UNKNOWN, shown
from walconsole.domain.archivers.look import Look
from walconsole.domain.archivers.mc_aliases import alias_set, named_in
from walconsole.domain.archivers.places import (
    KeyTemplate,
    Section,
    amazons,
    compression_of,
    credentials,
    encryption_of,
    endpoint_url,
    home_of,
    is_bucket,
    is_numeric,
    json_of,
    key_template,
    region_of,
    s3_url,
    sections,
    value_of,
)
from walconsole.domain.archivers.target import (
    ArchiveTarget,
    Certainty,
    Credentials,
    Found,
    S3Store,
    UnreadStore,
    default,
    presumed,
)

VALUED = {
    "aws": frozenset({
        "--endpoint-url", "--profile", "--region", "--ca-bundle", "--sse", "--sse-kms-key-id",
        "--acl", "--metadata", "--content-type", "--expected-size", "--output", "--cli-read-timeout",
        "--cli-connect-timeout", "--body", "--bucket", "--key", "--checksum-algorithm",
        "--exclude", "--include", "--storage-class",
    }),
    "s3cmd": frozenset({
        "-c", "--config", "--host", "--host-bucket", "--region", "--access_key", "--secret_key",
        "--storage-class", "--ca-certs", "--add-header", "--mime-type", "-m", "--access_token",
    }),
    "s5cmd": frozenset({
        "--endpoint-url", "--profile", "--credentials-file", "--storage-class", "--sse", "--acl",
        "--log", "-r", "--retry-count", "--concurrency",
        "-c", "--part-size", "-p", "--numworkers", "--destination-region",
    }),
    "s4cmd": frozenset({"--endpoint-url", "--access-key", "--secret-key", "-c", "-t", "--num-threads", "-p"}),
    "mc": frozenset({"-C", "--config-dir", "--attr", "--tags", "--storage-class", "--enc-s3", "--enc-kms"}),
}  # fmt: skip
"""Options that take a word."""


_QUOTED = re.compile(r"\A\"(.*)\"\s*\Z", re.DOTALL)


def words_of(words: Sequence[str], valued: frozenset[str]) -> tuple[dict[str, str], list[str]]:
    """Options with their values (empty for a flag), and the words that are none."""
    options: dict[str, str] = {}
    plain: list[str] = []
    at = 0
    while at < len(words):
        word = words[at]
        name, given, value = word.partition("=")
        if word.startswith("-") and len(word) > 1 and word != "--":
            if given and name.startswith("--"):
                options[name] = value
            elif word in valued and at + 1 < len(words):
                options[word] = words[at + 1]
                at += 1
            else:
                options[word] = ""
        elif word != "--":
            plain.append(word)
        at += 1
    return options, plain


def target(call: Call, look: Look) -> ArchiveTarget | None:
    """Where this call stores; None where it stores nothing."""
    if call.name in ("gsutil", "gcloud", "azcopy"):
        return _named(call)
    if call.name in ("mc", "mcli"):
        return _of_mc(call, look)
    options, plain = words_of(call.words, VALUED[call.name])
    verb = {"aws": ("cp", "mv", "sync", "put-object"), "s3cmd": ("put", "sync")}.get(
        call.name, ("cp", "mv", "pipe", "sync", "put")
    )
    if not any(each in plain for each in verb):
        return None
    if "put-object" in plain:
        place = (options.get("--bucket", ""), options.get("--key", ""))
        if not is_bucket(place[0]):
            return _not_told(call)
    else:
        urls = [word for word in plain if word.startswith(("s3://", "s3n://", "s3a://"))]
        if not urls:
            return None
        found = s3_url(urls[-1])
        if found is None:
            return _not_told(call)
        place = found
    folder = "sync" in plain
    template = key_template(place[1], folder=folder or place[1].endswith("/"))
    if call.name == "s3cmd":
        path = _s3cmd_file(call, look, options)
        store, keys = _s3cmd(call, look, path, options, place[0], template)
        without = "it is not there" if look.is_absent(path) else look.barred(path)
        if without and keys.pair is None:  # it ends with 78, and asks nobody (tried)
            return _asks_nobody(call, place[0], path, without)
    else:
        store, keys = _sdk(call, look, options, place[0], template)
    made = _target(call, store, keys, template)
    stated = call.name == "aws" and store.endpoint.certainty is Certainty.STATED
    named = not stated or options.get("--endpoint-url")
    return made if named else replace(made, notes=if_new_enough(call, store.endpoint))


def _asks_nobody(call: Call, bucket: str, path: str, without: str) -> ArchiveTarget:
    why = f"{path} is not read: {without}; s3cmd needs it, or keys"
    place = UnreadStore(Found(f"s3://{bucket}", call.source), why)
    return ArchiveTarget(Found(call.name, call.source), place, config=path)


def _target(call: Call, store: S3Store, keys: Credentials, template: KeyTemplate) -> ArchiveTarget:
    return ArchiveTarget(
        Found(call.name, call.source),
        store,
        keys,
        layout=Found(template.layout, call.source),
        compression=compression_of(template.suffix, call.piped, call.source),
        encryption=_encryption(call, template),
    )


def _encryption(call: Call, template: KeyTemplate) -> Found[str]:
    """SSE-C: the store gives nothing back without the key that the client sends (aws s3 cp --sse-c)."""
    own = ("--sse-c", "--sse-customer-algorithm", "--enc-c")
    if any(word.partition("=")[0] in own for word in call.words):
        return Found("SSE-C", call.source)
    return encryption_of(call.piped, call.source, template.suffix)


def _not_told(call: Call) -> ArchiveTarget:
    what = Found("a bucket that only the run of the command tells", call.source)
    return ArchiveTarget(
        Found(call.name, call.source), UnreadStore(what, "its name is computed when the command runs")
    )


def _word(options: Mapping[str, str], source: str, *names: str) -> Found[str] | None:
    """An option's value that is known."""
    for name in names:
        value = options.get(name, "")
        if value and UNKNOWN not in value:
            return Found(value, source)
    return None


def _sdk(
    call: Call, look: Look, options: Mapping[str, str], bucket: str, template: KeyTemplate
) -> tuple[S3Store, Credentials]:
    """aws, s5cmd, s4cmd."""
    environment = dict(call.environment)
    if "--credentials-file" in options:
        environment["AWS_SHARED_CREDENTIALS_FILE"] = Found(options["--credentials-file"], call.source)
    profile = _word(options, call.source, "--profile")
    settings = aws_settings(look, environment, profile=profile)
    endpoint = _word(options, call.source, "--endpoint-url")
    if endpoint is None and call.name == "s5cmd":
        endpoint = value_of(environment, "S3_ENDPOINT_URL")  # it reads none of the others (#694)
    elif endpoint is None and call.name == "aws":
        endpoint = settings.endpoint
    keys = settings.keys
    if call.name == "s4cmd":
        keys = _s4cmd_keys(call, look, options) or keys
    region = _word(options, call.source, "--region", "--destination-region") or settings.region
    store = sdk_store(Found(bucket, call.source), template.prefix, endpoint, region, settings, call)
    ca = _word(options, call.source, "--ca-bundle") or settings.ca
    if "--no-sign-request" in options:
        keys = Credentials(call.source, None, "requests are not signed (--no-sign-request)")
    return (
        S3Store(
            store.bucket, store.prefix, store.endpoint, store.region, store.path_style, ca,
            "--no-verify-ssl" not in options,
        ),
        keys,
    )  # fmt: skip


def sdk_store(
    bucket: Found[str],
    prefix: str,
    endpoint: Found[str] | None,
    region: Found[str] | None,
    settings: AwsSettings,
    call: Call,
) -> S3Store:
    """As botocore makes an address: its own endpoint takes path style unless `addressing_style = virtual`."""
    if endpoint is not None and endpoint_url(endpoint.value):
        at = endpoint.but(endpoint_url(endpoint.value))
        region = region or region_of(at.value)
    else:
        region = region or default("us-east-1", call.name)
        at = default(amazons(region.value), call.name)
    style = settings.addressing
    if style is not None and style.value in ("path", "virtual"):
        path_style = style.but(style.value == "path")
    else:
        path_style = default(endpoint is not None, call.name)
    return S3Store(bucket, Found(prefix, call.source), at, region, path_style, settings.ca)


def _s4cmd_keys(call: Call, look: Look, options: Mapping[str, str]) -> Credentials | None:
    of_words = credentials(
        _word(options, call.source, "--access-key"), _word(options, call.source, "--secret-key")
    )
    of_environment = credentials(
        value_of(call.environment, "S3_ACCESS_KEY"), value_of(call.environment, "S3_SECRET_KEY")
    )
    section = _default_section(look, f"{home_of(call.environment, look)}/.s3cfg")
    return of_words or of_environment or credentials(section.get("access_key"), section.get("secret_key"))


def _default_section(look: Look, path: str) -> Section:
    file = look.file(path)
    return sections(file).get("default", {}) if file is not None else {}


def _s3cmd_values(look: Look, path: str) -> Section:
    """As s3cmd reads it (S3/Config.py): whatever the section, the last one holds, in quotes or not."""
    file = look.file(path)
    merged: Section = {}
    for section in sections(file).values() if file is not None else ():
        merged |= section
    return {key: found.but(_QUOTED.sub(r"\1", found.value)) for key, found in merged.items()}


def _s3cmd_file(call: Call, look: Look, options: Mapping[str, str]) -> str:
    named = _word(options, call.source, "-c", "--config") or value_of(call.environment, "S3CMD_CONFIG")
    home = home_of(call.environment, look)
    return look.path(named.value if named else f"{home}/.s3cfg", home)


def _s3cmd(
    call: Call, look: Look, path: str, options: Mapping[str, str], bucket: str, template: KeyTemplate
) -> tuple[S3Store, Credentials]:
    section = _s3cmd_values(look, path)
    secure = section.get("use_https")
    plain = "--no-ssl" in options or (
        secure is not None and secure.value.lower() in ("false", "no", "0") and "--ssl" not in options
    )
    scheme = "http" if plain else "https"
    host = _word(options, call.source, "--host") or section.get("host_base")
    endpoint = endpoint_url(host.value, scheme) if host is not None else ""
    pattern = _word(options, call.source, "--host-bucket") or section.get("host_bucket")
    region = _word(options, call.source, "--region") or section.get("bucket_location")
    at = (
        host.but(endpoint)
        if host is not None and endpoint
        else default(f"{scheme}://s3.amazonaws.com", "s3cmd")
    )
    path_style = default(False, "s3cmd")
    if pattern is not None:
        path_style = pattern.but("%(bucket)" not in pattern.value)
    if region is None or region.value.upper() in ("US", ""):
        region = region_of(at.value)
    ca = section.get("ca_certs_file")
    checks = section.get("check_ssl_certificate")
    store = S3Store(
        Found(bucket, call.source),
        Found(template.prefix, call.source),
        at,
        region,
        presumed(True, "the endpoint is an address") if is_numeric(at.value) else path_style,
        ca if ca is not None and ca.value else None,
        "--no-check-certificate" not in options and not (checks and checks.value.lower() == "false"),
    )
    of_words = credentials(
        _word(options, call.source, "--access_key"), _word(options, call.source, "--secret_key")
    )
    of_file = credentials(section.get("access_key"), section.get("secret_key"))
    of_environment = credentials(
        value_of(call.environment, "AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY"),
        value_of(call.environment, "AWS_SECRET_ACCESS_KEY", "AWS_SECRET_KEY"),
    )
    nothing = Credentials(path, None, "it has no access_key, and no variable has one")
    return store, of_words or of_file or of_environment or nothing


def _of_mc(call: Call, look: Look) -> ArchiveTarget | None:
    options, plain = words_of(call.words, VALUED["mc"])
    if not plain or plain[0] not in ("cp", "put", "mv", "pipe", "mirror") or len(plain) < 2:
        return None
    alias, slash, rest = plain[-1].partition("/")
    bucket, _, key = rest.partition("/")
    if not slash or not is_bucket(bucket) or UNKNOWN in alias:
        return _not_told(call)
    template = key_template(key, folder=key.endswith("/") or plain[0] == "mirror")
    url, keys = _mc_alias(call, look, alias, _word(options, call.source, "-C", "--config-dir"))
    if url is None:
        what = Found(f"{alias}/{bucket}/{template.prefix}".rstrip("/"), call.source)
        return ArchiveTarget(
            Found("mc", call.source),
            UnreadStore(what, named_in(call.environment, alias)),
            keys,
        )
    store = S3Store(
        Found(bucket, call.source),
        Found(template.prefix, call.source),
        url,
        region_of(url.value),
        presumed(not url.value.endswith("amazonaws.com"), "mc chooses by the endpoint"),
    )
    return _target(call, store, keys, template)


def _mc_alias(
    call: Call, look: Look, alias: str, folder: Found[str] | None
) -> tuple[Found[str] | None, Credentials]:
    variable = value_of(call.environment, f"MC_HOST_{alias}")
    if variable is not None:
        # Read from the last @ as mc does: a key may hold a slash.
        scheme, _, rest = variable.value.partition("://")
        before, _, place = rest.rpartition("@")
        parts = urlsplit(f"{scheme}://{place}")
        access, _, behind = before.partition(":")
        user, secret = (
            (variable.but(unquote(access)), variable.but(unquote(behind)))
            if access and behind
            else (None, None)
        )
        endpoint = endpoint_url(f"{parts.scheme}://{parts.netloc}")
        keys = credentials(user, secret) or Credentials(variable.source, None, "it holds no keys")
        if ":" in behind:
            keys = Credentials(variable.source, None, "its pair is a temporary one, with a session token")
        return (variable.but(endpoint) if endpoint else None), keys
    set_here = alias_set(call.environment, alias)
    if set_here is not None:
        endpoint = endpoint_url(set_here.url.value) if UNKNOWN not in set_here.url.value else ""
        made = credentials(set_here.access, set_here.secret)
        why = "only the run of the command tells the keys of its alias"
        return (
            Found(endpoint, set_here.url.source) if endpoint else None,
            made or Credentials(set_here.url.source, None, why),
        )
    where = folder or value_of(call.environment, "MC_CONFIG_DIR")
    path = look.path(f"{where.value if where else home_of(call.environment, look) + '/.mc'}/config.json")
    file = look.file(path)
    try:
        document = json_of(file.text) if file is not None else {}
        found = document["aliases"][alias]
        endpoint = endpoint_url(str(found["url"]))
        access, secret_key = str(found["accessKey"]), str(found["secretKey"])
    except (ValueError, KeyError, TypeError):
        return None, Credentials(path, None, f"it has no alias {alias}")
    source = f"{path} aliases.{alias}"
    pair = credentials(Found(access, source), Found(secret_key, source))
    return (Found(endpoint, source) if endpoint else None), pair or Credentials(source)


def _named(call: Call) -> ArchiveTarget | None:
    """gsutil, gcloud storage, azcopy: where to is said, and not read."""
    places = [word for word in call.words if word.startswith("gs://") or ".blob.core.windows.net/" in word]
    if not places and not any(word in ("cp", "copy", "mv", "rsync") for word in call.words):
        return None
    what = shown(places[-1].partition("?")[0]) if places else f"where {call.name} copies to"
    kind = "Azure Blob Storage" if call.name == "azcopy" else "Google Cloud Storage"
    return ArchiveTarget(
        Found(call.name, call.source),
        UnreadStore(
            Found(what.replace("%f", "").rstrip("/"), call.source), f"{kind} by its own API is not read"
        ),
    )
