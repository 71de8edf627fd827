"""A simulated powerline with modems on it, in memory and in virtual time.

    line = Powerline(seed=1)
    outlet = line.modem("evse", family="qca7000")
    car = line.modem("ev")
    line.attenuation(car, outlet, 12.0)

    car.from_host(frame, now)                       # what the vehicle's program gives its modem
    for modem, frame in line.expire(now): ...       # what reaches the programs behind the modems
    line.next_deadline()                            # when `expire` has something to do again

Everything is deterministic: the same seed and the same calls give the same frames at the same times.
"""

from slac.powerline.families import FAMILIES, Family
from slac.powerline.medium import Powerline
from slac.powerline.modem import SLAC, Role, SimulatedModem
from slac.powerline.observe import Carried, Event, Joined, Left, Rekeyed, Unsent
from slac.powerline.pilot import PilotWire

__all__ = [
    "FAMILIES",
    "SLAC",
    "Carried",
    "Event",
    "Family",
    "Joined",
    "Left",
    "PilotWire",
    "Powerline",
    "Rekeyed",
    "Role",
    "SimulatedModem",
    "Unsent",
]
