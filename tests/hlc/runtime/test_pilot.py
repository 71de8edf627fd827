"""Both ends of a matching with a control pilot between them: simulated outlet, vehicle, cable and powerline, and a loop
whose time passes by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest
from passing import PassingLoop, wire

from hlc.commands.secc import Plug
from hlc.flow import Paused
from hlc.ports import COMMUNICATION, NO_PWM, ControlPilot, PilotSignal
from hlc.runtime.errors import SetupError
from hlc.runtime.matching import Matching, Outcome
from hlc.runtime.pilot import LOOK_S, forget_unplugged
from hlc.runtime.powerline import Bridge
from hlc.secc import PausedSessions
from hlc.sim import SimulatedOutlet, SimulatedVehicle, link
from hlc.sim.acdp import SimulatedPantograph
from hlc.sim.wpt import SimulatedPad
from hlc.trace.events import Event, MatchingRemark, Note
from slac.effects import Failed, Linked, Reason, State, Unlinked
from slac.powerline import Powerline

CAR, OUTLET = bytes.fromhex("02e700000001"), bytes.fromhex("02e500000001")
B, C, F = ControlPilot.B, ControlPilot.C, ControlPilot.F


class Scene:
    """An outlet and a vehicle that is not plugged in."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.outlet, self.ev = SimulatedOutlet(), SimulatedVehicle()
        self.cable = link(self.outlet, self.ev)
        self.cable.plugged = False
        self.line = Powerline(seed=1)
        self.car_modem = self.line.modem("ev", host_mac=CAR, restart_s=0.1, join_s=0.5)
        self.outlet_modem = self.line.modem("evse", host_mac=OUTLET, restart_s=0.1, join_s=0.5)
        car_wire, self.car_end = wire(CAR)
        outlet_wire, self.outlet_end = wire(OUTLET)
        self.bridge = Bridge(self.line, {self.car_modem: car_wire, self.outlet_modem: outlet_wire})
        self.events: list[Event] = []
        self.car_told: list[Outcome] = []
        self.outlet_told: list[Outcome] = []
        self.car = Matching.of_vehicle(self.car_end, self.events.append, self.car_told.append, self.ev)
        self.station = Matching.of_outlet(self.outlet_end, self.events.append, self.outlet_told.append, self.outlet)
        self.pilot: list[tuple[float, PilotSignal]] = []
        """What was on the vehicle's side of it, and since when."""

    def plug(self, *, db: float | None = 12.0) -> None:
        """None: the modems do not hear each other."""
        self.cable.plugged = True
        if db is not None:
            self.couple(db)

    def couple(self, db: float) -> None:
        self.line.rewire(self.car_modem, self.outlet_modem, db, self.loop.time())

    def unplug(self) -> None:
        self.cable.plugged = False
        self.line.cut(self.car_modem, self.outlet_modem, self.loop.time())

    async def until(self, condition: Callable[[], bool], seconds: float = 120.0) -> None:
        """Let time pass, and watch the pilot meanwhile."""
        end = self.loop.time() + seconds
        while not condition():
            assert self.loop.time() < end, (self.car.machine.state, self.station.machine.state, self.car_told)
            signal = self.ev.control_pilot()
            assert signal is not None
            if not self.pilot or self.pilot[-1][1] != signal:
                self.pilot.append((self.loop.time(), signal))
            await asyncio.sleep(0.01)

    async def matched(self) -> None:
        await self.until(lambda: self.car.machine.state is self.station.machine.state is State.MATCHED)

    def remarks(self, kind: str) -> list[str]:
        return [each.text for each in self.events if isinstance(each, MatchingRemark) and each.kind == kind]

    @contextmanager
    def running(self) -> Iterator[None]:
        carrying = asyncio.create_task(self.bridge.run())
        try:
            yield
        finally:
            self.car.close()
            self.station.close()
            carrying.cancel()


def play(story: Callable[[Scene], Coroutine[Any, Any, None]], *, started: bool = True) -> Scene:
    """Play a story; its machines are ready when it begins."""
    scenes: list[Scene] = []

    async def run() -> None:
        scene = Scene()
        scenes.append(scene)
        with scene.running():
            await asyncio.sleep(0)
            if started:
                scene.car.start()
                scene.station.start()
                await scene.until(lambda: scene.car.machine.state is scene.station.machine.state is State.UNMATCHED)
            await story(scene)

    with asyncio.Runner(loop_factory=PassingLoop) as runner:
        runner.run(run())
    return scenes[0]


def test_from_plug_to_link_and_out_again() -> None:
    async def story(scene: Scene) -> None:
        await asyncio.sleep(60.0)  # nobody is there, and nothing is offered
        assert scene.outlet.shown == NO_PWM
        assert scene.car_told == scene.outlet_told == []
        scene.plug()
        plugged = scene.loop.time()
        await scene.until(lambda: scene.outlet.shown == COMMUNICATION)
        assert scene.loop.time() - plugged <= LOOK_S + 0.01
        await scene.matched()
        assert scene.car_modem.network == scene.outlet_modem.network
        network = scene.outlet_modem.network
        scene.unplug()
        await scene.until(lambda: scene.car.machine.state is scene.station.machine.state is State.UNMATCHED)
        assert scene.outlet.shown == NO_PWM
        await scene.until(lambda: scene.car_modem.network != network != scene.outlet_modem.network, 1.5)
        # And the next one.
        scene.plug()
        await scene.matched()
        assert scene.outlet_modem.network != network

    scene = play(story)
    for told, peer in ((scene.car_told, OUTLET), (scene.outlet_told, CAR)):
        first, left, second = told
        assert isinstance(first, Linked)
        assert first.peer == peer
        assert left == Unlinked("unplugged")
        assert isinstance(second, Linked)
        assert second.nmk != first.nmk
    pilots = scene.remarks("control pilot")
    assert pilots[:2] == ["control pilot in state B with 100 %", "control pilot in state B with 100 %"]
    assert "control pilot in state B with 5 %" in pilots
    assert "control pilot in state A" in pilots


def test_a_vehicle_that_has_a_doubt_toggles() -> None:
    async def story(scene: Scene) -> None:
        scene.plug(db=28.0)
        await scene.matched()

    scene = play(story)
    [seen] = [text for text in scene.remarks("decision") if "toggles were seen" in text]
    count = int(seen.split("toggles")[0].split()[-1])
    assert count >= 1
    assert any(f"it saw {count} toggles" in text for text in scene.remarks("decision"))
    changes = [(at, signal.state) for at, signal in scene.pilot if signal.duty == COMMUNICATION]
    states = [state for _, state in changes]
    assert states == [B] + count * [C, B]
    halves = [later - at for (at, _), (later, _) in pairwise(changes[1:])]
    assert all(0.2 <= half <= 0.4 for half in halves)
    assert scene.ev.state is B


@pytest.mark.parametrize("end", ["unplugged", "left", "closed"])
def test_toggling_ends_in_state_b_whatever_happens(end: str) -> None:
    async def story(scene: Scene) -> None:
        scene.plug(db=28.0)
        await scene.until(lambda: scene.ev.state is C)
        if end == "unplugged":
            scene.unplug()
            await asyncio.sleep(1.5 * LOOK_S)
        elif end == "left":
            await scene.car.leave()
        else:
            scene.car.close()
        assert scene.ev.state is B
        for _ in range(200):
            await asyncio.sleep(0.01)
            assert scene.ev.state is B

    play(story)


def test_an_outlet_starts_a_vehicle_again_by_state_f() -> None:
    async def story(scene: Scene) -> None:
        scene.plug(db=None)
        await scene.until(lambda: scene.outlet.shown is F)
        assert [type(each) for each in scene.car_told] == [Failed]
        scene.couple(12.0)
        await scene.matched()

    scene = play(story)
    steps = [(at, signal) for at, signal in scene.pilot if signal.state is not ControlPilot.A]
    wanted = [(B, NO_PWM), (B, COMMUNICATION), (F, 0.0), (B, NO_PWM), (B, COMMUNICATION)]
    assert [signal for _, signal in steps] == wanted
    lengths = [later - at for (at, _), (later, _) in pairwise(steps[1:])]
    assert lengths == [pytest.approx(40.0, abs=0.1), pytest.approx(4.0, abs=0.1), pytest.approx(0.75, abs=0.1)]
    assert [type(each) for each in scene.outlet_told] == [Linked]


def test_an_outlet_that_nobody_answers_gives_up_until_the_next_plug() -> None:
    async def story(scene: Scene) -> None:
        scene.plug(db=None)
        await scene.until(lambda: scene.station.machine.state is State.FAILED, 200.0)
        assert scene.outlet.shown == NO_PWM
        assert [signal.state for _, signal in scene.pilot].count(F) == 2
        await asyncio.sleep(100.0)
        assert scene.outlet.shown == NO_PWM
        scene.unplug()
        await asyncio.sleep(1.0)
        scene.plug()
        await scene.matched()

    [failed, linked] = play(story).outlet_told
    assert isinstance(failed, Failed)
    assert failed.reason is Reason.NO_EV
    assert isinstance(linked, Linked)


def test_after_a_session_that_failed_both_match_anew() -> None:
    async def story(scene: Scene) -> None:
        scene.plug()
        await scene.matched()
        scene.station.again()
        assert scene.outlet.shown is F
        await asyncio.sleep(2.0)
        scene.car.again()
        await scene.matched()
        scene.car.again()  # the vehicle alone: the outlet notices that the link is gone
        await scene.until(lambda: scene.outlet.shown is F)
        await scene.matched()

    scene = play(story)
    assert [type(each) for each in scene.car_told] == [Linked, Unlinked] * 2 + [Linked]
    assert len({each.nmk for each in scene.car_told if isinstance(each, Linked)}) == 3


def test_again_leaves_a_matching_alone_that_goes_on() -> None:
    async def story(scene: Scene) -> None:
        scene.plug()
        await scene.until(lambda: scene.car.machine.state is scene.station.machine.state is State.MATCHING)
        scene.car.again()
        scene.station.again()
        assert scene.car.machine.state is scene.station.machine.state is State.MATCHING
        await scene.matched()

    assert F not in [signal.state for _, signal in play(story).pilot]


def test_after_a_session_that_ended_well_the_outlet_waits_for_the_vehicle_to_wake_it() -> None:
    async def story(scene: Scene) -> None:
        scene.plug()
        await scene.matched()
        scene.station.part()
        assert scene.outlet.shown == NO_PWM
        await scene.car.leave()
        await asyncio.sleep(60.0)
        assert scene.outlet.shown == NO_PWM
        assert scene.car.machine.state is State.FAILED  # no 5 % duty cycle
        scene.ev.show_ready(ready=True)
        await asyncio.sleep(0.3)
        scene.ev.show_ready(ready=False)
        await scene.matched()

    scene = play(story)
    assert F not in [signal.state for _, signal in scene.pilot]


def test_after_a_pause_the_vehicle_finds_the_same_network() -> None:
    links: list[bytes] = []

    async def story(scene: Scene) -> None:
        scene.plug()
        await scene.matched()
        for end in (scene.station, scene.car):
            end.pause()
        assert scene.outlet.shown == NO_PWM
        await asyncio.sleep(600.0)
        assert not scene.station.linked
        for end in (scene.station, scene.car):
            assert end.machine.state is State.PAUSED
            assert end.machine.link is not None
            links.append(end.machine.link.nmk)
        scene.ev.show_ready(ready=True)
        await asyncio.sleep(0.3)
        scene.ev.show_ready(ready=False)
        await scene.matched()
        assert scene.station.machine.link is not None
        links.append(scene.station.machine.link.nmk)

    play(story)
    assert len(set(links)) == 1


def test_paused_sessions_are_forgotten_when_the_vehicle_is_unplugged() -> None:
    """Not when it wakes the station, nor when the station wakes it."""
    sessions, paused = PausedSessions(), Paused(b"12345678", "iso15118_2", b"", None)

    async def story(scene: Scene) -> None:
        scene.plug()
        sessions.keep(paused)
        looking = asyncio.create_task(forget_unplugged(scene.outlet, sessions, scene.events.append))
        await asyncio.sleep(3600.0)
        for ready in (True, False, True, False):
            scene.ev.show_ready(ready=ready)
            await asyncio.sleep(0.3)
        for shown in (F, NO_PWM, COMMUNICATION):
            scene.outlet.show_pilot(shown)
            await asyncio.sleep(4.0)
        assert sessions.known == 1
        scene.unplug()
        await asyncio.sleep(2 * LOOK_S)
        assert sessions.known == 0
        assert sessions.take(*paused[:3]) is None
        scene.plug()
        sessions.keep(paused)
        await asyncio.sleep(1.0)
        assert sessions.take(*paused[:3]) == paused
        looking.cancel()

    scene = play(story, started=False)
    notes = [event.text for event in scene.events if isinstance(event, Note)]
    assert notes == ["the vehicle was unplugged: its paused sessions are forgotten (1)"]


def test_paused_sessions_are_kept_where_no_pilot_tells_of_the_plug() -> None:
    """And where its driver fails."""
    sessions, paused = PausedSessions(), Paused(b"12345678", "iso15118_20_wpt", b"", None)
    sessions.keep(paused)

    def broken() -> ControlPilot:
        raise OSError("no such device")

    async def story(scene: Scene) -> None:
        for outlet in (SimulatedPad(), SimulatedPantograph(), SimulatedOutlet(), scene.outlet):
            looking = asyncio.create_task(forget_unplugged(outlet, sessions, scene.events.append))
            scene.outlet.control_pilot = broken  # type: ignore[method-assign]
            await asyncio.sleep(10.0)
            looking.cancel()
        assert sessions.take(*paused[:3]) == paused

    play(story, started=False)


def test_a_station_goes_by_its_pilot() -> None:
    dropped: list[str] = []

    async def story(scene: Scene) -> None:
        server = SimpleNamespace(sessions=[])
        with Plug(scene.outlet_end, scene.events.append, scene.outlet, once=False) as plug:
            scene.station = plug.matching
            scene.car.start()
            plug.start(server)  # type: ignore[arg-type]
            await asyncio.sleep(5.0)
            scene.plug()
            await scene.matched()
            server.sessions = [SimpleNamespace(drop=dropped.append)]
            scene.unplug()
            await scene.until(lambda: bool(dropped))
            # The next vehicle is there before the session has come to its end and switched the oscillator off.
            scene.plug()
            await scene.until(lambda: scene.outlet.shown == COMMUNICATION)
            scene.outlet.show_pilot(NO_PWM)
            server.sessions = []
            plug.session_ended(good=False)
            assert scene.outlet.shown == COMMUNICATION
            await scene.matched()
            # A session fails: the vehicle is to match anew, and does.
            scene.outlet.show_pilot(NO_PWM)
            plug.session_ended(good=False)
            assert scene.outlet.shown is F
            await scene.until(lambda: scene.outlet.shown == COMMUNICATION)
            await scene.matched()
            # A session ends well.
            scene.outlet.show_pilot(NO_PWM)
            plug.session_ended(good=True)
            await asyncio.sleep(60.0)
            assert scene.outlet.shown == NO_PWM
            assert scene.station.machine.state is State.UNMATCHED

    scene = play(story, started=False)
    assert dropped == ["the powerline link is gone: unplugged"]
    assert len({each.run_id for each in scene.car_told if isinstance(each, Linked)}) == 3


def test_what_a_session_has_switched_off_is_shown_again() -> None:
    async def story(scene: Scene) -> None:
        scene.plug()
        await scene.matched()
        scene.outlet.show_pilot(NO_PWM)
        scene.station.renew_pilot()
        assert scene.outlet.shown == COMMUNICATION

    play(story)


def test_a_measurement_that_wavers_is_no_news() -> None:
    async def story(scene: Scene) -> None:
        scene.plug()
        await scene.matched()
        told = len(scene.remarks("control pilot"))
        scene.outlet.show_pilot(5.3)
        await asyncio.sleep(1.0)
        assert scene.car.machine.duty == 5.3
        assert len(scene.remarks("control pilot")) == told

    play(story)


def test_a_driver_that_fails_ends_it() -> None:
    async def story(scene: Scene) -> None:
        def fail() -> None:
            raise OSError("no such bus")

        scene.outlet.control_pilot = fail  # type: ignore[method-assign]
        with pytest.raises(SetupError, match="the control pilot cannot be read: OSError: no such bus"):
            await scene.station.unless_broken(asyncio.sleep(10.0))

    play(story)


def test_without_a_pilot_a_plug_is_assumed() -> None:
    async def story(scene: Scene) -> None:
        scene.couple(28.0)
        told: list[Outcome] = []
        for port in (None, SimulatedVehicle()):
            assert not Matching.of_vehicle(scene.car_end, scene.events.append, told.append, port).wired
        car = Matching.of_vehicle(scene.car_end, scene.events.append, told.append)
        station = Matching.of_outlet(
            scene.outlet_end, scene.events.append, scene.outlet_told.append, SimulatedOutlet(), wait_s=5.0
        )
        with car, station:
            assert not station.wired
            station.start()
            await asyncio.sleep(1.0)
            car.start()
            await asyncio.sleep(20.0)
            assert car.linked
            assert station.linked
            station.again()
            await asyncio.sleep(10.0)
            assert station.machine.state is State.FAILED
            await car.leave()
        assert [type(each) for each in told] == [Linked, Unlinked]
        assert [type(each) for each in scene.outlet_told] == [Linked, Unlinked, Failed]

    play(story, started=False)
