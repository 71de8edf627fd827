"""A vehicle and a station that talk to each other in memory, in virtual time.

    pair = Pair(SimulatedVehicle(Battery(soc=20)), SimulatedOutlet(kilowatts=150))
    pair.run()
    assert pair.vehicle.good and pair.station.good

`Pair.events()` gives the events of the same session one by one, for who wants to show them at the pace of their times.
Everything is deterministic: the same arguments give the same session, octet for octet.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Mapping, Sequence
from ipaddress import IPv6Address
from random import Random
from typing import Any, Final, NamedTuple, Protocol

import msgspec

from hlc import evcc, sap, sdp, secc
from hlc.flow import PLAIN, Close, Effect, Machine, Paused, Send, Transport
from hlc.ids import ChargePointState, VehicleState, message_id
from hlc.sim import ac, acdp, cable, wpt
from hlc.sim.ac import SimulatedAcOutlet, SimulatedAcVehicle
from hlc.sim.ac_invariants import AcInvariants
from hlc.sim.acdp import SimulatedBus, SimulatedPantograph
from hlc.sim.acdp_invariants import AcdpInvariants
from hlc.sim.cable import SimulatedCable
from hlc.sim.invariants import Invariants
from hlc.sim.outlet import SimulatedOutlet
from hlc.sim.vehicle import SimulatedVehicle
from hlc.sim.wpt import SimulatedPad, SimulatedReceiver
from hlc.sim.wpt_invariants import WptInvariants
from hlc.trace.events import Event, Frame, Message, Note, Side, StateEntered, Trace, ignore

LATENCY_S: Final = 0.002
"""One way over the simulated line."""
LONGEST_S: Final = 3600.0 * 24
"""A session that is not over by then hangs."""
AFTER_S: Final = 3.0
"""So long the world goes on after the session, for the invariants to see it at rest."""
STATION_ADDRESS: Final = IPv6Address("fe80::2:1")
STATION_PORT: Final = 50000
EPOCH: Final = 1_800_000_000.0
"""When the world begins, in seconds since 1970."""
WIRELESS: Final = {
    "iso15118_20_wpt": sdp.SdpWirelessRequest(
        security=sdp.Security.NONE, positioning=sdp.Positioning.PPD_INFRASTRUCTURE, coupling=sdp.Coupling.WPT
    ),
    "iso15118_20_acdp": sdp.SdpWirelessRequest(
        security=sdp.Security.NONE,
        positioning=sdp.Positioning.PPD_INFRASTRUCTURE,
        coupling=sdp.Coupling.INVERSE_PANTOGRAPH_CROSS_RAIL,
    ),
}
"""What vehicles of these protocols say of themselves in discovery."""


class Delivery(NamedTuple):
    """A frame on its way to one side."""

    to: Side
    payload_type: int
    payload: bytes


Tamper = Callable[["Pair", int, Delivery], list[tuple[float, Delivery]] | None]
"""Called with every frame and its number on the wire: what arrives instead, after what further delay; None: as it
is."""


class Tunnel(Protocol):
    """TLS between the two, already established."""

    flights: int
    """Messages one way after the other that it took."""
    transports: Mapping[Side, Transport]
    """What each side sees of it."""
    notes: Sequence[tuple[Side, str]]
    """What each side says of it."""

    def carry(self, delivery: Delivery) -> Delivery:
        """Through it: encrypted, and decrypted at the other end."""


class Hang(Exception):  # noqa: N818
    """A session that does not come to an end."""


def _joined(outlet: Any, ev: Any) -> tuple[SimulatedCable, Callable[[Machine, Machine], Any]]:
    """What lies between an outlet and a vehicle of one kind, and what must hold there."""
    match outlet, ev:
        case SimulatedPad(), SimulatedReceiver():
            return wpt.link(outlet, ev), WptInvariants
        case SimulatedAcOutlet(), SimulatedAcVehicle():
            return ac.link(outlet, ev), AcInvariants
        case SimulatedPantograph(), SimulatedBus():
            return acdp.link(outlet, ev), AcdpInvariants
        case SimulatedOutlet(), SimulatedVehicle():
            return cable.link(outlet, ev), Invariants
    raise TypeError(f"{type(ev).__name__} does not fit {type(outlet).__name__}")


class Pair:
    """One session between a simulated vehicle and a simulated outlet.

    `tamper` may change what is on the wire or what happens in the world. `seed` makes the session IDs. `transport` is
    that of either end, where there is no `tunnel`; `sessions` and `resume` are for a session that goes on after a
    pause.
    """

    def __init__(
        self,
        ev: SimulatedVehicle,
        outlet: SimulatedOutlet | SimulatedAcOutlet | SimulatedPad,
        *,
        protocol: str = "din70121",
        trace: Trace = ignore,
        tamper: Tamper | None = None,
        latency_s: float = LATENCY_S,
        seed: int = 1,
        station_settings: secc.Settings | None = None,
        vehicle_settings: evcc.Settings | None = None,
        start: float = 0.0,
        transport: Transport = PLAIN,
        tunnel: Tunnel | None = None,
        sessions: secc.PausedSessions | None = None,
        resume: Paused | None = None,
    ) -> None:
        self.ev = ev
        self.outlet: Any = outlet
        """Of the kind that was given."""
        self.cable, watch = _joined(outlet, ev)
        self.now = start
        self.latency_s = latency_s
        self.tamper = tamper
        self.frames = 0
        self.messages: list[str] = []
        """Names of the messages, in the order in which they were sent."""
        self.said: list[Message] = []
        """The messages themselves."""
        self.states: dict[Side, list[VehicleState | ChargePointState]] = {Side.EVCC: [], Side.SECC: []}
        self.trace = trace
        self.protocol = protocol
        protocols = (sap.PROTOCOLS[protocol],)
        self.station = secc.Station(
            outlet,
            random=Random(seed).randbytes,
            protocols=protocols,
            settings=station_settings,
            sessions=sessions,
            clock=self._clock,
            trace=lambda event: self._traced(Side.SECC, event),
        )
        self.vehicle = evcc.Vehicle(
            ev,
            protocols=protocols,
            settings=vehicle_settings,
            resume=resume,
            clock=self._clock,
            trace=lambda event: self._traced(Side.EVCC, event),
        )
        self.machines: dict[Side, Machine] = {Side.SECC: self.station, Side.EVCC: self.vehicle}
        self.transport = transport
        self.tunnel = tunnel
        self.invariants = watch(self.station, self.vehicle)
        self.cable.observer = self.invariants.step
        self._queue: list[tuple[float, int, Delivery | Side | Callable[[], None]]] = []
        self._arrived = {Side.SECC: 0.0, Side.EVCC: 0.0}
        self._sent = 0
        self._connected = True
        self.silent = False
        """Nothing arrives any more, not even that the connection is closed."""
        self._fresh: list[Event] | None = None

    # Running

    def run(self) -> Pair:
        """Play the whole session. Raises `Hang`."""
        self._begin()
        while self._step():
            pass
        self._rest()
        return self

    def events(self, *, discovery: bool = True) -> Iterator[Event]:
        """Play the session and give its events as they come, with SECC discovery before it."""
        self._fresh = []
        if discovery:
            self._discover()
        self._begin()
        yield from self._take()
        while self._step():
            yield from self._take()
        yield from self._take()
        self._rest()

    def stop(self, side: Side, reason: str, *, pause: bool = False) -> None:
        """Somebody presses stop, at the vehicle or at the outlet."""
        machine = self.machines[side]
        self._carry_out(side, machine.stop(self.now, reason, pause=pause))

    def renegotiate(self, side: Side, reason: str) -> None:
        """Somebody wants a new schedule."""
        machine = self.machines[side]
        self._carry_out(side, machine.renegotiate(self.now, reason))

    def break_connection(self) -> None:
        """The TCP connection breaks, now, at both ends."""
        if self._connected:
            self._connected = False
            for side in (Side.SECC, Side.EVCC):
                heapq.heappush(self._queue, (self.now, self._number(), side))

    def later(self, action: Callable[[], None]) -> None:
        """Do something at this time, after what is being done."""
        heapq.heappush(self._queue, (self.now, self._number(), action))

    @property
    def ended(self) -> bool:
        """Whether both machines have finished."""
        return self.station.finished and self.vehicle.finished

    # Inside

    def _take(self) -> list[Event]:
        events, self._fresh = self._fresh or [], []
        return events

    def _begin(self) -> None:
        transports: Mapping[Side, Transport] = dict.fromkeys(Side, self.transport)
        if self.tunnel is not None:
            transports = self.tunnel.transports
            self.now += self.tunnel.flights * self.latency_s
            for side, text in self.tunnel.notes:
                self._pass_on(Note(at=self.now, side=side, text=text))
        self._carry_out(Side.SECC, self.station.start(self.now, transports[Side.SECC]))
        self._carry_out(Side.EVCC, self.vehicle.start(self.now, transports[Side.EVCC]))

    def _step(self) -> bool:
        """The next thing that happens; False: nothing any more."""
        if self.ended:
            return False
        at, side = self._next_deadline()
        if self._queue and self._queue[0][0] <= at:
            at, _, item = heapq.heappop(self._queue)
            self._advance(at)
            if callable(item):
                item()
            elif isinstance(item, Side):
                self._carry_out(item, self.machines[item].lost(self.now, "closed by the peer"))
            elif self._connected or item.to in self._half_open():
                machine = self.machines[item.to]
                self._carry_out(item.to, machine.receive(item.payload_type, item.payload, self.now))
        elif at == float("inf"):
            raise Hang(f"nothing is waited for any more, {self}")
        else:
            self._advance(at)
            self._carry_out(side, self.machines[side].expire(self.now))
        if self.now > LONGEST_S:
            raise Hang(f"no end after {LONGEST_S:g} s, {self}")
        return True

    def _half_open(self) -> tuple[Side, ...]:
        """After one side has closed, what it sent before still arrives."""
        return tuple(item for _, _, item in self._queue if isinstance(item, Side))

    def _next_deadline(self) -> tuple[float, Side]:
        station, vehicle = self.station.next_deadline(), self.vehicle.next_deadline()
        if station is None or (vehicle is not None and vehicle < station):
            return (float("inf") if vehicle is None else vehicle), Side.EVCC
        return station, Side.SECC

    def _advance(self, at: float) -> None:
        self.now = max(self.now, at)
        self.cable.advance(self.now)

    def _rest(self) -> None:
        self.cable.advance(self.now + AFTER_S)

    def _clock(self) -> float:
        """The time of day, at both ends."""
        return EPOCH + self.now

    def _number(self) -> int:
        self._sent += 1
        return self._sent

    def _carry_out(self, side: Side, effects: list[Effect]) -> None:
        peer = Side.SECC if side is Side.EVCC else Side.EVCC
        for effect in effects:
            match effect:
                case Send(payload_type, payload):
                    if self._connected and not self.silent:
                        self._transmit(Delivery(peer, payload_type, payload))
                case Close():
                    if self._connected and not self.silent:
                        self._connected = False
                        self._arrive(peer, self.latency_s, peer)

    def _transmit(self, delivery: Delivery) -> None:
        number = self.frames
        self.frames += 1
        arriving: list[tuple[float, Delivery]] | None = None
        if self.tamper is not None:
            arriving = self.tamper(self, number, delivery)
            if self.silent:
                return
        for delay, item in [(0.0, delivery)] if arriving is None else arriving:
            self._arrive(item.to, self.latency_s + delay, item if self.tunnel is None else self.tunnel.carry(item))

    def _arrive(self, to: Side, delay: float, item: Delivery | Side) -> None:
        """A stream keeps its order: nothing overtakes what was sent before."""
        self._arrived[to] = max(self.now + delay, self._arrived[to])
        heapq.heappush(self._queue, (self._arrived[to], self._number(), item))

    def _traced(self, side: Side, event: Event) -> None:
        """Both machines trace every message: take it from the one that sent it."""
        if event.side is not side:  # type: ignore[attr-defined]
            return
        if isinstance(event, Message):
            self.messages.append(event.name)
            self.said.append(event)
            self.invariants.message(event)
        elif isinstance(event, StateEntered):
            self.states[side].append(event.state)
        self._pass_on(event)

    def _pass_on(self, event: Event) -> None:
        self.trace(event)
        if self._fresh is not None:
            self._fresh.append(event)

    def _discover(self) -> None:
        """SECC discovery: one datagram each way, as events. Who has no cable asks over WLAN."""
        asked = WIRELESS.get(self.protocol)
        request: sdp.SdpMessage
        response: sdp.SdpMessage
        security = sdp.Security.NONE if self.tunnel is None else sdp.Security.TLS
        if asked is None:
            request = sdp.SdpRequest(security=security)
            response = sdp.SdpResponse(address=STATION_ADDRESS, port=STATION_PORT, security=security)
        else:
            request = asked = msgspec.structs.replace(asked, security=security)
            response = sdp.SdpWirelessResponse(
                address=STATION_ADDRESS,
                port=STATION_PORT,
                security=asked.security,
                diag_status=sdp.DiagStatus.FINISHED_WITH_EVSEID,
                coupling=asked.coupling,
                evseid=self.station.settings.EVSEID.decode(),
            )
        for side, message in ((Side.EVCC, request), (Side.SECC, response)):
            at, name = self.now, message.name
            kind = message.payload_type
            self._pass_on(Frame(at=at, side=side, payload_type=kind, payload=message.build()))
            number = message_id("sdp", name)
            self._pass_on(Message(at=at, side=side, schema="sdp", name=name, id=number, message=message))
            self.now += self.latency_s

    def __str__(self) -> str:
        last = self.messages[-1] if self.messages else "nothing said"
        return f"{self.now:.1f} s, {len(self.messages)} messages, last {last}"


__all__ = ["Delivery", "Hang", "Pair", "Tamper"]
