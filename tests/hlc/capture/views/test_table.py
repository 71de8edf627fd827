"""Tables as wide as the terminal."""

from __future__ import annotations

import pytest

from hlc.capture.views.table import Column, table

COLUMNS = [Column("name"), Column("count", right=True, rank=1), Column("why", elastic=True)]
ROWS = [["CableCheck", "157", "the isolation was never proven"], ["PreCharge", "7", "fine"]]


def test_all_is_shown_where_there_is_room() -> None:
    assert table(COLUMNS, ROWS, 100) == [
        "name        count  why",
        "CableCheck    157  the isolation was never proven",
        "PreCharge       7  fine",
    ]


@pytest.mark.parametrize("width", range(24, 60))
def test_no_line_is_wider(width: int) -> None:
    assert max(map(len, table(COLUMNS, ROWS, width))) <= width


def test_text_is_cut_first_then_columns_give_way() -> None:
    assert table(COLUMNS, ROWS, 35)[1] == "CableCheck    157  the isolation w…"
    assert table(COLUMNS, ROWS, 35, unicode=False)[1] == "CableCheck    157  the isolation w~"
    assert table(COLUMNS, ROWS, 25)[:2] == ["name        why", "CableCheck  the isolatio…"]


def test_an_empty_column_is_left_out() -> None:
    assert table(COLUMNS, [["CableCheck", "", "x"]], 80) == ["name        why", "CableCheck  x"]
    assert table(COLUMNS, [], 80) == ["name  count  why"]
