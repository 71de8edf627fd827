"""The quirks that come with the package."""

from __future__ import annotations

from importlib.resources import files
from typing import Literal

from hlc import quirks


def known(end: Literal["station", "vehicle"]) -> list[quirks.Quirk]:
    """Those that concern this end of ours."""
    texts = {
        file.name: file.read_text(encoding="utf-8")
        for file in files(quirks).iterdir()
        if file.name.endswith(quirks.SUFFIX)
    }
    return [quirk for quirk in quirks.read(texts) if quirk.end == end]
