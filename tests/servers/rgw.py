"""A private Ceph RGW, the software that Spaces is made of: one monitor, one OSD in memory, one gateway.

No root, loopback only, cephx off. It answers about a second after start(); stop() loses its data.
"""

import http.client
import itertools
import json
import signal
import subprocess
import uuid
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from tests.servers.certificates import issue_certificate
from tests.servers.ports import LOOPBACK, free_port
from tests.servers.programs import find_program
from tests.servers.s3 import Permission, S3Keys, bucket_policy, new_keys, s3_client
from tests.servers.workspace import Daemon, Workspace

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PACKAGE = "ceph-mon ceph-osd radosgw"
MEMORY_BYTES = 4 << 30
"""The most that the OSD would take; it takes what is stored."""

OSD_PORTS = 20
_CLASSES = ("lib/*/rados-classes", "lib*/rados-classes")
"""Where distributions put what the OSD loads for a gateway, below /usr."""

CONF = """\
[global]
fsid = {fsid}
mon host = [v2:127.0.0.1:{mon_port}]
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind msgr1 = false
ms bind port min = {osd_port}
ms bind port max = {osd_port_max}
# the gateway alone defaults to "secure" here, which auth "none" cannot give: it would retry for ever
ms mon client mode = crc secure
auth cluster required = none
auth service required = none
auth client required = none
run dir = {folder}/run
admin socket = {folder}/run/$name.$pid.asok
log file = {folder}/log/$name.log
mon cluster log file = {folder}/log/cluster.log
crash dir = {folder}/log
debug ms = 0/0
debug osd = 0/0
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pgp num = 4
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon max pg per osd = 1000
mon data avail crit = 1
[mon]
mon data = {folder}/mon
paxos propose interval = 0.05
paxos min wait = 0.02
[osd]
osd data = {folder}/osd
osd objectstore = memstore
memstore device bytes = {memory}
# Debian 13's own default is no whole path: nothing of what the gateway asks of the OSD would be found
osd class dir = {classes}
[client.rgw]
rgw data = {folder}/rgw
rgw frontends = beast endpoint=127.0.0.1:{port} ssl_endpoint=127.0.0.1:{tls_port} \
    ssl_certificate={certificate.file} ssl_private_key={certificate.key}
rgw dns name = {dns_name}
rgw thread pool size = 64
rgw override bucket index max shards = 1
rgw dynamic resharding = false
rgw relaxed s3 bucket names = true
"""


class RadosGateway:
    """One region. `admin` may create buckets, as a full-access key may; limited_user() makes the others.

    stop_gateway() and start_gateway() take S3 away and bring it back with its data. `tls_port` serves
    the same over TLS, with `certificate`, which an authority of its own issued for loopback and `names`.
    `conf` is what Ceph's own programs read to reach it. Past `most_bytes` writes wait for room, for ever.
    """

    host = LOOPBACK

    def __init__(
        self,
        workspace: Workspace,
        region: str = "nyc3",
        dns_name: str = "",
        names: Sequence[str] = (),
        *,
        most_bytes: int = MEMORY_BYTES,
    ) -> None:
        self._mon = _program("ceph-mon")
        self._osd = _program("ceph-osd")
        self._gateway = _program("radosgw")
        self._admin = _program("radosgw-admin")
        self._ceph = _program("ceph", "ceph-common")
        self.region = region
        self.port, self.tls_port = free_port(), free_port()
        self.folder = workspace.folder(f"rgw-{region}")
        self.certificate = issue_certificate(self.folder, "Ceph RGW", names)
        self.admin = new_keys("admin")
        self._grants: dict[str, dict[str, tuple[S3Keys, Permission]]] = {}
        self._numbers = itertools.count(1)
        self._clients: dict[tuple[str, str, float], S3Client] = {}
        self.conf = self.folder / "ceph.conf"
        self._write_conf(dns_name, most_bytes)
        self._daemons = {
            "mon": self._daemon(workspace, "mon", self._mon, "-i", "a"),
            "osd": self._daemon(workspace, "osd", self._osd, "-i", "0"),
            "rgw": self._daemon(workspace, "rgw", self._gateway, "-n", "client.rgw"),
        }

    @property
    def endpoint(self) -> str:
        return f"http://{self.host}:{self.port}"

    def start(self) -> None:
        """Make the cluster and return when S3 answers and `admin` exists."""
        osd_id = str(uuid.uuid4())
        monmap = str(self.folder / "monmap")
        fsid = next(line.split()[-1] for line in self.conf.read_text().splitlines() if "fsid" in line)
        address = f"[v2:{self.host}:{self._mon_port}]"
        make_map = ["--create", "--fsid", fsid, "--addv", "a", address, monmap]
        self._run(_program("monmaptool"), *make_map, conf=False)
        self._run(self._mon, "--mkfs", "-i", "a", "--monmap", monmap)
        self._daemons["mon"].start(lambda: True)
        self._run(self._ceph, "osd", "new", osd_id)
        self._run(self._osd, "-i", "0", "--mkfs", "--osd-uuid", osd_id)
        self._daemons["osd"].start(lambda: True)
        self.start_gateway()
        who = [f"--uid={self.admin.user}", f"--display-name={self.admin.user}", "--max-buckets=1000"]
        pair = [f"--access-key={self.admin.access_key}", f"--secret={self.admin.secret_key}"]
        self._run(self._admin, "user", "create", *who, *pair, "--caps=users=*")

    def stop(self) -> None:
        """End all three processes; the data is gone with them."""
        for name in ("rgw", "osd", "mon"):
            self._daemons[name].stop(signal.SIGKILL)

    def start_gateway(self) -> None:
        """Serve S3 (again), on the same port."""
        self._daemons["rgw"].start(self._answers, timeout_s=60)

    def stop_gateway(self) -> None:
        """Refuse connections; buckets and users stay.

        Not by SIGKILL: the OSD would wait 10 s for the dead gateway at the next new bucket.
        """
        self._daemons["rgw"].stop(signal.SIGTERM)

    def freeze(self) -> None:
        """The gateway accepts connections (the kernel does) and never answers; thaw() lets it go on."""
        self._daemons["rgw"].signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._daemons["rgw"].signal(signal.SIGCONT)

    def limited_user(self, grants: Mapping[str, Permission] | None = None) -> S3Keys:
        """A user that creates no buckets and may do what `grants` says in those of admin's."""
        keys = new_keys(f"limited-{next(self._numbers)}")
        self._create(keys, max_buckets=-1)
        for bucket, permission in (grants or {}).items():
            self.grant(bucket, keys, permission)
        return keys

    def add_user(self, keys: S3Keys) -> None:
        """A user with this very pair, who creates no buckets and has no grant yet."""
        self._create(keys, max_buckets=-1)

    def add_admin_key(self, keys: S3Keys) -> None:
        """Another pair of admin's: a full-access key."""
        pair = {"access-key": keys.access_key, "secret-key": keys.secret_key}
        self._operate("PUT", {"key": "", "uid": self.admin.user, "generate-key": "false", **pair})

    def remove_admin_key(self, keys: S3Keys) -> None:
        """Take it back."""
        self._operate("DELETE", {"key": "", "uid": self.admin.user, "access-key": keys.access_key})

    def bucket_names(self) -> set[str]:
        """Admin's buckets."""
        return {str(bucket["Name"]) for bucket in self.client().list_buckets()["Buckets"]}

    def full_user(self) -> S3Keys:
        """Another user that may create buckets: its own, not admin's."""
        keys = new_keys(f"full-{next(self._numbers)}")
        self._create(keys, max_buckets=1000)
        return keys

    def remove_user(self, keys: S3Keys) -> None:
        """The key is unknown from now on (403 InvalidAccessKeyId)."""
        self._operate("DELETE", {"uid": keys.user, "purge-data": "true"})

    def bucket(self, name: str = "") -> str:
        """A new bucket of admin's; the name is unique when none is given."""
        bucket = name or f"bucket-{next(self._numbers)}"
        self.client().create_bucket(Bucket=bucket)
        return bucket

    def grant(self, bucket: str, keys: S3Keys, permission: Permission) -> None:
        """Give `keys` a permission on admin's bucket, besides what others have there."""
        self._grants.setdefault(bucket, {})[keys.user] = (keys, permission)
        self._put_policy(bucket)

    def revoke(self, bucket: str, keys: S3Keys) -> None:
        """Take what grant() gave."""
        self._grants.get(bucket, {}).pop(keys.user, None)
        self._put_policy(bucket)

    def quota(self, bucket: str, objects: int) -> None:
        """From now on the bucket takes no more than so many objects (403 QuotaExceeded); -1: any number."""
        which = ["--quota-scope=bucket", f"--bucket={bucket}"]
        self._run(self._admin, "quota", "set", *which, f"--max-objects={objects}")
        self._run(self._admin, "quota", "enable" if objects >= 0 else "disable", *which)

    def marker(self, bucket: str) -> str:
        """The bucket's internal name, of which its index is called."""
        printed = self._run(self._admin, "bucket", "stats", f"--bucket={bucket}")
        return str(json.loads(printed)["marker"])

    def client(self, keys: S3Keys | None = None, *, timeout_s: float = 10.0) -> "S3Client":
        """A boto3 client with `keys`, or admin's; each is made once, for that takes its time."""
        used = keys or self.admin
        wanted = (used.access_key, used.secret_key, timeout_s)
        if wanted not in self._clients:
            self._clients[wanted] = s3_client(self.endpoint, used, timeout_s=timeout_s)
        return self._clients[wanted]

    def _put_policy(self, bucket: str) -> None:
        grants = self._grants.get(bucket, {}).values()
        if grants:
            self.client().put_bucket_policy(Bucket=bucket, Policy=bucket_policy(bucket, grants))
        else:
            self.client().delete_bucket_policy(Bucket=bucket)

    def _create(self, keys: S3Keys, max_buckets: int) -> None:
        who = {"uid": keys.user, "display-name": keys.user, "max-buckets": str(max_buckets)}
        self._operate("PUT", {**who, "access-key": keys.access_key, "secret-key": keys.secret_key})

    def _operate(self, method: str, what: Mapping[str, str]) -> None:
        """A call of the gateway's own administration: radosgw-admin would be a process of 60 ms for each.

        Raises RuntimeError with its answer where it refuses.
        """
        from botocore.auth import S3SigV4Auth  # as boto3 in s3.py: most tests need none
        from botocore.awsrequest import AWSRequest
        from botocore.credentials import Credentials

        request = AWSRequest(method, f"{self.endpoint}/admin/user", params=dict(what))
        credentials = Credentials(self.admin.access_key, self.admin.secret_key)
        S3SigV4Auth(credentials, "s3", "us-east-1").add_auth(request)
        asked = request.prepare()
        connection = http.client.HTTPConnection(self.host, self.port, timeout=30)
        with closing(connection):
            connection.request(method, asked.url.removeprefix(self.endpoint), headers=dict(asked.headers))
            answer = connection.getresponse()
            said = answer.read()
        if answer.status != http.client.OK:
            raise RuntimeError(f"{method} of a user of Ceph's: {answer.status} {said[:500]!r}")

    def _write_conf(self, dns_name: str, most_bytes: int) -> None:
        for name in ("mon", "osd", "run", "log", "rgw"):
            (self.folder / name).mkdir()
        self._mon_port, osd_port = free_port(), free_port()
        values = {"folder": self.folder, "fsid": uuid.uuid4(), "mon_port": self._mon_port, "port": self.port}
        found = itertools.chain.from_iterable(Path("/usr").glob(pattern) for pattern in _CLASSES)
        classes = next(found, Path("/usr/lib/rados-classes"))
        osd = {"osd_port": osd_port, "osd_port_max": osd_port + OSD_PORTS, "memory": most_bytes}
        tls = {"tls_port": self.tls_port, "certificate": self.certificate}
        self.conf.write_text(CONF.format(**values, **osd, **tls, classes=classes, dns_name=dns_name))

    def _daemon(self, workspace: Workspace, name: str, program: Path, *arguments: str) -> Daemon:
        argv: list[str | Path] = [program, *arguments, "-f", "-c", self.conf]
        return Daemon(workspace, f"ceph {name} ({self.region})", argv, self.folder / "log" / f"{name}.out")

    def _run(self, program: Path, *arguments: str, conf: bool = True) -> str:
        command = [str(program), *(["-c", str(self.conf)] if conf else []), *arguments]
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=60
        )
        if done.returncode:
            what = f"{program.name} {arguments[0]}: exit status {done.returncode}"
            raise RuntimeError(f"{what}\n{done.stderr[-2000:]}")
        return done.stdout

    def _answers(self) -> bool:
        try:
            connection = http.client.HTTPConnection(self.host, self.port, timeout=2)
            try:
                connection.request("GET", "/")
                return connection.getresponse().status == http.client.OK
            finally:
                connection.close()
        except OSError:
            return False


def _program(name: str, package: str = PACKAGE) -> Path:
    return find_program(name, server="Ceph RGW", package=package)
