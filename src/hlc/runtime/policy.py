"""Whether connections are protected: what `--tls` says."""

from __future__ import annotations

from enum import StrEnum


class Policy(StrEnum):
    """As the words of the option."""

    NEVER = "never"
    ALLOW = "allow"
    REQUIRE = "require"
