"""How fast the codec is: each engine beside `msgspec.json` on the same objects, and the CPU time of a session.

msgspec.json reads the same fields into classes of the same shape; where a field may hold one of several classes it is
told which, while the engines find that out. Engines and msgspec are measured in turns, and the best
of the turns counts: noise of a shared machine only ever adds.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import time
import timeit
from collections.abc import Callable
from typing import Any

import msgspec

import exi
from exi.messages import din70121 as din
from hlc.sim import Battery, SimulatedOutlet, SimulatedVehicle
from hlc.sim.pair import Pair

LIMIT_RATIO, LIMIT_SESSION_MS = 2.0, 50.0
ENGINES = [name for name in ("native", "python") if name == "python" or importlib.util.find_spec("exi._native")]
Call = Callable[[], object]


def physical(value: int, unit: str, multiplier: int = 0) -> din.PhysicalValue:
    return din.PhysicalValue(Multiplier=multiplier, Unit=din.UnitSymbol(unit), Value=value)


STATUS = din.DC_EVSEStatus(
    EVSEIsolationStatus=din.IsolationLevel.Valid,
    EVSEStatusCode=din.DC_EVSEStatusCode.EVSE_Ready,
    NotificationMaxDelay=0,
    EVSENotification=din.EVSENotification.None_,
)
VEHICLE_STATUS = din.DC_EVStatus(EVReady=True, EVErrorCode=din.DC_EVErrorCode.NO_ERROR, EVRESSSOC=50)

MESSAGES = (
    din.SessionSetupReq(EVCCID=bytes.fromhex("020000000001")),
    din.ChargeParameterDiscoveryRes(
        ResponseCode=din.ResponseCode.OK,
        EVSEProcessing=din.EVSEProcessing.Finished,
        SASchedules=din.SAScheduleList(
            SAScheduleTuple=[
                din.SAScheduleTuple(
                    SAScheduleTupleID=1,
                    PMaxSchedule=din.PMaxSchedule(
                        PMaxScheduleID=1,
                        PMaxScheduleEntry=[
                            din.PMaxScheduleEntry(
                                TimeInterval=din.RelativeTimeInterval(start=0, duration=86400), PMax=32767
                            )
                        ],
                    ),
                )
            ]
        ),
        EVSEChargeParameter=din.DC_EVSEChargeParameter(
            DC_EVSEStatus=STATUS,
            EVSEMaximumCurrentLimit=physical(200, "A"),
            EVSEMaximumPowerLimit=physical(15000, "W", 1),
            EVSEMaximumVoltageLimit=physical(500, "V"),
            EVSEMinimumCurrentLimit=physical(1, "A"),
            EVSEMinimumVoltageLimit=physical(150, "V"),
            EVSEPeakCurrentRipple=physical(5, "A"),
        ),
    ),
    din.CurrentDemandReq(
        DC_EVStatus=VEHICLE_STATUS,
        EVTargetCurrent=physical(1250, "A", -1),
        EVMaximumVoltageLimit=physical(4201, "V", -1),
        EVMaximumCurrentLimit=physical(2000, "A", -1),
        ChargingComplete=False,
        RemainingTimeToFullSoC=physical(1800, "s"),
        RemainingTimeToBulkSoC=physical(1200, "s"),
        EVTargetVoltage=physical(4021, "V", -1),
    ),
    din.CurrentDemandRes(
        ResponseCode=din.ResponseCode.OK,
        DC_EVSEStatus=STATUS,
        EVSEPresentVoltage=physical(3867, "V", -1),
        EVSEPresentCurrent=physical(1249, "A", -1),
        EVSECurrentLimitAchieved=False,
        EVSEVoltageLimitAchieved=False,
        EVSEPowerLimitAchieved=False,
        EVSEMaximumVoltageLimit=physical(500, "V"),
        EVSEMaximumCurrentLimit=physical(200, "A"),
        EVSEMaximumPowerLimit=physical(15000, "W", 1),
    ),
)


def told(value: msgspec.Struct) -> type[msgspec.Struct]:
    """The class of a message, for msgspec: as declared, but with every field that holds messages bound to the class
    that is there. It cannot read the abstract heads, nor the mixed content of a Signature that may stand in a header.
    """
    fields: list[tuple[str, Any] | tuple[str, Any, Any]] = []
    for name, held in ((name, getattr(value, name)) for name in value.__struct_fields__):
        if isinstance(held, msgspec.Struct):
            fields.append((name, told(held)))
        elif isinstance(held, list):
            fields.append((name, list[told(held[0])]))  # type: ignore[misc]
        elif held is None:
            fields.append((name, None, None))
    if not fields:
        return type(value)
    return msgspec.defstruct(type(value).__name__, fields, bases=(type(value),), kw_only=True, gc=False)


def best(calls: dict[str, Call], turns: int, seconds: float) -> dict[str, float]:
    """Microseconds of a call, the best of so many turns."""
    timers = {name: timeit.Timer(call) for name, call in calls.items()}
    counts = {}
    for name, timer in timers.items():
        number, took = timer.autorange()
        counts[name] = max(1, int(number * seconds / took))
    times = dict.fromkeys(calls, float("inf"))
    for _ in range(turns):
        for name, timer in timers.items():
            times[name] = min(times[name], timer.timeit(counts[name]) / counts[name] * 1e6)
    return times


def measure(element: din.BodyElement, turns: int, seconds: float) -> dict[str, dict[str, float]]:
    """Times to decode and to encode, by engine; "json" is msgspec's."""
    message = din.V2G_Message(
        Header=din.MessageHeader(SessionID=bytes.fromhex("F5B165224A58B791")), Body=din.Body(BodyElement=element)
    )
    schemas = {engine: exi.schema("din70121", engine) for engine in ENGINES}
    data = schemas["python"].encode(message)
    encoder, decoder = msgspec.json.Encoder(), msgspec.json.Decoder(told(message))
    text = encoder.encode(message)
    assert all(schema.decode(data) == message and schema.encode(message) == data for schema in schemas.values())
    assert encoder.encode(decoder.decode(text)) == text
    decode: dict[str, Call] = {name: lambda s=schema: s.decode(data) for name, schema in schemas.items()}
    encode: dict[str, Call] = {name: lambda s=schema: s.encode(message) for name, schema in schemas.items()}
    decode["json"] = lambda: decoder.decode(text)
    encode["json"] = lambda: encoder.encode(message)
    return {"decode": best(decode, turns, seconds), "encode": best(encode, turns, seconds), "size": {"exi": len(data)}}


def session() -> tuple[float, int]:
    """CPU milliseconds of a short session in virtual time, both ends; exchanges in its charge loop."""
    pair = Pair(SimulatedVehicle(Battery(soc=50.0), target_soc=50.2), SimulatedOutlet(kilowatts=150.0))
    began = time.process_time()
    pair.run()
    took = time.process_time() - began
    assert pair.vehicle.good, pair.vehicle.reason
    assert pair.station.good, pair.station.reason
    return took * 1000, pair.messages.count("CurrentDemandReq")


def main() -> int:
    parser = argparse.ArgumentParser(description="Time of the codec per message, and of a session in virtual time.")
    parser.add_argument("--turns", type=int, default=7, help="the best of so many counts")
    parser.add_argument("--seconds", type=float, default=0.05, help="length of a turn")
    options = parser.parse_args()

    print("Codec, DIN 70121: microseconds per message and ratio to msgspec.json on the same object\n")
    print(f"{'':<36}{'octets':>7}{'msgspec':>9}" + "".join(f"{engine:>10}{'ratio':>8}" for engine in ENGINES))
    worst = 0.0
    for element in MESSAGES:
        found = measure(element, options.turns, options.seconds)
        for what in ("decode", "encode"):
            json = found[what]["json"]
            line = f"{type(element).__name__:<28}{what:<8}{found['size']['exi']:>7.0f}{json:>9.2f}"
            for engine in ENGINES:
                line += f"{found[what][engine]:>10.2f}{found[what][engine] / json:>8.1f}"
            print(line)
            worst = max(worst, found[what][ENGINES[0]] / json)
    if "native" in ENGINES:
        verdict = "ok" if worst <= LIMIT_RATIO else "OVER"
        print(f"\nnative engine at worst {worst:.1f} times msgspec.json; limit {LIMIT_RATIO:g} {verdict}")
    else:
        print("\nthe native engine was not built")
    took, exchanges = min(session() for _ in range(5))
    verdict = "ok" if took <= LIMIT_SESSION_MS else "OVER"
    print(
        f"session of {exchanges} charge-loop exchanges in virtual time, both ends, {exi.engine} engine: "
        f"{took:.0f} ms of CPU; limit {LIMIT_SESSION_MS:g} ms {verdict}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
