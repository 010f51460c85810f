"""Fixtures of real servers, and the rule that in CI a skipped test is a failure."""

import gc
import os
import signal
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from tests import examples, failure_table, idle
from tests.balance import Balance
from tests.durations import ASKS_FOR_MINUTES_S, LONGEST_FIRST
from tests.servers.workspace import COMMON, Workspace
from walconsole.process.garbage import collect_what_is_new

pytest_plugins = ["tests.servers.fixtures"]

# Started in the background by a shell without job control, all would inherit that INT and QUIT are ignored.
for _number in (signal.SIGINT, signal.SIGQUIT):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, signal.default_int_handler if _number is signal.SIGINT else signal.SIG_DFL)

idle.wait_so()

ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
IN_CI = os.environ.get("CI", "").lower() in {"1", "true", "yes"}


@pytest.fixture(scope="session", autouse=True)
def _colours_of_any_terminal() -> Iterator[None]:
    """The app in this process shows what it does in truecolor, whatever terminal the tests run in."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("textual.constants.COLOR_SYSTEM", "truecolor")
        patch.delenv("NO_COLOR", raising=False)
        yield


def pytest_addoption(parser: pytest.Parser) -> None:
    """Where `make tested-failures` and `test-vm` want their pages; whether `make walks` or `deaths` runs."""
    parser.addoption(
        "--every-walk", action="store_true", help="walk every scenario of the demo, not one a kind"
    )
    parser.addoption(
        "--every-death", action="store_true", help="kill at forty and thirty random moments, not at a few"
    )
    parser.addoption(
        "--tested-hosts", metavar="FILE", help="run tests/vm, on a virtual droplet, and write what was seen"
    )
    parser.addoption("--imports-only", action="store_true", help="import the files of tests, make no tests")
    parser.addoption("--failure-table", metavar="FILE", help="write the failures that were brought about")


def pytest_configure(config: pytest.Config) -> None:
    """How many examples are tried is said before the files of tests are imported; who gives them out."""
    if _gives_out(config):
        config.pluginmanager.register(Balance(), "balance")
        common = Workspace()
        config.add_cleanup(common.close)
        os.environ[COMMON] = str(common.root)
    examples.load_profile(leaves_out_long="not long" in config.getoption("markexpr"))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """What only root can try is not tried by anybody else: the summary says so. A case says its kind."""
    failure_table.note_case(item)
    mark = item.get_closest_marker("root")
    if mark is not None and os.geteuid() != 0:
        pytest.skip(str(mark.args[0]))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol() -> Generator[None, object, object]:
    """A program that a test, or a fixture, runs in this process notes what would end it.

    Later that ends the run again.
    """
    before = {number: signal.getsignal(number) for number in ENDING_SIGNALS}
    try:
        return (yield)
    finally:
        for number, handler in before.items():
            if signal.getsignal(number) is not handler:
                signal.signal(number, handler)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With CI=true whatever skips a test fails it: what CI did not run, it must not call passed.

    But for what only root can try, where we are not root.
    """
    report = yield
    roots = os.geteuid() != 0 and item.get_closest_marker("root") is not None
    if IN_CI and report.skipped and not roots and not hasattr(report, "wasxfail"):
        report.longrepr = _did_not_run(item.nodeid, report)
        report.outcome = "failed"
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makeitem(collector: pytest.Collector) -> list[pytest.Item] | None:
    """What is only to be compiled is made no tests of: that takes as long as to import it, compiled."""
    return [] if collector.config.getoption("--imports-only") else None


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """The same for a module that skips itself."""
    report = yield
    if IN_CI and report.skipped:
        report.longrepr = _did_not_run(collector.nodeid, report)
        report.outcome = "failed"
    return report


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The longest files first: `-n 4 --dist loadfile --no-loadscope-reorder` gives them out in this order.

    A file that is in no list yet, and has a test that asks for minutes, goes before all of them.
    """
    if not _gives_out(config) and not hasattr(config, "workerinput"):
        return
    rank = {Path(__file__).parent / name: number for number, name in enumerate(LONGEST_FIRST)}
    for path in {item.path for item in items if _asks_for_s(item) >= ASKS_FOR_MINUTES_S}:
        rank.setdefault(path, -1)
    items.sort(key=lambda item: rank.get(item.path, len(LONGEST_FIRST)))


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What stands for ten thousand tests is no garbage, and stays to the end: it is not looked through.

    Otherwise each full collection goes through all of it: a tenth of what it takes to collect the tests, and
    five times more as the run ends. What tests leave, apps above all, is looked through once in
    fifty collections of what is younger, as in the console: at ten a sixth of a pilot's time went there.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        collect_what_is_new()


def _gives_out(config: pytest.Config) -> bool:
    """Whether this process runs no tests itself, but gives them to workers."""
    return getattr(config.option, "dist", "no") != "no" and not hasattr(config, "workerinput")


def _asks_for_s(item: pytest.Item) -> float:
    """The seconds that a test may take by its own mark; 0 for one that has none."""
    mark = item.get_closest_marker("timeout")
    given = () if mark is None else (*mark.args, mark.kwargs.get("timeout", 0))
    return float(given[0]) if given else 0.0


def _did_not_run(name: str, report: pytest.TestReport | pytest.CollectReport) -> str:
    return f"{name} did not run, and CI=true makes that a failure.\n{_reason(report)}"


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    return str(report.longrepr[2]) if isinstance(report.longrepr, tuple) else str(report.longrepr)


@pytest.fixture(scope="session", autouse=True)
def _nothing_into_the_developers_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Transcripts are written without being asked: not beside those of whoever runs the tests."""
    before = os.environ.get("XDG_DATA_HOME")
    os.environ["XDG_DATA_HOME"] = str(tmp_path_factory.mktemp("data"))
    yield
    os.environ.pop("XDG_DATA_HOME")
    if before is not None:
        os.environ["XDG_DATA_HOME"] = before


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The table of failure modes, and in one line for each reason how many tests it kept from running."""
    table = failure_table.rows(terminalreporter)
    if table:
        failure_table.tell(terminalreporter, table)
    written = terminalreporter.config.getoption("--failure-table")
    if written:
        kinds = failure_table.kinds(terminalreporter)
        failure_table.tell_kinds(terminalreporter, kinds)
        failure_table.write(Path(written), table, kinds)
    reasons: dict[str, int] = {}
    for report in terminalreporter.stats.get("skipped", []):
        reason = _reason(report).removeprefix("Skipped: ")
        reasons[reason] = reasons.get(reason, 0) + 1
    if reasons:
        terminalreporter.section("not tested on this machine")
        for reason, count in sorted(reasons.items()):
            terminalreporter.line(f"{count:4} tests: {reason}")
