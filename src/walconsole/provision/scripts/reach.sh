# The way from the droplet to an endpoint. It changes nothing, and sends nothing but an unsigned GET of /.
#
# Prepended: scheme, host, port; trusted, a file of certificates to go by where it is there. A record a line: KEY VALUE.

LC_ALL=C
export LC_ALL

say() { printf '\001%s %s\n' "$1" "$2"; }
missing() { say missing "$1: $2 is not installed"; }

began=$(date +%s%3N)
found=$(timeout 10 getent ahosts "$host" | awk '{ print $1 }')
say name_ms "$(($(date +%s%3N) - began))"
if [ -z "$found" ]; then
    say problem "the name $host is not resolved"
    exit 0
fi
for each in $found; do say address "$each"; done

if command -v curl >/dev/null; then
    mark=$(printf '\001')
    form='%{time_namelookup} %{time_connect} %{time_appconnect} %{http_code} %{remote_ip}'
    say asked_at "$(date +%s.%3N)"
    [ -r "$trusted" ] || trusted=
    answer=$(curl -q -sS ${trusted:+--cacert "$trusted"} --noproxy '*' -o /dev/null -D - --connect-timeout 8 --max-time 15 -w "\\n${mark}curl $form\\n" \
        "$scheme://$host:$port/" 2>&1)
    status=$?
    say answered_at "$(date +%s.%3N)"
    printf '%s\n' "$answer" | tr -d '\r' | sed -n 's/^[Dd]ate: \(.*\)/\x01date \1/p; /^\x01curl /p'
    if [ "$status" != 0 ]; then
        say problem "$(printf '%s\n' "$answer" | sed -n 's/^curl: //p' | tail -n 1)"
    fi
elif command -v bash >/dev/null; then
    missing 'TLS and the clock' curl
    began=$(date +%s%3N)
    if timeout 8 bash -c 'exec 3<>"/dev/tcp/$1/$2"' - "$host" "$port" 2>/dev/null; then
        say tcp_ms "$(($(date +%s%3N) - began))"
    else
        say problem "no TCP connection to port $port"
    fi
else
    missing 'the connection' 'curl'
fi

address=${found%%
*}
route=$(ip -o route get "$address" 2>/dev/null) || route=
device=$(printf '%s\n' "$route" | sed -n 's/.* dev \([^ ]*\).*/\1/p')
mtu=$(cat "/sys/class/net/$device/mtu" 2>/dev/null)
if [ -z "$mtu" ]; then
    missing 'the MTU' 'ip (iproute2)'
elif ! command -v ping >/dev/null; then
    say mtu "$mtu"
    missing 'whether large packets get through' ping
else
    say mtu "$mtu"
    case $address in *:*) heads=48 ;; *) heads=28 ;; esac
    room=$((mtu - heads))
    [ "$room" -le 65507 ] || room=65507
    if ping -n -c 2 -W 2 -M 'do' -s "$room" "$address" >/dev/null 2>&1; then
        say large 1
    elif ping -n -c 2 -W 2 -s 56 "$address" >/dev/null 2>&1; then
        say large 0
    fi
fi
exit 0
