"""docs/monitoring: every metric that dashboard and alerts name is told, and they hold together."""

import ast
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from walconsole.report.lines import PREFIX

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
