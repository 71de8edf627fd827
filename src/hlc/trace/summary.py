"""What a session came to: result, energy, phases with their times, messages, and the curve of the charge.

A trace that collects; `lines` tells. Memory is bounded: of a long session the samples of the curve are thinned out.
"""

from __future__ import annotations

from collections import Counter
from itertools import zip_longest
from typing import Any, Final, NamedTuple

from hlc.ids import ChargePointState
from hlc.trace.console import Paint
from hlc.trace.events import Event, Fault, Margin, Matched, Measurement, Message, SessionEnded, Side, StateEntered

MAX_SAMPLES: Final = 4096
CURVE: Final = 48
"""Columns of the charge curve."""
LEVELS: Final = "▁▂▃▄▅▆▇█"
BACK: Final = "↓"
"""Power from the vehicle."""
RULE: Final = 80
WAITING: Final = ChargePointState.WAITING_FOR_NEW_SESSION
"""Comes after the session."""


class Stay(NamedTuple):
    """A state that was entered, and how many messages there were before."""

    at: float
    code: int
    label: str
    messages: int


class Sample(NamedTuple):
    """What the outlet delivered."""

    at: float
    watts: float
    soc: float | None


class Summary:
    """Collects the events of one session, of one side or both."""

    def __init__(self) -> None:
        self.began: float | None = None
        self.ended = 0.0
        self.stays: dict[Side, list[Stay]] = {Side.EVCC: [], Side.SECC: []}
        self.messages: Counter[str] = Counter()
        """By "<schema>:<name>"."""
        self.samples: list[Sample] = []
        self.peak: dict[Side, tuple[float, float, float]] = {}
        """Highest power, voltage and current, by side."""
        self.peak_back: dict[Side, float] = {}
        """Highest power from the vehicle."""
        self.schedules = Schedules()
        self.soc: tuple[float, float] | None = None
        self.matched: Matched | None = None
        """The powerline link, by the side that told it last."""
        self.tightest: Margin | None = None
        """Of the deadlines that were met, the one that came nearest."""
        self.faults: list[str] = []
        self.ends: dict[Side, SessionEnded] = {}
        self._last_by: Side | None = None
        self._every = 1
        self._seen = 0
        self._soc_now: float | None = None

    def __call__(self, event: Event) -> None:
        if self.began is None:
            self.began = event.at
        self.ended = max(self.ended, event.at)
        match event:
            case Message():
                self._last_by = event.side
                self.messages[f"{event.schema}:{event.name}"] += 1
                self.schedules.heed(event)
            case StateEntered():
                # A station enters a state when it has the request, which belongs to that state.
                before = self.messages.total() - (event.side is Side.SECC and self._last_by is Side.EVCC)
                self.stays[event.side].append(Stay(event.at, int(event.state), event.state.label, before))
            case Measurement():
                self._measured(event)
            case Matched():
                self.matched = event
            case Margin():
                if self.tightest is None or share(event) > share(self.tightest):
                    self.tightest = event
            case Fault():
                self.faults.append(f"{event.side.value}: {event.text}")
            case SessionEnded():
                self.ends[event.side] = event
            case _:
                pass

    def _measured(self, event: Measurement) -> None:
        watts = event.volts * event.amps
        power, volts, amps = self.peak.get(event.side, (0.0, 0.0, 0.0))
        self.peak[event.side] = max(power, watts), max(volts, event.volts), max(amps, event.amps)
        self.peak_back[event.side] = max(self.peak_back.get(event.side, 0.0), -watts)
        if event.soc is not None:
            self._soc_now = event.soc
            self.soc = (self.soc[0] if self.soc else event.soc, event.soc)
        if Side.SECC in self.peak and event.side is Side.EVCC:
            return
        self._seen += 1
        if self._seen % self._every == 0:
            self.samples.append(Sample(event.at, watts, self._soc_now))
            if len(self.samples) >= MAX_SAMPLES:
                del self.samples[::2]
                self._every *= 2

    @property
    def good(self) -> bool:
        """Whether every side that was seen ended well."""
        return bool(self.ends) and all(end.good for end in self.ends.values())

    def lines(self, paint: Paint, *, unicode: bool = True) -> list[str]:
        """The summary for a reader."""
        began = self.began or 0.0
        out = [paint("dim", ("─" if unicode else "-") * RULE)]

        def row(name: str, text: str) -> None:
            out.append(f"  {name:<12}{text}")

        verdict = paint("green", "ended well") if self.good else paint("red", "did not end well")
        reasons = dict.fromkeys(end.reason for end in self.ends.values())
        row("Session", f"{verdict}: {'; '.join(reasons) or 'it never began'}")
        for fault in self.faults[:5]:
            row("", paint("red", fault))
        if len(self.faults) > 5:
            row("", f"and {len(self.faults) - 5} more faults")
        if self.matched is not None:
            db = self.matched.attenuation_db
            near = "" if db is None else f", attenuation {db:.1f} dB"
            row("Link", f"matched after {seconds(self.matched.at - began)}{near}")
        row("Duration", clock(self.ended - began))
        energy = {side: end.energy_wh for side, end in self.ends.items()}
        meters = [f"{energy[side] / 1000:.3f} kWh {where}" for side, where in METERS.items() if side in energy]
        row("Energy", ", ".join(meters))
        returned = {side: end.returned_wh for side, end in self.ends.items()}
        if any(returned.values()):
            row(
                "Returned",
                ", ".join(f"{returned[s] / 1000:.3f} kWh {where}" for s, where in METERS.items() if s in returned),
            )
        if self.soc is not None:
            row("Battery", f"{self.soc[0]:.1f} % to {self.soc[1]:.1f} %")
        if text := str(self.schedules):
            row("Schedule", text)
        measured = next((side for side in (Side.SECC, Side.EVCC) if side in self.peak), None)
        if measured is not None:
            watts, volts, amps = self.peak[measured]
            back = self.peak_back[measured]
            also = f"; {back / 1000:.1f} kW back" if back > 0 else ""
            row("Peak", f"{watts / 1000:.1f} kW, {volts:.1f} V, {amps:.1f} A{also}")
        row("Messages", self._counts())
        if (margin := self.tightest) is not None:
            used = f"{seconds(margin.used_s)} of {margin.limit_s:g} s"
            row("Tightest", f"{used} until {margin.of} ({margin.timer}, {share(margin):.0%})")
        curve = self._curve()
        if curve and unicode:
            out += ["", f"  {'Power':<12}{paint('green', curve)}", f"  {'':<12}{self._axis()}"]
        out += ["", *self._phases(paint)]
        return out

    def _counts(self) -> str:
        schemas: Counter[str] = Counter()
        for name, count in self.messages.items():
            schemas[name.partition(":")[0]] += count
        parts = ", ".join(f"{count} {schema}" for schema, count in schemas.items())
        return f"{sum(self.messages.values())} ({parts})" if parts else "none"

    def _phases(self, paint: Paint) -> list[str]:
        """When each state was entered at either end, how long it lasted, and the messages of that time."""
        side = Side.EVCC if self.stays[Side.EVCC] else Side.SECC
        other = {stay.label: stay.code for stay in self.stays[Side.SECC if side is Side.EVCC else Side.EVCC]}
        stays = [stay for stay in self.stays[side] if stay.code != WAITING]
        title = f"  {'Phase':<32}{'EVCC':>5}{'SECC':>6}{'began':>12}{'lasted':>12}{'messages':>10}"
        out = [paint("dim", title)] if stays else []
        for stay, after in zip_longest(stays, stays[1:]):
            lasted = (after.at if after is not None else self.ended) - stay.at
            codes = (stay.code, other.get(stay.label, "")) if side is Side.EVCC else ("", stay.code)
            began = stay.at - (self.began or 0.0)
            count = (after.messages if after is not None else self.messages.total()) - stay.messages
            times = f"{seconds(began):>12}{seconds(lasted):>12}"
            out.append(f"  {stay.label:<32}{codes[0]:>5}{codes[1]:>6}{times}{count:>10}")
        return out

    def _flow(self) -> list[Sample]:
        """The samples from the first to the last with power."""
        flowing = [index for index, sample in enumerate(self.samples) if abs(sample.watts) > 100.0]
        return self.samples[flowing[0] : flowing[-1] + 1] if flowing else []

    def _curve(self) -> str:
        """Power over time, in blocks; empty where none flowed."""
        samples = self._flow()
        if len(samples) < 2:
            return ""
        first, last = samples[0].at, samples[-1].at
        columns: list[list[float]] = [[] for _ in range(CURVE)]
        for sample in samples:
            columns[min(int(CURVE * (sample.at - first) / ((last - first) or 1.0)), CURVE - 1)].append(sample.watts)
        heights: list[float] = []
        for column in columns:
            heights.append(sum(column) / len(column) if column else heights[-1])
        top = max(heights) or 1.0
        return "".join(BACK if height < 0 else LEVELS[min(int(height / top * 8), 7)] for height in heights)

    def _axis(self) -> str:
        """What stands below the curve: time, and state of charge where it is known."""
        samples = self._flow()
        began = self.began or 0.0
        ends = []
        for sample in (samples[0], samples[-1]):
            soc = f", {sample.soc:.0f} %" if sample.soc is not None else ""
            ends.append(f"{clock(sample.at - began)}{soc}")
        return f"{ends[0]}{ends[1]:>{CURVE - len(ends[0])}}"


class Schedules:
    """Which of the schedules on offer the two have agreed on, by what was said."""

    def __init__(self) -> None:
        self.offered = 0
        self.chosen: int | None = None
        self.agreed = 0
        """So often."""
        self.dynamic = False
        """Whether there is none to choose: the station says from moment to moment what may flow."""

    def heed(self, event: Message) -> None:
        """Take in a message."""
        if event.name in ("ChargeParameterDiscoveryRes", "ScheduleExchangeRes"):
            found = at(event, "SASchedules.SAScheduleTuple") or at(event, "Scheduled_SEResControlMode.ScheduleTuple")
            self.offered = len(found) if found else self.offered
            self.dynamic = at(event, "Dynamic_SEResControlMode") is not None
        elif event.name == "PowerDeliveryReq":
            number = (
                at(event, "EVPowerProfile.Scheduled_EVPPTControlMode.SelectedScheduleTupleID")
                or at(event, "ChargingProfile.SAScheduleTupleID")
                or (at(event, "SAScheduleTupleID") if str(at(event, "ChargeProgress")) == "Start" else None)
            )
            if number is not None:
                self.chosen = number
                self.agreed += 1

    def __str__(self) -> str:
        if self.dynamic:
            return "none, the station chooses the power"
        if self.chosen is None:
            return ""
        times = f", agreed {self.agreed} times" if self.agreed > 1 else ""
        return f"number {self.chosen} of {self.offered} on offer{times}"


def at(event: Message, path: str) -> Any:
    """What is there in a message; None: nothing."""
    found: Any = event.message
    if hasattr(found, "Body"):
        found = found.Body.BodyElement
    for name in path.split("."):
        found = getattr(found, name, None)
    return found


METERS: Final = {Side.SECC: "by the station's meter", Side.EVCC: "by the vehicle's meter"}


def share(margin: Margin) -> float:
    """How much of the time allowed was used."""
    return margin.used_s / margin.limit_s


def clock(duration_s: float) -> str:
    """A duration as h:mm:ss."""
    whole = round(duration_s)
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"


def seconds(duration_s: float) -> str:
    """A duration in seconds, with the digits that matter."""
    return f"{duration_s:.3f} s" if duration_s < 10 else f"{duration_s:.1f} s"
