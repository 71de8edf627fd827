"""How fast the codec is: each engine beside `msgspec.json` on the same objects; and what importing it takes.

msgspec.json reads the same fields into classes of the same shape; where a field may hold one of several classes it is
told which, while the engines find that out. Engines and msgspec are measured in turns, and the best of the turns
counts: noise of a shared machine only ever adds.
"""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
import timeit
from collections.abc import Callable
from typing import Any

import msgspec

import exi

DECODE_LIMIT, ENCODE_LIMIT, PYTHON_LIMIT = 1.5, 2.0, 2000
"""The C engine: times of msgspec.json. The Python engine: CurrentDemandRes per second."""
IMPORT_LIMIT_MS, IMPORT_LIMIT_MB = 150, 25

MESSAGES = (
    ("iso15118_2", "8098023d6c594892962de450d1001901061c41201081d24001061a01e0414261d4403082203806105804810816a3e0"),
    (
        "iso15118_2",
        "8098023d6c594892962de450e000000020408409b1e020c3842400003103d00c0618640081050987501044452a484c432a45313030312a31"
        "00000e484c432d4d455445522d303106062039101c59f540c200",
    ),
    ("iso15118_2", "8098023d6c594892962de451e020411114a921310ca914c4c0c0c4a8c4101c59f540c0"),
    (
        "iso15118_2",
        "8098023d6c594892962de450a00000000000303440810509875006068810606881020a1f0aa10097461726966663100003db9a59da1d0818"
        "5b990819185e400c0000e0a80100080c50000014018a070540087054008008062800000c80c503034408382a004006031400000780628141"
        "f4061c15002002018a0000032031528000010206186400820a130ea06207a01818600206204b0080c3001030c014063058750080",
    ),
    ("din70121", "809a023d6c594892962de450e000408000010284d8f0101870848000060a1e80603030c801020384c3a800"),
    (
        "iso15118_20_dc",
        "8038047ad8b291252c5bc8880e2cfaa0620063f8708481fc26c7800080810987501000000400640081001e8060",
    ),
)
"""Of each length what a charging session sends most, or at its longest: the charge loop, the session's setup, and
charge parameters with a tariff."""

ENGINES = [name for name in ("native", "python") if name == "python" or importlib.util.find_spec("exi._native")]
Call = Callable[[], object]


def told(value: msgspec.Struct) -> type[msgspec.Struct]:
    """The class of a message, for msgspec: as declared, but with every field that holds messages bound to the class
    that is there. It cannot read the heads of substitution groups, nor the mixed content of a Signature that may stand
    in a header.
    """
    fields: list[tuple[str, Any] | tuple[str, Any, Any]] = []
    for name, held in ((name, getattr(value, name)) for name in value.__struct_fields__):
        if isinstance(held, msgspec.Struct):
            fields.append((name, told(held)))
        elif isinstance(held, list) and held and isinstance(held[0], msgspec.Struct):
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


def measure(name: str, data: bytes, turns: int, seconds: float) -> tuple[str, dict[str, float], dict[str, float]]:
    """The message's name, and the times to decode and to encode by engine; "json" is msgspec's."""
    schemas = {engine: exi.schema(name, engine) for engine in ENGINES}  # type: ignore[arg-type]
    message = schemas["python"].decode(data)
    encoder, decoder = msgspec.json.Encoder(), msgspec.json.Decoder(told(message))
    text = encoder.encode(message)
    assert all(schema.decode(data) == message and schema.encode(message) == data for schema in schemas.values())
    assert encoder.encode(decoder.decode(text)) == text
    decode: dict[str, Call] = {engine: lambda s=schema: s.decode(data) for engine, schema in schemas.items()}
    encode: dict[str, Call] = {engine: lambda s=schema: s.encode(message) for engine, schema in schemas.items()}
    decode["json"] = lambda: decoder.decode(text)
    encode["json"] = lambda: encoder.encode(message)
    body = getattr(getattr(message, "Body", None), "BodyElement", message)
    return type(body).__name__, best(decode, turns, seconds), best(encode, turns, seconds)


def verdict(good: bool) -> str:
    return "ok" if good else "OVER"


def speed(turns: int, seconds: float) -> None:
    print("Microseconds per message, and ratio to msgspec.json on the same object\n")
    print(f"{'':<53}{'octets':>7}{'msgspec':>9}" + "".join(f"{engine:>10}{'ratio':>8}" for engine in ENGINES))
    worst = {"decode": 0.0, "encode": 0.0}
    slowest = 0.0
    for schema, text in MESSAGES:
        data = bytes.fromhex(text)
        name, decode, encode = measure(schema, data, turns, seconds)
        for what, times in (("decode", decode), ("encode", encode)):
            line = f"{schema:<16}{name:<29}{what:<8}{len(data):>7}{times['json']:>9.2f}"
            for engine in ENGINES:
                line += f"{times[engine]:>10.2f}{times[engine] / times['json']:>8.2f}"
            print(line)
            worst[what] = max(worst[what], times[ENGINES[0]] / times["json"])
        if name == "CurrentDemandRes":
            slowest = max(slowest, decode["python"])
    print()
    if "native" in ENGINES:
        for what, limit in (("decode", DECODE_LIMIT), ("encode", ENCODE_LIMIT)):
            print(f"native engine, {what}: at worst {worst[what]:.2f} times msgspec.json; limit {limit:g}", end=" ")
            print(verdict(worst[what] <= limit))
    else:
        print("the native engine was not built")
    rate = 1e6 / slowest
    print(
        f"python engine: {rate:,.0f} CurrentDemandRes a second; limit {PYTHON_LIMIT:,} {verdict(rate >= PYTHON_LIMIT)}"
    )


IMPORT = """
import time
def resident():
    with open("/proc/self/statm") as line:
        return int(line.read().split()[1]) * 4096
before, began = resident(), time.perf_counter()
import exi
for name in exi.schema_names():
    exi.schema(name)
print(time.perf_counter() - began, resident() - before)
"""
"""Grammars are compiled when they are first needed, and so not here."""


def importing(turns: int) -> None:
    """Time and memory of importing the codec with every schema, each in a new interpreter."""
    runs = [
        subprocess.run([sys.executable, "-c", IMPORT], capture_output=True, text=True, check=True).stdout.split()
        for _ in range(turns)
    ]
    took, memory = min(float(run[0]) * 1e3 for run in runs), min(float(run[1]) / 1e6 for run in runs)
    good = took <= IMPORT_LIMIT_MS and memory <= IMPORT_LIMIT_MB
    print(
        f"import of exi with all {len(exi.schema_names())} schemas: {took:.0f} ms, {memory:.0f} MB; "
        f"limit {IMPORT_LIMIT_MS} ms, {IMPORT_LIMIT_MB} MB {verdict(good)}"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description="Time of the codec per message, and of importing it.")
    parser.add_argument("--turns", type=int, default=7, help="the best of so many counts")
    parser.add_argument("--seconds", type=float, default=0.05, help="length of a turn")
    options = parser.parse_args()
    speed(options.turns, options.seconds)
    importing(options.turns)
    return 0


if __name__ == "__main__":
    sys.exit(main())
