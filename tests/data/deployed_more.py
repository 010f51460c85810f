"""More archive commands of public repositories: what each comes to was written down before it was tried.

The forms are theirs, the texts are not: buckets, hosts and folders are made up, scripts are written anew.
"""

from tests.data.deployed import Form

MORE = [
    Form(
        "zh docs rm",
        "gzip < %p > /backup/wal/%f.gz && rm %p",
        "gzip",
        "/backup/wal",
        layout="%f.gz",
        compression="gzip",
    ),
    Form(
        "terraform gcs",
        "gsutil cp pg_wal/%f gs://acme/wal_archive/ && rm pg_wal/%f",
        "gsutil",
        "gs://acme/wal_archive",
        "Google",
    ),
    Form(
        "rclone copy into %f",
        "rclone copy %p r2:acme-wal/wal/%f",
        "rclone",
        "s3://acme-wal/wal at https://acc.r2.example.net",
        files={
            "/var/lib/postgresql/.config/rclone/rclone.conf": "[r2]\ntype=s3\nprovider=Cloudflare\n"
            "access_key_id=AK\nsecret_access_key=H\n"
            "region=auto\nendpoint=https://acc.r2.example.net\n"
        },
        layout="%f/%f",
    ),
    Form(
        "rclone copy root/",
        "rclone copy %p r2:acme-wal/",
        "rclone",
        "s3://acme-wal at https://acc.r2.example.net",
        files={
            "/var/lib/postgresql/.config/rclone/rclone.conf": "[r2]\ntype=s3\nprovider=Cloudflare\n"
            "access_key_id=AK\nsecret_access_key=H\n"
            "region=auto\nendpoint=https://acc.r2.example.net\n"
        },
        layout="%f",
    ),
    Form(
        "rclone archive",
        "rclone -q --config /etc/rclone/rclone.conf archive %p r2:acme-wal/%f",
        "rclone",
        "an unknown place",
        "place of passage",
        files={
            "/etc/rclone/rclone.conf": "[r2]\ntype=s3\nprovider=Cloudflare\n"
            "access_key_id=AK\nsecret_access_key=H\n"
            "region=auto\nendpoint=https://acc.r2.example.net\n"
        },
    ),
    Form(
        "mc pipe",
        "mc pipe minio/backups/wal/%f < %p",
        "mc",
        "s3://backups/wal at https://m.example.net",
        files={
            "/var/lib/postgresql/.mc/config.json": '{"aliases":{"minio":{"url":"https://m.example.net","accessKey":"AK","secretKey":"H"}}}'
        },
        layout="%f",
    ),
    Form(
        "mc pipe of nothing",
        "mc pipe minio/backups/wal/%f",
        "mc",
        "s3://backups/wal at https://m.example.net",
        "standard input",
        files={
            "/var/lib/postgresql/.mc/config.json": '{"aliases":{"minio":{"url":"https://m.example.net","accessKey":"AK","secretKey":"H"}}}'
        },
    ),
    Form(
        "scp dated home",
        "scp %p user@backup-server:~/$(date +%Y/%m/%d)/%f",
        "scp",
        "user@backup-server:",
        "relative",
    ),
    Form(
        "pg docs backup in progress",
        "test ! -f /var/lib/pgsql/backup_in_progress || (test ! -f /archive/%f && cp %p /archive/%f)",
        "cp",
        "/archive",
        layout="%f",
    ),
    Form(
        "if exists echo",
        'if [ -f /archive/%f ]; then echo "Archive %f already exists" 1>&2; else cp %p /archive/%f; fi',
        "cp",
        "/archive",
        layout="%f",
    ),
    Form(
        "pigsty dated",
        "wal_dir=/pg/arcwal; wal_dir_today=${wal_dir}/$(date +%Y%m%d); [[ $(date "
        '+%H%M) == 1200 ]] && rm -rf ${wal_dir}/$(date -d"yesterday" +%Y%m%d); mkdir '
        "-p ${wal_dir_today} && gzip -kqc %p > ${wal_dir_today}/%f.gz",
        "gzip",
        "/pg/arcwal",
        layout="…/%f.gz",
        compression="gzip",
    ),
    Form(
        "pigsty if",
        'if [ $(date +%H%M) -eq 1200 ]; then rm -rf /pg/arcwal/$(date -d"yesterday" '
        "+%Y%m%d); fi; mkdir -p /pg/arcwal/$(date +%Y%m%d) && gzip -kqc %p > "
        "/pg/arcwal/$(date +%Y%m%d)/%f.gz",
        "gzip",
        "/pg/arcwal",
        layout="…/%f.gz",
        compression="gzip",
    ),
    Form(
        "supabase subshell",
        "(test ! -f /opt/a/%f && cp %p /opt/a/%f); test -f /opt/a/%f; CP_EXIT=$?; "
        "find /opt/a -type f -mmin +1440 -delete || true; exit $CP_EXIT",
        "cp",
        "/opt/a",
        layout="%f",
    ),
    Form(
        "ssh test then scp",
        'ssh db2.example.com "test ! -f /var/a/%f" && scp %p db2.example.com:/var/a/%f',
        "scp",
        "db2.example.com:/var/a",
        layout="%f",
    ),
    Form(
        "ssh test rsync",
        "ssh h test ! -f /data/W/%f && rsync -az %p h:/data/W/%f",
        "rsync",
        "h:/data/W",
        layout="%f",
    ),
    Form(
        "ssh pgbackrest stdin",
        'ssh pgbackrest@lb "pgbackrest --stanza=n archive-push" < %p',
        "ssh",
        "an unknown place",
        "other host",
    ),
    Form(
        "az login",
        "az storage blob upload --account-name acct --container-name wal-archive "
        '--name "%f" --file "%p" --auth-mode login',
        "az",
        "https://acct.blob.core.windows.net/wal-archive",
        "own API",
    ),
    Form(
        "curl sidecar",
        "curl -sf -X POST -F file=@%p -F name=%f http://localhost:8442/wal/push",
        "curl",
        "http://localhost:8442/wal/push",
        "not read",
    ),
    Form(
        "curl minio",
        "curl -X PUT -T %p http://minio:9000/postgres-wal/%f",
        "curl",
        "http://minio:9000/postgres-wal",
        "not read",
    ),
    Form(
        "pg_compresslog",
        "pg_compresslog %p - | gzip > /backup/arc/%f.gz",
        "gzip",
        "/backup/arc",
        "pg_compresslog",
    ),
    Form(
        "tar dated",
        "mkdir -p /d/`date +%Y%V`/ && tar -zcf /d/`date +%Y%V`/%f.tar.gz %p",
        "tar",
        "an unknown place",
        "packs",
    ),
    Form(
        "zip dated",
        "mkdir -p /d/x/$(date +%Y%m%d) && test ! -f /d/x/$(date +%Y%m%d)/%f.zip && "
        "zip -r /d/x/$(date +%Y%m%d)/%f.zip %p",
        "zip",
        "an unknown place",
        "packs",
    ),
    Form(
        "envdir pgbackrest",
        "envdir ~/pgbackrest.d/env pgbackrest archive-push %p",
        "pgBackRest",
        "s3://acme/repo at https://s3.example.net",
        files={
            "/var/lib/postgresql/pgbackrest.d/env/PGBACKREST_STANZA": "main\n",
            "/var/lib/postgresql/pgbackrest.d/env/PGBACKREST_REPO1_TYPE": "s3\n",
            "/var/lib/postgresql/pgbackrest.d/env/PGBACKREST_REPO1_S3_BUCKET": "acme\n",
            "/var/lib/postgresql/pgbackrest.d/env/PGBACKREST_REPO1_S3_ENDPOINT": "s3.example.net\n",
            "/var/lib/postgresql/pgbackrest.d/env/PGBACKREST_REPO1_S3_REGION": "x\n",
            "/var/lib/postgresql/pgbackrest.d/env/PGBACKREST_REPO1_PATH": "/repo\n",
        },
    ),
    Form(
        "rsync or true",
        "rsync -a %p /archive/%f || /bin/true",
        "rsync",
        "/archive",
    ),
    Form(
        "openssl",
        "openssl enc -aes-256-cbc -salt -pbkdf2 -in %p -out /mnt/archive/%f.enc -pass pass:$ENCRYPTION_KEY",
        "openssl",
        "/mnt/archive",
        layout="%f.enc",
        encryption="openssl",
    ),
    Form(
        "bash -c set -a",
        'bash -c "set -a; source /etc/wal-g/env; set +a; wal-g wal-push %p"',
        "WAL-G",
        "s3://acme/pg at https://s3.eu-west-1.amazonaws.com",
        files={
            "/etc/wal-g/env": "WALG_S3_PREFIX=s3://acme/pg\nAWS_ACCESS_KEY_ID=AK\nAWS_SECRET_ACCESS_KEY=H\n"
            "AWS_REGION=eu-west-1\n"
        },
    ),
    Form(
        "set -a source sh",
        "set -a; source /etc/walg/walg.env; set +a; wal-g wal-push %p >> /var/log/w.log 2>&1",
        "WAL-G",
        "s3://acme/pg at https://s3.eu-west-1.amazonaws.com",
        files={
            "/etc/walg/walg.env": "WALG_S3_PREFIX=s3://acme/pg\nAWS_ACCESS_KEY_ID=AK\nAWS_SECRET_ACCESS_KEY=H\n"
            "AWS_REGION=eu-west-1\n"
        },
    ),
    Form(
        "bash -lc",
        'bash -lc "wal-g wal-push %p"',
        "WAL-G",
        "an unknown place",
        "profile",
    ),
    Form(
        "social mail",
        "/a.sh %p %f",
        "aws",
        "s3://bk/wal at https://s3.eu-west-1.amazonaws.com",
        files={
            "/a.sh": '#!/bin/sh\nexport AWS_ENC_KEY=$(cat /app/.pwd)\ngzip -c "$1" > "$1.gz"\naws '
            's3 cp --sse-c AES256 --sse-c-key "$AWS_ENC_KEY" "$1.gz" "s3://$B/$W/$2.gz"\n'
            'rm "$1.gz"\n'
        },
        environ={
            "AWS_ACCESS_KEY_ID": "AK",
            "AWS_SECRET_ACCESS_KEY": "HIDDEN",
            "AWS_REGION": "eu-west-1",
            "B": "bk",
            "W": "wal",
        },
        layout="%f.gz",
        compression="gzip",
        encryption="SSE-C",
    ),
    Form(
        "b2 script",
        "/a.sh %p %f",
        "b2",
        "bucket bk",
        "own API",
        files={
            "/a.sh": '#!/bin/bash\nset -euo pipefail\nWAL_PATH="$1"\nWAL_NAME="$2"\nif [[ -z '
            '"${B2_BUCKET_NAME:-}" || -z "${B2_KEY_ID:-}" ]]; then\n exit 0\nfi\n'
            'T="/tmp/wal-archive"\nmkdir -p "$T"\nC="${T}/${WAL_NAME}.gz"\ngzip -c '
            '"$WAL_PATH" > "$C"\nb2 file upload "$B2_BUCKET_NAME" "$C" '
            '"wal/${WAL_NAME}.gz"\nrm -f "$C"\n'
        },
        environ={"B2_BUCKET_NAME": "bk", "B2_KEY_ID": "x"},
    ),
    Form(
        "age script",
        "/a.sh %p %f",
        "aws",
        "s3://acme/postgres/staging/wal at https://acct.r2.example.net",
        files={
            "/a.sh": '#!/bin/bash\nset -euo pipefail\nP="${1:-}"\nF="${2:-}"\nif [ -z "$P" ] || [ '
            '-z "$F" ]; then exit 1; fi\n'
            'E="${S3_ENDPOINT:-https://acct.r2.example.net}"\nB="${S3_BUCKET:-acme}"\n'
            'ENVIRONMENT="${ENVIRONMENT:-staging}"\n'
            'X="${S3_PREFIX:-postgres/${ENVIRONMENT}/wal}"\nTEMP_DIR=$(mktemp -d)\ntrap '
            '"rm -rf $TEMP_DIR" EXIT\nC="$TEMP_DIR/$F.gz"\ngzip -c "$P" > "$C"\nage -r '
            '"$AGE" -o "$C.age" "$C"\naws s3 cp "$C.age" "s3://$B/$X/$F.gz.age" '
            '--endpoint-url "$E"\n'
        },
        environ={"AWS_ACCESS_KEY_ID": "AK", "AWS_SECRET_ACCESS_KEY": "HIDDEN", "AWS_REGION": "eu-west-1"},
        layout="%f.gz.age",
        compression="gzip",
        encryption="age",
    ),
    Form(
        "case archive-wal",
        "/b.sh wal-archive %p %f",
        "cp",
        "/var/backups/acme/wal",
        files={
            "/b.sh": '#!/bin/bash\nset -e\nwal_archive() { cp "$1" "$W/$2.part" && mv '
            '"$W/$2.part" "$W/$2"; }\nW="${BACKUP_STORAGE_PATH:-/var/backups/acme}/wal"\n'
            'base() { pg_basebackup -D "$W/../base"; }\ncase "${1:-}" in\n base) base '
            ';;\n wal-archive) wal_archive "$2" "$3" ;;\n *) exit 1;;\nesac\n'
        },
        layout="%f",
    ),
    Form(
        "preserve cp",
        "bash /data/archive.sh %f %p",
        "cp",
        "/arch",
        files={
            "/data/archive.sh": '#!/bin/bash\narch_dir=/arch\ntest ! -f "$arch_dir/$1" && cp '
            '--preserve=timestamps $2 "$arch_dir/$1";\nfind "$arch_dir" -type f -mtime '
            "+7 -exec rm -f {} \\;\n"
        },
        layout="%f",
    ),
    Form(
        "handler function",
        "/a.sh %p %f",
        "rsync",
        "bk@h:/b/current/wal",
        files={
            "/a.sh": "#!/bin/sh\nfull_file=$1\nfile=$2\nhandler()\n{\n command=$@\n out=`$command "
            "2>&1`\n ret=$?\n if [ $ret -ne 0 ]; then echo x; exit 1; fi\n}\nhandler "
            "rsync -a $full_file bk@h:/b/current/wal/$file\n"
        },
        layout="%f",
    ),
    Form(
        "cp multi lines",
        "\n  cp %p /backup/wal/%f &&\n  md5sum /backup/wal/%f > /backup/wal/%f.md5\n",
        "cp",
        "/backup/wal",
        layout="%f",
    ),
    Form(
        "chmod after",
        "test ! -f /v/w/%f && cp %p /v/w/%f && chmod 0600 /v/w/%f",
        "cp",
        "/v/w",
        layout="%f",
    ),
    Form(
        "if mkdir",
        'if [ ! -d /v/a/ ]; then mkdir -p /v/a/; echo "mkdir" ; fi; cp %p /v/a/%f',
        "cp",
        "/v/a",
        layout="%f",
    ),
    Form(
        "aws configure env file export",
        "/a.sh %p %f",
        "aws",
        "s3://acme/wal at https://s3.eu-west-1.amazonaws.com",
        files={
            "/a.sh": '#!/bin/bash\nexport $(grep -v "^#" /etc/backup.env | xargs)\naws s3 cp "$1" '
            '"s3://$BUCKET/wal/$2"\n',
            "/etc/backup.env": "BUCKET=acme\nAWS_REGION=eu-west-1\n",
        },
        layout="%f",
    ),
    Form(
        "load_env loop",
        "bash /a.sh %p %f",
        "aws",
        "a bucket",
        "computed",
        files={
            "/a.sh": '#!/bin/bash\nload_env() { while IFS= read -r line; do export "$line"; done '
            '< "$1"; }\nload_env /x/.env\nif [ -z "${AWS_S3_BUCKET-}" ]; then exit 2; '
            'fi\naws s3 cp "$1" "s3://$AWS_S3_BUCKET/wal/$2"\n'
        },
    ),
    Form(
        "walg script check",
        "/a.sh %p %f",
        "WAL-G",
        "s3://acme/pg at https://s3.eu-west-1.amazonaws.com",
        files={
            "/a.sh": '#!/bin/bash\nset -euo pipefail\nWAL_PATH="${1:-}"\n'
            'WAL_NAME="${2:-$(basename "$WAL_PATH")}"\nif [ -z "$WAL_PATH" ] || [ ! -f '
            '"$WAL_PATH" ]; then exit 1; fi\nif ! command -v wal-g >/dev/null 2>&1; then '
            "exit 1; fi\n[ -f /etc/wal-g/wal-g.env ] && source /etc/wal-g/wal-g.env\n"
            'export WALG_S3_PREFIX="${WALG_S3_PREFIX:-s3://acme/pg}"\nif wal-g wal-push '
            '"$WAL_PATH"; then echo ok; else exit 1; fi\n'
        },
        environ={"AWS_ACCESS_KEY_ID": "AK", "AWS_SECRET_ACCESS_KEY": "HIDDEN", "AWS_REGION": "eu-west-1"},
    ),
]
