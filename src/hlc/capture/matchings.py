"""Which run a HomePlug message belongs to, when a run begins and when it is over. In constant memory.

A vehicle has one run at a time; run ids alone tell nothing, for some vehicles use the same one for ever. A run is over
when the link stands, when the vehicle begins again, when a key or the control pilot ends it, or after a long silence.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from typing import Any, Final

from hlc.capture.matching import HANDLERS, KeySet, Matching, Pilot, Sign
from hlc.capture.where import Where
from hlc.trace.events import Side
from hlc.trace.homeplug import CONTROL_PILOT, address
from slac import Mme, keys
from slac.families import BROADCAST, FAMILIES, UNASKED, Purpose

NOBODY: Final = bytes(6)
RUNS: Final = 64
"""Vehicles that are remembered; the one that was silent longest is let go."""
KEYS: Final = 16
"""CM_SET_KEY.REQ that are remembered."""
SILENT_S: Final = 20.0
"""A run in which nothing is said for twice the longest time-out, TT_EVSE_match_session, is over."""
JOINING_S: Final = 60.0
"""After this a link that nobody spoke of is not waited for any more."""
LATE_S: Final = 2.0
"""What comes so much later than the end of a run, with its run id, belongs to another."""
SETTLED_S: Final = 0.5
"""What a modem says so soon after CM_SET_KEY may be of the network that it leaves."""

OF_VEHICLE: Final = (
    "CM_SLAC_PARM.REQ",
    "CM_START_ATTEN_CHAR.IND",
    "CM_MNBC_SOUND.IND",
    "CM_ATTEN_CHAR.RSP",
    "CM_VALIDATE.REQ",
    "CM_SLAC_MATCH.REQ",
)
BEGINNING: Final = ("CM_SLAC_PARM.REQ", "CM_START_ATTEN_CHAR.IND")
"""What only the vehicle of a new run says."""
NAMED: Final = {
    "CM_ATTEN_PROFILE.IND": "pev_mac",
    "VS_ATTENUATION_CHARACTERISTICS.IND": "pev_mac",
    "CM_ATTEN_CHAR.IND": "source_address",
    "CM_SLAC_MATCH.CNF": "pev_mac",
}
"""Where those name the vehicle that do not come from it and need not go to it."""

Fields = Mapping[str, Any]
LINKS: Final[dict[str, Callable[[Fields], Any]]] = {
    f"{family.asks[Purpose.LINK].name}.CNF": family.asks[Purpose.LINK].read for family in FAMILIES
} | {name: read for name, (purpose, read) in UNASKED.items() if purpose is Purpose.LINK}
"""Messages in which a modem says whether there is a link, and how they say it: True, False, None for neither."""


class Matchings:
    """All runs of a capture. `opened` gets each as it begins."""

    def __init__(self, opened: Callable[[Matching], None]) -> None:
        self.finished: list[Matching] = []
        """Runs that are over and that nobody has been told of; whoever asks takes them out."""
        self._opened = opened
        self._runs: OrderedDict[bytes, Matching] = OrderedDict()
        """The last one of each vehicle."""
        self._keys: deque[KeySet] = deque(maxlen=KEYS)
        self._pilot: Pilot | None = None
        self._count = 0
        self.duties: set[float] = set()
        """Duty cycles that were seen on the control pilot, at most `KEYS` of them."""

    def take(self, mme: Mme, where: Where) -> Matching | None:
        """A message. The run it belongs to, if it belongs to one."""
        if "payload" in mme.fields:
            return None
        if mme.name in HANDLERS:
            run = self._of(mme, where)
            if run is not None and not run.over and mme.fields.get("run_id", run.run_id) == run.run_id:
                given = run.giver
                run.take(mme, where)
                if run.giver is not given:
                    self._given(run)
            return run
        if mme.name == "CM_SET_KEY.REQ":
            return self._key_set(mme, where)
        if mme.name == "CM_SET_KEY.CNF":
            return self._key_confirmed(mme)
        self._look_for_pilot(mme, where)
        return self._look_for_link(mme, where)

    def talk(self, source: bytes, destination: bytes, what: str, where: Where, *, both: bool) -> Matching | None:
        """Something was said above the link, by SDP or TCP. The run that made the link, if that is known.

        `both`: it would not be said if the other side had not been heard. Where the capture has no MAC addresses, they
        are empty.
        """
        run = self.between(source, destination)
        # What the vehicle says in a capture made at the vehicle need not have reached the station.
        if run is not None and not run.over and (both or run.ev not in run.keys):
            run.link = Sign(where, what)
            self._close(run)
        return run

    def between(self, source: bytes, destination: bytes) -> Matching | None:
        """The run that made, or is to make, the link over which such a frame went."""
        for run in reversed(self._runs.values()):
            if run.giver is None or (run.over and run.link is None):
                continue
            ends = run.ev, run.giver.mac
            if not source or source in ends or destination in ends:
                return run
        return None

    def look(self, at: float) -> None:
        """End what is over."""
        for run in [run for run in self._runs.values() if not run.over]:
            if run.giver is not None and run.giver.give is not None:
                over = at - run.giver.give.first.at > JOINING_S
            else:
                over = at - run.end.at > SILENT_S
            if over:
                self._close(run)

    def close(self) -> None:
        """The end of the capture."""
        for run in self._runs.values():
            if not run.over:
                self._close(run)

    # Runs

    def _of(self, mme: Mme, where: Where) -> Matching | None:
        """The run of a message of matching."""
        name = mme.name
        run_id = mme.fields.get("run_id")
        ev: bytes = mme.source if name in OF_VEHICLE else mme.destination
        if name in NAMED:
            ev = mme.fields[NAMED[name]]
        elif ev == NOBODY:  # a cooked capture does not tell
            ev = mme.fields.get("forwarding_sta", NOBODY)
        if ev in (BROADCAST, NOBODY):
            return None
        run = self._runs.get(ev)
        if run_id is None:
            return run
        if run is not None and run.run_id == run_id:
            if not self._anew(run, name, where):
                self._runs.move_to_end(ev)
                return run
        elif run is not None and not run.over and name not in BEGINNING and (name in OF_VEHICLE or run.vehicle_heard):
            run.stranger(mme, where)
            return run
        return self._open(ev, run_id, where)

    def _anew(self, run: Matching, name: str, where: Where) -> bool:
        """Whether a message with the run id of this run belongs to a new one."""
        if name == "CM_SLAC_PARM.REQ":
            # A station, too, begins anew at the same request [V2G3-A09-16].
            return run.over or run.announcement is not None or run.giver is not None
        return run.over and name in ("CM_START_ATTEN_CHAR.IND", "CM_SLAC_PARM.CNF") and where.at - run.end.at > LATE_S

    def _open(self, ev: bytes, run_id: bytes, where: Where) -> Matching:
        before = self._runs.pop(ev, None)
        if before is not None and not before.over:
            before.ended = Sign(where, "the vehicle began again")
            self._close(before)
        self._count += 1
        run = Matching(self._count, ev, run_id, where, where, pilot=self._pilot)
        run.before = before.number if before is not None else None
        self._runs[ev] = run
        while len(self._runs) > RUNS:
            oldest = next(iter(self._runs.values()))
            if not oldest.over:
                self._close(oldest)
            del self._runs[oldest.ev]
        self._opened(run)
        return run

    def _close(self, run: Matching) -> None:
        run.over = True
        self.finished.append(run)

    # Keys

    def _given(self, run: Matching) -> None:
        """The key is known."""
        assert run.giver is not None
        run.derived = keys.nid_from_nmk(run.nmk) == run.nid
        run.earlier = next((key for key in reversed(self._keys) if key.host == run.giver.mac), None)

    def _key_set(self, mme: Mme, where: Where) -> Matching | None:
        key = KeySet(mme.source, mme.fields["nid"], mme.fields["new_key"], where)
        self._keys.append(key)
        for run in reversed(self._runs.values()):
            if run.over or run.giver is None:
                continue
            if (key.nid, key.nmk) == (run.nid, run.nmk):
                if len(run.keys) < KEYS:
                    run.keys[key.host] = key
                return run
            if key.host in (run.ev, run.giver.mac):
                side = Side.EVCC if key.host == run.ev else Side.SECC
                run.ended = Sign(where, f"{address(key.host)} took another key", side)
                self._close(run)
                return run
        return None

    def _key_confirmed(self, mme: Mme) -> Matching | None:
        for key in reversed(self._keys):
            if key.host == mme.destination and key.modem is None:
                key.modem, key.result = mme.source, mme.fields["result"]
                return next((run for run in self._runs.values() if run.keys.get(key.host) is key), None)
        return None

    # The link

    def _look_for_link(self, mme: Mme, where: Where) -> Matching | None:
        for run in reversed(self._runs.values()):
            if run.over or run.giver is None:
                continue
            linked, text = self._says(mme, run, where)
            if linked:
                run.link = Sign(where, text)
                self._close(run)
                return run
            if linked is False:
                run.unlinked = where
                return run
        return None

    def _says(self, mme: Mme, run: Matching, where: Where) -> tuple[bool | None, str]:
        """What a modem says of the link of this run, and how."""
        assert run.giver is not None
        key = run.keys.get(mme.destination)
        if key is None and mme.destination not in (run.giver.mac, BROADCAST):
            return None, ""
        if key is not None and where.at - key.where.at < SETTLED_S:
            return None, ""
        if mme.name in LINKS:
            return LINKS[mme.name](mme.fields), mme.name
        if mme.name == "VS_NW_INFO.CNF":
            mine = [each for each in mme.fields["avlns"] if each["nid"] == run.nid]
            return True if mine and mine[0]["stas"] else None, "a station in VS_NW_INFO.CNF"
        # A modem beyond the own one that answers is in the same network.
        remote = key is not None and key.modem not in (None, mme.source)
        if mme.name == "VS_SW_VER.CNF" or (mme.name == "CM_GET_KEY.CNF" and mme.fields["nid"] == run.nid):
            return remote or None, f"{mme.name} of {address(mme.source)}"
        return None, ""

    # The control pilot

    def _look_for_pilot(self, mme: Mme, where: Where) -> None:
        fields = mme.fields
        if mme.name == "STP_CPSTATE.IND":
            state, duty = CONTROL_PILOT.get(fields["cp_state"], ""), float(fields["pwm_duty"])
        elif mme.name in ("VS_GET_PWM_STATS.CNF", "VS_GET_PWM_STATS.IND") and fields["frequency"]:
            state, duty = "", fields["duty_cycle"] / 10
        else:
            return
        before = self._pilot
        if before is None or (before.state, before.duty) != (state, duty):
            self._pilot = Pilot(state, duty, where)
        if state in ("B", "C", "D") and 0 < duty < 100 and len(self.duties) < KEYS:
            self.duties.add(duty)
        if state in ("A", "E", "F"):
            for run in [run for run in self._runs.values() if not run.over and mme.source in (run.ev, *run.stations)]:
                run.ended = Sign(where, f"the control pilot went to {state}", Side.SECC if state != "A" else Side.EVCC)
                self._close(run)
