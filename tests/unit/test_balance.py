"""What a run on several workers tells of how evenly they were busy."""

from types import SimpleNamespace

import pytest

from tests.balance import Balance


def report(worker: str, nodeid: str, took_s: float) -> pytest.TestReport:
    by = SimpleNamespace(gateway=SimpleNamespace(id=worker))
    return pytest.TestReport(nodeid, (nodeid, 0, ""), {}, "passed", None, "call", duration=took_s, node=by)


def test_each_worker_is_told_with_its_last_file_and_the_longest_files_first() -> None:
    times = iter([100.0, 110.0, 130.0, 131.0, 190.0])
    balance = Balance(lambda: next(times))
    balance.pytest_runtest_logreport(report("gw1", "tests/e2e/test_a.py::test_one", 9.0))
    balance.pytest_runtest_logreport(report("gw0", "tests/unit/test_b.py::test_one[x::y]", 20.0))
    balance.pytest_runtest_logreport(report("gw0", "tests/unit/test_c.py::test_one", 1.0))
    balance.pytest_runtest_logreport(report("gw1", "tests/e2e/test_a.py::test_two", 15.0))
    assert balance.lines() == [
        "gw0 was done after 31 s, with unit/test_c.py",
        "gw1 was done after 90 s, with e2e/test_a.py",
        "  24.0 s  e2e/test_a.py",
        "  20.0 s  unit/test_b.py",
    ]
