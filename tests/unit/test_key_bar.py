"""The last line's share: whose server it is stays in view at any width, keys take what is left."""

import pytest
from rich.cells import cell_len

from walconsole.ui.board.key_bar import READ_ONLY, Footnote, share
from walconsole.ui.board.keys import SCREENS, hints

TITLE = "shithub (deploy@db-1.fra.example.net)"


@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.parametrize("width", [80, 100, 120, 200])
@pytest.mark.parametrize("read_only", [True, False])
def test_profile_host_and_read_only_are_whole_from_80_cells(screen: str, width: int, read_only: bool) -> None:
    shared = share(hints(screen), Footnote(TITLE, read_only, "every x4"), width)
    assert shared.badge == (READ_ONLY if read_only else "")
    assert shared.title.startswith("shithub (deploy@db-1.fra.")
    assert shared.hints
    taken = sum(cell_len(key) + cell_len(label) + 3 for key, label in shared.hints)
    taken += len(shared.badge) + 3 if shared.badge else 0
    assert taken + cell_len(shared.title) + 1 <= width


def test_where_a_restore_can_go_is_offered_in_the_smallest_terminal() -> None:
    shown = [key for key, _ in share(hints("dashboard"), Footnote(TITLE), 80).hints]
    assert shown == ["q", "?", "i", "v"]


@pytest.mark.parametrize("width", range(60))
def test_nothing_is_wider_than_the_line(width: int) -> None:
    shared = share(hints("dashboard"), Footnote("数据库 (root@主机)", True, "paused"), width)
    taken = sum(cell_len(key) + cell_len(label) + 3 for key, label in shared.hints)
    title = cell_len(shared.title) + 1 if shared.title else 0
    assert taken + title <= max(0, width - len(shared.badge) - 3) or not (taken or title)


def test_the_pace_gives_way_to_a_key() -> None:
    keys = (("q", "quit"), ("?", "help"))
    note = Footnote("a (b)", pace="paused")
    assert share(keys, note, 30).pace == "paused"
    assert share(keys, note, 24) == (keys, "", "a (b)", "")
