"""One SSH connection: dialled on demand by one task at a time, redialled when it is lost."""

import asyncio
import shlex
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import asyncssh

from walconsole.adapters.ssh import host_keys as ssh_hostkeys
from walconsole.adapters.ssh import local
from walconsole.adapters.ssh import wire as ssh_wire
from walconsole.adapters.ssh.errors import authentication_error, connection_error
from walconsole.adapters.ssh.host_keys import KnownHost, fingerprint
from walconsole.adapters.ssh.settings import Identities, SshSettings, collect_identities, resolve
from walconsole.command_register import HERE, LASTING, CommandKind, CommandRegister
from walconsole.domain.patience import Patience
from walconsole.domain.profile import SshTarget
from walconsole.errors import AuthenticationError, HostKeyError, SshError
from walconsole.ports import Clock, Operator

E = TypeVar("E", bound=SshError)

KEEPALIVE_INTERVAL_S = 2.5
KEEPALIVE_COUNT = 2
"""A silent connection counts as lost after three intervals, 7.5 s."""

QUICK_CIPHERS = "^aes256-gcm@openssh.com,aes128-gcm@openssh.com"
"""Before asyncssh's other ones, where ssh_config has no `Ciphers`: its chacha20-poly1305 takes seven times as
long, at every packet, and was a quarter of what a look at one of many clusters costs."""

MAX_JUMPS = 8
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 5.0
CLOSING_S = 1.0


@contextmanager
def carried_files(lines: Sequence[str]) -> Iterator[list[str] | None]:
    """The configuration files that asyncssh reads them from, None where there are none.

    Where the system names open files (Linux' /proc), the file has no name of its own: a kill leaves none.
    """
    if not lines:
        yield None
        return
    nameless = Path("/proc/self/fd").is_dir()
    make = tempfile.TemporaryFile if nameless else tempfile.NamedTemporaryFile
    with make("w", encoding="utf-8", suffix=".ssh_config") as file:
        file.write("".join(f"{line}\n" for line in lines))
        file.flush()
        yield [f"/proc/self/fd/{file.fileno()}" if nameless else file.name]


class _Client(asyncssh.SSHClient):
    """What asyncssh asks while it connects."""

    def __init__(self, keys: Identities) -> None:
        self._keys: list[asyncssh.SSHKeyPair] | None = keys.keys
        self.shown_key: asyncssh.SSHKey | None = None
        self._conn: asyncssh.SSHClientConnection | None = None
        self.reached: Callable[[], None] = lambda: None
        self.was_reached = False
        self.fell_silent: Callable[[], None] = lambda: None

    def connection_made(self, conn: asyncssh.SSHClientConnection) -> None:
        self._conn = conn
        self.was_reached = True
        self.reached()

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is not None and "keepalive" in str(exc):
            self.fell_silent()

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        self.shown_key = key  # only called for keys that are not known
        return False

    def begin_auth(self, username: str) -> None:
        if self._conn is not None and self._keys:
            ssh_wire.begin_with_key(self._conn, self._keys[0])

    def public_key_auth_requested(self) -> Any:
        """Every key, once, in our order."""
        keys, self._keys = self._keys, None
        return keys or None


class SshConnection:
    """The connection to `target`, through its jump hosts.

    A refusal (host key, authentication) is remembered: it is raised again at once until retry().
    Other failures are raised again during a pause that doubles up to LONGEST_PAUSE_S. A connection that is
    silent for `keepalive_s`, None for KEEPALIVE_INTERVAL_S, is asked whether it is still there.
    """

    def __init__(
        self,
        target: SshTarget,
        operator: Operator,
        clock: Clock,
        register: CommandRegister,
        patience: Patience | None = None,
        keepalive_s: float | None = None,
    ) -> None:
        self.target, self._keepalive_s = target, _or_usual(keepalive_s)
        self._operator, self._clock, self._register = operator, clock, register
        self._patience = patience if patience is not None else Patience()
        self._silence_s = 0.0
        self.fell_silent = False
        """Whether the last connection ended since the other end did not answer any more."""
        self._conn: asyncssh.SSHClientConnection | None = None
        self._jumps: list[asyncssh.SSHClientConnection] = []
        self._dialling: asyncio.Task[asyncssh.SSHClientConnection] | None = None
        self._failure: SshError | None = None
        self._pause_s, self._not_before = FIRST_PAUSE_S, 0.0
        self._passphrases: dict[str, str] = {}
        self._accepted: dict[str, asyncssh.SSHKey] = {}
        self._closed = False
        self.settings: SshSettings | None = None
        self.connected_at = 0.0
        self.connects = 0

    def twin(self) -> "SshConnection":
        """One more to the same target, which asks nothing that was answered for this one."""
        known = self.target, self._operator, self._clock, self._register, self._patience
        twin = SshConnection(*known, self._keepalive_s)
        twin._passphrases, twin._accepted = self._passphrases, self._accepted
        return twin

    async def get(self) -> asyncssh.SSHClientConnection:
        """The open connection, dialling when there is none. Raises errors.SshError."""
        if self._conn is not None and not self._conn.is_closed():
            return self._conn
        if self._closed:
            raise SshError(f"ssh {self.target}", "the console is closing")
        if self._dialling is None:
            self._raise_remembered()
        return await asyncio.shield(self._dialling or self._begin())

    def dial(self) -> None:
        """Begin to connect for whoever asks next: that one waits for it, or is told why it failed."""
        if self._conn is None and self._dialling is None and not self._closed:
            self._begin()

    def _begin(self) -> asyncio.Task[asyncssh.SSHClientConnection]:
        self._dialling = asyncio.create_task(self._dial(), name=f"ssh {self.target}")
        self._dialling.add_done_callback(self._dialled)
        return self._dialling

    @property
    def connected(self) -> bool:
        """There is an open connection."""
        return self._conn is not None and not self._conn.is_closed()

    def retry(self) -> None:
        """Forget what failed: the next call dials again, and may ask again."""
        self._failure, self._pause_s, self._not_before = None, FIRST_PAUSE_S, 0.0

    def drop(self) -> None:
        """Give the connection up without a word, because it does not answer any more."""
        conns, self._conn, self._jumps = [self._conn, *self._jumps], None, []
        for conn in conns:
            if conn is not None:
                conn.abort()

    def _note_silence(self) -> None:
        self.fell_silent = True

    def ask_when_silent(self, keepalive_s: float | None) -> None:
        """For so long from now on, on the connection that there is, too; None for KEEPALIVE_INTERVAL_S."""
        self._keepalive_s = _or_usual(keepalive_s)
        self.follow_pace()

    def follow_pace(self) -> None:
        """Bear as long a silence as the droplet's pace asks for, before the connection counts as lost."""
        wanted_s = self._patience.attempt(self._keepalive_s * (KEEPALIVE_COUNT + 1))
        if self.connected and self._conn is not None and wanted_s != self._silence_s:
            self._silence_s = wanted_s
            self._conn.set_keepalive(wanted_s / (KEEPALIVE_COUNT + 1), KEEPALIVE_COUNT)

    async def alive(self, timeout_s: float) -> bool:
        """Whether the other end answers a keepalive within `timeout_s`."""
        conn = self._conn
        if conn is None or conn.is_closed():
            return False
        return await ssh_wire.answers(conn, timeout_s)

    async def aclose(self) -> None:
        """Close, politely when the other end still listens."""
        self._closed = True
        if self._dialling is not None:
            self._dialling.cancel()
            with suppress(asyncio.CancelledError, SshError):
                await self._dialling
        conns, self._conn, self._jumps = [self._conn, *self._jumps], None, []
        for conn in conns:
            if conn is not None:
                await _close(conn)

    def _raise_remembered(self) -> None:
        failure = self._failure
        if failure is None:
            return
        final = isinstance(failure, (HostKeyError, AuthenticationError))
        if final or self._clock.monotonic() < self._not_before:
            raise _again(failure)

    def _dialled(self, task: asyncio.Task[asyncssh.SSHClientConnection]) -> None:
        self._dialling = None
        if task.cancelled():
            return
        error = task.exception()
        if error is None:
            self.retry()
        elif isinstance(error, SshError):
            self._failure = error
            self._not_before = self._clock.monotonic() + self._pause_s
            self._pause_s = min(self._pause_s * 2, LONGEST_PAUSE_S)

    async def _dial(self) -> asyncssh.SSHClientConnection:
        chain: list[asyncssh.SSHClientConnection] = []
        try:
            conn = await self._reach(self.target, None, chain, depth=0)
        except BaseException:
            for jump in reversed(chain):
                jump.abort()
            raise
        self._conn, self._jumps = conn, [jump for jump in reversed(chain) if jump is not conn]
        self.connects += 1
        self.connected_at = self._clock.now()
        self._patience.lost()
        self._silence_s = 0.0
        self.fell_silent = False
        self.follow_pace()
        return conn

    async def _reach(
        self,
        target: SshTarget,
        tunnel: asyncssh.SSHClientConnection | None,
        chain: list[asyncssh.SSHClientConnection],
        depth: int,
    ) -> asyncssh.SSHClientConnection:
        """Connect to `target` through its jump hosts; every open connection is added to `chain`."""
        with local.telling(self._register, self._clock.now):
            settings = await asyncio.to_thread(resolve, target)
        if depth == 0:
            self.settings = settings
        if depth > MAX_JUMPS:
            raise SshError(
                f"ssh {self.target}", "ProxyJump leads in a circle", "correct the ssh configuration"
            )
        if settings.jump and tunnel is None:
            for jump in settings.jump.split(","):
                through = _jump_target(jump, target)
                try:
                    tunnel = await self._reach(through, tunnel, chain, depth + 1)
                except SshError as error:  # it is not the host that is dead, or asks, or was changed
                    if not error.why.startswith(("its jump host", "ProxyJump")):
                        error.why = f"its jump host {through}: {error.why}"
                        error.args = (error.line(),)
                    raise
        conn = await self._log_in(settings, tunnel)
        chain.append(conn)
        return conn

    async def _log_in(
        self, settings: SshSettings, tunnel: asyncssh.SSHClientConnection | None
    ) -> asyncssh.SSHClientConnection:
        """Connect, asking the operator where that is needed. Questions are asked while no connection
        is open, so that neither sshd's LoginGraceTime nor our own timeout runs meanwhile."""
        asked: dict[str, bool] = {}
        while True:
            known = ssh_hostkeys.look_up(settings, self._accepted)
            keys = await collect_identities(settings, self._passphrases)
            client = _Client(keys)
            client.fell_silent = self._note_silence
            try:
                return await self._connect_once(settings, tunnel, known, client)
            except asyncssh.HostKeyNotVerifiable as error:
                shown = client.shown_key
                if shown is None or known.keys:
                    raise ssh_hostkeys.refusal(settings, known, shown, error.reason) from error
                await ssh_hostkeys.ask(settings, shown, self._operator)
                self._accepted[known.name] = shown
            except (asyncssh.PermissionDenied, asyncssh.DisconnectError) as error:
                if not _is_authentication(error):
                    raise connection_error(error, settings, self.target.connect_timeout_s) from error
                if not await self._unlock(keys, asked):
                    wrong = [file for file, answered in asked.items() if answered]
                    raise authentication_error(error, settings, keys, wrong) from error
            except (OSError, asyncssh.Error, ValueError) as error:
                limit_s = self.target.connect_timeout_s
                if client.was_reached and isinstance(error, TimeoutError):
                    limit_s = self._patience.attempt(limit_s)
                    self._patience.waits(limit_s)  # the next attempt has longer
                raise connection_error(error, settings, limit_s) from error
            finally:
                keys.close()

    async def _connect_once(
        self,
        settings: SshSettings,
        tunnel: asyncssh.SSHClientConnection | None,
        known: KnownHost,
        client: _Client,
    ) -> asyncssh.SSHClientConnection:
        configured = settings.host_key_algorithms_configured
        with carried_files(settings.carried) as config:
            return await self._connect_with(config, configured, settings, tunnel, known, client)

    async def _connect_with(
        self,
        config: list[str] | None,
        configured: bool,
        settings: SshSettings,
        tunnel: asyncssh.SSHClientConnection | None,
        known: KnownHost,
        client: _Client,
    ) -> asyncssh.SSHClientConnection:
        """Connect; asyncssh reads `config` alone, in which nothing is left to be decided."""
        proxy = _proxy_command(settings) if tunnel is None else None
        if proxy is not None:
            number = self._register.began(CommandKind.LOCAL, HERE, shlex.join(proxy), self._clock.now())
            self._register.ended(number, self._clock.now(), problem=LASTING)
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(self.target.connect_timeout_s) as limit:
            # The kernel answers at once however busy the droplet is; sshd, which is behind it, does not.
            client.reached = lambda: limit.reschedule(
                loop.time() + self._patience.attempt(self.target.connect_timeout_s)
            )
            return await asyncssh.connect(
                settings.host,
                settings.port,
                username=settings.user,
                config=config,
                tunnel=tunnel,
                proxy_command=proxy,
                host_key_alias=settings.host_key_alias,
                known_hosts=ssh_hostkeys.trusted_by(known),
                server_host_key_algs=() if configured else ssh_hostkeys.algorithms(known),
                encryption_algs=() if settings.ciphers_configured else QUICK_CIPHERS,
                x509_trusted_certs=None,
                client_factory=lambda: client,
                client_keys=None,
                preferred_auth="publickey",
                gss_host=None,
                connect_timeout=None,
                keepalive_interval=self._keepalive_s,
                keepalive_count_max=KEEPALIVE_COUNT,
                env={},
                send_env=[],
                agent_forwarding=False,
                x11_forwarding=False,
                request_pty=False,
                command=None,
            )

    async def _unlock(self, keys: Identities, asked: dict[str, bool]) -> bool:
        """Ask for the passphrase of the next locked key, once each. False when nothing is left to try.

        `asked` keeps the files, and whether there was an answer.
        """
        for file in keys.locked:
            if file in asked:
                self._passphrases.pop(file, None)  # it was wrong
                continue
            passphrase = await self._operator.passphrase(f"Passphrase for {file}")
            asked[file] = bool(passphrase)
            if passphrase:
                self._passphrases[file] = passphrase
                return True
        return False


def _is_authentication(error: asyncssh.Error) -> bool:
    return isinstance(error, asyncssh.PermissionDenied) or "authentication failures" in error.reason


def _again(failure: E) -> E:
    """The same error to raise once more, without the first one's traceback."""
    return type(failure)(failure.tried, failure.why, failure.remedy)


def _jump_target(jump: str, target: SshTarget) -> SshTarget:
    """One of ProxyJump's `[user@]host[:port]` or `ssh://…`, with the profile's files and timeouts."""
    rest = jump.strip().removeprefix("ssh://").rstrip("/")
    user, _, place = rest.rpartition("@")
    host, port = place, ""
    if place.startswith("["):
        host, _, tail = place[1:].partition("]")
        port = tail.removeprefix(":")
    elif place.count(":") == 1:
        host, _, port = place.partition(":")
    return SshTarget(
        host,
        int(port) if port.isdigit() else None,
        user or None,
        identity_files=target.identity_files,
        known_hosts_file=target.known_hosts_file,
        config_file=target.config_file,
        use_agent=target.use_agent,
        connect_timeout_s=target.connect_timeout_s,
    )


def _proxy_command(settings: SshSettings) -> Sequence[str] | None:
    """Through a shell, as ssh does.

    asyncssh takes what the command prints on standard error for the server's words, and its closing for the
    end of the connection: it goes to /dev/null, with the pipe kept open.
    """
    if not settings.proxy_command:
        return None
    return ("/bin/sh", "-c", f"exec 3>&2 2>/dev/null; exec {settings.proxy_command}")


def server_fingerprint(conn: asyncssh.SSHClientConnection) -> str:
    """The fingerprint of the key that the server showed."""
    key = conn.get_server_host_key()
    return fingerprint(key) if key is not None else ""


async def _close(conn: asyncssh.SSHClientConnection) -> None:
    conn.close()
    try:
        async with asyncio.timeout(CLOSING_S):
            await conn.wait_closed()
    except TimeoutError:
        conn.abort()


def _or_usual(keepalive_s: float | None) -> float:
    return KEEPALIVE_INTERVAL_S if keepalive_s is None else keepalive_s
