"""What looks green and is not: deletions that a bucket keeps, a certificate's last days, a clone's names,
and what PostgreSQL does not hear of: of its restore command, of its disk.

Each is really brought about on a deployment that archives: found as the root, mended, green again.
"""

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import psycopg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.integration.failure_stage import Watched, watching
from tests.servers.postgres import PostgresServer
from tests.servers.workspace import identity
from walconsole.adapters.decompress import PLAIN
from walconsole.domain.profile import BucketRole
from walconsole.domain.standing.model import Level

pytestmark = [
    pytest.mark.server,
    pytest.mark.timeout(180),
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.usefixtures("_table"),
]


@pytest.mark.failure_mode("same-name-different-content")
async def test_a_clone_that_writes_the_same_names(console: Watched) -> None:
    """What it stored has the newest name; no command failed, no name is beyond the server's."""
    with console.broken("a clone's segment over the newest one"):
        name = console.switch()
        await console.until(lambda: not console.waits(), "it is archived", 10)
        theirs = bytearray((console.pg_wal / name).read_bytes())
        theirs[60:80] = bytes(20)  # within the first record: another record, and another checksum
        packed = PLAIN.packed("zst", bytes(theirs))
        console.owner.put_object(Bucket=console.bucket, Key=f"{name}.zst", Body=packed)
        console.observer.refresh()
        story = await console.root("same-name-different-content", evidence="first 1,024 bytes", within_s=15)
        assert console.diagnosis().verdict.level is Level.CRITICAL
        assert name in story.root.title
    console.owner.delete_object(Bucket=console.bucket, Key=f"{name}.zst")
    console.push(name)
    console.observer.refresh()
    await console.green("the server's own stored again")


@asynccontextmanager
async def tls_front(folder: Path, to_port: int, life: timedelta, left: timedelta) -> AsyncIterator[int]:
    """A port that speaks TLS for a plain one, by a certificate of its own that is so old and ends so soon."""
    ends = datetime.now(UTC) + left
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), ends - life, ends)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    form = serialization.PrivateFormat.PKCS8
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(key.private_bytes(serialization.Encoding.PEM, form, plain))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")

    joins: set[asyncio.Task[None]] = set()

    async def joined(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        joins.add(here := cast("asyncio.Task[None]", asyncio.current_task()))
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", to_port)
        try:
            await asyncio.gather(_pumped(reader, far_writer), _pumped(far_reader, writer))
        except (OSError, asyncio.CancelledError):
            pass  # one side has hung up, or it is the end
        finally:
            far_writer.transport.abort()
            writer.transport.abort()
            joins.discard(here)

    server = await asyncio.start_server(joined, "localhost", 0, ssl=context, family=2)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()
        for each in joins:
            each.cancel()
        await asyncio.gather(*joins, return_exceptions=True)


async def _pumped(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


@pytest.mark.failure_mode("certificate-ends")
async def test_a_certificate_that_should_have_been_renewed(console: Watched, tmp_path: Path) -> None:
    life, left = timedelta(days=90), timedelta(days=3)
    async with tls_front(tmp_path, console.rgw.port, life, left) as port:
        primary = replace(
            console.stage.profile.primary,
            endpoint=f"https://localhost:{port}",
            ca_file=str(tmp_path / "cert.pem"),
        )
        stage = replace(console.stage, profile=replace(console.stage.profile, primary=primary))
        async with watching(stage) as other:
            with other.broken("the store's certificate, of ninety days, ends in three"):
                await other.root("certificate-ends", evidence="valid until", within_s=15)
                assert other.diagnosis().verdict.level is Level.WARNING


@pytest.mark.failure_mode("deleted-by-marker")
async def test_segments_deleted_from_a_bucket_that_keeps_versions(console: Watched) -> None:
    """Asked with a key that may list versions, and mended as the fix says."""
    admin, client = console.rgw.admin, console.rgw.client()
    keys = {"AWS_ACCESS_KEY_ID": admin.access_key, "AWS_SECRET_ACCESS_KEY": admin.secret_key}
    client.put_bucket_versioning(Bucket=console.bucket, VersioningConfiguration={"Status": "Enabled"})
    names = [console.switch() for _ in range(6)]
    await console.until(lambda: not console.waits(), "all archived", 20)
    for key in console.stage.objects(BucketRole.PRIMARY):
        console.owner.put_object_acl(Bucket=console.bucket, Key=key, ACL="bucket-owner-full-control")
    async with watching(console.stage, keys) as other:
        await other.green("versions kept")
        with other.broken("segments deleted from a bucket that keeps versions"):
            for name in names[1:4]:
                console.owner.delete_object(Bucket=console.bucket, Key=f"{name}.zst")
            other.observer.refresh()
            story = await other.root("deleted-by-marker", evidence=names[1], within_s=20)
            assert story.root.title.startswith("3 segments of the primary bucket lie under delete markers")
            await other.until(lambda: "gap" in other.chain(), "the consequence", 30)
            assert len(story.root.fixes[0].commands) == 2
            for each in client.list_object_versions(Bucket=console.bucket)["DeleteMarkers"]:
                client.delete_object(Bucket=console.bucket, Key=each["Key"], VersionId=each["VersionId"])
            other.observer.refresh()
        await other.green("the markers taken away", within_s=40)


@pytest.mark.failure_mode("disk-read-only")
@pytest.mark.root("only root mounts")
async def test_a_file_system_that_the_kernel_made_read_only(console: Watched) -> None:
    """First while the server has not noticed it, then as what keeps it from coming back."""
    pg_wal = str(console.pg_wal)
    mounted("mount", "--bind", pg_wal, pg_wal)
    with console.broken("pg_wal's file system mounted read-only"):
        try:
            mounted("mount", "-o", "remount,ro,bind", pg_wal)
            console.observer.refresh()
            await console.root("disk-read-only", evidence="ro \\(/proc/mounts", within_s=15)
            assert console.diagnosis().verdict.level is Level.CRITICAL
        finally:
            mounted("umount", "--lazy", pg_wal)
            console.cluster.stop("immediate")
            console.cluster.start()
        console.observer.refresh()
    await console.green("mounted to be written")


def mounted(*words: str) -> None:
    subprocess.run(words, check=True, timeout=30)


@pytest.mark.failure_mode("postgres-unreachable")
async def test_single_user_mode_is_no_server_that_is_down(console: Watched) -> None:
    cluster = console.cluster
    with console.broken("postgres --single"):
        cluster.stop()
        session = single_user(cluster)
        try:
            await console.root("postgres-unreachable", evidence="single", within_s=20)
            verdict = console.diagnosis().verdict
            assert verdict.level is Level.CRITICAL
            assert verdict.text.startswith("PostgreSQL runs in single-user mode for ")
        finally:
            session.communicate(timeout=20)
            cluster.start()
    await console.green("the session ended, and the server started")


def single_user(cluster: PostgresServer) -> "subprocess.Popen[bytes]":
    """`postgres --single` on the stopped cluster, until its input ends."""
    config = f"config_file={cluster.config_dir}/postgresql.conf"
    program = [str(cluster.bin_dir / "postgres"), "--single", "-D", str(cluster.data_dir), "-c", config]
    return subprocess.Popen(
        [*program, "postgres"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        **identity(cluster.os_user),
    )


@pytest.mark.failure_mode("restore-says-yes")
async def test_a_restore_command_that_makes_an_empty_file_of_one_that_is_not_there(console: Watched) -> None:
    with console.broken("a restore command that leaves an empty file and says yes"):
        console.config(restore_command="gunzip -c /mnt/wal/%f.gz > %p || true")
        console.observer.refresh()
        await console.root("restore-says-yes", within_s=20, evidence="restore_command")
    await console.green("the setting taken back")


@pytest.mark.failure_mode("checksum-failures")
async def test_a_page_that_the_disk_gave_back_otherwise(console: Watched) -> None:
    with console.broken("a byte of a table's page changed on the disk", restarted=True):
        checked(console)
        console.sql("CREATE TABLE damaged AS SELECT generate_series(1, 500) AS n")
        (row,) = console.sql("SELECT pg_relation_filepath('damaged')")
        console.sql("CHECKPOINT")
        console.cluster.stop()
        with (console.cluster.data_dir / str(row[0])).open("r+b") as file:
            file.seek(8000)
            file.write(b"\xff\x00\xff")
        console.cluster.start()
        with pytest.raises(psycopg.errors.DataCorrupted):
            console.sql("SELECT sum(n) FROM damaged")
        story = await console.root("checksum-failures", within_s=20)
        assert "1 damaged page was read" in story.root.title
        assert story.root.since is not None
        console.sql("DROP TABLE damaged")
        console.sql("SELECT pg_stat_reset()")
    await console.green("the table made anew, and counted anew")


def checked(console: Watched) -> None:
    """With data checksums, whether or not it was made with them."""
    if console.sql("SHOW data_checksums") == [("off",)]:
        console.cluster.stop()
        console.cluster.run(["pg_checksums", "--enable", "-D", str(console.cluster.data_dir)])
        console.cluster.start()
