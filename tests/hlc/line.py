"""What is heard on a powerline, frame by frame: a vehicle and stations that match."""

from __future__ import annotations

import struct
from typing import Any

import slac

EV, EVSE, OTHER, MODEM = (bytes.fromhex(f"02000000000{digit}") for digit in "1234")
ALL, OWN = b"\xff" * 6, bytes.fromhex("00B052000001")
RUN = b"TESLA EV"
NMK = bytes(range(16))
NID = slac.keys.nid_from_nmk(NMK)
Script = list[tuple[float, bytes]]


class Line:
    """What is heard on a line. Every method says something, some time after what was said before."""

    def __init__(self, run_id: bytes = RUN) -> None:
        self.now = 1_700_000_000.0
        self.run_id = run_id
        self.script: Script = []
        self.vlans: tuple[int | None, ...] = (None,)

    def say(self, after: float, name: str, source: bytes, destination: bytes, **fields: Any) -> Line:
        self.now += after
        for vlan in self.vlans:
            frame = slac.make(name, source=source, destination=destination, vlan=vlan, **fields)
            self.script.append((self.now, frame))
        return self

    def silence(self, seconds: float) -> Line:
        """The capture goes on with something else."""
        self.now += seconds
        self.script.append((self.now, ALL + EV + b"\x08\x06" + bytes(46)))
        return self

    def request(self, after: float = 0.1, times: int = 1, run_id: bytes | None = None) -> Line:
        for _ in range(times):
            self.say(after, "CM_SLAC_PARM.REQ", EV, ALL, run_id=run_id or self.run_id)
        return self

    def answer(self, after: float = 0.05, station: bytes = EVSE, run_id: bytes | None = None, **fields: Any) -> Line:
        about = {"forwarding_sta": EV, "run_id": run_id or self.run_id, **fields}
        return self.say(after, "CM_SLAC_PARM.CNF", station, EV, **about)

    def announce(self, after: float = 0.1, **fields: Any) -> Line:
        for late in (after, 0.03, 0.03):
            self.say(late, "CM_START_ATTEN_CHAR.IND", EV, ALL, forwarding_sta=EV, run_id=self.run_id, **fields)
        return self

    def sounds(self, count: int = 10, gap: float = 0.03, measured: tuple[int, ...] | None = (20, 30)) -> Line:
        for number in range(count):
            self.say(gap, "CM_MNBC_SOUND.IND", EV, ALL, cnt=9 - number, run_id=self.run_id, rnd=bytes([number] * 16))
            if measured is not None:
                self.say(0.0, "CM_ATTEN_PROFILE.IND", MODEM, ALL, pev_mac=EV, aag=list(measured))
        return self

    def report(self, decibels: int = 15, station: bytes = EVSE, after: float = 0.05, **fields: Any) -> Line:
        about = {"source_address": EV, "run_id": self.run_id, "aag": [decibels] * 58, **fields}
        return self.say(after, "CM_ATTEN_CHAR.IND", station, EV, **about)

    def confirm(self, station: bytes = EVSE, after: float = 0.02) -> Line:
        return self.say(after, "CM_ATTEN_CHAR.RSP", EV, station, source_address=EV, run_id=self.run_id)

    def ask(self, station: bytes = EVSE, after: float = 0.8) -> Line:
        about = {"pev_mac": EV, "evse_mac": station, "run_id": self.run_id}
        return self.say(after, "CM_SLAC_MATCH.REQ", EV, station, **about)

    def give(self, station: bytes = EVSE, after: float = 0.05, nid: bytes = NID, nmk: bytes = NMK) -> Line:
        about = {"pev_mac": EV, "evse_mac": station, "run_id": self.run_id, "nid": nid, "nmk": nmk}
        return self.say(after, "CM_SLAC_MATCH.CNF", station, EV, **about)

    def set_key(self, host: bytes, after: float = 0.05, nmk: bytes = NMK) -> Line:
        self.say(after, "CM_SET_KEY.REQ", host, OWN, nid=slac.keys.nid_from_nmk(nmk), new_key=nmk)
        return self.say(0.01, "CM_SET_KEY.CNF", MODEM, host, result=1)

    def link(self, up: bool, after: float = 3.0, host: bytes = EVSE) -> Line:
        return self.say(after, "VS_PL_LNK_STATUS.CNF", MODEM, host, link_status=int(up))

    def discovery(self, source: bytes, after: float = 2.0) -> Line:
        """An SDP request of the vehicle, or the station's answer to it."""
        self.now += after
        kind, payload = (0x9000, b"\x10\x00") if source == EV else (0x9001, bytes(16) + b"\xc3\x50\x10\x00")
        data = b"\x01\xfe" + struct.pack("!HI", kind, len(payload)) + payload
        ports = (49152, 15118) if source == EV else (15118, 49152)
        udp = struct.pack("!HHHH", *ports, 8 + len(data), 0) + data
        ip = b"\x60\0\0\0" + struct.pack("!HBB", len(udp), 17, 255) + bytes(32) + udp
        self.script.append((self.now, (EV if source != EV else ALL) + source + b"\x86\xdd" + ip))
        return self

    def up_to_report(self) -> Line:
        return self.request().answer().announce().sounds().report()

    def up_to_key(self) -> Line:
        return self.up_to_report().confirm().ask().give()
