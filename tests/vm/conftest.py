"""The virtual droplet of `make test-vm`, its deployment, and the page that tells what was tried on it."""

import os
import platform
import time
from collections.abc import Generator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.servers.fixtures import or_skip
from tests.servers.workspace import Workspace
from tests.vm.lab import Lab
from tests.vm.machine import Image, Machine

PACKAGES = ("postgresql-17", "systemd", "openssh-server", "rclone", "apparmor", "ufw", "needrestart")
PASSED = pytest.StashKey[bool]()
"""Whether it did; not there for what was not run, as where the run was broken off."""
_HEAD = """\
# Tested hosts

What was tried on a whole virtual machine, with a systemd, a journal and a boot of its own, by the program
as an operator starts it. Its stores are two Ceph object gateways on the console's side, reached over TLS by
names that both sides resolve, with authorities of their own (`ca_file`). Written by `make test-vm`.
"""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """None of them unless asked for: it takes minutes, root, and half a machine."""
    if config.getoption("--tested-hosts"):
        return
    here = Path(__file__).parent
    asked_for = [item for item in items if here in item.path.parents]
    if asked_for:
        config.hook.pytest_deselected(items=asked_for)
        items[:] = [item for item in items if item not in asked_for]


@pytest.fixture(scope="session")
def lab(workspace: Workspace, request: pytest.FixtureRequest) -> Iterator[Lab]:
    """One droplet for all; the page is written where every test of it passed, or said to have failed."""
    image = Image()
    began = time.monotonic()
    or_skip(image.build)
    machine = or_skip(lambda: Machine(workspace, image))
    with Lab.opened(workspace, machine) as made:
        yield made
        took, used = time.monotonic() - began, machine.processor_s()
    page = request.config.getoption("--tested-hosts")
    Path(page).write_text(_page(made, image, request.session, took, used))


def _page(lab: Lab, image: Image, session: pytest.Session, took: float, used: float) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in image.versions(*PACKAGES).items())
    failed = [item.name for item in session.items if not item.stash.get(PASSED, True)]
    not_run = [item.name for item in session.items if PASSED not in item.stash]
    processors = os.cpu_count() or 1
    built = f", of which {image.built_in_s:.0f} s to build the image" if image.built_in_s else ""
    lines = [
        _HEAD,
        "## Debian 13\n",
        f"- {datetime.now(UTC):%Y-%m-%d}, Python {platform.python_version()} on the console's side",
        f"- {versions}",
        f"- one processor ({lab.machine.accelerator}), 1 GiB; root, and a user with sudo; 17/main, 17/second",
        f"- {took / 60:.0f} min on {processors} processors{built}; {used / 60:.0f} min of one for the"
        f" machine; booted in {lab.booted_in_s:.0f} s",
        f"- failed: {', '.join(failed) or 'nothing'}; not run: {', '.join(not_run) or 'nothing'}\n",
        "| tried | seen |",
        "|---|---|",
        *(f"| {what} | {_cell(seen)} |" for what, seen in lab.tried),
    ]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Which failed, and which were not run, for the page."""
    report = yield
    if report.failed or report.when == "call":
        item.stash[PASSED] = report.passed and item.stash.get(PASSED, True)
    return report
