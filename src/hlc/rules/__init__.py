"""What the standards fix about a protocol, as data: one file per protocol, read by station, vehicle and sniffer alike.

A `Rule` is a request with its answer: the documented states, the deadlines of either side, and what may follow. A
`Phase` is a deadline over more than one exchange. Nothing here acts; `flow` runs these rows, a sniffer holds a
recording against them. In every deadline the performance time is what the station must keep, the timeout what the
vehicle waits.

Exchanges follow one another in a stream. All protocols have one, `MAIN`; ISO 15118-20 has side streams beside it, each
with a payload type of its own, in which an exchange may go on while the main stream goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import msgspec

from hlc.ids import ChargePointState, VehicleState

Kind = type[Any]
"""A message class: of a request or of a response."""
MAIN: Final = 0
"""The main stream. A side stream goes by its payload type."""


class Rule(NamedTuple):
    """One exchange. `then(request, response)` is what may be asked next; empty: nothing, the session is over."""

    request: Kind
    response: Kind
    payload_type: int
    secc: ChargePointState
    evcc: VehicleState
    then: Callable[[Any, Any], frozenset[Kind]]
    clause: str
    performance_s: float = 1.5
    """V2G_SECC_Msg_Performance_Time: from the request to its answer."""
    timeout_s: float = 2.0
    """V2G_EVCC_Msg_Timeout: how long the vehicle waits for the answer."""
    sequence_s: float | None = None
    """V2G_SECC_Sequence_Timeout after this answer; None: that of the protocol."""
    sequence_performance_s: float | None = None
    """V2G_EVCC_Sequence_Performance_Time after this answer; None: that of the protocol."""


class Phase(msgspec.Struct, frozen=True, eq=False):
    """A deadline over several exchanges. It begins with the first message of class `begins` (None: with the connection)
    and ends with the first message of which `ends` is true."""

    begins: Kind | None
    ends: Callable[[Any], bool]
    evcc: str
    """Name of the vehicle's timer."""
    timeout_s: float
    secc: str | None = None
    """Name of the station's timer; None: the standard sets the station none."""
    performance_s: float = 0.0
    clause: str | None = None


SETUP: Final = Phase(
    None,
    lambda message: type(message).__name__ == "SessionSetupRes",
    evcc="V2G_EVCC_CommunicationSetup_Timeout",
    timeout_s=20.0,
    secc="V2G_SECC_CommunicationSetup_Performance_Time",
    performance_s=18.0,
)
"""From the connection to the session. The same in all protocols: which one it will be is not known yet."""


class Rules:
    """A protocol. `unwrap(document)` gives session ID and body, `wrap(session_id, body)` the document.

    `sequence_timeout_s` is V2G_SECC_Sequence_Timeout: the station waits so long for the next request.
    `sequence_performance_s` is V2G_EVCC_Sequence_Performance_Time: the vehicle sends its next request within this time.
    """

    def __init__(
        self,
        name: str,
        rows: tuple[Rule, ...],
        phases: tuple[Phase, ...],
        *,
        unwrap: Callable[[Any], tuple[bytes, Any]],
        wrap: Callable[[bytes, Any], Any],
        clauses: Mapping[str, str],
        sequence_timeout_s: float = 60.0,
        sequence_performance_s: float = 40.0,
        side: Mapping[int, tuple[Rule, ...]] = MappingProxyType({}),
    ) -> None:
        self.name = name
        """As the protocol is named in `sap.PROTOCOLS`."""
        self.rows = rows
        self.phases = phases
        self.unwrap = unwrap
        self.wrap = wrap
        self.clauses = clauses
        """Clauses by what they rule: "sequence", "session", "failed"."""
        self.sequence_timeout_s = sequence_timeout_s
        self.sequence_performance_s = sequence_performance_s
        self.side = side
        """The rows of each side stream."""
        self.first = rows[0].request
        """The request that opens a session."""
        self.all_rows: tuple[Rule, ...] = sum(side.values(), rows)
        """Of all streams."""
        self.by_request = {rule.request: rule for rule in rows}
        self.by_response = {rule.response: rule for rule in rows}
        self.by_name = {kind.__name__: rule for rule in rows for kind in (rule.request, rule.response)}
        """By the name of the request or of the response."""
        self.beginning: Mapping[Kind | None, tuple[Phase, ...]] = {
            kind: tuple(phase for phase in phases if phase.begins is kind) for kind in {each.begins for each in phases}
        }
        """Phases by what begins them."""
        self.streams: Mapping[int, Mapping[Kind, Rule]] = {
            stream: {rule.request: rule for rule in each} for stream, each in {MAIN: rows, **side}.items()
        }
        """By stream and request."""

    def stream(self, payload_type: int) -> int:
        """The stream of a frame."""
        return payload_type if payload_type in self.side else MAIN

    def then(self, request: Any, response: Any, stream: int = MAIN) -> frozenset[Kind]:
        """What may be asked in this stream after this exchange. A request that the protocol does not know allows
        nothing."""
        rule = self.streams[stream].get(type(request))
        return rule.then(request, response) if rule is not None else frozenset()
