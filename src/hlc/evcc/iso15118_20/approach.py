"""The approach of a vehicle to a primary device: positioning, pairing, alignment check, as often as it takes.

The vehicle drives into its place, is held there, makes sure that it stands over the device with which it talks, and
judges by a trial whether enough of what is transmitted arrives.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from exi.messages.iso15118_20.common import AuthorizationSetupReq
from exi.messages.iso15118_20.types import Processing
from exi.messages.iso15118_20.wpt import (
    WPT_AlignmentCheckMethod,
    WPT_AlignmentCheckMethodList,
    WPT_AlignmentCheckReq,
    WPT_AlignmentCheckRes,
    WPT_EVResult,
    WPT_FinePositioningMethod,
    WPT_FinePositioningMethodList,
    WPT_FinePositioningReq,
    WPT_FinePositioningRes,
    WPT_FinePositioningSetupReq,
    WPT_FinePositioningSetupRes,
    WPT_PairingMethod,
    WPT_PairingMethodList,
    WPT_PairingReq,
    WPT_PairingRes,
)
from hlc.ports import WptEV
from hlc.rules import Kind
from hlc.rules.answers import finished
from hlc.rules.iso15118_20.values import number, rational
from hlc.rules.iso15118_20.wpt import both_finished, misaligned

if TYPE_CHECKING:
    from hlc.evcc.iso15118_20.wpt import Conversation

ATTEMPTS: Final = 3
"""So often in a row the vehicle positions itself; then it leaves."""
ENOUGH: Final = 0.8
"""Of what is transmitted must arrive in the trial (the least efficiency of IEC 61980-1; not checked against the
text)."""
TRIAL_COIL_AMPS: Final = 2.0
POSITIONING_S: Final = 600.0
"""Who has not parked by then does not want to. The standard gives a driver all the time of the world."""
SEEN_BY_VEHICLE: Final = frozenset({WPT_PairingMethod.LPE, WPT_PairingMethod.LF_TxPrimaryDevice})
"""Pairing in which the vehicle sees the code of the primary device."""
UNKNOWN, SUCCESS, FAILED = WPT_EVResult


class Approach:
    """Of one session."""

    def __init__(self, conversation: Conversation, ev: WptEV) -> None:
        self.conversation = conversation
        self.vehicle = conversation.vehicle
        self.ev = ev
        self.aligned = False
        """Whether the alignment check has succeeded, and the station has not said since that something is amiss."""
        self.attempts = 1
        self._pairing: WPT_PairingMethod | None = None
        self._pairing_begun = False
        self._transmitted: float | None = None
        """What the station transmitted in the trial when it had settled, W."""
        self._trial_over = False

    def choices(self) -> Mapping[Kind, Callable[[Any, Any], Kind | None]]:
        """What follows each answer of the approach."""
        return {
            WPT_FinePositioningSetupRes: self.after_fine_positioning_setup,
            WPT_FinePositioningRes: self.after_fine_positioning,
            WPT_PairingRes: self.after_pairing,
            WPT_AlignmentCheckRes: self.after_alignment_check,
        }

    def requests(self) -> Mapping[Kind, Callable[[], Any]]:
        """How each request of the approach is filled."""
        return {
            WPT_FinePositioningSetupReq: self.fine_positioning_setup,
            WPT_FinePositioningReq: self.fine_positioning,
            WPT_PairingReq: self.pairing,
            WPT_AlignmentCheckReq: self.alignment_check,
        }

    # Choices

    def again(self, reason: str) -> Kind | None:
        """Position the vehicle anew, unless that has been tried often enough."""
        self.lost()
        if self.attempts >= ATTEMPTS:
            return self.conversation.leave(f"{reason}; tried {self.attempts} times")
        self.vehicle.note(f"{reason}: once more")
        self.attempts += 1
        return WPT_FinePositioningSetupReq

    def lost(self) -> None:
        """Alignment must be proven again."""
        self.aligned = self._trial_over = False
        self._transmitted = None

    def after_fine_positioning_setup(self, request: Any, response: WPT_FinePositioningSetupRes) -> Kind | None:
        mine = self.ev.methods()
        chosen = (
            (response.PrimaryDeviceFinePositioningMethodList.WPT_FinePositioningMethod, mine.positioning),
            (response.PrimaryDevicePairingMethodList.WPT_PairingMethod, mine.pairing),
            (response.PrimaryDeviceAlignmentCheckMethodList.WPT_AlignmentCheckMethod, mine.alignment),
        )
        for methods, known in chosen:
            if len(methods) != 1 or methods[0] not in known:  # [V2G20-5006]
                return self.conversation.leave(f"the station chooses {', '.join(methods)} of {', '.join(known)}")
        self._pairing = response.PrimaryDevicePairingMethodList.WPT_PairingMethod[0]
        self._pairing_begun = False
        self.ev.unlock_connector()
        if self.ev.connector_locked():
            return None
        self.ev.start_positioning()
        return WPT_FinePositioningReq

    def after_fine_positioning(self, request: WPT_FinePositioningReq, response: WPT_FinePositioningRes) -> Kind | None:
        if misaligned(response):
            return self.again("the station does not see the vehicle in its place")
        if not both_finished(request, response):
            late = self.conversation.waited("positioning") >= POSITIONING_S
            return self.conversation.leave("the vehicle does not find its place") if late else WPT_FinePositioningReq
        self.conversation.forget("positioning")
        if request.EVResultCode is FAILED:
            return self.again("the vehicle has not found its place")
        if not self._held():
            return None
        self._begin_pairing()
        return WPT_PairingReq

    def after_pairing(self, request: WPT_PairingReq, response: WPT_PairingRes) -> Kind | None:
        seen, others = response.ObservedIDCode, response.AlternativeSECCList
        if others is not None:
            count = len(others.AlternativeSECC)
            return self.conversation.leave(f"the station names {count} others at which the vehicle may stand")
        if seen is not None and seen != self.ev.code():
            return self.conversation.leave(f"the station sees vehicle {seen}, this is {self.ev.code()}")
        if misaligned(response):
            return self.again("the station cannot pair")
        if not both_finished(request, response):
            return WPT_PairingReq
        self._pairing_begun = False
        if request.EVResultCode is FAILED:
            return self.again("the vehicle cannot pair")
        if self._pairing is WPT_PairingMethod.LF_TxEV and seen is None:
            return self.conversation.leave("the station does not say which vehicle it sees")
        return AuthorizationSetupReq if self.conversation.choice.chosen is None else WPT_AlignmentCheckReq

    def begin_alignment_check(self) -> Kind | None:
        """The charge parameters stand, or power has been interrupted."""
        self.lost()
        return WPT_AlignmentCheckReq if self._held() else None

    def after_alignment_check(self, request: WPT_AlignmentCheckReq, response: WPT_AlignmentCheckRes) -> Kind | None:
        if misaligned(response):
            return self.again("the station calls the vehicle misaligned, or sees an object")
        if not both_finished(request, response):
            return WPT_AlignmentCheckReq
        self._trial_over = False
        if request.EVResultCode is FAILED:
            return self.again("too little arrives of what is transmitted")
        self.aligned = True
        return self.conversation.after_alignment()

    def answered(self, response: Any) -> None:
        """Take in what a trial has shown."""
        if isinstance(response, WPT_AlignmentCheckRes):
            sent = response.PowerTransmitted
            self.ev.told(0.0 if sent is None else number(sent))
            if finished(response) and not self._trial_over:
                self._trial_over, self._transmitted = True, None if sent is None else number(sent)

    def _held(self) -> bool:
        """Whether the vehicle is held in its place; that takes a moment."""
        self.ev.lock_connector()
        return self.ev.connector_locked()

    def _begin_pairing(self) -> None:
        if not self._pairing_begun:
            self._pairing_begun = True
            self.ev.start_pairing()

    # Requests

    def fine_positioning_setup(self) -> WPT_FinePositioningSetupReq:
        methods = self.ev.methods()
        return WPT_FinePositioningSetupReq(
            Header=self.conversation.header(),
            EVProcessing=Processing.Finished,
            EVDeviceFinePositioningMethodList=WPT_FinePositioningMethodList(
                WPT_FinePositioningMethod=_named(WPT_FinePositioningMethod, methods.positioning)
            ),
            EVDevicePairingMethodList=WPT_PairingMethodList(
                WPT_PairingMethod=_named(WPT_PairingMethod, methods.pairing)
            ),
            EVDeviceAlignmentCheckMethodList=WPT_AlignmentCheckMethodList(
                WPT_AlignmentCheckMethod=_named(WPT_AlignmentCheckMethod, methods.alignment)
            ),
            NaturalOffset=round(self.ev.natural_offset_mm()),
        )

    def fine_positioning(self) -> WPT_FinePositioningReq:
        there = self.ev.positioned()
        return WPT_FinePositioningReq(
            Header=self.conversation.header(),
            EVProcessing=Processing.Ongoing if there is None else Processing.Finished,
            EVResultCode=UNKNOWN if there is None else SUCCESS if there else FAILED,
        )

    def pairing(self) -> WPT_PairingReq:
        seen = self.ev.observed_code()
        done = seen is not None or self._pairing not in SEEN_BY_VEHICLE
        return WPT_PairingReq(
            Header=self.conversation.header(),
            EVProcessing=Processing.Finished if done else Processing.Ongoing,
            ObservedIDCode=seen,
            EVResultCode=SUCCESS if done else UNKNOWN,
        )

    def alignment_check(self) -> WPT_AlignmentCheckReq:
        header = self.conversation.header()
        if not self._trial_over:
            return WPT_AlignmentCheckReq(
                Header=header,
                EVProcessing=Processing.Ongoing,
                TargetCoilCurrent=rational(TRIAL_COIL_AMPS),
                EVResultCode=UNKNOWN,
            )
        result = SUCCESS if self._coupled() else FAILED
        return WPT_AlignmentCheckReq(Header=header, EVProcessing=Processing.Finished, EVResultCode=result)

    def _coupled(self) -> bool:
        """Whether enough arrives. Of a station that does not say what it transmits, the place must do."""
        if not self._transmitted:
            return self.ev.positioned() is True
        return self.ev.received_watts() >= ENOUGH * self._transmitted


def _named(kind: Any, names: Sequence[str]) -> list[Any]:
    return [kind(name) for name in names]
