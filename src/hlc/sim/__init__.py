"""Outlet and vehicle without hardware: simple, but physical, and driven by the time that is handed in.

`link()` joins a `SimulatedOutlet` and a `SimulatedVehicle` by a `SimulatedCable`; each works alone as well, at the
end of a real network. `Pair` lets two machines talk in virtual time.
"""

from hlc.sim.battery import Battery
from hlc.sim.cable import SimulatedCable, link
from hlc.sim.outlet import SimulatedOutlet
from hlc.sim.vehicle import SimulatedVehicle

__all__ = ["Battery", "SimulatedCable", "SimulatedOutlet", "SimulatedVehicle", "link"]
