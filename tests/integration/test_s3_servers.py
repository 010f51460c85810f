"""The S3 servers refuse with the codes that Spaces uses."""

import http.client

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError

from tests.servers.moto import MotoS3
from tests.servers.rclone import RcloneS3
from tests.servers.rgw import RadosGateway
from tests.servers.s3 import S3Keys, new_keys

pytestmark = pytest.mark.server


def code(raised: pytest.ExceptionInfo[ClientError]) -> tuple[int, str]:
    answer = raised.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]


def test_a_limited_user_does_what_its_grant_says(rgw: RadosGateway) -> None:
    bucket = rgw.bucket()
    limited = rgw.client(rgw.limited_user({bucket: "readwrite"}))
    limited.put_object(Bucket=bucket, Key="a", Body=b"1")
    assert [found["Key"] for found in limited.list_objects_v2(Bucket=bucket)["Contents"]] == ["a"]
    for forbidden in (limited.get_bucket_location, limited.create_bucket, limited.get_bucket_versioning):
        with pytest.raises(ClientError) as raised:
            forbidden(Bucket=bucket)
        assert code(raised) == (http.client.FORBIDDEN, "AccessDenied")


def test_a_revoked_grant_is_access_denied(rgw: RadosGateway) -> None:
    bucket = rgw.bucket()
    keys = rgw.limited_user({bucket: "readwrite"})
    rgw.revoke(bucket, keys)
    with pytest.raises(ClientError) as raised:
        rgw.client(keys).list_objects_v2(Bucket=bucket)
    assert code(raised) == (http.client.FORBIDDEN, "AccessDenied")


def test_a_read_grant_does_not_write(rgw: RadosGateway) -> None:
    bucket = rgw.bucket()
    keys = rgw.limited_user({bucket: "read"})
    rgw.client(keys).list_objects_v2(Bucket=bucket)
    with pytest.raises(ClientError) as raised:
        rgw.client(keys).put_object(Bucket=bucket, Key="a", Body=b"")
    assert code(raised) == (http.client.FORBIDDEN, "AccessDenied")


def test_missing_buckets_unknown_keys_and_wrong_secrets_are_told_apart(rgw: RadosGateway) -> None:
    bucket = rgw.bucket()
    wrong = S3Keys(rgw.admin.user, rgw.admin.access_key, "wrong")
    for keys, name, expected in (
        (rgw.admin, "no-such-bucket", (404, "NoSuchBucket")),
        (new_keys("nobody"), bucket, (403, "InvalidAccessKeyId")),
        (wrong, bucket, (403, "SignatureDoesNotMatch")),
    ):
        with pytest.raises(ClientError) as raised:
            rgw.client(keys).list_objects_v2(Bucket=name)
        assert code(raised) == expected


def test_regions_are_separate(rgw: RadosGateway, rgw_dr: RadosGateway) -> None:
    bucket = rgw.bucket("only-in-the-primary")
    with pytest.raises(ClientError) as raised:
        rgw_dr.client().head_bucket(Bucket=bucket)
    assert code(raised)[0] == http.client.NOT_FOUND


def test_the_gateway_stops_and_comes_back_with_its_data(rgw_dr: RadosGateway) -> None:
    bucket = rgw_dr.bucket()
    rgw_dr.stop_gateway()
    with pytest.raises(EndpointConnectionError):
        rgw_dr.client().head_bucket(Bucket=bucket)
    rgw_dr.start_gateway()
    rgw_dr.client().head_bucket(Bucket=bucket)


def test_a_frozen_gateway_never_answers(rgw_dr: RadosGateway) -> None:
    bucket = rgw_dr.bucket()
    rgw_dr.freeze()
    try:
        with pytest.raises(ReadTimeoutError):
            rgw_dr.client(timeout_s=0.3).head_bucket(Bucket=bucket)
    finally:
        rgw_dr.thaw()
    rgw_dr.client().head_bucket(Bucket=bucket)


def test_rclone_serves_its_folders(rclone_s3: RcloneS3) -> None:
    bucket = rclone_s3.bucket("served")
    client = rclone_s3.client()
    client.put_object(Bucket=bucket, Key="2026/a", Body=b"one")
    assert (rclone_s3.buckets / bucket / "2026" / "a").read_bytes() == b"one"
    with pytest.raises(ClientError) as raised:
        client.list_objects_v2(Bucket="missing")
    assert code(raised) == (404, "NoSuchBucket")


def test_moto_lists_by_start_after_and_knows_a_missing_bucket(moto_s3: MotoS3) -> None:
    bucket = moto_s3.bucket("listed")
    client = moto_s3.client()
    for key in ("wal/1", "wal/2", "wal/3"):
        client.put_object(Bucket=bucket, Key=key, Body=key.encode())
    listed = client.list_objects_v2(Bucket=bucket, Prefix="wal/", StartAfter="wal/1", MaxKeys=1)
    assert [each["Key"] for each in listed["Contents"]] == ["wal/2"]
    assert listed["IsTruncated"]
    assert client.get_object(Bucket=bucket, Key="wal/3", Range="bytes=4-")["Body"].read() == b"3"
    with pytest.raises(ClientError) as raised:
        client.list_objects_v2(Bucket="missing")
    assert code(raised) == (404, "NoSuchBucket")
