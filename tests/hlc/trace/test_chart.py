"""Bars in characters."""

from __future__ import annotations

from hlc.trace.chart import bars


def test_a_column_for_each_value() -> None:
    assert bars([0, 5, 10, 20], "dB", 80, top=20) == [
        "  20 dB|   █",
        "  15   |   █",
        "  10   |  ██",
        "   5   | ███",
        "       +----",
        "        1",
    ]


def test_ascii_and_a_scale_to_compare_with() -> None:
    lines = bars([4, 9, 12], "dB", 80, top=38, unicode=False)
    assert lines[:3] == ["  15 dB|", "  10   | ##", "   5   |###"]
    assert all(line.isascii() for line in lines)


def test_a_narrow_terminal_gets_averages() -> None:
    lines = bars(list(range(58)), "dB", 40)
    assert max(map(len, lines)) <= 40
    assert lines[-1] == "        1   10   20   30   40   50"


def test_any_value_gives_a_chart_of_some_lines() -> None:
    assert bars([], "dB", 80) == []
    for values in ([0], [255] * 255, [0, 254], [1]):
        assert len(bars(values, "dB", 80)) <= 10
