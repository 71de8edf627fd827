"""Lines that scroll, and one below them that is renewed in place: on a terminal only, and not too often."""

from __future__ import annotations

import io

import pytest

from hlc.trace.screen import Screen, clipped


class Terminal(io.StringIO):
    """A terminal of 20 columns."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "20")


def test_the_last_line_is_renewed_in_place_and_lines_go_above_it() -> None:
    terminal = Terminal()
    screen = Screen(terminal)
    screen.line("one")
    screen.status("1 s")
    screen.status("2 s")
    screen.line("two")
    screen.clear()
    screen.line("three")
    assert terminal.getvalue() == "one\n\r1 s\x1b[K\r2 s\x1b[K\r\x1b[Ktwo\n\r2 s\x1b[K\r\x1b[Kthree\n"


def test_the_last_line_is_not_renewed_too_often() -> None:
    terminal, now = Terminal(), [0.0]
    screen = Screen(terminal, lambda: now[0])
    for tick in range(100):
        now[0] = tick / 1000
        screen.status(f"{tick} ms")
    assert terminal.getvalue() == "\r0 ms\x1b[K\r50 ms\x1b[K"


def test_nothing_is_renewed_in_a_file_nor_on_a_terminal_that_cannot(monkeypatch: pytest.MonkeyPatch) -> None:
    file, dumb = io.StringIO(), Terminal()
    screens = [Screen(file)]
    monkeypatch.setenv("TERM", "dumb")
    screens.append(Screen(dumb))
    for screen in screens:
        screen.status("1 s")
        screen.line("a line that is wider than the terminal")
        screen.clear()
        assert not screen.live
    assert file.getvalue() == dumb.getvalue() == "a line that is wider than the terminal\n"


def test_no_line_is_wider_than_the_terminal() -> None:
    terminal = Terminal()
    screen = Screen(terminal)
    screen.status("x" * 30)
    screen.line("y" * 30)
    assert f"\r{'x' * 18}…\x1b[K" in terminal.getvalue()
    assert f"{'y' * 19}…\n" in terminal.getvalue()


def test_lines_may_be_left_whole() -> None:
    terminal = Terminal()
    screen = Screen(terminal, whole=True)
    screen.line("y" * 30)
    screen.status("x" * 30)
    assert terminal.getvalue() == f"{'y' * 30}\n\r{'x' * 18}…\x1b[K"


@pytest.mark.parametrize(
    ("line", "width", "result"),
    [
        ("short", 10, "short"),
        ("exactly 10", 10, "exactly 10"),
        ("more than 10", 10, "more than…"),
        ("\x1b[1mbold\x1b[0m", 4, "\x1b[1mbold\x1b[0m"),
        ("\x1b[1mbolder\x1b[0m", 4, "\x1b[1mbol…\x1b[0m"),
    ],
)
def test_clipped(line: str, width: int, result: str) -> None:
    assert clipped(line, width) == result
