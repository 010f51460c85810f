"""An operator at a terminal who presses what the screen offers, and nothing else, until all is green.

He reads the first line, the list of what to do, the footer, the gate. He knows no command line, no file and
no scenario. Where he is told to do something outside of the console, he stops, and says what he was told.
"""

import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.e2e.terminal import Terminal

COLUMNS, ROWS, LEFT = 200, 60, 90
"""Wide enough for triage's panes beside each other: the left ones are `LEFT` cells wide there."""
GREEN, ALARMS = "OK", ("WARNING", "CRITICAL")
_VERDICT = re.compile(r"^ *\S (OK|WARNING|CRITICAL|UNKNOWN|TO DO|ASKS|RUNNING|STOPPED|BLOCKED|UNDONE)\b")
_OTHERS_DISK = re.compile(r"^ *\S WARNING +the file system of pg_wal has [^;]*; restorable to any moment ")
_OFFER = re.compile(r"^ {1,3}(\d) (?=\S)")
_TYPED = re.compile(r"type (\S.*?) to agree")
_MOVES = {"down": "\x1b[B", "right": "\x1b[C", "enter": "\r", "home": "\x1b[H"}
"""What moves a cursor, and Enter, are pressed though no footer names them: `?` does, on every screen."""
_PAUSE_S, _HEALS_IN_S, _STEP_S, _HOLDS_S = 0.25, 150.0, 360.0, 6.0


@dataclass(frozen=True)
class Offer:
    """One way to mend it, as it stands below "What to do". `row` counts from the first of that pane."""

    title: str
    row: int
    by_key: bool


@dataclass
class Walk:
    """How it went: the verdict at its end, the offers taken, what each step told, what is by hand."""

    verdict: str = ""
    taken: list[str] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    by_hand: str = ""


class Operator:
    """At `terminal`, which shows the dashboard."""

    def __init__(self, terminal: Terminal, *, own_disk: bool = False) -> None:
        self.terminal, self._own_disk = terminal, own_disk
        self.walked = Walk()

    # What he reads.

    @property
    def verdict(self) -> str:
        """The word of the first line. What other tests write to this disk is no alarm of this walk."""
        found = _VERDICT.match(self.terminal.text)
        if found is None:
            return ""
        return GREEN if _OTHERS_DISK.match(self.terminal.text) and not self._own_disk else found[1]

    @property
    def _footer(self) -> list[str]:
        return self.terminal.text.rstrip().rpartition("\n")[2].split("  ")

    def _offers(self, key: str) -> bool:
        return any(each.strip().partition(" ")[0] == key for each in self._footer)

    def _what_to_do(self) -> list[str]:
        """The lines of that pane."""
        lines = self.terminal.text.split("\n")
        first = next((at for at, line in enumerate(lines) if " What to do " in line[:LEFT]), len(lines))
        log = next((at for at, line in enumerate(lines) if "─5 Log" in line[:LEFT]), len(lines) - 1)
        return [line[: LEFT - 1].rstrip(" ┃│") for line in lines[first + 1 : log]]

    def _pane(self, title: str) -> list[str]:
        """The lines of a pane at the right, of the screen of steps."""
        lines = self.terminal.text.split("\n")
        first = next((at for at, line in enumerate(lines) if f"3 {title} " in line), len(lines))
        return [line[44:] for line in lines[first + 1 : -1] if line[44:].strip()]

    def _listed(self) -> list[Offer]:
        found: list[Offer] = []
        rows = self._what_to_do()
        starts = [row for row, line in enumerate(rows) if _OFFER.match(line)]
        for start, end in zip(starts, [*starts[1:], len(rows)], strict=False):
            text = " ".join(line.strip() for line in rows[start:end])
            title = text.partition(" (f: plan")[0].strip()
            found.append(Offer(title, start, "(f: plan" in text))
        return found

    # What he presses.

    def press(self, key: str) -> None:
        """A key that the footer names, or one that moves."""
        sent = _MOVES.get(key)
        if sent is None:
            self.terminal.wait_until(lambda: self._offers(key), f"the footer offers {key}")
            sent = "\x1b" if key == "Esc" else key
        self.terminal.type(sent)
        time.sleep(_PAUSE_S)

    def walk(self, within_s: float, alarms_in_s: float = 0.0) -> Walk:
        """From the dashboard to green, or to what must be done outside of the console.

        What shows only after a while (a hang, a backlog) is waited for first, for `alarms_in_s`.
        """
        if alarms_in_s:
            self._until_it_alarms(alarms_in_s)
        until = time.monotonic() + within_s
        self.press("i")
        while time.monotonic() < until:
            if self._heals(until):
                break
            offer = self._next()
            if offer is None:
                self.walked.by_hand = "\n".join(line.strip() for line in self._what_to_do() if line.strip())
                break
            self._take(offer)
        self.walked.verdict = self.verdict
        return self.walked

    def _until_it_alarms(self, within_s: float) -> None:
        """And goes on alarming: a backlog may drain by itself."""
        since, until = 0.0, time.monotonic() + within_s
        while not since or time.monotonic() - since < _HOLDS_S:
            if self.verdict not in ALARMS:
                assert time.monotonic() < until, f"it does not alarm:\n{self.terminal.text}"
                since = 0.0
            else:
                since = since or time.monotonic()
            time.sleep(0.5)

    def _heals(self, until: float) -> bool:
        """Whether it is green, and stays it; it has a while for that, or for the next look to tell more."""
        limit, since = min(until, time.monotonic() + _HEALS_IN_S), None
        while time.monotonic() < limit or since is not None:
            now = time.monotonic()
            if self.verdict != GREEN:
                since = None
                if self._next() is not None and not self.walked.taken:
                    return False
            elif since is None:
                since = now
            elif now - since > _HOLDS_S:
                return True
            time.sleep(0.5)
        return False

    def _next(self) -> Offer | None:
        """The first that a key does and that was not taken yet."""
        return next(
            (one for one in self._listed() if one.by_key and one.title not in self.walked.taken), None
        )

    def _take(self, offer: Offer) -> None:
        self.walked.taken.append(offer.title)
        self.terminal.type("3")
        self.press("home")
        for _ in range(offer.row):
            self.press("down")
        self.press("f")
        until = time.monotonic() + 20.0
        while not self._offers("x") and time.monotonic() < until:
            time.sleep(_PAUSE_S)
        if not self._offers("x"):  # it was gone before the key was pressed
            self.walked.taken.remove(offer.title)
            self.terminal.type("1")
            return
        self._through()
        self.press("Esc")
        self.terminal.wait_until(lambda: self._offers("f"), "triage is back")
        self.terminal.type("1")
        time.sleep(1.0)

    def steps(self) -> None:
        """Through the screen of steps that was just asked for, and back to where it was asked."""
        self.terminal.wait_until(lambda: "1 Steps " in self.terminal.text, "the screen of steps", 30.0)
        self._through()
        assert self.walked.stopped == [], f"{self.walked.stopped}\n{self.terminal.text}"
        for _ in range(3):  # pressed while the last frame is painted, it may only leave the summary
            self.press("Esc")
            if self._gone("1 Steps "):
                return
        raise AssertionError(f"the screen below did not come:\n{self.terminal.text}")

    def _gone(self, text: str) -> bool:
        """Whether that is not shown any more, and stays so: a frame may be painted in parts."""
        until, last = time.monotonic() + 15.0, False
        while time.monotonic() < until:
            gone = text not in self.terminal.text
            if gone and last:
                return True
            last = gone
            time.sleep(0.7)
        return False

    def _through(self) -> None:
        """Go, and agree to what is asked, until it has ended."""
        verdict = self._settled("TO DO", "STOPPED", "BLOCKED", GREEN)
        if verdict in ("BLOCKED", "STOPPED"):
            self.walked.stopped.append(" ".join(self.terminal.text.split("\n")[:2]))
        if verdict != "TO DO":
            return
        self.press("x")
        until, began = time.monotonic() + _STEP_S, time.monotonic()
        told: list[str] = []
        while time.monotonic() < until:
            verdict, told = self.verdict, self._pane("Done") or told
            if verdict == "ASKS" and "Agree?" in self.terminal.text:
                self._agree()
            elif verdict in (GREEN, "STOPPED", "UNDONE") and time.monotonic() - began > 1.0:
                break
            time.sleep(_PAUSE_S)
        self.walked.told += [line.strip(" ┃│") for line in self._painted("Done") or told]
        self.walked.told.append(" ".join(line.strip() for line in self.terminal.text.split("\n")[:2]))
        if self.verdict != GREEN:
            self.walked.stopped.append(" ".join(self.terminal.text.split("\n")[:2]))

    def _painted(self, title: str) -> list[str]:
        """The pane's lines, once they stay: a frame may be painted in parts."""
        until, last = time.monotonic() + 20.0, self._pane(title)
        while time.monotonic() < until:
            time.sleep(0.7)
            lines = self._pane(title)
            if lines == last:
                break
            last = lines
        return last

    def _settled(self, *verdicts: str) -> str:
        """The one of these that the first line goes on saying: a frame may be painted in parts."""
        until, last = time.monotonic() + 90.0, ""
        while True:
            verdict = self.verdict
            if verdict in verdicts and verdict == last:
                return verdict
            assert time.monotonic() < until, f"the steps were not looked at:\n{self.terminal.text}"
            last = verdict
            time.sleep(0.7)

    def _agree(self) -> None:
        asked = self.terminal.text
        name = _TYPED.search(asked)
        if name is None:
            self.press("right")
        else:
            self.press("right")
            self.terminal.type(name[1])
            self.press("enter")
        self.press("enter")
        time.sleep(0.5)


@contextmanager
def demo(scenario: str, home: Path, columns: int = COLUMNS, rows: int = ROWS) -> Iterator[Operator]:
    """The console on the embedded droplet, in a terminal, after its first picture. Triage is walked at its
    own size alone.
    """
    command = [sys.executable, "-m", "walconsole", "demo", "--scenario", scenario]
    environment = {"HOME": str(home), "LANG": "C.UTF-8", "PYTHONPATH": str(Path(__file__).parents[2] / "src")}
    with Terminal(command, environment=environment, columns=columns, rows=rows) as terminal:
        operator = Operator(terminal, own_disk=scenario.startswith("disk"))
        terminal.wait_until(lambda: operator.verdict in (GREEN, *ALARMS), "the first picture", 90)
        yield operator
        terminal.type("q")
        terminal.wait()
