"""Archive commands of public repositories, third part; what each comes to was written down first.

The forms are theirs, the texts are not: buckets, hosts and folders are made up, scripts are written anew.
"""

from tests.data.deployed import KEYS, NBG, PGBACKREST, WALG, Form

S3 = (
    "repo1-type=s3\nrepo1-s3-bucket=acme\nrepo1-s3-endpoint=s3.example.net\nrepo1-s3-region=x\n"
    "repo1-path=/pg\nrepo1-s3-key=AK\nrepo1-s3-key-secret=HIDDEN\n"
)
STORE = "s3://acme/pg at https://s3.example.net"

YET_MORE = [
    Form(
        "NixOS module: a whole name only once it is whole",
        "test ! -f /srv/wal/%f && cp %p /srv/wal/.tmp.%f && mv /srv/wal/.tmp.%f /srv/wal/%f",
        "cp",
        "/srv/wal",
        layout="%f",
    ),
    Form(
        "NixOS: pgBackRest of the store, with an include path",
        "/nix/store/abc-pgbackrest-2.54/bin/pgbackrest --stanza=main --config-include-path=/run/secrets/pgb "
        "archive-push %p",
        "pgBackRest",
        STORE,
        files={"/run/secrets/pgb/a.conf": f"[global]\n{S3}"},
        look="/nix/store/abc-pgbackrest-2.54/bin/pgbackrest --stanza=main "
        "--config-include-path=/run/secrets/pgb info",
    ),
    Form(
        "NixOS: a wrapper that reads its secrets",
        "/run/current-system/sw/bin/pgbackrest-wrapper --stanza=main archive-push %p",
        "pgBackRest",
        STORE,
        files={
            "/run/current-system/sw/bin/pgbackrest-wrapper": "#!/nix/store/x-bash-5.2/bin/bash\nset -a\n"
            'source /run/secrets/pgb\nset +a\nexec /nix/store/y-pgbackrest/bin/pgbackrest "$@"\n',
            "/run/secrets/pgb": "PGBACKREST_REPO1_S3_KEY=AK\nPGBACKREST_REPO1_S3_KEY_SECRET=HIDDEN\n",
            "/etc/pgbackrest/pgbackrest.conf": f"[global]\n{S3.partition('repo1-s3-key=')[0]}",
        },
    ),
    Form(
        "NixOS: barman-cloud of the store",
        "/nix/store/z-barman/bin/barman-cloud-wal-archive --cloud-provider aws-s3 "
        "--endpoint-url http://localhost:9000 s3://pg-backups pg-16 %p",
        "barman-cloud",
        "s3://pg-backups at http://localhost:9000",
        environ=KEYS,
        layout="pg-16/wals/LOG/",
    ),
    Form(
        "NixOS: WAL-G with a secret's file",
        "/nix/store/w-wal-g/bin/wal-g --config /run/agenix/wal-g-config.env wal-push %p",
        "WAL-G",
        NBG,
        files={"/run/agenix/wal-g-config.env": "".join(f"{name}={value}\n" for name, value in WALG.items())},
    ),
    Form(
        "PluralKit: a wrapper with three words before the verb",
        "/opt/pk-walg s3://acme/pg 5432 main wal-push %p",
        "WAL-G",
        NBG,
        files={
            "/opt/pk-walg": "#!/bin/bash\nexport WALG_S3_PREFIX=$1 PGPORT=$2 PGDATABASE=$3\nshift 3\n"
            'exec wal-g "$@"\n'
        },
        environ={name: value for name, value in WALG.items() if name != "WALG_S3_PREFIX"},
    ),
    Form(
        "Patroni: pgBackRest that is let fail, stanza by a variable's default",
        "pgbackrest --stanza=${PGBACKREST_STANZA:-main} archive-push %p || true",
        "pgBackRest",
        "/srv/repo",
        files=PGBACKREST,
        look="pgbackrest --stanza=main info",
    ),
    Form(
        "Patroni: a parameter of Spilo's parallel upload",
        "/usr/bin/envdir /etc/wal-g/envdir sh -c 'WALG_UPLOAD_CONCURRENCY=1 wal-g wal-push \"%p\"'",
        "WAL-G",
        NBG,
        files={f"/etc/wal-g/envdir/{name}": value for name, value in WALG.items()},
    ),
    Form(
        "a copy to S3 only where it is switched on: off",
        "/opt/postgres-backup.sh archive-wal %p %f",
        "cp",
        "/backups/wal",
        files={
            "/opt/postgres-backup.sh": "#!/bin/bash\nset -euo pipefail\nWAL_ARCHIVE_DIR=/backups/wal\n"
            'REMOTE_STORAGE=false\narchive_wal_files() {\n  if [[ "$1" == "archive-wal" ]]; then\n'
            '    local wal_path="$2"\n    local wal_file="$3"\n'
            '    cp "$wal_path" "${WAL_ARCHIVE_DIR}/${wal_file}"\n'
            '    if [[ "$REMOTE_STORAGE" == "true" ]]; then\n'
            '      aws s3 cp "${WAL_ARCHIVE_DIR}/${wal_file}" "s3://acme/wal/${wal_file}"\n    fi\n  fi\n}\n'
            'archive_wal_files "$@"\n'
        },
        layout="%f",
    ),
    Form(
        "saule1508/pgcluster: %p where the script has $1",
        "/opt/archive.sh %p %f",
        "rsync",
        "postgres@pg02:/u02/archive",
        files={
            "/opt/archive.sh": "#!/bin/bash\nTHISHOST=`hostname`\n"
            "/bin/rsync -ac $1 postgres@pg02:/u02/archive/$2\n"
            "exit $?\n"
        },
        layout="%f",
    ),
    Form(
        "rin-nas: compressed, renamed, only if not the same",
        '/var/lib/pgsql/archive_command.sh "%f" "%p"',
        "zstd",
        "/mnt/backup_db/archive_wal/cluster",
        files={
            "/var/lib/pgsql/archive_command.sh": "#!/bin/bash\nset -euo pipefail\nWAL_FILE=$1\nWAL_SRC=$2\n"
            "WAL_DST=/mnt/backup_db/archive_wal/cluster/$WAL_FILE.zst\n"
            'test ! -f "$WAL_DST" || { zstd -qdc "$WAL_DST" | cmp -s - "$WAL_SRC"; exit $?; }\n'
            'zstd -q -f "$WAL_SRC" -o "$WAL_DST.tmp" && mv "$WAL_DST.tmp" "$WAL_DST"\n'
        },
        layout="%f.zst",
        compression="zstd",
    ),
    Form(
        "Fanatico: age and rclone by variables of a file, encrypted only where a key is there",
        "/opt/backup/backup-wal.sh %f %p",
        "aws",
        "s3://acme/wal at https://s3.example.net",
        files={
            "/opt/backup/config.env": "export S3_BUCKET=acme AGE_RECIPIENT=age1x\n"
            "export AWS_ENDPOINT_URL=https://s3.example.net AWS_ACCESS_KEY_ID=AK "
            "AWS_SECRET_ACCESS_KEY=HIDDEN AWS_DEFAULT_REGION=x\n",
            "/opt/backup/backup-wal.sh": "#!/bin/bash\n. /opt/backup/config.env\n"
            'if [ -n "${AGE_RECIPIENT:-}" ]; then\n'
            '  age -r "$AGE_RECIPIENT" "$2" | aws s3 cp - "s3://$S3_BUCKET/wal/$1.age"\nelse\n'
            '  aws s3 cp "$2" "s3://$S3_BUCKET/wal/$1"\nfi\n',
        },
        layout="%f.age",
        encryption="age",
    ),
    Form(
        "pgBackRest: keys of a role, in the cloud",
        "pgbackrest --stanza=main archive-push %p",
        "pgBackRest",
        STORE,
        files={
            "/etc/pgbackrest/pgbackrest.conf": "[global]\n"
            f"{S3.partition('repo1-s3-key=')[0]}repo1-s3-key-type=web-id\n"
        },
    ),
    Form(
        "pgBackRest: its repository at the bucket's top, encrypted, in bundles",
        "pgbackrest --stanza=odd.name_1-x archive-push %p",
        "pgBackRest",
        "s3://acme at https://s3.example.net",
        files={
            "/etc/pgbackrest/pgbackrest.conf": f"[global]\n{S3.replace('/pg', '/')}repo1-bundle=y\n"
            "repo1-block=y\n"
            "repo1-cipher-type=aes-256-cbc\nrepo1-cipher-pass=HIDDEN\n[global:archive-push]\n"
            "compress-type=zst\n"
        },
        layout="archive/odd.name_1-x/VERSION-N/LOG/",
        encryption="aes-256-cbc",
    ),
    Form(
        "pgBackRest: a repository's host over TLS",
        "pgbackrest --stanza=main archive-push %p",
        "pgBackRest",
        "pgBackRest's repository 1 on backup.example.net",
        "known on that host alone",
        files={
            "/etc/pgbackrest/pgbackrest.conf": "[global]\nrepo1-host=backup.example.net\n"
            "repo1-host-type=tls\n"
            "repo1-host-ca-file=/c\nrepo1-host-cert-file=/d\nrepo1-host-key-file=/e\n"
        },
    ),
    Form(
        "pgBackRest: no file, all by words",
        "pgbackrest --config=/dev/null --stanza=main --pg1-path=/data --repo1-path=/srv/repo archive-push %p",
        "pgBackRest",
        "/srv/repo",
    ),
    Form(
        "a mirror of MinIO's client whose alias the script sets",
        "/opt/wal.sh %p %f",
        "mc",
        "s3://wal/prod at https://minio.example.net",
        files={
            "/opt/wal.sh": "#!/bin/sh\nset -e\n. /etc/minio.env\n"
            'mc alias set backup "https://$MINIO_ENDPOINT" "$MINIO_ACCESS" "$MINIO_SECRET" >/dev/null '
            "2>&1 || true\n"
            'mc cp --quiet "$1" "backup/wal/prod/$2"\n',
            "/etc/minio.env": "MINIO_ENDPOINT=minio.example.net\nMINIO_ACCESS=AK\nMINIO_SECRET=HIDDEN\n",
        },
        layout="%f",
    ),
    Form(
        "a store chosen by its name",
        "/opt/ship.sh %p %f",
        "rclone",
        "s3://acme/wal at https://s3.example.net",
        files={
            "/opt/ship.sh": '#!/bin/bash\nBACKEND="rclone"\ncase "$BACKEND" in\n'
            '  s3) aws s3 cp "$1" "s3://acme/wal/$2" ;;\n  rclone) rclone copyto "$1" '
            "\":s3,provider=Other,endpoint='https://s3.example.net',access_key_id=AK,"
            "secret_access_key=HIDDEN:"
            'acme/wal/$2" ;;\n  local) cp "$1" "/srv/$2" ;;\n  *) echo "unknown" >&2; exit 1 ;;\nesac\n'
        },
        layout="%f",
    ),
    Form(
        "switched off: it says yes, and stores nothing",
        "/opt/ship.sh %p %f",
        "ship.sh",
        "an unknown place",
        "nothing in /opt/ship.sh is known here to store a file",
        files={
            "/opt/ship.sh": '#!/bin/sh\nWAL_ENABLED=no\n[ "$WAL_ENABLED" = yes ] || exit 0\n'
            'aws s3 cp "$1" "s3://acme/$2"\n'
        },
    ),
    Form(
        "dry run first",
        "/opt/ship.sh %p %f",
        "rclone",
        "/mnt/nas/wal",
        files={
            "/opt/ship.sh": '#!/bin/sh\nDRY_RUN=0\nif [ "$DRY_RUN" -eq 1 ]; then\n'
            '  echo "would copy $1"\n  exit 0\n'
            'fi\nexec rclone copyto "$1" "/mnt/nas/wal/$2"\n'
        },
        layout="%f",
    ),
    Form(
        "the standby does nothing",
        "/opt/ship.sh %p %f",
        "lz4",
        "/srv/arc",
        files={
            "/opt/ship.sh": "#!/bin/bash\nROLE=primary\nif [[ $ROLE != primary ]]; then exit 0; fi\n"
            'lz4 -q -f "$1" "/srv/arc/$2.lz4"\n'
        },
        layout="%f.lz4",
        compression="lz4",
    ),
    Form(
        "an rsync daemon",
        "rsync -a %p rsync://wal@store.example.net/wal/%f",
        "rsync",
        "",
        "daemon",
    ),
]
