"""A place in a capture."""

from __future__ import annotations

from typing import Final

import msgspec


class Where(msgspec.Struct, frozen=True, order=True, gc=False):
    """A moment in a capture."""

    at: float
    frame: int


NOWHERE: Final = Where(0.0, 0)
