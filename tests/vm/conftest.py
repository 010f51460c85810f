"""The virtual droplets of `make test-vm`, their deployments, and the page that tells what was tried."""

import json
import os
import platform
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.servers.fixtures import or_skip
from tests.servers.workspace import Workspace
from tests.vm.lab import Lab
from tests.vm.machine import SUDOER, Image, Machine
from tests.vm.page import Droplet, Part, Run, page

PACKAGES = ("postgresql-17", "systemd", "openssh-server", "rclone", "apparmor", "ufw", "needrestart")
_TOLD = "droplets"
_PLUGIN = "tested hosts"


def pytest_configure(config: pytest.Config) -> None:
    """Whoever starts the workers writes the page; without workers that is the one process there is."""
    where = config.getoption("--tested-hosts")
    if where and not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Hearing(Path(where)), _PLUGIN)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """None of them unless asked for: it takes minutes, root, and the whole machine."""
    if config.getoption("--tested-hosts"):
        return
    here = Path(__file__).parent
    asked_for = [item for item in items if here in item.path.parents]
    if asked_for:
        config.hook.pytest_deselected(items=asked_for)
        items[:] = [item for item in items if item not in asked_for]


@pytest.fixture(scope="module")
def lab(workspace: Workspace, request: pytest.FixtureRequest) -> Iterator[Lab]:
    """One droplet for all tests of a module, as the user whom its `USER` names."""
    image, module = Image(), request.module.__name__.rpartition(".")[2]
    or_skip(image.build)
    machine = or_skip(lambda: Machine(workspace, image))
    user = getattr(request.module, "USER", SUDOER)
    with Lab.opened(workspace, machine, user) as made:
        yield made
        droplet = Droplet(module, user, machine.accelerator, made.booted_in_s, machine.processor_s())
    _tell(request.config, droplet)


@pytest.fixture(autouse=True)
def _rows(lab: Lab, request: pytest.FixtureRequest) -> Iterator[None]:
    """What a test saw goes with its report."""
    yield
    request.node.user_properties += [("saw", json.dumps(row)) for row in lab.tried]
    lab.tried.clear()


def _tell(config: pytest.Config, droplet: Droplet) -> None:
    hearing = config.pluginmanager.get_plugin(_PLUGIN)
    if hearing is not None:
        hearing.droplets.append(droplet)
    else:
        config.workeroutput.setdefault(_TOLD, []).append(droplet.told())  # type: ignore[attr-defined]


class _Hearing:
    """What the tests report, and at the end the page: also where some failed, which it then says."""

    def __init__(self, where: Path) -> None:
        self._where, self._began = where, time.monotonic()
        self._collected: list[str] = []
        self._parts: dict[str, Part] = {}
        self.droplets: list[Droplet] = []

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self._collected = [item.nodeid for item in session.items]

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: object, ids: Sequence[str]) -> None:
        self._collected = list(ids)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        told = getattr(node, "workeroutput", {}).get(_TOLD, [])
        self.droplets += [Droplet.of(each) for each in told]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.skipped:
            self._parts.pop(report.nodeid, None)
            return
        part = self._parts.setdefault(report.nodeid, Part(report.nodeid.rpartition("::")[2]))
        part.passed = part.passed and report.passed
        if report.when == "call":
            part.seconds = report.duration
        if report.when == "teardown":
            saw = (json.loads(str(row)) for name, row in report.user_properties if name == "saw")
            part.rows = [(what, seen) for what, seen in saw]

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        run = self._run()
        self._where.write_text(page(run), "utf-8")
        terminalreporter.section("virtual droplets")
        for part in run.parts:
            terminalreporter.line(f"{part.seconds:6.0f} s  {part.name}{'' if part.passed else '  FAILED'}")
        for each in run.droplets:
            terminalreporter.line(f"{each.used_s:6.0f} s of a processor: the droplet of {each.module}")

    def _run(self) -> Run:
        image = Image()
        return Run(
            date=f"{datetime.now(UTC):%Y-%m-%d}",
            python=platform.python_version(),
            processors=os.cpu_count() or 1,
            took_s=time.monotonic() - self._began,
            built_in_s=image.built_in_s,
            versions=image.versions(*PACKAGES),
            droplets=sorted(self.droplets, key=lambda each: each.module),
            parts=[self._parts[name] for name in self._collected if name in self._parts],
            not_run=[name.rpartition("::")[2] for name in self._collected if name not in self._parts],
        )
