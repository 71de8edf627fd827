"""Sessions that are written down message by message: what a good one says, with some of it changed."""

from __future__ import annotations

from importlib import import_module
from ipaddress import IPv6Address
from pathlib import Path
from typing import Any

import msgspec

import exi
from hlc import sdp
from hlc.capture import protocol
from hlc.capture.writer import PcapngWriter
from hlc.sim.course import spoken
from hlc.sim.worlds import WORLDS
from hlc.trace.events import Frame, Mme, SessionEnded, Side
from hlc.v2gtp import PayloadType

BEGAN = 1_700_000_000.0


def amount(value: float, unit: str = "", schema: str = "din70121") -> Any:
    """A physical value of DIN 70121 or ISO 15118-2."""
    module = import_module(f"exi.messages.{schema}")
    return module.PhysicalValue(Multiplier=-1, Unit=module.UnitSymbol(unit) if unit else None, Value=round(value * 10))


class Writer(PcapngWriter):
    """Writes a session that this side closes."""

    def __init__(self, path: Path, closer: Side) -> None:
        super().__init__(path, wall=lambda: BEGAN)
        self.closer = closer

    def _disconnect(self) -> None:
        vehicle, station = self._vehicle, self._station
        if self.closer is Side.SECC:
            self._vehicle, self._station = station, vehicle
        super()._disconnect()
        self._vehicle, self._station = vehicle, station


class Script:
    """One session. `say` takes the words of a good session; `changes` replace elements of its body, names with dots
    those further down."""

    def __init__(self, world: str = "din70121 dc") -> None:
        self.world = next(each for each in WORLDS if each.name == world)
        self.words = spoken(self.world).utterances
        self.rules: Any = protocol.rules(self.world.negotiated)
        self.session_id = bytes(range(1, 9))
        self.now = BEGAN
        self.events: list[Any] = []
        self.closer = Side.EVCC

    def discover(self, after: float = 0.0, *, took: float = 0.05, **response: Any) -> Script:
        """SDP; `response` are fields of the answer."""
        self.now += after
        asked = response.pop("asked", sdp.Security.NONE)
        request = sdp.SdpRequest(security=asked)
        self.events.append(Frame(at=self.now, side=Side.EVCC, payload_type=0x9000, payload=request.build()))
        self.now += took
        about = {"address": "fe80::2:1", "port": 50000, "security": sdp.Security.NONE, **response}
        answer = sdp.SdpResponse(**{**about, "address": IPv6Address(about["address"])})
        self.events.append(Frame(at=self.now, side=Side.SECC, payload_type=0x9001, payload=answer.build()))
        return self

    def say(self, name: str, after: float = 0.02, *, session_id: bytes | None = None, **changes: Any) -> Script:
        """A message."""
        word = self.words[name]
        body, payload_type = word.body, word.payload_type
        if payload_type == PayloadType.SCHEDULE_RENEGOTIATION:
            payload_type = PayloadType.MAINSTREAM
        for path, value in changes.items():
            body = _replaced(body, path.split("__"), value)
        document = body
        if word.schema != "sap":
            known = self.session_id if session_id is None else session_id
            if hasattr(body, "Header"):
                header = msgspec.structs.replace(body.Header, SessionID=known, Signature=None)
                body = msgspec.structs.replace(body, Header=header)
            document = self.rules.wrap(known, body)
        return self.octets(name, payload_type, exi.schema(word.schema).encode(document), after)

    def octets(self, name: str, payload_type: int, payload: bytes, after: float = 0.02) -> Script:
        """A payload, said by whoever says messages of this name."""
        self.now += after
        side = Side.EVCC if name.endswith("Req") else Side.SECC
        self.events.append(Frame(at=self.now, side=side, payload_type=payload_type, payload=payload))
        return self

    def exchange(self, name: str, after: float = 0.05, *, took: float = 0.02, **changes: Any) -> Script:
        """A request and its answer; `changes` go to whichever has the element."""
        for suffix, wait in (("Req", after), ("Res", took)):
            body = self.words[name + suffix].body
            mine = {path: value for path, value in changes.items() if hasattr(body, path.split("__")[0])}
            self.say(name + suffix, wait, **mine)
        return self

    def up_to(self, last: str, **changes: Any) -> Script:
        """The exchanges of a good session, once each, up to this one; `changes` by exchange."""
        for name in dict.fromkeys(each[:-3] for each in spoken(self.world).messages):
            if name in ASIDE:
                continue
            self.exchange(name, **{**(self.start if name == "PowerDelivery" else {}), **changes.get(name, {})})
            if name == last:
                break
        return self

    @property
    def start(self) -> dict[str, Any]:
        """What makes a PowerDeliveryReq one to start."""
        return {"ReadyToChargeState": True} if self.world.protocol == "din70121" else {"ChargeProgress": "Start"}

    def times(self, count: int, name: str, after: float = 0.05, **changes: Any) -> Script:
        """The same exchange several times."""
        for _ in range(count):
            self.exchange(name, after, **changes)
        return self

    def stop(self, *names: str, **changes: Any) -> Script:
        """The orderly end."""
        for name in names or ("PowerDelivery", "WeldingDetection", "SessionStop"):
            self.exchange(name, **changes.get(name, {}))
        return self.close()

    def close(self, side: Side = Side.EVCC, after: float = 0.05) -> Script:
        """The connection is closed."""
        self.now += after
        self.closer = side
        self.events.append(SessionEnded(at=self.now, side=side, good=True, reason="", energy_wh=0.0))
        return self

    def wait(self, seconds: float) -> Script:
        """The capture goes on, with something that concerns nobody."""
        self.now += seconds
        octets = b"\xff" * 6 + bytes(6) + b"\x08\x06" + bytes(46)
        self.events.append(Mme(at=self.now, name="", source=b"", destination=b"", frame=octets, message=None))
        return self

    def write(self, path: Path) -> Path:
        """As a capture."""
        writer = Writer(path, self.closer)
        for event in self.events:
            writer(event)
        writer.close()
        return path


ASIDE = ("VehicleCheckIn", "VehicleCheckOut", "MeteringConfirmation")


def _replaced(body: Any, path: list[str], value: Any) -> Any:
    name, *further = path
    if further:
        value = _replaced(getattr(body, name), further, value)
    elif callable(value):
        value = value(getattr(body, name))
    else:
        old = getattr(body, name)
        if old is not None and hasattr(type(old), "__members__") and isinstance(value, str):
            value = type(old)(value)
    return msgspec.structs.replace(body, **{name: value})
