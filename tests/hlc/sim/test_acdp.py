"""The simulated pantograph and the bus under it obey their mechanics."""

from __future__ import annotations

from hlc.ports import Offset, Pantograph
from hlc.sim import Battery
from hlc.sim.acdp import WINDOW, PantographCable, SimulatedBus, SimulatedPantograph, link


def world() -> tuple[PantographCable, SimulatedPantograph, SimulatedBus]:
    outlet, bus = SimulatedPantograph(), SimulatedBus(Battery(soc=50.0))
    cable = link(outlet, bus)
    cable.advance(0.0)
    return cable, outlet, bus


def arrived() -> tuple[PantographCable, SimulatedPantograph, SimulatedBus]:
    """The bus stands in its place."""
    cable, outlet, bus = world()
    for step in range(20):
        cable.advance(0.25 * step)
        offset = outlet.vehicle_offset()
        assert offset is not None
        bus.guided(offset)
    return cable, outlet, bus


def connected() -> tuple[PantographCable, SimulatedPantograph, SimulatedBus]:
    cable, outlet, bus = arrived()
    bus.lock_connector()
    outlet.connect()
    cable.advance(cable.now + 5.0)
    return cable, outlet, bus


def test_a_bus_is_guided_into_its_place() -> None:
    _, outlet, bus = world()
    assert bus.moving()
    assert not outlet.in_position()
    _, outlet, bus = arrived()
    assert not bus.moving()
    assert outlet.in_position()
    assert abs(bus.place.x) < WINDOW.x


def test_a_bus_that_nobody_guides_drives_on() -> None:
    cable, outlet, bus = world()
    cable.advance(10.0)
    assert bus.moving()
    assert not outlet.in_position()


def test_a_pantograph_takes_its_time_to_the_vehicle_and_back() -> None:
    cable, outlet, bus = arrived()
    assert outlet.pantograph() is Pantograph.HOME
    assert not cable.plugged
    outlet.connect()
    cable.advance(cable.now + 2.0)
    assert outlet.pantograph() is Pantograph.MOVING
    assert not outlet.contact()
    cable.advance(cable.now + 2.1)
    assert outlet.pantograph() is Pantograph.END_POSITION
    assert outlet.contact()
    assert bus.contact()
    assert cable.plugged
    outlet.disconnect()
    cable.advance(cable.now + 0.1)
    assert not bus.contact()
    cable.advance(cable.now + 4.0)
    assert outlet.pantograph() is Pantograph.HOME


def test_it_may_stick() -> None:
    cable, outlet, _ = arrived()
    outlet.stuck_at = 0.5
    outlet.connect()
    cable.advance(cable.now + 20.0)
    assert outlet.pantograph() is Pantograph.MOVING
    outlet.stuck_at = None
    cable.advance(cable.now + 4.0)
    assert outlet.pantograph() is Pantograph.END_POSITION


def test_contact_is_lost_when_the_vehicle_moves_or_a_gust_lifts_it() -> None:
    cable, outlet, bus = connected()
    outlet.lifted = True
    cable.advance(cable.now + 0.1)
    assert outlet.pantograph() is Pantograph.END_POSITION
    assert not bus.contact()
    outlet.lifted = False
    bus.rolls = True
    cable.advance(cable.now + 2.0)
    assert bus.moving()
    assert not outlet.in_position()
    assert not cable.plugged


def test_current_flows_through_contacts_only() -> None:
    cable, outlet, bus = connected()
    outlet.output(bus.battery_volts(), 2.0)
    cable.advance(cable.now + 1.0)
    bus.close_contactors()
    cable.advance(cable.now + 0.2)
    outlet.output(450.0, 50.0)
    cable.advance(cable.now + 1.0)
    assert bus.amps() > 40.0
    outlet.lifted = True
    cable.advance(cable.now + 0.1)
    assert cable.amps == 0.0


def test_a_bus_is_let_go_when_the_pantograph_has_left() -> None:
    cable, outlet, bus = connected()
    assert bus.connector_locked()
    bus.unlock_connector()
    cable.advance(cable.now + 1.0)
    assert bus.connector_locked()
    outlet.disconnect()
    cable.advance(cable.now + 3.0)
    assert bus.connector_locked()
    cable.advance(cable.now + 1.5)
    assert not bus.connector_locked()


def test_there_is_no_pilot() -> None:
    _, outlet, bus = connected()
    assert outlet.control_pilot() is None
    assert bus.control_pilot() is None


def test_each_alone_assumes_the_other() -> None:
    outlet = SimulatedPantograph()
    outlet.tick(0.0)
    assert outlet.vehicle_offset() == Offset(0.0, 0.0)
    assert outlet.in_position()
    assert outlet.associated()
    outlet.connect()
    outlet.tick(5.0)
    assert outlet.contact()
    bus = SimulatedBus()
    bus.tick(0.0)
    assert bus.moving()
    bus.guided(Offset(0.0, 0.0))
    assert not bus.moving()
    assert bus.contact()
