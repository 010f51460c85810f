"""The codes in what programs print."""

import pytest

from walconsole.domain.store.answers import Meaning, meaning_of
from walconsole.domain.store.printed import code_in, code_of_listing

M = Meaning


@pytest.mark.parametrize(
    ("line", "code", "meaning"),
    [
        ("AccessDenied: Access Denied\n\tstatus code: 403, request id: tx1", "AccessDenied", M.NO_PERMISSION),
        (
            "An error occurred (AccessDenied) when calling PutObject: Access Denied",
            "AccessDenied",
            M.NO_PERMISSION,
        ),
        ("AccessDenied: Forbidden: No such key: GK31c2", "AccessDenied", M.KEY_UNKNOWN),
        ("ERROR: 403 Forbidden", "Forbidden", M.REFUSED),
        ("StatusCode: 403, RequestID: , HostID: , deserialization failed", "Forbidden", M.REFUSED),
        ("StatusCode: 200, RequestID: , deserialization failed", "NotS3", M.NOT_S3),
        ("XML syntax error on line 1", "NotS3", M.NOT_S3),
        ("QuotaExceeded: status code: 403", "QuotaExceeded", M.ACCOUNT),
        ("XMinioStorageFull: Storage backend has reached", "XMinioStorageFull", M.ACCOUNT),
        ("InternalError: We encountered an internal error", "InternalError", M.FAULT),
        ("api error: status code: 500", "InternalError", M.FAULT),
        ("503 Service Unavailable", "ServiceUnavailable", M.UNAVAILABLE),
        ("please reduce your request rate", "SlowDown", M.THROTTLED),
        ("HTTP 429", "TooManyRequests", M.THROTTLED),
        ("x509: certificate has expired", "Tls", M.UNTRUSTED),
        ("dial tcp: lookup x: no such host", "NoSuchHost", M.UNREACHABLE),
        ("read: connection reset by peer", "Unreachable", M.UNREACHABLE),
        ("context deadline exceeded", "Timeout", M.UNREACHABLE),
        ("ExpiredToken: The provided token has expired.", "ExpiredToken", M.CREDENTIALS_BAD),
    ],
)
def test_a_line_stands_for_a_code(line: str, code: str, meaning: Meaning) -> None:
    assert code_in(line) == code
    assert meaning_of(code, said=line) is meaning


@pytest.mark.parametrize(
    "line",
    [
        "2026-11-29 07:00:00.429 UTC LOG:  checkpoint complete",
        "NoSuchKey: not there yet",
        "NoSuchBucketPolicy",
        "Redirecting to systemctl",
        "unauthorized",
        "StatusCode: 404, RequestID: , HostID: , api error",
        "request id: tx403-403",
    ],
)
def test_what_is_no_refusal(line: str) -> None:
    assert code_in(line) == ""


def test_all_that_rclone_says_of_a_bucket_that_is_not_there() -> None:
    assert code_of_listing("error in ListJSON: directory not found") == "NoSuchBucket"
    assert code_of_listing("AccessDenied: status code: 403") == "AccessDenied"
