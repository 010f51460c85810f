"""The configuration screen's rows as pure functions."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from tests.data.configuration import (
    CONF_D,
    DATA,
    DEAD,
    DROPIN,
    LIVE,
    SECRET_TEXT,
    Text,
    catalogue_of,
    configured,
    files_of,
    incident_texts,
)
from tests.data.facts import NOW
from tests.data.snapshots import incident, problem
from walconsole.domain.facts.snapshot import Snapshot, fold
from walconsole.domain.pgconf.loading import InForce
from walconsole.domain.pgconf.resolution import RoleSetting
from walconsole.domain.pgconf.tree import FileContent, Obstacle
from walconsole.domain.pgconf.values import Context, SettingMeta, VarType, readable
from walconsole.ui.board.content import Spot, Tone
from walconsole.ui.board.glyphs import ASCII, UNICODE
from walconsole.ui.configuration.chain import read_wish
from walconsole.ui.configuration.file_text import FileRows
from walconsole.ui.configuration.notes import notice
from walconsole.ui.configuration.picture import picture_of, same_picture
from walconsole.ui.configuration.screen import PANES, arrange
from walconsole.ui.configuration.settings import value_text
from walconsole.ui.configuration.view_state import ConfigurationViewState, Kind, Subject

AUTO = f"{DATA}/postgresql.auto.conf"


def desk_of(snapshot: Snapshot, name: str = "", glyphs: object = UNICODE) -> ConfigurationViewState:
    picture = picture_of(snapshot)
    assert picture is not None
    return ConfigurationViewState(picture, glyphs, name)  # type: ignore[arg-type]


def detail(desk: ConfigurationViewState, subject: Subject | None = None, width: int = 100) -> str:
    if subject is not None:
        desk.choose(subject)
    return "\n".join(row.text for row in desk.detail_rows(NOW, width))


def with_lines(**lines: str) -> dict[str, Text]:
    """The incident's files, and these in conf.d."""
    return incident_texts() | {f"{CONF_D}/{name}.conf": text for name, text in lines.items()}


def test_a_chain_names_every_place_in_order_and_what_became_of_it() -> None:
    text = detail(desk_of(configured(incident()), "max_wal_size"))
    wanted = (
        "in force    8GB",
        "built-in default",
        f"= 1GB  overridden by {AUTO}:2",
        f"{CONF_D}/20_wal.conf:1",
        f"= 2GB  overridden by {AUTO}:2",
        f"{CONF_D}/20_wal.conf:2",
        f"{AUTO}:2  (ALTER SYSTEM)",
        "= 8GB  ● applied: in force",
    )
    places = [text.index(part) for part in wanted]
    assert places == sorted(places)


def test_the_command_line_wins_and_roles_are_for_their_own_sessions() -> None:
    argv = (*files_of().resolution.command_line.settings,)  # type: ignore[union-attr]
    assert argv
    files = files_of(argv=("postgres", "-D", DATA, "-c", f"config_file={LIVE}", "-c", "archive_timeout=5min"))
    roles = [RoleSetting("archive_timeout", "1", "app", "bob")]
    catalogue = catalogue_of(files, running={"archive_timeout": InForce("300", "command line")}, roles=roles)
    text = detail(desk_of(configured(incident(), files, catalogue), "archive_timeout"))
    assert "-c archive_timeout=5min  (command line)" in text
    assert "= 5min  ● applied: in force" in text
    assert "ALTER ROLE bob IN DATABASE app" in text
    assert "applied, in its own sessions" in text


def test_what_waits_says_for_what_and_between_which_moments() -> None:
    files = files_of(with_lines(**{"40_on": "archive_mode = on\n"}))
    running = {"archive_mode": InForce("off", "default", pending_restart=True)}
    desk = desk_of(configured(incident(), files, catalogue_of(files, running=running)), "archive_mode")
    text = " ".join(detail(desk).split())
    assert "in force off" in text
    assert "on, for a restart" in text
    assert "its file was last written 13:13:20Z" in text
    assert "marked pending by the reload at 13:43:20Z or one before" in text
    assert "not yet loaded, waits for a restart" in text
    row = next(row for row in desk.settings_rows(90) if row.label == "archive_mode")
    assert "off → on" in row.text
    assert "▲ restart" in row.text


def test_a_pending_restart_that_would_change_nothing_is_said_to() -> None:
    files = files_of()
    running = {"archive_mode": InForce("off", "default", pending_restart=True)}
    desk = desk_of(configured(incident(), files, catalogue_of(files, running=running)), "archive_mode")
    assert "a restart would take the same value again" in " ".join(detail(desk).split())


def test_errors_stand_with_file_line_text_and_why_and_throw_the_rest_away() -> None:
    files = files_of(with_lines(**{"50_bad": "archive_timeout = 60\nwal_level = sometimes\n"}), argv=())
    picture = picture_of(configured(incident(), files))
    assert picture is not None
    said, tone = notice(picture)
    assert f"{CONF_D}/50_bad.conf:2 `wal_level = sometimes`: not one of" in said
    assert tone is Tone.CRITICAL
    desk = ConfigurationViewState(picture, UNICODE, "wal_level")
    assert "✗ in error: not one of minimal, replica, logical" in detail(desk)
    row = next(row for row in desk.files_rows(100) if row.entry == "error")
    assert row.spot == Spot(f"{CONF_D}/50_bad.conf", 2)
    text = detail(desk, desk.subject_of(row))
    assert "wal_level = sometimes" in text
    rows = desk.file_rows()
    assert rows is not None
    assert "✗ not one of" in rows[1].text


def test_without_a_server_nothing_claims_to_be_in_force() -> None:
    snapshot = configured(incident())
    for slot in (Snapshot.catalogue, Snapshot.archiver):
        snapshot = fold(snapshot, problem(slot, "connection refused"), NOW)
    desk = desk_of(snapshot, "max_wal_size")
    text = detail(desk)
    assert "in force    n/a: from the files alone: connection refused" in text
    assert "● applied: this one wins" in text
    assert notice(desk.picture)[0] == "from the files alone: connection refused"


def test_a_dead_file_says_why_and_every_line_of_it_is_struck() -> None:
    desk = desk_of(configured(incident()))
    text = " ".join(detail(desk, Subject(Kind.FILE, DEAD)).split())
    assert "✗ NEVER READ" in text
    assert f"PGDATA=/data/pgdata ({DROPIN}:2) points here" in text
    assert "archive_mode = on here has no effect; off wins, from built-in default" in text
    rows = desk.file_rows()
    assert rows is not None
    assert desk.spot == Spot(DEAD, 2)
    assert all(row.spans[-1].struck for row in rows)


def test_the_difference_puts_archiving_first_and_names_both_sides() -> None:
    texts = incident_texts() | {DEAD: "work_mem = 1MB\nwal_level = replica\narchive_timeout = 1min\n"}
    desk = desk_of(configured(incident(), files_of(texts)))
    assert desk.dead_file() == f"{CONF_D}/30_archive.conf.bak"  # it sets archive_mode, which is in view
    text = detail(desk, Subject(Kind.DIFFERENCE, DEAD))
    assert text.index("- archive_timeout = 1min  line 3") < text.index("- work_mem = 1MB  line 1")
    assert "+ archive_timeout = 0  built-in default" in text
    assert "1 setting agrees with what is in force" in text
    assert "only in the files in force" in text
    assert desk.back()
    assert not desk.back()


def test_what_if_answers_with_a_file_or_says_what_is_in_the_way() -> None:
    desk = desk_of(configured(incident()))
    desk.wish("archive_timeout=60")
    text = detail(desk)
    assert f"put into    {CONF_D}/99_walconsole.conf" in text
    assert "archive_timeout = '60'" in text
    assert "a reload: SELECT pg_reload_conf()" in text
    assert "built-in default = 0" in text
    desk.wish("set max_wal_size to 1GB")
    assert f"{AUTO}:2 wins over every other file" in " ".join(detail(desk).split())
    desk.wish("archive_mode = maybe")
    assert "the server would refuse 'maybe'" in detail(desk)
    with pytest.raises(ValueError, match="no setting nonsense"):
        desk.wish("nonsense = 1")


@pytest.mark.parametrize(
    ("text", "wish"),
    [
        ("archive_timeout=60", ("archive_timeout", "60")),
        ("  Archive_Mode = on ", ("archive_mode", "on")),
        ("set wal_level to 'logical'", ("wal_level", "logical")),
        ("a.b = 'it''s'", ("a.b", "it's")),
        ("archive_command = ''", ("archive_command", "")),
        ("archive_command=a=b", ("archive_command", "a=b")),
    ],
)
def test_a_wish_is_read_as_it_is_typed(text: str, wish: tuple[str, str]) -> None:
    assert read_wish(text) == wish


@pytest.mark.parametrize("text", ["", "archive_mode", "=on", "a b=c", "/etc/passwd=1"])
def test_what_is_no_wish_says_how_to_type_one(text: str) -> None:
    with pytest.raises(ValueError, match="name=value"):
        read_wish(text)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("primary_conninfo", "host=x password=hunter2"),
        ("primary_conninfo", "host=x password='hunter2 and more'"),
        ("ssl_passphrase_command", "echo hunter2 hunter2"),
        ("archive_command", "AWS_SECRET_ACCESS_KEY='hunter2' aws s3 cp %p s3://b/%f"),
        ("archive_command", "curl https://u:hunter2@host/%f"),
    ],
)
def test_secrets_are_taken_out_by_name_and_by_shape(name: str, value: str) -> None:
    assert "hunter2" not in value_text(name, value)
    assert "[redacted]" in value_text(name, value)
    assert "hunter2" not in FileRows(FileContent("/x", f"{name} = '{value}'".encode()), UNICODE)[0].text


def test_plain_values_are_shown_as_they_are() -> None:
    command = "test ! -f /mnt/%f && cp \"%p\" '/mnt/it''s/%f'"
    assert value_text("archive_command", command) == command
    assert value_text("archive_command", "") == "''"


def test_a_private_key_in_a_file_is_hidden_line_by_line() -> None:
    raw = b"a = 1\n-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nAAAA\n-----END RSA PRIVATE KEY-----\nb = 2\n"
    rows = FileRows(FileContent("/x", raw), UNICODE)
    assert [row.text.split(maxsplit=1)[1] for row in rows] == ["a = 1", *["[redacted]"] * 4, "b = 2"]
    assert "hunter2" not in "".join(
        row.text for row in FileRows(FileContent("/x", SECRET_TEXT.encode()), UNICODE)
    )


@pytest.mark.parametrize("obstacle", list(Obstacle))
def test_a_file_that_cannot_be_read_says_why(obstacle: Obstacle) -> None:
    rows = FileRows(FileContent("/etc/x.conf", obstacle=obstacle), UNICODE)
    assert len(rows) == 1
    assert rows[0].text == f"  /etc/x.conf: {obstacle.value}"


def test_a_long_file_says_where_it_was_cut_and_a_long_line_too() -> None:
    rows = FileRows(FileContent("/x", b"a" * 100_000 + b"\nb\n", cut=True), UNICODE)
    assert len(rows) == 3
    assert rows[0].text.endswith("…")
    assert len(rows[0].text) < 2_100
    assert "too long" in rows[2].text


@given(st.binary(max_size=400))
def test_any_bytes_make_printable_rows(raw: bytes) -> None:
    for dead in (False, True):
        for row in FileRows(FileContent("/x", raw), UNICODE, dead=dead):
            assert row.text.isprintable()
            assert row.label.isprintable()


def test_the_list_has_archiving_first_and_searches_everything() -> None:
    desk = desk_of(configured(incident()))
    assert desk.names[0] == "archive_mode"
    assert "shared_buffers" not in desk.names
    desk.everything = True
    desk.list_again()
    assert desk.names.index("max_connections") < desk.names.index("shared_buffers")
    desk.everything, desk.pattern = False, "MAX_conn"
    desk.list_again()
    assert desk.names == ("max_connections",)
    desk.pattern = "8gb"
    desk.list_again()
    assert desk.names == ("max_wal_size",)
    assert desk_of(configured(incident()), "shared_buffers").everything


@pytest.mark.parametrize("width", [40, 54, 90, 200])
def test_no_row_is_wider_than_its_pane(width: int) -> None:
    desk = desk_of(configured(incident()))
    rows = [*desk.settings_rows(width), *desk.files_rows(width)]
    for row in rows:
        assert cell_len(row.text) <= width


def test_ascii_terminals_get_ascii_signs() -> None:
    desk = desk_of(configured(incident()), glyphs=ASCII)
    texts = [
        detail(desk),
        *(row.text for row in desk.files_rows(60)),
        *(r.text for r in desk.settings_rows(60)),
    ]
    odd = set(re.findall(r"[^\x20-\x7e\n]", "".join(texts)))
    assert odd <= {"…"}


def test_a_chain_of_thousands_makes_its_rows_when_they_are_seen() -> None:
    files = files_of(with_lines(**{"10_many": "archive_timeout = 7\n" * 3_000}))
    desk = desk_of(configured(incident(), files), "archive_timeout")
    rows = desk.detail_rows(NOW, 80)
    assert len(rows) > 3_000
    assert "10_many.conf:2999 = 7  overridden by" in "".join(row.text for row in rows[2_990:3_010])


def test_looking_again_and_finding_nothing_new_keeps_the_picture() -> None:
    snapshot = configured(incident())
    again = replace(snapshot, files=replace(snapshot.files, read_at=NOW + 30))
    assert same_picture(snapshot, again)
    assert not same_picture(snapshot, fold(snapshot, problem(Snapshot.catalogue, "gone"), NOW))


@pytest.mark.parametrize("size", [(80, 22), (100, 9), (120, 33), (200, 57), (20, 3), (1, 1), (99, 12)])
@pytest.mark.parametrize("focused", PANES)
def test_boxes_fill_the_screen_without_overlapping(size: tuple[int, int], focused: str) -> None:
    width, height = size
    boxes = arrange(width, height, focused, {"settings": 40, "files": 9, "detail": 14, "file": 600})
    assert boxes[focused].height >= min(height, 2)
    cells: set[tuple[int, int]] = set()
    for box in boxes.values():
        mine = {(x, y) for x in range(box.x, box.x + box.width) for y in range(box.y, box.y + box.height)}
        assert not cells & mine
        cells |= mine
    assert all(x < width and y < height for x, y in cells)


@pytest.mark.parametrize(
    ("stored", "unit", "wanted"),
    [
        ("16384", "8kB", "128MB"),
        ("60", "s", "1min"),
        ("61", "s", "61s"),
        ("-1", "8kB", "-1"),
        ("0", "s", "0"),
    ],
)
def test_values_read_as_show_words_them(stored: str, unit: str, wanted: str) -> None:
    meta = SettingMeta("x", VarType.INTEGER, Context.SIGHUP, "0", unit)
    assert readable(stored, meta) == wanted
