"""Where triage's panes stand: what to do is in view whatever pane is in use."""

import pytest

from walconsole.ui.triage.screen import PANES, arrange


@pytest.mark.parametrize("focused", PANES)
@pytest.mark.parametrize("size", [(80, 21), (80, 16), (99, 30), (120, 33), (200, 57)])
def test_what_to_do_is_never_folded_to_its_title(focused: str, size: tuple[int, int]) -> None:
    long = dict.fromkeys(PANES, 40)
    boxes = arrange(*size, focused, long)
    assert boxes["remedy"].height > 5
    assert boxes["story"].height > 3
    assert boxes[focused].height > 3
    assert max(box.y + box.height for box in boxes.values()) == size[1]
