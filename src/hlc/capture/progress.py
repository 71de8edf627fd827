"""How far long work has come, on standard error where that is a terminal."""

from __future__ import annotations

import os
import stat
import sys
import time
from typing import Any, Final

EVERY_S: Final = 0.2
BAR: Final = 30
"""Columns of the bar."""


class Progress:
    """A bar that is rewritten in place; nothing where standard error is no terminal, or is written to by others.

    `beside`: results go to standard output meanwhile, and would be torn apart if that is the same terminal.
    """

    def __init__(self, whole: float, *, beside: bool = True) -> None:
        shown = sys.stderr.isatty() and not (beside and sys.stdout.isatty())
        self._whole = whole if shown else 0.0
        self._next = time.monotonic() + EVERY_S
        self._width = 0

    def show(self, done: float, more: str = "") -> None:
        """So much of the whole is done; `more` is said behind the bar."""
        if not self._whole or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + EVERY_S
        share = min(1.0, done / self._whole)
        line = f"[{'#' * int(BAR * share):<{BAR}}] {share:4.0%}  {more}".rstrip()
        sys.stderr.write(f"\r{line:<{self._width}}")
        sys.stderr.flush()
        self._width = len(line)

    def clear(self) -> None:
        """Take the bar away."""
        if self._width:
            sys.stderr.write("\r" + " " * self._width + "\r")
            sys.stderr.flush()
            self._width = 0


def size(stream: Any) -> int:
    """The size of the file behind a stream; 0 where it is none."""
    try:
        about = os.fstat(stream.fileno())
    except (AttributeError, OSError, ValueError):
        return 0
    return about.st_size if stat.S_ISREG(about.st_mode) else 0
