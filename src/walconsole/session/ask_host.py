"""`walconsole config show HOST` and `config init HOST`: what one host says, once, without a screen."""

from walconsole.config.found import told_of
from walconsole.config.resolve import Resolved
from walconsole.errors import WalconsoleError
from walconsole.process import loop as event_loop
from walconsole.process.cleanup import Cleanups
from walconsole.process.clock import SystemClock
from walconsole.session.dialling import ssh_shell
from walconsole.session.one_look import NobodyThere
from walconsole.session.wiring import finding_of

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
    return adopted.resolved, tuple(dict.fromkeys(told_of(adopted)))
