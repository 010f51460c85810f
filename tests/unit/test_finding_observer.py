"""The observation that asks the host first where it archives to: at once, late, or not at all."""

import asyncio
from pathlib import Path
from typing import cast

import pytest

from walconsole.adapters.ssh.shell import SshShell
from walconsole.config.choose import choose
from walconsole.config.found import Adopted, adopt
from walconsole.config.reader import load
from walconsole.domain.archivers.target import Discovery
from walconsole.errors import ShellError, SshError, WalconsoleError
from walconsole.observe.host.host import HostProbe
from walconsole.ports import Clock, Observer, Screen
from walconsole.session import finding as module
from walconsole.session.finding import FindingObserver, HostFinding


class Answers(HostFinding):
    """A host that answers in turn what it is told to: an error, or that nothing is archived."""

    answers: list[WalconsoleError | None]

    async def find(self) -> Adopted:
        answer = self.answers.pop(0)
        if answer is not None:
            raise answer
        self.adopted = adopt(self.resolved, Discovery())
        return self.adopted


class Observed:
    """An observer that runs until it is cancelled, and tells that it does."""

    def __init__(self, began: list["Observed"]) -> None:
        began.append(self)
        self.ended = False
        self.factor = 0.0

    async def run(self, screen: Screen) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            self.ended = True

    def pace(self, factor: float) -> None:
        self.factor = factor

    def pause(self, paused: bool) -> None: ...


class Told:
    """A screen that keeps what it is told of the status."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def status(self, text: str) -> None:
        self.said.append(text)


def host(tmp_path: Path, text: str, *answers: WalconsoleError | None) -> Answers:
    path = tmp_path / "config.toml"
    path.write_text(f'[profiles.acme]\nhost = "acme.example"\n{text}')
    resolved = choose("acme", load(path, required=True), {"HOME": str(tmp_path)})
    made = Answers(resolved, cast("SshShell", None), cast("HostProbe", None), cast("Clock", None))
    made.answers = list(answers)
    return made


LOST = SshError("connecting", "refused")
COMPLETE = (
    'dr = "none"\n[profiles.acme.primary]\nbucket = "b-one"\nendpoint = "https://s3.example.net"\n'
    'keys = "environment"\n'
)


@pytest.mark.parametrize(
    ("text", "answers", "begun", "left"),
    [
        ("", (None,), 1, 0),
        ("", (ShellError("reading", "no configuration"),), 1, 0),
        ("", (LOST, LOST, None), 2, 0),
        (COMPLETE, (None,), 1, 1),
    ],
    ids=["at once", "asked in vain", "after two losses", "nothing is left open"],
)
async def test_how_it_begins(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    text: str,
    answers: tuple[WalconsoleError | None, ...],
    begun: int,
    left: int,
) -> None:
    monkeypatch.setattr(module, "AGAIN_S", 0.0)
    finding = host(tmp_path, text, *answers)
    began: list[Observed] = []
    observer = FindingObserver(finding, lambda: cast("Observer", Observed(began)), "asking")
    observer.pace(3.0)
    screen = Told()
    running = asyncio.create_task(observer.run(cast("Screen", screen)))
    async with asyncio.timeout(20):
        while len(began) < begun:  # noqa: ASYNC110  # the tasks take turns, nothing is waited for
            await asyncio.sleep(0)
    for _ in range(20):
        await asyncio.sleep(0)
    assert [each.ended for each in began] == [True] * (begun - 1) + [False]
    assert {each.factor for each in began} == {3.0}
    assert len(finding.answers) == left
    assert screen.said == ([] if text else ["asking"])
    running.cancel()
    await asyncio.wait([running])
    assert began[-1].ended
