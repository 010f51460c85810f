"""Brings the archived WAL of a span of time to the droplet, has pg_waldump read it there, and collects what
it says.

Nothing of production is changed. The WAL stands for as long as it is read in a folder of the database's OS
user in the droplet's folder for temporary files; the disk is asked for room before, and once more just before
it is taken.
"""

import asyncio
import secrets
import zlib
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from importlib.resources import files
from pathlib import PurePosixPath
from shlex import quote
from typing import cast

from walconsole.domain.moments.collecting import Collected, Collecting
from walconsole.domain.moments.names import Names, read_names, wanted
from walconsole.domain.moments.page_images import past_of
from walconsole.domain.moments.span import RESERVE_BYTES, WalSpan
from walconsole.domain.profile import Profile
from walconsole.domain.records import record
from walconsole.domain.redaction import decode, safe
from walconsole.domain.wal import format_lsn
from walconsole.droplet.choices import DropletChoices
from walconsole.droplet.one_time import MomentWish, moment_script, names_script
from walconsole.errors import ShellError, WalconsoleError
from walconsole.observe.host.invocation import as_user
from walconsole.observe.moments.stream import MomentStream
from walconsole.ports import Shell

LONGEST_READING_S = 3600.0
LONGEST_NAMES_S = 60.0
MOST_NAME_BYTES = 16 << 20


class MomentError(WalconsoleError):
    """The WAL could not be brought or read."""


@record
class Server:
    """Of the server whose WAL it is: its major version, and its data directory, empty where that is not
    known.
    """

    major: int
    data_directory: str = ""


@record
class Room:
    """The droplet's folder for temporary files: bytes that are free there, and of the whole disk; None: not
    told.
    """

    folder: str
    free: int | None
    total: int | None


@record
class Progress:
    """How far it is: what the droplet said last while segments come, then how many records were read, and the
    time of the last commit among them (microseconds since the epoch).
    """

    said: str = ""
    records: int = 0
    reached_us: int | None = None


Told = Callable[[Progress], None]


def _quiet(progress: Progress) -> None:
    pass


class MomentFinder:
    """Reads for one profile, through a shell on its droplet. `reserve_bytes` stay free on its disk at
    least.
    """

    def __init__(
        self,
        profile: Profile,
        shell: Shell,
        choices: DropletChoices | None = None,
        *,
        reserve_bytes: int = RESERVE_BYTES,
    ) -> None:
        self._profile, self._shell, self._reserve_bytes = profile, shell, reserve_bytes
        self._choices = choices or DropletChoices.for_profile(profile)

    async def room(self) -> Room:
        """How much is free where the WAL would stand. Raises what Shell raises."""
        folder = self._choices.temp_root
        script = f"df -Pk -- {quote(folder)} | awk 'NR == 2 {{ print $2, $4 }}'"
        answer = await self._shell.run(script, timeout_s=20.0)
        numbers = decode(answer.stdout).split()
        if answer.status != 0 or len(numbers) != 2 or not all(each.isdigit() for each in numbers):
            return Room(folder, None, None)
        return Room(folder, int(numbers[1]) * 1024, int(numbers[0]) * 1024)

    async def read(self, span: WalSpan, server: Server, told: Told = _quiet) -> Collected:
        """What is in it. Raises MomentError, and what Shell raises."""
        mark = f"walconsole-{secrets.token_hex(12)}"
        wish = self._wish(span, server, await self._programs(server), mark)
        script = moment_script(self._profile, self._choices, wish)
        command = as_user(self._profile.postgres.os_user, script)
        stream = MomentStream(mark)
        collecting = Collecting(span.runs[0][0].timeline)
        runs = [run[0].timeline for run in span.runs]
        tried = f"reading {len(span.segments)} archived segments on the droplet"
        try:
            async with asyncio.timeout(LONGEST_READING_S):
                await self._collect(command, stream, collecting, runs, told)
        except TimeoutError:
            why = f"it had not ended after {LONGEST_READING_S:g} s, and was ended"
            raise MomentError(tried, why, "ask for a shorter time") from None
        except zlib.error:
            raise MomentError(tried, "what came from the droplet is damaged", "try again") from None
        if not stream.began:
            why = stream.last_words or "the droplet said nothing"
            raise MomentError(tried, safe(why), "mend that, then try again")
        collected = collecting.end()
        past = past_of(stream.images, server.major, span.segment_bytes, _unpack)
        return replace(collected, doubts=(*collected.doubts, *_unread(stream, span, collected)), past=past)

    async def _collect(
        self, command: str, stream: MomentStream, collecting: Collecting, runs: Sequence[int], told: Told
    ) -> None:
        chunks = cast("AsyncGenerator[bytes, None]", self._shell.stream(command))
        ended = 0
        async with aclosing(chunks):
            async for chunk in chunks:
                ended = await asyncio.to_thread(_take, stream, collecting, runs, chunk, ended)
                said = safe(stream.words[-1]) if stream.words and not stream.began else ""
                told(Progress(said, collecting.records, collecting.reached_us))

    async def names(self, collected: Collected) -> Names:
        """What today's catalogues call the relations; empty, and why, where they cannot be asked."""
        asked = wanted(collected.moments)
        if not asked:
            return Names(past=collected.past)
        query = files("walconsole.queries").joinpath("relation_names.sql").read_text("utf-8")
        script = names_script(self._profile, self._choices, query, asked)
        said = b""
        try:
            async with asyncio.timeout(LONGEST_NAMES_S):
                command = as_user(self._profile.postgres.os_user, script)
                chunks = cast("AsyncGenerator[bytes, None]", self._shell.stream(command))
                async with aclosing(chunks):
                    async for chunk in chunks:
                        said += chunk
                        if len(said) > MOST_NAME_BYTES:
                            break
        except (TimeoutError, ShellError) as error:
            why = error.line() if isinstance(error, ShellError) else "they did not answer in time"
            return Names(unasked=(f"today's catalogues: {safe(why)}",), past=collected.past)
        names = replace(read_names(decode(said)), past=collected.past)
        return names if names.databases else replace(names, unasked=(_why_no_names(decode(said)),))

    async def _programs(self, server: Server) -> tuple[str, ...]:
        """Folders in which pg_waldump may be: beside the server that runs, and where packages put it."""
        found = []
        if server.data_directory:
            pid = quote(f"{server.data_directory}/postmaster.pid")
            script = f'readlink "/proc/$(head -n 1 {pid})/exe"'
            answer = await self._shell.run(as_user(self._profile.postgres.os_user, script), timeout_s=20.0)
            path = decode(answer.stdout).strip()
            if answer.status == 0 and path.startswith("/") and "\n" not in path:
                found.append(str(PurePosixPath(path).parent))
        packaged = (f"/usr/lib/postgresql/{server.major}/bin", f"/usr/pgsql-{server.major}/bin")
        return (*found, *packaged, *self._choices.path.split(":"))

    def _wish(self, span: WalSpan, server: Server, programs: tuple[str, ...], mark: str) -> MomentWish:
        size = span.segment_bytes
        runs = tuple(
            (
                run[0].timeline,
                format_lsn(run[0].start_lsn(size)),
                format_lsn(run[-1].next().start_lsn(size)),
            )
            for run in span.runs
        )
        return MomentWish(
            span.names, runs, size, span.room_bytes, self._reserve_bytes, server.major, programs, mark
        )


def _take(stream: MomentStream, collecting: Collecting, runs: Sequence[int], chunk: bytes, ended: int) -> int:
    """How many runs have ended by now."""
    for text in stream.feed(chunk):
        if text is not None:
            collecting.feed(text)
            continue
        ended += 1
        if ended < len(runs):
            collecting.next_timeline(runs[ended])
    return ended


def _unread(stream: MomentStream, span: WalSpan, collected: Collected) -> Sequence[str]:
    """What was not read to its end, in words. pg_waldump ends badly, too, where a record goes on in WAL that
    is not there: then it came to the last segment.
    """
    doubts = []
    if not stream.whole:
        doubts.append("the connection ended before all was read")
    last = span.segments[-1].start_lsn(span.segment_bytes)
    if collected.last is None or collected.last < last:
        said = next((words for status, words in stream.ended if status != 0 and words), "")
        where = "nowhere" if collected.last is None else format_lsn(collected.last)
        doubts.append(f"pg_waldump came to {where}, not to the last segment: {safe(said[-300:])}")
    return doubts


def _why_no_names(said: str) -> str:
    words = safe(" ".join(said.split())[-300:])
    return f"today's catalogues could not be asked: {words}"


def _unpack(stored: bytes, most: int) -> bytes:
    """An image that zstd compressed. Raises ValueError."""
    from zstandard import ZstdDecompressor, ZstdError

    try:
        return ZstdDecompressor().decompress(stored, max_output_size=most)
    except ZstdError as error:
        raise ValueError(str(error)) from None
