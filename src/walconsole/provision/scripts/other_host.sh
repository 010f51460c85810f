# What a host is, and what it has for a cluster of another one, in POSIX sh; lines KEY VALUE. It changes nothing.
#
# Prepended by elsewhere/look.py: user (the server's), path (where the installed scripts look for programs, may be empty),
# major (PostgreSQL's, may be empty), needed and own (programs; PostgreSQL's own).

LC_ALL=C
export LC_ALL
[ -z "$path" ] || PATH=$path

# A clone of a machine has its machine-id, and containers of one machine its boot_id: both together tell a host.
if [ -s /etc/machine-id ]; then
    echo "identity $(cat /etc/machine-id /proc/sys/kernel/random/boot_id 2>/dev/null | sha256sum | cut -c 1-16)"
fi
echo "hostname $(uname -n)"
echo "machine $(uname -m)"
echo "glibc $(getconf GNU_LIBC_VERSION 2>/dev/null)"
id -u "$user" >/dev/null 2>&1 && echo 'user yes'
for each in $needed; do
    command -v "$each" >/dev/null 2>&1 || echo "lacks $each"
done

# find_bin: the folder of the programs of that major version.
find_bin() {
    for each in "/usr/lib/postgresql/$major/bin" "/usr/pgsql-$major/bin" $(printf '%s' "$PATH" | tr : ' '); do
        case $("$each/postgres" --version 2>/dev/null) in
            *" $major"[!0-9]* | *" $major")
                echo "$each"
                return
                ;;
        esac
    done
}

if [ -n "$major" ]; then
    locale -a 2>/dev/null | sed 's/^/locale /'
    bin=$(find_bin)
    if [ -n "$bin" ]; then
        echo "bin $bin"
        for each in $own; do
            [ -x "$bin/$each" ] || echo "lacks $bin/$each"
        done
        "$bin/pg_config" --configure 2>/dev/null | tr "'" '\n' |
            sed -n -e 's/^--with-blocksize=/block /p' -e 's/^--with-wal-blocksize=/wal-block /p'
        for each in "$("$bin/pg_config" --pkglibdir 2>/dev/null)"/*.so; do
            library=${each##*/}
            echo "library ${library%.so}"
        done
    fi
    pg_lsclusters -h 2>/dev/null | while read -r version _ _ _ _ data _; do
        told=$("/usr/lib/postgresql/$version/bin/pg_controldata" "$data" 2>/dev/null)
        identifier=$(printf '%s\n' "$told" | sed -n 's/^Database system identifier: *//p')
        state=$(printf '%s\n' "$told" | sed -n 's/^Database cluster state: *//p')
        [ -z "$identifier" ] || echo "cluster $identifier $data|$state"
    done
fi
:
