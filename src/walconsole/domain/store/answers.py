"""What a store's refusal means: one table from its answer (code, status, its own message) to a meaning.

Whoever lists, writes, probes or diagnoses asks here; no other module names a code of S3's. A code that is
named counts for more than the status it came with, a message that a row asks for more than its code; the
status decides where there is no code (the answer to a HEAD has none). A code without a row is UNKNOWN: it is
told as the store wrote it, and nothing is proved by it.

Most stores follow Amazon's list of codes (docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html); a
row names the makers who say it that way where Amazon does not, or not for that reason. Their sources stand
with them in `vendors`.
"""

import re
from enum import Enum

from walconsole.domain.records import record
from walconsole.domain.store.vendors import (
    AWS,
    B2,
    CEPH,
    GARAGE,
    GCS,
    MINIO,
    R2,
    SEAWEEDFS,
    SPACES,
    WASABI,
    Vendor,
)


class Meaning(Enum):
    """Every way in which a call can fail, as far as it matters here what is done about it."""

    ABSENT_BUCKET = "there is no such bucket"
    ABSENT_OBJECT = "there is no such object, or upload"
    ABSENT = "there is no such bucket or object: a 404 without a code"
    ABSENT_SETTINGS = "the bucket has no settings of that sort"
    KEY_UNKNOWN = "the store knows no such key (yet)"
    SIGNATURE_WRONG = "the secret does not belong to the key"
    CREDENTIALS_BAD = "the credentials have expired, are malformed, or are not there"
    CREDENTIALS_ABSENT = "the client found no credentials, and asked without or not at all"
    CLOCK_SKEW = "the clocks differ too much"
    NO_PERMISSION = "the key is known, and may not do this"
    POLICY = "a policy denies it to the key, whatever it is granted"
    REFUSED = "a 403 without a code: key, secret or grant"
    READ_ONLY = "what is there may not be changed, or nothing may be written"
    ENCRYPTION_KEY = "the key that the store encrypts with cannot be used"
    ACCOUNT = "a quota is used up, or the account is not in order"
    TOO_MANY_BUCKETS = "the account has as many buckets as it may"
    WRONG_REGION = "the bucket is elsewhere, or the signature names another region"
    NAME_INVALID = "no bucket can have this name"
    NAME_TAKEN = "another account has a bucket of this name"
    OWNED_ALREADY = "the account has that bucket already"
    CONFLICT = "another change to the same thing is under way"
    PRECONDITION = "what is there is not what the request made a condition of"
    THROTTLED = "the store asks for fewer requests"
    UNAVAILABLE = "the store cannot serve now, which is also how some ask for fewer requests"
    INTERRUPTED = "the store gave up waiting for the rest of the request"
    FAULT = "the store failed, by its own account"
    UNSUPPORTED = "the store does not offer this"
    REQUEST_WRONG = "the store does not take the request as it is written"
    NOT_S3 = "something else than an S3 store answered"
    UNREACHABLE = "there was no answer"
    PROXY = "a proxy on the way was not reached, or refused"
    UNTRUSTED = "who answers is not trusted: TLS"
    NO_KEY = "it was not asked: there is no key to ask with"
    UNKNOWN = "not known here"


UNREAD_PLACE = "UnreadPlace"
"""A place that nobody reads here."""
NO_KEY, UNREACHABLE, TIMED_OUT, TLS, NO_SUCH_HOST = "NoKey", "Unreachable", "Timeout", "Tls", "NoSuchHost"
NO_CREDENTIALS, PROXY = "NoCredentials", "Proxy"
NOT_S3, NOT_WHOLE, BAD_ENDPOINT, FORBIDDEN = "NotS3", "NotWhole", "Endpoint", "Forbidden"
"""Our own words, where no store gave a code."""
NO_SUCH_FOLDER, FOLDER_DENIED, FOLDER_FAULT = "NoSuchFolder", "FolderDenied", "FolderFault"
NO_SUCH_FILE, NO_LIFECYCLE, FOLDER_UNASKED = "NoSuchFile", "NoLifecycle", "FolderUnasked"
FOLDER_CODES = frozenset({NO_SUCH_FOLDER, FOLDER_DENIED, FOLDER_FAULT, FOLDER_UNASKED})
"""The same of a folder: what the operating system answers."""
NO_SUCH_BUCKET = "NoSuchBucket"
"""For those who conclude it from something else than a store's own answer."""


@record
class Row:
    """A code, what it means, who says it (nobody in particular: Amazon's list), and with which message only.

    `message` is a regular expression that the store's message must have for the row to count; `printed` is
    one for how rclone, aws-cli and the libraries of Go and Python say the same without the code.
    """

    code: str
    meaning: Meaning
    vendors: tuple[Vendor, ...] = ()
    message: str = ""
    printed: str = ""


_M = Meaning
_STATUS = (
    r"(?:status(?: ?code)?[:=]? ?|HTTP(?:/\d(?:\.\d)?)?:? (?:error:? |code:? )?|returned error: "
    r"|ERROR (?=\d{3}:)|<title>|<h1>|An error occurred \()"
)
"""How programs write an HTTP status before its number: the SDKs, curl, wget, a proxy's page."""
_OF_THE_ACCOUNT = (
    r"\b(?:cap|quota|limit|allowance)s? (?:has been |have been |was |is |of .{1,40} )?(?:exceeded|reached"
    r"|used up)"
    r"|exceed\w* .{0,40}\b(?:quota|cap|storage limit)\b|Caps & Alerts|storage limit|over quota"
    r"|insufficient storage"
    r"|account .{0,40}\b(?:suspended|disabled|closed|overdue|past due|not active|on hold)\b|\b(?:unpaid"
    r"|past due)\b"
    r"|billing (?:account|is|has)|payment (?:required|method|overdue)"
    r"|exceeded (?:allowed )?(?:bandwidth|storage|usage)|AccountIsDisabled|ErrorCode=UserDisable\b"
    r"|cap_exceeded"
)
"""Words of a message that say it is the account's matter, whatever the code; in any case."""
ROWS: tuple[Row, ...] = (
    Row(
        NO_SUCH_BUCKET,
        _M.ABSENT_BUCKET,
        printed=r"bucket ['\"`]?(?:[\w.-]{3,63}['\"`]? )?does(?: not|n't) exist|specified bucket is not "
        r"found|ContainerNotFound|specified container does not exist",  # Azure's
    ),
    Row("NoSuchKey", _M.ABSENT_OBJECT),
    Row("NoSuchVersion", _M.ABSENT_OBJECT),
    Row("NoSuchUpload", _M.ABSENT_OBJECT),
    Row("NotFound", _M.ABSENT),  # botocore's word for a HEAD
    Row("Not Found", _M.ABSENT, (CEPH, SPACES)),
    Row("NoSuchLifecycleConfiguration", _M.ABSENT_SETTINGS),
    Row("NoSuchBucketPolicy", _M.ABSENT_SETTINGS),
    Row("NoSuchCORSConfiguration", _M.ABSENT_SETTINGS),
    Row("NoSuchObjectLockConfiguration", _M.ABSENT_SETTINGS),
    Row("ObjectLockConfigurationNotFoundError", _M.ABSENT_SETTINGS),
    # The key. Spaces answers InvalidAccessKeyId for one that is not active yet, too.
    Row(
        "InvalidAccessKeyId",
        _M.KEY_UNKNOWN,
        printed=r"access key id you provided (?:does not exist|is not valid)|access key .{0,40}is not valid",
    ),
    Row("AccessDenied", _M.KEY_UNKNOWN, (GARAGE,), r"No such key: "),
    Row(
        "SignatureDoesNotMatch", _M.SIGNATURE_WRONG, printed=r"request signature we calculated does not match"
    ),
    Row(
        "SignatureDoesNotMatch",
        _M.CLOCK_SKEW,
        (AWS,),
        r"Signature (?:not yet current|expired)",
        r"Signature (?:not yet current|expired): \d",
    ),
    Row("AccessDenied", _M.SIGNATURE_WRONG, (GARAGE,), r"Invalid signature"),
    Row("InvalidSecretKey", _M.SIGNATURE_WRONG, (CEPH,)),
    Row(
        NO_CREDENTIALS,
        _M.CREDENTIALS_ABSENT,
        printed=r"NoCredentialProviders|no valid providers in chain|no EC2 IMDS role|unable to locate "
        r"credentials"
        r"|failed to refresh cached credentials|could not (?:find|load|locate) (?:any |default )?credentials"
        r"|partial credentials found|config profile \(.{0,80}\) could not be found|requires option: "
        r"repo\d+-s3-key"
        r"|configuration file not available|no AWS(?:AccessKey| credentials)|StaticCredentials: .{0,40} "
        r"is empty"
        r"|static credentials are empty|EmptyStaticCreds|credentials? (?:is|are) (?:not set|missing|empty)"
        r"|missing (?:AWS |S3 )?credentials|no credentials (?:found|provided|supplied)|anonymous "
        r"(?:access|user)",
    ),
    Row("CredentialsNotProvided", _M.CREDENTIALS_ABSENT),
    Row(
        "ExpiredToken",
        _M.CREDENTIALS_BAD,
        printed=r"(?:token|credentials?|session) (?:included in the request )?(?:is|are|has|have) expired"
        r"|SSO session .{0,60}\bexpired"
        r"|provided token (?:is|was) malformed|credential is mal-?formed|invalid_grant"
        r"|AuthenticationFailed|InvalidAuthenticationInfo|(?:bad|expired)_auth_token",  # Azure's, B2's own
    ),
    Row("TokenExpired", _M.CREDENTIALS_BAD),
    Row("InvalidClientTokenId", _M.CREDENTIALS_BAD),
    Row("RequestExpired", _M.CREDENTIALS_BAD, (AWS,), r"credentials"),
    Row("InvalidToken", _M.CREDENTIALS_BAD),
    Row("TokenRefreshRequired", _M.CREDENTIALS_BAD),
    Row("MissingSecurityHeader", _M.CREDENTIALS_BAD),
    Row("MissingAuthenticationToken", _M.CREDENTIALS_BAD),
    Row("CredentialsNotSupported", _M.CREDENTIALS_BAD),
    Row("IncompleteSignature", _M.CREDENTIALS_BAD, (WASABI,)),
    Row("AuthorizationQueryParametersError", _M.CREDENTIALS_BAD),
    Row(
        "AuthorizationHeaderMalformed",
        _M.CREDENTIALS_BAD,
        (AWS, B2),
        r"mal-formed|authorization component .* is malformed",
    ),
    Row("InvalidSecurity", _M.CREDENTIALS_BAD),
    Row("AuthenticationRequired", _M.CREDENTIALS_BAD, (GCS,)),
    Row(
        "Unauthorized", _M.CREDENTIALS_BAD, (R2,), printed=rf"{_STATUS}401\b|error:? 401\b|\b401 Unauthorized"
    ),
    Row("RequestTimeTooSkewed", _M.CLOCK_SKEW, printed=r"difference between the request time"),
    Row("RequestExpired", _M.CLOCK_SKEW),
    Row("ExpiredRequest", _M.CLOCK_SKEW, (R2,)),
    Row("AccessDenied", _M.CLOCK_SKEW, (SEAWEEDFS, MINIO), r"Request is not valid yet|Request has expired"),
    Row("InvalidRequest", _M.CLOCK_SKEW, (GARAGE,), r"Date is too old"),
    # What the key may do, and what anyone may.
    # docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
    Row("AccessDenied", _M.ENCRYPTION_KEY, (AWS,), r"\bkms:\w+"),
    Row("AccessDenied", _M.POLICY, (AWS,), r"explicit deny in an? "),
    Row("KMS.DisabledException", _M.ENCRYPTION_KEY),
    Row("KMS.InvalidKeyUsageException", _M.ENCRYPTION_KEY),
    Row("KMS.KMSInvalidStateException", _M.ENCRYPTION_KEY),
    Row("KMS.NotFoundException", _M.ENCRYPTION_KEY),
    Row("AccessDenied", _M.ACCOUNT, (B2, WASABI, CEPH), _OF_THE_ACCOUNT),
    Row(
        "AccessDenied",
        _M.NO_PERMISSION,
        printed=r"Access Denied|does not have storage\.[\w.]+ access"
        r"|does not have permission to access \w+ instance|Authorization(?:Permission(?:Mismatch)?|Failure)\b"
        r"|not authorized to perform this operation",  # GCS's, Azure's
    ),
    Row("AllAccessDisabled", _M.NO_PERMISSION),
    Row("AccessForbidden", _M.NO_PERMISSION, (WASABI,)),
    Row("UnauthorizedAccess", _M.NO_PERMISSION),
    Row(FORBIDDEN, _M.REFUSED, printed=rf"Forbidden|{_STATUS}403\b"),
    Row("InvalidObjectState", _M.READ_ONLY),
    Row("ObjectUnderActiveHold", _M.READ_ONLY, (GCS,)),
    Row("RetentionPolicyNotMet", _M.READ_ONLY, (GCS,)),
    Row("AccessDenied", _M.READ_ONLY, (AWS,), r"protected by object lock"),
    Row("InvalidRequest", _M.READ_ONLY, (MINIO,), r"WORM protected", r"WORM protected"),
    Row("AccountProblem", _M.ACCOUNT),
    Row("NotSignedUp", _M.ACCOUNT),
    Row("TooManyBuckets", _M.TOO_MANY_BUCKETS),
    Row("QuotaExceeded", _M.ACCOUNT, (CEPH, SPACES), printed=_OF_THE_ACCOUNT),
    Row("UserSuspended", _M.ACCOUNT, (CEPH, SPACES)),
    Row("AccountSuspended", _M.ACCOUNT, (WASABI,)),
    Row("AccountDisabled", _M.ACCOUNT, (GCS,)),
    Row("StorageCapExceeded", _M.ACCOUNT, (B2,)),
    Row("TransactionCapExceeded", _M.ACCOUNT, (B2,)),
    Row("StorageQuotaExceeded", _M.ACCOUNT),
    Row("InsufficientStorage", _M.ACCOUNT, printed=rf"{_STATUS}507\b"),
    Row("UserProjectAccountProblem", _M.ACCOUNT, (GCS,)),
    Row("NotEntitled", _M.ACCOUNT, (R2,)),
    Row("AccountNotActivated", _M.ACCOUNT, (WASABI,)),
    Row("AuthenticationLockout", _M.ACCOUNT, (WASABI,)),
    Row("XMinioStorageFull", _M.ACCOUNT, (MINIO,), printed=r"reached its minimum free (?:disk|drive)"),
    Row("XMinioAdminBucketQuotaExceeded", _M.ACCOUNT, (MINIO,)),
    # Where it is asked.
    Row("PermanentRedirect", _M.WRONG_REGION),
    Row("TemporaryRedirect", _M.WRONG_REGION),
    Row("Redirect", _M.WRONG_REGION),
    Row("MovedPermanently", _M.WRONG_REGION),
    Row(
        "AuthorizationHeaderMalformed",
        _M.WRONG_REGION,
        printed=r"region '[^']{0,40}' is wrong|must be addressed using the specified endpoint",
    ),
    Row("IllegalLocationConstraintException", _M.WRONG_REGION),
    Row("InvalidLocationConstraint", _M.WRONG_REGION),
    Row("InvalidRegion", _M.WRONG_REGION, (MINIO,)),
    Row("EndpointNotFound", _M.WRONG_REGION),
    Row("InvalidBucketName", _M.NAME_INVALID),
    Row("BucketAlreadyExists", _M.NAME_TAKEN),
    Row("BucketNameUnavailable", _M.NAME_TAKEN, (GCS,)),
    Row("BucketConflict", _M.NAME_TAKEN, (R2,)),
    Row("BucketAlreadyOwnedByYou", _M.OWNED_ALREADY),
    Row("OperationAborted", _M.CONFLICT),
    Row("ConditionalRequestConflict", _M.CONFLICT),
    Row("PreconditionFailed", _M.PRECONDITION),
    Row("InvalidRange", _M.PRECONDITION),
    # How much, and how well.
    Row("SlowDown", _M.THROTTLED, printed=r"reduce your request"),
    Row("SlowDownRead", _M.THROTTLED, (MINIO,)),
    Row("SlowDownWrite", _M.THROTTLED, (MINIO,)),
    Row(
        "TooManyRequests",
        _M.THROTTLED,
        (MINIO, GCS, R2),
        printed=rf"Too Many Requests|{_STATUS}429\b|error 429\b|ServerBusy",  # not a line's milliseconds
    ),
    Row("RequestLimitExceeded", _M.THROTTLED),
    Row("RequestRateLimitExceeded", _M.THROTTLED, (WASABI,)),
    Row("BandwidthLimitExceeded", _M.THROTTLED),
    Row("RequestThrottled", _M.THROTTLED),
    Row("ThrottlingException", _M.THROTTLED),
    Row("ErrTooManyRequest", _M.THROTTLED, (SEAWEEDFS,)),
    Row("ErrRequestBytesExceed", _M.THROTTLED, (SEAWEEDFS,)),
    Row(
        "ServiceUnavailable",
        _M.UNAVAILABLE,
        printed=rf"{_STATUS}50[234]\b|503 Service|502 Bad Gateway|504 Gateway|error code: 52[0-6]\b"
        r"|write quorum|WriteQuorum|insufficient number of (?:drives|disks) online",  # a proxy's, MinIO's
    ),
    Row("Unavailable", _M.UNAVAILABLE, (WASABI,)),
    Row("XMinioServerNotInitialized", _M.UNAVAILABLE, (MINIO,)),
    Row("RequestTimeout", _M.INTERRUPTED),
    Row("IncompleteBody", _M.INTERRUPTED),
    Row("ConnectionClosed", _M.INTERRUPTED, (WASABI,)),
    Row("InternalError", _M.FAULT, printed=rf"{_STATUS}500\b"),
    Row("InternalServerError", _M.FAULT),
    Row("UnknownError", _M.FAULT, (CEPH, SPACES)),
    Row("DataUnrecoverable", _M.FAULT, (WASABI,)),
    # What is asked.
    Row("NotImplemented", _M.UNSUPPORTED),
    Row("MethodNotAllowed", _M.UNSUPPORTED),
    Row("UnsupportedOperation", _M.UNSUPPORTED),
    Row("InvalidRequest", _M.REQUEST_WRONG),
    Row("InvalidArgument", _M.REQUEST_WRONG),
    Row("InvalidURI", _M.REQUEST_WRONG),
    Row("MalformedXML", _M.REQUEST_WRONG),
    Row("MissingContentLength", _M.REQUEST_WRONG),
    Row("EntityTooLarge", _M.REQUEST_WRONG, printed=rf"{_STATUS}413\b|413 Request Entity Too Large"),
    Row("KeyTooLongError", _M.REQUEST_WRONG),
    Row("BadDigest", _M.REQUEST_WRONG),
    Row("InvalidDigest", _M.REQUEST_WRONG),
    Row("XAmzContentSHA256Mismatch", _M.REQUEST_WRONG),
    Row("ExistingObjectIsDirectory", _M.REQUEST_WRONG, (SEAWEEDFS,)),
    # Our own words.
    Row(NO_KEY, _M.NO_KEY),
    Row(
        NO_SUCH_HOST,
        _M.UNREACHABLE,
        printed=r"no such host|could not resolve|unable to resolve|name or service not known"
        r"|temporary failure in name",
    ),
    Row(
        UNREACHABLE,
        _M.UNREACHABLE,
        printed=r"connection refused|could not connect to the endpoint|no route to host"
        r"|network is unreachable|connection reset|failed to connect to|could(?: not|n't) connect to server"
        r"|Verbindungsaufbau abgelehnt|Conexi.{1,3}n rehusada|Connexion refus|Connessione rifiutata"
        r"|接続を拒否|연결이 거부|Po.{1,3}czenie odrzucone|Conex.{1,3}o recusada|В соединении отказано"
        r"|拒绝连接|連線被拒絕",
    ),
    Row(TIMED_OUT, _M.UNREACHABLE, printed=r"i/o timeout|deadline exceeded|timed out|timeout awaiting"),
    Row(
        PROXY,
        _M.PROXY,
        printed=rf"{_STATUS}407\b|proxyconnect|connect to proxy|resolve proxy|Proxy Authentication Required"
        r"|CONNECT tunnel failed|from proxy after CONNECT"
        r"|Tunnel connection failed|\bproxy .{0,40}(?:refused|unreachable)",
    ),
    Row(TLS, _M.UNTRUSTED, printed=r"x509:|certificate|tls: |TLS handshake|SSL routines|handshake failure"),
    Row(
        NOT_S3,
        _M.NOT_S3,
        printed=r"XML syntax error|invalid character '<'"
        r"|^(?!.*status ?code:? 403).*deserialization failed",  # rclone's of a 403 whose body is empty
    ),
    Row(BAD_ENDPOINT, _M.NOT_S3),
    Row(NO_SUCH_FOLDER, _M.ABSENT_BUCKET),
    Row(FOLDER_DENIED, _M.NO_PERMISSION),
    Row(FOLDER_FAULT, _M.FAULT),
    Row(FOLDER_UNASKED, _M.NO_KEY),
    Row(NO_SUCH_FILE, _M.ABSENT_OBJECT),
    Row(NO_LIFECYCLE, _M.UNSUPPORTED),
)
"""Rows that ask for a message count before those that do not, wherever they stand."""

_BY_STATUS: dict[int, tuple[Meaning, str]] = {
    301: (_M.WRONG_REGION, ""),
    307: (_M.WRONG_REGION, ""),
    308: (_M.WRONG_REGION, ""),
    401: (_M.CREDENTIALS_BAD, ""),
    403: (_M.REFUSED, FORBIDDEN),
    404: (_M.ABSENT, ""),
    405: (_M.UNSUPPORTED, ""),
    407: (_M.PROXY, ""),
    408: (_M.INTERRUPTED, ""),
    409: (_M.CONFLICT, ""),
    412: (_M.PRECONDITION, ""),
    416: (_M.PRECONDITION, ""),
    429: (_M.THROTTLED, "TooManyRequests"),
    500: (_M.FAULT, "InternalError"),
    501: (_M.UNSUPPORTED, ""),
    502: (_M.UNAVAILABLE, "ServiceUnavailable"),
    503: (_M.UNAVAILABLE, "ServiceUnavailable"),
    504: (_M.UNAVAILABLE, "ServiceUnavailable"),
    507: (_M.ACCOUNT, ""),
}
"""What a status means where no code came with it, and the code that says the same."""
_SERVERS_OWN = frozenset(status for status, (_, code) in _BY_STATUS.items() if status == 429 or status >= 500)

_BY_CODE = {row.code: row.meaning for row in ROWS if not row.message}
_BY_MESSAGE = tuple((row.code, row.message, row.meaning) for row in ROWS if row.message)
"""Compiled when they are first looked for: the first frame does not wait for them."""

KEY_MEANINGS = frozenset({_M.KEY_UNKNOWN, _M.SIGNATURE_WRONG, _M.CREDENTIALS_BAD, _M.CREDENTIALS_ABSENT})
"""A new key pair may cure it."""
NOT_ACTIVE = frozenset({_M.KEY_UNKNOWN, _M.SIGNATURE_WRONG, _M.NO_PERMISSION, _M.REFUSED})
"""How a key is refused that, or whose grant, does not work yet; and one that was deleted."""
PASSING = frozenset({_M.UNREACHABLE, _M.THROTTLED, _M.UNAVAILABLE, _M.INTERRUPTED, _M.FAULT})
"""It says nothing of the object or the bucket that was asked for."""
_WORTH_AGAIN = (PASSING | {_M.CONFLICT}) - {_M.UNREACHABLE}


def meaning_of(code: str, status: int | None = None, said: str = "") -> Meaning:
    """What an answer means: by S3's code, or our word for one; `said` is (or holds) the store's own message.

    A code that is a number, as botocore has it for a HEAD, is a status.
    """
    if code.isascii() and code.isdigit() and len(code) == 3:
        code, status = "", int(code)
    if not code:
        return _BY_STATUS[status][0] if status in _BY_STATUS else Meaning.UNKNOWN
    for of_code, message, meaning in _BY_MESSAGE:
        if of_code == code and re.search(message, said, re.IGNORECASE):
            return meaning
    return _BY_CODE.get(code, Meaning.UNKNOWN)


def code_for_status(status: int) -> str:
    """The code that says the same as a bare 429 or 5xx; NOT_S3 for others: a store names its refusals."""
    return _BY_STATUS[status][1] if status in _SERVERS_OWN and _BY_STATUS[status][1] else NOT_S3


def worth_asking_again(code: str, status: int | None, said: str = "") -> bool:
    """Whether the same request may be answered a moment later; an unknown code's status decides."""
    meaning = meaning_of(code, status, said)
    return meaning in _WORTH_AGAIN or (meaning is Meaning.UNKNOWN and status in _SERVERS_OWN)
