"""What stores answer, as their makers document it, and what the one table makes of it."""

import pytest

from walconsole.domain.store.answers import (
    ROWS,
    Meaning,
    code_for_status,
    meaning_of,
    worth_asking_again,
)
from walconsole.domain.store.vendors import VENDORS, vendor_of

pytestmark = pytest.mark.cases("What stores answer, by their public documentation")

M = Meaning
"""Each answer as the store's public documentation (`Vendor.source`) has it: maker, status, code, message."""
ANSWERS = [
    ("Amazon S3", 403, "AccessDenied", "Access Denied", M.NO_PERMISSION),
    ("Amazon S3", 403, "AccountProblem", "There is a problem with your AWS account", M.ACCOUNT),
    ("Amazon S3", 403, "AllAccessDisabled", "All access to this resource has been disabled", M.NO_PERMISSION),
    (
        "Amazon S3",
        400,
        "AuthorizationHeaderMalformed",
        "The authorization header is malformed; the region 's3' is wrong; expecting 'us-east-1'",
        M.WRONG_REGION,
    ),
    (
        "Amazon S3",
        400,
        "AuthorizationHeaderMalformed",
        "The authorization header is malformed; the Credential is mal-formed; expecting …",
        M.CREDENTIALS_BAD,
    ),
    ("Amazon S3", 409, "BucketAlreadyExists", "The requested bucket name is not available.", M.NAME_TAKEN),
    ("Amazon S3", 409, "BucketAlreadyOwnedByYou", "and you own it", M.OWNED_ALREADY),
    ("Amazon S3", 400, "ExpiredToken", "The provided token has expired.", M.CREDENTIALS_BAD),
    ("Amazon S3", 400, "InvalidToken", "The provided token is malformed", M.CREDENTIALS_BAD),
    ("Amazon S3", 400, "IllegalLocationConstraintException", "", M.WRONG_REGION),
    ("Amazon S3", 500, "InternalError", "An internal error occurred. Try again.", M.FAULT),
    ("Amazon S3", 403, "InvalidAccessKeyId", "The AWS access key ID … does not exist", M.KEY_UNKNOWN),
    ("Amazon S3", 400, "InvalidBucketName", "The specified bucket is not valid.", M.NAME_INVALID),
    ("Amazon S3", 403, "InvalidObjectState", "", M.READ_ONLY),
    ("Amazon S3", 403, "AccessDenied", "Access Denied because object protected by object lock.", M.READ_ONLY),
    ("Amazon S3", 416, "InvalidRange", "The requested range is not valid", M.PRECONDITION),
    ("Amazon S3", 405, "MethodNotAllowed", "", M.UNSUPPORTED),
    ("Amazon S3", 404, "NoSuchBucket", "The specified bucket does not exist.", M.ABSENT_BUCKET),
    ("Amazon S3", 404, "NoSuchKey", "The specified key does not exist.", M.ABSENT_OBJECT),
    ("Amazon S3", 404, "NoSuchLifecycleConfiguration", "", M.ABSENT_SETTINGS),
    ("Amazon S3", 501, "NotImplemented", "A header … implies functionality", M.UNSUPPORTED),
    ("Amazon S3", 403, "NotSignedUp", "", M.ACCOUNT),
    ("Amazon S3", 409, "OperationAborted", "", M.CONFLICT),
    ("Amazon S3", 409, "ConditionalRequestConflict", "", M.CONFLICT),
    ("Amazon S3", 301, "PermanentRedirect", "must be addressed using the specified endpoint", M.WRONG_REGION),
    ("Amazon S3", 412, "PreconditionFailed", "", M.PRECONDITION),
    ("Amazon S3", 307, "TemporaryRedirect", "", M.WRONG_REGION),
    ("Amazon S3", 400, "RequestTimeout", "Your socket connection … was not read from", M.INTERRUPTED),
    ("Amazon S3", 403, "RequestTimeTooSkewed", "", M.CLOCK_SKEW),
    ("Amazon S3", 403, "SignatureDoesNotMatch", "", M.SIGNATURE_WRONG),
    ("Amazon S3", 503, "ServiceUnavailable", "Service is unable to handle request.", M.UNAVAILABLE),
    ("Amazon S3", 503, "SlowDown", "Please reduce your request rate.", M.THROTTLED),
    ("Amazon S3", 400, "TooManyBuckets", "", M.TOO_MANY_BUCKETS),
    ("DigitalOcean Spaces", 503, "SlowDown", "Please reduce your request rate.", M.THROTTLED),
    ("DigitalOcean Spaces", 403, "InvalidAccessKeyId", "", M.KEY_UNKNOWN),
    ("DigitalOcean Spaces", 403, "AccessDenied", "", M.NO_PERMISSION),
    ("DigitalOcean Spaces", 404, "NoSuchBucket", "", M.ABSENT_BUCKET),
    ("DigitalOcean Spaces", 409, "OperationAborted", "", M.CONFLICT),
    ("Ceph RGW", 403, "QuotaExceeded", "", M.ACCOUNT),
    ("Ceph RGW", 403, "UserSuspended", "", M.ACCOUNT),
    ("Ceph RGW", 400, "InvalidSecretKey", "", M.SIGNATURE_WRONG),
    ("Ceph RGW", 500, "UnknownError", "", M.FAULT),
    ("Ceph RGW", 400, "TooManyBuckets", "", M.TOO_MANY_BUCKETS),
    ("Ceph RGW", 404, "Not Found", "", M.ABSENT),
    ("Ceph RGW", 503, "SlowDown", "", M.THROTTLED),
    ("MinIO", 507, "XMinioStorageFull", "Storage backend has reached its minimum free disk", M.ACCOUNT),
    ("MinIO", 400, "XMinioAdminBucketQuotaExceeded", "Bucket quota exceeded", M.ACCOUNT),
    ("MinIO", 400, "InvalidRequest", "Object is WORM protected and cannot be overwritten", M.READ_ONLY),
    ("MinIO", 503, "XMinioServerNotInitialized", "", M.UNAVAILABLE),
    ("MinIO", 503, "SlowDownRead", "Resource requested is unreadable", M.THROTTLED),
    ("MinIO", 503, "SlowDownWrite", "Resource requested is unwritable", M.THROTTLED),
    ("MinIO", 409, "BucketAlreadyOwnedByYou", "Your previous request to create", M.OWNED_ALREADY),
    ("Backblaze B2", 403, "AccessDenied", "Cannot upload files, storage cap exceeded.", M.ACCOUNT),
    ("Backblaze B2", 403, "AccessDenied", "See the Caps & Alerts page to increase your cap.", M.ACCOUNT),
    (
        "Backblaze B2",
        400,
        "AuthorizationHeaderMalformed",
        'the authorization component "/20240926/us-east-005/s3/aws4_request" is malformed.',
        M.CREDENTIALS_BAD,
    ),
    ("Cloudflare R2", 401, "Unauthorized", "Missing or invalid credentials", M.CREDENTIALS_BAD),
    ("Cloudflare R2", 403, "AccessDenied", "Insufficient permissions", M.NO_PERMISSION),
    ("Cloudflare R2", 400, "ExpiredRequest", "", M.CLOCK_SKEW),
    ("Cloudflare R2", 403, "SignatureDoesNotMatch", "", M.SIGNATURE_WRONG),
    ("Cloudflare R2", 403, "NotEntitled", "", M.ACCOUNT),
    ("Cloudflare R2", 400, "InvalidBucketName", "", M.NAME_INVALID),
    ("Cloudflare R2", 404, "NoSuchBucket", "", M.ABSENT_BUCKET),
    ("Cloudflare R2", 409, "BucketConflict", "", M.NAME_TAKEN),
    ("Cloudflare R2", 429, "", "", M.THROTTLED),
    ("Wasabi", 503, "Unavailable", "Temporarily unavailable", M.UNAVAILABLE),
    ("Wasabi", 403, "AccessForbidden", "", M.NO_PERMISSION),
    ("Wasabi", 403, "AccountNotActivated", "", M.ACCOUNT),
    ("Wasabi", 403, "AuthenticationLockout", "too many attempts", M.ACCOUNT),
    ("Wasabi", 403, "RequestRateLimitExceeded", "", M.THROTTLED),
    ("Wasabi", 400, "IncompleteSignature", "", M.CREDENTIALS_BAD),
    ("Wasabi", 410, "ConnectionClosed", "", M.INTERRUPTED),
    ("Garage", 403, "AccessDenied", "Forbidden: No such key: GK31c2f218a2e44f485b94239e", M.KEY_UNKNOWN),
    ("Garage", 403, "AccessDenied", "Forbidden: Invalid signature", M.SIGNATURE_WRONG),
    ("Garage", 403, "AccessDenied", "Forbidden: Operation is not allowed for this key.", M.NO_PERMISSION),
    ("Garage", 400, "InvalidRequest", "Bad request: Date is too old", M.CLOCK_SKEW),
    (
        "Garage",
        400,
        "AuthorizationHeaderMalformed",
        "Authorization header malformed, unexpected scope: 20260519/made-up-region/s3/aws4_request",
        M.WRONG_REGION,
    ),
    ("Google Cloud Storage (XML)", 409, "BucketNameUnavailable", "", M.NAME_TAKEN),
    ("Google Cloud Storage (XML)", 403, "RetentionPolicyNotMet", "", M.READ_ONLY),
    ("Google Cloud Storage (XML)", 403, "ObjectUnderActiveHold", "", M.READ_ONLY),
    ("Google Cloud Storage (XML)", 307, "Redirect", "Temporary redirect.", M.WRONG_REGION),
    ("Google Cloud Storage (XML)", 400, "CredentialsNotSupported", "", M.CREDENTIALS_BAD),
    ("Google Cloud Storage (XML)", 403, "UserProjectAccountProblem", "", M.ACCOUNT),
    ("SeaweedFS", 403, "AccessDenied", "Request is not valid yet", M.CLOCK_SKEW),
    ("SeaweedFS", 403, "InvalidAccessKeyId", "", M.KEY_UNKNOWN),
    ("SeaweedFS", 429, "ErrTooManyRequest", "Too many simultaneous request count", M.THROTTLED),
    ("SeaweedFS", 429, "ErrRequestBytesExceed", "", M.THROTTLED),
    ("SeaweedFS", 409, "ExistingObjectIsDirectory", "", M.REQUEST_WRONG),
]


@pytest.mark.among("maker")
@pytest.mark.parametrize(
    ("maker", "status", "code", "message", "meaning"),
    ANSWERS,
    ids=[f"{maker} {status} {code} {number}" for number, (maker, status, code, *_) in enumerate(ANSWERS)],
)
def test_what_a_maker_documents(maker: str, status: int, code: str, message: str, meaning: Meaning) -> None:
    assert maker in {each.name for each in VENDORS}
    assert meaning_of(code, status, message) is meaning
    if code:
        why = f"key DO00AB… may not list bucket shithub-wal ({code}: {message})"
        assert meaning_of(code, said=why) is meaning  # a code counts for more than its status


def test_the_table_is_tried_with_every_maker() -> None:
    assert len(ANSWERS) >= 60
    assert {maker for maker, *_ in ANSWERS} == {each.name for each in VENDORS if each.like is None}
    assert {each.like.name for each in VENDORS if each.like} <= {maker for maker, *_ in ANSWERS}


def test_a_code_has_one_meaning_unless_a_message_tells_more() -> None:
    plain = [row.code for row in ROWS if not row.message]
    assert len(plain) == len(set(plain))
    assert all(row.vendors for row in ROWS if row.message)


@pytest.mark.parametrize("status", [None, 200, 400, 403, 404, 503])
def test_a_code_without_a_row_is_not_known_whatever_its_status(status: int | None) -> None:
    assert meaning_of("XVendorSurprise", status, "AccessDenied") is M.UNKNOWN


@pytest.mark.parametrize(
    ("status", "meaning", "code"),
    [
        (301, M.WRONG_REGION, "NotS3"),
        (401, M.CREDENTIALS_BAD, "NotS3"),
        (403, M.REFUSED, "NotS3"),  # a store names its refusals: this is a proxy's
        (404, M.ABSENT, "NotS3"),
        (412, M.PRECONDITION, "NotS3"),
        (418, M.UNKNOWN, "NotS3"),
        (429, M.THROTTLED, "TooManyRequests"),
        (500, M.FAULT, "InternalError"),
        (503, M.UNAVAILABLE, "ServiceUnavailable"),
        (507, M.ACCOUNT, "NotS3"),
    ],
)
def test_a_status_decides_where_there_is_no_code(status: int, meaning: Meaning, code: str) -> None:
    assert meaning_of("", status) is meaning
    assert meaning_of(str(status)) is meaning  # as botocore names a HEAD's
    assert code_for_status(status) == code


@pytest.mark.parametrize(
    ("code", "status", "again"),
    [
        ("SlowDown", 503, True),
        ("OperationAborted", 409, True),
        ("RequestTimeout", 400, True),
        ("XVendorSurprise", 503, True),
        ("XVendorSurprise", 400, False),
        ("AccessDenied", 403, False),
        ("AccessDenied", 503, False),
        ("Unreachable", None, False),
    ],
)
def test_what_is_worth_asking_again(code: str, status: int | None, again: bool) -> None:
    assert worth_asking_again(code, status) is again


@pytest.mark.among("name")
@pytest.mark.parametrize(
    ("endpoint", "name"),
    [
        ("https://nyc3.digitaloceanspaces.com", "DigitalOcean Spaces"),
        ("https://s3.eu-central-1.amazonaws.com", "Amazon S3"),
        ("https://0123.r2.cloudflarestorage.com", "Cloudflare R2"),
        ("https://s3.us-west-004.backblazeb2.com", "Backblaze B2"),
        ("https://s3.wasabisys.com", "Wasabi"),
        ("https://fsn1.your-objectstorage.com", "Hetzner Object Storage"),
        ("https://s3.gra.io.cloud.ovh.net", "OVHcloud Object Storage"),
        ("https://wal.s3.fr-par.scw.cloud", "Scaleway Object Storage"),
        ("https://storage.googleapis.com", "Google Cloud Storage (XML)"),
        ("https://digitaloceanspaces.com.example.net", None),
        ("https://notamazonaws.com", None),
        ("http://127.0.0.1:9000", None),
        ("http://[::1", None),
    ],
)
def test_whose_service_an_endpoint_is(endpoint: str, name: str | None) -> None:
    vendor = vendor_of(endpoint)
    assert (vendor.name if vendor is not None else None) == name
