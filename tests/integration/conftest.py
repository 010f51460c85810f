"""The deployment that the tests of failure modes break, and their rows in the table."""

from collections.abc import AsyncIterator, Callable, Iterator

import pytest
import pytest_asyncio

from tests.integration.failure_stage import TABLE, Watched, broken_deployment, tell_table
from tests.servers.rgw import RadosGateway
from tests.servers.workspace import Workspace


@pytest.fixture
def _table(request: pytest.FixtureRequest, record_property: Callable[[str, object], None]) -> Iterator[None]:
    """What the test brought about goes into the summary of the run, and is what it says of itself."""
    TABLE.clear()
    failed_before = request.session.testsfailed
    yield
    found = tell_table(record_property)
    if request.session.testsfailed > failed_before:
        return  # it says why by itself
    node: pytest.Item = request.node
    marked = {rule for mark in node.iter_markers("failure_mode") for rule in mark.args}
    assert marked <= found, f"it says that it brings {marked - found} about"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def console(workspace: Workspace, rgw: RadosGateway, rgw_dr: RadosGateway) -> AsyncIterator[Watched]:
    """Set up by the console itself, green, and watched; one for each module."""
    async with broken_deployment(workspace, rgw, rgw_dr) as watched:
        yield watched
