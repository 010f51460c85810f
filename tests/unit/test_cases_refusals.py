"""What stores answer through other tools' words: which failure it is, what is shown, how sure it is."""

from typing import Any

import pytest

from tests.data.archiver_log import failing_with, root_of, stamp
from tests.data.facts import bucket
from walconsole.domain.facts.evidence import (
    CommandFacts,
    ConfigAccess,
    ProductionCheck,
    ProductionFacts,
    VerbResult,
)
from walconsole.domain.facts.snapshot import AnySlot, Snapshot
from walconsole.domain.failures import Diagnosis
from walconsole.domain.redaction import safe
from walconsole.domain.standing.model import Certainty

pytestmark = pytest.mark.cases("What stores refuse, in other tools' words")

GRANT, UNKNOWN_KEY, SECRET = (
    "lacks the grant",
    "does not know the archiver's key",
    "refuses the archiver's signature",
)
ACCOUNT, ABSENT, EXPIRED = "a quota, a cap or a bill", "finds no credentials", "credentials: expired"
REGION, CLOCK, SLOW = (
    "signs for another region",
    "refuses the archiver's clock",
    "asks the archiver to slow down",
)
UNREACHED = "cannot be reached"
ENCRYPTS, PROXIED = (
    "cannot encrypt what the archiver uploads",
    "the proxy that the archiver's environment names",
)

WORDS: list[tuple[str, str, str, str]] = [
    # tool and store, its words, the failure mode, a part of the title
    ("rclone, Ceph", "operation error S3: PutObject, https response error StatusCode: 403, RequestID: "
     "tx1, HostID: h, "
     "api error QuotaExceeded: UnknownError", "store-error", ACCOUNT),
    ("rclone, Spaces", "Failed to copyto: UserSuspended: UserSuspended\tstatus code: 403, request id: tx1",
     "store-error", ACCOUNT),
    ("aws, AWS", "An error occurred (AccountProblem) when calling the PutObject operation: There is a "
     "problem with your "
     "AWS account", "store-error", ACCOUNT),
    ("s3cmd, Wasabi", "ERROR: S3 error: 403 (AccountNotActivated): The account is not "
     "activated", "store-error", ACCOUNT),
    ("s3cmd, versitygw", "ERROR: S3 error: 403 (QuotaExceeded): Your request was denied due to quota "
     "exceeded.",
     "store-error", ACCOUNT),
    ("rclone, B2", "AccessDenied: Cannot upload files, storage cap exceeded. See the Caps & Alerts page "
     "to increase your "
     "cap.\tstatus code: 403", "store-error", ACCOUNT),
    ("aws, B2", "An error occurred (AccessDenied) when calling the PutObject operation: Transaction cap "
     "exceeded",
     "store-error", ACCOUNT),
    ("aws, Wasabi", "An error occurred (AccessDenied) when calling the PutObject operation: Your account "
     "is past due",
     "store-error", ACCOUNT),
    ("mc, MinIO", "mc: <ERROR> Failed to copy `x`. Bucket quota exceeded", "store-error", ACCOUNT),
    ("mc, MinIO, full", "mc: <ERROR> Failed to copy `x`. Storage backend has reached its minimum free "
     "drive threshold.",
     "store-error", ACCOUNT),
    ("aws, GCS", "An error occurred (AccountDisabled) when calling the PutObject operation: The billing "
     "account for the "
     "owning project is disabled", "store-error", ACCOUNT),
    ("rclone, IMDS", "get identity: get credentials: failed to refresh cached credentials, no EC2 IMDS "
     "role found, "
     "operation error ec2imds: GetMetadata, canceled, context deadline exceeded", "key-403", ABSENT),
    ("wal-g", "ERROR: 2026/05/10 10:11:12.250962 NoCredentialProviders: no valid providers in "
     "chain", "key-403", ABSENT),
    ("aws", "upload failed: - to s3://b/x Unable to locate credentials", "key-403", ABSENT),
    ("barman", "ERROR: Barman cloud WAL archiver exception: Unable to locate credentials", "key-403", ABSENT),
    ("aws profile", "The config profile (wal) could not be found", "key-403", ABSENT),
    ("pgbackrest", "ERROR: [037]: archive-push command requires option: repo1-s3-key", "key-403", ABSENT),
    ("s3cmd", "ERROR: Configuration file not available.", "key-403", ABSENT),
    ("s5cmd", 'ERROR "cp x s3://b/x": NoCredentialProviders: no valid providers in chain', "key-403", ABSENT),
    ("aws, expired", "An error occurred (ExpiredToken) when calling the PutObject operation: The provided "
     "token has expired.",
     "key-403", EXPIRED),
    ("rclone, malformed", "api error AuthorizationHeaderMalformed: The authorization header is malformed; "
     "the Credential is "
     "mal-formed; expecting \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\"", "key-403", EXPIRED),
    ("mc, key", "mc: <ERROR> Failed to copy `x`. The Access Key Id you provided does not exist in our "
     "records.",
     "key-403", UNKNOWN_KEY),
    ("mc, secret", "mc: <ERROR> Failed to copy `x`. The request signature we calculated does not match "
     "the signature you "
     "provided. Check your key and signing method.", "key-403", SECRET),
    ("pgbackrest, Hetzner", "<Error><Code>SignatureDoesNotMatch</Code><Message></Message></Error>",
     "key-403", SECRET),
    ("s5cmd, R2", 'ERROR "cp x s3://b/x": Unauthorized: Unauthorized status code: 401, request id: , host '
     'id:',
     "key-403", EXPIRED),
    ("aws, R2", "An error occurred (ExpiredRequest) when calling the PutObject operation: Request "
     "expired", "clock-skew", CLOCK),
    ("s3cmd, clock", "ERROR: S3 error: 403 (RequestTimeTooSkewed): The difference between the request "
     "time and the current "
     "time is too large.", "clock-skew", CLOCK),
    ("aws, region", "An error occurred (PermanentRedirect) when calling the PutObject operation: The "
     "bucket you are attempting "
     "to access must be addressed using the specified endpoint.", "endpoint-wrong", REGION),
    ("mc, region", "mc: <ERROR> Failed to copy `x`. The authorization header is malformed; the region "
     "'us-east-1' is wrong; "
     "expecting 'eu-central-1'.", "endpoint-wrong", REGION),
    ("barman, bucket", "ERROR: Bucket acme-wal does not exist", "bucket-404", "does not exist"),
    ("mc, bucket", "mc: <ERROR> Failed to copy `x`. Bucket `acme-wal` does not "
     "exist.", "bucket-404", "does not exist"),
    ("s5cmd, bucket", 'ERROR "cp x s3://b/x": NoSuchBucket: status code: 404, request id: tx0, host '
     'id:', "bucket-404",
     "does not exist"),
    ("s3cmd, grant", "ERROR: S3 error: 403 (AccessDenied): Access Denied", "key-403", GRANT),
    ("pgbackrest, status", "ERROR: [039]: HTTP request failed with 403 "
     "(Forbidden):", "key-403", "refuses the archiver (403)"),
    ("rclone, slow", "api error SlowDown: Please reduce your request rate.", "throttled", SLOW),
    ("aws, MinIO", "An error occurred (SlowDownWrite) when calling the PutObject operation: Resource "
     "requested is unwritable",
     "throttled", SLOW),
    ("curl, TLS", "curl: (60) SSL certificate problem: unable to get local issuer "
     "certificate", "endpoint-wrong", UNREACHED),
    ("aws, DNS", 'Could not connect to the endpoint URL: '
     '"https://nyc9.example.net/b/x"', "endpoint-wrong", UNREACHED),
    ("unknown to us", "operation error S3: PutObject, https response error StatusCode: 403, api error "
     "BlockedByPolicyEngine: "
     "no writes on Sundays", "store-error", "answered BlockedByPolicyEngine"),
    ("unknown, s3cmd", "ERROR: S3 error: 418 (TeapotRefuses): short and stout", "store-error",
     "answered TeapotRefuses"),
    ("unknown, v1", "TheMoonIsFull: try later\tstatus code: 503, request id: 1", "store-error",
     "answered TheMoonIsFull"),
    ("gcloud",
     "ERROR: (gcloud.storage.cp) User [wal@x.iam.gserviceaccount.com] does not have "
     "permission to access b instance [wal] (or it may not exist)", "key-403", GRANT),
    ("gsutil",
     "AccessDeniedException: 403 wal@x.iam.gserviceaccount.com does not have "
     "storage.objects.create access to the Google Cloud Storage object.", "key-403", GRANT),
    ("gsutil, bucket",
     "BucketNotFoundException: 404 gs://acme-wal bucket does not exist.", "bucket-404", "does not exist"),
    ("azcopy",
     "RESPONSE Status: 403 This request is not authorized to perform this operation using "
     "this permission.", "key-403", GRANT),
    ("azcopy, code", "ERROR CODE: AuthenticationFailed", "key-403", EXPIRED),
    ("azcopy, container",
     "<Error><Code>ContainerNotFound</Code><Message>The specified container does not "
     "exist.</Message></Error>", "bucket-404", "does not exist"),
    ("azcopy, account", "ERROR CODE: AccountIsDisabled", "store-error", ACCOUNT),
    ("ossutil",
     "Error: oss: service returned error: StatusCode=403, ErrorCode=InvalidAccessKeyId, "
     "ErrorMessage=\"x\"", "key-403", UNKNOWN_KEY),
    ("ossutil, account",
     "Error: oss: service returned error: StatusCode=403, ErrorCode=UserDisable, "
     "ErrorMessage=\"UserDisable\"", "store-error", ACCOUNT),
    ("b2, native",
     "{\"code\": \"bad_auth_token\", \"message\": \"Invalid authorization token\", "
     "\"status\": 401}", "key-403", EXPIRED),
    ("b2, native cap",
     "{\"code\": \"cap_exceeded\", \"message\": \"Cannot upload files\", \"status\": 403}",
     "store-error", ACCOUNT),
    ("GCS, JSON",
     "{\"error\":{\"code\":403,\"message\":\"The project to be billed is associated with a "
     "delinquent billing account.\"}}", "store-error", ACCOUNT),
    ("OCI",
     "{\"code\":\"NotAuthenticated\",\"message\":\"The required information was not "
     "provided\"}", "store-error", "answered NotAuthenticated"),
    ("nginx",
     "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad "
     "Gateway</h1></body></html>", "throttled", "cannot serve"),
    ("nginx, size",
     "<html><head><title>413 Request Entity Too Large</title></head></html>", "store-error", "does not take"),
    ("Cloudflare", "error code: 521", "throttled", "cannot serve"),
    ("swift", "Auth GET failed: https://h/auth/v1.0 401 Unauthorized", "key-403", EXPIRED),
    ("swift, quota", "Object PUT failed: 413 Upload exceeds quota.", "store-error", ACCOUNT),
    ("curl, 403",
     "curl: (22) The requested URL returned error: 403", "key-403", "refuses the archiver (403)"),
    ("curl, 507", "curl: (22) The requested URL returned error: 507", "store-error", ACCOUNT),
    ("wget, 403", "2026-05-10 10:11:12 ERROR 403: Forbidden.", "key-403", "refuses the archiver (403)"),
    ("curl, refused",
     "curl: (7) Failed to connect to h port 443 after 3 ms: Couldn't connect to server",
     "endpoint-wrong", UNREACHED),
    ("curl, German", "curl: (7) Verbindungsaufbau abgelehnt", "endpoint-wrong", UNREACHED),
    ("curl, TLS version",
     "curl: (35) error:0A00010B:SSL routines::wrong version number", "endpoint-wrong", UNREACHED),
    ("wget, DNS", "wget: unable to resolve host address 'h'", "endpoint-wrong", UNREACHED),
    ("mc, drives",
     "mc: <ERROR> Failed to copy `x`. Write failed. Insufficient number of drives online",
     "throttled", "cannot serve"),
    ("aws, KMS disabled",
     "An error occurred (KMS.DisabledException) when calling the PutObject operation: arn:aws:kms:x:1:key/a "
     "is disabled.", "store-error", ENCRYPTS),
    ("rclone, KMS pending deletion",
     "operation error S3: PutObject, https response error StatusCode: 400, api error "
     "KMS.KMSInvalidStateException: arn:aws:kms:x:1:key/a is pending deletion.", "store-error", ENCRYPTS),
    ("aws, KMS denied",
     "An error occurred (AccessDenied) when calling the PutObject operation: User: arn:aws:iam::1:user/w is "
     "not authorized to perform: kms:GenerateDataKey on resource: arn:aws:kms:x:1:key/a because no "
     "identity-based policy allows it", "store-error", ENCRYPTS),
    ("aws, a bucket's policy that wants MFA",
     "An error occurred (AccessDenied) when calling the PutObject operation: User: arn:aws:iam::1:user/w is "
     "not authorized to perform: s3:PutObject on resource: \"arn:aws:s3:::b/x\" with an explicit deny in a "
     "resource-based policy", "key-403", "by a policy"),
    ("rclone, a boundary",
     "api error AccessDenied: User: arn:aws:iam::1:user/w is not authorized to perform: s3:PutObject on "
     "resource: \"x\" with an explicit deny in an identity-based policy", "key-403", "by a policy"),
    ("aws, object lock",
     "An error occurred (AccessDenied) when calling the PutObject operation: Access Denied because object "
     "protected by object lock.", "store-error", "be changed"),
    ("mc, object lock",
     "mc: <ERROR> Failed to copy `x`. Object is WORM protected and cannot be overwritten",
     "store-error", "be changed"),
    ("aws, a clock that is behind",
     "An error occurred (SignatureDoesNotMatch) when calling the PutObject operation: Signature not yet "
     "current: 20260510T101112Z is still later than 20260510T100612Z (20260510T100112Z + 5 min.)",
     "clock-skew", CLOCK),
    ("aws, STS and the clock",
     "InvalidSignatureException: Signature expired: 20260510T101112Z is now earlier than 20260510T101512Z",
     "clock-skew", CLOCK),
    ("aws, SSO",
     "The SSO session associated with this profile has expired or is otherwise invalid. To refresh this SSO "
     "session run aws sso login with the corresponding profile.", "key-403", EXPIRED),
    ("aws, MinIO full",
     "An error occurred (XMinioStorageFull) when calling the PutObject operation: Storage backend has "
     "reached its minimum free drive threshold.", "store-error", ACCOUNT),
    ("rclone, a storm of SlowDown",
     "operation error S3: PutObject, exceeded maximum number of attempts, 10, https response error "
     "StatusCode: 503, api error SlowDown: Please reduce your request rate.", "throttled", SLOW),
    ("aws, 504", "An error occurred (504) when calling the PutObject operation (reached max retries: 4): "
     "Gateway Time-out", "throttled", "cannot serve"),
    ("aws, proxy", 'Failed to connect to proxy URL: "http://proxy.internal:3128"', "endpoint-wrong", PROXIED),
    ("rclone, proxy",
     'Put "https://h/b/x": proxyconnect tcp: dial tcp 10.0.0.5:3128: connect: connection refused',
     "endpoint-wrong", PROXIED),
    ("curl, proxy's name", "curl: (5) Could not resolve proxy: proxy.internal", "endpoint-wrong", PROXIED),
    ("curl, proxy's refusal", "curl: (56) CONNECT tunnel failed, response 403", "endpoint-wrong", PROXIED),
    ("curl, a proxy's status", "curl: (22) The requested URL returned error: 407", "endpoint-wrong", PROXIED),
    ("curl, older, a proxy's status", "curl: (56) Received HTTP code 407 from proxy after CONNECT",
     "endpoint-wrong", PROXIED),
    ("barman, proxy's password",
     "ERROR: ('Cannot connect to proxy.', OSError('Tunnel connection failed: 407 Proxy Authentication "
     "Required'))", "endpoint-wrong", PROXIED),
    ("rclone, an address of IPv6 alone",
     'Put "https://h/b/x": dial tcp [2a03:b0c0::1]:443: connect: network is unreachable',
     "endpoint-wrong", UNREACHED),
    ("rclone, an authority that the droplet lacks",
     "tls: failed to verify certificate: x509: certificate signed by unknown authority",
     "endpoint-wrong", "by TLS"),
    ("uplink",
     "uplink: permission denied: exceeded allowed bandwidth: Exceeded Usage Limit", "store-error", ACCOUNT),
]  # fmt: skip


def refused(words: str, *evidence: tuple[AnySlot, Any]) -> Diagnosis:
    return failing_with(
        words, f"{stamp(3)} [77] LOG:  archive command failed with exit code 1", evidence=evidence
    )


@pytest.mark.among
@pytest.mark.parametrize(
    ("words", "rule", "told"), [case[1:] for case in WORDS], ids=[case[0] for case in WORDS]
)
def test_a_tools_words_for_a_stores_answer(words: str, rule: str, told: str) -> None:
    root = root_of(refused(words))
    assert (root.rule, told in root.title) == (rule, True), root.title
    assert any(safe(words) in text for text in root.evidence)
    assert root.certainty is not Certainty.PROVED, "the words alone are no second look"
    if rule != "endpoint-wrong":
        assert "DNS" not in root.remedy
    if told in (ACCOUNT, ABSENT):
        assert "make a limited key" not in root.remedy
    if "answered" in told:
        assert root.certainty is Certainty.LIKELY


def check(*results: VerbResult, where: str = "prod:shithub-wal") -> tuple[AnySlot, Any]:
    return Snapshot.production, ProductionFacts((ProductionCheck(where, "/etc/r.conf", results),))


ANSWERS = [
    ("NoSuchBucket", "api error NoSuchBucket: The specified bucket is gone", "bucket-404", Certainty.PROVED),
    ("QuotaExceeded", "QuotaExceeded: ask the operator", "store-error", Certainty.PROVED),
    ("UserSuspended", "UserSuspended: pay first", "store-error", Certainty.PROVED),
    ("AccessDenied", "AccessDenied: the monthly quota has been exceeded", "store-error", Certainty.PROVED),
    ("NoCredentials", "no valid providers in chain", "key-403", Certainty.PROVED),
    ("NotOnSundays", "api error NotOnSundays: come back tomorrow", "store-error", Certainty.LIKELY),
    ("", "words that nobody knows", "store-error", Certainty.LIKELY),
    ("Forbidden", "StatusCode: 403", "key-403", Certainty.LIKELY),
]


@pytest.mark.among
@pytest.mark.parametrize(
    ("code", "said", "rule", "certainty"), ANSWERS, ids=[case[0] or "none" for case in ANSWERS]
)
def test_what_the_store_says_itself_is_always_shown(
    code: str, said: str, rule: str, certainty: Certainty
) -> None:
    root = root_of(refused("it fails", check(VerbResult("LIST", False, code, said))))
    assert (root.rule, root.certainty) == (rule, certainty)
    assert said in root.evidence[0]


def test_a_code_in_the_words_beats_a_status_of_the_check() -> None:
    words = "ERROR: S3 error: 403 (UserSuspended): call us"
    root = root_of(refused(words, check(VerbResult("LIST", False, "Forbidden", "403"))))
    assert (root.rule, ACCOUNT in root.title, root.certainty) == ("store-error", True, Certainty.LIKELY)
    assert any(words in text for text in root.evidence)


@pytest.mark.parametrize(
    "words",
    [
        "An error occurred (AccessDenied) when calling the PutObject operation: Access Denied",
        "ERROR: S3 error: 403 (Forbidden): PUT",
        "api error AccessDenied: not authorized to perform: s3:PutObject",
    ],
)
def test_a_list_that_is_answered_and_a_put_that_is_refused_is_a_key_that_may_only_read(words: str) -> None:
    root = root_of(refused(words, check(VerbResult("LIST", True))))
    assert root.rule == "key-403"
    assert "may only read" in root.title
    assert root.certainty is Certainty.LIKELY


LISTED, REFUSED_TO_LIST = (
    VerbResult("LIST", True, seconds=0.4),
    VerbResult("LIST", False, "Timeout", "timed out"),
)


@pytest.mark.among
@pytest.mark.parametrize(
    ("words", "answer", "rule"),
    [
        ('RequestError: send request failed caused by: Put "https://h/b/x": net/http: timeout awaiting '
         "response headers", LISTED, "uploads-unanswered"),
        ("Failed to copy: read tcp 10.0.0.2:4711->10.0.0.9:443: i/o timeout", LISTED, "uploads-unanswered"),
        ('Read timeout on endpoint URL: "https://h/b/x": timed out', LISTED, "uploads-unanswered"),
        ("curl: (28) Operation timed out after 30001 milliseconds with 0 bytes received", LISTED,
         "uploads-unanswered"),
        ("An error occurred (RequestTimeout) when calling the PutObject operation: Your socket connection to "
         "the server was not read from or written to within the timeout period.", LISTED,
         "uploads-unanswered"),
        ("Failed to copy: read tcp 10.0.0.2:4711->10.0.0.9:443: i/o timeout", REFUSED_TO_LIST,
         "endpoint-wrong"),
        ("Failed to copy: dial tcp 10.0.0.9:443: i/o timeout", LISTED, "endpoint-wrong"),
        ('Connect timeout on endpoint URL: "https://h/b/x": timed out', LISTED, "endpoint-wrong"),
        ("Failed to connect to h port 443: Connection timed out", LISTED, "endpoint-wrong"),
        ("Failed to copy: dial tcp 10.0.0.9:443: connect: connection refused", LISTED, "endpoint-wrong"),
    ],
)  # fmt: skip
def test_a_list_that_is_answered_and_uploads_that_are_not_is_no_wrong_endpoint(
    words: str, answer: VerbResult, rule: str
) -> None:
    root = root_of(refused(words, check(answer)))
    assert root.rule == rule
    assert (root.certainty is Certainty.PROVED) is (answer is REFUSED_TO_LIST)
    if rule == "uploads-unanswered":
        assert "within 0.4 s" in root.evidence[1]


def test_uploads_without_an_answer_and_no_list_are_told_by_their_words() -> None:
    assert root_of(refused("read tcp 10.0.0.2:4711->10.0.0.9:443: i/o timeout")).rule == "endpoint-wrong"


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("rclone copyto %p r:b/%f", "AccessDenied: not authorized to perform: s3:CreateBucket on "
         "resource: arn:aws:s3:::b"),
        ("barman-cloud-wal-archive s3://b x %p",
         "An error occurred (AccessDenied) when calling the CreateBucket operation: Access Denied"),
        ("wal-g wal-push %p", "ERROR: api error AccessDenied: GetBucketLocation is not allowed"),
        ("mc cp %p m/b/%f", "mc: <ERROR> Unable to make bucket `m/b`. Access Denied."),
        ("s3cmd put %p s3://b/%f", "ERROR: Access to bucket 'b' was denied: S3 error: 403 (AccessDenied)"),
        ("aws s3 cp %p s3://b/%f", "make_bucket failed: s3://b An error occurred (AccessDenied) when "
         "calling the CreateBucket"),
    ],
)  # fmt: skip
def test_any_tools_question_for_the_bucket_is_a_preflight(command: str, words: str) -> None:
    root = root_of(refused(words, (Snapshot.command, CommandFacts(command))))
    assert root.rule == "preflight-403"
    assert root.certainty is Certainty.LIKELY
    assert ("rclone" in f"{root.remedy}{root.fixes}") is ("rclone" in command)


@pytest.mark.parametrize(
    ("command", "words", "fix"),
    [
        ("s3cmd put %p s3://b/%f", "ERROR: Configuration file not available.",
         "runuser -u postgres -- s3cmd --configure"),
        ("aws s3 cp %p s3://b/%f", "upload failed: Unable to locate credentials",
         "runuser -u postgres -- aws configure"),
        ("/opt/s3/bin/s3cmd -c /etc/s3cfg put %p s3://b/%f", "ERROR: Configuration file not available.",
         "runuser -u postgres -- /opt/s3/bin/s3cmd --configure -c /etc/s3cfg"),
        ("/opt/aws/bin/aws --profile wal s3 cp %p s3://b/%f", "upload failed: Unable to locate credentials",
         "runuser -u postgres -- /opt/aws/bin/aws configure --profile wal"),
    ],
)  # fmt: skip
def test_a_client_without_any_key_is_offered_none_of_a_key_that_lacks_a_grant(
    command: str, words: str, fix: str
) -> None:
    root = root_of(refused(words, (Snapshot.command, CommandFacts(command))))
    assert (root.rule, root.fixes[0].commands[0]) == ("key-403", fix)
    assert not {each.step for each in root.fixes} & {"restore-grant", "limited-key", "write-probe"}
    assert "rclone" not in f"{root.title}{root.remedy}{root.fixes}"


@pytest.mark.parametrize(
    ("words", "fix", "command"),
    [
        ("AccessDenied: x with an explicit deny in a resource-based policy", "see the bucket's policy",
         "aws s3api get-bucket-policy --bucket shithub-wal"),
        ("curl: (5) Could not resolve proxy: p", "see which proxy the server was started with",
         "xargs -0n1 </proc/"),
    ],
)  # fmt: skip
def test_what_no_new_key_and_no_other_endpoint_mends_is_not_offered_one(
    words: str, fix: str, command: str
) -> None:
    root = root_of(refused(words))
    assert root.fixes[0].title == fix
    assert root.fixes[0].commands[0].startswith(command)
    assert not {each.step for each in root.fixes} & {"restore-grant", "limited-key", "rclone-endpoint"}


def test_a_bare_403_for_the_bucket_may_be_a_wrong_key() -> None:
    words = "ERROR: An error occurred (403) when calling the HeadBucket operation: Forbidden"
    facts = (Snapshot.command, CommandFacts("barman-cloud-wal-archive s3://b x %p"))
    assert root_of(refused(words, facts)).rule == "key-403"
    assert root_of(refused(words, facts, check(VerbResult("LIST", True)))).rule == "preflight-403"


def test_a_bucket_that_is_not_there_is_why_the_client_would_make_it() -> None:
    words = "api error AccessDenied: s3:CreateBucket"
    facts = (Snapshot.command, CommandFacts("rclone copyto %p r:b/%f"))
    found = refused(words, facts, check(VerbResult("LIST", False, "NoSuchBucket", "NoSuchBucket: gone")))
    assert [
        finding.rule for finding in found.findings if finding.rule in ("bucket-404", "preflight-403")
    ] == ["bucket-404"]


STANDS = f"the archive stands in {bucket().bucket} at {bucket().endpoint}"


@pytest.mark.parametrize(
    ("command", "places", "told"),
    [
        ("rclone copyto %p prod:shithub-wall/%f", (), "prod:shithub-wall;"),
        ("rclone copyto %p prod:shithub-wal/%f", (("prod", "endpoint", "https://fra1.example.net"),),
         "(endpoint https://fra1.example.net)"),
        ("rclone copyto %p prod:shithub-wal/%f", (("prod", "endpoint", "ams3.example.net"),
         ("prod", "region", "ams3")), "endpoint ams3.example.net, region ams3"),
        ("rclone copyto %p 'prod,endpoint=\"https://s3.example.net\":shithub-wal/%f'",
         (("prod", "endpoint", bucket().endpoint),), "endpoint https://s3.example.net"),
    ],
)  # fmt: skip
def test_where_the_command_writes_elsewhere_than_the_archive_stands_both_are_told(
    command: str, places: tuple[tuple[str, str, str], ...], told: str
) -> None:
    config = ConfigAccess("/etc/r.conf", True, True, sections=("prod",), remotes=("prod",), places=places)
    facts = (Snapshot.command, CommandFacts(command, configs=(config,)))
    result = VerbResult("LIST", False, "NoSuchBucket", "NoSuchBucket: gone")
    evidence = " ".join(root_of(refused("NoSuchBucket", facts, check(result))).evidence)
    assert told in evidence
    assert STANDS in evidence


@pytest.mark.parametrize("endpoint", [bucket().endpoint, bucket().endpoint.removeprefix("https://"), ""])
def test_where_it_writes_to_where_the_archive_stands_nothing_is_told(endpoint: str) -> None:
    places = (("prod", "endpoint", endpoint),) if endpoint else ()
    config = ConfigAccess("/etc/r.conf", True, True, sections=("prod",), places=places)
    facts = (Snapshot.command, CommandFacts("rclone copyto %p prod:shithub-wal/%f", configs=(config,)))
    assert "the command writes to" not in str(root_of(refused("AccessDenied", facts)).evidence)
