"""Numbers as they are shown."""

import pytest

from walconsole.domain.units import age_text, bytes_text, count_text, duration_text, plural


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (None, "n/a"),
        (0, "0 B"),
        (512, "512 B"),
        (999, "999 B"),
        (1000, "0.98 KiB"),
        (1024, "1.00 KiB"),
        (16 * 1024**2, "16.0 MiB"),
        (1023.7 * 1024, "1.00 MiB"),
        (123 * 1024**3, "123 GiB"),
        (-(5 * 1024**2), "-5.00 MiB"),
        (2**60, "1024 PiB"),
    ],
)
def test_bytes(count: float | None, text: str) -> None:
    assert bytes_text(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "n/a"),
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.6, "1 min 00 s"),
        (185, "3 min 05 s"),
        (7620, "2 h 07 min"),
        (86400 * 5 + 3 * 3600, "5 d 03 h"),
        (-41, "-41 s"),
    ],
)
def test_durations(seconds: float | None, text: str) -> None:
    assert duration_text(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "never"), (0.3, "now"), (1.9, "1 s ago"), (41.7, "41 s ago"), (185.9, "3 min 05 s ago")],
)
def test_ages_tick_in_whole_seconds(seconds: float | None, text: str) -> None:
    assert age_text(seconds) == text


def test_counts_have_thousands_and_their_noun_its_number() -> None:
    assert count_text(1234567) == "1,234,567"
    assert count_text(None) == "n/a"
    assert [plural(count, "segment") for count in (0, 1, 2500)] == [
        "0 segments",
        "1 segment",
        "2,500 segments",
    ]
    assert plural(2, "segment waits", "segments wait") == "2 segments wait"
