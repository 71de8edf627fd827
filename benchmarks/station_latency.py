"""How fast a station answers in the charge loop, and how much memory it takes.

`hlc secc` runs as it is, on the loopback interface, with its log written to a file. A raw client that has encoded its
requests beforehand takes it through the set-up into the charge loop, and measures from the request's last octet to
the answer's first. An echo server over sockets of the same kind is measured in turns with it: the rest is the station's
own.
"""

from __future__ import annotations

import argparse
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import exi
from exi.messages import din70121 as din
from exi.messages.sap import ResponseCode
from hlc import sap, v2gtp

LIMIT_P50_MS, LIMIT_P99_MS, LIMIT_RSS_MIB = 0.3, 2.0, 60.0
ROUNDS = 20
DIN = exi.schema("din70121")

ECHO = """
import socket
with socket.create_server(("::1", 0), family=socket.AF_INET6) as server:
    print(server.getsockname()[1], flush=True)
    connection, _ = server.accept()
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while data := connection.recv(65536):
        connection.sendall(data)
"""


class Client:
    """A vehicle's end, as raw as can be."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("::1", port), timeout=5)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.splitter = v2gtp.Splitter()
        self.session_id = bytes(8)

    def exchange(self, schema: str, document: Any) -> Any:
        """Send a document; the answer."""
        self.socket.sendall(v2gtp.frame(v2gtp.PayloadType.EXI, exi.schema(schema).encode(document)))
        while not (frames := self.splitter.feed(self.socket.recv(65536))):
            pass
        return exi.schema(schema).decode(frames[0][1])

    def ask(self, request: Any) -> Any:
        """Send a DIN 70121 request; the answer's body."""
        answer = self.exchange("din70121", self.document(request))
        self.session_id = answer.Header.SessionID
        return answer.Body.BodyElement

    def document(self, request: Any) -> Any:
        return din.V2G_Message(Header=din.MessageHeader(SessionID=self.session_id), Body=din.Body(BodyElement=request))

    def measure(self, data: bytes, count: int, pace_s: float) -> list[float]:
        """Milliseconds from the last octet of `data` to the first of its answer, `count` times."""
        out = []
        for _ in range(count):
            time.sleep(pace_s)
            began = time.perf_counter_ns()
            self.socket.sendall(data)
            self.socket.recv(65536)
            out.append((time.perf_counter_ns() - began) / 1e6)
        return out


def physical(value: int, unit: str) -> din.PhysicalValue:
    return din.PhysicalValue(Multiplier=0, Unit=din.UnitSymbol(unit), Value=value)


def status(ready: bool = True) -> din.DC_EVStatus:
    return din.DC_EVStatus(EVReady=ready, EVErrorCode=din.DC_EVErrorCode.NO_ERROR, EVRESSSOC=50)


def enter_charge_loop(client: Client) -> None:
    """From SAP to PowerDelivery."""
    answer = client.exchange("sap", sap.offer([sap.DIN70121]))
    assert answer.ResponseCode is ResponseCode.OK_SuccessfulNegotiation
    finished = din.EVSEProcessing.Finished

    def until(request: Any, done: Any) -> None:
        while not done(client.ask(request)):
            time.sleep(0.05)

    client.ask(din.SessionSetupReq(EVCCID=b"\x02\0\0\0\0\x01"))
    client.ask(din.ServiceDiscoveryReq())
    client.ask(
        din.ServicePaymentSelectionReq(
            SelectedPaymentOption=din.PaymentOption.ExternalPayment,
            SelectedServiceList=din.SelectedServiceList(SelectedService=[din.SelectedService(ServiceID=1)]),
        )
    )
    until(din.ContractAuthenticationReq(), lambda answer: answer.EVSEProcessing is finished)
    until(
        din.ChargeParameterDiscoveryReq(
            EVRequestedEnergyTransferType=din.EVRequestedEnergyTransfer.DC_extended,
            EVChargeParameter=din.DC_EVChargeParameter(
                DC_EVStatus=status(False),
                EVMaximumCurrentLimit=physical(125, "A"),
                EVMaximumVoltageLimit=physical(420, "V"),
            ),
        ),
        lambda answer: answer.EVSEProcessing is finished,
    )
    until(din.CableCheckReq(DC_EVStatus=status()), lambda answer: answer.EVSEProcessing is finished)
    until(
        din.PreChargeReq(DC_EVStatus=status(), EVTargetVoltage=physical(350, "V"), EVTargetCurrent=physical(1, "A")),
        lambda answer: abs(answer.EVSEPresentVoltage.Value * 10**answer.EVSEPresentVoltage.Multiplier - 350) < 10,
    )
    answer = client.ask(din.PowerDeliveryReq(ReadyToChargeState=True))
    assert answer.ResponseCode is din.ResponseCode.OK, answer.ResponseCode


def leave(client: Client) -> None:
    """From the charge loop to the end."""
    client.ask(loop_request(amps=0))
    client.ask(din.PowerDeliveryReq(ReadyToChargeState=False))
    client.ask(din.SessionStopReq())
    client.socket.close()


def loop_request(amps: int) -> din.CurrentDemandReq:
    return din.CurrentDemandReq(
        DC_EVStatus=status(),
        EVTargetCurrent=physical(amps, "A"),
        EVMaximumVoltageLimit=physical(420, "V"),
        EVMaximumCurrentLimit=physical(125, "A"),
        ChargingComplete=False,
        EVTargetVoltage=physical(400, "V"),
    )


def memory_mib(pid: int) -> float:
    """Resident memory of a process."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) / 1024


def main() -> int:
    parser = argparse.ArgumentParser(description="Latency and memory of a station in the charge loop.")
    parser.add_argument("--exchanges", type=int, default=2000)
    parser.add_argument("--pace", type=float, default=0.002, help="seconds between an answer and the next request")
    options = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "secc.log"
        station = subprocess.Popen(
            [sys.executable, "-m", "hlc.cli", "secc", "--interface", "lo", "--no-slac", "--once"],
            stdout=subprocess.DEVNULL,
            stderr=log.open("w"),
        )
        echo = subprocess.Popen([sys.executable, "-c", ECHO], stdout=subprocess.PIPE, text=True)
        try:
            assert echo.stdout is not None
            echo_client = Client(int(echo.stdout.readline()))
            client = Client(listening(log))
            enter_charge_loop(client)
            data = v2gtp.frame(v2gtp.PayloadType.EXI, DIN.encode(client.document(loop_request(amps=100))))
            each = max(1, options.exchanges // ROUNDS)
            client.measure(data, 50, options.pace)
            ours, floor = [], []
            for _ in range(ROUNDS):
                ours += client.measure(data, each, options.pace)
                floor += echo_client.measure(data, each, options.pace)
            memory = memory_mib(station.pid)
            leave(client)
            ended = station.wait(10)
        finally:
            station.kill()
            echo.kill()
    report(ours, floor, memory)
    if ended:
        print(f"the session did not end well: exit code {ended}")
    return 0 if not ended else 1


def listening(log: Path) -> int:
    """The port that the station tells in its log."""
    for _ in range(100):
        found = re.search(r"\[::1\]:(\d+)", log.read_text())
        if found is not None:
            return int(found[1])
        time.sleep(0.1)
    raise SystemExit(f"the station did not start:\n{log.read_text()}")


def report(ours: list[float], floor: list[float], memory: float) -> None:
    """The table."""
    print(f"Station in the charge loop of DIN 70121, {exi.engine} engine, {len(ours)} exchanges over loopback,")
    print(
        f"from a request's last octet to its answer's first ({os.cpu_count()} cores, load {os.getloadavg()[0]:.1f})\n"
    )
    print(f"{'':<22}{'station':>12}{'echo':>12}{'ratio':>9}{'limit':>12}")
    for name, quantile, limit in (("p50", 0.5, LIMIT_P50_MS), ("p99", 0.99, LIMIT_P99_MS), ("worst", 1.0, None)):
        own, base = at(ours, quantile), at(floor, quantile)
        bound = f"{limit:g} ms {'ok' if own <= limit else 'OVER'}" if limit is not None else ""
        print(f"{name:<22}{own:>9.3f} ms{base:>9.3f} ms{own / base:>9.1f}{bound:>12}")
    print(f"{'mean':<22}{statistics.fmean(ours):>9.3f} ms{statistics.fmean(floor):>9.3f} ms")
    verdict = "ok" if memory <= LIMIT_RSS_MIB else "OVER"
    print(f"{'memory in a session':<22}{memory:>8.1f} MiB{'':>21}{LIMIT_RSS_MIB:>5g} MiB {verdict}")


def at(values: list[float], quantile: float) -> float:
    """The value at a quantile."""
    ordered = sorted(values)
    return ordered[min(int(quantile * len(ordered)), len(ordered) - 1)]


if __name__ == "__main__":
    sys.exit(main())
