"""docs/monitoring: every metric that dashboard and alerts name is told, and they hold together."""

import ast
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.data.facts import NOW
from tests.data.recoveries import RECOVERIES
from tests.data.snapshots import STATES
from tests.unit.test_drill_standing import ago, failed
from tests.unit.test_drill_standing import snapshot as with_drills
from tests.unit.test_watch import a_watcher
from tests.unit.test_watcher_seen import Clock
from walconsole.domain.failures import diagnose
from walconsole.domain.recovery.drill_result import Outcome
from walconsole.report.lines import PREFIX
from walconsole.session.watch import exposition
from walconsole.session.watcher import Looked

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "monitoring"
DASHBOARD: dict[str, Any] = json.loads((FOLDER / "dashboard.json").read_text("utf-8"))
ALERTS: dict[str, Any] = yaml.safe_load((FOLDER / "alerts.yaml").read_text("utf-8"))
RULES: list[dict[str, Any]] = [rule for group in ALERTS["groups"] for rule in group["rules"]]
_NAME = re.compile(rf"{PREFIX}[a-z0-9_]+")
_FUNCTIONS = {"rate", "time", "predict_linear", "absent", "and", "or", "label_values"}


def told() -> set[str]:
    """Every text in the modules that tell metrics which may be a metric's name."""
    files = [*(ROOT / "src/walconsole/report").glob("*.py"), ROOT / "src/walconsole/session/watch.py"]
    return {
        node.value
        for file in files
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


@cache
def served() -> dict[str, frozenset[str]]:
    """The labels of each metric that a watcher of several serves, by the metric's whole name."""
    watchers = []
    drilled = with_drills(ago(9.0), failed(Outcome.FAILED, "query"))
    known = (*(state() for state in (*STATES.values(), *RECOVERIES.values())), drilled)
    for number, snapshot in enumerate(known):
        watcher = a_watcher(Clock(), name=f"db{number}")
        watcher.looked = Looked(snapshot, diagnose(snapshot, NOW), NOW)
        watchers.append(watcher)
    found: dict[str, frozenset[str]] = {}
    for line in exposition(watchers):
        if not line.startswith("#"):
            name, _, rest = line.partition("{")
            labels = frozenset(re.findall(r'([a-z_]+)="(?:[^"\\\\]|\\\\.)*"', rest))
            assert found.setdefault(name, labels) == labels, line
    return found


def expressions() -> Iterator[tuple[str, str]]:
    for rule in RULES:
        yield rule["alert"], rule["expr"]
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"]


@pytest.mark.parametrize(("where", "expression"), expressions())
def test_every_metric_is_one_that_is_told_and_documented(where: str, expression: str) -> None:
    known, pages = (
        told(),
        "".join((ROOT / f"docs/{name}.md").read_text("utf-8") for name in ("monitoring", "watch")),
    )
    names = set(_NAME.findall(expression))
    assert names, where
    for name in names:
        assert name.removeprefix(PREFIX) in known, (where, name)
        assert name in pages, (where, name)


@pytest.mark.parametrize(("where", "expression"), expressions())
def test_every_expression_is_closed_and_calls_what_there_is(where: str, expression: str) -> None:
    bare = re.sub(r'"[^"]*"', "", expression)
    for opened, closed in ("()", "[]", "{}"):
        assert bare.count(opened) == bare.count(closed), where
    assert set(re.findall(r"([a-z_]+)\(", bare)) <= _FUNCTIONS, where


@pytest.mark.parametrize(("where", "expression"), expressions())
def test_every_metric_is_served_with_the_labels_that_are_asked_for(where: str, expression: str) -> None:
    names = _NAME.findall(expression)
    for name, matchers in re.findall(rf"({PREFIX}[a-z0-9_]+)\{{([^}}]*)\}}", expression):
        assert set(re.findall(r"([a-z_]+)[=!]~?\"", matchers)) <= served()[name], (where, name)
    for by in re.findall(r"\b(?:by|without|on|ignoring)\s*\(([^)]*)\)", expression):
        assert set(filter(None, re.split(r"[,\s]+", by))) <= served()[names[0]], (where, by)
    assert set(names) <= set(served()), where


def test_what_is_said_names_labels_that_there_are_and_tells_one_of_several() -> None:
    """Two clusters may have the same short name, `profile`; `cluster` is how they are called."""
    for rule in RULES:
        labels = set.intersection(*(set(served()[name]) for name in _NAME.findall(rule["expr"])))
        for text in rule["annotations"].values():
            assert set(re.findall(r"\$labels\.([a-z_]+)", text)) <= labels, rule["alert"]
            assert ("$labels.profile" in text) == ("or $labels.cluster $labels.profile" in text), text
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", ()):
            labels = set.intersection(*(set(served()[name]) for name in _NAME.findall(target["expr"])))
            named = re.findall(r"\{\{([a-z_]+)\}\}", target.get("legendFormat") or "")
            assert set(named) <= labels, panel["title"]
            assert ("profile" in named) == ("cluster" in named), panel["title"]


def test_every_alert_says_how_bad_it_is_and_whose() -> None:
    assert len({rule["alert"] for rule in RULES}) == len(RULES)
    for rule in RULES:
        assert rule["labels"]["severity"] in ("warning", "critical")
        of_one = "$labels.profile" in rule["annotations"]["summary"]
        assert of_one or rule["expr"].startswith("absent("), rule["alert"]


def test_no_panel_lies_upon_another() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))


def test_the_alerts_fire_when_they_should() -> None:
    """By promtool where it is installed; else by what stands above alone."""
    cases = yaml.safe_load((FOLDER / "alerts-test.yaml").read_text("utf-8"))
    tried = {case["alertname"] for test in cases["tests"] for case in test["alert_rule_test"]}
    assert tried <= {rule["alert"] for rule in RULES}
    promtool = shutil.which("promtool")
    if promtool is not None:
        command = [promtool, "test", "rules", "alerts-test.yaml"]
        run = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stdout + run.stderr
