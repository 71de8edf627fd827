"""Every state meets every message: the end is an answer, a remark or nothing, and never an exception or a hang."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import slac
from slac.effects import ControlPilot, Effect, Failed, Kind, Linked, Pilot, Remark, Send, State, Toggle, Unlinked
from slac.evse import EvseSettings
from slac.mme import registry
from slac.run import EvSettings, Step

BROADCAST = b"\xff" * 6
STRANGER = bytes.fromhex("02aabbccddee")
VALID = Send | Remark | Pilot | Toggle | Linked | Unlinked | Failed


class Snapshot:
    """A machine as it stood at one moment, and who is around it."""

    def __init__(self, host: Any, peer: Any, now: float) -> None:
        self.machine, self.now = deepcopy(host.machine), now
        self.mac, self.peer, self.modem = host.machine.mac, peer.machine.mac, host.modem.mac
        run = peer.machine.link or host.machine.link
        ev = next(each.machine for each in (host, peer) if hasattr(each.machine, "run_id"))
        self.ev_mac, self.run_id = ev.mac, ev.run_id or (run.run_id if run else bytes(8))


def place(machine: Any) -> str:
    steps = sorted({session.step for session in getattr(machine, "sessions", {}).values()})
    return "/".join([machine.state, getattr(machine, "step", "") or "", *steps])


def scenarios(new_wire: Any) -> Iterator[tuple[Any, Any, Any]]:
    """Runs that together pass through all states."""
    for db, silent in ((12.0, ""), (30.0, ""), (30.0, "CM_SLAC_MATCH.REQ"), (12.0, "CM_SLAC_PARM.CNF")):
        wire = new_wire()
        ev, evse = wire.ev(EvSettings(validation=True)), wire.evse(EvseSettings(validation=True))
        wire.lose = lambda sender, receiver, mme, silent=silent: mme.name == silent
        wire.db[ev, evse] = db
        yield wire, ev, evse


@pytest.fixture(scope="module")
def snapshots(new_wire: Any) -> dict[str, Snapshot]:
    """One of each place where a machine can stand, by side and place."""
    found: dict[str, Snapshot] = {}

    def look(wire: Any, ev: Any, evse: Any) -> None:
        for name, host, peer in (("ev", ev, evse), ("evse", evse, ev)):
            found.setdefault(f"{name} {place(host.machine)}", Snapshot(host, peer, wire.now))

    for wire, ev, evse in scenarios(new_wire):
        look(wire, ev, evse)
        wire.start(0.0)
        look(wire, ev, evse)
        wire.run(1)
        look(wire, ev, evse)
        wire.plug(ev, evse)
        for _ in range(500):
            wire.run(0.04)
            look(wire, ev, evse)
        for action in ("pause", "resume"):
            for host in (ev, evse):
                host.do(getattr(host.machine, action)(wire.now))
            look(wire, ev, evse)
        ev.modem.cut = True
        for seconds in (0.5, 5.0):
            for _ in range(60):
                wire.run(seconds)
                look(wire, ev, evse)
    return found


def frames(snapshot: Snapshot) -> Iterator[bytes]:
    """Every message that has a name: from the peer, the own modem and a stranger; ours, and somebody else's."""
    for format in registry.FORMATS:
        ours, others = values(format, snapshot), {} if format.layout else {"payload": bytes(40)}
        for source, fields in ((snapshot.peer, ours), (snapshot.modem, ours), (STRANGER, ours), (STRANGER, others)):
            yield slac.make(
                format.name, destination=snapshot.mac, source=source, oui=format.oui, mmv=format.mmv, **fields
            )


def values(format: Any, snapshot: Snapshot) -> dict[str, Any]:
    ours = {
        "run_id": snapshot.run_id,
        "pev_mac": snapshot.ev_mac,
        "source_address": snapshot.ev_mac,
        "forwarding_sta": snapshot.ev_mac,
        "evse_mac": snapshot.peer if snapshot.mac == snapshot.ev_mac else snapshot.mac,
        "aag": [20] * 58,
        "am_data": [1, 2, 3],
        "result": 1,
        "link_status": 1,
        "toggle_num": 2,
    }
    if format.layout is None:
        return {"payload": bytes(40)}
    known = {each.name for each in format.layout.subcons}
    return {name: value for name, value in ours.items() if name in known}


def check(effects: list[Effect]) -> None:
    for effect in effects:
        assert isinstance(effect, VALID)
        if isinstance(effect, Send):
            slac.parse(effect.frame)


def exhaust(machine: Any, now: float) -> None:
    """Alone with its timers, a machine comes to rest or goes on watching; it never waits for what is past."""
    for _ in range(60):
        deadline = machine.next_deadline()
        if deadline is None:
            break
        assert deadline > now or machine.state
        now = max(now, deadline)
        check(machine.expire(now))
        after = machine.next_deadline()
        assert after is None or after > now
    if machine.next_deadline() is None:
        assert machine.state in (State.UNMATCHED, State.FAILED, State.PAUSED, State.STARTING)


def test_all_states_are_there(snapshots: dict[str, Snapshot]) -> None:
    for side in ("ev", "evse"):
        states = {name.split()[1].split("/")[0] for name in snapshots if name.startswith(f"{side} ")}
        assert states == {state.value for state in State}, side
    steps = {name.split("/")[1] for name in snapshots if name.startswith("ev ")}
    missing = {step.value for step in Step} - steps
    assert missing <= {Step.MODEM.value, Step.DIAGNOSIS.value}  # these pass at once here


def test_every_state_meets_every_message(snapshots: dict[str, Snapshot]) -> None:
    for snapshot in snapshots.values():
        machine = deepcopy(snapshot.machine)
        for frame in frames(snapshot):
            if effects := machine.receive(frame, snapshot.now):
                check(effects)
                for _ in range(3):
                    check(machine.expire(max(snapshot.now, machine.next_deadline() or 0.0)))
                machine = deepcopy(snapshot.machine)


def test_every_state_meets_every_event(snapshots: dict[str, Snapshot]) -> None:
    for snapshot in snapshots.values():
        for event in ("terminate", "error", "pause", "resume"):
            machine = deepcopy(snapshot.machine)
            check(getattr(machine, event)(snapshot.now))
            exhaust(machine, snapshot.now)
        for state in ControlPilot:
            for duty in (5.0, 53.0, 100.0):
                machine = deepcopy(snapshot.machine)
                check(machine.pilot(state, duty, snapshot.now))
                exhaust(machine, snapshot.now)


def test_every_state_comes_to_an_end_alone(snapshots: dict[str, Snapshot]) -> None:
    """The peer and the own modem are silent from here on."""
    for name, snapshot in snapshots.items():
        machine, now = deepcopy(snapshot.machine), snapshot.now
        ends: list[Any] = []
        for _ in range(2000):
            deadline = machine.next_deadline()
            if deadline is None or ends:
                break
            now = max(now, deadline)
            effects = machine.expire(now)
            check(effects)
            ends += [each for each in effects if isinstance(each, Failed | Unlinked)]
        assert ends or machine.state in (State.UNMATCHED, State.PAUSED, State.FAILED, State.STARTING), name
        assert now - snapshot.now < 200, name


@settings(max_examples=30)
@given(data=st.data())
def test_any_octets_are_borne(snapshots: dict[str, Snapshot], data: st.DataObject) -> None:
    """Frames with whatever behind the header, and frames that are cut off."""
    snapshot = snapshots[data.draw(st.sampled_from(sorted(snapshots)))]
    machine = deepcopy(snapshot.machine)
    sources = st.sampled_from([snapshot.peer, snapshot.modem, STRANGER])
    for _ in range(20):
        format = data.draw(st.sampled_from(registry.FORMATS))
        head = (
            snapshot.mac + data.draw(sources) + b"\x88\xe1" + bytes([format.mmv]) + format.mmtype.to_bytes(2, "little")
        )
        head += bytes(2) if format.mmv else b""
        check(machine.receive(head + (format.oui or b"") + data.draw(st.binary(max_size=200)), snapshot.now))


def test_what_is_no_frame_is_remarked_once(pair: Any) -> None:
    _, ev, _ = pair
    for _ in range(3):
        ev.hear(b"\x02\xee" + bytes(10) + b"\x88\xe1\x01\x64\x60\x00")
    assert len(ev.of(Kind.BAD_FRAME)) == 1


def test_frames_for_others_are_not_heard(pair: Any) -> None:
    """An interface may be promiscuous, or show what the program itself sends."""
    _, ev, evse = pair
    before = len(ev.log), len(evse.log)
    for source, destination in ((b"\x02aaaaa", b"\x02bbbbb"), (ev.machine.mac, BROADCAST)):
        frame = slac.make("CM_SLAC_PARM.REQ", source=source, destination=destination)
        ev.hear(frame)
    assert (len(ev.log), len(evse.log)) == before


def test_fragments_are_ignored(pair: Any) -> None:
    _, ev, _ = pair
    frame = bytearray(slac.make("CM_SLAC_PARM.CNF", source=STRANGER, destination=ev.machine.mac))
    frame[17] = 0x10  # the first of two
    before = len(ev.log)
    ev.hear(bytes(frame))
    assert len(ev.log) == before
