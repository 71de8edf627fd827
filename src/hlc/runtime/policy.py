"""Whether connections are protected: what `--tls` says."""

from __future__ import annotations

from enum import StrEnum

from hlc.sdp import Security


class Policy(StrEnum):
    """As the words of the option."""

    NEVER = "never"
    ALLOW = "allow"
    REQUIRE = "require"

    @property
    def offers(self) -> tuple[Security, ...]:
        """What a station says in discovery, the one that it likes best first."""
        match self:
            case Policy.NEVER:
                return (Security.NONE,)
            case Policy.ALLOW:
                return Security.TLS, Security.NONE
            case Policy.REQUIRE:
                return (Security.TLS,)
