"""What a station and a vehicle agree about power over time: the schedules on offer, and the one that is followed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from exi.messages.iso15118_20.common import (
    Dynamic_SEResControlMode,
    EVPowerProfile,
    PowerToleranceAcceptance,
    Scheduled_SEResControlMode,
)
from exi.messages.iso15118_20.types import ResponseCode
from hlc.decisions import schedules
from hlc.decisions.schedules import Schedule, Slot
from hlc.flow import Refusal
from hlc.rules.iso15118_20.services import Mobility, Pricing
from hlc.secc.iso15118_20.schedules import Offer, misfit, prices, profile, tuples

if TYPE_CHECKING:
    from hlc.secc.iso15118_20.common import Conversation

MOST: Final = 3
"""Schedules in an offer."""
UNLIMITED: Final = float("inf")


class Plans:
    """Of one choice of services."""

    def __init__(self, conversation: Conversation) -> None:
        self.conversation = conversation
        self.station = conversation.station
        self.settings = conversation.settings
        self.offer: Offer | None = None
        """The schedules that were offered last."""
        self.agreed: tuple[Offer, Schedule] | None = None
        """What the vehicle follows; None: it leaves the power to the station, or nothing is agreed."""
        self._since: float | None = None

    def limit(self) -> float:
        """What may flow to the vehicle now, W."""
        return UNLIMITED if self.agreed is None else self.agreed[0].limit(self.agreed[1], self.station.now)

    def limit_back(self) -> float:
        """What may flow from it, W."""
        return UNLIMITED if self.agreed is None else self.agreed[0].limit_back(self.station.now)

    def prepare(self, departure_s: float | None, entries: int) -> Offer:
        """Make an offer, with so many entries at most. The operator's schedules count from the first one."""
        now = self.station.now
        if self._since is None:
            self._since = now
        elapsed = now - self._since
        charging = schedules.offered(
            self.station.settings.schedules,
            watts=self.conversation.max_watts(),
            departure_s=departure_s,
            elapsed_s=elapsed,
            entries=entries,
        )
        back = self.conversation.max_watts_back() if self.conversation.bidirectional else 0.0
        discharging: tuple[Slot, ...] = ()
        if back > 0:
            span = schedules.length(charging[0].slots)
            wanted = self.settings.discharging or (Slot(span, back),)
            left = schedules.lasting(schedules.after(wanted, elapsed), span)
            discharging = schedules.coarsened(schedules.capped(left, back), entries)
        self.offer = Offer(tuple(charging[:MOST]), discharging, now, self.conversation.time())
        return self.offer

    def told(self) -> dict[str, Any]:
        """The offer as ScheduleExchangeRes has it, in the control mode that was selected."""
        offer = self.offer or self.prepare(None, 1)
        selected = self.conversation.selected
        if selected is None or not self.conversation.dynamic:
            pricing = Pricing.NONE if selected is None else selected.terms.pricing
            told = Scheduled_SEResControlMode(ScheduleTuple=tuples(offer, pricing, self.settings))
            return {"Scheduled_SEResControlMode": told}
        slots = offer.charging[0].slots
        levels = sorted({slot.price or 0.0 for slot in slots})
        dynamic = Dynamic_SEResControlMode(
            **prices(slots, offer.anchor, 1, levels, selected.terms.pricing, self.settings)
        )
        if selected.terms.mobility is Mobility.BOTH:
            dynamic.DepartureTime = self.settings.departure_s
            dynamic.MinimumSOC = self.settings.minimum_soc
            dynamic.TargetSOC = self.settings.target_soc
        return {"Dynamic_SEResControlMode": dynamic}

    def _judge(self, message: EVPowerProfile | None) -> Schedule | None:
        """The schedule of a profile; None: there is none in dynamic control. One above it is noted only, unless the
        station is strict. Raises `Refusal`."""
        if self.offer is None:
            raise Refusal(ResponseCode.FAILED_SequenceError, "no schedules were exchanged", "V2G20-459")
        if self.conversation.dynamic:
            return None
        if message is None or message.Scheduled_EVPPTControlMode is None:
            raise Refusal(ResponseCode.FAILED_EVPowerProfileInvalid, "no power profile for the schedule")
        number = message.Scheduled_EVPPTControlMode.SelectedScheduleTupleID
        found = next((each for each in self.offer.charging if each.id == number), None)
        if found is None:
            raise Refusal(ResponseCode.FAILED_ScheduleSelectionInvalid, f"schedule {number} was not offered")
        if text := misfit(profile(message, self.offer), found, self.offer):
            if self.station.settings.strict:
                raise Refusal(ResponseCode.FAILED_EVPowerProfileInvalid, text)
            self.station.note(text)
        return found

    def agree(self, message: EVPowerProfile | None) -> ResponseCode:
        """From now on the vehicle follows the schedule of this profile; without one that of the last. Raises
        `Refusal`."""
        if message is None and self.agreed is not None:
            return ResponseCode.OK
        found = self._judge(message)
        if found is None or self.offer is None or message is None:
            return ResponseCode.OK
        self.agreed = self.offer, found
        tolerance, mode = self.settings.power_tolerance_watts, message.Scheduled_EVPPTControlMode
        if tolerance is None or mode is None:
            return ResponseCode.OK
        if mode.PowerToleranceAcceptance is PowerToleranceAcceptance.PowerToleranceConfirmed:
            return ResponseCode.OK_PowerToleranceConfirmed
        if self.station.settings.strict:
            text = f"the vehicle does not stay within {tolerance:g} W of its profile"
            raise Refusal(ResponseCode.FAILED_PowerToleranceNotConfirmed, text)
        return ResponseCode.WARNING_PowerToleranceNotConfirmed
