"""Ctrl-C and the end of a service: the first asks, the second forces."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def interrupts(ask: Callable[[], None], force: Callable[[], None]) -> Iterator[None]:
    """While this lasts, the first SIGINT or SIGTERM calls `ask`, every further one `force`."""
    loop = asyncio.get_running_loop()
    asked = False

    def interrupted() -> None:
        nonlocal asked
        action = force if asked else ask
        asked = True
        action()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, interrupted)
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
