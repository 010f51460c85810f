"""A private Unix socket on this side, joined through an SSH channel to PostgreSQL on the other.

libpq can only connect to an address, so it gets one: a socket in a folder of mode 0700 that takes one
connection of our own user and is gone as soon as that has come.

The remote end is a process that runs as the database's OS user and joins its standard input and output to
the server's socket, so that peer authentication sees that user. The first line of its standard input is a
script, the second the socket's path, the rest the connection's. One line each, because `read` takes exactly
a line and leaves what follows to the process that comes after. Of its standard output the connection's is
what follows the bridge's name: before that stands what the login shell's ~/.bashrc prints.
"""

import asyncio
import os
import socket
import struct
import tempfile
from contextlib import suppress
from pathlib import Path
from shlex import quote
from typing import cast

import asyncssh
from asyncssh.channel import SSHChannel

from walconsole.adapters.ssh.scripts import PROGRAMS, new_name
from walconsole.domain.redaction import decode, safe

LAUNCH = "exec /bin/sh -c 'read -r script; eval \"$script\"'"
"""The exec channel's command. Whatever login shell sshd hands it to understands it."""

NO_USER, NO_SOCKET, NO_RELAY = 64, 65, 66
"""Exit statuses of the remote script."""

# Relays by descending thrift. Each closes its end when standard input ends, so that no backend is left.
# Python imports nothing of the user's or the site's (-IS), and what its own socket and threading stand on:
# it starts in half the time.
_PYTHON = (
    "import os,_socket,sys,_thread;"
    "a=sys.argv[1];s=_socket.socket(_socket.AF_UNIX);s.connect(chr(0)+a[1:] if a[0]=='@' else a);"
    "o=sys.stdout.buffer;"
    "up=lambda:(any(s.sendall(d) for d in iter(lambda:os.read(0,65536),b'')),s.shutdown(1));"
    "_thread.start_new_thread(up,());"
    "any(o.write(d) and o.flush() for d in iter(lambda:s.recv(65536),b''))"
)
_PERL = (
    'my $s=IO::Socket::UNIX->new(Peer=>$ARGV[0]=~s/^@/\\0/r) or die "connect: $!\\n";'
    "my $q=IO::Select->new(\\*STDIN,$s);"
    "while(my @r=$q->can_read){for my $f(@r){"
    "my $n=sysread($f,my $b,65536);"
    "if(!$n){exit if $f==$s;$q->remove($f);$s->shutdown(1);next}"
    "my $t=$f==$s?\\*STDOUT:$s;my $o=0;"
    "while($o<$n){my $w=syswrite($t,$b,$n-$o,$o);exit unless defined $w;$o+=$w}}}"
)

# The name is its $0. A path that begins with @ is a name without a file (unix(7), abstract): PostgreSQL has
# such, nc knows none. socat would take commas and colons in a path for its own syntax.
_RELAY = "; ".join(
    [
        "read -r s || exit 0",
        f'[ -S "$s" ] || case $s in @*) ;; *) echo "no socket $s" >&2; exit {NO_SOCKET} ;; esac',
        'echo "$0"',
        "case $s in @*) to=ABSTRACT-CONNECT:${s#@} ;; *) to=UNIX-CONNECT:$s ;; esac",
        'case $s in *[,:!]*) ;; *) command -v socat >/dev/null && exec socat - "$to" ;; esac',
        'case $s$(nc -h 2>&1) in @*) ;; *-N*-U*|*-U*-N*) exec nc -N -U "$s" ;; esac',
        f'command -v python3 >/dev/null && exec python3 -IS -c {quote(_PYTHON)} "$s"',
        f'command -v perl >/dev/null && exec perl -MIO::Socket::UNIX -MIO::Select -e {quote(_PERL)} "$s"',
        'echo "no relay" >&2',
        f"exit {NO_RELAY}",
    ]
)


def bridge_script(os_user: str, name: str) -> str:
    """The script, one line: become `os_user` by the first way there is, print `name` as a line, relay."""
    relay = f"{quote(_RELAY)} {name}"
    root_ways = (
        'setpriv --reuid="$u" --regid="$g" --init-groups true 2>/dev/null'
        f' && exec setpriv --reuid="$u" --regid="$g" --init-groups /bin/sh -c {relay};'
        f" command -v runuser >/dev/null && exec runuser -u {quote(os_user)} -- /bin/sh -c {relay};"
        f" exec su -s /bin/sh {quote(os_user)} -c {relay}"
    )
    return (
        f"cd /; LC_ALL=C; export LC_ALL; {PROGRAMS}; u=$(id -u -- {quote(os_user)} 2>/dev/null); "
        f"g=$(id -g -- {quote(os_user)} 2>/dev/null); "
        f'[ -n "$u" ] || {{ echo "no user" >&2; exit {NO_USER}; }}; '
        f'[ "$(id -u)" = "$u" ] && exec /bin/sh -c {relay}; '
        f'if [ "$(id -u)" = 0 ]; then {root_ways}; fi; '
        f"exec sudo -n -u {quote(os_user)} /bin/sh -c {relay}"
    )


_KEPT_STDERR = 4096
_KEPT_START = 8192
_LONGEST_SOCKET_PATH = 90  # sun_path is 104 bytes at the least
LOCAL_PORT = 5432
"""The port that names the local socket's file; it has nothing to do with the server's."""


class Bridge:
    """One connection's bridge. open() and listen() may run in either order, or at once.

    `started_with` keeps the first bytes of the server's answer: libpq does not tell the SQLSTATE of a
    connection that was refused, but the server did.
    """

    def __init__(self) -> None:
        self._chan: SSHChannel[bytes] | None = None
        self._near: asyncio.Transport | None = None
        self._listener: socket.socket | None = None
        self._joining: set[asyncio.Task[None]] = set()
        self._folder: Path | None = None
        self.name = new_name()
        self._waiting = bytearray()
        self._noise: bytearray | None = None
        """What was printed before the bridge's name; None where no name is waited for any more."""
        self._flowing = False
        self._stderr = bytearray()
        self.started_with = bytearray()
        self.exit_status: int | None = None
        self.closed = False

    async def open_process(self, conn: asyncssh.SSHClientConnection, os_user: str) -> None:
        """Start the remote process that connects as `os_user`; connect_to() tells it whereto.

        Raises asyncssh's errors.
        """
        self._waiting[:0] = bridge_script(os_user, self.name).encode() + b"\n"
        self._noise = bytearray()
        await conn.create_session(lambda: _ProcessEnd(self), LAUNCH, encoding=None)

    def connect_to(self, path: str) -> None:
        """Name the server's socket on the host. Once, before anything else is written."""
        self.write(path.encode() + b"\n")

    async def open_forward(self, conn: asyncssh.SSHClientConnection, port: int) -> None:
        """Join a TCP connection that sshd makes to its own `port` instead. Raises asyncssh's errors."""
        await conn.create_connection(lambda: _ForwardEnd(self), "localhost", port, encoding=None)

    async def listen(self) -> str:
        """Listen; the folder of the socket, for libpq's `host` beside the port LOCAL_PORT. Raises OSError."""
        folder = _private_folder()
        self._folder = Path(folder)
        listener = socket.socket(socket.AF_UNIX)
        try:
            listener.setblocking(False)
            listener.bind(str(self._folder / f".s.PGSQL.{LOCAL_PORT}"))
            listener.listen(1)
        except OSError:
            listener.close()
            raise
        self._listener = listener
        asyncio.get_running_loop().add_reader(listener, self._accept, listener)
        if self.closed:  # the other end was refused already: libpq shall not wait for it
            self._stop_listening()
        return folder

    def _accept(self, listener: socket.socket) -> None:
        """Take a connection, libpq's.

        Not by asyncio's server: closed between accepting and making the transport, that forgets the
        connection without closing it (CPython's _accept_connection2), and libpq would wait for ever.
        """
        try:
            near, _ = listener.accept()
        except OSError:
            return
        joining = asyncio.create_task(self._join(near), name="bridge")
        self._joining.add(joining)
        joining.add_done_callback(self._joining.discard)

    async def _join(self, near: socket.socket) -> None:
        near.setblocking(False)
        try:
            await asyncio.get_running_loop().connect_accepted_socket(lambda: _NearEnd(self), near)
        except OSError:
            near.close()

    @property
    def said(self) -> str:
        """The end of the remote process's standard error, safe to show."""
        return safe(decode(bytes(self._stderr)).strip().replace("\n", "; "))

    def close(self) -> None:
        """End both sides at once. The remote process ends with its channel."""
        self.closed = True
        self._stop_listening()
        if self._near is not None:
            self._near.abort()
            self._near = None
        if self._chan is not None:
            self._chan.abort()
            self._chan = None

    # -- what the two ends call

    def write(self, data: bytes) -> None:
        """Send towards the server, now or when the channel is open."""
        if self._flowing and self._chan is not None:
            with suppress(OSError):  # closing: libpq learns it from the end of its connection
                self._chan.write(data)
        else:
            self._waiting += data

    def far_opened(self, chan: SSHChannel[bytes]) -> None:
        """The channel is open, and asyncssh asks for the command next: write right behind that request."""
        self._chan = chan
        if self.closed:
            chan.abort()
        else:
            asyncio.get_running_loop().call_soon(self._start_flowing)

    def _start_flowing(self) -> None:
        self._flowing = True
        waiting, self._waiting = bytes(self._waiting), bytearray()
        if waiting:
            self.write(waiting)

    def far_said(self, data: bytes, datatype: asyncssh.DataType) -> None:
        """Bytes from the server, or from the remote process's standard error."""
        if datatype is not None:
            self._stderr = (self._stderr + data)[-_KEPT_STDERR:]
            return
        if self._noise is not None:
            data = self._behind_name(data)
        if len(self.started_with) < _KEPT_START:
            self.started_with += data
        if self._near is not None:
            self._near.write(data)

    def _behind_name(self, data: bytes) -> bytes:
        """What of `data` is the connection's: nothing before the name has come, whole or in parts."""
        heard = bytes(self._noise or b"") + data
        _, name, rest = heard.partition(self.name.encode() + b"\n")
        self._noise = None if name else bytearray(heard[-len(self.name) :])
        return rest

    def far_ended(self) -> None:
        """The channel is gone."""
        self.closed = True
        self._chan = None
        if self._near is not None:
            self._near.close()
        self._stop_listening()

    def near_accepted(self, transport: asyncio.Transport) -> bool:
        """libpq has connected: nobody else can from now on. False: it was somebody else."""
        if self.closed or self._near is not None or not _is_us(transport):
            return False
        self._near = transport
        self._stop_listening()
        return True

    def near_ended(self, transport: asyncio.Transport | None) -> None:
        """libpq has closed its end."""
        if transport is self._near and transport is not None:
            self._near = None
            if self._chan is not None:
                self._chan.close()

    def hold_near(self, hold: bool) -> None:
        """The channel is full (or not any more): stop (or go on) reading from libpq."""
        if self._near is not None and not self._near.is_closing():
            (self._near.pause_reading if hold else self._near.resume_reading)()

    def hold_far(self, hold: bool) -> None:
        """libpq is slow (or not any more): stop (or go on) reading from the channel."""
        if self._chan is not None:
            (self._chan.pause_reading if hold else self._chan.resume_reading)()

    def _stop_listening(self) -> None:
        if self._listener is not None:
            asyncio.get_running_loop().remove_reader(self._listener)
            self._listener.close()
            self._listener = None
        if self._folder is not None:
            with suppress(OSError):
                (self._folder / f".s.PGSQL.{LOCAL_PORT}").unlink()
            with suppress(OSError):
                self._folder.rmdir()
            self._folder = None


class _NearEnd(asyncio.Protocol):
    """libpq's connection."""

    def __init__(self, bridge: Bridge) -> None:
        self._bridge = bridge
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if not self._bridge.near_accepted(self._transport):
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._bridge.write(data)

    def pause_writing(self) -> None:
        self._bridge.hold_far(True)

    def resume_writing(self) -> None:
        self._bridge.hold_far(False)

    def connection_lost(self, exc: Exception | None) -> None:
        self._bridge.near_ended(self._transport)


class _ProcessEnd(asyncssh.SSHClientSession[bytes]):
    """The exec channel of the remote process."""

    def __init__(self, bridge: Bridge) -> None:
        self._bridge = bridge

    def connection_made(self, chan: asyncssh.SSHClientChannel[bytes]) -> None:
        self._bridge.far_opened(chan)

    def data_received(self, data: bytes, datatype: asyncssh.DataType) -> None:
        self._bridge.far_said(data, datatype)

    def pause_writing(self) -> None:
        self._bridge.hold_near(True)

    def resume_writing(self) -> None:
        self._bridge.hold_near(False)

    def exit_status_received(self, status: int) -> None:
        self._bridge.exit_status = status

    def connection_lost(self, exc: Exception | None) -> None:
        self._bridge.far_ended()


class _ForwardEnd(asyncssh.SSHTCPSession[bytes]):
    """The channel of a port forward."""

    def __init__(self, bridge: Bridge) -> None:
        self._bridge = bridge

    def connection_made(self, chan: asyncssh.SSHTCPChannel[bytes]) -> None:
        self._bridge.far_opened(chan)

    def data_received(self, data: bytes, datatype: asyncssh.DataType) -> None:
        self._bridge.far_said(data, datatype)

    def pause_writing(self) -> None:
        self._bridge.hold_near(True)

    def resume_writing(self) -> None:
        self._bridge.hold_near(False)

    def connection_lost(self, exc: Exception | None) -> None:
        self._bridge.far_ended()


def _private_folder() -> str:
    """A new folder of mode 0700 whose sockets' paths are not too long for sun_path."""
    folder = tempfile.mkdtemp(prefix="walconsole-")
    if len(folder) <= _LONGEST_SOCKET_PATH - len(".s.PGSQL.00000"):
        return folder
    Path(folder).rmdir()
    return tempfile.mkdtemp(prefix="walconsole-", dir="/tmp")


def _is_us(transport: asyncio.Transport) -> bool:
    """Whether the other end of a Unix socket runs as our user, where the system can tell."""
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return True
    size = struct.calcsize("3i")
    credentials = transport.get_extra_info("socket").getsockopt(socket.SOL_SOCKET, option, size)
    return bool(struct.unpack("3i", credentials)[1] == os.geteuid())
