"""Incidents over all clusters: listed, told as a document, reported later by what the screens showed then."""

import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.data.facts import NOW
from tests.data.past import frames_of, past_screens
from tests.data.snapshots import failing
from walconsole.cli import incidents as command
from walconsole.domain.incidents.model import Cause, Incident, IncidentLog, Peak, Run, RunResult, Worst
from walconsole.domain.incidents.written import document_of
from walconsole.domain.kept.screens import linked
from walconsole.domain.standing.model import Level
from walconsole.errors import UsageError
from walconsole.operator_files.history_file import HistoryFile
from walconsole.operator_files.incident_file import IncidentFile
from walconsole.operator_files.private import make_private, replace_text, write_new
from walconsole.report.incident_list import incident_line, newest_first
from walconsole.session.incidents import listed, named, reported

CAUSE = Cause("k", "key-403", "critical", "the key is refused\x1b[2J", NOW - 900, NOW - 300)
CLOSED = Incident(
    NOW - 900,
    Level.CRITICAL,
    "archiving FAILS",
    NOW - 300,
    (CAUSE,),
    Worst(Peak(38, NOW - 310)),
    ok_since=NOW,
)
OPEN = Incident(NOW + 500, Level.WARNING, "the DR copy is behind", NOW + 600)
RUN = Run("reload", "Reload the configuration", NOW - 200, RunResult.DONE, NOW - 190)
LOG = IncidentLog(open=OPEN, closed=(CLOSED,), runs=(RUN,))
KEY = "shithub/2026-09-21T13:58:20Z"


@pytest.fixture
def environment(tmp_path: Path) -> Mapping[str, str]:
    folder = tmp_path / "walconsole" / "incidents"
    make_private(folder.parent)
    make_private(folder)
    other = Incident(NOW + 100, Level.CRITICAL, "nothing is archived", NOW + 200)
    for name, log in (("shithub", LOG), ("wiki", IncidentLog(open=other))):
        write_new(folder / f"{name}.json", json.dumps(document_of(log)))
    write_new(folder / "odd.json", "[]")
    return {"XDG_STATE_HOME": str(tmp_path), "HOME": str(tmp_path)}


def test_all_are_listed_the_newest_first(environment: Mapping[str, str]) -> None:
    lines = list(listed(environment, as_json=False))
    assert [line.split("/")[0] for line in lines[:3]] == ["shithub", "wiki", "shithub"]
    assert lines[2] == (f"{KEY}  CRITICAL, lasted 15 min 00 s, the key is refused, 38 segments waiting")
    assert "open for" in lines[0]
    assert lines[3].endswith("odd.json: it is no document of this kind")


def test_the_document_has_them_all(environment: Mapping[str, str]) -> None:
    document: dict[str, Any] = json.loads("\n".join(listed(environment, as_json=True)))
    assert [each["cluster"] for each in document["incidents"]] == ["shithub", "wiki", "shithub"]
    assert document["incidents"][2]["key"] == KEY
    assert document["incidents"][2]["steps"][0]["step"] == "reload"
    assert len(document["problems"]) == 1


def test_where_there_is_none_it_is_said(tmp_path: Path) -> None:
    assert list(listed({"XDG_STATE_HOME": str(tmp_path)}, as_json=False)) == ["no incident is remembered"]


def test_a_report_is_written_later_by_what_the_screens_showed(environment: Mapping[str, str]) -> None:
    screens = past_screens([(NOW - 400, failing()), (NOW + 400, failing())])
    HistoryFile(environment).keep_screens("shithub", 1, linked(frames_of(screens)[:1]))
    text = "\n".join(reported(environment, KEY))
    assert text.startswith("# WAL archiving of shithub: CRITICAL")
    assert "By walconsole at 2026-09-21T14:06:40" in text
    assert "## The last incident" in text
    assert "the DR copy is behind" not in text
    assert "\x1b" not in text


def test_without_screens_it_is_what_is_remembered(environment: Mapping[str, str]) -> None:
    text = "\n".join(reported(environment, KEY))
    assert "archiving FAILS" in text
    assert "Nothing of the screens of that time is kept any more" in text
    assert "\x1b" not in text


def test_where_the_screens_cannot_be_read_it_is_what_is_remembered(environment: Mapping[str, str]) -> None:
    """A history that a newer walconsole wrote, or that is held: there was no report at all."""
    history = HistoryFile(environment)
    history.keep_screens("shithub", 1, [])
    with closing(sqlite3.connect(history.path)) as database:
        database.execute("PRAGMA user_version = 99")
    text = "\n".join(reported(environment, KEY))
    assert "archiving FAILS" in text
    assert "cannot be read (reading the past in" in text
    assert "a newer walconsole wrote it (version 99" in text


@pytest.mark.parametrize("known_by", ["the configuration", "the history"])
def test_one_whose_file_is_called_by_a_digest_has_its_name_and_its_screens(
    known_by: str, environment: Mapping[str, str], tmp_path: Path
) -> None:
    """A profile with a capital, as [profiles.Prod]: a list of digests, and reports without their screens."""
    environment = {**environment, "HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "config")}
    IncidentFile("Prod", environment).note((), NOW)
    replace_text(
        IncidentFile("Prod", environment).path, json.dumps(document_of(IncidentLog(closed=(CLOSED,))))
    )
    history = HistoryFile(environment)
    if known_by == "the history":
        history.keep_screens("Prod", 1, linked(frames_of(past_screens([(NOW - 400, failing())]))))
        (line,) = [each for each in listed(environment, as_json=False) if each.startswith("Prod/")]
        key = line.split()[0]
        assert "By walconsole at 2026-09-21T14:06:40" in "\n".join(reported(environment, key))
    else:
        make_private(tmp_path / "config" / "walconsole")
        write_new(tmp_path / "config" / "walconsole" / "config.toml", '[profiles.Prod]\nhost = "db"\n')
        assert "Prod/2026-09-21T13:58:20Z" in [key for key, _ in named(environment)]
        (tmp_path / "config" / "walconsole" / "config.toml").write_text("odd")
        assert any(key.endswith("/2026-09-21T13:58:20Z") for key, _ in named(environment))


def test_one_that_is_not_there_is_an_error(environment: Mapping[str, str]) -> None:
    with pytest.raises(UsageError, match="walconsole incidents lists them"):
        list(reported(environment, "shithub/never"))


def test_the_command_prints_it(
    environment: Mapping[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import argparse

    from walconsole.process.stop import Stop

    monkeypatch.setenv("XDG_STATE_HOME", environment["XDG_STATE_HOME"])
    parser = argparse.ArgumentParser()
    command.declare("incidents", parser)
    assert command.start(parser.parse_args([]), Stop()) == 0
    assert KEY in capsys.readouterr().out
    assert command.start(parser.parse_args([KEY]), Stop()) == 0
    assert "# WAL archiving of shithub" in capsys.readouterr().out


def test_a_line_tells_each_cause_once() -> None:
    twice = Incident(NOW, Level.CRITICAL, "x", NOW, (CAUSE, CAUSE))
    (only,) = newest_first([("a", IncidentLog(open=twice))])
    assert incident_line(only, NOW + 60).count("the key is refused") == 1
