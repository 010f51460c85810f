"""What the console takes while it watches: processor time and memory at one refresh a second."""

import tempfile
from contextlib import ExitStack
from pathlib import Path

from benchmarks.droplet import command, distant, droplet
from benchmarks.full_picture import COLUMNS, ROWS
from benchmarks.harness import Terminal, cpu_seconds, rss_mib
from benchmarks.report import Result

CPU_BUDGET_PERCENT = 3.0
SETTLE_S = 6.0


def measure(seconds: float) -> list[Result]:
    """Watch the healthy droplet for `seconds`, after it has settled."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="walconsole-bench-")))
        profile, distance = stack.enter_context(distant(stack.enter_context(droplet("healthy")), folder))
        terminal = stack.enter_context(Terminal(command(profile, folder), columns=COLUMNS, rows=ROWS))
        terminal.idle(SETTLE_S)
        distance.take_traffic()
        before, painted = cpu_seconds(terminal.process.pid), len(terminal.output)
        terminal.idle(seconds)
        used = cpu_seconds(terminal.process.pid) - before
        traffic = distance.take_traffic()
        memory = rss_mib(terminal.process.pid)
        written = (len(terminal.output) - painted) / seconds
    percent = 100 * used / seconds
    ssh = traffic["ssh"].round_trips / seconds
    s3_requests = traffic["primary"].round_trips + traffic["dr"].round_trips
    return [
        Result(
            "processor at 1 Hz",
            percent,
            "% of a core",
            CPU_BUDGET_PERCENT,
            f"over {seconds:g} s",
        ),
        Result("memory", memory, "MiB resident"),
        Result("SSH round trips", ssh, "a second", None, "SQL, host and link"),
        Result("S3 requests", s3_requests / seconds, "a second", None, "both regions"),
        Result("written to the terminal", written, "bytes a second"),
    ]
