"""Barman: barman-cloud-wal-archive to a bucket, barman-wal-archive to a host that has Barman.

barman/clients/cloud_walarchive.py: boto3 with `--endpoint-url` and `-P`; all else is as boto3 has it.
"""

from walconsole.domain.archivers.aws_files import aws_settings, if_new_enough
from walconsole.domain.archivers.called import Call
from walconsole.domain.archivers.expansion import UNKNOWN, shown
from walconsole.domain.archivers.look import Look
from walconsole.domain.archivers.places import key_template, s3_url
from walconsole.domain.archivers.s3_clients import sdk_store, words_of
from walconsole.domain.archivers.target import ArchiveTarget, Found, Store, UnreadStore

_VALUED = frozenset({
    "--endpoint-url", "-P", "--profile", "--aws-profile", "--cloud-provider", "-e", "--encryption",
    "--encrypt", "--read-timeout", "--max-block-size", "--max-concurrency", "--max-single-put-size",
    "--tags", "--history-tags", "--kms-key-name", "--sse-kms-key-id", "--credential", "--azure-credential",
    "--encryption-scope", "--compression-level", "-U", "--user", "-c", "--config", "--port",
    "--aws-region", "--gcp-project",
})  # fmt: skip
_COMPRESSIONS = (
    ("-z", "gzip"), ("--gzip", "gzip"), ("-j", "bzip2"), ("--bzip2", "bzip2"), ("--snappy", "snappy"),
    ("--xz", "xz"), ("--zstd", "zstd"), ("--lz4", "lz4"), ("--compression", "gzip"),
)  # fmt: skip


def cloud_target(call: Call, look: Look) -> ArchiveTarget | None:
    """barman-cloud-wal-archive `[OPTIONS] s3://BUCKET/PREFIX SERVER [FILE]`."""
    options, plain = words_of(call.words, _VALUED)
    if len(plain) < 2:
        return None
    url, server = plain[0], shown(plain[1])
    compression = next((name for option, name in _COMPRESSIONS if option in options), "none")
    encryption = options.get("-e") or options.get("--encryption") or options.get("--encrypt") or "none"
    tool = Found("barman-cloud", call.source)
    place = s3_url(url)
    provider = options.get("--cloud-provider", "aws-s3")
    store: Store
    if place is None or provider != "aws-s3":
        if provider != "aws-s3":
            why = f"{provider} is not read"
        elif url.startswith("gs://"):
            why = "Google Cloud Storage is not read"
        else:
            why = "it is no s3:// address that is known now"
        store = UnreadStore(Found(shown(url), call.source), why)
        return ArchiveTarget(tool, store)
    profile = next(
        (
            Found(options[name], call.source)
            for name in ("-P", "--profile", "--aws-profile")
            if options.get(name)
        ),
        None,
    )
    settings = aws_settings(
        look, call.environment, profile=profile, region_names=("AWS_DEFAULT_REGION", "AWS_REGION")
    )
    named = options.get("--endpoint-url", "")
    endpoint = Found(named, call.source) if named and UNKNOWN not in named else settings.endpoint
    prefix = key_template(f"{place[1].rstrip('/')}/" if place[1] else "", folder=True).prefix
    store = sdk_store(Found(place[0], call.source), prefix, endpoint, settings.region, settings, call)
    where = call.source
    return ArchiveTarget(
        tool,
        store,
        settings.keys,
        layout=Found(f"{server}/wals/LOG/", where),
        compression=Found(compression, where),
        encryption=Found(f"{encryption} by the store" if encryption != "none" else "none", where),
        backups=Found(f"{server}/base/", where),
        notes=if_new_enough(call, None if named else settings.endpoint),
    )


def server_target(call: Call) -> ArchiveTarget | None:
    """barman-wal-archive `[OPTIONS] BARMAN_HOST SERVER_NAME WAL_PATH`."""
    options, plain = words_of(call.words, _VALUED)
    if len(plain) < 2:
        return None
    user = options.get("-U") or options.get("--user") or "barman"
    host, server = shown(plain[0]), shown(plain[1])
    what = Found(f"Barman's server {server} on {user}@{host}", call.source)
    why = f"where it keeps WAL is known on that host alone: barman show-servers {server}"
    return ArchiveTarget(Found("Barman", call.source), UnreadStore(what, why), notes=())
