"""Archive commands as they are deployed: forms of public repositories, each with where it was seen.

The forms are theirs, the texts are not: buckets, hosts and folders are made up, scripts are written anew.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

HOME = "/var/lib/postgresql"
KEYS = {"AWS_ACCESS_KEY_ID": "AK", "AWS_SECRET_ACCESS_KEY": "HIDDEN", "AWS_REGION": "eu-west-1"}
WALG = {"WALG_S3_PREFIX": "s3://acme/pg", "AWS_ENDPOINT": "https://nbg1.example.net", **KEYS}
IN_ENVDIR = {f"/etc/wal-g.d/env/{name}": f"{value}\n" for name, value in WALG.items()}
EXPORTED = "".join(f"export {name}={value}\n" for name, value in WALG.items())
ASSIGNED = EXPORTED.replace("export ", "")
RCLONE = {
    f"{HOME}/.config/rclone/rclone.conf": "[r2]\ntype=s3\nprovider=Cloudflare\naccess_key_id=AK\n"
    "secret_access_key=HIDDEN\nregion=auto\nendpoint=https://acc.r2.example.net\n"
    "[nas]\ntype=sftp\nhost=nas.example.net\nuser=pg\nport=2222\n[dav]\ntype=webdav\nurl=https://dav\n"
}
REPOSITORY = "[global]\nrepo1-path=/srv/repo\n[main]\npg1-path=/data\n"
PGBACKREST = {"/etc/pgbackrest/pgbackrest.conf": REPOSITORY}
NBG = "s3://acme/pg at https://nbg1.example.net"
AWS = "https://s3.eu-west-1.amazonaws.com"


@dataclass(frozen=True)
class Form:
    """`store` is the place in words; `why` (a part of it) where it is not read. `where`: who has it so.

    `look` None: not compared.
    """

    where: str
    command: str
    tool: str
    store: str
    why: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    environ: Mapping[str, str] = field(default_factory=dict)
    layout: str = ""
    compression: str = ""
    encryption: str = "none"
    look: str | None = None


FORMS = [
    # WAL-G: Patroni, Spilo, images
    Form(
        "Spilo",
        'envdir "/run/etc/wal-e.d/env" wal-g wal-push "%p"',
        "WAL-G",
        NBG,
        layout="wal_005/",
        files={name.replace("/etc/wal-g.d", "/run/etc/wal-e.d"): text for name, text in IN_ENVDIR.items()},
        look="envdir /run/etc/wal-e.d/env wal-g wal-show",
    ),
    Form(
        "docker-compose with an envdir by variable",
        'envdir "${WALG_ENVDIR}" wal-g wal-push %p',
        "WAL-G",
        NBG,
        files=IN_ENVDIR,
        environ={"WALG_ENVDIR": "/etc/wal-g.d/env"},
    ),
    Form(
        "citus-k8s-membership", "wal-g wal-push %p --pghost=/var/run/postgresql/", "WAL-G", NBG, environ=WALG
    ),
    Form(
        "otus courses",
        '/usr/local/bin/wal-g wal-push "%p" >> /var/log/postgresql/a.log 2>&1',
        "WAL-G",
        "s3://acme/pg at https://s3.example.net",
        compression="lz4",
        look="/usr/local/bin/wal-g wal-show",
        files={
            f"{HOME}/.walg.json": '{"WALG_S3_PREFIX": "s3://acme/pg", "AWS_ENDPOINT": '
            '"https://s3.example.net",\n"AWS_ACCESS_KEY_ID": "AK", "AWS_SECRET_ACCESS_KEY": "HIDDEN"}'
        },
    ),
    Form(
        "autobase",
        "wal-g wal-push %p",
        "WAL-G",
        NBG,
        environ={"WALG_CONFIG_PATH": "/etc/walg.yaml"},
        files={"/etc/walg.yaml": ASSIGNED.replace("=", ": ")},
    ),
    Form(
        "postgresql-single chart",
        "/usr/bin/wal-g --config /etc/walg/walg.yaml wal-push %p",
        "WAL-G",
        "s3://acme/pg at https://s3.us-east-1.amazonaws.com",
        files={"/etc/walg/walg.yaml": "WALG_S3_PREFIX: 's3://acme/pg'\n"},
        look="/usr/bin/wal-g wal-show --config /etc/walg/walg.yaml",
    ),
    Form(
        "Orbit",
        ". /etc/wal-g.env.sh && wal-g wal-push %p",
        "WAL-G",
        NBG,
        files={"/etc/wal-g.env.sh": EXPORTED},
        look="sh -c 'set -a; . /etc/wal-g.env.sh; exec wal-g wal-show'",
    ),
    Form(
        "wal-g-profile",
        ". /usr/local/bin/profile;/usr/local/bin/wal-g wal-push %p",
        "WAL-G",
        NBG,
        files={"/usr/local/bin/profile": EXPORTED},
        look="sh -c 'set -a; . /usr/local/bin/profile; exec /usr/local/bin/wal-g wal-show'",
    ),
    Form(
        "a file of plain assignments, which WAL-G never sees",
        ". /etc/wal-g/env && wal-g wal-push %p",
        "WAL-G",
        "an unknown place",
        "no WALG_..._PREFIX",
        files={"/etc/wal-g/env": ASSIGNED},
    ),
    Form(
        "the same with set -a",
        'bash -c "set -a; source /etc/wal-g/env; set +a; wal-g wal-push %p"',
        "WAL-G",
        NBG,
        files={"/etc/wal-g/env": ASSIGNED},
        look="bash -c 'set -a; . /etc/wal-g/env; exec wal-g wal-show'",
    ),
    Form(
        "OpenStack notes",
        "source mydir/wal-g.env &&  wal-g wal-push %p",
        "WAL-G",
        "swift://box/pg",
        "storage SWIFT is not read",
        files={"/data/mydir/wal-g.env": "export WALG_SWIFT_PREFIX=swift://box/pg\n"},
    ),
    Form(
        "WAL-G into a folder",
        "export WALG_FILE_PREFIX=/srv/archive; wal-g wal-push %p",
        "WAL-G",
        "/srv/archive",
        look="env WALG_FILE_PREFIX=/srv/archive wal-g wal-show",
    ),
    Form(
        "pgdrill",
        'env WALG_FILE_PREFIX=/srv/w WALG_COMPRESSION_METHOD=zstd /opt/wal-g wal-push "%p"',
        "WAL-G",
        "/srv/w",
        compression="zstd",
        look="env WALG_FILE_PREFIX=/srv/w WALG_COMPRESSION_METHOD=zstd /opt/wal-g wal-show",
    ),
    Form("PolarDB", "env WALG_PFS_HOST_ID=2 WALG_FILE_PREFIX=/b wal-g-pg-polardb wal-push %p", "WAL-G", "/b"),
    Form(
        "a release's own name",
        "/opt/wal-g-pg-ubuntu-22.04-amd64 wal-push %p",
        "WAL-G",
        "gs://acme/pg",
        "storage GS is not read",
        environ={"WALG_GS_PREFIX": "gs://acme/pg"},
    ),
    Form(
        "vibecarbon and the like: tries, and gives in",
        "/scripts/wal.sh %p",
        "WAL-G",
        NBG,
        environ=WALG,
        files={
            "/scripts/wal.sh": '#!/bin/bash\nset -u\nwal="${1:?a path}"\nn=1\n'
            'if [ "${WALG_ROLE:-primary}" = standby ]; then exit 0; fi\n'
            'while [ "$n" -le "${TRIES:-3}" ]; do\n  if wal-g wal-push "$wal"; then exit 0; fi\n'
            "  sleep $((2 ** n))\n  n=$((n + 1))\ndone\necho given up >&2\nexit 0\n"
        },
    ),
    Form(
        "daemon",
        "walg-daemon-client /tmp/wal-g wal-push %f",
        "WAL-G",
        "/srv/w",
        environ={"WALG_FILE_PREFIX": "/srv/w"},
        look="",
    ),
    Form(
        "login shell of the same user",
        "su - postgres -c 'wal-g wal-push %p'",
        "WAL-G",
        "an unknown place",
        "no WALG_..._PREFIX",
        environ={"WALG_FILE_PREFIX": "/srv/w"},
        look="",
    ),
    Form(
        "a unit of its own",
        "systemd-run --wait -q -E WALG_FILE_PREFIX=/srv/w wal-g wal-push %p",
        "WAL-G",
        "/srv/w",
        look="",
    ),
    Form(
        "locks upon limits",
        "flock -n /run/l timeout 60 nice -n 19 ionice -c3 chpst -e /etc/wal-g.d/env wal-g wal-push %p",
        "WAL-G",
        NBG,
        files=IN_ENVDIR,
        look="chpst -e /etc/wal-g.d/env wal-g wal-show",
    ),
    Form(
        "Stouts.wale",
        "/etc/wale/wale.sh wal-push %p",
        "WAL-E",
        f"s3://acme/we at {AWS}",
        compression="lzo",
        files={
            "/etc/wale/wale.sh": "#!/bin/bash\nexport WALE_S3_PREFIX=s3://acme/we AWS_REGION=eu-west-1\n"
            'exec /usr/local/bin/wal-e "$@"\n'
        },
    ),
    # pgBackRest: operators, charts, roles
    Form(
        "Crunchy PGO",
        'pgbackrest --stanza=db archive-push "%p"',
        "pgBackRest",
        "pgBackRest's repository 1 on hippo-repo-host-0.hippo-pods",
        "known on that host alone",
        files={
            "/etc/pgbackrest/conf.d/pgbackrest_instance.conf": "[global]\nrepo1-host="
            "hippo-repo-host-0.hippo-pods\nrepo1-host-type=tls\nrepo1-path=/r\n"
        },
    ),
    Form(
        "Crunchy 4",
        'source /opt/set-env.sh && pgbackrest archive-push "%p"',
        "pgBackRest",
        "/backrestrepo/x",
        files={"/opt/set-env.sh": "export PGBACKREST_STANZA=db PGBACKREST_REPO1_PATH=/backrestrepo/x\n"},
        layout="archive/db/VERSION-N/LOG/",
        look="sh -c 'set -a; . /opt/set-env.sh; exec pgbackrest info'",
    ),
    Form(
        "Percona with pg_tde",
        '/usr/lib/bin/pg_tde_archive_decrypt %f %p "pgbackrest --stanza=main archive-push %%p"',
        "pgBackRest",
        "/srv/repo",
        files=PGBACKREST,
        look="pgbackrest --stanza=main info",
    ),
    Form(
        "pg_tde's tests",
        'pg_tde_archive_decrypt %f %p "cp \\"%%p\\" \\"/srv/wal/%%f\\""',
        "cp",
        "/srv/wal",
        layout="%f",
    ),
    Form(
        "Tilt",
        "envdir ~/pgb.d/env pgbackrest archive-push %p",
        "pgBackRest",
        "/srv/r",
        files={
            f"{HOME}/pgb.d/env/PGBACKREST_STANZA": "main\n",
            f"{HOME}/pgb.d/env/PGBACKREST_REPO1_PATH": "/srv/r",
        },
        look=f"envdir {HOME}/pgb.d/env pgbackrest info",
    ),
    Form(
        "jobseek",
        "test -f /var/spool/go && pgbackrest --stanza=main archive-push %p",
        "pgBackRest",
        "/srv/repo",
        files=PGBACKREST,
    ),
    Form(
        "aifs",
        "sudo -n -u root pgbackrest --stanza=main archive-push %p",
        "pgBackRest",
        "/srv/repo",
        files=PGBACKREST,
        look="sudo -n -u root pgbackrest --stanza=main info",
    ),
    Form(
        "erp",
        "pgbackrest --config=/etc/secrets/conf --stanza=erp archive-push %p",
        "pgBackRest",
        "s3://acme/erp at https://s3.example.net",
        look="pgbackrest --config=/etc/secrets/conf --stanza=erp info",
        files={
            "/etc/secrets/conf": "[global]\nrepo1-type=s3\nrepo1-s3-bucket=acme\nrepo1-path=/erp\n"
            "repo1-s3-endpoint=s3.example.net\nrepo1-s3-region=x\nrepo1-s3-key=AK\nrepo1-s3-key-secret=HIDDEN\n"
        },
    ),
    Form(
        "a .bashrc before it",
        f"source {HOME}/.bashrc && pgbackrest --stanza=main archive-push %p",
        "pgBackRest",
        "/srv/repo",
        files={f"{HOME}/.bashrc": "export PATH=/opt/bin:$PATH\n", **PGBACKREST},
    ),
    Form(
        "config-include-path",
        "pgbackrest --stanza=main --config-include-path=/etc/inc archive-push %p",
        "pgBackRest",
        "/srv/inc",
        files={"/etc/inc/a.conf": "[global]\nrepo1-path=/srv/inc\n"},
    ),
    Form(
        "sftp repository",
        "pgbackrest --stanza=main archive-push %p",
        "pgBackRest",
        "pg@nas:/srv/pgb",
        files={
            "/etc/pgbackrest.conf": "[global]\nrepo1-type=sftp\nrepo1-sftp-host=nas\n"
            "repo1-sftp-host-user=pg\nrepo1-path=/srv/pgb\n"
        },
    ),
    Form(
        "azure repository",
        "pgbackrest --stanza=main archive-push %p",
        "pgBackRest",
        "azure://box/r",
        "type azure are not read",
        files={
            "/etc/pgbackrest.conf": "[global]\nrepo1-type=azure\nrepo1-azure-container=box\nrepo1-path=/r\n"
        },
    ),
    Form(
        "Railway",
        "/usr/local/bin/push.sh %p",
        "pgBackRest",
        "/srv/repo",
        files={
            "/usr/local/bin/push.sh": '#!/bin/bash\nmax="${WAL_DROP_THRESHOLD_MB:-5120}"\n'
            'used=$(du -sm "$PGDATA/pg_wal" | cut -f1)\n[[ "$used" -gt "$max" && -n "$max" ]] && exit 0\n'
            'exec pgbackrest --stanza=main archive-push "$1"\n',
            **PGBACKREST,
        },
    ),
    # Barman
    Form(
        "Fly.io",
        "barman-cloud-wal-archive --cloud-provider aws-s3 --gzip --endpoint-url https://t3.example.net"
        " s3://acme app %p",
        "barman-cloud",
        "s3://acme at https://t3.example.net",
        environ=KEYS,
        layout="app/wals/LOG/",
        compression="gzip",
    ),
    Form(
        "Terraform with keys in the command",
        "AWS_REQUEST_CHECKSUM_CALCULATION=when_required AWS_ACCESS_KEY_ID=AK"
        " AWS_SECRET_ACCESS_KEY=HIDDEN barman-cloud-wal-archive --endpoint-url https://acc.r2.example.net"
        " s3://acme/pg prod %p",
        "barman-cloud",
        "s3://acme/pg at https://acc.r2.example.net",
        look="",
    ),
    Form(
        "CNPG on GKE",
        "barman-cloud-wal-archive gs://acme/cnpg/svc cluster %p",
        "barman-cloud",
        "gs://acme/cnpg/svc",
        "Google Cloud Storage is not read",
    ),
    Form(
        "CloudNativePG",
        "/controller/manager wal-archive --log-destination /controller/log/postgres.json %p",
        "CloudNativePG",
        "CloudNativePG",
        "kubectl get cluster",
    ),
    Form(
        "EDB guides",
        "barman-wal-archive -U barman -c /etc/b.conf backup-srv demo %p",
        "Barman",
        "Barman's server demo on barman@backup-srv",
        "on that host alone",
        look="ssh barman@backup-srv barman -c /etc/b.conf list-backups demo",
    ),
    Form(
        "Railway's Barman",
        "rsync -a %p barman@b.internal:/backup/barman/pg/incoming/%f || exit 0",
        "Barman",
        "Barman's folder /backup/barman/pg/incoming on barman@b.internal",
        "takes the files away",
    ),
    # rclone
    Form(
        "copy into a folder for each segment",
        "rclone copy %p r2:acme-wal/%f",
        "rclone",
        "s3://acme-wal at https://acc.r2.example.net",
        files=RCLONE,
        layout="%f/%f",
    ),
    Form(
        "eusolicit",
        "rclone copy %p r2:acme-wal/",
        "rclone",
        "s3://acme-wal at https://acc.r2.example.net",
        files=RCLONE,
        layout="%f",
    ),
    Form(
        "a verb that there is not",
        "rclone -q archive %p r2:acme-wal/%f",
        "rclone",
        "an unknown place",
        "known only when the command runs",
        files=RCLONE,
    ),
    Form(
        "age before it",
        "age -r age1x %p | rclone rcat r2:acme/wal/%f.age",
        "rclone",
        "s3://acme/wal at https://acc.r2.example.net",
        files=RCLONE,
        layout="%f.age",
        encryption="age",
    ),
    Form(
        "storage box",
        "rclone copyto %p nas:/srv/wal/%f",
        "rclone",
        "pg@nas.example.net:/srv/wal",
        files=RCLONE,
    ),
    Form(
        "Nextcloud",
        "rclone copyto %p dav:wal/%f",
        "rclone",
        "dav:wal",
        "type webdav are not read",
        files=RCLONE,
    ),
    # clients of stores
    Form(
        "tutorials",
        "aws s3 cp %p s3://acme/wal/%f --sse AES256 --only-show-errors",
        "aws",
        f"s3://acme/wal at {AWS}",
        environ=KEYS,
    ),
    Form(
        "dreamseed",
        "gpg -e -r b@example.net < %p | aws s3 cp - s3://acme/%f.gpg",
        "aws",
        f"s3://acme at {AWS}",
        environ=KEYS,
        encryption="gpg",
        layout="%f.gpg",
    ),
    Form(
        "whole pg_wal",
        "aws s3 sync pg_wal s3://acme/wal",
        "aws",
        f"s3://acme/wal at {AWS}",
        files={},
        environ=KEYS,
    ),
    Form(
        "MinIO by pipe",
        "mc pipe m/backups/wal/%f < %p",
        "mc",
        "s3://backups/wal at http://minio:9000",
        environ={"MC_HOST_m": "http://AK:HIDDEN@minio:9000"},
    ),
    Form("GKE", "gcloud storage cp %p gs://acme/wal/%f", "gcloud", "gs://acme/wal", "own API is not read"),
    Form(
        "terraform on GCP",
        "gsutil cp pg_wal/%f gs://acme/wal/ && rm pg_wal/%f",
        "gsutil",
        "gs://acme/wal",
        "own API is not read",
    ),
    Form(
        "Azure CLI",
        'az storage blob upload --account-name acc --container-name wal --name "%f" --file "%p"',
        "az",
        "https://acc.blob.core.windows.net/wal",
        "own API is not read",
    ),
    Form(
        "azcopy",
        'azcopy copy %p "https://acc.blob.core.windows.net/wal/%f?sig=HIDDEN"',
        "azcopy",
        "https://acc.blob.core.windows.net/wal",
        "own API is not read",
    ),
    Form("Orochi", "oci os object put -bn orochi --file %p --name wal/%f", "oci", "bucket orochi", "own API"),
    Form("B2", "b2 file upload acme %p wal/%f", "b2", "bucket acme", "own API is not read"),
    Form("Swift", "swift upload wal %p --object-name %f", "swift", "container wal", "own API is not read"),
    Form(
        "a sidecar",
        "curl -sf -X POST -F file=@%p -F name=%f http://localhost:8442/wal/push",
        "curl",
        "http://localhost:8442/wal/push",
        "where it sends a segment is not read",
    ),
    Form(
        "signed by curl",
        'curl -sSf --aws-sigv4 "aws:amz:auto:s3" --user "$K:$S" -T %p'
        ' "https://acc.r2.example.net/acme/wal/%f"',
        "curl",
        "https://acc.r2.example.net/acme/wal",
        "is not read",
        environ={"K": "AK", "S": "HIDDEN"},
    ),
    Form(
        "restic",
        "restic -r s3:s3.amazonaws.com/b/wal backup --stdin --stdin-filename %f < %p",
        "restic",
        "s3:s3.amazonaws.com/b/wal",
        "snapshots of its own format",
    ),
    Form(
        "borg", "borg create ssh://b:HIDDEN@box:22/./wal::%f %p", "borg", "ssh://box:22/./wal", "own format"
    ),
    Form(
        "a container beside it",
        "docker exec -e X=1 -i backup push %p",
        "docker",
        "the container backup",
        "inside a container is not followed",
    ),
    # folders, hosts
    Form(
        "PostgreSQL's documentation",
        "test ! -f /mnt/wal/%f && cp %p /mnt/wal/%f",
        "cp",
        "/mnt/wal",
        layout="%f",
    ),
    Form(
        "Alibaba's notes",
        'DATE=`date +%Y%m%d`; DIR="/ssd/arch/$DATE"; (test -d $DIR || mkdir -p $DIR) && cp %p $DIR/%f',
        "cp",
        "/ssd/arch",
        layout="…/%f",
    ),
    Form(
        "noon clears a day",
        "w=/srv/arc; t=${w}/$(date +%Y%m%d); [[ $(date +%H%M) == 1200 ]] && rm -rf"
        ' ${w}/$(date -d"yesterday" +%Y%m%d); mkdir -p ${t} && gzip -kqc %p > ${t}/%f.gz',
        "gzip",
        "/srv/arc",
        layout="…/%f.gz",
        compression="gzip",
    ),
    Form("beside the data", "mkdir -p ../wal && cp %p ../wal/%f", "cp", "/data/../wal"),
    Form(
        "pg_mgr",
        "true BEGIN ; export D=/srv/arc && test ! -f $D/%f && cp %p $D/%f && true END",
        "cp",
        "/srv/arc",
    ),
    Form("dragon", "lz4 -f -q -z %p /srv/arc/%f.lz4", "lz4", "/srv/arc", layout="%f.lz4", compression="lz4"),
    Form(
        "with a key's file",
        "openssl enc -aes-256-cbc -pbkdf2 -in %p -out /srv/arc/%f.enc -pass file:/k",
        "openssl",
        "/srv/arc",
        layout="%f.enc",
        encryption="openssl",
    ),
    Form("the old documentation", "ssh arc test ! -f /a/wal/%f && scp %p arc:/a/wal/%f", "scp", "arc:/a/wal"),
    Form(
        "storage box by its own port",
        'rsync -e "ssh -p 23" %p u1@u1.example.net:wal/%f',
        "rsync",
        "u1@u1.example.net:wal/",
        "relative to that user's home",
    ),
    Form(
        "a batch of sftp",
        "sftp -b /etc/batch wal@store",
        "sftp",
        "an unknown place",
        "sftp has the other host do",
    ),
    Form(
        "the other host comes for it",
        "ssh wal@store /opt/fetch.sh",
        "ssh",
        "an unknown place",
        "the other host do",
    ),
    Form("busybox", "busybox cp %p /mnt/wal/%f", "cp", "/mnt/wal"),
    Form("ANSI-C quotes", "bash -c $'cp %p \\'/mnt/a wal/%f\\'\\n'", "cp", "/mnt/a wal"),
    # scripts, as people write them
    Form(
        "its own folder's variables",
        "/opt/wal/a.sh %p %f",
        "aws",
        f"s3://acme/wal at {AWS}",
        environ=KEYS,
        files={
            "/opt/wal/a.sh": '#!/bin/bash\nhere=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)\n'
            '. "$here/env"\naws s3 cp "$1" "s3://$B/wal/$2"\n',
            "/opt/wal/env": "B=acme\n",
        },
    ),
    Form(
        "the same without a process",
        "/opt/wal/a.sh %p %f",
        "aws",
        f"s3://acme/wal at {AWS}",
        environ=KEYS,
        files={
            "/opt/wal/a.sh": '#!/bin/sh\n. "${0%/*}/env"\naws s3 cp "$1" "s3://$B/wal/$2"\n',
            "/opt/wal/env": "B=acme\n",
        },
    ),
    Form(
        "a command in an array",
        "/opt/a.sh %p %f",
        "aws",
        "s3://acme/wal at https://s3.example.net",
        environ=KEYS,
        files={
            "/opt/a.sh": "#!/bin/bash\ncall=(aws s3 cp)\ncall+=(--endpoint-url https://s3.example.net)\n"
            '"${call[@]}" "$1" "s3://acme/wal/$2"\n'
        },
    ),
    Form(
        "compressed or not, read back, renamed",
        "bash /etc/a.sh %p %f",
        "gzip",
        "/backup/wal",
        layout="%f…",
        files={
            "/etc/a.sh": "#!/usr/bin/env bash\nset -Eeuo pipefail\ndir=${DIR:-/backup/wal}\n"
            '[[ "$2" =~ ^[0-9A-Za-z._-]+$ && -f "$1" ]] || exit 2\n'
            'if [[ "$2" =~ ^[0-9A-F]{24}$ ]]; then into="$dir/$2.gz"; else into="$dir/$2"; fi\n'
            'part="$into.part"\n'
            "trap 'rm -f -- \"$part\"' EXIT\n"
            'if [[ "$into" == *.gz ]]; then gzip -nc <"$1" >"$part"; else cp -- "$1" "$part"; fi\n'
            'sync -- "$part"\nmv -- "$part" "$into"\n'
        },
    ),
    Form(
        "variables of a line each from a file",
        "/opt/a.sh %p %f",
        "aws",
        "s3://acme/wal, at an endpoint that",
        "adds to the environment is not known",
        environ=KEYS,
        files={
            "/opt/a.sh": '#!/bin/bash\nwhile IFS== read -r k v; do export "$k=$v"; done </etc/e\n'
            'aws s3 cp "$1" "s3://acme/wal/$2"\n'
        },
    ),
    Form(
        "variables by eval",
        "/opt/a.sh %p %f",
        "aws",
        "s3://acme/wal, at an endpoint that only the run",
        "adds to the environment is not known",
        environ=KEYS,
        files={"/opt/a.sh": '#!/bin/bash\neval "$(cat /etc/wal.conf)"\naws s3 cp "$1" "s3://acme/wal/$2"\n'},
    ),
    Form(
        "a store by its name",
        "/opt/a.sh %p %f",
        "aws",
        f"s3://acme/wal at {AWS} or /mnt",
        "only the run",
        environ=KEYS,
        files={
            "/opt/a.sh": '#!/bin/bash\ncase "${STORE:-s3}" in\ns3) aws s3 cp "$1" '
            '"s3://acme/wal/$2" ;;\nfolder) cp "$1" "/mnt/$2" ;;\nesac\n'
        },
    ),
    Form(
        "two hosts in a loop",
        "/opt/a.sh %p %f",
        "rsync",
        "a host that is computed",
        "its name is not known",
        files={"/opt/a.sh": '#!/bin/bash\nfor h in a b; do rsync -a "$1" pg@$h:/srv/"$2" || exit 1; done\n'},
    ),
    # repositories of snapshots, by a variable
    Form(
        "restic",
        "cat %p | restic backup --stdin --stdin-filename %f",
        "restic",
        "https://s3.example.net/acme/pg",
        "snapshots of its own format",
        environ={
            "RESTIC_REPOSITORY": "rest:https://me:a@HIDDEN@s3.example.net/acme/pg",
            "RESTIC_PASSWORD": "HIDDEN",
        },
    ),
    Form(
        "borg",
        "borg create ::%f %p",
        "borg",
        "ssh://h:22/./repo",
        "snapshots of its own format",
        environ={"BORG_REPO": "ssh://b:HIDDEN@h:22/./repo", "BORG_PASSPHRASE": "HIDDEN"},
    ),
    # whole folders
    Form("a whole pg_wal", "cp -r pg_wal /mnt/", "cp", "/mnt/pg_wal", layout="%f", look=""),
    Form("a whole pg_wal, with a slash", "cp -a /data/pg_wal/ /mnt", "cp", "/mnt/pg_wal", layout="%f"),
    Form("what is in pg_wal", "cp -r pg_wal/. /mnt/wal", "cp", "/mnt/wal", layout="%f"),
    Form("pg_wal to a host", "rsync -az pg_wal b@h:/srv", "rsync", "b@h:/srv/pg_wal", layout="%f"),
    Form("what is in it, to a host", "rsync -az pg_wal/ b@h:/srv/wal", "rsync", "b@h:/srv/wal", layout="%f"),
    Form("by scp", "scp -qr pg_wal/ b@h:/srv/", "scp", "b@h:/srv/pg_wal", layout="%f"),
    Form(
        "perl's own words",
        "perl -e 'use File::Copy; copy(shift, shift)' %p /srv/%f",
        "perl",
        "an unknown place",
        "what is written there is a program for perl",
    ),
    Form(
        "one after another",
        "flock -n /tmp/l timeout -k 5 60 ionice -c2 -n7 nice -n 10 cp %p /srv/wal/%f",
        "cp",
        "/srv/wal",
        layout="%f",
    ),
    Form("flock -c", "flock /tmp/l -c 'cp %p /srv/wal/%f'", "cp", "/srv/wal", layout="%f"),
    Form(
        "env -S",
        "env -S 'AWS_ACCESS_KEY_ID=AK AWS_SECRET_ACCESS_KEY=HIDDEN AWS_REGION=eu-west-1 aws s3 cp' "
        "%p s3://acme/wal/%f",
        "aws",
        f"s3://acme/wal at {AWS}",
    ),
    Form(
        "a password for ftp",
        "lftp -u me,HIDDEN -e 'put %p -o /wal/%f; bye' ftp.example.net",
        "lftp",
        "an unknown place",
        "where it sends a segment is not read",
    ),
    Form(
        "kopia, a password in its words",
        "kopia snapshot create %p --password=HIDDEN",
        "kopia",
        "an unknown place",
        "snapshots of its own format",
    ),
    Form(
        "spaces and umlauts", "cp '%p' '/srv/w\u00e4l archiv/%f'", "cp", "/srv/w\u00e4l archiv", layout="%f"
    ),
    # other languages, and what nobody knows
    Form(
        "pg_arca",
        "python3 -m pg_arca.wal_archive archive %p %f",
        "python3",
        "an unknown place",
        "for python3",
    ),
    Form(
        "soundhash",
        "python /opt/wal_archiving.py --archive %p %f",
        "python",
        "an unknown place",
        "/opt/wal_archiving.py is a program for python",
    ),
    Form(
        "supavise",
        "/usr/local/bin/supavise wal push --ref abc %p",
        "supavise",
        "an unknown place",
        "is not found",
    ),
    Form(
        "Supabase",
        "/usr/bin/admin-mgr wal-push %p >> /var/log/wal-g/wal-push.log 2>&1",
        "admin-mgr",
        "an unknown place",
        "it is Supabase's",
    ),
    Form(
        "StackGres",
        'exec-with-env "${ENV}" -- wal-g wal-push %p',
        "exec-with-env",
        "an unknown place",
        "it is StackGres's",
    ),
    Form("Windows", 'copy "%p" "C:\\wal\\%f"', "copy", "an unknown place", "copy is not found"),
    Form("a unit", "systemctl start wal-push@%f.service", "systemctl", "an unknown place", "is not found"),
    # what another stream than standard output is sent to
    Form(
        "errors thrown away behind the file",
        "gzip -c %p > /srv/wal/%f.gz 2>/dev/null",
        "gzip",
        "/srv/wal",
        layout="%f.gz",
        compression="gzip",
    ),
    Form(
        "errors into a log behind the file", "cat < %p > /srv/wal/%f 2>>/var/log/wal.log", "cat", "/srv/wal"
    ),
    # clients' variables and profiles
    Form(
        "a key with a slash in mc's variable",
        "mc cp %p m/acme/wal/%f",
        "mc",
        "s3://acme/wal at https://minio.example.net:9000",
        environ={"MC_HOST_m": "https://AK:HIDDEN/a+b@minio.example.net:9000"},
    ),
    Form(
        "a session token in mc's variable",
        "mc cp %p m/acme/wal/%f",
        "mc",
        "s3://acme/wal at https://minio.example.net",
        environ={"MC_HOST_m": "https://AK:HIDDEN:HIDDEN@minio.example.net"},
    ),
    Form(
        "an endpoint of a profile that ignores it",
        "aws s3 cp %p s3://acme/wal/%f",
        "aws",
        f"s3://acme/wal at {AWS}",
        environ=KEYS,
        files={
            f"{HOME}/.aws/config": "[default]\nendpoint_url=https://s3.example.net\n"
            "ignore_configured_endpoint_urls=true\n"
        },
    ),
    Form(
        "a whole folder by a variable that only the run tells",
        "rsync -a $WHERE/pg_wal bk@nas.example.net:/srv/",
        "rsync",
        "bk@nas.example.net:/srv/pg_wal",
    ),
    Form(
        "a script in latin-1 whose folder has an umlaut: read, its byte is U+FFFD",
        "/opt/a.sh %p %f",
        "cp",
        "/mnt/b\ufffd",
        "another encoding than UTF-8",
        files={"/opt/a.sh": '#!/bin/sh\ncp "$1" "/mnt/b\ufffd/$2"\n'},
    ),
    Form(
        "an endpoint where only awscli-plugin-endpoint reads it",
        "aws s3 cp %p s3://acme/wal/%f",
        "aws",
        "s3://acme/wal at https://s3.example.net",
        files={
            f"{HOME}/.aws/config": "[default]\nregion=eu-west-1\ns3 =\n  endpoint_url=https://s3.example.net\n"
            "[plugins]\nendpoint=awscli_plugin_endpoint\n"
        },
    ),
    Form(
        "the same without that plugin (botocore 1.44 asks Amazon)",
        "aws s3 cp %p s3://acme/wal/%f",
        "aws",
        f"s3://acme/wal at {AWS}",
        files={
            f"{HOME}/.aws/config": "[default]\nregion=eu-west-1\ns3 =\n  endpoint_url=https://s3.example.net\n"
        },
    ),
]
