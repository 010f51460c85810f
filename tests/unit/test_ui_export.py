"""What is exported: a spreadsheet never takes remote text for a formula."""

import csv
import io

import pytest

from walconsole.ui.board.export import csv_text


@pytest.mark.parametrize("cell", ["=1+1", "=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(1)", "@1", "\t=1"])
def test_a_formula_is_made_a_text(cell: str) -> None:
    ((written,),) = csv.reader(io.StringIO(csv_text([[cell]]), newline=""))
    assert written == f"'{cell}"


@pytest.mark.parametrize("cell", ["", "-5", "+0.012 s", "-3 %", "16.0 MiB", "a=b", "'quoted'", "+12 MiB/s"])
def test_numbers_and_plain_texts_stay(cell: str) -> None:
    ((written,),) = csv.reader(io.StringIO(csv_text([[cell]]), newline=""))
    assert written == cell
