"""The configuration screen under an operator's fingers."""

import json
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from textual.command import CommandPalette
from textual.pilot import Pilot

from tests.data.configuration import (
    ARGV,
    CONF_D,
    DATA,
    DEAD,
    LIVE,
    Text,
    catalogue_of,
    configured,
    files_of,
    incident_texts,
)
from tests.data.facts import NOW
from tests.data.snapshots import HOSTILE, STATES, incident, problem
from tests.data.stage import ScriptedObserver, screen_text, settle, stage, until
from tests.long import always
from walconsole.domain.facts.snapshot import Snapshot, fold
from walconsole.domain.pgconf.tree import FileContent, Obstacle
from walconsole.ui.configuration.screen import ConfigurationScreen
from walconsole.ui.dashboard.screen import Dashboard

SIZES = ((80, 24), (120, 36), (200, 60), (100, 10), (40, 10), (20, 5), (1, 1))


def down(snapshot: Snapshot) -> Snapshot:
    """PostgreSQL does not answer."""
    for slot in (Snapshot.archiver, Snapshot.catalogue, Snapshot.server, Snapshot.settings):
        snapshot = fold(snapshot, problem(slot, "connection refused", "start it"), NOW)
    return snapshot


async def opened(pilot: Pilot[None]) -> ConfigurationScreen:
    """The screen, with its picture on it."""
    await settle(pilot)
    await pilot.press("c")
    await until(pilot, lambda: isinstance(pilot.app.screen, ConfigurationScreen))
    screen = pilot.app.screen
    assert isinstance(screen, ConfigurationScreen)
    await until(pilot, lambda: screen.desk is not None)
    await pilot.pause()
    return screen


def shown(screen: ConfigurationScreen, pane: str) -> str:
    """All rows of a pane, seen or not."""
    rows = screen.panes[pane]
    return "\n".join(rows.line(index).text for index in range(rows.rows))


async def test_the_incident_is_impossible_to_miss() -> None:
    app = stage(configured(incident()))
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await opened(pilot)
        text = screen_text(app)
        assert text.startswith(" ✗ CRITICAL")
        assert "Chain of archive_mode" in text
        assert "built-in default" in text
        assert "never read" in shown(screen, "detail")
        assert f"{DEAD}:3" in text
        assert f"NEVER READ {DEAD}" in text
        assert "1 contradiction" in text
        row = screen.panes["file"].line(2)
        assert any(span.struck for span in row.spans)


@pytest.mark.parametrize("size", always((80, 24), (1, 1), of=SIZES))
async def test_no_size_and_no_key_ends_the_session(size: tuple[int, int]) -> None:
    app = stage(configured(incident()))
    async with app.run_test(size=size) as pilot:
        screen = await opened(pilot)
        for key in "1jkhlgGaddyz2jj3jkGz4lhGga":
            await pilot.press(key)
        await pilot.press(
            "slash", "w", "enter", "w", "enter", "enter", "pagedown", "pageup", "tab", "shift+tab"
        )
        await pilot.press("question_mark", "escape")
        assert app._exception is None
        assert isinstance(app.screen, ConfigurationScreen)
        for pane in ("settings", "files", "detail", "file"):
            screen.action_jump(pane)
            await pilot.pause()
            if size[1] > 10:
                assert screen.panes[pane].size.height > 2
        for _ in range(6):
            await pilot.press("escape")
        assert isinstance(app.screen, Dashboard)


@pytest.mark.parametrize("state", STATES)
async def test_every_state_of_the_snapshot_opens(state: str) -> None:
    app = stage(STATES[state]())
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        await pilot.press("c", "j", "d", "y", "e", "w")
        await pilot.pause()
        assert app._exception is None


async def test_the_chain_ends_in_the_winner_and_enter_leads_to_its_line() -> None:
    app = stage(configured(incident()))
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await opened(pilot)
        await pilot.press("slash", *"max_wal", "enter")
        await until(pilot, lambda: "Chain of max_wal_size" in screen_text(app))
        await pilot.press("y")
        assert app.clipboard == f"{DATA}/postgresql.auto.conf:2"
        await pilot.press("enter", "G", "enter")
        await pilot.pause()
        assert screen.board.focused_name == "file"
        current = screen.panes["file"].current
        assert current is not None
        assert current.label == "max_wal_size = '8GB'"
        await pilot.press("escape", "escape")
        assert isinstance(app.screen, Dashboard)


async def test_a_dead_file_is_compared_and_d_goes_back() -> None:
    app = stage(configured(incident()))
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await opened(pilot)
        await pilot.press("d")
        assert "- archive_mode = on  line 3" in shown(screen, "detail")
        assert "+ archive_mode = off  built-in default" in shown(screen, "detail")
        await pilot.press("d")
        assert "Chain of archive_mode" in screen_text(app)


async def test_what_if_names_the_file_and_the_line() -> None:
    app = stage(configured(incident()))
    async with app.run_test(size=(120, 36), notifications=True) as pilot:
        screen = await opened(pilot)
        await pilot.press("w", *"on", "enter")
        await until(pilot, lambda: "Where to set" in screen_text(app))
        text = shown(screen, "detail")
        assert f"{CONF_D}/99_walconsole.conf" in text
        assert "archive_mode = 'on'" in text
        assert "a restart of PostgreSQL" in text
        await pilot.press("y")
        assert app.clipboard == f"{CONF_D}/99_walconsole.conf"
        await pilot.press("w", "ctrl+u", *"nonsense", "enter")
        await until(pilot, lambda: "type it as name=value" in screen_text(app))
        assert "Where to set archive_mode" in screen_text(app)


async def test_without_a_server_the_files_tell_it_and_say_so() -> None:
    texts = incident_texts() | {f"{CONF_D}/50_bad.conf": "archive_mode = on\narchive_timeout = 60 seconds\n"}
    files = files_of(texts, argv=())
    app = stage(down(configured(incident(), files)))
    async with app.run_test(size=(200, 60)) as pilot:
        screen = await opened(pilot)
        text = screen_text(app)
        assert "PostgreSQL would not start" in text
        assert f"{CONF_D}/50_bad.conf:2 `archive_timeout = 60 seconds`: syntax error" in text
        assert "from the files alone: connection refused" in text
        assert "files alone" in text
        await pilot.press("2", "j")
        await pilot.pause()
        assert "archive_timeout = 60 seconds" in shown(screen, "detail")
        assert "50_bad.conf" in screen_text(app)


async def test_how_it_was_started_names_every_source() -> None:
    app = stage(configured(incident()))
    async with app.run_test(size=(200, 60)) as pilot:
        screen = await opened(pilot)
        await pilot.press("2")
        await pilot.pause()
        text = shown(screen, "detail")
        for part in (
            "postgresql@15-main.service, active",
            "pgdata.conf",
            "PGDATA=/data/pgdata",
            " ".join(ARGV[1:]),
        ):
            assert part in " ".join(text.split()), part
        assert "Environment=PGDATA=/data/pgdata" in shown(screen, "file")


async def test_hostile_text_reaches_neither_screen_nor_clipboard_nor_export(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    bad = HOSTILE.replace("\n", "").replace("\0", "").replace("/", "")
    rubbish = bytes(range(256)) * 40
    texts: dict[str, Text] = {
        LIVE: f"include_dir 'conf.d'\narchive_command = '{bad.encode('utf-8', 'replace').decode()}'\n",
        f"{CONF_D}/{bad}.conf": "archive_timeout = 60\r\n",
        f"{CONF_D}/zz.conf.bak": rubbish,
        DEAD: HOSTILE.encode("utf-8", "replace") + b"\narchive_mode = '[/red]'\n",
        "/data/pgdata/no.conf": FileContent("/data/pgdata/no.conf", obstacle=Obstacle.DENIED),
    }
    app = stage(configured(incident(), files_of(texts)))
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await opened(pilot)
        for key in "2jjjjjjj1jjjd":
            await pilot.press(key)
            await pilot.pause()
            for pane in ("settings", "files", "detail", "file"):
                assert all(line.isprintable() for line in shown(screen, pane).split("\n"))
            await pilot.press("y")
            assert app.clipboard.isprintable()
        await pilot.press("e")
        await until(pilot, lambda: bool(list(tmp_path.iterdir())))
    assert all(line.isprintable() for text in texts_in(tmp_path) for line in text.splitlines())


async def test_an_export_holds_the_chains_and_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    texts = incident_texts() | {
        f"{CONF_D}/10_secret.conf": "primary_conninfo = 'host=x password=hunter2'\n"
        "ssl_passphrase_command = 'echo hunter2'\narchive_command = 'AWS_SECRET_ACCESS_KEY=hunter2 cp %p x'\n"
    }
    app = stage(configured(incident(), files_of(texts)))
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await opened(pilot)
        await pilot.press("a", "e")
        await until(pilot, lambda: len(list(tmp_path.iterdir())) == 2)
        await pilot.press("slash", *"ssl_pass", "enter")
        await pilot.pause()
        everything = "".join(shown(screen, pane) for pane in ("settings", "files", "detail", "file"))
        assert "[redacted]" in everything
        assert "hunter2" not in everything
        assert "hunter2" not in screen_text(app)
    check_export(tmp_path)


def texts_in(folder: Path) -> list[str]:
    """What was exported."""
    return [path.read_text() for path in folder.iterdir()]


def check_export(folder: Path) -> None:
    """Private, complete, and without the secret."""
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    assert not any("hunter2" in text for text in texts_in(folder))
    document = json.loads(next(folder.glob("*.json")).read_text())
    mode = next(one for one in document["settings"] if one["name"] == "archive_mode")
    assert mode["value"] == "off"
    assert mode["never_read"][0]["where"].startswith("/")


async def test_an_open_screen_asks_for_fresh_facts_and_follows_them() -> None:
    observer = ScriptedObserver([configured(incident())])
    app = stage(observer=observer)
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await opened(pilot)
        assert observer.asked == ["hurry catalogue", "hurry files"]
        await pilot.press("slash", *"archive_timeout", "enter")
        await pilot.pause()
        files = files_of(incident_texts() | {f"{CONF_D}/40_new.conf": "archive_timeout = 1min\n"})
        newer = configured(incident(), files, catalogue_of(files, running={"archive_timeout": "0"}))
        app.current.publish(replace(newer, files=replace(newer.files, read_at=NOW)))
        await until(pilot, lambda: "40_new.conf:1" in shown(screen, "detail"))
        assert "waits for a reload" in shown(screen, "detail")
        assert "1min, for a reload" in shown(screen, "detail")


async def test_the_palette_has_the_screens_own_actions() -> None:
    app = stage(configured(incident()))
    async with app.run_test(size=(120, 36)) as pilot:
        await opened(pilot)
        await pilot.press("ctrl+p")
        await until(pilot, lambda: isinstance(app.screen, CommandPalette))
        await pilot.press(*"dead file against")
        await until(pilot, lambda: "A dead file against what is in force" in screen_text(app))
        await pilot.press("enter", "enter")
        await until(pilot, lambda: "- archive_mode = on" in screen_text(app))
