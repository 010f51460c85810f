"""Failure modes of the store, and of what is stored.

Each is really brought about on a deployment that archives: found as the root, mended, green again.
"""

import asyncio
import json
import shlex
import subprocess
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from tests.integration.failure_stage import Watched, edited, watching
from tests.servers.faults import Fault, FaultyFront
from tests.servers.s3 import S3Keys
from walconsole.domain.profile import BucketRole
from walconsole.domain.standing.model import Finding, Severity

pytestmark = [
    pytest.mark.server,
    pytest.mark.timeout(180),
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.usefixtures("_table"),
]


@pytest.mark.failure_mode("key-403")
async def test_key_revoked(console: Watched) -> None:
    with console.broken("the archiver's key deleted at the API"):
        key = console.stage.app_key
        grants = key.grants
        console.stage.keys.replace(key, key.name, ())
        console.switch()
        await console.root("key-403", evidence="AccessDenied")
        console.stage.keys.replace(key, key.name, grants)
    await console.green("the grant given back")


@pytest.mark.failure_mode("key-403")
async def test_wrong_secret(console: Watched) -> None:
    config, secret = console.stage.profile.paths.rclone_config, console.stage.app_key.secret
    with (
        console.broken("another secret in rclone's configuration"),
        edited(config, secret, "x" * len(secret)),
    ):
        console.switch()
        await console.root("key-403", evidence="SignatureDoesNotMatch")
    await console.green("the secret put back")


@pytest.mark.failure_mode("key-403")
async def test_unknown_key(console: Watched) -> None:
    config, key = console.stage.profile.paths.rclone_config, console.stage.app_key.access_key
    with console.broken("a key that the store does not know"), edited(config, key, "DO00UNKNOWNKEYUNKNOWN"):
        console.switch()
        await console.root("key-403", evidence="InvalidAccessKeyId")
    await console.green("the key put back")


@pytest.mark.failure_mode("endpoint-wrong")
async def test_endpoint_wrong(console: Watched) -> None:
    config, endpoint = console.stage.profile.paths.rclone_config, console.stage.profile.primary.endpoint
    with console.broken("nothing listens at the endpoint"), edited(config, endpoint, "http://127.0.0.1:9"):
        console.switch()
        await console.root("endpoint-wrong", evidence="refused")
    await console.green("the endpoint put back")


@pytest.mark.failure_mode("preflight-403")
async def test_preflight(console: Watched) -> None:
    config = console.stage.profile.paths.rclone_config
    with console.broken("rclone without --s3-no-check-bucket, a limited key"):
        bare = f"rclone --config {config} --retries 1 copyto %p spaces-prod:{console.bucket}/%f"
        console.config(archive_command=bare)
        console.switch()
        await console.root("preflight-403", evidence="AccessDenied|403")
    await console.green("the setting taken back")


@pytest.mark.failure_mode("throttled")
async def test_throttled(console: Watched) -> None:
    config, endpoint = console.stage.profile.paths.rclone_config, console.stage.profile.primary.endpoint
    slow = FaultyFront(console.rgw.port, 1.0, kinds=(Fault.SLOW_DOWN,))
    async with slow:
        with console.broken("the store answers 503 SlowDown"), edited(config, endpoint, slow.endpoint):
            console.switch()
            await console.root("throttled", evidence="SlowDown", within_s=8)
    await console.green("it answers again")


@pytest.mark.failure_mode("store-error")
async def test_store_error(console: Watched) -> None:
    config, endpoint = console.stage.profile.paths.rclone_config, console.stage.profile.primary.endpoint
    broken = FaultyFront(console.rgw.port, 1.0, kinds=(Fault.INTERNAL_ERROR,))
    async with broken:
        with console.broken("the store answers 500 InternalError"), edited(config, endpoint, broken.endpoint):
            console.switch()
            await console.root("store-error", evidence="InternalError", within_s=8)
    await console.green("it answers again")


@pytest.mark.failure_mode("clock-skew")
async def test_clock_skew(console: Watched) -> None:
    """Nobody may set the clock of a machine that runs tests: it is the store that is 20 minutes ahead."""
    config, endpoint = console.stage.profile.paths.rclone_config, console.stage.profile.primary.endpoint
    front = await asyncio.start_server(refuse_the_clock, "127.0.0.1", 0)
    ahead = f"http://127.0.0.1:{front.sockets[0].getsockname()[1]}"
    async with front:
        with console.broken("the store's clock is 20 minutes ahead"), edited(config, endpoint, ahead):
            console.switch()
            await console.root("clock-skew", evidence="RequestTimeTooSkewed", within_s=8)
    await console.green("the clocks agree")


async def refuse_the_clock(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """As S3 answers a request whose time is off."""
    head = await reader.readuntil(b"\r\n\r\n")
    date = format_datetime(datetime.now(UTC) + timedelta(minutes=20), usegmt=True)
    body = "<Error><Code>RequestTimeTooSkewed</Code><Message>The difference is too large.</Message></Error>"
    body = "" if head.startswith(b"HEAD") else body
    writer.write(
        f"HTTP/1.1 403 Forbidden\r\nDate: {date}\r\nContent-Length: {len(body)}\r\n"
        f"Connection: close\r\n\r\n{body}".encode()
    )
    await writer.drain()
    writer.close()


@pytest.mark.failure_mode("silent-loss")
async def test_silent_loss(console: Watched) -> None:
    with console.broken("archive_command = '/bin/true'"):
        console.config(archive_command="/bin/true")
        lost = console.switch()
        await console.root("silent-loss", evidence="last_archived_wal", within_s=8)
    console.push(lost)
    await console.green("the segment pushed by hand")


@pytest.mark.failure_mode("archive-frozen")
async def test_archive_frozen(console: Watched) -> None:
    with console.broken("a command that says yes and goes on in the background"):
        console.config(archive_command="(sleep 1; false) </dev/null >/dev/null 2>&1 &")
        lost = [console.switch(), console.switch(), console.switch()]
        await console.root("archive-frozen", evidence="last_archived_wal", within_s=8)
    for name in lost:
        console.push(name)
    await console.green("the segments pushed by hand")


@pytest.mark.failure_mode("stuck-on-existing")
async def test_stuck_on_existing(console: Watched) -> None:
    config = console.stage.profile.paths.rclone_config
    with console.broken("a command that refuses an identical object"):
        found = f"rclone --config {config} lsf spaces-prod:{console.bucket}/%f.zst"
        refusing = f'test -z "$({found})" || exit 1'
        console.config(archive_command=f"{console.command} && exit 1")
        name = console.switch()
        await console.until(
            lambda: f"{name}.zst" in console.stage.objects(BucketRole.PRIMARY), "the object", 10
        )
        console.config(archive_command=refusing)
        console.switch()
        await console.root("stuck-on-existing", evidence="the same bytes", within_s=8)
    await console.green("the setting taken back")


def zstd(content: bytes) -> bytes:
    return subprocess.run(["zstd", "-q", "-c"], input=content, capture_output=True, check=True).stdout


@pytest.mark.failure_mode("same-name-different-content")
async def test_same_name_different_content(console: Watched) -> None:
    with console.broken("another server's object under the next segment's name"):
        console.sql("SELECT pg_create_restore_point('begun')")
        key = f"{console.sql('SELECT pg_walfile_name(pg_current_wal_insert_lsn())')[0][0]}.zst"
        other = await asyncio.to_thread(zstd, b"\1" * (1 << 20))
        console.rgw.client().put_object(Bucket=console.bucket, Key=key, Body=other)
        console.switch()
        await console.root("same-name-different-content", evidence="SHA-256", within_s=8)
        console.rgw.client().delete_object(Bucket=console.bucket, Key=key)
    await console.until(lambda: not console.waits(), "the server's own archived", 30)
    console.observer.refresh()
    await console.green("the other object moved away")


@pytest.mark.failure_mode("foreign-writer")
async def test_foreign_writer(console: Watched) -> None:
    key = "0000000100000000000000FF.zst"
    with console.broken("another server writes into the prefix"):
        console.owner.put_object(Bucket=console.bucket, Key=key, Body=zstd(b"\2" * (1 << 20)))
        await console.root("foreign-writer", evidence="0000000100000000000000FF", within_s=8)
        console.owner.delete_object(Bucket=console.bucket, Key=key)
        console.observer.refresh()
    await console.green("its object moved away")


@pytest.mark.failure_mode("damaged-object")
async def test_damaged_object(console: Watched) -> None:
    with console.broken("an error page stored as the newest segment"):
        name = console.switch()
        await console.until(
            lambda: f"{name}.zst" in console.stage.objects(BucketRole.PRIMARY), "the object", 10
        )
        await console.until(lambda: not console.waits(), "all archived", 10)
        page = zstd(b"<html><h1>502 Bad Gateway</h1></html>" + b" " * (1 << 20))
        console.owner.put_object(Bucket=console.bucket, Key=f"{name}.zst", Body=page)
        console.observer.refresh()
        await console.root("damaged-object", evidence="HTML", within_s=8)
        console.owner.delete_object(Bucket=console.bucket, Key=f"{name}.zst")
    console.push(name)
    console.observer.refresh()
    await console.green("the segment stored again")


@pytest.mark.failure_mode("damaged-object")
async def test_a_segment_cut_short_in_mid_archive(console: Watched) -> None:
    """Its size in the listing is all that tells: neither the newest nor the oldest one's head."""
    with console.broken("seven bytes stored as a segment in mid-archive"):
        name = console.switch()
        console.switch(2)
        key = f"{name}.zst"
        await console.until(lambda: key in console.stage.objects(BucketRole.PRIMARY), "the object", 10)
        await console.until(lambda: not console.waits(), "all archived", 10)
        for role in BucketRole:
            app = console.stage.app_key if role is BucketRole.PRIMARY else console.stage.dr_key
            keys = S3Keys(f"spaces-{app.access_key}", app.access_key, app.secret)
            client = console.stage.gateways[role].client(keys)
            client.put_object(Bucket=console.stage.target(role).bucket, Key=key, Body=b"no WAL!")
        console.observer.refresh()
        story = await console.root("damaged-object", evidence=name, within_s=8)
        assert story.severity is Severity.CRITICAL
        console.delete(key)
    console.push(name)
    console.observer.refresh()
    await console.green("the segment stored again")


@pytest.mark.failure_mode("gap")
async def test_gap(console: Watched) -> None:
    with console.broken("a segment deleted in mid-chain"):
        lost = console.switch()
        console.switch(2)
        key = f"{lost}.zst"
        await console.until(lambda: key in console.stage.objects(BucketRole.PRIMARY), "the object", 10)
        await console.until(lambda: not console.waits(), "all archived", 10)
        console.rgw.client().delete_object(Bucket=console.bucket, Key=key)
        console.observer.refresh()
        story = await console.root("gap", evidence=lost, within_s=8)
        assert story.at_risk
        offered = [(fix.step, fix.subject) for fix in story.root.fixes]
        assert offered[:2] == [("mend-holes", ""), ("push-wal", lost)]
    console.push(lost)
    console.observer.refresh()
    await console.green("the segment pushed again")


@pytest.mark.failure_mode("odd-segment-size")
async def test_odd_segment_size(console: Watched) -> None:
    key = "000000010000000000001FFF"
    with console.broken("a name that cannot exist with this wal_segment_size"):
        console.rgw.client().put_object(Bucket=console.bucket, Key=key, Body=b"x")
        console.observer.refresh()
        await console.root("odd-segment-size", evidence="beyond the last", within_s=8)
        console.rgw.client().delete_object(Bucket=console.bucket, Key=key)
        console.observer.refresh()
    await console.green("the object moved away")


def shown_to_owner(console: Watched) -> None:
    """The bucket's owner, who may ask for its rules, may read what the archiver's key stored."""
    for key in console.stage.objects(BucketRole.PRIMARY):
        console.owner.put_object_acl(Bucket=console.bucket, Key=key, ACL="bucket-owner-full-control")


@pytest.mark.failure_mode("lifecycle-eats-wal")
async def test_lifecycle_eats_wal(console: Watched) -> None:
    """A limited key may not ask for the rules: this console has a key that may."""
    admin = console.rgw.admin
    keys = {"AWS_ACCESS_KEY_ID": admin.access_key, "AWS_SECRET_ACCESS_KEY": admin.secret_key}
    client = console.rgw.client()
    shown_to_owner(console)
    client.put_bucket_lifecycle_configuration(
        Bucket=console.bucket,
        LifecycleConfiguration={
            "Rules": [
                {"ID": "tidy", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 1}}
            ]
        },
    )
    async with watching(console.stage, keys) as other:
        with other.broken("the bucket deletes after a day"):
            await other.root("lifecycle-eats-wal", evidence="tidy")
            client.delete_bucket_lifecycle(Bucket=console.bucket)
            other.observer.refresh()
        await other.green("the rule taken back")


@pytest.mark.failure_mode("no-end-of-uploads")
async def test_no_rule_ends_uploads(console: Watched) -> None:
    """The proposal is put as it stands in the note, and is then what the bucket answers."""
    admin = console.rgw.admin
    keys = {"AWS_ACCESS_KEY_ID": admin.access_key, "AWS_SECRET_ACCESS_KEY": admin.secret_key}
    client = console.rgw.client()
    async with watching(console.stage, keys) as other:
        other.marks.append("no rule ends uploads that were begun and left")
        await other.noted("no-end-of-uploads", within_s=10)
        (command,) = (
            next(each for each in told(other) if console.bucket in each.title.split()).fixes[0].commands
        )
        words = shlex.split(command)
        rules = json.loads(words[words.index("--lifecycle-configuration") + 1])
        client.put_bucket_lifecycle_configuration(Bucket=console.bucket, LifecycleConfiguration=rules)
        other.observer.refresh()
        await other.until(
            lambda: not any(console.bucket in each.title.split() for each in told(other)), "the note gone", 10
        )
        await other.green("the proposed rule put")
        client.delete_bucket_lifecycle(Bucket=console.bucket)


def told(console: Watched) -> list[Finding]:
    """What is said of buckets of which no rule ends uploads."""
    return [each for each in console.diagnosis().findings if each.rule == "no-end-of-uploads"]


@pytest.mark.failure_mode("checksum-embedded")
async def test_checksum_embedded(console: Watched) -> None:
    with console.broken("a client whose chunk signatures are stored with the content"):
        signed = "printf '100000;chunk-signature=%064d\\r\\n' 0"  # %% is PostgreSQL's own per cent sign
        config = console.stage.profile.paths.rclone_config
        rcat = f"rclone --config {config} --s3-no-check-bucket rcat spaces-prod:{console.bucket}/%f"
        console.config(archive_command=f"({signed.replace('%', '%%')}; cat %p) | {rcat}")
        spoiled = console.switch()
        await console.until(lambda: spoiled in console.stage.objects(BucketRole.PRIMARY), "the object", 10)
        console.observer.refresh()
        await console.root("checksum-embedded", evidence="aws-chunked|chunk", within_s=8)
    console.owner.delete_object(Bucket=console.bucket, Key=spoiled)
    console.push(spoiled)
    console.observer.refresh()
    await console.green("the segment stored again")


@pytest.mark.failure_mode("no-key")
async def test_no_key_of_its_own(console: Watched) -> None:
    async with watching(console.stage, {}) as other:
        with other.broken("the console's own key is in no environment variable"):
            await other.root("no-key")


@pytest.mark.failure_mode("uploads-unanswered")
@pytest.mark.long
async def test_store_takes_nothing(console: Watched) -> None:
    config, endpoint = console.stage.profile.paths.rclone_config, console.stage.profile.primary.endpoint
    full = TakesNothing(console.rgw.port, 0.0)
    async with full:
        with console.broken("the store lets writes wait for ever"), edited(config, endpoint, full.endpoint):
            console.switch()
            await console.root("uploads-unanswered", evidence="LIST of .* is answered", within_s=60)
    await console.green("it takes them again", within_s=90)


@pytest.mark.failure_mode("bucket-404")
async def test_bucket_gone(console: Watched) -> None:
    with console.broken("the primary bucket deleted"):
        client = console.rgw.client()
        for key in console.stage.objects(BucketRole.PRIMARY):
            client.delete_object(Bucket=console.bucket, Key=key)
        client.delete_bucket(Bucket=console.bucket)
        console.switch()
        story = await console.root("bucket-404", evidence="NoSuchBucket", within_s=8)
        assert any(fix.step == "buckets" for fix in story.root.fixes)


class TakesNothing(FaultyFront):
    """Answers whoever reads, and lets whoever writes wait: as a Ceph does whose disks are full."""

    async def _answer(self, request: bytes, writer: asyncio.StreamWriter) -> bool:
        if request.startswith((b"PUT ", b"POST ")):
            await asyncio.Event().wait()
        return await super()._answer(request, writer)
