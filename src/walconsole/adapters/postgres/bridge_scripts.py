"""The remote end of a bridge: a process that runs as the database's OS user and joins its standard
input and output to the server's socket, so that peer authentication sees that user.

The first line of standard input is a script, the second the socket's path, the rest the connection's.
One line each, because `read` takes exactly a line and leaves what follows to the process that comes after.
"""

from shlex import quote

LAUNCH = "exec /bin/sh -c 'read -r script; eval \"$script\"'"
"""The exec channel's command. Whatever login shell sshd hands it to understands it."""

NO_USER, NO_SOCKET, NO_RELAY = 64, 65, 66
"""Exit statuses of the remote script."""

# Relays by descending thrift. Each closes its end when standard input ends, so that no backend is left.
_PYTHON = (
    "import os,socket,sys,threading;"
    "s=socket.socket(socket.AF_UNIX);s.connect(sys.argv[1]);o=sys.stdout.buffer;"
    "up=lambda:(any(s.sendall(d) for d in iter(lambda:os.read(0,65536),b'')),s.shutdown(1));"
    "threading.Thread(target=up,daemon=True).start();"
    "any(o.write(d) and o.flush() for d in iter(lambda:s.recv(65536),b''))"
)
_PERL = (
    'my $s=IO::Socket::UNIX->new(Peer=>$ARGV[0]) or die "connect: $!\\n";'
    "my $q=IO::Select->new(\\*STDIN,$s);"
    "while(my @r=$q->can_read){for my $f(@r){"
    "my $n=sysread($f,my $b,65536);"
    "if(!$n){exit if $f==$s;$q->remove($f);$s->shutdown(1);next}"
    "my $t=$f==$s?\\*STDOUT:$s;my $o=0;"
    "while($o<$n){my $w=syswrite($t,$b,$n-$o,$o);exit unless defined $w;$o+=$w}}}"
)

# socat would take commas and colons in a path for its own syntax.
_RELAY = "; ".join(
    [
        "read -r s || exit 0",
        f'[ -S "$s" ] || {{ echo "no socket $s" >&2; exit {NO_SOCKET}; }}',
        'case $s in *[,:!]*) ;; *) command -v socat >/dev/null && exec socat - "UNIX-CONNECT:$s" ;; esac',
        'case $(nc -h 2>&1) in *-N*-U*|*-U*-N*) exec nc -N -U "$s" ;; esac',
        f'command -v python3 >/dev/null && exec python3 -c {quote(_PYTHON)} "$s"',
        f'command -v perl >/dev/null && exec perl -MIO::Socket::UNIX -MIO::Select -e {quote(_PERL)} "$s"',
        'echo "no relay" >&2',
        f"exit {NO_RELAY}",
    ]
)


def bridge_script(os_user: str) -> str:
    """The script, one line: become `os_user` by the first way there is, then relay."""
    relay = quote(_RELAY)
    root_ways = (
        'setpriv --reuid="$u" --regid="$g" --init-groups true 2>/dev/null'
        f' && exec setpriv --reuid="$u" --regid="$g" --init-groups /bin/sh -c {relay};'
        f" command -v runuser >/dev/null && exec runuser -u {quote(os_user)} -- /bin/sh -c {relay};"
        f" exec su -s /bin/sh {quote(os_user)} -c {relay}"
    )
    return (
        f"cd /; LC_ALL=C; export LC_ALL; u=$(id -u -- {quote(os_user)} 2>/dev/null); "
        f"g=$(id -g -- {quote(os_user)} 2>/dev/null); "
        f'[ -n "$u" ] || {{ echo "no user" >&2; exit {NO_USER}; }}; '
        f'[ "$(id -u)" = "$u" ] && exec /bin/sh -c {relay}; '
        f'if [ "$(id -u)" = 0 ]; then {root_ways}; fi; '
        f"exec sudo -n -u {quote(os_user)} /bin/sh -c {relay}"
    )
