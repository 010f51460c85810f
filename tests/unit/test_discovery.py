"""Where a server archives to, by its command and its tool's files: a row for each form of each tool."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.host_of_files import Host, one, told
from walconsole.domain.archivers import shell_words
from walconsole.domain.archivers.discovery import Settings, discover
from walconsole.domain.archivers.look import Seen
from walconsole.domain.archivers.target import (
    ArchiveTarget,
    Certainty,
    FolderStore,
    S3Store,
    UnreadStore,
)

HOME = "/var/lib/postgresql"
E = "https://s3.example.net"
SP = """\
[sp]
type = s3
provider = Ceph
endpoint = s3.example.net
region = x
access_key_id = AK
secret_access_key = SK
"""
AWS_KEYS = """\
[default]
aws_access_key_id = AK
aws_secret_access_key = SK
[other]
aws_access_key_id=AO
aws_secret_access_key=SO
"""
PAIR = {"AWS_ACCESS_KEY_ID": "AE", "AWS_SECRET_ACCESS_KEY": "SE"}
PGB = """\
[global]
repo1-type=s3
repo1-path=/repo
repo1-s3-bucket=acme-wal
repo1-s3-endpoint=s3.example.net
repo1-s3-region=x
repo1-s3-key=AK
repo1-s3-key-secret=SK
[main]
pg1-path=/data
"""
MC = (
    '{"version":"10","aliases":{"sp":{"url":"https://s3.example.net","accessKey":"AK","secretKey":"SK",'
    '"api":"S3v4","path":"auto"}}}'
)
PGHOARD = (
    '{"backup_sites":{"s1":{"basebackup_count":3,"object_storage":{"storage_type":"s3",'
    '"bucket_name":"acme-wal",'
    '"host":"s3.example.net","port":8443,"region":"x","aws_access_key_id":"AK",'
    '"aws_secret_access_key":"SK"}}}}'
)

S3 = [
    # rclone: where its file is
    ("rclone --config /etc/rc.conf copyto %p sp:acme-wal/pg/%f", {"/etc/rc.conf": SP}, {},
     (E, "x", "acme-wal", "pg/", True, "AK")),
    ("rclone --config=/etc/rc.conf copy %p sp:acme-wal/pg", {"/etc/rc.conf": SP}, {},
     (E, "x", "acme-wal", "pg/", True, "AK")),
    ("/usr/bin/rclone copyto %p sp:acme-wal/%f", {f"{HOME}/.config/rclone/rclone.conf": SP}, {},
     (E, "x", "acme-wal", "", True, "AK")),
    ("rclone copyto %p sp:acme-wal/%f", {"/etc/rc.conf": SP}, {"RCLONE_CONFIG": "/etc/rc.conf"},
     (E, "x", "acme-wal", "", True, "AK")),
    ("RCLONE_CONFIG=/etc/rc.conf rclone rcat sp:acme-wal/%f < %p", {"/etc/rc.conf": SP}, {},
     (E, "x", "acme-wal", "", True, "AK")),
    ("rclone moveto %p sp:acme-wal/%f", {"/x/rclone/rclone.conf": SP}, {"XDG_CONFIG_HOME": "/x"},
     (E, "x", "acme-wal", "", True, "AK")),
    ("rclone copyto %p sp:acme-wal/%f", {"/opt/rclone": "ELF", "/opt/rclone.conf": SP}, {},
     (E, "x", "acme-wal", "", True, "AK")),
    ("HOME=/srv/h rclone copyto %p sp:acme-wal/%f", {"/srv/h/.rclone.conf": SP}, {},
     (E, "x", "acme-wal", "", True, "AK")),
    # rclone: whose value holds
    ("rclone --config /c copyto %p sp,region=y:acme-wal/%f", {"/c": SP}, {},
     (E, "y", "acme-wal", "", True, "AK")),
    ("rclone --config /c --s3-region z copyto %p sp:acme-wal/%f", {"/c": SP}, {},
     (E, "z", "acme-wal", "", True, "AK")),
    ("rclone --config /c copyto %p sp:acme-wal/%f", {"/c": SP}, {"RCLONE_CONFIG_SP_REGION": "e"},
     (E, "e", "acme-wal", "", True, "AK")),
    ("rclone --config /c copyto %p sp:acme-wal/%f", {"/c": SP}, {"RCLONE_S3_REGION": "e"},
     (E, "e", "acme-wal", "", True, "AK")),
    ("rclone --config /dev/null copyto %p s3:acme-wal/%f", {},
     {"RCLONE_CONFIG_S3_TYPE": "s3", "RCLONE_CONFIG_S3_ENDPOINT": "http://10.0.0.1:9000",
      "RCLONE_CONFIG_S3_ACCESS_KEY_ID": "AV", "RCLONE_CONFIG_S3_SECRET_ACCESS_KEY": "SV"},
     ("http://10.0.0.1:9000", "us-east-1", "acme-wal", "", True, "AV")),
    ("rclone copyto %p ':s3,provider=Ceph,endpoint=\"http://h:1\",access_key_id=AW,secret_access_key=SW:"
     "acme-wal/p/%f'",
     {}, {}, ("http://h:1", "us-east-1", "acme-wal", "p/", True, "AW")),
    ("rclone --s3-provider DigitalOcean --s3-endpoint fra1.digitaloceanspaces.com --s3-env-auth copyto %p "
     ":s3:acme-wal/%f", {}, PAIR,
     ("https://fra1.digitaloceanspaces.com", "fra1", "acme-wal", "", False, "AE")),
    ("rclone --config /c copyto %p sp:acme-wal/%f",
     {"/c": "[sp]\ntype=s3\nprovider=AWS\nregion=eu-west-1\nenv_auth=true\n",
      f"{HOME}/.aws/credentials": AWS_KEYS},
     {}, ("https://s3.eu-west-1.amazonaws.com", "eu-west-1", "acme-wal", "", False, "AK")),
    ("rclone --config /c copyto %p sp:acme-wal/%f", {"/c": SP + "env_auth = true\n"}, PAIR,
     (E, "x", "acme-wal", "", True, "AK")),
    ("rclone --config /c copyto %p sp:acme-wal/%f",
     {"/c": "[sp]\ntype=s3\nprovider=Ceph\nendpoint=http://h:1\n"}, PAIR,
     ("http://h:1", "us-east-1", "acme-wal", "", True, "")),
    # rclone: what wraps
    ("rclone --config /c copyto %p al:pg/%f", {"/c": SP + "[al]\ntype=alias\nremote=sp:acme-wal/deep\n"}, {},
     (E, "x", "acme-wal", "deep/pg/", True, "AK")),
    ("rclone --config /c copyto %p un:pg/%f",
     {"/c": SP + "[un]\ntype=union\nupstreams=ro:z:ro sp:acme-wal sp:other\n"}, {},
     (E, "x", "acme-wal", "pg/", True, "AK")),
    ("rclone --config /c copyto %p cr:pg/%f",
     {"/c": SP + "[cr]\ntype=crypt\nremote=sp:acme-wal\nfilename_encryption=off\n"}, {},
     (E, "x", "acme-wal", "pg/", True, "AK")),
    # pgBackRest
    ("pgbackrest --stanza=main archive-push %p", {"/etc/pgbackrest/pgbackrest.conf": PGB}, {},
     (E, "x", "acme-wal", "repo/", False, "AK")),
    ("pgbackrest --stanza main archive-push %p", {"/etc/pgbackrest.conf": PGB}, {},
     (E, "x", "acme-wal", "repo/", False, "AK")),
    ("pgbackrest --stanza=main archive-push %p",
     {"/etc/pgbackrest/pgbackrest.conf": "[global]\nrepo1-type=s3\n", "/etc/pgbackrest/conf.d/a.conf": PGB,
      "/etc/pgbackrest.conf": "[global]\nrepo1-s3-bucket=wrong\n"}, {},
     (E, "x", "acme-wal", "repo/", False, "AK")),
    ("pgbackrest --config=/c --stanza=main archive-push %p",
     {"/c": PGB, "/etc/pgbackrest/conf.d/a.conf": "[global]\nrepo1-s3-bucket=wrong\n"}, {},
     (E, "x", "acme-wal", "repo/", False, "AK")),
    ("pgbackrest --stanza=main archive-push %p", {"/c": PGB}, {"PGBACKREST_CONFIG": "/c"},
     (E, "x", "acme-wal", "repo/", False, "AK")),
    ("pgbackrest --config=/c --stanza=main archive-push %p",
     {"/c": PGB + "[main:archive-push]\nrepo1-s3-bucket=narrower\n"
      "[global:archive-push]\nrepo1-s3-region=wide\n"},
     {}, (E, "wide", "narrower", "repo/", False, "AK")),
    ("pgbackrest --config=/c --stanza=main --repo1-s3-uri-style=path archive-push %p", {"/c": PGB},
     {"PGBACKREST_REPO1_S3_BUCKET": "of-env", "PGBACKREST_REPO1_STORAGE_PORT": "8443"},
     ("https://s3.example.net:8443", "x", "of-env", "repo/", True, "AK")),
    ("pgbackrest --config=/c --stanza=main archive-push %p", {"/c": PGB.replace("repo1-", "repo-")}, {},
     (E, "x", "acme-wal", "repo/", False, "AK")),
    ("pgbackrest --config=/c --stanza=main archive-push %p",
     {"/c": PGB.replace("repo1-s3-key=AK", "repo1-s3-key-type=auto")}, PAIR,
     (E, "x", "acme-wal", "repo/", False, "")),
    ("pgbackrest --stanza=main archive-push %p", {"/opt/pgb/pgbackrest.conf": PGB},
     {"PGBACKREST_CONFIG_PATH": "/opt/pgb"}, (E, "x", "acme-wal", "repo/", False, "AK")),
    ("pgbackrest --config=/c --stanza=main archive-push %p",
     {"/c": PGB.replace("repo1-s3-key=AK", "repo1-s3-key-type=web-id")
      + "repo1-bundle=y\nrepo1-block=y\nrepo1-storage-upload-chunk-size=8MiB\n"}, PAIR,
     (E, "x", "acme-wal", "repo/", False, "")),
    # WAL-G, WAL-E
    ("envdir /etc/wal-g.d/env wal-g wal-push %p",
     {"/etc/wal-g.d/env/WALG_S3_PREFIX": "s3://acme-wal/cl\n", "/etc/wal-g.d/env/AWS_ENDPOINT": E + "\n",
      "/etc/wal-g.d/env/AWS_REGION": "x", "/etc/wal-g.d/env/AWS_S3_FORCE_PATH_STYLE": "true",
      "/etc/wal-g.d/env/AWS_ACCESS_KEY_ID": "AK\n", "/etc/wal-g.d/env/AWS_SECRET_ACCESS_KEY": "SK\n"}, {},
     (E, "x", "acme-wal", "cl/", True, "AK")),
    ('envdir "/run/etc/wal-e.d/env" wal-g wal-push "%p"',
     {"/run/etc/wal-e.d/env/WALE_S3_PREFIX": "s3://acme-wal/spilo/demo/wal/15",
      "/run/etc/wal-e.d/env/AWS_REGION": "eu-west-1"}, PAIR,
     ("https://s3.eu-west-1.amazonaws.com", "eu-west-1", "acme-wal", "spilo/demo/wal/15/", False, "AE")),
    ("wal-g wal-push %p",
     {f"{HOME}/.walg.json": '{\n "WALG_S3_PREFIX": "s3://acme-wal/cl",\n'
      ' "AWS_ENDPOINT": "https://s3.example.net",\n'
      ' "AWS_REGION": "x",\n "AWS_ACCESS_KEY_ID": "AK",\n "AWS_SECRET_ACCESS_KEY": "SK"\n}\n'}, {},
     (E, "x", "acme-wal", "cl/", False, "AK")),
    ("wal-g wal-push %p",
     {f"{HOME}/.walg.json": '{"WALG_S3_PREFIX": "s3://acme-wal/cl", "AWS_REGION": "x"}'}, PAIR,
     ("https://s3.x.amazonaws.com", "x", "acme-wal", "cl/", False, "AE")),
    ("wal-g --config /etc/walg.yaml wal-push %p",
     {"/etc/walg.yaml": "WALG_S3_PREFIX: s3://acme-wal/cl\nAWS_REGION: x\n"},
     {"WALG_S3_PREFIX": "s3://of-env/", **PAIR},
     ("https://s3.x.amazonaws.com", "x", "of-env", "", False, "AE")),
    ("wal-g wal-push %p --walg-s3-prefix=s3://of-words/p", {},
     {"WALG_S3_PREFIX": "s3://of-env", "AWS_REGION": "x", **PAIR},
     ("https://s3.x.amazonaws.com", "x", "of-words", "p/", False, "AE")),
    ("chpst -u postgres -e /etc/wal-e.d/env wal-e wal-push %p",
     {"/etc/wal-e.d/env/WALE_S3_PREFIX": "s3://acme-wal/cl",
      "/etc/wal-e.d/env/WALE_S3_ENDPOINT": "https+path://s3.example.net:443",
      "/etc/wal-e.d/env/AWS_REGION": "x"}, PAIR, (E, "x", "acme-wal", "cl/", True, "AE")),
    # barman-cloud
    (f"barman-cloud-wal-archive --endpoint-url {E} -z s3://acme-wal/b main %p", {},
     {**PAIR, "AWS_DEFAULT_REGION": "x"}, (E, "x", "acme-wal", "b/", True, "AE")),
    (f"barman-cloud-wal-archive -P other --endpoint-url={E} s3://acme-wal/b main %p",
     {f"{HOME}/.aws/credentials": AWS_KEYS, f"{HOME}/.aws/config": "[profile other]\nregion = x\n"}, PAIR,
     (E, "x", "acme-wal", "b/", True, "AO")),
    (f"barman-cloud-wal-archive --endpoint-url {E} s3://acme-wal main %p",
     {f"{HOME}/.aws/credentials": AWS_KEYS, f"{HOME}/.aws/config": "[profile other]\nregion = x\n"},
     {**PAIR, "AWS_PROFILE": "other"}, (E, "x", "acme-wal", "", True, "AE")),
    ("barman-cloud-wal-archive s3://acme-wal/b main %p",
     {f"{HOME}/.aws/credentials": AWS_KEYS,
      f"{HOME}/.aws/config": "[default]\nregion = x\nendpoint_url = https://s3.example.net\n"
      "s3 =\n  addressing_style = virtual\n"}, {},
     (E, "x", "acme-wal", "b/", False, "AK")),
    # plain clients
    (f"aws --endpoint-url {E} --region x s3 cp %p s3://acme-wal/p/%f --only-show-errors", {}, PAIR,
     (E, "x", "acme-wal", "p/", True, "AE")),
    ("aws s3 cp %p s3://acme-wal/%f", {f"{HOME}/.aws/credentials": AWS_KEYS},
     {"AWS_ENDPOINT_URL_S3": E, "AWS_ENDPOINT_URL": "https://no.example.net", "AWS_REGION": "x"},
     (E, "x", "acme-wal", "", True, "AK")),
    ("aws --profile other s3 cp %p s3://acme-wal/%f",
     {f"{HOME}/.aws/credentials": AWS_KEYS,
      f"{HOME}/.aws/config": "[profile other]\nregion = x\nservices = sp\n[services sp]\ns3 =\n"
      "  endpoint_url = https://s3.example.net\n"}, PAIR, (E, "x", "acme-wal", "", True, "AO")),
    (f"aws --endpoint-url {E} s3api put-object --bucket acme-wal --key p/%f --body %p", {}, PAIR,
     (E, "us-east-1", "acme-wal", "p/", True, "AE")),
    ("s3cmd -c /etc/s3.cfg put %p s3://acme-wal/p/%f",
     {"/etc/s3.cfg": "[default]\naccess_key = AK\nsecret_key = SK\nhost_base = s3.example.net\n"
      "host_bucket = %(bucket)s.s3.example.net\nbucket_location = x\n"}, {},
     (E, "x", "acme-wal", "p/", False, "AK")),
    ("s3cmd put %p s3://acme-wal/p/%f",
     {f"{HOME}/.s3cfg": "[default]\naccess_key = AK\nsecret_key = SK\nhost_base = h:1\nhost_bucket = h:1\n"
      "use_https = False\n"}, {},
     ("http://h:1", "us-east-1", "acme-wal", "p/", True, "AK")),
    ("s3cmd put %p s3://acme-wal/p/%f",
     {f"{HOME}/.s3cfg": "access_key = AK\nsecret_key = \"SK\"\nhost_base = \"h:1\"\n"
      "[backup]\nhost_bucket = h:1\nuse_https = False\n"}, {},
     ("http://h:1", "us-east-1", "acme-wal", "p/", True, "AK")),
    ("s3cmd --host=s3.example.net --host-bucket=s3.example.net --region x put %p s3://acme-wal/%f", {}, PAIR,
     (E, "x", "acme-wal", "", True, "AE")),
    ("s5cmd cp %p s3://acme-wal/p/%f", {},
     {**PAIR, "S3_ENDPOINT_URL": E, "AWS_REGION": "x", "AWS_ENDPOINT_URL": "https://no.example.net"},
     (E, "x", "acme-wal", "p/", True, "AE")),
    (f"s4cmd --endpoint-url {E} put %p s3://acme-wal/p/%f",
     {f"{HOME}/.s3cfg": "[default]\naccess_key = AK\nsecret_key = SK\n"}, {},
     (E, "us-east-1", "acme-wal", "p/", True, "AK")),
    ("mc --quiet cp %p sp/acme-wal/p/%f", {f"{HOME}/.mc/config.json": MC}, {},
     (E, "us-east-1", "acme-wal", "p/", True, "AK")),
    ("mc cp %p sp/acme-wal/p/%f", {}, {"MC_HOST_sp": "https://AK:SK@s3.example.net"},
     (E, "us-east-1", "acme-wal", "p/", True, "AK")),
    # pghoard
    ("pghoard_postgres_command --mode archive --site s1 --xlog %f",
     {"/var/lib/pghoard/pghoard.json": PGHOARD}, {},
     ("https://s3.example.net:8443", "x", "acme-wal", "s1/", True, "AK")),
]  # fmt: skip


@pytest.mark.parametrize(
    ("command", "files", "environ", "expected"), S3, ids=[f"{at} {row[0][:40]}" for at, row in enumerate(S3)]
)
def test_a_bucket_is_found_with_its_keys(
    command: str,
    files: dict[str, str],
    environ: dict[str, str],
    expected: tuple[str, str, str, str, bool, str],
) -> None:
    assert told(one(command, files, **environ)) == expected


WRAPPED = [
    "env AWS_REGION=x aws --endpoint-url https://s3.example.net s3 cp %p s3://acme-wal/p/%f",
    "timeout -k 5 60 aws --endpoint-url https://s3.example.net --region x s3 cp %p s3://acme-wal/p/%f",
    "timeout 60s flock -w 5 /run/l aws --endpoint-url https://s3.example.net --region x"
    " s3 cp %p s3://acme-wal/p/%f",
    "flock /run/l -c 'aws --endpoint-url https://s3.example.net --region x s3 cp %p s3://acme-wal/p/%f'",
    "nice -n 5 ionice -c 3 aws --endpoint-url https://s3.example.net --region x s3 cp %p s3://acme-wal/p/%f",
    "sudo -n -E -u wal aws --endpoint-url https://s3.example.net --region x s3 cp %p s3://acme-wal/p/%f",
    "/bin/sh -c 'aws --endpoint-url https://s3.example.net --region x s3 cp %p s3://acme-wal/p/%f'",
    "cd / && AWS_REGION=x exec aws --endpoint-url https://s3.example.net s3 cp %p s3://acme-wal/p/%f",
    "gzip -c %p | aws --endpoint-url https://s3.example.net --region x s3 cp - s3://acme-wal/p/%f.gz",
    "/opt/wal.sh %p %f",
    "bash /opt/wal.sh %p %f",
    "/opt/outer.sh %p",
    "/opt/bare.sh %p",
]
SCRIPTS = {
    "/opt/wal.sh": """#!/bin/bash
# comments name s3://not-this/one
set -euo pipefail
BUCKET="${WAL_BUCKET:-acme-wal}"
ENDPOINT=https://s3.example.net
export AWS_DEFAULT_REGION=x
put() {
    aws --endpoint-url "$ENDPOINT" s3 cp "$1" "s3://$BUCKET/p/$2" --only-show-errors
}
put "$1" "$2" || { echo failed >&2; exit 1; }
logger "archived $2"
""",
    "/opt/outer.sh": '#!/bin/sh\nname=$(basename "$1")\n. /etc/wal.env\nexec /opt/wal.sh "$1" "$name"\n',
    "/opt/bare.sh": '#!/bin/sh\nset -- "$1"\nOPTS="--endpoint-url https://s3.example.net --region x"\n'
    'exec aws ${2:-} ${VERBOSE:-} $OPTS s3 cp "$1" "s3://acme-wal/p/${1##*/}"\n',
    "/etc/wal.env": "WAL_BUCKET=acme-wal\n",
}


@pytest.mark.parametrize("command", WRAPPED)
def test_what_a_command_is_wrapped_in_is_passed(command: str) -> None:
    assert told(one(command, SCRIPTS, **PAIR)) == (E, "x", "acme-wal", "p/", True, "AE")


FOLDERS = [
    ("cp %p /mnt/wal/%f", "", "/mnt/wal", "none"),
    ("test ! -f /mnt/wal/%f && cp %p /mnt/wal/%f", "", "/mnt/wal", "none"),
    ("cp -t /mnt/wal %p", "", "/mnt/wal", "none"),
    ("install -m 0640 %p /mnt/wal/%f", "", "/mnt/wal", "none"),
    ("dd if=%p of=/mnt/wal/%f conv=fsync", "", "/mnt/wal", "none"),
    ("gzip < %p > /mnt/wal/%f.gz", "", "/mnt/wal", "gzip"),
    ("cat %p | zstd -q > /mnt/wal/%f.zst", "", "/mnt/wal", "zstd"),
    ("zstd -q %p -o /mnt/wal/%f.zst", "", "/mnt/wal", "zstd"),
    ("lz4 -q %p /mnt/wal/%f.lz4", "", "/mnt/wal", "lz4"),
    ("rsync -a %p /mnt/wal/", "", "/mnt/wal", "none"),
    (
        "rsync -a -e 'ssh -p 2222' %p pg@store.example.net:/srv/wal/",
        "pg@store.example.net",
        "/srv/wal",
        "none",
    ),
    ("scp -q %p store.example.net:/srv/wal/%f", "store.example.net", "/srv/wal", "none"),
    ("gzip -c %p | ssh pg@store 'cat > /srv/wal/%f.gz'", "pg@store", "/srv/wal", "gzip"),
    ("rclone copyto %p /mnt/wal/%f", "", "/mnt/wal", "none"),
    ("pgbackrest --stanza=main archive-push %p", "", "/var/lib/pgbackrest", "gz"),
    ("pgbackrest --stanza=main --repo1-path=/mnt/repo archive-push %p", "", "/mnt/repo", "gz"),
    (
        "pgbackrest --stanza=m --repo1-type=sftp --repo1-sftp-host=s --repo1-sftp-host-user=pg"
        " --repo1-path=/r --repo1-bundle=y --repo1-block=y --compress-type=zst archive-push %p",
        "pg@s",
        "/r",
        "zst",
    ),
    ("WALG_FILE_PREFIX=/mnt/walg wal-g wal-push %p", "", "/mnt/walg", "lz4"),
    ("WALG_SSH_PREFIX=ssh://store/srv/w SSH_USERNAME=pg wal-g wal-push %p", "pg@store", "/srv/w", "lz4"),
    ("pg_probackup archive-push -B /mnt/pb --instance=main --wal-file-name=%f", "", "/mnt/pb", "none"),
]


@pytest.mark.parametrize(("command", "host", "path", "compression"), FOLDERS)
def test_a_folder_is_found(command: str, host: str, path: str, compression: str) -> None:
    target = one(command)
    assert isinstance(target.store, FolderStore), target
    assert target.store.path.value == path
    assert (target.store.host.value if target.store.host else "") == host
    assert target.compression is not None
    assert target.compression.value == compression


UNREAD = [
    ("barman-wal-archive backup.example.net main %p", "Barman", "barman@backup.example.net"),
    (
        "rsync -a %p barman@b:/var/lib/barman/main/incoming/%f",
        "Barman",
        "/var/lib/barman/main/incoming on barman@b",
    ),
    ("gsutil cp %p gs://acme-wal/p/%f", "gsutil", "gs://acme-wal/p"),
    (
        "azcopy copy %p 'https://a.blob.core.windows.net/c/%f?sig=SECRET'",
        "azcopy",
        "a.blob.core.windows.net/c",
    ),
    ("/controller/manager wal-archive --log-destination /c/x %p", "CloudNativePG", "CloudNativePG"),
    ("/etc/rds/dbbin/pgscripts/rds_wal_archive %p", "Amazon RDS", "Amazon RDS"),
    ("WALG_GS_PREFIX=gs://acme-wal/p wal-g wal-push %p", "WAL-G", "gs://acme-wal/p"),
    ("wal-g wal-push %p", "WAL-G", "an unknown place"),
    ("pgbackrest --stanza=m --repo1-host=repo.example.net archive-push %p", "pgBackRest", "repo.example.net"),
    (
        "pgbackrest --stanza=m --repo1-type=azure --repo1-azure-container=c archive-push %p",
        "pgBackRest",
        "azure://c",
    ),
    (
        "pgbackrest --stanza=m --repo1-type=gcs --repo1-gcs-bucket=acme --repo1-path=/p archive-push %p",
        "pgBackRest",
        "gcs://acme/p",
    ),
    (
        "pgbackrest --stanza=m --repo1-host=repo.example.net --repo1-host-type=tls archive-push %p",
        "pgBackRest",
        "pgBackRest's repository 1 on repo.example.net",
    ),
    ("pgbackrest --config-path=/none --stanza=m archive-push %p", "pgBackRest", "pgBackRest's repository 1"),
    (
        "barman-cloud-wal-archive --cloud-provider azure-blob-storage https://a/c main %p",
        "barman-cloud",
        "https://a/c",
    ),
    ("aws s3 cp %p s3://$UNSET/%f", "aws", "only the run"),
    ("rclone --config /none copyto %p sp:acme-wal/%f", "rclone", "sp:acme-wal"),
    ("walg-daemon-client /run/s wal-push %f", "WAL-G", "an unknown place"),
    ("mc cp %p sp/acme-wal/%f", "mc", "sp/acme-wal"),
    ("/opt/mystery %p", "mystery", "an unknown place"),
]


@pytest.mark.parametrize(("command", "tool", "what"), UNREAD)
def test_what_is_not_read_is_named_and_nothing_is_guessed(command: str, tool: str, what: str) -> None:
    target = one(command)
    assert isinstance(target.store, UnreadStore), target
    assert target.tool.value == tool
    assert what in target.store.what.value
    assert target.store.why
    assert "SECRET" not in repr(target)


@pytest.mark.parametrize("command", ["/bin/true", ":", "exit 0", "cd .", "true"])
def test_a_command_that_does_nothing_is_said_to(command: str) -> None:
    found = Host().find_out(Settings(command))
    assert not found.targets
    assert found.notes == (f"the archive command stores nothing: {command}",)


@pytest.mark.parametrize("command", ["", "(disabled)"])
def test_no_command_is_no_target(command: str) -> None:
    found = Host().find_out(Settings(command))
    assert (found.targets, found.notes) == ((), ())


def test_two_repositories_are_two_copies() -> None:
    files = {"/c": PGB.replace("[main]", "repo2-path=/mnt/two\nrepo2-retention-full=2\n[main]")}
    first, second = (
        Host(files).find_out(Settings("pgbackrest --config=/c --stanza=main archive-push %p")).targets
    )
    assert isinstance(first.store, S3Store)
    assert isinstance(second.store, FolderStore)
    assert second.store.path.value == "/mnt/two"
    assert second.retention is not None
    assert second.retention.value == "retention-full 2"


def test_two_archivers_in_one_command_are_both_told() -> None:
    command = "cp %p /mnt/wal/%f && rclone --config /c copyto %p sp:acme-wal/%f"
    found = Host({"/c": SP}).find_out(Settings(command))
    assert [target.tool.value for target in found.targets] == ["cp", "rclone"]
    assert "several archive: cp, rclone" in found.notes


def test_every_value_says_where_it_stands() -> None:
    target = one("pgbackrest --config=/c --stanza=main archive-push %p", {"/c": PGB})
    rows = dict(target.rows())
    assert rows["bucket"].source == "/c line 4"
    assert rows["path_style"].certainty is Certainty.DEFAULT
    assert rows["backups"].value == "backup/main/"
    assert target.credentials.source == "/c line 7"
    assert "SK" not in repr(target)


@pytest.mark.parametrize(
    "command",
    [
        "PATH=/opt/wal/bin:$PATH ship-wal %p %f",
        "export PATH=/opt/wal/bin:/usr/bin; ship-wal %p %f",
        "env PATH=/opt/wal/bin:/usr/bin ship-wal %p %f",
    ],
)
def test_a_program_is_followed_where_the_commands_own_path_has_it(command: str) -> None:
    right, wrong = (f'#!/bin/sh\naws s3 cp "$1" s3://{bucket}/$2\n' for bucket in ("acme-wal", "another"))
    files = {"/usr/local/bin/ship-wal": wrong, "/opt/wal/bin/ship-wal": right}
    store = one(command, files, PATH="/usr/local/bin:/usr/bin").store
    assert isinstance(store, S3Store)
    assert store.bucket is not None
    assert store.bucket.value == "acme-wal"


def test_the_sources_of_a_scripts_values_are_its_lines() -> None:
    target = one("/opt/wal.sh %p %f", SCRIPTS, **PAIR)
    assert isinstance(target.store, S3Store)
    assert target.store.bucket.source == "/opt/wal.sh line 8"
    assert target.store.region.source == "/opt/wal.sh line 6"
    assert target.credentials.source == "variable AWS_ACCESS_KEY_ID of the server's environment"


BAD = [
    ("rclone --config /c copyto %p sp:acme-wal/%f",
     {"/c": "# Encrypted rclone configuration File\n\nRCLONE_ENCRYPT_V0:\nabc\n"}, "is encrypted"),
    ("rclone --config /c copyto %p cr:%f", {"/c": SP + "[cr]\ntype=crypt\nremote=sp:acme-wal\n"},
     "names are encrypted"),
    ("rclone --config /c copyto %p a:%f", {"/c": "[a]\ntype=alias\nremote=b:\n[b]\ntype=alias\nremote=a:\n"},
     ""),
    ("/opt/x.py %p", {"/opt/x.py": "#!/usr/bin/env python3\nimport boto3\n"}, "a program for python3"),
    ("/opt/a %p", {"/opt/a": "#!/bin/sh\n/opt/b $1\n", "/opt/b": "#!/bin/sh\n/opt/c $1\n",
                   "/opt/c": "#!/bin/sh\naws s3 cp $1 s3://acme-wal/x\n"}, "not followed"),
    ("/opt/a %p", {"/opt/a": "#!/bin/sh\nmystery \"$1\"\n"}, "mystery is not found"),
]  # fmt: skip


@pytest.mark.parametrize(("command", "files", "why"), BAD)
def test_what_cannot_be_followed_says_why(command: str, files: dict[str, str], why: str) -> None:
    target = one(command, files)
    assert isinstance(target.store, UnreadStore), target
    assert why in target.store.why


def test_a_file_that_cannot_be_read_is_noted() -> None:
    host = Host({"/c": SP}, unreadable=("/c",))
    found = host.find_out(Settings("rclone --config /c copyto %p sp:acme-wal/%f"))
    assert "/c cannot be read as postgres: permission denied" in found.notes


def test_a_library_silently_beats_the_command_before_16() -> None:
    settings = Settings("cp %p /x/%f", "basic_archive", "/mnt/basic", version=15)
    found = Host().find_out(settings)
    assert [str(target.store) for target in found.targets] == ["/mnt/basic"]
    assert "archive_command is ignored" in found.notes[0]


def test_basic_archive_without_a_folder_stores_nothing() -> None:
    (target,) = Host().find_out(Settings(library="basic_archive")).targets
    assert isinstance(target.store, UnreadStore)
    assert "nothing is archived" in target.store.why


OURS = """#!/bin/sh
# acme-pg-archive PATH NAME: PostgreSQL's archive_command for acme, installed by walconsole.
set -u
PATH=/usr/bin
config=/etc/rclone-acme.conf
primary=sp:acme-wal/
dr='dr:acme-wal-dr/deep/'    # empty: no second copy is written
"""


def test_of_the_installed_script_only_its_variables_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    begin = shell_words._Lexer.__init__

    def note(lexer: shell_words._Lexer, text: str, operators: re.Pattern[str]) -> None:
        read.append(text)
        begin(lexer, text, operators)

    monkeypatch.setattr(shell_words._Lexer, "__init__", note)
    files = {"/usr/local/bin/acme-pg-archive": OURS + "rest() { echo x; }\nprimary=other:\n" * 500}
    files["/etc/rclone-acme.conf"] = SP + SP.replace("[sp]", "[dr]")
    command = '/usr/local/bin/acme-pg-archive "%p" "%f"'
    found = Host(files).find_out(Settings(command))
    assert [told(target)[2] for target in found.targets] == ["acme-wal", "acme-wal-dr"]
    assert max(len(text) for text in read) < 100


def test_lines_with_nothing_and_with_comments_end_no_other_command() -> None:
    """A script of three megabytes of them took seconds, three times."""
    plain = shell_words.tokens("a\ncat <<E\n\n# in it\nE\nb # c\nd")
    spaced = shell_words.tokens("a\n\n  # one\n\t\r\n#\ncat <<E\n\n# in it\nE\n \n# two\nb # c\n\n#d\n  d")
    assert spaced == plain
    lines = [token.line for token in spaced if isinstance(token, shell_words.Word)]
    assert lines == [1, 6, 6, 12, 15]
    assert shell_words.tokens("a\n  # at the end")[1:] == [shell_words.Operator("\n")]


def test_the_installed_script_has_both_copies() -> None:
    files = {"/usr/local/bin/acme-pg-archive": OURS, "/etc/rclone-acme.conf": SP + SP.replace("[sp]", "[dr]")}
    found = Host(files).find_out(Settings('/usr/local/bin/acme-pg-archive "%p" "%f"'))
    assert [told(target)[2:4] for target in found.targets] == [("acme-wal", ""), ("acme-wal-dr", "deep/")]
    assert {target.tool.value for target in found.targets} == {"walconsole"}


@given(st.text(max_size=80), st.text(max_size=200))
def test_no_text_makes_it_fail(command: str, script: str) -> None:
    host = Host({"/opt/s": "#!/bin/sh\n" + script, "/c": script})
    for each in (
        command,
        "/opt/s %p",
        "rclone --config /c copyto %p sp:bucket/%f",
        f"aws s3 cp %p {command}",
    ):
        for target in host.find_out(Settings(each)).targets:
            assert isinstance(target, ArchiveTarget)
    discover(Settings(script), Seen())
