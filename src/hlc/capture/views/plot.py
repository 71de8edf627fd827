"""`--plot`: a picture of each session: voltage, current, power with state of charge, response times, against time.

What is measured is drawn full, what is asked for dashed, limits dotted; the colours can be told apart by the
colour-blind (Okabe and Ito). The phases of the session are shaded. Limits far above everything else are told in words
instead of squeezing the curves. One session goes to the file that was named, several to FILE-1.png, FILE-2.png, ...
"""

from __future__ import annotations

from pathlib import Path
from textwrap import shorten
from typing import Any, Final, NamedTuple

from hlc.capture.conversation import title
from hlc.capture.doctor import Verdict
from hlc.capture.exchanges import Exchange, Exchanges
from hlc.capture.report import Print, Report, clock, facts
from hlc.capture.seen import Seen
from hlc.capture.session import Session
from hlc.capture.views.extras import load
from hlc.capture.views.series import Series
from hlc.capture.views.timeline import Course
from hlc.ids import VehicleState
from hlc.trace.describe import SENSIBLE, clean
from hlc.trace.events import Message, Side, StateEntered
from hlc.trace.values import values

BLUE, SKY, ORANGE, GREEN, PURPLE, AMBER, BLACK = (
    "#0072B2", "#56B4E9", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#222222",
)  # fmt: skip


class Curve(NamedTuple):
    """A value of `Values` in a panel."""

    name: str
    label: str
    colour: str
    line: str = "-"
    limit: bool = False
    """It may be out of sight."""
    back: bool = False
    """It is about power or current from the vehicle: drawn below zero, where any flows."""
    width: float = 1.2


class Panel(NamedTuple):
    """A part of the picture with an axis of its own."""

    label: str
    unit: str
    scale: float
    curves: tuple[Curve, ...]
    height: float = 2.0


PANELS: Final = (
    Panel("Voltage", "V", 1.0, (
        Curve("evse_max_volts", "station allows", PURPLE, ":", limit=True),
        Curve("ev_max_volts", "vehicle allows", GREEN, ":", limit=True),
        Curve("ev_volts", "vehicle measures", SKY, width=3.6),
        Curve("evse_volts", "station measures", BLUE, width=1.6),
        Curve("target_volts", "vehicle asks for", ORANGE, "--"),
    )),
    Panel("Current", "A", 1.0, (
        Curve("evse_max_amps", "station allows", PURPLE, ":", limit=True),
        Curve("ev_max_amps", "vehicle allows", GREEN, ":", limit=True),
        Curve("evse_max_discharge_amps", "station takes back", PURPLE, "-.", limit=True, back=True),
        Curve("ev_max_discharge_amps", "vehicle gives back", GREEN, "-.", limit=True, back=True),
        Curve("ev_amps", "vehicle measures", SKY, width=3.6),
        Curve("evse_amps", "station measures", BLUE, width=1.6),
        Curve("target_amps", "vehicle asks for", ORANGE, "--"),
    )),
    Panel("Power", "kW", 1000.0, (
        Curve("evse_max_watts", "station allows", PURPLE, ":", limit=True),
        Curve("ev_max_watts", "vehicle allows", GREEN, ":", limit=True),
        Curve("evse_max_discharge_watts", "station takes back", PURPLE, "-.", limit=True, back=True),
        Curve("ev_max_discharge_watts", "vehicle gives back", GREEN, "-.", limit=True, back=True),
        Curve("ev_watts", "vehicle measures", SKY, width=3.6),
        Curve("evse_watts", "station measures", BLUE, width=1.6),
        Curve("evse_target_watts", "station asks for", AMBER, "--"),
        Curve("target_watts", "vehicle asks for", ORANGE, "--"),
    )),
    Panel("Energy", "kWh", 1000.0, (Curve("meter_wh", "by the station's meter", BLUE, width=1.6),), 1.5),
)  # fmt: skip
"""From top to bottom; one without measurements or targets is left out. Curves that come later lie on top."""

SPANS: Final = {
    "set-up": ("#F0F0F0", "SESSION_SETUP SERVICE_DISCOVERY SERVICE_DETAILS SERVICE_PAYMENT_SELECTION PAYMENT_DETAILS "
               "AUTHORIZATION CERTIFICATE_UPDATE CERTIFICATE_INSTALLATION CHARGE_PARAMETER_DISCOVERY"),
    "cable check": ("#FDEBC8", "CABLE_CHECK"),
    "precharge": ("#D9ECF7", "PRE_CHARGE"),
    "power delivery": ("#E9DDEB", "POWER_DELIVERY"),
    "charge": ("#E3F3E6", "CURRENT_DEMAND CHARGING_STATUS METERING_RECEIPT"),
    "welding detection": ("#FBE3D6", "WELDING_DETECTION"),
    "stop": ("#E0E0E0", "SESSION_STOP"),
}  # fmt: skip
"""Parts of a session, their tint, and the vehicle's states in them."""
SPAN_OF: Final = {int(VehicleState[state]): name for name, (_, states) in SPANS.items() for state in states.split()}

RESPONSES: Final = 1.9
"""Height of the panel with the response times, inches, as of all panels."""
WIDTH: Final = 11.0
HEADER: Final = 0.95
FOOTER: Final = 0.4
DPI: Final = 120
TIMES: Final = ((3 * 3600.0, 3600.0, "h"), (300.0, 60.0, "min"), (float("-inf"), 1.0, "s"))
"""From which length of a session on time is in which unit."""
OUT_OF_SIGHT: Final = 1.8
"""A limit so many times above all else is told in words."""
DRAWN: Final = tuple(dict.fromkeys([curve.name for panel in PANELS for curve in panel.curves] + ["soc"]))


class Picture:
    """What is collected of a session, in bounded memory."""

    def __init__(self) -> None:
        self.curves: dict[str, Series] = {name: Series() for name in DRAWN}
        self.loop = Series()
        """Response times in the charge loop, s."""
        self.others = Series()
        self.loop_limits: tuple[float, float] | None = None
        """Performance time and timeout there."""
        self.limits: tuple[float, float] | None = None
        """Those of most other messages."""
        self.course = Course()
        self._meter: float | None = None

    def message(self, event: Message, exchange: Exchange) -> None:
        """A message of the session."""
        found = values(event.message)
        for name in DRAWN:
            value = getattr(found, name)
            if value is None or abs(value) >= SENSIBLE:
                continue
            if name == "meter_wh":  # it counts over the meter's life
                self._meter = value if self._meter is None else self._meter
                value -= self._meter
            self.curves[name].add(event.at, value)
        if exchange.response_s is None or exchange.response_s < 0:
            return
        rule = exchange.rule
        if rule is not None and SPAN_OF.get(int(rule.evcc)) == "charge":
            self.loop.add(event.at, exchange.response_s)
            self.loop_limits = rule.performance_s, rule.timeout_s
        else:
            self.others.add(event.at, exchange.response_s)
            if rule is not None and self.limits is None:
                self.limits = rule.performance_s, rule.timeout_s

    def spans(self, ended: float) -> list[tuple[str, float, float]]:
        """The parts of the session: name, beginning, end."""
        found: list[tuple[str, float, float]] = []
        stays = self.course.stays[Side.EVCC]
        for stay, until in zip(stays, [*(stay.began for stay in stays[1:]), ended], strict=False):
            name = SPAN_OF.get(stay.code, "")
            if found and found[-1][0] == name:
                found[-1] = name, found[-1][1], until
            else:
                found.append((name, stay.began, until))
        return [span for span in found if span[0]]

    @property
    def worth(self) -> bool:
        """Whether there is anything to draw."""
        return bool(self.loop.count or self.others.count or any(series.count for series in self.curves.values()))


class PlotReport(Report):
    """Draws each session when it is over."""

    def __init__(self, path: str, remark: Print) -> None:
        """Raises `MissingError` where matplotlib is; `remark` gets a line for each file."""
        super().__init__(remark)
        load("matplotlib", "--plot")
        self._path = Path(path)
        self._exchanges = Exchanges()
        self._pictures: dict[int, Picture] = {}
        self._first: int | None = None
        """The number of the session that was drawn first: its file is named anew when there is a second."""
        self._drawn = 0

    def event(self, seen: Seen) -> None:
        event, session = seen.event, seen.session
        if session is None:
            return
        if isinstance(event, Message):
            exchange = self._exchanges.message(seen, event)
            if exchange is not None:
                self._picture(session).message(event, exchange)
        elif isinstance(event, StateEntered):
            self._picture(session).course.enter(event, seen.frame)

    def finished(self, session: Session, verdict: Verdict) -> None:
        self._exchanges.over(session)
        picture = self._pictures.pop(session.number, None)
        if picture is None or not picture.worth:
            return
        path = self._path
        if self._first is None:
            self._first = session.number
        else:
            if self._drawn == 1:
                renamed = self._numbered(self._first)
                self._path.replace(renamed)
                self.out(f"{self._path} is now {renamed}: there are several sessions")
            path = self._numbered(session.number)
        draw(picture, session, verdict, path)
        self._drawn += 1
        self.out(f"{path}: session {session.number}")

    def totals(self, *_: Any) -> None:
        if not self._drawn:
            self.complaint = "no message of a session was decoded: there is nothing to draw"

    def _picture(self, session: Session) -> Picture:
        return self._pictures.setdefault(session.number, Picture())

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.stem}-{number}{self._path.suffix}")


STYLE: Final = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#888888",
    "axes.labelcolor": BLACK,
    "axes.titlesize": 12,
    "xtick.color": "#444444",
    "ytick.color": "#444444",
    "grid.color": "#BBBBBB",
    "grid.linewidth": 0.5,
    "grid.alpha": 0.5,
    "svg.fonttype": "none",
    "text.parse_math": False,
}


LEAST_MS: Final = 0.1
"""Response times below are drawn there: captures do not tell them apart."""


def draw(picture: Picture, session: Session, verdict: Verdict, path: Path) -> None:
    """Draw a session to a file."""
    matplotlib = load("matplotlib", "--plot")
    figures = load("matplotlib.figure", "--plot")
    panels = [panel for panel in PANELS if _shown(panel, picture)]
    heights = [panel.height for panel in panels] + [RESPONSES]
    with_soc = next((n for n, panel in enumerate(panels) if panel.label == "Power"), len(panels) - 1)
    whole = session.end.at - session.start.at
    scale, unit = next((scale, unit) for least, scale, unit in TIMES if whole >= least)
    origin = Origin(session.start.at, scale)
    height = HEADER + FOOTER + sum(heights)
    with matplotlib.rc_context(STYLE):
        figure = figures.Figure(figsize=(WIDTH, height), dpi=DPI, layout="constrained")
        figure.get_layout_engine().set(rect=(0, FOOTER / height, 1, 1 - (HEADER + FOOTER) / height))
        axes = figure.subplots(len(heights), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
        spans = picture.spans(session.end.at)
        for axis in axes:
            for name, began, ended in spans:
                axis.axvspan(origin(began), origin(ended), color=SPANS[name][0], linewidth=0, zorder=0)
        for place, (axis, panel) in enumerate(zip(axes, panels, strict=False)):
            _panel(axis, panel, picture, origin, session.end.at)
            if place == with_soc:
                _soc(axis, picture, origin)
        _responses(axes[-1], picture, origin)
        for axis in axes:
            axis.grid(True, axis="y")
        axes[-1].set_xlim(0, max(whole, 1e-3) / scale)
        axes[-1].set_xlabel(f"time since the beginning of the session [{unit}]")
        _header(figure, session, verdict, height)
        _footer(figure, spans, height)
        figure.savefig(path)


class Origin(NamedTuple):
    """Where time begins, and its unit."""

    at: float
    scale: float

    def __call__(self, at: float) -> float:
        return (at - self.at) / self.scale


def _shown(panel: Panel, picture: Picture) -> bool:
    """Whether there is more to a panel than limits. Energy is told where power is not."""
    measured = any(picture.curves[curve.name].count for curve in panel.curves if not curve.limit)
    if panel.label == "Energy":
        return measured and not picture.curves["evse_watts"].count
    if panel.label == "Current":  # of AC in ISO 15118-2 the limits are all that there is
        return measured or picture.curves["evse_max_amps"].count > 1
    return measured


def _header(figure: Any, session: Session, verdict: Verdict, height: float) -> None:
    """What session it is, between whom, and what came of it."""
    where = [f"{name} {text}" for name, text in (("EVCC", session.evcc), ("SECC", session.secc)) if text]
    head = f"{title(session.protocol or 'Unknown protocol')}, {clock(session.start.at)}"
    told = ", ".join(facts(session)[1 if session.protocol else 0 :])
    reason = shorten(clean(f"{verdict.outcome}: {verdict.reason}"), 150, placeholder=" ...")
    colour = GREEN if verdict.good else ORANGE
    for inches, text, style in (
        (0.12, head, {"fontsize": 13, "fontweight": "bold"}),
        (0.40, f"{'   '.join(where)}   {told}", {"fontsize": 8.5, "color": "#555555"}),
        (0.62, reason, {"fontsize": 9, "color": colour}),
    ):
        figure.text(0.012, 1 - inches / height, text, va="top", **style)


def _footer(figure: Any, spans: list[tuple[str, float, float]], height: float) -> None:
    """Which tint is which part of the session."""
    patches = load("matplotlib.patches", "--plot")
    names = dict.fromkeys(name for name, _, _ in spans)
    handles = [patches.Patch(facecolor=SPANS[name][0], edgecolor="#999999", linewidth=0.5) for name in names]
    figure.legend(handles, names, loc="lower left", bbox_to_anchor=(0.05, 0.08 / height), ncols=len(SPANS),
                  frameon=False, fontsize=8, handlelength=1.2, columnspacing=1.6)  # fmt: skip


def _panel(axis: Any, panel: Panel, picture: Picture, origin: Origin, ended: float) -> None:
    inside = [picture.curves[curve.name].extremes() for curve in panel.curves if not curve.limit]
    lowest = min(0.0, *(low for low, _ in inside))
    highest = max(0.0, *(high for _, high in inside))
    bounds = [lowest, highest]
    for curve in panel.curves:
        series, label = picture.curves[curve.name], curve.label
        if not series.count or (curve.back and lowest >= 0):
            continue
        least, most = series.extremes()
        beside = -lowest if curve.back else highest
        if curve.limit and 0 < OUT_OF_SIGHT * beside < least:
            span = f"{least / panel.scale:.4g}" + (f" to {most / panel.scale:.4g}" if most > least else "")
            label = f"{label} {span} {panel.unit} (outside the picture)"
            axis.plot([], [], curve.line, color=curve.colour, label=label)
            continue
        if curve.limit:
            bounds.append(-most if curve.back else most)
        points = series.points()
        if curve.limit:  # it holds until another one is told
            points.append((ended, points[-1][1]))
        scale = -panel.scale if curve.back else panel.scale
        times, heights = [origin(at) for at, _ in points], [value / scale for _, value in points]
        style = "steps-post" if curve.line != "-" else "default"
        axis.plot(times, heights, curve.line, color=curve.colour, label=label, linewidth=curve.width, drawstyle=style)
    lowest, highest = min(bounds), max(bounds)
    room = 0.08 * ((highest - lowest) or 1.0)
    axis.set_ylim((lowest - (room if lowest < 0 else 0)) / panel.scale, (highest + room) / panel.scale)
    axis.set_ylabel(f"{panel.label} [{panel.unit}]")
    _legend(axis)


def _soc(axis: Any, picture: Picture, origin: Origin) -> None:
    series = picture.curves["soc"]
    if not series.count:
        return
    beside = axis.twinx()
    points = series.points()
    beside.plot([origin(at) for at, _ in points], [value for _, value in points], "-.", color=BLACK, linewidth=1.2)
    beside.set_ylim(0, 105)
    beside.set_ylabel("State of charge [%]")
    beside.spines["right"].set_visible(True)
    axis.plot([], [], "-.", color=BLACK, linewidth=1.2, label="state of charge (right)")
    _legend(axis, 1.07)


def _responses(axis: Any, picture: Picture, origin: Origin) -> None:
    """Response times, in powers of ten; with the deadlines of the charge loop where there is one."""
    looped = picture.loop.count > 0
    for series, label, colour, mark in (
        (picture.others, "other answers" if looped else "answers", BLACK, "x"),
        (picture.loop, "answers in the charge loop", BLUE, "."),
    ):
        points = series.points()
        if points:
            times = [origin(at) for at, _ in points]
            axis.plot(times, [max(value * 1000, LEAST_MS) for _, value in points], mark, color=colour, markersize=3.5,
                      label=label)  # fmt: skip
    limits = picture.loop_limits if looped else picture.limits
    for limit, name, line in zip(limits or (), ("performance time", "timeout"), ("--", ":"), strict=False):
        axis.axhline(limit * 1000, color=ORANGE, linestyle=line, linewidth=1.2, label=f"{name}, {limit * 1000:g} ms")
    axis.set_yscale("log")
    axis.set_ylabel("Response time [ms]")
    ticker = load("matplotlib.ticker", "--plot")
    axis.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
    axis.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axis.yaxis.set_minor_locator(ticker.NullLocator())
    _legend(axis)


def _legend(axis: Any, beside: float = 1.01) -> None:
    """Which curve is which, to the right of the panel."""
    if axis.get_legend_handles_labels()[0]:
        axis.legend(loc="center left", bbox_to_anchor=(beside, 0.5), frameon=False, fontsize=8, reverse=True)
