"""ports.Shell on OpenSSH: one connection, one long-lived shell on it, streams beside it."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AbstractContextManager, suppress

import asyncssh

from walconsole.adapters.ssh import scripts as ssh_scripts
from walconsole.adapters.ssh.connection import SshConnection, server_fingerprint
from walconsole.adapters.ssh.errors import channel_error
from walconsole.adapters.ssh.frames import (
    OUTPUT_LIMIT,
    Frame,
    FramedSession,
    OutputTooLongError,
    OverdueError,
    ShellEndedError,
    SupersededError,
)
from walconsole.command_register import CommandKind, CommandRegister, Running, UnheardRegister
from walconsole.domain.facts.observed import LinkFacts
from walconsole.domain.patience import HANGS, OVERDUE, SHORT_S, Patience, crowd_of, seconds_text
from walconsole.domain.profile import SshTarget
from walconsole.domain.redaction import decode, safe
from walconsole.domain.round_trips import ShellAnswer
from walconsole.errors import ShellError, SshError, WalconsoleError
from walconsole.ports import Clock, Operator

LIVENESS_S = 2.5
"""How long a silent connection may take to answer a keepalive before it is given up, unless it is slow."""
_SILENT = "it did not answer any more"
_PULSE = "cat /proc/loadavg /sys/devices/system/cpu/online"
"""A command of next to nothing: how long it takes is how slow the droplet is, and it tells the load."""
_LOOKS_AGAIN_S = 1.0

STREAM_CHUNK = 256 * 1024
_GREETING_LIMIT = 64 * 1024
_STATUS_S = 1.0
_CLOSING_S = 1.0


class SshShell:
    """See ports.Shell. `sudo` makes the shell root's, through `sudo -n`, unless it is already.

    `lent` is a connection that others use as well: it is left open at the end. `register` is told of every
    command, of those on this machine, too, which connecting takes; None: nobody could ask it. `patience` says
    how long answers are waited for, and is told how long they took.
    """

    def __init__(
        self,
        target: SshTarget,
        *,
        sudo: bool,
        operator: Operator,
        clock: Clock,
        lent: SshConnection | None = None,
        register: CommandRegister | None = None,
        patience: Patience | None = None,
        keepalive_s: float | None = None,
    ) -> None:
        self.register = register if register is not None else UnheardRegister()
        self.patience = patience if patience is not None else Patience()
        self.connection = lent or SshConnection(
            target, operator, clock, self.register, self.patience, keepalive_s
        )
        self._target, self._sudo, self._operator, self._clock = target, sudo, operator, clock
        self._lent = lent
        self._session: FramedSession | None = None
        self._opening: asyncio.Task[None] | None = None
        self._left_running: list[str] = []
        self._lost_streams: list[str] = []

    def beside(self) -> "SshShell":
        """Another shell on the same connection: what takes its time there keeps this one from nothing.

        Its end ends what it has running and no more; it may be used again afterwards. Where sshd allows no
        further session on the connection (MaxSessions), it makes one of its own until then.
        """
        return SshShell(
            self._target,
            sudo=self._sudo,
            operator=self._operator,
            clock=self._clock,
            lent=self.connection,
            register=self.register,
            patience=self.patience,
        )

    def to(self, target: SshTarget, *, sudo: bool = False) -> "SshShell":
        """A shell on another host, with a connection of its own; the same operator is asked."""
        return SshShell(target, sudo=sudo, operator=self._operator, clock=self._clock, register=self.register)

    def retry(self) -> None:
        """Forget a refused host key or login: the next call tries, and may ask, again."""
        self.connection.retry()

    async def run(self, script: str, *, timeout_s: float = 5.0) -> ShellAnswer:
        """See ports.Shell. A script that runs longer than `timeout_s` is killed, and its shell with it.

        Not where the droplet is slow: then it has as long as that takes, within what is allowed.

        Concurrent calls share their round trips; the scripts run one after the other. A call that is
        cancelled leaves its script to end by itself, in its time. Raises ValueError for a time that the
        host would not give it (ssh_scripts.LONGEST_SCRIPT_S).
        """
        if timeout_s > ssh_scripts.LONGEST_SCRIPT_S:
            raise ValueError(f"a script of the shell may take {ssh_scripts.LONGEST_SCRIPT_S:g} s at most")
        while True:
            conn = await self.connection.get()
            with self._told(CommandKind.SHELL, script) as ran:
                answer = await self._ask(conn, script, timeout_s)
                ran.status, ran.not_run = (None, True) if answer is None else (answer.status, False)
            if answer is not None:
                return answer

    async def _ask(
        self, conn: asyncssh.SSHClientConnection, script: str, timeout_s: float
    ) -> ShellAnswer | None:
        """Send it and wait; None where it was not run, and is to be sent again."""
        frame = Frame(script, timeout_s, self._clock.now)
        self._shell_on(conn).send(frame)
        try:
            stdout, status = await frame.answer
        except SupersededError:
            return None
        except OverdueError as overdue:
            raise await self._silence(timeout_s, overdue) from None
        except OutputTooLongError:
            raise self._error(f"a script printed more than {OUTPUT_LIMIT >> 20} MiB") from None
        except ShellEndedError as ended:
            raise self._ended(conn, ended) from None
        except (asyncssh.Error, OSError) as error:
            if self._leave_lent(error):
                return None
            raise self._broken(conn, error) from error
        return ShellAnswer(stdout, status, frame.sent_at, self._clock.now())

    def _told(self, kind: CommandKind, text: str) -> AbstractContextManager[Running]:
        return self.register.telling(kind, self._place(), text, self._clock.now)

    def _shell_on(self, conn: asyncssh.SSHClientConnection) -> FramedSession:
        """The open shell, or a new one that is being opened; that one also ends what its forerunners left."""
        if self._session is not None and not self._session.ended:
            return self._session
        self._note_left_running()
        name = ssh_scripts.new_name()
        first = ssh_scripts.serving(name, sudo=self._sudo) + ssh_scripts.prologue(
            self._left_running, self._lost_streams
        )
        session = FramedSession(name, first, self._more, self._measured)
        self._session = session
        self._opening = asyncio.create_task(self._open(conn, session))
        return session

    async def _open(self, conn: asyncssh.SSHClientConnection, session: FramedSession) -> None:
        try:
            command = ssh_scripts.launch_served(session.name)
            await conn.create_session(lambda: session, command, encoding=None)
        except (asyncssh.Error, OSError) as error:
            session.refuse(error)
        else:
            self._left_running.clear()
            self._lost_streams.clear()

    def _note_left_running(self) -> None:
        if self._session is not None and self._session.left_running:
            self._left_running.append(self._session.name)
        self._session = None

    def stream(self, command: str) -> AsyncIterator[bytes]:
        """See ports.Shell. What `command` started on the host ends with the iterator."""
        return self._stream(command)

    async def _stream(self, command: str) -> AsyncGenerator[bytes, None]:
        name = ssh_scripts.new_name()
        conn, process = await self._start(ssh_scripts.launch(name, sudo=self._sudo))
        with self._told(CommandKind.STREAM, command) as ran:
            try:
                with suppress(BrokenPipeError):  # it has ended already: its last words tell why
                    process.stdin.write(ssh_scripts.stream(name, command).encode())
                rest = await self._skip_greeting(conn, process, name.encode() + b"\n")
                if rest:
                    yield rest
                while chunk := await process.stdout.read(STREAM_CHUNK):
                    yield chunk
                if conn.is_closed():
                    raise self._lost()
                with suppress(TimeoutError):  # the status is a message of its own, behind the last chunk
                    await asyncio.wait_for(process.wait_closed(), _STATUS_S)
                ran.status = process.exit_status
            except (asyncssh.Error, OSError) as error:
                raise self._broken(conn, error) from error
            finally:
                if conn.is_closed():
                    self._lost_streams.append(name)
                process.close()

    async def _start(
        self, launch: str
    ) -> tuple[asyncssh.SSHClientConnection, asyncssh.SSHClientProcess[bytes]]:
        while True:
            conn = await self.connection.get()
            try:
                return conn, await conn.create_process(launch, encoding=None, stderr=asyncssh.STDOUT)
            except (asyncssh.Error, OSError) as error:
                if not self._leave_lent(error):
                    raise self._broken(conn, error) from error

    def _leave_lent(self, error: Exception) -> bool:
        """Go on with a connection of its own where sshd has no room for another session on the lent one."""
        if self.connection is not self._lent or not isinstance(error, asyncssh.ChannelOpenError):
            return False
        if not self._lent.connected:
            return False
        self.connection = self._lent.twin()
        return True

    async def _skip_greeting(
        self, conn: asyncssh.SSHClientConnection, process: asyncssh.SSHClientProcess[bytes], begin: bytes
    ) -> bytes:
        """Read up to the stream's beginning; what follows it already. Raises when it never begins."""
        seen = b""
        while begin not in seen:
            chunk = await process.stdout.read(STREAM_CHUNK)
            if not chunk or len(seen) > _GREETING_LIMIT:
                ended = ShellEndedError(safe(decode(seen[-500:]).strip()), process.exit_status, began=False)
                raise self._ended(conn, ended)
            seen += chunk
        return seen.partition(begin)[2]

    async def link(self) -> LinkFacts:
        """See ports.Shell."""
        answer = await self.run(":")
        conn = await self.connection.get()
        settings = self.connection.settings
        host, port, *_ = conn.get_extra_info("peername") or ("", 0)  # none through a jump host
        named = settings.address if settings else str(self._target)
        return LinkFacts(
            address=f"{host}:{port}" if host else named,
            user=settings.user if settings else "",
            server_version=safe(str(conn.get_extra_info("server_version", ""))),
            host_key_fingerprint=server_fingerprint(conn),
            round_trip_s=answer.answered_at - answer.sent_at,
            connected_at=self.connection.connected_at,
            reconnects=self.connection.connects - 1,
        )

    async def confirm_link(self) -> None:
        """Give the connection up when it does not answer any more. Raises errors.SshError then."""
        if not await self.connection.alive(self.patience.limit(LIVENESS_S)):
            self.connection.drop()
            raise self._lost(_SILENT)

    async def aclose(self) -> None:
        """Close the shell, and the connection unless it is lent; end what scripts may have left running."""
        if self._session is not None:
            self._session.give_up()
            self._note_left_running()
        if self._left_running:
            await self._end_left_running()
        if self.connection is not self._lent:
            await self.connection.aclose()
        if self._opening is not None:
            await asyncio.gather(self._opening, return_exceptions=True)
        self.connection = self._lent or self.connection

    async def _end_left_running(self) -> None:
        """Have one more shell end what its forerunners left, if the host can still be reached."""
        if not self.connection.connected:
            return
        if not await self.connection.alive(_CLOSING_S):
            self.connection.drop()
            return
        with suppress(WalconsoleError):
            await self.run(":", timeout_s=_CLOSING_S)
        if self._session is not None:
            self._session.give_up()

    async def _silence(self, timeout_s: float, overdue: OverdueError) -> WalconsoleError:
        """Why a script has not answered: it is slow, or nobody is there."""
        try:
            await self.confirm_link()
        except SshError as error:
            return error
        ran_s = max(timeout_s, overdue.ran_s)
        if not overdue.began:
            return ssh_scripts.begins_not(self._tried(), overdue.said, ran_s)
        slow = ran_s + _LOOKS_AGAIN_S > self.patience.most(timeout_s) > timeout_s
        why = f"a script ran longer than {seconds_text(ran_s)} and was ended"
        remedy = "look at the host's load, and at what its login shell does"
        return self._error(why, remedy, code=OVERDUE if slow else HANGS)

    def _measured(self, usual_s: float, seconds: float) -> None:
        if usual_s <= SHORT_S:
            self.patience.measured(seconds)
            self.connection.follow_pace()

    async def _more(self, usual_s: float, ran_s: float) -> float:
        """How much longer an overdue script may run, by how long a command of nothing takes."""
        loop, patience = asyncio.get_running_loop(), self.patience
        began = loop.time()
        pulse = asyncio.create_task(self._pulse(), name="a command of nothing")
        try:
            while not pulse.done():
                waited_s = loop.time() - began
                if ran_s + waited_s >= patience.most(usual_s):
                    return 0.0
                if waited_s >= _LOOKS_AGAIN_S:
                    patience.waits(ran_s + waited_s)
                left_s = patience.most(usual_s) - ran_s - waited_s
                await asyncio.wait([pulse], timeout=min(_LOOKS_AGAIN_S, left_s))
        finally:
            pulse.cancel()
            await asyncio.gather(pulse, return_exceptions=True)
        told = pulse.result() if not pulse.cancelled() and pulse.exception() is None else None
        ran_s += loop.time() - began
        if told is None:  # there is no room for another session, or no connection any more
            return max(0.0, patience.limit(usual_s) - ran_s)
        took_s, crowd = told
        patience.measured(took_s)
        self.connection.follow_pace()
        return patience.more(usual_s, ran_s, took_s, crowd)

    async def _pulse(self) -> tuple[float, float] | None:
        """How long it takes, seconds, and how many processes want each processor; None: not started."""
        conn = await self.connection.get()
        began = asyncio.get_running_loop().time()
        with self._told(CommandKind.STREAM, _PULSE) as ran:
            try:
                ended = await conn.run(_PULSE, encoding=None, stdin=asyncssh.DEVNULL)
            except (asyncssh.Error, OSError):
                return None
            ran.status = ended.exit_status
        said = ended.stdout if isinstance(ended.stdout, bytes) else b""
        return asyncio.get_running_loop().time() - began, crowd_of(decode(said))

    def _ended(self, conn: asyncssh.SSHClientConnection, ended: ShellEndedError) -> WalconsoleError:
        if conn.is_closed():
            return self._lost()
        return ssh_scripts.shell_error(self._tried(), ended.said, ended.status, began=ended.began)

    def _broken(self, conn: asyncssh.SSHClientConnection, error: Exception) -> WalconsoleError:
        if conn.is_closed() or not isinstance(error, asyncssh.ChannelOpenError):
            return self._lost()
        return channel_error(self._tried(), error)

    def _place(self) -> str:
        settings = self.connection.settings
        return f"{settings.user}@{settings.address}" if settings else str(self._target)

    def _tried(self) -> str:
        return f"shell on {self._place()}"

    def _error(self, why: str, remedy: str = "", *, code: str = "Shell") -> ShellError:
        return ShellError(self._tried(), why, remedy, code=code)

    def _lost(self, how: str = "") -> SshError:
        how = how or (_SILENT if self.connection.fell_silent else "")
        why = f"the connection was lost{': ' if how else ''}{how}"
        return SshError(f"ssh {self._place()}", why, "it is made again")
