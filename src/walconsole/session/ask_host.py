"""`walconsole config show HOST` and `config init HOST`: what one host says, once, without a screen."""

from collections.abc import Iterator

from walconsole.config.found import Adopted
from walconsole.config.resolve import Resolved
from walconsole.domain.archivers.target import UnreadStore
from walconsole.domain.redaction import safe
from walconsole.errors import WalconsoleError
from walconsole.process import loop as event_loop
from walconsole.process.cleanup import Cleanups
from walconsole.process.clock import SystemClock
from walconsole.session.one_look import NobodyThere
from walconsole.session.wiring import finding_of, ssh_shell

Answer = tuple[Resolved | None, tuple[str, ...]]


def ask_host(resolved: Resolved) -> Answer:
    """The profile with what the host says, and what is to be told of that; None and why it was not asked."""
    answer: Answer = None, ("the host was not asked",)

    async def ask() -> int:
        nonlocal answer
        answer = await _ask(resolved)
        return 0

    event_loop.run(ask)
    return answer


async def _ask(resolved: Resolved) -> Answer:
    clock, nobody = SystemClock(), NobodyThere()
    async with Cleanups() as cleanups:
        shell = ssh_shell(resolved.profile, nobody, clock, cleanups)
        finding = finding_of(resolved, shell, clock)
        try:
            adopted = await finding.find()
        except WalconsoleError as error:
            return None, (*nobody.refused, f"the host was not asked: {error.line()}")
        except TimeoutError:
            return None, (*nobody.refused, "the host was not asked: it did not answer in time")
    return adopted.resolved, tuple(dict.fromkeys(safe(note) for note in _told(adopted)))


def _told(adopted: Adopted) -> Iterator[str]:
    """The tool and the place of each copy, what the profile has differently, and what was not understood."""
    for target in adopted.discovery.targets:
        unread = f": {target.store.why}" if isinstance(target.store, UnreadStore) else ""
        yield f"{target.tool.value} archives to {target.store}{unread}"
        yield from target.notes
    if not adopted.discovery.targets:
        yield "nothing was found that the server archives to"
    yield from adopted.differences
    yield from adopted.discovery.notes
