"""A TCP proxy that breaks, freezes and slows real connections on purpose.

It runs on an event loop in a thread of its own, so that its controls may be called from a test on any loop,
or on none. Its connections keep their full bandwidth however much they are delayed.
"""

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from tests.servers.ports import LOOPBACK

T = TypeVar("T")
CHUNK = 1 << 18


@dataclass
class Traffic:
    """What passed since the last reset.

    `round_trips` counts how often a client spoke after its server had (or first): for a client that
    waits for its answers it is the number of round trips.
    """

    connections: int = 0
    bytes_up: int = 0
    bytes_down: int = 0
    chunks_up: int = 0
    chunks_down: int = 0
    round_trips: int = 0


class Proxy:
    """Forwards connections on `host`:`port` to the target, which may be changed meanwhile."""

    host = LOOPBACK

    def __init__(self, target_port: int, target_host: str = LOOPBACK) -> None:
        self.target_host, self.target_port = target_host, target_port
        self.port = 0
        self.traffic = Traffic()
        self.delay_up_s = 0.0
        self.delay_down_s = 0.0
        self.swallow_from: int | None = None
        """From this byte on nothing that a connection sends arrives, as behind a path with a smaller MTU."""
        self._connections: set[_Connection] = set()
        self._server: asyncio.Server | None = None
        self._loop = asyncio.new_event_loop()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._thread.start()
        self.accept()

    def delay(self, up_s: float, down_s: float | None = None) -> None:
        """Delay each direction by so much from now on; `down_s` is as `up_s` when not given.

        A new connection also waits for its handshake, as it would on the wire.
        """
        self.delay_up_s, self.delay_down_s = up_s, up_s if down_s is None else down_s

    def stall(self) -> None:
        """Freeze: connections stay open, new ones are accepted, and not a byte passes."""
        self._loop.call_soon_threadsafe(self._flowing.clear)

    def resume(self) -> None:
        """Let everything pass again, beginning with what waited."""
        self._loop.call_soon_threadsafe(self._flowing.set)

    def cut(self, *, reset: bool = True) -> None:
        """End all connections now, with RST or (without `reset`) with an ordinary FIN."""
        self._call(self._cut(reset))

    def refuse(self) -> None:
        """Refuse new connections; those that are open go on."""
        self._call(self._stop_listening())

    def accept(self) -> None:
        """Accept new connections (again), always on the same port."""
        self._call(self._listen())

    def reset_traffic(self) -> Traffic:
        """Begin to count anew; returns what was counted until now."""
        counted, self.traffic = self.traffic, Traffic()
        return counted

    @property
    def open_connections(self) -> int:
        return len(self._connections)

    def close(self) -> None:
        """End everything, the thread too."""
        if self._loop.is_closed():
            return
        self._call(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=5)
        self._loop.close()

    def _call(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=10)

    async def _listen(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, self.host, self.port, limit=CHUNK)
            self.port = self._server.sockets[0].getsockname()[1]

    async def _stop_listening(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _cut(self, reset: bool) -> None:
        ending = [connection.end(reset) for connection in list(self._connections)]
        await asyncio.gather(*ending)

    async def _close(self) -> None:
        await self._stop_listening()
        await self._cut(reset=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = _Connection(self, reader, writer)
        self._connections.add(connection)
        self.traffic.connections += 1
        try:
            await connection.run()
        finally:
            self._connections.discard(connection)

    async def flowing(self) -> None:
        """Return when nothing is stalled."""
        await self._flowing.wait()


class _Connection:
    """One client's connection and the one to the target for it."""

    def __init__(self, proxy: Proxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._proxy = proxy
        self._reader = reader
        self._writers = [writer]
        self._task = asyncio.current_task()
        self._client_spoke = False

    async def run(self) -> None:
        """Forward both ways until both ends are done, or one is broken: then the other is broken too."""
        up_s, down_s = self._proxy.delay_up_s, self._proxy.delay_down_s
        reset = True
        try:
            await asyncio.sleep(2 * up_s + down_s)  # SYN, SYN+ACK, ACK: then the server may speak
            await self._proxy.flowing()
            far_reader, far_writer = await asyncio.open_connection(
                self._proxy.target_host, self._proxy.target_port, limit=CHUNK
            )
            self._writers.append(far_writer)
            async with asyncio.TaskGroup() as pumps:
                pumps.create_task(self._pump(self._reader, far_writer, upwards=True))
                pumps.create_task(self._pump(far_reader, self._writers[0], upwards=False))
            reset = False
        except* OSError:
            pass  # the target refuses, or one side was reset: the client is told by a reset, see below
        except* asyncio.CancelledError:
            pass  # end() closes
        finally:
            self._close(reset)

    async def end(self, reset: bool) -> None:
        """Close both sides at once and wait until run() has returned."""
        self._close(reset)
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([self._task])

    def _close(self, reset: bool) -> None:
        for writer in self._writers:
            if reset:
                _reset_on_close(writer)
                writer.transport.abort()
            else:
                writer.close()

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, upwards: bool) -> None:
        """Read as it comes, write when it is due: what is under way does not hold up what follows it."""
        due: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(maxsize=4096)
        async with asyncio.TaskGroup() as ends:
            ends.create_task(self._deliver(due, sink, upwards=upwards))
            chunk, passed = b"-", 0
            while chunk:
                await self._proxy.flowing()
                chunk = await source.read(CHUNK)
                passed += len(chunk)
                if upwards and self._proxy.swallow_from is not None and passed > self._proxy.swallow_from:
                    await asyncio.Event().wait()
                delay_s = self._proxy.delay_up_s if upwards else self._proxy.delay_down_s
                await due.put((asyncio.get_running_loop().time() + delay_s, chunk))

    async def _deliver(
        self, due: asyncio.Queue[tuple[float, bytes]], sink: asyncio.StreamWriter, *, upwards: bool
    ) -> None:
        while True:
            when, chunk = await due.get()
            await asyncio.sleep(max(0.0, when - asyncio.get_running_loop().time()))
            await self._proxy.flowing()
            if not chunk:
                if sink.can_write_eof():
                    sink.write_eof()
                return
            self._count(len(chunk), upwards=upwards)
            sink.write(chunk)
            await sink.drain()

    def _count(self, size: int, *, upwards: bool) -> None:
        traffic = self._proxy.traffic
        if upwards:
            traffic.bytes_up += size
            traffic.chunks_up += 1
            traffic.round_trips += not self._client_spoke
        else:
            traffic.bytes_down += size
            traffic.chunks_down += 1
        self._client_spoke = upwards


def _reset_on_close(writer: asyncio.StreamWriter) -> None:
    """SO_LINGER with 0 seconds makes close() send RST (socket(7))."""
    sock = writer.get_extra_info("socket")
    if sock is not None:
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
