"""A traction battery: cell voltage over state of charge, internal resistance, and what its management lets in."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

from hlc.ports import BatteryLimits, SetPoint

OPEN_CIRCUIT: Final = (
    (0, 3.00),
    (5, 3.32),
    (10, 3.45),
    (20, 3.55),
    (40, 3.65),
    (60, 3.80),
    (80, 3.98),
    (90, 4.07),
    (100, 4.18),
)
"""State of charge, %, and open-circuit voltage of a cell of nickel, manganese and cobalt."""
CELL_MAX: Final = 4.22
CELL_MIN: Final = 2.8
TAPER_SOC: Final = 80.0
"""From here the management reduces the current, in a straight line, to a twentieth at 100 %."""
MARGIN_VOLTS: Final = 15.0
"""How far the limit told to the station lies above what the battery can reach: some stations stop when it comes too
near."""


class Battery:
    """`cells` in series; `soc` in %; capacity in Wh; resistance of the whole battery in ohms."""

    def __init__(
        self,
        *,
        soc: float = 20.0,
        capacity_wh: float = 60_000.0,
        cells: int = 96,
        max_amps: float = 200.0,
        max_watts: float = 80_000.0,
        resistance: float = 0.08,
        max_discharge_amps: float = 0.0,
        max_discharge_watts: float = 0.0,
    ) -> None:
        self.soc = soc
        self.capacity_wh = capacity_wh
        self.cells = cells
        self.max_amps = max_amps
        self.max_watts = max_watts
        self.resistance = resistance
        self.max_discharge_amps = max_discharge_amps
        self.max_discharge_watts = max_discharge_watts
        self._curve_at: float | None = None
        self._volts = 0.0

    @property
    def max_volts(self) -> float:
        """What the battery reaches when it is full."""
        return self.cells * CELL_MAX

    def volts(self) -> float:
        """Open-circuit voltage."""
        if self._curve_at != self.soc:
            self._curve_at = self.soc
            self._volts = self.cells * _open_circuit(min(100.0, max(0.0, self.soc)))
        return self._volts

    def limits(self) -> BatteryLimits:
        """What the vehicle tells the station."""
        return BatteryLimits(
            max_volts=self.max_volts + MARGIN_VOLTS,
            max_amps=self.max_amps,
            max_watts=self.max_watts,
            capacity_wh=self.capacity_wh,
            min_volts=self.cells * CELL_MIN,
            max_discharge_amps=self.max_discharge_amps,
            max_discharge_watts=self.max_discharge_watts,
        )

    def target(self) -> SetPoint:
        """What the management wants now: full current, less from `TAPER_SOC` on, never beyond power and end voltage."""
        volts = self.volts()
        taper = 1.0 - 0.95 * max(0.0, self.soc - TAPER_SOC) / (100.0 - TAPER_SOC)
        by_voltage = (self.max_volts - volts) / self.resistance
        amps = min(self.max_amps * taper, self.max_watts / volts, by_voltage)
        return SetPoint(self.max_volts, max(0.0, amps))

    def charge(self, amps: float, seconds: float) -> float:
        """Let a current flow in, or out where it is negative; the energy through the terminals, Wh."""
        volts = self.volts()
        self.soc += 100.0 * volts * amps * seconds / 3600.0 / self.capacity_wh
        return (volts + amps * self.resistance) * amps * seconds / 3600.0


def _open_circuit(soc: float) -> float:
    """Voltage of a cell without load."""
    for (below, low), (above, high) in pairwise(OPEN_CIRCUIT):
        if soc <= above:
            return low + (high - low) * (soc - below) / (above - below)
    return OPEN_CIRCUIT[-1][1]
