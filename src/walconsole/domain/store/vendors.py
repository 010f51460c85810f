"""Who makes or runs an S3 store, and what its documentation promises: one row each.

A service is told by its endpoint's host; what is run on one's own machines cannot be, and says so in the row.
`None` means that no documentation says it: then nothing is promised to the operator either.
"""

from dataclasses import dataclass
from urllib.parse import urlsplit

FIRST_REGION = "us-east-1"
"""S3's own first one, which a store without regions takes."""


@dataclass(frozen=True, slots=True)
class Vendor:
    """A store's maker. `domain` begins with a dot, and is empty for software that anyone runs anywhere.

    `signs_for` is the region that every signature names, empty where that is the bucket's own. `region` says
    in a few words what its region is, for whom it refuses it. `conditional_put` is `If-None-Match: *` on a
    PUT, `lifecycle` the deletion of objects by age, `versioning` the keeping of what is overwritten.
    """

    name: str
    source: str
    domain: str = ""
    signs_for: str = ""
    region: str = ""
    conditional_put: bool | None = None
    lifecycle: bool | None = None
    versioning: bool | None = None

    @property
    def lacking(self) -> tuple[str, ...]:
        """What it is documented not to have, in words."""
        features = (
            ("conditional PUT", self.conditional_put),
            ("lifecycle rules", self.lifecycle),
            ("versioning", self.versioning),
        )
        return tuple(words for words, has in features if has is False)


AWS = Vendor(
    "Amazon S3",
    "docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html",
    domain=".amazonaws.com",
    region="the one that the bucket was made in",
    conditional_put=True,
    lifecycle=True,
    versioning=True,
)
SPACES = Vendor(
    "DigitalOcean Spaces",
    "docs.digitalocean.com/reference/api/spaces",
    domain=".digitaloceanspaces.com",
    signs_for=FIRST_REGION,
    region="us-east-1 in every signature, whatever the endpoint",
    lifecycle=True,
    versioning=True,
)
CEPH = Vendor(
    "Ceph RGW",
    "github.com/ceph/ceph src/rgw/rgw_common.cc",
    region="the zone group's api_name",
    lifecycle=True,
    versioning=True,
)
MINIO = Vendor(
    "MinIO",
    "github.com/minio/minio cmd/api-errors.go",
    region="MINIO_SITE_REGION, us-east-1 where it is not set",
    lifecycle=True,
    versioning=True,
)
B2 = Vendor(
    "Backblaze B2",
    "www.backblaze.com/docs/cloud-storage-s3-compatible-api",
    domain=".backblazeb2.com",
    region="the second part of the endpoint's name (us-west-004)",
    versioning=True,
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
)
WASABI = Vendor(
    "Wasabi",
    "docs.wasabi.com/docs/rest-api-introduction",
    domain=".wasabisys.com",
    region="the second part of the endpoint's name (eu-central-1)",
    lifecycle=True,
    versioning=True,
)
GARAGE = Vendor(
    "Garage",
    "garagehq.deuxfleurs.fr/documentation/reference-manual/s3-compatibility",
    region="s3_region of its configuration, most often garage",
    lifecycle=True,
    versioning=False,
)
GCS = Vendor(
    "Google Cloud Storage (XML)",
    "cloud.google.com/storage/docs/xml-api/reference-status",
    domain=".storage.googleapis.com",
    region="auto",
    lifecycle=True,
    versioning=True,
)
SEAWEEDFS = Vendor(
    "SeaweedFS",
    "github.com/seaweedfs/seaweedfs weed/s3api/s3err/s3api_errors.go",
    region="any",
)

VENDORS = (AWS, SPACES, CEPH, MINIO, B2, R2, WASABI, GARAGE, GCS, SEAWEEDFS)


def vendor_of(endpoint: str) -> Vendor | None:
    """Whose service answers at an endpoint (a URL), None where its name does not tell."""
    try:
        host = urlsplit(endpoint).hostname or ""
    except ValueError:  # no URL: it is refused where a request is to be made
        return None
    return next((each for each in VENDORS if each.domain and f".{host}".endswith(each.domain)), None)
