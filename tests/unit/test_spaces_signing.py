"""Our signature is the one that botocore would have made."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from unittest.mock import patch

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from walconsole.adapters.s3.signing import Signer, list_query
from walconsole.domain.store.access_keys import KeyPair

AT = datetime(2026, 8, 1, 12, 0, 0, tzinfo=UTC)
PAIR = KeyPair("DO00EXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")


@pytest.mark.parametrize("prefix", ["", "wal/", "a b+c/é'/"])
@pytest.mark.parametrize("start_after", ["", "000000010000000000000001", "x y&z=~?#/é%"])
@pytest.mark.parametrize(
    ("host", "path"), [("nyc3.digitaloceanspaces.com", "/shithub-wal"), ("b.example:8443", "/")]
)
def test_the_signature_is_botocores(host: str, path: str, prefix: str, start_after: str) -> None:
    query = list_query(prefix=prefix, start_after=start_after, max_keys=1000)
    request = AWSRequest("GET", f"https://{host}{path}?{query}")
    with patch("botocore.auth.get_current_datetime", return_value=AT):
        S3SigV4Auth(Credentials(PAIR.access_key, PAIR.secret), "s3", "us-east-1").add_auth(request)
    ours = Signer(PAIR, "us-east-1", host).headers(path, query, AT)
    assert ours == dict(request.headers.items())


def test_the_signing_key_is_the_days() -> None:
    signer = Signer(PAIR, "us-east-1", "nyc3.digitaloceanspaces.com")
    for at in (AT, AT + timedelta(days=1), AT):
        fresh = Signer(PAIR, "us-east-1", "nyc3.digitaloceanspaces.com")
        assert signer.headers("/", "a=b", at) == fresh.headers("/", "a=b", at)


def test_the_secret_is_in_no_repr() -> None:
    assert PAIR.secret not in repr(PAIR)
    assert PAIR.secret not in str(PAIR)


def test_boto3_is_not_loaded() -> None:
    script = (
        "import sys, walconsole.adapters.s3.store as _\n"
        "loaded = {'boto3', 'botocore', 'asyncssh'} & set(sys.modules)\n"
        "sys.exit(', '.join(loaded) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"AWS_PROFILE": "nosuch"},
        stderr=subprocess.PIPE,
        check=False,
    )
    assert (done.returncode, done.stderr.decode()) == (0, "")
