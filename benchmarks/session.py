"""How much CPU a whole session takes, both ends of it, in virtual time."""

from __future__ import annotations

import sys
import time

import exi
from hlc.sim import Battery, SimulatedOutlet, SimulatedVehicle
from hlc.sim.pair import Pair

LIMIT_MS = 50.0


def session() -> tuple[float, int]:
    """CPU milliseconds of a short session; exchanges in its charge loop."""
    pair = Pair(SimulatedVehicle(Battery(soc=50.0), target_soc=50.2), SimulatedOutlet(kilowatts=150.0))
    began = time.process_time()
    pair.run()
    took = time.process_time() - began
    assert pair.vehicle.good, pair.vehicle.reason
    assert pair.station.good, pair.station.reason
    return took * 1000, pair.messages.count("CurrentDemandReq")


def main() -> int:
    took, exchanges = min(session() for _ in range(5))
    verdict = "ok" if took <= LIMIT_MS else "OVER"
    print(
        f"session of {exchanges} charge-loop exchanges in virtual time, both ends, {exi.engine} engine: "
        f"{took:.0f} ms of CPU; limit {LIMIT_MS:g} ms {verdict}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
