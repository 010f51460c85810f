#!/bin/sh
# See to the servers that the tests use: install them on Debian and Ubuntu where we are root, else say what is missing.
# Never fails: what is still missing afterwards, the tests skip, or with CI=true fail, naming it. With `vm` as its
# argument also what makes and runs the virtual droplet of `make test-vm`.
set -u
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

# program (or a glob of it): Debian's package: what is tested with it
needed='pg_createcluster:postgresql:PostgreSQL
/usr/lib/postgresql/*/bin/initdb:postgresql:PostgreSQL
npm:npm:PostgreSQL 13, 14 and 16
sshd:openssh-server:OpenSSH
ssh-keygen:openssh-client:OpenSSH
ceph-mon:ceph-mon:Ceph RGW
ceph-osd:ceph-osd:Ceph RGW
radosgw:radosgw:Ceph RGW
radosgw-admin:radosgw:Ceph RGW
ceph:ceph-common:Ceph RGW
openssl:openssl:Ceph RGW
rclone:rclone:rclone
pgbackrest:pgbackrest:pgBackRest
barman-cloud-wal-archive:barman-cli-cloud:barman-cloud
barman-wal-archive:barman-cli:Barman
barman:barman:Barman
/usr/lib/python3/dist-packages/rados*.so:python3-rados:listings of a million objects
shellcheck:shellcheck:the scripts for the droplet
groff:groff-base:the man page
zstd:zstd:the scripts for the droplet
curl:curl:what a droplet asks of its endpoints
tmux:tmux:terminals
sudo:sudo:sudo
socat:socat:the bridge to the socket
nc:netcat-openbsd:the bridge to the socket
age:age:encrypted base backups
age-keygen:age:encrypted base backups'

[ "${1:-}" != vm ] || needed="$needed
debootstrap:debootstrap:the virtual droplet
qemu-system-x86_64:qemu-system-x86:the virtual droplet
qemu-img:qemu-utils:the virtual droplet
mke2fs:e2fsprogs:the virtual droplet"

present() {
    case $1 in
        /*) for file in $1; do [ -e "$file" ] && return; done; return 1 ;;
        *) command -v "$1" >/dev/null ;;
    esac
}

missing() {    # field 2: packages, 3: what is tested
    echo "$needed" | while IFS=: read -r program package tested; do
        present "$program" || if [ "$1" = 2 ]; then echo "$package"; else echo "$tested"; fi
    done | sort -u
}

one_line() { tr '\n' ' ' | sed 's/ $//'; }

apt() {
    DEBIAN_FRONTEND=noninteractive apt-get -q -o Acquire::Retries=3 -o DPkg::Lock::Timeout=120 \
        -o Dpkg::Options::=--force-confold "$@" </dev/null
}

install() {    # the tests start servers of their own: let the packages start and create none
    policy=/usr/sbin/policy-rc.d
    if [ ! -e $policy ]; then
        trap 'rm -f $policy' EXIT
        trap 'exit 1' HUP INT TERM
        printf '#!/bin/sh\nexit 101\n' >$policy && chmod 755 $policy
    fi
    if [ ! -e /etc/postgresql-common/createcluster.conf ]; then
        mkdir -p /etc/postgresql-common && echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
    fi
    apt update || echo "walconsole: apt-get update failed (its message is above); trying with the lists that are here" >&2
    # shellcheck disable=SC2086  # a list of package names
    apt install -y --no-install-recommends $1 || echo "walconsole: apt-get could not install $1 (its message is above)" >&2
}

packages=$(missing 2 | one_line)
[ -n "$packages" ] || exit 0
if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
    echo "walconsole: installing what the tests need: $packages"
    install "$packages" || true
fi
tested=$(missing 3 | paste -sd, - | sed 's/,/, /g')
if [ -n "$tested" ]; then
    echo "walconsole: not installed: $(missing 2 | one_line); tests that need it are skipped ($tested)."
    echo "walconsole: as root on Debian/Ubuntu: apt-get install --no-install-recommends $(missing 2 | one_line)"
fi
exit 0
