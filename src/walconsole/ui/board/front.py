"""What a session and the screens ask of each other and of the app: protocols alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from textual.message import Message
    from textual.notifications import SeverityLevel
    from textual.timer import Timer

    from walconsole.domain.facts.host import ClusterFacts
    from walconsole.domain.facts.log_line import LogLine
    from walconsole.domain.facts.observed import HostKeyQuestion
    from walconsole.domain.facts.snapshot import Snapshot
    from walconsole.domain.incidents.model import IncidentLog
    from walconsole.domain.kept.runs import KeptRun
    from walconsole.domain.kept.screens import Frame, PastScreen
    from walconsole.domain.standing.model import Diagnosis, Verdict
    from walconsole.ports import Clock
    from walconsole.ui.board.droplet_session import DropletSession
    from walconsole.ui.board.provision_run import ProvisionRun
    from walconsole.ui.board.travel import Travel


class View(Protocol):
    """A screen of the session. The topmost one is told of every snapshot, by a message."""

    def post_message(self, message: Message) -> bool: ...

    def repaint(self) -> None: ...

    def update_keys(self) -> None: ...

    def notes_changed(self) -> None: ...


class Home(View, Protocol):
    """The session's dashboard, below its other screens."""

    def show_status(self, text: str) -> None: ...

    def extend_log(self, lines: Sequence[LogLine]) -> None: ...

    def show_past_log(self, lines: Sequence[LogLine] | None) -> None: ...


class Questions(Protocol):
    """ports.Operator, and one question more."""

    async def trust_host_key(self, question: HostKeyQuestion) -> bool: ...

    async def choose_cluster(self, clusters: Sequence[ClusterFacts]) -> ClusterFacts | None: ...

    async def passphrase(self, prompt: str) -> str | None: ...

    async def agree(self, title: str, texts: Sequence[str], answer: str) -> bool: ...


class Memory(Protocol):
    """What is remembered of incidents, across sessions."""

    @property
    def log(self) -> IncidentLog: ...

    def look(self, snapshot: Snapshot, diagnosis: Diagnosis, now: float) -> IncidentLog:
        """After this look."""
        ...


class Keeper(Protocol):
    """Keeps what was seen and said."""

    def look(self, screen: PastScreen, diagnosis: Diagnosis) -> None: ...


class Moment(Protocol):
    """What was known at one time, in seconds since the epoch."""

    @property
    def at(self) -> float: ...


M_co = TypeVar("M_co", bound=Moment, covariant=True)


class Moments(Protocol[M_co]):
    """What was kept, moment by moment. Raises RegisterError where it cannot be read."""

    async def levels(self) -> list[tuple[float, str]]:
        """When the first line's level became another, oldest first; the first is where all begins."""
        ...

    async def screen(self, at: float) -> M_co | None:
        """The newest until then, else the first after it; None where nothing is kept."""
        ...

    async def beside(self, at: float, step: int) -> float | None:
        """When the one before (-1) or after (1) it was; None where there is none."""
        ...


class Past(Moments["PastScreen"], Protocol):
    """What was kept of a cluster: whole screens."""

    async def runs(self, until: float) -> list[KeptRun]:
        """The runs of steps that were begun by then, oldest first, with what was told of them by then."""
        ...

    async def runs_between(self, first: float, last: float) -> list[KeptRun]:
        """Those that were under way at some time of it, likewise: for a recording."""
        ...

    async def frames(self, first: float, last: float) -> list[Frame]:
        """All from `first` to `last`, oldest first, as they are kept: for a recording."""
        ...


class Traveller(Protocol):
    """Who shows the past in place of now: a droplet's session, or the list of clusters."""

    @property
    def clock(self) -> Clock: ...

    @property
    def past(self) -> Moments[Any] | None:
        """What was kept; None where nothing is."""
        ...

    @property
    def travel(self) -> Travel[Any] | None:
        """Where it is in the past; None: what is shown is now."""
        ...

    def show_past(self, travel: Travel[Any] | None) -> None: ...

    def notify(
        self, text: str, title: str, severity: SeverityLevel = "information", timeout: float | None = None
    ) -> None: ...


class Filtered(Protocol):
    """What is filtered by `pattern`; ValueError for one that is no regular expression."""

    pattern: str

    def filter(self, pattern: str) -> None: ...


class Front(Protocol):
    """What a session and its screens ask of the app."""

    def set_timer(self, delay: float, callback: Callable[[], None]) -> Timer: ...

    def notify(
        self, message: str, *, title: str, severity: SeverityLevel, timeout: float | None, markup: bool
    ) -> None: ...

    def travel_to(self, traveller: Traveller, at: float | None) -> None: ...

    def worsened(self, session: DropletSession, verdict: Verdict) -> None: ...

    def ask_filter(self, pane: Filtered) -> None: ...

    def leave_dashboard(self, session: DropletSession) -> None: ...

    def open_triage(self, session: DropletSession) -> None: ...

    def open_configuration(self, session: DropletSession, setting: str) -> None: ...

    def open_archive(self, session: DropletSession, role: str) -> None: ...

    def open_recovery(self, session: DropletSession) -> None: ...

    def open_moments(self, session: DropletSession) -> None: ...

    def open_recover(self, session: DropletSession) -> None: ...

    def open_steps(self, session: DropletSession, run: ProvisionRun | None) -> None: ...

    def keep_transcript(self, session: DropletSession, run: ProvisionRun) -> None: ...

    @property
    def questions(self) -> Questions: ...
