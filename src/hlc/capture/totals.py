"""What was in a capture all in all."""

from __future__ import annotations

from collections import Counter

import msgspec


class Totals(msgspec.Struct):
    """What was in a capture all in all."""

    frames: int = 0
    messages: Counter[str] = msgspec.field(default_factory=Counter)
    undecoded: Counter[str] = msgspec.field(default_factory=Counter)
    damaged: int = 0
    """Undecoded payloads that are not what their protocol prescribes."""
    sdp: int = 0
    mme: Counter[str] = msgspec.field(default_factory=Counter)
    duties: set[float] = msgspec.field(default_factory=set)
    """Duty cycles on the control pilot, %, as far as they were told."""
    tls: int = 0
    """TLS connections."""
    encrypted: Counter[str] = msgspec.field(default_factory=Counter)
    """TLS connections of which nothing was decrypted, by the reason."""
    unknown_links: Counter[int] = msgspec.field(default_factory=Counter)
    first_at: float | None = None
    last_at: float = 0.0
    sessions: int = 0
    """And attempts to begin one."""
    runs: int = 0
    """Matching runs."""
    plug_ins: int = 0
