"""Failure modes between the archive command and the store."""

from walconsole.domain.standing.page import Page

PAGES = (
    Page(
        "key-403",
        "the store refuses the key",
        symptom="403 in the command's words; segments fail and wait.",
        cause=(
            "Three causes that look alike. `AccessDenied`: the key is known and its grant is "
            "missing. `InvalidAccessKeyId`: it was deleted, or is another account's. "
            "`SignatureDoesNotMatch`: the secret is wrong."
        ),
        signal=(
            "A signed LIST from the droplet with the command's own configuration, beside one from "
            "here: rclone's first request is a HEAD, whose answer has no code, so that its own words "
            "are a bare 403."
        ),
        fix=(
            "AccessDenied: give the key readwrite on the bucket again. The others: make a limited "
            "key and write it into rclone's configuration.\n\n```\n"
            "runuser -u postgres -- rclone --config /etc/rclone-NAME.conf lsf --max-depth 1 "
            "REMOTE:BUCKET\n```"
        ),
        never="Do not put a full-access key on the droplet.",
        source="owncloud/files_primary_s3#690",
    ),
    Page(
        "no-key",
        "there is no key to ask with",
        symptom="The bucket panes say n/a.",
        cause=(
            "The environment variable, the keyring's entry or the section of the droplet's rclone "
            "configuration that the profile names is not there."
        ),
        signal="The profile's key source.",
        fix="As the finding says: it names what is missing.",
    ),
    Page(
        "bucket-404",
        "the bucket does not exist",
        symptom="`NoSuchBucket`.",
        cause=("It was never created, was deleted, or is another region's (the endpoint names the region)."),
        signal="A LIST from here and from the droplet.",
        fix=(
            "Create it (`walconsole provision` does it with a key that it deletes at once), then "
            "take a base backup: what was in a deleted bucket is gone."
        ),
        source="barman#477; the incident that walconsole began with",
    ),
    Page(
        "preflight-403",
        "the client checks the bucket first, which a limited key may not",
        symptom=(
            "403 or AccessDenied although the key may write; often `CreateBucket` or "
            "`GetBucketLocation` in the words."
        ),
        cause=(
            "rclone (and other clients) look whether the bucket exists, or try to make it, before the upload."
        ),
        signal=(
            "The refused call in the command's words; or a refused upload by a command without "
            "--s3-no-check-bucket whose key may list the bucket, and which never worked."
        ),
        fix=(
            "```\nrclone --s3-no-check-bucket copyto …\n```\n\n"
            "or `no_check_bucket = true` in the remote's section."
        ),
        source="rclone#4703, #5119; barman#1094",
    ),
    Page(
        "clock-skew",
        "a clock is wrong",
        symptom="`RequestTimeTooSkewed`; every request is refused, of every key.",
        cause=(
            "S3 refuses requests whose time is 15 minutes off. NTP is not running, or a suspended "
            "machine came back."
        ),
        signal="The droplet's clock against the Date header of S3's answers; S3's code.",
        fix="```\ntimedatectl\ntimedatectl set-ntp true\nchronyc makestep\n```",
        source="pgbackrest#788, #2556",
    ),
    Page(
        "endpoint-wrong",
        "the endpoint does not answer as S3 does",
        symptom="Connection refused, no such host, TLS errors, 301 or 400, or XML that is none.",
        cause=(
            "Region, endpoint or address style is wrong, or the network between is cut. An endpoint "
            "that contains the bucket's name stores WAL in BUCKET/BUCKET with exit 0."
        ),
        signal=(
            "The answer to a signed request from here and from the droplet, side by side: which side "
            "fails tells whether it is the network."
        ),
        fix=(
            "```\ngetent hosts nyc3.digitaloceanspaces.com\n"
            "openssl s_client -connect nyc3.digitaloceanspaces.com:443 </dev/null\n```\n\n"
            "The endpoint is https://REGION.digitaloceanspaces.com, without the bucket."
        ),
        source="pgbackrest#1380",
    ),
    Page(
        "throttled",
        "the store asks to slow down",
        symptom="503 SlowDown or 429.",
        cause=(
            "Too many requests at once: parallel pushes, a listing by another tool, a limit of the account."
        ),
        signal="The words of the command, or the answers to the console's own requests.",
        fix="Send less at a time; compress; ask for a higher limit if it stays so.",
        source="pgbackrest#2207",
    ),
    Page(
        "checksum-embedded",
        "objects hold the client's chunk signatures",
        symptom=(
            "Uploads fail, or (worse) succeed, and a restore finds text at the beginning of each segment."
        ),
        cause=(
            "Newer SDKs send checksum trailers in aws-chunked encoding by default; some stores keep "
            "the chunks' headers as content."
        ),
        signal="The head of the newest object is no WAL page and begins with a chunk's header.",
        fix=(
            "Let the client send no trailers, archive again what is still in pg_wal, and take a base "
            "backup.\n\n```\nAWS_REQUEST_CHECKSUM_CALCULATION=when_required\n"
            "AWS_RESPONSE_CHECKSUM_VALIDATION=when_required\n```"
        ),
        source="barman#1086; boto3#4435",
    ),
)
