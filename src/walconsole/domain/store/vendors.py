"""Who makes or runs an S3 store, and what its documentation promises: one row each.

A service is told by its endpoint's host; what is run on one's own machines cannot be, and says so in the row.
`None` means that no documentation says it: then nothing is promised to the operator either.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from walconsole.domain.records import record

FIRST_REGION = "us-east-1"
"""S3's own first one, which a store without regions takes."""


@record
class Vendor:
    """A store's maker. `domain` begins with a dot, and is empty for software that anyone runs anywhere.

    `signs_for` is the region that every signature names, empty where that is the bucket's own. `region` says
    in a few words what its region is, for whom it refuses it. `conditional_put` is `If-None-Match: *` on a
    PUT, `lifecycle` the deletion of objects by age, `versioning` the keeping of what is overwritten.
    `endpoint` is an endpoint's pattern, `path_style` whether the bucket may, or must, stand in the path,
    `etag` what an ETag says, `listing` and `deleting` what is otherwise there than with Amazon, `consistency`
    when a listing has what was stored: in words, empty where its documentation says nothing. `like` is the
    maker whose answers it gives, where it documents none of its own.
    """

    name: str
    source: str
    domain: str = ""
    signs_for: str = ""
    region: str = ""
    conditional_put: bool | None = None
    lifecycle: bool | None = None
    versioning: bool | None = None
    endpoint: str = ""
    path_style: str = ""
    etag: str = ""
    listing: str = ""
    deleting: str = ""
    consistency: str = ""
    like: Vendor | None = None

    @property
    def lacking(self) -> tuple[str, ...]:
        """What it is documented not to have, in words."""
        features = (
            ("conditional PUT", self.conditional_put),
            ("lifecycle rules", self.lifecycle),
            ("versioning", self.versioning),
        )
        return tuple(words for words, has in features if has is False)


_MD5 = "the content's MD5 after a single PUT; of several parts it has a dash and is no MD5"
_AT_ONCE = "a listing has an object as soon as its PUT was answered"

AWS = Vendor(
    "Amazon S3",
    "docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html",
    domain=".amazonaws.com",
    region="the one that the bucket was made in",
    conditional_put=True,
    lifecycle=True,
    versioning=True,
    endpoint="https://s3.REGION.amazonaws.com",
    path_style="either; a bucket's name in the host is preferred",
    etag=f"{_MD5}; with SSE-KMS or SSE-C it is no MD5 either",
    deleting="an expired object may be there some days longer; it is not billed",
    consistency=f"{_AT_ONCE} (strong, since 2020)",
)
SPACES = Vendor(
    "DigitalOcean Spaces",
    "docs.digitalocean.com/reference/api/spaces",
    domain=".digitaloceanspaces.com",
    signs_for=FIRST_REGION,
    region="us-east-1 in every signature, whatever the endpoint",
    lifecycle=True,
    versioning=True,
    endpoint="https://REGION.digitaloceanspaces.com",
    path_style="either",
    etag=_MD5,
    listing="LIST may be slowed under load; 1,500 requests a second from an address",
    deleting="unfinished uploads go after 90 days by themselves; no rules by tags",
)
CEPH = Vendor(
    "Ceph RGW",
    "github.com/ceph/ceph src/rgw/rgw_common.cc",
    region="the zone group's api_name",
    lifecycle=True,
    versioning=True,
    endpoint="https://HOST:PORT",
    path_style="needed, unless rgw_dns_name and its DNS are set up",
    etag=_MD5,
    deleting="rules run once a day, in the hours of rgw_lifecycle_work_time",
    consistency=f"{_AT_ONCE} in one zone; another zone follows later",
)
MINIO = Vendor(
    "MinIO",
    "github.com/minio/minio cmd/api-errors.go",
    region="MINIO_SITE_REGION, us-east-1 where it is not set",
    lifecycle=True,
    versioning=True,
    endpoint="https://HOST:9000",
    path_style="needed, unless MINIO_DOMAIN and its DNS are set up",
    etag=f"{_MD5}; with encryption (SSE-KMS, SSE-C) it is no MD5",
    consistency=_AT_ONCE,
)
B2 = Vendor(
    "Backblaze B2",
    "www.backblaze.com/docs/cloud-storage-s3-compatible-api",
    domain=".backblazeb2.com",
    region="the second part of the endpoint's name (us-west-004)",
    lifecycle=True,
    versioning=True,
    endpoint="https://s3.REGION.backblazeb2.com",
    path_style="either",
    etag=_MD5,
    deleting="versions are always kept: a DELETE and an expiry hide, and bytes are billed until a rule for "
    "old versions deletes them; one of its own rules is told as two of S3's",
)
R2 = Vendor(
    "Cloudflare R2",
    "developers.cloudflare.com/r2/api/error-codes",
    domain=".r2.cloudflarestorage.com",
    signs_for="auto",
    region="auto",
    conditional_put=True,
    lifecycle=True,
    versioning=False,
    endpoint="https://ACCOUNT.r2.cloudflarestorage.com",
    path_style="either",
    etag=f"{_MD5}; all parts but the last must be of one size",
    consistency=f"{_AT_ONCE}, everywhere; a new key takes up to a minute",
)
WASABI = Vendor(
    "Wasabi",
    "docs.wasabi.com/docs/rest-api-introduction",
    domain=".wasabisys.com",
    region="the second part of the endpoint's name (eu-central-1)",
    lifecycle=True,
    versioning=True,
    endpoint="https://s3.REGION.wasabisys.com",
    path_style="either",
    etag=_MD5,
    deleting="rules run at 00:00 UTC, a new one within 48 hours; what goes within 90 days is billed for 90",
)
GARAGE = Vendor(
    "Garage",
    "garagehq.deuxfleurs.fr/documentation/reference-manual/s3-compatibility",
    region="s3_region of its configuration, most often garage",
    lifecycle=True,
    versioning=False,
    endpoint="https://HOST:3900",
    path_style="either; in the host only with root_domain",
    etag=_MD5,
    deleting="of the rules only expiry by age or date and the end of unfinished uploads",
)
GCS = Vendor(
    "Google Cloud Storage (XML)",
    "cloud.google.com/storage/docs/xml-api/reference-status",
    domain=".storage.googleapis.com",
    region="auto",
    lifecycle=True,
    versioning=True,
    endpoint="https://storage.googleapis.com",
    path_style="either",
    etag="no MD5 for composed objects and those with a key of one's own",
    consistency=_AT_ONCE,
)
SEAWEEDFS = Vendor(
    "SeaweedFS",
    "github.com/seaweedfs/seaweedfs weed/s3api/s3err/s3api_errors.go",
    region="any",
    endpoint="https://HOST:8333",
)
HETZNER = Vendor(
    "Hetzner Object Storage",
    "docs.hetzner.com/storage/object-storage/overview",
    domain=".your-objectstorage.com",
    region="the first part of the endpoint's name (fsn1)",
    lifecycle=True,
    versioning=True,
    endpoint="https://LOCATION.your-objectstorage.com",
    path_style="either",
    etag=_MD5,
    listing="a bucket takes 50 million objects at most",
    like=CEPH,
)
OVH = Vendor(
    "OVHcloud Object Storage",
    "help.ovhcloud.com/csm/en-ie-public-cloud-storage-s3-faq?id=kb_article_view&sysparm_article=KB0059678",
    domain=".cloud.ovh.net",
    region="the second part of the endpoint's name, in small letters (gra)",
    lifecycle=True,
    versioning=True,
    endpoint="https://s3.REGION.io.cloud.ovh.net",
    path_style="either",
    deleting="rules at the .io endpoint alone, not at the older .perf one",
    like=AWS,
)
SCALEWAY = Vendor(
    "Scaleway Object Storage",
    "www.scaleway.com/en/docs/storage/object/concepts/",
    domain=".scw.cloud",
    region="the second part of the endpoint's name (fr-par)",
    lifecycle=True,
    versioning=True,
    endpoint="https://s3.REGION.scw.cloud",
    path_style="either; needed for a bucket whose name has a dot",
    listing="its documentation warns that a bucket with more than 500,000 objects may get slow",
    like=AWS,
)

VENDORS = (AWS, SPACES, CEPH, MINIO, B2, R2, WASABI, GARAGE, GCS, SEAWEEDFS, HETZNER, OVH, SCALEWAY)


def vendor_of(endpoint: str) -> Vendor | None:
    """Whose service answers at an endpoint (a URL), None where its name does not tell."""
    try:
        host = urlsplit(endpoint).hostname or ""
    except ValueError:  # no URL: it is refused where a request is to be made
        return None
    return next((each for each in VENDORS if each.domain and f".{host}".endswith(each.domain)), None)
