"""What is typed after a colon: every action has a word, from the table of keys alone."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from walconsole.ui.board.command_line import commands, completed, completions, understand, word_of
from walconsole.ui.board.keys import SCREENS, actions

VALUES = {"theme": ["paper", "night", "nightfall"]}


@pytest.mark.parametrize("screen", SCREENS)
def test_every_action_has_a_word_and_no_two_have_one(screen: str) -> None:
    words = [word_of(action) for action in actions(screen)]
    assert len(set(words)) == len(words)
    assert all(word and word == word.lower() and word.isprintable() for word in words)


@pytest.mark.parametrize("screen", SCREENS)
def test_every_word_runs_its_own_action(screen: str) -> None:
    known = commands(actions(screen))
    for word, action in known:
        assert understand(word, known, VALUES) == (action, "")
        assert understand(f"  {word} ", known, VALUES) == (action, "")
        assert word in [found for found, told in completions(word, known, VALUES) if action.title in told]


@pytest.mark.parametrize(
    ("text", "action", "argument"),
    [
        ("archive", "screen.archive", ""),
        ("arch", "screen.archive", ""),
        ("q", "quit", ""),
        ("theme night", "choose_theme", "night"),
        ("theme", "choose_theme", ""),
        ("filter  could not ", "screen.filter", "could not"),
        ("filt x", "screen.filter", "x"),
        ("pane log", "screen.jump('log')", ""),
        ("pane wal-disk", "screen.jump('wal_disk')", ""),
        ("faster", "pace(-1)", ""),
        ("!", "show_commands", ""),
    ],
)
def test_what_is_typed_is_understood(text: str, action: str, argument: str) -> None:
    found = understand(text, commands(actions("dashboard")), VALUES)
    assert (found.action.action, found.argument) == (action, argument)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "type a command"),
        ("triaje", "there is no command triaje here; did you mean triage\\?"),
        ("zzzzz", "there is no command zzzzz here$"),
        ("comm", "2 commands begin with comm: commands, command-line"),
        ("theme nihgt", "there is no theme nihgt; did you mean night\\?"),
        ("quit now", "quit takes nothing more"),
        ("p", ""),
    ],
)
def test_what_cannot_be_meant_is_said(text: str, said: str) -> None:
    known = commands(actions("dashboard"))
    if not said:
        assert understand(text, known, VALUES).action.action == "pause", "a key's own sign counts first"
        return
    with pytest.raises(ValueError, match=said):
        understand(text, known, VALUES)


def test_what_may_follow_is_completed() -> None:
    known = commands(actions("dashboard"))
    found = completions("theme n", known, VALUES)
    assert [text for text, _ in found] == ["theme night", "theme nightfall"]
    assert completed("theme n", found) == "theme night"
    assert completed("theme p", completions("theme p", known, VALUES)) == "theme paper"
    assert completed("arc", completions("arc", known, VALUES)) == "archive"
    assert completed("zzz", ()) == "zzz"


@given(st.text(max_size=30))
def test_nothing_makes_it_fail_otherwise(text: str) -> None:
    known = commands(actions("dashboard"))
    found = completions(text, known, VALUES)
    assert completed(text, found) in (text, *(word for word, _ in found)) or text in completed(text, found)
    with suppress(ValueError):
        assert understand(text, known, VALUES).action in actions("dashboard")
