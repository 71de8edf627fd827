"""Libraries that are installed on request only: imported when needed, and what to do where they are missing."""

from __future__ import annotations

import importlib
from typing import Any


class MissingError(Exception):
    """A library is not installed. One line for a person, what to install in it."""

    exit_code = 1


def load(module: str, wanted_for: str) -> Any:
    """A module of an optional library. Raises `MissingError`."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        library = module.partition(".")[0]
        text = f"{wanted_for} needs {library}, which is not installed: pip install {library}"
        if error.name not in (None, library):
            text = f"{wanted_for} needs {library}, which cannot be loaded: {error}"
        raise MissingError(text) from None
