"""The sandbox's check of signatures against botocore, which signs as every S3 client does."""

from urllib.parse import quote, urlencode

import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from walconsole.sandbox.http11 import Headers
from walconsole.sandbox.spaces.request import claim, is_signed_with, parse

SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
HOST = "127.0.0.1:4711"


def signed(method: str, target: str, *, presigned: bool = False, secret: str = SECRET) -> tuple[Headers, str]:
    """What goes over the wire: the header fields and the target."""
    request = AWSRequest(method, f"http://{HOST}{target}", headers={"Host": HOST, "X-Amz-Meta-A": "  b   c "})
    credentials = Credentials("DOKEY", secret)
    signer = S3SigV4QueryAuth if presigned else S3SigV4Auth
    signer(credentials, "s3", "us-east-1").add_auth(request)
    assert request.url is not None
    return Headers([(n, str(v)) for n, v in request.headers.items()]), request.url.removeprefix(
        f"http://{HOST}"
    )


def verifies(secret: str, method: str, target: str, headers: Headers) -> bool:
    taken = parse(target)
    claimed = claim(headers, taken.query)
    assert claimed is not None
    assert claimed.access_key == "DOKEY"
    return is_signed_with(secret, claimed, method, taken.path, taken.query, headers)


TARGETS = [
    "/",
    "/demo-wal",
    "/demo-wal?list-type=2&max-keys=1000&start-after=0000000100000000000000FF&prefix=",
    "/demo-wal/000000010000000000000001",
    "/demo-wal/a%20b/%C3%BC%2B~-._%25",
    "/demo-wal?uploads=",
    "/demo-wal?prefix=a%2Fb%20c&delimiter=%2F",
]


@pytest.mark.parametrize("presigned", [False, True])
@pytest.mark.parametrize("target", TARGETS)
def test_botocores_signature_verifies(target: str, presigned: bool) -> None:
    headers, sent = signed("GET", target, presigned=presigned)
    assert verifies(SECRET, "GET", sent, headers)
    assert not verifies(SECRET + "x", "GET", sent, headers)
    assert not verifies(SECRET, "PUT", sent, headers)


TEXT = st.text(st.characters(codec="utf-8"), max_size=20)


@given(key=TEXT, prefix=TEXT)
def test_any_key_and_query_verify(key: str, prefix: str) -> None:
    target = f"/b/{quote(key, safe='/~')}?{urlencode({'prefix': prefix}, quote_via=quote)}"
    headers, sent = signed("GET", target)
    assert verifies(SECRET, "GET", sent, headers)


def test_a_changed_request_does_not_verify() -> None:
    headers, sent = signed("GET", "/b/k?versionId=1")
    assert not verifies(SECRET, "GET", sent.replace("/k", "/l"), headers)
    assert not verifies(SECRET, "GET", sent.replace("=1", "=2"), headers)
    changed = Headers([(n, "z" if n.lower() == "x-amz-meta-a" else v) for n, v in headers.fields])
    assert not verifies(SECRET, "GET", sent, changed)


def test_an_unsigned_request_claims_nothing() -> None:
    assert claim(Headers([("Host", HOST)]), ()) is None


@pytest.mark.parametrize(
    "authorization",
    [
        "Basic Zm9vOmJhcg==",
        "AWS DOKEY:signature",
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 Credential=DOKEY, SignedHeaders=host, Signature=ab",
        "AWS4-HMAC-SHA256 Credential=DOKEY/20260101/r/s3/aws4_request, Signature=ab",
        "AWS4-HMAC-SHA256 Credential=DOKEY/20260101/r/s3/aws4_request, SignedHeaders=host, Signature=ab",
    ],
)
def test_a_malformed_signature_is_an_error(authorization: str) -> None:
    with pytest.raises(ValueError, match=r"not AWS4|incomplete|does not match"):
        claim(Headers([("Authorization", authorization)]), ())
