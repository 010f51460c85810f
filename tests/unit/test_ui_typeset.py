"""Setting text: no line is too long, nothing is lost, and a name is parted where its parts end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from walconsole.domain.units import lasting_text
from walconsole.ui.board.cells import folded


@given(st.text(alphabet="ab/-._=:, ", max_size=80), st.integers(1, 30))
def test_no_line_is_longer_and_nothing_is_lost(text: str, width: int) -> None:
    lines = folded(text, width)
    assert all(len(line) <= width for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")


@pytest.mark.parametrize(
    ("text", "width", "lines"),
    [
        (
            "exported /home/deploy/.local/share/walconsole/incident-20261125T030000Z.json",
            40,
            ["exported /home/deploy/.local/share/", "walconsole/", "incident-20261125T030000Z.json"],
        ),
        ("see https://nyc3.digitaloceanspaces.com/x", 30, ["see https://", "nyc3.digitaloceanspaces.com/x"]),
        ("000000010000000000000042 failed", 24, ["000000010000000000000042", "failed"]),
        ("walconsole-provisioning-shithub", 20, ["walconsole-", "provisioning-shithub"]),
        ("aaaaaaaaaaaa", 5, ["aaaaa", "aaaaa", "aa"]),
    ],
)
def test_where_a_word_is_parted(text: str, width: int, lines: list[str]) -> None:
    assert folded(text, width) == lines


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-2, ""),
        (0.4, ""),
        (1, " for 1 s"),
        (185, " for 3 min 05 s"),
    ],
)
def test_less_than_a_second_has_not_lasted(seconds: float, text: str) -> None:
    assert lasting_text(seconds) == text
